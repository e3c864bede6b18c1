"""BasePhotometry as its users know it: stamps, pixels, stars, errors, and methods of one's own."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from tessellar.errors import InputError, MissingInput, PhotometryError, StoreError
from tessellar.mission import ccd
from tessellar.photometry import STATUS, BasePhotometry, PixelQuality, StampLimits, load_settings, open_scene
from tessellar.pixels import PixelFlag
from tessellar.products import read, read_light_curve
from tests.photometry import sourcesky
from tests.photometry.fieldsky import FIELD, small_field

WHERE = {"sector": FIELD.sector, "camera": FIELD.camera, "ccd": FIELD.ccd}


class FiveByFive(BasePhotometry):
    """The sum of 5 x 5 pixels about the target."""

    def do_photometry(self, status: STATUS = STATUS.OK) -> STATUS:
        cols, rows = self.get_pixel_grid()
        near = np.maximum(abs(cols - 1 - self.target_pos_column), abs(rows - 1 - self.target_pos_row)) <= 2.5
        self.lightcurve["flux"] = self.images_cube[near].sum(axis=0)
        self.lightcurve["flux_err"] = np.sqrt((self.images_err_cube[near] ** 2).sum(axis=0))
        self.lightcurve["flux_background"] = self.backgrounds_cube[near].sum(axis=0)
        weights = np.clip(self.images_cube[near], 0, None)
        for axis, grid in enumerate((cols, rows)):
            self.lightcurve["pos_centroid"][:, axis] = (weights * grid[near][:, None]).sum(axis=0) / weights.sum(axis=0)
        self.final_phot_mask = self.final_position_mask = near
        self.additional_headers["MY_SIZE"] = (5, "side of the aperture")
        return status


@pytest.fixture(scope="module")
def folder() -> Path:
    return small_field().folder


@pytest.fixture(scope="module")
def star() -> int:
    """A star of T 9 to 11 well inside the frames, that has a target pixel file, too."""
    stars, limits = small_field().field.stars, StampLimits.of(small_field().field.corner, small_field().field.shape)
    owners = {int(path.name.split("-")[2]) for path in small_field().folder.glob("*_tp.fits")}
    inner = limits.grown(-12, -12, -12, -12)
    return next(
        int(tic)
        for tic, tmag, *place in zip(stars.tic, stars.tmag, stars.column, stars.row, strict=True)
        if 9 < tmag < 11 and int(tic) in owners and inner.holds(*place)
    )


@pytest.fixture(params=["ffi", "tpf"])
def pho(request: pytest.FixtureRequest, folder: Path, star: int, tmp_path: Path) -> Iterator[BasePhotometry]:
    where = WHERE if request.param == "ffi" else {}
    with FiveByFive(star, folder, tmp_path, request.param, **where) as made:
        yield made


@pytest.fixture
def frames(folder: Path, star: int, tmp_path: Path) -> BasePhotometry:
    return FiveByFive(star, folder, tmp_path, **WHERE)


class TestErrors:
    def test_a_wrong_datasource_or_cache_is_a_value_error(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="invalid datasource: 'invalid'"):
            BasePhotometry(5, folder, tmp_path, "invalid")
        with pytest.raises(ValueError, match="invalid cache: 'invalid'"):
            BasePhotometry(5, folder, tmp_path, cache="invalid", **WHERE)

    def test_frames_need_sector_camera_and_ccd(self, folder: Path, tmp_path: Path) -> None:
        for lacking in WHERE:
            with pytest.raises(ValueError, match="SECTOR, CAMERA and CCD"):
                BasePhotometry(5, folder, tmp_path, **{**WHERE, lacking: None})

    def test_files_that_are_not_there_are_file_not_found_errors(self, folder: Path, star: int, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="not a valid input directory"):
            BasePhotometry(star, tmp_path / "nowhere", tmp_path, **WHERE)
        with pytest.raises(FileNotFoundError, match="HDF5 file not found"):
            BasePhotometry(star, folder, tmp_path, **{**WHERE, "ccd": 3})
        with pytest.raises(FileNotFoundError, match="target pixel file not found"):
            BasePhotometry(star, folder, tmp_path, "tpf", sector=4)
        with pytest.raises(FileNotFoundError, match="target pixel file not found"):
            BasePhotometry(12345, folder, tmp_path, "tpf")

    def test_frames_that_are_not_prepared_say_what_to_run(self, star: int, tmp_path: Path) -> None:
        for path in small_field().truth.paths[:2]:
            (tmp_path / path.name).symlink_to(path)
        with pytest.raises(FileNotFoundError, match="run `tessellar prepare"):
            BasePhotometry(star, tmp_path, tmp_path, **WHERE)

    def test_two_prepared_fields_are_not_guessed_between(self, star: int, tmp_path: Path) -> None:
        for name in ("one.h5", "two.h5"):
            shutil.copy(small_field().field.path, tmp_path / name)
        with pytest.raises(FileNotFoundError, match="2 prepared fields"):
            BasePhotometry(star, tmp_path, tmp_path, **WHERE)

    def test_a_star_that_is_not_in_the_catalogue_is_an_error(self, folder: Path, star: int, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="TIC 5 is not among"):
            BasePhotometry(5, folder, tmp_path, **WHERE)
        with pytest.raises(InputError, match="TIC 5 is not the star of"):
            BasePhotometry(5, folder, tmp_path, f"tpf:{star}")

    def test_a_cadence_is_not_needed_for_frames(self, folder: Path, star: int, tmp_path: Path) -> None:
        assert BasePhotometry(star, folder, tmp_path, cadence=120, **WHERE).cadence == 600

    def test_the_base_class_measures_nothing(self, folder: Path, star: int, tmp_path: Path) -> None:
        pho = BasePhotometry(star, folder, tmp_path, **WHERE)
        with pytest.raises(NotImplementedError):
            pho.do_photometry()
        with pytest.raises(NotImplementedError):
            pho.photometry()

    def test_after_closing_pixels_are_gone_and_results_are_not(self, frames: BasePhotometry) -> None:
        frames.photometry()
        frames.close()
        assert np.isfinite(frames.lightcurve["flux"]).any()
        for name in ("images_cube", "catalog", "psf", "aperture", "MovementKernel"):
            with pytest.raises(PhotometryError, match="closed"):
                getattr(frames, name)


class TestStamps:
    def test_it_begins_with_the_default_about_the_star(self, frames: BasePhotometry) -> None:
        assert isinstance(frames.stamp, tuple)
        assert len(frames.stamp) == 4
        height, width = frames.default_stamp()
        assert (frames.stamp[1] - frames.stamp[0], frames.stamp[3] - frames.stamp[2]) == (height, width) == (15, 15)
        assert frames.target_pos_row_stamp == pytest.approx(7, abs=0.5)
        assert frames.target_pos_column_stamp == pytest.approx(7, abs=0.5)

    def test_a_target_pixel_file_begins_with_all_it_has(self, folder: Path, star: int, tmp_path: Path) -> None:
        pho = BasePhotometry(star, folder, tmp_path, "tpf")
        model = read(next(folder.glob(f"*{star}*_tp.fits")))
        assert pho.sumimage.shape == pho.default_stamp() == model.shape[1:]
        assert (pho.stamp[2] + 1, pho.stamp[0] + 1) == model.corner
        # There is nothing beyond it.
        assert not pho.resize_stamp(up=5, left=2)

    def test_it_grows_and_shrinks_on_the_named_sides(self, frames: BasePhotometry) -> None:
        frames.resize_stamp(height=11, width=21)
        row, column = frames.stamp[0], frames.stamp[2]
        cols, rows = frames.get_pixel_grid()
        assert cols.shape == rows.shape == (11, 21)
        # The grid is 1-based, the stamp is not.
        assert (rows[0, 0], rows[-1, 0]) == (row + 1, row + 11)
        assert (cols[0, 0], cols[0, -1]) == (column + 1, column + 21)
        for asked, shape in (({"up": 12}, (23, 21)), ({"down": 2}, (25, 21)), ({"right": 3}, (25, 24)),
                             ({"left": 3}, (25, 27)), ({"left": -1, "up": -2}, (23, 26))):  # fmt: skip
            assert frames.resize_stamp(**asked)
            assert frames.get_pixel_grid()[0].shape == shape
            # Nothing of the stamp before is left in any of them.
            for cube in (frames.images_cube, frames.images_err_cube, frames.backgrounds_cube, frames.pixelflags_cube):
                assert cube.shape == (*shape, frames.Ntimes)
            assert frames.sumimage.shape == frames.aperture.shape == shape
        assert frames.stamp == (row - 2, row + 21, column - 2, column + 24)
        assert frames.details["stamp_resizes"] == 6

    def test_width_and_height_are_about_the_star_and_go_first(self, frames: BasePhotometry) -> None:
        original = frames.stamp
        assert frames.resize_stamp(width=25, height=11, left=3, up=5)
        assert frames.sumimage.shape == (11, 25)
        assert frames.resize_stamp(width=15)
        assert frames.sumimage.shape == (11, 15)
        assert frames.resize_stamp(height=15)
        assert frames.stamp == original
        assert not frames.resize_stamp(width=15, height=15)
        assert not frames.resize_stamp()

    def test_a_stamp_of_nothing_is_refused_and_changes_nothing(self, frames: BasePhotometry) -> None:
        before = frames.stamp
        with pytest.raises(ValueError, match="invalid stamp selected"):
            frames.resize_stamp(left=-100, right=-100)
        assert frames.stamp == before
        assert frames.sumimage.shape == (15, 15)

    def test_it_ends_where_the_frames_end(self, frames: BasePhotometry) -> None:
        frames.resize_stamp(width=1001, height=1001)
        field = small_field().field
        assert frames.stamp == StampLimits.of(field.corner, field.shape)

    def test_a_subclass_chooses_the_size(self, folder: Path, star: int, tmp_path: Path) -> None:
        class Wide(FiveByFive):
            def default_stamp(self) -> tuple[int, int]:
                return 9, 31

        assert Wide(star, folder, tmp_path, **WHERE).sumimage.shape == (9, 31)

    def test_a_star_at_the_edge_of_the_detector_has_the_pixels_there_are(self, folder: Path, tmp_path: Path) -> None:
        field = small_field().field
        limits, stars = StampLimits.of(field.corner, field.shape), field.stars
        inside = [limits.holds(*place) for place in zip(stars.column, stars.row, strict=True)]
        near = np.array(inside) & ((stars.column < limits.cols[0] + 2) | (stars.row > limits.rows[1] - 2))
        pho = FiveByFive(int(stars.tic[near][0]), folder, tmp_path, **WHERE)
        whole = StampLimits.about(pho.target_pos_column + 1, pho.target_pos_row + 1, pho.default_stamp())
        assert pho.stamp == whole.clipped(limits) != whole
        assert pho.photometry() in (STATUS.WARNING, STATUS.ERROR)
        assert pho.details["errors"]

    def test_a_star_beside_the_detector_ends_with_an_error_not_a_crash(self, folder: Path, tmp_path: Path) -> None:
        field = small_field().field
        limits, stars = StampLimits.of(field.corner, field.shape), field.stars
        off = next(
            int(tic) for tic, *place in zip(stars.tic, stars.column, stars.row, strict=True) if not limits.holds(*place)
        )
        pho = FiveByFive(off, folder, tmp_path, **WHERE)
        assert pho.photometry() is STATUS.ERROR
        assert "off the pixels" in pho.details["errors"][0]
        with pytest.raises(PhotometryError, match="off the pixels"):
            pho.save_lightcurve()


class TestPixels:
    def test_cubes_and_iterators_agree(self, pho: BasePhotometry) -> None:
        for cube, each in (
            (pho.images_cube, pho.images),
            (pho.images_err_cube, pho.images_err),
            (pho.backgrounds_cube, pho.backgrounds),
        ):
            assert cube.dtype == np.float32
            assert cube.shape == (*pho.sumimage.shape, pho.Ntimes)
            images = list(each)
            assert len(images) == pho.Ntimes
            assert images[0].shape == pho.sumimage.shape
            np.testing.assert_array_equal(np.stack(images, axis=-1), cube)

    def test_images_have_their_background_subtracted(self, frames: BasePhotometry) -> None:
        paths = small_field().truth.paths
        whole = read(paths[5])
        rows, cols = frames.stamp.rows, frames.stamp.cols
        together = frames.images_cube[..., 5] + frames.backgrounds_cube[..., 5]
        np.testing.assert_allclose(together, whole.part(cols, rows), rtol=1e-5)

    def test_asking_for_the_mean_image_changes_no_image(self, pho: BasePhotometry) -> None:
        before = np.array(pho.images_cube)
        assert np.isfinite(pho.sumimage).all()
        np.testing.assert_array_equal(pho.images_cube, before)

    def test_cubes_cannot_be_written_to(self, pho: BasePhotometry) -> None:
        with pytest.raises(ValueError, match="read-only"):
            pho.images_cube[0, 0, 0] = 1

    def test_the_mean_image_is_that_of_the_good_cadences(self, folder: Path, star: int, tmp_path: Path) -> None:
        pho = BasePhotometry(star, folder, tmp_path, "tpf")
        good = read(next(folder.glob(f"*{star}*_tp.fits"))).good()
        assert not good.all()
        np.testing.assert_allclose(pho.sumimage, np.nanmean(pho.images_cube[..., good], axis=-1), rtol=1e-5)

    def test_aperture_flags_are_those_of_the_manual(self, pho: BasePhotometry) -> None:
        assert pho.aperture.shape == pho.sumimage.shape
        assert (pho.aperture & 1 > 0).all()
        # Columns 600 to 727 are read through output B.
        assert (pho.aperture & (32 | 64 | 128 | 256) == 64).all()
        # Masks of other people's light curves are not told.
        assert (pho.aperture & (2 | 8) == 0).all()
        pho.resize_stamp(right=-1)
        assert pho.aperture.shape == pho.sumimage.shape

    def test_pixels_that_the_background_was_measured_from_are_told(self, frames: BasePhotometry) -> None:
        used = small_field().field.used_for_background(frames.stamp.rows, frames.stamp.cols)
        assert 0 < used.sum() < used.size
        np.testing.assert_array_equal(frames.aperture & 4 > 0, used)
        # Of the star itself nothing is background.
        assert not used[round(frames.target_pos_row_stamp), round(frames.target_pos_column_stamp)]

    def test_pixel_flags_are_at_the_times_of_the_frames(self, pho: BasePhotometry) -> None:
        field = small_field().field
        assert pho.pixelflags_cube.shape == (*pho.sumimage.shape, len(field))
        np.testing.assert_array_equal(
            np.moveaxis(pho.pixelflags_cube, -1, 0), field.pixel_flags(pho.stamp.rows, pho.stamp.cols)
        )
        each = list(pho.pixelflags)
        assert len(each) == pho.Ntimes
        at = np.asarray(pho.lightcurve["time"] - pho.lightcurve["timecorr"])
        nearest = np.abs((field.time - field.timecorr)[:, None] - at[None, :]).argmin(axis=0)
        for index in (0, pho.Ntimes // 2, pho.Ntimes - 1):
            np.testing.assert_array_equal(each[index], pho.pixelflags_cube[..., nearest[index]])

    def test_target_pixels_without_frames_have_no_pixel_flags(self, folder: Path, star: int, tmp_path: Path) -> None:
        pho = BasePhotometry(star, next(folder.glob(f"*{star}*_tp.fits")), tmp_path / "out", "tpf")
        alone = tmp_path / Path(pho.input_folder).name
        shutil.copy(pho.input_folder, alone)
        pho = BasePhotometry(star, alone, tmp_path / "out", "tpf")
        assert pho.pixelflags_cube.shape == (*pho.sumimage.shape, 0)
        assert not np.any(list(pho.pixelflags))
        # Its catalogue is its header.
        assert pho.catalog["starid"].tolist() == [star]
        with pytest.raises(PhotometryError, match="no pixel response is known"):
            pho.psf  # noqa: B018

    @pytest.mark.parametrize("cache", ["none", "basic", "full"])
    def test_caches_give_the_same_pixels(self, cache: str, folder: Path, star: int, tmp_path: Path) -> None:
        plain = FiveByFive(star, folder, tmp_path, **WHERE)
        other = FiveByFive(star, folder, tmp_path, cache=cache, **WHERE)
        for asked in ({}, {"up": 4, "left": 2}, {"up": -6}, {"down": 9}):
            plain.resize_stamp(**asked)
            other.resize_stamp(**asked)
            np.testing.assert_array_equal(other.images_cube, plain.images_cube)
            np.testing.assert_array_equal(other.sumimage, plain.sumimage)
            other.clear_cache()
            np.testing.assert_array_equal(other.pixelflags_cube, plain.pixelflags_cube)

    def test_caches_read_as_often_as_they_say(
        self, folder: Path, star: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from tessellar.pixels import PreparedField

        reads = []
        window = PreparedField.window
        monkeypatch.setattr(PreparedField, "window", lambda *args, **more: reads.append(1) or window(*args, **more))
        counts = {}
        for cache in ("none", "basic", "full"):
            pho = FiveByFive(star, folder, tmp_path, cache=cache, **WHERE)
            reads.clear()
            assert pho.images_cube.shape == pho.images_err_cube.shape == pho.backgrounds_cube.shape
            pho.resize_stamp(up=-2)
            assert pho.images_cube.shape[0] == 13
            counts[cache] = len(reads)
        assert counts["none"] >= 4
        assert counts["basic"] == 1
        assert counts["full"] == 0


class TestStars:
    def test_the_catalogue_holds_the_target_where_it_is(self, pho: BasePhotometry) -> None:
        table = pho.catalog
        assert set(table.colnames) == {
            "starid", "tmag", "ra", "dec", "row", "column", "row_stamp", "column_stamp",
        }  # fmt: skip
        own = table[table["starid"] == pho.starid]
        assert len(own) == 1
        assert own["column"][0] == pytest.approx(pho.target_pos_column)
        assert own["row_stamp"][0] == pytest.approx(pho.target_pos_row_stamp)
        assert own["tmag"][0] == pytest.approx(pho.target["tmag"], abs=0.05)
        assert table["ra"].min() <= pho.target["ra"] <= table["ra"].max()
        assert table["dec"].min() <= pho.target["decl"] <= table["dec"].max()
        rows, cols = pho.sumimage.shape
        assert ((table["row_stamp"] >= -0.5) & (table["row_stamp"] < rows - 0.5)).all()
        assert ((table["column_stamp"] >= -0.5) & (table["column_stamp"] < cols - 0.5)).all()

    def test_the_brightest_pixel_is_where_the_catalogue_has_the_brightest_star(self, pho: BasePhotometry) -> None:
        place = pho.catalog["row_stamp", "column_stamp"][0]
        top = np.unravel_index(pho.sumimage.argmax(), pho.sumimage.shape)
        assert top == tuple(round(each) for each in place)

    def test_it_follows_the_stamp(self, frames: BasePhotometry) -> None:
        few = set(frames.catalog["starid"])
        frames.resize_stamp(width=61, height=61)
        assert few < set(frames.catalog["starid"])

    def test_changing_a_table_changes_no_other(self, frames: BasePhotometry) -> None:
        frames.catalog["tmag"] = 0.0
        assert (frames.catalog["tmag"] > 5).all()

    def test_the_catalogue_at_a_time_has_its_stars_moved(self, pho: BasePhotometry) -> None:
        at = np.asarray(pho.lightcurve["time"] - pho.lightcurve["timecorr"])
        index = int(np.flatnonzero(np.isfinite(at))[pho.Ntimes // 3])
        table = pho.catalog_attime(at[index])
        assert table.colnames == pho.catalog.colnames
        kernel = pho.MovementKernel
        field = small_field().field
        nearest = int(np.abs(field.time - field.timecorr - at[index]).argmin())
        for name, axis in (("column", 0), ("row", 1)):
            moved = np.asarray(table[name] - pho.catalog[name])
            true = kernel.tracks(field.time[[nearest]], pho.catalog["column"] + 1, pho.catalog["row"] + 1)[0, :, axis]
            np.testing.assert_allclose(moved, true, atol=0.01)
            np.testing.assert_allclose(np.asarray(table[f"{name}_stamp"] - pho.catalog[f"{name}_stamp"]), moved)

    @pytest.mark.parametrize("time", [59034.6, 2459034.6, float("nan"), 1e9])
    def test_a_time_that_is_no_btjd_is_refused_in_one_line(self, frames: BasePhotometry, time: float) -> None:
        with pytest.raises(InputError, match=r"no BTJD: give BJD - 2457000 .* here 2035\.") as told:
            frames.catalog_attime(time)
        assert "\n" not in str(told.value)

    def test_a_time_outside_the_sector_is_refused(self, frames: BasePhotometry) -> None:
        with pytest.raises(InputError, match="outside the movement's"):
            frames.catalog_attime(1325.0)

    def test_world_coordinates_put_the_target_where_it_is(self, pho: BasePhotometry) -> None:
        column, row = pho.wcs.all_world2pix(pho.target["ra"], pho.target["decl"], 0)
        if pho.datasource == "ffi":
            assert (column, row) == pytest.approx((pho.target_pos_column, pho.target_pos_row), abs=0.05)
        else:
            assert (column, row) == pytest.approx((pho.target_pos_column_stamp, pho.target_pos_row_stamp), abs=0.15)

    def test_world_coordinates_are_those_of_the_input(self, pho: BasePhotometry) -> None:
        if pho.datasource == "ffi":
            field = small_field().field
            header = fits.getheader(field.frames[field.pointing.reference if hasattr(field.pointing, "reference")
                                                 else len(field) // 2].path, 1)  # fmt: skip
            given, (left, bottom) = WCS(header), field.corner
            tolerance = 0.5 * ccd.PIXEL_SCALE / 3600
        else:
            given, (left, bottom) = read(next(small_field().folder.glob(f"*{pho.starid}*_tp.fits"))).wcs, (1, 1)
            tolerance = 1e-9
        for x, y in ((3, 4), (0, 0), (9, 1), (1, 9), (5, 5)):
            ours = pho.wcs.all_pix2world(x + left - 1, y + bottom - 1, 0)
            first = given.all_pix2world(x, y, 0) if pho.datasource == "tpf" else _of_window(given, field, x, y)
            np.testing.assert_allclose(ours, first, atol=tolerance)

    def test_the_psf_is_brightest_where_the_star_is(self, pho: BasePhotometry) -> None:
        psf = pho.psf
        assert psf.shape == pho.sumimage.shape
        image = psf.integrate_to_image([[3.0, 5.0, 1000.0]])
        assert image.shape == psf.shape
        assert np.unravel_index(image.argmax(), image.shape) == (3, 5)
        assert psf.image(1000.0).sum() == pytest.approx(1000.0, rel=0.02)
        top = np.unravel_index(psf.image().argmax(), psf.shape)
        assert top == (round(pho.target_pos_row_stamp), round(pho.target_pos_column_stamp))
        both = psf.integrate_to_image([[3.0, 5.0, 1000.0], [8.2, 2.1, 50.0]])
        np.testing.assert_allclose(both, image + psf.integrate_to_image([[8.2, 2.1, 50.0]]), atol=1e-9)
        cut = psf.integrate_to_image([[3.0, 5.0, 1000.0]], cutoff_radius=2)
        assert np.count_nonzero(cut) == 13
        assert (image[cut > 0] == cut[cut > 0]).all()

    @pytest.mark.parametrize("params", [[1.0, 2.0, 3.0], [[1.0, 2.0]], [[1.0, np.nan, 5.0]], 7.0])
    def test_stars_that_make_no_sense_are_not_drawn(self, frames: BasePhotometry, params: Any) -> None:
        if np.ndim(params) == 1:
            np.testing.assert_array_equal(
                frames.psf.integrate_to_image(params), frames.psf.integrate_to_image([params])
            )
            return
        with pytest.raises(InputError, match="row, column, flux"):
            frames.psf.integrate_to_image(params)

    def test_the_psf_draws_the_star_that_is_there(self, frames: BasePhotometry) -> None:
        about = frames.surroundings
        params = np.column_stack([about.row - 1 - frames.stamp.row_min, about.column - 1 - frames.stamp.col_min,
                                  about.flux])  # fmt: skip
        model = frames.psf.integrate_to_image(params)
        # Catalogue fluxes of the simulation scatter, as real ones do.
        assert abs(frames.sumimage - model).max() < 0.1 * model.max()
        assert np.corrcoef(frames.sumimage.ravel(), model.ravel())[0, 1] > 0.995


class TestMeasuring:
    def test_a_method_of_ones_own_gives_a_light_curve(self, pho: BasePhotometry) -> None:
        assert pho.status is STATUS.UNKNOWN
        assert pho.photometry() is STATUS.OK, pho.details
        assert pho.status is STATUS.OK
        truth = 10 ** (-0.4 * (pho.target["tmag"] - 20.44))
        assert pho.details["mean_flux"] == pytest.approx(truth, rel=0.15)
        assert pho.details["mask_size"] == pho.final_phot_mask.sum() == 25
        # Medians of centroids, 1-based; the target's place is 0-based.
        assert pho.details["pos_column"] == pytest.approx(pho.target_pos_column + 1, abs=0.3)
        assert pho.details["pos_row"] == pytest.approx(pho.target_pos_row + 1, abs=0.3)
        assert pho.details["rms_hour"] > 0

    def test_the_metrics_are_those_of_their_definitions(self, pho: BasePhotometry) -> None:
        pho.photometry()
        table = pho.lightcurve
        good = (np.asarray(table["quality"]) & 17087 == 0) & np.isfinite(table["time"]) & np.isfinite(table["flux"])
        flux = np.asarray(table["flux"], dtype=np.float64)[good]
        assert pho.details["mean_flux"] == pytest.approx(np.median(flux))
        assert pho.details["variance"] == pytest.approx(np.var(flux / np.median(flux) - 1, ddof=1))

    def test_the_file_holds_what_the_object_holds(self, pho: BasePhotometry, tmp_path: Path) -> None:
        pho.photometry()
        path = Path(pho.save_lightcurve(version=99))
        assert path.parent == tmp_path
        assert f"{pho.starid:016d}-s{pho.sector:04d}-c{pho.cadence:04d}" in path.name
        assert "_v99_fivebyfive" in path.name
        back = read_light_curve(path)
        np.testing.assert_allclose(back.flux, pho.lightcurve["flux"], rtol=1e-6)
        np.testing.assert_allclose(back.flux_err, pho.lightcurve["flux_err"], rtol=1e-6)
        np.testing.assert_array_equal(back.btjd, pho.lightcurve["time"])
        for axis in (0, 1):
            column = back.column(f"MOM_CENTR{axis + 1}")
            np.testing.assert_allclose(column, pho.lightcurve["pos_centroid"][:, axis], rtol=1e-6)
        with fits.open(path) as hdus:
            names = [hdu.name for hdu in hdus]
            assert names[:4] == ["PRIMARY", "LIGHTCURVE", "SUMIMAGE", "APERTURE"]
            assert hdus[0].data is None
            header = hdus[0].header
            assert (header["TICID"], header["SECTOR"], header["CAMERA"], header["CCD"]) == (
                pho.starid, pho.sector, pho.camera, pho.ccd,
            )  # fmt: skip
            assert (header["OBJECT"], header["PHOTMET"]) == (f"TIC {pho.starid}", "fivebyfive")
            flags = hdus["APERTURE"].data
            assert (flags >= 0).all()
            np.testing.assert_array_equal(flags & 2 > 0, pho.final_phot_mask)
            np.testing.assert_array_equal(flags & 8 > 0, pho.final_position_mask)
            np.testing.assert_array_equal(flags & ~10, pho.aperture)
            np.testing.assert_allclose(hdus["SUMIMAGE"].data, pho.sumimage, rtol=1e-6)
            assert header["RA_OBJ"] == pytest.approx(pho.target["ra"], rel=0.01)
            assert header["DEC_OBJ"] == pytest.approx(pho.target["decl"], rel=0.01)
            for name in ("SUMIMAGE", "APERTURE"):
                sky = WCS(hdus[name].header)
                x, y = sky.all_world2pix(header["RA_OBJ"], header["DEC_OBJ"], 0)
                assert (x, y) == pytest.approx((pho.target_pos_column_stamp, pho.target_pos_row_stamp), abs=0.15)

    def test_headers_of_ones_own_and_the_version_are_in_the_file(self, frames: BasePhotometry, tmp_path: Path) -> None:
        frames.photometry()
        header = fits.getheader(frames.save_lightcurve(tmp_path / "other"))
        assert (header["MY_SIZE"], header.comments["MY_SIZE"]) == (5, "side of the aperture")
        assert header["VERSION"] == 6

    def test_no_version_is_refused(self, frames: BasePhotometry) -> None:
        frames.photometry()
        frames.version = None
        with pytest.raises(ValueError, match="VERSION has not been set"):
            frames.save_lightcurve()

    def test_a_folder_that_cannot_be_made_is_told(self, frames: BasePhotometry, tmp_path: Path) -> None:
        frames.photometry()
        (tmp_path / "file").write_text("no folder")
        with pytest.raises(StoreError):
            frames.save_lightcurve(tmp_path / "file" / "below")

    def test_jumps_of_the_background_are_flagged(self, star: int, tmp_path: Path) -> None:
        path = tmp_path / "flagged.h5"
        shutil.copy(small_field().field.path, path)
        with h5py.File(path, "r+") as file:
            jumps = file["background/jumps"][()]
            jumps[2] = 255
            file["background/jumps"][...] = jumps
        pho = FiveByFive(star, path, tmp_path)
        assert (pho.pixelflags_cube[..., 2] & PixelFlag.BACKGROUND_JUMP > 0).all()
        pho.photometry()
        quality = read_light_curve(pho.save_lightcurve()).column("PIXEL_QUALITY")
        assert np.flatnonzero(quality & PixelQuality.BACKGROUND_JUMP).tolist() == [2]

    def test_the_star_has_its_own_times(self, frames: BasePhotometry) -> None:
        field = small_field().field
        time, correction, _ = field.star_times(frames.target["ra"], frames.target["decl"])
        np.testing.assert_array_equal(frames.lightcurve["time"], time)
        np.testing.assert_array_equal(frames.lightcurve["timecorr"], correction)

    @pytest.mark.parametrize("wrong", [None, STATUS.UNKNOWN, STATUS.STARTED, "fine"])
    def test_a_status_that_was_not_set_is_an_error(self, frames: BasePhotometry, wrong: Any) -> None:
        with pytest.raises(ValueError, match="STATUS was not set by do_photometry"):
            frames.photometry(status=wrong)
        assert frames.status is STATUS.ERROR

    @pytest.mark.parametrize("status", [STATUS.ERROR, STATUS.ABORT, STATUS.SKIPPED])
    def test_a_status_without_light_curve_is_kept(self, frames: BasePhotometry, status: STATUS) -> None:
        assert frames.photometry(status) is status
        with pytest.raises(PhotometryError):
            frames.save_lightcurve()

    def test_flux_all_nan_is_an_error_and_errors_all_nan_a_warning(
        self, folder: Path, star: int, tmp_path: Path
    ) -> None:
        class Blank(FiveByFive):
            def do_photometry(self, column: str = "flux") -> STATUS:
                super().do_photometry()
                self.lightcurve[column] = np.nan
                return STATUS.OK

        pho = Blank(star, folder, tmp_path, **WHERE)
        assert pho.photometry("flux") is STATUS.ERROR
        assert "no good cadence" in pho.details["errors"][0]
        pho = Blank(star, folder, tmp_path, **WHERE)
        assert pho.photometry("flux_err") is STATUS.WARNING
        assert "uncertainty" in pho.details["errors"][0]

    def test_a_mask_of_nothing_or_everything_is_not_ok(self, folder: Path, star: int, tmp_path: Path) -> None:
        class Masked(FiveByFive):
            def do_photometry(self, mask: Any = None) -> STATUS:
                super().do_photometry()
                self.final_phot_mask = mask
                return STATUS.OK

        pho = Masked(star, folder, tmp_path, **WHERE)
        for mask in (None, np.zeros((15, 15), bool), np.ones((15, 15), bool)):
            assert pho.photometry(mask) is STATUS.WARNING
        with pytest.raises(InputError, match=r"final_phot_mask has shape \(3, 3\)"):
            pho.photometry(np.ones((3, 3), bool))

    def test_reports_are_collected(self, folder: Path, star: int, tmp_path: Path) -> None:
        class Told(FiveByFive):
            def do_photometry(self) -> STATUS:
                self.report_details(error="looks odd", skip_targets=[7, 8])
                self.report_details(skip_targets=[8, 9])
                super().do_photometry()
                return STATUS.WARNING

        pho = Told(star, folder, tmp_path, **WHERE)
        assert pho.photometry() is STATUS.WARNING
        assert pho.details["errors"] == ["looks odd"]
        assert pho.details["skip_targets"] == [7, 8, 9]
        assert pho.result.skip == (7, 8, 9)

    def test_errors_of_a_method_are_noted(self, folder: Path, star: int, tmp_path: Path) -> None:
        class Broken(FiveByFive):
            def do_photometry(self, kind: type[Exception]) -> STATUS:
                raise kind("something")

        pho = Broken(star, folder, tmp_path, **WHERE)
        assert pho.photometry(PhotometryError) is STATUS.ERROR
        assert pho.details["errors"] == ["something"]
        with pytest.raises(ZeroDivisionError):
            pho.photometry(ZeroDivisionError)
        assert (pho.status, pho.details["errors"][-1]) == (STATUS.ERROR, "ZeroDivisionError: something")

    def test_a_known_method_can_be_begun_with(self, pho: BasePhotometry) -> None:
        status = pho.measure_with("aperture")
        assert status is STATUS.OK, pho.details
        assert np.isfinite(pho.lightcurve["flux"]).any()
        assert pho.final_phot_mask.shape == pho.sumimage.shape

    def test_settings_are_ones_own(self, folder: Path, star: int, tmp_path: Path) -> None:
        first, second = (FiveByFive(star, folder, tmp_path, "tpf") for _ in range(2))
        first.settings["photometry"]["quality"] = "none"
        assert second.settings["photometry"]["quality"] == load_settings()["photometry"]["quality"] == "default"
        first.photometry()
        second.photometry()
        assert first.details["n_good"] > second.details["n_good"]
        assert not np.array_equal(first.sumimage, second.sumimage)

    def test_another_stars_file_can_be_measured_in(self, folder: Path, tmp_path: Path) -> None:
        field = small_field().field
        for path in sorted(folder.glob("*_tp.fits")):
            owner, model = int(path.name.split("-")[2]), read(path)
            limits = StampLimits.of(model.corner, model.shape[1:]).grown(-1, -1, -1, -1)
            inside = [limits.holds(*place) for place in zip(field.stars.column, field.stars.row, strict=True)]
            others = [int(tic) for tic in field.stars.tic[np.array(inside)] if int(tic) != owner]
            if others:
                break
        pho = FiveByFive(others[0], folder, tmp_path, f"tpf:{owner}")
        assert (pho.starid, pho.datasource, pho.target["starid"]) == (others[0], "tpf", others[0])
        assert pho.stamp == StampLimits.of(model.corner, model.shape[1:])
        own = FiveByFive(owner, folder, tmp_path, f"tpf:{owner}")
        assert (own.starid, own.datasource) == (owner, "tpf")

    def test_pictures_are_made_if_asked_for_and_change_nothing(self, folder: Path, star: int, tmp_path: Path) -> None:
        plain = FiveByFive(star, folder, tmp_path / "plain", **WHERE)
        drawn = FiveByFive(star, folder, tmp_path / "drawn", plot=True, **WHERE)
        assert plain.photometry() is drawn.photometry()
        np.testing.assert_array_equal(plain.lightcurve["flux"], drawn.lightcurve["flux"])
        assert not Path(plain.plot_folder).exists()
        pictures = sorted(Path(drawn.plot_folder).iterdir())
        assert [path.suffix for path in pictures] == [".png", ".png"]
        assert drawn.plot_folder.endswith(f"/plots/{star:011d}")
        Path(plain.plot_folder).mkdir(parents=True)
        (Path(plain.plot_folder) / "mine.txt").write_text("kept")
        plain.delete_plots()
        assert [path.name for path in Path(plain.plot_folder).iterdir()] == ["mine.txt"]
        drawn.delete_plots()
        assert not list(Path(drawn.plot_folder).iterdir())


def _of_window(given: WCS, field: Any, x: float, y: float) -> Any:
    """Sky of a pixel, counted from the window's first, by the header of a frame that is a window."""
    frame = read(field.frames[0].path)
    column, row = frame.science_corner
    left = field.corner[0] - column + (frame.flux.shape[1] - frame.science.shape[1])
    return given.all_pix2world(x + left, y + field.corner[1] - row, 0)


