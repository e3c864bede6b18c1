"""Halo photometry: bright stars from the unsaturated pixels around them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import PhotometryError
from tessellar.mission import flags
from tessellar.photometry.apertures.extraction import gather, local_sky
from tessellar.photometry.halos.halopixels import RADIUS, HaloPixels, group_pixels, halo_pixels, light_of_others
from tessellar.photometry.halos.spans import time_spans
from tessellar.photometry.halos.variation import LeastVariation, least_variation
from tessellar.photometry.merit.metrics import Sample, compute_metrics
from tessellar.photometry.merit.noise import error_scale
from tessellar.photometry.result import Result, StampGrowth, WeightMap
from tessellar.photometry.status import STATUS, PixelQuality
from tessellar.photometry.target import known_place
from tessellar.pixels import mean_image
from tessellar.pixels.places import nearest_pixel

if TYPE_CHECKING:
    from tessellar.photometry.method import Settings
    from tessellar.photometry.target import Target
    from tessellar.pixels import Stamp, Surroundings

_Floats = NDArray[np.float64]
_Mask = NDArray[np.bool_]

#: Stars fainter than this do not saturate, and apertures hold their light: they are skipped.
FAINTEST = 7.0
#: Fewest pixels, and fewest good cadences, that weights are found from.
FEWEST_PIXELS, FEWEST_CADENCES = 30, 60
# One weight for so many cadences, and never fewer weights than this where there are pixels: with a weight for each
# pixel, noise would be made to cancel noise, and the star.
_CADENCES_A_WEIGHT, _FEWEST_WEIGHTS = 30, 4
# Part of the variation that may be left above its least value before it is worth a warning.
_CONVERGED = 0.05
# A cadence counts when at least this part of the halo's pixels has a value.
_MOST = 0.5
# Part of the light that the magnitude promises which must be about the star for it to be there at all.
_LEAST_LIGHT = 0.01


class HaloPhotometry:
    """Weighted sum of the pixels of a halo, the weights being those of least total variation (White et al. 2017).

    See `photometry.halos.variation.least_variation` for the mathematics, and `photometry.halos.halopixels` for the
    pixels. Weights hold for one span of the light curve (`time_spans`); each span is divided by its median and
    multiplied by the flux that the magnitude promises, for a halo tells nothing of the whole of a star's light.

    Stated range: T <= 7, at least 30 unsaturated pixels, and 60 good cadences; else the result is SKIPPED.
    """

    name = "halo"

    def run(self, stamp: Stamp, target: Target, stars: Surroundings | None, settings: Settings) -> Result:
        """Measure `target` in `stamp`; see `PhotometryMethod.run`."""
        good = np.isfinite(stamp.time) & flags.good(np.asarray(stamp.quality), settings.quality)
        image = mean_image(stamp.images, good)
        told = _outside_range(target)
        if told:
            return _ended(stamp, target, settings, STATUS.SKIPPED, told, image)
        place = _place(stamp, target)
        if place is None:
            reason = f"where {target} lies in {stamp.origin} is not known: its position or the WCS is missing"
            return _ended(stamp, target, settings, STATUS.ERROR, reason, image)
        own = _own(target, stars)
        others = None
        if stars is not None:
            others = light_of_others(stars, own, stamp.corner, stamp.shape, zero_point=settings.zero_point)
        try:
            found = _Halo.of(stamp, place, good, others)
            _check_light(found, target, settings)
            halo = _weighted(found, image, others, stars)
        except _OutsideRangeError as outside:
            return _ended(stamp, target, settings, STATUS.SKIPPED, str(outside), image)
        except PhotometryError as error:
            return _ended(stamp, target, settings, STATUS.ERROR, str(error), image)
        return _result(stamp, target, stars, settings, halo, image, others)


class _OutsideRangeError(Exception):
    """The star is none for this method."""


@dataclass(frozen=True, eq=False)
class _Halo:
    """What a halo is measured from: its stamp, place (0-based column and row in it), good cadences and disc of pixels.

    `images` are the pixels of the disc (n, k), the sky taken off.
    """

    stamp: Stamp
    place: tuple[float, float]
    use: _Mask
    disc: _Mask
    images: _Floats
    sky: _Floats

    @classmethod
    def of(cls, stamp: Stamp, place: tuple[float, float], good: _Mask, others: _Floats | None) -> _Halo:
        rows, cols = np.indices(stamp.shape)
        disc = np.hypot(cols - place[0], rows - place[1]) <= RADIUS
        if not disc.any():
            raise PhotometryError(f"no pixel of {stamp.origin} lies within {RADIUS:g} px of the star")
        images, sky = gather(stamp.images, disc), gather(stamp.background, disc)
        if not stamp.background_subtracted:
            level, _ = local_sky(stamp, disc)
            images, sky = images - level[:, None], np.broadcast_to(level[:, None], images.shape)
        use = good & (np.isfinite(images).mean(axis=1) >= _MOST) & (images != 0).any(axis=1)
        if not use.any():
            raise PhotometryError(f"no good cadence: all of {stamp.origin} are flagged, or have no flux about the star")
        if use.sum() < FEWEST_CADENCES:
            raise _OutsideRangeError(f"{int(use.sum())} good cadences: halo weights need {FEWEST_CADENCES}")
        return cls(stamp, place, use, disc, images, sky)

    def chosen(self, span: _Mask, others: _Floats | None) -> HaloPixels:
        """The pixels to weight in the cadences of a span."""
        inside = self.images[span]
        mean, sky = (self.spread(np.nanmedian(each, axis=0)) for each in (inside, self.sky[span]))
        whole = self.spread(np.isfinite(inside).all(axis=0), False)
        return halo_pixels(mean, sky, whole, self.place, others)

    def spread(self, values: Any, blank: Any = np.nan) -> NDArray[Any]:
        """Values of the disc's pixels as an image."""
        image = np.full(self.stamp.shape, blank, dtype=values.dtype)
        image[self.disc] = values
        return image


