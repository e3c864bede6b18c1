"""The order in which stars and frames are taken, so that memory is read in runs and what is shared is in the cache."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Rows of pixels of a strip, along which one goes: those of a mask or of a core.
_STRIP = 8


def by_place(column: ArrayLike, row: ArrayLike) -> NDArray[np.int64]:
    """Indices of places in an order in which neighbours are near each other: strip by strip, each along its columns.

    Parameters
    ----------
    column, row : array-like (k,)
        Pixels, counted from anywhere.

    Returns
    -------
    int array (k,)

    Examples
    --------
    >>> by_place([40, 3, 5, 41], [2, 1, 100, 3]).tolist()
    [1, 0, 3, 2]
    """
    strip = np.floor_divide(np.asarray(row), _STRIP)
    return np.lexsort((np.asarray(column), strip)).astype(np.int64)


def run_of(numbers: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """A slice, if numbers follow each other one by one, else the numbers: a slice of an array is no copy.

    Examples
    --------
    >>> run_of(np.array([3, 4, 5])), run_of(np.array([3, 5])).tolist()
    (slice(3, 6, None), [3, 5])
    """
    if len(numbers) and numbers[-1] - numbers[0] + 1 == len(numbers) and (np.diff(numbers) == 1).all():
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers
