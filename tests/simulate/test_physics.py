"""The parts of the simulation that have an exact answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessellar.simulate import PRF, EclipsingBinary, Pulsation, Star, Transit
from tessellar.simulate.detector import SATURATION, bleed, output, stagger
from tessellar.simulate.fields import sector_span
from tessellar.simulate.schedule import STEP, light_travel, plan
from tessellar.simulate.signals import SOLAR_LIMB, occulted


@given(
    x=st.floats(-0.5, 0.5), y=st.floats(-0.5, 0.5), outward=st.tuples(st.floats(-2900, 2900), st.floats(-2900, 2900))
)
@settings(max_examples=40, deadline=None)
def test_the_prf_keeps_all_light_and_its_centroid(x, y, outward):
    image = PRF.at(outward).render(np.array([60 + x]), np.array([60 + y]), (121, 121))[0].astype(np.float64)
    assert image.sum() == pytest.approx(1, abs=1e-5)
    rows, columns = np.indices(image.shape)
    assert (image * columns).sum() == pytest.approx(60 + x, abs=5e-3)
    assert (image * rows).sum() == pytest.approx(60 + y, abs=5e-3)


def test_the_prf_resembles_that_of_the_mission():
    phases = np.linspace(-0.5, 0.5, 9)
    x, y = (6 + part.ravel() for part in np.meshgrid(phases, phases))
    images = PRF.at((-1000.0, -1000.0)).render(x, y, (13, 13))
    area = float(np.mean(1 / (images**2).sum(axis=(1, 2))))
    within = float(images[:, 4:9, 4:9].sum(axis=(1, 2)).mean())
    assert 6.9 < area < 8.5
    assert 0.90 < within < 0.95


@given(peak=st.floats(0.1, 8), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_bleeding_keeps_every_electron_in_its_column(peak, seed):
    rng = np.random.default_rng(seed)
    images = rng.uniform(0, 0.05 * SATURATION, (3, 71, 5)).astype(np.float32)
    images[:, 34:37, 2] += peak * SATURATION
    after = bleed(images)
    np.testing.assert_allclose(after.sum(axis=1, dtype="f8"), images.sum(axis=1, dtype="f8"), rtol=1e-5)
    assert after.max() <= SATURATION * (1 + 1e-6)
    np.testing.assert_array_equal(after[:, :, [0, 1, 3, 4]], images[:, :, [0, 1, 3, 4]])


def test_charge_that_reaches_the_edge_leaves():
    images = np.full((1, 3, 1), SATURATION, dtype=np.float32)
    images[0, 1, 0] *= 3
    assert bleed(images).sum() == pytest.approx(3 * SATURATION)


def test_occultation_of_a_uniform_disc_is_the_overlap_of_two_circles():
    z, k = np.array([0.0, 0.3, 0.95, 1.0, 1.05, 1.2]), 0.1
    expected = np.zeros_like(z)
    expected[z <= 1 - k] = k**2
    for i in np.flatnonzero((z > 1 - k) & (z < 1 + k)):
        a = np.arccos((z[i] ** 2 + k**2 - 1) / (2 * z[i] * k))
        b = np.arccos((z[i] ** 2 + 1 - k**2) / (2 * z[i]))
        kite = np.sqrt((-z[i] + k + 1) * (z[i] + k - 1) * (z[i] - k + 1) * (z[i] + k + 1)) / 2
        expected[i] = (k**2 * a + b - kite) / np.pi
    np.testing.assert_allclose(occulted(z, k, (0.0, 0.0)), expected, atol=1e-8)


def test_occultation_agrees_with_a_fine_grid_for_a_limb_darkened_star():
    axis = (np.arange(3000) + 0.5) / 1500 - 1
    x, y = np.meshgrid(axis, axis)
    r2 = x**2 + y**2
    shade = 1 - np.sqrt(np.clip(1 - r2, 0, 1))
    light = np.where(r2 < 1, 1 - SOLAR_LIMB[0] * shade - SOLAR_LIMB[1] * shade**2, 0)
    z = np.array([0.05, 0.4, 0.8, 0.97])
    grid = [light[(x - each) ** 2 + y**2 < 0.3**2].sum() / light.sum() for each in z]
    np.testing.assert_allclose(occulted(z, 0.3, SOLAR_LIMB), grid, rtol=2e-4)


def test_a_transit_is_where_its_numbers_say():
    planet = Transit(3.6, 1326.0, radius_ratio=0.085, semi_axis=10.2, impact=0.2)
    time = np.arange(1325, 1340, 1e-4)
    flux = planet.relative(time)
    assert 1 - flux.min() == pytest.approx(planet.depth, rel=1e-6)
    dark = time[(flux < 1) & (np.abs(time - 1329.6) < 1)]
    assert np.ptp(dark) == pytest.approx(planet.duration, abs=3e-4)
    assert dark.mean() == pytest.approx(1329.6, abs=1e-4)
    assert 0.006 < planet.depth < 0.010


def test_a_binary_has_two_eclipses_of_different_depth():
    pair = EclipsingBinary(Transit(2.38, 1326.0, radius_ratio=0.5, semi_axis=6.0, impact=0.1))
    first, second, bright = pair.relative([1326.0, 1326.0 + 1.19, 1326.0 + 2.38 / 4])
    assert bright == pytest.approx(1)
    assert first < second < 0.95
    assert pair.depth == pytest.approx(1 - first)
    # In the total secondary eclipse the fainter star is gone, all of it.
    assert second == pytest.approx(1 - pair.faint_share - 2 * pair.bulge, abs=1e-3)


def test_a_pulsator_has_its_frequencies():
    modes = Pulsation((12.316, 15.742), (0.008, 0.004), (0.3, 1.0))
    time = np.arange(1325, 1352, 1 / 720)
    flux = modes.relative(time) - 1
    for frequency, amplitude in zip(modes.frequencies, modes.amplitudes, strict=True):
        found = 2 * abs(np.mean(flux * np.exp(-2j * np.pi * frequency * time)))
        assert found == pytest.approx(amplitude, rel=0.02)


def test_the_zero_point_is_that_of_the_mission():
    assert Star(1, "quiet", 20.44).flux == pytest.approx(1)
    assert Star(1, "quiet", 10.0).flux == pytest.approx(15000, rel=0.01)


def test_cadences_and_times_are_those_of_the_mission(real_data):
    from astropy.io import fits

    for name, ra, dec, camera, ccd, late in (
        ("tess2018206045859-s0001-0000000025155310-0120-s_lc.fits", 63.37389, -69.226789, 4, 1, 1.979),
        ("tess2018206045859-s0001-0000000117544915-0120-s_lc.fits", 340.327824, -43.841277, 2, 3, 1.979),
        ("tess2020106103520-s0024-0000000188589164-0180-s_lc.fits", 239.578325, 35.406744, 1, 1, 0.0),
    ):
        real = fits.getdata(real_data / name, 1)
        sector = int(fits.getval(real_data / name, "SECTOR"))
        schedule = plan(sector, *sector_span(sector))
        np.testing.assert_array_equal(schedule.cadenceno, real["CADENCENO"])
        there = np.isfinite(real["TIME"])
        # The spacecraft's own place, left out, is worth up to 1.3 s of light.
        timecorr = light_travel(ra, dec, schedule.clock)
        assert np.abs(timecorr - real["TIMECORR"])[there].max() * 86400 < 1.3
        clock = real["TIME"] - real["TIMECORR"] - (late + stagger(camera, ccd)) / 86400
        # The first data releases were late by a varying second, too.
        assert np.abs(clock - schedule.clock)[there].max() * 86400 < 0.8


def test_outputs_are_those_of_real_apertures():
    assert [output(column) for column in (45, 556, 557, 1068, 1069, 1580, 1581, 2092)] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_short_schedule_has_gap_and_flags_in_proportion():
    schedule = plan(1, 1325.29366, 1353.17698, 2000)
    assert len(schedule) == 2000
    np.testing.assert_allclose(np.diff(schedule.clock), STEP, rtol=1e-6)
    assert schedule.gap.sum() == 81
    for bit in (8, 32, 128, 4096):
        assert ((schedule.quality & bit) > 0).any(), bit
    assert (schedule.quality == 0).mean() > 0.8
