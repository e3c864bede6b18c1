"""What every archive offers: the contract, and what can be asked of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tessellar.archives.resolver import NamedPlace
from tessellar.errors import QueryError
from tessellar.net import Remote
from tessellar.products.tables import ObservationTable, ProductTable
from tessellar.progress import Listener, ignore
from tessellar.targets import TIC, Field, check_sector

KINDS = ("lightcurve", "tpf", "ffi", "dv", "cbv")


@dataclass(frozen=True)
class Criteria:
    """What is looked for; None leaves a thing open.

    Attributes
    ----------
    target : TIC or None
        One star, by its exact id.
    sector : int or None
        A sector; a multi-sector run belongs to every sector of its range.
    camera, ccd : int or None
        1 to 4.
    cadence : float or None
        Exposure time of one cadence, in seconds.
    author : str or None
        The pipeline: ``SPOC``, ``TESS-SPOC``, ``QLP``, ``TGLC`` ...
    kind : str or None
        One of `KINDS`. Images are only looked for with ``"ffi"``.
    position : tuple of float or None
        Right ascension and declination (ICRS, degrees): the centre of a cone.
    radius : float or None
        Of the cone, in degrees.
    time : tuple of float or None
        First and last day (MJD, UTC): observations that overlap with it.
    only_tess : bool
        Leave out what is not of TESS, and images unless they are asked for.
    columns : mapping
        Further columns of the archive: a value, a list of values, or a
        ``(low, high)`` pair for numbers.
    """

    target: TIC | None = None
    sector: int | None = None
    camera: int | None = None
    ccd: int | None = None
    cadence: float | None = None
    author: str | None = None
    kind: str | None = None
    position: tuple[float, float] | None = None
    radius: float | None = None
    time: tuple[float, float] | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    only_tess: bool = True

    def __post_init__(self) -> None:
        if self.sector is not None:
            check_sector(self.sector)
        Field(1, self.camera or 1, self.ccd or 1)
        if self.kind is not None and self.kind not in KINDS:
            raise QueryError(f"kind {self.kind!r} is not known; there are {', '.join(KINDS)}")
        if self.cadence is not None and not 0 < self.cadence < math.inf:
            raise QueryError(f"cadence {self.cadence:g} s cannot be: give the exposure time in seconds, as in 120")
        if self.radius is not None:
            check_radius(self.radius)
        if self.time is not None and not self.time[0] <= self.time[1]:
            raise QueryError(f"time {self.time[0]:g} to {self.time[1]:g} (MJD) ends before it begins")
        if (self.position is None) != (self.radius is None):
            raise QueryError("a cone needs both a position and a radius")

    @property
    def bounded(self) -> bool:
        """Whether it asks the archive for less than everything of its kind.

        The sectors of validation runs stand in their names only: by sector alone, all runs would have to be asked for.
        """
        sector = None if self.kind == "dv" else self.sector
        given = (self.target, sector, self.position, self.time, self.columns or None)
        return any(value is not None for value in given)


def check_radius(radius: float) -> None:
    """Raise `QueryError` unless a cone can have this radius, in degrees."""
    if not 0 < radius <= 180:
        raise QueryError(f"radius {radius:g} deg cannot be: give more than 0 and at most 180")


class Archive(Protocol):
    """A place that can say what exists. It holds no files and no state between queries."""

    @property
    def name(self) -> str:
        """How the user named it."""

    def search(
        self, criteria: Criteria, listener: Listener = ignore, *, wanted: Sequence[str] | None = None
    ) -> ObservationTable:
        """Return the observations that meet `criteria`, with all columns or those that are wanted."""

    def products(self, observations: ObservationTable, listener: Listener = ignore) -> ProductTable:
        """Return the files of observations."""

    def locate(
        self, uri: str, *, filename: str = "", collection: str = "", obs_id: str = "", size: int | None = None
    ) -> Remote:
        """Say where a file can be fetched; asks nobody."""

    def target_position(self, target: TIC) -> Mapping[str, Any]:
        """Return the catalogue's row of a star: ``ID, ra, dec, Tmag`` ... (ICRS, degrees)."""

    def stars_named(self, column: str, value: str) -> list[dict[str, Any]]:
        """Return the catalogue's rows of the stars with a name of another catalogue."""

    def stars_near(self, ra: float, dec: float, radius: float) -> list[dict[str, Any]]:
        """Return the catalogue's rows of the stars in a cone (degrees), the nearest first."""

    def places(self, name: str) -> list[NamedPlace]:
        """Return where the archive's name service finds a name."""
