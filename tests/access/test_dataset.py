"""A recipe is locked, rebuilt elsewhere, proved without network; what has changed upstream is told, and refused."""

from __future__ import annotations

import os
import shutil

import pytest
from astropy.table import Table

import tessellar
from tessellar.access.dataset import cite, lock, parse_recipe, sync, update, verify
from tessellar.errors import InputError
from tessellar.server import ServerThread
from tessellar.simulate import simulate
from tessellar.store import Store

RECIPE = 'sectors = [1]\nkinds = ["lightcurve", "tpf"]\nauthors = ["SPOC"]\ncadences = [120]\ntitle = "All of it"'


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky")
    simulate(folder, seed=5, days=0.2, extras=False)
    return folder


@pytest.fixture
def sky(pristine, tmp_path, monkeypatch):
    monkeypatch.setenv("TESSELLAR_RETRY_WAIT", "0.01")
    return shutil.copytree(pristine, tmp_path / "sky")


@pytest.fixture
def archive(sky):
    with ServerThread(sky) as server:
        yield server.url


def target_of(sky) -> int:
    return min(int(path.name.split("-")[2]) for path in sky.glob("*-s0001-*_lc.fits"))


def spoil(path) -> None:
    """Change one byte of data, and the time."""
    content = bytearray(path.read_bytes())
    content[-3000] ^= 1
    path.write_bytes(content)
    os.utime(path, (1, 1))


def states(findings) -> list[str]:
    return sorted({finding.state for finding in findings})


def test_a_recipe_is_locked_synced_elsewhere_and_verified_offline(sky, archive, tmp_path, monkeypatch):
    made = lock(parse_recipe(RECIPE), tmp_path / "data", archive=archive)
    files = sorted(path.name for path in sky.glob("*-s0001-*_[lt][cp].fits") if "-0120-s_" in path.name)
    assert [file.name for file in made.lock.files] == files
    assert made.lock.open == []
    assert made.lock.queries[0].files == len(files)
    assert made.lock.queries[0].criteria == {
        "sector": 1, "author": "SPOC", "kinds": "lightcurve, tpf", "cadences": "120",
    }  # fmt: skip
    synced = sync(made.lock, tmp_path / "copy", layout="{kind}")
    assert synced.manifest.ok
    assert synced.filled == ()
    monkeypatch.setenv("TESSELLAR_OFFLINE", "1")
    assert states(verify(made.lock, tmp_path / "copy")) == ["whole"]
    # A folder that was copied without its ledger will do, read-only and in any layout.
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in (tmp_path / "copy").rglob("*.fits"):
        shutil.copy(path, flat / path.name)
    assert states(verify(made.lock, flat)) == ["whole"]
    spoil(flat / files[0])
    (flat / files[1]).unlink()
    assert states(verify(made.lock, flat)) == ["changed", "missing", "whole"]
    # What is here needs no network at all.
    assert set(sync(made.lock, tmp_path / "copy").manifest["Attempts"]) == {0}


def test_after_one_byte_changed_upstream_sync_refuses_and_names_the_file(sky, archive, tmp_path):
    made = lock(parse_recipe(RECIPE), tmp_path / "data", archive=archive)
    victim = made.lock.files[1].name
    spoil(sky / victim)
    synced = sync(made.lock, tmp_path / "new")
    (failed,) = synced.manifest.failed
    assert victim in failed["URI"]
    assert "changed in the archive" in failed["Message"]
    assert failed["Attempts"] == 2
    assert list((tmp_path / "new").rglob(f"{victim}*")) == []
    # Where the bytes of the lock are here, they are all that is needed, and they stay.
    assert sync(made.lock, tmp_path / "data").manifest.ok
    assert states(verify(made.lock, tmp_path / "data")) == ["whole"]
    # Nor is a longer file taken for it.
    with (sky / victim).open("ab") as stream:
        stream.write(bytes(2880))
    (failed,) = sync(made.lock, tmp_path / "new2").manifest.failed
    assert victim in failed["Message"]
    # But another source that still has them helps.
    assert sync(made.lock, tmp_path / "new3", sources=["archive", str(tmp_path / "data")]).manifest.ok


