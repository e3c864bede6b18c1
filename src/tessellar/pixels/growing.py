"""Windows that grow: of one that overlaps another, only the rows that are new are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tessellar.pixels.stamp import Stamp

Cubes = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
#: Reads pixels, errors and background of all frames from a corner (CCD column and row, 1-based) and a shape.
Reader = Callable[[tuple[int, int], tuple[int, int]], Cubes]


def read_grown(read: Reader, corner: tuple[int, int], shape: tuple[int, int], known: Stamp | None) -> Cubes:
    """Read a window as `read` does, but for the rows that are known.

    Parameters
    ----------
    read : callable
        From a corner (CCD column and row, 1-based) and a shape (rows, columns) to images, errors and background of all
        frames, each (n, rows, columns).
    corner, shape
        Of the window.
    known : Stamp or None
        One of the same frames; of other columns it is of no use.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from tessellar.pixels.growing import read_grown
    >>> def read(corner, shape):
    ...     print("rows", corner[1], "to", corner[1] + shape[0] - 1)
    ...     return (np.ones((2, *shape)),) * 3
    >>> images, errors, background = read((45, 100), (11, 11))
    rows 100 to 110
    >>> known = SimpleNamespace(corner=(45, 100), shape=(11, 11), images=images, errors=errors, background=background)
    >>> read_grown(read, (45, 95), (20, 11), known)[0].shape
    rows 95 to 99
    rows 111 to 114
    (2, 20, 11)
    """
    if known is None or (known.corner[0], known.shape[1]) != (corner[0], shape[1]):
        return read(corner, shape)
    bottom, top = corner[1], corner[1] + shape[0]
    first, end = max(bottom, known.corner[1]), min(top, known.corner[1] + known.shape[0])
    if first >= end:
        return read(corner, shape)
    rows = slice(first - known.corner[1], end - known.corner[1])
    parts = [
        *([read(corner, (first - bottom, shape[1]))] if first > bottom else []),
        tuple(cube[:, rows] for cube in (known.images, known.errors, known.background)),
        *([read((corner[0], end), (top - end, shape[1]))] if top > end else []),
    ]
    images, errors, background = (np.concatenate(cubes, axis=1) for cubes in zip(*parts, strict=True))
    return images, errors, background
