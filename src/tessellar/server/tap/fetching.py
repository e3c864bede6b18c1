"""Tables that a question names by URL: fetched within limits, and never from inside this machine's own network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from tessellar.config import Settings
from tessellar.errors import QueryError, TessellarError
from tessellar.net import Transport

_SECONDS = 60.0


async def fetch_table(url: str, largest: int) -> bytes:
    """Return what lies at a URL.

    A server that fetches whatever it is told to could be sent into the network
    behind it. Hosts with private addresses are refused, and so is being sent on
    to another host.

    Parameters
    ----------
    url : str
        ``http`` or ``https``.
    largest : int
        Most bytes that are taken.

    Raises
    ------
    QueryError
        If it is no such URL, a refused one, or cannot be fetched.
    """
    parts = urlsplit(url)
    told = f"UPLOAD from {url[:80]}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise QueryError(f"{told}: only http and https URLs are fetched")
    address = await asyncio.to_thread(_public_address, parts.hostname)
    if address is None:
        raise QueryError(f"{told}: {parts.hostname} is not a public host; send the table with the request")
    body = bytearray()
    try:
        async with (
            asyncio.timeout(_SECONDS),
            # Asked a second time, the name could stand for another address.
            Transport(Settings(), redirects=False, addresses={parts.hostname: address}) as transport,
            transport.stream(url, {}) as incoming,
        ):
            if incoming.status != 200:
                raise QueryError(f"{told}: answered {incoming.status}; give the address of the table itself")
            async for chunk in incoming.chunks:
                body += chunk
                if len(body) > largest:
                    raise QueryError(f"{told}: more than {largest:,} bytes")
    except TimeoutError as error:
        raise QueryError(f"{told}: not here after {_SECONDS:.0f} s") from error
    except QueryError:
        raise
    except TessellarError as error:
        raise QueryError(f"{told} cannot be fetched: {error}") from error
    return bytes(body)


def _public_address(host: str) -> str | None:
    """Return the address of a host; None if it has none, or any that is not public."""
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except OSError:
        return None
    return found[0] if found and all(ipaddress.ip_address(each).is_global for each in found) else None
