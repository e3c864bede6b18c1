"""The geometry of ADQL, said in SQL.

A place is two expressions, a region its STC-S text; what is made of constants
is worked out while the question is read. A condition on the sky is said twice:
as one on the index of boxes, which leaves few rows, and as the exact one, by
the functions that `add_functions` gives to a connection.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from sqlglot import exp

from tessellar.errors import InputError, QueryError
from tessellar.mission import SkyRegion
from tessellar.mission.shapes import Circle, Polygon
from tessellar.server.regions import separation
from tessellar.server.sphere import cap_box
from tessellar.server.tap.model import Sky

_ICRS = {"", "ICRS", "J2000", "FK5", "UNKNOWNFRAME"}
_SYSTEMS = {"GALACTIC", "FK4", "ECLIPTIC", *_ICRS}
_EDGES = ("x_low", "x_high", "y_low", "y_high", "z_low", "z_high")
_RIM = 0.002  # radians between points of a rim; an arc leaves its chord by an eighth of that squared
# A cap that is wider leaves too few rows out for its box to be worth looking at.
_WIDEST = 60.0
_LONGEST_REGION = 100_000
_MOST_NUMBERS = 4000  # in one shape: each pair of sides is looked at

#: Finds the table, and the alias under which it stands, of a column; None for anything but a column of a table.
Finder = Callable[[exp.Expr], tuple[str, str, Sky] | None]


@dataclass(frozen=True)
class Place:
    """A point: two expressions in degrees, and their values where they are constant."""

    ra: exp.Expr
    dec: exp.Expr
    constant: tuple[float, float] | None


@dataclass(frozen=True)
class Region:
    """A region: an expression of its STC-S text, and the region itself where it is constant."""

    text: exp.Expr
    constant: SkyRegion | None
    moving: tuple[exp.Expr, exp.Expr, exp.Expr] | None = None  # of a circle: centre and radius


class Geometry:
    """Says geometry in SQL.

    Parameters
    ----------
    finder : callable
        Tells of which table with an index of places a column is.
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def condition(self, node: exp.EQ) -> exp.Expr | None:
        """Rewrite ``CONTAINS(…) = 1`` and ``INTERSECTS(…) = 1``, or return None for anything else."""
        for function, value in ((node.this, node.expression), (node.expression, node.this)):
            if _is(function, "CONTAINS", "INTERSECTS") and isinstance(value, exp.Literal) and value.name == "1":
                exact = exp.EQ(this=self.value(function), expression=exp.Literal.number(1))
                near = self._near(function) if _only_narrows(node) else None
                return exp.Paren(this=exp.And(this=near, expression=exact)) if near is not None else exact
        return None

    def closeness(self, node: exp.Binary) -> exp.Expr | None:
        """Add the condition on the index to ``DISTANCE(…) < r``, or return None for anything else."""
        if not _is(node.this, "DISTANCE"):
            return None
        reach = _number(node.expression)
        first, second = self._two_places(node.this)
        exact = type(node)(this=self.value(node.this), expression=node.expression)
        if reach is not None and reach > 0 and _only_narrows(node):
            for here, there in ((first, second), (second, first)):
                if there.constant is not None:
                    near = self._near_cap(self._sky_of(here), *there.constant, reach)
                    if near is not None:
                        return exp.Paren(this=exp.And(this=near, expression=exact))
        return exact

    def value(self, node: exp.Anonymous) -> exp.Expr:
        """Say a geometric function in SQL.

        Raises
        ------
        QueryError
            If its arguments do not fit.
        """
        name, arguments = node.name.upper(), node.expressions
        if name == "DISTANCE":
            first, second = self._two_places(node)
            return _call("adql_distance", first.ra, first.dec, second.ra, second.dec)
        if name in ("COORD1", "COORD2"):
            _expect(node, 1)
            place = self._place(arguments[0])
            return exp.Paren(this=place.ra if name == "COORD1" else place.dec)
        if name in ("CONTAINS", "INTERSECTS"):
            return self._predicate(node)
        if name == "AREA":
            _expect(node, 1)
            return _call("adql_area", self._region(arguments[0]).text)
        if name == "COORDSYS":
            _expect(node, 1)
            return exp.Literal.string("ICRS")
        if name in ("POINT", "CENTROID"):
            place = self._place(node)
            return _call("adql_position", place.ra, place.dec)
        return self._region(node).text

    def _predicate(self, node: exp.Anonymous) -> exp.Expr:
        _expect(node, 2)
        first, second = node.expressions
        if node.name.upper() == "INTERSECTS" and self._is_place(second) and not self._is_place(first):
            first, second = second, first
        region = self._region(second) if not self._is_place(second) else None
        if region is None:
            raise QueryError(f"{_shown(node)}: a point holds nothing; the second argument is to be a region")
        if self._is_place(first):
            place = self._place(first)
            if region.moving is not None:
                ra, dec, radius = region.moving
                apart = _call("adql_distance", place.ra, place.dec, ra, dec)
                return exp.Paren(this=exp.LTE(this=apart, expression=radius.copy()))
            return _call("adql_inside", place.ra, place.dec, region.text)
        return _call("adql_within" if node.name.upper() == "CONTAINS" else "adql_meets", self._region(first).text,
                     region.text)  # fmt: skip

    def _near(self, node: exp.Anonymous) -> exp.Expr | None:
        """Return the condition on the index that goes with a predicate; None where no index helps."""
        first, second = node.expressions
        for here, there in ((first, second), (second, first)):
            sky = self._sky_of(self._place(here) if self._is_place(here) else here)
            if sky is None:
                continue
            if self._is_place(there):
                place = self._place(there)
                if place.constant is not None:
                    return self._near_cap(sky, *place.constant, 0.0)
                continue
            region = self._region(there)
            if region.constant is not None:
                return self._near_region(sky, region.constant)
            if region.moving is not None:
                return _moving_box(sky, *region.moving)
        return None

    def _sky_of(self, here: Place | exp.Expr) -> tuple[str, Sky] | None:
        """Return alias and index of the table whose rows lie where a place or a footprint says."""
        if isinstance(here, Place):
            ra, dec = self._finder(here.ra), self._finder(here.dec)
            if ra is None or dec is None or ra[0] != dec[0] or (ra[1], dec[1]) != (ra[2].ra, ra[2].dec):
                return None
            return ra[0], ra[2]
        found = self._finder(here)
        return (found[0], found[2]) if found is not None and found[1] == found[2].region else None

    @staticmethod
    def _near_cap(sky: tuple[str, Sky] | None, ra: float, dec: float, radius: float) -> exp.Expr | None:
        if sky is None or radius > _WIDEST:
            return None
        return _boxed(sky, [exp.Literal.number(repr(edge)) for edge in cap_box(ra, dec, radius)])

    @classmethod
    def _near_region(cls, sky: tuple[str, Sky], region: SkyRegion) -> exp.Expr | None:
        (ra, dec), radius = region.cap
        if radius > _WIDEST or any(isinstance(shape, Circle) for shape in region.shapes) or not region.shapes:
            return cls._near_cap(sky, ra, dec, radius)
        # The box of what the polygons really fill: that of a circle around a square is twice as large.
        rims = np.concatenate([shape.outline(_RIM) for shape in region.shapes])
        low, high = rims.min(axis=0) - _RIM**2, rims.max(axis=0) + _RIM**2
        for axis, inside in enumerate(region.holds(np.vstack([np.eye(3), -np.eye(3)])).reshape(2, 3).T):
            low[axis], high[axis] = (-1.0 if inside[1] else low[axis]), (1.0 if inside[0] else high[axis])
        edges = np.column_stack([low, high]).ravel()
        return _boxed(sky, [exp.Literal.number(repr(float(edge))) for edge in edges])

    def _is_place(self, node: exp.Expr) -> bool:
        return _is(node, "POINT", "CENTROID")

    def _two_places(self, node: exp.Anonymous) -> tuple[Place, Place]:
        arguments = node.expressions
        if len(arguments) == 4:  # DISTANCE(lon1, lat1, lon2, lat2), of ADQL 2.1
            return _place_of(arguments[0], arguments[1]), _place_of(arguments[2], arguments[3])
        _expect(node, 2)
        return self._place(arguments[0]), self._place(arguments[1])

    def _place(self, node: exp.Expr) -> Place:
        if _is(node, "CENTROID"):
            _expect(node, 1)
            text = self._region(node.expressions[0]).text
            return Place(_call("adql_centre_ra", text), _call("adql_centre_dec", text.copy()), None)
        if not _is(node, "POINT"):
            raise QueryError(f"{_shown(node)} is not a point: write POINT('ICRS', ra, dec)")
        system, arguments = _system(node)
        if len(arguments) != 2:
            raise QueryError(f"{_shown(node)}: POINT takes a right ascension and a declination, in degrees")
        place = _place_of(*arguments)
        if system in _ICRS:
            return place
        if place.constant is None:
            raise QueryError(f"{_shown(node)}: columns are ICRS here; only constants are turned from {system}")
        centre = _parsed(f"CIRCLE {system} {place.constant[0]!r} {place.constant[1]!r} 0", node).centre
        return Place(exp.Literal.number(repr(centre[0])), exp.Literal.number(repr(centre[1])), centre)

    def _region(self, node: exp.Expr) -> Region:
        if isinstance(node, exp.Column):
            return Region(node, None)
        if not _is(node, "CIRCLE", "POLYGON", "BOX", "REGION"):
            raise QueryError(f"{_shown(node)} is not a region: write CIRCLE, POLYGON, BOX, REGION or a column with one")
        if _is(node, "REGION"):
            _expect(node, 1)
            if not node.expressions[0].is_string:
                return Region(node.expressions[0], None)
            return _fixed(_parsed(node.expressions[0].name, node))
        name = node.name.upper()
        system, arguments = _system(node)
        flat: list[exp.Expr] = []
        for argument in arguments:
            if self._is_place(argument):
                place = self._place(argument)
                flat += [place.ra, place.dec]
            else:
                flat.append(argument)
        takes = {"CIRCLE": 3, "BOX": 4}.get(name)
        if len(flat) > _MOST_NUMBERS:
            raise QueryError(f"{name} of {len(flat) // 2:,} corners: at most {_MOST_NUMBERS // 2:,} are taken")
        if (takes and len(flat) != takes) or (name == "POLYGON" and (len(flat) < 6 or len(flat) % 2)):
            wanted = {"CIRCLE": "ra, dec, radius", "BOX": "ra, dec, width, height"}.get(name, "three or more corners")
            raise QueryError(f"{_shown(node)}: {name} takes {wanted}, in degrees")
        numbers = [_number(argument) for argument in flat]
        if all(number is not None for number in numbers):
            return _fixed(_parsed(f"{name} {system or 'ICRS'} {' '.join(map(repr, numbers))}", node))
        if system not in _ICRS:
            raise QueryError(f"{_shown(node)}: columns are ICRS here; only constants are turned from {system}")
        text = _call("adql_shape", exp.Literal.string(name), *flat)
        return Region(text, None, (flat[0], flat[1], flat[2]) if name == "CIRCLE" else None)


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


