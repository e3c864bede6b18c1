"""Stamps out of real target pixel files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tessellar import Field
from tessellar.pixels import TargetPixelSource
from tessellar.products import read_target_pixels


def test_the_stamp_of_a_real_file_is_what_astropy_reads(real_data: Path) -> None:
    path = real_data / "tess25155310-s01-first-cadences.fits.gz"
    source = TargetPixelSource(read_target_pixels(path))
    stamp = source.window()
    with fits.open(path) as hdus:
        table = hdus[1].data
        for ours, theirs in (("images", "FLUX"), ("errors", "FLUX_ERR"), ("background", "FLUX_BKG"),
                             ("time", "TIME"), ("timecorr", "TIMECORR"), ("cadenceno", "CADENCENO"),
                             ("quality", "QUALITY")):  # fmt: skip
            np.testing.assert_array_equal(getattr(stamp, ours), table[theirs])
        np.testing.assert_array_equal(stamp.aperture, hdus[2].data)
        corner = hdus[2].header["CRVAL1P"], hdus[2].header["CRVAL2P"]
        star = hdus[0].header["RA_OBJ"], hdus[0].header["DEC_OBJ"]
    assert stamp.corner == corner
    assert source.field == Field(1, 4, 1)
    assert stamp.background_subtracted
    place = stamp.pixel_of(*star)
    assert place is not None
    # The catalogue position is within a pixel of the brightest pixel of the stamp.
    row, col = np.unravel_index(np.nanargmax(stamp.images[0]), stamp.shape)
    assert np.hypot(place[0] - stamp.columns[col], place[1] - stamp.rows[row]) < 1


def test_a_cut_out_says_that_its_sky_is_still_there(real_data: Path) -> None:
    path = real_data / "tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits"
    source = TargetPixelSource(read_target_pixels(path))
    assert not source.window().background_subtracted
    assert source.window(rows=(258, 260)).shape == (3, 6)
    assert source.time is not None
    assert len(source.quality) == len(source.window())


def test_pixels_are_not_copied_out_of_a_plain_file(real_data: Path) -> None:
    path = real_data / "tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits"
    stamp = TargetPixelSource(read_target_pixels(path)).window()
    assert stamp.images.base is not None
    assert not stamp.images.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        stamp.images[0, 0, 0] = 1
