"""What lies about a stamp: the stars of its field, moving as the field was measured to move."""

from __future__ import annotations

import numpy as np
import pytest

from tessellar.errors import InputError
from tessellar.pixels import StarField, Surroundings, TargetPixelSource
from tessellar.products import read_target_pixels
from tests.photometry.fieldsky import PreparedSky, small_field

ROWS, COLS = (740, 760), (640, 655)


@pytest.fixture(scope="module")
def sky() -> PreparedSky:
    return small_field()


def test_stars_of_a_stamp_and_its_margin_with_their_tracks(sky: PreparedSky) -> None:
    field = sky.field
    about = field.surroundings(ROWS, COLS, margin=6)
    expected = [
        tic
        for tic, column, row in zip(field.stars.tic, field.stars.column, field.stars.row, strict=True)
        if 633.5 <= column < 661.5 and 733.5 <= row < 766.5
    ]
    assert about.tic.tolist() == expected
    assert about.shifts.shape == (120, len(about), 2)
    star = int(np.argmin(about.tmag))
    place = np.array([about.column[star], about.row[star]])
    away = place + about.shifts[:, star] - sky.truth.track(sky.truth.index(about.tic[star]))
    steady = (field.quality & 32) == 0
    assert np.abs(away[steady]).max() < 0.02
    assert len(about.responses) == 1
    assert about.response_of(0) is about.responses[0]


def test_all_stars_of_the_field_where_no_window_is_given(sky: PreparedSky) -> None:
    assert len(sky.field.surroundings()) == len(sky.field.stars)


def test_a_target_pixel_file_moves_as_pos_corr_or_as_the_field(sky: PreparedSky) -> None:
    path = next(iter(sorted(sky.folder.rglob("*_tp.fits*"))))
    stamp = TargetPixelSource(read_target_pixels(path)).window()
    stars = sky.field.stars.within((stamp.rows[0], stamp.rows[-1]), (stamp.columns[0], stamp.columns[-1]), 5)
    own = Surroundings.of_stamp(stamp, stars)
    moved = np.asarray(stamp.pos_corr)
    known = np.isfinite(moved).all(axis=1)
    np.testing.assert_allclose(own.shifts[known, 0], moved[known], atol=1e-6)
    assert own.responses == ()
    assert own.response_of(0) is None
    by_field = Surroundings.of_stamp(stamp, stars, sky.field.responses[0], sky.field.movement)
    assert np.isfinite(by_field.shifts[np.isfinite(stamp.time)]).all()


def test_stars_can_be_chosen_by_id_and_place(sky: PreparedSky) -> None:
    about = sky.field.surroundings(ROWS, COLS)
    third = about.tic[2]
    assert about.index(third) == 2
    assert about.index(-5) is None
    nearest = about.near(about.column[2], about.row[2], 8)
    assert nearest.tic[0] == third
    distance = np.hypot(nearest.column - about.column[2], nearest.row - about.row[2])
    assert (np.diff(distance) >= 0).all()
    assert distance.max() <= 8
    assert len(about.reordered(np.arange(7)).segments) == 7


def test_shapes_that_disagree_are_refused(sky: PreparedSky) -> None:
    about = sky.field.surroundings(ROWS, COLS)
    with pytest.raises(InputError, match="tmag has shape"):
        Surroundings(**{**vars(about), "tmag": about.tmag[:-1]})
    with pytest.raises(InputError, match="shifts of shape"):
        Surroundings(**{**vars(about), "segments": about.segments[:-1]})


def test_an_empty_star_field_gives_no_stars(sky: PreparedSky) -> None:
    nobody: StarField = sky.field.stars.chosen(np.zeros(len(sky.field.stars), dtype=bool))
    path = next(iter(sorted(sky.folder.rglob("*_tp.fits*"))))
    assert len(Surroundings.of_stamp(TargetPixelSource(read_target_pixels(path)).window(), nobody)) == 0
