"""HTTP, and the only module that knows which library speaks it.

Every failure leaves here as one of our errors, so that the rest of the house
never sees the library's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpcore
import httpx

from tessellar import __version__
from tessellar.config import Settings
from tessellar.errors import (
    ArchiveError,
    AuthError,
    Interrupted,
    NotFound,
    RateLimited,
    TessellarError,
    TimedOut,
    Unavailable,
    UnexpectedReply,
)
from tessellar.net.retry import retry_after_seconds

_TOO_LONG = frozenset({408, 504})
# Bytes that are taken from a socket at a time. The 64 KiB that httpcore takes by itself cost a third more
# processor time for files of some MB; it has no other way to say so than this constant of its class.
_READ_SIZE = 256 * 1024

_TRY_LATER = frozenset({425, 500, 502, 503})


@dataclass(frozen=True)
class Reply:
    """A whole answer."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Incoming:
    """An answer whose body is still arriving."""

    url: str
    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class Transport:
    """Connections to archives, reused while the block that opened them lasts.

    Parameters
    ----------
    settings : Settings
        Time-outs and the number of connections.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = _READ_SIZE
        self._client = httpx.AsyncClient(
            headers={"User-Agent": f"tessellar/{__version__}"},
            timeout=httpx.Timeout(settings.idle_timeout, connect=settings.connect_timeout, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=settings.connections),
            follow_redirects=True,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def post_form(self, url: str, form: Mapping[str, str], *, timeout: float | None = None) -> Reply:
        """Send a form and wait for the whole answer; `timeout` in seconds replaces the idle time-out."""
        return await self._ask("POST", url, form=form, timeout=timeout)

    async def get(self, url: str, params: Mapping[str, str] | None = None, *, timeout: float | None = None) -> Reply:
        """Ask for a small thing and wait for the whole answer."""
        return await self._ask("GET", url, params=params, timeout=timeout)

    @asynccontextmanager
    async def stream(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Incoming]:
        """Ask for a file, byte by byte as the archive holds it (no content coding).

        A status of 400 or more, other than 416, raises. 416 is returned, for
        it tells the caller that its range is wrong.
        """
        client = self._open_client()
        wanted = {"Accept-Encoding": "identity", **headers}
        with _translated(url, mid_body=True):
            async with client.stream("GET", url, headers=wanted) as response:
                if response.status_code != 416:
                    _raise_for_status(url, response)
                yield Incoming(url, response.status_code, response.headers, response.aiter_raw())

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Reply:
        client = self._open_client()
        limit = httpx.USE_CLIENT_DEFAULT
        with _translated(url, mid_body=False):
            response = await client.request(
                method,
                url,
                data=dict(form) if form is not None else None,
                params=dict(params) if params is not None else None,
                timeout=limit if timeout is None else httpx.Timeout(timeout, connect=self._settings.connect_timeout),
            )
            _raise_for_status(url, response)
            return Reply(str(response.url), response.status_code, response.headers, response.content)

    def _open_client(self) -> httpx.AsyncClient:
        if self._settings.offline:
            raise ArchiveError("offline: the network is not used, for the setting offline is on")
        if self._client is None:
            raise TessellarError("the transport is closed: use it inside `async with`")
        return self._client


@contextmanager
def _translated(url: str, *, mid_body: bool) -> Iterator[None]:
    host = urlsplit(url).netloc
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise Unavailable(
            f"{host} cannot be reached ({_reason(error)}): check the network, or the archive's name", url=url
        ) from error
    except httpx.TimeoutException as error:
        raise TimedOut(f"{host} sent nothing for too long ({_reason(error)})", url=url) from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise UnexpectedReply(f"{url!r} is not a URL that can be asked: {error}", url=url) from error
    except httpx.TransportError as error:
        if mid_body:
            raise Interrupted(f"the connection to {host} broke off ({_reason(error)})") from error
        raise Unavailable(f"the connection to {host} broke off ({_reason(error)})", url=url) from error
    except (httpx.TooManyRedirects, httpx.DecodingError) as error:
        raise UnexpectedReply(f"{host} sent an answer that makes no sense ({_reason(error)})", url=url) from error


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _raise_for_status(url: str, response: httpx.Response) -> None:
    status = response.status_code
    if status < 400:
        return
    kind: type[ArchiveError] = UnexpectedReply
    if status == 429:
        kind = RateLimited
    elif status in _TOO_LONG:
        kind = TimedOut
    elif status in _TRY_LATER:
        kind = Unavailable
    elif status in (401, 403):
        kind = AuthError
    elif status in (404, 410):
        kind = NotFound
    host = urlsplit(url).netloc
    raise kind(
        f"{host} answered {status} {response.reason_phrase}",
        url=url,
        status=status,
        retry_after=retry_after_seconds(response.headers.get("Retry-After")),
    )
