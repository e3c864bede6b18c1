"""Tables of what an archive holds: one row an observation, one row a file.

Identity is ``obs_id`` for an observation and ``dataURI`` for a file. MAST's
``obsid`` is a row number of its database, which changes when data are
ingested again: it serves to ask for products, never to remember anything by.
"""

from __future__ import annotations

import fnmatch
import html
import shlex
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from tessellar.errors import QueryError


class ColumnInfo(NamedTuple):
    """Type (``str``, ``float``, ``int`` or ``bool``), unit and meaning of a column."""

    kind: type
    unit: str | None
    description: str


_TEXT, _REAL, _WHOLE = str, float, int
_MOST_SHOWN = 12
_UNREADABLE = "unreadable"  # in a table's meta: by column, how many values are not what it holds, and masked

OBSERVATION_COLUMNS: dict[str, ColumnInfo] = {
    "intentType": ColumnInfo(_TEXT, None, "science or calibration"),
    "obs_collection": ColumnInfo(_TEXT, None, "TESS, or HLSP for products of others"),
    "provenance_name": ColumnInfo(_TEXT, None, "pipeline that made the products"),
    "instrument_name": ColumnInfo(_TEXT, None, "instrument"),
    "project": ColumnInfo(_TEXT, None, "processing project"),
    "filters": ColumnInfo(_TEXT, None, "filter"),
    "wavelength_region": ColumnInfo(_TEXT, None, "energy band"),
    "target_name": ColumnInfo(_TEXT, None, "TIC id without padding, or TESS FFI"),
    "target_classification": ColumnInfo(_TEXT, None, "kind of target"),
    "obs_id": ColumnInfo(_TEXT, None, "name of the observation: its identity"),
    "s_ra": ColumnInfo(_REAL, "deg", "right ascension (ICRS)"),
    "s_dec": ColumnInfo(_REAL, "deg", "declination (ICRS)"),
    "proposal_id": ColumnInfo(_TEXT, None, "guest investigator programmes"),
    "proposal_pi": ColumnInfo(_TEXT, None, "principal investigator"),
    "calib_level": ColumnInfo(_WHOLE, None, "calibration level, 0 to 4"),
    "t_min": ColumnInfo(_REAL, "d", "start (MJD)"),
    "t_max": ColumnInfo(_REAL, "d", "end (MJD)"),
    "t_exptime": ColumnInfo(_REAL, "s", "exposure time of one cadence"),
    "em_min": ColumnInfo(_REAL, "nm", "shortest wavelength"),
    "em_max": ColumnInfo(_REAL, "nm", "longest wavelength"),
    "obs_title": ColumnInfo(_TEXT, None, "title"),
    "t_obs_release": ColumnInfo(_REAL, "d", "release (MJD)"),
    "proposal_type": ColumnInfo(_TEXT, None, "type of proposal"),
    "sequence_number": ColumnInfo(_WHOLE, None, "sector; the last one of a multi-sector run"),
    "s_region": ColumnInfo(_TEXT, None, "footprint (STC-S)"),
    "jpegURL": ColumnInfo(_TEXT, None, "preview"),
    "dataURL": ColumnInfo(_TEXT, None, "main file"),
    "dataRights": ColumnInfo(_TEXT, None, "PUBLIC or EXCLUSIVE_ACCESS"),
    "mtFlag": ColumnInfo(bool, None, "moving target"),
    "srcDen": ColumnInfo(_REAL, None, "source density"),
    "dataproduct_type": ColumnInfo(_TEXT, None, "timeseries, image or cube"),
    "distance": ColumnInfo(_REAL, "arcsec", "distance from the position asked for"),
    "separation": ColumnInfo(_REAL, "arcsec", "of the target from the centre of the cone that was searched"),
    "obsid": ColumnInfo(_TEXT, None, "row number in the archive; changes on re-ingest"),
    "objID": ColumnInfo(_TEXT, None, "row number in the archive; changes on re-ingest"),
    # What tessellar adds to the archive's columns.
    "sector_first": ColumnInfo(_WHOLE, None, "first sector of the range in obs_id"),
    "sector_last": ColumnInfo(_WHOLE, None, "last sector of the range in obs_id"),
    "camera": ColumnInfo(_WHOLE, None, "camera, 1 to 4, from the name or the pointing"),
    "ccd": ColumnInfo(_WHOLE, None, "CCD, 1 to 4, from the name or the pointing"),
}

