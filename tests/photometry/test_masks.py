"""Which pixels are added up, and which requests are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tessellar.errors import Corrupt, InputError, MissingInput, PhotometryError
from tessellar.photometry import check_mask, load_mask, pipeline_mask, threshold_mask
from tessellar.pixels import Stamp

Maker = Callable[..., Stamp]


def test_the_pipelines_aperture_is_bit_2(make_stamp: Maker) -> None:
    stamp = make_stamp()
    flags = np.full(stamp.shape, 257, dtype=np.int32)
    flags[4:6, 5] = 267
    flags[0, 0] = 257 | 8  # only the centroid's aperture
    mask = pipeline_mask(replace(stamp, aperture=flags))
    assert mask.sum() == 2
    assert mask[4:6, 5].all()


def test_an_aperture_of_nothing_or_everything_is_refused(make_stamp: Maker) -> None:
    stamp = make_stamp()
    with pytest.raises(PhotometryError, match="is empty"):
        pipeline_mask(replace(stamp, aperture=np.ones(stamp.shape, dtype=np.int32)))
    with pytest.raises(PhotometryError, match="is every collected pixel"):
        pipeline_mask(replace(stamp, aperture=np.full(stamp.shape, 3, dtype=np.int32)))
    collected = np.zeros(stamp.shape, dtype=np.int32)
    collected[4:7, 4:7] = 3
    with pytest.raises(PhotometryError, match="is every collected pixel"):
        pipeline_mask(replace(stamp, aperture=collected))
    with pytest.raises(PhotometryError, match="no aperture image"):
        pipeline_mask(replace(stamp, aperture=None))


def noisy(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(100.0, 1.0, (15, 15))


def test_the_threshold_aperture_is_the_targets_region_not_its_neighbours() -> None:
    image = noisy()
    image[6:9, 6:9] = 200.0
    image[2:4, 2:4] = 5000.0  # brighter, but another star
    mask = threshold_mask(image, 7.2, 6.8, sigma=5)
    assert mask[6:9, 6:9].all()
    assert mask.sum() == 9
    assert threshold_mask(image, 2.0, 3.0, sigma=5).sum() == 4


def test_regions_that_touch_with_a_corner_are_two() -> None:
    image = noisy()
    image[6:8, 6:8] = 200.0
    image[8:10, 8:10] = 200.0
    assert threshold_mask(image, 6.0, 6.0, sigma=5).sum() == 4


@pytest.mark.parametrize(("above", "found"), [(4.9, False), (5.1, True)])
def test_the_threshold_counts_robust_standard_deviations_from_the_median(above: float, found: bool) -> None:
    image = noisy()
    image[7, 7] = 150.0
    middle = np.median(image)
    image[7, 7] = middle + above * 1.482602218505602 * np.median(np.abs(image - middle))
    if found:
        assert threshold_mask(image, 7, 7, sigma=5).sum() == 1
    else:
        with pytest.raises(PhotometryError, match="no bright region at the target"):
            threshold_mask(image, 7, 7, sigma=5)


def test_a_target_just_beside_its_light_is_found_a_far_one_is_not() -> None:
    image = noisy()
    image[6, 6] = 500.0
    assert threshold_mask(image, 7.0, 6.0, sigma=8).sum() == 1
    with pytest.raises(PhotometryError, match=r"within 1\.5 pixels"):
        threshold_mask(image, 9.0, 6.0, sigma=8)
    with pytest.raises(PhotometryError, match="no pixel of here has a value"):
        threshold_mask(np.full((3, 3), np.nan), 1, 1, origin="here")


def test_missing_pixels_are_never_in_the_threshold_aperture() -> None:
    image = noisy()
    image[6:9, 6:9] = 200.0
    image[7, 7] = np.nan
    mask = threshold_mask(image, 7.0, 7.0, sigma=5)
    assert mask.sum() == 8
    assert not mask[7, 7]


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (np.ones((4, 5)), r"has shape \(4, 5\), but the stamp has 5 rows and 4 columns"),
        (np.zeros((5, 4)), "chooses no pixel"),
        (np.full((5, 4), np.nan), "holds NaN"),
        (np.full((5, 4), "x"), "give booleans or numbers"),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask: np.ndarray, says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_mask(mask, (5, 4), "the mask")


def test_a_mask_comes_from_the_first_image_of_a_fits_file(tmp_path: Path) -> None:
    wanted = np.zeros((5, 4), dtype=np.int16)
    wanted[2, 1] = 1
    path = tmp_path / "mask.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(wanted), fits.ImageHDU(np.ones((2, 2)))]).writeto(path)
    np.testing.assert_array_equal(check_mask(load_mask(path), (5, 4), "it"), wanted > 0)


def test_flags_are_a_mask_only_where_they_are_called_aperture(tmp_path: Path) -> None:
    flags = np.full((5, 4), 1 | 32, dtype=np.int32)
    flags[2, 1] |= 2
    path = tmp_path / "flags.fits"
    fits.HDUList([fits.PrimaryHDU(np.ones((9, 9))), fits.ImageHDU(flags, name="APERTURE")]).writeto(path)
    np.testing.assert_array_equal(load_mask(path), flags & 2 > 0)
    fits.PrimaryHDU(flags).writeto(path, overwrite=True)
    with pytest.raises(InputError, match="0 and 1"):
        load_mask(path)


def test_mask_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no mask file"):
        load_mask(tmp_path / "none.fits")
    text = tmp_path / "text.fits"
    text.write_text("not FITS at all")
    with pytest.raises(Corrupt, match="cannot be read as FITS"):
        load_mask(text)
    empty = tmp_path / "empty.fits"
    fits.PrimaryHDU().writeto(empty)
    with pytest.raises(InputError, match="no two-dimensional image"):
        load_mask(empty)
