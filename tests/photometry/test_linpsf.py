"""Photometry by fits of stars: on a simulated field, with signals put in, and on all that can be wrong."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import tessellar
from tessellar import TIC, Field
from tessellar.photometry import STATUS, FieldScene, LinPSFPhotometry, PSFPhotometry, Settings, Target, measure_in
from tessellar.photometry.method import PhotometryMethod
from tessellar.pixels import MissionPRF, Stamp, StarField, Surroundings, TargetPixelSource
from tessellar.pixels.effective import first_response
from tessellar.pixels.response import add_stars
from tessellar.products import TargetPixelFile
from tests.photometry.fieldsky import small_field, surroundings
from tests.photometry.gates import CORE, scatter, transit_light

RESPONSE = first_response()
METHODS: list[PhotometryMethod] = [LinPSFPhotometry(), PSFPhotometry()]
BOTH = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


@cache
def scene() -> FieldScene:
    return FieldScene(small_field().field)


def bright_stars(count: int, faintest: float = 12.0, room: float = 9.0) -> list[int]:
    """TIC ids of constant stars of the small field, the brightest first, away from its border."""
    truth, field = small_field().truth, small_field().field
    stars = field.stars
    assert stars is not None
    (left, low), (high, wide) = field.corner, field.shape
    inside = (stars.column > left + room) & (stars.column < left + wide - room)
    inside &= (stars.row > low + room) & (stars.row < low + high - room) & (stars.tmag < faintest)
    varies = truth.stars["tic"][truth.variables["star"]]
    order = np.argsort(stars.tmag)
    chosen = [int(stars.tic[each]) for each in order if inside[each] and stars.tic[each] not in varies]
    return chosen[:count]


def stamp_of(images: np.ndarray, corner: tuple[int, int] = (100, 200), **changes: object) -> Stamp:
    count = len(images)
    values = {
        "images": images, "errors": np.sqrt((np.abs(images) + 100) / 563.7), "background": np.zeros_like(images),
        "time": 2000 + np.arange(count) / 144.0, "timecorr": np.zeros(count), "cadenceno": np.arange(count),
        "quality": np.zeros(count, int), "corner": corner, "field": Field(27, 1, 1), "cadence": 600.0,
        "origin": "memory",
    }  # fmt: skip
    return Stamp(**{**values, **changes})


def drawn(
    tmag: list[float], column: list[float], row: list[float], count: int = 60, noise: float = 1.0, seed: int = 1
) -> np.ndarray:
    """Images of constant stars that stand still."""
    image = np.zeros((15, 15))
    flux = 10 ** (0.4 * (20.44 - np.array(tmag)))
    add_stars(image, (100, 200), np.array(column), np.array(row), flux, RESPONSE)
    rng = np.random.default_rng(seed)
    spread = np.sqrt((image + 100) / 563.7)
    return np.asarray(image + noise * spread * rng.standard_normal((count, 15, 15)))


def target(tic: int = 1, **about: float) -> Target:
    return Target(tic=TIC(tic), **about)


@BOTH
def test_a_star_of_prepared_frames_has_the_flux_and_the_errors_that_are_true(method: PhotometryMethod) -> None:
    truth = small_field().truth
    good = small_field().field.quality == 0
    pulls = []
    for tic in bright_stars(8 if method.name == "linpsf" else 3, faintest=13.5):
        result = measure_in(scene(), tic, method)
        assert result.status is STATUS.OK, result.reason
        star = truth.index(tic)
        left = result.columns["FLUX"] - CORE * truth.series(star)
        # Some of the star's halo lies under its response too: 0.2 to 0.5 %.
        assert np.median(left[good]) / truth.flux[star] == pytest.approx(0.003, abs=0.015)
        pulls.append(scatter(((left - np.median(left[good])) / result.columns["FLUX_ERR"])[good]))
        place = np.column_stack([result.columns["MOM_CENTR1"], result.columns["MOM_CENTR2"]])
        assert np.abs(np.median(place[good] - truth.track(star)[good], axis=0)).max() < 0.02
        assert result.cards["PSFPRIOR"][0] == 0
        assert result.metrics["n_good"] > 0.9 * good.sum()
        assert result.metrics["contamination"] < 0.2
        assert np.isfinite(result.columns["FLUX_BKG"]).all()
        assert 0.5 < result.metrics["noise_ratio"] < 5
        assert result.mask is not None
        assert 4 <= result.mask.sum() <= 40
    assert np.median(pulls) == pytest.approx(1.0, abs=0.12)


def test_both_methods_find_the_same_flux_and_the_slow_one_has_the_larger_error() -> None:
    for tic in bright_stars(3, faintest=12.5):
        line, free = (measure_in(scene(), tic, method).columns for method in METHODS)
        ratio = free["FLUX_ERR"] / line["FLUX_ERR"]
        assert np.median(ratio) > 0.995
        apart = (free["FLUX"] - line["FLUX"]) / line["FLUX_ERR"]
        assert np.nanstd(apart) < 1
        assert np.nanmedian(free["FLUX"] / line["FLUX"]) == pytest.approx(1, abs=3e-3)


def test_a_transit_keeps_its_depth() -> None:
    """Drawn by the simulator, at the true places, into the same noise: what differs is the method's doing."""
    truth, scene_, depth = small_field().truth, scene(), 1e-3
    tics = bright_stars(5, faintest=13.0)
    stars = np.array([truth.index(tic) for tic in tics])
    dips = 20 + 16 * np.arange(len(stars))[:, None] + np.arange(16)
    taken = transit_light(truth, stars, depth, dips)
    usual = np.flatnonzero(small_field().field.quality == 0)
    for tic, star, frames in zip(tics, stars, dips, strict=True):
        aim = scene_.target(tic)
        stamp = scene_.stamp(scene_.default_stamp(aim), aim)
        about = scene_.surroundings(stamp)
        row, column = stamp.rows[0] - truth.corner[1], stamp.columns[0] - truth.corner[0]
        part = taken[:, row : row + stamp.shape[0], column : column + stamp.shape[1]]
        dimmed = dataclasses.replace(stamp, images=np.asarray(stamp.images, dtype=np.float64) + part)
        runs = [LinPSFPhotometry().run(each, aim, about, Settings()).columns for each in (stamp, dimmed)]
        inside, outside = np.intersect1d(frames, usual), np.setdiff1d(usual, dips)
        assert len(inside) > 5
        change = (runs[1]["FLUX"] - runs[0]["FLUX"])[inside].mean()
        assert change == pytest.approx(-depth * CORE * truth.flux[star], rel=0.02)
        assert change == pytest.approx(-depth * np.median(runs[0]["FLUX"][outside]), rel=0.02)
        found = np.mean(runs[1]["FLUX"][inside]) - np.mean(runs[1]["FLUX"][outside])
        error = np.median(runs[1]["FLUX_ERR"]) * np.sqrt(1 / len(inside) + 1 / len(outside))
        assert abs(found + depth * CORE * truth.flux[star]) < 3 * error


