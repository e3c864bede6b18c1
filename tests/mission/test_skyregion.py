"""Regions of the sky: as archives write them, and what lies inside."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessellar import Field
from tessellar.errors import InputError
from tessellar.mission import SkyRegion, footprint, get_sector
from tessellar.mission.ccd import FIRST_COLUMN, FIRST_ROW, LAST_COLUMN, LAST_ROW, ccd_plane
from tessellar.mission.shapes import Polygon, angles, lattice, positions, unit_vectors

SECTOR_1 = "330.343765 -44.336318 324.663797 -33.277719 337.720578 -28.384567 344.128621 -38.561643"


def frame_at(middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    axis = np.eye(3)[np.argmin(np.abs(middle))]
    east = np.cross(axis, middle)
    east /= np.linalg.norm(east)
    return east, np.cross(middle, east)


def around(middle: np.ndarray, distance: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Vectors at some distances (radians) and directions from a middle."""
    east, north = frame_at(middle)
    side = np.cos(turn)[:, None] * east + np.sin(turn)[:, None] * north
    return np.cos(distance)[:, None] * middle + np.sin(distance)[:, None] * side


def some_middle(rng: np.random.Generator, number: int) -> np.ndarray:
    """A direction: every fourth near a pole, every fourth near right ascension 0."""
    if number % 4 == 0:
        middle = np.array([0.02 * rng.normal(), 0.02 * rng.normal(), rng.choice([-1.0, 1.0])])
    elif number % 4 == 1:
        middle = unit_vectors(0.5 * rng.normal(), rng.uniform(-80, 80))
    else:
        middle = rng.normal(size=3)
    return middle / np.linalg.norm(middle)


def some_polygon(rng: np.random.Generator, number: int) -> tuple[np.ndarray, float, np.ndarray]:
    """Middle, reach (radians) and corners of a star-shaped polygon; every fifth of them a sliver."""
    middle = some_middle(rng, number)
    count = int(rng.integers(3, 12))
    reach = np.radians(10 ** rng.uniform(-1, 1.7))
    turn = np.sort(rng.uniform(0, 2 * np.pi, count))
    distance = reach * rng.uniform(0.3, 1.0, count)
    corners = around(middle, distance, turn)
    if number % 5 == 4:
        corners = around(
            middle, reach * np.array([1, 1e-6, 1, 1e-6]), np.array([0.3, 0.3 + np.pi / 2, 0.3 + np.pi, 5.0])
        )
    return middle, reach, corners


@pytest.mark.parametrize(
    "text",
    [
        f"POLYGON {SECTOR_1}",
        f"POLYGON {SECTOR_1} 330.343765 -44.336318",
        f"POLYGON ICRS {SECTOR_1}",
        f"POLYGON J2000 {SECTOR_1}",
        f"POLYGON GSC1  {SECTOR_1.replace(' ', '  ')}",
        f"polygon icrs geocenter {SECTOR_1.replace(' ', ', ')}",
        "POLYGON " + " ".join(SECTOR_1.split()[i + j] for i in (6, 4, 2, 0) for j in (0, 1)),  # the other way round
        f"UNION ICRS (POLYGON {SECTOR_1})",
        f"UNION ICRS TOPOCENTER ( POLYGON {SECTOR_1} CIRCLE 334.1 -36.3 0.1 )",
        f"POLYGON {SECTOR_1} CIRCLE 334.1 -36.3 0.1",
        f"INTERSECTION (POLYGON {SECTOR_1} CIRCLE 334.1 -36.3 90)",
        f"NOT (NOT (POLYGON {SECTOR_1}))",
    ],
)
def test_every_spelling_of_a_footprint_means_the_same(text: str) -> None:
    region = SkyRegion.parse(text)
    ra, dec = np.array([334.1, 330.0, 340.0, 320.0, 334.1, 154.1]), np.array([-36.3, -40.0, -36.0, -36.0, -20.0, 36.3])
    assert region.contains(ra, dec).tolist() == [True, True, True, False, False, False]
    # Counted areas are as good as their 200,000 points over the whole sky allow.
    assert region.area == pytest.approx(141.474, rel=0.03 if region.kind in ("not", "intersection", "union") else 1e-4)


