"""Aperture photometry from stamp to result: what is OK, what is doubtful, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessellar.errors import InputError
from tessellar.photometry import (
    METHODS,
    STATUS,
    AperturePhotometry,
    PhotometryMethod,
    Result,
    Settings,
    Target,
    get_method,
)
from tessellar.pixels import Stamp, Surroundings
from tests.photometry.fieldsky import surroundings

Maker = Callable[..., Stamp]
METHOD = AperturePhotometry()


def run(stamp: Stamp, target: Target, stars: Surroundings | None = None, **settings: object) -> Result:
    return METHOD.run(stamp, target, stars, Settings(**{"aperture": "pipeline", **settings}))  # type: ignore[arg-type]


@pytest.mark.parametrize("aperture", ["pipeline", "threshold"])
def test_an_injected_transit_comes_out(make_stamp: Maker, star: Target, aperture: str) -> None:
    truth = np.full(720, 15000.0)
    truth[300:400] *= 0.99
    result = run(make_stamp(truth, noise=3.0, count=720), star, aperture=aperture)
    assert result.status is STATUS.OK, result.reason
    flux = result.columns["FLUX"]
    depth = 1 - np.median(flux[300:400]) / np.median(np.delete(flux, np.s_[300:400]))
    assert depth == pytest.approx(0.01, rel=0.05)
    if aperture == "pipeline":
        share = flux.mean() / truth.mean()
        assert share == pytest.approx(0.99, abs=0.01)
        pulls = (flux - share * truth) / result.columns["FLUX_ERR"]
        assert np.std(pulls) == pytest.approx(1.0, abs=0.1)


def test_flagged_cadences_stay_but_no_figure_uses_them(make_stamp: Maker, star: Target) -> None:
    stamp = make_stamp(noise=3.0)
    images, quality, time = np.array(stamp.images), np.array(stamp.quality), np.array(stamp.time)
    clean = run(stamp.reordered(np.arange(20, 200)), star)
    quality[:10] = 128
    time[10:20] = np.nan
    images[:10] *= 100
    images[10:20] *= 100
    result = run(replace(stamp, images=images, quality=quality, time=time), star)
    assert len(result.columns["FLUX"]) == 200
    assert result.columns["FLUX"][0] > 1e6
    assert result.metrics["n_good"] == 180
    for name in ("mean_flux", "variance", "rms_hour", "ptp", "variability", "edge_flux"):
        assert result.metrics[name] == pytest.approx(clean.metrics[name], nan_ok=True), name
    np.testing.assert_allclose(result.mean_image, clean.mean_image)
    assert run(replace(stamp, images=images, quality=quality), star, quality="none").metrics["n_good"] == 200


def test_scattered_light_flags_are_not_dropped_by_default(make_stamp: Maker, star: Target) -> None:
    stamp = replace(make_stamp(noise=3.0), quality=np.full(200, 4096, dtype=np.int32))
    assert run(stamp, star).metrics["n_good"] == 200


@given(st.integers(0, 2**32 - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
def test_the_order_of_cadences_does_not_matter(make_stamp: Maker, star: Target, seed: int) -> None:
    stamp = make_stamp(noise=30.0, seed=seed)
    order = np.random.default_rng(seed).permutation(len(stamp))
    straight, mixed = run(stamp, star), run(stamp.reordered(order), star)
    np.testing.assert_array_equal(straight.columns["FLUX"][order], mixed.columns["FLUX"])
    for name, value in straight.metrics.items():
        assert mixed.metrics[name] == pytest.approx(value, rel=1e-9, nan_ok=True), name


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"flux": -500.0}, STATUS.ERROR, r"the median flux is -\d+.* e-/s for a star of Tmag 9.50"),
        ({"flux": 100.0}, STATUS.WARNING, "times what Tmag 9.50 promises"),
        ({"flux": 1e7}, STATUS.WARNING, "times what Tmag 9.50 promises"),
        ({"quality": np.full(200, 128)}, STATUS.ERROR, "no good cadence"),
        ({"time": np.full(200, np.nan)}, STATUS.ERROR, "no good cadence"),
        ({"errors": np.full((200, 11, 11), np.nan)}, STATUS.WARNING, "no good cadence has an uncertainty"),
        ({"half": 5}, STATUS.ERROR, "every collected pixel"),
        ({"aperture": np.ones((11, 11), dtype=np.int32)}, STATUS.ERROR, "is empty"),
        ({"place": (5.0, 1.0), "half": 4}, STATUS.OK, "^$"),
    ],
)
def test_flux_that_makes_no_sense_is_told(
    make_stamp: Maker, star: Target, change: dict[str, object], status: STATUS, reason: str
) -> None:
    import re

    result = run(make_stamp(**change), replace(star, tmag=9.5))
    assert result.status is status, result.reason
    assert re.search(reason, result.reason)
    assert "\n" not in result.reason


def test_a_faint_star_may_be_lost_in_the_noise(make_stamp: Maker, star: Target) -> None:
    result = run(make_stamp(-3.0), replace(star, tmag=15.0))
    assert result.status is STATUS.WARNING
    assert np.isnan(result.metrics["variance"])


def test_light_on_the_border_and_a_mask_beside_the_star_are_doubtful(make_stamp: Maker, star: Target) -> None:
    at_edge = run(make_stamp(place=(5.0, 0.3)), replace(star, row=389.3), aperture="threshold")
    assert at_edge.status is STATUS.WARNING
    assert "on the stamp's border" in at_edge.reason
    beside = run(make_stamp(), replace(star, column=1619.0), aperture=make_stamp().aperture & 2)
    assert beside.status is STATUS.WARNING
    assert "is not in the mask" in beside.reason


def test_a_star_that_falls_outside_its_stamp_is_an_error(make_stamp: Maker, star: Target) -> None:
    result = run(make_stamp(), replace(star, row=976.0), aperture="threshold")
    assert result.status is STATUS.ERROR
    assert "outside the stamp of memory" in result.reason


def test_without_a_position_the_middle_is_taken_and_told(make_stamp: Maker) -> None:
    result = run(make_stamp(), Target(tmag=10.0), aperture="threshold")
    assert result.status is STATUS.WARNING
    assert "the middle of the stamp was taken" in result.reason
    assert result.mask is not None
    assert result.mask[5, 5]


def test_a_given_mask_is_used_as_it_is_and_must_fit(make_stamp: Maker, star: Target) -> None:
    mask = np.zeros((11, 11), dtype=bool)
    mask[5, 5] = True
    stamp = make_stamp(200000.0)
    result = run(stamp, star, aperture=mask)
    np.testing.assert_allclose(result.columns["FLUX"], stamp.images[:, 5, 5])
    assert result.metrics["mask_size"] == 1
    with pytest.raises(InputError, match="shape"):
        run(stamp, star, aperture=mask[:5])


def test_pixels_that_were_never_collected_are_refused_not_summed(make_stamp: Maker, star: Target) -> None:
    stamp = make_stamp()
    images = np.array(stamp.images)
    images[:, 4, 4] = np.nan
    result = run(replace(stamp, images=images), star)
    assert result.status is STATUS.ERROR
    assert "1 of the 25 pixels of the aperture have no value in any good cadence" in result.reason


def test_contamination_is_the_headers_for_the_pipelines_aperture_only(make_stamp: Maker, star: Target) -> None:
    known = replace(star, crowdsap=0.97)
    assert run(make_stamp(), known).metrics["contamination"] == pytest.approx(0.03)
    assert np.isnan(run(make_stamp(), known, aperture="threshold").metrics["contamination"])
    stars = surroundings([10.0, 11.0, 8.0], column=[1624.0, 1625.2, 1619.0], row=[394.0, 393.0, 389.0])
    share = 10**-0.4
    got = run(make_stamp(), known, stars).metrics["contamination"]
    assert got == pytest.approx(share / (1 + share))


@pytest.mark.parametrize(
    "wrong", [{"aperture": "best"}, {"quality": "strict"}, {"sigma": 0.0}, {"sigma": float("nan")}, {"missing": "0"}]
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        Settings(**wrong)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_method_of_ones_own_needs_only_a_name_and_run(make_stamp: Maker, star: Target) -> None:
    class Brightest(AperturePhotometry):
        name = "brightest"

        def choose_mask(self, stamp, target, image, stars, settings):  # type: ignore[no-untyped-def]
            return image == np.nanmax(image)

    assert isinstance(Brightest(), PhotometryMethod)
    result = get_method(Brightest()).run(make_stamp(200000.0), star, None, Settings())
    assert result.method == "brightest"
    assert result.metrics["mask_size"] == 1
    assert "aperture" in METHODS
    with pytest.raises(InputError, match="choose one of aperture"):
        get_method("psf9")
    with pytest.raises(InputError, match="is not a photometry method"):
        get_method(object())  # type: ignore[arg-type]


def test_the_table_has_the_fields_names_and_units(make_stamp: Maker, star: Target) -> None:
    table = run(make_stamp(), star).lightcurve
    assert {"time", "timecorr", "cadenceno", "quality", "flux", "flux_err", "flux_background", "pos_centroid"} <= set(
        table.colnames
    )
    assert str(table["flux"].unit) == "electron / s"
    assert table["pos_centroid"].shape == (200, 2)
    assert run(make_stamp(), star).status.has_light_curve