def test_a_variable_neighbour_leaks_little() -> None:
    """2 % at 1.5 px, as bright as the target."""
    wave = 0.02 * np.sin(np.arange(200) / 5)
    flux = 10 ** (0.4 * (20.44 - 11.0))
    images = np.stack([
        _pair(flux, flux * (1 + change)) for change in wave
    ])  # fmt: skip
    about = surroundings([11.0, 11.0], column=[107.1, 108.6], row=[207.0, 207.0], response=RESPONSE)
    result = LinPSFPhotometry().run(stamp_of(images), target(tmag=11.0), about, Settings())
    leaked = np.polyfit(wave, result.columns["FLUX"] / flux, 1)[0]
    assert abs(leaked) < 1e-3
    assert result.cards["PSFPRIOR"][0] == 0


def _pair(first: float, second: float) -> np.ndarray:
    image = np.zeros((15, 15))
    places = np.array([107.1, 108.6]), np.array([207.0, 207.0])
    add_stars(image, (100, 200), *places, np.array([first, second]), RESPONSE)
    return image


def test_errors_of_the_catalogue_in_neighbours_matter_little() -> None:
    """0.05 px and 0.3 mag, on stars of T < 12 that stand alone: less than 1 %."""
    rng = np.random.default_rng(8)
    scene_ = scene()
    for tic in bright_stars(6, faintest=12.0):
        aim = scene_.target(tic)
        stamp = scene_.stamp(scene_.default_stamp(aim), aim)
        about = scene_.surroundings(stamp)
        assert about is not None
        own = about.index(tic)
        assert own is not None
        other = np.arange(len(about)) != own
        wrong = dataclasses.replace(
            about,
            column=about.column + 0.05 * other * rng.standard_normal(len(about)),
            row=about.row + 0.05 * other * rng.standard_normal(len(about)),
            flux=about.flux * 10 ** (0.12 * other * rng.standard_normal(len(about))),
        )
        right, off = (LinPSFPhotometry().run(stamp, aim, each, Settings()).columns["FLUX"] for each in (about, wrong))
        assert np.abs(np.nanmedian(off / right) - 1) < 0.01