def test_frames_are_turned_into_icrs() -> None:
    assert SkyRegion.parse("CIRCLE GALACTIC 0 0 0.01").contains(266.40499, -28.93617)
    assert SkyRegion.parse("CIRCLE ECLIPTIC 90 0 0.01").contains(90.0, 23.43928)
    assert SkyRegion.parse("UNION GALACTIC (CIRCLE 0 0 0.01 CIRCLE 180 0 0.01)").contains(266.40499, -28.93617)
    # A frame that nobody knows is ICRS, as archives mean it.
    assert SkyRegion.parse("CIRCLE FOO 10 20 1") == SkyRegion.circle(10, 20, 1)


def test_boxes_and_ranges() -> None:
    box = SkyRegion.parse("BOX ICRS 10 60 10 10")
    # Half the width along the great circle through the centre, not along the parallel.
    edge = np.degrees(np.arctan2(np.tan(np.radians(5)), np.cos(np.radians(60))))
    height = np.degrees(np.arcsin(np.cos(np.radians(5)) * np.sin(np.radians(60))))
    assert box.contains([10 + edge - 0.01, 10 + edge + 0.01, 10, 10], [height, height, 64.99, 65.01]).tolist() == [
        True, False, True, False,
    ]  # fmt: skip
    wide = SkyRegion.parse("RANGE 350 10 -5 5")
    assert wide.contains([359.0, 5.0, 11.0, 180.0], [0.0, -4.9, 0.0, 0.0]).tolist() == [True, True, False, False]
    assert wide.box[0] == ((pytest.approx(350), 360.0), (0.0, pytest.approx(10)))
    band = SkyRegion.parse("RANGE 0 360 60 90")
    assert band.area == pytest.approx(2 * np.pi * (1 - np.sin(np.radians(60))) * (180 / np.pi) ** 2, rel=0.01)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty region"),
        ("POLYGON 1 2 3 4", "at character 1 has 4 numbers"),
        ("POLYGON 1 2 3 4 1 2", "2 different corners"),
        ("CIRCLE 1 2", "has 2 numbers: it takes 3 numbers"),
        ("CIRCLE 1 95 2", "position 1 95 is not on the sky"),
        ("CIRCLE 1 5 -2", "radius -2"),
        ("CIRCLE 1 nan 2", "has 1 numbers"),
        ("CIRCLE 1 2 3 HELLO 4", "found 'HELLO 4' at character 14, where one of CIRCLE"),
        ("UNION ICRS CIRCLE 1 2 3", "where ( after UNION should be"),
        ("UNION (CIRCLE 1 2 3", "found the end at character 20, where ) should be"),
        ("NOT (CIRCLE 1 2 3 CIRCLE 4 5 6)", "NOT (…) of one region"),
        ("POLYGON 1-2 3 4 5 6", "found '1-2 3 4 5 6' at character 9"),
        ("CIRCLE 1 2 3)", "found ')' at character 13"),
        ("POLYGON 0 0 180 0 90 5", "opposite each other"),
        ("POLYGON 0 0 10 0 20 0", "without area"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("(", r"\(").replace(")", r"\)")):
        SkyRegion.parse(text)


