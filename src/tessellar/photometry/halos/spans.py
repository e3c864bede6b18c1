"""Parts of a light curve over which weights hold: between the gaps of the good cadences, for any sector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tessellar.pixels.segments import GAP


def time_spans(
    time: NDArray[np.float64],
    use: NDArray[np.bool_],
    parts: NDArray[np.integer] | None = None,
    *,
    shortest: int = 100,
) -> NDArray[np.int64]:
    """Number of the span that each cadence belongs to, from 0.

    A span begins after a gap of more than 0.3 d between cadences in use, and where `parts` changes. One of fewer
    than `shortest` cadences in use goes with the neighbour that is nearer in time. A cadence that is not in use belongs
    to the span of the nearest one that is.

    Parameters
    ----------
    time : array (n,)
        Days; not decreasing, as far as it is known, where in use.
    use : boolean array (n,)
        The good cadences; at least one.
    parts : int array (n,), optional
        Orbits, where they are known.
    shortest : int
        Fewest cadences in use of a span, unless there are no more in all.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.photometry.halos.spans import time_spans
    >>> time = np.r_[np.arange(0, 1, 0.1), np.arange(2, 3, 0.1), 4.0]
    >>> time_spans(time, np.ones(21, bool), shortest=5)
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    """
    chosen = np.flatnonzero(use)
    gaps = np.diff(time[chosen])
    usual = float(np.median(gaps)) if gaps.size else 0.0
    begins = gaps > max(GAP, 3 * usual)
    if parts is not None:
        begins |= np.diff(parts[chosen]) != 0
    first = [0, *(np.flatnonzero(begins) + 1).tolist()]
    while len(first) > 1:
        sizes = np.diff([*first, len(chosen)])
        small = int(np.argmin(sizes))
        if sizes[small] >= shortest:
            break
        before = gaps[first[small] - 1] if small else np.inf
        after = gaps[first[small + 1] - 1] if small + 1 < len(first) else np.inf
        del first[small if before <= after else small + 1]
    # A span ends halfway, in cadences, between its last one in use and the first of the next.
    ends = [(int(chosen[start - 1]) + int(chosen[start]) + 1) / 2 for start in first[1:]]
    return np.searchsorted(np.asarray(ends), np.arange(len(time)), side="right").astype(np.int64)