def _only_narrows(node: exp.Expr) -> bool:
    """Whether a condition stands where leaving out rows of unknown place changes nothing: not below a NOT."""
    return node.find_ancestor(exp.Not) is None and node.find_ancestor(exp.Where, exp.Join, exp.Having) is not None


def _fixed(region: SkyRegion) -> Region:
    return Region(exp.Literal.string(region.to_stcs()), region)


def _parsed(text: str, node: exp.Expr) -> SkyRegion:
    if len(text) > _LONGEST_REGION:
        raise QueryError(f"{_shown(node)}: a region of {len(text):,} characters; at most {_LONGEST_REGION:,} are read")
    try:
        return _checked(text)
    except InputError as error:
        raise QueryError(f"{_shown(node)}: {str(error).removeprefix('region: ')}") from error


@lru_cache(maxsize=256)
def _checked(text: str) -> SkyRegion:
    """Read a region that a question names; the same one stands in it more than once."""
    region = SkyRegion.parse(text)
    for shape in region.shapes:
        if isinstance(shape, Polygon) and not shape.simple:
            raise InputError("the sides of the polygon cross each other: give its corners in order")
    return region


def _place_of(ra: exp.Expr, dec: exp.Expr) -> Place:
    a, d = _number(ra), _number(dec)
    if d is not None and abs(d) > 90:
        raise QueryError(f"declination {d:g} is not on the sky: give -90 to 90 degrees")
    return Place(ra, dec, (a, d) if a is not None and d is not None else None)


