"""The mission's data-validation reports and lists of threshold-crossing events, read-only."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tessellar.errors import Corrupt, Unrecognised
from tessellar.targets import TIC

if TYPE_CHECKING:
    from astropy.table import Table

_NAMESPACE = "{http://www.nasa.gov/2018/TESS/DV}"
_TARGET = f"{_NAMESPACE}dvTargetResults"


@dataclass(frozen=True)
class Parameter:
    """One number of a report: NaN value where it was not fitted, NaN uncertainty where it is unknown."""

    value: float
    uncertainty: float
    fitted: bool


@dataclass(frozen=True)
class TCE:
    """One threshold-crossing event: a periodic dimming that the search took for a transit.

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
        Signal to noise of the fit of all transits.
    mes : float
        Multiple-event statistic of the search.
    toi : str or None
        The TESS Object of Interest it was matched with.
    sectors : tuple of int
        Sectors in which its transits were imaged.
    parameters : mapping
        All parameters of the fit of all transits, under the report's own names.
    """

    planet: int
    period: float
    epoch: float
    depth: float
    duration: float
    snr: float
    mes: float
    toi: str | None
    sectors: tuple[int, ...]
    parameters: Mapping[str, Parameter]


class DVReport:
    """What one data-validation run found about one star.

    Attributes
    ----------
    path : Path
        Where the file lies.
    tic : TIC
        The star.
    sectors : tuple of int
        The sectors it was observed in, of those the run searched.
    sector_range : tuple of int or None
        First and last sector that the run searched, as its name says: it can reach
        beyond `sectors` at both ends.
    run_id : int
        The pipeline's task.
    start_cadence, end_cadence : int
        Two-minute cadence numbers.
    """

    def __init__(self, path: Path, content: bytes) -> None:
        from tessellar.mission.names import match_name

        self.path = path
        try:
            root = ET.fromstring(content)
        except ET.ParseError as error:
            raise Corrupt(f"{path}: broken XML ({error}); fetch it again") from error
        if root.tag != _TARGET:
            raise Unrecognised(f"{path}: XML, but not a data-validation report (its root is {root.tag})")
        name = match_name(path.name)
        self._root = root
        self.tic = TIC(root.attrib["ticId"])
        self.sectors = observed_sectors(root.attrib.get("sectorsObserved", ""))
        self.sector_range = name.sector_range if name else None
        self.pipeline = (name.author if name else None) or "SPOC"
        self.run_id = int(root.attrib["pipelineTaskId"])
        self.start_cadence = int(root.attrib["startCadence"])
        self.end_cadence = int(root.attrib["endCadence"])
        self.simulated = root.attrib.get("simData") == "true"

    @property
    def ra(self) -> float:
        """Right ascension, degrees."""
        return self.star["raDegrees"].value

    @property
    def dec(self) -> float:
        """Declination, degrees."""
        return self.star["decDegrees"].value

    @property
    def tmag(self) -> float:
        """TESS magnitude."""
        return self.star["tessMag"].value

    @cached_property
    def star(self) -> Mapping[str, Parameter]:
        """What the run took the star to be, under the report's own names."""
        values = {_plain(child.tag): child.attrib for child in self._root if "value" in child.attrib}
        return MappingProxyType({name: _parameter(attributes) for name, attributes in values.items()})

    @cached_property
    def tces(self) -> tuple[TCE, ...]:
        """The threshold-crossing events, in the order of their numbers."""
        return tuple(sorted((_tce(element) for element in self._all(self._root, "planetResults")), key=_number))

    def __repr__(self) -> str:
        return f"<DVReport {self.tic}, sectors {', '.join(map(str, self.sectors))}, {len(self.tces)} TCEs>"

    @staticmethod
    def _all(element: ET.Element, name: str) -> Iterator[ET.Element]:
        return element.iterfind(f"{_NAMESPACE}{name}")


