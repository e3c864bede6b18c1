"""The mission's data-validation report of one star, read-only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tessellar.errors import Corrupt, InvalidTICError, Unrecognised
from tessellar.products.validation import tables
from tessellar.products.validation.elements import NAMESPACE, NOTHING, Parameter, each, number, parameter, plain
from tessellar.products.validation.planets import TCE, image_sectors, read_tce
from tessellar.targets import TIC

if TYPE_CHECKING:
    from astropy.table import Table

_TARGET = f"{NAMESPACE}dvTargetResults"


class DataValidationReport:
    """What one data-validation run found about one star.

    Attributes
    ----------
    path : Path
        Where the file lies.
    tic : TIC
        The star.
    sectors : tuple of int
        The sectors it was observed in, of those the run searched; empty if the report does not tell.
    sector_range : tuple of int or None
        First and last sector that the run searched, as its name says: it can reach
        beyond `sectors` at both ends.
    pipeline : str
        ``SPOC`` or ``TESS-SPOC``.
    run_id : int or None
        Number of the pipeline's run, as its name says; names of TESS-SPOC have none.
    task_id : int
        Number of the pipeline's task within all runs.
    start_cadence, end_cadence : int
        Two-minute cadence numbers.
    simulated : bool
        Whether the data were simulated by the mission.

    Raises
    ------
    Unrecognised
        If it is XML, but no such report.
    Corrupt
        If it is cut short, or its parts contradict each other.

    Examples
    --------
    >>> import tessellar
    >>> report = tessellar.read("tess..._dvr.xml")  # doctest: +SKIP
    >>> report.to_table()["planet", "period", "depth"]  # doctest: +SKIP
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
        try:
            self.tic = TIC(root.attrib["ticId"])
            self.task_id = int(root.attrib["pipelineTaskId"])
            self.start_cadence = int(root.attrib["startCadence"])
            self.end_cadence = int(root.attrib["endCadence"])
            imaged = {sector for planet in each(root, "planetResults") for sector in image_sectors(planet)}
        except (KeyError, ValueError, InvalidTICError) as error:
            raise Corrupt(f"{path}: a number that every report has is missing or none ({error})") from error
        self.sectors = observed_sectors(root.attrib.get("sectorsObserved", ""))
        if self.sectors and not imaged <= set(self.sectors):
            strange = ", ".join(map(str, sorted(imaged - set(self.sectors))))
            raise Corrupt(f"{path}: has difference images of sector {strange}, which it says was not observed")
        self.sector_range = name.sector_range if name else None
        self.pipeline = (name.author if name else None) or "SPOC"
        self.run_id = name.pin if name else None
        self.simulated = root.attrib.get("simData") == "true"

    @property
    def ra(self) -> float:
        """Right ascension, degrees; NaN where the report does not tell."""
        return self.star.get("raDegrees", NOTHING).value

    @property
    def dec(self) -> float:
        """Declination, degrees; NaN where the report does not tell."""
        return self.star.get("decDegrees", NOTHING).value

    @property
    def tmag(self) -> float:
        """TESS magnitude; NaN where the report does not tell."""
        return self.star.get("tessMag", NOTHING).value

    @cached_property
    def star(self) -> Mapping[str, Parameter]:
        """What the run took the star to be, under the report's own names."""
        values = {plain(child.tag): child.attrib for child in self._root if "value" in child.attrib}
        return MappingProxyType({name: parameter(attributes) for name, attributes in values.items()})

    @cached_property
    def limb_darkening(self) -> tuple[float, ...]:
        """The coefficients of the limb darkening, in the order of the law's terms."""
        found = next(each(self._root, "limbDarkeningModel"), None)
        attributes = found.attrib if found is not None else {}
        names = sorted(name for name in attributes if name.startswith("coefficient"))
        return tuple(number(attributes[name]) for name in names)

    @cached_property
    def tois(self) -> tuple[str, ...]:
        """The objects of interest of the star, matched by an event of this run or not."""
        told = [*each(self._root, "matchedToiId"), *each(self._root, "unmatchedToiId")]
        return tuple(sorted({(one.text or "").strip().lstrip("0") for one in told} - {""}))

    @cached_property
    def tces(self) -> tuple[TCE, ...]:
        """The threshold-crossing events, in the order of their numbers."""
        try:
            found = [read_tce(element) for element in each(self._root, "planetResults")]
        except (KeyError, ValueError) as error:
            raise Corrupt(f"{self.path}: an event lacks a number that every one has ({error})") from error
        return tuple(sorted(found, key=lambda tce: tce.planet))

    def to_table(self) -> Table:
        """Return one row a planet: its fit with errors, its centroid offsets and its tests, with units.

        Values that were not fitted and tests that were not made are masked.
        `source` tells which fit the numbers are from; what it held fixed is
        the search's value, without an error.
        """
        return tables.planets_table(self.tces)

    def parameters(self) -> Table:
        """Return one row a value of a fit, of all fits: of odd and even transits, of a trapezoid ..."""
        return tables.parameters_table(self.tces)

    def tests(self) -> Table:
        """Return one row a test of a planet: odd-even depth, other periods, ghost, secondary."""
        return tables.tests_table(self.tces)

    def offsets(self) -> Table:
        """Return one row a centroid offset: the means over all sectors, then sector by sector."""
        return tables.offsets_table(self.tces)

    def __repr__(self) -> str:
        sectors = ", ".join(map(str, self.sectors)) or "unknown"
        return f"<DataValidationReport {self.tic}, sectors {sectors}, {len(self.tces)} TCEs>"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(repr(self)[1:-1])}</p>{self.to_table()._repr_html_()}"


def observed_sectors(bits: str) -> tuple[int, ...]:
    """Read ``sectorsObserved``: character i from the left, 0 unused, is sector i.

    The string stops at the last observed sector; one of zeros alone tells nothing.

    Examples
    --------
    >>> observed_sectors("001001")
    (2, 5)
    """
    return tuple(sector for sector, bit in enumerate(bits) if bit == "1" and sector)
