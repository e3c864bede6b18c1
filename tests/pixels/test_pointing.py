"""Pointing against truth, and the kernels that carry it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessellar import read
from tessellar.errors import InputError
from tessellar.mission.ccd import ccd_plane
from tessellar.mission.tangent import Plane
from tessellar.pixels import FrameStack, MovementKernel, TargetPixelSource, measure_backgrounds, measure_pointing
from tessellar.products import TargetPixelFile
from tests.pixels.skyframes import FIELD, CrowdedSky, made_response, write_frame

PLACES = np.array([[45.0, 1.0], [2092.0, 2048.0], [1000.5, 300.25], [60.0, 1900.0]])


def moved(plane: Plane, dx: float, dy: float, roll: float = 0.0) -> Plane:
    """The same projection with the sky moved on the pixels, and rolled about its reference point."""
    c, s = np.cos(roll), np.sin(roll)
    return Plane(
        plane.crval,
        (plane.crpix[0] + dx, plane.crpix[1] + dy),
        plane.cd @ np.array([[c, -s], [s, c]]),
        (plane.sip_crpix[0] + dx, plane.sip_crpix[1] + dy),
        plane.a,
        plane.b,
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_jitter_roll_and_aberration_are_found(tmp_path: Path, seed: int) -> None:
    truth = CrowdedSky(made_response(), 256, 60_000, seed, corner=(45, 1))
    rng = np.random.default_rng(seed)
    shifts = np.cumsum(rng.normal(0, 0.03, (7, 2)), axis=0) + rng.normal(0, 0.01, (7, 2))
    turns = rng.normal(0, 2e-4, (7, 2, 2))
    for number in range(7):
        image = truth.frame(tuple(shifts[number]), turn=turns[number])
        write_frame(tmp_path, image * (number != 5), number)
    stack = FrameStack.open(tmp_path)
    done: list[int] = []
    pointing = measure_pointing(stack, truth.stars, truth.response, progress=lambda number, of: done.append(number))
    assert done[-1] == len(stack)
    reference = stack.reference
    known = np.arange(7) != 5
    error = (pointing.shifts - (shifts - shifts[reference]))[known]
    assert np.sqrt((error**2).mean()) < 0.005
    assert np.isnan(pointing.shifts[5]).all()
    assert np.isfinite(pointing.filled()).all()
    assert (pointing.stars[known] > 20).all()
    np.testing.assert_allclose(pointing.offset, shifts[reference], atol=0.01)
    # At the corners too, where roll and scale count.
    corners = truth.middle + np.array([[-110.0, -110.0], [110.0, 110.0]])
    for number in np.flatnonzero(known):
        found = pointing.movement.interpolate(stack.time[number], corners)
        away = corners - truth.middle
        true = shifts[number] - shifts[reference] + away @ (turns[number] - turns[reference]).T
        assert np.abs(found - true).max() < 0.015
    assert (pointing.errors[known] < 0.005).all()


def test_shifts_make_the_background_of_moving_frames_right(tmp_path: Path) -> None:
    truth = CrowdedSky(made_response(), 128, 120_000, 6, corner=(45, 1), wings=0.0)
    shifts = [(0.0, 0.0), (0.25, -0.2), (-0.3, 0.1)]
    for number, shift in enumerate(shifts):
        write_frame(tmp_path, truth.frame(shift), number, quality=0 if number == 0 else 4)
    stack = FrameStack.open(tmp_path)
    pointing = measure_pointing(stack, truth.stars, truth.response)
    np.testing.assert_allclose(pointing.shifts, np.array(shifts) - shifts[stack.reference], atol=0.02)
    series = measure_backgrounds(stack, truth.stars, truth.response, shifts=pointing.filled())
    for number in range(3):
        assert abs(np.median(series.frame(number).image() - truth.background())) < 0.35


def test_frames_without_stars_are_refused(tmp_path: Path) -> None:
    truth = CrowdedSky(made_response(), 64, 30_000, 1, corner=(45, 1), wings=0.0)
    write_frame(tmp_path, truth.frame(), 0)
    stack = FrameStack.open(tmp_path)
    with pytest.raises(InputError, match=r"0 stars of T 7\.5 to 13\.0 stand free"):
        measure_pointing(stack, truth.stars.chosen(truth.stars.tmag > 14), truth.response)


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(-1e-4, 1e-4))
def test_world_coordinates_move_stars_as_the_projections_do(dx: float, dy: float, roll: float) -> None:
    first = ccd_plane(FIELD)
    second = moved(first, dx, dy, roll)
    kernel = MovementKernel.from_planes([1.0, 2.0], [first, second], 0, ((45, 2092), (1, 2048)))
    expected = np.column_stack(second.to_pixel(*first.to_sky(*PLACES.T))) - PLACES
    np.testing.assert_allclose(kernel.interpolate(2.0, PLACES), expected, atol=2e-4)
    np.testing.assert_allclose(kernel.interpolate(1.0, PLACES), 0, atol=1e-9)
    np.testing.assert_allclose(kernel.interpolate(1.5, PLACES), expected / 2, atol=2e-4)


def test_a_pixel_more_in_the_header_is_a_pixel_more_on_the_ccd(tmp_path: Path) -> None:
    for number in range(3):
        write_frame(tmp_path, np.ones((40, 40), "f4"), number, shift=(0.5 * number, 0.0))
    stack = FrameStack.open(tmp_path)
    kernel = MovementKernel.from_stack(stack)
    assert kernel.warpmode == "wcs"
    found = kernel.jitter(stack.time, 60.0, 20.0)
    np.testing.assert_allclose(found[:, 0] - found[0, 0], [0, 0.5, 1.0], atol=0.003)
    np.testing.assert_allclose(found[stack.reference], 0, atol=1e-9)


@pytest.mark.parametrize(
    ("mode", "kernel", "expected"),
    [
        ("unchanged", [], [[0, 0]] * 4),
        ("translation", [0.25, -0.5], [[0.25, -0.5]] * 4),
        ("affine", [1.001, 0.0, 0.1, 0.0, 1.0, -0.2], np.column_stack([PLACES[:, 0] * 0.001 + 0.1, [-0.2] * 4])),
        ("euclidian", [0.1, 0.2, np.pi / 2],
         np.column_stack([0.1 - PLACES[:, 1] - PLACES[:, 0], 0.2 + PLACES[:, 0] - PLACES[:, 1]])),
    ],
)  # fmt: skip
def test_warp_modes(mode: str, kernel: list[float], expected: np.ndarray) -> None:
    series = MovementKernel([10.0, 11.0], [kernel, kernel] if kernel else [], mode)
    np.testing.assert_allclose(series.interpolate(10.3, PLACES), expected, atol=1e-9)
    assert series.jitter([10.0, np.nan, 11.0], 60.0, 70.0).shape == (3, 2)
    assert np.isnan(series.jitter([10.0, np.nan, 11.0], 60.0, 70.0)[1]).all()


@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=12,
             unique_by=lambda row: row[0]),
    st.floats(0, 1),
)  # fmt: skip
def test_between_kernels_a_star_is_between_their_places(rows: list[tuple[float, float, float]], share: float) -> None:
    series = np.array(rows)
    kernel = MovementKernel(series[:, 0], series[:, 1:])
    ordered = series[np.argsort(series[:, 0])]
    np.testing.assert_allclose(kernel.jitter(ordered[:, 0], 5.0, 6.0), ordered[:, 1:], atol=1e-12)
    time = ordered[0, 0] + share * (ordered[1, 0] - ordered[0, 0])
    found = kernel.interpolate(time, [[5.0, 6.0]])[0]
    low, high = ordered[:2, 1:].min(axis=0), ordered[:2, 1:].max(axis=0)
    assert (found >= low - 1e-9).all()
    assert (found <= high + 1e-9).all()


def test_outside_its_times_a_kernel_holds_for_one_step() -> None:
    kernel = MovementKernel([1.0, 2.0, 3.0, np.nan], [[0, 0], [1, 1], [2, 2], [5, 5]])
    assert len(kernel) == 3
    np.testing.assert_allclose(kernel.interpolate(3.9, [[1, 1]]), [[2, 2]])
    np.testing.assert_allclose(kernel.interpolate(0.1, [[1, 1]]), [[0, 0]])
    with pytest.raises(InputError, match=r"time 4\.50000 lies outside"):
        kernel.interpolate(4.5, [[1, 1]])
    with pytest.raises(InputError, match="lies outside"):
        kernel.jitter([2.0, -3.0], 1.0, 1.0)
    np.testing.assert_allclose(MovementKernel.unchanged().interpolate(1e6, [[1, 1]]), 0)


def test_kernels_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="warp mode 'bend' does not exist"):
        MovementKernel([1.0], [[0, 0]], "bend")
    with pytest.raises(InputError, match="wrong shape of kernels"):
        MovementKernel([1.0, 2.0], [[0, 0, 0], [0, 0, 0]])
    with pytest.raises(InputError, match="none of 2 kernels"):
        MovementKernel([1.0, 2.0], [[np.nan, 0], [0, np.nan]])
    with pytest.raises(InputError, match="2 projections for 3 times"):
        MovementKernel.from_planes([1.0, 2.0, 3.0], [ccd_plane(FIELD)] * 2, 0, ((45, 2092), (1, 2048)))


def test_the_zero_of_a_target_pixel_file_is_where_it_is_asked_for(real_data: Path) -> None:
    tpf = read(real_data / "tess25155310-s01-first-cadences.fits.gz")
    assert isinstance(tpf, TargetPixelFile)
    stamp = TargetPixelSource(tpf).window()
    assert stamp.pos_corr is not None
    kernel = MovementKernel.from_stamp(stamp, reference_time=float(stamp.time[1]))
    found = kernel.jitter(stamp.time, 1624.0, 393.0)
    np.testing.assert_allclose(found[1], 0)
    known = np.isfinite(stamp.pos_corr).all(axis=1)
    assert known.sum() > 2
    np.testing.assert_allclose(found[known], (stamp.pos_corr - stamp.pos_corr[1])[known], atol=1e-7)
    # The middle of the series, and not its end, without a wish.
    np.testing.assert_allclose(MovementKernel.from_stamp(stamp).jitter(stamp.time, 1.0, 1.0)[2], 0)
    with pytest.raises(InputError, match="give BTJD"):
        MovementKernel.from_stamp(stamp, reference_time=2458351.5)
