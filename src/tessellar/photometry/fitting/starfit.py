"""What a fit of stars needs from a stamp: its stars, which pixels count in which cadence, and how much."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import PhotometryError
from tessellar.mission import flags
from tessellar.photometry.merit.noise import errors_time, pixel_noise, told_scale
from tessellar.photometry.target import check_place, known_place
from tessellar.pixels import PixelFlag, Surroundings, mean_image

if TYPE_CHECKING:
    from tessellar.photometry.method import Settings
    from tessellar.photometry.target import Target
    from tessellar.pixels import Stamp

Array = NDArray[np.float64]

#: Light with which a pixel counts as saturated, sky included, e-/s: nine tenths of 200,000 e- in 1.98 s.
SATURATED = 90_000.0
# Pixels above and below a saturated one into which charge may have spilled.
_SPILL = 2
#: A target with a saturated pixel this near, px, is saturated itself.
CORE = 1.5


class SaturatedTarget(PhotometryError):
    """The star's own pixels are saturated: no response fits them."""


@dataclass(frozen=True, eq=False)
class StarFit:
    """Stars and pixels of one stamp, ready to be fitted.

    Attributes
    ----------
    stars : Surroundings
        All whose light reaches the stamp; the target among them.
    target : int
        Index of the target.
    good : boolean array (n,)
        Cadences that means are made of: with a time, and none of the flags of the settings' mask.
    images, variances : float32 array (n, rows, cols)
        e-/s, NaN where a pixel is not to be used, and honest variances.
    weights : array (segments, rows, cols)
        Inverse variances of the mean image of each part of the sector; 0 where a pixel is not to be used.
    mean_image : array (rows, cols)
        Of the good cadences, e-/s.
    saturated : boolean array (rows, cols)
        Pixels that are left out as saturated, or near to them.
    offset : bool
        Whether a constant background is to be fitted in each cadence.
    """

    stars: Surroundings
    target: int
    good: NDArray[np.bool_]
    images: NDArray[np.float32]
    variances: NDArray[np.float32]
    weights: Array
    mean_image: Array
    saturated: NDArray[np.bool_]
    offset: bool

    @classmethod
    def of(
        cls, stamp: Stamp, target: Target, stars: Surroundings | None, settings: Settings, offset: bool | None = None
    ) -> StarFit:
        """Make it ready.

        Parameters
        ----------
        stamp, target, stars, settings
            As a method gets them.
        offset : bool, optional
            Fit a background; by default where the stamp still holds its sky.

        Raises
        ------
        SaturatedTarget
            If the target is saturated.
        PhotometryError
            If something is missing, and what to do.
        """
        if stars is None:
            raise PhotometryError(f"no stars are known on {stamp.origin}: a fit of stars needs a catalogue; give one")
        if not stars.responses:
            raise PhotometryError(
                f"no pixel response is known for {stamp.origin}: give the mission's PRF files, or prepare the frames, "
                "which estimates one"
            )
        good = np.isfinite(stamp.time) & flags.good(np.asarray(stamp.quality), settings.quality)
        if not good.any():
            raise PhotometryError(f"no good cadence in {stamp.origin}: all are flagged, or have no time")
        image = mean_image(stamp.images, good)
        if not np.isfinite(image).any():
            raise PhotometryError(f"no pixel of {stamp.origin} has a value in any good cadence")
        column, row = place_of(stamp, target, stars)
        saturated = saturated_pixels(image + np.nan_to_num(mean_image(stamp.background, good)))
        rows, cols = np.nonzero(saturated)
        near = np.hypot(cols + stamp.corner[0] - column, rows + stamp.corner[1] - row) < CORE
        if near.any():
            raise SaturatedTarget(
                f"{target} is saturated ({image[rows[near], cols[near]].max():,.0f} e-/s in a pixel): "
                "measure it with an aperture or its halo"
            )
        known, index = _with_target(stamp, target, stars, (column, row))
        images = _usable(stamp)
        weights, variances = _noise(stamp, good, known.segments, saturated)
        wanted = not stamp.background_subtracted if offset is None else offset
        return cls(known, index, good, images, variances, weights, image, saturated, wanted)

    @property
    def place(self) -> tuple[float, float]:
        """Column and row of the target in the reference frame, 1-based."""
        return float(self.stars.column[self.target]), float(self.stars.row[self.target])


