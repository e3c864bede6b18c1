"""Jobs of a TAP service from the library: they outlive the program that began them and are found by their URL."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tessellar.archives.tap import TapJob, TapService, tap_service
from tessellar.errors import QueryError, TessellarError, TimedOut
from tessellar.server import ServerThread
from tests.server.folder import make

# Long enough to be met at work; each observation with the pairs of all columns.
PAIRS = "dbo.obspointing o, tap_schema.columns a, tap_schema.columns b"
QUERY = f"SELECT o.obs_id, COUNT(*) AS pairs FROM {PAIRS} GROUP BY o.obs_id ORDER BY o.obs_id"
ENDLESS = f"SELECT COUNT(*) FROM {PAIRS}, tap_schema.columns c, tap_schema.columns d"

BEGIN = """
import sys
from tessellar.archives.tap import tap_service

job = tap_service(sys.argv[1]).submit(sys.argv[2], name="begun elsewhere")
print(job.url, flush=True)
job.wait()
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TapService]:
    with ServerThread(make(tmp_path_factory.mktemp("archive"))) as archive:
        yield tap_service(archive.url)


def begun_by_a_program_that_dies(service: TapService, query: str) -> str:
    """Let a process of its own begin a job, and kill it while it waits; return the URL that it told."""
    command = [sys.executable, "-c", BEGIN, service.url, query]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    return url


def test_a_job_whose_program_was_killed_is_followed_and_read_by_its_url(service: TapService, tmp_path: Path) -> None:
    job = service.job(begun_by_a_program_that_dies(service, QUERY))
    assert job.query == QUERY
    heard = []
    assert job.wait(timeout=60, listener=heard.append) is job
    assert [event.finished for event in heard] == [False] * (len(heard) - 1) + [True]
    rows = job.result()
    asked = service.query("SELECT obs_id FROM dbo.obspointing ORDER BY obs_id", mode="sync")
    assert rows["obs_id"].tolist() == asked["obs_id"].tolist()
    assert set(rows["pairs"].tolist()) == {len(service.tables()) ** 2}
    assert (rows.meta["query"], rows.meta["overflow"]) == (QUERY, False)
    assert "<VOTABLE" in job.save(tmp_path / "rows.vot").read_text()
    # Its id alone does as well, and once it is deleted there is none.
    same = service.job(job.url.rsplit("/", 1)[1])
    assert same == job
    same.delete()
    with pytest.raises(TessellarError, match="404"):
        job.result()


def test_jobs_of_other_programs_are_listed_stopped_and_deleted(service: TapService) -> None:
    url = begun_by_a_program_that_dies(service, ENDLESS)
    job = service.job(url)
    with pytest.raises(TimedOut, match="runs on"):
        job.wait(timeout=0.2)

    def listed() -> dict[str, tuple[str, str]]:
        return {each["url"]: (each["phase"], each["name"]) for each in service.jobs()}

    assert listed()[url] == ("EXECUTING", "begun elsewhere")
    with pytest.raises(QueryError, match="has no result: it is EXECUTING"):
        job.result()
    job.abort()
    assert job.phase == "ABORTED"
    assert listed()[url][0] == "ABORTED"
    with pytest.raises(QueryError, match="was stopped"):
        job.wait(timeout=10)
    job.delete()
    assert url not in listed()


def test_a_job_from_elsewhere_is_told_as_not_there(service: TapService) -> None:
    stranger: TapJob = service.job("0123456789abcdef")
    for work in (lambda: stranger.phase, stranger.wait, stranger.result, stranger.abort, stranger.delete):
        with pytest.raises(TessellarError, match="404"):
            work()