@dataclass(frozen=True, eq=False)
class _Weighted:
    """A halo with its weights: map, pixels and the minimiser's word for each span, and the relative flux they give."""

    use: _Mask
    maps: tuple[WeightMap, ...]
    pixels: tuple[HaloPixels, ...]
    found: tuple[LeastVariation, ...]
    flux: _Floats
    error: _Floats
    background: _Floats
    pixel_quality: NDArray[np.int32]


def _outside_range(target: Target) -> str:
    if target.tmag is None:
        return f"the magnitude of {target} is not known: a halo's flux is scaled by it"
    if target.tmag > FAINTEST:
        return f"Tmag {target.tmag:.2f} is fainter than {FAINTEST:g}: halo photometry is for saturated stars"
    return ""


def _check_light(halo: _Halo, target: Target, settings: Settings) -> None:
    """Refuse pixels without the star: the flux is scaled to its magnitude, so that nothing would tell it later."""
    promised = target.expected_flux(settings.zero_point)
    light = float(np.nansum(np.nanmedian(halo.images[halo.use], axis=0)))
    if promised is not None and light < _LEAST_LIGHT * promised:
        raise PhotometryError(
            f"the pixels within {RADIUS:g} px of {target} hold {light:.3g} e-/s, but Tmag {target.tmag:.2f} promises "
            f"{promised:.3g}: the star is not there"
        )


def _weighted(halo: _Halo, image: _Floats, others: _Floats | None, stars: Surroundings | None) -> _Weighted:
    stamp, use = halo.stamp, halo.use
    time = np.asarray(stamp.time - stamp.timecorr, dtype=np.float64)
    spans = time_spans(time, use, None if stars is None else stars.segments)
    scale = error_scale(stamp)
    curves, bits = np.full((3, len(stamp)), np.nan), np.zeros(len(stamp), dtype=np.int32)
    maps, pixels, found = [], [], []
    for number in range(int(spans[-1]) + 1):
        span = spans == number
        chosen = halo.chosen(span & use, others)
        if chosen.use.sum() < FEWEST_PIXELS:
            raise _OutsideRangeError(
                f"{int(chosen.use.sum())} pixels within {RADIUS:g} px are neither saturated, nor other stars', nor "
                f"missing: halo weights need {FEWEST_PIXELS}"
            )
        least, weights = _solve(halo, span & use, chosen)
        level = _level(halo, span & use, weights)
        curves[:, span], bits[span] = _added_up(halo, span, weights / level, scale)
        cadences = np.asarray(stamp.cadenceno)[span]
        maps.append(
            WeightMap(
                first_cadence=int(cadences[0]),
                last_cadence=int(cadences[-1]),
                weights=halo.spread(weights, 0.0),
                saturated=int(chosen.saturated.sum()),
            )
        )
        pixels.append(chosen)
        found.append(least)
    flux, error, background = curves
    return _Weighted(use, tuple(maps), tuple(pixels), tuple(found), flux, error, background, bits)