PRODUCT_COLUMNS: dict[str, ColumnInfo] = {
    "obs_id": ColumnInfo(_TEXT, None, "name of the observation that the file belongs to"),
    "target": ColumnInfo(_TEXT, None, "TIC id without padding, or TESS FFI"),
    "sector": ColumnInfo(_WHOLE, None, "sector; the last one of a multi-sector run"),
    "sector_first": ColumnInfo(_WHOLE, None, "first sector of the range in the name of the file or observation"),
    "sector_last": ColumnInfo(_WHOLE, None, "last sector of the range in the name of the file or observation"),
    "camera": ColumnInfo(_WHOLE, None, "camera, 1 to 4"),
    "ccd": ColumnInfo(_WHOLE, None, "CCD, 1 to 4"),
    "cadence": ColumnInfo(_REAL, "s", "exposure time of one cadence"),
    "kind": ColumnInfo(_TEXT, None, "lightcurve, tpf, ffi, dv, cbv ..., or unknown"),
    "author": ColumnInfo(_TEXT, None, "pipeline that made it"),
    "productFilename": ColumnInfo(_TEXT, None, "file name"),
    "size": ColumnInfo(_WHOLE, "byte", "size as the archive's table says"),
    "dataURI": ColumnInfo(_TEXT, None, "name of the file in the archive: its identity"),
    "s3_uri": ColumnInfo(_TEXT, None, "address in the archive's cloud bucket, where one is known"),
    "summary": ColumnInfo(_TEXT, None, "what the file is, in a sentence"),
    "description": ColumnInfo(_TEXT, None, "what the archive calls it"),
    "productType": ColumnInfo(_TEXT, None, "SCIENCE, INFO, PREVIEW or AUXILIARY"),
    "productGroupDescription": ColumnInfo(_TEXT, None, "Minimum Recommended Products, or nothing"),
    "productSubGroupDescription": ColumnInfo(_TEXT, None, "LC, TP, DVT ..."),
    "productDocumentationURL": ColumnInfo(_TEXT, None, "documentation"),
    "obs_collection": ColumnInfo(_TEXT, None, "TESS or HLSP"),
    "dataproduct_type": ColumnInfo(_TEXT, None, "timeseries, image or cube"),
    "project": ColumnInfo(_TEXT, None, "processing project"),
    "prvversion": ColumnInfo(_TEXT, None, "version of the pipeline"),
    "proposal_id": ColumnInfo(_TEXT, None, "guest investigator programmes"),
    "type": ColumnInfo(_TEXT, None, "S, C or D"),
    "calib_level": ColumnInfo(_WHOLE, None, "calibration level"),
    "dataRights": ColumnInfo(_TEXT, None, "PUBLIC or EXCLUSIVE_ACCESS"),
    "filters": ColumnInfo(_TEXT, None, "filter"),
    "parent_obsid": ColumnInfo(_TEXT, None, "row number in the archive; changes on re-ingest"),
    "obsID": ColumnInfo(_TEXT, None, "row number in the archive; changes on re-ingest"),
}


