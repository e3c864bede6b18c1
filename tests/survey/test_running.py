"""Running a survey: whatever happens to it, what it finds is the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tessellar.errors import MissingInput, NoPermission, NoSpace, StoreError, Unavailable
from tessellar.progress import Event, ignore
from tessellar.survey import Choices, Ledger, SurveyFolder, outcomes, plan, run, running
from tessellar.survey.cluster import Cluster
from tessellar.survey.outcomes import PartFile
from tessellar.survey.running import status_counts
from tessellar.survey.tasks import Ended, perform
from tests.survey.conftest import contents
from tests.survey.fakework import MEASURE

Found = Callable[..., dict[str, Any]]
_ROOT = Path(__file__).parents[2]


def faults(folder: Path, **what: Any) -> None:
    (folder / "faults.json").write_text(json.dumps(what))


def in_a_process(folder: Path, **settings: Any) -> subprocess.Popen[bytes]:
    """A run in a process of its own, to be killed: a script as one writes it, without a guard against workers."""
    code = f"from tessellar.survey import run\nprint(run({str(folder)!r}, measure={MEASURE!r}, **{settings!r}).done)"
    script = folder / "go.py"
    script.write_text(code)
    path = f"{_ROOT}:{_ROOT / 'src'}"
    return subprocess.Popen(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def test_a_script_may_run_it_as_it_stands(planned: Path, undisturbed: Found) -> None:
    said, errors = in_a_process(planned, workers=2).communicate(timeout=60)
    assert errors == b""
    with closing(Ledger(SurveyFolder(planned).ledger)) as ledger:
        assert int(said) == len(ledger.tasks())
    assert contents(planned) == undisturbed()


def test_workers_that_die_fail_and_run_out_of_memory_change_nothing(planned: Path, undisturbed: Found) -> None:
    faults(
        planned,
        **{"2": {"how": "kill", "times": 2}, "4": {"how": "memory", "times": 1}, "5": {"how": "bug", "times": 2}},
    )
    notes: list[str] = []
    finished = run(planned, workers=2, memory=2 << 30, measure=MEASURE, listener=lambda event: notes.append(event.note))
    assert finished.aside == {}
    assert contents(planned) == undisturbed()
    told = "\n".join(notes)
    assert "SIGKILL" in told
    assert "not enough memory" in told
    assert "KeyError" in told
    assert not list(SurveyFolder(planned).folder.glob("parts/*"))


def test_a_poisoned_task_is_set_aside_with_its_reason_and_done_when_it_is_mended(
    planned: Path, undisturbed: Found
) -> None:
    faults(planned, **{"3": {"how": "corrupt"}, "6": {"how": "kill"}})
    finished = run(planned, workers=2, measure=MEASURE)
    assert "frame-17.fits" in finished.aside[3]
    assert "SIGKILL" in finished.aside[6]
    ledger = Ledger(SurveyFolder(planned).ledger)
    lacking = {row[0] for row in ledger.select("SELECT priority FROM target WHERE task IN (3, 6)")}
    told = ledger.select("SELECT result.priority, reason FROM result WHERE status = 2")
    ledger.close()
    listed = {priority for priority, reason in told if "frame-17.fits" in reason or "SIGKILL" in reason}
    assert listed == lacking
    assert finished.stars["ERROR"] >= len(lacking)
    # It stays aside, until it is asked for again.
    assert run(planned, workers=1, measure=MEASURE).done == 0
    (planned / "faults.json").unlink()
    assert run(planned, workers=1, measure=MEASURE, again=True).aside == {}
    # They come after all others in the store.
    assert contents(planned, ordered=False) == undisturbed(ordered=False)


def test_a_second_run_says_so_and_leaves(planned: Path) -> None:
    with SurveyFolder(planned).locked(), pytest.raises(StoreError, match=f"process {os.getpid()} on .* works here"):
        run(planned, workers=1, measure=MEASURE)
    assert not list(SurveyFolder(planned).folder.glob("*.lc.h5"))


def test_what_is_planned_while_a_run_waits_for_the_lock_is_what_it_measures(
    planned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = SurveyFolder.locked

    @contextmanager
    def late(place: SurveyFolder) -> Iterator[None]:
        monkeypatch.setattr(SurveyFolder, "locked", locked)
        plan(planned, choices=Choices(limit=15.0, bright=-5.0, rows=32, sources=("ffi",)), overwrite=True).close()
        with locked(place):
            yield

    monkeypatch.setattr(SurveyFolder, "locked", late)
    finished = run(planned, workers=1, measure=MEASURE)
    ledger = Ledger(SurveyFolder(planned).ledger)
    assert [task.state for task in ledger.tasks()] == ["stored"] * 4
    assert finished.done == 4
    assert "UNKNOWN" not in status_counts(ledger)
    ledger.close()


def test_where_nothing_is_planned_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no survey is planned here"):
        run(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_worker_that_may_not_write_stops_the_run_and_says_so(planned: Path) -> None:
    faults(planned, **{"2": {"how": "forbidden"}})
    with pytest.raises(NoPermission, match="may not be written"):
        run(planned, workers=1, measure=MEASURE)


class Held:
    """What Dask holds of a task: its status, and what it raises or gives when it is asked."""

    def __init__(self, status: str, error: BaseException | None = None, result: Any = None) -> None:
        self.status, self._error, self._result = status, error, result

    def exception(self, timeout: float) -> BaseException | None:
        return self._error

    def result(self, timeout: float) -> Any:
        if self._error is not None:
            raise self._error
        return self._result


@pytest.mark.parametrize(
    ("held", "how", "said"),
    [
        (Held("lost"), "lost", "lost"),
        (Held("pending"), "lost", "pending"),
        (Held("cancelled"), "lost", "cancelled"),
        (Held("finished", TimeoutError("gather")), "lost", "TimeoutError: gather"),
        (Held("finished", OSError("connection closed")), "lost", "connection closed"),
        (Held("finished", result=Ended(number=3, how="done")), "done", ""),
        (Held("error", ImportError("no module")), "failed", "ImportError: no module"),
    ],
)
def test_what_a_cluster_lost_costs_no_try(held: Held, how: str, said: str) -> None:
    cluster = Cluster.__new__(Cluster)
    cluster._futures = {3: held}
    ended = cluster._end(3)
    assert (ended.number, ended.how) == (3, how)
    assert said in ended.reason
    assert "NoneType" not in ended.reason


class GaveUp:
    """A client of a cluster that has lost its scheduler, as Dask's is after a while."""

    status = "closed"

    def submit(self, *_: Any, **__: Any) -> None:
        raise RuntimeError("Client is closed. Can't send update-graph message.")


