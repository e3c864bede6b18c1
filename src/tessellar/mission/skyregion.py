"""A region of the sky, as archives write footprints: STC-S, DALI and their local spellings.

Archives write ``POLYGON 330.3 -44.3 …`` (with or without a frame, with the
first corner repeated or not, either way round), ``CIRCLE ra dec r``, several
of them one after the other, and ``UNION ICRS (…)``. All of these are read here,
and worked with on the sphere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tessellar.errors import InputError
from tessellar.mission.shapes import Array, Circle, Mask, Polygon, Shape, angles, lattice, positions, unit_vectors
from tessellar.mission.stcs import Node, read

if TYPE_CHECKING:
    from tessellar.targets import Field

_SQUARE_DEGREES = math.degrees(1.0) ** 2
_SAME = 1e-12  # radians: corners as close as this are one
_OUTWARDS = 1e-7  # degrees by which a box is larger than what it holds: those who write it round it
_SAMPLES = 200_000  # points for what has no closed form
# J2000 and FK5 agree with ICRS to 0.03 arcsec, and archives do not tell them apart.
_AS_ICRS = {"ICRS", "J2000", "FK5", "GSC1", "UNKNOWNFRAME", "UNKNOWN"}
_FRAMES = {"GALACTIC": "galactic", "GALACTIC_II": "galactic", "FK4": "fk4", "B1950": "fk4",
           "ECLIPTIC": "barycentricmeanecliptic"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class SkyRegion:
    """A region of the sky: a circle, a polygon, or a set of them.

    Positions are ICRS, degrees. The sides of polygons are arcs of great
    circles, and of the two parts into which corners divide the sky the smaller
    one is meant, whichever way round they run.

    Attributes
    ----------
    kind : str
        ``circle``, ``polygon``, ``union``, ``intersection`` or ``not``.
    parts : tuple
        One shape, or the regions of a set.

    Examples
    --------
    >>> from tessellar.mission import SkyRegion
    >>> region = SkyRegion.parse("POLYGON 330.34 -44.33 324.66 -33.27 337.72 -28.38 344.12 -38.56 330.34 -44.33")
    >>> round(region.area, 1)
    141.5
    >>> region.contains([334.1, 10.0], [-36.3, 20.0]).tolist()
    [True, False]
    >>> SkyRegion.parse("CIRCLE ICRS 0.1 0 1").intersects(SkyRegion.circle(359.0, 0.5, 0.5))
    True
    """

    kind: str
    parts: tuple[Shape | SkyRegion, ...]

    @classmethod
    def parse(cls, text: str) -> SkyRegion:
        """Read a footprint.

        Parameters
        ----------
        text : str
            ``CIRCLE``, ``POLYGON``, ``BOX`` (centre, width and height) or
            ``RANGE`` (lowest and highest of each), in degrees, with or without
            a frame and commas; one or more of them, or ``UNION (…)``,
            ``INTERSECTION (…)``, ``NOT (…)``. The frame holds for a set and
            all in it. A frame that is not known is taken as ICRS.

        Raises
        ------
        InputError
            If it cannot be read: the message names the place.
        """
        return _region_of(read(str(text)), "ICRS")

    @classmethod
    def circle(cls, ra: float, dec: float, radius: float) -> SkyRegion:
        """Return a circle; all in degrees.

        Raises
        ------
        InputError
            If the centre is not on the sky, or the radius not from 0 to 180.
        """
        if not 0 <= radius <= 180:
            raise InputError(f"a circle of radius {radius:g}: give degrees, from 0 to 180")
        return cls("circle", (Circle(_checked([ra], [dec])[0], math.radians(radius)),))

    @classmethod
    def polygon(cls, ra: ArrayLike, dec: ArrayLike) -> SkyRegion:
        """Return a polygon from its corners (degrees); the first may be repeated at the end.

        Raises
        ------
        InputError
            If a corner is not on the sky, fewer than three remain once
            repeated ones are dropped, two neighbours lie opposite each other,
            or all lie on one great circle.
        """
        corners = _checked(ra, dec)
        apart = angles(corners, np.roll(corners, 1, axis=0)) > _SAME
        corners = corners[apart]
        if len(corners) < 3:
            raise InputError(f"a polygon of {len(corners)} different corners: it needs three or more")
        if (angles(corners, np.roll(corners, 1, axis=0)) > np.pi - _SAME).any():
            raise InputError("a polygon with two neighbouring corners opposite each other: put one between them")
        shape = Polygon(corners)
        if shape.simple and shape.area < 1e-24:
            raise InputError("a polygon without area: its corners lie on one great circle")
        return cls("polygon", (shape,))

    @classmethod
    def of_field(cls, field: Field, per_side: int = 4) -> SkyRegion:
        """Return the science pixels of a CCD in a sector, from our own table of pointings.

        Parameters
        ----------
        field : Field
            Sector, camera, CCD.
        per_side : int
            Arcs of great circles a side. The edge of a CCD is not one, because
            the camera distorts: with one arc it is up to 7 pixels off, with 16
            less than 0.1.
        """
        from tessellar.mission.ccd import footprint

        return cls.polygon(*footprint(field, per_side))

    def __or__(self, other: SkyRegion) -> SkyRegion:
        mine = self.parts if self.kind == "union" else (self,)
        theirs = other.parts if other.kind == "union" else (other,)
        return SkyRegion("union", (*mine, *theirs))

    def __str__(self) -> str:
        return self.to_stcs()

    def __repr__(self) -> str:
        return f"SkyRegion.parse({self.to_stcs()!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SkyRegion) and self.to_stcs() == other.to_stcs()

    def __hash__(self) -> int:
        return hash(self.to_stcs())

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The circles and polygons that it is made of."""
        return tuple(
            shape for part in self.parts for shape in (part.shapes if isinstance(part, SkyRegion) else (part,))
        )

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> Mask:
        """Tell which positions lie in it, its edge included.

        Parameters
        ----------
        ra, dec : array-like of shape (n,) or float
            ICRS, degrees. A position that is not on the sky lies nowhere.

        Returns
        -------
        array of bool
            Of the shape of the positions.
        """
        a, d = np.broadcast_arrays(np.asarray(ra, np.float64), np.asarray(dec, np.float64))
        vectors = unit_vectors(a.ravel(), d.ravel())
        whole = np.asarray(np.isfinite(vectors).all(axis=1) & (np.abs(d.ravel()) <= 90))
        return np.asarray(self.holds(np.where(whole[:, None], vectors, 1.0)) & whole).reshape(a.shape)

    def holds(self, vectors: Array) -> Mask:
        """Tell which unit vectors, shape (n, 3), lie in it: `contains` for those who have them at hand."""
        found = [part.holds(vectors) if isinstance(part, SkyRegion) else part.contains(vectors) for part in self.parts]
        if self.kind == "not":
            return ~found[0]
        return np.asarray(np.all(found, axis=0) if self.kind == "intersection" else np.any(found, axis=0))

    def intersects(self, other: SkyRegion) -> bool:
        """Tell whether two regions have a point in common.

        Exact for circles, polygons and unions of them. With ``NOT`` or
        ``INTERSECTION`` the common part is looked for at 200,000 points of the
        smaller region and at its corners: what is smaller than that is missed.
        """
        if self._plain and other._plain:
            return any(a.meets(b) for a in self.shapes for b in other.shapes)
        first, second = sorted((self, other), key=lambda region: region.cap[1])
        probes = [lattice(*first._cap, _SAMPLES)[0]]
        probes += [shape.corners for shape in (*first.shapes, *second.shapes) if isinstance(shape, Polygon)]
        points = np.concatenate(probes)
        return bool((first.holds(points) & second.holds(points)).any())

    @cached_property
    def area(self) -> float:
        """Its area, square degrees: exact for one shape and for shapes apart, else counted (to about 0.1 per cent)."""
        return (sum(shape.area for shape in self.shapes) if self._apart else self._counted[0]) * _SQUARE_DEGREES

    @cached_property
    def centre(self) -> tuple[float, float]:
        """Right ascension and declination (degrees) of its centre of area."""
        moment = sum(shape.moment for shape in self.shapes) if self._apart else self._counted[1]
        if not np.linalg.norm(moment) > 1e-300:
            moment = self._cap[0]
        ra, dec = positions(moment)
        return float(ra), float(dec)

    @property
    def cap(self) -> tuple[tuple[float, float], float]:
        """A circle that holds it: centre (right ascension, declination) and radius, degrees."""
        middle, radius = self._cap
        ra, dec = positions(middle)
        return (float(ra), float(dec)), math.degrees(radius)

    @cached_property
    def box(self) -> tuple[tuple[tuple[float, float], ...], tuple[float, float]]:
        """Ranges of right ascension (one, or two where it crosses 0) and of declination (degrees) that hold it."""
        ranges = [_extent(shape) for shape in self.shapes] if self._bounded else [(None, (-90.0, 90.0))]
        low, high = min(dec[0] for _, dec in ranges), max(dec[1] for _, dec in ranges)
        spans = [ra for ra, _ in ranges]
        around = _joined([span for span in spans if span is not None]) if None not in spans else (0.0, 360.0)
        first, last = around
        if last - first >= 360:
            return ((0.0, 360.0),), (low, high)
        first %= 360
        last = first + (around[1] - around[0])
        return (((first, last),) if last <= 360 else ((first, 360.0), (0.0, last - 360))), (low, high)

    def outline(self, step: float = 0.1) -> list[tuple[Array, Array]]:
        """Return the edges of its shapes as closed lines: right ascension and declination (degrees) of each.

        Parameters
        ----------
        step : float
            Greatest distance between two points of a line, degrees.
        """
        return [positions(shape.outline(math.radians(step))) for shape in self.shapes]

    def to_stcs(self) -> str:
        """Write it as archives do, in degrees, ICRS: `parse` reads it back."""
        if self.kind in ("circle", "polygon"):
            (shape,) = self.shapes
            return _written(shape, " ICRS ", " ")
        inner = " ".join(part.to_stcs().replace(" ICRS ", " ", 1) for part in self.parts if isinstance(part, SkyRegion))
        return f"{self.kind.upper()} ICRS ({inner})"

    def to_adql(self) -> str:
        """Write a circle or polygon as a geometry of ADQL.

        Raises
        ------
        InputError
            For a set: ADQL has none; ask for its parts one by one.
        """
        if self.kind not in ("circle", "polygon"):
            raise InputError(f"ADQL has no {self.kind} of regions: ask for its parts one by one")
        (shape,) = self.shapes
        return _written(shape, "('ICRS', ", ", ") + ")"

    @property
    def _kinds(self) -> set[str]:
        return {self.kind}.union(*(part._kinds for part in self.parts if isinstance(part, SkyRegion)))

    @property
    def _plain(self) -> bool:
        return not self._kinds & {"not", "intersection"}

    @property
    def _bounded(self) -> bool:
        return "not" not in self._kinds

    @cached_property
    def _apart(self) -> bool:
        """Whether its shapes have no point in common, nor do their sides cross: sums are then exact."""
        shapes = self.shapes
        if not self._plain or not all(isinstance(shape, Circle) or shape.simple for shape in shapes):
            return False
        return not any(shapes[i].meets(shapes[j]) for i in range(len(shapes)) for j in range(i))

    @cached_property
    def _counted(self) -> tuple[float, Array]:
        points, each = lattice(*self._cap, _SAMPLES)
        inside = self.holds(points)
        return float(inside.sum() * each), np.asarray(points[inside].sum(axis=0) * each)

    @cached_property
    def _cap(self) -> tuple[Array, float]:
        if not self._bounded:
            return np.array([0.0, 0.0, 1.0]), np.pi
        caps = [shape.cap for shape in self.shapes]
        if len(caps) == 1:
            return caps[0]
        middle = np.sum([centre for centre, _ in caps], axis=0)
        if np.linalg.norm(middle) < 1e-9:
            return np.array([0.0, 0.0, 1.0]), np.pi
        middle /= np.linalg.norm(middle)
        return middle, min(np.pi, max(float(angles(middle, centre)) + radius for centre, radius in caps))


