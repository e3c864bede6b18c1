"""The background of a stamp that still has its sky: a TESScut cut-out, or raw target pixels.

Its level comes from the mean of the good cadences, where noise is least; how it changes,
level and slope, from the pixels that are dark in that mean, cadence by cadence: steady stars
cancel there, and a variable one has little light.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.mission.flags import DEFAULT_MASK, good
from tessellar.pixels.averages import mean_image
from tessellar.pixels.background import Sky, measure_jointly
from tessellar.pixels.stamp import Stamp
from tessellar.robust import MAD_TO_SIGMA

if TYPE_CHECKING:
    from tessellar.pixels.response import PixelResponse
    from tessellar.pixels.stars import StarField

Array = NDArray[np.float64]

# The darkest share of the pixels is asked for the sky; fewer than the least tell nothing, and a slope needs more.
_DARK, _LEAST, _FOR_SLOPES = 0.5, 6, 40
# Differences beyond this many robust sigmas are not sky: a cosmic ray, an asteroid.
_CLIP = 4.0


@dataclass(frozen=True, eq=False)
class StampSky:
    """The background of a stamp.

    Attributes
    ----------
    level : array (n,)
        At the stamp's middle, e-/s; NaN in cadences without pixels.
    slopes : array (n, 2)
        Along columns and rows, e-/s per px; zero where the stamp is too small to tell.
    errors : array (n,)
        1-sigma errors of the changes of `level`; its mean has an error of its own, common to all cadences, from stars
        that are not known.
    used : boolean array (rows, columns)
        Pixels that it was made from.
    """

    level: Array
    slopes: Array
    errors: Array
    used: NDArray[np.bool_]

    @cached_property
    def images(self) -> NDArray[np.float32]:
        """Background of every pixel and cadence, (n, rows, columns), e-/s."""
        across, along = _places(self.used.shape)
        slope = self.slopes[:, 0, None, None] * across + self.slopes[:, 1, None, None] * along
        return np.asarray(self.level[:, None, None] + slope, dtype=np.float32)

    def subtract(self, stamp: Stamp) -> Stamp:
        """Take it off its stamp; it is kept as the stamp's `background`."""
        if stamp.background_subtracted or (len(stamp), *stamp.shape) != self.images.shape:
            raise InputError(f"this background does not fit {stamp!r}, or that has none any more")
        images = np.asarray(stamp.images - self.images, dtype=np.float32)
        return replace(stamp, images=images, background=self.images, background_subtracted=True)


def measure_stamp_sky(stamp: Stamp, stars: StarField | None = None, response: PixelResponse | None = None) -> StampSky:
    """Measure the background of a stamp that still has its sky.

    Parameters
    ----------
    stamp : Stamp
        Of a cut-out, or of raw pixels; best 11 x 11 px or more.
    stars : StarField, optional
        Stars on and about it. With a response their light is taken off jointly; without, the mode of the pixels is
        the level, which crowding pulls up.
    response : PixelResponse, optional

    Raises
    ------
    InputError
        If its sky was taken off already, or it has too few pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar import Field
    >>> from tessellar.pixels import Stamp, measure_stamp_sky
    >>> cube = np.random.default_rng(1).normal(100, 1, (20, 11, 11)).astype("f4") + np.arange(20)[:, None, None]
    >>> stamp = Stamp(images=cube, errors=cube, background=cube * np.nan, time=np.arange(20.0), timecorr=np.zeros(20),
    ...               cadenceno=np.arange(20), quality=np.zeros(20, int), corner=(45, 1), field=Field(1, 4, 1),
    ...               cadence=1800.0, origin="memory", background_subtracted=False)
    >>> bool(abs(measure_stamp_sky(stamp).level - 100 - np.arange(20)).max() < 1)
    True
    """
    if stamp.background_subtracted:
        raise InputError(f"the sky of {stamp!r} was taken off already")
    images = np.asarray(stamp.images, dtype=np.float32)
    seen = np.isfinite(images).any(axis=(1, 2))
    use: NDArray[np.bool_] = np.asarray(good(stamp.quality, DEFAULT_MASK) & seen)
    mean = mean_image(images, use if use.any() else np.asarray(seen))
    if np.isfinite(mean).sum() < _LEAST:
        raise InputError(f"{stamp!r} has too few pixels to tell its sky from its stars: cut out a larger one")
    level, light = _mean_level(stamp, mean.astype(np.float32), stars, response)
    dark = np.isfinite(light) & (light <= np.nanquantile(light, _DARK))
    away = images[:, dark].astype(np.float64) - mean[dark]
    terms = _terms(dark)
    fitted, errors = _changes(away, terms)
    if terms.shape[1] == 3:
        slopes = fitted[:, 1:]
        if stars is not None and response is not None:
            # Without the stars the slope of the mean image would be theirs.
            slopes = slopes + _changes((mean - light)[dark][None] - level, terms)[0][0, 1:]
    else:
        slopes = np.zeros((len(images), 2))
    return StampSky(level + fitted[:, 0], slopes, errors, dark)


