"""Stamps: what they refuse, how they are cut, and their mean image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from tessellar import Field
from tessellar.errors import InputError
from tessellar.pixels import Stamp, mean_image


def make(count: int = 4, rows: int = 5, cols: int = 6, **other: Any) -> Stamp:
    cube = np.arange(count * rows * cols, dtype="f4").reshape(count, rows, cols)
    values: dict[str, Any] = {
        "images": cube,
        "errors": np.ones_like(cube),
        "background": np.zeros_like(cube),
        "time": np.arange(count, dtype=float),
        "timecorr": np.zeros(count),
        "cadenceno": np.arange(count),
        "quality": np.zeros(count, dtype=int),
        "corner": (101, 201),
        "field": Field(1, 4, 1),
        "cadence": 120.0,
        "origin": "memory",
    }
    return Stamp(**{**values, **other})


def tan(column: float, row: float) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [63.0, -69.0]
    wcs.wcs.crpix = [column + 1, row + 1]
    wcs.wcs.cdelt = [-21 / 3600, 21 / 3600]
    return wcs


def test_its_arrays_cannot_be_written_to_and_the_callers_still_can() -> None:
    mine = np.zeros((4, 5, 6), dtype="f4")
    stamp = make(images=mine)
    with pytest.raises(ValueError, match="read-only"):
        stamp.images[0, 0, 0] = 1
    mine[0, 0, 0] = 7
    with pytest.raises(AttributeError):
        stamp.cadence = 20.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("errors", np.ones((4, 5, 5))),
        ("time", np.arange(3.0)),
        ("aperture", np.ones((6, 5), dtype=int)),
        ("pos_corr", np.ones((2, 4))),
        ("images", np.ones((5, 6))),
        ("images", np.ones((0, 5, 6))),
    ],
)
def test_shapes_that_disagree_are_told_by_name(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"{name} of memory ha.*shape") as caught:
        make(**{name: value})
    assert "\n" not in str(caught.value)


def test_a_window_is_asked_for_in_ccd_pixels() -> None:
    stamp = make()
    part = stamp.window(rows=(202, 203), cols=(106, 106))
    assert part.corner == (106, 202)
    np.testing.assert_array_equal(part.images, stamp.images[:, 1:3, 5:6])
    np.testing.assert_array_equal(part.rows, [202, 203])
    assert stamp.window() is stamp


@pytest.mark.parametrize("kind", ["wcs", "header"])
def test_a_window_keeps_sky_positions_on_their_ccd_pixels(kind: str) -> None:
    stamp = make(wcs=tan(2.25, 3.5) if kind == "wcs" else tan(2.25, 3.5).to_header())
    place = stamp.pixel_of(63.0, -69.0)
    assert place == pytest.approx((103.25, 204.5))
    assert stamp.window(rows=(203, 205), cols=(102, 106)).pixel_of(63.0, -69.0) == pytest.approx(place)
    assert make().pixel_of(63.0, -69.0) is None


@pytest.mark.parametrize("rows", [(200, 203), (204, 206), (203, 202)])
def test_a_window_that_is_not_inside_is_refused(rows: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"rows .* are not in memory, which has rows 201 to 205"):
        make().window(rows=rows)


def test_reordering_moves_every_array_alike() -> None:
    stamp = make(pos_corr=np.arange(8.0).reshape(4, 2)).reordered(np.array([2, 0]))
    np.testing.assert_array_equal(stamp.time, [2, 0])
    np.testing.assert_array_equal(stamp.cadenceno, [2, 0])
    np.testing.assert_array_equal(stamp.images[:, 0, 0], [60, 0])
    np.testing.assert_array_equal(stamp.pos_corr, [[4, 5], [0, 1]])


@given(st.integers(0, 2**32 - 1), st.sampled_from([">f4", "<f4", "f8"]), st.sampled_from([3, 1024, 2500]))
def test_the_mean_image_is_the_mean_of_what_is_there(seed: int, dtype: str, count: int) -> None:
    rng = np.random.default_rng(seed)
    cube = rng.normal(100, 10, (count, 2, 3)).astype(dtype)
    cube[rng.random(cube.shape) < 0.1] = np.nan
    cube[:, 0, 0] = np.nan
    use = rng.random(count) < 0.7
    use[0] = True
    got = mean_image(cube, use)
    assert np.isnan(got[0, 0])
    picked = cube[use].astype("f8")
    finite = np.isfinite(picked)
    with np.errstate(invalid="ignore"):
        expected = np.where(finite, picked, 0).sum(axis=0) / finite.sum(axis=0)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_the_mean_image_of_no_cadence_is_unknown() -> None:
    assert np.isnan(mean_image(np.ones((3, 2, 2)), np.zeros(3, dtype=bool))).all()
