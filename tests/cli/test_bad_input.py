"""Bad input, a bad archive, a bad machine: one clear line, the right exit code, nothing half-written."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

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


def spoiled(archive: str, sky: Path, how: list[Misbehaviour]):
    """Give an archive that answers questions as `archive` does, but spoils each file in turn."""
    raise NotImplementedError


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


def as_nobody(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a user without rights, where the tests themselves run as root."""
    def drop() -> None:
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)

    environment = {**os.environ, "HOME": str(cwd), "TESSELLAR_RETRY_WAIT": "0.01"}
    return subprocess.run(
        [sys.executable, "-m", "tessellar", *map(str, command)],
        capture_output=True, text=True, check=False, cwd="/", env=environment, preexec_fn=drop,
    )  # fmt: skip


def test_no_permission(archive, star, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    done = as_nobody("--archive", archive, "fetch", star, "-o", locked / "data", cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "locked" in done.stderr
    assert list(locked.iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk(tessellar, archive, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        ran = tessellar("--archive", archive, "--json", "fetch", "--sector", "1", "-o", disk)
        assert ran.code == 4
        assert "Traceback" not in ran.err
        if ran.out:
            assert {row["status"] for row in ran.json} >= {"ERROR"}
            assert any("disk is full" in row["message"] for row in ran.json)
        whole = [path for path in disk.rglob("*.fits") if path.is_file()]
        assert all(path.stat().st_size % 2880 == 0 for path in whole)
    finally:
        subprocess.run(["umount", disk], check=True)
