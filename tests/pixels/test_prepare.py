"""Preparing a field: against the simulated truth, through kills, and with bad input."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner, Result

from tessellar import Field
from tessellar.cli.main import group
from tessellar.errors import Corrupt, InputError, MissingInput, NoSpace, StoreError, Unrecognised
from tessellar.mission.ccd import ccd_plane
from tessellar.pixels import FrameStack, MissionPRF, PixelFlag, PixelSource, PreparedField, prepare
from tessellar.pixels.inputs import find_catalog, find_response, read_catalog
from tessellar.simulate import FrameTruth, simulate_frames
from tests.pixels.skyframes import FIELD, small_files, write_frame, write_series

SIZE, COUNT = 192, 40


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> FrameTruth:
    return simulate_frames(tmp_path_factory.mktemp("sky"), FIELD, window=SIZE, n_frames=COUNT, stars=60_000, seed=4)


@pytest.fixture(scope="module")
def field(truth: FrameTruth) -> PreparedField:
    """Prepared with the files that the frames were drawn with."""
    return prepared(truth, truth.directory / "prf.h5", find_response(truth.directory, FIELD))


@pytest.fixture(scope="module")
def estimated(truth: FrameTruth) -> PreparedField:
    """Prepared with a response estimated from the frames."""
    return prepared(truth, truth.directory / "epsf.h5", None)


def prepared(truth: FrameTruth, out: Path, prf: MissionPRF | None) -> PreparedField:
    folder = truth.directory
    return prepare(truth.paths, read_catalog(find_catalog(folder)), prf, out=out, field=truth.field)


def background_errors(field: PreparedField, truth: FrameTruth) -> np.ndarray:
    return np.stack([field.background.frame(k).image() - truth.background(k) for k in range(0, len(truth), 3)])


def bias_of_flux(field: PreparedField, truth: FrameTruth, errors: np.ndarray) -> float:
    """What the background's error does to stars of T = 15, by the noise-equivalent area: median."""
    near = np.abs(field.stars.tmag - 15) < 0.3
    column = np.clip(np.rint(field.stars.column[near]).astype(int) - field.corner[0], 0, errors.shape[2] - 1)
    row = np.clip(np.rint(field.stars.row[near]).astype(int) - field.corner[1], 0, errors.shape[1] - 1)
    return float(np.median(np.median(errors[:, row, column], axis=0) * 7 / field.stars.flux()[near]))


def tracks(field: PreparedField, truth: FrameTruth, count: int = 100) -> np.ndarray:
    """Where stars are less where they truly are, px, (stars, n, 2), in frames in which none is smeared."""
    steady = (field.quality & 32) == 0
    found = []
    for star in range(min(count, len(field.stars))):
        place = field.stars.column[star], field.stars.row[star]
        mine = np.array(place) + field.movement.jitter(field.time, *place)
        found.append((mine - truth.track(truth.index(field.stars.tic[star])))[steady])
    return np.stack(found)


def response_residuals(field: PreparedField, truth: FrameTruth) -> np.ndarray:
    """Light within 2.5 px of stars that the estimated response misses, as a share of their light in its box."""
    from tessellar.simulate.frames.responses import WING_SHARE, wing_kernel

    real, mine = find_response(truth.directory, FIELD), field.response()
    rng = np.random.default_rng(1)
    columns, rows = (first + 20 + rng.random(60) * (size - 40) for first, size in zip(
        field.corner, field.shape[::-1], strict=True))  # fmt: skip
    halo = wing_kernel()
    middle = halo.shape[0] // 2
    box = slice(middle - 7, middle + 8)
    light = (1 - WING_SHARE) * real.boxes(columns, rows)[:, 0].astype(float) + WING_SHARE * halo[box, box]
    light /= light.sum(axis=(1, 2), keepdims=True)
    reach = np.arange(-7, 8)
    away = np.hypot(
        (np.floor(columns + 0.5) - columns)[:, None, None] + reach,
        (np.floor(rows + 0.5) - rows)[:, None, None] + reach[:, None],
    )
    rest = light - mine.boxes(columns, rows)[:, 0]
    return np.where(away <= 2.5, rest, 0).sum(axis=(1, 2))