def test_update_shows_what_changed_upstream_and_touches_no_file(sky, archive, tmp_path):
    recipe = parse_recipe(RECIPE)
    first = lock(recipe, tmp_path / "data", archive=archive).lock
    again = update(first, recipe, tmp_path / "data", archive=archive)
    assert again.changes == ()
    assert again.lock.files == first.files
    touched, changed, gone = (file.name for file in first.files[:3])
    kept = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*.fits")}
    os.utime(sky / touched, (5, 5))
    spoil(sky / changed)
    (sky / gone).unlink()
    with ServerThread(sky) as server:
        later = update(first, recipe, tmp_path / "data", archive=server.url)
        assert [(change.state, change.uri.rsplit("/", 1)[-1]) for change in later.changes] == [
            ("changed", changed), ("removed", gone),
        ]  # fmt: skip
        assert {path: path.read_bytes() for path in (tmp_path / "data").rglob("*.fits")} == kept
        assert later.lock.open == []
        # The new lock brings the new bytes; the old ones are set aside, not lost.
        assert sync(later.lock, tmp_path / "data").manifest.ok
        assert states(verify(later.lock, tmp_path / "data")) == ["whole"]
        aside = list((tmp_path / "data" / ".tessellar" / "quarantine").glob("*.fits"))
        assert [path.read_bytes() for path in aside] == [kept[path] for path in kept if path.name == changed]
        assert not list((tmp_path / "data" / ".tessellar").glob("compare-*"))
        back = update(later.lock, parse_recipe(RECIPE.replace("[1]", "[1, 2]")), tmp_path / "data", archive=server.url)
    assert {change.state for change in back.changes} == {"added"}


def test_digests_left_open_are_filled_by_sync(sky, archive, tmp_path):
    recipe = parse_recipe(f"targets = [{target_of(sky)}]\nsectors = [1]")
    opened = lock(recipe, tmp_path / "data", archive=archive, fetch=False).lock
    assert len(opened.open) == len(opened.files) > 0
    assert not (tmp_path / "data").exists()
    synced = sync(opened, tmp_path / "data")
    assert sorted(synced.filled) == [file.uri for file in opened.files]
    assert synced.lock.open == []
    assert states(verify(opened, tmp_path / "data")) == ["open"]
    assert states(verify(synced.lock, tmp_path / "data")) == ["whole"]
    # What is here already need not be left open.
    assert lock(recipe, tmp_path / "data", archive=archive, fetch=False).lock.files == synced.lock.files


def test_what_could_not_be_had_stays_open_and_is_told(sky, archive, tmp_path):
    names = [path for path in sorted(sky.glob("*_lc.fits")) if "-s0001-" in path.name]
    table = tessellar.search(sector=1, archive=archive)
    assert len(table)
    names[0].unlink()
    made = lock(parse_recipe('sectors = [1]\nkinds = ["lightcurve"]'), tmp_path / "data", archive=archive)
    assert not made.manifest.ok
    assert [file.name for file in made.lock.open] == [names[0].name]


def test_a_store_that_holds_another_version_is_not_taken_for_the_locked_one(sky, archive, tmp_path):
    recipe = parse_recipe(f"targets = [{target_of(sky)}]\nsectors = [1]\nkinds = ['lightcurve']\ncadences = [120]")
    made = lock(recipe, tmp_path / "data", archive=archive).lock
    (name,) = (file.name for file in made.files)
    good = (sky / name).read_bytes()
    spoil(sky / name)
    newer = lock(recipe, tmp_path / "other", archive=archive).lock
    assert newer.files[0].sha256 != made.files[0].sha256
    (sky / name).write_bytes(good)
    store = Store(tmp_path / "other")
    assert store.recall(made.files[0].remote("")) is None
    assert store.recall(newer.files[0].remote("")) is not None
    store.close()
    assert sync(made, tmp_path / "other").manifest.ok
    assert states(verify(made, tmp_path / "other")) == ["whole"]


def test_what_a_paper_says_of_it(sky, archive, tmp_path):
    made = lock(parse_recipe(RECIPE), tmp_path / "data", archive=archive).lock
    citation = cite(made)
    text = str(citation)
    assert "https://doi.org/10.17909/t9-nmc8-f686" in text
    assert "All of it:" in text
    assert "no DOI is known here for SPOC tp:" in text
    assert "High-End Computing" in text
    assert made.queries[0].asked in text
    assert made.fingerprint in text


def test_targets_and_folders_that_are_none_are_refused(archive, tmp_path):
    with pytest.raises(InputError, match="not a TIC id"):
        lock(parse_recipe("targets = ['TIC 12345678901234']"), tmp_path, archive=archive)
    with pytest.raises(InputError, match="no such folder"):
        verify(lock(parse_recipe("targets = [99]"), tmp_path, archive=archive).lock, tmp_path / "nowhere")


def test_a_footprint_is_all_that_one_ccd_has(sky, archive, tmp_path):
    truth = Table.read(sky / "truth.ecsv")
    star = truth[truth["sector"] == 1][0]
    field = f"1-{star['camera']}-{star['ccd']}"
    there = truth[(truth["sector"] == 1) & (truth["camera"] == star["camera"]) & (truth["ccd"] == star["ccd"])]
    recipe = parse_recipe(f"footprint = ['{field}']\nkinds = ['lightcurve']\nauthors = ['SPOC']\ncadences = [120]")
    made = lock(recipe, tmp_path / "data", archive=archive)
    tics = sorted(int(file.name.split("-")[2]) for file in made.lock.files)
    assert tics == sorted(int(tic) for tic in there["tic"])
    assert made.lock.queries[0].criteria["camera"] == star["camera"]
