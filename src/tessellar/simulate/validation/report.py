"""The report of a validation run (``dvr.xml``), element for element as the mission writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

import numpy as np

from tessellar.simulate.fields import Spot
from tessellar.simulate.stars import Star
from tessellar.simulate.validation.difference import Centroid, Difference, Offset
from tessellar.simulate.validation.event import NOT_MADE, Event, Outcome
from tessellar.simulate.validation.fit import PARAMETERS, Fit
from tessellar.simulate.validation.plan import Run
from tessellar.simulate.validation.sighting import MeanImage, bits, orbit
from tessellar.simulate.validation.stitched import DETREND_CADENCES

_NAMESPACE = "http://www.nasa.gov/2018/TESS/DV"
_CATALOGUE = "TIC8"
_GOOD_QUALITY = 0.7
_LIMB_MODEL = "claret_tess_nonlinear_limb_darkening_model"
_MODELS = {"TRAPEZOIDAL": ("", "trapezoidal_model")}
_TRANSIT_MODEL = (_LIMB_MODEL, "mandel-agol_geometric_transit_model")
# Numbers of the report's histogram of the search's statistics.
_HISTOGRAM = np.linspace(-8.0, 8.0, 161)


def report_xml(run: Run, events: Sequence[Event]) -> bytes:
    """Write the report of a run on one star.

    Parameters
    ----------
    run : Run
        Which one.
    events : sequence of Event
        What it found, in the order of their numbers.
    """
    stitched, star = events[0].stitched, events[0].stitched.star
    root = _element(None, "dvTargetResults", {
        "startCadence": int(stitched.cadenceno[0]), "endCadence": int(stitched.cadenceno[-1]),
        "planetCandidateCount": len(events), "pipelineTaskId": 100 * run.number, "ticId": star.tic,
        "simData": True, "sectorsObserved": bits(stitched.sectors),
    })  # fmt: skip
    root.set("xmlns:dv", _NAMESPACE)
    _quantity(root, "decDegrees", star.dec)
    _quantity(root, "effectiveTemp", star.teff)
    limb = {f"coefficient{number}": value for number, value in enumerate(_four_terms(orbit(star.signal).limb), 1)}
    _element(root, "limbDarkeningModel", {"modelName": _LIMB_MODEL, **limb})
    _quantity(root, "log10Metallicity", star.mh or 0.0, _CATALOGUE if star.mh is not None else "Solar")
    _quantity(root, "log10SurfaceGravity", star.logg)
    for number, event in enumerate(events, 1):
        _planet(root, event, number)
    for name, value in (("pmDec", 0.0), ("pmRa", 0.0), ("raDegrees", star.ra), ("radius", star.radius)):
        _quantity(root, name, value)
    _quantity(root, "stellarDensity", _density(star), f"{_CATALOGUE}-Derived")
    _quantity(root, "tessMag", star.tmag)
    ET.indent(root, space="    ")
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n{body}\n'.encode()


def _planet(root: ET.Element, event: Event, number: int) -> None:
    planet = _element(root, "planetResults", {"detrendFilterLength": DETREND_CADENCES, "planetNumber": number})
    _fit(planet, "allTransitsFit", event.transits, number)
    binary = _element(planet, "binaryDiscriminationResults")
    # Another event to compare periods with there is none: planet 0.
    for name in ("longerPeriodComparisonStatistic", "shorterPeriodComparisonStatistic"):
        _outcome(binary, name, NOT_MADE, {"planetNumber": 0})
    binary.insert(1, _outcome(None, "oddEvenTransitDepthComparisonStatistic", event.odd_even))
    _bootstrap(planet, event)
    _centroids(planet, event)
    for difference in event.differences:
        _difference(planet, difference)
    _fit(planet, "evenTransitsFit", event.even, number)
    ghosts = _element(planet, "ghostDiagnosticResults")
    _outcome(ghosts, "coreApertureCorrelationStatistic", event.core)
    _outcome(ghosts, "haloApertureCorrelationStatistic", event.halo)
    _fit(planet, "oddTransitsFit", event.odd, number)
    _candidate(planet, event, number)
    reduced = _element(planet, "reducedParameterFits")
    for fit in event.reduced:
        _fit(reduced, "reducedParameterFit", fit, number)
    _secondary(planet, event)
    _fit(planet, "trapezoidalFit", event.trapezoid, number)


def _fit(parent: ET.Element, tag: str, fit: Fit, number: int) -> None:
    limb, model = _MODELS.get(fit.kind, _TRANSIT_MODEL)
    element = _element(parent, tag, {
        "type": fit.kind, "fullConvergence": fit.converged, "limbDarkeningModelName": limb,
        "modelChiSquare": fit.chi_square, "modelDegreesOfFreedom": fit.degrees_of_freedom, "modelFitSnr": fit.snr,
        "planetNumber": number, "transitModelName": model,
    })  # fmt: skip
    covariance = _element(element, "modelParameterCovariance")
    if fit.covariance is not None:
        covariance.text = _numbers(fit.covariance.ravel())
    parameters = _element(element, "modelParameters")
    if not fit.converged and fit.kind in ("ODD", "EVEN"):
        return
    for name, value, error in zip(PARAMETERS, fit.values.tolist(), fit.errors.tolist(), strict=True):
        _element(
            parameters,
            "modelParameter",
            {"fitted": name in fit.fitted, "name": name, "uncertainty": error, "value": value},
        )


def _bootstrap(planet: ET.Element, event: Event) -> None:
    found = event.detection
    second = found.secondary
    element = _element(planet, "bootstrapResults", {
        "bootstrapThresholdForDesiredPfa": 7.1, "mesMean": second.median if second else 0.0, "mesStd": 1.0,
        "significance": found.false_alarm, "transitCount": float(found.observed),
    })  # fmt: skip
    histogram = _element(element, "histogram")
    probabilities = np.exp(-(_HISTOGRAM**2) / 2)
    _element(histogram, "statistics").text = _numbers(_HISTOGRAM)
    _element(histogram, "probabilities").text = _numbers(probabilities / probabilities.sum())


def _centroids(planet: ET.Element, event: Event) -> None:
    motion = _element(_element(planet, "centroidResults"), "differenceImageMotionResults")
    for tag, offset in (
        ("msTicCentroidOffsets", event.from_catalogue),
        ("msControlCentroidOffsets", event.from_control),
    ):
        element = _element(motion, tag)
        for name, axis in (("meanRaOffset", "ra"), ("meanDecOffset", "dec"), ("meanSkyOffset", "sky")):
            _value(element, name, getattr(offset, axis) if offset else (0.0, -1.0))
    count = len(event.differences)
    good = sum(difference.quality > _GOOD_QUALITY for difference in event.differences)
    _element(motion, "summaryQualityMetric", {
        "qualityThreshold": _GOOD_QUALITY, "numberOfAttempts": count, "numberOfMetrics": count,
        "numberOfGoodMetrics": good, "fractionOfGoodMetrics": good / count if count else 0.0,
    })  # fmt: skip
    _element(
        motion,
        "summaryOverlapMetric",
        {"imageCount": count, "imageCountNoOverlap": count, "imageCountFractionNoOverlap": 1.0 if count else 0.0},
    )


def _difference(planet: ET.Element, difference: Difference) -> None:
    sighting = difference.sighting
    inside, outside, whole = sighting.inside, sighting.outside, sighting.whole
    if inside is None or outside is None or whole is None:
        return
    element = _element(planet, "differenceImageResults", {
        "numberOfCadenceGapsInTransit": 0, "numberOfCadenceGapsOutOfTransit": 0,
        "numberOfCadencesInTransit": inside.count, "numberOfCadencesOutOfTransit": outside.count,
        "numberOfTransits": sighting.transits, "overlappedTransits": False,
        "endCadence": int(sighting.cadenceno[-1]), "sector": sighting.sector,
        "startCadence": int(sighting.cadenceno[0]), "targetTableId": 127 + sighting.sector,
    })  # fmt: skip
    where: Spot = sighting.spot
    _element(element, "ccd", {"ccdNumber": where.field.ccd, "cameraNumber": where.field.camera})
    _offset(element, "controlCentroidOffsets", difference.from_control)
    _centroid(element, "controlImageCentroid", difference.control)
    _centroid(element, "differenceImageCentroid", difference.difference)
    images = {
        "meanFluxInTransit": inside, "meanFluxOutOfTransit": outside, "meanFluxDifference": difference.image,
        "meanFluxForTargetTable": whole,
    }  # fmt: skip
    _pixels(element, sighting.corner, images)
    _element(element, "qualityMetric", {"attempted": True, "valid": True, "value": difference.quality})
    _offset(element, "ticCentroidOffsets", difference.from_catalogue)
    _centroid(element, "ticReferenceCentroid", difference.catalogue)


def _pixels(element: ET.Element, corner: tuple[int, int], images: Mapping[str, MeanImage]) -> None:
    rows, columns = next(iter(images.values())).flux.shape
    for row in range(rows):
        for column in range(columns):
            pixel = _element(
                element, "differenceImagePixelData", {"ccdRow": corner[1] + row, "ccdColumn": corner[0] + column}
            )
            for name, image in images.items():
                _value(pixel, name, (float(image.flux[row, column]), float(image.error[row, column])))


def _candidate(planet: ET.Element, event: Event, number: int) -> None:
    found, best = event.detection, event.best
    candidate = _element(planet, "planetCandidate", {
        "expectedTransitCount": found.expected, "modelChiSquare2": found.chi_square,
        "modelChiSquareDof2": found.observed - 1, "modelChiSquareGof": best.chi_square,
        "modelChiSquareGofDof": int(best.degrees_of_freedom), "observedTransitCount": found.observed,
        "planetNumber": number, "suspectedEclipsingBinary": event.binary, "chiSquare2": found.chi_square,
        "chiSquareDof2": float(found.observed - 1), "chiSquareGof": best.chi_square,
        "chiSquareGofDof": best.degrees_of_freedom, "epochTjd": best["transitEpochBtjd"],
        "maxMultipleEventSigma": found.multiple, "maxSesInMes": found.single_in,
        "maxSingleEventSigma": found.single, "orbitalPeriodInDays": best["orbitalPeriodDays"],
        "robustStatistic": found.multiple, "thresholdForDesiredPfa": -1.0,
        "trialTransitPulseDurationInHours": found.hours,
    })  # fmt: skip
    second = found.secondary
    if second is None:
        return
    weak = _element(candidate, "weakSecondary", {
        "maxMes": second.strongest, "maxMesPhaseInDays": second.phase, "minMes": second.weakest,
        "mesMad": second.spread, "minMesPhaseInDays": second.weakest_phase, "medianMes": second.median,
        "nValidPhases": second.count, "robustStatistic": second.strongest,
    })  # fmt: skip
    _value(weak, "depthPpm", (second.depth, second.depth_error))


def _secondary(planet: ET.Element, event: Event) -> None:
    """What a planet's own light would tell, from the depth of the secondary event."""
    results = _element(planet, "secondaryEventResults")
    tests, parameters = _element(results, "comparisonTests"), _element(results, "planetParameters")
    for name in ("albedoComparisonStatistic", "tempComparisonStatistic"):
        _outcome(tests, name, NOT_MADE)
    second, fit = event.detection.secondary, event.transits
    if second is None or not fit.converged:
        _value(parameters, "geometricAlbedo", (0.0, -1.0))
        _value(parameters, "planetEffectiveTemp", (0.0, -1.0))
        return
    # All light reflected at full phase (Winn 2010): depth = albedo (k R / a)**2.
    area = (fit["ratioSemiMajorAxisToStarRadius"] / fit["ratioPlanetRadiusToStarRadius"]) ** 2 * 1e-6
    _value(parameters, "geometricAlbedo", (area * second.depth, area * second.depth_error))
    glow = event.stitched.star.teff * (1e-6 * second.depth / fit["ratioPlanetRadiusToStarRadius"] ** 2) ** 0.25
    _value(parameters, "planetEffectiveTemp", (glow, 0.25 * glow * second.depth_error / second.depth))


