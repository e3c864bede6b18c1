"""Places on the sky: separations, the outline of an image, and whether a cone touches a footprint.

Everything is done on unit vectors, so that neither the poles nor right
ascension 0 are special.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from tessellar.products.keywords import Keys

Vector = tuple[float, float, float]

#: Footprint radius that MAST gives to a star (5 arcsec), in degrees.
STAR_RADIUS = 0.00138889


def circle(ra: float, dec: float, radius: float = STAR_RADIUS) -> str:
    """Write a circle as STC-S, all in degrees."""
    return f"CIRCLE {ra:.8f} {dec:.8f} {radius:.8f}"


def separation(ra1: float, dec1: float, ra2: float, dec2: float) -> float:
    """Return the angle between two positions; everything in degrees.

    Examples
    --------
    >>> round(separation(359.5, 0.0, 0.5, 0.0), 9)
    1.0
    """
    return math.degrees(_angle(_vector(ra1, dec1), _vector(ra2, dec2)))


def image_outline(keys: Keys) -> tuple[str, float, float] | None:
    """Return the footprint (STC-S polygon) and the centre (degrees) of an image from its own WCS.

    The gnomonic projection (Calabretta & Greisen 2002, A&A 395, 1077) after the
    SIP polynomial (Shupe et al. 2005, ASPC 347, 491), of the outer edges of
    the image, virtual columns and rows counted, as MAST lists it; None where the
    header has no such WCS.
    """
    if not str(keys.get("CTYPE1") or "").startswith("RA---TAN"):
        return None
    try:
        columns, rows = float(keys["NAXIS1"] or 0), float(keys["NAXIS2"] or 0)
        right, top = columns + 0.5, rows + 0.5
        corners = ((0.5, 0.5), (right, 0.5), (right, top), (0.5, top), (0.5, 0.5))
        outline = [_sky(keys, x, y) for x, y in corners]
        ra, dec = _sky(keys, (columns + 1) / 2, (rows + 1) / 2)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return "POLYGON " + " ".join(f"{a:.6f} {d:.6f}" for a, d in outline), ra, dec


def bounding_cap(region: str) -> tuple[float, float, float] | None:
    """Return centre and radius (degrees) of a cap around a footprint, or None if that cannot be read."""
    shape = _shape(region)
    if shape is None:
        return None
    (x, y, z), radius = shape.centre, shape.bound
    return math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(radius)


def touches(region: str, ra: float, dec: float, radius: float) -> bool:
    """Tell whether a cone (degrees) and a footprint have a point in common."""
    shape = _shape(region)
    if shape is None:
        return False
    point, reach, corners = _vector(ra, dec), math.radians(radius), shape.corners
    if _angle(point, shape.centre) > shape.bound + reach:
        return False
    if not corners or all(_dot(normal, point) >= 0 for normal in shape.normals):
        return True
    return any(_distance_to_edge(point, a, b) <= reach for a, b in pairwise((*corners, corners[0])))


def _sky(keys: Keys, x: float, y: float) -> tuple[float, float]:
    u, v = x - _real(keys, "CRPIX1"), y - _real(keys, "CRPIX2")
    f, g = u + _sip(keys, "A", u, v), v + _sip(keys, "B", u, v)
    xi = math.radians(_matrix(keys, 1, 1) * f + _matrix(keys, 1, 2) * g)
    eta = math.radians(_matrix(keys, 2, 1) * f + _matrix(keys, 2, 2) * g)
    dec0 = math.radians(_real(keys, "CRVAL2"))
    side = math.cos(dec0) - eta * math.sin(dec0)
    ra = _real(keys, "CRVAL1") + math.degrees(math.atan2(xi, side))
    dec = math.degrees(math.atan2(math.sin(dec0) + eta * math.cos(dec0), math.hypot(xi, side)))
    return ra % 360, dec


def _sip(keys: Keys, name: str, u: float, v: float) -> float:
    order = keys.get(f"{name}_ORDER")
    if not isinstance(order, int) or not 0 < order < 10:
        return 0.0
    powers = [(p, q) for p in range(order + 1) for q in range(order + 1 - p)]
    return sum(_real(keys, f"{name}_{p}_{q}", 0.0) * u**p * v**q for p, q in powers)


def _matrix(keys: Keys, i: int, j: int) -> float:
    if f"CD{i}_{j}" in keys:
        return _real(keys, f"CD{i}_{j}")
    return _real(keys, f"PC{i}_{j}", float(i == j)) * _real(keys, f"CDELT{i}")


def _real(keys: Keys, name: str, default: float | None = None) -> float:
    value = keys.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(name)
    return float(value)


class _Shape(NamedTuple):
    """A footprint: its centre, bounding radius (radians), corners, and normals of its sides that point inwards."""

    centre: Vector
    bound: float
    corners: tuple[Vector, ...] = ()
    normals: tuple[Vector, ...] = ()


@lru_cache(maxsize=65536)
def _shape(region: str) -> _Shape | None:
    """Read STC-S: a circle, or a convex polygon that may run either way round."""
    words = region.split()
    try:
        numbers = [float(word) for word in words[1:] if not word.isalpha() and not word[:1].isalpha()]
    except ValueError:
        return None
    if words and words[0].upper() == "CIRCLE" and len(numbers) == 3:
        return _Shape(_vector(numbers[0], numbers[1]), math.radians(numbers[2]))
    if not words or words[0].upper() != "POLYGON" or len(numbers) < 6 or len(numbers) % 2:
        return None
    corners = [_vector(ra, dec) for ra, dec in zip(numbers[::2], numbers[1::2], strict=True)]
    if _angle(corners[0], corners[-1]) < 1e-9:
        corners.pop()
    centre = _unit(tuple(sum(parts) for parts in zip(*corners, strict=True)))
    normals = (_cross(a, b) for a, b in pairwise((*corners, corners[0])))
    inwards = tuple((x, y, z) if _dot((x, y, z), centre) >= 0 else (-x, -y, -z) for x, y, z in normals)
    return _Shape(centre, max(_angle(centre, corner) for corner in corners), tuple(corners), inwards)


def _distance_to_edge(point: Vector, a: Vector, b: Vector) -> float:
    normal = _cross(a, b)
    if _dot(normal, normal) == 0:
        return _angle(point, a)
    normal = _unit(normal)
    # The foot of the perpendicular is on the edge when it lies between the planes through its ends.
    if _dot(_cross(normal, a), point) >= 0 >= _dot(_cross(normal, b), point):
        return abs(math.asin(max(-1.0, min(1.0, _dot(normal, point)))))
    return min(_angle(point, a), _angle(point, b))


def _vector(ra: float, dec: float) -> Vector:
    a, d = math.radians(ra), math.radians(dec)
    return math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)


def _angle(a: Vector, b: Vector) -> float:
    cross = _cross(a, b)
    return math.atan2(math.sqrt(_dot(cross, cross)), _dot(a, b))


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _unit(a: Sequence[float]) -> Vector:
    x, y, z = a
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length
