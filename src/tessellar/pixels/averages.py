"""The mean image of a stamp."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Rows of pixels that are turned to float64 at once: with an 11 x 11 stamp one block fits a core's cache.
_BLOCK = 1024


def mean_image(images: NDArray[Any], use: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average the finite values of each pixel over the cadences in `use`.

    Parameters
    ----------
    images : array (n, rows, cols)
        In e-/s, NaN where missing; any floating type and byte order.
    use : boolean array (n,)
        The cadences to take.

    Returns
    -------
    array (rows, cols), float64
        e-/s; NaN where a pixel has no finite value in these cadences.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.pixels import mean_image
    >>> cube = np.array([[[1.0, np.nan]], [[3.0, np.nan]], [[8.0, 5.0]]])
    >>> mean_image(cube, np.array([True, True, False]))
    array([[ 2., nan]])
    """
    flat = images.reshape(len(images), -1)
    total = np.zeros(flat.shape[1])
    count = np.zeros(flat.shape[1])
    for start in range(0, len(flat), _BLOCK):
        chosen = use[start : start + _BLOCK]
        block = flat[start : start + _BLOCK]
        values = (block if chosen.all() else block[chosen]).astype(np.float64)
        block_sum = np.ones(len(values)) @ values
        if np.isfinite(block_sum).all():
            total += block_sum
            count += len(values)
        else:
            finite = np.isfinite(values)
            total += np.where(finite, values, 0.0).sum(axis=0)
            count += finite.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / count).reshape(images.shape[1:])
