"""Whatever the index of places leaves out or lets through, the answer is that of the region itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import numpy as np
import pytest

from tessellar import Field, SkyRegion
from tessellar.mission.shapes import Polygon, lattice, positions, unit_vectors
from tessellar.server.filling import insert_observations
from tessellar.server.regions import circle
from tessellar.server.schema import make_ready
from tessellar.server.tap.functions import add_functions
from tessellar.server.tap.statement import translate
from tessellar.server.tap.tables import catalogue

STARS = 1500
POINT = "POINT('ICRS', s_ra, s_dec)"


@pytest.fixture(scope="module")
def sky() -> Iterator[sqlite3.Connection]:
    """Stars all over the sky, and rows 1 to 6 of which something is missing or strange."""
    ra, dec = positions(lattice(np.array([0.0, 0.0, 1.0]), np.pi, STARS)[0])
    rows = [
        {"obs_id": str(i), "s_ra": float(a), "s_dec": float(d), "s_region": circle(float(a), float(d))}
        for i, (a, d) in enumerate(zip(ra, dec, strict=True))
    ]
    rows[1] |= {"s_ra": None}
    rows[2] |= {"s_ra": None, "s_dec": None, "s_region": None}
    rows[3] |= {"s_region": None}  # it is not in the index, and so nowhere
    rows[4] |= {"s_region": circle(10.0, 20.0)}  # far from its position
    rows[5] |= {"s_region": circle(10.0, 20.0, 30.0)}
    connection = sqlite3.connect(":memory:", isolation_level=None)
    make_ready(connection, ":memory:")
    insert_observations(connection.cursor(), rows, 1)
    add_functions(connection)
    yield connection
    connection.close()


def random_regions() -> Iterator[SkyRegion]:
    random = np.random.default_rng(5)
    yield SkyRegion.of_field(Field(1, 1, 1), 4)
    yield SkyRegion.parse("POLYGON 350 -30 10 -30 10 30 350 30")
    yield SkyRegion.parse("POLYGON 0 80 90 80 180 80 270 80")
    yield SkyRegion.parse("CIRCLE 0 90 5")
    yield SkyRegion.parse("CIRCLE 100 -20 100")
    yield SkyRegion.parse("UNION (CIRCLE 10 20 3 POLYGON 40 40 50 40 50 50)")
    for scale in (2.0, 12.0, 40.0, 58.0):
        for corners in (3, 4, 7, 20):
            middle = unit_vectors(360 * random.random(), np.degrees(np.arcsin(random.uniform(-1, 1))))
            east = np.cross(middle, [0.3, 0.4, 0.86])
            east /= np.linalg.norm(east)
            turn = 2 * np.pi * (np.arange(corners) + random.random(corners) * 0.8) / corners
            reach = np.radians(scale * random.uniform(0.4, 1.0, corners))
            aside = np.cos(turn)[:, None] * east + np.sin(turn)[:, None] * np.cross(middle, east)
            yield SkyRegion.polygon(*positions(np.cos(reach)[:, None] * middle + np.sin(reach)[:, None] * aside))
            yield SkyRegion.circle(*(float(part) for part in positions(middle)), scale / corners)


@pytest.mark.parametrize("region", list(random_regions()), ids=lambda region: f"{region.kind}-{region.area:.0f}")
def test_rows_are_those_of_the_region_itself(sky: sqlite3.Connection, region: SkyRegion) -> None:
    def found(condition: str) -> set[str]:
        sql = translate(f"SELECT obs_id FROM dbo.obspointing WHERE {condition}", catalogue()).sql
        return {str(name) for (name,) in sky.execute(sql)}

    region = SkyRegion.parse(region.to_stcs())
    places = sky.execute("SELECT obs_id, s_ra, s_dec FROM observations WHERE s_ra IS NOT NULL").fetchall()
    names, ra, dec = zip(*places, strict=True)
    inside = set(np.array(names)[region.contains(ra, dec)].tolist()) - {"3"}
    shape = region.to_adql() if region.kind != "union" else f"REGION('{region.to_stcs()}')"
    contains = f"CONTAINS({POINT}, {shape})"
    assert found(f"{contains} = 1") - {"3"} == inside
    assert found(f"NOT ({contains} = 1)") - {"3"} == set(names) - inside - {"3"}
    assert found(f"0 = {contains}") - {"3"} == set(names) - inside - {"3"}

    # Where nothing but places is asked, the index alone answers; of row 3 it knows nothing.
    def rows(query: str) -> list[tuple[float, ...]]:
        return sky.execute(translate(query, catalogue()).sql).fetchall()

    of_places = dict(zip(names, zip(ra, dec, strict=True), strict=True))
    wanted = sorted(of_places[name] for name in inside)
    assert rows(f"SELECT COUNT(*) FROM dbo.obspointing WHERE {contains} = 1") == [(len(inside),)]
    assert sorted(rows(f"SELECT s_ra, s_dec FROM dbo.obspointing AS o WHERE 1 = {contains}")) == wanted
    north = sum(each > 0 for _, each in wanted)
    assert rows(f"SELECT COUNT(s_ra) FROM obspointing WHERE ({contains} = 1 AND s_dec > 0)") == [(north,)]

    footprints = sky.execute("SELECT obs_id, s_region FROM observations WHERE s_region IS NOT NULL").fetchall()
    if region.area < 3000:
        some = footprints[:100]
        meeting = {name for name, text in some if region.intersects(SkyRegion.parse(text))}
        few = "CAST(obs_id AS INT) < 102"
        meets = f"INTERSECTS(s_region, {shape})"
        assert found(f"{meets} = 1 AND {few}") == meeting
        assert found(f"NOT ({meets} = 1) AND {few}") == {name for name, _ in some} - meeting


def test_only_the_index_is_read_where_nothing_but_places_is_asked() -> None:
    region = SkyRegion.of_field(Field(1, 1, 1), 4).to_adql()
    inside = f"CONTAINS({POINT}, {region}) = 1"

    def reads_the_table(query: str) -> bool:
        return "main.observations " in translate(query, catalogue()).sql.replace(")", " ")

    assert not reads_the_table(f"SELECT COUNT(*) FROM dbo.obspointing WHERE {inside}")
    assert not reads_the_table(f"SELECT AVG(s_dec) FROM ivoa.obscore WHERE s_ra < 330 AND ({inside})")
    for query in (
        f"SELECT COUNT(target_name) FROM dbo.obspointing WHERE {inside}",
        f"SELECT COUNT(*) FROM dbo.obspointing_tess WHERE {inside}",
        f"SELECT COUNT(*) FROM dbo.obspointing WHERE {inside} OR s_dec > 80",
        f"SELECT COUNT(*) FROM dbo.obspointing WHERE NOT ({inside})",
        f"SELECT COUNT(*) FROM dbo.obspointing WHERE {inside} AND t_exptime = 20",
    ):
        assert reads_the_table(query), query


def test_places_near_those_of_another_table_are_counted(sky: sqlite3.Connection) -> None:
    near = "CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', o.s_ra, o.s_dec, 6)) = 1"
    counted = "SELECT o.obs_id FROM dbo.obspointing AS o WHERE EXISTS (SELECT s_ra FROM dbo.obspointing AS p WHERE "
    query = counted + near.replace("s_ra, s_dec)", "p.s_ra, p.s_dec)", 1) + " AND p.s_ra > o.s_ra) AND o.s_dec > 85"
    found = {name for (name,) in sky.execute(translate(query, catalogue()).sql)}
    places = sky.execute("SELECT obs_id, s_ra, s_dec FROM observations WHERE s_ra IS NOT NULL").fetchall()
    names, ra, dec = (np.array(each) for each in zip(*places, strict=True))
    told = names != "3"
    expected = {
        name
        for name, a, d in places
        if d > 85 and (SkyRegion.circle(a, d, 6).contains(ra, dec) & (ra > a) & told).any()
    }
    assert found == expected != set()


def test_the_box_and_the_hull_of_a_polygon_hold_it_tightly() -> None:
    for region in random_regions():
        for shape in region.shapes:
            if not isinstance(shape, Polygon) or shape.cap[1] >= np.pi / 2:
                continue
            points = lattice(shape.cap[0], shape.cap[1], 3000)[0]
            inside = np.vstack([points[shape.contains(points)], shape.outline(0.004)])
            low, high = shape.box
            assert (low <= inside.min(axis=0) + 1e-12).all()
            assert (high >= inside.max(axis=0) - 1e-12).all()
            assert np.abs(low - inside.min(axis=0)).max() < 1e-2
            assert np.abs(high - inside.max(axis=0)).max() < 1e-2
            assert (inside @ shape.hull.T).min() > -1e-12
            assert np.abs((shape.corners @ shape.hull.T).min(axis=0)).max() < 1e-12  # each side touches corners
