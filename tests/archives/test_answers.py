"""Kept answers: without network the same tables as with it; nothing is made up."""

from __future__ import annotations

import gzip
import json
from urllib.parse import parse_qs

import pytest

import tessellar
from tessellar import config
from tessellar.archives.answers import Answers
from tessellar.config import Settings
from tessellar.errors import ArchiveError, ConfigError
from tests.webserver import FileServer, Misbehaviour, running


class OneStar(FileServer):
    """An archive with one observation and one file."""

    def answer(self, path: str) -> Misbehaviour | None:
        if path != "/api/v0/invoke":
            return None
        service = json.loads(parse_qs(self.forms[-1])["request"][0])["service"]
        row = {"obsid": 7, "obs_id": "o", "target_name": "1", "sequence_number": 1, "obs_collection": "TESS"}
        if service == "Mast.Caom.Products":
            row = {"obsID": 7, "obs_id": "o", "dataURI": "mast:TESS/product/a.dat", "obs_collection": "TESS"}
        return Misbehaviour(status=200, body=json.dumps({"status": "COMPLETE", "data": [row]}).encode())


@pytest.fixture
def archive():
    with running(OneStar()) as server:
        server.files["/api/v0.1/Download/file?uri=mast:TESS/product/a.dat"] = b"bytes" * 100
        yield server


def test_what_was_asked_once_is_answered_and_fetched_again_without_network(archive, tmp_path):
    table = tessellar.search(1, archive=archive.url)
    products = tessellar.list_products(table)
    manifest = tessellar.fetch(products, tmp_path)
    assert manifest.ok, manifest["Message"]
    asked = len(archive.requests)
    with config.overriding(offline=True):
        again = tessellar.search(1, archive=archive.url)
        assert again.rows() == table.rows()
        assert tessellar.list_products(again).rows() == products.rows()
        assert tessellar.fetch(products, tmp_path).ok
        other = tessellar.fetch(products, tmp_path / "elsewhere")
        assert not other.ok
        assert "offline" in other["Message"][0]
    assert len(archive.requests) == asked


def test_what_was_never_asked_is_no_answer(archive):
    with config.overriding(offline=True), pytest.raises(ArchiveError, match=r"offline: .* never asked"):
        tessellar.search(2, archive=archive.url)
    assert archive.requests == []


def test_answers_do_for_as_long_as_is_said(archive):
    for _ in range(2):
        tessellar.search(1, archive=archive.url)
    assert len(archive.requests) == 2
    with config.overriding(answers_for=1.0):
        tessellar.search(1, archive=archive.url)
    assert len(archive.requests) == 2
    with config.overriding(answers_for=1e-9):
        tessellar.search(1, archive=archive.url)
    assert len(archive.requests) == 3


def test_a_damaged_answer_is_as_good_as_none(tmp_path):
    answers = Answers(Settings(answers_for=1.0), tmp_path)
    question = {"archive": "x"}
    answers.keep(question, [1])
    kept = answers.recall(question)
    assert kept is not None
    assert kept.value == [1]
    (path,) = tmp_path.rglob("*.gz")
    for content in (b"", b"no gzip", gzip.compress(b"{}"), path.read_bytes()[:20]):
        path.write_bytes(content)
        assert answers.recall(question) is None


@pytest.mark.parametrize(
    "pages",
    [
        [[{"a": 1, "b": "x"}, {"a": 2, "b": "x"}], [{"a": 3, "b": "x"}]],
        [[{"a": 1}, {"a": True}, {"a": 1.0}], [{"a": None}]],
        [[{"a": 1}, {"b": 2}, {}], [{}]],
        [[{"a": [1]}, {"a": [1]}], [{"a": {}}, {"a": {}}]],
        [[], [{"a": "é"}]],
    ],
)
def test_pages_are_kept_as_they_came(tmp_path, pages):
    answers = Answers(Settings(answers_for=1.0), tmp_path)
    keeping = answers.keeping({"archive": "x"})
    for page in pages:
        keeping.add(page)
    assert answers.recall({"archive": "x"}) is None
    keeping.finish()
    kept = answers.recall({"archive": "x"})
    assert kept is not None
    assert repr(kept.value) == repr([row for page in pages for row in page])


def test_an_answer_that_is_not_whole_is_not_kept(tmp_path):
    answers = Answers(Settings(answers_for=1.0), tmp_path)
    keeping = answers.keeping({"archive": "x"})
    keeping.add([{"a": 1}])
    keeping.drop()
    keeping.finish()
    assert answers.recall({"archive": "x"}) is None
    assert not list(tmp_path.rglob("*.gz*"))


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_text("")
    assert Answers(Settings(), tmp_path / "file").keep({"archive": "x"}, [1]).value == [1]


@pytest.mark.parametrize(("word", "meant"), [("1", True), ("true", True), ("ON", True), ("0", False), ("no", False)])
def test_switches_are_written_in_many_ways(word, meant):
    assert config.load(environ={"TESSELLAR_OFFLINE": word}).offline is meant


def test_a_switch_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="TESSELLAR_OFFLINE"):
        config.load(environ={"TESSELLAR_OFFLINE": "maybe"})