def _system(node: exp.Expr) -> tuple[str, list[exp.Expr]]:
    """Take the coordinate system, if there is one, from the arguments of a geometry."""
    arguments = list(node.expressions)
    if arguments and isinstance(arguments[0], exp.Literal) and arguments[0].is_string:
        words = arguments.pop(0).name.upper().split()
        system = words[0] if words else ""
        if system not in _SYSTEMS:
            raise QueryError(f"coordinate system {system!r} is not known: ICRS, GALACTIC, FK4, FK5 or ECLIPTIC")
        return system, arguments
    return "", arguments


def _boxed(sky: tuple[str, Sky], edges: Sequence[exp.Expr]) -> exp.Expr:
    alias, index = sky
    x_low, x_high, y_low, y_high, z_low, z_high = edges
    pairs = (("x_high", ">=", x_low), ("x_low", "<=", x_high), ("y_high", ">=", y_low), ("y_low", "<=", y_high),
             ("z_high", ">=", z_low), ("z_low", "<=", z_high))  # fmt: skip
    kinds = {">=": exp.GTE, "<=": exp.LTE}
    conditions = [
        kinds[sign](this=exp.column(name, table="box", quoted=True), expression=edge) for name, sign, edge in pairs
    ]
    boxes = exp.select(exp.column("row", table="box", quoted=True)).from_(
        exp.Table(
            this=exp.to_identifier(index.index, quoted=True),
            db=exp.to_identifier("temp" if index.index.startswith("upload_") else "main"),
            alias=exp.TableAlias(this=exp.to_identifier("box")),
        )
    )
    return exp.In(
        this=exp.column(index.key, table=alias, quoted=True), query=exp.Subquery(this=boxes.where(*conditions))
    )


def _moving_box(sky: tuple[str, Sky], *circle: exp.Expr) -> exp.Expr:
    """Return the condition on the index for a circle that every row of another table has anew."""
    edges = [_call("adql_edge", *(part.copy() for part in circle), exp.Literal.number(i)) for i in range(len(_EDGES))]
    return _boxed(sky, edges)


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _is(node: exp.Expr | None, *names: str) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.upper() in names


def _expect(node: exp.Expr, count: int) -> None:
    if len(node.expressions) != count:
        raise QueryError(f"{node.name.upper()} takes {count} arguments, not {len(node.expressions)}")


def _number(node: exp.Expr | None) -> float | None:
    if isinstance(node, exp.Paren):
        return _number(node.this)
    if isinstance(node, exp.Neg):
        inner = _number(node.this)
        return None if inner is None else -inner
    return float(node.name) if isinstance(node, exp.Literal) and not node.is_string else None


def _shown(node: exp.Expr) -> str:
    text = node.sql()
    return text if len(text) <= 60 else f"{text[:57]}..."


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
    """Return the test of `Polygon` for one place after the other: count the sides on the way to a point outside."""
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
