"""Sectors, flags, time, and the CCDs on the sky."""

from __future__ import annotations

import bz2
import json
import logging
import time as clock
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessellar import Field
from tessellar.errors import InputError
from tessellar.mission import (
    MASKS,
    all_sectors,
    btjd_to_time,
    ccd_wcs,
    decode,
    flags_of,
    footprint,
    get_sector,
    good,
    locate,
    time_to_btjd,
)
from tessellar.mission.ccd import ccd_plane
from tessellar.mission.flags import SPOCQuality

fields = st.builds(
    Field, st.sampled_from([sector.number for sector in all_sectors()]), st.integers(1, 4), st.integers(1, 4)
)


def test_sectors_follow_each_other_and_special_ones_stand_apart():
    numbers = [sector.number for sector in all_sectors()]
    assert numbers[:108] == list(range(1, 109))
    assert 1751 in numbers
    for sector in all_sectors():
        assert 5 < sector.end - sector.start < 60
    assert [get_sector(n).ffi_cadence for n in (1, 26, 27, 55, 56, 108)] == [1800, 1800, 600, 600, 200, 200]
    assert get_sector(1751).ffi_cadence == 200
    assert get_sector(1).cadences == (120, 1800)
    assert get_sector(27).cadences == (20, 120, 600)
    assert (get_sector(1).start_utc, get_sector(1).end_utc) == ("2018-07-25T00:00:00", "2018-08-22T00:00:00")


def test_an_unknown_sector_says_where_the_table_ends():
    with pytest.raises(InputError, match=r"sector 5000 .* ends with 134"):
        get_sector(5000)


@given(fields, st.floats(45, 2092), st.floats(1, 2048))
def test_a_pixel_goes_to_the_sky_and_back(field, column, row):
    plane = ccd_plane(field)
    back = plane.to_pixel(*plane.to_sky(column, row))
    np.testing.assert_allclose(back, (column, row), atol=1e-3)


@given(fields, st.floats(60, 2077), st.floats(16, 2033))
def test_a_star_on_a_ccd_is_located_there(field, column, row):
    ra, dec = ccd_plane(field).to_sky(column, row)
    places = [place for place in locate(float(ra), float(dec), sectors=[field.sector]) if place.field == field]
    assert len(places) == 1
    np.testing.assert_allclose((places[0].column, places[0].row), (column, row), atol=1e-3)


@given(fields)
def test_astropy_s_wcs_is_the_same_projection(field):
    wcs = ccd_wcs(field)
    columns, rows = np.array([45.0, 1000.0, 2092.0]), np.array([1.0, 1500.0, 2048.0])
    ra, dec = wcs.all_pix2world(columns, rows, 1)
    np.testing.assert_allclose(ccd_plane(field).to_pixel(ra, dec), (columns, rows), atol=1e-3)


def test_all_sectors_are_searched_in_a_moment():
    locate(0.0, 0.0)
    started = clock.perf_counter()
    places = locate(63.37389, -69.226789)  # near the southern ecliptic pole: observed in most southern sectors
    assert clock.perf_counter() - started < 0.5
    assert len(places) > 30


def test_positions_off_the_sky_are_refused():
    with pytest.raises(InputError, match="sky"):
        locate(10.0, 91.0)
    with pytest.raises(InputError, match="sky"):
        locate(float("nan"), 0.0)


def test_a_footprint_encloses_its_ccd():
    ra, dec = footprint(Field(1, 1, 2))
    assert ra.shape == dec.shape == (4,)
    centre = ccd_plane(Field(1, 1, 2)).to_sky(1068.5, 1024.5)
    assert ra.min() < centre[0] < ra.max()
    assert dec.min() < centre[1] < dec.max()


COLUMNS, ROWS = (axis.ravel() for axis in np.meshgrid(np.linspace(45, 2092, 9), np.linspace(1, 2048, 9)))
CCDS = [(camera, ccd) for camera in range(1, 5) for ccd in range(1, 5)]


def off(field, sky):
    """Pixels between where our table and another one put COLUMNS and ROWS."""
    column, row = ccd_plane(field).to_pixel(*sky)
    return np.hypot(column - COLUMNS, row - ROWS)


def check_against_tesswcs(sector):
    tesswcs = pytest.importorskip("tesswcs")
    logging.getLogger("tesswcs").setLevel(logging.ERROR)
    for camera, ccd in CCDS:
        theirs = tesswcs.WCS.from_sector(sector, camera, ccd).all_pix2world(COLUMNS, ROWS, 1)
        assert off(Field(sector, camera, ccd), theirs).max() < 0.2, (sector, camera, ccd)


@pytest.mark.heavy
@pytest.mark.parametrize("sector", [1, 26, 60, 91, 109, 134, 1751])
def test_tesswcs_agrees(sector):
    check_against_tesswcs(sector)


@pytest.mark.heavy
def test_tesswcs_agrees_in_all_sectors_whose_images_have_its_reference_pixel():
    for sector in all_sectors():
        if not (sector.measured and sector.number > 91):
            check_against_tesswcs(sector.number)


@pytest.fixture(scope="module")
def solved():
    """What tesswcs read in the headers of one image of each CCD and sector."""
    tesswcs = pytest.importorskip("tesswcs")
    with bz2.open(Path(tesswcs.PACKAGEDIR) / "data" / "TESS_wcs_data.json.bz2", "rt") as data:
        return json.load(data)


