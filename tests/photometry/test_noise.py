"""What the errors of files are worth, against what scatters."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pytest

import tessellar
from tessellar import Field
from tessellar.photometry.merit.noise import error_scale, errors_time, light_variance, noise_time, pixel_noise
from tessellar.pixels import Stamp, TargetPixelSource


def stamp_of(light: np.ndarray, errors: np.ndarray, cadence: float = 120.0) -> Stamp:
    count = len(light)
    return Stamp(
        images=light,
        errors=errors,
        background=np.zeros_like(light),
        time=np.arange(count, dtype=float),
        timecorr=np.zeros(count),
        cadenceno=np.arange(count),
        quality=np.zeros(count, int),
        corner=(45, 1),
        field=Field(1, 4, 1),
        cadence=cadence,
        origin="memory",
    )


def noisy(cadence: float, share: float, seed: int = 1) -> Stamp:
    """Light with honest noise, and errors that take `share` of the time for the one that counts."""
    rng = np.random.default_rng(seed)
    light = np.broadcast_to(rng.uniform(80, 2000, (8, 8)), (400, 8, 8))
    images = light + rng.standard_normal(light.shape) * np.sqrt(light_variance(light, cadence))
    return stamp_of(images, np.sqrt((images + 50) / (cadence * 0.99 * share)), cadence)


@pytest.mark.parametrize(("cadence", "share", "scale"), [(120, 0.75, 0.918), (1800, 0.8, 0.918), (600, 0.949, 1.0),
                                                         (20, 0.94, 1.0), (20, 0.8, 1.0), (200, 1.0, 1.0)])  # fmt: skip
def test_errors_tell_which_time_they_take(cadence: float, share: float, scale: float) -> None:
    stamp = noisy(cadence, share)
    assert errors_time(stamp) == pytest.approx(cadence * 0.99 * share, rel=0.01)
    assert error_scale(stamp) == pytest.approx(scale, abs=1e-3)


def test_scaled_errors_are_those_of_the_noise() -> None:
    stamp = noisy(1800, 0.8)
    pull = (stamp.images - stamp.images.mean(axis=0)) / (error_scale(stamp) * stamp.errors)
    assert pull.std() == pytest.approx(1.0, abs=0.01)
    noise = pixel_noise(stamp)
    assert np.median(noise.variance / stamp.images.var(axis=0)) == pytest.approx(1.0, abs=0.03)
    assert noise.time == pytest.approx(noise_time(1800), rel=0.02)


def test_errors_of_no_formula_stay_as_they_are() -> None:
    light = np.random.default_rng(2).uniform(100, 1000, (20, 5, 5))
    for errors in (np.ones_like(light), np.full_like(light, np.nan), np.zeros_like(light)):
        assert error_scale(stamp_of(light, errors)) == 1.0


def test_noise_of_pixels_without_errors_comes_from_their_light() -> None:
    light = np.full((20, 5, 5), 100.0)
    errors = np.ones_like(light)
    errors[:, 2, 2] = np.nan
    noise = pixel_noise(stamp_of(light, errors))
    assert noise.variance[0, 0] == 1.0
    assert noise.variance[2, 2] == pytest.approx(light_variance(100.0, 120))
    nothing = dataclasses.replace(stamp_of(light, errors), images=np.full_like(light, np.nan), errors=errors * np.nan)
    assert np.isnan(pixel_noise(nothing).variance).all()


def test_errors_of_the_missions_files_take_the_kept_time(real_data: Path) -> None:
    names = ("tess25155310-s01-first-cadences.fits.gz", "tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits",
             "test-tpf-tesscut_1x1.fits", "asteroid_test.fits")  # fmt: skip
    for name in names:
        stamp = TargetPixelSource(tessellar.read(real_data / name)).window()
        assert errors_time(stamp) / (stamp.cadence * 0.99) == pytest.approx(0.75, abs=0.01)
        assert error_scale(stamp) == pytest.approx(0.918, abs=1e-3)


def test_pixels_of_real_frames_scatter_by_their_scaled_errors(real_data: Path, tmp_path: Path) -> None:
    """25 faint pixels of 1,282 frames: what is left when the motions that they have in common are taken out."""
    with zipfile.ZipFile(real_data / "astrocut_107.27_-70.0_5x5.zip") as packed:
        path = Path(packed.extract(packed.namelist()[0], tmp_path))
    stamp = TargetPixelSource(tessellar.read(path)).window()
    good = np.asarray(stamp.quality) == 0
    images, errors = (np.asarray(cube[good], dtype=np.float64) for cube in (stamp.images, stamp.errors))
    # Second differences are blind to whatever is smooth in time.
    bend = images[2:] - 2 * images[1:-1] + images[:-2]
    pull = (bend / np.sqrt(errors[2:] ** 2 + 4 * errors[1:-1] ** 2 + errors[:-2] ** 2)).reshape(len(bend), -1)
    pull = pull[np.abs(pull).max(axis=1) < 6]
    modes = np.linalg.svd(pull - pull.mean(axis=0), full_matrices=False)
    rest = (modes[0][:, 3:] * modes[1][3:]) @ modes[2][3:]
    scatter = 1.4826 * np.median(np.abs(rest)) * np.sqrt(25 / 22)
    assert scatter == pytest.approx(error_scale(stamp), abs=0.02)
