"""The background against truth: crowding, corner glow, bad frames, jumps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from tessellar import Field
from tessellar.errors import InputError
from tessellar.pixels import FrameStack, MissionPRF, Sky, StarModel, measure_backgrounds, measure_jointly
from tessellar.pixels.nodes import _spline as spline
from tests.pixels.skyframes import FIELD, CrowdedSky, made_response, write_frame


def errors_of(truth: CrowdedSky) -> tuple[np.ndarray, float]:
    """Error of each pixel of the joint background, and what it does to stars of T = 15 (median, relative)."""
    background, _ = measure_jointly(Sky(FIELD, truth.corner, (truth.size,) * 2), truth.frame(), truth.stars,
                                    truth.response)  # fmt: skip
    error = background.image() - truth.background()
    faint = truth.stars.within(*((first + 5, first + truth.size - 6) for first in truth.corner[::-1]))
    faint = faint.chosen(np.abs(faint.tmag - 15) < 0.5)
    at = np.rint(faint.row).astype(int) - truth.corner[1], np.rint(faint.column).astype(int) - truth.corner[0]
    area = truth.response.noise_area(truth.corner[0], truth.corner[1])
    return error, float(np.median(error[at] * area / 10 ** (-0.4 * (15 - 20.44))))


@pytest.mark.parametrize(
    ("per_ccd", "level", "flux"), [(30_000, 0.1, 0.005), (200_000, 0.3, 0.02)]
)  # fmt: skip
@pytest.mark.parametrize("seed", [1, 2])
def test_crowding_does_not_bias_it(per_ccd: float, level: float, flux: float, seed: int) -> None:
    error, bias = errors_of(CrowdedSky(made_response(), 256, per_ccd, seed))
    assert abs(np.median(error)) < level
    assert abs(bias) < flux


@pytest.mark.heavy
@pytest.mark.parametrize(("per_ccd", "level", "flux"), [(30_000, 0.1, 0.005), (200_000, 0.3, 0.02)])
@pytest.mark.parametrize("seed", range(3))
def test_crowding_does_not_bias_it_with_the_real_response(
    real_data: Path, per_ccd: float, level: float, flux: float, seed: int
) -> None:
    response = MissionPRF.open(real_data, camera=4, ccd=1, sector=1)
    error, bias = errors_of(CrowdedSky(response, 512, per_ccd, seed, corner=(1575, 5)))
    assert abs(np.median(error)) < level
    assert abs(bias) < flux


def test_the_glow_of_the_corner_is_followed() -> None:
    truth = CrowdedSky(made_response(), 256, 30_000, 5, corner=(45, 1), wings=0.0)
    image = truth.frame()
    with_glow, model = measure_jointly(Sky(FIELD, (45, 1), image.shape), image, truth.stars, truth.response)
    assert truth.smooth()[0, 0] - truth.smooth()[200, 200] > 20
    error = with_glow.image() - truth.background()
    assert abs(np.median(error)) < 0.1
    assert np.abs(error)[:20, :20].max() < 3
    coarse = Sky(FIELD, (45, 1), image.shape, glow=False, box=128)
    fine = Sky(FIELD, (45, 1), image.shape, box=128)
    scatter = [
        np.std(sky.measure(image, starlight=model.image(), masked=model.masked).image() - truth.background())
        for sky in (coarse, fine)
    ]
    assert scatter[1] < 0.8 * scatter[0]


def test_its_errors_are_those_that_are_made() -> None:
    pulls = []
    for seed in range(4):
        truth = CrowdedSky(made_response(), 256, 100_000, seed, wings=0.0)
        sky = Sky(FIELD, truth.corner, (256, 256))
        background, _ = measure_jointly(sky, truth.frame(), truth.stars, truth.response)
        rows, cols = sky.mesh.edges
        smooth = truth.background()
        means = np.array([[smooth[rows[i] : rows[i + 1], cols[j] : cols[j + 1]].mean() for j in range(len(cols) - 1)]
                          for i in range(len(rows) - 1)])  # fmt: skip
        pulls.append((background.nodes - means) / background.node_errors)
    assert 0.4 < np.std(pulls) < 2.0
    image_error = background.error()
    assert image_error.shape == (256, 256)
    assert (image_error > 0).all()


def test_cosmic_rays_and_hot_pixels_are_left_out() -> None:
    truth = CrowdedSky(made_response(), 128, 30_000, 3)
    image = truth.frame()
    sky = Sky(FIELD, truth.corner, image.shape)
    clean, model = measure_jointly(sky, image, truth.stars, truth.response)
    hit = image.copy()
    hit.ravel()[truth.rng.choice(image.size, 150, replace=False)] += 2000
    hit[40, 40] = np.nan
    dirty = sky.measure(hit, starlight=model.image(), masked=model.masked, keep_used=True)
    again = sky.measure(image, starlight=model.image(), masked=model.masked)
    np.testing.assert_allclose(dirty.image(), again.image(), atol=0.15)
    assert dirty.used is not None
    assert not dirty.used[40, 40]
    assert not (dirty.used & model.masked).any()
    assert clean.usable


@given(st.floats(-50, 500), st.integers(20, 150), st.integers(20, 150), st.integers(0, 1000))
@settings(max_examples=25)
def test_a_level_is_found_whatever_the_shape(level: float, rows: int, cols: int, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 1, (rows, cols)).astype("f4")
    sky = Sky(FIELD, (1500, 1500), (rows, cols))
    there, here = sky.measure(noise + np.float32(level)), sky.measure(noise)
    assert np.abs(here.image()).max() < 1.2
    np.testing.assert_allclose(there.image() - here.image(), level, atol=0.2)
    part = there.image(slice(3, 9), slice(5, 11))
    np.testing.assert_allclose(part, there.image()[3:9, 5:11], atol=1e-4)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_frame_without_light_is_said_to_be_unusable(value: float) -> None:
    background = Sky(FIELD, (45, 1), (64, 64)).measure(np.full((64, 64), value, "f4"))
    assert not background.usable
    assert np.isnan(background.image()).all()


def test_shapes_that_disagree_are_refused() -> None:
    sky = Sky(FIELD, (45, 1), (64, 64))
    with pytest.raises(InputError, match=r"image has shape \(60, 64\)"):
        sky.measure(np.zeros((60, 64)))
    with pytest.raises(InputError, match="starlight has shape"):
        sky.measure(np.zeros((64, 64)), starlight=np.zeros((2, 2), "f4"))
    with pytest.raises(InputError, match="too small"):
        Sky(FIELD, (45, 1), (1, 64))


def test_tiles_under_stars_take_their_level_from_their_neighbours() -> None:
    image = np.random.default_rng(2).normal(100, 1, (192, 192)).astype("f4")
    masked = np.zeros(image.shape, bool)
    masked[64:128, 64:128] = True
    background = Sky(FIELD, (1500, 1500), image.shape).measure(image, masked=masked)
    assert background.usable
    np.testing.assert_allclose(background.image(), 100, atol=0.6)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> tuple[FrameStack, CrowdedSky, np.ndarray]:
    folder = tmp_path_factory.mktemp("frames")
    truth = CrowdedSky(made_response(), 160, 60_000, 9, corner=(45, 1))
    shifts = np.random.default_rng(4).normal(0, 0.03, (9, 2))
    shifts[4] = 0
    for number in range(9):
        image = truth.frame(tuple(shifts[number]), scattered=20.0 * number)
        if number == 6:
            image[62:98, 94:130] += 150  # an asteroid's trail, a reflection
        if number == 2:
            image[:] = 0
        write_frame(folder, image, number)
    return FrameStack.open(folder), truth, shifts


def test_every_frame_of_a_stack_has_its_own(crowd: tuple[FrameStack, CrowdedSky, np.ndarray]) -> None:
    stack, truth, shifts = crowd
    done: list[int] = []
    series = measure_backgrounds(
        stack, truth.stars, truth.response, shifts=shifts, progress=lambda number, count: done.append(number)
    )
    assert done == list(range(1, 10))
    assert series.usable.tolist() == [number != 2 for number in range(9)]
    whole = series.window()
    for number in set(range(9)) - {2, 6}:
        error = whole[number] - truth.background(20.0 * number)
        assert abs(np.median(error)) < 0.2, number
    assert 0.5 < series.used.mean() < 1
    # The jump is flagged where and when it is, and hardly elsewhere.
    jumped = series.jumped()
    assert jumped[6, 64:96, 96:128].all()
    assert jumped[[0, 1, 3, 4, 5, 7, 8]].mean() < 0.002
    part = series.jumped(rows=(70, 72), cols=(150, 153))
    np.testing.assert_array_equal(part, jumped[:, 69:72, 105:109])

    stamp = stack.window(rows=(30, 40), cols=(60, 72))
    clean = series.subtract(stamp)
    assert clean.background_subtracted
    assert np.isnan(clean.images[2]).all()
    rest = series.usable
    np.testing.assert_allclose((clean.images + clean.background)[rest], stamp.images[rest], atol=1e-3)
    np.testing.assert_allclose(clean.background[rest], whole[rest, 29:40, 15:28], atol=1e-3)
    assert series.error(rows=(30, 40), cols=(60, 72)).shape == clean.images.shape
    with pytest.raises(InputError, match="subtracted already"):
        series.subtract(clean)
    with pytest.raises(InputError, match="are not among 1 to 160"):
        series.window(rows=(0, 5))


def test_without_stars_the_mode_is_taken(crowd: tuple[FrameStack, CrowdedSky, np.ndarray]) -> None:
    stack, truth, _ = crowd
    series = measure_backgrounds(stack)
    assert series.model is None
    for number in (0, 5, 8):
        error = series.frame(number).image() - truth.background(20.0 * number)
        assert abs(np.median(error)) < 1.5, number
    with pytest.raises(InputError, match="shifts have shape"):
        measure_backgrounds(stack, shifts=np.zeros((3, 2)))


def test_a_stack_without_light_is_refused(tmp_path: Path) -> None:
    for number in range(2):
        write_frame(tmp_path, np.zeros((40, 40), "f4"), number)
    with pytest.raises(InputError, match="all zero, or all NaN"):
        measure_backgrounds(FrameStack.open(tmp_path))


def test_a_model_that_cannot_move_says_so() -> None:
    truth = CrowdedSky(made_response(), 64, 30_000, 8, wings=0.0)
    image = (truth.frame() - truth.background()).astype("f4")
    still = StarModel.fit(image, truth.corner, truth.stars, truth.response, moves=False)
    moving = StarModel.fit(image, truth.corner, truth.stars, truth.response)
    np.testing.assert_allclose(still.image(), moving.image(), atol=0.05)
    with pytest.raises(InputError, match="without moves"):
        still.image((0.1, 0.0))
    with pytest.raises(InputError, match="0 rounds"):
        measure_jointly(Sky(FIELD, truth.corner, image.shape), image, truth.stars, truth.response, rounds=0)


def test_far_from_the_corner_there_is_no_glow() -> None:
    assert len(Sky(Field(1, 1, 2), (100, 1900), (100, 100)).knots) == 0
    assert len(Sky(Field(1, 1, 2), (1993, 1), (100, 100)).knots) > 10


def test_windows_and_many_frames_at_once_are_pieces_of_each_image() -> None:
    rng = np.random.default_rng(4)
    sky = Sky(Field(1, 1, 2), (1400, 300), (256, 300))
    nodes = rng.normal(100, 5, (3, *(len(edges) - 1 for edges in sky.mesh.edges)))
    glow = rng.normal(20, 5, (3, len(sky.knots))).astype("f4")
    glow[1] = 0
    part = slice(10, 50), slice(200, 300)
    together = sky.image(nodes.astype("f4"), glow, *part)
    for index in range(3):
        whole = sky.image(nodes[index].astype("f4"), glow[index])
        np.testing.assert_allclose(together[index], whole[part], rtol=1e-6)
    assert np.ptp(sky.image(0 * nodes[0], glow[0])) > 5
    assert not sky.image(0 * nodes[0], glow[0])[-10:, :10].any(), "there is none near the axis"


@given(st.lists(st.integers(3, 40), min_size=1, max_size=12))
@settings(deadline=None)
def test_between_nodes_the_surface_is_the_natural_spline(widths: list[int]) -> None:
    edges = np.concatenate([[0], np.cumsum(widths)])
    found = spline(edges, int(edges[-1]))
    middles = 0.5 * (edges[:-1] + edges[1:]) - 0.5
    pixels = np.arange(edges[-1])
    inside = (pixels >= middles[0]) & (pixels <= middles[-1])
    if len(middles) > 2:
        truth = CubicSpline(middles, np.eye(len(middles)), bc_type="natural")
        np.testing.assert_allclose(found[inside], truth(pixels[inside]), atol=1e-12)
        np.testing.assert_allclose(np.diff(found[pixels > middles[-1]], axis=0), truth(middles[-1:], 1).repeat(
            max((pixels > middles[-1]).sum() - 1, 0), axis=0), atol=1e-12)  # fmt: skip
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)


def test_the_sky_of_a_real_frame_lies_below_its_median(real_data: Path) -> None:
    # README: the crop's median, stars included, is 149.5 e-/s.
    stack = FrameStack.open([real_data / "backdrop_tess2018206192942-s0001-1-4-0120-s_ffic.fits"])
    series = measure_backgrounds(stack)
    assert (series.nodes > 143).all()
    assert (series.nodes < 148).all()
    rest = stack.image(0).science - series.frame(0).image()
    # Without stars, half of the pixels would lie below; the noise is about 1 e-/s.
    assert 0.1 < (rest < 0).mean() < 0.35
    assert np.percentile(rest, 1) > -5
    assert not series.jumps.any()
