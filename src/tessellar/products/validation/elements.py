"""The numbers of a validation report: values with errors, what was not fitted masked, units by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

NAMESPACE = "{http://www.nasa.gov/2018/TESS/DV}"

# Units of the report's own names, from the endings that it gives them; those without such an ending are listed.
_ENDINGS = (
    ("Btjd", "d"), ("EpochTjd", "d"), ("Days", "d"), ("Hours", "h"), ("Ppm", "ppm"), ("Degrees", "deg"),
    ("EarthRadii", "earthRad"), ("SolarRadii", "solRad"), ("Au", "AU"), ("Kelvin", "K"), ("SolarDensity", ""),
)  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """One number of a report.

    Attributes
    ----------
    value : float
        NaN where it was not fitted.
    uncertainty : float
        NaN where it is unknown.
    fitted : bool
        Whether it was free in the fit; one that is False and has a value was derived from those that were.
    """

    value: float
    uncertainty: float
    fitted: bool

    @property
    def known(self) -> bool:
        """Whether it has a value."""
        return math.isfinite(self.value)


NOTHING = Parameter(math.nan, math.nan, False)


@dataclass(frozen=True)
class Statistic:
    """The outcome of a test: NaN where it was not made.

    Attributes
    ----------
    value : float
        Of the statistic.
    significance : float
        As the report gives it, a probability.
    planet : int or None
        The other event of the comparison, where it is with one.
    """

    value: float
    significance: float
    planet: int | None = None


def parameter(attributes: Mapping[str, str]) -> Parameter:
    """Read a value of a fit.

    The report marks what was not fitted by an uncertainty of -1, or by a value
    and an uncertainty of 0. The trapezoid fit tells no uncertainties at all (-1
    on each), but says which values are fitted: those have a value.
    """
    value, uncertainty = number(attributes.get("value")), number(attributes.get("uncertainty"))
    fitted = attributes.get("fitted", "true") == "true"
    if uncertainty == -1:
        return Parameter(value, math.nan, True) if fitted and "fitted" in attributes else NOTHING
    if not fitted and value == 0 and uncertainty == 0:
        return NOTHING
    return Parameter(value, uncertainty, fitted)


def measured(element: ET.Element | None) -> Parameter:
    """Read a value with an error that is no part of a fit; `NOTHING` if it is not there."""
    return parameter(element.attrib) if element is not None else NOTHING


def statistic(element: ET.Element | None) -> Statistic:
    """Read the outcome of a test; a significance of -1 says that it was not made."""
    if element is None:
        return Statistic(math.nan, math.nan)
    significance = number(element.get("significance"))
    if significance == -1:
        return Statistic(math.nan, math.nan)
    planet = element.get("planetNumber")
    other = int(planet) if planet and planet.isdecimal() and planet != "0" else None
    return Statistic(number(element.get("value")), significance, other)


def number(text: str | None, *, unset: float | None = None) -> float:
    """Read a number; NaN if there is none, or if it is what the report writes for none."""
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return math.nan
    return math.nan if unset is not None and value == unset else value


def unit_of(name: str) -> str:
    """Return the unit that the report's name of a parameter tells.

    Examples
    --------
    >>> unit_of("orbitalPeriodDays"), unit_of("ratioPlanetRadiusToStarRadius")
    ('d', '')
    """
    if name == "effectiveStellarFlux":  # in units of what the Earth gets, which astropy has no name for
        return ""
    return next((unit for ending, unit in _ENDINGS if name.endswith(ending)), "")


def inner(element: ET.Element | None, *path: str) -> ET.Element | None:
    """Return the first element at a path of the report's names."""
    return element.find("/".join(NAMESPACE + part for part in path)) if element is not None else None


def each(element: ET.Element, *path: str) -> Iterator[ET.Element]:
    """Give all elements at a path of the report's names."""
    return element.iterfind("/".join(NAMESPACE + part for part in path))


def plain(tag: str) -> str:
    """Return a tag without the name space."""
    return tag.removeprefix(NAMESPACE)