class TCEStatistics:
    """A sector's (or run's) list of threshold-crossing events, one row an event.

    Attributes
    ----------
    path : Path
        Where the file lies.
    rows : tuple of dict
        The values as the file writes them, by column.
    about : dict
        What its head says: Mission, Sectors, Created Date.
    """

    def __init__(self, path: Path, content: bytes) -> None:
        self.path = path
        lines = content.decode("utf-8", "replace").splitlines()
        self.about: dict[str, str] = {}
        body = [line for line in lines if not line.startswith("#")]
        for line in lines:
            key, found, value = line.lstrip("#").partition("=")
            if line.startswith("#") and found:
                self.about[key.strip()] = value.strip()
        if not body or not {"ticid", "tce_plnt_num"} <= set(body[0].split(",")):
            raise Unrecognised(f"{path}: not a list of threshold-crossing events")
        header = body[0].split(",")
        self.rows = tuple(csv.DictReader(body[1:], fieldnames=header))
        cut = next((row for row in self.rows if None in row.values() or None in row), None)
        if cut is not None:
            raise Corrupt(f"{path}: a row has not the {len(header)} values of the others; fetch it again")

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<TCEStatistics {self.about.get('Sectors', self.path.name)}, {len(self)} TCEs>"

    def to_table(self) -> Table:
        """Give the rows as an astropy Table, numbers as numbers."""
        from astropy.table import Table

        table = Table(list(self.rows), meta=dict(self.about))
        for name in table.colnames:
            for kind in (int, float):
                try:
                    table[name] = [kind(value) for value in table[name]]
                    break
                except ValueError:
                    continue
        return table


def observed_sectors(bits: str) -> tuple[int, ...]:
    """Read ``sectorsObserved``: character i from the left, 0 unused, is sector i.

    Examples
    --------
    >>> observed_sectors("001001")
    (2, 5)
    """
    return tuple(sector for sector, bit in enumerate(bits) if bit == "1" and sector)


def _tce(element: ET.Element) -> TCE:
    fit = element.find(f"{_NAMESPACE}allTransitsFit")
    candidate = element.find(f"{_NAMESPACE}planetCandidate")
    found = candidate.attrib if candidate is not None else {}
    parameters = {}
    for parameter in element.iterfind(f"{_NAMESPACE}allTransitsFit/{_NAMESPACE}modelParameters/*"):
        parameters[parameter.attrib["name"]] = _parameter(parameter.attrib)
    images = element.iterfind(f"{_NAMESPACE}differenceImageResults")
    return TCE(
        planet=int(element.attrib["planetNumber"]),
        period=_best(parameters, "orbitalPeriodDays", found.get("orbitalPeriodInDays")),
        epoch=_best(parameters, "transitEpochBtjd", found.get("epochTjd")),
        depth=_best(parameters, "transitDepthPpm", None),
        duration=_best(parameters, "transitDurationHours", None),
        snr=_float(fit.attrib.get("modelFitSnr")) if fit is not None else math.nan,
        mes=_float(found.get("maxMultipleEventSigma")),
        toi=element.attrib.get("toiId"),
        sectors=tuple(sorted({int(image.attrib["sector"]) for image in images if "sector" in image.attrib})),
        parameters=MappingProxyType(parameters),
    )


def _parameter(attributes: Mapping[str, str]) -> Parameter:
    value, uncertainty = _float(attributes.get("value")), _float(attributes.get("uncertainty"))
    fitted = attributes.get("fitted", "true") == "true"
    if uncertainty == -1:
        return Parameter(math.nan, math.nan, False)
    if not fitted and value == 0 and uncertainty == 0:
        return Parameter(math.nan, math.nan, False)
    return Parameter(value, uncertainty, fitted)


def _best(parameters: Mapping[str, Parameter], name: str, otherwise: str | None) -> float:
    parameter = parameters.get(name)
    return parameter.value if parameter and math.isfinite(parameter.value) else _float(otherwise)


def _float(text: str | None) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan


def _number(tce: TCE) -> int:
    return tce.planet


def _plain(tag: str) -> str:
    return tag.removeprefix(_NAMESPACE)
