"""Find, fetch, measure, look: each command as a user types it."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tessellar as package


def test_find_lists_files_with_the_promised_keys(tessellar, archive, star):
    ran = tessellar("--archive", archive, "--json", "find", f"TIC {star}")
    assert ran.code == 0
    assert ran.err == ""
    keys = {"obs_id", "target", "sector", "camera", "ccd", "cadence", "kind", "author", "filename", "uri", "size"}
    keys |= {"sector_first", "sector_last", "s3_uri", "summary"}
    assert {frozenset(row) for row in ran.json} == {frozenset(keys)}
    assert {row["target"] for row in ran.json} == {str(star)}
    assert {row["kind"] for row in ran.json} == {"lightcurve", "tpf"}
    assert len({row["sector"] for row in ran.json}) == 2


@pytest.mark.parametrize("spelling", ["TIC {}", "TIC_{}", "{}", "tic{}"])
def test_each_spelling_finds_the_same(tessellar, archive, star, spelling):
    rows = tessellar("--archive", archive, "--json", "find", spelling.format(star)).json
    assert rows == tessellar("--archive", archive, "--json", "find", star).json


def test_find_narrows_by_everything_it_offers(tessellar, archive, star):
    rows = tessellar("--archive", archive, "--json", "find", star).json
    one = rows[0]
    narrowed = tessellar(
        "--archive", archive, "--json", "find", "--sector", one["sector"], "--camera", one["camera"],
        "--ccd", one["ccd"], "--cadence", 120, "--author", one["author"], "--kind", "lightcurve",
    ).json  # fmt: skip
    assert {row["sector"] for row in narrowed} == {one["sector"]}
    assert {row["kind"] for row in narrowed} == {"lightcurve"}
    assert len({row["target"] for row in narrowed}) == 8
    elsewhere = tessellar("--archive", archive, "--json", "find", star, "--camera", one["camera"] % 4 + 1)
    assert [row for row in elsewhere.json if row["sector"] == one["sector"]] == []
    assert tessellar("--archive", archive, "--json", "find", star, "--cadence", 20).json == []


def test_a_cone_finds_the_neighbours_too(tessellar, archive, star):
    rows = tessellar("--archive", archive, "--json", "find", star, "--radius", 5).json
    assert len({row["target"] for row in rows}) > 1


def test_find_prints_csv_urls_and_a_table(tessellar, archive, star):
    rows = tessellar("--archive", archive, "--json", "find", star).json
    as_csv = list(csv.DictReader(io.StringIO(tessellar("--archive", archive, "find", star, "--csv").out)))
    assert [row["filename"] for row in as_csv] == [row["filename"] for row in rows]
    urls = tessellar("--archive", archive, "find", star, "--urls").out.split()
    assert all(url.startswith(f"{archive}/") and row["uri"] in url for url, row in zip(urls, rows, strict=True))
    table = tessellar("--archive", archive, "find", star)
    assert all(row["filename"] in table.out for row in rows)
    assert f"{len(rows)} files" in table.err


def test_resolve_gives_position_and_sectors(tessellar, archive, star):
    found = tessellar("--archive", archive, "--json", "resolve", f"TIC {star}").json
    assert found["tic"] == star
    assert -90 <= found["dec"] <= 90
    assert len(found["sectors"]) == 2
    assert f"TIC {star}" in tessellar("--archive", archive, "resolve", star).out


def test_fetch_gets_the_archive_s_bytes_once(tessellar, archive, star, sky, tmp_path):
    ran = tessellar("--archive", archive, "--json", "fetch", star, "-o", tmp_path)
    assert ran.code == 0
    for row in ran.json:
        fetched = Path(row["path"])
        (source,) = sky.rglob(fetched.name)
        assert fetched.read_bytes() == source.read_bytes()
        assert row["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
        assert row["bytes"] == source.stat().st_size
        assert fetched.parent.parent.parent == tmp_path / "mastDownload"
        assert row["status"] == "COMPLETE"
    assert len(list(tmp_path.glob("manifest_*.ecsv"))) == 1
    again = tessellar("--archive", archive, "--json", "fetch", star, "-o", tmp_path)
    assert {row["attempts"] for row in again.json} == {0}


def test_photometry_of_what_was_fetched(tessellar, archive, star, tmp_path):
    tessellar("--archive", archive, "fetch", star, "-o", tmp_path)
    ran = tessellar("--json", "photometry", tmp_path, "--tic", star, "--method", "aperture", "--source", "tpf",
                    "-o", tmp_path / "lc")  # fmt: skip
    assert ran.code == 0, ran.err
    assert len(ran.json) == 2
    for row in ran.json:
        assert row["tic"] == star
        assert row["status"] == "OK"
        assert row["method"] == "aperture"
        assert Path(row["path"]).is_absolute()
        curve = package.read(row["path"])
        (pipeline,) = tmp_path.rglob(Path(row["input"]).name.replace("_tp.fits", "_lc.fits"))
        theirs = package.read(pipeline)
        good = theirs.good()
        np.testing.assert_allclose(curve.flux[good], theirs.column("SAP_FLUX")[good], rtol=1e-6)
        np.testing.assert_array_equal(curve.btjd, theirs.btjd)
        digests = {each.name: each.sha256 for each in curve.provenance.inputs}
        assert digests == {Path(row["input"]).name: hashlib.sha256(Path(row["input"]).read_bytes()).hexdigest()}


def test_look_draws_a_file_and_a_target(tessellar, archive, star, sky, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = next(sky.rglob("*_lc.fits"))
    ran = tessellar("look", path)
    assert ran.code == 0
    assert (tmp_path / path.with_suffix(".png").name).read_bytes().startswith(b"\x89PNG")
    ran = tessellar("--archive", archive, "--json", "look", star, "--sector", 1, "--kind", "tpf", "-o", tmp_path)
    assert ran.code == 0, ran.err
    assert all(Path(picture).is_file() for picture in ran.json)


def test_help_names_every_command(tessellar):
    ran = tessellar("--help")
    assert ran.code == 0
    for command in ("demo", "resolve", "find", "fetch", "photometry", "look", "serve", "simulate"):
        assert command in ran.out
        assert tessellar(command, "--help").code == 0


def start_server(folder: Path) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "tessellar", "serve", str(folder), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    line = server.stdout.readline().strip()
    assert line.startswith("listening on http://127.0.0.1:")
    return server, line.removeprefix("listening on ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_one_line_and_stops_cleanly(sky, tessellar, star, number):
    server, url = start_server(sky)
    try:
        assert tessellar("--archive", url, "--json", "find", star).code == 0
        started = time.monotonic()
        server.send_signal(number)
        assert server.wait(timeout=5) in (0, 130)
        assert time.monotonic() - started < 2
        assert server.stdout is not None
        assert server.stdout.read() == ""
    finally:
        server.kill()
        server.stdout.close()


def test_a_closed_pipe_is_no_error(archive, star):
    command = f"{sys.executable} -m tessellar --archive {archive} find --sector 1 --csv | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def kill_fetch(archive: str, sky: Path, folder: Path, delays: list[float]) -> None:
    """Kill a fetch at these moments, then let it finish: every file is the archive's, and nothing is left over."""
    command = [sys.executable, "-m", "tessellar", "--archive", archive, "--quiet", "fetch", "--sector", "1",
               "-o", str(folder)]  # fmt: skip
    for delay in delays:
        fetch = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        fetch.send_signal(signal.SIGKILL)
        fetch.wait()
        for path in (folder / "mastDownload").rglob("*.fits") if folder.exists() else ():
            assert path.read_bytes() == next(sky.rglob(path.name)).read_bytes()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wanted = sorted(path.name for path in sky.rglob("*-s0001-*.fits"))
    fetched = sorted((folder / "mastDownload").rglob("*.*"))
    assert [path.name for path in fetched] == wanted
    for path in fetched:
        assert path.read_bytes() == next(sky.rglob(path.name)).read_bytes()


