"""Transfers end whole, or say why not; nothing half ever gets the final name."""

from __future__ import annotations

import asyncio
import gzip
import random
import socket
import time
from email.utils import formatdate

import pytest

from tessellar.config import Settings
from tessellar.errors import (
    AuthError,
    IntegrityError,
    Interrupted,
    NoSpace,
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
    server.plan["/a.dat"] = [Misbehaviour(cut_after=200_000), Misbehaviour(cut_after=0)]
    (outcome,) = fetch(server, tmp_path, "a.dat", settings=Settings(attempts=1, retry_wait=0))
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


def test_attempts_that_bring_a_file_further_are_free(server, tmp_path):
    server.plan["/a.dat"] = [Misbehaviour(cut_after=70_000)] * 4
    (outcome,) = fetch(server, tmp_path, "a.dat", settings=Settings(attempts=1, retry_wait=0))
    assert outcome.error is None
    assert outcome.attempts == 5
    assert server.sent["/a.dat"] == len(BODY)


def test_a_file_that_never_ends_is_given_up(server, tmp_path):
    # Each answer is another version, cut after much of it: none brings the file further than the first did.
    server.answer = lambda path: Misbehaviour(
        status=200, headers={"ETag": f'"{len(server.requests)}"'}, body=BODY, cut_after=200_000
    )
    (outcome,) = fetch(server, tmp_path, "a.dat")
    assert isinstance(outcome.error, Interrupted)
    assert outcome.attempts <= 2 * SETTINGS.attempts


def test_retry_after_is_waited_for(server, tmp_path):
    server.plan["/a.dat"] = [Misbehaviour(status=503, headers={"Retry-After": "1"})]
    start = time.monotonic()
    (outcome,) = fetch(server, tmp_path, "a.dat")
    assert outcome.error is None
    assert time.monotonic() - start >= 1.0


def test_what_is_not_whole_at_the_deadline_is_given_up_and_goes_on_later(server, tmp_path):
    server.files["/b.dat"] = b"b" * 1000
    server.plan["/a.dat"] = [Misbehaviour(cut_after=200_000), Misbehaviour(status=503, headers={"Retry-After": "60"})]
    remotes = [Remote(name, f"{server.url}/{name}", name, "TESS", "obs") for name in ("a.dat", "b.dat")]
    store, outcomes = Store(tmp_path), []
    start = time.monotonic()
    run(transfer(remotes, store, SETTINGS, outcomes, deadline=0.7))
    assert time.monotonic() - start < 5
    errors = {outcome.remote.uri: outcome.error for outcome in outcomes}
    assert errors["b.dat"] is None
    assert "a.dat was not whole when the 0.7 s" in str(errors["a.dat"])
    fetch(server, tmp_path, "a.dat")
    assert final(tmp_path).read_bytes() == BODY
    assert server.sent["/a.dat"] == len(BODY)


def test_a_host_that_gives_nothing_is_not_asked_for_ever(server, tmp_path):
    server.answer = lambda path: Misbehaviour(status=503)
    names = [f"{number}.dat" for number in range(300)]
    outcomes = fetch(server, tmp_path, *names)
    assert len(outcomes) == 300
    assert all(isinstance(outcome.error, Unavailable) for outcome in outcomes)
    assert len(server.requests) < 300
    assert any("gave none of the 10 files before" in str(outcome.error) for outcome in outcomes)


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz"])
def test_a_body_that_a_server_packed_is_unpacked_and_one_that_is_packed_is_not(server, tmp_path, name):
    plain = b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =                    8".ljust(80)
    plain = (plain + b"NAXIS   =                    0".ljust(80) + b"END".ljust(80)).ljust(2880)
    packed = gzip.compress(plain)
    server.plan[f"/{name}"] = [Misbehaviour(status=200, headers={"Content-Encoding": "gzip"}, body=packed)]
    (outcome,) = fetch(server, tmp_path, name)
    assert outcome.error is None
    assert final(tmp_path, name).read_bytes() == (plain if name == "a.fits" else packed)


def test_a_file_that_cannot_fit_is_refused_before_its_first_byte(server, tmp_path, monkeypatch):
    class Full:
        f_bavail, f_frsize = 10, 1000

    monkeypatch.setattr("tessellar.net.disk.os.statvfs", lambda _: Full)
    (outcome,) = fetch(server, tmp_path, "a.dat")
    assert isinstance(outcome.error, NoSpace)
    assert "0.3 MB are to come" in str(outcome.error)
    assert leftovers(tmp_path) == []


def test_files_known_to_be_here_need_no_connection(server, tmp_path, monkeypatch):
    fetch(server, tmp_path, "a.dat")
    monkeypatch.setattr("httpx.AsyncClient", None)
    (outcome,) = fetch(server, tmp_path, "a.dat")
    assert outcome.attempts == 0
    assert outcome.kept.path == final(tmp_path)


def test_a_file_under_another_name_is_not_taken_for_it(server, tmp_path):
    server.files["/b/a.dat"] = b"other"
    fetch(server, tmp_path, "a.dat")
    other = Remote("mast:OTHER/a.dat", f"{server.url}/b/a.dat", "a.dat", "TESS", "obs")
    store, outcomes = Store(tmp_path), []
    run(transfer([other], store, SETTINGS, outcomes))
    assert "has the same name" in str(outcomes[0].error)
    assert final(tmp_path).read_bytes() == BODY


def test_what_was_cancelled_can_be_fetched_again_at_once(server, tmp_path):
    server.answer = lambda path: Misbehaviour(cut_after=1000, stall=0.3)
    remotes = [Remote("mast:a", f"{server.url}/a.dat", "a.dat", "TESS", "obs")]
    for deadline in (0.002, 0.01, 0.03, 0.1):
        outcomes = []
        run(transfer(remotes, Store(tmp_path), SETTINGS, outcomes, deadline=deadline))
        assert "given to the batch" in str(outcomes[0].error)
    server.answer = lambda path: None
    (outcome,) = fetch(server, tmp_path, "a.dat")
    assert outcome.error is None


@pytest.mark.parametrize("status", [200, 400])
def test_the_reason_that_an_archive_gives_is_told(server, tmp_path, status):
    refusal = Misbehaviour(
        status=status,
        headers={"Content-Type": "application/json"},
        body=b'{"msg": "no frames\\n of s3"}',
    )
    server.plan["/a.dat"] = [refusal] * 20
    (outcome,) = fetch(server, tmp_path, "a.dat")
    assert "no frames of s3" in str(outcome.error)
    assert len(str(outcome.error).splitlines()) == 1