def test_everything_measured_is_near_the_truth(field: PreparedField, truth: FrameTruth) -> None:
    errors = background_errors(field, truth)
    assert abs(np.median(errors)) < 0.15
    assert abs(bias_of_flux(field, truth, errors)) < 0.01
    off = tracks(field, truth)
    assert np.abs(off.mean(axis=1)).max() < 0.1, "places of the stars"
    assert (off - off.mean(axis=1, keepdims=True)).std() < 0.005, "pointing"


def test_a_response_estimated_from_the_frames_serves_as_well(estimated: PreparedField, truth: FrameTruth) -> None:
    assert np.abs(response_residuals(estimated, truth)).max() < 0.01
    off = tracks(estimated, truth)
    assert np.abs(off.mean(axis=1)).max() < 0.1
    assert (off - off.mean(axis=1, keepdims=True)).std() < 0.005
    # Halos within its box are the stars' in this response, and the background's in the mission's.
    assert abs(np.median(background_errors(estimated, truth))) < 0.3


def test_a_prepared_field_is_a_source_of_stamps(field: PreparedField, truth: FrameTruth) -> None:
    source: PixelSource = field
    stamp = source.window(rows=(51, 60), cols=(101, 112))
    raw = FrameStack.open(truth.paths).window(rows=(51, 60), cols=(101, 112))
    np.testing.assert_allclose(stamp.images + stamp.background, raw.images, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(stamp.errors, raw.errors)
    np.testing.assert_array_equal(stamp.background, field.background.window((51, 60), (101, 112)))
    assert stamp.background_subtracted
    assert stamp.corner == (101, 51)
    assert stamp.pixel_flags is not None
    assert stamp.window(rows=(52, 53)).pixel_flags.shape == (COUNT, 2, 12)
    assert len(stamp.reordered(np.arange(5)).pixel_flags) == 5
    with pytest.raises(InputError, match="columns 30 to 50 are not in"):
        field.window(cols=(30, 50))
    bright = int(np.argmax((field.stars.column > 60) & (field.stars.row > 20)))
    ra, dec = field.stars.ra[bright], field.stars.dec[bright]
    column, row = field.place([ra], [dec])
    x, y = field.wcs.all_world2pix([ra], [dec], 0)
    assert abs(column[0] - field.stars.column[bright]) < 1e-3
    assert abs(x[0] + field.corner[0] - column[0]) < 5e-3
    assert abs(y[0] + field.corner[1] - row[0]) < 5e-3


def test_the_file_says_what_it_is_made_of(field: PreparedField, truth: FrameTruth) -> None:
    again = PreparedField(field.path)
    np.testing.assert_array_equal(again.time, FrameStack.open(truth.paths).time)
    assert [each.name for each in again.provenance.inputs] == [path.name for path in truth.paths]
    assert again.provenance.settings["stars"] == len(field.stars)
    assert again.mean_image.shape == (SIZE, SIZE)
    assert again.background.used.mean() > 0.5
    assert again.fluxes.shape == (len(again.stars),)
    assert field.path.stat().st_size < 2_000_000
    reasons = {each.reason for each in again.bad_times}
    assert "no frames" in reasons
    assert any("momentum dump" in reason for reason in reasons)
    with h5py.File(field.path) as file:
        assert {"frames", "background", "pointing", "stars", "wcs", "bad_times"} <= set(file)


def test_times_of_a_star_are_its_own(field: PreparedField) -> None:
    near, error = field.star_times(*field.plane.to_sky(1068.0, 1024.0))[::2]
    assert np.abs(near - field.time).max() * 86400 < 0.02
    assert error.max() < 0.02
    far, _, error = field.star_times(field.stars.ra[0], field.stars.dec[0])
    assert 0 < np.abs(far - field.time).max() * 86400 < 100
    assert error.max() < 0.25


def test_the_same_work_is_not_done_twice(truth: FrameTruth, field: PreparedField) -> None:
    before = field.path.stat().st_mtime_ns
    prepared(truth, field.path, find_response(truth.directory, FIELD))
    assert field.path.stat().st_mtime_ns == before


def test_frames_that_moved_are_found_where_they_are(truth: FrameTruth, field: PreparedField, tmp_path: Path) -> None:
    for path in truth.paths[:COUNT]:
        shutil.copy(path, tmp_path)
    copy = tmp_path / "field.h5"
    shutil.copy(field.path, copy)
    moved = PreparedField(copy, frames=tmp_path)
    np.testing.assert_array_equal(moved.window((1, 5), (45, 50)).images, field.window((1, 5), (45, 50)).images)
    (tmp_path / truth.names[7]).unlink()
    with pytest.raises(MissingInput, match="give frames=FOLDER"):
        moved.window((1, 5), (45, 50))


class Killed(BaseException):
    """Stands for a kill, at a place of the test's choosing."""


@pytest.mark.parametrize("when", [("pointing", 32), ("stars", 1), ("background", 9), ("background", 33)])
def test_a_run_goes_on_where_it_was_stopped(
    truth: FrameTruth, field: PreparedField, tmp_path: Path, when: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tessellar.pixels.passes._PART_FRAMES", (8, 8))
    done = {"pointing": 0, "background": 0}

    def stop(event: object) -> None:
        if (event.task, event.done) == when:
            raise Killed

    def count(event: object) -> None:
        if event.task in done and not event.finished:
            done[event.task] += 1

    catalog, prf = read_catalog(find_catalog(truth.directory)), find_response(truth.directory, FIELD)
    out = tmp_path / "again.h5"
    with pytest.raises(Killed):
        prepare(truth.paths, catalog, prf, out=out, listener=stop)
    assert not out.exists()
    assert (tmp_path / "again.h5.work").is_dir()
    again = prepare(truth.paths, catalog, prf, out=out, listener=count)
    same(again.path, field.path)
    assert not (tmp_path / "again.h5.work").exists()
    if when == ("background", 33):
        assert done["background"] < COUNT, "frames that were done are not gone through again"


def same(one: Path, other: Path) -> None:
    """Every array of two files is the same, bit for bit."""
    with h5py.File(one) as a, h5py.File(other) as b:
        names: list[str] = []
        a.visit(names.append)
        for name in names:
            if isinstance(a[name], h5py.Dataset):
                assert a[name].dtype == b[name].dtype, name
                np.testing.assert_array_equal(a[name][()], b[name][()], err_msg=name)


def killed_runs(truth: FrameTruth, out: Path, kills: int, seed: int) -> int:
    """Run the command, kill it at random moments, and at last let it finish; how many kills hit."""
    rng = random.Random(seed)
    command = [sys.executable, "-m", "tessellar", "--quiet", "prepare", str(truth.directory)]
    command += ["--sector", "1", "--camera", "4", "--ccd", "1", "--out", str(out), "--limit", "30"]
    hits = 0
    for turn in range(kills):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(0.8, 3.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            hits += 1
        process.wait()
        if out.exists():
            break
        assert turn <= hits
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return hits


@pytest.mark.heavy
def test_a_killed_command_ends_with_the_same_file(truth: FrameTruth, field: PreparedField, tmp_path: Path) -> None:
    assert killed_runs(truth, tmp_path / "killed.h5", 2, seed=3) >= 1
    same(tmp_path / "killed.h5", field.path)


def test_two_processes_do_not_work_on_one_file(truth: FrameTruth, tmp_path: Path) -> None:
    from tessellar.pixels.checkpoints import Checkpoints

    with (
        Checkpoints(tmp_path / "x.h5.work", "other"),
        pytest.raises(StoreError, match="another process works there"),
    ):
        prepare(truth.paths, out=tmp_path / "x.h5")


def test_a_full_disk_keeps_what_was_done(
    truth: FrameTruth, field: PreparedField, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tessellar.pixels import checkpoints

    monkeypatch.setattr("tessellar.pixels.passes._PART_FRAMES", (8, 8))
    real, saved = np.savez, []

    def full(stream: object, **arrays: object) -> None:
        if len(saved) == 7:
            raise OSError(errno.ENOSPC, "No space left on device")
        saved.append(arrays)
        real(stream, **arrays)

    catalog, prf = read_catalog(find_catalog(truth.directory)), find_response(truth.directory, FIELD)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.np, "savez", full)
        with pytest.raises(NoSpace, match="what was done is kept; free some and run again"):
            prepare(truth.paths, catalog, prf, out=tmp_path / "x.h5")
    assert len(list((tmp_path / "x.h5.work").glob("*.npz"))) == 7
    same(prepare(truth.paths, catalog, prf, out=tmp_path / "x.h5").path, field.path)


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    """Six frames with hardly a star on them."""
    cube = np.random.default_rng(3).normal(100, 2, (6, 64, 64)).astype("f4")
    return write_series(tmp_path / "frames", cube)


def stars_on(frames: list[Path], count: int = 5) -> dict[str, np.ndarray]:
    ra, dec = ccd_plane(FIELD).to_sky(50.0 + 10 * np.arange(count), 20.0 + 5 * np.arange(count))
    return {"ID": np.arange(count) + 1, "ra": ra, "dec": dec, "Tmag": np.full(count, 14.0)}


def run(frames: list[Path], catalog: object = None, **settings: object) -> PreparedField:
    return prepare(frames[0].parent, catalog, out=frames[0].parent / "x.h5", **settings)  # type: ignore[arg-type]


def test_known_errors_of_times_are_told_and_taken_off_on_request(frames: list[Path]) -> None:
    assert run(frames).provenance.settings["time_offset"] is None, "simulated frames have none"
    for path in frames:
        fits.setval(path, "SIMDATA", value=False, ext=0)
    plain = run(frames)
    told = plain.provenance.settings["time_offset"]
    # Release 1, camera 4, CCD 1: 1.979 s late, less a second that its readout comes after that of camera 1.
    assert told["seconds"] == pytest.approx(-0.979)
    assert told["uncertainty"] == 0.35
    assert not told["corrected"]
    before = plain.time, plain.time_start
    right = run(frames, correct_times=True)
    assert right.provenance.settings["time_offset"]["corrected"]
    np.testing.assert_allclose((right.time - before[0]) * 86400, -0.979, atol=1e-4)
    np.testing.assert_allclose((right.time_start - before[1]) * 86400, -0.969, atol=1e-4)


def test_without_a_catalogue_there_is_a_background_all_the_same(frames: list[Path]) -> None:
    field = run(frames)
    assert field.stars is None
    assert np.abs(field.background.window() - 100).max() < 2
    with pytest.raises(InputError, match="without a pixel response"):
        field.response()
    with pytest.raises(InputError, match="prepared without"):
        _ = field.fluxes


def test_too_few_stars_are_said_and_do_not_stop_it(frames: list[Path]) -> None:
    notes: list[str] = []
    field = run(frames, stars_on(frames), listener=lambda event: notes.append(event.note))
    assert any("stars are not taken off" in note for note in notes)
    assert len(field.stars) == 5
    assert np.abs(field.pointing.shifts).max() < 1e-3


def test_a_disk_that_is_full_when_the_file_is_written(frames: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from tessellar.pixels.preparedfile import Findings

    whole, write = run(frames).path, Findings.write
    size, kept = whole.stat().st_size, whole.with_name("whole.h5")
    whole.rename(kept)

    def full(findings: Findings, path: Path) -> None:
        with small_files(size - 1):
            write(findings, path)

    with monkeypatch.context() as patch:
        patch.setattr(Findings, "write", full)
        with pytest.raises(NoSpace, match=r"x\.h5: no space left; what was done is kept"):
            run(frames)
    assert not whole.exists()
    assert [path.name for path in whole.parent.iterdir() if path.suffix not in (".fits", ".h5")] == ["x.h5.work"]
    events: list[object] = []
    same(run(frames, listener=events.append).path, kept)
    assert not [event for event in events if event.task == "background" and not event.finished]


def test_missing_frames_are_a_gap(frames: list[Path]) -> None:
    frames[2].unlink()
    field = run(frames)
    assert field.missing.tolist() == [4699]
    assert [(each.reason, each.frames) for each in field.bad_times] == [("no frames", 1)]


def test_dark_and_empty_frames_are_unusable_and_the_others_good(frames: list[Path], tmp_path: Path) -> None:
    write_frame(frames[0].parent, np.zeros((64, 64), "f4"), 1)
    write_frame(frames[0].parent, np.full((64, 64), np.nan, "f4"), 4)
    field = run(frames)
    assert np.flatnonzero(~field.background.usable).tolist() == [1, 4]
    assert [(each.reason, each.excluded) for each in field.bad_times] == [("no usable pixels", True)] * 2
    assert abs(np.nanmedian(field.mean_image)) < 0.5


def test_all_dark_frames_are_refused(frames: list[Path]) -> None:
    for number in range(6):
        write_frame(frames[0].parent, np.zeros((64, 64), "f4"), number)
    with pytest.raises(InputError, match="all zero, or all NaN"):
        run(frames)


def test_a_broken_projection_is_repaired_and_said(frames: list[Path]) -> None:
    write_frame(frames[0].parent, np.full((64, 64), 100, "f4"), 3, CRVAL1=5.0)
    with pytest.warns(UserWarning, match="1 of 6 frames"):
        field = run(frames)
    with h5py.File(field.path) as file:
        assert file["frames/wcs_repaired"][()].tolist() == [False, False, False, True, False, False]


def test_a_truncated_frame_is_left_out_and_named(frames: list[Path]) -> None:
    frames[3].write_bytes(frames[3].read_bytes()[:20_000])
    notes: list[str] = []
    field = run(frames, listener=lambda event: notes.append(event.note))
    assert len(field) == 5
    assert any(frames[3].name in note and "left out" in note for note in notes)
    assert list(field.left_out) == [str(frames[3])]
    assert field.missing.tolist() == [4700]


def test_a_frame_cut_short_while_it_is_worked_on_is_named(frames: list[Path]) -> None:
    stack = FrameStack.open(frames)
    os.truncate(frames[4], 15_000)
    with pytest.raises(Corrupt, match="cut short since"):
        prepare(stack, out=frames[0].parent / "x.h5")


def test_frames_of_another_ccd_are_passed_over_with_a_field_and_refused_without(frames: list[Path]) -> None:
    write_frame(frames[0].parent, np.ones((64, 64), "f4"), 2, field=Field(1, 4, 2))
    with pytest.raises(InputError, match="two CCDs"):
        run(frames)
    assert len(run(frames, field="1-4-1")) == 6


def test_two_cadences_are_refused_and_told_apart(frames: list[Path]) -> None:
    write_frame(frames[0].parent, np.ones((64, 64), "f4"), 60, exposure=200.0, name="x-s0001-4-1_ffic.fits", SECTOR=1)
    with pytest.raises(InputError, match="two cadences mixed"):
        run(frames)
    assert len(FrameStack.open(frames[0].parent, field=FIELD, cadence=1800)) == 6
    with pytest.raises(MissingInput, match="no frame"):
        FrameStack.open(frames[0].parent, field=FIELD, cadence=600)


def test_a_frame_twice_is_refused(frames: list[Path]) -> None:
    shutil.copy(frames[2], frames[2].with_name(f"copy-of-{frames[2].name}"))
    with pytest.raises(InputError, match="the same frame twice"):
        run(frames)


@pytest.mark.parametrize(
    ("catalog", "message"),
    [
        ({"ID": [], "ra": [], "dec": [], "Tmag": []}, "catalogue is empty"),
        ({"ID": [1], "ra": [10.0], "dec": [60.0], "Tmag": [9.0]}, "is it of this field"),
        ({"ID": [1], "ra": [10.0]}, "no column dec"),
    ],
)
def test_catalogues_that_cannot_be(frames: list[Path], catalog: dict[str, list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(frames, catalog)


def test_a_sector_that_is_not_in_the_table_is_prepared_from_its_headers(tmp_path: Path) -> None:
    cube = np.random.default_rng(3).normal(100, 2, (4, 64, 64)).astype("f4")
    paths = write_series(tmp_path / "f", cube, name=None)
    for number, path in enumerate(paths):
        renamed = path.with_name(path.name.replace("-s0001-", "-s0999-"))
        path.rename(renamed)
        paths[number] = renamed
    field = prepare(tmp_path / "f", out=tmp_path / "x.h5")
    assert field.field == Field(999, 4, 1)
    for path in paths:
        with fits.open(path, mode="update") as hdus:
            del hdus[1].header["CTYPE1"]
    with pytest.raises(InputError, match="sector 999"):
        prepare(tmp_path / "f", out=tmp_path / "y.h5")


def test_what_is_no_prepared_field_is_not_taken_for_one(tmp_path: Path, field: PreparedField) -> None:
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = 1
    with pytest.raises(Unrecognised, match="not a prepared field"):
        PreparedField(other)
    with pytest.raises(MissingInput, match="no such file"):
        PreparedField(tmp_path / "none.h5")
    other.write_bytes(field.path.read_bytes()[:3000])
    with pytest.raises(Corrupt, match="cannot be read"):
        PreparedField(other)


@pytest.mark.parametrize("first", [0.02, 0.2, 0.5])
def test_a_file_with_spoiled_data_is_named_with_what_to_do(tmp_path: Path, field: PreparedField, first: float) -> None:
    whole = field.path.read_bytes()
    begin = int(first * len(whole))
    path = tmp_path / "spoiled.h5"
    noise = np.random.default_rng(0).integers(0, 256, len(whole) - begin, dtype=np.uint8).tobytes()
    path.write_bytes(whole[:begin] + noise)
    with pytest.raises(Corrupt, match=r"spoiled\.h5: .*; prepare again"):
        _read_all(path)


def _read_all(path: Path) -> None:
    spoiled = PreparedField(path)
    assert spoiled.stars is not None
    assert np.isfinite(spoiled.mean_image).any()
    spoiled.window()


def test_mars_and_the_earth_are_excluded(tmp_path: Path) -> None:
    mars = Field(1, 1, 4)
    cube = np.random.default_rng(3).normal(100, 2, (4, 64, 64)).astype("f4")
    for number, image in enumerate(cube):
        # Science pixels from column 1560 on.
        place = {"CRPIX1P": 1, "CRVAL1P": 1516, "CRPIX2P": 1, "CRVAL2P": 1}
        write_frame(tmp_path / "f", image, number, field=mars, start=1325.84, shift=(-1515, 0), **place)
    field = prepare(tmp_path / "f", out=tmp_path / "x.h5")
    stamp = field.window(rows=(1, 10), cols=(1576, 1585))
    early = field.time <= 1325.881282301840
    assert 0 < early.sum() < 4
    excluded = (stamp.pixel_flags & PixelFlag.EXCLUDED) != 0
    assert excluded[early][:, :, 5:].all()
    assert not excluded[early][:, :, :5].any()
    assert not excluded[~early].any()


def test_the_command_from_frames_to_file(tmp_path: Path) -> None:
    def tessellar(*words: str) -> Result:
        return CliRunner().invoke(group, list(words), standalone_mode=False)

    place = ["--sector", "60", "--camera", "1", "--ccd", "2"]
    sky = str(tmp_path / "sky")
    truth = simulate_frames(sky, "60-1-2", window=128, n_frames=20, cadence=200, stars=100_000)
    truth.paths[9].unlink()
    done = tessellar("--json", "prepare", sky, *place)
    assert done.exception is None, done.output
    told = json.loads(done.stdout)
    assert Path(told["path"]).name == "s0060-1-2-c0200.h5"
    assert told["frames"] == 19
    assert told["stars"] > 100
    (gap,) = [each for each in told["bad_times"] if each["reason"] == "no frames"]
    assert set(gap) == {"begin", "end", "reason", "frames", "excluded"}
    assert gap["end"] - gap["begin"] == pytest.approx(200 / 86400, rel=1e-3)
    assert (gap["frames"], gap["excluded"]) == (1, True)
    other = tessellar("prepare", sky, "--sector", "61", "--camera", "1", "--ccd", "2").exception
    assert isinstance(other, MissingInput)
    assert "no frame of s0061-1-2" in str(other)
    catalog = tessellar("prepare", sky, *place, "--catalog", str(tmp_path / "none.ecsv")).exception
    assert isinstance(catalog, MissingInput)
    assert "no such catalogue" in str(catalog)
    (tmp_path / "empty").mkdir()
    prf = tessellar("prepare", sky, *place, "--prf", str(tmp_path / "empty")).exception
    assert isinstance(prf, MissingInput)
    assert "no PRF files of camera 1, CCD 2" in str(prf)
    cube = tessellar("prepare", sky, *place, "--cube")
    assert cube.exception is None
    assert Path(sky, "s0060-1-2-c0200.cube.h5").exists()


@pytest.mark.heavy
@pytest.mark.parametrize(("density", "median", "bias"), [(30_000, 0.1, 0.005), (200_000, 0.3, 0.02)])
def test_gates_of_background_pointing_and_places(tmp_path: Path, density: int, median: float, bias: float) -> None:
    truth = simulate_frames(tmp_path / "sky", FIELD, window=512, n_frames=40, stars=density, seed=6)
    field = prepared(truth, tmp_path / "x.h5", find_response(truth.directory, FIELD))
    errors = background_errors(field, truth)
    assert abs(np.median(errors)) < median
    assert abs(bias_of_flux(field, truth, errors)) < bias
    off = tracks(field, truth, 300)
    assert np.abs(off.mean(axis=1)).max() < 0.1
    assert (off - off.mean(axis=1, keepdims=True)).std() < 0.005


@pytest.mark.heavy
@pytest.mark.parametrize("density", [30_000, 200_000])
def test_gate_of_the_estimated_response(tmp_path: Path, density: int) -> None:
    truth = simulate_frames(tmp_path / "sky", FIELD, window=512, n_frames=16, stars=density, seed=7)
    field = prepared(truth, tmp_path / "x.h5", None)
    assert np.abs(response_residuals(field, truth)).max() < 0.01


@pytest.mark.filterwarnings("error::UserWarning")
def test_look_draws_a_page_of_it(field: PreparedField, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    done = CliRunner().invoke(group, ["look", str(field.path), "-o", str(picture)])
    assert done.exit_code == 0, done.output
    assert picture.stat().st_size > 50_000
    from tessellar.plots import field_page

    figure = field_page(field)
    figure.savefig(picture)  # complains where the layout has no room
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert "Mean of the good frames, background subtracted" in titles
    words = " ".join(text.get_text() for ax in figure.axes for text in ax.texts)
    assert "momentum dump" in words.replace("\n", " ")
