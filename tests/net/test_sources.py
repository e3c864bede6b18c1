"""One file, several sources: asked in order; never one file of two sources' bytes unless its digest proves it."""

from __future__ import annotations

import hashlib
import random
import time
from dataclasses import replace

import pytest

from tessellar.config import Settings
from tessellar.errors import ChangedUpstream, NoSpace, NotFound, TransferError
from tessellar.net import Outcome, Remote, run, transfer
from tessellar.store import Ledger, Store
from tests.webserver import Misbehaviour, running

SETTINGS = Settings(retry_wait=0.005, attempts=4, connect_timeout=2.0, idle_timeout=2.0)
BODY = random.Random(7).randbytes(300_000)
DIGEST = "sha256:" + hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def two():
    with running() as first, running() as second:
        first.files["/a.dat"] = second.files["/a.dat"] = BODY
        yield first, second


def remote_of(*urls: str, **more) -> Remote:
    return Remote("mast:TESS/a.dat", urls[0], "a.dat", "TESS", "obs", others=tuple(urls[1:]), **more)


def fetch(remote: Remote, folder, settings: Settings = SETTINGS) -> Outcome:
    store, outcomes = Store(folder, flat=True), []
    run(transfer([remote], store, settings, outcomes))
    store.close()
    return outcomes[0]


def both(two) -> tuple[str, str]:
    return two[0].url + "/a.dat", two[1].url + "/a.dat"


def test_the_first_source_that_has_it_gives_it(two, tmp_path):
    outcome = fetch(remote_of(*both(two)), tmp_path)
    assert outcome.remote.url == two[0].url + "/a.dat"
    assert two[1].requests == []
    del two[0].files["/a.dat"]
    outcome = fetch(remote_of(*both(two)), tmp_path / "other")
    assert outcome.kept.path.read_bytes() == BODY
    assert outcome.remote.url == two[1].url + "/a.dat"
    (entry,) = Store(tmp_path / "other").ledger.entries()
    assert entry.origin == two[1].url + "/a.dat"


def test_a_source_in_trouble_is_not_asked_for_long(two, tmp_path):
    two[0].answer = lambda path: Misbehaviour(status=503)
    outcome = fetch(remote_of(*both(two)), tmp_path)
    assert outcome.kept
    assert outcome.attempts == 3
    assert len(two[0].requests) == 2


def test_a_source_that_gives_nothing_is_left_out(two, tmp_path):
    two[0].answer = lambda path: Misbehaviour(status=503)
    names = [f"{number}.dat" for number in range(100)]
    remotes = []
    for name in names:
        two[1].files[f"/{name}"] = name.encode()
        remotes.append(Remote(name, f"{two[0].url}/{name}", name, "TESS", "obs", others=(f"{two[1].url}/{name}",)))
    store, outcomes = Store(tmp_path, flat=True), []
    run(transfer(remotes, store, SETTINGS, outcomes))
    assert all(outcome.kept for outcome in outcomes)
    assert len(two[0].requests) < 100


def test_bytes_of_one_source_are_never_continued_with_another_s(two, tmp_path):
    # The same date, as of two copies of which one was made from an older version.
    same = {"Last-Modified": "Wed, 21 Oct 2025 07:28:00 GMT"}
    two[0].plan["/a.dat"] = [Misbehaviour(status=200, headers=same, body=BODY[::-1], cut_after=200_000)] * 2
    outcome = fetch(remote_of(*both(two)), tmp_path, replace(SETTINGS, attempts=1))
    assert outcome.kept.path.read_bytes() == BODY
    assert "range" not in two[1].requests[0][1]


def test_where_size_and_digest_prove_the_whole_they_are(two, tmp_path):
    two[0].plan["/a.dat"] = [Misbehaviour(cut_after=200_000)]
    two[0].answer = lambda path: Misbehaviour(status=503)
    outcome = fetch(remote_of(*both(two), size=len(BODY), digest=DIGEST), tmp_path)
    assert outcome.kept.path.read_bytes() == BODY
    assert two[1].requests[0][1]["range"] == "bytes=200000-"
    assert two[1].sent["/a.dat"] == len(BODY) - 200_000


def test_where_the_proof_fails_the_file_is_started_over(two, tmp_path):
    wrong = BODY[:100] + b"?" + BODY[101:]
    two[0].plan["/a.dat"] = [Misbehaviour(status=200, headers={"ETag": '"1"'}, body=wrong, cut_after=200_000)]
    two[0].answer = lambda path: Misbehaviour(status=503)
    outcome = fetch(remote_of(*both(two), size=len(BODY), digest=DIGEST), tmp_path)
    assert outcome.kept.path.read_bytes() == BODY
    assert [headers.get("range") for _, headers in two[1].requests] == ["bytes=200000-", None]


def test_a_source_with_another_version_is_passed_over(two, tmp_path):
    two[0].files["/a.dat"] = BODY[:-1]
    assert fetch(remote_of(*both(two), size=len(BODY), digest=DIGEST), tmp_path).kept.path.read_bytes() == BODY
    two[0].files["/a.dat"] = BODY[::-1]
    assert fetch(remote_of(*both(two), size=len(BODY), digest=DIGEST), tmp_path / "2").kept.path.read_bytes() == BODY
    # Without a digest the archive's table is all there is to say which of them is meant.
    two[0].files["/a.dat"] = BODY[:-1]
    assert fetch(remote_of(*both(two), size=len(BODY)), tmp_path / "3").kept.path.read_bytes() == BODY


