"""Which aperture a star gets, and what is to be said about it: the kinds that `Settings.aperture` names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import PhotometryError
from tessellar.photometry.apertures.contamination import middle_response, stars_in
from tessellar.photometry.apertures.masks import check_mask, pipeline_mask, threshold_mask
from tessellar.photometry.apertures.optimal import choose_apertures
from tessellar.photometry.apertures.watershed import SATURATED_TMAG, THRESHOLD, find_regions, with_bleed
from tessellar.photometry.merit.expected import mask_size_bounds
from tessellar.photometry.merit.sanity import Finding
from tessellar.photometry.result import StampGrowth
from tessellar.photometry.status import STATUS
from tessellar.photometry.target import check_place, known_place
from tessellar.pixels import AperturePixel, mean_image

if TYPE_CHECKING:
    from tessellar.photometry.method import Settings
    from tessellar.photometry.target import Target
    from tessellar.pixels import Stamp, Surroundings

#: Part of the good cadences in which a pixel must have a value to be chosen.
PRESENT = 0.95
#: Rows or columns by which a stamp is wanted larger on a side that a mask touches.
GROWTH = 10
# Threshold, in robust standard deviations, at which a mask is taken however large it is.
_STEEPEST = 400.0
# Kinds whose masks take all light they find, so that a fainter star in one of them has no light of its own left.
_TAKE_ALL = ("pipeline", "threshold", "watershed")


@dataclass(frozen=True, eq=False)
class Choice:
    """An aperture.

    Attributes
    ----------
    mask : boolean array (rows, cols)
    kind : str
        ``pipeline``, ``threshold``, ``watershed``, ``optimal``, ``minimum`` or ``mask``.
    findings : tuple of Finding
        What is doubtful about it.
    grow : StampGrowth or None
        What the stamp should be larger by.
    """

    mask: NDArray[np.bool_]
    kind: str
    findings: tuple[Finding, ...] = ()
    grow: StampGrowth | None = None


def choose_aperture(
    stamp: Stamp,
    target: Target,
    image: NDArray[np.float64],
    good: NDArray[np.bool_],
    stars: Surroundings | None,
    settings: Settings,
) -> Choice:
    """Choose the aperture that the settings name.

    Parameters
    ----------
    stamp : Stamp
    target : Target
    image : array (rows, cols)
        Mean image of the good cadences, e-/s.
    good : boolean array (n,)
    stars : Surroundings or None
    settings : Settings

    Raises
    ------
    PhotometryError
        If there is no such aperture in this stamp.
    InputError
        If a given mask does not fit.
    """
    if not isinstance(settings.aperture, str):
        mask = check_mask(settings.aperture, stamp.shape, settings.aperture_name or "the mask")
        return Choice(mask, "mask")
    kind = settings.aperture if settings.aperture != "default" else default_kind(stamp, target, stars)
    if kind == "pipeline":
        if target.secondary:
            raise PhotometryError(
                f"the pipeline's aperture of {stamp.origin} is that of another star than {target}: "
                "choose optimal or watershed"
            )
        return Choice(pipeline_mask(stamp), kind)
    if not good.any():
        raise PhotometryError(
            f"no good cadence in {stamp.origin} to find an aperture in: all are flagged or have no time"
        )
    column, row = place_of(stamp, target)
    col, line = column - stamp.corner[0], row - stamp.corner[1]
    if kind == "threshold":
        return Choice(threshold_mask(image, col, line, sigma=settings.sigma, origin=stamp.origin), kind)
    if kind == "optimal":
        return _optimal(stamp, target, image, good, stars)
    return _watershed(stamp, target, image, good, stars, (col, line))


def default_kind(stamp: Stamp, target: Target, stars: Surroundings | None) -> str:
    """The kind that ``default`` is for a star.

    The pipeline's where the stamp has one for this star; else watershed where the star saturates (T <= 7), or where no
    response or no stars are known; else optimal.
    """
    has_own = stamp.aperture is not None and bool((stamp.aperture & AperturePixel.PHOTOMETRY).any())
    if has_own and not target.secondary:
        return "pipeline"
    if target.tmag is not None and target.tmag <= SATURATED_TMAG:
        return "watershed"
    known = stars is not None and bool(stars.responses) and _index(stars, target) is not None
    return "optimal" if known else "watershed"


def _optimal(
    stamp: Stamp, target: Target, image: NDArray[np.float64], good: NDArray[np.bool_], stars: Surroundings | None
) -> Choice:
    index = None if stars is None else _index(stars, target)
    response = None if stars is None else middle_response(stars)
    if stars is None or index is None or response is None:
        lacking = "no pixel response" if index is not None else "no catalogue with this star"
        raise PhotometryError(
            f"an optimal aperture for {target} needs its neighbours and the pixel response, but {lacking} is known: "
            "choose watershed or threshold"
        )
    sky = mean_image(stamp.background, good)
    sky = np.where(np.isfinite(sky), np.maximum(sky, 0.0), np.nanmedian(sky) if np.isfinite(sky).any() else 0.0)
    found = choose_apertures(
        stars.column, stars.row, stars.flux, response, corner=stamp.corner, shape=stamp.shape, which=[index],
        sky=sky, usable=present_pixels(stamp, image, good),
    )  # fmt: skip
    if not found.size[0]:
        raise PhotometryError(f"no pixel about {target} has a value in most good cadences of {stamp.origin}")
    mask = found.on(0, stamp.corner, stamp.shape)
    doubts: list[Finding] = []
    if target.tmag is not None and target.tmag <= SATURATED_TMAG:
        doubts.append(
            Finding(
                STATUS.WARNING, f"a star of Tmag {target.tmag:.2f} saturates and bleeds out of an optimal aperture: "
                "choose watershed",
            )
        )  # fmt: skip
    # Masks end with the box of the response: only a stamp that cuts it short keeps one from being what it would be.
    side, (high, wide) = found.masks.shape[1], stamp.shape
    down, left = stamp.corner[1] - int(found.bottom[0]), stamp.corner[0] - int(found.left[0])
    cut_short = (down, side - down - high, left, side - left - wide)
    return Choice(mask, "optimal", tuple(doubts), growth_of(mask, cut_short))


def _watershed(
    stamp: Stamp,
    target: Target,
    image: NDArray[np.float64],
    good: NDArray[np.bool_],
    stars: Surroundings | None,
    place: tuple[float, float],
) -> Choice:
    seen = np.where(present_pixels(stamp, image, good), image, np.nan)
    known = () if stars is None else (stars.column - stamp.corner[0], stars.row - stamp.corner[1], stars.tmag)
    most = np.inf if target.tmag is None else mask_size_bounds(target.tmag, "ffi")[1]
    threshold = THRESHOLD
    while True:
        try:
            regions = find_regions(seen, *known, threshold=threshold)
        except PhotometryError as error:
            return _minimum(seen, place, f"{error}: the minimum aperture was taken", stamp)
        mask = regions.at(*place)
        if mask is None:
            return _minimum(seen, place, f"no mask was found for {target}: the minimum aperture was taken", stamp)
        if _brightest(mask, stamp, target, stars) <= SATURATED_TMAG:
            mask = with_bleed(mask, seen, regions.bright)
        if mask.sum() <= most or threshold > _STEEPEST:
            return Choice(mask, "watershed", grow=growth_of(mask))
        # Under an empty sky the halo of a bright star is significant far beyond what it is worth: ask for more light.
        threshold *= 2


def _brightest(mask: NDArray[np.bool_], stamp: Stamp, target: Target, stars: Surroundings | None) -> float:
    """Magnitude of all light in a mask as the catalogue has it; that of the target where there is none."""
    tmag = np.array([target.tmag if target.tmag is not None else -np.inf])
    if stars is not None:
        inside = stars_in(mask, stamp.corner, stars.column, stars.row)
        tmag = stars.tmag[inside] if inside.size else tmag
    return float(-2.5 * np.log10((10 ** (-0.4 * tmag)).sum()))


def _minimum(image: NDArray[np.float64], place: tuple[float, float], reason: str, stamp: Stamp) -> Choice:
    mask = minimum_aperture(image.shape, *place) & np.isfinite(image)
    if not mask.any():
        raise PhotometryError(f"no pixel at the target has a value in most good cadences of {stamp.origin}")
    return Choice(mask, "minimum", (Finding(STATUS.WARNING, reason),))


def minimum_aperture(shape: tuple[int, ...], column: float, row: float) -> NDArray[np.bool_]:
    """The pixels whose centres are within 1 px of a place in both directions: 2 x 2, or 3 where it is on a centre.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    column, row : float
        0-based, pixel centres at whole numbers.
    """
    rows, cols = np.indices(shape[:2])
    return np.asarray((np.abs(cols - column) <= 1) & (np.abs(rows - row) <= 1))


def present_pixels(stamp: Stamp, image: NDArray[np.float64], good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels that have a value in 95 % of the good cadences in which any pixel has one."""
    if not np.isnan(image).any() and np.isfinite(np.asarray(stamp.images[good]).sum()):
        return np.ones(image.shape, dtype=bool)
    finite = np.isfinite(stamp.images[good])
    exposed = finite.any(axis=(1, 2))
    return np.asarray(finite[exposed].mean(axis=0) >= PRESENT) if exposed.any() else np.isfinite(image)


