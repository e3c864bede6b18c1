"""From fitted fluxes to a result: columns, metrics, cards, and what is to be doubted."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.merit.metrics import Sample, compute_metrics
from tessellar.photometry.merit.noise import error_scale
from tessellar.photometry.merit.sanity import Finding, findings
from tessellar.photometry.result import Result, StampGrowth
from tessellar.photometry.status import STATUS, PixelQuality
from tessellar.pixels.places import nearest_pixel

if TYPE_CHECKING:
    from tessellar.photometry.fitting.starfit import StarFit
    from tessellar.photometry.method import Settings
    from tessellar.photometry.target import Target
    from tessellar.pixels import Stamp

Array = NDArray[np.float64]

#: Pixels that hold at least this share of the star's light are what a light curve names as its mask.
MASK_SHARE = 0.01
#: A cadence in which pixels with more than this share of the information are missing has no flux.
LEAST_INFORMATION = 0.5
#: More of the prior's word, or less of the star's light on usable pixels, than this is told as a doubt.
MUCH_PRIOR, LITTLE_LIGHT = 0.1, 0.8
# Pixels that should lie between a star and the border of its stamp: nine tenths of its light are within 3.
_ROOM = 3


def too_small(fit: StarFit, stamp: Stamp) -> StampGrowth | None:
    """Pixels that a stamp lacks about the target, or None."""
    column, row = (int(each) for each in nearest_pixel(fit.place))
    left, down = _ROOM - (column - stamp.corner[0]), _ROOM - (row - stamp.corner[1])
    right = _ROOM - (stamp.corner[0] + stamp.shape[1] - 1 - column)
    up = _ROOM - (stamp.corner[1] + stamp.shape[0] - 1 - row)
    if max(left, right, up, down) <= 0:
        return None
    return StampGrowth(down=max(down, 0), up=max(up, 0), left=max(left, 0), right=max(right, 0))


def fitted_result(
    fit: StarFit,
    stamp: Stamp,
    target: Target,
    settings: Settings,
    *,
    method: str,
    flux: Array,
    variance: Array,
    centroid: Array,
    light: Array,
    offset: Array,
    prior_weight: float,
    cards: Mapping[str, tuple[str | float | int, str]],
    doubts: tuple[Finding, ...] = (),
) -> Result:
    """Make a result of what a fit of stars gave.

    Parameters
    ----------
    fit, stamp, target, settings
        What was fitted.
    method : str
        Name of the method.
    flux, variance : array (n,)
        Of the target, e-/s and its square; NaN where there is none.
    centroid : array (n, 2)
        Columns and rows, 1-based.
    light : array (k, rows, cols)
        Images of all stars at unit flux, at their mean places.
    offset : array (n,)
        Fitted background, e-/s/px.
    prior_weight : float
        See `tessellar.photometry.fitting.linear.prior_weight`.
    cards : mapping
        The method's own header cards.
    doubts : tuple of Finding
        What the method itself doubts.
    """
    own = light[fit.target]
    flux, bits = _with_gaps(fit, own, flux)
    mask = own >= MASK_SHARE * max(float(own.sum()), 1e-12)
    crowd = _contamination(fit, light, flux)
    use = np.flatnonzero(fit.good & np.isfinite(flux) & (bits == 0))
    spacecraft = (stamp.time - stamp.timecorr)[use]
    order = np.argsort(spacecraft, kind="stable")
    use, spacecraft = use[order], spacecraft[order]
    error = np.where(np.isfinite(flux), np.sqrt(variance), np.nan)
    sample = Sample(
        time=np.asarray(spacecraft, dtype=np.float64), cadenceno=np.asarray(stamp.cadenceno)[use], flux=flux[use],
        flux_err=error[use], centroid=centroid[use], cadence=stamp.cadence, mask=mask, mean_image=fit.mean_image,
        contamination=crowd, expected=_hourly(error[use], stamp.cadence),
    )  # fmt: skip
    found = [*findings(sample, target, settings.zero_point), *doubts, *_doubts(fit, own, prior_weight)]
    statuses = {finding.status for finding in found}
    shifts = fit.stars.shifts[:, fit.target]
    columns = {
        "TIME": stamp.time, "TIMECORR": stamp.timecorr, "CADENCENO": stamp.cadenceno, "FLUX": flux,
        "FLUX_ERR": error, "FLUX_BKG": _background(stamp, own, offset), "QUALITY": stamp.quality,
        "PIXEL_QUALITY": bits, "MOM_CENTR1": centroid[:, 0], "MOM_CENTR2": centroid[:, 1],
        "POS_CORR1": shifts[:, 0], "POS_CORR2": shifts[:, 1],
    }  # fmt: skip
    return Result(
        status=next((status for status in (STATUS.ERROR, STATUS.WARNING) if status in statuses), STATUS.OK),
        reasons=tuple(finding.reason for finding in found),
        method=method,
        stamp=stamp,
        target=target,
        settings=settings,
        columns=MappingProxyType(columns),
        mask=mask,
        mean_image=fit.mean_image,
        metrics=MappingProxyType(compute_metrics(sample)),
        cards=MappingProxyType({**cards, **_cards(fit, stamp, prior_weight, crowd)}),
        grow=too_small(fit, stamp),
    )


def _with_gaps(fit: StarFit, own: Array, flux: Array) -> tuple[Array, NDArray[np.int32]]:
    """Fluxes without those of cadences that lack too much of the star, and bits of what is missing in each."""
    weight = (own**2 * fit.weights.max(axis=0)).ravel()
    known = np.isfinite(fit.images).reshape(len(fit.images), -1)
    left = known @ (weight / max(float(weight.sum()), 1e-300))
    mask = (own >= MASK_SHARE).ravel() & (weight > 0)
    missing = ~known[:, mask].all(axis=1)
    bits = np.where(missing, PixelQuality.MISSING_PIXEL, 0).astype(np.int32)
    bits |= np.where(~known[:, mask].any(axis=1), PixelQuality.ALL_MISSING, 0).astype(np.int32)
    return np.where(left >= LEAST_INFORMATION, flux, np.nan), bits


def _contamination(fit: StarFit, light: Array, flux: Array) -> float:
    """Share of the light under the star's response, weighted with it, that is other stars'."""
    own = light[fit.target]
    fluxes = np.where(np.isfinite(fit.stars.flux), np.maximum(fit.stars.flux, 0), 0.0)
    level = float(np.nanmedian(flux)) if np.isfinite(flux).any() else np.nan
    fluxes[fit.target] = 0.0
    others = float((own * np.tensordot(fluxes, light, axes=1)).sum())
    mine = max(level, 0.0) * float((own**2).sum())
    return others / (others + mine) if others + mine > 0 else float("nan")


def _hourly(error: Array, cadence: float) -> float:
    """Noise of an hour's mean that the errors of single cadences promise, e-/s."""
    return float(np.median(error) * np.sqrt(cadence / 3600)) if error.size else float("nan")


