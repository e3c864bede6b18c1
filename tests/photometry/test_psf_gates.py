"""How near the fits of stars come to what is possible: noise, errors and fluxes against truth."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tessellar import TIC
from tessellar.mission import flags
from tessellar.photometry import LinPSFPhotometry, Settings, Target
from tessellar.photometry.fitting import linear
from tessellar.pixels import PreparedField, Stamp
from tessellar.pixels.effective import first_response
from tessellar.pixels.response import add_stars
from tessellar.simulate import FrameTruth, simulate_frames
from tests.photometry.fieldsky import FIELD, prepare_sky
from tests.photometry.gates import (
    BOXED,
    CORE,
    Quantiles,
    bound,
    bounds,
    design_of,
    mean_light,
    pull,
    scatter,
    transit_depth,
    transit_light,
)

Array = np.ndarray
HALF = 7


def test_noise_of_the_linear_fit_is_the_least_possible() -> None:
    """Forty crowded stamps, 1,000 cadences each, T = 7 to 16, response and sky known."""
    rng, response, count, shape = np.random.default_rng(11), first_response(), 1000, (15, 15)
    ratios, pulls = [], []
    for tmag in np.linspace(7, 16, 40):
        number = rng.poisson(29**2 * 200_000 / 2048**2)
        column = np.concatenate([[107 + rng.uniform(-0.5, 0.5)], rng.uniform(92.5, 121.5, number)])
        row = np.concatenate([[207 + rng.uniform(-0.5, 0.5)], rng.uniform(192.5, 221.5, number)])
        flux = 10 ** (0.4 * (20.44 - np.append(tmag, np.clip(16 - rng.exponential(1.4, number), 8, 16))))
        # So many places, each in many frames: every star is drawn anew where it is, by nothing that the fit uses.
        moved = 0.01 * rng.standard_normal((25, 2))
        light = np.zeros((len(moved), *shape))
        for image, (x, y) in zip(light, moved, strict=True):
            add_stars(image, (100, 200), column + x, row + y, flux, response)
        which = np.arange(count) % len(moved)
        shifts = np.broadcast_to(moved[which, None], (count, len(flux), 2)).copy()
        variance = (light.mean(axis=0) + 100 + 50) / 564
        images = light[which] + np.sqrt(variance) * rng.standard_normal((count, *shape))
        spread = np.broadcast_to(variance, images.shape)
        series = linear.fit_series(
            images, spread, 1 / variance[None], np.zeros(count, int), column, row, flux, shifts, [response], (100, 200),
            wanted=[0],
        )  # fmt: skip
        if series.prior_weight[0] > 0:
            continue
        design = design_of(column, row, response, (100, 200), shape)
        least = bound(design[design.max(axis=1) > 0.01], 1 / variance.ravel(), 0)
        ratios.append(scatter(series.flux[:, 0]) / least)
        pulls.append(pull(series.flux[:, 0], np.full(count, flux[0]), np.sqrt(series.variance[:, 0])))
        bias = series.flux[:, 0].mean() - flux[0]
        assert abs(bias) < 4 * least / np.sqrt(count) + 2e-5 * flux[0]
    found = Quantiles.of(np.array(ratios), count)
    assert found.count > 30
    assert found.median < 1.02
    assert found.high < 1.06
    assert 0.95 < np.median(pulls) < 1.05


@dataclass(frozen=True)
class Gate:
    """A simulated field, prepared with its PRF and with one that was estimated."""

    truth: FrameTruth
    known: PreparedField
    estimated: PreparedField


def made(prefix: str, window: int, frames: int, **how: object) -> Gate:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    pixels = ((600, 599 + window), (700, 699 + window))
    truth = simulate_frames(folder, FIELD, window=pixels, cadence=600, n_frames=frames, seed=5, **how)  # type: ignore[arg-type]
    return Gate(
        truth, prepare_sky(truth, folder / "known.h5"), prepare_sky(truth, folder / "estimated.h5", estimate=True)
    )


@cache
def crowded() -> Gate:
    """160 x 160 px, 1,050 frames of 600 s, 200,000 stars a CCD."""
    return made("crowded-", 160, 1050, stars=200_000)


@cache
def lonely() -> Gate:
    """Stars of T = 9.5 to 16 on a lattice of 14 px, half of them fainter than 13.5, and nothing else: 150 frames."""
    from astropy.table import Table

    from tessellar.mission.ccd import ccd_plane

    rng = np.random.default_rng(4)
    columns, rows = (mesh.ravel() for mesh in np.meshgrid(np.arange(608, 726, 14.0), np.arange(708, 826, 14.0)))
    columns, rows = columns + rng.uniform(-0.5, 0.5, len(columns)), rows + rng.uniform(-0.5, 0.5, len(rows))
    ra, dec = ccd_plane(FIELD).to_sky(columns, rows)
    tmag = rng.permutation(np.concatenate([np.linspace(9.5, 13.5, 40), np.linspace(13.5, 16, len(columns) - 40)]))
    stars = Table({"ID": np.arange(len(columns)) + 1001, "ra": ra, "dec": dec, "Tmag": tmag})
    return made("lonely-", 128, 150, catalog=stars)


def chosen(truth: FrameTruth, faintest: float, brightest: float, each: int) -> Array:
    """Constant catalogued stars away from the border, so many of every magnitude at most."""
    rng, (left, low), (high, wide) = np.random.default_rng(1), truth.corner, truth.shape
    known = np.flatnonzero(truth.stars["tic"] > 0)
    x, y = truth.stars["column"][known] - left, truth.stars["row"][known] - low
    known = known[(x > 11) & (x < wide - 12) & (y > 11) & (y < high - 12)]
    known = np.setdiff1d(known, truth.variables["star"])
    tmag = truth.stars["tmag"][known]
    found = []
    for begin in np.arange(brightest, faintest):
        found += list(rng.permutation(known[(tmag >= begin) & (tmag < begin + 1)])[:each])
    return np.array(found, dtype=np.int64)


def curves(
    truth: FrameTruth,
    field: PreparedField,
    stars: Sequence[int] | Array,
    sky: Array | None = None,
    added: Array | float = 0.0,
) -> tuple[Array, Array, Array]:
    """Fluxes and errors (stars, n), and the prior's weights, of the linear fit; with the true sky where it is given.

    `added` is light to put into the pixels, (n, rows, columns).
    """
    import dataclasses

    whole: Stamp = field.window()
    images = np.asarray(whole.images, dtype=np.float64) + added
    if sky is not None:
        images += np.asarray(whole.background) - sky
    whole = dataclasses.replace(whole, images=images)
    flux, error, prior = [], [], []
    for star in stars:
        column, row = (round(float(truth.stars[name][star])) for name in ("column", "row"))
        rows, cols = (row - HALF, row + HALF), (column - HALF, column + HALF)
        aim = Target(tic=TIC(int(truth.stars["tic"][star])), tmag=float(truth.stars["tmag"][star]))
        result = LinPSFPhotometry().run(whole.window(rows, cols), aim, field.surroundings(rows, cols), Settings())
        assert result.status.has_light_curve, result.reason
        flux.append(result.columns["FLUX"])
        error.append(result.columns["FLUX_ERR"])
        prior.append(result.cards["PSFPRIOR"][0])
    return np.array(flux), np.array(error), np.array(prior)


def shifts_of(truth: FrameTruth, field: PreparedField, star: int) -> Array:
    """Movement of a star as it was measured, (n, 2), pixels."""
    column, row = (round(float(truth.stars[name][star])) for name in ("column", "row"))
    about = field.surroundings((row, row), (column, column))
    own = about.index(int(truth.stars["tic"][star]))
    assert own is not None
    return about.shifts[:, own]


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_noise_in_a_crowded_field() -> None:
    """Response and sky known: median 1.02, 90 % 1.06. Both estimated: median 1.10 for T = 9 to 14, 1.2 to 16."""
    gate = crowded()
    truth, good = gate.truth, flags.good(np.asarray(gate.known.quality), "default")
    frames = np.flatnonzero(good)
    assert len(frames) > 1000
    stars = chosen(truth, 16, 7, 10)
    tmag = truth.stars["tmag"][stars]
    least = bounds(truth, gate.known.responses[0], mean_light(truth, frames), stars)
    sky = np.stack([truth.background(frame) for frame in range(len(truth))])
    shine = np.array([CORE * truth.series(star) for star in stars])
    for field, known_sky in ((gate.known, sky), (gate.estimated, None)):
        flux, error, prior = curves(truth, field, stars, known_sky)
        free = prior == 0
        ratio = np.array([scatter(each) for each in (flux - shine)[:, good]]) / least
        pulls = np.array([pull(*each) for each in zip(flux[:, good], shine[:, good], error[:, good], strict=True)])
        if known_sky is not None:
            all_ = Quantiles.of(ratio[free], len(frames))
            print("response and sky known:", all_, "pull", np.median(pulls[free]))
            assert all_.median <= 1.02
            assert all_.high <= 1.06
            assert 0.95 <= np.median(pulls[free]) <= 1.05
            continue
        for begin, end, most in ((9, 14, 1.10), (14, 16, 1.20)):
            some = free & (tmag >= begin) & (tmag < end)
            print(f"estimated, T = {begin} to {end}:", Quantiles.of(ratio[some], len(frames)), np.median(pulls[some]))
            assert np.median(ratio[some]) <= most


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_transits_in_a_crowded_field() -> None:
    """1,000 ppm, drawn by the simulator into the same noise: depth within 2 % for each star, pulls within 3 sigma.

    Depths are told against the half days before and after, in frames that are not flagged for scattered light: the
    smooth sky that is taken off knows nothing of the straps' share of it.
    """
    gate, depth, length = crowded(), 1e-3, 36
    truth, usable = gate.truth, np.flatnonzero(np.asarray(gate.known.quality) == 0)
    stars = chosen(truth, 14, 8, 4)
    dips = 15 + 43 * np.arange(len(stars))[:, None] + np.arange(length)
    taken = transit_light(truth, stars, depth, dips)
    for field, share in ((gate.known, CORE), (gate.estimated, BOXED)):
        before, error, prior = curves(truth, field, stars)
        after = curves(truth, field, stars, added=taken)[0]
        lost, pulls = [], []
        for star, frames, first, then, spread in zip(stars, dips, before, after, error, strict=True):
            inside, true = np.intersect1d(frames, usable), depth * share * truth.flux[star]
            if len(inside) < length / 2:
                continue
            lost.append((first - then)[inside].mean() / true - 1)
            found, wide = transit_depth(then, shifts_of(truth, field, int(star)), frames, usable)
            pulls.append((found - true) / (np.median(spread[usable]) * wide))
        bias, pulled = np.array(lost), np.array(pulls)
        print(f"depth of {len(bias)}: {bias.mean():+.4f}, {bias.min():+.4f} to {bias.max():+.4f};", end=" ")
        print(f"pulls {pulled.std():.2f}, to {np.abs(pulled).max():.2f}")
        assert (prior == 0).all()
        assert len(bias) >= 18
        assert np.abs(bias).max() < 0.02
        assert np.abs(pulled).max() < 3


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_fluxes_of_stars_that_stand_alone() -> None:
    """Response and sky known: 0.1 % for T < 12, 1 % at T = 15, each star. Estimated: three times that; no factor free.

    What is measured: with a response that is known, the light that it describes (here without the halo beyond it);
    with one that was estimated, all light within 13 x 13 px, the star's own halo in them included.
    """
    gate = lonely()
    truth, good = gate.truth, flags.good(np.asarray(gate.known.quality), "default")
    stars = chosen(truth, 16, 7, 99)
    tmag = truth.stars["tmag"][stars]
    sky = np.stack([truth.background(frame) for frame in range(len(truth))])
    cases = (
        ("known", gate.known, sky, CORE, 1e-3, 1e-2, 1e-3),
        ("estimated", gate.estimated, None, BOXED, 3e-3, 3e-2, 5e-3),
    )
    for name, field, known_sky, share, bright_bias, faint_bias, worst in cases:
        flux = np.median(curves(truth, field, list(stars), known_sky)[0][:, good], axis=1)
        off = flux / (share * truth.flux[stars]) - 1
        bright, faint = off[tmag < 12], off[(tmag > 14.5) & (tmag < 15.5)]
        assert min(len(bright), len(faint)) >= 9
        for label, values in (("T < 12", bright), ("T = 15", faint)):
            print(f"{name}, {label}: mean {values.mean():+.5f}, from {values.min():+.5f} to {values.max():+.5f}")
        assert abs(bright.mean()) < bright_bias
        assert abs(faint.mean()) < faint_bias
        assert np.abs(bright).max() < worst
        assert np.abs(faint).max() < faint_bias