def _region_of(nodes: tuple[Node, ...], frame: str) -> SkyRegion:
    regions = [_one(node, frame) for node in nodes]
    return regions[0] if len(regions) == 1 else SkyRegion("union", tuple(regions))


def _one(node: Node, frame: str) -> SkyRegion:
    for word in node.words:
        near = get_close_matches(word, (*_FRAMES, *_AS_ICRS), n=1, cutoff=0.75)
        if near and near[0] != word:
            raise InputError(f"region: {node.name} at character {node.place}: frame {word}; did you mean {near[0]}?")
    frame = next((word for word in node.words if word in _FRAMES or word in _AS_ICRS), frame)
    if node.parts:
        return SkyRegion(node.name.lower(), tuple(_one(part, frame) for part in node.parts))
    try:
        return _made(node.name, node.numbers, frame)
    except InputError as error:
        raise InputError(f"region: {node.name} at character {node.place}: {error}") from error


def _made(name: str, numbers: tuple[float, ...], frame: str) -> SkyRegion:
    if name in ("BOX", "RANGE"):
        a, b, c, d = numbers
        return _box(a, b, c, d, frame) if name == "BOX" else _range(a, b, c, d, frame)
    if name == "CIRCLE":
        ra, dec = _icrs(numbers[:1], numbers[1:2], frame)
        return SkyRegion.circle(ra[0], dec[0], numbers[2])
    return SkyRegion.polygon(*_icrs(numbers[::2], numbers[1::2], frame))


