"""Looking at a light curve of somebody else's making: is it one, what is doubtful, and what are its metrics?"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from tessellar.mission import flags
from tessellar.photometry.apertures.contamination import ap_cont, stars_in
from tessellar.photometry.merit.metrics import Sample, compute_metrics
from tessellar.photometry.merit.sanity import Finding, findings
from tessellar.photometry.result import Result
from tessellar.photometry.status import STATUS, PixelQuality

if TYPE_CHECKING:
    from tessellar.pixels import Surroundings

_UNUSABLE = int(PixelQuality.MISSING_PIXEL | PixelQuality.ALL_MISSING)


def judge(result: Result, stars: Surroundings | None = None) -> Result:
    """The result with its metrics, and with a worse status where its light curve asks for one.

    ERROR or WARNING are those of `photometry.merit.sanity.findings`. A light curve that marks no pixel as used, or
    every one, is a WARNING. Metrics that only the method could tell are kept.

    Parameters
    ----------
    result : Result
        With all columns.
    stars : Surroundings, optional
        For the share of light in the mask that is of other stars, where the method did not tell it (AP_CONT).
    """
    sample = sample_of(result, stars)
    found = [*findings(sample, result.target, result.settings.zero_point), *_mask(result)]
    status = result.status
    if any(each.status is STATUS.ERROR for each in found):
        status = STATUS.ERROR
    elif found and status is STATUS.OK:
        status = STATUS.WARNING
    # A method that was asked before has told some of it already.
    reasons = [each.reason for each in found if each.reason not in result.reasons]
    metrics = {
        name: value if np.isfinite(value) else result.metrics.get(name, value)
        for name, value in compute_metrics(sample).items()
    }
    return replace(result, status=status, reasons=(*result.reasons, *reasons), metrics=MappingProxyType(metrics))


def sample_of(result: Result, stars: Surroundings | None = None) -> Sample:
    """The good cadences of a result, in order of time."""
    columns = result.columns
    time, flux = columns["TIME"], np.asarray(columns["FLUX"], dtype=np.float64)
    good = np.isfinite(time) & np.isfinite(flux) & (columns["PIXEL_QUALITY"] & _UNUSABLE == 0)
    good &= flags.good(np.asarray(columns["QUALITY"]), result.settings.quality)
    spacecraft = time - columns["TIMECORR"]
    use = np.flatnonzero(good)
    use = use[np.argsort(spacecraft[use], kind="stable")]
    told = result.cards.get("AP_CONT", (result.metrics.get("contamination", np.nan), ""))[0]
    contamination = float(told) if isinstance(told, int | float) else float("nan")
    shape = result.stamp.shape
    return Sample(
        time=np.asarray(spacecraft[use], dtype=np.float64),
        cadenceno=np.asarray(columns["CADENCENO"])[use],
        flux=flux[use],
        flux_err=np.asarray(columns["FLUX_ERR"], dtype=np.float64)[use],
        centroid=np.column_stack([columns["MOM_CENTR1"], columns["MOM_CENTR2"]])[use],
        cadence=result.stamp.cadence,
        mask=np.zeros(shape, dtype=bool) if result.mask is None else result.mask,
        mean_image=np.full(shape, np.nan) if result.mean_image is None else result.mean_image,
        contamination=contamination if np.isfinite(contamination) else _of_others(result, stars),
    )


def _of_others(result: Result, stars: Surroundings | None) -> float:
    if stars is None or result.mask is None or result.target.tmag is None:
        return float("nan")
    return ap_cont(result.target.tmag, stars.tmag[stars_in(result.mask, result.stamp.corner, stars.column, stars.row)])


def _mask(result: Result) -> list[Finding]:
    if result.mask is None or not result.mask.any():
        return [Finding(STATUS.WARNING, "no pixel is marked as used: final_phot_mask was not set")]
    return [Finding(STATUS.WARNING, f"the aperture is the whole stamp, all {result.mask.size} pixels")] * bool(
        result.mask.all()
    )
