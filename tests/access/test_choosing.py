"""All light curves of a star in one table: more is known of those that are here."""

from __future__ import annotations

import shutil

import pytest

import tessellar
from tessellar.access import which_light_curve
from tessellar.server import ServerThread

STAR = 188589164


@pytest.fixture(scope="module")
def archive(real_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    for name in real_data.iterdir():
        if f"{STAR}" in name.name:
            shutil.copy(name, folder)
    with ServerThread(folder) as server:
        yield server.url


def test_files_that_are_here_tell_more(archive, tmp_path):
    before = which_light_curve(STAR, tmp_path, archive=archive)
    assert sorted(before["author"]) == ["QLP", "SPOC", "TESS-SPOC"]
    assert set(before["sector"]) == {24}
    assert before["release"].tolist() == before["path"].tolist() == [None] * 3
    files = tessellar.list_products(tessellar.search(STAR, author="TESS-SPOC", archive=archive))
    assert tessellar.fetch(files, tmp_path).ok
    after = {row["author"]: row for row in which_light_curve(STAR, tmp_path, archive=archive).rows()}
    assert after["TESS-SPOC"]["release"] == 35
    assert after["TESS-SPOC"]["cdpp_2h"] == pytest.approx(198.00073242)
    assert after["TESS-SPOC"]["path"].startswith(str(tmp_path))
    assert after["SPOC"]["release"] is None


def test_a_damaged_file_is_told_and_its_row_kept(archive, tmp_path):
    files = tessellar.list_products(tessellar.search(STAR, author="QLP", archive=archive))
    (path,) = tessellar.fetch(files, tmp_path).paths
    path.write_bytes(path.read_bytes()[:5000])
    notes = []
    table = which_light_curve(files, tmp_path, listener=lambda event: notes.append(event.note))
    assert table["author"].tolist() == ["QLP"]
    assert table["path"].tolist() == [None]
    assert any("left out" in note for note in notes)
