"""Circles and polygons on the sphere: what lies inside, how large they are, whether two of them meet.

Everything is done on unit vectors, so that neither the poles nor right
ascension 0 are special. The sides of a polygon are arcs of great circles,
shorter than half a turn. Edges belong to the shape, to the precision of a double.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# A point this close to an edge (radians; 2 nanoarcsec) is on it: positions in double precision tell no better.
_ON_EDGE = 1e-14
_CHUNK = 16384  # points at a time, so that the work arrays stay in the cache


def unit_vectors(ra: ArrayLike, dec: ArrayLike) -> Array:
    """Return positions (degrees) as unit vectors, shape (..., 3)."""
    a, d = np.radians(np.asarray(ra, np.float64)), np.radians(np.asarray(dec, np.float64))
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)


def positions(vectors: ArrayLike) -> tuple[Array, Array]:
    """Return right ascension (0 to 360) and declination, degrees, of vectors of any length, shape (..., 3)."""
    x, y, z = np.moveaxis(np.asarray(vectors, np.float64), -1, 0)
    return np.mod(np.degrees(np.arctan2(y, x)), 360.0), np.degrees(np.arctan2(z, np.hypot(x, y)))


def angles(a: ArrayLike, b: ArrayLike) -> Array:
    """Return the angles (radians) between vectors, right at any distance; shapes (..., 3) broadcast."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.asarray(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(axis=-1)))


@dataclass(frozen=True, eq=False)
class Circle:
    """A small circle.

    Attributes
    ----------
    middle : array (3,)
        Unit vector of its centre.
    radius : float
        Radians, from 0 to pi.
    """

    middle: Array
    radius: float

    @property
    def area(self) -> float:
        """Its area, steradians."""
        return float(4 * np.pi * np.sin(self.radius / 2) ** 2)

    @property
    def moment(self) -> Array:
        """The integral of the position vector over its area: it points to the centre."""
        return np.asarray(self.middle * np.pi * np.sin(self.radius) ** 2)

    @property
    def cap(self) -> tuple[Array, float]:
        """The circle itself: centre and radius (radians)."""
        return self.middle, self.radius

    def contains(self, vectors: Array) -> Mask:
        """Tell which of some unit vectors, shape (n, 3), lie inside."""
        # The chord keeps its precision at small angles, where the cosine loses it.
        chord = np.linalg.norm(vectors - self.middle, axis=-1)
        return np.asarray(chord <= 2 * np.sin(self.radius / 2) + _ON_EDGE)

    def meets(self, other: Shape) -> bool:
        """Tell whether it has a point in common with another shape."""
        if isinstance(other, Circle):
            return bool(angles(self.middle, other.middle) <= self.radius + other.radius + _ON_EDGE)
        return other.meets(self)

    def outline(self, step: float) -> Array:
        """Return points along its edge, not further apart than a step (radians); shape (n, 3), closed."""
        axis = np.eye(3)[np.argmin(np.abs(self.middle))]
        east = np.cross(axis, self.middle)
        east /= np.linalg.norm(east)
        north = np.cross(self.middle, east)
        count = max(24, int(np.ceil(2 * np.pi * np.sin(self.radius) / step)))
        turn = np.linspace(0, 2 * np.pi, count + 1)[:, None]
        rim = np.cos(turn) * east + np.sin(turn) * north
        return np.asarray(np.cos(self.radius) * self.middle + np.sin(self.radius) * rim)


