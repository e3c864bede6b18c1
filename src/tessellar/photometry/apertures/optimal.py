"""Which pixels to add up so that a star's flux is least noisy: for one star, or for all stars of a CCD at once.

Everything here is arrays in and arrays out. A star's box of pixels is found as
`PixelResponse.boxes` draws it; a mask is a boolean box like it.

The criterion
-------------
Of a set M of pixels, with p the share of the star's light F in a pixel, n the light of all other stars there, b the
sky (all in e-/s), g the two slopes of all starlight when it moves over the pixels (e-/s/px), r the read noise of an
exposure, and t the seconds that the noise of an hour is worth (`photometry.merit.noise`), the flux ``sum(M) / P``
with ``P = sum(p)`` has the variance ::

    J(M) = ( sum(F p + n + b + r^2 / 1.98 s) / t  +  (leak * sum(n))^2  +  (motion * |sum(g)|)^2 ) / P^2

The first term is photons and reading. The others are systematics that no average takes away: neighbours vary and are
known with errors, so that a part ``leak`` of their light counts as noise, and what crosses the mask's edge when the
pointing moves by ``motion`` does too. A mask grows from the star's brightest pixel over shared edges, each time by the
pixel that leaves the first two terms the smallest; from where they were least, pixels at its edge are taken in or left
out as long as that makes J smaller and leaves it in one piece. Without neighbours and motion this is, but for the edges
that have to be shared, the exact optimum: the pixels above a threshold in p / (F p + b + r^2 / 1.98 s).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError
from tessellar.photometry.apertures.growing import grow_in_numpy, improve_in_numpy, kernels
from tessellar.photometry.merit.noise import READ_NOISE, light_variance, noise_time
from tessellar.pixels.response import add_stars, box_corners

if TYPE_CHECKING:
    from tessellar.pixels.response import PixelResponse

#: Part of the neighbours' light in the mask that counts as noise.
LEAK = 1.0e-3
#: Pixels that stars move along each axis within an hour: a few thousandths (Gai et al. 2022, arXiv:2212.02357).
MOTION = 4.0e-3
#: Seconds, for which photon noise is weighed against what no average takes away.
HOUR = 3600.0
#: Fewest pixels of a mask.
MINIMUM = 4
# Stars whose boxes are held at a time while they are drawn, and while masks are chosen.
_CHUNK, _CHOSEN = 10_000, 500


@dataclass(frozen=True, eq=False)
class Apertures:
    """Masks of several stars, each in a box of its own.

    Attributes
    ----------
    masks : boolean array (n, side, side)
    bottom, left : int array (n,)
        1-based CCD row and column of pixel [0, 0] of each box.
    flfrcsap : array (n,)
        Share of the star's light that is in its mask; 0 where no pixel can be used.
    crowdsap : array (n,)
        Share of the starlight in the mask that is the star's own; NaN where no pixel can be used.
    """

    masks: NDArray[np.bool_]
    bottom: NDArray[np.int64]
    left: NDArray[np.int64]
    flfrcsap: NDArray[np.float64]
    crowdsap: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def size(self) -> NDArray[np.int64]:
        """Pixels of each mask; 0 where no pixel of the box can be used."""
        return np.asarray(self.masks.sum(axis=(1, 2)), dtype=np.int64)

    def on(self, star: int, corner: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The mask of one star on a stamp whose pixel [0, 0] is CCD column and row `corner`, 1-based."""
        mask = np.zeros(shape, dtype=bool)
        row, col = np.nonzero(self.masks[star])
        row, col = row + self.bottom[star] - corner[1], col + self.left[star] - corner[0]
        inside = (row >= 0) & (row < shape[0]) & (col >= 0) & (col < shape[1])
        mask[row[inside], col[inside]] = True
        return mask


