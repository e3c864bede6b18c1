"""Workers on this machine: processes that each measure one task at a time.

A pool of `concurrent.futures` breaks as a whole when one of its processes dies, and does not tell
which task killed it. Here each process has a pipe of its own: of a dead one it is known what it was
doing, and it is replaced.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from tessellar.machine import keep_memory
from tessellar.survey.tasks import Ended, Task, perform

# A worker is replaced after so many tasks: what libraries leave behind in it goes with it.
_TASKS = 50
# Threads of numerical libraries: the workers are as many as there are cores already.
_SINGLE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
# What a process is to find is there for a moment: for one that starts at a time.
_STARTING = threading.Lock()
_EVENTS = Path("/sys/fs/cgroup/memory.events")


class Executor(Protocol):
    """Who performs tasks: processes of this machine, or a cluster."""

    @property
    def free(self) -> int:
        """How many more tasks it can take now."""

    def submit(self, task: Task) -> None:
        """Hand it a task."""

    def ended(self, timeout: float) -> list[Ended]:
        """Tasks that have ended, after waiting at most `timeout` seconds for one."""

    def close(self) -> None:
        """Stop, also in the middle of tasks."""


@dataclass(eq=False)
class _Worker:
    process: Any
    pipe: Connection
    task: Task | None = None
    since: float = 0.0
    count: int = 0


class Processes:
    """Worker processes, started afresh (``spawn``), one numerical thread each.

    Parameters
    ----------
    count : int
        How many.
    memory : int, optional
        Bytes that each may have; by default nine tenths of the machine's memory, shared by all.
    """

    def __init__(self, count: int, memory: int | None = None) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._memory = memory or machine_memory() * 9 // 10 // count
        self._killed = _killed_for_memory()
        self._workers = [self._start() for _ in range(count)]

    @property
    def free(self) -> int:
        """Workers without a task."""
        return sum(worker.task is None for worker in self._workers)

    @property
    def pids(self) -> list[int]:
        """Ids of the processes."""
        return [worker.process.pid for worker in self._workers]

    def submit(self, task: Task) -> None:
        """Give a task to a worker that has none."""
        at = next(place for place, worker in enumerate(self._workers) if worker.task is None)
        if self._workers[at].count >= _TASKS or not self._workers[at].process.is_alive():
            self._replace(at)
        worker = self._workers[at]
        worker.task, worker.since, worker.count = task, time.monotonic(), worker.count + 1
        # One that has just died cannot take it: `ended` will find it so.
        with suppress(OSError):
            worker.pipe.send(task)

    def ended(self, timeout: float) -> list[Ended]:
        """Tasks that have ended, after waiting at most `timeout` seconds for one."""
        busy = {worker.pipe: at for at, worker in enumerate(self._workers) if worker.task is not None}
        sentinels = {worker.process.sentinel: at for at, worker in enumerate(self._workers) if worker.task is not None}
        ready = wait([*busy, *sentinels], timeout)
        places = sorted({busy[each] if each in busy else sentinels[each] for each in ready})
        return [self._end(at) for at in places]

    def close(self) -> None:
        """Stop all workers; tasks in hand are lost."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.process.close()
            worker.pipe.close()
        self._workers = []

    def _end(self, at: int) -> Ended:
        worker = self._workers[at]
        task = worker.task
        assert task is not None
        try:
            ended: Ended = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            ended = self._died(worker, task)
        if ended.how in ("killed", "memory"):
            self._replace(at)
        else:
            worker.task = None
        return ended

    def _died(self, worker: _Worker, task: Task) -> Ended:
        code, killed = worker.process.exitcode, _killed_for_memory()
        short, self._killed = killed > self._killed, killed
        seconds = time.monotonic() - worker.since
        if short and code == -signal.SIGKILL:
            reason = "the system killed the worker, for there was not enough memory"
            return Ended(number=task.number, how="memory", reason=reason, seconds=seconds)
        name = f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
        return Ended(number=task.number, how="killed", reason=f"the worker died ({name})", seconds=seconds)

    def _replace(self, at: int) -> None:
        worker = self._workers[at]
        worker.process.kill()
        worker.process.join()
        worker.process.close()
        worker.pipe.close()
        self._workers[at] = self._start()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._memory), daemon=True)
        with _STARTING, _single_threaded(), _without_script():
            process.start()
        theirs.close()
        return _Worker(process, ours)


def machine_memory() -> int:
    """Bytes of this machine's memory, or of what its control group may have."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        allowed = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return whole
    return min(whole, allowed)


def _serve(pipe: Connection, memory: int) -> None:
    """Be a worker: perform what comes through the pipe, until it or the parent is no more."""
    # Ctrl-C goes to all processes of the terminal; it is the parent that stops the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _limit(memory)
    keep_memory()
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        # The writer has the part from this machine's memory, mostly before the disk has it.
        pipe.send(perform(task, lasting=False))


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _limit(memory: int) -> None:
    """Let allocations beyond the limit fail, so that they are told, instead of the machine running out of memory."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        memory = min(memory, hard)
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, hard))
    except (ValueError, OSError):
        return  # not on this system


def _killed_for_memory() -> int:
    """How many processes of this control group the system has killed for want of memory; 0 where it does not tell."""
    try:
        lines = _EVENTS.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


@contextmanager
def _without_script() -> Iterator[None]:
    """Let processes that are started not run the user's script again, as ``spawn`` does: it may begin this very run."""
    script = sys.modules["__main__"]
    hidden: dict[str, Any] = {name: vars(script).pop(name) for name in ("__spec__", "__file__") if name in vars(script)}
    script.__spec__ = None
    try:
        yield
    finally:
        vars(script).update(hidden)


@contextmanager
def _single_threaded() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _SINGLE}
    os.environ.update(dict.fromkeys(_SINGLE, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
