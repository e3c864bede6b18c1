"""The threshold-crossing events of a validation report: what was fitted, and which tests they passed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from xml.etree import ElementTree as ET

from tessellar.products.validation.elements import (
    NOTHING,
    Parameter,
    Statistic,
    each,
    inner,
    measured,
    number,
    parameter,
    statistic,
)

# The report's element of a fit, and what it is called here.
_FITS = {"allTransitsFit": "all", "oddTransitsFit": "odd", "evenTransitsFit": "even", "trapezoidalFit": "trapezoid"}

# Test: where the report has it.
_TESTS = {
    "odd-even depth": ("binaryDiscriminationResults", "oddEvenTransitDepthComparisonStatistic"),
    "shorter period": ("binaryDiscriminationResults", "shorterPeriodComparisonStatistic"),
    "longer period": ("binaryDiscriminationResults", "longerPeriodComparisonStatistic"),
    "ghost, core aperture": ("ghostDiagnosticResults", "coreApertureCorrelationStatistic"),
    "ghost, halo aperture": ("ghostDiagnosticResults", "haloApertureCorrelationStatistic"),
    "secondary, albedo": ("secondaryEventResults", "comparisonTests", "albedoComparisonStatistic"),
    "secondary, temperature": ("secondaryEventResults", "comparisonTests", "tempComparisonStatistic"),
}

_MOTION = ("centroidResults", "differenceImageMotionResults")


@dataclass(frozen=True)
class TransitFit:
    """A model fitted to transits.

    Attributes
    ----------
    name : str
        ``all``, ``odd`` or ``even`` transits, ``trapezoid``, or ``reduced 0.1`` with the impact parameter held.
    model : str
        The model, as the report names it.
    converged : bool
        Whether the fit ended well.
    snr, chi_square, degrees_of_freedom : float
        NaN where there was no fit.
    parameters : mapping
        Under the report's own names.
    """

    name: str
    model: str
    converged: bool
    snr: float
    chi_square: float
    degrees_of_freedom: float
    parameters: Mapping[str, Parameter]

    @property
    def made(self) -> bool:
        """Whether anything was fitted at all."""
        return any(each.known for each in self.parameters.values())


@dataclass(frozen=True)
class CentroidOffset:
    """How far the source of the transits is from a reference position, in arcsec.

    Attributes
    ----------
    reference : str
        ``TIC`` for the catalogue's position, ``out of transit`` for the centroid of the image out of transit.
    sector : int or None
        Of the image; None for the mean of all sectors.
    ra, dec, sky : Parameter
        Offsets along right ascension (on the sky) and declination, and their length.
    """

    reference: str
    sector: int | None
    ra: Parameter
    dec: Parameter
    sky: Parameter


@dataclass(frozen=True, repr=False)
class TCE:
    """One threshold-crossing event: a periodic dimming that the search took for a transit.

    Period, epoch, depth and duration are those of the fit of all transits; where
    that was not made, those of the trapezoid fit, and what that did not fit is the
    search's own (`source` tells).

    Attributes
    ----------
    planet : int
        Its number within the run, from 1.
    period : float
        Days.
    epoch : float
        Middle of the first transit, BTJD.
    depth : float
        Parts per million.
    duration : float
        Hours.
    snr : float
        Signal to noise of the fit.
    mes : float
        Multiple-event statistic of the search.
    toi : str or None
        The TESS Object of Interest it was matched with.
    sectors : tuple of int
        Sectors in which its transits were imaged.
    source : str
        Whose numbers these are: ``transit fit``, ``trapezoid fit`` or ``search``.
    parameters : mapping
        All parameters of the fit of all transits, under the report's own names.
    fits : tuple of TransitFit
        All fits: of all, odd and even transits, of a trapezoid, and with the impact parameter held.
    offsets : tuple of CentroidOffset
        Means over the sectors first.
    tests : mapping of str to Statistic
        Odd-even depth, other periods, ghost, secondary.
    bootstrap : float
        Probability of a false alarm.
    secondary_depth : Parameter
        Of the strongest secondary event, parts per million.
    secondary_mes : float
        Its multiple-event statistic.
    transits, expected_transits : int
        Observed, and expected from the ephemeris; 0 where it was not counted.
    eclipsing_binary : bool
        Whether the search suspects one.
    """

    planet: int
    period: float
    epoch: float
    depth: float
    duration: float
    snr: float
    mes: float
    toi: str | None = None
    sectors: tuple[int, ...] = ()
    source: str = "search"
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    fits: tuple[TransitFit, ...] = ()
    offsets: tuple[CentroidOffset, ...] = ()
    tests: Mapping[str, Statistic] = field(default_factory=dict)
    bootstrap: float = math.nan
    secondary_depth: Parameter = NOTHING
    secondary_mes: float = math.nan
    transits: int = 0
    expected_transits: int = 0
    eclipsing_binary: bool = False

    def __repr__(self) -> str:
        return f"<TCE {self.planet}, period {self.period:.7g} d, depth {self.depth:.5g} ppm, {self.source}>"

    def fit(self, name: str) -> TransitFit | None:
        """Return a fit by its name; None if the report has none of that name."""
        return next((fit for fit in self.fits if fit.name == name), None)


def read_tce(element: ET.Element) -> TCE:
    """Read a planet of a report."""
    candidate = inner(element, "planetCandidate")
    found = candidate.attrib if candidate is not None else {}
    secondary = inner(candidate, "weakSecondary")
    fits = tuple(_fits(element))
    best = next((fit for name in ("all", "trapezoid") for fit in fits if fit.name == name and fit.made), None)
    values = best.parameters if best else {}
    return TCE(
        planet=int(element.attrib["planetNumber"]),
        period=_value(values, "orbitalPeriodDays", found.get("orbitalPeriodInDays")),
        epoch=_value(values, "transitEpochBtjd", found.get("epochTjd")),
        depth=_value(values, "transitDepthPpm", None),
        duration=_value(values, "transitDurationHours", found.get("trialTransitPulseDurationInHours")),
        snr=best.snr if best else math.nan,
        mes=number(found.get("maxMultipleEventSigma"), unset=-1),
        toi=element.get("toiId"),
        sectors=image_sectors(element),
        source={"all": "transit fit", "trapezoid": "trapezoid fit"}[best.name] if best else "search",
        parameters=next((fit.parameters for fit in fits if fit.name == "all"), MappingProxyType({})),
        fits=fits,
        offsets=tuple(_offsets(element)),
        tests=MappingProxyType({name: statistic(inner(element, *path)) for name, path in _TESTS.items()}),
        bootstrap=_attribute(inner(element, "bootstrapResults"), "significance"),
        secondary_depth=measured(inner(secondary, "depthPpm")),
        secondary_mes=_attribute(secondary, "maxMes"),
        transits=int(found.get("observedTransitCount", 0)),
        expected_transits=int(found.get("expectedTransitCount", 0)),
        eclipsing_binary=found.get("suspectedEclipsingBinary") == "true",
    )


def image_sectors(element: ET.Element) -> tuple[int, ...]:
    """Return the sectors of which a planet has difference images."""
    images = each(element, "differenceImageResults")
    return tuple(sorted({int(image.attrib["sector"]) for image in images if "sector" in image.attrib}))


def _fits(element: ET.Element) -> list[TransitFit]:
    fits = [_fit(found, name) for tag, name in _FITS.items() if (found := inner(element, tag)) is not None]
    for reduced in each(element, "reducedParameterFits", "reducedParameterFit"):
        fit = _fit(reduced, "reduced")
        held = fit.parameters.get("minImpactParameter", NOTHING).value
        fits.append(_fit(reduced, f"reduced {held:.1f}") if math.isfinite(held) else fit)
    return fits


def _fit(element: ET.Element, name: str) -> TransitFit:
    parameters = {
        each_one.attrib["name"]: parameter(each_one.attrib)
        for each_one in each(element, "modelParameters", "modelParameter")
    }
    return TransitFit(
        name=name,
        model=element.get("transitModelName", ""),
        converged=element.get("fullConvergence") == "true",
        snr=number(element.get("modelFitSnr"), unset=-1),
        chi_square=number(element.get("modelChiSquare"), unset=-1),
        degrees_of_freedom=number(element.get("modelDegreesOfFreedom"), unset=-1),
        parameters=MappingProxyType(parameters),
    )


def _offsets(element: ET.Element) -> list[CentroidOffset]:
    references = (("TIC", "msTicCentroidOffsets", "ticCentroidOffsets"),
                  ("out of transit", "msControlCentroidOffsets", "controlCentroidOffsets"))  # fmt: skip
    offsets = []
    for reference, mean, _ in references:
        if (found := inner(element, *_MOTION, mean)) is not None:
            names = ("meanRaOffset", "meanDecOffset", "meanSkyOffset")
            offsets.append(CentroidOffset(reference, None, *(measured(inner(found, name)) for name in names)))
    for image in each(element, "differenceImageResults"):
        for reference, _, single in references:
            if (found := inner(image, single)) is not None:
                names = ("raOffset", "decOffset", "skyOffset")
                sector = int(image.attrib["sector"]) if "sector" in image.attrib else None
                offsets.append(CentroidOffset(reference, sector, *(measured(inner(found, name)) for name in names)))
    return offsets


def _attribute(element: ET.Element | None, name: str) -> float:
    return number(element.get(name), unset=-1) if element is not None else math.nan


def _value(parameters: Mapping[str, Parameter], name: str, otherwise: str | None) -> float:
    found = parameters.get(name, NOTHING)
    return found.value if found.known else number(otherwise, unset=-1)
