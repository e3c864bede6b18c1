"""Opening a table of ExoFOP that somebody has saved: a download page's answer, or the export of the web page."""

from __future__ import annotations

import os
from pathlib import Path

from astropy.table import Table

from tessellar.errors import MissingInput, NoPermission, UnexpectedReply, Unrecognised
from tessellar.exofop.columns import make_table
from tessellar.exofop.overviewcolumns import ctoi_columns, toi_columns
from tessellar.exofop.parsing import Records, normalised, read_records

# Tables of one target write the TOI as text; but for that of its neighbours, which this column tells.
_NEIGHBOURS = "gaia dr2"


def read_exofop_table(path: str | os.PathLike[str]) -> Table:
    r"""Open a saved table of ExoFOP, pipe or comma, of whichever page and year.

    Parameters
    ----------
    path : path-like
        What ``download_*.php`` answered, or what the web page exported.

    Returns
    -------
    Table
        Typed, with units. Tables of TOIs and CTOIs come in their one schema
        (see `toi_table`), others with the columns that they have.

    Raises
    ------
    MissingInput
        If there is no such file.
    Unrecognised
        If it is no such table.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tessellar.exofop import read_exofop_table
    >>> path = pathlib.Path(tempfile.mkdtemp(), "spectra.pipe")
    >>> _ = path.write_text("TIC ID|Telescope|Spectral resolution|Tag\n4711|FLWO (1.5 m)|44k|97552\n")
    >>> read_exofop_table(path)["Spectral resolution"].tolist()
    [44000.0]
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: no such file") from error
    except OSError as error:
        raise NoPermission(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return table_of(read_records(text, str(path)))
    except UnexpectedReply as error:
        raise Unrecognised(str(error)) from error


def table_of(records: Records) -> Table:
    """Build the typed table of records, by what its columns say that it is."""
    names = {normalised(name) for name in records.columns}
    cells = dict(zip(records.columns, zip(*records.rows, strict=True), strict=True)) if records.rows else {}
    cells = cells or dict.fromkeys(records.columns, ())
    if {"tic id", "toi", "tess disposition"} <= names:
        return toi_columns(cells, len(records.rows))
    if {"tic id", "ctoi", "user disposition"} <= names:
        return ctoi_columns(cells, len(records.rows))
    table = make_table(records.columns, records.rows, toi_is_text=_NEIGHBOURS not in names)
    for name in table.colnames:
        if normalised(name) == "obs date":
            table.rename_column(name, "Obs Date")
    return table