def _offset(parent: ET.Element, tag: str, offset: Offset) -> None:
    element = _element(parent, tag)
    names = ("row", "column", "focal_plane", "ra", "dec", "sky")
    for name, axis in zip(("row", "column", "focalPlane", "ra", "dec", "sky"), names, strict=True):
        _value(element, f"{name}Offset", getattr(offset, axis))


def _centroid(parent: ET.Element, tag: str, centroid: Centroid) -> None:
    element = _element(parent, tag)
    pixel, sky = np.sqrt(np.diag(centroid.covariance)), np.sqrt(np.diag(centroid.sky_covariance)) / 3600
    _value(element, "row", (centroid.row, float(pixel[1])))
    _value(element, "column", (centroid.column, float(pixel[0])))
    _value(element, "raDegrees", (centroid.ra, float(sky[0] / np.cos(np.deg2rad(centroid.dec)))))
    _value(element, "decDegrees", (centroid.dec, float(sky[1])))


def _quantity(parent: ET.Element, tag: str, value: float, provenance: str = _CATALOGUE) -> None:
    _element(parent, tag, {"provenance": provenance, "value": value, "uncertainty": 0.0})


def _value(parent: ET.Element, tag: str, told: tuple[float, float]) -> None:
    _element(parent, tag, {"value": told[0], "uncertainty": told[1]})


def _outcome(
    parent: ET.Element | None, tag: str, outcome: Outcome, more: Mapping[str, int] | None = None
) -> ET.Element:
    return _element(parent, tag, {**(more or {}), "value": outcome.value, "significance": outcome.significance})


def _element(
    parent: ET.Element | None, tag: str, attributes: Mapping[str, str | int | float | bool] | None = None
) -> ET.Element:
    written = {name: _text(value) for name, value in (attributes or {}).items()}
    if parent is None:
        return ET.Element(f"dv:{tag}", written)
    return ET.SubElement(parent, f"dv:{tag}", written)


def _text(value: str | int | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(round(value, 15)) if isinstance(value, float) and abs(value) > 1 else str(value)


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.8G}" for value in values.tolist())


def _four_terms(limb: tuple[float, float]) -> tuple[float, float, float, float]:
    """Quadratic limb darkening in the terms of the law with four: 1 - sum of c_n (1 - mu**(n/2))."""
    linear, square = limb
    return 0.0, linear + 2 * square, 0.0, -square


def _density(star: Star) -> float:
    """Mean density over that of the Sun, from surface gravity and radius (solar log g is 4.438)."""
    return float(10 ** (star.logg - 4.438) / star.radius)
