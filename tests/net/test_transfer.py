"""Transfers end whole, or say why not; nothing half ever gets the final name."""

from __future__ import annotations

import asyncio
import random
import socket
from email.utils import formatdate

import pytest

from tessellar.config import Settings
from tessellar.errors import (
    AuthError,
    IntegrityError,
    Interrupted,
    NotFound,
    Unavailable,
    UnexpectedReply,
)
from tessellar.net import Outcome, Remote, run, transfer
from tessellar.store import Store
from tests.webserver import FileServer, Misbehaviour, running

SETTINGS = Settings(retry_wait=0.01, attempts=4, connect_timeout=2.0, idle_timeout=2.0)
BODY = random.Random(1).randbytes(300_000)


@pytest.fixture
def server():
    with running() as files:
        files.files["/a.dat"] = BODY
        yield files


def fetch(server: FileServer, folder, *names: str, settings: Settings = SETTINGS) -> list[Outcome]:
    remotes = [Remote(f"mast:TESS/product/{name}", f"{server.url}/{name}", name, "TESS", "obs") for name in names]
    store, outcomes = Store(folder), []
    run(transfer(remotes, store, settings, outcomes))
    store.close()
    return outcomes


def final(folder, name="a.dat"):
    return folder / "mastDownload" / "TESS" / "obs" / name


def leftovers(folder):
    return [path.name for path in folder.rglob("*.part")]


def test_a_file_arrives_whole_and_is_not_asked_for_again(server, tmp_path):
    (outcome,) = fetch(server, tmp_path, "a.dat")
    assert final(tmp_path).read_bytes() == BODY
    assert outcome.error is None
    assert outcome.attempts == 1
    (again,) = fetch(server, tmp_path, "a.dat")
    assert again.attempts == 0
    assert server.count("/a.dat") == 1


@pytest.mark.parametrize(
    "how",
    [
        Misbehaviour(status=503),
        Misbehaviour(status=429, headers={"Retry-After": "0"}),
        Misbehaviour(status=503, headers={"Retry-After": formatdate(0, usegmt=True)}),
        Misbehaviour(cut_after=1000),
        Misbehaviour(cut_after=0),
        Misbehaviour(drop=True),
        Misbehaviour(status=200, headers={"Content-Type": "text/html"}, body=b"<html>sorry</html>"),
        Misbehaviour(status=200, headers={"Content-Type": "application/json; charset=utf-8"}, body=b'{"msg": "no"}'),
    ],
    ids=["503", "429", "503-date", "cut", "empty", "drop", "html", "json"],
)
def test_trouble_that_passes_is_sat_out(server, tmp_path, how):
    server.plan["/a.dat"] = [how, how]
    (outcome,) = fetch(server, tmp_path, "a.dat")
    assert outcome.error is None, outcome.error
    assert outcome.attempts == 3
    assert final(tmp_path).read_bytes() == BODY
    assert leftovers(tmp_path) == []


def test_a_cut_body_is_continued_where_it_stopped(server, tmp_path):
    server.plan["/a.dat"] = [Misbehaviour(cut_after=200_000)]
    fetch(server, tmp_path, "a.dat")
    assert final(tmp_path).read_bytes() == BODY
    assert server.sent["/a.dat"] == len(BODY)
    assert server.requests[1][1]["range"] == "bytes=200000-"
    assert "if-range" in server.requests[1][1]


@pytest.mark.parametrize(
    "second",
    [Misbehaviour(ignore_range=True), Misbehaviour(wrong_range=True), Misbehaviour(status=416)],
    ids=["ignores-range", "wrong-range", "416"],
)
def test_only_a_matching_answer_is_appended(server, tmp_path, second):
    server.plan["/a.dat"] = [Misbehaviour(cut_after=200_000), second]
    (outcome,) = fetch(server, tmp_path, "a.dat")
    assert outcome.error is None
    assert final(tmp_path).read_bytes() == BODY


def test_a_file_that_changed_between_two_tries_starts_over(server, tmp_path):
    server.plan["/a.dat"] = [Misbehaviour(cut_after=200_000)]
    (outcome,) = fetch(server, tmp_path, "a.dat", settings=Settings(attempts=1))
    assert isinstance(outcome.error, Interrupted)
    assert leftovers(tmp_path) == ["a.dat.part"]
    server.files["/a.dat"] = BODY[::-1]
    fetch(server, tmp_path, "a.dat")
    assert final(tmp_path).read_bytes() == BODY[::-1]


def test_bytes_without_a_validator_are_never_continued(server, tmp_path):
    server.plan["/a.dat"] = [Misbehaviour(cut_after=200_000, no_validator=True)]
    fetch(server, tmp_path, "a.dat")
    assert final(tmp_path).read_bytes() == BODY
    assert "range" not in server.requests[1][1]


@pytest.mark.parametrize(
    ("status", "error"), [(404, NotFound), (410, NotFound), (401, AuthError), (403, AuthError), (400, UnexpectedReply)]
)
def test_final_refusals_are_not_retried(server, tmp_path, status, error):
    server.plan["/a.dat"] = [Misbehaviour(status=status)] * 9
    (outcome,) = fetch(server, tmp_path, "a.dat")
    assert isinstance(outcome.error, error)
    assert outcome.attempts == 1
    assert not final(tmp_path).exists()
    assert leftovers(tmp_path) == []


def test_one_bad_file_does_not_stop_the_others(server, tmp_path):
    server.files["/b.dat"] = b"b" * 1000
    outcomes = {each.remote.filename: each for each in fetch(server, tmp_path, "missing.dat", "a.dat", "b.dat")}
    assert isinstance(outcomes["missing.dat"].error, NotFound)
    assert final(tmp_path, "b.dat").read_bytes() == b"b" * 1000
    assert final(tmp_path).read_bytes() == BODY


def test_trouble_that_does_not_pass_is_told(server, tmp_path):
    server.plan["/a.dat"] = [Misbehaviour(status=503)] * 9
    (outcome,) = fetch(server, tmp_path, "a.dat")
    assert isinstance(outcome.error, Unavailable)
    assert "503" in str(outcome.error)
    assert outcome.attempts == 4


def test_an_archive_that_is_not_there_is_named(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nowhere = FileServer()
    nowhere.url = f"http://127.0.0.1:{port}"
    (outcome,) = fetch(nowhere, tmp_path, "a.dat")
    assert isinstance(outcome.error, Unavailable)
    assert f"127.0.0.1:{port} cannot be reached" in str(outcome.error)


def test_a_wrong_digest_is_an_error_and_leaves_nothing(server, tmp_path):
    remote = Remote("mast:x", f"{server.url}/a.dat", "a.dat", "TESS", "obs", digest="md5:" + "0" * 32)
    store, outcomes = Store(tmp_path), []
    run(transfer([remote], store, SETTINGS, outcomes))
    assert isinstance(outcomes[0].error, IntegrityError)
    assert not final(tmp_path).exists()
    assert leftovers(tmp_path) == []


def test_it_works_inside_a_running_loop(server, tmp_path):
    async def notebook_cell():
        return fetch(server, tmp_path, "a.dat")

    (outcome,) = asyncio.run(notebook_cell())
    assert outcome.kept is not None
    assert outcome.kept.path.read_bytes() == BODY
