"""Cubes: ours, kept of a stack and resumed after kills, and the archive's."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits

from tessellar.errors import Corrupt, InputError, MissingInput, NoSpace, Unrecognised
from tessellar.pixels import (
    ArchiveCubeSource,
    CubeSource,
    FrameStack,
    PixelSource,
    PreparedField,
    TargetPixelSource,
    prepare,
    write_cube,
)
from tessellar.pixels.frames import read_window
from tessellar.simulate import simulate_frames
from tests.pixels.skyframes import FIELD, small_files, write_series

COUNT = 12


@pytest.fixture
def stack(tmp_path: Path) -> FrameStack:
    cube = np.random.default_rng(3).normal(100, 2, (COUNT, 70, 50)).astype("f4")
    write_series(tmp_path / "frames", cube, errors=np.full((70, 50), 1.5))
    return FrameStack.open(tmp_path / "frames")


def test_a_cube_holds_what_the_frames_hold(stack: FrameStack, tmp_path: Path) -> None:
    source: PixelSource = write_cube(stack, tmp_path / "x.cube.h5", errors=True)
    for rows, cols in (((1, 70), (45, 94)), ((17, 33), (60, 61)), ((70, 70), (94, 94))):
        ours, theirs = source.window(rows, cols), stack.window(rows, cols)
        np.testing.assert_array_equal(ours.images, theirs.images)
        np.testing.assert_array_equal(ours.errors, theirs.errors)
        assert ours.corner == theirs.corner
        assert not ours.background_subtracted
        np.testing.assert_allclose(ours.pixel_of(*stack_sky(stack)), theirs.pixel_of(*stack_sky(stack)))
    np.testing.assert_array_equal(source.time, stack.time)
    np.testing.assert_array_equal(source.quality, stack.quality)
    with h5py.File(tmp_path / "x.cube.h5") as file:
        assert file["pixels"].chunks == (16, 16, COUNT)
        assert file["pixels"].compression is None or "32001" in str(file["pixels"]._filters)
    with pytest.raises(InputError, match="rows 71 to 72 are not in"):
        source.window(rows=(71, 72))


def stack_sky(stack: FrameStack) -> tuple[float, float]:
    ra, dec = stack.planes[0].to_sky(60.0, 30.0)
    return float(ra), float(dec)


def test_memory_is_bounded_and_a_stopped_run_goes_on(
    stack: FrameStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    band = 16 * stack.shape[1] * COUNT * 4
    out = tmp_path / "x.cube.h5"
    seen = []

    class Killed(BaseException):
        pass

    def stop(event: object) -> None:
        seen.append(event.done)
        if event.done == 48:
            raise Killed

    with pytest.raises(Killed):
        write_cube(stack, out, memory=band, listener=stop)
    assert seen == [16, 32, 48]
    assert not out.exists()
    bands = sorted((tmp_path / "x.cube.h5.work").glob("band-*.h5"))
    assert len(bands) == 3
    read: list[int] = []
    monkeypatch.setattr("tessellar.pixels.cube.read_window", lambda path, layout, corner, shape, out: (
        read.append(corner[1]), read_window(path, layout, corner, shape, out)))  # fmt: skip
    write_cube(stack, out, memory=band)
    assert set(read) == {49, 65}, "bands that were done are not read again"
    whole = write_cube(stack, tmp_path / "whole.cube.h5")
    np.testing.assert_array_equal(CubeSource(out).window().images, whole.window().images)
    assert not (tmp_path / "x.cube.h5.work").exists()


def test_a_killed_process_leaves_no_half_cube(stack: FrameStack, tmp_path: Path) -> None:
    out = tmp_path / "k.cube.h5"
    code = (
        "import sys, time\nfrom tessellar.pixels import FrameStack, write_cube\n"
        f"stack = FrameStack.open({str(stack.frames[0].path.parent)!r})\n"
        f"write_cube(stack, {str(out)!r}, memory=1, listener=lambda event: (print('x', flush=True), time.sleep(0.2)))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.25)
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    source = write_cube(stack, out, memory=1)
    np.testing.assert_array_equal(source.window().images, stack.window().images)


def test_a_full_disk_ends_neither_the_process_nor_what_was_done(stack: FrameStack, tmp_path: Path) -> None:
    whole = write_cube(stack, tmp_path / "whole.cube.h5", memory=1)
    out = tmp_path / "x.cube.h5"
    for size in (10_000, whole.path.stat().st_size - 1):
        with small_files(size), pytest.raises(NoSpace, match="no space left; what was done is kept"):
            write_cube(stack, out, memory=1)
        assert not out.exists()
        assert not list(tmp_path.rglob("*.part"))
    assert len(list((tmp_path / "x.cube.h5.work").glob("band-*.h5"))) == 5
    np.testing.assert_array_equal(write_cube(stack, out, memory=1).window().images, whole.window().images)


def test_a_prepared_field_reads_from_the_cube_beside_it(stack: FrameStack, tmp_path: Path) -> None:
    field = prepare(stack, out=tmp_path / "x.h5")
    direct = field.window((10, 20), (50, 60))
    write_cube(stack, tmp_path / "x.cube.h5", errors=True)
    for frame in stack.frames:
        frame.path.unlink()
    with pytest.raises(MissingInput):
        field.window((10, 20), (50, 60))
    again = PreparedField(tmp_path / "x.h5").window((10, 20), (50, 60))
    np.testing.assert_array_equal(again.images, direct.images)
    np.testing.assert_array_equal(again.errors, direct.errors)


def test_what_is_no_cube_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(Unrecognised, match="not a pixel cube"):
        CubeSource(path)
    with pytest.raises(MissingInput):
        CubeSource(tmp_path / "none.h5")
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(Corrupt):
        CubeSource(path)


def test_a_cube_of_the_archive_is_a_source_too(tmp_path: Path) -> None:
    """Made by the archive's own software, of simulated frames."""
    astrocut = pytest.importorskip("astrocut")
    truth = simulate_frames(tmp_path / "sky", FIELD, window=48, n_frames=5)
    path = tmp_path / "tess-s0001-4-1-cube.fits"
    astrocut.CubeFactory().make_cube([str(each) for each in truth.paths], cube_file=str(path), verbose=False)
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["SECTOR"] = 1
    source: PixelSource = ArchiveCubeSource(path)
    stack = FrameStack.open(truth.paths)
    assert source.field == FIELD
    np.testing.assert_allclose(source.time, stack.time, atol=1e-9)
    ours, theirs = source.window((3, 20), (50, 60)), stack.window((3, 20), (50, 60))
    np.testing.assert_array_equal(ours.images, theirs.images)
    np.testing.assert_array_equal(ours.errors, theirs.errors)
    np.testing.assert_array_equal(ours.cadenceno, theirs.cadenceno)
    assert ours.cadence == 1800
    ra, dec = stack.planes[len(stack) // 2].to_sky(55.0, 12.0)
    np.testing.assert_allclose(ours.pixel_of(float(ra), float(dec)), (55.0, 12.0), atol=1e-2)
    with pytest.raises(InputError, match="columns 200 to 210"):
        source.window(cols=(200, 210))


def test_other_files_are_no_cubes_of_the_archive(stack: FrameStack, tmp_path: Path) -> None:
    with pytest.raises(Unrecognised, match="no cube of frames"):
        ArchiveCubeSource(stack.frames[0].path)
    (tmp_path / "x.fits").write_bytes(b"nothing")
    with pytest.raises(Unrecognised, match="not FITS"):
        ArchiveCubeSource(tmp_path / "x.fits")


def test_cut_outs_are_sources_with_their_sky_in(real_data: Path) -> None:
    from tessellar import read

    for name, shape in (
        ("tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits", (6, 6)),
        ("test-tpf-tesscut_1x1.fits", (1, 1)),
        ("asteroid_test.fits", (10, 11)),
    ):
        source: PixelSource = TargetPixelSource(read(real_data / name))
        stamp = source.window()
        assert stamp.shape == shape
        assert not stamp.background_subtracted