@dataclass(frozen=True, eq=False)
class Polygon:
    """A polygon whose sides are arcs of great circles.

    Which way round the corners run is not trusted: of the two parts into which
    they divide the sphere, the polygon is the smaller one.

    Attributes
    ----------
    corners : array (n, 3)
        Unit vectors of three or more corners, no two neighbours alike or
        opposite. As an attribute they run with the inside on their left, seen
        from outside the sphere.
    """

    corners: Array

    def __post_init__(self) -> None:
        if _signed_area(self.corners) < 0:
            object.__setattr__(self, "corners", self.corners[::-1].copy())

    @cached_property
    def normals(self) -> Array:
        """Unit normals of the planes of the sides, pointing inwards; shape (n, 3)."""
        across = np.cross(self.corners, np.roll(self.corners, -1, axis=0))
        return np.asarray(across / np.linalg.norm(across, axis=1, keepdims=True))

    @cached_property
    def area(self) -> float:
        """Its area, steradians, at most 2 pi."""
        return abs(_signed_area(self.corners))

    @cached_property
    def moment(self) -> Array:
        """The integral of the position vector over its area: half the sum of side lengths times their normals."""
        lengths = angles(self.corners, np.roll(self.corners, -1, axis=0))
        return np.asarray((lengths[:, None] * self.normals).sum(axis=0) / 2)

    @cached_property
    def cap(self) -> tuple[Array, float]:
        """A circle that holds it: centre and radius (radians); the radius is pi where none below 90 degrees does."""
        middle = self.corners.mean(axis=0)
        length = np.linalg.norm(middle)
        if length < 1e-6:
            return self.corners[0], np.pi
        middle = middle / length
        radius = float(angles(self.corners, middle).max())
        return middle, radius + _ON_EDGE if radius < np.pi / 2 else np.pi

    @cached_property
    def convex(self) -> bool:
        """Whether no corner is re-entrant."""
        inside = self.normals @ self.corners.T >= -_ON_EDGE
        return bool(inside.all()) and self.cap[1] < np.pi / 2

    @cached_property
    def box(self) -> tuple[Array, Array]:
        """Lowest and highest x, y and z of its points.

        On a great circle with the normal n, x is highest where the plane
        through n and the axis cuts it; that counts where a side runs there.
        """
        starts, ends = self.corners, np.roll(self.corners, -1, axis=0)
        ahead, behind = np.cross(self.normals, starts), np.cross(self.normals, ends)
        inside = self.contains(np.vstack([np.eye(3), -np.eye(3)])).reshape(2, 3)
        low, high = self.corners.min(axis=0), self.corners.max(axis=0)
        for axis, (top, bottom) in enumerate(inside.T):
            highest = np.eye(3)[axis] - self.normals[:, axis, None] * self.normals
            lengths = np.linalg.norm(highest, axis=1)
            forwards, backwards = (ahead * highest).sum(axis=1), (behind * highest).sum(axis=1)
            high[axis] = max(high[axis], lengths[(forwards >= 0) & (backwards <= 0)].max(initial=-1.0))
            low[axis] = min(low[axis], -lengths[(forwards <= 0) & (backwards >= 0)].max(initial=-1.0))
            high[axis], low[axis] = (1.0 if top else high[axis]), (-1.0 if bottom else low[axis])
        return low, high

    @cached_property
    def hull(self) -> Array:
        """Unit normals, pointing inwards, of the smallest convex polygon around it; empty if no hemisphere holds it.

        Found in the gnomonic projection, where great circles are straight
        (Andrew 1979, Information Processing Letters 9, 216).
        """
        middle, radius = self.cap
        if radius >= np.pi / 2:
            return np.empty((0, 3))
        east = np.cross(np.eye(3)[np.argmin(np.abs(middle))], middle)
        height = self.corners @ middle
        flat = np.column_stack([self.corners @ east, self.corners @ np.cross(middle, east)]) / height[:, None]
        order = np.lexsort((flat[:, 1], flat[:, 0]))
        rim = [*_lower_hull(flat, order), *_lower_hull(flat, order[::-1])]
        corners = self.corners[rim]
        across = np.cross(corners, np.roll(corners, -1, axis=0))
        lengths = np.linalg.norm(across, axis=1, keepdims=True)
        return np.asarray(across / np.where(lengths > 0, lengths, 1.0))

    @cached_property
    def simple(self) -> bool:
        """Whether no two sides cross."""
        count = len(self.corners)
        for i in range(count):
            others = [j for j in range(i + 2, count) if not (i == 0 and j == count - 1)]
            if others and self._crossed(self.corners[i], self.corners[(i + 1) % count], others).any():
                return False
        return True

    def contains(self, vectors: Array) -> Mask:
        """Tell which of some unit vectors, shape (n, 3), lie inside."""
        found = np.zeros(len(vectors), dtype=bool)
        middle, radius = self.cap
        reach = 2 * np.sin(radius / 2) + _ON_EDGE
        decide = self._convex_contains if self.convex else self._any_contains
        for start in range(0, len(vectors), _CHUNK):
            part = vectors[start : start + _CHUNK]
            near = np.flatnonzero(np.linalg.norm(part - middle, axis=1) <= reach)
            found[start + near] = decide(part[near])
        return found

    def meets(self, other: Shape) -> bool:
        """Tell whether it has a point in common with another shape."""
        (a, ra), (b, rb) = self.cap, other.cap
        if angles(a, b) > ra + rb + _ON_EDGE:
            return False
        if isinstance(other, Circle):
            if self.contains(other.middle[None])[0] or other.contains(self.corners).any():
                return True
            return bool(self.distance_to_edge(other.middle) <= other.radius + _ON_EDGE)
        if self.contains(other.corners).any() or other.contains(self.corners).any():
            return True
        ends = np.roll(other.corners, -1, axis=0)
        everything = list(range(len(self.corners)))
        return any(self._crossed(p, q, everything).any() for p, q in zip(other.corners, ends, strict=True))

    def distance_to_edge(self, vector: Array) -> float:
        """Return the angle (radians) from a unit vector to the nearest side."""
        starts, ends = self.corners, np.roll(self.corners, -1, axis=0)
        # The foot of the perpendicular is on a side when it lies between the planes through its ends.
        between = (np.cross(self.normals, starts) @ vector >= 0) & (np.cross(self.normals, ends) @ vector <= 0)
        height = np.abs(np.arcsin(np.clip(self.normals @ vector, -1, 1)))
        corner = np.minimum(angles(starts, vector), angles(ends, vector))
        return float(np.where(between, height, corner).min())

    def outline(self, step: float) -> Array:
        """Return points along its edge, not further apart than a step (radians); shape (n, 3), closed."""
        pieces = [_arc(a, b, step) for a, b in zip(self.corners, np.roll(self.corners, -1, axis=0), strict=True)]
        return np.concatenate([*pieces, self.corners[:1]])

    def _convex_contains(self, vectors: Array) -> Mask:
        return np.asarray((vectors @ self.normals.T >= -_ON_EDGE).all(axis=1))

    def _any_contains(self, vectors: Array) -> Mask:
        """Count the sides that the way from a point known to be outside crosses (even-odd rule)."""
        outside, sides = self.outside
        heights = vectors @ self.normals.T
        above = heights > 0
        ways = np.cross(vectors, outside)
        left = ways @ self.corners.T > 0
        next_left = np.roll(left, -1, axis=1)
        # The two arcs cross, and not one of them the far side of the other: see `_crossed`.
        crossed = (left != next_left) & (above != sides) & (next_left == above)
        found = crossed.sum(axis=1) % 2 == 1
        close = np.flatnonzero((np.abs(heights) <= _ON_EDGE).any(axis=1))
        for i in close:  # the parity says nothing of a point on the edge itself
            found[i] = found[i] or self.distance_to_edge(vectors[i]) <= _ON_EDGE
        return np.asarray(found)

    @cached_property
    def outside(self) -> tuple[Array, Mask]:
        """A point outside, and on which side of each side's plane it lies."""
        middle, radius = self.cap
        axis = np.array([0.5377, -0.2114, 0.8162])  # any direction that no grid of positions has
        across = np.cross(middle, axis)
        across /= np.linalg.norm(across)
        if radius < np.pi / 2:
            away = (radius + np.pi) / 2
            point = np.cos(away) * middle + np.sin(away) * across
        else:
            lengths = angles(self.corners, np.roll(self.corners, -1, axis=0))
            i = int(np.argmax(lengths))
            half = self.corners[i] + self.corners[(i + 1) % len(self.corners)]
            point = half / np.linalg.norm(half) - 1e-5 * self.normals[i]
            point /= np.linalg.norm(point)
        return point, self.normals @ point > 0

    def _crossed(self, p: Array, q: Array, sides: list[int]) -> Mask:
        """Tell which of its sides the arc from p to q crosses.

        With n the normal of p-q and m that of a side a-b: each arc has its ends
        on both sides of the other's plane, and both meet the line common to
        the planes at the same end, which is so when b is as far left of p-q as
        p is of a-b.
        """
        m, a = self.normals[sides], self.corners[sides]
        b = np.roll(self.corners, -1, axis=0)[sides]
        n = np.cross(p, q)
        left, next_left, above, beyond = a @ n > 0, b @ n > 0, m @ p > 0, m @ q > 0
        return np.asarray((left != next_left) & (above != beyond) & (next_left == above))