def choose_apertures(
    column: ArrayLike,
    row: ArrayLike,
    flux: ArrayLike,
    response: PixelResponse,
    *,
    corner: tuple[int, int],
    shape: tuple[int, int],
    which: ArrayLike | None = None,
    sky: ArrayLike = 100.0,
    usable: NDArray[np.bool_] | None = None,
    leak: float = LEAK,
    motion: float = MOTION,
    minimum: int = MINIMUM,
) -> Apertures:
    """Choose the masks of stars on an image: a CCD, a band of it, or one stamp.

    The same star gets the same mask whatever the image is, as long as its box lies within.

    Parameters
    ----------
    column, row : array (k,)
        Places of all stars on and about the image, 1-based CCD pixels: those to measure and their neighbours, to twice
        the reach of the response (14 px) about it.
    flux : array (k,)
        Their light, e-/s.
    response : PixelResponse
    corner, shape
        CCD column and row (1-based) of the image's pixel [0, 0]; its rows and columns.
    which : int array, optional
        Indices of the stars to find masks for; all if not given.
    sky : float or array (rows, cols)
        Level of the sky, e-/s per pixel.
    usable : boolean array (rows, cols), optional
        Pixels that may be added up; all if not given.
    leak, motion, minimum
        As of `optimal_masks`.

    Examples
    --------
    >>> from tessellar.pixels import MissionPRF
    >>> prf = MissionPRF.open("prf", camera=4, ccd=1, sector=1)  # doctest: +SKIP
    >>> found = choose_apertures([1700.3], [250.0], [15e3], prf, corner=(1680, 230), shape=(40, 40))  # doctest: +SKIP
    >>> found.size, found.flfrcsap.round(2)  # doctest: +SKIP
    (array([20]), array([0.94]))
    """
    columns, rows, light = (np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in (column, row, flux))
    chosen = np.arange(len(columns)) if which is None else np.atleast_1d(np.asarray(which))
    scene = draw_scene(columns, rows, light, response, corner=corner, shape=shape)
    bottom, left = box_corners(columns[chosen], rows[chosen], corner, response.reach)
    side = 2 * response.reach + 1
    masks = np.zeros((len(chosen), side, side), dtype=bool)
    flfrcsap, crowdsap = np.zeros(len(chosen)), np.full(len(chosen), np.nan)
    for part in _parts(len(chosen)):
        stars = chosen[part]
        boxes = response.boxes(columns[stars], rows[stars])[:, 0]
        where = light[stars], bottom[part], left[part], scene
        masks[part] = optimal_masks(boxes, *where, sky=sky, usable=usable, leak=leak, motion=motion, minimum=minimum)
        flfrcsap[part], crowdsap[part] = shares_in_masks(masks[part], boxes, *where)
    return Apertures(masks, bottom + corner[1], left + corner[0], flfrcsap, crowdsap)