@given(
    st.lists(st.tuples(st.floats(0, 359.99), st.floats(-80, 80), st.floats(0.01, 40)), min_size=1, max_size=4),
    st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_what_is_written_reads_back(circles: list[tuple[float, float, float]], turned: bool) -> None:
    region = SkyRegion.circle(*circles[0])
    for circle in circles[1:]:
        region |= SkyRegion.circle(*circle)
    if turned:
        region = SkyRegion("not", (region,))
    again = SkyRegion.parse(str(region))
    assert again == region
    points = lattice(np.array([0.0, 0.0, 1.0]), np.pi, 500)[0]
    assert (again.contains(*positions(points)) == region.contains(*positions(points))).mean() > 0.99


def check_against_oracles(count: int, points: int, seed: int) -> None:
    from astropy import units
    from astropy.coordinates import Latitude, Longitude, SkyCoord
    from mocpy import MOC
    from spherical_geometry.polygon import SphericalPolygon

    rng = np.random.default_rng(seed)
    inside = 0
    for number in range(count):
        middle, reach, corners = some_polygon(rng, number)
        round_one = number % 3 == 2
        radius = reach * 0.6
        region = (
            SkyRegion.circle(*map(float, positions(middle)), np.degrees(radius))
            if round_one
            else SkyRegion.polygon(*positions(corners[:: rng.choice([-1, 1])]))
        )
        vectors = around(middle, reach * 1.2 * np.sqrt(rng.random(points)), rng.uniform(0, 2 * np.pi, points))
        ra, dec = positions(vectors)
        found = region.contains(ra, dec)
        inside += int(found.sum())
        depth = int(np.clip(np.ceil(np.log2(60 / np.degrees(reach))) + 6, 6, 14))
        if round_one:
            lon, lat = positions(middle)
            moc = MOC.from_cone(Longitude(lon, "deg"), Latitude(lat, "deg"), radius=radius * units.rad, max_depth=depth)
            away = np.abs(angles(vectors, middle) - radius)
        else:
            moc = MOC.from_polygon_skycoord(SkyCoord(*positions(corners), unit="deg"), max_depth=depth)
            outline = np.concatenate([shape.outline(reach / 300) for shape in region.shapes])
            away = None
        there = moc.contains_lonlat(Longitude(ra, "deg"), Latitude(dec, "deg"))
        cell = np.radians(58.6 / 2**depth) * 2
        for i in np.flatnonzero(there != found):
            near = away[i] if away is not None else angles(outline, vectors[i]).min()
            assert near < cell + reach / 300, f"region {number}: {ra[i]} {dec[i]}"
        if not round_one and found.any():
            polygon = region.shapes[0]
            depths = [polygon.distance_to_edge(vector) for vector in vectors[found][:50]]
            deepest = positions(vectors[found][int(np.argmax(depths))])  # it wants a point inside
            oracle = SphericalPolygon.from_radec(*positions(polygon.corners), center=tuple(map(float, deepest)))
            for i in rng.choice(points, 20, replace=False):
                if polygon.distance_to_edge(vectors[i]) > 1e-9:
                    assert oracle.contains_lonlat(ra[i], dec[i]) == found[i], f"region {number}: {ra[i]} {dec[i]}"
    assert inside > count * points / 10


def test_points_inside_agree_with_mocpy_and_spherical_geometry() -> None:
    check_against_oracles(20, 5_000, seed=3)


@pytest.mark.heavy
def test_200_regions_and_100_000_points_agree_with_mocpy_and_spherical_geometry() -> None:
    check_against_oracles(200, 100_000, seed=4)


def test_areas_and_centres_agree_with_counting() -> None:
    rng = np.random.default_rng(5)
    for number in range(20):
        middle, reach, corners = some_polygon(rng, number)
        region = SkyRegion.polygon(*positions(corners))
        points, each = lattice(middle, 1.1 * reach, 200_000)
        held = region.holds(points)
        assert held.sum() * each * (180 / np.pi) ** 2 == pytest.approx(region.area, rel=0.01, abs=reach**2)
        if held.sum() > 1000:
            assert angles(points[held].mean(axis=0), unit_vectors(*region.centre)) < 0.005 * reach


@given(st.floats(0, 360), st.floats(-90, 90), st.floats(0.01, 60), st.floats(0, 360), st.floats(-90, 90))
@settings(max_examples=100, deadline=None)
def test_boxes_hold_their_regions(ra: float, dec: float, radius: float, ra2: float, dec2: float) -> None:
    region = SkyRegion.circle(ra, dec, radius) | SkyRegion.parse(f"BOX {ra2} {dec2} 8 5")
    spans, (low, high) = region.box
    for shape in region.shapes:
        a, d = positions(shape.outline(0.02))
        a, d = a[1:], d[1:]
        slack = 1e-6
        assert ((d >= low - slack) & (d <= high + slack)).all()
        if np.abs(d).max() < 89.9:
            assert np.any([(a >= s - slack) & (a <= e + slack) for s, e in spans], axis=0).all()


def test_meeting_is_symmetric_and_exact() -> None:
    rng = np.random.default_rng(6)
    met = 0
    for number in range(60):
        middle, reach, corners = some_polygon(rng, number)
        other_middle = around(middle, np.array([reach * rng.uniform(0.5, 2.5)]), rng.uniform(0, 6.28, 1))[0]
        one = SkyRegion.polygon(*positions(corners))
        if number % 2:
            two = SkyRegion.circle(*map(float, positions(other_middle)), np.degrees(reach * 0.6))
        else:
            two = SkyRegion.polygon(*positions(around(other_middle, np.full(5, reach * 0.7), np.arange(5) * 1.2566)))
        points, _ = lattice(middle, min(np.pi, 1.05 * reach), 25_000)
        common = bool((one.holds(points) & two.holds(points)).any())
        assert one.intersects(two) == two.intersects(one)
        met += common
        if common:
            assert one.intersects(two), number
        elif one.intersects(two):  # then it must be a touch that counting misses
            assert angles(points[one.holds(points)][:, None], other_middle).min() < 1.1 * reach if number % 2 else True
    assert 15 < met < 55
    # Two strips that cross, with no corner of either in the other.
    across = SkyRegion.parse("POLYGON 355 -1 5 -1 5 1 355 1")
    along = SkyRegion.parse("POLYGON 359 -5 1 -5 1 5 359 5")
    assert across.intersects(along)
    assert not across.intersects(SkyRegion.parse("POLYGON 179 -5 181 -5 181 5 179 5"))
    assert across.intersects(SkyRegion.parse("NOT (CIRCLE 0 0 3)"))
    assert not across.intersects(SkyRegion.parse("NOT (CIRCLE 0 0 20)"))


def test_a_self_crossing_polygon_is_known_as_one() -> None:
    bow = SkyRegion.parse("POLYGON 0 0 10 10 10 0 0 10")
    assert not bow.shapes[0].simple
    assert bow.contains([2.0, 8.0, 5.0, 5.0], [5.0, 5.0, 1.0, 9.0]).tolist() == [False, False, False, False] or (
        bow.contains([2.0, 8.0], [5.0, 5.0]).all()
    )
    assert Polygon(unit_vectors([0, 10, 10, 0], [0, 0, 10, 10])).simple


def test_a_position_that_is_not_finite_lies_nowhere() -> None:
    everywhere = SkyRegion.parse("NOT (CIRCLE 0 0 1)")
    assert everywhere.contains([np.nan, 50.0], [0.0, 50.0]).tolist() == [False, True]
    assert everywhere.contains(50.0, 50.0).shape == ()


@pytest.mark.parametrize("field", [Field(1, 1, 2), Field(1, 4, 2), Field(26, 4, 1), Field(60, 2, 3), Field(95, 3, 4)])
def test_footprints_follow_the_edge_of_the_ccd(field: Field) -> None:
    check_footprint(field)


@pytest.mark.heavy
def test_footprints_of_sectors_1_to_96_follow_the_edge_of_the_ccd() -> None:
    for sector in range(1, 97):
        for camera in range(1, 5):
            for ccd in range(1, 5):
                check_footprint(Field(get_sector(sector).number, camera, ccd))


def check_footprint(field: Field) -> None:
    fine, coarse = SkyRegion.of_field(field, 16), SkyRegion.polygon(*footprint(field))
    plane = ccd_plane(field)
    along = np.linspace(0, 1, 50)[1:-1]

    def ring(margin: float) -> tuple[np.ndarray, np.ndarray]:
        left, right = FIRST_COLUMN - 0.5 - margin, LAST_COLUMN + 0.5 + margin
        below, above = FIRST_ROW - 0.5 - margin, LAST_ROW + 0.5 + margin
        columns = np.concatenate([left + along * (right - left)] * 2 + [np.full(48, left), np.full(48, right)])
        rows = np.concatenate([np.full(48, below), np.full(48, above)] + [below + along * (above - below)] * 2)
        return plane.to_sky(columns, rows)

    assert not fine.contains(*ring(0.5)).any()
    assert fine.contains(*ring(-0.5)).all()
    assert not coarse.contains(*ring(10)).any()
    assert coarse.contains(*ring(-10)).all()
    assert fine.contains(*coarse.centre)


def test_a_million_points_are_few() -> None:
    turn = np.arange(20) * 2 * np.pi / 20
    region = SkyRegion.polygon(*positions(around(unit_vectors(10, 60), 0.2 + 0.05 * (-1.0) ** np.arange(20), turn)))
    points = positions(lattice(unit_vectors(10, 60), 0.4, 1_000_000)[0])
    started = time.perf_counter()
    region.contains(*points)
    # The line itself is watched in benchmarks; here only that it is not ten times off.
    assert time.perf_counter() - started < 3