@pytest.mark.parametrize("sector", [2, 56, 91, 92, 100, 108])
def test_the_headers_that_tesswcs_read_agree(solved, sector):
    """From sector 92 on, tesswcs itself is up to 3.4 pixels off these headers: their reference pixel is not its own."""
    from astropy.wcs import WCS, Sip

    for camera, ccd in CCDS:
        own = solved[str(sector)][str(camera)][str(ccd)]
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
        wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cd = own["crval0"], own["crpix0"], np.array(own["cd"])
        wcs.sip = Sip(*(np.array(own[f"sip_{name}"]) for name in ("a", "b", "ap", "bp")), own["crpix0"])
        left = off(Field(sector, camera, ccd), wcs.all_pix2world(COLUMNS, ROWS, 1))
        assert np.median(left) < 0.2, (sector, camera, ccd)
        assert np.percentile(left, 90) < 0.4, (sector, camera, ccd)


@given(fields)
def test_the_wcs_of_a_ccd_survives_a_fits_header(field):
    from astropy.wcs import WCS

    wcs = ccd_wcs(field)
    back = WCS(wcs.to_header(relax=True))
    there, again = wcs.all_pix2world(COLUMNS, ROWS, 1), back.all_pix2world(COLUMNS, ROWS, 1)
    np.testing.assert_allclose(again, there, atol=1e-7)


def test_the_wcs_of_a_real_full_frame_image_agrees(real_data):
    from astropy.io import fits
    from astropy.wcs import WCS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = fits.getheader(next(real_data.glob("backdrop_*ffic.fits")), 1)
        columns, rows = (axis.ravel() for axis in np.meshgrid(np.linspace(45, 173, 5), np.linspace(1, 128, 5)))
        sky = WCS(header).all_pix2world(columns, rows, 1)
    ours = ccd_plane(Field(1, 1, 4)).to_pixel(*sky)
    assert np.hypot(ours[0] - columns, ours[1] - rows).max() < 0.3


@pytest.mark.parametrize(
    "name",
    ["*25155310-0120-s_lc.fits", "*117544915-0120-s_lc.fits", "*188589164-0180-s_lc.fits", "test-lc-tess-pimen-*.fits"],
)
def test_the_wcs_of_real_stamps_agrees(real_data, name):
    from astropy.io import fits
    from astropy.wcs import WCS

    path = next(real_data.glob(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        star, stamp = fits.getheader(path, 0), fits.getheader(path, 2)
        column, row = WCS(stamp).all_world2pix(star["RA_OBJ"], star["DEC_OBJ"], 1)
    (place,) = locate(star["RA_OBJ"], star["DEC_OBJ"], sectors=[star["SECTOR"]])
    assert (place.field.camera, place.field.ccd) == (star["CAMERA"], star["CCD"])
    assert abs(place.column - (column + stamp["CRVAL1P"] - 1)) < 0.15
    assert abs(place.row - (row + stamp["CRVAL2P"] - 1)) < 0.15


@given(st.floats(1300.0, 8000.0))
def test_btjd_survives_the_way_through_time(btjd):
    assert abs(time_to_btjd(btjd_to_time(btjd)) - btjd) < 1e-9


def test_missing_times_stay_missing():
    days = time_to_btjd(btjd_to_time([1325.5, np.nan]))
    assert days[0] == 1325.5
    assert np.isnan(days[1])


def test_all_sixteen_bits_of_spoc_are_described():
    assert sorted(int(flag) for flag in SPOCQuality) == [1 << bit for bit in range(16)]
    assert all(flag.description for flag in SPOCQuality)
    assert SPOCQuality.Argabrightening == 16
    assert SPOCQuality.Discontinuity == 256


def test_authors_have_flags_of_their_own():
    assert decode(4096, "SPOC") != decode(4096, "QLP")
    assert flags_of("nobody") is SPOCQuality
    assert decode(4096, "QLP", 24) == decode(1 << 30, "QLP", 60) == ["low precision, as judged by QLP"]
    assert decode(4096, "QLP", 60) == decode(4096, "SPOC")
    assert decode(1 << 17, "eleanor") != ["undocumented bit 131072"]
    assert decode(1, "TASOC-CORRECTIONS") != decode(1, "TASOC")
    assert decode(1 << 20) == ["undocumented bit 1048576"]
    assert decode(0) == []


def test_the_default_mask_keeps_what_is_only_reported():
    assert MASKS["default"] == 1 | 2 | 4 | 8 | 16 | 32 | 128 | 512 | 16384
    assert good([0, 64, 4096, 32, 1 << 14]).tolist() == [True, True, True, False, False]
    assert good([64], "none").tolist() == [True]
    assert good([]).tolist() == []


@pytest.mark.parametrize("dtype", ["u1", "i2", ">i2", "i4", ">i4", "i8"])
@pytest.mark.parametrize("mask", [*MASKS, 1])
def test_masks_hold_for_every_width_of_integers(dtype, mask):
    assert good(np.array([0, 1], dtype), mask).tolist() == [True, mask == "none"]


def test_every_bit_counts_in_the_hardest_mask():
    assert not good([1 << bit for bit in range(31)], "hardest").any()


def test_an_unknown_mask_is_refused():
    with pytest.raises(InputError, match="nonsense"):
        good([0], "nonsense")
