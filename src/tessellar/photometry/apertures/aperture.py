"""Aperture photometry: the sum of the pixels of one mask that does not change with time."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import PhotometryError
from tessellar.mission import flags
from tessellar.photometry.apertures.choosing import Choice, choose_aperture, skipped
from tessellar.photometry.apertures.contamination import UNKNOWN, Crowding, ap_cont, corrected_flux, crowding, stars_in
from tessellar.photometry.apertures.extraction import Extraction, extract
from tessellar.photometry.merit.expected import expected_noise
from tessellar.photometry.merit.metrics import Sample, compute_metrics
from tessellar.photometry.merit.noise import MITIGATED, error_scale
from tessellar.photometry.merit.sanity import Finding, aperture_findings, findings
from tessellar.photometry.result import Result
from tessellar.photometry.status import STATUS, PixelQuality
from tessellar.photometry.target import known_place
from tessellar.pixels import AperturePixel, mean_image
from tessellar.pixels.places import nearest_pixel

if TYPE_CHECKING:
    from tessellar.photometry.method import Settings
    from tessellar.photometry.target import Target
    from tessellar.pixels import Stamp, Surroundings

_UNUSABLE = int(PixelQuality.MISSING_PIXEL | PixelQuality.ALL_MISSING)


class AperturePhotometry:
    """Sum of the pixels of one mask: one of `tessellar.photometry.APERTURES`, or one that is given.

    See `tessellar.photometry.extract` for what is summed and `tessellar.photometry.METRICS` for the figures of merit.
    FLUX is the sum itself. FLUX_DECONTAM and FLUX_DECONTAM_ERR, where CROWDSAP and FLFRCSAP are known, are the light of
    the star alone (`tessellar.photometry.apertures.contamination.corrected_flux`).
    """

    name = "aperture"

    def run(self, stamp: Stamp, target: Target, stars: Surroundings | None, settings: Settings) -> Result:
        """Measure `target` in `stamp`; see `PhotometryMethod.run`."""
        good = np.isfinite(stamp.time) & flags.good(np.asarray(stamp.quality), settings.quality)
        image = mean_image(stamp.images, good)
        try:
            chosen = self.choose_mask(stamp, target, image, stars, settings)
            choice = chosen if isinstance(chosen, Choice) else Choice(chosen, "mask")
            self._refuse_uncollected(stamp, choice.mask, image, settings)
            scale = error_scale(stamp)
            light = extract(stamp, choice.mask, missing=settings.missing)
        except PhotometryError as error:
            return Result.failed(stamp, target, settings, self.name, str(error), mean_image=image)
        light.flux_err[...] *= scale
        sample = _sample(stamp, target, stars, settings, choice, light, good, image)
        found = [*choice.findings, *_found_in_aperture(stamp, target, choice, image)]
        found += [*findings(sample, target, settings.zero_point), *_misplaced(stamp, target, choice)]
        return Result(
            status=_worst(found),
            reasons=tuple(dict.fromkeys(finding.reason for finding in found)),
            method=self.name,
            stamp=stamp,
            target=target,
            settings=settings,
            columns=MappingProxyType(_columns(stamp, light)),
            mask=choice.mask,
            mean_image=image,
            metrics=MappingProxyType(compute_metrics(sample)),
            cards=MappingProxyType(
                {
                    "APKIND": (choice.kind, "kind of aperture"),
                    "ERRSCALE": (scale, "errors of the input were multiplied by this"),
                }
            ),
            extra=MappingProxyType(_corrected(light, sample, good)),
            skip=skipped(choice, stamp, target, stars),
            grow=choice.grow,
        )

    def choose_mask(
        self,
        stamp: Stamp,
        target: Target,
        image: NDArray[np.float64],
        stars: Surroundings | None,
        settings: Settings,
    ) -> Choice | NDArray[np.bool_]:
        """The pixels to add up; override it to bring an aperture of your own.

        Parameters
        ----------
        stamp : Stamp
        target : Target
        image : array (rows, cols)
            Mean image of the good cadences, e-/s.
        stars : Surroundings or None
        settings : Settings

        Returns
        -------
        boolean array (rows, cols), or Choice
            A `tessellar.photometry.apertures.choosing.Choice` says also what is doubtful, and that a larger stamp is
            wanted.

        Raises
        ------
        PhotometryError
            If there is no such aperture in this stamp.
        InputError
            If a given mask does not fit.
        """
        good = np.isfinite(stamp.time) & flags.good(np.asarray(stamp.quality), settings.quality)
        return choose_aperture(stamp, target, image, good, stars, settings)

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


def _found_in_aperture(stamp: Stamp, target: Target, choice: Choice, image: NDArray[np.float64]) -> list[Finding]:
    has_aperture = stamp.aperture is not None and bool((stamp.aperture & AperturePixel.PHOTOMETRY).any())
    return list(
        aperture_findings(
            choice.mask, image, kind=choice.kind, corner=stamp.corner, tmag=target.tmag, frames=not has_aperture
        )
    )


def _misplaced(stamp: Stamp, target: Target, choice: Choice) -> list[Finding]:
    if choice.kind == "pipeline":
        # The pipeline chose it for this very star, so nobody waits for the WCS to say it again.
        return []
    place = known_place(stamp, target)
    if place is None:
        if choice.kind == "mask":
            return []
        return [Finding(STATUS.WARNING, "the target's place is not known: the middle of the stamp was taken")]
    col, row = (int(each) for each in nearest_pixel(place) - stamp.corner)
    inside = 0 <= row < stamp.shape[0] and 0 <= col < stamp.shape[1]
    if inside and choice.mask[row, col]:
        return []
    return [
        Finding(STATUS.WARNING, f"the target's pixel (column {place[0]:.1f}, row {place[1]:.1f}) is not in the mask")
    ]


def _contamination(choice: Choice, target: Target, stars: Surroundings | None, stamp: Stamp) -> float:
    if stars is not None and target.tmag is not None:
        return ap_cont(target.tmag, stars.tmag[stars_in(choice.mask, stamp.corner, stars.column, stars.row)])
    if choice.kind == "pipeline" and target.crowdsap is not None:
        return 1.0 - target.crowdsap
    return float("nan")


def _crowding(choice: Choice, target: Target, stars: Surroundings | None, stamp: Stamp) -> Crowding:
    index = None if stars is None or target.tic is None else stars.index(int(target.tic))
    if stars is not None and index is not None and stars.responses:
        return crowding(choice.mask, stamp.corner, stars, index)
    if choice.kind == "pipeline":
        nan = float("nan")
        return Crowding(
            nan if target.crowdsap is None else target.crowdsap, nan if target.flfrcsap is None else target.flfrcsap
        )
    return UNKNOWN


def _sample(
    stamp: Stamp,
    target: Target,
    stars: Surroundings | None,
    settings: Settings,
    choice: Choice,
    light: Extraction,
    good: NDArray[np.bool_],
    image: NDArray[np.float64],
) -> Sample:
    use = np.flatnonzero(good & np.isfinite(light.flux) & (light.pixel_quality & _UNUSABLE == 0))
    spacecraft = (stamp.time - stamp.timecorr)[use]
    if (np.diff(spacecraft) < 0).any():
        order = np.argsort(spacecraft, kind="stable")
        use, spacecraft = use[order], spacecraft[order]
    crowd = _crowding(choice, target, stars, stamp)
    return Sample(
        time=np.asarray(spacecraft, dtype=np.float64),
        cadenceno=np.asarray(stamp.cadenceno)[use],
        flux=light.flux[use],
        flux_err=light.flux_err[use],
        centroid=light.centroid[use],
        cadence=stamp.cadence,
        mask=choice.mask,
        mean_image=image,
        contamination=_contamination(choice, target, stars, stamp),
        crowdsap=crowd.crowdsap,
        flfrcsap=crowd.flfrcsap,
        expected=_expected(light, use, choice, target, crowd, stamp, settings.zero_point),
    )


def _expected(
    light: Extraction,
    use: NDArray[np.int64],
    choice: Choice,
    target: Target,
    crowd: Crowding,
    stamp: Stamp,
    zero_point: float,
) -> float:
    """Noise to expect in one hour, e-/s: that of the star's magnitude in this mask, or of its flux as measured."""
    if not use.size:
        return float("nan")
    promised = target.expected_flux(zero_point)
    if promised is None or not (crowd.flfrcsap > 0 and crowd.crowdsap > 0):
        own, others = float(np.median(light.flux[use])), 0.0
    else:
        own = promised * crowd.flfrcsap
        others = own * (1.0 / crowd.crowdsap - 1.0)
    background = light.background[use]
    background = background[np.isfinite(background)]
    pixels = int(choice.mask.sum())
    sky = max(float(np.median(background)), 0.0) / pixels if background.size else 0.0
    noise = expected_noise(own, pixels, sky, neighbours=others, mitigated=stamp.cadence > MITIGATED)
    return float(noise) * own * 1e-6


def _corrected(light: Extraction, sample: Sample, good: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    if not (np.isfinite(sample.crowdsap) and sample.flfrcsap > 0):
        return {}
    usable = good & (light.pixel_quality & _UNUSABLE == 0)
    flux, error = corrected_flux(light.flux, light.flux_err, sample.crowdsap, sample.flfrcsap, usable)
    return {"FLUX_DECONTAM": flux, "FLUX_DECONTAM_ERR": error}


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
