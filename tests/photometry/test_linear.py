"""The linear fit against plain mathematics, and against truth without noise and with it."""

from __future__ import annotations

import numpy as np
import pytest

from tessellar.errors import InputError, PhotometryError
from tessellar.photometry.fitting import linear
from tessellar.pixels.effective import first_response
from tessellar.pixels.response import add_stars

RESPONSE = first_response()
CORNER, SHAPE = (100, 200), (15, 15)
Array = np.ndarray


def sky_of(
    column: Array, row: Array, flux: Array, shifts: Array, noise: float = 0.0, seed: int = 1
) -> tuple[Array, Array]:
    """Images of stars that move, drawn exactly, with noise of their own photons; and its variances."""
    images = np.zeros((len(shifts), *SHAPE))
    for image, shift, light in zip(images, shifts, np.broadcast_to(flux, shifts.shape[:2]), strict=True):
        add_stars(image, CORNER, column + shift[:, 0], row + shift[:, 1], light, RESPONSE)
    variances = (images + 100) / 500
    rng = np.random.default_rng(seed)
    return images + noise * np.sqrt(variances) * rng.standard_normal(images.shape), variances


def field(count: int = 10, seed: int = 3) -> tuple[Array, Array, Array]:
    """Stars at least 1.2 px apart: T = 10 in the middle, others of T = 11 to 15."""
    rng = np.random.default_rng(seed)
    column, row = [107.2], [207.4]
    while len(column) < count:
        x, y = rng.uniform(97, 117), rng.uniform(197, 217)
        if min(np.hypot(x - a, y - b) for a, b in zip(column, row, strict=True)) > 1.2:
            column, row = [*column, x], [*row, y]
    flux = 10 ** (0.4 * (20.44 - np.concatenate([[10.0], rng.uniform(11, 15, count - 1)])))
    return np.array(column), np.array(row), flux


def moves(count: int, stars: int, size: float, seed: int = 4) -> Array:
    shift = size * np.random.default_rng(seed).standard_normal((count, 1, 2))
    return np.broadcast_to(shift, (count, stars, 2)).copy()


def test_the_kernel_does_what_plain_mathematics_does() -> None:
    column, row, flux = field()
    shifts = moves(6, 10, 0.01)
    images, variances = sky_of(column, row, flux, shifts, noise=1.0)
    images[2, 7, 7] = np.nan
    basis = linear.draw_basis(column, row, np.zeros((10, 2)), CORNER, RESPONSE)
    weights = 1 / variances.mean(axis=0)
    weights[3, :5] = 0
    for offset in (False, True):
        precision = linear.prior_precision(basis, weights, flux, offset=offset)
        assert 0 < (precision > 0).sum() < 10
        settings = {"precision": precision, "expected": flux, "offset": offset, "wanted": [0, 4]}
        fast = linear.fit_frames(images, variances, basis, shifts, weights, **settings)
        plain = linear.fit_frames_plainly(
            images.astype("f4"), variances.astype("f4"), basis, shifts, weights, **settings
        )
        np.testing.assert_allclose(fast.flux, plain.flux, rtol=1e-9)
        np.testing.assert_allclose(fast.variance, plain.variance, rtol=1e-9)
        np.testing.assert_allclose(fast.offset, plain.offset, atol=1e-9)


def test_fluxes_of_moving_stars_are_exact_without_noise() -> None:
    column, row, flux = field()
    for size, worst in ((0.01, 2e-6), (0.03, 3e-5)):
        shifts = moves(40, 10, size)
        # One part of the sector lies a quarter of a pixel away: it gets a basis of its own.
        shifts[20:] += 0.26
        images, variances = sky_of(column, row, flux, shifts)
        weights = 1 / variances.mean(axis=0)[None]
        segments = np.zeros(40, int)
        series = linear.fit_series(
            images, variances, weights, segments, column, row, flux, shifts, [RESPONSE], CORNER, wanted=[0]
        )
        assert np.sqrt(np.mean((series.flux[:, 0] / flux[0] - 1) ** 2)) < worst


def test_errors_are_those_of_the_scatter_also_with_weights_that_are_not_the_best() -> None:
    column, row, flux = field(6)
    shifts = moves(2500, 6, 0.003)
    images, variances = sky_of(column, row, flux, shifts, noise=1.0)
    for weights in (1 / variances.mean(axis=0), np.ones(SHAPE)):
        basis = linear.draw_basis(column, row, np.zeros((6, 2)), CORNER, RESPONSE)
        fit = linear.fit_frames(images, variances, basis, shifts, weights, wanted=[0])
        pull = (fit.flux[:, 0] - flux[0]) / np.sqrt(fit.variance[:, 0])
        assert pull.std() == pytest.approx(1.0, abs=0.04)
        assert pull.mean() == pytest.approx(0.0, abs=0.06)