Shape = Circle | Polygon


def lattice(middle: Array, radius: float, count: int) -> tuple[Array, float]:
    """Return evenly spread unit vectors over a cap, shape (count, 3), and the area (steradians) of each.

    A Fibonacci lattice (Gonzalez 2010, Mathematical Geosciences 42, 49).
    """
    k = np.arange(count) + 0.5
    depth = 1 - np.cos(radius)
    z = 1 - depth * k / count
    turn = np.pi * (1 + 5**0.5) * k
    side = np.sqrt(np.clip(1 - z**2, 0, None))
    axis = np.eye(3)[np.argmin(np.abs(middle))]
    east = np.cross(axis, middle)
    east /= np.linalg.norm(east)
    north = np.cross(middle, east)
    points = z[:, None] * middle + (side * np.cos(turn))[:, None] * east + (side * np.sin(turn))[:, None] * north
    return points, 2 * np.pi * depth / count


def _signed_area(corners: Array) -> float:
    """Return the area (steradians, -2 pi to 2 pi), positive where the inside is on the left.

    Solid angles of the triangles of a fan (Van Oosterom & Strackee 1983, IEEE
    Trans. Biomed. Eng. 30, 125), modulo the whole sphere.
    """
    middle = corners.mean(axis=0)
    length = np.linalg.norm(middle)
    hub = middle / length if length > 1e-3 else corners[0]
    a, b = corners, np.roll(corners, -1, axis=0)
    volume = (np.cross(a, b) * hub).sum(axis=1)
    beside = 1 + (a * b).sum(axis=1) + a @ hub + b @ hub
    total = float(2 * np.arctan2(volume, beside).sum())
    return float((total + 2 * np.pi) % (4 * np.pi) - 2 * np.pi)


def _lower_hull(points: Array, order: Any) -> list[int]:
    """Return the points of a plane that bound the others from below, without the last; `order` goes along the axis."""
    rim: list[int] = []
    for i in map(int, order):
        while len(rim) > 1:
            (x0, y0), (x1, y1), (x2, y2) = points[rim[-2]], points[rim[-1]], points[i]
            if (x1 - x0) * (y2 - y0) > (y1 - y0) * (x2 - x0):
                break
            rim.pop()
        rim.append(i)
    return rim[:-1]


def _arc(a: Array, b: Array, step: float) -> Array:
    """Return points from a to b along the great circle, without b."""
    angle: Any = angles(a, b)
    part = np.arange(n := max(1, int(np.ceil(float(angle) / step))))[:, None] / n
    return np.asarray((np.sin((1 - part) * angle) * a + np.sin(part * angle) * b) / np.sin(angle))
