"""The stars on a stamp as BasePhotometry gives them: 0-based pixels, on the CCD and in the stamp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError

if TYPE_CHECKING:
    from astropy.table import Table

    from tessellar.photometry.limits import StampLimits
    from tessellar.photometry.target import Target
    from tessellar.pixels import MovementKernel, StarField

# BTJD grows by 365 a year; TESS cannot fly until this one, and MJD has been larger for a century.
_NO_BTJD = 20_000.0


def catalog_table(stars: StarField | None, target: Target, limits: StampLimits) -> Table:
    """Stars whose place in the reference frame is on the pixels of a stamp, the brightest first.

    Columns: starid, tmag, ra and dec (ICRS degrees at the time of observation), row and column (0-based CCD pixels),
    row_stamp and column_stamp (0-based pixels of the stamp). Without a catalogue there is the target alone.
    """
    if stars is None:
        columns: dict[str, NDArray[Any]] = {
            name: _known(getattr(target, name)) for name in ("tmag", "ra", "dec", "column", "row")
        }
        columns["starid"] = np.array([int(target.tic) if target.tic is not None else 0], dtype=np.int64)
    else:
        columns = {name: getattr(stars, name) for name in ("tmag", "ra", "dec", "column", "row")}
        columns["starid"] = stars.tic
    inside = np.array([limits.holds(x, y) for x, y in zip(columns["column"], columns["row"], strict=True)], dtype=bool)
    return _table({name: values[inside] for name, values in columns.items()}, limits)


def moved(table: Table, kernel: MovementKernel, time: float, limits: StampLimits) -> Table:
    """The table with its stars where they are at a time of the kernel."""
    places = np.column_stack([table["column"] + 1, table["row"] + 1])
    shift = kernel.interpolate(time, places) if len(table) else np.empty((0, 2))
    columns = {name: np.asarray(table[name]) for name in ("starid", "tmag", "ra", "dec")}
    columns |= {"column": places[:, 0] + shift[:, 0], "row": places[:, 1] + shift[:, 1]}
    return _table(columns, limits)


def check_btjd(time: float, first: float, last: float) -> float:
    """Refuse a time that cannot be BTJD, such as an MJD.

    Raises
    ------
    InputError
        If it is not a number, or as large as an MJD or a Julian date.
    """
    value = float(time)
    if not np.isfinite(value) or abs(value) > _NO_BTJD:
        raise InputError(
            f"time {time!r} is no BTJD: give BJD - 2457000 less the barycentric correction, here {first:.3f} to "
            f"{last:.3f} (an MJD is {2457000 - 2400000.5:.1f} more)"
        )
    return value


def _table(columns: dict[str, NDArray[np.float64]], limits: StampLimits) -> Table:
    from astropy.table import Table

    row, column = columns["row"] - 1, columns["column"] - 1
    values = {
        **{name: columns[name] for name in ("starid", "tmag", "ra", "dec")},
        "row": row,
        "column": column,
        "row_stamp": row - limits.row_min,
        "column_stamp": column - limits.col_min,
    }
    units = {"tmag": "mag", "ra": "deg", "dec": "deg"}
    return Table(values, units=units | dict.fromkeys(("row", "column", "row_stamp", "column_stamp"), "pix"))


def _known(value: float | None) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value])
