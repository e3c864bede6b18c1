"""Every figure of merit means what its definition says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessellar.photometry import METRICS, SAMPLE, Sample, compute_metrics, describe_metrics, hour_bins

NAN = float("nan")


def make(flux: np.ndarray, *, error: float = 1.0, **other: Any) -> Sample:
    count = len(flux)
    values: dict[str, Any] = {
        "time": 1325.3 + np.arange(count) / 720,
        "cadenceno": np.arange(count),
        "flux": np.asarray(flux, dtype=float),
        "flux_err": np.full(count, error),
        "centroid": np.column_stack([np.full(count, 100.5), np.full(count, 200.25)]),
        "cadence": 120.0,
        "mask": np.ones((3, 3), dtype=bool),
        "mean_image": np.arange(9.0).reshape(3, 3),
    }
    return Sample(**{**values, **other})


def noise(count: int = 19440, scatter: float = 1e-3, seed: int = 5) -> np.ndarray:
    return 10000.0 * (1 + np.random.default_rng(seed).normal(0, scatter, count))


def test_white_noise_gives_the_figures_that_theory_promises() -> None:
    got = compute_metrics(make(noise(), error=10.0))
    assert got["n_good"] == 19440
    assert got["mean_flux"] == pytest.approx(10000.0, rel=1e-4)
    assert got["variance"] == pytest.approx(1e-6, rel=0.03)
    assert got["rms_hour"] == pytest.approx(1e-3 / np.sqrt(30), rel=0.1)
    assert got["ptp"] == pytest.approx(0.954e-3, rel=0.03)
    assert got["variability"] == pytest.approx(1.0, rel=0.02)


def test_the_plain_figures() -> None:
    got = compute_metrics(make(np.array([90.0, 100.0, 130.0]), contamination=0.25))
    assert got["mean_flux"] == 100.0
    assert got["variance"] == pytest.approx(np.var([-0.1, 0.0, 0.3], ddof=1))
    assert got["ptp"] == pytest.approx(0.2)
    assert got["mask_size"] == 9
    assert got["edge_flux"] == 32.0  # the border of 0 ... 8 is everything but the 4
    assert (got["pos_column"], got["pos_row"]) == (100.5, 200.25)
    assert got["contamination"] == 0.25
    assert np.isnan(got["rms_hour"])


@pytest.mark.parametrize(("kept", "counts"), [(24, True), (23, False)])
def test_an_hour_counts_when_it_is_four_fifths_full(kept: int, counts: bool) -> None:
    flux = np.full(120, 100.0)
    flux[30:60] = 110.0
    use = np.ones(120, dtype=bool)
    use[30 + kept : 60] = False
    sample = make(flux)
    thinned = make(flux[use], time=sample.time[use], cadenceno=sample.cadenceno[use])
    bins = hour_bins(thinned)
    assert bins.size == (4 if counts else 3)
    assert (bins.max() > 0.09) == counts


def test_half_hour_cadences_fill_an_hour_with_two() -> None:
    step = 1800 / 86400
    time = 1325.3 + np.arange(8) * step
    time += 1e-6 * np.sin(np.arange(8))  # the barycentre is not exactly in step
    sample = make(np.arange(8.0) + 100, time=time, cadence=1800.0)
    assert hour_bins(sample).size == 4
    use = np.arange(8) != 3
    holed = make(np.arange(8.0)[use] + 100, time=time[use], cadence=1800.0)
    assert hour_bins(holed).size == 3


def test_ptp_does_not_compare_across_a_gap() -> None:
    flux = np.r_[np.full(50, 100.0), np.full(50, 200.0)]
    cadences = np.r_[np.arange(50), np.arange(5000, 5050)]
    assert compute_metrics(make(flux, cadenceno=cadences))["ptp"] == 0.0
    lonely = make(np.array([1.0, 2.0, 3.0]), cadenceno=np.array([1, 3, 5]))
    assert np.isnan(compute_metrics(lonely)["ptp"])


@given(st.lists(st.floats(-0.05, 0.05), min_size=3, max_size=3))
def test_variability_is_blind_to_any_cubic(coefficients: list[float]) -> None:
    flux = noise(2000)
    x = np.linspace(-1, 1, 2000)
    trend = 1 + sum(c * x**power for power, c in enumerate(coefficients, 1))
    flat = compute_metrics(make(flux, error=10.0))["variability"]
    # The trend changes the median, and so the unit, by its own size at the most.
    assert compute_metrics(make(flux * trend, error=10.0))["variability"] == pytest.approx(flat, rel=0.12)


def test_variability_sees_a_pulsator() -> None:
    time = np.arange(2000) / 720
    flux = noise(2000) * (1 + 0.01 * np.sin(2 * np.pi * time / 0.2))
    assert compute_metrics(make(flux, error=10.0))["variability"] == pytest.approx(0.01 / np.sqrt(2) / 1e-3, rel=0.05)


def test_the_cubic_trusts_precise_cadences_more() -> None:
    flux = noise(1000, scatter=1e-4)
    error = np.full(1000, 1.0)
    flux[400:420] *= 1.5
    loud = error.copy()
    loud[400:420] = 1e5
    base = np.std(flux / np.median(flux) - 1)
    got = compute_metrics(make(flux, flux_err=loud))["variability"] * np.median(loud) / np.median(flux)
    # Twenty wild cadences with honest errors do not bend the fit: what is left is the whole scatter.
    assert got == pytest.approx(base, rel=0.03)


def test_flux_without_a_positive_median_has_no_relative_figures() -> None:
    got = compute_metrics(make(np.array([-5.0, -4.0, -6.0, 1.0, -5.0])))
    assert got["mean_flux"] == -5.0
    assert all(np.isnan(got[name]) for name in ("variance", "rms_hour", "ptp", "variability"))
    empty = compute_metrics(make(np.zeros(0)))
    assert empty["n_good"] == 0
    assert np.isnan(empty["mean_flux"])
    assert np.isnan(empty["rms_hour"])


def test_every_metric_is_defined_and_fits_a_header() -> None:
    keywords = [metric.keyword for metric in METRICS.values()]
    assert len(set(keywords)) == len(keywords)
    text = describe_metrics()
    assert text.startswith(SAMPLE)
    for name, metric in METRICS.items():
        assert name == metric.name
        assert len(metric.keyword) <= 8
        # 80 characters, less keyword, value and slash.
        assert len(metric.comment) <= 47, name
        assert metric.definition in text
    assert {
        "mean_flux",
        "variance",
        "rms_hour",
        "ptp",
        "variability",
        "mask_size",
        "edge_flux",
        "contamination",
    } <= set(METRICS)


def test_the_page_of_metrics_names_them_all() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()
    for name, metric in METRICS.items():
        assert f"`{metric.keyword}`" in page, metric.keyword
        assert f"`{name}`" in page, name


def test_noise_on_hours_and_against_expectation() -> None:
    flux = noise(19440)
    expected = 10000 * 1e-3 / np.sqrt(30)
    got = compute_metrics(make(flux, expected=expected, crowdsap=0.9, flfrcsap=0.8))
    assert got["cdpp_1_0"] == pytest.approx(1.168 * 1000 / np.sqrt(30), rel=0.08)
    assert got["cdpp_0_5"] > got["cdpp_1_0"] > got["cdpp_2_0"] > got["cdpp_6_5"]
    assert got["noise_expected"] == pytest.approx(1000 / np.sqrt(30), rel=1e-3)
    assert got["noise_ratio"] == pytest.approx(1.168, rel=0.08)
    assert (got["crowdsap"], got["flfrcsap"]) == (0.9, 0.8)
    unknown = compute_metrics(make(flux))
    assert all(np.isnan(unknown[name]) for name in ("noise_expected", "noise_ratio", "crowdsap", "flfrcsap"))
    dark = compute_metrics(make(-flux, expected=1.0))
    assert np.isnan(dark["cdpp_1_0"])
    assert np.isnan(dark["noise_ratio"])