@BOTH
def test_without_response_or_stars_it_says_what_to_do(method: PhotometryMethod) -> None:
    stamp = stamp_of(drawn([10.0], [107.0], [207.0]))
    nothing = method.run(stamp, target(), None, Settings())
    assert nothing.status is STATUS.ERROR
    assert "catalogue" in nothing.reason
    bare = method.run(stamp, target(), surroundings([10.0], column=[107.0], row=[207.0], count=60), Settings())
    assert bare.status is STATUS.ERROR
    assert "PRF" in bare.reason


@BOTH
def test_a_saturated_star_is_left_to_other_methods(method: PhotometryMethod) -> None:
    about = surroundings([5.0, 11.0], column=[107.0, 111.0], row=[207.0, 203.0], count=60, response=RESPONSE)
    images = drawn([5.0, 11.0], [107.0, 111.0], [207.0, 203.0])
    bright = method.run(stamp_of(images), target(1, tmag=5.0), about, Settings())
    assert bright.status is STATUS.SKIPPED
    assert "saturated" in bright.reason
    # Its neighbour is measured with what is not saturated.
    near = method.run(stamp_of(images), target(2, tmag=11.0), about, Settings())
    assert near.status.has_light_curve, near.reason
    assert near.cards["PSFNSAT"][0] > 0
    assert np.nanmedian(near.columns["FLUX"]) == pytest.approx(10 ** (0.4 * 9.44), rel=0.01)


@BOTH
def test_frames_that_are_flagged_or_empty_are_refused(method: PhotometryMethod) -> None:
    about = surroundings([10.0], column=[107.0], row=[207.0], count=60, response=RESPONSE)
    images = drawn([10.0], [107.0], [207.0])
    flagged = method.run(stamp_of(images, quality=np.full(60, 128)), target(), about, Settings())
    assert flagged.status is STATUS.ERROR
    assert "flagged" in flagged.reason
    blank = method.run(stamp_of(np.full_like(images, np.nan)), target(), about, Settings())
    assert blank.status is STATUS.ERROR
    assert "no pixel" in blank.reason
    lost = method.run(stamp_of(images, time=np.full(60, np.nan)), target(), about, Settings())
    assert lost.status is STATUS.ERROR
    elsewhere = method.run(stamp_of(images), target(7, column=150.0, row=207.0), about, Settings())
    assert elsewhere.status is STATUS.ERROR
    assert "outside the stamp" in elsewhere.reason
    unknown = method.run(stamp_of(images), target(7), about, Settings())
    assert unknown.status is STATUS.ERROR
    assert "position" in unknown.reason


@BOTH
def test_missing_pixels_cost_a_cadence_only_where_too_much_is_missing(method: PhotometryMethod) -> None:
    about = surroundings([10.0], column=[107.0], row=[207.0], count=60, response=RESPONSE)
    images = drawn([10.0], [107.0], [207.0])
    images[3, 7, 9] = np.nan
    images[4, 6:9, 6:9] = np.nan
    images[5] = np.nan
    images[6] = 0
    result = method.run(stamp_of(images), target(), about, Settings())
    flux, bits = result.columns["FLUX"], result.columns["PIXEL_QUALITY"]
    assert np.isfinite(flux[[2, 3, 7]]).all()
    assert np.isnan(flux[4:7]).all()
    assert (bits[3:7] & 1 > 0).all()
    assert bits[2] == 0
    assert bits[5] & 16
    assert flux[3] == pytest.approx(10 ** (0.4 * 10.44), rel=0.02)


@BOTH
def test_a_star_that_the_catalogue_lacks_is_measured_where_it_is(method: PhotometryMethod) -> None:
    about = surroundings([12.0], column=[111.0], row=[203.0], count=60, response=RESPONSE)
    images = drawn([10.0, 12.0], [107.0, 111.0], [207.0, 203.0])
    result = method.run(stamp_of(images), target(9, tmag=10.0, column=107.0, row=207.0), about, Settings())
    assert result.status is STATUS.OK, result.reason
    assert np.nanmedian(result.columns["FLUX"]) == pytest.approx(10 ** (0.4 * 10.44), rel=0.005)


