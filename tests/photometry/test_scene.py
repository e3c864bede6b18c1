"""Scenes: prepared frames, target pixel files and cut-outs measured in one way, on stamps that grow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tessellar.errors import InputError, MissingInput, PhotometryError
from tessellar.photometry import (
    STATUS,
    AperturePhotometry,
    FieldScene,
    Result,
    Settings,
    StampGrowth,
    StampLimits,
    StampScene,
    Target,
    measure_in,
    open_scene,
    stamp_size,
)
from tests.photometry.fieldsky import FIELD, small_field


@pytest.fixture(scope="module")
def frames() -> FieldScene:
    return FieldScene(small_field().field)


def bright_inside(scene: FieldScene) -> list[int]:
    """Stars of T < 12 well inside the frames, the brightest first."""
    stars = scene.stars
    assert stars is not None
    inner = scene.limits.grown(-12, -12, -12, -12)
    keep = [inner.holds(column, row) for column, row in zip(stars.column, stars.row, strict=True)]
    return stars.tic[np.array(keep) & (stars.tmag < 12)].tolist()


class Growing:
    """Asks for `grow` until it has been given `enough` rows, and remembers what it was given."""

    name = "growing"

    def __init__(self, enough: int = 10**6, **grow: int) -> None:
        self.enough, self.grow, self.seen = enough, StampGrowth(**grow), []

    def run(self, stamp: Any, target: Target, stars: Any, settings: Settings) -> Result:
        self.seen.append(StampLimits.of(stamp.corner, stamp.shape))
        result = AperturePhotometry().run(stamp, target, stars, settings)
        return result if stamp.shape[0] >= self.enough else replace(result, grow=self.grow)


class TestLimits:
    def test_sizes_are_those_of_the_table(self) -> None:
        assert [stamp_size(tmag) for tmag in (0.0, 10.0, 13.0, 16.0, None, float("nan"))] == [(832, 158)] + [
            (15, 15)
        ] * 5
        assert stamp_size(5 * 10 / 19) == (99, 55)

    def test_a_stamp_is_about_its_star(self) -> None:
        assert StampLimits.about(101.3, 57.0, (15, 15)) == (49, 64, 93, 108)
        assert StampLimits.about(101.3, 57.0, (14, 15)).shape == (15, 15)

    def test_limits_that_leave_nothing_are_refused(self) -> None:
        with pytest.raises(InputError, match="invalid stamp selected"):
            StampLimits(50, 60, 50, 70).grown(left=-100, right=-100).clipped(StampLimits(0, 2048, 44, 2092))


class TestFrames:
    def test_stamps_have_the_pixels_that_the_field_has(self, frames: FieldScene) -> None:
        target = frames.target(bright_inside(frames)[0])
        limits = frames.default_stamp(target)
        stamp = frames.stamp(limits, target)
        assert stamp.shape == limits.shape == stamp_size(target.tmag)
        assert StampLimits.of(stamp.corner, stamp.shape) == limits
        whole = frames.prepared.window()
        rows = slice(limits.row_min - frames.limits.row_min, limits.row_max - frames.limits.row_min)
        cols = slice(limits.col_min - frames.limits.col_min, limits.col_max - frames.limits.col_min)
        np.testing.assert_allclose(stamp.images, whole.images[:, rows, cols], rtol=1e-5, atol=1e-2)

    def test_every_star_has_its_own_times_and_movement(self, frames: FieldScene) -> None:
        for tic in bright_inside(frames)[:2]:
            target = frames.target(tic)
            stamp = frames.stamp(frames.default_stamp(target), target)
            time, timecorr, _ = frames.prepared.star_times(target.ra, target.dec)
            np.testing.assert_array_equal(stamp.time, time)
            np.testing.assert_array_equal(stamp.timecorr, timecorr)
            # At the spacecraft it is one time for all stars.
            np.testing.assert_allclose(stamp.time - stamp.timecorr, frames.prepared.time - frames.prepared.timecorr)
            about = frames.surroundings(stamp)
            assert about is not None
            np.testing.assert_allclose(stamp.pos_corr, about.shifts[:, about.index(tic)])

    def test_a_star_off_the_frames_is_an_error_that_says_where(self, frames: FieldScene) -> None:
        stars = frames.stars
        assert stars is not None
        off = [
            t for t, *place in zip(stars.tic, stars.column, stars.row, strict=True) if not frames.limits.holds(*place)
        ]
        for tic in off[:3]:
            result = measure_in(frames, int(tic))
            assert result.status is STATUS.ERROR
            assert "off the pixels of prepared frames" in result.reason

    def test_an_unknown_star_is_refused(self, frames: FieldScene) -> None:
        with pytest.raises(InputError, match="TIC 5 is not among"):
            measure_in(frames, 5)

    def test_a_star_at_the_edge_has_the_pixels_there_are(self, frames: FieldScene) -> None:
        column, row = frames.limits.cols[0], frames.limits.rows[1]
        limits = frames.default_stamp(Target(tmag=12.0, column=float(column), row=float(row)))
        assert limits.shape == (8, 8)
        assert limits.holds(column, row)

    def test_the_result_tells_its_file_and_what_its_frames_say(self, frames: FieldScene) -> None:
        result = measure_in(frames, bright_inside(frames)[0], settings=Settings(aperture="threshold"))
        assert result.inputs == (frames.prepared.path,)
        told = {name: value for name, value in result.about.items() if value is not None}
        assert told == {
            "data_release": 9999, "simulated": True, "num_frm": 300, "source": "ffi", "crmiten": True, "crblksz": 10,
            "deadc": 0.792,
        }  # fmt: skip


class TestGrowth:
    SETTINGS = Settings(aperture="threshold")

    def test_the_stamp_grows_until_the_method_is_content(self, frames: FieldScene) -> None:
        method = Growing(19, up=3, left=1)
        result = measure_in(frames, bright_inside(frames)[-1], method, self.SETTINGS)
        first = method.seen[0]
        assert method.seen == [first, first.grown(up=3, left=1), first.grown(up=6, left=2)]
        assert result.grow is None
        assert result.stamp.shape == (21, 17)

    def test_it_ends_with_a_warning_after_five_times(self, frames: FieldScene) -> None:
        method = Growing(up=1)
        result = measure_in(frames, bright_inside(frames)[-1], method, self.SETTINGS)
        assert len(method.seen) == 6
        assert result.status is STATUS.WARNING
        assert "still be larger after 5" in result.reason

    def test_it_ends_where_there_are_no_more_pixels(self, frames: FieldScene) -> None:
        method = Growing(up=10_000)
        result = measure_in(frames, bright_inside(frames)[-1], method, self.SETTINGS)
        assert len(method.seen) == 2
        assert method.seen[1].row_max == frames.limits.row_max
        assert result.status is STATUS.WARNING
        assert "no more pixels" in result.reason

    def test_a_method_that_gives_up_gives_a_result(self, frames: FieldScene) -> None:
        class Hopeless:
            name = "hopeless"

            def run(self, *_: object) -> Result:
                raise PhotometryError("no light at all")

        result = measure_in(frames, bright_inside(frames)[0], Hopeless())
        assert (result.status, result.reason, result.method) == (STATUS.ERROR, "no light at all", "hopeless")


class TestOpening:
    def test_a_folder_of_frames_opens_as_prepared(self) -> None:
        sky = small_field()
        where = {"sector": FIELD.sector, "camera": FIELD.camera, "ccd": FIELD.ccd}
        for folder in (sky.folder, sky.field.path):
            scene = open_scene(folder, **where)
            assert isinstance(scene, FieldScene)
            assert scene.paths == (sky.field.path,)
        with pytest.raises(MissingInput, match=r"no prepared field of 1800 s|none is prepared of 1800 s"):
            open_scene(sky.folder, cadence=1800, **where)
        with pytest.raises(InputError, match="SECTOR, CAMERA and CCD"):
            open_scene(sky.folder)

    def test_frames_that_are_not_prepared_say_what_to_run(self, tmp_path: Path) -> None:
        for path in small_field().truth.paths[:3]:
            (tmp_path / path.name).symlink_to(path)
        with pytest.raises(MissingInput, match=r"holds 3 frames .* run `tessellar prepare .* --sector 27 --camera 1"):
            open_scene(tmp_path, sector=27, camera=1, ccd=1)
        with pytest.raises(FileNotFoundError, match="nor frames"):
            open_scene(tmp_path, sector=27, camera=1, ccd=2)

    def test_a_target_pixel_file_knows_the_stars_of_the_frames(self) -> None:
        sky = small_field()
        tic = int(next(sky.folder.glob("*_tp.fits")).name.split("-")[2])
        scene = open_scene(sky.folder, "tpf", tic)
        assert isinstance(scene, StampScene)
        stamp = scene.stamp()
        about = scene.surroundings(stamp)
        assert about is not None
        assert about.responses
        index = about.index(tic)
        assert index is not None
        target = scene.target(tic)
        assert (target.column, target.row) == (about.column[index], about.row[index])
        # Its own header puts it there, too.
        assert stamp.pixel_of(target.ra, target.dec) == pytest.approx((target.column, target.row), abs=0.2)
        assert measure_in(scene).status is STATUS.OK

    def test_another_star_of_the_stamp_can_be_measured(self) -> None:
        sky = small_field()
        owners = [int(path.name.split("-")[2]) for path in sorted(sky.folder.glob("*_tp.fits"))]
        scenes = {owner: open_scene(sky.folder, f"tpf:{owner}") for owner in owners}
        owner, other = next(
            (owner, int(tic))
            for owner, each in scenes.items()
            for tic, *place in zip(each.stars.tic, each.stars.column, each.stars.row, strict=True)
            if int(tic) != owner and each.limits.grown(-1, -1, -1, -1).holds(*place)
        )
        scene = scenes[owner]
        result = measure_in(scene, other, settings=Settings(aperture="threshold"))
        assert int(result.target.tic) == other
        assert result.stamp.shape == scene.limits.shape

    @pytest.mark.parametrize("source", ["invalid", "tpf:", "tpf:me", "", "FFI", "ffi:7"])
    def test_other_sources_are_refused(self, source: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="invalid datasource"):
            open_scene(tmp_path, source, 5)

    def test_what_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="not a valid input directory"):
            open_scene(tmp_path / "nowhere", "tpf", 5)
        with pytest.raises(FileNotFoundError, match=r"target pixel file not found.* TIC 5, sector 3"):
            open_scene(tmp_path, "tpf", 5, sector=3)

    def test_a_real_cut_out_without_a_catalogue_is_of_its_own_place(self, real_data: Path) -> None:
        scene = open_scene(real_data / "tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits", "tpf")
        assert not scene.stamp().background_subtracted
        assert scene.surroundings(scene.stamp()) is None
        assert scene.target(None).tic is None
        with pytest.raises(InputError, match="no catalogue"):
            scene.target(5)
