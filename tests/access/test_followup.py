"""Tagged files of ExoFOP in a data set: written down, locked, rebuilt elsewhere, proved."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tessellar.access.dataset import cite, lock, parse_recipe, read_lock, sync, verify, write_lock
from tessellar.errors import InputError
from tessellar.server import ServerThread
from tests import exofopfolder as made

RECIPE = f'title = "Nights"\ntargets = ["TIC {made.STAR}"]\ntags = [5903, "5734"]\n'


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[ServerThread]:
    made.make(tmp_path / "archive")
    with ServerThread(tmp_path / "archive") as archive:
        yield archive


def test_tagged_files_are_locked_and_rebuilt_byte_for_byte(archive: ServerThread, tmp_path: Path) -> None:
    found = lock(parse_recipe(RECIPE), tmp_path / "here", archive=archive.url)
    assert [(file.obs_id, file.uri) for file in found.lock.files] == [
        (tag, f"exofop:file/{tag}{number}") for tag in ("5734", "5903") for number in range(3)
    ]
    assert found.lock.open == []
    assert dict(found.lock.queries[0].criteria)["tags"] == "5903, 5734"
    path = write_lock(found.lock, tmp_path / "nights.lock")
    synced = sync(read_lock(path), tmp_path / "there", archive=archive.url)
    assert synced.manifest.ok
    folder = tmp_path / "there" / "mastDownload" / "ExoFOP" / "5903"
    served = tmp_path / "archive" / "exofop" / "tags" / "5903"
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == {
        each.name: each.read_bytes() for each in served.iterdir()
    }
    assert {finding.state for finding in verify(found.lock, tmp_path / "there")} == {"whole"}
    assert "6 files" in str(cite(found.lock))


def test_a_file_that_changed_at_exofop_is_refused(archive: ServerThread, tmp_path: Path) -> None:
    found = lock(parse_recipe(RECIPE), tmp_path / "here", archive=archive.url)
    notes = next((tmp_path / "archive" / "exofop" / "tags" / "5903").glob("*notes.txt"))
    notes.write_text("Other notes.\n")
    shutil.rmtree(tmp_path / "here")
    synced = sync(found.lock, tmp_path / "there", archive=archive.url)
    assert [str(row["URI"]) for row in synced.manifest.failed] == ["exofop:file/59031"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tags = [5903]", "tags go with targets alone"),
        ('targets = ["TIC 1"]\ntags = [5903]\nkinds = ["tpf"]', "tags go with targets alone"),
        ('targets = ["TIC 1"]\ntags = [1.5]', "1.5 is no tag"),
        ('targets = ["TIC 1"]\ntag = [5903]', "did you mean tags"),
    ],
)
def test_recipes_that_make_no_sense_are_named(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse_recipe(text)


@pytest.mark.parametrize("tag", ["9", made.GROUP_TAG])
def test_a_tag_without_files_for_everybody_is_named(archive: ServerThread, tmp_path: Path, tag: str) -> None:
    recipe = parse_recipe(f'targets = ["TIC {made.STAR}"]\ntags = [5903, {tag}]')
    with pytest.raises(InputError, match=f"ExoFOP lists no files of {tag}"):
        lock(recipe, tmp_path, archive=archive.url)
