"""Noise on the time scales of transits, and what to expect of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tessellar.photometry.merit.cdpp import DURATIONS, LOST, _parabolas, cdpp, flattened
from tessellar.photometry.merit.expected import expected_noise, mask_size_bounds
from tessellar.products import read_light_curve


def noise(count: int = 19440, scatter: float = 1e-3, seed: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, scatter, count)


@pytest.mark.parametrize("hours", DURATIONS)
def test_white_noise_averages_down(hours: float) -> None:
    grid = flattened(1325 + np.arange(19440) / 720, noise(), 120.0)
    # 6.5 h leave a hundred means in 27 days, of which the filter takes a little more.
    expected = LOST * 1000 / np.sqrt(30 * hours)
    assert cdpp(*grid, 120.0, hours) == pytest.approx(expected, rel=0.08 if hours < 3 else 0.2)


def test_what_is_slow_a_gap_and_what_is_wild_leave_no_trace() -> None:
    time = 1325 + np.arange(19440) / 720
    plain = cdpp(*flattened(time, noise(), 120.0), 120.0, 1.0)
    slow = 0.02 * np.sin(2 * np.pi * time / 13) + 1e-3 * (time - 1325)
    wild = noise() + slow
    wild[::500] += 0.05
    stay = (time < 1338) | (time > 1339.5)
    wild[time > 1339] += 0.3  # the second orbit at another level
    got = cdpp(*flattened(time[stay], wild[stay], 120.0), 120.0, 1.0)
    assert got == pytest.approx(plain, rel=0.05)


def test_what_is_taken_off_is_the_parabola_about_each_cadence() -> None:
    rng = np.random.default_rng(2)
    place = np.flatnonzero(rng.random(900) < 0.8)
    place -= place[0]
    flux = 1 + 1e-4 * noise(len(place), seed=3) / 1e-3
    half = 36
    found = _parabolas(place, flux, half)
    for at in (0, 17, 300, len(place) - 1):
        near = np.abs(place - place[at]) <= half
        truth = np.polyval(np.polyfit(place[near] - place[at], flux[near], 2), 0)
        assert found[at] == pytest.approx(truth, abs=1e-8)


def test_a_window_that_is_not_full_does_not_count() -> None:
    time = 1325 + np.arange(4000) / 720
    flux = noise(4000)
    kept = np.arange(4000) % 10 < 7  # seven of ten: no window is full to four fifths
    assert np.isnan(cdpp(*flattened(time[kept], flux[kept], 120.0), 120.0, 1.0))
    kept = np.arange(4000) % 10 < 9
    assert cdpp(*flattened(time[kept], flux[kept], 120.0), 120.0, 1.0) > 0
    assert np.isnan(cdpp(*flattened(time[:50], flux[:50], 120.0), 120.0, 1.0))
    assert np.isnan(cdpp(*flattened(time[:0], flux[:0], 120.0), 120.0, 1.0))
    half_hours = 1325 + np.arange(1200) / 48
    grid = flattened(half_hours, noise(1200), 1800.0)
    assert np.isnan(cdpp(*grid, 1800.0, 0.2))
    assert cdpp(*grid, 1800.0, 0.5) == pytest.approx(1168, rel=0.08)


def test_a_quiet_star_has_the_noise_that_the_mission_tells(real_data: Path) -> None:
    curve = read_light_curve(real_data / "tess2020106103520-s0024-0000000188589164-0180-s_lc.fits")
    flux = np.asarray(curve.column("PDCSAP_FLUX"), dtype=float)
    use = curve.good() & np.isfinite(flux)
    time = (curve.btjd - curve.timecorr)[use]
    grid = flattened(time, flux[use] / np.median(flux[use]) - 1, 120.0)
    for hours, key in ((0.5, "CDPP0_5"), (1.0, "CDPP1_0"), (2.0, "CDPP2_0")):
        assert cdpp(*grid, 120.0, hours) == pytest.approx(curve.table_keys[key], rel=0.15), key


def test_expected_noise_is_that_of_photons_and_reading() -> None:
    hour = 3600 * 0.99 * 0.949
    assert expected_noise(1e5, 0, 0) == pytest.approx(1e6 / np.sqrt(1e5 * hour))
    assert expected_noise(100.0, 10, 150.0) == pytest.approx(
        1e6 * np.sqrt((100 + 10 * (150 + 100 / 1.98)) / hour) / 100
    )
    twenty = expected_noise(1e4, 9, 100.0, seconds=20.0, mitigated=False)
    assert twenty == pytest.approx(1e6 * np.sqrt((1e4 + 9 * (100 + 100 / 1.98)) / (20 * 0.99)) / 1e4)
    assert expected_noise(1e4, 9, 100.0, neighbours=5e3) > expected_noise(1e4, 9, 100.0)
    assert np.isnan(expected_noise(-1.0, 9, 100.0))
    # The requirement of the mission, 230 ppm in an hour at T = 10, leaves room (HEASARC, observing-technical).
    assert expected_noise(14997 * 0.9, 14, 100.0) < 230


def test_bounds_of_masks_are_those_that_were_accepted() -> None:
    assert mask_size_bounds(11.0, "ffi") == (8.0, 100.0)
    assert mask_size_bounds(20.0, "ffi") == (4.0, 50.0)
    assert mask_size_bounds(-1.0, "ffi") == (30.0, 10000.0)
    assert mask_size_bounds(6.8, "tpf") == (30.0, np.inf)
    assert 200 < mask_size_bounds(8.0, "ffi")[1] < 260
