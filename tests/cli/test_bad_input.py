"""Bad input, a bad archive, a bad machine: one clear line, the right exit code, nothing half-written."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tessellar.mission import locate
from tessellar.server import ServerThread
from tests.faults import FaultyArchive
from tests.webserver import Misbehaviour, running


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["find", "WASP-121"], "WASP-121"),
        (["find", "TIC x"], "TIC x"),
        (["find", "TIC 12345678901"], "TIC 12345678901"),
        (["find", "--sector", "0"], "sector 0"),
        (["find", "--sector", "-3"], "sector -3"),
        (["find"], "target"),
        (["find", "1", "--cadence", "-20"], "cadence"),
        (["find", "1", "--radius", "0"], "radius"),
        (["resolve", "TIC 4040404"], "TIC 4040404"),
        (["photometry", "nowhere"], "nowhere"),
        (["look", "nowhere.fits"], "nowhere.fits"),
        (["serve", "nowhere"], "nowhere"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(tessellar, archive, arguments, told):
    ran = tessellar("--archive", archive, *arguments)
    assert ran.code == 2
    assert told in ran.line
    assert ran.out == ""


@pytest.mark.parametrize("arguments", [["find", "--camera", "5"], ["find", "--sector", "x"], ["fnd"], ["find", "--x"]])
def test_bad_usage_is_two_and_one_line(tessellar, arguments):
    ran = tessellar(*arguments)
    assert ran.code == 2
    assert "--help" in ran.line
    assert ran.line.startswith("tessellar: find: " if "find" in arguments else "tessellar: no such command")


def test_a_position_without_a_star_still_has_its_ccds(tessellar, archive):
    ran = tessellar("--archive", archive, "resolve", "63.37389 -69.226789")
    assert ran.code == 0
    assert "no star of the TIC" in ran.line
    first = next(line for line in ran.out.splitlines() if line.split()[:3] == ["1", "4", "1"])
    (place,) = locate(63.37389, -69.226789, [1])
    assert first.split()[3:] == [f"{place.column:.1f}", f"{place.row:.1f}", f"{place.row - 0.5:.1f}", "measured"]
    told = tessellar("--archive", archive, "--json", "resolve", "63.37389 -69.226789").json
    assert told["tic"] is None
    assert told["fields"][0]["sector"] == 1


@pytest.mark.parametrize("url", ["ftp://x", "nonsense", "http://"])
def test_an_impossible_archive_is_bad_input(tessellar, url):
    ran = tessellar("--archive", url, "find", "1")
    assert ran.code == 2
    assert "archive" in ran.line


def test_an_empty_result_is_no_failure(tessellar, archive):
    ran = tessellar("--archive", archive, "--json", "find", "TIC 4040404")
    assert ran.code == 0
    assert ran.json == []
    assert "nothing found" in ran.line
    ran = tessellar("--archive", archive, "--json", "fetch", "TIC 4040404")
    assert ran.code == 0
    assert ran.json == []


def test_an_archive_that_refuses_the_connection(tessellar, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        for command in (["find", "1"], ["fetch", "1", "-o", tmp_path], ["resolve", "1"]):
            ran = tessellar("--archive", url, *command)
            assert ran.code == 3
            assert "cannot be reached" in ran.line


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (Misbehaviour(status=503), "503"),
        (Misbehaviour(status=200, headers={"Content-Type": "text/html"}, body=b"<html>down</html>"), "no JSON"),
        (Misbehaviour(drop=True), "broke off"),
        (Misbehaviour(status=403), "403"),
    ],
)
def test_an_archive_that_does_not_answer_properly(tessellar, how, told):
    with running() as server:
        server.plan["/api/v0/invoke"] = [how] * 20
        ran = tessellar("--archive", server.url, "find", "1")
    assert ran.code == 3
    assert told in ran.line


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"hello, this is no FITS file\n" * 200, "not"),
        (b"", "empty"),
        (b"<html><body>503</body></html>" * 100, "HTML"),
    ],
    ids=["text", "empty", "html"],
)
def test_a_file_that_is_not_fits(tessellar, tmp_path, content, told):
    path = tmp_path / "tess2018206045859-s0001-0000000025155310-0120-s_tp.fits"
    path.write_bytes(content)
    for command in (["photometry", path, "-o", tmp_path / "out"], ["photometry", tmp_path, "-o", tmp_path / "out"],
                    ["look", path]):  # fmt: skip
        ran = tessellar(*command)
        assert ran.code == 4, command
        assert path.name in ran.line
    assert not list(tmp_path.rglob("*.png"))
    assert not list((tmp_path / "out").rglob("*")) if (tmp_path / "out").exists() else True


def test_a_truncated_fits(tessellar, sky, tmp_path):
    source = next(sky.rglob("*_tp.fits"))
    path = tmp_path / source.name
    path.write_bytes(source.read_bytes()[:-30000])
    ran = tessellar("photometry", tmp_path, "-o", tmp_path / "out")
    assert ran.code == 4
    assert "cut short" in ran.line


def test_a_fits_file_that_is_not_from_tess(tessellar, tmp_path):
    from astropy.io import fits

    path = tmp_path / "other.fits"
    fits.PrimaryHDU([[1.0]]).writeto(path)
    for command in (["photometry", path, "-o", tmp_path / "out"], ["look", path]):
        ran = tessellar(*command)
        assert ran.code == 4
        assert "other.fits" in ran.line


def test_a_wrong_mask_is_bad_input(tessellar, sky, tmp_path):
    from astropy.io import fits

    mask = tmp_path / "mask.fits"
    fits.PrimaryHDU([[1.0]]).writeto(mask)
    source = next(sky.rglob("*_tp.fits"))
    ran = tessellar("photometry", source, "--aperture", mask, "-o", tmp_path / "out")
    assert ran.code == 2
    assert "shape" in ran.line
    ran = tessellar("photometry", source, "--quality", "nonsense", "-o", tmp_path / "out")
    assert ran.code == 2
    assert "nonsense" in ran.line


def test_a_file_in_place_of_the_folder(tessellar, archive, star, tmp_path):
    (tmp_path / "x").write_text("mine")
    ran = tessellar("--archive", archive, "fetch", star, "-o", tmp_path / "x")
    assert ran.code == 4
    assert "is a file" in ran.line
    assert (tmp_path / "x").read_text() == "mine"


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small disk of its own under a folder, where the tests may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_no_permission(tessellar, archive, star, sky, tmp_path):
    with mounted(tmp_path / "locked", "size=600k,ro") as locked:
        for command in (
            ["fetch", star, "-o", locked / "data"],
            ["fetch", star, "-o", locked],
            ["photometry", sky, "--tic", star, "-o", locked / "lc"],
            ["photometry", sky, "--tic", star, "-o", locked],
            ["look", next(sky.rglob("*_lc.fits")), "-o", locked],
            ["simulate", locked / "sky"],
            ["demo", "--out", locked / "demo"],
        ):
            ran = tessellar("--archive", archive, *command)
            assert ran.code == 4, (command, ran.err)
            assert str(locked) in ran.line
        assert list(locked.iterdir()) == []


def test_a_full_disk(tessellar, archive, tmp_path):
    with mounted(tmp_path / "disk", "size=600k") as disk:
        ran = tessellar("--archive", archive, "--json", "fetch", "--sector", "1", "-o", disk)
        assert ran.code == 4
        assert "Traceback" not in ran.err
        rows = ran.json
        assert any("disk is full" in row["message"] for row in rows)
        assert {row["status"] for row in rows} == {"COMPLETE", "ERROR"}
        for row in rows:
            assert (row["path"] is not None) == (row["status"] == "COMPLETE")
            if row["path"] is not None:
                assert len(Path(row["path"]).read_bytes()) == row["bytes"]
        whole = {Path(row["path"]) for row in rows if row["path"]}
        assert {path for path in disk.rglob("*.fits") if path.is_file()} == whole


def test_a_full_disk_while_measuring(tessellar, sky, star, tmp_path):
    with mounted(tmp_path / "disk", "size=40k") as disk:
        ran = tessellar("photometry", sky, "--tic", star, "-o", disk)
        assert ran.code == 4
        assert "full" in ran.line or "space" in ran.line
        assert list(disk.iterdir()) == []


@pytest.fixture
def faulty(sky):
    """The sky behind something that spoils what it is told to spoil."""
    with ServerThread(sky, wrap=FaultyArchive) as server:
        yield server


def fetched_whole(ran, sky):
    assert ran.code == 0, ran.err
    for row in ran.json:
        assert Path(row["path"]).read_bytes() == next(sky.rglob(Path(row["path"]).name)).read_bytes()


def test_an_archive_that_is_busy_twice_then_works(tessellar, faulty, star, sky, tmp_path):
    faulty.app.unavailable(2)
    faulty.app.unavailable(2, on="/Download/", retry_after=0)
    fetched_whole(tessellar("--archive", faulty.url, "--json", "fetch", star, "-o", tmp_path), sky)


def test_an_archive_that_sends_a_page_or_half_a_file(tessellar, faulty, star, sky, tmp_path):
    faulty.app.html(1, on="/Download/")
    faulty.app.truncate(10000, times=2)
    fetched_whole(tessellar("--archive", faulty.url, "--json", "fetch", star, "-o", tmp_path), sky)
    assert list(tmp_path.rglob("*.part")) == []


def test_an_archive_that_only_sends_pages(tessellar, faulty, star, tmp_path):
    faulty.app.html(10000, on="/Download/")
    ran = tessellar("--archive", faulty.url, "--json", "fetch", star, "-o", tmp_path)
    assert ran.code == 1
    assert {row["status"] for row in ran.json} == {"ERROR"}
    assert all("text/html" in row["message"] for row in ran.json)
    assert list(tmp_path.rglob("*.fits*")) == []


def test_an_archive_that_always_cuts_short(tessellar, faulty, star, tmp_path):
    faulty.app.truncate(0, times=10000)
    ran = tessellar("--archive", faulty.url, "--json", "fetch", star, "--kind", "lightcurve", "-o", tmp_path)
    assert ran.code == 1
    assert {row["attempts"] for row in ran.json} == {6}
    assert list(tmp_path.rglob("*.fits")) == []


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999", "http://127.0.0.1:x", "http://:80"])
def test_a_broken_url_is_bad_input(tessellar, url):
    ran = tessellar("--archive", url, "find", "TIC 1")
    assert ran.code == 2
    assert "archive" in ran.line


def test_validation_runs_of_a_sector_are_not_asked_of_the_whole_mission(tessellar):
    ran = tessellar("--archive", "http://127.0.0.1:9", "find", "--sector", "5", "--kind", "dv")
    assert ran.code == 2
    assert "validation runs" in ran.line


def test_a_silent_archive_is_given_up_in_time(tessellar, monkeypatch):
    import time

    monkeypatch.setenv("TESSELLAR_IDLE_TIMEOUT", "0.3")
    monkeypatch.setenv("TESSELLAR_ATTEMPTS", "2")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        ran = tessellar("--archive", f"http://127.0.0.1:{silent.getsockname()[1]}", "find", "TIC 1")
        assert time.monotonic() - started < 10
    assert ran.code == 3
    assert "too long" in ran.line


def test_verbose_tells_of_retries(tessellar, faulty, star):
    faulty.app.unavailable(1)
    ran = tessellar("--archive", faulty.url, "-v", "--json", "find", star)
    assert ran.code == 0
    assert "503" in ran.line
    assert "trying again" in ran.line


def test_a_pipe_among_the_files_is_passed_by(tessellar, sky, star, tmp_path):
    import shutil

    os.mkfifo(tmp_path / "pipe.fits")
    assert tessellar("look", tmp_path / "pipe.fits").code == 4
    assert tessellar("photometry", tmp_path, "-o", tmp_path / "out").code == 2
    source = next(sky.rglob(f"*{star}*_tp.fits"))
    shutil.copy(source, tmp_path)
    assert tessellar("photometry", tmp_path, "-o", tmp_path / "out").code == 0


def test_a_damaged_file_is_reported_whatever_its_name(tessellar, sky, star, tmp_path):
    whole = next(sky.rglob(f"*{star}*_tp.fits"))
    (tmp_path / "mine.fits").write_bytes(whole.read_bytes())
    (tmp_path / "half.fits").write_bytes(whole.read_bytes()[:100_000])
    ran = tessellar("--json", "photometry", tmp_path, "-o", tmp_path / "out")
    assert ran.code == 1
    assert sorted(row["status"] for row in ran.json) == ["ERROR", "OK"]
    (broken,) = [row for row in ran.json if row["status"] == "ERROR"]
    assert broken["input"].endswith("half.fits")
    assert "cut short" in broken["reason"]
    assert set(broken) == set(ran.json[1])
    (tmp_path / "mine.fits").unlink()
    assert tessellar("photometry", tmp_path, "-o", tmp_path / "out").code == 4


def test_light_curves_of_other_apertures_do_not_replace_each_other(tessellar, sky, star, tmp_path):
    from astropy.io import fits

    from tessellar import read

    source = next(sky.rglob(f"*{star}*_tp.fits"))
    shape = read(source).aperture.shape
    mask = tmp_path / "mask.fits"
    fits.PrimaryHDU([[int(3 < row < 8 and 3 < col < 8) for col in range(shape[1])] for row in range(shape[0])]).writeto(
        mask
    )
    paths = set()
    for aperture in ("pipeline", "threshold", mask):
        (row,) = tessellar("--json", "photometry", source, "--aperture", aperture, "-o", tmp_path / "lc").json
        paths.add(row["path"])
    assert len(paths) == 3
    assert all(Path(path).is_file() for path in paths)
    by_mask = read(row["path"])
    assert [each.name for each in by_mask.provenance.inputs] == [source.name, "mask.fits"]


def test_the_aperture_of_a_light_curve_is_a_mask(tessellar, sky, star, tmp_path):
    source = next(sky.rglob(f"*{star}*_tp.fits"))
    (pipeline,) = tessellar("--json", "photometry", source, "-o", tmp_path).json
    for given in (source, Path(str(source).replace("_tp", "_lc")), pipeline["path"]):
        (row,) = tessellar("--json", "photometry", source, "--aperture", given, "-o", tmp_path).json
        assert row["mask_size"] == pipeline["mask_size"]
        assert row["mean_flux"] == pytest.approx(pipeline["mean_flux"])


def test_an_image_that_is_no_mask_is_refused(tessellar, sky, star, tmp_path):
    from astropy.io import fits

    source = next(sky.rglob(f"*{star}*_tp.fits"))
    fits.PrimaryHDU([[1.5] * 11] * 11).writeto(tmp_path / "flux.fits")
    ran = tessellar("photometry", source, "--aperture", tmp_path / "flux.fits", "-o", tmp_path)
    assert ran.code == 2
    assert "0 and 1" in ran.line


def test_files_of_one_name_never_replace_each_other(tessellar, real_data, tmp_path):
    import shutil

    for folder, name in (("a", "tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits"), ("b", "asteroid_test.fits")):
        (tmp_path / folder).mkdir()
        shutil.copy(real_data / name, tmp_path / folder / "cut.fits")
    ran = tessellar("--json", "photometry", tmp_path, "--aperture", "threshold", "-o", tmp_path / "lc")
    assert ran.code == 1
    assert sum(row["path"] is not None for row in ran.json) == 1
    (refused,) = [row for row in ran.json if row["path"] is None]
    assert "already" in refused["reason"]


def test_one_bad_file_does_not_stop_the_pictures_of_others(tessellar, sky, tmp_path):
    whole = next(sky.rglob("*_lc.fits"))
    (tmp_path / "half.fits").write_bytes(whole.read_bytes()[:50_000])
    ran = tessellar("look", whole, tmp_path / "half.fits", whole, "-o", tmp_path)
    assert ran.code == 1
    assert len(ran.out.split()) == 2
    assert all(Path(path).is_file() for path in ran.out.split())
    assert "half.fits" in ran.line


def test_pictures_of_files_of_one_name_stand_beside_each_other_and_whole(tessellar, sky, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    for folder, path in zip("ab", sorted(sky.rglob("*_lc.fits"))[:2], strict=True):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.fits").write_bytes(path.read_bytes())
    ran = tessellar("look", tmp_path / "a/x.fits", tmp_path / "b/x.fits", "-o", tmp_path)
    assert ran.code == 0
    assert [Path(path).name for path in ran.out.split()] == ["x.png", "x-2.png"]
    first, second = ((tmp_path / name).read_bytes() for name in ("x.png", "x-2.png"))
    assert first != second

    def half(self, path, **settings):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", half)
    assert tessellar("look", tmp_path / "b/x.fits", "-o", tmp_path).code == 4
    assert (tmp_path / "x.png").read_bytes() == first
    assert not list(tmp_path.glob(".*.part"))


def test_a_fault_of_ours_is_one_line_too(tessellar, monkeypatch):
    from tessellar import access

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(access, "search", broken)
    ran = tessellar("--archive", "http://127.0.0.1:9", "find", "TIC 1")
    assert ran.code == 4
    assert "a fault of tessellar: ZeroDivisionError" in ran.line
