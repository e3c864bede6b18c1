"""Full-frame images and stacks of them: what they hold, and what they refuse."""

from __future__ import annotations

import gzip
import importlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tessellar import Field, read
from tessellar.errors import Corrupt, InputError, MissingInput
from tessellar.mission import ccd_wcs
from tessellar.mission.ccd import ccd_plane
from tessellar.pixels import FrameStack, PixelSource
from tessellar.products import FullFrameImage
from tests.pixels.skyframes import FIELD, write_frame, write_series


@pytest.fixture
def cube() -> np.ndarray:
    return np.random.default_rng(3).normal(100, 10, (6, 40, 50)).astype("f4")


def test_a_window_is_what_astropy_reads_there(tmp_path: Path, cube: np.ndarray) -> None:
    paths = write_series(tmp_path, cube, errors=np.full(cube.shape[1:], 2.5), quality=32)
    stack = FrameStack.open(tmp_path)
    source: PixelSource = stack
    stamp = source.window(rows=(11, 15), cols=(60, 62))
    for image, path in zip(stamp.images, paths, strict=True):
        with fits.open(path) as hdus:
            np.testing.assert_array_equal(image, hdus[1].data[10:15, 59:62])
    np.testing.assert_array_equal(stamp.images, cube[:, 10:15, 15:18])
    assert (stamp.errors == 2.5).all()
    assert np.isnan(stamp.background).all()
    assert not stamp.background_subtracted
    assert stamp.corner == (60, 11)
    assert (stamp.quality == 32).all()
    assert stack.window().shape == stack.shape == (40, 50)
    np.testing.assert_array_equal(stack.series(61, 12), cube[:, 11, 16])


@pytest.mark.parametrize(
    "cols",
    [
        (50, 50),
        pytest.param((46, 56), marks=pytest.mark.heavy),
        pytest.param((46, 60), marks=pytest.mark.heavy),
        (45, 94),
    ],
)
def test_windows_narrow_and_wide_are_read_alike_of_many_frames(tmp_path: Path, cols: tuple[int, int]) -> None:
    cube = np.random.default_rng(5).normal(100, 10, (40, 40, 50)).astype("f4")
    write_series(tmp_path, cube, errors=np.full(cube.shape[1:], 2.5))
    stamp = FrameStack.open(tmp_path).window(rows=(3, 38), cols=cols)
    np.testing.assert_array_equal(stamp.images, cube[:, 2:38, cols[0] - 45 : cols[1] - 44])
    assert (stamp.errors == 2.5).all()


def test_times_are_mid_exposure_in_float64(tmp_path: Path, cube: np.ndarray) -> None:
    write_series(tmp_path, cube, start=1400.123456789, exposure=200.0)
    stack = FrameStack.open(tmp_path)
    assert stack.time.dtype == np.float64
    assert stack.cadence == 200
    expected = 1400.123456789 + 0.005 + (np.arange(6) + 0.5) * 200 / 86400
    assert np.abs(stack.time - expected).max() * 86400 < 1e-4
    np.testing.assert_array_equal(stack.cadenceno, 4697 + np.arange(6))
    np.testing.assert_allclose(stack.time_stop - stack.time_start, 200 / 86400, rtol=1e-6)


def test_frames_are_ordered_by_time_whatever_their_names(tmp_path: Path, cube: np.ndarray) -> None:
    names = ["f", "c", "a", "e", "b", "d"]
    for number, image in enumerate(cube):
        write_frame(tmp_path, image, number, name=f"{names[number]}-s0001-4-1_ffic.fits", CAMERA=4, SECTOR=1)
    stack = FrameStack.open(tmp_path)
    np.testing.assert_array_equal(stack.series(45, 1), cube[:, 0, 0])


def test_what_is_missing_is_told(tmp_path: Path, cube: np.ndarray) -> None:
    paths = write_series(tmp_path, cube)
    paths[2].unlink()
    stack = FrameStack.open(tmp_path)
    assert stack.missing.tolist() == [4699]
    assert len(stack) == 5
    with pytest.raises(MissingInput, match="no such file"):
        FrameStack.open(paths)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInput, match="no full-frame images"):
        FrameStack.open(tmp_path / "empty")


