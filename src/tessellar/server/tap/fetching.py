"""Tables that a question names by URL: fetched within limits, and never from inside this machine's own network."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from tessellar.config import Settings
from tessellar.errors import QueryError, TessellarError
from tessellar.net import Transport

_SECONDS = 60.0


async def fetch_table(url: str, archive: str, largest: int) -> bytes:
    """Return what lies at a URL.

    A server that fetches whatever it is told to could be sent into the network
    behind it. Hosts with private addresses are refused, but for this archive
    itself: results of its jobs can be uploaded again.

    Parameters
    ----------
    url : str
        ``http`` or ``https``.
    archive : str
        Where this archive is reached.
    largest : int
        Most bytes that are taken.

    Raises
    ------
    QueryError
        If it is no such URL, a refused one, or cannot be fetched.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise QueryError(f"UPLOAD from {url[:80]}: only http and https URLs are fetched")
    if not url.startswith(f"{archive}/") and not _is_public(parts.hostname):
        raise QueryError(
            f"UPLOAD from {url[:80]}: {parts.hostname} is not a public host; send the table with the request"
        )
    try:
        async with Transport(Settings()) as transport, transport.stream(url, {}) as incoming:
            body = bytearray()
            async for chunk in incoming.chunks:
                body += chunk
                if len(body) > largest:
                    raise QueryError(f"UPLOAD from {url[:80]}: more than {largest:,} bytes")
    except QueryError:
        raise
    except TessellarError as error:
        raise QueryError(f"UPLOAD from {url[:80]} cannot be fetched: {error}") from error
    return bytes(body)


def _is_public(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(entry[4][0]).is_global for entry in found)
