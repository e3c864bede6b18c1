"""Fetching files whole: resumed where that is safe, started over where it is not.

One file goes through these steps: is it here already; how much of it is here;
ask for the rest, on condition that it is still the same version; hash while
writing; let the sink verify and name it. A failure that may pass is tried
again; no failure of one file stops the others, except when this machine
cannot keep any.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from tessellar.config import Settings
from tessellar.errors import (
    IntegrityError,
    Interrupted,
    NoPermission,
    NoSpace,
    StoreError,
    TessellarError,
    UnexpectedReply,
)
from tessellar.net.retry import retrying
from tessellar.net.sink import Kept, Partial, Received, Remote, Sink
from tessellar.net.transport import Incoming, Transport
from tessellar.progress import Event, Listener, ignore

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True)
class Outcome:
    """What became of one file: `kept`, or `error`; never both.

    Attributes
    ----------
    remote : Remote
        What was asked for.
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


async def transfer(
    remotes: Sequence[Remote],
    sink: Sink,
    settings: Settings,
    outcomes: list[Outcome],
    listener: Listener = ignore,
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
    """
    queue = iter(remotes)
    known = [remote.size for remote in remotes]
    meter = _Meter(listener, sum(size or 0 for size in known) if all(size is not None for size in known) else None)
    stop: list[StoreError] = []

    async def work(transport: Transport) -> None:
        for remote in queue:
            if stop:
                outcomes.append(Outcome(remote, error=stop[0]))
                continue
            outcome = await _Job(remote, sink, transport, settings, meter).run()
            outcomes.append(outcome)
            if isinstance(outcome.error, StoreError):
                stop.append(outcome.error)

    try:
        async with Transport(settings) as transport, asyncio.TaskGroup() as group:
            for _ in range(min(settings.connections, len(remotes))):
                group.create_task(work(transport))
    finally:
        meter.finish()


class _Job:
    """One file's way from the archive to the sink."""

    def __init__(self, remote: Remote, sink: Sink, transport: Transport, settings: Settings, meter: _Meter) -> None:
        self._remote = remote
        self._sink = sink
        self._transport = transport
        self._settings = settings
        self._meter = meter
        self._attempts = 0

    async def run(self) -> Outcome:
        remote = self._remote
        try:
            with _disk_errors(remote.filename):
                kept = self._sink.has(remote)
                if kept is None:
                    policy = retrying(self._settings, lambda line: self._meter.say(f"{remote.filename}: {line}"))
                    kept = await policy(self._attempt)
                else:
                    self._meter.add(kept.size)
        except TessellarError as error:
            return Outcome(remote, error=error, attempts=self._attempts)
        return Outcome(remote, kept=kept, attempts=self._attempts)

    async def _attempt(self) -> Kept:
        self._attempts += 1
        partial = self._sink.plan(self._remote)
        headers = {}
        if partial.size and partial.validator:
            headers = {"Range": f"bytes={partial.size}-", "If-Range": partial.validator}
        async with self._transport.stream(self._remote.url, headers) as incoming:
            start, total = _where_it_fits(incoming, partial if headers else replace(partial, size=0))
            if start is None:
                # Our bytes are not a beginning of what the archive holds now.
                partial.path.unlink(missing_ok=True)
                raise Interrupted(f"{self._remote.filename} changed in the archive while it was fetched")
            _refuse_error_pages(self._remote, incoming)
            self._sink.begin(self._remote, _validator(incoming))
            received = await self._receive(incoming, partial.path, start, total)
        return self._sink.commit(self._remote, received)

    async def _receive(self, incoming: Incoming, path: Path, start: int, total: int | None) -> Received:
        digest = hashlib.sha256()
        size = 0
        with path.open("r+b" if start else "wb") as stream:
            if start:
                size = _hash_beginning(stream, start, digest)
            self._meter.add(size)
            try:
                async for chunk in incoming.chunks:
                    stream.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                    self._meter.add(len(chunk))
                    if total is not None and size > total:
                        raise Interrupted(f"{self._remote.filename}: more bytes came than the {total} announced")
                if total is not None and size < total:
                    raise Interrupted(f"{self._remote.filename}: the body ended after {size} of {total} bytes")
                stream.flush()
                os.fsync(stream.fileno())
            except BaseException:
                self._meter.add(-size)
                raise
        return Received(size, digest.hexdigest(), _strong_etag(incoming), incoming.headers.get("Last-Modified"))


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


def _where_it_fits(incoming: Incoming, partial: Partial) -> tuple[int | None, int | None]:
    """Return the offset at which the body starts and the size of the whole file; offset None: start over."""
    if incoming.status == 416:
        return None, None
    if incoming.status == 206:
        match = _RANGE.fullmatch(incoming.headers.get("Content-Range", ""))
        fits = match is not None and int(match[1]) == partial.size and match[3] != "*"
        fits = fits and match is not None and int(match[2]) + 1 == int(match[3])
        same = _validator(incoming) in (None, partial.validator)
        return (partial.size, int(match[3])) if fits and same and match is not None else (None, None)
    if incoming.status != 200:
        raise UnexpectedReply(f"{incoming.url} answered {incoming.status} to a request for a file", url=incoming.url)
    length = incoming.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _strong_etag(incoming: Incoming) -> str | None:
    etag = incoming.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else None


def _validator(incoming: Incoming) -> str | None:
    return _strong_etag(incoming) or incoming.headers.get("Last-Modified")


def _refuse_error_pages(remote: Remote, incoming: Incoming) -> None:
    """Refuse a page that stands for an error although its status says all is well."""
    kind = incoming.headers.get("Content-Type", "").split(";")[0].strip().lower()
    suffix = Path(remote.filename).suffix.lower().removeprefix(".")
    if kind in ("text/html", "application/json") and suffix not in ("html", "htm", "json"):
        raise IntegrityError(f"{remote.filename}: the archive sent {kind} in place of the file: see {remote.url}")
    if incoming.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnexpectedReply(f"{remote.filename}: sent with a content coding that was not asked for", url=remote.url)


def _hash_beginning(stream: BinaryIO, size: int, digest: hashlib._Hash) -> int:
    left = size
    while left:
        block = stream.read(min(left, 1 << 20))
        digest.update(block)
        left -= len(block)
    stream.truncate(size)
    return size


@contextmanager
def _disk_errors(filename: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace(f"{filename}: the disk is full; free some space and run again") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise NoPermission(f"{error.filename or filename}: may not be written; choose another folder") from error
        raise StoreError(f"{error.filename or filename}: {error.strerror or error}") from error