def _mean_level(
    stamp: Stamp, mean: NDArray[np.float32], stars: StarField | None, response: PixelResponse | None
) -> tuple[float, NDArray[np.float32]]:
    """Level of the mean image, and the light of stars in it."""
    sky = Sky(stamp.field, stamp.corner, stamp.shape, box=max(*stamp.shape, 8), glow=False)
    if stars is not None and response is not None and len(stars):
        background, model = measure_jointly(sky, mean, stars, response, moves=False)
        if background.usable:
            return float(np.median(background.image())), model.image()
        # About a saturated star no pixel of a small stamp may be left to fit the sky in.
    background = sky.measure(mean)
    if not background.usable:
        finite = mean[np.isfinite(mean)]
        return float(np.quantile(finite, 0.25)), mean
    level = float(np.median(background.image()))
    return level, mean - np.float32(level)


def _places(shape: tuple[int, ...]) -> tuple[Array, Array]:
    across = np.arange(shape[1]) - (shape[1] - 1) / 2
    along = np.arange(shape[0]) - (shape[0] - 1) / 2
    return np.broadcast_to(across, shape), np.broadcast_to(along[:, None], shape)


def _terms(dark: NDArray[np.bool_]) -> Array:
    across, along = _places(dark.shape)
    constant = np.ones(int(dark.sum()))
    if dark.sum() < _FOR_SLOPES:
        return constant[:, None]
    return np.column_stack([constant, across[dark], along[dark]])


def _changes(away: Array, terms: Array) -> tuple[Array, Array]:
    """Fit each cadence's differences, without outliers: (n, terms), and errors of the first."""
    usable = np.isfinite(away)
    fitted = np.full((len(away), terms.shape[1]), np.nan)
    errors = np.full(len(away), np.nan)
    for _ in range(3):
        weighted = np.where(usable, 1.0, 0.0)
        normal = np.einsum("np,pi,pj->nij", weighted, terms, terms)
        right = np.where(usable, away, 0.0) @ terms
        solvable = usable.sum(axis=1) > terms.shape[1]
        fitted[solvable] = np.linalg.solve(
            normal[solvable] + 1e-9 * np.eye(terms.shape[1]), right[solvable][:, :, None]
        )[:, :, 0]
        # Cadences without pixels stay out of it: their scatter is 0, and they have no fit.
        rest = np.where(usable & solvable[:, None], away - fitted @ terms.T, np.nan)
        rest[~solvable] = 0.0
        sigma = MAD_TO_SIGMA * np.nanmedian(np.abs(rest), axis=1, keepdims=True) + 1e-9
        with np.errstate(invalid="ignore"):
            usable &= np.abs(rest) < _CLIP * sigma
        errors = np.where(solvable, sigma[:, 0] / np.sqrt(np.maximum(usable.sum(axis=1), 1)), np.nan)
    return fitted, errors
