"""Which frames can share one description of where the stars are.

The response of a star is expanded about one place to second order, which holds while the
star stays within some hundredths of a pixel of it. Frames are put into groups of which
every one keeps to that, over the whole CCD; what no group wants is solved by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Pixels from the place of expansion to which second order is good: 1e-5 of a star's flux.
WITHIN = 0.04
#: Frames that are worth a group: a group's setting up takes about as long as solving so many singly.
FEWEST = 12


@dataclass(frozen=True, eq=False)
class Group:
    """Frames whose stars lie within some hundredths of a pixel of one place.

    Attributes
    ----------
    frames : int array (n,)
        Their numbers, in order.
    segment : int
        Part of the sector that they belong to.
    kernel : array (6,)
        Affine map from the reference frame to the place of expansion, as `MovementKernel` has it.
    expanded : bool
        Whether the frames are expanded about it; a frame that is alone is solved exactly where it is.
    """

    frames: NDArray[np.int64]
    segment: int
    kernel: Array
    expanded: bool = True

    def motion(self, kernels: Array, middle: Array) -> NDArray[np.float32]:
        """Movement of frames about the place of expansion: (6, n), as the kernels of the engine take it.

        Parameters
        ----------
        kernels : array (n, 6)
            Of the frames.
        middle : array (2,)
            Column and row from which stars' offsets are counted, in the reference frame, 1-based.
        """
        apart = kernels - self.kernel
        x = apart[:, 0] * middle[0] + apart[:, 1] * middle[1] + apart[:, 2]
        y = apart[:, 3] * middle[0] + apart[:, 4] * middle[1] + apart[:, 5]
        return np.asarray([x, y, apart[:, 0], apart[:, 1], apart[:, 3], apart[:, 4]], dtype=np.float32)


def group_frames(
    kernels: Array,
    segments: NDArray[np.int64],
    corner: tuple[int, int],
    shape: tuple[int, int],
    usable: NDArray[np.bool_],
    *,
    within: float = WITHIN,
    fewest: int = FEWEST,
) -> list[Group]:
    """Put frames into groups.

    Parameters
    ----------
    kernels : array (n, 6)
        Affine movement of each frame.
    segments : int array (n,)
        Part of the sector.
    corner, shape
        First CCD column and row (1-based), rows and columns of the pixels that the groups are for.
    usable : boolean array (n,)
        Frames to put into groups.
    within : float
        Largest distance of a star from where it is expanded, px.
    fewest : int
        Smaller groups become frames that are solved one by one.

    Examples
    --------
    >>> import numpy as np
    >>> kernels = np.tile([1.0, 0.0, 0.0, 0.0, 1.0, 0.0], (100, 1))
    >>> kernels[40, 2] = 0.3
    >>> made = group_frames(kernels, np.zeros(100, int), (45, 1), (64, 64), np.ones(100, bool))
    >>> [(len(group.frames), group.expanded) for group in made]
    [(99, True), (1, False)]
    """
    columns = np.array([corner[0], corner[0] + shape[1] - 1], dtype=np.float64)
    rows = np.array([corner[1], corner[1] + shape[0] - 1], dtype=np.float64)
    x, y = (each.ravel() for each in np.meshgrid(columns, rows))
    places = np.stack([kernels @ np.array([a, b, 1, 0, 0, 0]) for a, b in zip(x, y, strict=True)] + [
        kernels @ np.array([0, 0, 0, a, b, 1]) for a, b in zip(x, y, strict=True)
    ], axis=1)  # fmt: skip
    groups: list[Group] = []
    for segment in np.unique(segments[usable]):
        left = np.flatnonzero(usable & (segments == segment))
        while left.size:
            near = _nearest(places[left], within)
            taken = left[near]
            if len(taken) < fewest:
                break
            groups.append(Group(taken, int(segment), kernels[taken].mean(axis=0)))
            left = left[~near]
        groups += [Group(np.array([frame]), int(segment), kernels[frame], expanded=False) for frame in left]
    return groups


def _nearest(places: Array, within: float) -> NDArray[np.bool_]:
    """Frames about the one that has most others near it, in all corners of the pixels."""
    # Of many frames a sample is asked for its neighbours; their mean is where the group is.
    asked = places[:: max(1, len(places) // 200)]
    counts = [int((np.abs(places - each) < within).all(axis=1).sum()) for each in asked]
    middle = asked[int(np.argmax(counts))]
    for _ in range(4):
        near = (np.abs(places - middle) < within).all(axis=1)
        if not near.any():
            break
        middle = places[near].mean(axis=0)
    near = (np.abs(places - middle) < within).all(axis=1)
    return np.asarray(near if near.any() else (np.abs(places - asked[int(np.argmax(counts))]) < within).all(axis=1))
