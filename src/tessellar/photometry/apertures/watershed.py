"""Masks found in the mean image itself: bright pixels, grouped by density, and divided between the stars.

The method is that of Lund et al. (2015, ApJ 806, 30), made for K2 and used by TASOC for TESS (Handberg et al. 2021,
AJ 162, 170):

1. A pixel is bright when it is above the mode of all pixels by 0.8 robust standard deviations of those below the mode.
2. Bright pixels with three others among their eight neighbours are cores; cores that touch are one cluster
   (density clustering with a radius of the square root of 2 and 4 points).
3. In each cluster the stars of the catalogue take the nearest peak of the slightly smoothed image, 2.8 px away at the
   most (7 px if they saturate), and water floods the basins of these peaks; where two meet, the mask of one ends.
4. Holes are filled, and masks of saturated stars get all bright pixels of the columns that bleed.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import PhotometryError
from tessellar.pixels.places import nearest_pixel
from tessellar.robust import MAD_TO_SIGMA

Array = NDArray[np.float64]

#: Robust standard deviations above the mode for a pixel to be bright.
THRESHOLD = 0.8
#: Pixels about a core, itself included, and pixels of a mask, at the least.
MINIMUM = 4
#: Mean flux of a pixel, e-/s, near which it holds no more: 200,000 e- in 2 s, less what comes and goes.
SATURATED = 7.0e4
#: Stars as bright as this saturate and bleed.
SATURATED_TMAG = 7.0
# How far a star may be from its peak, px.
_REACH, _REACH_SATURATED = 2 * np.sqrt(2), 5 * np.sqrt(2)
_BLUR = 0.5
# The brightest pixels say nothing of the sky.
_SKY_SHARE = 0.85
_GRID = 512
_EIGHT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, eq=False)
class Regions:
    """The masks of an image.

    Attributes
    ----------
    labels : int array (rows, cols)
        0 where there is no mask, else the number of the mask that a pixel is in, from 1.
    cut : float
        Above this a pixel is bright, e-/s.
    bright : boolean array (rows, cols)
    """

    labels: NDArray[np.int64]
    cut: float
    bright: NDArray[np.bool_]

    def at(self, column: float, row: float) -> NDArray[np.bool_] | None:
        """The mask with the pixel of a place (0-based, pixel centres at whole numbers); None where there is none."""
        at = int(nearest_pixel(row)), int(nearest_pixel(column))
        if not (0 <= at[0] < self.labels.shape[0] and 0 <= at[1] < self.labels.shape[1]) or not self.labels[at]:
            return None
        return np.asarray(self.labels == self.labels[at])


def find_regions(
    image: NDArray[Any],
    column: ArrayLike = (),
    row: ArrayLike = (),
    tmag: ArrayLike = (),
    *,
    threshold: float = THRESHOLD,
    minimum: int = MINIMUM,
) -> Regions:
    """Find the masks of all stars in an image.

    Parameters
    ----------
    image : array (rows, cols)
        Mean image, e-/s; NaN where pixels are missing.
    column, row, tmag : array (k,)
        Places of catalogue stars in the image (0-based, pixel centres at whole numbers) and their TESS magnitudes.
        Without any, every peak is a star.
    threshold : float
        Robust standard deviations above the mode.
    minimum : int
        Fewest pixels of a mask, and about a core.

    Raises
    ------
    PhotometryError
        If no pixel has flux, or none is bright.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.photometry.apertures.watershed import find_regions
    >>> y, x = np.mgrid[:21, :21]
    >>> image = np.random.default_rng(1).normal(0.0, 1.0, (21, 21))
    >>> for place in (8, 12):
    ...     image += 500 * np.exp(-0.5 * ((x - place) ** 2 + (y - 10) ** 2))
    >>> found = find_regions(image, [8.0, 12.0], [10.0, 10.0], [10.0, 10.0])
    >>> bool(found.at(8, 10)[10, 9]), bool(found.at(8, 10)[10, 12]), bool(found.at(12, 10)[10, 12])
    (True, False, True)
    """
    from scipy import ndimage

    pixels = np.asarray(image, dtype=np.float64)
    cut = bright_above(pixels, threshold)
    with np.errstate(invalid="ignore"):
        bright = np.asarray(pixels > cut)
    if not bright.any():
        raise PhotometryError(f"no pixel is above the threshold of {cut:.4g} e-/s")
    crowd = ndimage.convolve(bright.astype(np.int64), _EIGHT.astype(np.int64), mode="constant")
    clusters, _ = ndimage.label(bright & (crowd >= minimum), structure=_EIGHT)
    places = np.column_stack([np.asarray(each, dtype=np.float64).reshape(-1) for each in (row, column)])
    markers = _markers(pixels, clusters, places, np.asarray(tmag, dtype=np.float64).reshape(-1))
    labels = _flood(pixels, clusters, markers)
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        if box is None:
            continue
        part = labels[box]
        mask = part == number
        if mask.sum() < minimum:
            part[mask] = 0
            continue
        part[ndimage.binary_fill_holes(mask) & (part == 0) & np.isfinite(pixels[box])] = number
    return Regions(labels, cut, bright)


def bright_above(image: Array, threshold: float = THRESHOLD) -> float:
    """Flux above which a pixel is bright: mode + threshold * 1.4826 * median(mode - those below it), e-/s.

    The mode is that of a Gaussian kernel density of the 85 % faintest finite pixels, with Scott's bandwidth
    1.059 min(standard deviation, interquartile range / 1.349) n^(-1/5).

    Raises
    ------
    PhotometryError
        If no pixel has a value, or none of them is above 0.
    """
    values = np.sort(image[np.isfinite(image)])
    if not values.size or not values[-1] > 0:
        raise PhotometryError("no pixel has flux in any good cadence")
    sky = values[: max(int(np.ceil(_SKY_SHARE * values.size)), 1)]
    sky = sky[sky < SATURATED] if sky[0] < SATURATED else sky[:1]
    mode = _mode(sky)
    below = sky[sky < mode]
    spread = MAD_TO_SIGMA * float(np.median(mode - below)) if below.size else 0.0
    return mode + threshold * spread


def _mode(values: Array) -> float:
    quarter = np.subtract(*np.percentile(values, [75, 25])) / 1.349
    width = 1.059 * min(float(np.std(values)), float(quarter) or np.inf) * values.size**-0.2
    if not width > 0:
        return float(np.median(values))
    # Far from the crowd there is no mode, but a long tail would make the grid coarse.
    last = float(np.percentile(values, 75) + 3 * quarter) if quarter > 0 else float(values[-1])
    grid = np.linspace(values[0], min(last, float(values[-1])), _GRID)
    step = grid[1] - grid[0]
    if not step > 0:
        return float(np.median(values))
    counts = np.bincount(np.clip(np.rint((values - grid[0]) / step).astype(np.int64), 0, _GRID - 1), minlength=_GRID)
    reach = np.arange(-_GRID + 1, _GRID) * step / width
    density = np.convolve(counts, np.exp(-0.5 * reach**2), mode="valid")[:_GRID]
    return float(grid[int(np.argmax(density))])


def _markers(image: Array, clusters: NDArray[Any], places: Array, tmag: Array) -> NDArray[np.int64]:
    """Pixels where flooding begins, each with the number of its mask."""
    from scipy import ndimage
    from scipy.spatial import cKDTree

    inside = clusters > 0
    light = np.where(inside, np.nan_to_num(image), 0.0)
    smooth = ndimage.gaussian_filter(light, _BLUR)
    peaks = inside & (smooth == ndimage.maximum_filter(smooth, footprint=_EIGHT))
    at = np.argwhere(peaks)
    if len(places) and len(at):
        distance, near = cKDTree(at).query(places)
        reach = np.where(tmag <= SATURATED_TMAG, _REACH_SATURATED, _REACH)
        at = at[np.unique(near[distance < reach])]
    # A saturated column has a peak wherever its plateau ripples: the highest of a patch stands for all.
    patches, _ = ndimage.label(inside & (light > SATURATED), structure=_EIGHT)
    best: dict[int, tuple[int, int]] = {}
    chosen = []
    for place in map(tuple, at):
        patch = int(patches[place])
        if not patch:
            chosen.append(place)
        elif patch not in best or smooth[place] > smooth[best[patch]]:
            best[patch] = place
    markers = np.zeros(image.shape, dtype=np.int64)
    for number, place in enumerate([*chosen, *best.values()], 1):
        markers[place] = number
    return markers


def _flood(image: Array, clusters: NDArray[Any], markers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give every pixel of a cluster to the marker whose water reaches it first, the brightest pixels first."""
    high, wide = image.shape
    labels = markers.copy()
    queue = [(-float(image[j, k]), number, int(j), int(k)) for number, (j, k) in enumerate(np.argwhere(markers > 0))]
    heapq.heapify(queue)
    count = len(queue)
    while queue:
        _, _, j, k = heapq.heappop(queue)
        for near in ((j - 1, k), (j + 1, k), (j, k - 1), (j, k + 1)):
            if not (0 <= near[0] < high and 0 <= near[1] < wide) or labels[near] or clusters[near] != clusters[j, k]:
                continue
            labels[near] = labels[j, k]
            heapq.heappush(queue, (-float(image[near]), count, *near))
            count += 1
    return labels


def with_bleed(mask: NDArray[np.bool_], image: NDArray[Any], bright: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A saturated star's mask with all bright pixels of its bleeding columns.

    Charge that a full pixel cannot hold flows along its column: from every saturated pixel of the mask all bright
    pixels follow that are connected with it in the column, and one beyond each end.

    Parameters
    ----------
    mask, bright : boolean array (rows, cols)
    image : array (rows, cols)
        Mean image, e-/s.
    """
    from scipy import ndimage

    with np.errstate(invalid="ignore"):
        full = mask & (np.asarray(image) > SATURATED)
    along_columns = np.array([[0, 1, 0], [0, 1, 0], [0, 1, 0]], dtype=bool)
    runs, _ = ndimage.label(bright | mask, structure=along_columns)
    bleeding = np.isin(runs, np.unique(runs[full])) & (runs > 0)
    return np.asarray(mask | (ndimage.binary_dilation(bleeding, structure=along_columns) & np.isfinite(image)))