def test_a_client_that_has_given_up_its_scheduler_says_so_in_one_line(planned: Path) -> None:
    cluster = Cluster.__new__(Cluster)
    cluster._client, cluster._futures, cluster._address = GaveUp(), {}, "tcp://10.0.0.1:8786"
    with closing(Ledger(SurveyFolder(planned).ledger)) as ledger:
        left = running._Run(SurveyFolder(planned), ledger, MEASURE, ignore)
        left.take_up(again=False)
        with pytest.raises(Unavailable, match=r"scheduler at tcp://10\.0\.0\.1:8786 is gone"):
            cluster.submit(left._next())


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file of this process, or of one that it starts, can grow beyond `size` bytes."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [pytest.param(4_000, marks=pytest.mark.heavy), 45_000])
def test_a_full_disk_stops_the_run_with_one_line_and_it_goes_on_later(
    planned: Path, undisturbed: Found, size: int
) -> None:
    """4 kB: no part can be written; 45 kB: parts can, but not the store of them all."""
    with full_disk(size), pytest.raises(NoSpace, match="no space left"):
        run(planned, workers=1, measure=MEASURE)
    run(planned, workers=1, measure=MEASURE)
    assert contents(planned) == undisturbed()


def test_stopping_it_loses_nothing_that_was_done(planned: Path, undisturbed: Found) -> None:
    def stop(event: Event) -> None:
        if event.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(planned, workers=2, measure=MEASURE, listener=stop)
    finished = run(planned, workers=2, measure=MEASURE)
    assert finished.done < 8
    assert contents(planned) == undisturbed()


