"""Whatever a server does to every third request, a file ends whole, or failed for the reason that is told."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tessellar.config import Settings
from tessellar.errors import AuthError, NotFound, Unavailable, UnexpectedReply
from tessellar.net import Outcome, Remote, run, transfer
from tessellar.store import Store
from tests.net.chaos import FINAL, PASSING, ChaosServer, archive_files, leftovers
from tests.webserver import FileServer, Misbehaviour, running

SETTINGS = Settings(retry_wait=0.002, attempts=12, connect_timeout=2.0, idle_timeout=0.4)


def fetch(server: FileServer, folder: Path, settings: Settings = SETTINGS, *, digests: bool = False) -> list[Outcome]:
    remotes = [
        Remote(f"mast:TESS{path}", server.url + path, path[1:], "TESS", path[1:8], size=len(content))
        for path, content in server.files.items()
    ]
    if digests:
        sums = {path[1:]: hashlib.sha256(content).hexdigest() for path, content in server.files.items()}
        remotes = [replace(remote, digest=f"sha256:{sums[remote.filename]}") for remote in remotes]
    store, outcomes = Store(folder), []
    try:
        run(transfer(remotes, store, settings, outcomes))
        check(server, store, outcomes)
    finally:
        store.close()
    return outcomes


def check(server: FileServer, store: Store, outcomes: list[Outcome]) -> None:
    """What is under a final name is the archive's, and is what the ledger and the outcomes say; no more, no less."""
    final = {path.name: path for path in (store.folder / "mastDownload").rglob("*.*") if path.suffix != ".part"}
    for name, path in final.items():
        assert path.read_bytes() == server.files[f"/{name}"], name
    kept = {outcome.remote.filename: outcome.kept for outcome in outcomes if outcome.kept}
    assert len(outcomes) == len(server.files)
    assert final == {name: each.path for name, each in kept.items()}
    assert not any(path.with_name(f"{name}.part").exists() for name, path in final.items())
    entries = {store.folder / entry.path: entry for entry in store.ledger.entries()}
    assert set(entries) == set(final.values())
    for path, entry in entries.items():
        assert entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.stat().st_size == entry.size


@pytest.mark.parametrize("kind", PASSING)
def test_each_trouble_that_passes_is_sat_out(tmp_path, kind):
    # With cuts between, so that there is something to be continued.
    server = ChaosServer(archive_files(9, seed=1), 1, {kind: PASSING[kind], "cut": PASSING["cut"]}, every=2)
    with running(server):
        outcomes = fetch(server, tmp_path)
    assert any(kind in done for done in server.done.values()), "the fault never came"
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("400", UnexpectedReply),
        ("401", AuthError),
        ("403", AuthError),
        ("404", NotFound),
        ("410", NotFound),
        ("no content", UnexpectedReply),
        ("redirected for ever", UnexpectedReply),
    ],
)
def test_each_trouble_that_stays_is_told(tmp_path, kind, error):
    server = ChaosServer(archive_files(9, seed=1), 1, {kind: FINAL[kind]})
    with running(server):
        outcomes = fetch(server, tmp_path)
    failed = {f"/{outcome.remote.filename}": outcome for outcome in outcomes if outcome.error}
    assert set(failed) == set(server.done)
    assert {type(outcome.error) for outcome in failed.values()} == {error}
    assert {outcome.attempts for outcome in failed.values()} == {1}
    assert leftovers(tmp_path) == []


def test_a_redirect_to_another_host_is_followed(tmp_path):
    files = archive_files(3, seed=1)
    with running() as real, running() as front:
        real.files = front.files = files
        front.answer = lambda path: Misbehaviour(status=302, headers={"Location": real.url + path})
        assert all(outcome.kept for outcome in fetch(front, tmp_path))


def test_a_stream_that_drips_is_broken_off_and_goes_on_where_it_stopped(tmp_path):
    files = archive_files(1, seed=1)
    (path,) = files
    with running() as server:
        server.files = files
        server.plan[path] = [Misbehaviour(cut_after=5000, drip=0.02), Misbehaviour(cut_after=0, drip=0.02)]
        (outcome,) = fetch(server, tmp_path)
        assert outcome.kept is not None
        assert outcome.attempts == 3
        assert server.requests[1][1]["range"].startswith("bytes=50")
        server.plan[path] = [Misbehaviour(cut_after=0, drip=0.02)] * 9
        (outcome,) = fetch(server, tmp_path / "other", Settings(attempts=2, retry_wait=0, idle_timeout=0.3))
    assert isinstance(outcome.error, Unavailable)
    assert "too slowly" in str(outcome.error)


@pytest.mark.parametrize("seed", [int(os.environ.get("TESSELLAR_TEST_SEED", "1")), 2])
def test_every_third_request_is_spoilt_and_every_file_ends_whole(tmp_path, seed):
    server = ChaosServer(archive_files(60, seed), seed, PASSING)
    with running(server):
        outcomes = fetch(server, tmp_path)
    assert [str(outcome.error) for outcome in outcomes if outcome.error] == []
    assert leftovers(tmp_path) == []
    assert len(server.done) > 10


def test_two_sources_in_trouble_make_one_whole_set(tmp_path):
    files = archive_files(40, seed=9)
    with (
        running(ChaosServer(files, 1, {**PASSING, **FINAL}, every=2)) as first,
        running(ChaosServer(files, 2, PASSING)) as second,
    ):
        remotes = [
            Remote(f"mast:TESS{path}", first.url + path, path[1:], "TESS", size=len(body), others=(second.url + path,))
            for path, body in files.items()
        ]
        store, outcomes = Store(tmp_path, flat=True), []
        run(transfer(remotes, store, SETTINGS, outcomes))
        store.close()
    assert [str(outcome.error) for outcome in outcomes if outcome.error] == []
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.*") if path.is_file()} == {
        path[1:]: body for path, body in files.items()
    }
    assert {outcome.remote.url[: len(first.url)] for outcome in outcomes} == {first.url, second.url}


def test_trouble_is_never_taken_for_a_change_of_the_file(tmp_path):
    kinds = ("html as data", "announced too much", "flipped bit")
    server = ChaosServer(archive_files(40, 4), 4, {kind: PASSING[kind] for kind in kinds}, every=2)
    with running(server):
        outcomes = fetch(server, tmp_path, digests=True)
    assert [str(outcome.error) for outcome in outcomes if outcome.error] == []
    assert max(done.count("html as data") for done in server.done.values()) > 1


def test_with_trouble_that_stays_too_each_failure_has_its_true_reason(tmp_path):
    check_reasons(tmp_path, number=60, seed=3)


def check_reasons(folder: Path, number: int, seed: int, settings: Settings = SETTINGS, rounds: int = 2) -> None:
    """Fetch with every kind of trouble; in a second round, trouble goes on with the files that failed."""
    server = ChaosServer(archive_files(number, seed), seed, {**PASSING, **FINAL})
    with running(server):
        for _ in range(rounds):
            for done in server.done.values():
                done.clear()
            for outcome in fetch(server, folder, settings):
                if outcome.error is not None:
                    done = server.done[f"/{outcome.remote.filename}"]
                    reason = next((name for name in FINAL if name in done), None)
                    assert reason is not None, (outcome.error, done)
                    words = {"no content": "204", "redirected for ever": "redirect"}.get(reason, reason)
                    assert words in str(outcome.error)


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(int(os.environ.get("TESSELLAR_TEST_SEEDS", "3"))))
def test_a_thousand_files_through_chaos(tmp_path, seed):
    check_reasons(tmp_path, 1000, seed, replace(SETTINGS, idle_timeout=0.2), rounds=1)
