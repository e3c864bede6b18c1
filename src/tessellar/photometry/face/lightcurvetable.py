"""Light curves as a table with the names that BasePhotometry gives them, and as columns of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError

if TYPE_CHECKING:
    from astropy.table import Table

    from tessellar.photometry.result import Result
    from tessellar.pixels import Stamp

# Name in the table and in FITS, type, unit. Two columns of FITS make one of two in the table.
_COLUMNS: tuple[tuple[str, tuple[str, ...], type[np.generic], str | None], ...] = (
    ("time", ("TIME",), np.float64, "d"),
    ("timecorr", ("TIMECORR",), np.float64, "d"),
    ("cadenceno", ("CADENCENO",), np.int32, None),
    ("quality", ("QUALITY",), np.int32, None),
    ("flux", ("FLUX",), np.float64, "electron / s"),
    ("flux_err", ("FLUX_ERR",), np.float64, "electron / s"),
    ("flux_background", ("FLUX_BKG",), np.float64, "electron / s"),
    ("pixel_quality", ("PIXEL_QUALITY",), np.int32, None),
    ("pos_centroid", ("MOM_CENTR1", "MOM_CENTR2"), np.float64, "pix"),
    ("pos_corr", ("POS_CORR1", "POS_CORR2"), np.float64, "pix"),
)
_GIVEN = ("time", "timecorr", "cadenceno", "quality")


def empty_table(stamp: Stamp) -> Table:
    """A table with the times, numbers, flags and movement of a stamp; flux, errors and centroids are NaN.

    Columns: time (BTJD), timecorr (d), cadenceno, quality (the mission's flags), flux, flux_err and flux_background
    (e-/s), pixel_quality (bits of `PixelQuality`), pos_centroid (1-based CCD column and row, px), pos_corr (px).
    """
    from astropy.table import Table

    table = Table()
    for name, fits, dtype, unit in _COLUMNS:
        shape = (len(stamp),) if len(fits) == 1 else (len(stamp), len(fits))
        if name in _GIVEN:
            values = np.array(getattr(stamp, name), dtype=dtype)
        elif name == "pos_corr" and stamp.pos_corr is not None:
            values = np.array(stamp.pos_corr, dtype=dtype)
        else:
            values = np.full(shape, np.nan if np.issubdtype(dtype, np.floating) else 0, dtype=dtype)
        table[name] = values
        table[name].unit = unit
    return table


def table_of(result: Result) -> Table:
    """The table of a result, with its further columns by their names in small letters."""
    table = empty_table(result.stamp)
    for name, fits, dtype, _ in _COLUMNS:
        parts = [np.asarray(result.columns[each], dtype=dtype) for each in fits]
        table[name][:] = parts[0] if len(parts) == 1 else np.column_stack(parts)
    for name, further in result.extra.items():
        table[name.lower()] = np.array(further)
    return table


def columns_of(table: Table, count: int) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Columns by their FITS names, those that every light curve has and further ones.

    Raises
    ------
    InputError
        If a column is missing or has another shape, or the table is not of `count` rows.
    """
    if len(table) != count:
        raise InputError(f"the light curve has {len(table)} rows, but there are {count} cadences")
    columns: dict[str, NDArray[Any]] = {}
    for name, fits, dtype, _ in _COLUMNS:
        if name not in table.colnames:
            raise InputError(f"the light curve has no column {name!r} any more: fill it, but keep it")
        values = np.asarray(table[name], dtype=dtype)
        wanted = (count,) if len(fits) == 1 else (count, len(fits))
        if values.shape != wanted:
            raise InputError(f"column {name} of the light curve has shape {values.shape}, not {wanted}")
        columns |= {fits[0]: values} if len(fits) == 1 else {each: values[:, i] for i, each in enumerate(fits)}
    known = {name for name, *_ in _COLUMNS}
    further = {name.upper(): np.asarray(table[name]) for name in table.colnames if name not in known}
    return columns, {
        name: values for name, values in further.items() if values.ndim == 1 and values.dtype.kind in "iufb"
    }


def check_shape(mask: NDArray[Any] | None, shape: tuple[int, int], name: str) -> NDArray[np.bool_]:
    """Return a mask as boolean array, all False where there is none; `InputError` if it does not fit the stamp."""
    if mask is None:
        return np.zeros(shape, dtype=bool)
    if np.shape(mask) != shape:
        raise InputError(f"{name} has shape {np.shape(mask)}, but the stamp has {shape[0]} rows and {shape[1]} columns")
    return np.asarray(mask, dtype=bool)