class ArchiveTable(Table):  # type: ignore[misc]
    """A table whose columns have known types, units and descriptions.

    Missing values are masked, and so are values that are not what their column
    holds, as text among numbers: ``meta["unreadable"]`` counts those by column.
    It writes to ECSV and reads back the same.
    """

    known_columns: ClassVar[Mapping[str, ColumnInfo]] = {}
    shown_columns: ClassVar[Sequence[str]] = ()
    """Of a table with many columns, those that are shown."""

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Any]], columns: Iterable[str] | None = None) -> Self:
        """Build the table from rows as an archive sends them.

        Parameters
        ----------
        rows : sequence of mapping
            Column name to value; a missing key, None and ``""`` are missing values.
        columns : iterable of str, optional
            The columns to have; by default those that any row has, known ones
            first, and if there is no row all that are known.
        """
        return cls.from_columns(columns_of(rows), columns, len(rows))

    @classmethod
    def from_columns(
        cls,
        values: Mapping[str, Sequence[Any]],
        columns: Iterable[str] | None = None,
        count: int | None = None,
        *,
        spend: bool = False,
    ) -> Self:
        """Build the table from values by their columns; everything else as `from_rows` does.

        Parameters
        ----------
        values : mapping
            Column name to the values of all rows.
        columns : iterable of str, optional
            The columns to have.
        count : int, optional
            How many rows there are; needed where there may be no column.
        spend : bool
            Take each column out of `values`, a dictionary, as it is built, so that a long table is not held twice.
        """
        count = len(next(iter(values.values()), ())) if count is None else count
        if columns is None:
            names = [name for name in cls.known_columns if name in values or not count]
            names += sorted(name for name in values.keys() - set(names) if not name.startswith("_"))
        else:
            names = list(columns)
        unreadable: dict[str, int] = {}
        found: list[np.ma.MaskedArray[Any, Any]] = []
        for name in names:
            info = cls.known_columns.get(name, ColumnInfo(str, None, ""))
            given = values.pop(name, None) if spend and isinstance(values, dict) else values.get(name)
            column, failed = _column(given or [None] * count, info)
            found.append(column)
            if failed:
                unreadable[name] = failed
        table = cls._of_arrays(found, names)
        if unreadable:
            table.meta[_UNREADABLE] = unreadable
        return table

    @classmethod
    def _of_arrays(cls, arrays: Sequence[np.ma.MaskedArray[Any, Any]], names: Sequence[str]) -> Self:
        """Make columns of arrays, with what is known of them. Astropy would make each of them twice from columns."""
        table = cls(list(arrays), names=names, masked=True, copy=False)
        for name in names:
            info = cls.known_columns.get(name)
            if info is not None:
                column = table.columns[name]
                column.description = info.description
                if info.unit is not None:
                    column.unit = info.unit
        return table

    @classmethod
    def stacked(cls, tables: Sequence[Self]) -> Self:
        """Join tables, one below the other; a column that one of them lacks is missing in its rows."""
        if len(tables) < 2:
            return tables[0] if tables else cls.from_rows([])
        seen = {name for table in tables for name in table.colnames}
        names = [name for name in cls.known_columns if name in seen]
        names += sorted(seen.difference(names))
        found = []
        unreadable: dict[str, int] = {}
        for name in names:
            info = cls.known_columns.get(name, ColumnInfo(str, None, ""))
            parts = [table[name] if name in table.colnames else _missing(len(table), info) for table in tables]
            data = np.concatenate([np.ma.getdata(part) for part in parts])
            mask = np.concatenate([np.ma.getmaskarray(part) for part in parts])
            found.append(np.ma.MaskedArray(data, mask=mask))
        joined = cls._of_arrays(found, names)
        for table in tables:
            for name, failed in table.meta.get(_UNREADABLE, {}).items():
                unreadable[name] = unreadable.get(name, 0) + failed
        if unreadable:
            joined.meta[_UNREADABLE] = unreadable
        return joined

    def filter(self, **criteria: Any) -> Self:
        """Return the rows that meet all criteria.

        Parameters
        ----------
        **criteria
            Column name to a value, a list of values (any of them), or for text
            a pattern with ``*``; text is compared without regard to case. A
            pair ``(low, high)`` on a column of numbers is a closed range.

        Raises
        ------
        QueryError
            If there is no such column.
        """
        keep = np.ones(len(self), dtype=bool)
        for name, wanted in criteria.items():
            if name not in self.colnames:
                raise QueryError(f"no column is called {name!r}; there are {', '.join(self.colnames)}")
            keep &= _matches(self[name], wanted)
        kept: Self = self[keep]
        return kept

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = self._shown().pformat(max_lines=30, max_width=160, show_unit=False) if self.colnames else []
        return "\n".join([*lines, self._summary()])

    def _repr_html_(self) -> str:
        body = "\n".join(self._shown().pformat(html=True, max_lines=40, max_width=-1)) if self.colnames else ""
        return f"{body}<p><i>{html.escape(self._summary())}</i></p>"

    def _shown(self) -> Table:
        """Return a plain table of the columns that tell most."""
        names = self.colnames
        if len(names) > _MOST_SHOWN:
            names = [name for name in self.shown_columns if name in names] or names
        return Table([self[name] for name in names], names=names, copy=False)

    def _summary(self) -> str:
        hidden = len(self.colnames) - len(self._shown().colnames) if self.colnames else 0
        more = f"; {hidden} more columns: see colnames" if hidden else ""
        return f"{type(self).__name__} of {len(self)} {'row' if len(self) == 1 else 'rows'}{more}"

    def rows(self) -> list[dict[str, Any]]:
        """Return plain rows, None for a missing value."""
        return plain_rows(self)