def test_frames_that_do_not_belong_together_are_refused(tmp_path: Path, cube: np.ndarray) -> None:
    write_series(tmp_path, cube[:3])
    other = write_frame(tmp_path / "more", cube[3], 3, field=Field(1, 4, 2))
    with pytest.raises(InputError, match=r"two CCDs: .*s0001-4-1.* of s0001-4-2"):
        FrameStack.open(tmp_path)
    stack = FrameStack.open(tmp_path, field="1-4-1")
    assert (len(stack), stack.left_out) == (3, {other: "of s0001-4-2"})
    other.unlink()

    again = tmp_path / "more" / "copy-of-tess2018206192942-s0001-4-1-0120-s_ffic.fits"
    shutil.copy(stack.frames[1].path, again)
    with pytest.raises(InputError, match="the same frame twice"):
        FrameStack.open(tmp_path, field=FIELD)
    again.unlink()

    wrong = write_frame(tmp_path / "more", cube[0], 40, exposure=600.0)
    with pytest.raises(InputError, match=r"two cadences mixed: .* 600 s, most frames for 1800 s"):
        FrameStack.open(tmp_path)
    wrong.unlink()

    write_frame(tmp_path / "more", cube[0, :20], 5)
    with pytest.raises(InputError, match="not one stack"):
        FrameStack.open(tmp_path)


def test_numbers_that_contradict_the_times_are_refused(tmp_path: Path, cube: np.ndarray) -> None:
    write_series(tmp_path, cube[:3])
    write_frame(tmp_path, cube[3], 3, FFIINDEX=12)
    with pytest.raises(Corrupt, match="FFIINDEX 12 is smaller than 4699"):
        FrameStack.open(tmp_path)


def test_a_damaged_frame_is_named_or_left_out(tmp_path: Path, cube: np.ndarray) -> None:
    paths = write_series(tmp_path, cube)
    whole = paths[3].read_bytes()
    paths[3].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Corrupt, match="cut short") as caught:
        FrameStack.open(tmp_path)
    assert paths[3].name in str(caught.value)
    stack = FrameStack.open(tmp_path, skip_damaged=True)
    assert len(stack) == 5
    assert "cut short" in stack.left_out[paths[3]]
    # What changes while the stack is open is told too.
    paths[4].write_bytes(whole[:6000])
    with pytest.raises(Corrupt, match="cut short since"):
        stack.window()
    paths[4].unlink()
    with pytest.raises(MissingInput, match="gone since"):
        stack.series(45, 1)