def test_a_killed_fetch_ends_well(archive, sky, tmp_path):
    import random

    moments = random.Random(os.environ.get("TESSELLAR_TEST_SEED", "1"))
    kill_fetch(archive, sky, tmp_path, [moments.uniform(0.3, 1.2) for _ in range(3)])


@pytest.mark.heavy
def test_a_fetch_killed_at_twenty_moments_ends_well(archive, sky, tmp_path):
    import random

    moments = random.Random(20)
    for round_ in range(4):
        kill_fetch(archive, sky, tmp_path / str(round_), [moments.uniform(0.3, 1.4) for _ in range(5)])


def test_ctrl_c_ends_with_a_complete_manifest(archive, sky, tmp_path):
    command = [sys.executable, "-m", "tessellar", "--archive", archive, "--json", "fetch", "--sector", "1",
               "-o", str(tmp_path)]  # fmt: skip
    environment = {**os.environ, "TESSELLAR_CONNECTIONS": "1"}
    fetch = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 20
    while not list(tmp_path.rglob("*.part")) and fetch.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    fetch.send_signal(signal.SIGINT)
    out, err = fetch.communicate(timeout=20)
    assert "Traceback" not in err
    if fetch.returncode == 0:  # it was faster than the signal
        return
    assert fetch.returncode == 130, err
    import json

    rows = json.loads(out)
    assert len(rows) == len(list(sky.rglob("*-s0001-*.fits")))
    assert {row["status"] for row in rows} <= {"COMPLETE", "ERROR"}
    # All is complete only if the signal came after the last byte.
    assert all(("interrupted" in row["message"]) == (row["status"] == "ERROR") for row in rows)


def test_find_around_a_position_and_resolve_it(tessellar, archive, star):
    found = tessellar("--archive", archive, "--json", "resolve", star).json
    assert {field["sector"] for field in found["fields"]} >= {1, 2}
    place = f"{found['ra']} {found['dec']}"
    rows = tessellar("--archive", archive, "--json", "find", "--position", place, "--radius", "0.001").json
    assert rows == tessellar("--archive", archive, "--json", "find", star).json
    again = tessellar("--archive", archive, "--json", "resolve", place).json
    assert (again["tic"], again["matched"]) == (star, "position")


def test_a_curl_script_fetches_the_same_files_into_the_same_places(tessellar, archive, star, sky, tmp_path):
    import shutil

    script = tessellar("--archive", archive, "find", star, "--kind", "lightcurve", "--curl").out
    assert script.count("curl ") == 2
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    for _ in range(2):  # a second run continues what was cut off, here nothing
        done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    files = list(tmp_path.rglob("*.fits"))
    assert len(files) == 2, done.stderr
    for path in files:
        assert path.read_bytes() == next(sky.rglob(path.name)).read_bytes()
    ran = tessellar("--archive", archive, "--json", "fetch", star, "--kind", "lightcurve", "-o", tmp_path)
    assert {row["attempts"] for row in ran.json} == {0}


def test_offline_answers_from_what_was_asked(tessellar, archive, star):
    rows = tessellar("--archive", archive, "--json", "find", star).json
    assert tessellar("--archive", archive, "--offline", "--json", "find", star).json == rows
    ran = tessellar("--archive", archive, "--offline", "find", "--sector", 77)
    assert ran.code == 3
    assert "offline" in ran.line
    assert tessellar("--offline", "--refresh", "find", star).code == 2