def test_a_constant_background_is_told_from_stars() -> None:
    column, row, flux = field(6)
    shifts = moves(3, 6, 0.0)
    images, variances = sky_of(column, row, flux, shifts)
    basis = linear.draw_basis(column, row, np.zeros((6, 2)), CORNER, RESPONSE)
    sky = np.array([7.0, -3.0, 100.0])
    fit = linear.fit_frames(
        images + sky[:, None, None], variances, basis, shifts, 1 / variances[0], offset=True, wanted=[0]
    )
    np.testing.assert_allclose(fit.offset, sky, atol=1e-2)
    np.testing.assert_allclose(fit.flux[:, 0], flux[0], rtol=1e-5)


def test_stars_that_pixels_tell_apart_have_no_prior() -> None:
    for distance, held in ((1.5, False), (0.6, False), (0.2, True), (0.0, True)):
        column, row = np.array([107.0, 107.0 + distance]), np.array([207.0, 207.0])
        flux = np.array([5000.0, 5000.0])
        images, variances = sky_of(column, row, flux * [1.1, 1.0], np.zeros((2, 2, 2)))
        series = linear.fit_series(
            images, variances, 1 / variances[:1], np.zeros(2, int), column, row, flux, np.zeros((2, 2, 2)),
            [RESPONSE], CORNER, wanted=[0],
        )  # fmt: skip
        assert (series.precision > 0).all() == held, distance
        # Their sum is known in any case.
        assert series.flux[0].sum() == pytest.approx(10500, rel=2e-3)
        if not held:
            assert series.prior_weight.tolist() == [0, 0]
            assert series.flux[0, 0] == pytest.approx(5500, rel=1e-5)
    # One on the other, they share alike what the catalogue did not know.
    assert series.prior_weight == pytest.approx([0.5, 0.5], abs=0.01)
    assert series.flux[0] == pytest.approx([5250, 5250], rel=1e-3)


def test_ten_stars_in_one_pixel_have_a_finite_sum() -> None:
    rng = np.random.default_rng(5)
    column, row = 107 + rng.uniform(-0.3, 0.3, 10), 207 + rng.uniform(-0.3, 0.3, 10)
    flux = rng.uniform(200, 2000, 10)
    images, variances = sky_of(column, row, flux, np.zeros((5, 10, 2)), noise=1.0)
    series = linear.fit_series(
        images, variances, 1 / variances[:1], np.zeros(5, int), column, row, flux * rng.uniform(0.8, 1.2, 10),
        np.zeros((5, 10, 2)), [RESPONSE], CORNER, wanted=[0],
    )  # fmt: skip
    assert np.isfinite(series.flux).all()
    assert np.isfinite(series.variance).all()
    assert series.flux.sum(axis=1) == pytest.approx(flux.sum(), rel=0.01)
    assert (series.prior_weight > 0.1).any()


def test_a_missing_pixel_counts_in_its_frame_only() -> None:
    column, row, flux = field(4)
    images, variances = sky_of(column, row, flux, np.zeros((3, 4, 2)))
    images[1, 7, 7] = np.nan
    images[2] = np.nan
    basis = linear.draw_basis(column, row, np.zeros((4, 2)), CORNER, RESPONSE)
    fit = linear.fit_frames(images, variances, basis, np.zeros((3, 4, 2)), 1 / variances[0], wanted=[0])
    np.testing.assert_allclose(fit.flux[:2, 0], flux[0], rtol=1e-5)
    assert fit.variance[1, 0] > 1.05 * fit.variance[0, 0]
    assert np.isnan(fit.flux[2]).all()


def test_frames_far_apart_do_not_share_a_basis() -> None:
    shifts = np.zeros((5, 3, 2))
    shifts[3:, :, 0] = 0.2
    shifts[4] = np.nan
    segments = np.array([0, 0, 1, 1, 1])
    groups = linear.shift_groups(shifts, segments)
    assert groups[0] == groups[1] != groups[2]
    assert groups[2] != groups[3]
    assert groups[4] == -1


def test_what_does_not_fit_is_refused() -> None:
    column, row, flux = field(4)
    images, variances = sky_of(column, row, flux, np.zeros((2, 4, 2)))
    basis = linear.draw_basis(column, row, np.zeros((4, 2)), CORNER, RESPONSE)
    with pytest.raises(InputError, match="do not fit"):
        linear.fit_frames(images, variances, basis, np.zeros((2, 3, 2)), 1 / variances[0])
    nowhere = np.full((2, 4, 2), np.nan)
    with pytest.raises(PhotometryError, match="movement"):
        linear.fit_series(
            images, variances, 1 / variances[:1], np.zeros(2, int), column, row, flux, nowhere, [RESPONSE], CORNER
        )