def test_a_packed_frame_says_that_it_is_to_be_unpacked(tmp_path: Path, cube: np.ndarray) -> None:
    (path,) = write_series(tmp_path, cube[:1])
    path.with_suffix(".fits.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    with pytest.raises(InputError, match="unpack it first"):
        FrameStack.open(tmp_path)


def test_packed_frames_are_unpacked_once_when_asked(tmp_path: Path, cube: np.ndarray) -> None:
    paths = write_series(tmp_path / "a", cube)
    expected = FrameStack.open(paths).window().images
    packed, plain = tmp_path / "packed", tmp_path / "plain"
    packed.mkdir()
    for number, path in enumerate(paths):
        if number % 2:
            (packed / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            continue
        with fits.open(path) as hdus:
            parts = [fits.CompImageHDU(part.data, part.header, compression_type="GZIP_1", quantize_level=0)
                     for part in hdus[1:]]  # fmt: skip
            fits.HDUList([hdus[0].copy(), *parts]).writeto(packed / f"{path.name}.fz")
    stack = FrameStack.open(packed, unpack=plain)
    np.testing.assert_array_equal(stack.window().images, expected)
    times = {path: path.stat().st_mtime_ns for path in plain.iterdir()}
    assert len(times) == 6
    FrameStack.open(packed, unpack=plain)
    assert {path: path.stat().st_mtime_ns for path in plain.iterdir()} == times
    # The folder may lie within the other.
    assert len(FrameStack.open(packed, unpack=packed / "zz")) == 6
    assert len(FrameStack.open(packed, unpack=packed / "zz")) == 6
    shutil.rmtree(packed / "zz")
    broken = packed / f"{paths[1].name}.gz"
    broken.write_bytes(broken.read_bytes()[:500])
    for path in plain.iterdir():
        path.unlink()
    with pytest.raises(Corrupt, match="broken gzip data"):
        FrameStack.open(packed, unpack=plain)
    assert len(FrameStack.open(packed, unpack=plain, skip_damaged=True)) == 5
    assert not list(plain.glob(".*"))


def test_pixels_outside_are_refused(tmp_path: Path, cube: np.ndarray) -> None:
    write_series(tmp_path, cube[:1])
    stack = FrameStack.open(tmp_path)
    with pytest.raises(InputError, match=r"columns 44 to 50 are not .* columns 45 to 94"):
        stack.window(cols=(44, 50))
    with pytest.raises(InputError, match="rows 41 to 41"):
        stack.series(50, 41)


def test_each_frame_has_its_own_world_coordinates(tmp_path: Path, cube: np.ndarray) -> None:
    for number, image in enumerate(cube):
        write_frame(tmp_path, image, number, shift=(0.1 * number, -0.05 * number))
    stack = FrameStack.open(tmp_path)
    ra, dec = ccd_wcs(FIELD).all_pix2world([60.0], [20.0], 1)
    for number in range(6):
        x, y = stack.frame_wcs(number).all_world2pix(ra, dec, 0)
        assert x[0] + 45 == pytest.approx(60 + 0.1 * number, abs=0.005)
        assert y[0] + 1 == pytest.approx(20 - 0.05 * number, abs=0.005)
    place = stack.window(rows=(10, 20), cols=(55, 65)).pixel_of(ra[0], dec[0])
    assert place == pytest.approx((60 + 0.1 * stack.reference, 20 - 0.05 * stack.reference), abs=0.005)


@pytest.mark.parametrize("broken", [{"CRPIX2": 976.0 + 1001}, {"CTYPE1": None}, {"CD1_1": 0.0, "CD1_2": 0.0}])
def test_broken_world_coordinates_come_from_a_neighbour(tmp_path: Path, cube: np.ndarray, broken: dict) -> None:
    for number, image in enumerate(cube):
        write_frame(tmp_path, image, number, **(broken if number == 2 else {}))
    stack = FrameStack.open(tmp_path)
    with pytest.warns(UserWarning, match="1 of 6 frames .* from their neighbours"):
        assert stack.repaired.tolist() == [False, False, True, False, False, False]
    assert stack.planes[2] in (stack.planes[1], stack.planes[3])


def test_without_any_world_coordinates_the_missions_table_is_asked(tmp_path: Path, cube: np.ndarray) -> None:
    write_series(tmp_path, cube[:2], CTYPE1=None)
    stack = FrameStack.open(tmp_path)
    with pytest.warns(UserWarning, match="from the mission's table"):
        ra, dec = stack.planes[0].to_sky(1000.0, 1000.0)
    expected = ccd_wcs(FIELD).all_pix2world([1000.0], [1000.0], 1)
    assert float(ra) == pytest.approx(expected[0][0], abs=1e-6)
    assert float(dec) == pytest.approx(expected[1][0], abs=1e-6)


def test_a_whole_frame_has_its_collateral_pixels(tmp_path: Path) -> None:
    science = np.arange(2048 * 2048, dtype="f4").reshape(2048, 2048)
    path = write_frame(tmp_path, science)
    frame = read(path)
    assert isinstance(frame, FullFrameImage)
    assert frame.science.shape == (2048, 2048)
    assert frame.science.base is not None  # a view of the file, not a copy
    assert not frame.science.flags.writeable
    np.testing.assert_array_equal(frame.science, science)
    shapes = {name: pixels.shape for name, pixels in frame.collateral.items()}
    assert shapes == {
        "leading": (2048, 44), "trailing": (2048, 44),
        "buffer": (10, 2048), "smear": (10, 2048), "virtual": (10, 2048),
    }  # fmt: skip
    assert frame.unit == "electrons/s"


def test_the_frame_of_the_first_sector_is_numbered_by_its_time(real_data: Path) -> None:
    frame = read(real_data / "backdrop_tess2018206192942-s0001-1-4-0120-s_ffic.fits")
    assert isinstance(frame, FullFrameImage)
    assert "FFIINDEX" not in frame.image_header
    assert frame.cadenceno == 4697
    assert frame.timecorr == pytest.approx(5.6780875e-3)
    # The primary header has the times at the spacecraft, the image's those at the barycentre.
    assert frame.btjd_start - frame.header["TSTART"] == pytest.approx(frame.timecorr, abs=1e-9)
    assert frame.btjd == pytest.approx((frame.btjd_start + frame.btjd_end) / 2)
    assert frame.science.shape == (128, 129)
    assert frame.science_corner == (45, 1)
    assert frame.barycentric
    assert frame.exposure == pytest.approx(1800, abs=0.01)


def test_the_real_crop_makes_a_stack(real_data: Path) -> None:
    path = real_data / "backdrop_tess2018206192942-s0001-1-4-0120-s_ffic.fits"
    stack = FrameStack.open([path])
    assert (stack.field, stack.shape, stack.cadence) == (Field(1, 1, 4), (128, 129), 1800)
    with fits.open(path) as hdus:
        np.testing.assert_array_equal(stack.window(rows=(5, 9), cols=(60, 70)).images[0], hdus[1].data[4:9, 59:70])
        column, row = np.array([100.0, 150.0]), np.array([20.0, 100.0])
        from astropy.wcs import WCS

        ra, dec = WCS(hdus[1].header).all_pix2world(column, row, 1)
    x, y = stack.planes[0].to_pixel(ra, dec)
    np.testing.assert_allclose(x, column, atol=1e-4)
    np.testing.assert_allclose(y, row, atol=1e-4)
    x, y = stack.wcs.all_world2pix(ra, dec, 0)
    np.testing.assert_allclose(x + 45, column, atol=1e-4)
    np.testing.assert_allclose(y + 1, row, atol=1e-4)


def test_the_real_crop_has_the_peaks_and_the_projection_that_its_readme_tells(real_data: Path) -> None:
    # README: 77 sources stand out by more than 150 e-/s over a background of 149.5 e-/s; the header's projection
    # agrees with the mission's table to 0.2 px.
    from scipy.ndimage import maximum_filter

    frame = read(real_data / "backdrop_tess2018206192942-s0001-1-4-0120-s_ffic.fits")
    assert isinstance(frame, FullFrameImage)
    image = frame.science.astype("f8")
    level = np.nanmedian(image)
    assert level == pytest.approx(149.5, abs=0.1)
    rows, columns = np.nonzero((image == maximum_filter(image, 7)) & (image > level + 150))
    assert len(rows) == 77
    columns, rows = columns + frame.science_corner[0], rows + frame.science_corner[1]
    ra, dec = frame.wcs.all_pix2world(columns, rows, 1)
    place = ccd_plane(Field(1, 1, 4)).to_pixel(ra, dec)
    assert np.hypot(place[0] - columns, place[1] - rows).max() < 0.2


def test_a_tica_frame_is_recognised(tmp_path: Path) -> None:
    header = fits.Header({"TELESCOP": "TESS", "CAMNUM": 2, "CCDNUM": 3, "SECTOR": 56, "CADENCE": 690247})
    header["STARTTJD"], header["MIDTJD"], header["ENDTJD"], header["QUAL_BIT"] = 2825.0, 2825.001, 2825.002, 0
    path = tmp_path / "hlsp_tica_tess_ffi_s0056-o1-00690247-cam2-ccd3_tess_v01_img.fits"
    fits.PrimaryHDU(np.zeros((2078, 2136), "f4"), header).writeto(path)
    frame = read(path)
    assert isinstance(frame, FullFrameImage)
    assert (frame.author, frame.field, frame.cadenceno) == ("TICA", Field(56, 2, 3), 690247)
    assert not frame.barycentric
    assert frame.btjd == 2825.001
    assert frame.science.shape == (2048, 2048)
    with pytest.raises(InputError, match="frame of TICA"):
        FrameStack.open([path])


def test_many_frames_do_not_stay_open(tmp_path: Path, cube: np.ndarray) -> None:
    resource = importlib.import_module("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    write_series(tmp_path, np.repeat(cube, 20, axis=0)[:, :4, :4])
    # Other tests of this process may have servers running.
    resource.setrlimit(resource.RLIMIT_NOFILE, (sum(1 for _ in Path("/dev/fd").iterdir()) + 40, hard))
    try:
        assert FrameStack.open(tmp_path).window().images.shape == (120, 4, 4)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
