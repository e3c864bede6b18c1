"""Stars on the CCD: where catalogues put them, at the poles and across right ascension 0 too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table
from hypothesis import given
from hypothesis import strategies as st

from tessellar import Field, read
from tessellar.errors import InputError
from tessellar.mission.ccd import ccd_plane
from tessellar.mission.tangent import Plane
from tessellar.pixels import FrameStack, StarField
from tessellar.pixels.stars import move
from tessellar.products import FullFrameImage
from tests.pixels.skyframes import FIELD, write_frame

SCALE = 21 / 3600


def plane_at(ra: float, dec: float, roll: float = 0.0) -> Plane:
    c, s = np.cos(np.radians(roll)) * SCALE, np.sin(np.radians(roll)) * SCALE
    bend = np.zeros((3, 3))
    bend[2, 0], bend[0, 2] = 1.5e-5, -1e-5
    return Plane((ra, dec), (1069.0, 1024.0), np.array([[-c, s], [s, c]]), (1069.0, 1024.0), bend, bend.T)


@given(
    ra=st.one_of(st.floats(0, 360), st.floats(-0.01, 0.01).map(lambda x: x % 360)),
    dec=st.one_of(st.floats(-90, 90), st.floats(89.5, 90), st.floats(-90, -89.5)),
    roll=st.floats(0, 360),
    seed=st.integers(0, 10**6),
)
def test_every_star_of_the_footprint_is_found_in_its_place(ra: float, dec: float, roll: float, seed: int) -> None:
    plane = plane_at(ra, dec, roll)
    rng = np.random.default_rng(seed)
    column, row = rng.uniform(45, 2092, 60), rng.uniform(1, 2048, 60)
    star_ra, star_dec = plane.to_sky(column, row)
    # Beside them, stars all over the sky.
    sky_ra, sky_dec = rng.uniform(0, 360, 300), np.degrees(np.arcsin(rng.uniform(-1, 1, 300)))
    catalog = {
        "ID": np.arange(360) + 1,
        "ra": np.concatenate([star_ra, sky_ra]),
        "dec": np.concatenate([star_dec, sky_dec]),
        "Tmag": np.full(360, 12.0),
    }
    stars = StarField.place(catalog, plane, epoch=1500.0, margin=0)
    ours = {int(tic): i for i, tic in enumerate(stars.tic)}
    assert set(range(1, 61)) <= set(ours) or (stars.entries > 1).any()
    for number in range(60):
        if number + 1 in ours:
            index = ours[number + 1]
            assert abs(stars.column[index] - column[number]) < 1e-3
            assert abs(stars.row[index] - row[number]) < 1e-3
    # Whoever else was taken lies on the CCD, by another way of counting.
    centre = SkyCoord(*plane.to_sky(1069.0, 1024.0), unit="deg")
    others = stars.tic > 60
    away = SkyCoord(stars.ra[others], stars.dec[others], unit="deg").separation(centre).deg
    assert (away < 9.0).all()


@given(
    st.floats(0, 360), st.floats(-90, 90), st.floats(-5000, 5000), st.floats(-5000, 5000), st.floats(1300, 4000)
)  # fmt: skip
def test_proper_motion_goes_as_far_as_it_says(ra: float, dec: float, east: float, north: float, epoch: float) -> None:
    moved = SkyCoord(*move([ra], [dec], [east], [north], epoch), unit="deg")
    years = (epoch + 2457000 - 2451544.5) / 365.25
    start = SkyCoord([ra], [dec], unit="deg")
    assert start.separation(moved)[0].mas == pytest.approx(np.hypot(east, north) * years, abs=2)


@given(
    st.floats(0, 360), st.floats(-75, 75), st.floats(-3000, 3000), st.floats(-3000, 3000), st.floats(1300, 4000)
)  # fmt: skip
def test_proper_motion_is_the_usual_formula(ra: float, dec: float, east: float, north: float, epoch: float) -> None:
    t = (epoch + 2457000 - 2451544.5) / 365.25
    expected_dec = dec + t * north / 3.6e6
    expected_ra = ra + t * east / (3.6e6 * np.cos(np.radians(dec + t * north / 7.2e6)))
    moved = SkyCoord(*move([ra], [dec], [east], [north], epoch), unit="deg")
    usual = SkyCoord(expected_ra * u.deg, expected_dec * u.deg)
    assert moved[0].separation(usual).arcsec < 0.1  # a two-hundredth of a pixel


def test_positions_agree_with_astropys_proper_motion() -> None:
    from astropy.time import Time

    star = SkyCoord(
        269.452 * u.deg,
        4.6933 * u.deg,
        pm_ra_cosdec=-802.8 * u.mas / u.yr,
        pm_dec=10362.5 * u.mas / u.yr,
        distance=1.83 * u.pc,
        obstime=Time(2451544.5, format="jd"),
    )
    then = star.apply_space_motion(new_obstime=Time(2457000 + 2770.0, format="jd"))
    ra, dec = move([269.452], [4.6933], [-802.8], [10362.5], 2770.0)
    assert SkyCoord(ra, dec, unit="deg")[0].separation(then).arcsec < 0.05


@given(st.integers(0, 10**6))
def test_no_two_stand_within_a_tenth_of_a_pixel(seed: int) -> None:
    plane = ccd_plane(FIELD)
    rng = np.random.default_rng(seed)
    column, row = rng.uniform(500, 500.8, 40), rng.uniform(500, 500.8, 40)
    ra, dec = plane.to_sky(column, row)
    tmag = rng.uniform(8, 14, 40)
    stars = StarField.place({"ID": np.arange(40), "ra": ra, "dec": dec, "Tmag": tmag}, plane, epoch=1500.0)
    assert len(stars.pairs(0.0999)) == 0
    assert stars.entries.sum() == 40
    assert stars.tmag[0] == tmag.min()
    assert (np.diff(stars.tmag) >= 0).all()


def test_duplicates_keep_the_brighter_entry() -> None:
    plane = ccd_plane(FIELD)
    ra, dec = plane.to_sky([100.0, 100.05, 100.3], [200.0, 200.05, 200.0])
    stars = StarField.place({"tic": [1, 2, 3], "ra": ra, "dec": dec, "tmag": [9.0, 8.0, 12.0]}, plane, epoch=1500.0)
    assert (stars.tic.tolist(), stars.entries.tolist()) == ([2, 3], [2, 1])


def test_neighbours_by_distance_and_magnitude() -> None:
    plane = ccd_plane(FIELD)
    column, row = np.array([100.0, 102.0, 101.0, 100.0, 300.0]), np.array([200.0, 200.0, 201.0, 204.0, 200.0])
    ra, dec = plane.to_sky(column, row)
    stars = StarField.place(
        {"tic": [1, 2, 3, 4, 5], "ra": ra, "dec": dec, "tmag": [10.0, 11.0, 16.5, 12.0, 9.0]}, plane, epoch=1500.0
    )
    me = stars.index(1)
    found, distance = stars.neighbours(me, 5)
    assert stars.tic[found].tolist() == [3, 2, 4]
    np.testing.assert_allclose(distance, [2**0.5, 2, 4], atol=1e-3)
    assert stars.tic[stars.neighbours(me, 5, fainter_by=5)[0]].tolist() == [2, 4]
    assert stars.tic[stars.near(100.0, 203.0, 1.5)[0]].tolist() == [4]
    assert set(stars.within((199, 202), (95, 105)).tic) == {1, 2, 3}
    assert stars.flux()[stars.index(1)] == pytest.approx(10 ** (0.4 * 10.44))
    table = stars.to_table()
    assert table.colnames == ["tic", "tmag", "ra", "dec", "column", "row", "entries"]
    assert table["column"][0] == stars.column[0]
    with pytest.raises(InputError, match="TIC 77 is not among"):
        stars.index(77)


def test_catalogues_as_they_come() -> None:
    plane = ccd_plane(FIELD)
    ra, dec = plane.to_sky(np.arange(100.0, 700, 100), np.full(6, 50.0))
    table = Table({
        "ID": ["9007199254", "2", "3", "4", "5", "6"],
        "ra": ra, "dec": dec,
        "Tmag": MaskedColumn([10.0, 11, 12, 13, 14, 15], mask=[0, 1, 0, 0, 0, 0]),
        "pmRA": MaskedColumn([1.0] * 6, mask=[0, 0, 1, 0, 0, 0]), "pmDEC": [0.0] * 6,
        "disposition": ["", "", "SPLIT", "DUPLICATE", "ARTIFACT", ""],
    })  # fmt: skip
    stars = StarField.place(table, plane, epoch=1500.0, limit=14.5)
    assert stars.tic.tolist() == [9007199254, 3]


@pytest.mark.parametrize(
    ("catalog", "message"),
    [
        ({"ID": [], "ra": [], "dec": [], "Tmag": []}, "the catalogue is empty"),
        ({"ID": [1], "ra": [1.0], "Tmag": [1.0]}, "has no column dec"),
        ({"ID": ["a"], "ra": [1.0], "dec": [1.0], "Tmag": [1.0]}, "column ID of the catalogue holds no numbers"),
        ({"ID": [1], "ra": [1.0], "dec": [1.0], "Tmag": [1.0]}, "none of the 1 stars"),
    ],
)
def test_catalogues_that_are_none(catalog: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        StarField.place(catalog, ccd_plane(FIELD), epoch=1500.0)


def test_stars_of_a_stack_follow_its_reference_frame(tmp_path: Path) -> None:
    for number in range(3):
        write_frame(tmp_path, np.zeros((60, 80), "f4"), number, shift=(0.4, -0.3))
    stack = FrameStack.open(tmp_path)
    ra, dec = ccd_plane(FIELD).to_sky([70.0, 20.0, 500.0], [30.0, 20.0, 500.0])
    stars = StarField.of(stack, {"ID": [1, 2, 3], "ra": ra, "dec": dec, "Tmag": [9, 10, 8]}, margin=30)
    assert stars.tic.tolist() == [1, 2]
    np.testing.assert_allclose(stars.column, [70.4, 20.4], atol=0.01)
    np.testing.assert_allclose(stars.row, [29.7, 19.7], atol=0.01)


def test_the_missions_table_finds_real_stars(real_data: Path) -> None:
    frame = read(real_data / "backdrop_tess2018206192942-s0001-1-4-0120-s_ffic.fits")
    assert isinstance(frame, FullFrameImage)
    stack = FrameStack.open([frame.path])
    # The mission's table and the header of a real frame put the same star on the same pixel.
    ra, dec = stack.planes[0].to_sky([60.0, 100.0], [20.0, 100.0])
    stars = StarField.place(
        {"ID": [1, 2], "ra": ra, "dec": dec, "Tmag": [9, 10]}, ccd_plane(Field(1, 1, 4)), epoch=1325
    )
    np.testing.assert_allclose(stars.column, [60, 100], atol=0.5)
    np.testing.assert_allclose(stars.row, [20, 100], atol=0.5)