def draw_scene(
    column: ArrayLike,
    row: ArrayLike,
    flux: ArrayLike,
    response: PixelResponse,
    *,
    corner: tuple[int, int],
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    """Light of all stars on an image, and its slopes when they move; arguments as of `choose_apertures`.

    Returns
    -------
    array (3, rows, cols)
        Light, e-/s, and its derivatives with the stars' column and row, e-/s/px.
    """
    columns, rows, light = (np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in (column, row, flux))
    scene = np.zeros((3, *shape), dtype=np.float64)
    for part in _parts(len(columns)):
        add_stars(scene, corner, columns[part], rows[part], light[part], response)
    return scene


def _parts(count: int) -> list[slice]:
    """Some stars at a time: their boxes take 10 KB each while they are drawn."""
    return [slice(first, first + _CHUNK) for first in range(0, count, _CHUNK)]


def optimal_masks(
    boxes: ArrayLike,
    flux: ArrayLike,
    bottom: ArrayLike,
    left: ArrayLike,
    scene: NDArray[Any],
    *,
    sky: ArrayLike = 100.0,
    usable: NDArray[np.bool_] | None = None,
    leak: float = LEAK,
    motion: float = MOTION,
    read_noise: float = READ_NOISE,
    minimum: int = MINIMUM,
    compiled: bool = True,
) -> NDArray[np.bool_]:
    """For each star the mask with the least noise; see the criterion above.

    Parameters
    ----------
    boxes : array (n, side, side)
        Share of each star's light in the pixels about it, as `PixelResponse.boxes` gives them.
    flux : array (n,)
        Light of each star, e-/s.
    bottom, left : int array (n,)
        Row and column of `scene`, from 0, on which pixel [0, 0] of each box lies; a box may lie partly outside.
    scene : array (3, rows, cols) or (rows, cols)
        Light of all stars, these ones included, e-/s, and its slopes along columns and rows when the stars move, as
        `draw_scene` gives them; without slopes nothing moves.
    sky : float or array (rows, cols)
        Sky, e-/s per pixel.
    usable : boolean array (rows, cols), optional
        Pixels that may be added up; all of the image if not given.
    leak : float
        Part of the neighbours' light that counts as noise.
    motion : float
        How far the stars move, px.
    read_noise : float
        Of a 2-s exposure, e-.
    minimum : int
        A mask has as many pixels at least, if so many are connected.
    compiled : bool
        False for the same steps in NumPy, some thousand times slower.

    Returns
    -------
    boolean array (n, side, side)
        Connected over edges. Empty only where no pixel of the box can be used.

    Raises
    ------
    InputError
        If shapes disagree.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.photometry.apertures.optimal import optimal_masks
    >>> y, x = np.mgrid[-5:6, -5:6]
    >>> share = np.exp(-0.5 * (x**2 + y**2) / 0.75**2)
    >>> share /= share.sum()
    >>> [optimal_masks([share], [light], [0], [0], light * share).sum().item() for light in (1e6, 1e4, 60.0)]
    [25, 9, 5]
    """
    shares = np.ascontiguousarray(boxes, dtype=np.float64)
    light = np.ascontiguousarray(flux, dtype=np.float64)
    bottoms, lefts = (np.ascontiguousarray(each, dtype=np.int64) for each in (bottom, left))
    if shares.ndim != 3 or not len(shares) == len(light) == len(bottoms) == len(lefts):
        raise InputError(
            f"boxes of shape {shares.shape} need (stars, side, side), and a flux, bottom and left for each: "
            f"{len(light)}, {len(bottoms)} and {len(lefts)} were given"
        )
    if scene.ndim == 2:
        scene = np.stack([scene, np.zeros_like(scene), np.zeros_like(scene)])
    stars = np.ascontiguousarray(scene, dtype=np.float64)
    if usable is not None and usable.shape != stars.shape[1:]:
        raise InputError(f"usable pixels have shape {usable.shape}, but the image has {stars.shape[1:]}")
    beneath = np.empty(stars.shape[1:], dtype=np.float64)
    beneath[...] = light_variance(np.asarray(sky, dtype=np.float64), HOUR, read_noise=read_noise)
    # A pixel whose light or sky is not known cannot be weighed.
    may = np.isfinite(stars).all(axis=0) & np.isfinite(beneath)
    if usable is not None:
        may &= usable
    masks = np.zeros(shares.shape, dtype=bool)
    weights = np.array([1.0 / noise_time(HOUR), leak * leak, motion * motion])
    grow, improve = kernels() if compiled else (grow_in_numpy, improve_in_numpy)
    for first in range(0, len(shares), _CHOSEN):
        part = slice(first, first + _CHOSEN)
        terms, free = _terms(shares[part], light[part], bottoms[part], lefts[part], stars, beneath, may, weights[0])
        grow(terms, free, weights, int(minimum), masks[part])
        improve(terms, free, weights, int(minimum), masks[part])
    return masks


def _terms(
    shares: NDArray[np.float64],
    light: NDArray[np.float64],
    bottoms: NDArray[np.int64],
    lefts: NDArray[np.int64],
    scene: NDArray[np.float64],
    beneath: NDArray[np.float64],
    may: NDArray[np.bool_],
    per_time: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Of each pixel of each box: variance, others' light, two slopes, share; and whether it may be taken."""
    offsets = np.arange(shares.shape[1])
    rows, cols = bottoms[:, None] + offsets, lefts[:, None] + offsets
    high, wide = may.shape
    inside = ((rows >= 0) & (rows < high))[:, :, None] & ((cols >= 0) & (cols < wide))[:, None, :]
    at = np.clip(rows, 0, high - 1)[:, :, None] * wide + np.clip(cols, 0, wide - 1)[:, None, :]
    own = light[:, None, None] * shares
    terms = np.empty((len(shares), 5, *shares.shape[1:]))
    terms[:, 1] = np.maximum(scene[0].ravel()[at] - own, 0.0)
    terms[:, 0] = (np.maximum(own, 0.0) + terms[:, 1]) * per_time + beneath.ravel()[at]
    terms[:, 2], terms[:, 3] = scene[1].ravel()[at], scene[2].ravel()[at]
    terms[:, 4] = shares
    return terms, inside & may.ravel()[at]


def shares_in_masks(
    masks: NDArray[np.bool_],
    boxes: ArrayLike,
    flux: ArrayLike,
    bottom: ArrayLike,
    left: ArrayLike,
    scene: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """FLFRCSAP and CROWDSAP of masks: how much of the star is in it, and how much of it is the star's.

    Parameters
    ----------
    masks, boxes, flux, bottom, left, scene
        As of `optimal_masks`.

    Returns
    -------
    flfrcsap : array (n,)
        Share of the star's light in the mask.
    crowdsap : array (n,)
        The star's light in the mask over that of all stars; NaN of an empty mask.
    """
    image = np.asarray(scene if scene.ndim == 2 else scene[0], dtype=np.float64)
    shares = np.asarray(boxes, dtype=np.float64)
    own = np.where(masks, shares, 0.0).sum(axis=(1, 2))
    star, row, col = np.nonzero(masks)
    row, col = row + np.asarray(bottom)[star], col + np.asarray(left)[star]
    inside = (row >= 0) & (row < image.shape[0]) & (col >= 0) & (col < image.shape[1])
    total = np.bincount(star[inside], weights=image[row[inside], col[inside]], minlength=len(masks))
    crowdsap = np.full(len(masks), np.nan)
    np.divide(own * np.asarray(flux, dtype=np.float64), total, out=crowdsap, where=total > 0)
    return own, np.clip(crowdsap, 0.0, 1.0)
