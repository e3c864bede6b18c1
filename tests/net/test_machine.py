"""What this machine can do to a fetch: fill up, forbid, send signals, turn its clock."""

from __future__ import annotations

import datetime
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tessellar.config import Settings
from tessellar.errors import NoPermission, NoSpace
from tessellar.net import Outcome, Remote, run, transfer
from tessellar.net.body import BLOCK
from tessellar.net.retry import LONGEST_RETRY_AFTER, pause_after, retry_after_seconds
from tessellar.store import Store
from tests.net.chaos import leftovers
from tests.webserver import FileServer, Misbehaviour, running

SETTINGS = Settings(retry_wait=0.01, attempts=4, connect_timeout=2.0, idle_timeout=1.0)
BODY = random.Random(3).randbytes(3_000_000)


@pytest.fixture
def server():
    with running() as files:
        files.files = {"/a.dat": BODY, "/b.dat": BODY[:1000]}
        yield files


def fetch(server: FileServer, folder: Path) -> dict[str, Outcome]:
    remotes = [Remote(f"mast:TESS{path}", server.url + path, path[1:], "TESS", "obs") for path in server.files]
    store, outcomes = Store(folder, flat=True), []
    run(transfer(remotes, store, SETTINGS, outcomes))
    store.close()
    return {outcome.remote.filename: outcome for outcome in outcomes}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the system refuse to write beyond so many bytes of a file, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_half_way_is_told_and_nothing_is_fetched_twice(server, tmp_path):
    with largest_file(2_000_000):
        outcomes = fetch(server, tmp_path)
    assert isinstance(outcomes["a.dat"].error, NoSpace)
    assert "free some space" in str(outcomes["a.dat"].error)
    assert not (tmp_path / "a.dat").exists()
    outcomes = fetch(server, tmp_path)
    assert all(outcome.kept for outcome in outcomes.values())
    assert (tmp_path / "a.dat").read_bytes() == BODY
    assert server.sent["/a.dat"] < len(BODY) + 4 * BLOCK
    assert leftovers(tmp_path) == []


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user without rights; for those who run tests as root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_folder_that_may_not_be_written_is_told_at_once(server, tmp_path):
    fetch(server, tmp_path)  # so that all that is imported late is there
    asked = len(server.requests)
    base = Path(tempfile.mkdtemp())
    try:
        base.chmod(0o555)
        with nobody():
            outcomes = fetch(server, base)
        assert {type(outcome.error) for outcome in outcomes.values()} == {NoPermission}
        assert str(base) in str(outcomes["a.dat"].error)
        assert len(server.requests) == asked
    finally:
        base.chmod(0o755)
        shutil.rmtree(base)


def test_a_clock_that_jumps_changes_nothing(server, tmp_path, monkeypatch):
    real, jumps = time.time, random.Random(1)
    monkeypatch.setattr("time.time", lambda: real() + jumps.uniform(-1e7, 1e7))
    server.plan["/a.dat"] = [
        Misbehaviour(cut_after=1_000_000),
        Misbehaviour(status=503, headers={"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}),
        Misbehaviour(cut_after=500_000, stall=1.5),
    ]
    start = time.monotonic()
    outcomes = fetch(server, tmp_path)
    assert time.monotonic() - start < 10
    assert outcomes["a.dat"].kept.path.read_bytes() == BODY
    assert fetch(server, tmp_path)["a.dat"].attempts == 0


def test_a_date_far_off_is_not_waited_for():
    error = NoSpace("x")
    error.retry_after = retry_after_seconds("Fri, 01 Jan 2100 00:00:00 GMT")
    assert error.retry_after > 1e8
    assert pause_after(error, 1, Settings(retry_wait=0)) == LONGEST_RETRY_AFTER


def test_what_is_set_aside_is_never_overwritten_though_the_clock_stands_still(tmp_path, monkeypatch):
    class Still(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 1, tzinfo=tz)

    monkeypatch.setattr("tessellar.store.store.datetime", Still)
    store = Store(tmp_path)
    for content in (b"one", b"two", b"three"):
        (tmp_path / "a.dat").write_bytes(content)
        store.set_aside(tmp_path / "a.dat", "a test")
    kept = (tmp_path / ".tessellar" / "quarantine").glob("*-a.dat")
    assert {path.read_bytes() for path in kept} == {b"one", b"two", b"three"}


def start(server: FileServer, folder: Path) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("interrupted_process.py")
    command = [sys.executable, str(script), server.url, str(folder), *(path[1:] for path in server.files)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_the_manifest_is_complete_and_true_whenever_ctrl_c_comes(tmp_path):
    rng = random.Random(4)
    rounds = 0
    with running() as server:
        server.files = {f"/{number}.dat": rng.randbytes(rng.randrange(20_000, 2_000_000)) for number in range(12)}
        server.pause = 0.02
        process = start(server, tmp_path)
        assert process.stdout is not None
        while process.stdout.readline() == "ready\n":
            if rounds < 5:
                time.sleep(0.01 + rng.uniform(0, 0.3))
                process.send_signal(signal.SIGINT)
            else:
                server.pause = 0
            found = json.loads(process.stdout.readline())
            check_rows(found["rows"], server, tmp_path)
            rounds += 1
        assert process.wait(30) == 0
        process.stdout.close()
        assert rounds > 3
        assert {row["status"] for row in found["rows"]} == {"COMPLETE"}
        for path, content in server.files.items():
            assert server.sent[path] <= len(content) + (server.count(path) - 1) * (2 * BLOCK + 512 * 1024)
    assert leftovers(tmp_path) == []


def check_rows(rows: list[dict], server: FileServer, folder: Path) -> None:
    assert [row["uri"] for row in rows] == [f"mast:TESS{path}" for path in server.files]
    for row in rows:
        final = folder / "mastDownload" / "TESS" / "obs" / row["uri"].rpartition("/")[2]
        assert final.exists() == (row["status"] == "COMPLETE")
        if row["status"] == "COMPLETE":
            assert Path(row["path"]).read_bytes() == server.files[f"/{final.name}"]
        else:
            assert "interrupted" in row["message"]
