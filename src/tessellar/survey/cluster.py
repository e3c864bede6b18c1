"""Workers of a Dask cluster: the same tasks, on other machines that see the same files."""

from __future__ import annotations

import logging
import time
from importlib import import_module
from queue import Empty, Queue
from typing import Any

from tessellar.errors import InputError, Unavailable
from tessellar.survey.tasks import Ended, Task, perform

# Tasks that wait at each worker for the one in hand to end: it never stands idle.
_AHEAD = 1
# Seconds after which a scheduler that is silent is gone, and between looks at the cluster's size.
_PATIENCE, _LOOK = 20.0, 2.0


class Cluster:
    """A Dask cluster as an executor.

    Workers that come later take part, and of those that go the scheduler gives the tasks to others.

    Parameters
    ----------
    address : str
        Of the scheduler: ``tcp://host:8786``, or a file that it wrote with ``--scheduler-file``.

    Raises
    ------
    InputError
        If Dask is not installed.
    Unavailable
        If nobody answers there.
    """

    def __init__(self, address: str) -> None:
        try:
            distributed: Any = import_module("distributed")
        except ImportError as error:
            raise InputError("a cluster needs Dask: pip install 'tessellar[cluster]'") from error
        # What it says of its connections is ours to say.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        where = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
        try:
            self._client: Any = distributed.Client(**where, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            told = " ".join(str(error).split())
            raise Unavailable(f"no Dask scheduler answers at {address} ({told})", url=address) from error
        self._address = address
        self._futures: dict[int, Any] = {}
        self._ready: Queue[int] = Queue()
        self._looked, self._cores, self._seen = 0.0, 0, time.monotonic()

    @property
    def free(self) -> int:
        """Tasks that its workers can take now, and one ahead each."""
        if time.monotonic() - self._looked > _LOOK:
            self._look()
        return max(self._cores * (1 + _AHEAD) - len(self._futures), 0)

    def submit(self, task: Task) -> None:
        """Hand the scheduler a task."""
        key = f"tessellar-{task.key[:8]}-{task.number}-{time.time_ns()}"
        try:
            future = self._client.submit(perform, task, key=key, pure=False, priority=-task.number)
        except Exception as error:
            # A client that has given up its scheduler says so in a way of its own.
            if self._client.status == "running":
                raise
            raise self._gone() from error
        self._futures[task.number] = future
        future.add_done_callback(lambda _: self._ready.put(task.number))

    def ended(self, timeout: float) -> list[Ended]:
        """Tasks that have ended, after waiting at most `timeout` seconds for one."""
        self._look()
        numbers: list[int] = []
        try:
            numbers.append(self._ready.get(timeout=timeout))
            while True:
                numbers.append(self._ready.get_nowait())
        except Empty:
            pass
        return [self._end(number) for number in numbers if number in self._futures]

    def close(self) -> None:
        """Let go of the cluster, which goes on without us."""
        self._futures.clear()
        self._client.close(timeout=2)

    def _end(self, number: int) -> Ended:
        future = self._futures.pop(number)
        # What a worker that has died since held is lost, finished or not: it is measured again, at no cost of tries.
        try:
            if future.status == "finished":
                ended: Ended = future.result(timeout=_PATIENCE)
                return ended
            error = future.exception(timeout=_PATIENCE) if future.status == "error" else None
        except Exception as lost:  # noqa: BLE001  the cluster's own troubles, of many kinds; `_look` tells if it is gone
            return Ended(number=number, how="lost", reason=f"the cluster lost it ({_described(lost)})")
        if error is None:
            return Ended(number=number, how="lost", reason=f"the cluster lost it ({future.status})")
        if type(error).__name__ == "KilledWorker":
            reason = f"its workers died, {error.allowed_failures + 1} times ({error.last_worker.address} last)"
            return Ended(number=number, how="killed", reason=reason)
        return Ended(number=number, how="failed", reason=_described(error))

    def _look(self) -> None:
        """Count the cluster's threads, and notice that its scheduler is gone."""
        self._looked = time.monotonic()
        try:
            if self._client.status != "running":
                raise OSError(f"connection is {self._client.status}")
            self._cores = sum(self._client.nthreads().values())
            self._seen = time.monotonic()
        except OSError as error:
            if time.monotonic() - self._seen > _PATIENCE:
                raise self._gone() from error

    def _gone(self) -> Unavailable:
        told = f"the Dask scheduler at {self._address} is gone; what was done is kept: run again to go on"
        return Unavailable(told, url=self._address)


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
