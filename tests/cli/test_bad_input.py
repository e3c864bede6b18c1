"""Bad input, a bad archive, a bad machine: one clear line, the right exit code, nothing half-written."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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
def test_bad_usage_is_two(tessellar, arguments):
    ran = tessellar(*arguments)
    assert ran.code == 2
    assert "Traceback" not in ran.err


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