def _background(stamp: Stamp, own: Array, offset: Array) -> Array:
    """Sky in the noise-equivalent area of the star, e-/s: its mean weighted with the response, times that area."""
    area = own.sum() ** 2 / max(float((own**2).sum()), 1e-300)
    share = (own / max(float(own.sum()), 1e-300)).ravel()
    use = share > 1e-4
    sky = np.asarray(stamp.background).reshape(len(stamp), -1)[:, use].astype(np.float64)
    level = sky @ share[use] / share[use].sum()
    return np.asarray(area * (level + offset))


def _doubts(fit: StarFit, own: Array, prior_weight: float) -> list[Finding]:
    found = []
    if prior_weight > MUCH_PRIOR:
        found.append(
            Finding(
                STATUS.WARNING,
                f"neighbours too near to be told apart: {prior_weight:.0%} of the flux is that of the catalogue",
            )
        )
    inside = float((own * (fit.weights.max(axis=0) > 0)).sum())
    if inside < LITTLE_LIGHT:
        found.append(Finding(STATUS.WARNING, f"only {inside:.0%} of the star's light falls on usable pixels"))
    return found


def _cards(
    fit: StarFit, stamp: Stamp, prior_weight: float, contamination: float
) -> dict[str, tuple[str | float | int, str]]:
    cards: dict[str, tuple[str | float | int, str]] = {
        "PSFNSTAR": (len(fit.stars), "stars that were fitted together"),
        "PSFPRIOR": (round(prior_weight, 6), "share of the flux that is the prior's word"),
        "PSFOFFS": (fit.offset, "a constant background was fitted in each cadence"),
        "PSFNSAT": (int(fit.saturated.sum()), "[pixel] left out as saturated or next to it"),
        "ERRSCALE": (round(error_scale(stamp), 6), "errors of the input were multiplied by this"),
    }
    if np.isfinite(contamination):
        cards["PSF_CONT"] = (round(contamination, 6), "share of others' light under the response")
    return cards


def refused(
    stamp: Stamp, target: Target, settings: Settings, method: str, error: Exception, *, skipped: bool, **about: Any
) -> Result:
    """A result without a light curve: ERROR, or SKIPPED where another method is the right one."""
    return Result(
        status=STATUS.SKIPPED if skipped else STATUS.ERROR,
        reasons=(str(error),),
        method=method,
        stamp=stamp,
        target=target,
        settings=settings,
        **about,
    )
