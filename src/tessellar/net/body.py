"""Receiving the body of an answer: watched for stalls, written and hashed while it comes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from tessellar.config import Settings
from tessellar.errors import IntegrityError, Interrupted, Unavailable
from tessellar.net.answer import Place, strong_etag
from tessellar.net.incoming import Incoming
from tessellar.net.loop import in_thread
from tessellar.net.sink import Received

# Bytes go to the disk in pieces of this size, or after this time: so much can be lost by a kill.
BLOCK = 512 * 1024
LONGEST_UNWRITTEN = 0.5


class PartFile:
    """A partial file while bytes arrive. Its methods block: they run in a worker thread, one at a time.

    Parameters
    ----------
    path : Path
        Kept, not replaced, where it exists: somebody may hold a lock on it.
    start : int
        Bytes of it that stay; they are hashed again.
    """

    def __init__(self, path: Path, start: int) -> None:
        self._digest = hashlib.sha256()
        self._stream = path.open("r+b" if start else "wb")
        try:
            left = start
            while left:
                block = self._stream.read(min(left, 1 << 20))
                if not block:
                    raise Interrupted(f"{path.name}: shorter than it was a moment ago; is somebody else at it?")
                self._digest.update(block)
                left -= len(block)
            self._stream.truncate(start)
        except BaseException:
            self._stream.close()
            raise

    def write(self, chunks: list[bytes]) -> None:
        """Append chunks, and hand them to the system: they survive the death of this process."""
        for chunk in chunks:
            self._stream.write(chunk)
            self._digest.update(chunk)
        self._stream.flush()

    def finish(self) -> str:
        """Put every byte on the disk; return the digest of the whole."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        return self._digest.hexdigest()

    def close(self) -> None:
        """Let go of the file; for when it is not finished."""
        with suppress(OSError):
            self._stream.close()


class Receiver:
    """Takes one body into one partial file.

    Parameters
    ----------
    name : str
        The file's name, for messages.
    path : Path
        The partial file.
    settings : Settings
        Gives the idle time-out and the slowest rate.
    pool : Executor
        Where files are written.
    add : callable
        Told how many bytes came, or with a negative number were given up.
    """

    def __init__(self, name: str, path: Path, settings: Settings, pool: Executor, add: Callable[[int], None]) -> None:
        self._name = name
        self._path = path
        self._settings = settings
        self._pool = pool
        self._add = add

    async def receive(self, incoming: Incoming, place: Place) -> Received:
        """Write the body where it belongs; check that it is as long as announced.

        Raises
        ------
        Interrupted
            If it is shorter or longer. What came of a shorter one is on the disk.
        Unavailable
            If it comes too slowly.
        """
        file = await in_thread(self._pool, lambda: PartFile(self._path, place.start))
        self._add(place.start)
        taken = _Taken(file, self._pool, place.start)
        try:
            # 416: ours are all the bytes there are, and the body is a message.
            if incoming.status != 416:
                await self._take_all(incoming, place, taken)
            digest = await in_thread(self._pool, file.finish)
        except BaseException:
            self._add(-taken.counted)
            raise
        finally:
            file.close()
        modified = incoming.headers.get("Last-Modified")
        return Received(taken.size, digest, strong_etag(incoming), modified)

    async def _take_all(self, incoming: Incoming, place: Place, taken: _Taken) -> None:
        chunks = self._watched(incoming)
        try:
            async for chunk in _unpacked(chunks, self._name) if place.packed else chunks:
                taken.append(chunk)
                if place.total is not None and taken.size > place.total:
                    raise Interrupted(f"{self._name}: more bytes came than the {place.total} announced")
                if taken.due():
                    self._add(await taken.write())
        finally:
            # Also of a body that breaks off: the next attempt goes on from there.
            self._add(await taken.write(last=True))
        if place.total is not None and taken.size < place.total:
            raise Interrupted(f"{self._name}: the body ended after {taken.size} of {place.total} bytes")

    async def _watched(self, incoming: Incoming) -> AsyncIterator[bytes]:
        """Pass chunks on; raise when too few bytes came in the time of one idle time-out of waiting."""
        settings = self._settings
        waited, came = 0.0, 0
        asked = time.monotonic()
        async for chunk in incoming.chunks:
            waited += time.monotonic() - asked
            came += len(chunk)
            if waited >= settings.idle_timeout:
                if came < settings.min_rate * waited:
                    raise Unavailable(
                        f"{urlsplit(incoming.url).netloc} sends too slowly: {came} bytes of {self._name} "
                        f"in {waited:.0f} s",
                        url=incoming.url,
                    )
                waited, came = 0.0, 0
            yield chunk
            asked = time.monotonic()


class _Taken:
    """Chunks on their way to the disk: one piece is written while the next one comes."""

    def __init__(self, file: PartFile, pool: Executor, start: int) -> None:
        self._file = file
        self._pool = pool
        self._chunks: list[bytes] = []
        self._held = 0
        self._written = time.monotonic()
        self._writing: asyncio.Future[None] | None = None
        self.size = start
        self.counted = start

    def append(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._held += len(chunk)
        self.size += len(chunk)

    def due(self) -> bool:
        return self._held >= BLOCK or time.monotonic() - self._written >= LONGEST_UNWRITTEN

    async def write(self, last: bool = False) -> int:
        """Start to write what is held, after what went before; `last`: wait for the end of it. Return its size."""
        await self._wait()
        chunks, size = self._chunks, self._held
        self._chunks, self._held, self._written = [], 0, time.monotonic()
        if chunks:
            self._writing = asyncio.get_running_loop().run_in_executor(self._pool, self._file.write, chunks)
        if last:
            await self._wait()
        self.counted += size
        return size

    async def _wait(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await asyncio.wait([writing])
                raise


async def _unpacked(chunks: AsyncIterator[bytes], name: str) -> AsyncIterator[bytes]:
    """Unpack a body that a server packed with gzip on its own account."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        async for chunk in chunks:
            part = unpacker.decompress(chunk)
            if part:
                yield part
    except zlib.error as error:
        raise IntegrityError(f"{name}: sent as gzip, but it cannot be unpacked ({error})") from error
    if not unpacker.eof:
        raise Interrupted(f"{name}: the packed body ended too early")
