"""`tessellar dataset`: the commands, their exit codes, and what they print."""

from __future__ import annotations

import shutil

import pytest

from tessellar.server import ServerThread


@pytest.fixture
def recipe(star, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(
        f'title = "One star"\ntargets = ["TIC {star}"]\nsectors = [1]\nkinds = ["lightcurve"]\nauthors = ["SPOC"]\n'
    )
    return path


def test_from_a_recipe_to_proof_on_another_machine(tessellar, archive, recipe, tmp_path):
    ran = tessellar("--archive", archive, "dataset", "lock", recipe, "-o", tmp_path / "data")
    assert ran.code == 0, ran.err
    assert "study.lock: written" in ran.line
    lock = tmp_path / "study.lock"
    before = lock.read_text()
    ran = tessellar("--archive", archive, "dataset", "lock", recipe, "-o", tmp_path / "data")
    assert ran.code == 2
    assert "--update" in ran.line
    ran = tessellar("--archive", archive, "dataset", "lock", recipe, "-o", tmp_path / "data", "--update")
    assert ran.code == 0
    assert "nothing has changed" in ran.line
    assert lock.read_text() == before
    ran = tessellar("--json", "--quiet", "dataset", "sync", lock, "-o", tmp_path / "copy", "--layout", "{author}")
    assert ran.code == 0
    assert ran.err == ""
    assert {row["status"] for row in ran.json} == {"COMPLETE"}
    assert all(row["path"].startswith(str(tmp_path / "copy" / "SPOC")) for row in ran.json)
    ran = tessellar("--offline", "--json", "dataset", "verify", lock, "-o", tmp_path / "copy")
    assert ran.code == 0
    assert {row["state"] for row in ran.json} == {"whole"}
    ran = tessellar("dataset", "cite", lock)
    assert ran.code == 0
    assert "10.17909/t9-nmc8-f686" in ran.out
    next((tmp_path / "copy").rglob("*.fits")).unlink()
    ran = tessellar("dataset", "verify", lock, "-o", tmp_path / "copy")
    assert ran.code == 1
    assert ran.out.startswith("missing")


def test_open_digests_are_filled_and_changes_upstream_are_refused_by_name(tessellar, sky, star, recipe, tmp_path):
    mine = shutil.copytree(sky, tmp_path / "sky")
    with ServerThread(mine) as server:
        to = ("--archive", server.url, "dataset")
        ran = tessellar(*to, "lock", recipe, "-o", tmp_path / "data", "--no-fetch")
        assert ran.code == 0
        assert "digests open" in ran.line
        ran = tessellar(*to, "sync", tmp_path / "study.lock", "-o", tmp_path / "data")
        assert ran.code == 0
        assert "digests filled in that were open" in ran.err
        victim = next(path for path in mine.glob("*-s0001-*_lc.fits") if f"{star:016d}" in path.name)
        content = bytearray(victim.read_bytes())
        content[-3000] ^= 1
        victim.write_bytes(content)
        ran = tessellar(*to, "sync", tmp_path / "study.lock", "-o", tmp_path / "new")
        assert ran.code == 1
        assert victim.name in ran.out
        assert "changed in the archive" in ran.out
        ran = tessellar(*to, "lock", recipe, "-o", tmp_path / "data", "--update")
        assert ran.code == 0
        assert ran.out.startswith("~ mast:TESS/product/")


@pytest.mark.parametrize("command", ["sync", "verify", "cite"])
def test_what_is_no_lock_is_one_line(tessellar, command, tmp_path):
    assert "no such lock file" in tessellar("dataset", command, tmp_path / "x.lock").line
    (tmp_path / "x.lock").write_text("<<<<<<< HEAD\n")
    ran = tessellar("dataset", command, tmp_path / "x.lock")
    assert ran.code == 2
    assert "x.lock: not a lock file" in ran.line


def test_what_is_no_recipe_is_one_line(tessellar, tmp_path):
    assert tessellar("dataset", "lock", tmp_path / "x.toml").code == 2
    (tmp_path / "x.toml").write_text("target = 3")
    ran = tessellar("dataset", "lock", tmp_path / "x.toml")
    assert ran.code == 2
    assert "did you mean targets" in ran.line


def test_a_recipe_that_finds_nothing_says_so(tessellar, archive, tmp_path):
    (tmp_path / "x.toml").write_text('sectors = [77]\nauthors = ["SPOC"]\n')
    ran = tessellar("--archive", archive, "dataset", "lock", tmp_path / "x.toml", "-o", tmp_path)
    assert ran.code == 0
    assert "nothing found for sector 77, author SPOC" in ran.err
    assert "0 files" in ran.err


def test_a_layout_or_source_that_cannot_be_is_refused_before_anybody_is_asked(tessellar, tmp_path):
    to = ("--archive", "http://127.0.0.1:1", "fetch", "TIC 1", "-o", tmp_path)
    assert "did you mean sector" in tessellar(*to, "--layout", "{sctor}").line
    assert "exclude each other" in tessellar(*to, "--layout", "{sector}", "--flat").line
    assert "no such folder" in tessellar(*to, "--source", tmp_path / "nowhere").line