def growth_of(mask: NDArray[np.bool_], most: tuple[int, int, int, int] | None = None) -> StampGrowth | None:
    """10 pixels more on every side of the stamp that a mask touches, or `most`; None where there is none to add.

    Parameters
    ----------
    mask : boolean array (rows, cols)
    most : tuple of int, optional
        Pixels down, up, left and right that make a difference.
    """
    limits = most or (GROWTH,) * 4
    lines = mask[0], mask[-1], mask[:, 0], mask[:, -1]
    down, up, left, right = (
        max(min(GROWTH, limit), 0) * int(line.any()) for line, limit in zip(lines, limits, strict=True)
    )
    if not (down or up or left or right):
        return None
    # What lies on the border is judged by its flux, and bleeding charge by itself.
    return StampGrowth(down=down, up=up, left=left, right=right, needed=False)


def skipped(choice: Choice, stamp: Stamp, target: Target, stars: Surroundings | None) -> tuple[int, ...]:
    """TIC ids of the fainter stars in a mask that takes all light it finds: they have none of their own left."""
    if stars is None or choice.kind not in _TAKE_ALL:
        return ()
    own = _index(stars, target)
    limit = target.tmag if target.tmag is not None else (stars.tmag[own] if own is not None else -np.inf)
    inside = stars_in(choice.mask, stamp.corner, stars.column, stars.row)
    return tuple(int(stars.tic[each]) for each in inside if each != own and stars.tmag[each] >= limit)


def _index(stars: Surroundings, target: Target) -> int | None:
    return None if target.tic is None else stars.index(int(target.tic))


def place_of(stamp: Stamp, target: Target) -> tuple[float, float]:
    """1-based CCD column and row of the target; the middle of the stamp if its position is not known.

    Raises
    ------
    PhotometryError
        If it is outside the stamp.
    """
    place = known_place(stamp, target)
    if place is None:
        return stamp.corner[0] + (stamp.shape[1] - 1) / 2, stamp.corner[1] + (stamp.shape[0] - 1) / 2
    check_place(place, stamp, target, remedy="; give a mask")
    return place