def _measure(job: tuple[int, Path, Path]) -> tuple[int, float, int]:
    tic, folder, out = job
    with FiveByFive(tic, folder, out, **WHERE) as pho:
        pho.photometry()
        return tic, float(np.nansum(pho.lightcurve["flux"])), len(logging.getLogger().handlers)


class TestIndependence:
    def jobs(self, tmp_path: Path) -> list[tuple[int, Path, Path]]:
        field = small_field().field
        limits = StampLimits.of(field.corner, field.shape).grown(-10, -10, -10, -10)
        stars = field.stars
        inside = [limits.holds(*place) for place in zip(stars.column, stars.row, strict=True)]
        return [(int(tic), small_field().folder, tmp_path) for tic in stars.tic[np.array(inside)][:3]]

    def test_threads_give_the_same(self, tmp_path: Path) -> None:
        jobs = self.jobs(tmp_path)
        alone = [_measure(job) for job in jobs]
        with ThreadPoolExecutor(2) as threads:
            assert list(threads.map(_measure, jobs)) == alone

    @pytest.mark.heavy
    def test_processes_give_the_same(self, tmp_path: Path) -> None:
        jobs = self.jobs(tmp_path)[:2]
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
            there = [each[:2] for each in processes.map(_measure, jobs)]
        assert there == [_measure(job)[:2] for job in jobs]

    def test_one_object_leaves_nothing_for_the_next(self, tmp_path: Path) -> None:
        handlers = {name: len(logging.getLogger(name).handlers) for name in ("", "tessellar", "photometry")}
        first = self.jobs(tmp_path)[0]
        before = FiveByFive(*first, **WHERE)
        before.lightcurve["quality"] |= 1
        before.lightcurve["flux"] = 5.0
        before.report_details("mine alone", [1])
        after = FiveByFive(*first, **WHERE)
        assert not (after.lightcurve["quality"] & 1).all()
        assert np.isnan(after.lightcurve["flux"]).all()
        assert after.details["errors"] == after.details["skip_targets"] == []
        assert {name: len(logging.getLogger(name).handlers) for name in handlers} == handlers


