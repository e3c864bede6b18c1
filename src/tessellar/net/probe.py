"""Asking what an archive holds of many files, without fetching them: one request for the headers of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tessellar.config import Settings
from tessellar.errors import TessellarError
from tessellar.net.retry import retrying
from tessellar.net.sink import Remote
from tessellar.net.throttle import Throttle
from tessellar.net.transport import Reply, Transport
from tessellar.progress import Event, Listener, ignore


@dataclass(frozen=True)
class Version:
    """What the archive says of a file now.

    Attributes
    ----------
    size : int or None
        Bytes.
    etag : str or None
        Its name for this version, if it promises equal bytes.
    """

    size: int | None
    etag: str | None


async def probe(
    remotes: Sequence[Remote], settings: Settings, listener: Listener = ignore
) -> dict[str, Version | TessellarError]:
    """Ask for the headers of files, several at a time.

    Parameters
    ----------
    remotes : sequence of Remote
        The files.
    settings : Settings
        Connections, time-outs, attempts.
    listener : callable, optional
        Told of progress.

    Returns
    -------
    dict
        By archive name: the version, or the error that stands for it.
    """
    found: dict[str, Version | TessellarError] = {}
    throttle = Throttle(settings.connections)

    async def ask(remote: Remote) -> None:
        async def once() -> Reply:
            async with throttle.host(remote.url).slot():
                return await transport.head(remote.url, private=remote.private)

        try:
            found[remote.uri] = _version(await retrying(settings)(once))
        except TessellarError as error:
            found[remote.uri] = error
        listener(Event("compare", len(found), len(remotes), "files", finished=len(found) == len(remotes)))

    async with Transport(settings) as transport:
        queue = iter(remotes)

        async def work() -> None:
            for remote in queue:
                await ask(remote)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(2 * settings.connections, len(remotes))):
                group.create_task(work())
    return found


def _version(reply: Reply) -> Version:
    length, etag = reply.headers.get("Content-Length", ""), reply.headers.get("ETag", "")
    packed = reply.headers.get("Content-Encoding", "identity").lower() not in ("identity", "")
    size = int(length) if length.isdecimal() and not packed else None
    return Version(size, etag if etag and not etag.startswith("W/") else None)