def _killed_at_random(planned: Path, undisturbed: Found, seed: int) -> None:
    faults(planned, sleep=0.05)
    dice = random.Random(seed)
    for _ in range(5):
        process = in_a_process(planned, workers=2)
        time.sleep(dice.uniform(0.5, 3.0))
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, check=False).stdout.split()
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()
        # Workers leave when the run is no more.
        for _ in range(100):
            if not any(Path(f"/proc/{child.decode()}").exists() for child in children):
                break
            time.sleep(0.1)
        else:
            pytest.fail("a worker outlived its run")
        ledger = Ledger(SurveyFolder(planned).ledger)
        left = ledger.select("SELECT count(*) FROM task WHERE state IN ('waiting', 'done')")[0][0]
        ledger.close()
        if not left:
            break
    run(planned, workers=1, measure=MEASURE)
    assert contents(planned) == undisturbed()


def test_a_run_that_is_killed_goes_on(planned: Path, undisturbed: Found) -> None:
    faults(planned, sleep=0.05)
    process = in_a_process(planned, workers=1)
    parts = SurveyFolder(planned).part(1).parent
    for _ in range(600):
        if list(parts.glob("task-*.arrays")) or list(parts.parent.glob("*.lc.h5")) or process.poll() is not None:
            break
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    run(planned, workers=1, measure=MEASURE)
    assert contents(planned) == undisturbed()


@pytest.mark.parametrize("lasting", [True, False])
def test_what_a_machine_without_power_left_is_measured_again(
    planned: Path, undisturbed: Found, monkeypatch: pytest.MonkeyPatch, lasting: bool
) -> None:
    with closing(Ledger(SurveyFolder(planned).ledger)) as ledger:
        left = running._Run(SurveyFolder(planned), ledger, MEASURE, ignore)
        left.take_up(again=False)
        task = left._next()
    assert perform(task, lasting=lasting).how == "done"
    part = Path(task.part)
    assert PartFile(part).is_of(task.key), "a run that goes on takes it over"
    monkeypatch.setattr(outcomes, "boot", lambda: "the next start")
    assert PartFile(part).is_of(task.key) == lasting
    if not lasting:
        # As the disk may have it: of the right length, but not what was written.
        content = bytearray(part.read_bytes())
        content[4096:8192] = bytes(4096)
        part.write_bytes(content)
    run(planned, workers=1, measure=MEASURE)
    assert contents(planned) == undisturbed()


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(4))
def test_runs_that_are_killed_at_random_moments_go_on(planned: Path, undisturbed: Found, seed: int) -> None:
    _killed_at_random(planned, undisturbed, seed)


@pytest.mark.heavy
def test_workers_that_are_killed_at_random_moments_change_nothing(planned: Path, undisturbed: Found) -> None:
    faults(planned, sleep=0.3)
    dice, over, killed = random.Random(7), threading.Event(), 0

    def murder() -> None:
        nonlocal killed
        while not over.wait(dice.uniform(0.8, 1.6)):
            mine = subprocess.run(
                ["pgrep", "-P", str(os.getpid()), "-f", "spawn_main"], capture_output=True, check=False
            )
            pids = mine.stdout.split()
            if pids:
                os.kill(int(dice.choice(pids)), signal.SIGKILL)
                killed += 1

    thread = threading.Thread(target=murder)
    thread.start()
    try:
        for _ in range(6):
            finished = run(planned, workers=2, measure=MEASURE, again=True)
            if not finished.aside:
                break
    finally:
        over.set()
        thread.join()
    assert killed > 0
    assert finished.aside == {}
    # What was set aside for a while comes later in the store.
    assert contents(planned, ordered=False) == undisturbed(ordered=False)