def test_ten_stars_in_one_pixel_are_told_as_a_doubt() -> None:
    rng = np.random.default_rng(3)
    tmag, column, row = [12.0] * 10, list(107 + rng.uniform(-0.2, 0.2, 10)), list(207 + rng.uniform(-0.2, 0.2, 10))
    about = surroundings(tmag, column=column, row=row, count=60, response=RESPONSE)
    result = LinPSFPhotometry().run(stamp_of(drawn(tmag, column, row)), target(tmag=12.0), about, Settings())
    assert result.status is STATUS.WARNING
    assert "told apart" in result.reason
    assert result.cards["PSFPRIOR"][0] > 0.5
    assert np.isfinite(result.columns["FLUX_ERR"]).all()


@BOTH
def test_a_star_at_the_border_asks_for_more_pixels(method: PhotometryMethod) -> None:
    about = surroundings([10.0], column=[101.0], row=[207.0], count=60, response=RESPONSE)
    result = method.run(stamp_of(drawn([10.0], [101.0], [207.0])), target(tmag=10.0), about, Settings())
    assert result.grow is not None
    assert (result.grow.left, result.grow.right, result.grow.up, result.grow.down) == (2, 0, 0, 0)
    outside = surroundings([10.0], column=[99.6], row=[207.0], count=60, response=RESPONSE)
    result = method.run(stamp_of(drawn([10.0], [99.6], [207.0])), target(tmag=10.0), outside, Settings())
    assert result.status is STATUS.WARNING
    assert "usable pixels" in result.reason


def test_sky_that_is_still_in_the_pixels_is_fitted() -> None:
    about = surroundings([12.0], column=[107.0], row=[207.0], count=60, response=RESPONSE)
    images = drawn([12.0], [107.0], [207.0]) + 120 * (1 + np.linspace(0, 1, 60))[:, None, None]
    result = LinPSFPhotometry().run(stamp_of(images, background_subtracted=False), target(), about, Settings())
    assert result.cards["PSFOFFS"][0] is True
    assert np.median(result.columns["FLUX"]) == pytest.approx(10 ** (0.4 * 8.44), rel=0.005)
    area = result.columns["FLUX_BKG"] / (120 * (1 + np.linspace(0, 1, 60)))
    assert np.median(area) == pytest.approx(RESPONSE.noise_area(107.0, 207.0), rel=0.02)


def test_a_star_too_faint_for_a_place_of_its_own_is_skipped_by_the_slow_fit() -> None:
    about = surroundings([19.5], column=[107.0], row=[207.0], count=60, response=RESPONSE)
    result = PSFPhotometry().run(stamp_of(drawn([19.5], [107.0], [207.0])), target(tmag=19.5), about, Settings())
    assert result.status is STATUS.SKIPPED
    assert "linpsf" in result.reason


def test_the_slow_fit_follows_a_star_that_nobody_said_moves() -> None:
    about = surroundings([10.0, 11.0], column=[107.0, 109.5], row=[207.0, 208.0], count=40, response=RESPONSE)
    moved = 0.15 * np.sin(np.arange(40) / 4)
    images = np.zeros((40, 15, 15))
    flux = 10 ** (0.4 * (20.44 - np.array([10.0, 11.0])))
    for image, shift in zip(images, moved, strict=True):
        places = np.array([107.0, 109.5]) + shift, np.array([207.0, 208.0]) - shift
        add_stars(image, (100, 200), *places, flux, RESPONSE)
    result = PSFPhotometry().run(stamp_of(images), target(tmag=10.0), about, Settings())
    np.testing.assert_allclose(result.columns["FLUX"], flux[0], rtol=1e-5)
    np.testing.assert_allclose(result.columns["MOM_CENTR1"], 107.0 + moved, atol=2e-4)
    np.testing.assert_allclose(result.columns["MOM_CENTR2"], 207.0 - moved, atol=2e-4)
    assert result.cards["PSFNFREE"][0] == 2
    assert (result.extra["PSF_CENTR1_ERR"] > 0).all()


def test_places_scatter_as_their_errors_say() -> None:
    about = surroundings([12.0], column=[107.2], row=[207.3], count=400, response=RESPONSE)
    result = PSFPhotometry().run(stamp_of(drawn([12.0], [107.2], [207.3], count=400)), target(), about, Settings())
    for place, error, value in (("MOM_CENTR1", "PSF_CENTR1_ERR", 107.2), ("MOM_CENTR2", "PSF_CENTR2_ERR", 207.3)):
        assert np.std((result.columns[place] - value) / result.extra[error]) == pytest.approx(1.0, abs=0.1)
    pull = (result.columns["FLUX"] - 10 ** (0.4 * 8.44)) / result.columns["FLUX_ERR"]
    assert pull.std() == pytest.approx(1.0, abs=0.1)


