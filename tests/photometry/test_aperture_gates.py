"""Aperture photometry against truth: noise of stars that stand alone, and the charge of stars that bleed.

Stars stand on a grid, 17 px apart, under a sky with motion, scattered light and cosmic rays. Frames in scattered light
are left out of the noise, for the bound is that of the mean light. Of a simulated star 4 % of its light lie in a halo
to 64 px that no response file has: flux is compared with the light that truly falls into the mask, halo counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tessellar import TIC
from tessellar.mission import flags
from tessellar.mission.ccd import ccd_plane
from tessellar.photometry import STATUS, AperturePhotometry, FieldScene, Result, Settings, Target, measure_in
from tessellar.photometry.merit.noise import light_variance
from tessellar.pixels import PreparedField, Stamp
from tessellar.pixels.effective import first_response
from tessellar.simulate import FrameTruth, simulate_frames
from tessellar.simulate.frames.responses import WING_SHARE, wing_kernel
from tests.photometry.fieldsky import FIELD, prepare_sky, surroundings
from tests.photometry.gates import CORE, Quantiles, bounds, mean_light, scatter

_SCATTERED = 4096
_FIRST = 600, 700


@dataclass(frozen=True)
class Sky:
    truth: FrameTruth
    field: PreparedField

    @property
    def quiet(self) -> np.ndarray:
        return flags.good(self.field.quality, "default") & (self.field.quality & _SCATTERED == 0)

    def measure(self, star: int, aperture: str) -> Result:
        tic = int(self.truth.stars["tic"][star])
        return measure_in(FieldScene(self.field), tic, "aperture", Settings(aperture=aperture))


def sky_of(folder: Path, tmag: np.ndarray, x: np.ndarray, y: np.ndarray, size: tuple[int, int], count: int) -> Sky:
    """Stars at places (from the first pixel, 0-based), in a window of (columns, rows), prepared with their own PRF."""
    columns, rows = _FIRST
    ra, dec = ccd_plane(FIELD).to_sky(columns + x, rows + y)
    truth = simulate_frames(
        folder, FIELD, window=((columns, columns + size[0] - 1), (rows, rows + size[1] - 1)), cadence=600,
        n_frames=count, seed=7, catalog={"ID": 10 * (1 + np.arange(len(x))), "ra": ra, "dec": dec, "Tmag": tmag},
    )  # fmt: skip
    return Sky(truth, prepare_sky(truth, folder / "prepared.h5"))


def grid(folder: Path, side: int, count: int) -> Sky:
    rng = np.random.default_rng(7)
    at = 8.0 + 17 * np.arange(side)
    x, y = (each.ravel() + rng.uniform(-0.5, 0.5, side**2) for each in np.meshgrid(at, at))
    return sky_of(folder, rng.permutation(np.linspace(7.2, 16, side**2)), x, y, (17 * side, 17 * side), count)


@dataclass(frozen=True)
class Measured:
    tmag: np.ndarray
    ratio: np.ndarray
    pull: np.ndarray
    light: np.ndarray
    cadences: int


def against_truth(sky: Sky, aperture: str) -> Measured:
    """Scatter over bound, scatter of pulls, and flux over the light that falls into the mask, of stars in order."""
    truth, use = sky.truth, np.flatnonzero(sky.quiet)
    x, y = truth.stars["column"] - truth.corner[0], truth.stars["row"] - truth.corner[1]
    away = np.minimum(np.minimum(x, truth.shape[1] - 1 - x), np.minimum(y, truth.shape[0] - 1 - y))
    stars = np.flatnonzero((truth.stars["tic"] > 0) & (away > 6.5))
    best = bounds(truth, sky.field.responses[0], mean_light(truth, use), stars)
    found = []
    for star, bound in zip(stars, best, strict=True):
        result = sky.measure(int(star), aperture)
        assert result.status in (STATUS.OK, STATUS.WARNING), result.reason
        flux, error, true = result.columns["FLUX"][use], result.columns["FLUX_ERR"][use], truth.series(int(star))[use]
        share = float(np.median(flux / true))
        rest = flux - share * true
        found.append(
            (
                truth.stars["tmag"][star],
                scatter(rest) / result.metrics["flfrcsap"] / bound,
                scatter(rest / error),
                share / in_mask(result, truth, int(star)),
            )
        )
    return Measured(*(np.array(each) for each in zip(*found, strict=True)), len(use))


def in_mask(result: Result, truth: FrameTruth, star: int) -> float:
    """Share of a star's light that falls into a mask, without bleeding: of its response and of its halo."""
    assert result.mask is not None
    kernel = wing_kernel()
    reach = kernel.shape[0] // 2
    row, col = np.nonzero(result.mask)
    j = row + result.stamp.corner[1] - round(float(truth.stars["row"][star])) + reach
    k = col + result.stamp.corner[0] - round(float(truth.stars["column"][star])) + reach
    inside = (j >= 0) & (k >= 0) & (j < kernel.shape[0]) & (k < kernel.shape[1])
    return CORE * result.metrics["flfrcsap"] + WING_SHARE * float(kernel[j[inside], k[inside]].sum())


