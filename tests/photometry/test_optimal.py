"""Masks chosen by noise: the least noise there is, connected, never where nothing is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import label

from tessellar.errors import InputError
from tessellar.photometry.apertures.optimal import (
    choose_apertures,
    draw_scene,
    optimal_masks,
    shares_in_masks,
)
from tessellar.photometry.merit.noise import noise_time
from tessellar.pixels import MissionPRF
from tessellar.pixels.response import box_corners

CORNER, SHAPE = (1700, 100), (128, 128)


@pytest.fixture(scope="module")
def prf(real_data: Path) -> MissionPRF:
    return MissionPRF.open(sorted(real_data.glob("*prf-4-1*.fits")), camera=4, ccd=1)


def crowd(count: int = 300, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places and light of stars, some of them off the image, as many as 80,000 on a CCD."""
    rng = np.random.default_rng(seed)
    column, row = rng.uniform(1693, 1835, count), rng.uniform(93, 235, count)
    tmag = np.clip(16 - rng.exponential(1.8, count), 5, 16)
    return column, row, 10 ** (-0.4 * (tmag - 20.44))


def noise(box: np.ndarray, flux: float, mask: np.ndarray, beneath: float = 150.5) -> float:
    """1-h noise of a star that is alone, over its flux."""
    own = np.maximum(flux * box, 0) + beneath
    return float(np.sqrt(own[mask].sum() / noise_time(3600)) / box[mask].sum() / flux)


def test_compiled_and_plain_steps_give_the_same_masks(prf: MissionPRF) -> None:
    column, row, flux = crowd()
    scene = draw_scene(column, row, flux, prf, corner=CORNER, shape=SHAPE)
    where = flux, *box_corners(column, row, CORNER, prf.reach), scene
    usable = np.random.default_rng(1).random(SHAPE) > 0.02
    sky = 100 + np.add.outer(np.arange(128.0), np.arange(128.0))
    boxes = prf.boxes(column, row)[:, 0]
    for settings in ({}, {"usable": usable, "sky": sky, "leak": 0.0}, {"minimum": 1, "motion": 0.02}):
        fast = optimal_masks(boxes, *where, **settings)  # type: ignore[arg-type]
        assert np.array_equal(fast, optimal_masks(boxes, *where, **settings, compiled=False))  # type: ignore[arg-type]
        assert fast.any(axis=(1, 2)).sum() > 200


def test_every_mask_is_one_piece_of_four_pixels_at_least_and_on_usable_pixels(prf: MissionPRF) -> None:
    column, row, flux = crowd()
    usable = np.random.default_rng(2).random(SHAPE) > 0.05
    found = choose_apertures(column, row, flux, prf, corner=CORNER, shape=SHAPE, usable=usable)
    inside = (column > 1702) & (column < 1825) & (row > 102) & (row < 225)
    pieces = np.array([label(mask)[1] for mask in found.masks])
    assert (pieces[inside] == 1).all()
    assert (found.size[inside] >= 4).mean() > 0.99  # a star may be walled in by pixels that cannot be used
    for star in range(len(found)):
        mask = found.on(star, CORNER, SHAPE)
        assert mask.sum() == found.size[star]
        assert usable[mask].all()
    # Stars whose box lies off the image have no pixel.
    nothing = choose_apertures([1500.0], [100.0], [1e4], prf, corner=CORNER, shape=SHAPE)
    assert nothing.size[0] == 0
    assert nothing.flfrcsap[0] == 0
    assert np.isnan(nothing.crowdsap[0])


@pytest.mark.parametrize("tmag", [6, 8, 10, 12, 14, 16])
def test_a_star_alone_has_the_best_mask_there_is(prf: MissionPRF, tmag: float) -> None:
    flux = 10 ** (-0.4 * (tmag - 20.44))
    rng = np.random.default_rng(tmag)
    over_best, over_bound = [], []
    for x, y in 0.5 - rng.random((20, 2)):
        place = [1760 + x], [160 + y]
        still = choose_apertures(*place, [flux], prf, corner=CORNER, shape=SHAPE, motion=0.0)
        mask = choose_apertures(*place, [flux], prf, corner=CORNER, shape=SHAPE).masks[0]
        box = prf.boxes(*place)[0, 0].astype(float)
        variance = np.maximum(flux * box, 0) + 150.5
        order = np.argsort(-(box / variance).ravel())
        best = min(noise(box, flux, _first(order, n, box.shape)) for n in range(4, 225))
        bound = 1 / np.sqrt(noise_time(3600) * (box**2 / variance).sum()) / flux
        over_best.append(noise(box, flux, still.masks[0]) / best)
        over_bound.append(noise(box, flux, mask) / bound)
    assert max(over_best) < 1.001
    # Above T = 14 no mask of whole pixels can do better than 1.11 to 1.13.
    assert np.median(over_bound) <= (1.12 if tmag <= 14 else 1.14)


