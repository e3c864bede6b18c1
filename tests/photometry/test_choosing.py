"""Which aperture a star gets, when a larger stamp is wanted, and what is said of apertures that are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tessellar import TIC, Field
from tessellar.errors import InputError
from tessellar.photometry import STATUS, AperturePhotometry, Result, Settings, Target, measure
from tessellar.photometry.apertures.choosing import default_kind, growth_of, minimum_aperture
from tessellar.photometry.apertures.optimal import choose_apertures
from tessellar.pixels import MissionPRF, Stamp, Surroundings, add_stars
from tests.photometry.fieldsky import surroundings

CORNER = (1700, 100)
COUNT = 60


@pytest.fixture(scope="module")
def prf(real_data: Path) -> MissionPRF:
    return MissionPRF.open(sorted(real_data.glob("*prf-4-1*.fits")), camera=4, ccd=1)


def around(prf: MissionPRF, tmag: list[float], column: list[float], row: list[float]) -> Surroundings:
    return surroundings(tmag, column=column, row=row, count=COUNT, response=prf)


def frames(stars: Surroundings, shape: tuple[int, int] = (15, 15), **other: Any) -> Stamp:
    """A stamp of frames with stars and noise, without an aperture of the pipeline."""
    image = np.zeros(shape)
    add_stars(image, CORNER, stars.column, stars.row, stars.flux, stars.responses[0])
    sigma = np.sqrt((image + 150) / 564)
    images = image + sigma * np.random.default_rng(3).normal(size=(COUNT, *shape))
    values: dict[str, Any] = {
        "images": images.astype("f4"), "errors": np.broadcast_to(sigma, images.shape).astype("f4"),
        "background": np.full(images.shape, 100.0, "f4"), "time": 1325 + np.arange(COUNT) / 144,
        "timecorr": np.zeros(COUNT), "cadenceno": np.arange(COUNT), "quality": np.zeros(COUNT, int), "corner": CORNER,
        "field": Field(27, 4, 1), "cadence": 600.0, "origin": "frames in memory",
    }  # fmt: skip
    return Stamp(**{**values, **other})


def star(stars: Surroundings, index: int = 0, **other: Any) -> Target:
    known = {name: float(getattr(stars, name)[index]) for name in ("tmag", "column", "row")}
    return Target(tic=TIC(int(stars.tic[index])), **{**known, **other})  # type: ignore[arg-type]


def run(stamp: Stamp, target: Target, stars: Surroundings | None, **settings: Any) -> Result:
    return AperturePhotometry().run(stamp, target, stars, Settings(**settings))


def test_the_default_is_the_pipelines_then_watershed_for_saturated_stars_then_optimal(
    prf: MissionPRF, make_stamp: Callable[..., Stamp]
) -> None:
    stars = around(prf, [10.0], [1707.0], [107.0])
    stamp = frames(stars)
    assert default_kind(make_stamp(), star(stars), stars) == "pipeline"
    assert default_kind(make_stamp(), star(stars, secondary=True), stars) == "optimal"
    assert default_kind(stamp, star(stars), stars) == "optimal"
    assert default_kind(stamp, star(stars, tmag=6.5), stars) == "watershed"
    assert default_kind(stamp, star(stars), None) == "watershed"
    assert default_kind(stamp, star(stars), replace(stars, responses=())) == "watershed"
    assert default_kind(stamp, Target(tmag=10.0), stars) == "watershed"


def test_an_optimal_aperture_is_that_of_the_whole_ccd(prf: MissionPRF) -> None:
    stars = around(prf, [11.0, 12.5, 14.0], [1707.3, 1710.1, 1704.0], [107.2, 108.0, 104.5])
    result = run(frames(stars), star(stars), stars)
    assert result.status is STATUS.OK, result.reason
    assert result.cards["APKIND"][0] == "optimal"
    whole = choose_apertures(stars.column, stars.row, stars.flux, prf, corner=(1650, 50), shape=(100, 100), sky=100.0)
    assert np.array_equal(result.mask, whole.on(0, CORNER, (15, 15)))
    assert result.metrics["crowdsap"] == pytest.approx(whole.crowdsap[0], rel=1e-5)
    assert result.metrics["flfrcsap"] == pytest.approx(whole.flfrcsap[0], rel=1e-5)
    assert result.skip == ()
    # What is taken off and put back leaves the star's own light.
    assert np.median(result.extra["FLUX_DECONTAM"]) == pytest.approx(stars.flux[0], rel=2e-3)
    ratio = result.extra["FLUX_DECONTAM_ERR"] / result.columns["FLUX_ERR"]
    np.testing.assert_allclose(ratio, 1 / whole.flfrcsap[0], rtol=1e-5)
    expected = result.metrics["noise_expected"] * 1e-6 * result.metrics["mean_flux"] * np.sqrt(6)
    assert np.median(result.columns["FLUX_ERR"]) == pytest.approx(expected, rel=0.02)


def test_watershed_tells_who_else_is_in_the_mask(prf: MissionPRF) -> None:
    stars = around(prf, [9.0, 13.0, 8.9, 12.0], [1706.0, 1707.1, 1720.0, 1712.0], [107.0, 107.6, 107.0, 103.0])
    result = run(frames(stars), star(stars), stars, aperture="watershed")
    assert result.status is STATUS.OK, result.reason
    assert result.skip == (2,)
    fainter = run(frames(stars), star(stars, 1), stars, aperture="watershed")
    assert fainter.skip == ()
    assert fainter.status is STATUS.WARNING
    assert "of the light in the aperture is the target's" in fainter.reason
    assert run(frames(stars), star(stars), None, aperture="watershed").skip == ()


def test_a_mask_that_touches_the_border_asks_for_a_larger_stamp(prf: MissionPRF) -> None:
    stars = around(prf, [7.5], [1712.0], [107.0])
    grow = run(frames(stars), star(stars), stars, aperture="watershed").grow
    assert grow is not None
    assert (grow.right, grow.left, grow.down) == (10, 0, 0)
    assert not grow.needed
    cut = run(frames(stars), star(stars), stars, aperture="optimal").grow
    assert cut is not None
    assert (cut.right, cut.left) == (5, 0)  # as far as the response reaches, and no further
    nothing = np.zeros((5, 5), dtype=bool)
    nothing[2, 2] = True
    assert growth_of(nothing) is None


def test_where_nothing_is_found_the_minimum_aperture_is_taken_with_a_warning(prf: MissionPRF) -> None:
    stars = around(prf, [16.0], [1707.4], [107.4])
    flat = np.zeros((COUNT, 15, 15))
    faint = run(frames(stars, images=flat + np.nan, errors=flat + 1), star(stars), stars, aperture="watershed")
    assert faint.status is STATUS.ERROR
    assert "no pixel at the target has a value" in faint.reason
    level = run(frames(stars, images=flat + 3, errors=flat + 1), star(stars), stars, aperture="watershed")
    assert level.status is STATUS.WARNING
    assert "the minimum aperture was taken" in level.reason
    assert level.metrics["mask_size"] == 4
    assert minimum_aperture((5, 5), 2.0, 2.0).sum() == 9
    assert minimum_aperture((5, 5), 0.2, 0.2).sum() == 4
    assert minimum_aperture((5, 5), 9.0, 9.0).sum() == 0
    beside = around(prf, [9.0, 15.9], [1703.0, 1711.6], [103.0, 111.6])
    lost = run(frames(beside), star(beside, 1), beside.chosen([0]), aperture="watershed")
    assert lost.status in (STATUS.OK, STATUS.WARNING)


@pytest.mark.parametrize("kind", ["optimal", "watershed", "threshold"])
def test_frames_that_are_all_flagged_are_an_error(prf: MissionPRF, kind: str) -> None:
    stars = around(prf, [10.0], [1707.0], [107.0])
    result = run(frames(stars, quality=np.full(COUNT, 128)), star(stars), stars, aperture=kind)
    assert result.status is STATUS.ERROR
    assert "no good cadence" in result.reason


def test_a_star_at_the_edge_of_the_pixels_is_measured_with_what_there_is(prf: MissionPRF) -> None:
    stars = around(prf, [10.0], [1699.8], [107.0])
    for kind in ("optimal", "watershed"):
        result = run(frames(stars), star(stars), stars, aperture=kind)
        assert result.status is STATUS.WARNING
        assert "light is lost there" in result.reason
        assert result.metrics["flfrcsap"] < 0.8
        assert result.grow is not None
        assert result.grow.left > 0
    gone = run(frames(stars), star(stars, column=1690.0), stars)
    assert gone.status is STATUS.ERROR
    assert "outside the stamp" in gone.reason


def test_missing_pixels_are_never_in_a_mask_that_is_found(prf: MissionPRF) -> None:
    stars = around(prf, [10.0], [1707.0], [107.0])
    images = np.array(frames(stars).images)
    images[:, 107 - 100, 108 - 100] = np.nan
    images[5:20, 8, 7] = np.nan  # a quarter of the time
    images[3, 7, 7] = np.nan  # one cadence
    for kind in ("optimal", "watershed"):
        result = run(frames(stars, images=images), star(stars), stars, aperture=kind)
        assert result.mask is not None
        assert not result.mask[7, 8]
        assert not result.mask[8, 7]
        assert result.mask[7, 7]
        flux = result.columns["FLUX"]
        assert np.isnan(flux).tolist() == [number == 3 for number in range(COUNT)], kind
        assert result.columns["PIXEL_QUALITY"][3] & 1
        partial = run(frames(stars, images=images), star(stars), stars, aperture=kind, missing="partial")
        assert np.isfinite(partial.columns["FLUX"]).all()
        assert partial.metrics["n_good"] == COUNT - 1


def test_another_stars_file_has_no_pipeline_aperture_for_this_one(prf: MissionPRF) -> None:
    stars = around(prf, [10.0, 12.0], [1705.0, 1710.0], [107.0, 107.0])
    aperture = np.ones((15, 15), np.int32)
    aperture[6:9, 4:7] |= 2
    stamp = frames(stars, aperture=aperture)
    own = run(stamp, star(stars), stars)
    assert own.cards["APKIND"][0] == "pipeline"
    assert own.metrics["crowdsap"] < 1
    other = run(stamp, star(stars, 1, secondary=True), stars)
    assert other.cards["APKIND"][0] == "optimal"
    refused = run(stamp, star(stars, 1, secondary=True), stars, aperture="pipeline")
    assert refused.status is STATUS.ERROR
    assert "is that of another star" in refused.reason


@pytest.mark.parametrize("known", [{"crowdsap": 0.9, "flfrcsap": 0.8}, {"crowdsap": 0.9}, {}])
def test_without_a_catalogue_the_pipelines_keywords_hold(
    make_stamp: Callable[..., Stamp], star: Target, known: dict[str, float]
) -> None:
    result = AperturePhotometry().run(make_stamp(noise=3.0), replace(star, **known), None, Settings())  # type: ignore[arg-type]
    assert result.metrics["crowdsap"] == pytest.approx(known.get("crowdsap", np.nan), nan_ok=True)
    assert result.metrics["flfrcsap"] == pytest.approx(known.get("flfrcsap", np.nan), nan_ok=True)
    assert ("FLUX_DECONTAM" in result.extra) == (len(known) == 2)


def test_what_an_optimal_aperture_needs_is_told(prf: MissionPRF) -> None:
    stars = around(prf, [10.0], [1707.0], [107.0])
    for given, lacking in ((None, "no catalogue with this star"), (replace(stars, responses=()), "no pixel response")):
        result = run(frames(stars), star(stars), given, aperture="optimal")
        assert result.status is STATUS.ERROR
        assert lacking in result.reason
    bright = run(frames(stars), star(stars, tmag=6.0), stars, aperture="optimal")
    assert bright.status is STATUS.WARNING
    assert "saturates and bleeds" in bright.reason


def bleeding(prf: MissionPRF, rows: slice, corner: tuple[int, int] = CORNER) -> tuple[Stamp, Surroundings]:
    stars = around(prf, [5.0], [corner[0] + 7.0], [corner[1] + 15.0])
    image = np.random.default_rng(1).normal(0, 1, (31, 15))
    image[12:19, 4:11] += 3e4
    image[rows, 7] = 1.0e5
    images = np.broadcast_to(image, (COUNT, 31, 15)).copy()
    stamp = frames(
        replace(stars, column=stars.column - corner[0] + CORNER[0], row=stars.row - corner[1] + CORNER[1]),
        shape=(31, 15), images=images, corner=corner, errors=np.sqrt(np.abs(images) / 564 + 1),
    )  # fmt: skip
    return stamp, stars


def test_charge_that_bleeds_out_is_told(prf: MissionPRF) -> None:
    inside = run(*_with_star(*bleeding(prf, slice(5, 26))))
    assert inside.mask is not None
    assert inside.mask[4:27, 7].all()
    assert "bleeds" not in inside.reason
    out = run(*_with_star(*bleeding(prf, slice(5, 31))))
    assert out.status is STATUS.WARNING
    assert "bleeds to the border of the stamp" in out.reason
    assert out.grow is not None
    assert out.grow.up == 10
    end = run(*_with_star(*bleeding(prf, slice(0, 26), corner=(1700, 1))))
    assert end.status is STATUS.WARNING
    assert "bleeds to the end of its CCD column" in end.reason


def _with_star(stamp: Stamp, stars: Surroundings) -> tuple[Stamp, Target, Surroundings]:
    return stamp, star(stars), stars


def test_an_aperture_of_everything_is_an_error_whoever_chose_it(prf: MissionPRF) -> None:
    stars = around(prf, [10.0], [1707.0], [107.0])
    everything = run(frames(stars), star(stars), stars, aperture=np.ones((15, 15), dtype=bool))
    assert everything.status is STATUS.ERROR
    assert "every pixel that has a value (225)" in everything.reason
    nearly = np.ones((15, 15), dtype=bool)
    nearly[0] = False
    assert "210 of the 225 pixels" in run(frames(stars), star(stars), stars, aperture=nearly).reason
    with pytest.raises(InputError, match="chooses no pixel"):
        run(frames(stars), star(stars), stars, aperture=np.zeros((15, 15), dtype=bool))


def test_a_mask_of_unusual_size_is_told(prf: MissionPRF) -> None:
    stars = around(prf, [14.0, 9.0], [1707.0, 1710.0], [107.0, 109.0])
    result = run(frames(stars), star(stars), None, aperture="threshold")
    assert result.status is STATUS.WARNING
    assert "unusual for Tmag 14.00" in result.reason or "times what Tmag" in result.reason


def test_ten_stars_in_one_pixel_have_a_light_curve_each(prf: MissionPRF) -> None:
    rng = np.random.default_rng(2)
    stars = around(prf, [12.0] * 10, list(1707 + rng.uniform(-0.4, 0.4, 10)), list(107 + rng.uniform(-0.4, 0.4, 10)))
    for index in (0, 9):
        result = run(frames(stars), star(stars, index), stars)
        assert result.status is STATUS.WARNING
        assert "only 10% of the light" in result.reason
        assert np.median(result.extra["FLUX_DECONTAM"]) == pytest.approx(stars.flux[index], rel=0.05)


def test_pi_mens_saturated_stamp_gives_a_light_curve_with_a_warning(real_data: Path) -> None:
    result = measure(real_data / "tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits", aperture="default")
    assert result.status is STATUS.WARNING
    assert result.cards["APKIND"][0] == "watershed"
    assert "bleeds to the border of the stamp" in result.reason
    assert np.isfinite(result.columns["FLUX"]).mean() > 0.9
    assert result.mask is not None
    assert result.mask[2:, 2:4].all()
