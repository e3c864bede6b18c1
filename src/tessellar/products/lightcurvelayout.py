"""How light curves of many stars lie in HDF5: types of columns, chunks, packing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError

#: Columns that are kept as whole millionths: single precision has 0.0001 px at column 2000.
FIXED = ("MOM_CENTR1", "MOM_CENTR2")
#: Values of the column ``status``, as `tessellar.photometry.STATUS` has them.
STATUS_NAMES = {0: "UNKNOWN", 1: "OK", 2: "ERROR", 3: "WARNING", 4: "ABORT", 5: "SKIPPED", 6: "STARTED"}
#: Columns of the table that are counts, kept as numbers that may be unknown (NaN).
COUNTS = ("n_good", "mask_size")
# Columns for which single precision would not do.
_DOUBLE = ("TIME",)
_STEPS = 1e6
_NONE = np.iinfo(np.int32).min
# Bytes of one chunk before packing: small enough to read one star, large enough to read all.
_CHUNK = 1 << 17
_ROWS = 4096


def packed(name: str, values: ArrayLike) -> NDArray[Any]:
    """A column as it is kept: single precision, 32-bit integers, or whole millionths (centroids).

    What is packed is left as it is: centroids that are 32-bit integers.

    Raises
    ------
    InputError
        If it is not of numbers.

    Examples
    --------
    >>> packed("MOM_CENTR1", [1024.1234567, np.nan]).tolist()
    [1024123457, -2147483648]
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise InputError(f"column {name} is not of numbers: {array.dtype}")
    if name in FIXED:
        if array.dtype == np.int32:
            return array
        scaled = np.asarray(np.rint(np.multiply(array, _STEPS, dtype=np.float64)))
        known = (scaled < -float(_NONE)) & (scaled > float(_NONE))
        with np.errstate(invalid="ignore"):
            made = scaled.astype(np.int32)
        made[~known] = _NONE
        return made
    if array.dtype.kind == "f":
        return array.astype(np.float64 if name in _DOUBLE else np.float32, copy=False)
    return array.astype(np.int32 if array.dtype.itemsize <= 4 else np.int64, copy=False)


def unpacked(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """A column as it is used: centroids in pixels, float64; all others as they are kept.

    Examples
    --------
    >>> unpacked("MOM_CENTR1", packed("MOM_CENTR1", [1024.1234567, np.nan])).tolist()
    [1024.123457, nan]
    """
    if name not in FIXED:
        return values
    # Divided, not multiplied: 1e6 is exact, so that a number of six decimals is the nearest one.
    return np.where(values == _NONE, np.nan, values / _STEPS)


def rounded(name: str, values: ArrayLike) -> NDArray[Any]:
    """A column with the precision that files have, so that a file written at once equals one written from a store."""
    return unpacked(name, packed(name, values))


def series_storage(name: str, dtype: np.dtype[Any], length: int) -> dict[str, Any]:
    """How a column of `length` cadences is created: no stars yet, chunks of some stars and all their cadences."""
    stars = max(_CHUNK // (length * dtype.itemsize), 1)
    return {
        "shape": (0, length),
        "maxshape": (None, length),
        "chunks": (stars, min(length, _CHUNK * 8)),
        "dtype": dtype,
        "fillvalue": _fill(dtype, name),
        **_squeezed(),
    }


def table_storage(dtype: np.dtype[Any], name: str = "") -> dict[str, Any]:
    """How a column of one value a star is created."""
    import h5py

    if name == "status":
        words = h5py.enum_dtype({word: number for number, word in STATUS_NAMES.items()}, basetype="i1")
        return {"shape": (0,), "maxshape": (None,), "chunks": (_ROWS,), "dtype": words}
    base: dict[str, Any] = {"shape": (0,), "maxshape": (None,), "chunks": (_ROWS,)}
    if dtype.kind in "OUS":
        return base | {"dtype": h5py.string_dtype()}
    return base | {"dtype": dtype, "fillvalue": _fill(dtype), **_squeezed()}


def column_type(values: NDArray[Any]) -> np.dtype[Any]:
    """The type in which one value a star is kept: float64, int64, bool as int8, text.

    Raises
    ------
    InputError
        If it is neither of numbers nor of text.
    """
    kinds = {"f": "f8", "i": "i8", "u": "i8", "b": "i1", "U": "O", "O": "O", "S": "O"}
    if values.dtype.kind not in kinds:
        raise InputError(f"a column of the table is neither of numbers nor of text: {values.dtype}")
    return np.dtype(kinds[values.dtype.kind])


def checked_columns(columns: Mapping[str, ArrayLike], stars: int, length: int) -> dict[str, NDArray[Any]]:
    """Columns by their names in capitals, packed; `InputError` where a shape does not fit."""
    made = {}
    for name, values in columns.items():
        array = packed(name.upper(), values)
        if array.shape != (stars, length):
            raise InputError(f"column {name} has the shape {array.shape}, but there are {stars} stars x {length}")
        made[name.upper()] = array
    return made


def checked_table(table: Mapping[str, ArrayLike], stars: int) -> dict[str, NDArray[Any]]:
    """Columns of one value a star; `InputError` where a length does not fit."""
    made = {}
    for name, values in table.items():
        array = np.asarray(values)
        if array.shape != (stars,):
            raise InputError(f"{name} of the table has the shape {array.shape}, but there are {stars} stars")
        made[name] = array.astype(column_type(array), copy=False)
    return made


def _fill(dtype: np.dtype[Any], name: str = "") -> Any:
    if dtype.kind == "f":
        return np.nan
    if name in FIXED:
        return _NONE
    # Of flags none is set; of other whole numbers of the table nothing is known.
    return 0 if name or dtype.itemsize == 1 else np.iinfo(dtype).min


def _squeezed() -> dict[str, Any]:
    """Blosc with LZ4 and bit-shuffle: the fastest to read and the smallest of what was measured."""
    import hdf5plugin

    return dict(hdf5plugin.Blosc(cname="lz4", clevel=5, shuffle=hdf5plugin.Blosc.BITSHUFFLE))