def _first(order: np.ndarray, count: int, shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(order.size, dtype=bool)
    mask[order[:count]] = True
    return mask.reshape(shape)


def test_a_bright_neighbour_is_kept_out_the_more_the_less_it_is_trusted(prf: MissionPRF) -> None:
    column, row, flux = [1760.0, 1762.5], [160.0, 160.0], [2e3, 2e4]
    shares = []
    for leak in (0.0, 3e-3, 3e-2):
        found = choose_apertures(column, row, flux, prf, corner=CORNER, shape=SHAPE, which=[0], leak=leak)
        shares.append(found.crowdsap[0])
    assert shares[0] <= shares[1] <= shares[2]
    assert shares[2] > shares[0]
    # Ten stars in one pixel are no reason to stop.
    many = choose_apertures(
        np.full(10, 1760.2), np.full(10, 160.1), np.full(10, 500.0), prf, corner=CORNER, shape=SHAPE
    )
    assert (many.size >= 4).all()
    assert many.crowdsap == pytest.approx(0.1, abs=1e-3)


def test_movement_asks_for_masks_that_it_does_not_matter_to(prf: MissionPRF) -> None:
    column, row, flux = [1760.31], [160.22], [5e4]
    slopes = []
    for motion in (0.0, 0.02):
        found = choose_apertures(column, row, flux, prf, corner=CORNER, shape=SHAPE, motion=motion)
        terms = prf.boxes(column, row, derivatives=1)[0]
        slopes.append(np.hypot(*terms[1:, found.masks[0]].sum(axis=1)) / found.flfrcsap[0])
    assert slopes[1] < 0.7 * slopes[0]


def test_the_same_star_has_the_same_mask_in_a_stamp_as_on_the_ccd(prf: MissionPRF) -> None:
    column, row, flux = crowd()
    whole = choose_apertures(column, row, flux, prf, corner=CORNER, shape=SHAPE)
    inside = np.flatnonzero((column > 1720) & (column < 1800) & (row > 120) & (row < 200))[:40]
    for star in inside:
        corner = round(column[star]) - 8, round(row[star]) - 9
        near = np.hypot(column - column[star], row - row[star]) < 24
        near[star] = True
        own = int(np.flatnonzero(np.flatnonzero(near) == star)[0])
        alone = choose_apertures(column[near], row[near], flux[near], prf, corner=corner, shape=(18, 17), which=[own])
        assert np.array_equal(alone.on(0, CORNER, SHAPE), whole.on(int(star), CORNER, SHAPE))
        assert alone.crowdsap[0] == pytest.approx(whole.crowdsap[star], rel=1e-6)


def test_shares_are_those_of_the_light_that_was_drawn(prf: MissionPRF) -> None:
    column, row, flux = crowd(60)
    scene = draw_scene(column, row, flux, prf, corner=CORNER, shape=SHAPE)
    bottom, left = box_corners(column, row, CORNER, prf.reach)
    found = choose_apertures(column, row, flux, prf, corner=CORNER, shape=SHAPE)
    star = int(np.flatnonzero((column > 1720) & (column < 1800) & (row > 120) & (row < 200))[0])
    alone = draw_scene(column[star], row[star], flux[star], prf, corner=CORNER, shape=SHAPE)[0]
    mask = found.on(star, CORNER, SHAPE)
    assert found.flfrcsap[star] == pytest.approx(alone[mask].sum() / flux[star], rel=1e-5)
    assert found.crowdsap[star] == pytest.approx(alone[mask].sum() / scene[0][mask].sum(), rel=1e-5)
    again: Any = shares_in_masks(found.masks, prf.boxes(column, row)[:, 0], flux, bottom, left, scene[0])
    assert np.array_equal(again[0], found.flfrcsap)


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(InputError, match="need \\(stars, side, side\\)"):
        optimal_masks(np.ones((2, 3, 3)), [1.0], [0], [0], np.ones((9, 9)))
    with pytest.raises(InputError, match="usable pixels have shape"):
        optimal_masks(np.ones((1, 3, 3)), [1.0], [0], [0], np.ones((9, 9)), usable=np.ones((8, 9), dtype=bool))
    blank = optimal_masks(np.ones((1, 3, 3)), [1.0], [0], [0], np.full((9, 9), np.nan))
    assert not blank.any()
