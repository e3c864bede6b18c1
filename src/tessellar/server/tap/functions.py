"""The functions of ADQL that SQLite lacks: exact geometry and mathematics, one row at a time."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from tessellar.errors import InputError
from tessellar.mission import SkyRegion
from tessellar.mission.shapes import Circle, Polygon
from tessellar.server.regions import separation
from tessellar.server.sphere import cap_box


def add_functions(connection: sqlite3.Connection, over: Callable[[], bool] = lambda: False) -> None:
    """Give the functions of ADQL, exact geometry and mathematics, to a connection.

    Those that take long ask `over` each time whether to go on.
    """
    for name, count, function in _FUNCTIONS:
        said = _quiet(function)
        if name in _SLOW:
            said = _stopping(said, over)
        connection.create_function(name, count, said, deterministic=name != "adql_rand")


def _stopping(function: Callable[..., Any], over: Callable[[], bool]) -> Callable[..., Any]:
    def answer(*values: Any) -> Any:
        if over():
            raise TimeoutError
        return function(*values)

    return answer


@lru_cache(maxsize=4096)
def _read(text: str) -> SkyRegion | None:
    try:
        return SkyRegion.parse(text)
    except InputError:
        return None


@lru_cache(maxsize=256)
def _test(text: str) -> Callable[[float, float], bool] | None:
    """Return a test of one place after the other, in plain numbers: arrays of one element would cost ten times more."""
    region = _read(text)
    if region is None:
        return None
    if region.kind == "circle":
        (circle,) = region.shapes
        assert isinstance(circle, Circle)
        x, y, z = map(float, circle.middle)
        reach = (2 * math.sin(circle.radius / 2) + 1e-14) ** 2

        def in_circle(ra: float, dec: float) -> bool:
            a, d = math.radians(ra), math.radians(dec)
            side = math.cos(d)
            return (side * math.cos(a) - x) ** 2 + (side * math.sin(a) - y) ** 2 + (math.sin(d) - z) ** 2 <= reach

        return in_circle
    (shape, *more) = region.shapes
    if region.kind == "polygon" and isinstance(shape, Polygon) and shape.convex and not more:
        normals = [tuple(map(float, normal)) for normal in shape.normals]

        def in_polygon(ra: float, dec: float) -> bool:
            a, d = math.radians(ra), math.radians(dec)
            side = math.cos(d)
            x, y, z = side * math.cos(a), side * math.sin(a), math.sin(d)
            return all(p * x + q * y + r * z >= -1e-14 for p, q, r in normals)

        return in_polygon
    if region.kind == "polygon" and isinstance(shape, Polygon) and not more:
        return _any_polygon(shape, region)
    return lambda ra, dec: bool(region.contains(ra, dec))


def _any_polygon(shape: Polygon, region: SkyRegion) -> Callable[[float, float], bool]:
    """Return the test of `Polygon` for one place after the other.

    Most places are outside of its convex hull, or on the inner side of every
    side; for the others the sides are counted on the way to a point outside.
    """
    normals = [tuple(map(float, normal)) for normal in shape.normals]
    hull = [tuple(map(float, normal)) for normal in shape.hull]
    outside, beyond = shape.outside
    q0, q1, q2 = map(float, outside)
    sides = [(*map(float, normal), bool(far)) for normal, far in zip(shape.normals, beyond, strict=True)]
    corners = [tuple(map(float, corner)) for corner in shape.corners]
    (c0, c1, c2), bound = (tuple(map(float, shape.cap[0])), math.cos(shape.cap[1]))

    def inside(ra: float, dec: float) -> bool:
        a, d = math.radians(ra), math.radians(dec)
        side = math.cos(d)
        x, y, z = side * math.cos(a), side * math.sin(a), math.sin(d)
        if x * c0 + y * c1 + z * c2 < bound - 1e-12:
            return False
        for u, v, w in hull:
            if u * x + v * y + w * z < -1e-12:
                return False
        for u, v, w in normals:
            if u * x + v * y + w * z < 1e-12:
                break
        else:
            return True
        n0, n1, n2 = y * q2 - z * q1, z * q0 - x * q2, x * q1 - y * q0
        left = [n0 * u + n1 * v + n2 * w > 0 for u, v, w in corners]
        crossed = False
        for i, (u, v, w, far) in enumerate(sides):
            height = u * x + v * y + w * z
            if -1e-13 < height < 1e-13:
                return bool(region.contains(ra, dec))
            following = left[i + 1 - len(left)]
            above = height > 0
            if left[i] != following and above != far and following == above:
                crossed = not crossed
        return crossed

    return inside


def _inside(ra: float, dec: float, text: str) -> bool | None:
    test = _test(text)
    return None if test is None else test(ra, dec)


def _meets(first: str, second: str) -> bool | None:
    one, two = _read(first), _read(second)
    return None if one is None or two is None else one.intersects(two)


def _within(first: str, second: str) -> bool | None:
    """Tell whether one region lies in another: its outline does, and not all around a hole."""
    inner, outer = _read(first), _read(second)
    if inner is None or outer is None:
        return None
    step = max(0.001, inner.cap[1] / 50)
    rims = [outer.contains(*line).all() for line in inner.outline(step)]
    if not all(rims):
        return False
    if len(outer.shapes) == 1 and isinstance(outer.shapes[0], Polygon) and outer.shapes[0].convex:
        return True
    return not inner.intersects(SkyRegion("not", (outer,)))


def _area(text: str) -> float | None:
    region = _read(text)
    return None if region is None else region.area


def _centre(text: str, part: int) -> float | None:
    region = _read(text)
    return None if region is None else region.centre[part]


def _shape(name: str, *numbers: float) -> str | None:
    try:
        return SkyRegion.parse(f"{name} ICRS {' '.join(repr(float(number)) for number in numbers)}").to_stcs()
    except InputError:
        return None


def _cot(x: float) -> float:
    return 1 / math.tan(x)


def _rounded(x: float, digits: int = 0) -> float:
    scale = 10.0 ** int(digits)
    return math.floor(abs(x) * scale + 0.5) / scale * (1 if x >= 0 else -1)


def _truncated(x: float, digits: int = 0) -> float:
    scale = 10.0 ** int(digits)
    return math.trunc(x * scale) / scale


def _mod(x: Any, y: Any) -> Any:
    """Return the remainder, with the sign of `x`; whole for whole numbers."""
    rest = math.fmod(x, y)
    return int(rest) if isinstance(x, int) and isinstance(y, int) else rest


def _rand(_seed: int = 0) -> float:
    return float(np.random.default_rng().random())


def _quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return NULL for NULL, and where a function is not defined, as databases do."""

    def answer(*values: Any) -> Any:
        if None in values:
            return None
        try:
            result = function(*values)
        except (ValueError, ZeroDivisionError, OverflowError, TypeError):
            return None
        return int(result) if isinstance(result, bool | np.bool_) else result

    return answer