class ObservationTable(ArchiveTable):
    """One row an observation, with the columns of MAST's CAOM (`OBSERVATION_COLUMNS`).

    Examples
    --------
    >>> from tessellar.products import ObservationTable
    >>> table = ObservationTable.from_rows([{"obs_id": "a", "sequence_number": 1}, {"obs_id": "b"}])
    >>> len(table.filter(sequence_number=1))
    1
    """

    known_columns = OBSERVATION_COLUMNS
    shown_columns = (
        "target_name", "sector_first", "sector_last", "camera", "ccd", "t_exptime", "provenance_name",
        "dataproduct_type", "separation", "obs_id",
    )  # fmt: skip


class ProductTable(ArchiveTable):
    """One row a file, with the columns of MAST's product list and a few of ours (`PRODUCT_COLUMNS`)."""

    known_columns = PRODUCT_COLUMNS
    shown_columns = (
        "target", "sector_first", "sector_last", "camera", "ccd", "cadence", "kind", "author", "size",
        "productFilename",
    )  # fmt: skip

    @property
    def total_size(self) -> int:
        """Bytes of all files together, as far as the archive tells their sizes."""
        return int(np.ma.filled(np.ma.sum(self["size"]), 0)) if len(self) and "size" in self.colnames else 0

    def to_uris(self) -> list[str]:
        """Return the archive names of the files."""
        return [str(uri) for uri in self["dataURI"]]

    def to_urls(self) -> list[str]:
        """Return where the files can be fetched, at the archive that the table came from."""
        template = self.meta.get("url_template")
        if template is None:
            raise QueryError("this table does not know its archive: it was not made by a search")
        return [template.format(uri=uri) for uri in self.to_uris()]


def even_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]] | None:
    """Return rows by their columns, where all have the same ones, two or more; else None."""
    names = list(rows[0]) if rows else []
    if len(names) < 2 or any(len(row) != len(names) for row in rows):
        return None
    try:
        return dict(zip(names, zip(*map(itemgetter(*names), rows), strict=True), strict=True))
    except KeyError:
        return None


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    """Return rows by their columns; None where a row has none.

    Examples
    --------
    >>> from tessellar.products.tables import columns_of
    >>> columns_of([{"a": 1}, {"a": 2, "b": 3}])
    {'a': [1, 2], 'b': [None, 3]}
    """
    even = even_columns(rows)
    if even is not None:
        return even
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def plain_rows(table: Table) -> list[dict[str, Any]]:
    """Return the rows of any table as plain values, None for a missing one."""
    columns = [(name, table[name].tolist()) for name in table.colnames]
    return [{name: values[i] for name, values in columns} for i in range(len(table))]


def curl_script(table: ProductTable) -> str:
    """Return a shell script that fetches the files with curl, into the folders where `fetch` puts them.

    Run again, it continues what was cut off. curl checks neither structure nor
    digest of what it fetches; `tessellar` does so when it meets the files.
    """
    lines = ["#!/bin/sh", "# Fetches TESS files; run it again to continue what was cut off."]
    for row, url in zip(table.rows(), table.to_urls(), strict=True):
        place = "/".join(("mastDownload", str(row["obs_collection"]), str(row["obs_id"]), str(row["productFilename"])))
        lines.append(f"curl -f -L -C - --create-dirs -o {shlex.quote(place)} {shlex.quote(url)}")
    return "\n".join(lines) + "\n"