@BOTH
def test_stars_of_a_file_are_found_where_they_are(method: PhotometryMethod) -> None:
    """World coordinates 0.3 px off: all stars are moved alike, and the header tells by how much."""
    about = surroundings([10.0, 12.0], column=[106.7, 110.7], row=[207.1, 203.1], count=60, response=RESPONSE)
    images = drawn([10.0, 12.0], [107.0, 111.0], [207.0, 203.0])
    off = method.run(stamp_of(images), target(tmag=10.0), about, Settings())
    mended = method.run(stamp_of(images, aperture=np.ones((15, 15), int)), target(tmag=10.0), about, Settings())
    assert "PSFDCOL" not in off.cards
    assert mended.cards["PSFDCOL"][0] == pytest.approx(0.3, abs=2e-3)
    assert mended.cards["PSFDROW"][0] == pytest.approx(-0.1, abs=2e-3)
    assert np.nanmedian(mended.columns["FLUX"]) == pytest.approx(10 ** (0.4 * 10.44), rel=1e-3)
    assert np.nanmedian(mended.columns["MOM_CENTR1"]) == pytest.approx(107.0, abs=2e-3)


def test_faint_stars_do_not_move_the_catalogue() -> None:
    about = surroundings([14.0], column=[106.7], row=[207.1], count=60, response=RESPONSE)
    stamp = stamp_of(drawn([14.0], [107.0], [207.0]), aperture=np.ones((15, 15), int))
    assert "PSFDCOL" not in LinPSFPhotometry().run(stamp, target(), about, Settings()).cards


def test_a_star_of_a_real_file_has_the_light_of_its_magnitude(real_data: Path) -> None:
    """TIC 25155310, first cadences of sector 1, the mission's response: the catalogue's place is 0.4 px off."""
    tpf = tessellar.read(real_data / "tess25155310-s01-first-cadences.fits.gz")
    assert isinstance(tpf, TargetPixelFile)
    stamp = TargetPixelSource(tpf).window()
    place = stamp.pixel_of(tpf.ra, tpf.dec)
    assert place is not None
    response = MissionPRF.open(real_data, camera=4, ccd=1, sector=1)
    about = surroundings(
        [10.56], tic=[25155310], column=[place[0]], row=[place[1]], count=len(stamp), response=response
    )
    aim, every = target(25155310, tmag=10.56), Settings(quality="none")
    line, free = (method.run(stamp, aim, about, every) for method in METHODS)
    assert line.cards["PSFDCOL"][0] == pytest.approx(-0.35, abs=0.1)
    assert line.cards["ERRSCALE"][0] == pytest.approx(0.918, abs=1e-3)
    ratio = line.columns["FLUX"][1:] / free.columns["FLUX"][1:]
    assert np.abs(ratio - 1).max() < 5e-3
    assert -2.5 * np.log10(np.nanmedian(line.columns["FLUX"])) + 20.44 == pytest.approx(10.56, abs=0.1)


def test_real_files_tell_with_pos_corr_where_their_star_is(real_data: Path) -> None:
    """It counts from the place that the file's world coordinates give: -0.38 px here, not about its median."""
    tpf = tessellar.read(real_data / "tess25155310-s01-first-cadences.fits.gz")
    assert isinstance(tpf, TargetPixelFile)
    stamp = TargetPixelSource(tpf).window()
    place = stamp.pixel_of(tpf.ra, tpf.dec)
    assert place is not None
    stars = StarField(
        np.array([25155310]), *(np.array([value]) for value in (10.56, tpf.ra, tpf.dec, *place)), np.ones(1, dtype=int)
    )
    response = MissionPRF.open(real_data, camera=4, ccd=1, sector=1)
    about = Surroundings.of_stamp(stamp, stars, response)
    aim, every = target(25155310, tmag=10.56), Settings(quality="none")
    line, free = (method.run(stamp, aim, about, every) for method in METHODS)
    np.testing.assert_allclose(line.columns["POS_CORR1"][1:], np.asarray(tpf.pos_corr)[1:, 0], atol=1e-6)
    # Without it 0.35 and 0.21 px are left; eighteen years of proper motion, which this place lacks, make 0.07.
    assert np.hypot(line.cards["PSFDCOL"][0], line.cards["PSFDROW"][0]) < 0.15
    # The free fit finds the star where place and POS_CORR say.
    found = np.nanmedian(free.columns["MOM_CENTR1"] - tpf.pos_corr[:, 0]) - place[0]
    assert abs(found) < 0.05