def _solve(halo: _Halo, cadences: _Mask, chosen: HaloPixels) -> tuple[LeastVariation, _Floats]:
    """Weights of the disc's pixels (0 for those not chosen), one value for each group of them."""
    own = chosen.use[halo.disc]
    light = halo.images[np.ix_(cadences, own)]
    mean = light.mean(axis=0)
    rows, cols = (index[halo.disc][own] for index in np.indices(halo.stamp.shape))
    wanted = max(_FEWEST_WEIGHTS, int(cadences.sum()) // _CADENCES_A_WEIGHT)
    groups = group_pixels(rows, cols, np.maximum(mean, 1e-6), wanted)
    sums = np.zeros((len(light), int(groups.max()) + 1))
    for number in range(sums.shape[1]):
        sums[:, number] = light[:, groups == number].sum(axis=1)
    lit = sums.mean(axis=0) > 0
    least = least_variation(sums[:, lit])
    each = np.zeros(sums.shape[1])
    each[lit] = least.weights
    weights = np.zeros(len(own))
    weights[own] = each[groups]
    return least, weights / weights.sum()


def _level(halo: _Halo, cadences: _Mask, weights: _Floats) -> float:
    """Median weighted flux, e-/s; there must be some."""
    some = weights > 0
    level = float(np.median(halo.images[np.ix_(cadences, some)] @ weights[some]))
    if not level > 0:
        raise PhotometryError(f"the weighted flux of the halo is {level:.4g} e-/s: there is no starlight in it")
    return level


def _added_up(halo: _Halo, span: _Mask, weights: _Floats, scale: float) -> tuple[_Floats, NDArray[np.int32]]:
    """Flux, its error and background (3, cadences) of a span, and what was missing in each cadence.

    The errors of the pixels are independent, so that the square of the sum's is the sum of w^2 times theirs.
    """
    some = weights > 0
    used = weights[some]
    light = halo.images[np.ix_(span, some)]
    errors = gather(halo.stamp.errors[span], halo.disc)[:, some]
    curves = np.stack([light @ used, scale * np.sqrt((errors**2) @ (used**2)), halo.sky[np.ix_(span, some)] @ used])
    flux, error, background = np.isfinite(curves)
    empty = ~np.isfinite(light).any(axis=1)
    bits = np.where(flux, 0, PixelQuality.MISSING_PIXEL) | np.where(empty, PixelQuality.ALL_MISSING, 0)
    bits |= np.where(error, 0, PixelQuality.MISSING_ERROR) | np.where(background, 0, PixelQuality.MISSING_BACKGROUND)
    return curves, bits.astype(np.int32)


def _result(
    stamp: Stamp, target: Target, stars: Surroundings | None, settings: Settings, halo: _Weighted, image: _Floats,
    others: _Floats | None,
) -> Result:  # fmt: skip
    expected = target.expected_flux(settings.zero_point) or float("nan")
    centroid = _track(stamp, target, stars)
    bits = halo.pixel_quality | np.where(np.isfinite(centroid[:, 0]), 0, PixelQuality.MISSING_CENTROID)
    shifts = stamp.pos_corr if stamp.pos_corr is not None else np.full((len(stamp), 2), np.nan, dtype=np.float32)
    columns: dict[str, NDArray[Any]] = {
        "TIME": stamp.time, "TIMECORR": stamp.timecorr, "CADENCENO": stamp.cadenceno,
        "FLUX": expected * halo.flux, "FLUX_ERR": np.where(np.isnan(halo.flux), np.nan, expected * halo.error),
        "FLUX_BKG": expected * halo.background, "QUALITY": stamp.quality, "PIXEL_QUALITY": bits.astype(np.int32),
        "MOM_CENTR1": centroid[:, 0], "MOM_CENTR2": centroid[:, 1],
        "POS_CORR1": shifts[:, 0], "POS_CORR2": shifts[:, 1],
    }  # fmt: skip
    mask = np.any([each.use for each in halo.pixels], axis=0)
    reasons = tuple(_doubts(halo, columns["FLUX_ERR"]))
    return Result(
        status=STATUS.WARNING if reasons else STATUS.OK,
        reasons=reasons,
        method=HaloPhotometry.name,
        stamp=stamp,
        target=target,
        settings=settings,
        columns=MappingProxyType(columns),
        mask=mask,
        mean_image=image,
        metrics=MappingProxyType(compute_metrics(_sample(stamp, halo, columns, mask, image, others))),
        cards=MappingProxyType(_cards(halo)),
        weight_maps=halo.maps,
        skip=_in_disc(stamp, target, stars),
        grow=_growth(stamp, target),
    )


def _doubts(halo: _Weighted, errors: _Floats) -> list[str]:
    reasons = []
    worst = max(found.gap for found in halo.found)
    if worst > _CONVERGED:
        reasons.append(f"the weights may not have converged: the variation could be up to {worst:.0%} smaller")
    if not (errors[halo.use] > 0).any():
        reasons.append("no good cadence has an uncertainty")
    return reasons


def _cards(halo: _Weighted) -> dict[str, tuple[str | float | int, str]]:
    cards: dict[str, tuple[str | float | int, str]] = {
        "APKIND": ("halo", "pixels weighted, see WEIGHTMAP"),
        "HALO_OBJ": ("tv", "least total variation (White et al. 2017)"),
        "HALO_RAD": (RADIUS, "[pixel] radius of the halo"),
        "HALO_SEG": (len(halo.maps), "time spans, each with weights of its own"),
        "HALO_PIX": (min(int(each.use.sum()) for each in halo.pixels), "pixels weighted, fewest of a span"),
        "HALO_SAT": (max(each.saturated for each in halo.maps), "saturated pixels left out, most of a span"),
        "HALO_TV": (max(each.variation for each in halo.found), "mean |F(t+1)-F(t)| / mean F, worst span"),
        "HALO_GAP": (max(each.gap for each in halo.found), "bound: variation may be this part smaller"),
    }
    limits = [each.limit for each in halo.pixels if np.isfinite(each.limit)]
    if limits:
        cards["HALO_THR"] = (min(limits), "[e-/s] pixels above are saturated")
    return cards


def _sample(
    stamp: Stamp, halo: _Weighted, columns: dict[str, NDArray[Any]], mask: _Mask, image: _Floats,
    others: _Floats | None,
) -> Sample:  # fmt: skip
    use = np.flatnonzero(halo.use & np.isfinite(columns["FLUX"]))
    weights = halo.maps[0].weights
    light = float(np.nansum(weights * image))
    share = min(float((weights * others).sum()) / light, 1.0) if others is not None and light > 0 else float("nan")
    return Sample(
        time=np.asarray(stamp.time - stamp.timecorr, dtype=np.float64)[use],
        cadenceno=np.asarray(stamp.cadenceno)[use],
        flux=columns["FLUX"][use],
        flux_err=columns["FLUX_ERR"][use],
        centroid=np.column_stack([columns["MOM_CENTR1"], columns["MOM_CENTR2"]])[use],
        cadence=stamp.cadence,
        mask=mask,
        mean_image=image,
        contamination=share,
        expected=float(np.median(columns["FLUX_ERR"][use])) * np.sqrt(stamp.cadence / 3600.0),
    )


def _place(stamp: Stamp, target: Target) -> tuple[float, float] | None:
    """0-based column and row in the stamp."""
    place = known_place(stamp, target)
    return None if place is None else (place[0] - stamp.corner[0], place[1] - stamp.corner[1])


def _track(stamp: Stamp, target: Target, stars: Surroundings | None) -> _Floats:
    """Where the star is in each cadence (1-based CCD column and row): its core is saturated, so from the pointing."""
    place = np.asarray(known_place(stamp, target))
    own = _own(target, stars)
    if stars is not None and own is not None:
        return np.asarray(place + stars.shifts[:, own])
    moved = np.nan if stamp.pos_corr is None else np.asarray(stamp.pos_corr, dtype=np.float64)
    return np.broadcast_to(place + moved, (len(stamp), 2))


def _own(target: Target, stars: Surroundings | None) -> int | None:
    return None if stars is None or target.tic is None else stars.index(int(target.tic))


def _in_disc(stamp: Stamp, target: Target, stars: Surroundings | None) -> tuple[int, ...]:
    place = known_place(stamp, target)
    if stars is None or place is None or target.tmag is None:
        return ()
    near = stars.near(*place, radius=RADIUS)
    own = None if target.tic is None else int(target.tic)
    return tuple(int(tic) for tic, tmag in zip(near.tic, near.tmag, strict=True) if tic != own and tmag > target.tmag)


def _growth(stamp: Stamp, target: Target) -> StampGrowth | None:
    """By what the stamp would have to be larger to hold the whole disc; not needed, only better."""
    place = known_place(stamp, target)
    if place is None:
        return None
    reach = int(np.ceil(RADIUS))
    middle = [int(each) for each in nearest_pixel(place)]
    left, down = (max(0, corner - (at - reach)) for at, corner in zip(middle, stamp.corner, strict=True))
    ends = stamp.corner[0] + stamp.shape[1] - 1, stamp.corner[1] + stamp.shape[0] - 1
    right, up = (max(0, at + reach - end) for at, end in zip(middle, ends, strict=True))
    if not any((left, down, right, up)):
        return None
    return StampGrowth(down=down, up=up, left=left, right=right, needed=False)


def _ended(stamp: Stamp, target: Target, settings: Settings, status: STATUS, reason: str, image: _Floats) -> Result:
    return Result(
        status=status, reasons=(reason,), method=HaloPhotometry.name, stamp=stamp, target=target, settings=settings,
        mean_image=image,
    )  # fmt: skip
