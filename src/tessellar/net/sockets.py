"""Sockets that are read in large pieces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpcore

# Bytes that are taken from a socket at a time: the 64 KiB that httpcore takes by itself
# cost a third more processor time for files of some MB.
_READ_SIZE = 256 * 1024


class LargeReads(httpcore.AnyIOBackend):
    """Sockets whose `read` brings more at once than was asked for; httpcore takes any number of bytes.

    Parameters
    ----------
    addresses : mapping, optional
        Addresses of hosts by their names: nobody is asked for these again, and no other host is gone to.
    """

    def __init__(self, addresses: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._addresses = addresses

    async def connect_tcp(self, host: str, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        """Connect, and wrap the connection."""
        if self._addresses is not None:
            if host not in self._addresses:
                raise httpcore.ConnectError(f"{host} is not a host that may be gone to")
            host = self._addresses[host]
        return _LargeStream(await super().connect_tcp(host, *args, **options))


class _LargeStream(httpcore.AsyncNetworkStream):
    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self.write = inner.write  # type: ignore[method-assign]
        self.aclose = inner.aclose  # type: ignore[method-assign]
        self.get_extra_info = inner.get_extra_info  # type: ignore[method-assign]

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._inner.read(max(max_bytes, _READ_SIZE), timeout)

    async def start_tls(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        return _LargeStream(await self._inner.start_tls(*args, **options))
