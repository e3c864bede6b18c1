"""Sums, errors, centroids and gaps, against injected truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessellar.errors import PhotometryError
from tessellar.photometry import PixelQuality, extract, local_sky
from tessellar.pixels import Stamp

Maker = Callable[..., Stamp]


def all_but_border(stamp: Stamp) -> np.ndarray:
    mask = np.ones(stamp.shape, dtype=bool)
    mask[[0, -1]] = False
    mask[:, [0, -1]] = False
    return mask


def test_flux_error_and_background_are_what_they_are_said_to_be(make_stamp: Maker) -> None:
    flux = 15000.0 * (1 + 0.01 * np.sin(np.arange(200)))
    stamp = make_stamp(flux, sky=100.0)
    mask = all_but_border(stamp)
    light = extract(replace(stamp, errors=np.full(stamp.images.shape, 3.0)), mask)
    np.testing.assert_allclose(light.flux, flux, rtol=1e-5)  # 81 of 121 pixels hold all but 1e-5 of the light
    np.testing.assert_allclose(light.flux_err, 3.0 * 9)
    np.testing.assert_allclose(light.background, 81 * 100.0)
    assert (light.pixel_quality == 0).all()


def test_the_centroid_is_a_one_based_ccd_place(make_stamp: Maker) -> None:
    stamp = make_stamp(place=(5.3, 4.8))
    light = extract(stamp, all_but_border(stamp))
    np.testing.assert_allclose(light.centroid[:, 0], 1619 + 5.3, atol=2e-3)
    np.testing.assert_allclose(light.centroid[:, 1], 389 + 4.8, atol=2e-3)


def test_negative_pixels_do_not_pull_the_centroid(make_stamp: Maker) -> None:
    stamp = make_stamp()
    images = np.array(stamp.images)
    images[:, 1, 1] = -5000.0
    light = extract(replace(stamp, images=images), all_but_border(stamp))
    np.testing.assert_allclose(light.centroid, [[1624.0, 394.0]] * 200, atol=1e-6)


@given(st.floats(0.01, 100.0), st.integers(0, 2**32 - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_flux_is_linear_in_the_images(make_stamp: Maker, factor: float, seed: int) -> None:
    one = make_stamp(noise=20.0, count=5, seed=seed)
    two = make_stamp(300.0, noise=5.0, count=5, place=(2.0, 7.0), seed=seed + 1)
    mask = all_but_border(one)
    both = replace(one, images=factor * one.images + two.images, errors=factor * one.errors)
    got = extract(both, mask)
    np.testing.assert_allclose(got.flux, factor * extract(one, mask).flux + extract(two, mask).flux, rtol=1e-10)
    np.testing.assert_allclose(got.flux_err, factor * extract(one, mask).flux_err, rtol=1e-10)


@given(st.integers(0, 2**32 - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_cadences_do_not_know_each_other(make_stamp: Maker, seed: int) -> None:
    stamp = make_stamp(noise=20.0, count=12, sky=50.0, subtracted=False)
    images = np.array(stamp.images)
    rng = np.random.default_rng(seed)
    images[rng.random(images.shape) < 0.01] = np.nan
    stamp = replace(stamp, images=images)
    order = rng.permutation(12)
    mask = all_but_border(stamp)
    straight, mixed = extract(stamp, mask), extract(stamp.reordered(order), mask)
    for name in ("flux", "flux_err", "background", "centroid", "pixel_quality"):
        np.testing.assert_array_equal(getattr(straight, name)[order], getattr(mixed, name))


def test_a_missing_pixel_makes_flux_nan_never_quietly_less(make_stamp: Maker) -> None:
    stamp = make_stamp()
    images = np.array(stamp.images)
    images[3, 5, 5] = np.nan  # in the mask
    images[4, 0, 0] = np.nan  # outside
    images[5] = np.nan
    images[6] = 0.0  # a frame that was not exposed
    stamp = replace(stamp, images=images)
    mask = all_but_border(stamp)
    light = extract(stamp, mask)
    assert np.isnan(light.flux[[3, 5, 6]]).all()
    assert np.isfinite(np.delete(light.flux, [3, 5, 6])).all()
    assert np.isnan(light.centroid[[3, 5, 6]]).all()
    assert light.pixel_quality[3] == PixelQuality.MISSING_PIXEL | PixelQuality.MISSING_CENTROID
    gone = PixelQuality.MISSING_PIXEL | PixelQuality.ALL_MISSING | PixelQuality.MISSING_CENTROID
    assert light.pixel_quality[5] == light.pixel_quality[6] == gone
    assert light.pixel_quality[4] == 0


def test_a_partial_sum_is_given_only_when_asked_for_and_flagged(make_stamp: Maker) -> None:
    stamp = make_stamp(sky=10.0)
    images = np.array(stamp.images)
    images[3, 5, 5] = np.nan
    images[5] = np.nan
    light = extract(replace(stamp, images=images), all_but_border(stamp), missing="partial")
    lost = stamp.images[3, 5, 5]
    assert light.flux[3] == pytest.approx(light.flux[0] - lost, rel=1e-12)
    assert light.flux_err[3] == pytest.approx(np.sqrt(80))
    assert light.background[3] == pytest.approx(800.0)
    assert light.pixel_quality[3] == PixelQuality.MISSING_PIXEL
    assert np.isnan(light.flux[5])


def test_a_partial_sum_has_the_error_of_its_sky_too(make_stamp: Maker) -> None:
    stamp = make_stamp(sky=150.0, subtracted=False)
    images = np.array(stamp.images)
    images[3, 5, 5] = np.nan
    gapped, mask = replace(stamp, images=images), all_but_border(stamp)
    _, sky_error = local_sky(gapped, mask)
    light = extract(gapped, mask, missing="partial")
    assert light.flux_err[3] == pytest.approx(np.sqrt(80 + (80 * sky_error[3]) ** 2))
    assert light.flux_err[0] == pytest.approx(np.sqrt(81 + (81 * sky_error[0]) ** 2))


def test_a_cadence_without_flux_has_no_error_of_it(make_stamp: Maker) -> None:
    stamp = make_stamp()
    images = np.array(stamp.images)
    images[3, 5, 5] = np.nan
    light = extract(replace(stamp, images=images), all_but_border(stamp))
    assert np.array_equal(np.isnan(light.flux), np.isnan(light.flux_err))


def test_missing_errors_and_backgrounds_have_bits_of_their_own(make_stamp: Maker) -> None:
    stamp = make_stamp()
    errors, background = np.array(stamp.errors), np.array(stamp.background)
    errors[1, 5, 5], background[2, 5, 5] = np.nan, np.nan
    light = extract(replace(stamp, errors=errors, background=background), all_but_border(stamp))
    assert light.pixel_quality[1] == PixelQuality.MISSING_ERROR
    assert light.pixel_quality[2] == PixelQuality.MISSING_BACKGROUND
    assert np.isfinite(light.flux).all()


def test_sky_that_is_still_there_is_taken_out_cadence_by_cadence(make_stamp: Maker) -> None:
    sky = 150.0 + 80.0 * np.sin(np.arange(200) / 7)
    stamp = make_stamp(8000.0, sky=sky, subtracted=False)
    mask = all_but_border(stamp)
    light = extract(stamp, mask)
    np.testing.assert_allclose(light.flux, 8000.0, rtol=1e-4)
    np.testing.assert_allclose(light.background, 81 * sky, rtol=1e-4)
    np.testing.assert_allclose(light.centroid, [[1624.0, 394.0]] * 200, atol=1e-3)


def test_the_error_of_that_sky_is_in_the_flux_error(make_stamp: Maker) -> None:
    stamp = make_stamp(8000.0, sky=100.0, noise=10.0, subtracted=False, count=4000)
    mask = all_but_border(stamp)
    light = extract(stamp, mask)
    # 81 pixels share a sky from 40: its error dominates, and the scatter says the same as the error.
    assert light.flux_err[0] > 1.5 * 10.0 * 9
    assert np.std(light.flux) == pytest.approx(np.median(light.flux_err), rel=0.06)


def test_sky_needs_pixels_outside_the_mask(make_stamp: Maker) -> None:
    stamp = make_stamp(subtracted=False)
    mask = np.ones(stamp.shape, dtype=bool)
    mask[0, :3] = False
    with pytest.raises(PhotometryError, match="only 3 pixels are left outside"):
        extract(stamp, mask)
    sky, error = local_sky(make_stamp(0.0, sky=7.0, subtracted=False), ~mask)
    np.testing.assert_allclose(sky, 7.0)
    np.testing.assert_allclose(error, np.sqrt(np.pi / 2 / mask.sum()))
