"""A set of files as models: one table row a file; a file is read when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from astropy.table import MaskedColumn, Table

from tessellar.errors import InputError
from tessellar.mission.names import match_name
from tessellar.products import Product, read

# Pages for people: nothing opens them as a model.
_DOCUMENTS = (".pdf", ".png", ".jpg", ".html", ".sh", ".md")

_COLUMNS: dict[str, tuple[type, str | None, str]] = {
    "file": (str, None, "file name"),
    "kind": (str, None, "lightcurve, tpf, dv ..., as the name tells"),
    "author": (str, None, "pipeline that made it"),
    "tic": (int, None, "star"),
    "sector": (int, None, "sector; the last one of a multi-sector run"),
    "camera": (int, None, "camera, 1 to 4"),
    "ccd": (int, None, "CCD, 1 to 4"),
    "cadence": (float, "s", "exposure time of one cadence"),
}


class OpenedSet(Sequence[Product]):
    """Models of files, read one by one as they are asked for.

    Parameters
    ----------
    paths : iterable of Path
        The files; pages for people, such as PDF, are left out.

    Examples
    --------
    >>> import tessellar
    >>> manifest = tessellar.fetch(tessellar.search("TIC 25155310", sector=1))  # doctest: +SKIP
    >>> curves = manifest.open().filter(kind="lightcurve")  # doctest: +SKIP
    >>> [curve.flux.mean() for curve in curves]  # doctest: +SKIP
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = [path for path in paths if not path.name.lower().endswith(_DOCUMENTS)]
        self._table: Table | None = None

    @property
    def table(self) -> Table:
        """What the names tell, one row a file: ``file, kind, author, tic, sector, camera, ccd, cadence``."""
        if self._table is None:
            self._table = _described(self.paths)
        return self._table

    def filter(self, **criteria: Any) -> OpenedSet:
        """Return the files that meet all criteria.

        Parameters
        ----------
        **criteria
            A column of `table`, and a value or a list of values.

        Raises
        ------
        InputError
            If there is no such column.
        """
        keep = np.ones(len(self), dtype=bool)
        for name, wanted in criteria.items():
            if name not in _COLUMNS:
                raise InputError(f"no column is called {name!r}; there are {', '.join(_COLUMNS)}")
            values = list(wanted) if isinstance(wanted, list | tuple | set | np.ndarray) else [wanted]
            keep &= np.array([value in values for value in self.table[name].tolist()], dtype=bool)
        return OpenedSet(path for path, kept in zip(self.paths, keep, strict=True) if kept)

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, which: int) -> Product: ...

    @overload
    def __getitem__(self, which: slice) -> OpenedSet: ...

    def __getitem__(self, which: int | slice) -> Product | OpenedSet:
        """Open one file; or take some of them, unopened."""
        return OpenedSet(self.paths[which]) if isinstance(which, slice) else read(self.paths[which])

    def __repr__(self) -> str:
        lines = self.table.pformat(max_lines=20, max_width=-1, show_unit=False)
        return "\n".join([f"{len(self)} files, read when asked for", *lines])

    def _repr_html_(self) -> str:
        html: str = self.table._repr_html_()
        return html


def _described(paths: Sequence[Path]) -> Table:
    names = [match_name(path.name) for path in paths]
    table = Table(masked=True)
    for column, (kind, unit, description) in _COLUMNS.items():
        told = [path.name for path in paths] if column == "file" else [_told(name, column) for name in names]
        table[column] = MaskedColumn(
            [kind() if value is None else value for value in told],
            dtype=kind,
            mask=[value is None for value in told],
            unit=unit,
            description=description,
        )
    return table


def _told(name: Any, column: str) -> Any:
    return getattr(name, column) if name is not None else None