@pytest.mark.parametrize("body", [BODY[:-1], BODY[::-1]], ids=["another size", "other bytes"])
def test_bytes_that_have_changed_are_refused_and_the_file_that_is_here_stays(two, tmp_path, body):
    first, _ = two
    remote = remote_of(first.url + "/a.dat")
    old = b"an older version"
    first.files["/a.dat"] = old
    assert fetch(remote, tmp_path).kept
    first.files["/a.dat"] = body
    outcome = fetch(replace(remote, size=len(BODY), digest=DIGEST), tmp_path)
    assert isinstance(outcome.error, ChangedUpstream)
    assert "a.dat" in str(outcome.error)
    assert outcome.attempts == 2
    assert (tmp_path / "a.dat").read_bytes() == old
    assert not (tmp_path / "a.dat.part").exists()
    first.files["/a.dat"] = BODY
    assert fetch(replace(remote, size=len(BODY), digest=DIGEST), tmp_path).kept.path.read_bytes() == BODY
    # Nothing is lost: what had its name is set aside.
    assert [path.read_bytes() for path in (tmp_path / ".tessellar" / "quarantine").glob("*-a.dat")] == [old]


def test_a_folder_is_a_source_like_any_other(two, tmp_path):
    source = tmp_path / "disk" / "a b.dat"
    source.parent.mkdir()
    source.write_bytes(BODY)
    outcome = fetch(remote_of(source.as_uri(), two[0].url + "/a.dat"), tmp_path / "out")
    assert outcome.kept.path.read_bytes() == BODY
    assert two[0].requests == []
    source.unlink()
    assert fetch(remote_of(source.as_uri(), two[0].url + "/a.dat"), tmp_path / "out2").kept
    assert isinstance(fetch(remote_of(source.as_uri()), tmp_path / "out3").error, NotFound)


def test_a_copy_from_a_folder_goes_on_where_it_stopped(tmp_path):
    source = tmp_path / "a.dat"
    source.write_bytes(BODY)
    remote, folder = remote_of(source.as_uri()), tmp_path / "out"
    assert fetch(remote, folder).kept
    (folder / "a.dat").rename(folder / "a.dat.part")
    (folder / "a.dat.part").write_bytes(BODY[:100_000])
    store = Store(folder, flat=True)
    store.ledger.forget("a.dat")
    status = source.stat()
    store.begin(remote, f'"{status.st_mtime_ns:x}-{status.st_size:x}"')
    store.close()
    events = []
    store, outcomes = Store(folder, flat=True), []
    run(transfer([remote], store, SETTINGS, outcomes, events.append))
    assert outcomes[0].kept.path.read_bytes() == BODY
    assert events[0].done == 0
    assert events[1].done == 100_000


def test_all_reasons_are_told_when_no_source_gives_it(two, tmp_path):
    two[0].files.clear()
    two[1].answer = lambda path: Misbehaviour(status=503)
    error = fetch(remote_of(*both(two)), tmp_path).error
    assert type(error) is TransferError
    assert "none of 2 sources gave it" in str(error)
    assert "404" in str(error)
    assert "503" in str(error)


def test_a_full_disk_is_no_fault_of_a_source(two, tmp_path, monkeypatch):
    class Full:
        f_bavail, f_frsize = 10, 1000

    monkeypatch.setattr("tessellar.net.disk.os.statvfs", lambda _: Full)
    assert isinstance(fetch(remote_of(*both(two)), tmp_path).error, NoSpace)
    assert two[1].requests == []


def test_a_source_that_wants_to_be_left_alone_is(two, tmp_path):
    two[0].plan["/a.dat"] = [Misbehaviour(status=429, headers={"Retry-After": "300"})]
    start = time.monotonic()
    assert fetch(remote_of(*both(two)), tmp_path).kept
    assert time.monotonic() - start < 60


@pytest.mark.parametrize("moment", ["set_aside", "record", "_rename"])
def test_a_kill_while_a_version_takes_the_place_of_another_loses_neither(two, tmp_path, monkeypatch, moment):
    first, _ = two
    remote = remote_of(first.url + "/a.dat")
    old = b"an older version"
    first.files["/a.dat"] = old
    assert fetch(remote, tmp_path).kept
    first.files["/a.dat"] = BODY
    wanted = replace(remote, size=len(BODY), digest=DIGEST)

    class KilledError(BaseException):
        pass

    def killed(*arguments):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Ledger if moment == "record" else Store, moment, killed)
        with pytest.raises(BaseExceptionGroup):
            fetch(wanted, tmp_path)
    final, quarantine = tmp_path / "a.dat", tmp_path / ".tessellar" / "quarantine"
    # Nothing wrong has its name, and the old bytes are there or set aside.
    kept = [path.read_bytes() for path in (final, *quarantine.glob("*-a.dat")) if path.exists()]
    assert kept == [old]
    first.sent.clear()
    assert fetch(wanted, tmp_path).kept
    assert final.read_bytes() == BODY
    assert [path.read_bytes() for path in quarantine.glob("*-a.dat")] == [old]
    assert first.sent.get("/a.dat", 0) == 0
    assert not list(tmp_path.glob("*.part"))


def test_the_source_of_which_a_part_is_here_is_asked_first(two, tmp_path):
    two[0].plan["/a.dat"] = [Misbehaviour(status=503)]
    two[1].plan["/a.dat"] = [Misbehaviour(cut_after=200_000), Misbehaviour(cut_after=0)]
    assert fetch(remote_of(*both(two)), tmp_path, replace(SETTINGS, attempts=1)).error
    outcome = fetch(remote_of(*both(two)), tmp_path)
    assert outcome.remote.url == two[1].url + "/a.dat"
    assert two[1].sent["/a.dat"] == len(BODY)
    assert len(two[0].requests) == 1
