"""The background of cut-outs, and smoothing in time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tessellar import read
from tessellar.errors import InputError
from tessellar.pixels import Stamp, TargetPixelSource, measure_stamp_sky
from tessellar.pixels.smoothing import smoothed
from tests.pixels.skyframes import FIELD, CrowdedSky, made_response

COUNT = 60
LEVEL = 100 + 30 * np.sin(np.arange(COUNT) / 9) ** 2


def a_stamp(size: int, density: float, seed: int = 3, **more: object) -> tuple[Stamp, CrowdedSky]:
    sky = CrowdedSky(made_response(), size, density, seed=seed, wings=0.0)
    slope = (np.arange(size) - (size - 1) / 2) * 0.2
    still = sky.frame(exposure=1e7) - sky.smooth()
    noise = np.sqrt((still + 110) / 1400)
    rng = np.random.default_rng(seed)
    cube = np.stack(
        [still + level + slope * (level - 100) / 30 + noise * rng.normal(size=still.shape) for level in LEVEL]
    )
    settings = {
        "images": cube.astype("f4"), "errors": cube.astype("f4"), "background": np.full(cube.shape, np.nan, "f4"),
        "time": np.arange(COUNT) / 48, "timecorr": np.zeros(COUNT), "cadenceno": np.arange(COUNT),
        "quality": np.zeros(COUNT, int), "corner": sky.corner, "field": FIELD, "cadence": 1800.0, "origin": "memory",
        "background_subtracted": False,
    }  # fmt: skip
    return Stamp(**(settings | more)), sky


@pytest.mark.parametrize(("density", "tolerance"), [(30_000, 1.0), (200_000, 1.5)])
def test_with_the_stars_level_and_change_are_right(density: int, tolerance: float) -> None:
    stamp, sky = a_stamp(31, density)
    found = measure_stamp_sky(stamp, sky.stars, sky.response)
    wrong = found.level - LEVEL - sky.unresolved
    assert abs(np.median(wrong)) < tolerance
    assert wrong.std() < 0.1, "the change does not depend on the level"
    slopes = found.slopes[:, 0] - 0.2 * (LEVEL - 100) / 30
    assert abs(np.median(slopes)) < 0.1
    assert slopes.std() < 0.01
    assert 0.3 < wrong.std() / np.median(found.errors) < 3


def test_without_stars_changes_are_right_all_the_same() -> None:
    stamp, _ = a_stamp(15, 30_000)
    found = measure_stamp_sky(stamp)
    change = (found.level - found.level[0]) - (LEVEL - LEVEL[0])
    assert change.std() < 0.2
    off = found.subtract(stamp)
    assert off.background_subtracted
    np.testing.assert_allclose(off.images + off.background, stamp.images, rtol=1e-5)
    with pytest.raises(InputError, match="taken off already"):
        measure_stamp_sky(off)
    with pytest.raises(InputError, match="does not fit"):
        found.subtract(off)


def test_cosmic_rays_and_empty_cadences_do_not_matter() -> None:
    stamp, _ = a_stamp(15, 30_000)
    images = stamp.images.copy()
    clean = measure_stamp_sky(stamp).level
    images[7, 3, 3:6] += 5e3
    images[20] = np.nan
    level = measure_stamp_sky(replace(stamp, images=images)).level
    assert np.isnan(level[20])
    known = np.isfinite(level)
    assert np.abs((level - clean)[known]).max() < 0.3


def test_cut_outs_of_the_archive_get_a_background(real_data: Path) -> None:
    stamp = TargetPixelSource(read(real_data / "asteroid_test.fits")).window()
    sky = measure_stamp_sky(stamp)
    assert np.isfinite(sky.level).all()
    assert np.nanmin(stamp.images) - 5 < sky.level[0] < np.nanmedian(stamp.images) + 5
    one = TargetPixelSource(read(real_data / "test-tpf-tesscut_1x1.fits")).window()
    with pytest.raises(InputError, match="cut out a larger one"):
        measure_stamp_sky(one)


def test_smoothing_helps_where_the_sky_is_slow_and_spares_it_where_it_is_fast() -> None:
    rng = np.random.default_rng(1)
    time = np.arange(400)
    true = 100 + 5 * np.sin(time / 80)
    true[200:240] += 40 * np.sin(np.arange(40) * 1.1) ** 2
    true = np.repeat(true[:, None, None], 16, axis=1).reshape(400, 4, 4)
    sigma = 0.5
    nodes = (true + rng.normal(0, sigma, true.shape)).astype("f4")
    out, errors, windows = smoothed(nodes, np.full_like(nodes, sigma), np.zeros(400, int))
    slow = np.r_[20:180, 260:380]
    assert (out - true)[slow].std() < 0.5 * sigma
    assert (out - true)[slow].std() == pytest.approx(errors[slow].mean(), rel=0.3)
    fast = np.r_[205:235]
    assert (windows[fast] == 1).all()
    assert (windows[slow] == 9).mean() > 0.8
    np.testing.assert_array_equal(out[fast], nodes[fast])
    nodes[50] = np.nan
    out, _, windows = smoothed(nodes, np.full_like(nodes, sigma), (time >= 300).astype(int))
    assert np.isnan(out[50]).all()
    assert np.isfinite(np.delete(out, 50, axis=0)).all()
    assert windows[299] == windows[300] == 1, "not across a gap"
