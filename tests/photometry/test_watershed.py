"""Masks from the mean image: they follow the light, part where stars part, and run along bleeding columns."""

from __future__ import annotations

import numpy as np
import pytest

from tessellar.errors import PhotometryError
from tessellar.photometry.apertures.watershed import SATURATED, bright_above, find_regions, with_bleed
from tests.photometry.conftest import gaussian


def sky(shape: tuple[int, int] = (25, 25), noise: float = 1.0, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, noise, shape)


def test_the_threshold_lies_above_the_mode_whatever_stars_do() -> None:
    plain = sky((60, 60))
    crowded = plain + 3000 * gaussian((60, 60), 20, 30) + 50000 * gaussian((60, 60), 40, 10)
    assert bright_above(plain) == pytest.approx(0.8, abs=0.25)
    assert bright_above(crowded) == pytest.approx(bright_above(plain), abs=0.2)
    # A sky that was not taken off moves the mode, and the threshold with it.
    assert bright_above(crowded + 100) == pytest.approx(100 + bright_above(crowded), abs=0.05)
    for blank in (np.full((5, 5), np.nan), np.full((5, 5), -1.0)):
        with pytest.raises(PhotometryError, match="no pixel has flux"):
            bright_above(blank)


def test_two_stars_share_what_lies_between_them() -> None:
    image = sky() + 2000 * gaussian((25, 25), 9.0, 12.0, 1.2) + 2000 * gaussian((25, 25), 13.0, 12.0, 1.2)
    found = find_regions(image, [9.0, 13.0], [12.0, 12.0], [11.0, 11.0])
    left, right = found.at(9, 12), found.at(13, 12)
    assert left is not None
    assert right is not None
    assert not (left & right).any()
    assert left[12, :11].sum() > 3 > left[12, 12:].sum()
    # Without a catalogue every peak is a star.
    blind = find_regions(image)
    assert np.array_equal(blind.at(9, 12), left)
    # A faint entry of the catalogue without a peak of its own is in its neighbour's mask.
    assert np.array_equal(
        find_regions(image, [9.0, 10.4, 13.0], [12.0, 12.4, 12.0], [11.0, 16.0, 11.0]).at(10.4, 12.4), left
    )


def test_masks_have_no_holes_no_missing_pixels_and_four_pixels_at_least() -> None:
    image = sky() + 20000 * gaussian((25, 25), 12.0, 12.0, 1.5)
    image[12, 14] = -50.0
    image[10, 12] = np.nan
    mask = find_regions(image, [12.0], [12.0], [9.0]).at(12, 12)
    assert mask is not None
    assert mask[12, 14]
    assert not mask[10, 12]
    lonely = np.zeros((9, 9))
    lonely[4, 4] = 100.0
    assert find_regions(lonely, [4.0], [4.0], [12.0]).at(4, 4) is None
    assert find_regions(image, [12.0], [12.0], [9.0]).at(40, 12) is None


def test_an_image_without_light_is_told() -> None:
    with pytest.raises(PhotometryError, match="no pixel has flux"):
        find_regions(np.full((9, 9), np.nan))
    with pytest.raises(PhotometryError, match="no pixel is above the threshold"):
        find_regions(np.full((9, 9), 3.0))


def test_the_mask_of_a_bleeding_star_has_its_whole_column() -> None:
    image = sky((60, 25)) + 4e5 * gaussian((60, 25), 12.0, 30.0, 1.2)
    image[12:49, 12] = 1.0e5
    image[49, 12] = 3.0e4
    image[11, 12] = 2.0e4
    image[40, 12] = np.nan
    image[20, 12] = 9.9e4  # a ripple of the plateau is not another star
    found = find_regions(image, [12.0], [30.0], [5.0])
    star = found.at(12, 30)
    assert star is not None
    mask = with_bleed(star, image, found.bright)
    assert mask[11:40, 12].all()
    assert not mask[40, 12]
    assert (image[mask] > SATURATED).sum() == 28
    # The bleed beyond a missing pixel is another piece, and a star that is not saturated has none.
    faint = find_regions(sky() + 5000 * gaussian((25, 25), 12, 12), [12.0], [12.0], [11.0])
    alone = faint.at(12, 12)
    assert alone is not None
    assert np.array_equal(with_bleed(alone, np.zeros((25, 25)), faint.bright), alone)
