"""`tessellar store`: a folder is verified, repaired, measured, cleaned and adopted."""

from __future__ import annotations

import shutil


def test_the_care_of_a_folder(tessellar, archive, star, sky, tmp_path):
    fetched = tessellar("--archive", archive, "--json", "fetch", star, "-o", tmp_path).json
    assert tessellar("store", "verify", tmp_path).code == 0
    first, second = sorted((tmp_path / "mastDownload").rglob("*.fits"))[:2]
    content = bytearray(first.read_bytes())
    content[5000] ^= 1
    first.write_bytes(content)
    second.unlink()
    ran = tessellar("--json", "store", "verify", tmp_path)
    assert ran.code == 1
    assert sorted(row["state"] for row in ran.json if row["state"] != "whole") == ["changed", "missing"]
    ran = tessellar("store", "verify", "--repair", tmp_path)
    assert ran.code == 0, ran.err
    assert "2 of 2 fetched again" in ran.err
    for path in (first, second):
        assert path.read_bytes() == next(sky.rglob(path.name)).read_bytes()
    used = tessellar("--json", "store", "du", tmp_path).json
    assert sum(row["files"] for row in used if row["kind"] != "quarantine") == len(fetched)
    assert {row["state"] for row in tessellar("--json", "store", "gc", tmp_path).json} == {"quarantine"}
    assert tessellar("--json", "store", "gc", tmp_path).json == []


def test_an_adopted_folder_needs_no_download(tessellar, archive, star, sky, tmp_path):
    files = [path for path in sky.rglob("*-s0001-*.fits") if f"{star:016d}" in path.name]
    assert files
    for path in files:
        shutil.copy(path, tmp_path / path.name)
    ran = tessellar("--json", "store", "adopt", tmp_path)
    assert ran.code == 0
    assert {row["state"] for row in ran.json} == {"adopted"}
    rows = tessellar("--archive", archive, "--json", "fetch", star, "--sector", "1", "-o", tmp_path).json
    assert {row["attempts"] for row in rows} == {0}
    assert {row["path"] for row in rows} == {str(tmp_path / path.name) for path in files}


def test_a_folder_that_is_not_there_is_named(tessellar, tmp_path):
    for command in ("verify", "gc", "du", "adopt"):
        ran = tessellar("store", command, tmp_path / "nowhere")
        assert ran.code == 2
        assert "no such folder" in ran.line


def test_a_deadline_ends_a_fetch_and_one_that_is_no_time_is_refused(tessellar, archive, star, tmp_path):
    ran = tessellar("--archive", archive, "fetch", star, "-o", tmp_path, "--deadline", "0")
    assert ran.code == 2
    assert "more than 0 seconds" in ran.line
    ran = tessellar("--archive", archive, "--json", "--quiet", "fetch", star, "-o", tmp_path, "--deadline", "0.000001")
    assert ran.code == 1
    assert {row["status"] for row in ran.json} == {"ERROR"}
    assert all("given to the batch" in row["message"] for row in ran.json)
