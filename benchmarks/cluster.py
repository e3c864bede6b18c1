"""What a Dask cluster costs beside processes: the same tasks through both of the survey's executors, two workers each.

16 tasks keep one core busy for 5 s each, read nothing, and write an empty part, as `tessellar survey run` has it. They
are handed out as the survey hands them out, once to worker processes of this machine and once to a Dask LocalCluster of
two processes, one thread each. What comes before the clock starts: the start of workers and cluster, and one short task
for each worker. The amount of work is the same for all tasks, and measured once in a worker.

    python benchmarks/cluster.py            16 tasks of 5 s: a minute and a half
    python benchmarks/cluster.py --quick    16 tasks of 1 s
    python benchmarks/cluster.py --json     one object on stdout

Exit status 1: the cluster takes 10 % more than the processes, or more (--quick: 0.5 s for each two tasks more, which is
10 % of 5 s); or a task failed. The load of the machine is read once, before anything else: if it is 1.5 or more, other
processes are at work, and the clock is not judged; "not judged: the machine is busy" is printed, stands in the object
of --json (`not_judged`), and leaves the exit status 0.
"""

# ruff: noqa: E402  (threads of linear algebra are limited before NumPy is there)
from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import deque
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np

from tessellar.survey.cluster import Cluster
from tessellar.survey.outcomes import Outcomes, Part
from tessellar.survey.tasks import Task
from tessellar.survey.workers import Executor, Processes

if TYPE_CHECKING:
    from collections.abc import Iterable

WORKERS, TASKS = 2, 16
SECONDS, QUICK = 5.0, 1.0
MOST = 0.10
QUIET = 1.5
# As the survey looks at what has ended.
_TICK = 0.5


def burn(task: Task) -> Part:
    """Be busy for as many turns as the task's key says."""
    turn(int(task.key))
    return Part(Outcomes.of(()), {}, {})


def turn(times: int) -> float:
    """Some arithmetic on arrays that fit into the core's cache."""
    values = np.linspace(0.0, 1.0, 10_000)
    for _ in range(times):
        values = np.sin(values) + 0.5
    return float(values.sum())


def turns_in(seconds: float) -> int:
    """How many turns take so long: by processor time of this process."""
    turn(100)
    begin = time.process_time()
    turn(2000)
    return max(round(2000 * seconds / (time.process_time() - begin)), 1)


def tasks(count: int, times: int, folder: Path, first: int = 1) -> list[Task]:
    """Tasks of so many turns each."""
    return [
        Task(
            number=number, key=str(times), folder=str(folder), path="", part=str(folder / f"task-{number:06d}.npz"),
            stars=(), measure=f"{Path(__file__).stem}:{burn.__name__}",
        )
        for number in range(first, first + count)
    ]  # fmt: skip


def work_through(executor: Executor, todo: Iterable[Task]) -> float:
    """Hand out tasks as the survey does; how long all of them took, s."""
    begin = time.monotonic()
    waiting, running = deque(todo), 0
    while waiting or running:
        while waiting and executor.free:
            executor.submit(waiting.popleft())
            running += 1
        for ended in executor.ended(_TICK):
            running -= 1
            if ended.how != "done":
                raise RuntimeError(f"task {ended.number}: {ended.how}: {ended.reason}")
    return time.monotonic() - begin


def timed(executor: Executor, times: int, folder: Path) -> float:
    """Seconds for all tasks, after one short one for each worker."""
    work_through(executor, tasks(WORKERS, max(times // 20, 1), folder, first=TASKS + 1))
    return work_through(executor, tasks(TASKS, times, folder))


def run(seconds: float, load: float) -> dict[str, Any]:
    """Measure both."""
    from distributed import LocalCluster

    times = turns_in(seconds)
    with TemporaryDirectory() as name:
        folder = Path(name)
        with closing(Processes(WORKERS)) as here:
            processes = timed(here, times, folder)
        with (
            LocalCluster(n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None) as made,
            closing(Cluster(made.scheduler_address)) as there,
        ):
            cluster = timed(there, times, folder)
    return {
        "workers": WORKERS,
        "tasks": TASKS,
        "task_s": seconds,
        "processes_s": processes,
        "dask_s": cluster,
        "cost": cluster / processes - 1,
        "cost_of_5_s": (cluster - processes) / (TASKS / WORKERS * SECONDS),
        "load": load,
    }


def judged(result: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What does not hold of the claim, and what could not be judged."""
    cost = result["cost"] if result["task_s"] >= SECONDS else result["cost_of_5_s"]
    if cost < MOST:
        return [], []
    line = f"Dask costs {100 * cost:.1f} % of tasks of {SECONDS:g} s, not less than {100 * MOST:.0f} %"
    if result["load"] < QUIET:
        return [line], []
    return [], [f"the machine is busy (load {result['load']:.1f}): {line}"]


def main() -> int:
    """Run, print, judge."""
    # Before anything: what we do ourselves is no reason not to judge.
    load = os.getloadavg()[0]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tasks of 1 s")
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    asked = parser.parse_args()
    result = run(QUICK if asked.quick else SECONDS, load)
    result["failures"], result["not_judged"] = judged(result)
    if asked.json:
        print(json.dumps(result))
    else:
        print(f"{TASKS} tasks of {result['task_s']:g} s of one core, {WORKERS} workers; load {load:.1f} before")
        print(f"processes {result['processes_s']:.2f} s, Dask {result['dask_s']:.2f} s: {100 * result['cost']:+.1f} %")
        for what in ("not_judged", "failures"):
            for line in result[what]:
                print(f"{'failed' if what == 'failures' else 'not judged'}: {line}")
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
