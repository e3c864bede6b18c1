"""Halo photometry: weights, spans, pixels, and what comes out of a star too bright for its pixels."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessellar.photometry import STATUS, HaloPhotometry, PixelQuality, Settings, measure
from tessellar.photometry.halos.halopixels import group_pixels, light_of_others, saturated_pixels
from tessellar.photometry.halos.spans import time_spans
from tessellar.photometry.halos.variation import least_variation
from tests.photometry.fieldsky import surroundings
from tests.photometry.halosky import Sky, bright_star

TIMES = np.arange(500) * 600 / 86400
SIGNALS = {
    "pulsation of 0.1 %": 1 + 0.001 * np.sin(2 * np.pi * 0.9 * TIMES),
    "pulsation of 1 %": 1 + 0.01 * np.sin(2 * np.pi * 5.3 * TIMES),
    "transit of 1000 ppm": 1 - 0.001 * (np.abs((TIMES % 1.9) - 0.9) < 0.12),
}


def run(sky: Sky, stars=None, **settings):
    return HaloPhotometry().run(sky.stamp, sky.target, stars, Settings(**settings))


@cache
def quiet():
    sky = bright_star()
    return sky, run(sky)


class TestVariation:
    def test_the_least_is_that_of_the_linear_programme(self):
        from scipy.optimize import linprog

        rng = np.random.default_rng(1)
        motion = np.cumsum(rng.normal(0, 1, (120, 2)), axis=0)
        pixels = 1000 + motion @ rng.normal(0, 8, (2, 12)) + rng.normal(0, 2, (120, 12))
        found = least_variation(pixels)
        steps = np.diff(pixels, axis=0) / pixels.mean(axis=0)
        m, k = steps.shape
        exact = linprog(
            np.r_[np.zeros(k), np.full(m, 1 / m)],
            A_ub=np.block([[steps, -np.eye(m)], [-steps, -np.eye(m)]]), b_ub=np.zeros(2 * m),
            A_eq=np.r_[np.ones(k), np.zeros(m)][None], b_eq=[1.0],
        )  # fmt: skip
        assert exact.fun <= found.variation <= 1.002 * exact.fun
        assert found.variation * (1 - found.gap) <= exact.fun
        assert found.variation < 0.4 * found.start
        assert found.weights.min() >= 0
        assert found.weights.sum() == pytest.approx(1)

    def test_the_signal_all_pixels_share_stays(self):
        rng = np.random.default_rng(2)
        signal = 1 + 0.02 * np.sin(np.arange(400) / 9)
        pixels = signal[:, None] * (rng.uniform(50, 500, 10) + rng.normal(0, 0.1, (400, 10)))
        flux = pixels @ least_variation(pixels).weights
        assert flux / flux.mean() / signal * signal.mean() == pytest.approx(1, abs=3e-3)

    def test_a_constant_needs_no_minimiser(self):
        found = least_variation(np.full((20, 4), 7.0))
        assert found.variation == found.gap == 0
        assert found.weights == pytest.approx(0.25)


class TestSpans:
    def test_gaps_and_orbits_begin_spans_and_short_ones_join(self):
        time = np.r_[np.arange(300), 400 + np.arange(40), 900 + np.arange(300)] / 100.0
        use = np.ones(640, bool)
        assert np.bincount(time_spans(time, use)).tolist() == [340, 300]
        parts = np.repeat([0, 1], [150, 490])
        assert np.bincount(time_spans(time, use, parts)).tolist() == [150, 190, 300]

    def test_flagged_cadences_do_not_fill_a_gap(self):
        time = np.arange(400) / 100.0
        use = ~((time > 1.5) & (time < 2.0))
        spans = time_spans(time, use)
        assert np.bincount(spans).tolist() == [176, 224]

    @given(st.lists(st.integers(1, 300), min_size=1, max_size=8), st.integers(1, 150))
    def test_no_span_is_too_short(self, sizes, shortest):
        time = np.concatenate([2.0 * k + np.arange(size) / 400 for k, size in enumerate(sizes)])
        counts = np.bincount(time_spans(time, np.ones(len(time), bool), shortest=shortest))
        assert counts.sum() == len(time)
        assert len(counts) == 1 or counts.min() >= shortest


class TestPixels:
    def test_faint_light_is_never_cut(self):
        full, limit = saturated_pixels(np.full((5, 5), 4e4))
        assert not full.any()
        assert np.isnan(limit)

    def test_the_cut_follows_the_level_that_pixels_hold(self):
        light = np.full((30, 9), 3e4)
        light[5:20, 4] = 1.6e5
        light[10:14, 3] = 9e4
        full, limit = saturated_pixels(light)
        assert limit == pytest.approx(8e4)
        assert full[3:22, 4].all()
        assert not full[:3, 4].any()
        assert full[10:14, 3].all()

    def test_groups_are_as_many_as_asked_and_hold_every_pixel(self):
        rows, cols = (each.ravel() for each in np.indices((9, 11)))
        labels = group_pixels(rows, cols, np.random.default_rng(0).uniform(1, 100, rows.size), 17)
        assert sorted(set(labels)) == list(range(17))
        assert len(group_pixels(rows[:3], cols[:3], np.ones(3), 17)) == 3

    def test_other_stars_shine_with_their_magnitudes(self):
        stars = surroundings([3.0, 8.0], column=[620.0, 630.0], row=[720.0, 720.0])
        image = light_of_others(stars, 0, (601, 701), (40, 40))
        assert image.sum() == pytest.approx(10 ** (-0.4 * (8.0 - 20.44)), rel=1e-3)
        assert np.unravel_index(image.argmax(), image.shape) == (19, 29)


class TestStar:
    def test_noise_is_that_of_the_weighted_pixels_and_errors_say_so(self):
        sky, result = quiet()
        assert result.status is STATUS.OK, result.reason
        flux, error = result.columns["FLUX"], result.columns["FLUX_ERR"]
        level = sky.target.expected_flux()
        assert np.median(flux) == pytest.approx(level)
        expected = np.median(error) / level
        assert 20e-6 < expected < 200e-6
        assert np.std(flux) / level < 2 * expected
        # Slow drifts apart, what is left is what the errors say, and a little of the image motion.
        assert np.std(np.diff(flux)) / np.sqrt(2) / np.median(error) == pytest.approx(1, abs=0.12)

    @pytest.mark.parametrize("name", SIGNALS)
    def test_the_star_itself_survives(self, name):
        signal = SIGNALS[name]
        sky = bright_star(signal=signal)
        result = run(sky)
        level = sky.target.expected_flux()
        own = result.columns["FLUX"] / level
        without = quiet()[1].columns["FLUX"] / level
        design = np.column_stack([signal - signal.mean(), np.ones_like(signal)])
        kept = np.linalg.lstsq(design, own - without, rcond=None)[0][0]
        assert kept == pytest.approx(1, abs=0.03)

    def test_saturated_pixels_are_left_out_and_weights_sum_to_one(self):
        sky, result = quiet()
        mean = sky.stamp.images.mean(axis=0) + 100
        (one,) = result.weight_maps
        assert one.weights.sum() == pytest.approx(1)
        assert one.weights.min() == 0
        assert (mean[one.weights > 0] < 1.01e5 / 2).all()
        assert one.saturated > 50
        assert result.cards["HALO_THR"][0] == pytest.approx(5.05e4, rel=0.02)
        assert (result.mask == (one.weights > 0)).mean() > 0.95
        assert (one.first_cadence, one.last_cadence) == (1000, 1499)

    @pytest.mark.parametrize("cadence", [20.0, 120.0, 200.0, 1800.0])
    def test_any_cadence(self, cadence):
        result = run(bright_star(4.0, cadence=cadence, count=250))
        assert result.status is STATUS.OK, result.reason
        error = result.columns["FLUX_ERR"]
        assert np.isfinite(error).all()
        assert np.std(np.diff(result.columns["FLUX"])) / np.sqrt(2) == pytest.approx(np.median(error), rel=0.2)

    def test_each_orbit_has_weights_of_its_own(self):
        result = run(bright_star(gap=1.2))
        assert [(one.first_cadence, one.last_cadence) for one in result.weight_maps] == [(1000, 1249), (1250, 1499)]
        halves = result.columns["FLUX"][:250], result.columns["FLUX"][250:]
        assert np.median(halves[0]) == pytest.approx(np.median(halves[1]), rel=1e-6)

    def test_neighbours_are_told_and_kept_out(self):
        sky = bright_star(others=((30.0, 27.0, 7.5), (11.0, 13.0, 12.0)))
        stars = surroundings(
            [3.0, 7.5, 12.0, 9.0], column=[sky.target.column, 631.0, 612.0, 700.0],
            row=[sky.target.row, 728.0, 714.0, 800.0], tic=[77, 78, 79, 80], count=500,
        )  # fmt: skip
        result = run(sky, stars)
        assert set(result.skip) == {78, 79}
        assert not result.mask[26:29, 29:32].any()
        assert result.metrics["contamination"] < 0.02
        assert result.columns["MOM_CENTR1"] == pytest.approx(np.full(500, sky.target.column))

    def test_a_larger_stamp_is_asked_for_but_not_needed(self):
        sky = bright_star(5.0, size=31)
        result = run(sky)
        assert result.status is STATUS.OK
        grow = result.grow
        assert (grow.down, grow.up, grow.left, grow.right) == (5, 5, 5, 5)
        assert not grow.needed
        assert quiet()[1].grow is None


class TestOutsideItsRange:
    @pytest.mark.parametrize(
        ("sky", "told"),
        [
            (lambda: bright_star(8.0, count=80), "fainter than 7"),
            (lambda: bright_star(3.0, count=80, size=7), "pixels within"),
            (lambda: bright_star(3.0, count=40), "good cadences"),
        ],
        ids=["faint", "few pixels", "few cadences"],
    )
    def test_it_is_skipped_with_a_reason(self, sky, told):
        result = run(sky())
        assert result.status is STATUS.SKIPPED
        assert told in result.reason
        assert not result.columns

    def test_without_a_magnitude(self):
        from dataclasses import replace

        sky = bright_star(count=80)
        result = run(Sky(sky.stamp, replace(sky.target, tmag=None), sky.signal))
        assert result.status is STATUS.SKIPPED
        assert "magnitude" in result.reason


class TestBadInput:
    def test_all_missing_or_all_flagged_is_an_error(self):
        sky = bright_star(count=80)
        blank = bright_star(count=80, images=np.full((80, 45, 45), np.nan))
        flagged = bright_star(count=80, quality=np.full(80, 128))
        for each in (blank, flagged):
            result = run(each)
            assert result.status is STATUS.ERROR
            assert "no good cadence" in result.reason
        assert run(sky, quality="none").status is STATUS.OK

    def test_missing_pixels_and_cadences_do_no_harm(self):
        sky = bright_star(count=200)
        images = np.array(sky.stamp.images)
        images[50, 20, 10] = np.nan
        images[80] = np.nan
        time = np.array(sky.stamp.time)
        time[90] = np.nan
        result = run(bright_star(count=200, images=images, time=time))
        assert result.status is STATUS.OK
        assert not result.mask[20, 10]
        flux = result.columns["FLUX"]
        assert np.flatnonzero(~np.isfinite(flux)).tolist() == [80]
        assert result.columns["PIXEL_QUALITY"][80] & PixelQuality.ALL_MISSING

    def test_sky_that_is_still_in_the_pixels_is_taken_off(self):
        sky = bright_star(count=200)
        raw = np.asarray(sky.stamp.images) + 100
        result = run(bright_star(count=200, images=raw, background=0 * raw, background_subtracted=False))
        assert result.status is STATUS.OK
        assert np.median(result.columns["FLUX"]) == pytest.approx(sky.target.expected_flux())

    def test_a_star_whose_place_is_not_known(self):
        from dataclasses import replace

        sky = bright_star(count=80)
        result = run(Sky(sky.stamp, replace(sky.target, column=None, row=None), sky.signal))
        assert result.status is STATUS.ERROR
        assert "where" in result.reason


def test_a_target_pixel_file_of_a_saturated_star(tmp_path):
    from tessellar.simulate import simulate

    simulate(tmp_path, seed=3, days=0.5, extras=False)
    saturated = [
        result
        for path in sorted(tmp_path.rglob("*_tp.fits"))
        if (result := measure(path, method="halo")).target.tmag is not None and result.target.tmag < 7
    ]
    assert saturated
    for result in saturated:
        assert result.status is STATUS.OK, result.reason
        assert np.isfinite(result.columns["FLUX_ERR"]).any()


@pytest.mark.heavy
def test_a_star_of_third_magnitude_in_simulated_frames(tmp_path):
    """The gate: scatter within twice the photon noise of the weighted pixels, wings to 64 px, charge spilling."""
    from tessellar.photometry import FieldScene, measure_in
    from tests.photometry.fieldsky import FIELD, prepare_sky

    table = _catalogue_with_a_bright_star(tmp_path / "drawn")
    from tessellar.simulate import simulate_frames

    truth = simulate_frames(tmp_path / "sky", FIELD, window=_WINDOW, cadence=600, n_frames=1500, catalog=table, seed=11)
    field = prepare_sky(truth, tmp_path / "sky" / "field.h5")
    tic = int(table["ID"][int(np.argmin(table["Tmag"]))])
    result = measure_in(FieldScene(field), tic, "halo")
    assert result.status is STATUS.OK, result.reason
    assert len(result.weight_maps) == 2
    # Scattered light at the ends of the orbits is flagged, but good by the default mask: it is left out here.
    good = (result.columns["QUALITY"] & ~4096) == 0
    for one in result.weight_maps:
        numbers = result.columns["CADENCENO"]
        span = good & (numbers >= one.first_cadence) & (numbers <= one.last_cadence)
        flux, error = result.columns["FLUX"][span], np.median(result.columns["FLUX_ERR"][span])
        time = result.columns["TIME"][span]
        slow = np.polynomial.legendre.Legendre.fit(time, flux, 5)(time)
        rest = flux - slow
        rest = rest[np.abs(rest) < 5 * rest.std()]
        assert rest.std() < 2 * error
        assert np.std(np.diff(flux)) / np.sqrt(2) == pytest.approx(error, rel=0.08)


_WINDOW = ((600, 699), (700, 829))


def _catalogue_with_a_bright_star(folder):
    """Stars of a field, of which one in the middle is made T = 3."""
    from astropy.table import Table

    from tessellar.mission.ccd import ccd_wcs
    from tessellar.simulate import simulate_frames
    from tests.photometry.fieldsky import FIELD

    simulate_frames(folder, FIELD, window=_WINDOW, cadence=600, n_frames=1, stars=60_000, seed=7)
    table = Table.read(folder / "tic.ecsv")
    columns, rows = ccd_wcs(FIELD).all_world2pix(table["ra"], table["dec"], 1)
    table["Tmag"][int(np.argmin(np.hypot(columns - 649.7, rows - 765.2)))] = 3.0
    return table
