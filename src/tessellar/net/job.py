"""One file's way from the archive to the sink.

Is it here already; how much of it is here; ask for the rest, on condition that
it is still the same version; hash while writing; let the sink verify and name
it. A failure that may pass is tried again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from tessellar.config import Settings
from tessellar.errors import (
    ArchiveError,
    ChangedUpstream,
    IntegrityError,
    Interrupted,
    RateLimited,
    StoreError,
    TessellarError,
    TransferError,
    Unavailable,
)
from tessellar.net.answer import Place, is_page, place_of, reason_in, refuse_page, validator_of
from tessellar.net.body import Receiver
from tessellar.net.disk import check_room, disk_errors
from tessellar.net.loop import in_thread
from tessellar.net.retry import Budget
from tessellar.net.sink import Claim, Kept, Partial, Received, Remote, Sink
from tessellar.net.throttle import Throttle
from tessellar.net.transport import Transport

# Tries of a source while there is another one to ask, and the longest pause (s) between them.
_TRIES_BEFORE_ANOTHER = 2
_PAUSE_BEFORE_ANOTHER = 5.0
# Bytes that are fetched also where they are not those that were asked for, to see what they are.
_SMALL = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """What became of one file: `kept`, or `error`; never both.

    Attributes
    ----------
    remote : Remote
        What was asked for; its `url` is that of the source that gave it, or was asked last.
    kept : Kept or None
        The file, if it is here now.
    error : TessellarError or None
        Why it is not.
    attempts : int
        Requests made for it; 0 if it was here already.
    """

    remote: Remote
    kept: Kept | None = None
    error: TessellarError | None = None
    attempts: int = 0


@dataclass(frozen=True)
class Means:
    """What all jobs of one batch share.

    Attributes
    ----------
    sink : Sink
        Who keeps the files.
    transport : Transport
        Connections.
    throttle : Throttle
        How many requests each host gets.
    settings : Settings
        Time-outs, attempts.
    pool : Executor
        Where work on files is done, so that the network never waits for a disk.
    add : callable
        Told how many bytes came.
    say : callable
        Told one line about trouble.
    stopped : list of StoreError
        Why no request is to be started any more; empty while all is well.
    """

    sink: Sink
    transport: Transport
    throttle: Throttle
    settings: Settings
    pool: Executor
    add: Callable[[int], None]
    say: Callable[[str], None]
    stopped: list[StoreError] = field(default_factory=list)


class Job:
    """One file's way.

    Parameters
    ----------
    remote : Remote
        The file.
    means : Means
        What it is fetched with.
    """

    def __init__(self, remote: Remote, means: Means) -> None:
        self._remote = remote
        self._means = means
        self._kept: Kept | None = None
        self._claim: Claim | None = None
        self._total = remote.size
        self._odd_size: int | None = None
        self._more = False
        self.attempts = 0

    async def run(self) -> Outcome | None:
        """Go all the way; return None if somebody else is fetching this file now."""
        try:
            with disk_errors(self._remote.filename):
                found = await self._claimed()
        except TessellarError as error:
            return Outcome(self._remote, error=error, attempts=self.attempts)
        return self.outcome if found else None

    @property
    def outcome(self) -> Outcome | None:
        """What is settled, also when `run` was cancelled."""
        return Outcome(self._remote, kept=self._kept, attempts=self.attempts) if self._kept is not None else None

    async def _claimed(self) -> bool:
        means, remote = self._means, self._remote

        def start() -> None:
            # Kept in the object: when we are cancelled here, the claim must be given back all the same.
            self._claim = means.sink.claim(remote)
            if self._claim is not None:
                self._kept = means.sink.has(remote)

        try:
            await in_thread(means.pool, start)
            if self._claim is None:
                return False
            if self._kept is not None:
                means.add(self._kept.size)
            else:
                await self._fetch()
        finally:
            if self._claim is not None:
                self._claim.release()
        return True

    async def _fetch(self) -> None:
        """Ask one source after the other; the one first of which a part is here already."""
        means, asked = self._means, self._remote
        partial = await self._plan()
        hosts = [(url, means.throttle.host(url)) for url in (asked.url, *asked.others)]
        usable = [(url, host) for url, host in hosts if not host.down] or hosts[-1:]
        usable.sort(key=lambda source: not partial.size or source[0] != partial.source)
        failures: list[TessellarError] = []
        for number, (url, host) in enumerate(usable):
            # What is meant for one origin alone is not for the others.
            self._remote = asked if url == asked.url else replace(asked, url=url, private={})
            self._more = more = number + 1 < len(usable)
            self._odd_size = None
            try:
                await self._fetch_here()
            except (ArchiveError, TransferError) as error:
                if isinstance(error, Unavailable | RateLimited):
                    host.given_up += 1
                failures.append(error)
                if more:
                    means.say(f"{asked.filename}: {error}; asking {_host(usable[number + 1][0])}")
            else:
                host.given_up = 0
                return
        raise failures[0] if len(failures) == 1 else _none_gave(asked, [url for url, _ in usable], failures)

    async def _fetch_here(self) -> None:
        """Ask one source again and again; not so often if there are more."""
        means, settings = self._means, self._means.settings
        tries = min(_TRIES_BEFORE_ANOTHER, settings.attempts) if self._more else settings.attempts
        budget = Budget(replace(settings, attempts=tries))
        partial = await self._plan()
        budget.start_from(self._continuable(partial))
        while True:
            try:
                await self._attempt(partial)
                return
            except TessellarError as error:
                partial = await self._plan()
                pause = budget.pause(error, self._continuable(partial), self._total)
                if pause is None or (self._more and pause > _PAUSE_BEFORE_ANOTHER):
                    raise
                means.say(f"{self._remote.filename}: {error}; trying again in {pause:.1f} s")
                await asyncio.sleep(pause)

    async def _attempt(self, partial: Partial) -> None:
        means = self._means
        async with means.throttle.host(self._remote.url).slot():
            if means.stopped:
                raise means.stopped[0]
            self.attempts += 1
            received = await self._receive(partial)

        def commit() -> None:
            self._kept = means.sink.commit(self._remote, received)

        await in_thread(means.pool, commit)

    async def _receive(self, partial: Partial) -> Received:
        means, remote = self._means, self._remote
        asked = self._to_continue(partial)
        headers = {}
        if asked is not None:
            headers["Range"] = f"bytes={asked.size}-"
            if asked.validator is not None:
                headers["If-Range"] = asked.validator
        async with means.transport.stream(remote.url, headers, private=remote.private) as incoming:
            if is_page(remote, incoming):
                refuse_page(remote, await reason_in(incoming))
            place = place_of(remote, incoming, asked)
            if place is None:
                # Emptied, not deleted: our lock is on it.
                await in_thread(means.pool, lambda: os.truncate(partial.path, 0))
                raise Interrupted(f"{remote.filename} changed in the archive while it was fetched")
            self._check_size(place)
            self._total = place.total or self._total
            check_room(partial.path, (place.total or 0) - place.start)
            version = None if place.packed else validator_of(incoming)
            if incoming.status != 416:
                await in_thread(means.pool, lambda: means.sink.begin(remote, version))
            receiver = Receiver(remote.filename, partial.path, means.settings, means.pool, means.add)
            received = await receiver.receive(incoming, place)
        if not received.size and remote.size != 0:
            raise IntegrityError(f"{remote.filename}: the archive sent nothing in place of the file: see {remote.url}")
        return received

    async def _plan(self) -> Partial:
        return await in_thread(self._means.pool, lambda: self._means.sink.plan(self._remote))

    def _to_continue(self, partial: Partial) -> Partial | None:
        """Return what is here if this source may go on with it, and None if the file is to start over.

        It may if it sent those bytes itself and can say that they are of the same version. Bytes of another
        source are only gone on with where size and digest are known and will prove the whole.
        """
        if not partial.size:
            return None
        if partial.source == self._remote.url and partial.validator:
            return partial
        proved = self._remote.digest is not None and partial.size <= (self._remote.size or 0)
        return replace(partial, validator=None) if proved else None

    def _continuable(self, partial: Partial) -> int:
        return partial.size if self._to_continue(partial) is not None else 0

    def _check_size(self, place: Place) -> None:
        """Refuse a file before its bytes come, where its size says that it is another than that of the digest.

        Also without a digest, where there is another source, which may have what the table says. A small one is looked
        at all the same if there is none: it may be a page that tells of trouble, which is no change.
        """
        remote, total = self._remote, place.total
        if remote.size is None or total is None or total == remote.size:
            return
        if not self._more and (remote.digest is None or total <= _SMALL):
            return
        # Once, a header may be wrong.
        kind = ChangedUpstream if total == self._odd_size else IntegrityError
        self._odd_size = total
        raise kind(
            f"{remote.filename}: {_host(remote.url)} has {total} bytes, not the {remote.size} that were asked for: "
            "it has changed there"
        )


def _host(url: str) -> str:
    """Name the place that a URL leads to."""
    return urlsplit(url).netloc or "this machine"


def _none_gave(remote: Remote, asked: Sequence[str], failures: Sequence[TessellarError]) -> TransferError:
    told = "; ".join(f"{_host(url)}: {error}" for url, error in zip(asked, failures, strict=True))
    return TransferError(f"{remote.filename}: none of {len(failures)} sources gave it: {told}")