def _column(values: Sequence[Any], info: ColumnInfo) -> tuple[np.ma.MaskedArray[Any, Any], int]:
    """Return the values as an array, and how many of them are not what the column holds: those are masked."""
    read = _as_they_are(values, info.kind)
    failed = 0
    if read is None:
        missing = [value is None or value == "" or (info.kind is int and value == -999) for value in values]
        items = [None if gone else _readable(info.kind, value) for value, gone in zip(values, missing, strict=True)]
        failed = sum(item is None for item in items) - sum(missing)
        empty = info.kind()
        data: NDArray[Any] = np.array([empty if item is None else item for item in items], dtype=_DTYPES[info.kind])
        read = data, np.array([item is None for item in items], dtype=bool)
    return np.ma.MaskedArray(read[0], mask=read[1]), failed


def _as_they_are(values: Sequence[Any], kind: type) -> tuple[NDArray[Any], NDArray[np.bool_]] | None:
    """Return values and where they are missing, all at once; None if they have to be looked at one by one."""
    kinds = set(map(type, values))
    count, absent = len(values), type(None)
    if kinds <= {absent}:
        return np.zeros(count, dtype=_DTYPES[kind]), np.ones(count, dtype=bool)
    if count > 1 and len(kinds) == 1 and values.count(values[0]) == count:
        # Much of what an archive tells is the same in all rows.
        one = _as_they_are(values[:1], kind)
        return one and (np.repeat(one[0], count), np.repeat(one[1], count))
    if kind is str and kinds <= {str, absent}:
        if len(set(values[:_GLANCE])) <= _GLANCE // 4:  # few values, most likely
            distinct = {value: i for i, value in enumerate(dict.fromkeys(values))}
            text = np.array(["" if value is None else value for value in distinct])
            text = text[np.fromiter(map(distinct.__getitem__, values), np.intp, count)]
        else:
            text = np.array(["" if value is None else value for value in values] if absent in kinds else values)
        return text, text == ""
    if kind is str and kinds == {int}:
        return np.array(list(map(str, values))), np.zeros(count, dtype=bool)
    if kind is int and kinds <= {int, absent} and all(value is None or abs(value) < 2**63 for value in values):
        whole = np.array([-999 if value is None else value for value in values], dtype=np.int64)
        return np.where(whole == -999, 0, whole), whole == -999
    if (kind is float and kinds <= {float, int, absent}) or (kind is bool and kinds <= {bool, absent}):
        gone = np.fromiter((value is None for value in values), bool, count)
        return np.array([kind(0) if value is None else value for value in values], dtype=_DTYPES[kind]), gone
    return None


def _missing(count: int, info: ColumnInfo) -> np.ma.MaskedArray[Any, Any]:
    return _column([None] * count, info)[0]


_GLANCE = 64  # values by which a column is judged
_DTYPES = {str: np.str_, float: np.float64, int: np.int64, bool: np.bool_}


def _readable(kind: type, value: Any) -> Any:
    try:
        return _as(kind, value)
    except (ValueError, TypeError, OverflowError):
        return None


def _as(kind: type, value: Any) -> Any:
    if kind is bool and isinstance(value, str):
        return value.strip().lower() in ("true", "1", "t")
    if kind is int:
        number = float(value) if isinstance(value, str) else value
        if number != int(number):
            raise ValueError(f"{value!r} is not a whole number")
        return int(value) if isinstance(value, str) and value.strip().lstrip("+-").isdecimal() else int(number)
    return kind(value)


def _matches(column: Any, wanted: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    present = ~np.ma.getmaskarray(column) if hasattr(column, "mask") else np.ones(len(column), dtype=bool)
    data = np.ma.getdata(column)
    if data.dtype.kind in "US":
        options = [str(option).lower() for option in (wanted if isinstance(wanted, list | tuple | set) else [wanted])]
        text = [str(value).lower() for value in data]
        found = np.array([any(fnmatch.fnmatchcase(value, o) for o in options) for value in text], dtype=bool)
    elif isinstance(wanted, tuple) and len(wanted) == 2:
        found = (data >= wanted[0]) & (data <= wanted[1])
    else:
        found = np.isin(data, list(wanted) if isinstance(wanted, list | set) else [wanted])
    return np.asarray(found & present, dtype=bool)
