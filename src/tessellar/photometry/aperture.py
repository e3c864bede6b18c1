"""Aperture photometry: the sum of the pixels of one mask that does not change with time."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import PhotometryError
from tessellar.mission import flags
from tessellar.photometry.extraction import Extraction, extract
from tessellar.photometry.masks import check_mask, pipeline_mask, threshold_mask
from tessellar.photometry.metrics import Sample, compute_metrics
from tessellar.photometry.result import Result
from tessellar.photometry.sanity import Finding, findings
from tessellar.photometry.status import STATUS, PixelQuality
from tessellar.pixels import mean_image

if TYPE_CHECKING:
    from tessellar.photometry.method import Settings
    from tessellar.photometry.target import Target
    from tessellar.pixels import Stamp, Surroundings

_UNUSABLE = int(PixelQuality.MISSING_PIXEL | PixelQuality.ALL_MISSING)


class AperturePhotometry:
    """Sum of the pixels of one mask: the pipeline's, a threshold aperture, or one that is given.

    See `tessellar.photometry.extract` for what is summed and `tessellar.photometry.METRICS` for the figures of merit.
    """

    name = "aperture"

    def run(self, stamp: Stamp, target: Target, stars: Surroundings | None, settings: Settings) -> Result:
        """Measure `target` in `stamp`; see `PhotometryMethod.run`."""
        good = np.isfinite(stamp.time) & flags.good(np.asarray(stamp.quality), settings.quality)
        image = mean_image(stamp.images, good)
        try:
            mask = self.choose_mask(stamp, target, image, settings)
            self._refuse_uncollected(stamp, mask, image, settings)
            light = extract(stamp, mask, missing=settings.missing)
        except PhotometryError as error:
            return Result.failed(stamp, target, settings, self.name, str(error), mean_image=image)
        sample = _sample(stamp, light, good, mask, image, _contamination(mask, target, stars, stamp, settings))
        found = list(findings(sample, target, settings.zero_point))
        found += _misplaced(stamp, target, mask, settings)
        return Result(
            status=_worst(found),
            reasons=tuple(finding.reason for finding in found),
            method=self.name,
            stamp=stamp,
            target=target,
            settings=settings,
            columns=MappingProxyType(_columns(stamp, light)),
            mask=mask,
            mean_image=image,
            metrics=MappingProxyType(compute_metrics(sample)),
        )

    def choose_mask(
        self, stamp: Stamp, target: Target, image: NDArray[np.float64], settings: Settings
    ) -> NDArray[np.bool_]:
        """The pixels to add up; override it to bring an aperture of your own.

        Parameters
        ----------
        stamp : Stamp
        target : Target
        image : array (rows, cols)
            Mean image of the good cadences, e-/s.
        settings : Settings

        Returns
        -------
        boolean array (rows, cols)

        Raises
        ------
        PhotometryError
            If there is no such aperture in this stamp.
        InputError
            If a given mask does not fit.
        """
        if not isinstance(settings.aperture, str):
            return check_mask(settings.aperture, stamp.shape, settings.aperture_name or "the mask")
        if settings.aperture == "pipeline":
            return pipeline_mask(stamp)
        column, row = _place(stamp, target)
        return threshold_mask(
            image, column - stamp.corner[0], row - stamp.corner[1], sigma=settings.sigma, origin=stamp.origin
        )

    @staticmethod
    def _refuse_uncollected(
        stamp: Stamp, mask: NDArray[np.bool_], image: NDArray[np.float64], settings: Settings
    ) -> None:
        never = int((mask & ~np.isfinite(image)).sum())
        if never and np.isfinite(image).any() and settings.missing == "nan":
            raise PhotometryError(
                f"{never} of the {int(mask.sum())} pixels of the aperture have no value in any good cadence of "
                f"{stamp.origin}: take a smaller mask"
            )


def _place(stamp: Stamp, target: Target) -> tuple[float, float]:
    """1-based CCD column and row of the target; the middle of the stamp if its position is not known."""
    place = _known_place(stamp, target)
    if place is None:
        return stamp.corner[0] + (stamp.shape[1] - 1) / 2, stamp.corner[1] + (stamp.shape[0] - 1) / 2
    inside = [
        corner - 0.5 <= value <= corner + size - 0.5
        for value, corner, size in zip(place, stamp.corner, stamp.shape[::-1], strict=True)
    ]
    if not all(inside):
        raise PhotometryError(
            f"{target} falls on column {place[0]:.1f}, row {place[1]:.1f}, outside the stamp of {stamp.origin}: "
            "its WCS is unusable or the star is another; give a mask"
        )
    return place


def _known_place(stamp: Stamp, target: Target) -> tuple[float, float] | None:
    if target.column is not None and target.row is not None:
        return target.column, target.row
    if target.ra is None or target.dec is None:
        return None
    return stamp.pixel_of(target.ra, target.dec)


def _misplaced(stamp: Stamp, target: Target, mask: NDArray[np.bool_], settings: Settings) -> list[Finding]:
    if settings.aperture_kind == "pipeline":
        # The pipeline chose it for this very star, so nobody waits for the WCS to say it again.
        return []
    place = _known_place(stamp, target)
    if place is None:
        return [Finding(STATUS.WARNING, "the target's place is not known: the middle of the stamp was taken")] * (
            settings.aperture_kind == "threshold"
        )
    col, row = round(place[0]) - stamp.corner[0], round(place[1]) - stamp.corner[1]
    inside = 0 <= row < stamp.shape[0] and 0 <= col < stamp.shape[1]
    if inside and mask[row, col]:
        return []
    return [
        Finding(STATUS.WARNING, f"the target's pixel (column {place[0]:.1f}, row {place[1]:.1f}) is not in the mask")
    ]


def _contamination(
    mask: NDArray[np.bool_], target: Target, stars: Surroundings | None, stamp: Stamp, settings: Settings
) -> float:
    if stars is not None and target.tmag is not None:
        col = np.rint(stars.column).astype(int) - stamp.corner[0]
        row = np.rint(stars.row).astype(int) - stamp.corner[1]
        inside = (row >= 0) & (row < mask.shape[0]) & (col >= 0) & (col < mask.shape[1])
        inside[inside] = mask[row[inside], col[inside]]
        total = float((10 ** (-0.4 * stars.tmag[inside])).sum())
        return max(0.0, 1.0 - 10 ** (-0.4 * target.tmag) / total) if total > 0 else float("nan")
    if settings.aperture_kind == "pipeline" and target.crowdsap is not None:
        return 1.0 - target.crowdsap
    return float("nan")


def _sample(
    stamp: Stamp,
    light: Extraction,
    good: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    image: NDArray[np.float64],
    contamination: float,
) -> Sample:
    use = np.flatnonzero(good & np.isfinite(light.flux) & (light.pixel_quality & _UNUSABLE == 0))
    spacecraft = (stamp.time - stamp.timecorr)[use]
    if (np.diff(spacecraft) < 0).any():
        order = np.argsort(spacecraft, kind="stable")
        use, spacecraft = use[order], spacecraft[order]
    return Sample(
        time=np.asarray(spacecraft, dtype=np.float64),
        cadenceno=np.asarray(stamp.cadenceno)[use],
        flux=light.flux[use],
        flux_err=light.flux_err[use],
        centroid=light.centroid[use],
        cadence=stamp.cadence,
        mask=mask,
        mean_image=image,
        contamination=contamination,
    )


def _columns(stamp: Stamp, light: Extraction) -> dict[str, NDArray[Any]]:
    shifts = stamp.pos_corr if stamp.pos_corr is not None else np.full((len(stamp), 2), np.nan, dtype=np.float32)
    return {
        "TIME": stamp.time,
        "TIMECORR": stamp.timecorr,
        "CADENCENO": stamp.cadenceno,
        "FLUX": light.flux,
        "FLUX_ERR": light.flux_err,
        "FLUX_BKG": light.background,
        "QUALITY": stamp.quality,
        "PIXEL_QUALITY": light.pixel_quality,
        "MOM_CENTR1": light.centroid[:, 0],
        "MOM_CENTR2": light.centroid[:, 1],
        "POS_CORR1": shifts[:, 0],
        "POS_CORR2": shifts[:, 1],
    }


def _worst(found: list[Finding]) -> STATUS:
    statuses = {finding.status for finding in found}
    return next((status for status in (STATUS.ERROR, STATUS.WARNING) if status in statuses), STATUS.OK)
