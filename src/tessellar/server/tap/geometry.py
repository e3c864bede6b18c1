"""The geometry of ADQL, said in SQL.

A place is two expressions, a region its STC-S text; what is made of constants
is worked out while the question is read. A condition on the sky is said twice:
as one on the index of boxes, which leaves few rows, and as the exact one, by
the functions that `add_functions` gives to a connection.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from tessellar.errors import InputError, QueryError
from tessellar.mission import SkyRegion
from tessellar.mission.shapes import Polygon
from tessellar.server.sphere import EDGES
from tessellar.server.tap import boxes
from tessellar.server.tap.model import Sky

_ICRS = {"", "ICRS", "J2000", "FK5", "UNKNOWNFRAME"}
_SYSTEMS = {"GALACTIC", "FK4", "ECLIPTIC", *_ICRS}
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
        """Rewrite ``CONTAINS(…) = 1`` (or 0) and ``INTERSECTS(…) = 1``, or return None for anything else."""
        for function, value in ((node.this, node.expression), (node.expression, node.this)):
            if _is(function, "CONTAINS", "INTERSECTS") and isinstance(value, exp.Literal) and value.name in ("0", "1"):
                found = self._found(function, negated=value.name == "0" or node.find_ancestor(exp.Not) is not None)
                return found if value.name == "1" else exp.Not(this=found)
        return None

    def _found(self, function: exp.Anonymous, *, negated: bool) -> exp.Expr:
        """Return the condition that a predicate holds, by the index where it helps.

        Rows of unknown place are not in the index. Where a condition only
        narrows, they are rightly left out; below a NOT they are to be unknown still.
        """
        exact: exp.Expr = exp.EQ(this=self.value(function), expression=exp.Literal.number(1))
        where = function.find_ancestor(exp.Where, exp.Join, exp.Having)
        near = self._near(function, exact) if where is not None else None
        if near is None:
            return exact
        unknown, found = near
        if not negated:
            return exp.Paren(this=found)
        return exp.Case(ifs=[exp.If(this=unknown, true=exp.Null())], default=found)

    def closeness(self, node: exp.Binary) -> exp.Expr | None:
        """Add the condition on the index to ``DISTANCE(…) < r``, or return None for anything else."""
        if not _is(node.this, "DISTANCE"):
            return None
        reach = _number(node.expression)
        first, second = self._two_places(node.this)
        exact = type(node)(this=self.value(node.this), expression=node.expression)
        if reach is not None and reach > 0 and _only_narrows(node):
            for here, there in ((first, second), (second, first)):
                sky = self._sky_of(here)
                if there.constant is not None and sky is not None:
                    near = boxes.near_cap(sky[1], *there.constant, reach)
                    if near is not None:
                        return exp.Paren(this=exp.And(this=_among(sky, near), expression=exact))
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

    def _near(self, node: exp.Anonymous, exact: exp.Expr) -> tuple[exp.Expr, exp.Expr] | None:
        """Return when the place of a row is unknown, and the predicate by the index; None where no index helps."""
        first, second = node.expressions
        for here, there in ((first, second), (second, first)):
            place = self._place(here) if self._is_place(here) else None
            sky = self._sky_of(place or here)
            if sky is None:
                continue
            columns = (place.ra, place.dec) if place is not None else (here,)
            unknown = exp.or_(*(exp.Is(this=column.copy(), expression=exp.Null()) for column in columns))
            rows, whole = self._rows(sky[1], there, exact, is_point=place is not None)
            if rows is None:
                return None
            found = _among(sky, rows)
            return unknown, found if whole else exp.And(this=found, expression=exact)
        return None

    def _rows(self, sky: Sky, there: exp.Expr, exact: exp.Expr, *, is_point: bool) -> tuple[str | None, bool]:
        """Return rows of the index that may be meant, and whether these are exactly those that are."""
        if self._is_place(there):
            constant = self._place(there).constant
            return (None if constant is None else boxes.near_cap(sky, *constant, 0.0)), False
        region = self._region(there)
        if region.constant is not None and is_point:
            ra, dec = (boxes.position(name) for name in ("ra", "dec"))
            test = f"adql_inside({ra}, {dec}, {region.text.sql(dialect='sqlite')})"
            return boxes.in_region(sky, region.constant, test), True
        if region.constant is not None:
            return boxes.near_region(sky, region.constant), False
        if region.moving is not None:
            edges = (_call("adql_edge", *region.moving, exp.Literal.number(i)) for i in range(len(EDGES)))
            return boxes.near_moving_cap(sky, [edge.sql(dialect="sqlite") for edge in edges]), False
        return None, False

    def _sky_of(self, here: Place | exp.Expr) -> tuple[str, Sky] | None:
        """Return alias and index of the table whose rows lie where a place or a footprint says."""
        if isinstance(here, Place):
            ra, dec = self._finder(here.ra), self._finder(here.dec)
            if ra is None or dec is None or ra[0] != dec[0] or (ra[1], dec[1]) != (ra[2].ra, ra[2].dec):
                return None
            return ra[0], ra[2]
        found = self._finder(here)
        return (found[0], found[2]) if found is not None and found[1] == found[2].region else None

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
        if any(number is not None and not math.isfinite(number) for number in numbers):
            raise QueryError(f"{_shown(node)}: its numbers are to be finite")
        if all(number is not None for number in numbers):
            return _fixed(_parsed(f"{name} {system or 'ICRS'} {' '.join(map(repr, numbers))}", node))
        if system not in _ICRS:
            raise QueryError(f"{_shown(node)}: columns are ICRS here; only constants are turned from {system}")
        text = _call("adql_shape", exp.Literal.string(name), *flat)
        return Region(text, None, (flat[0], flat[1], flat[2]) if name == "CIRCLE" else None)


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


def _among(sky: tuple[str, Sky], rows: str) -> exp.Expr:
    """Return the condition that a row of a table is one of those that the index gives."""
    alias, index = sky
    return exp.In(this=exp.column(index.key, table=alias, quoted=True), query=exp.Subquery(this=exp.Var(this=rows)))


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