def place_of(stamp: Stamp, target: Target, stars: Surroundings) -> tuple[float, float]:
    """Column and row (1-based) of the target: the catalogue's, its own, or by the stamp's world coordinates.

    Raises
    ------
    PhotometryError
        If it is not known, or not on the stamp.
    """
    index = stars.index(None if target.tic is None else int(target.tic))
    place = known_place(stamp, target) if index is None else (float(stars.column[index]), float(stars.row[index]))
    if place is None:
        raise PhotometryError(f"the place of {target} is not known: it is not in the catalogue; give its position")
    check_place(place, stamp, target)
    return place


def saturated_pixels(light: Array, level: float = SATURATED) -> NDArray[np.bool_]:
    """Pixels with more light (sky included, e-/s) than they hold, and those along the column that charge spills into.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.photometry.fitting.starfit import saturated_pixels
    >>> saturated_pixels(np.array([[0.0], [0.0], [0.0], [2e5], [0.0]])).ravel().astype(int).tolist()
    [0, 1, 1, 1, 1]
    """
    full = np.nan_to_num(light) >= level
    spilled = full.copy()
    for step in range(1, _SPILL + 1):
        spilled[step:] |= full[:-step]
        spilled[:-step] |= full[step:]
    return spilled


def _with_target(
    stamp: Stamp, target: Target, stars: Surroundings, place: tuple[float, float]
) -> tuple[Surroundings, int]:
    """The stars whose boxes reach the stamp, the target among them, also if the catalogue lacks it; and its index."""
    reach = max(response.reach for response in stars.responses) + 0.5
    (left, bottom), (high, wide) = stamp.corner, stamp.shape
    near = (stars.column > left - 0.5 - reach) & (stars.column < left + wide - 0.5 + reach)
    near &= (stars.row > bottom - 0.5 - reach) & (stars.row < bottom + high - 0.5 + reach)
    known = stars.chosen(near & np.isfinite(stars.column) & np.isfinite(stars.row))
    index = known.index(None if target.tic is None else int(target.tic))
    if index is not None:
        return known, index
    if len(known):
        moved = known.shifts.mean(axis=1, keepdims=True)
    else:
        moved = np.zeros((len(stamp), 1, 2))
        if stamp.pos_corr is not None:
            moved += np.asarray(stamp.pos_corr, dtype=np.float64)[:, None]
    flux = target.expected_flux()
    own: dict[str, Any] = {
        "tic": 0 if target.tic is None else int(target.tic),
        "tmag": np.nan if target.tmag is None else target.tmag,
        "ra": np.nan if target.ra is None else target.ra,
        "dec": np.nan if target.dec is None else target.dec,
        "column": place[0],
        "row": place[1],
        "flux": np.nan if flux is None else flux,
    }
    added: dict[str, Any] = {name: np.append(getattr(known, name), value) for name, value in own.items()}
    added["tic"] = added["tic"].astype(np.int64)
    return replace(known, shifts=np.concatenate([known.shifts, moved], axis=1), **added), len(known)


def _usable(stamp: Stamp) -> NDArray[np.float32]:
    """Images with NaN where a pixel is excluded, and in cadences that were not exposed."""
    # Pixels out of a cube lie by time; a fit goes from frame to frame.
    images = np.array(stamp.images, dtype=np.float32, order="C")
    if stamp.pixel_flags is not None:
        images[(stamp.pixel_flags & PixelFlag.EXCLUDED) > 0] = np.nan
    images[~np.isfinite(images)] = np.nan
    images[(np.nan_to_num(images) == 0).all(axis=(1, 2))] = np.nan
    return images


def _noise(
    stamp: Stamp, good: NDArray[np.bool_], segments: NDArray[Any], saturated: NDArray[np.bool_]
) -> tuple[Array, NDArray[np.float32]]:
    """Weights of each part of the sector, and the variance of every pixel in every cadence."""
    told = errors_time(stamp)
    overall = cache(lambda: pixel_noise(stamp, good, told).variance)
    weights = np.zeros((int(segments.max()) + 1, *stamp.shape))
    with np.errstate(invalid="ignore"):
        variances = np.square(stamp.errors, dtype=np.float32, order="C")
        variances *= np.float32(told_scale(told, stamp.cadence) ** 2)
        known = (variances > 0) & (variances < np.inf)
    lacking = ~known.all(axis=(1, 2))
    for part in range(len(weights)):
        own = segments == part
        several = (good & own).sum() > 1
        mean = pixel_noise(stamp, good & own, told).variance if several and own.sum() < len(stamp) else overall()
        if not np.isfinite(mean).all():
            mean = np.where(np.isfinite(mean), mean, overall())
        np.divide(1.0, mean, out=weights[part], where=(mean > 0) & ~saturated)
        some = own & lacking
        variances[some] = np.where(known[some], variances[some], mean.astype(np.float32))
    return weights, variances