def _box(ra: float, dec: float, width: float, height: float, frame: str) -> SkyRegion:
    """Return the box of STC: a cross along the axes, its four ends cut by great circles at right angles to its arms."""
    if not (0 < width < 180 and 0 < height < 180):
        raise InputError(f"a box of {width:g} by {height:g} degrees: give less than 180, and more than 0")
    middle = _checked([ra], [dec])[0]
    east = unit_vectors(ra + 90, 0.0)
    north = np.cross(middle, east)
    x, y = np.tan(np.radians([width / 2, height / 2]))
    corners = [middle + i * x * east + j * y * north for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    return SkyRegion.polygon(*_icrs(*positions(corners), frame))


def _range(west: float, east: float, south: float, north: float, frame: str) -> SkyRegion:
    """Return what lies between two meridians and two parallels; the parallels drawn in steps of half a degree."""
    width = east - west if east >= west else east - west + 360
    if not (0 < width <= 360 and -90 <= south < north <= 90):
        raise InputError(f"a range from {west:g} to {east:g} and {south:g} to {north:g} degrees holds nothing")
    strips = max(1, math.ceil(width / 90))  # a polygon is to be smaller than half the sky
    edges = np.linspace(west, west + width, strips + 1)
    regions = []
    for first, last in pairwise(edges):
        ra = np.linspace(first, last, int(2 * (last - first)) + 2)
        below, above = np.full(len(ra), south), np.full(len(ra), north)
        regions.append(SkyRegion.polygon(*_icrs([*ra, *ra[::-1]], [*below, *above], frame)))
    return regions[0] if strips == 1 else SkyRegion("union", tuple(regions))


def _icrs(lon: ArrayLike, lat: ArrayLike, frame: str) -> tuple[Array, Array]:
    lon, lat = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
    _checked(lon, lat)
    if frame in _AS_ICRS:
        return lon, lat
    from astropy.coordinates import SkyCoord

    icrs = SkyCoord(lon, lat, unit="deg", frame=_FRAMES[frame]).icrs
    return np.asarray(icrs.ra.deg), np.asarray(icrs.dec.deg)


def _checked(ra: ArrayLike, dec: ArrayLike) -> Array:
    ra, dec = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    if ra.shape != dec.shape or ra.ndim != 1:
        raise InputError(f"a region with {ra.size} right ascensions and {dec.size} declinations: give as many of each")
    off = ~(np.isfinite(ra) & (np.abs(dec) <= 90))
    if off.any():
        i = int(np.argmax(off))
        raise InputError(f"position {ra[i]:g} {dec[i]:g} is not on the sky: give degrees, declination from -90 to 90")
    return unit_vectors(ra, dec)


def _written(shape: Shape, opening: str, between: str) -> str:
    if isinstance(shape, Circle):
        ra, dec = positions(shape.middle)
        return f"CIRCLE{opening}" + between.join(f"{x:.12g}" for x in (ra, dec, math.degrees(shape.radius)))
    ra, dec = positions(shape.corners)
    return f"POLYGON{opening}" + between.join(f"{a:.12g}{between}{d:.12g}" for a, d in zip(ra, dec, strict=True))


def _extent(shape: Shape) -> tuple[tuple[float, float] | None, tuple[float, float]]:
    """Return the range of right ascension (None: all) and of declination, degrees, that holds a shape."""
    poles = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]])
    south, north = shape.contains(poles)
    if isinstance(shape, Circle):
        middle, height = (float(x) for x in positions(shape.middle))
        reach = math.degrees(shape.radius)
        low, high = max(-90.0, height - reach - _OUTWARDS), min(90.0, height + reach + _OUTWARDS)
        if south or north or reach >= 90:
            return None, (-90.0 if south else low, 90.0 if north else high)
        side = math.degrees(math.asin(min(1.0, math.sin(shape.radius) / math.cos(math.radians(height)))))
        side += _OUTWARDS / math.cos(math.radians(height))
        return (middle - side, middle + side), (low, high)
    ra, dec = positions(shape.outline(math.radians(0.5)))
    low, high = float(dec.min()), float(dec.max())
    for a, b, normal in zip(shape.corners, np.roll(shape.corners, -1, axis=0), shape.normals, strict=True):
        # Where the great circle of a side is highest and lowest, if that is between its ends.
        top = np.array([0.0, 0.0, 1.0]) - normal[2] * normal
        for apex in (top, -top):
            if np.cross(normal, a) @ apex > 0 > np.cross(normal, b) @ apex:
                height = float(positions(apex)[1])
                low, high = min(low, height), max(high, height)
    low, high = max(-90.0, low - _OUTWARDS), min(90.0, high + _OUTWARDS)
    if south or north:
        return None, (-90.0 if south else low, 90.0 if north else high)
    run = np.degrees(np.unwrap(np.radians(ra)))
    return (float(run.min()) - _OUTWARDS, float(run.max()) + _OUTWARDS), (low, high)


def _joined(spans: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the shortest range of right ascension that holds all of some ranges."""
    best = (0.0, 360.0)
    for start, _ in spans:
        width = max((low - start) % 360 + (high - low) for low, high in spans)
        if width < best[1] - best[0]:
            best = (start, start + width)
    return best
