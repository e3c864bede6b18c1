"""Which pixels of a bright star's halo to weight: not saturated, not other stars', and in how many groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.target import ZERO_POINT
from tessellar.pixels import add_stars

if TYPE_CHECKING:
    from tessellar.pixels import Surroundings

_Floats = NDArray[np.float64]
_Mask = NDArray[np.bool_]

#: Radius of the halo that is used, px.
RADIUS = 20.0
#: No pixel below this rate has spilled, e-/s: half of the full well of about 200,000 electrons in an exposure of 1.98 s
#: (TESS Instrument Handbook). TASOC's halo photometry looks for its cut between 5e4 and 7e4.
NEVER_FULL = 5e4
# A full pixel is taken to be so much of the level at which the brightest ones pile up, and those next to it along the
# column, where the spilt charge ends, now here, now there, with image motion.
_FULL_PART, _SPILL_END = 0.5, 2
# Pixels with more than this part of other stars' light show those stars, not the target.
_OTHERS = 0.1
# Width of the Gaussian that stands in for the pixel response where none is known, px.
_WIDTH = 0.9


@dataclass(frozen=True, eq=False)
class HaloPixels:
    """The pixels of a halo.

    Attributes
    ----------
    use : boolean array (rows, cols)
        Those to weight.
    saturated : boolean array (rows, cols)
        Those within the radius that were left out as saturated, ends of bleed trails included.
    limit : float
        The rate from which on a pixel was taken as saturated, e-/s; NaN where none came near.
    """

    use: _Mask
    saturated: _Mask
    limit: float


def saturated_pixels(light: _Floats) -> tuple[_Mask, float]:
    """Pixels whose charge spills, and the rate that tells them.

    The brightest pixels of a saturated star pile up at the level that a pixel holds. A pixel is saturated above half
    of that level, but never below 50,000 e-/s, or within two pixels of such a one along its column.

    Parameters
    ----------
    light : array (rows, cols)
        All light, sky included, e-/s.

    Returns
    -------
    boolean array (rows, cols), float
        The pixels, and the rate, e-/s; NaN where no pixel reaches 50,000 e-/s.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.photometry.halos.halopixels import saturated_pixels
    >>> light = np.full((9, 3), 200.0)
    >>> light[3:6, 1] = 1e5
    >>> full, limit = saturated_pixels(light)
    >>> full[:, 1].astype(int), limit
    (array([0, 1, 1, 1, 1, 1, 1, 1, 0]), 50000.0)
    """
    from scipy.ndimage import binary_dilation

    known = np.nan_to_num(light, nan=0.0)
    brightest = float(known.max())
    if brightest < NEVER_FULL:
        return np.zeros(light.shape, dtype=bool), float("nan")
    pile = float(np.median(known[known > 0.8 * brightest]))
    limit = max(NEVER_FULL, _FULL_PART * pile)
    along = np.zeros((3, 3), dtype=bool)
    along[:, 1] = True
    return np.asarray(binary_dilation(known > limit, along, iterations=_SPILL_END)), limit


def light_of_others(
    stars: Surroundings,
    own: int | None,
    corner: tuple[int, int],
    shape: tuple[int, int],
    *,
    zero_point: float = ZERO_POINT,
) -> _Floats:
    """Light that all stars but one should give in the mean image, by their magnitudes, e-/s (rows, cols).

    Fluxes fitted to the image are no help in the halo of a much brighter star: they are of its light, too. Where no
    pixel response is known, a Gaussian of 0.9 px stands in for it.

    Parameters
    ----------
    stars : Surroundings
    own : int or None
        Index of the star to leave out.
    corner : (int, int)
        1-based CCD column and row of pixel [0, 0].
    shape : (int, int)
        Rows and columns.
    zero_point : float
        TESS magnitude of a star that gives 1 e-/s.
    """
    image = np.zeros(shape)
    others = stars.chosen(np.arange(len(stars)) != own) if own is not None else stars
    light = np.nan_to_num(10 ** (-0.4 * (others.tmag - zero_point)))
    response = others.response_of(0)
    if response is not None:
        add_stars(image, corner, others.column, others.row, light, response)
        return image
    rows = np.arange(shape[0])[:, None] + corner[1]
    cols = np.arange(shape[1])[None, :] + corner[0]
    for column, row, flux in zip(others.column, others.row, light, strict=True):
        square = (rows - row) ** 2 + (cols - column) ** 2
        image += flux / (2 * np.pi * _WIDTH**2) * np.exp(-square / (2 * _WIDTH**2))
    return image


def halo_pixels(
    mean: _Floats,
    sky: _Floats,
    whole: _Mask,
    place: tuple[float, float],
    others: _Floats | None = None,
    *,
    radius: float = RADIUS,
) -> HaloPixels:
    """Choose the pixels of a halo.

    Those within `radius` of the star that have a value in every cadence and positive flux, are not saturated, and have
    no more than a tenth of their flux from other stars.

    Parameters
    ----------
    mean, sky : array (rows, cols)
        Mean flux, and the sky that was taken off it, e-/s.
    whole : boolean array (rows, cols)
        Pixels that have a value in every cadence.
    place : (float, float)
        Column and row of the star in the array, 0-based.
    others : array (rows, cols), optional
        Mean light of other stars, e-/s.
    radius : float
        Pixels.
    """
    rows, cols = np.indices(mean.shape)
    disc = np.hypot(cols - place[0], rows - place[1]) <= radius
    full, limit = saturated_pixels(np.where(disc, mean + np.nan_to_num(sky), np.nan))
    with np.errstate(invalid="ignore"):
        use = disc & whole & ~full & (mean > 0)
        if others is not None:
            use &= others <= _OTHERS * mean
    return HaloPixels(use, full & disc, limit)


def group_pixels(rows: NDArray[np.integer], cols: NDArray[np.integer], light: _Floats, count: int) -> NDArray[np.int64]:
    """Gather pixels into compact groups: the number of the group of each, from 0.

    The heaviest group is cut in two, across its longer side, until there are enough; a pixel weighs the square root of
    its light, so that groups are small where the light is, and not all in the core.

    Parameters
    ----------
    rows, cols : array (k,)
        Where the pixels are.
    light : array (k,)
        Their flux, positive.
    count : int
        Groups wanted; there are never more than pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.photometry.halos.halopixels import group_pixels
    >>> group_pixels(np.zeros(4, int), np.arange(4), np.ones(4), 2)
    array([0, 0, 1, 1])
    """
    places, weight = np.column_stack([rows, cols]), np.sqrt(light)
    groups = [np.arange(len(rows))]
    while len(groups) < min(count, len(rows)):
        heaviest = max(range(len(groups)), key=lambda k: weight[groups[k]].sum() if len(groups[k]) > 1 else -1.0)
        members = groups.pop(heaviest)
        axis = int(np.argmax(np.ptp(places[members], axis=0)))
        members = members[np.lexsort((places[members, 1 - axis], places[members, axis]))]
        before = np.cumsum(weight[members])
        cut = int(np.clip(np.searchsorted(before, before[-1] / 2) + 1, 1, len(members) - 1))
        groups += [members[:cut], members[cut:]]
    labels = np.empty(len(rows), dtype=np.int64)
    for number, members in enumerate(groups):
        labels[members] = number
    return labels
