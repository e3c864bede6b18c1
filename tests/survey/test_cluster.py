"""Running a survey on a Dask cluster: the same store, also when the cluster falls apart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tessellar.errors import Unavailable
from tessellar.survey import run
from tests.survey.conftest import contents
from tests.survey.fakework import MEASURE

pytest.importorskip("distributed")
pytestmark = [pytest.mark.heavy, pytest.mark.filterwarnings("ignore::ResourceWarning")]

Found = Callable[..., dict[str, Any]]
_ROOT = Path(__file__).parents[2]


class DaskCluster:
    """A scheduler and workers, each started on its own from the command line."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self._log = (folder / "dask.log").open("wb")
        self.scheduler = self._start("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(self.file))
        for _ in range(300):
            if self.file.exists() and self.file.read_text().strip().endswith("}"):
                break
            time.sleep(0.1)
        self.address = str(json.loads(self.file.read_text())["address"])
        self.workers = [self.add() for _ in range(2)]

    def add(self) -> subprocess.Popen[bytes]:
        return self._start("worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard")

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        self._log.close()

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        path = f"{_ROOT}:{_ROOT / 'src'}"
        command = [sys.executable, "-m", "dask", *words]
        env = {**os.environ, "PYTHONPATH": path}
        return subprocess.Popen(command, env=env, stdout=self._log, stderr=self._log, cwd=self.file.parent)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    made = DaskCluster(tmp_path)
    yield made
    made.close()


def faults(folder: Path, **what: Any) -> None:
    (folder / "faults.json").write_text(json.dumps(what))


def test_a_scheduler_and_two_workers_give_the_same_store(
    planned: Path, undisturbed: Found, cluster: DaskCluster
) -> None:
    finished = run(planned, scheduler=cluster.address, measure=MEASURE)
    assert finished.aside == {}
    assert contents(planned) == undisturbed()


def test_a_local_cluster_of_two_processes_gives_the_same_store(planned: Path, undisturbed: Found) -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local:
        run(planned, scheduler=local.scheduler_address, measure=MEASURE)
    assert contents(planned) == undisturbed()


def test_a_cluster_that_loses_half_its_workers_goes_on(planned: Path, undisturbed: Found, cluster: DaskCluster) -> None:
    faults(planned, sleep=1.0)
    lost = threading.Timer(1.5, lambda: cluster.workers[0].send_signal(signal.SIGKILL))
    lost.start()
    finished = run(planned, scheduler=str(cluster.file), measure=MEASURE)
    lost.join()
    assert cluster.workers[0].wait() == -signal.SIGKILL
    assert finished.aside == {}
    assert contents(planned) == undisturbed()


def test_a_scheduler_that_dies_ends_the_run_with_one_line_and_another_one_goes_on(
    planned: Path, undisturbed: Found, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tessellar.survey.cluster._PATIENCE", 4.0)
    faults(planned, sleep=1.0)
    threading.Timer(2.0, lambda: cluster.scheduler.send_signal(signal.SIGKILL)).start()
    with pytest.raises(Unavailable, match="is gone; what was done is kept"):
        run(planned, scheduler=cluster.address, measure=MEASURE)
    faults(planned)
    run(planned, workers=1, measure=MEASURE)
    assert contents(planned) == undisturbed()


def test_nobody_at_the_address_is_said_in_one_line(planned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tessellar.survey.cluster._PATIENCE", 1.0)
    with pytest.raises(Unavailable, match="no Dask scheduler answers at"):
        run(planned, scheduler="tcp://127.0.0.1:9", measure=MEASURE)
