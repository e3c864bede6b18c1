"""Conditions on the index of places (`tessellar.server.sphere`), in SQL of our own.

Of a row, the index has the box in the space of unit vectors that holds its
position and its footprint. So a box tells of most rows at once that they lie
in a circle or polygon, or outside; only those along the rim are looked at closely.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tessellar.mission import SkyRegion
from tessellar.mission.shapes import Array, Circle, Polygon
from tessellar.server.sphere import EDGES, cap_box
from tessellar.server.tap.model import Sky

# A cap that is wider leaves too few rows out for its box to be worth looking at.
_WIDEST = 60.0
# Within such a polygon, all that its box holds lies on the same side of the sphere.
_PLAIN = 45.0
_MOST_SIDES = 64
_SURE = 1e-12  # of unit vectors; more than rounding makes
_ROWS = 'SELECT "box"."row"'
_LOW, _HIGH = EDGES[::2], EDGES[1::2]


def near_cap(sky: Sky, ra: float, dec: float, radius: float) -> str | None:
    """Return the rows whose boxes meet that of a cap (degrees), as a subquery; None if that is of no use."""
    if radius > _WIDEST:
        return None
    return _rows(sky, list(map(repr, cap_box(ra, dec, radius))))


def near_moving_cap(sky: Sky, edges: Sequence[str]) -> str:
    """Return the rows whose boxes meet another one, of which the edges are worked out for each row of another table."""
    return _rows(sky, edges)


def near_region(sky: Sky, region: SkyRegion) -> str | None:
    """Return the rows whose boxes a region may touch: all that it touches, and a few more."""
    edges = _edges(region)
    return None if edges is None else _rows(sky, edges, *_perhaps(region))


def in_region(sky: Sky, region: SkyRegion, exact: str) -> str | None:
    """Return the rows whose positions lie in a region; `exact` decides about those at its rim."""
    edges = _edges(region)
    if edges is None:
        return None
    perhaps, core, surely = _perhaps(region), _core(region), " AND ".join(_surely(region))
    test = f"({surely} OR {exact})" if surely else exact
    # Most rows lie about the middle, and one look at them is enough.
    return _rows(sky, edges, *([f"({core} OR ({' AND '.join([*perhaps, test])}))"] if core else [*perhaps, test]))


def position(name: str) -> str:
    """Return how `exact` of `in_region` names the right ascension or declination of a row, ``ra`` or ``dec``."""
    return f'"box"."{name}"'


def moves(rows: str) -> bool:
    """Tell whether rows, as the functions here return them, are other ones for each row of another table."""
    return "adql_edge(" in rows


def with_places(sky: Sky, rows: str) -> str:
    """Make rows, as the functions here return them, a table with their key and position."""
    columns = (f'"box"."{part}" AS "{name}"' for part, name in (("row", sky.key), ("ra", sky.ra), ("dec", sky.dec)))
    return f"SELECT {', '.join(columns)}{rows.removeprefix(_ROWS)}"


def _rows(sky: Sky, edges: Sequence[str], *tests: str) -> str:
    x_low, x_high, y_low, y_high, z_low, z_high = edges
    meets = (f'"box"."x_high" >= {x_low}', f'"box"."x_low" <= {x_high}', f'"box"."y_high" >= {y_low}',
             f'"box"."y_low" <= {y_high}', f'"box"."z_high" >= {z_low}', f'"box"."z_low" <= {z_high}')  # fmt: skip
    where = "temp" if sky.index.startswith("upload_") else "main"
    return f'{_ROWS} FROM {where}."{sky.index}" AS "box" WHERE {" AND ".join((*meets, *tests))}'


def _edges(region: SkyRegion) -> list[str] | None:
    (ra, dec), radius = region.cap
    if radius > _WIDEST or not region.shapes:
        return None
    if any(isinstance(shape, Circle) for shape in region.shapes):
        return list(map(repr, cap_box(ra, dec, radius)))
    # The box of what the polygons really fill: that of a circle around a square is twice as large.
    boxes = [shape.box for shape in region.shapes if isinstance(shape, Polygon)]
    low = np.min([each for each, _ in boxes], axis=0) - _SURE
    high = np.max([each for _, each in boxes], axis=0) + _SURE
    return [repr(float(edge)) for pair in zip(low, high, strict=True) for edge in pair]


def _polygon(region: SkyRegion) -> Polygon | None:
    if region.kind != "polygon" or len(region.shapes) != 1 or region.cap[1] > _PLAIN:
        return None
    (shape,) = region.shapes
    return shape if isinstance(shape, Polygon) and len(shape.corners) <= _MOST_SIDES else None


def _perhaps(region: SkyRegion) -> list[str]:
    """Return conditions on a box that hold if anything in it lies in the region."""
    polygon = _polygon(region)
    return [] if polygon is None else [f"{side} >= {-_SURE}" for side in _heights(_spread(polygon.hull), furthest=True)]


def _core(region: SkyRegion) -> str:
    """Return a condition on a box that holds only if all of it lies in a cap about the middle of a polygon.

    A cap on the inner side of all sides is in the kernel of the polygon, and so in it.
    """
    polygon = _polygon(region)
    if polygon is None:
        return ""
    middle = polygon.moment / np.linalg.norm(polygon.moment)
    depth = float((polygon.normals @ middle).min())  # the sine of the radius
    if depth <= 0:
        return ""
    (height,) = _heights(middle[None], furthest=False)
    return f"{height} >= {(1 - depth**2) ** 0.5 + _SURE!r}"


def _spread(normals: Array) -> Array:
    """Put those that differ most first: what lies outside of a polygon is then soon seen to do so."""
    order = [0] if len(normals) else []
    while len(order) < len(normals):
        nearest = (normals @ normals[order].T).max(axis=1)
        nearest[order] = np.inf
        order.append(int(np.argmin(nearest)))
    return normals[order]


def _surely(region: SkyRegion) -> list[str]:
    """Return conditions on a box that hold only if all of it lies in the region.

    What is on the inner side of all sides of a polygon is in its kernel, and so in it.
    """
    circle = region.shapes[0]
    if region.kind == "circle" and isinstance(circle, Circle):
        squares = []
        for low, high, part in zip(_LOW, _HIGH, circle.middle.tolist(), strict=True):
            sides = (f'("box"."{edge}" - ({part!r}))' for edge in (low, high))
            squares.append("max(" + ", ".join(f"{side} * {side}" for side in sides) + ")")
        return [f"{' + '.join(squares)} < {float(2 * np.sin(circle.radius / 2)) ** 2 - _SURE!r}"]
    polygon = _polygon(region)
    return [] if polygon is None else [f"{side} >= {_SURE}" for side in _heights(polygon.normals, furthest=False)]


def _heights(normals: Array, *, furthest: bool) -> Iterator[str]:
    """Give how far the highest (or lowest) corner of a box lies above each of some planes."""
    for normal in normals.tolist():
        edges = (high if (part > 0) == furthest else low for low, high, part in zip(_LOW, _HIGH, normal, strict=True))
        yield " + ".join(f'({part!r}) * "box"."{edge}"' for part, edge in zip(normal, edges, strict=True))