def judge(found: Measured) -> None:
    for low, high, most in ((7, 10, 1.06), (10, 13, 1.12), (7, 16, 1.12)):
        chosen = (found.tmag >= low) & (found.tmag < high)
        assert Quantiles.of(found.ratio[chosen], found.cadences).median <= most, (low, high)
    bright = found.tmag < 12
    assert 0.95 < np.median(found.pull) < 1.05
    assert np.median(np.abs(found.light[bright] - 1)) < 3e-3


def test_apertures_of_stars_alone_are_near_the_bound() -> None:
    """Stars of T = 7 to 16 in memory, 1,000 cadences each, moving by 0.01 px."""
    rng, response, count, corner = np.random.default_rng(3), first_response(), 1000, (100, 200)
    found = []
    for tmag in np.linspace(7.1, 16, 45):
        place = [107 + rng.uniform(-0.5, 0.5)], [207 + rng.uniform(-0.5, 0.5)]
        flux = 10 ** (-0.4 * (tmag - 20.44))
        stars = surroundings([tmag], column=place[0], row=place[1], count=count, response=response)
        x, y = 0.01 * rng.standard_normal((2, count))
        terms = flux * response.boxes(*place, derivatives=2)[0].astype(float)
        light = np.tensordot(np.stack([x**0, x, y, x * x, x * y, y * y], axis=1), terms, axes=1)
        variance = light_variance(terms[0] + 100, 600.0)
        stamp = Stamp(
            images=light + np.sqrt(variance) * rng.standard_normal(light.shape),
            errors=np.broadcast_to(np.sqrt(variance), light.shape), background=np.full(light.shape, 100.0),
            time=1325 + np.arange(count) / 144, timecorr=np.zeros(count), cadenceno=np.arange(count),
            quality=np.zeros(count, int), corner=corner, field=FIELD, cadence=600.0, origin="memory",
        )  # fmt: skip
        target = Target(tic=TIC(1), tmag=float(tmag), column=place[0][0], row=place[1][0])
        result = AperturePhotometry().run(stamp, target, stars, Settings(aperture="optimal"))
        assert result.status is STATUS.OK, result.reason
        curve, error = result.extra["FLUX_DECONTAM"], result.extra["FLUX_DECONTAM_ERR"]
        least = 1 / np.sqrt((terms[0] ** 2 / flux**2 / variance).sum())
        found.append((tmag, scatter(curve) / least, scatter((curve - flux) / error), np.median(curve) / flux))
    judge(Measured(*(np.array(each) for each in zip(*found, strict=True)), count))


@pytest.mark.heavy
def test_apertures_of_stars_alone_are_near_the_bound_over_a_thousand_cadences(tmp_path: Path) -> None:
    judge(against_truth(grid(tmp_path, 9, 1100), "optimal"))


def bleeding(folder: Path, tmag: list[float], width: int, height: int, count: int) -> list[tuple[float, Result]]:
    """Flux over light in the mask of saturated stars side by side."""
    x = width * (0.5 + np.arange(len(tmag))) + 0.3
    sky = sky_of(folder, np.array(tmag), x, np.full(len(tmag), height / 2 + 0.2), (width * len(tmag), height), count)
    found = []
    for star in range(len(tmag)):
        result = sky.measure(star, "default")
        true = sky.truth.series(star)
        share = float(np.median((result.columns["FLUX"] / true)[sky.quiet]))
        found.append((share / in_mask(result, sky.truth, star), result))
    return found


def test_all_charge_of_a_bleeding_star_is_in_its_aperture(tmp_path: Path) -> None:
    for light, result in bleeding(tmp_path, [5.4, 6.4], 50, 90, 24):
        assert result.status is STATUS.OK, result.reason
        assert result.cards["APKIND"][0] == "watershed"
        assert light == pytest.approx(1.0, abs=0.01)


@pytest.mark.heavy
def test_all_charge_of_bleeding_stars_of_every_magnitude_is_in_their_apertures(tmp_path: Path) -> None:
    for light, result in bleeding(tmp_path, [4.0, 4.6, 5.2, 5.8, 6.3, 6.6, 6.8], 70, 260, 100):
        assert result.status is STATUS.OK, result.reason
        assert light == pytest.approx(1.0, abs=0.01), result
