"""Places on the sky, held against astropy."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from tessellar.server.headers import read_headers
from tessellar.server.regions import circle, image_outline, separation, touches
from tessellar.server.sphere import cap_box, region_box
from tests.server.folder import FFI

ra = st.floats(0, 360)
dec = st.floats(-90, 90)


@given(ra, dec, ra, dec)
def test_separation(ra1, dec1, ra2, dec2):
    expected = SkyCoord(ra1, dec1, unit="deg").separation(SkyCoord(ra2, dec2, unit="deg")).deg
    assert separation(ra1, dec1, ra2, dec2) == pytest.approx(expected, abs=1e-9)


def _outline_of(path):
    found = image_outline(read_headers(path).first)
    assert found is not None
    return found


def _check_outline(path):
    region, centre_ra, centre_dec = _outline_of(path)
    with fits.open(path) as hdus:
        wcs, (rows, columns) = WCS(hdus[1].header), hdus[1].shape
    left = 0.5
    corners = [(left, 0.5), (columns + 0.5, 0.5), (columns + 0.5, rows + 0.5), (left, rows + 0.5), (left, 0.5)]
    expected = wcs.all_pix2world(corners, 1)
    found = np.array([float(word) for word in region.split()[1:]]).reshape(-1, 2)
    apart = SkyCoord(found, unit="deg").separation(SkyCoord(expected, unit="deg"))
    assert apart.max() < 0.01 * u.arcsec
    assert touches(region, centre_ra, centre_dec, 0)


def test_the_outline_of_an_image_is_that_of_its_wcs(folder):
    _check_outline(folder / FFI)


def test_the_outline_of_a_real_image(real_data):
    _check_outline(real_data / "backdrop_tess2018206192942-s0001-1-4-0120-s_ffic.fits")


POLE = "POLYGON 0 -85 90 -85 180 -85 270 -85 0 -85"
ACROSS = "POLYGON 355 -5 5 -5 5 5 355 5"
BACKWARDS = "POLYGON ICRS 355 5 5 5 5 -5 355 -5"


@pytest.mark.parametrize(
    ("region", "place", "radius", "expected"),
    [
        (POLE, (123, -89), 0, True), (POLE, (123, -80), 0, False), (POLE, (45, -83), 3.3, False),
        (POLE, (45, -83), 3.6, True),
        (ACROSS, (0, 0), 0, True), (ACROSS, (359, 4), 0, True), (ACROSS, (180, 0), 0, False),
        (ACROSS, (7, 0), 1.9, False), (ACROSS, (7, 0), 2.1, True), (ACROSS, (6, 6), 1.3, False),
        (ACROSS, (6, 6), 1.5, True), (BACKWARDS, (0, 0), 0, True), (BACKWARDS, (7, 0), 1.9, False),
        (circle(10, 20, 1), (10, 21.5), 0.4, False), (circle(10, 20, 1), (10, 21.5), 0.6, True),
        ("CIRCLE ICRS 10 20 1", (10, 20.5), 0, True), ("NONSENSE 1 2 3", (1, 2), 10, False),
        ("POLYGON 1 2", (1, 2), 10, False), ("", (1, 2), 10, False),
    ],
)  # fmt: skip
def test_a_cone_touches_a_footprint(region, place, radius, expected):
    assert touches(region, *place, radius) is expected


@given(ra, dec, st.floats(0, 179), ra, dec, st.floats(0, 120))
def test_what_a_cone_touches_has_a_box_that_overlaps_its_own(ra1, dec1, size, ra2, dec2, radius):
    region = circle(ra1, dec1, size)
    if touches(region, ra2, dec2, radius):
        box, cone = region_box(region), cap_box(ra2, dec2, radius)
        assert box is not None
        assert all(box[i] <= cone[i + 1] and cone[i] <= box[i + 1] for i in (0, 2, 4))


@pytest.mark.parametrize("region", [POLE, ACROSS, BACKWARDS])
def test_the_box_of_a_polygon_holds_its_corners(region):
    box = region_box(region)
    assert box is not None
    numbers = [float(word) for word in region.split() if not word.isalpha()]
    for place in zip(numbers[::2], numbers[1::2], strict=True):
        x = SkyCoord(*place, unit="deg").cartesian.xyz.value
        assert all(box[2 * i] <= x[i] <= box[2 * i + 1] for i in range(3))


def test_the_box_of_what_is_no_footprint_is_none():
    assert region_box("UNION ICRS") is None
