"""Pixels that are bad in every way that they can be: each method says so, none crashes, none is content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tessellar.photometry import METHODS, STATUS, FieldScene, Result, Settings, measure_in
from tessellar.pixels import Stamp, Surroundings
from tests.photometry.sourcesky import BRIGHT, PLACES, PLAIN, scene

Spoil = Callable[[Stamp], Stamp]

# Those that fit or weight take longer.
QUICK = ("aperture", "linpsf")
EACH = [name if name in QUICK else pytest.param(name, marks=pytest.mark.heavy) for name in METHODS]


class Spoiled(FieldScene):
    """A scene with its stamps, and the stars about them, made worse."""

    def __init__(
        self, sound: FieldScene, spoil: Spoil, stars: Callable[[Surroundings], Surroundings | None] | None = None
    ) -> None:
        super().__init__(sound.prepared)
        self.spoil, self.change = spoil, stars

    def stamp(self, *args: Any) -> Stamp:
        return self.spoil(super().stamp(*args))

    def surroundings(self, stamp: Stamp) -> Surroundings | None:
        found = super().surroundings(stamp)
        return found if self.change is None or found is None else self.change(found)


def at_star(stamp: Stamp, tic: int) -> tuple[int, int]:
    column, row, _ = PLACES[tic]
    return round(row) - stamp.corner[1], round(column) - stamp.corner[0]


def images(change: Callable[[np.ndarray], Any]) -> Spoil:
    def spoil(stamp: Stamp) -> Stamp:
        cube = np.array(stamp.images)
        change(cube)
        return replace(stamp, images=cube)

    return spoil


def nothing(cube: np.ndarray) -> None:
    cube[:] = np.nan


def zero(cube: np.ndarray) -> None:
    cube[:] = 0


def negative(cube: np.ndarray) -> None:
    cube *= -1


def noise(cube: np.ndarray) -> None:
    cube[:] = np.random.default_rng(1).normal(0, 3, cube.shape)


def star_of(method: str) -> int:
    return BRIGHT if method == "halo" else PLAIN


def measured(method: str, spoil: Spoil, **more: Any) -> Result:
    tic = star_of(method)
    sound = scene("ffi-600", tic)
    assert isinstance(sound, FieldScene)
    return measure_in(Spoiled(sound, spoil, **more), tic, method)


def says_why(result: Result) -> bool:
    return bool(result.reason) and "\n" not in result.reason


BAD: dict[str, Spoil] = {
    "no value in any pixel": images(nothing),
    "zero in all pixels": images(zero),
    "negative flux": images(negative),
    "noise without a star": images(noise),
    "all cadences flagged": lambda stamp: replace(stamp, quality=np.full(len(stamp), 4, np.int32)),
    "no time in any cadence": lambda stamp: replace(stamp, time=np.full(len(stamp), np.nan)),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("method", EACH)
def test_pixels_without_a_star_give_no_content_light_curve(method: str, what: str) -> None:
    result = measured(method, BAD[what])
    assert result.status in (STATUS.ERROR, STATUS.WARNING, STATUS.SKIPPED), result
    assert says_why(result)


@pytest.mark.parametrize("method", EACH)
def test_cadences_without_a_time_are_kept_and_used_for_nothing(method: str) -> None:
    def spoil(stamp: Stamp) -> Stamp:
        time = np.array(stamp.time)
        time[::5] = np.nan
        return replace(stamp, time=time)

    result = measured(method, spoil)
    assert result.status.has_light_curve, result
    assert len(result.columns["TIME"]) == len(result.stamp)
    assert np.isnan(result.columns["TIME"][::5]).all()
    assert result.metrics["n_good"] <= 0.8 * len(result.stamp)


@pytest.mark.parametrize("method", EACH)
def test_one_pixel_without_value_poisons_nothing_silently(method: str) -> None:
    tic = star_of(method)

    def spoil(stamp: Stamp) -> Stamp:
        cube = np.array(stamp.images)
        row, column = at_star(stamp, tic)
        cube[3, row, column + 1] = np.nan
        return replace(stamp, images=cube)

    result = measured(method, spoil)
    sound = measure_in(scene("ffi-600", tic), tic, method)
    assert result.status.has_light_curve, result
    flux, before = result.columns["FLUX"], sound.columns["FLUX"]
    rest = np.arange(len(flux)) != 3
    assert (np.isfinite(flux) == np.isfinite(before))[rest].all()
    # That cadence is missing, or measured from the other pixels, or says that it lacks one.
    assert np.isnan(flux[3]) or result.columns["PIXEL_QUALITY"][3] or flux[3] == pytest.approx(before[3], rel=0.02)


@pytest.mark.parametrize("method", EACH)
def test_ten_stars_in_one_pixel_end_somehow(method: str) -> None:
    def crowd(stars: Surroundings) -> Surroundings:
        index = stars.index(star_of(method))
        assert index is not None
        near = stars.chosen(np.append(np.arange(len(stars)), np.repeat(index, 10)))
        places = np.array(near.column), np.array(near.row)
        rng = np.random.default_rng(2)
        for place in places:
            place[-10:] += rng.uniform(-0.3, 0.3, 10)
        tic = np.array(near.tic)
        tic[-10:] = np.arange(1, 11)
        return replace(near, tic=tic, column=places[0], row=places[1])

    result = measured(method, lambda stamp: stamp, stars=crowd)
    assert isinstance(result.status, STATUS)
    if method != "halo":  # whose light it is does not matter there
        assert result.status is not STATUS.OK, result
        assert says_why(result)


@pytest.mark.parametrize("method", EACH)
def test_without_a_catalogue_or_a_response_it_says_what_it_lacks(method: str) -> None:
    for stars in (lambda _: None, lambda found: replace(found, responses=())):
        result = measured(method, lambda stamp: stamp, stars=stars)
        if method in ("linpsf", "psf"):
            assert result.status is STATUS.ERROR
        assert result.status is STATUS.OK or says_why(result)


def test_an_aperture_of_everything_or_nothing_is_not_content() -> None:
    sound = scene("ffi-600", PLAIN)
    shape = sound.stamp(sound.default_stamp(sound.target(PLAIN))).shape
    whole = measure_in(sound, PLAIN, "aperture", Settings(aperture=np.ones(shape, bool)))
    assert whole.status in (STATUS.WARNING, STATUS.ERROR), whole
    assert says_why(whole)