class TestOtherSources:
    def test_a_scene_that_is_open_serves_many_stars(self, folder: Path, star: int, tmp_path: Path) -> None:
        scene = open_scene(folder, **WHERE)
        for tic in (star, int(scene.stars.tic[0])):
            pho, alone = FiveByFive(tic, scene, tmp_path), FiveByFive(tic, folder, tmp_path, **WHERE)
            assert (pho.datasource, pho.input_folder, pho.stamp) == ("ffi", str(folder), alone.stamp)
            assert pho.photometry() is alone.photometry()
            np.testing.assert_array_equal(pho.lightcurve["flux"], alone.lightcurve["flux"])
            # Closing one object leaves the scene to the others.
            pho.close()
        assert FiveByFive(star, open_scene(folder, "tpf", star), tmp_path).datasource == "tpf"

    def test_a_star_of_a_cut_out_is_found_by_the_catalogue(self, tmp_path: Path) -> None:
        pytest.importorskip("astrocut")
        folder = sourcesky.cut_outs(600)
        pho = FiveByFive(sourcesky.PLAIN, folder, tmp_path, "tpf", cadence=600)
        assert pho.sumimage.shape == (15, 15)
        assert pho.photometry() is STATUS.OK, pho.details
        # The sky of a cut-out is taken off, and kept as its background.
        assert np.nanmedian(pho.backgrounds_cube) > 50
        assert abs(np.median(pho.sumimage)) < 30
        assert (pho.aperture & 64 > 0).all()

    def test_real_target_pixels_are_measured(self, real_data: Path, tmp_path: Path) -> None:
        path = real_data / "tess25155310-s01-first-cadences.fits.gz"
        with FiveByFive(25155310, path, tmp_path, "tpf") as pho:
            assert (pho.sector, pho.camera, pho.ccd, pho.cadence, pho.n_readout, pho.data_rel) == (1, 4, 1, 120, 48, 0)
            assert pho.target["ra_J2000"] == pytest.approx(63.37389)
            assert pho.target["teff"] > 3000
            assert pho.photometry() in (STATUS.OK, STATUS.WARNING)
            assert pho.target_pos_row_stamp == pytest.approx(5, abs=1)
            # A star of 10.555; the sum of 5 x 5 px of it.
            assert pho.details["mean_flux"] == pytest.approx(10 ** (-0.4 * (10.555 - 20.44)), rel=0.1)
            assert Path(pho.save_lightcurve()).is_file()

    def test_a_star_whose_place_nobody_tells_has_pixels_all_the_same(
        self, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tessellar.pixels.Stamp.pixel_of", lambda *_: None)
        path = real_data / "tess25155310-s01-first-cadences.fits.gz"
        pho = BasePhotometry(25155310, path, tmp_path, "tpf")
        assert np.isnan(pho.target_pos_row)
        assert pho.images_cube.shape == (11, 11, pho.Ntimes)
        assert pho.resize_stamp(up=-1)
        with pytest.raises(InputError, match="place of TIC 25155310 is not known"):
            pho.resize_stamp(width=5)


def test_a_missing_catalogue_is_a_file_not_found_error(tmp_path: Path) -> None:
    path = tmp_path / "bare.h5"
    shutil.copy(small_field().field.path, path)
    with h5py.File(path, "r+") as file:
        del file["stars"]
    with pytest.raises(MissingInput, match="without a catalogue"):
        BasePhotometry(5, path, tmp_path)
