"""The tables that ExoFOP has of one target, and the tags in them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from tessellar import targets
from tessellar.errors import ArchiveError, InputError, NotFound, UnexpectedReply
from tessellar.exofop.asking import Exofop, Visitor, is_unreachable
from tessellar.exofop.identifiers import TIC
from tessellar.exofop.parsing import normalised, read_records
from tessellar.exofop.reading import table_of
from tessellar.exofop.system import System
from tessellar.exofop.targetpage import ON_PAGE, TargetPage
from tessellar.products.exofoptables import COLUMNS

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Page:
    """The download page of one table: what it is called, and what names the target."""

    page: str
    term: str
    file: str = ""


_PAGES: Mapping[str, _Page] = {
    "time_series": _Page("download_tseries.php", "target", "time_series_observations"),
    "spectroscopy": _Page("download_spect.php", "target", "spectroscopy_observations"),
    "imaging": _Page("download_imaging.php", "target", "imaging_observations"),
    "stellar_parameters": _Page("download_stellar.php", "id"),
    "planet_parameters": _Page("download_planet.php", "id"),
    "nearby_targets": _Page("download_nearbytarget.php", "id", "nearby_target"),
    "stellar_companions": _Page("download_stellarcomp.php", "target"),
    "files": _Page("download_filelist.php", "id"),
    "notes": _Page("download_obsnotes.php", "tid"),
    "uploads": _Page("download_uploads.php", "target"),
}

#: The tables of a target; `magnitudes` stand on its page alone.
KINDS = (*_PAGES, "magnitudes")
#: Of these, the tables whose tags name observations.
OBSERVATIONS = ("time_series", "spectroscopy", "imaging")

_UPLOADS = (
    "TIC ID", "Time Series Observations", "Spectroscopy Observations", "Imaging Observations", "Files",
    "Observation Notes", "Stellar Parameters", "Stellar Companions", "Planet Parameters",
)  # fmt: skip


class TargetTables:
    """All tables of one target: one request for most of them, each asked for when it is wanted.

    Parameters
    ----------
    target : str, int, TIC, TOI or System
        A TIC id, a TOI, or a system.
    authenticator : ExoFOPAuthenticator, optional
        Whose rows are wanted besides the public ones.

    Examples
    --------
    >>> from tessellar.exofop import TargetTables
    >>> tables = TargetTables("TOI-1130")
    >>> tables.table("time_series")["Pixel Scale"].unit
    Unit("arcsec")
    """

    def __init__(
        self, target: str | int | targets.TIC | targets.TOI | System, authenticator: Visitor | None = None
    ) -> None:
        if not isinstance(target, System):
            found = targets.parse_target(target)
            target = System(toi=found) if isinstance(found, targets.TOI) else System(tic=found)
        self.system = target
        self.authenticator = authenticator
        self._page: TargetPage | ArchiveError | None = None
        self._tables: dict[str, Table] = {}

    def __repr__(self) -> str:
        return f"TargetTables({self.system!r})"

    @property
    def page(self) -> TargetPage:
        """The target's page: names and place of the star, and most tables.

        Raises
        ------
        ArchiveError
            If ExoFOP does not give it.
        """
        if self._page is None:
            exofop = Exofop.open(self.authenticator)
            self._page = TargetPage(
                exofop.text("target.php", {"id": self._tic(exofop), "json": ""}), f"{exofop.base}target.php"
            )
        if isinstance(self._page, ArchiveError):
            raise self._page
        return self._page

    def table(self, kind: str) -> Table:
        """Return a table, a copy of your own.

        Parameters
        ----------
        kind : str
            ``time_series``, ``spectroscopy``, ``imaging``, ``stellar_parameters``, ``planet_parameters``,
            ``nearby_targets``, ``stellar_companions``, ``magnitudes``, ``files``, ``notes`` or ``uploads``.

        Returns
        -------
        Table
            Typed, with units; without rows, but with its columns, where there are none.

        Raises
        ------
        InputError
            If there is no such table, or ExoFOP does not know the target.
        ArchiveError
            If ExoFOP does not give it.
        """
        if kind not in KINDS:
            raise InputError(f"{kind!r} is no table of ExoFOP's; there are {', '.join(KINDS)}")
        if kind not in self._tables:
            if self.authenticator is not None and not self._tables:
                self.authenticator.confirm()
            self._tables[kind] = self._load(kind)
        return self._tables[kind].copy()

    def tags(self, kind: str) -> np.ndarray[Any, np.dtype[Any]]:
        """Return the tags of a table, each once, in the order of the table; none where it has no tags."""
        return distinct_tags(self.table(kind))

    def _load(self, kind: str) -> Table:
        if kind in ON_PAGE:
            page = self._usable_page()
            if page is not None and page.has(kind):
                return page.table(kind)
            if kind not in _PAGES:
                return self.page.table(kind)
        return self._download(kind)

    def _usable_page(self) -> TargetPage | None:
        try:
            return self.page
        except (InputError, NotFound):
            raise
        except ArchiveError as error:
            if is_unreachable(error):
                raise
            if self._page is None:
                _log.info("%s; the download pages are asked instead", error)
            self._page = error
            return None

    def _download(self, kind: str) -> Table:
        """Ask the download page of one table."""
        exofop = Exofop.open(self.authenticator)
        place = _PAGES[kind]
        value = self.system.target if place.term == "target" else self._tic(exofop)
        # A list of files comes without its TIC column from some of ExoFOP's pages; all of them know bars.
        text = exofop.text(place.page, {place.term: value, "output": "pipe"})
        records = read_records(text, f"{exofop.base}{place.page}")
        _check_columns(kind, records.columns, f"{exofop.base}{place.page}")
        return table_of(records)

    def _tic(self, exofop: Exofop) -> str:
        if self.system.tic is None:
            try:
                self.system.get_tic()
            except InputError:
                # Newer than the table of TOIs, perhaps.
                self.system.tic = TIC(exofop.tic_of(self.system.target))
        return self.system.get_tic().id


class ExofopTable:
    """One of ExoFOP's tables, to be asked for any target.

    Parameters
    ----------
    kind : str
        As `TargetTables.table` takes it.
    authenticator : ExoFOPAuthenticator, optional
        Whose rows are wanted besides the public ones.
    """

    def __init__(self, kind: str, authenticator: Visitor | None = None) -> None:
        if kind not in KINDS:
            raise InputError(f"{kind!r} is no table of ExoFOP's; there are {', '.join(KINDS)}")
        self.kind = kind
        self.authenticator = authenticator

    def __repr__(self) -> str:
        return f"ExofopTable({self.kind!r})"

    def load(self, target: str | TargetTables) -> Table:
        """Return the table of a target."""
        tables = target if isinstance(target, TargetTables) else TargetTables(target, self.authenticator)
        return tables.table(self.kind)


class OverviewTableAccessor:
    """One table of one target, asked for when it is first looked at.

    Parameters
    ----------
    table_loader : ExofopTable
        Which table.
    target : str
        A TIC id, or a TOI.
    target_dir : str
        If this folder exists, the table is saved there when it comes, as CSV.

    Examples
    --------
    >>> import tempfile
    >>> from tessellar.exofop import ExofopTable, OverviewTableAccessor
    >>> spectra = OverviewTableAccessor(ExofopTable("spectroscopy"), "TOI1130", tempfile.mkdtemp())
    >>> spectra.tags.tolist()
    [4711]
    """

    def __init__(self, table_loader: ExofopTable, target: str | TargetTables, target_dir: str = ".") -> None:
        self.table_loader = table_loader
        self.target = target.system.target if isinstance(target, TargetTables) else target
        self.target_dir = target_dir
        self._asked = target
        self._table: Table | None = None

    def __repr__(self) -> str:
        return f"OverviewTableAccessor(target={self.target}, table_loader={self.table_loader!r})"

    @property
    def table(self) -> Table:
        """The table containing the data for the given target; a copy of your own."""
        if self._table is None:
            self._table = self.table_loader.load(self._asked)
            self._save(self._table)
        return self._table.copy()

    @property
    def tags(self) -> np.ndarray[Any, np.dtype[Any]]:
        """The list of tags contained in the table for the given target: each once, in order."""
        return distinct_tags(self.table)

    def _save(self, table: Table) -> None:
        kind = self.table_loader.kind
        name = f"{(_PAGES[kind].file if kind in _PAGES else '') or kind}_overview_{self.target}.csv"
        path = Path(self.target_dir) / name
        try:
            table.write(path, format="ascii.csv", overwrite=True)
        except OSError as error:
            _log.info("%s: not written (%s)", path, error.strerror)


def distinct_tags(table: Table) -> np.ndarray[Any, np.dtype[Any]]:
    """Return the tags of a table, each once, in the order of the table: numbers, if all are numbers.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from tessellar.exofop.tables import distinct_tags
    >>> distinct_tags(Table({"Tag": [5734, 5903, 5734]})).tolist()
    [5734, 5903]
    """
    column = next((name for name in table.colnames if normalised(name) in ("tag", "tag id")), None)
    values = table[column].tolist() if column is not None else []
    tags = list(dict.fromkeys(value for value in values if value not in (None, "")))
    return np.array(tags, dtype=None if tags else np.int64)


def _check_columns(kind: str, columns: tuple[str, ...], where: str) -> None:
    """Refuse a table that is another one; columns may be moved, missing or new."""
    known = {normalised(name) for name in (_UPLOADS if kind == "uploads" else COLUMNS[kind])}
    if not known & {normalised(name) for name in columns}:
        raise UnexpectedReply(
            f"{where}: a table of {', '.join(columns[:4])} ..., not that of the {kind.replace('_', ' ')}"
        )
