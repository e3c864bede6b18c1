"""The tables of all TOIs and of all community TOIs: one request a day, kept on disk, looked up in memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from astropy.table import Table

from tessellar.errors import ArchiveError, InputError, TessellarError
from tessellar.exofop.asking import Exofop, is_unreachable, read_json
from tessellar.exofop.overviewcolumns import ctoi_columns, toi_columns
from tessellar.exofop.parsing import normalised, plain, read_records
from tessellar.exofop.snapshots import LIFE_TIME, Kept, Snapshots

if TYPE_CHECKING:
    from pandas import DataFrame

    from tessellar.exofop.system import System

_log = logging.getLogger(__name__)

# Where a table is, the best place first: page, parameters.
_SOURCES = {
    "tois": (
        ("json/tois.json", {}),
        ("download_toi.php", {"output": "pipe"}),
        ("download_toi.php", {"output": "csv"}),
    ),
    "ctois": (("download_ctoi.php", {"output": "pipe"}), ("download_ctoi.php", {"output": "csv"})),
}


class TOITable(Table):  # type: ignore[misc]
    """The TOIs (or CTOIs) of ExoFOP at one time.

    An astropy table of your own: change it as you like. ``meta`` has the
    ``source`` and the time at which it was ``fetched``.
    """

    def of(self, system: System) -> TOITable:
        """Return the rows of a system: of its TOI, or the planet that it names, if that is known, else of its star."""
        if system.toi is not None and "TOI" in self.colnames:
            rows, _ = system.toi._rows(self)
        else:
            rows, _ = rows_in(self, tic=int(system.get_tic()))
        found: TOITable = self[rows]
        return found

    def since(self, older: Table | None = None) -> Table:
        """Return what changed from an older table to this one.

        Parameters
        ----------
        older : Table, optional
            By default the one that ExoFOP had before this one, as far as it was seen here.

        Returns
        -------
        Table
            One row a change: ``TIC ID``, the id, ``Change`` (new, gone, changed), and for
            a change its ``Column``, ``Before`` and ``After``.

        Raises
        ------
        InputError
            If there is no older one.
        """
        from tessellar.exofop.changes import changes

        if older is None:
            older = _before(self)
        return changes(older, self, key="CTOI" if "CTOI" in self.colnames else "TOI")


@dataclass(frozen=True)
class Snapshot:
    """A table as it was fetched, with an index; nobody outside gets the table itself, only copies.

    Attributes
    ----------
    kept : Kept
        Where it came from, and when.
    table : TOITable
        Never changed.
    """

    kept: Kept
    table: TOITable

    @cached_property
    def by_tic(self) -> dict[int | None, list[int]]:
        """Rows of each TIC id."""
        return _index(_tic_number(tic) for tic in self.table["TIC ID"].tolist())

    @cached_property
    def by_number(self) -> dict[int | None, list[int]]:
        """Rows of each TOI, by its number without the point: system * 100 + planet."""
        return _index(_toi_number(toi) for toi in self.table["TOI"].tolist())

    @cached_property
    def by_system(self) -> dict[int | None, list[int]]:
        """Rows of each TOI system."""
        return _index(_toi_number(toi) // 100 for toi in self.table["TOI"].tolist())

    @cached_property
    def frame(self) -> DataFrame:
        """The table for pandas; private to this object."""
        return to_frame(self.table)


_snapshots: dict[tuple[str, str, str], Snapshot] = {}
_lock = threading.Lock()


def toi_table(*, refresh: bool = False) -> TOITable:
    """Return the table of all TOIs.

    It is asked for once a day, and kept; with the setting ``offline``, what is
    kept is used whatever its age.

    Parameters
    ----------
    refresh : bool
        Ask ExoFOP, however young the kept one is.

    Returns
    -------
    TOITable
        A copy of your own, in one schema whichever page of ExoFOP gave it: the
        columns of ``download_toi.php``, positions in degrees.

    Raises
    ------
    ArchiveError
        If ExoFOP gives none, and none is kept.

    Examples
    --------
    >>> from tessellar.exofop import toi_table
    >>> tois = toi_table()
    >>> tois["Period (days)"].unit
    Unit("d")
    """
    return TOITable(snapshot("tois", refresh=refresh).table)


def ctoi_table(*, refresh: bool = False) -> TOITable:
    """Return the table of all community TOIs; see `toi_table`."""
    return TOITable(snapshot("ctois", refresh=refresh).table)


def snapshot(name: str = "tois", *, refresh: bool = False) -> Snapshot:
    """Return the table that holds now, loaded at most once in this process while it is young."""
    exofop = Exofop.open()
    shelf = Snapshots(name, exofop.base)
    place = (name, exofop.base, str(shelf.folder))
    with _lock:
        known = _snapshots.get(place)
        if known is not None and not refresh and (exofop.settings.offline or known.kept.age < LIFE_TIME):
            return known
        kept = _current(exofop, shelf, refresh)
        if known is not None and known.kept.text == kept.text:
            found = replace(known, kept=kept)
            found.__dict__.update({key: value for key, value in known.__dict__.items() if key not in ("kept", "table")})
        else:
            found = Snapshot(kept, build(name, kept))
        _snapshots[place] = found
        return found


def build(name: str, kept: Kept) -> TOITable:
    """Build the typed table of what is kept."""
    where = kept.source
    if where.endswith(".json"):
        rows = read_json(kept.text, where)
        columns, length = _json_columns(rows, where), len(rows)
    else:
        records = read_records(kept.text, where)
        cells = map(list, zip(*records.rows, strict=True)) if records.rows else ([] for _ in records.columns)
        columns, length = dict(zip(records.columns, cells, strict=True)), len(records.rows)
    if not {"tic id", "ticid"} & {normalised(column) for column in columns} and length:
        raise ArchiveError(f"{where}: a table without TIC ids cannot be that of the {name}")
    table = TOITable((toi_columns if name == "tois" else ctoi_columns)(columns, length), copy=False)
    table.meta.update(name=name, source=where, fetched=kept.fetched.isoformat(timespec="seconds"))
    return table


def rows_in(
    overview: DataFrame | Table | None, *, tic: int | None = None, toi: tuple[int, int] | None = None
) -> tuple[list[int], DataFrame | Table | Snapshot]:
    """Return the rows of a star, or of a TOI (system, planet; 0 for the whole system), and what they are rows of.

    Parameters
    ----------
    overview : DataFrame, Table or None
        With columns ``TIC ID`` and ``TOI``; None for ExoFOP's own.

    Raises
    ------
    InputError
        If it has no such columns.
    """
    if overview is None:
        own = snapshot()
        if tic is not None:
            return own.by_tic.get(tic, []), own
        assert toi is not None
        return (own.by_number.get(toi[0] * 100 + toi[1], []) if toi[1] else own.by_system.get(toi[0], [])), own
    if tic is not None:
        values = column_of(overview, "TIC ID")
        return [row for row, value in enumerate(values) if _tic_number(value) == tic], overview
    assert toi is not None
    numbers = [_toi_number(value) for value in column_of(overview, "TOI")]
    wanted = toi[0] * 100 + toi[1]
    return [row for row, n in enumerate(numbers) if (n == wanted if toi[1] else n // 100 == toi[0])], overview


def column_of(overview: DataFrame | Table | Snapshot, name: str) -> list[Any]:
    """Return a column of an overview table, found without regard to case and blanks."""
    table = overview.table if isinstance(overview, Snapshot) else overview
    for column in getattr(table, "colnames", None) or list(getattr(table, "columns", ())):
        if normalised(str(column)) == normalised(name):
            values: list[Any] = table[column].tolist()
            return values
    raise InputError(f"the overview table has no column {name!r}: give one of ExoFOP's, or none")


def frame_of(rows: Sequence[int], overview: DataFrame | Table | Snapshot) -> DataFrame:
    """Return rows as a DataFrame of their own."""
    if isinstance(overview, Snapshot):
        return overview.frame.iloc[list(rows)].copy()
    if isinstance(overview, Table):
        return to_frame(overview[list(rows)])
    return overview.iloc[list(rows)].copy()


def to_frame(table: Table) -> DataFrame:
    """Turn a table into a DataFrame.

    Raises
    ------
    TessellarError
        If pandas is not installed.
    """
    try:
        import pandas  # noqa: F401
    except ImportError as error:
        raise TessellarError(
            "a look-up gives a pandas DataFrame: install it with pip install tessellar[pandas]"
        ) from error
    plain = Table(table, copy=True)
    plain.meta.clear()
    return plain.to_pandas()


def _current(exofop: Exofop, shelf: Snapshots, refresh: bool) -> Kept:
    kept = shelf.read()
    if exofop.settings.offline:
        if kept is None:
            raise ArchiveError(
                f"offline: the {shelf.name} of {exofop.base} were never asked for; ask once with the network"
            )
        return kept
    if kept is not None and not refresh and kept.age < LIFE_TIME:
        return kept
    errors: list[ArchiveError] = []
    sources = _SOURCES[shelf.name]
    for number, (page, params) in enumerate(sources, start=1):
        source = f"{exofop.base}{page}"
        # Where there is another source, it is asked sooner than this one for ever.
        asked = exofop if number == len(sources) else exofop.hasty()
        headers = {"If-None-Match": kept.etag} if kept is not None and kept.etag and kept.source == source else {}
        try:
            reply = asked.reply(page, params, headers=headers)
            if reply.status == 304 and kept is not None:
                return shelf.write(replace(kept, checked=datetime.now(UTC)))
            found = Kept(source, reply.body.decode("utf-8", "replace"), reply.headers.get("ETag"))
            build(shelf.name, found)
        except ArchiveError as error:
            errors.append(error)
            if is_unreachable(error):
                break
            continue
        return shelf.write(found)
    if kept is not None and not refresh:
        _log.warning("%s; the %s of %s are used", errors[0], shelf.name, f"{kept.checked:%Y-%m-%d}")
        return kept
    raise errors[0]


def _before(table: TOITable) -> Table:
    name = table.meta.get("name", "tois")
    kept = Snapshots(name, Exofop.open().base).read(before=True)
    if kept is None:
        raise InputError(
            "no older table is kept here to compare with: give one, by --since FILE or "
            "tois.since(read_exofop_table(path))"
        )
    return build(name, kept)


def _json_columns(rows: Any, where: str) -> dict[str, list[Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not rows:
        raise ArchiveError(f"{where}: not the list of TOIs that it should be")
    names = dict.fromkeys(key for row in rows for key in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return columns | {
        name: [plain(str(cell or "")) for cell in columns[name]] for name in columns if name == "comments"
    }


def _index(values: Iterable[int | None]) -> dict[int | None, list[int]]:
    found: dict[int | None, list[int]] = {}
    for row, value in enumerate(values):
        found.setdefault(value, []).append(row)
    return found


def _tic_number(value: object) -> int | None:
    text = str(value).strip().upper().removeprefix("TIC").strip(" -_")
    try:
        return int(float(text))
    except ValueError:
        return None


def _toi_number(value: object) -> int:
    text = str(value).strip().upper().removeprefix("TOI").strip(" -_")
    try:
        return round(float(text) * 100)
    except (ValueError, OverflowError):
        return -1


def forget() -> None:
    """Forget what was loaded in this process; what is kept on disk stays."""
    with _lock:
        _snapshots.clear()
