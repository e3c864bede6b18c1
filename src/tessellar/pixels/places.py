"""Places on the CCD and the pixels that they lie in."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def nearest_pixel(place: ArrayLike) -> NDArray[np.int64]:
    """Number of the pixel that a column or row lies in: pixel k reaches from k - 0.5 to below k + 0.5.

    That is how FITS counts (Greisen & Calabretta 2002, A&A 395, 1061). It holds for pixels counted from
    0 and from 1. `round` would not do: it goes to the even number halfway between two.

    Parameters
    ----------
    place : array-like of float
        Columns or rows, pixels; finite.

    Returns
    -------
    int64 array
        Of the same shape.

    Examples
    --------
    >>> from tessellar.pixels.places import nearest_pixel
    >>> nearest_pixel([44.5, 45.49, 45.5]).tolist()
    [45, 45, 46]
    """
    return np.asarray(np.floor(np.asarray(place, dtype=np.float64) + 0.5), dtype=np.int64)
