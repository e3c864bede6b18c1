"""Fetching many files: several at a time, as many as the host bears, until all are settled.

No failure of one file stops the others, except when this machine cannot keep
any, or when a host gives nothing any more.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from urllib.parse import urlsplit

from tessellar.config import Settings
from tessellar.errors import Interrupted, StoreError, TessellarError, Unavailable
from tessellar.net.disk import disk_errors
from tessellar.net.job import Job, Means, Outcome
from tessellar.net.loop import in_thread
from tessellar.net.sink import Remote, Sink
from tessellar.net.throttle import DOWN, Throttle
from tessellar.net.transport import Transport
from tessellar.progress import Event, Listener, ignore

__all__ = ["Outcome", "transfer"]

# Files under way for each connection: those that wait before another attempt do not hold up the rest.
_UNDER_WAY = 3
# Seconds between two looks at a file that somebody else is fetching.
_POLL = 0.1
_DISK_THREADS = 4
_SLICE = 256


async def transfer(
    remotes: Sequence[Remote],
    sink: Sink,
    settings: Settings,
    outcomes: list[Outcome],
    listener: Listener = ignore,
    *,
    deadline: float | None = None,
) -> None:
    """Fetch files into a sink, several at a time.

    Parameters
    ----------
    remotes : sequence of Remote
        What to fetch.
    sink : Sink
        Who keeps the files.
    settings : Settings
        Connections, time-outs, attempts.
    outcomes : list of Outcome
        Filled with one outcome per file as each is settled; so that what is
        done stays known when this is cancelled.
    listener : callable, optional
        Told of bytes as they arrive.
    deadline : float, optional
        Seconds after which what is not whole is given up; it can be continued by another call.
    """
    wanted = list({remote.uri: remote for remote in remotes}.values())
    known = [remote.size for remote in wanted]
    meter = _Meter(listener, sum(size or 0 for size in known) if all(size is not None for size in known) else None)
    pool = ThreadPoolExecutor(_DISK_THREADS, thread_name_prefix="tessellar-disk")
    try:
        async with asyncio.timeout(deadline):
            missing = await _recall(wanted, sink, outcomes, meter, pool)
            if missing:
                async with Transport(settings) as transport:
                    throttle = Throttle(settings.connections)
                    means = Means(sink, transport, throttle, settings, pool, meter.add, meter.say)
                    await _Batch(missing, means, outcomes).run()
    except TimeoutError:
        settled = {outcome.remote.uri for outcome in outcomes}
        late = f"was not whole when the {deadline:g} s given to the batch were over; fetch again to go on"
        outcomes += [
            Outcome(remote, error=Interrupted(f"{remote.filename} {late}"))
            for remote in wanted
            if remote.uri not in settled
        ]
    finally:
        meter.finish()
        pool.shutdown()


async def _recall(
    remotes: Sequence[Remote], sink: Sink, outcomes: list[Outcome], meter: _Meter, pool: Executor
) -> list[Remote]:
    """Settle the files that are known to be here; return the others."""
    missing: list[Remote] = []

    def look(some: Sequence[Remote]) -> int:
        size = 0
        for remote in some:
            try:
                with disk_errors(remote.filename):
                    kept = sink.recall(remote)
            except TessellarError as error:
                outcomes.append(Outcome(remote, error=error))
                continue
            if kept is None:
                missing.append(remote)
            else:
                outcomes.append(Outcome(remote, kept=kept))
                size += kept.size
        return size

    for first in range(0, len(remotes), _SLICE):
        some = remotes[first : first + _SLICE]
        meter.add(await in_thread(pool, lambda some=some: look(some)))  # type: ignore[misc]
    return missing


class _Batch:
    """Files on their way, and what is known of the hosts that they come from."""

    def __init__(self, remotes: Sequence[Remote], means: Means, outcomes: list[Outcome]) -> None:
        self._queue = deque(remotes)
        self._means = means
        self._outcomes = outcomes

    async def run(self) -> None:
        workers = min(_UNDER_WAY * self._means.settings.connections, len(self._queue))
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while self._queue:
            remote = self._queue.popleft()
            error = self._means.stopped[0] if self._means.stopped else self._down(remote)
            if error is not None:
                self._outcomes.append(Outcome(remote, error=error))
                continue
            job = Job(remote, self._means)
            try:
                outcome = await job.run()
            except asyncio.CancelledError:
                if job.outcome is not None:
                    self._outcomes.append(job.outcome)
                raise
            if outcome is None:
                self._queue.append(remote)
                await asyncio.sleep(random.uniform(0.5, 1.5) * _POLL)
            else:
                self._settle(outcome)

    def _settle(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        if isinstance(outcome.error, StoreError):
            self._means.stopped.append(outcome.error)

    def _down(self, remote: Remote) -> Unavailable | None:
        throttle = self._means.throttle
        if not all(throttle.host(url).down for url in (remote.url, *remote.others)):
            return None
        host = urlsplit(remote.url).netloc
        return Unavailable(
            f"{host} is not asked for {remote.filename}: it gave none of the {DOWN} files before, "
            "however often it was asked; fetch again later",
            url=remote.url,
        )


class _Meter:
    """Adds up the bytes of all files into progress events."""

    def __init__(self, listener: Listener, total: int | None) -> None:
        self._listener = listener
        self._total = total
        self._done = 0

    def add(self, size: int) -> None:
        self._done += size
        self._listener(Event("fetch", self._done, self._total, "bytes"))

    def say(self, line: str) -> None:
        self._listener(Event("fetch", self._done, self._total, "bytes", note=line))

    def finish(self) -> None:
        self._listener(Event("fetch", self._done, self._total, "bytes", finished=True))
