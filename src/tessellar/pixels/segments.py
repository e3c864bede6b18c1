"""Parts of a sector between gaps: orbits, over which stars drift little and the response is one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

#: A gap longer than this, days, begins a new part: those between orbits, and those of pointing lost for hours. Momentum
#: dumps are minutes.
GAP = 0.3
# A part of fewer frames goes with the one before.
_LEAST = 8


def segments_of(time: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number of the part that each frame belongs to, from 0.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.pixels.segments import segments_of
    >>> segments_of(np.concatenate([np.arange(0, 1, 0.1), np.arange(2, 3, 0.1)])).tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    """
    step = float(np.median(np.diff(time))) if len(time) > 1 else 0.0
    begins = [0, *(np.flatnonzero(np.diff(time) > max(GAP, 3 * step)) + 1).tolist(), len(time)]
    labels = np.zeros(len(time), dtype=np.int64)
    number = -1
    for first, end in pairwise(begins):
        if number < 0 or end - first >= _LEAST:
            number += 1
        labels[first:end] = number
    return labels