_SLOW = ("adql_meets", "adql_within", "adql_area", "adql_shape")
_FUNCTIONS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("adql_inside", 3, _inside), ("adql_meets", 2, _meets), ("adql_within", 2, _within), ("adql_area", 1, _area),
    ("adql_centre_ra", 1, lambda text: _centre(text, 0)), ("adql_centre_dec", 1, lambda text: _centre(text, 1)),
    ("adql_distance", 4, separation), ("adql_shape", -1, _shape),
    ("adql_position", 2, lambda ra, dec: f"POSITION ICRS {ra:.12g} {dec:.12g}"),
    ("adql_edge", 4, lambda ra, dec, radius, i: cap_box(ra, dec, radius)[i]),
    ("adql_abs", 1, abs), ("adql_ceiling", 1, lambda x: float(math.ceil(x))), ("adql_degrees", 1, math.degrees),
    ("adql_exp", 1, math.exp), ("adql_floor", 1, lambda x: float(math.floor(x))), ("adql_log", 1, math.log),
    ("adql_log10", 1, math.log10), ("adql_mod", 2, _mod), ("adql_pi", 0, lambda: math.pi), ("adql_power", 2, math.pow),
    ("adql_radians", 1, math.radians), ("adql_rand", -1, _rand), ("adql_round", -1, _rounded),
    ("adql_sqrt", 1, math.sqrt), ("adql_truncate", -1, _truncated), ("adql_acos", 1, math.acos),
    ("adql_asin", 1, math.asin), ("adql_atan", 1, math.atan), ("adql_atan2", 2, math.atan2), ("adql_cos", 1, math.cos),
    ("adql_cot", 1, _cot), ("adql_sin", 1, math.sin), ("adql_tan", 1, math.tan),
)  # fmt: skip
