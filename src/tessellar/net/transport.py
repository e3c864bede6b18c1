"""HTTP, and the only module that knows which library speaks it.

Every failure leaves here as one of our errors, so that the rest of the house
never sees the library's.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies

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
from tessellar.net.answer import told_in
from tessellar.net.discretion import keep_cookies_out_of_logs
from tessellar.net.folder import open_file
from tessellar.net.incoming import Incoming
from tessellar.net.retry import retry_after_seconds
from tessellar.net.sockets import LargeReads

_LONGEST_REASON = 65536  # bytes
_TOO_LONG = frozenset({408, 504})
_TRY_LATER = frozenset({425, 500, 502, 503})

# Under this name a request carries the headers that only one origin may see.
_PRIVATE = "tessellar.private"


@dataclass(frozen=True)
class Reply:
    """A whole answer.

    Attributes
    ----------
    url : str
        Where it came from, after redirections.
    status : int
        HTTP status.
    headers : mapping
        Its headers; names in any case.
    body : bytes
        Its body.
    cookies : mapping
        The cookies that the origin which was asked has set, here or while it redirected.
    expires : mapping
        When those cookies end, in seconds since 1970; one that has no end is not in it.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    expires: Mapping[str, float] = field(default_factory=dict, repr=False)


class Transport:
    """Connections to archives, reused while the block that opened them lasts.

    Every request may carry `private` headers, as ``{"Cookie": "..."}`` or ``{"Authorization": "..."}``:
    they go to the origin (scheme, host and port) that is asked, and are never sent on when it redirects
    to another.

    Parameters
    ----------
    settings : Settings
        Time-outs and the number of connections.
    redirects : bool
        Whether to go where an archive sends on to.
    addresses : mapping, optional
        Addresses of hosts by their names. Only they are gone to, and directly, whatever proxy there is.
    """

    def __init__(
        self, settings: Settings, *, redirects: bool = True, addresses: Mapping[str, str] | None = None
    ) -> None:
        self._settings = settings
        self._redirects = redirects
        self._addresses = addresses
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        keep_cookies_out_of_logs()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=settings.connections)
        context = _certificates()
        proxied = self._addresses is None and "all" in getproxies()
        self._client = httpx.AsyncClient(
            headers={"User-Agent": f"tessellar/{__version__}"},
            timeout=httpx.Timeout(settings.idle_timeout, connect=settings.connect_timeout, pool=None),
            limits=limits,
            verify=context,
            # Proxies of the environment go before it, where they are for some of the URLs.
            mounts={} if proxied else {"all://": _Direct(context, limits, self._addresses)},
            trust_env=self._addresses is None,
            event_hooks={"request": [_give_private]},
            follow_redirects=self._redirects,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def post_form(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        timeout: float | None = None,
        private: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes]] | None = None,
        expected: frozenset[int] = frozenset(),
        follow: bool = True,
    ) -> Reply:
        """Send a form and wait for the whole answer.

        Parameters
        ----------
        url : str
            Where to.
        form : mapping
            Its fields.
        timeout : float, optional
            Seconds; in place of the idle time-out.
        private : mapping, optional
            Headers that only this origin gets.
        files : mapping, optional
            Name and content of files that go with it, by their fields.
        expected : frozenset of int
            Statuses from 400 on that are answers, not failures.
        follow : bool
            False makes a redirection the answer: what is in the form goes to nobody else.
        """
        return await self._ask(
            "POST", url, form=form, timeout=timeout, private=private, files=files, expected=expected, follow=follow
        )

    async def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        *,
        timeout: float | None = None,
        private: Mapping[str, str] | None = None,
    ) -> Reply:
        """Ask for a small thing and wait for the whole answer."""
        return await self._ask("GET", url, params=params, timeout=timeout, private=private)

    async def head(self, url: str, *, private: Mapping[str, str] | None = None) -> Reply:
        """Ask for the headers of a thing."""
        return await self._ask("HEAD", url, headers={"Accept-Encoding": "identity"}, private=private)

    @asynccontextmanager
    async def stream(
        self, url: str, headers: Mapping[str, str], *, private: Mapping[str, str] | None = None
    ) -> AsyncIterator[Incoming]:
        """Ask for a file, byte by byte as the archive holds it (no content coding).

        A status of 400 or more, other than 416, raises. 416 is returned, for
        it tells the caller that its range is wrong.
        """
        if url.startswith("file:"):
            async with open_file(url, headers) as incoming:
                yield incoming
            return
        client = self._open_client()
        wanted = {"Accept-Encoding": "identity", **headers}
        with _translated(url, mid_body=True):
            async with client.stream("GET", url, headers=wanted, extensions=_private(url, private)) as response:
                if response.status_code >= 400 and response.status_code != 416:
                    if _is_short_json(response):  # it says why
                        await response.aread()
                    _raise_for_status(url, response)
                yield Incoming(url, response.status_code, response.headers, response.aiter_raw())

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        private: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes]] | None = None,
        expected: frozenset[int] = frozenset(),
        follow: bool = True,
    ) -> Reply:
        client = self._open_client()
        limit = httpx.USE_CLIENT_DEFAULT
        with _translated(url, mid_body=False):
            response = await client.request(
                method,
                url,
                data=dict(form) if form is not None else None,
                files=dict(files) if files else None,
                params=dict(params) if params is not None else None,
                headers=dict(headers) if headers is not None else None,
                extensions=_private(url, private),
                follow_redirects=follow,
                timeout=limit if timeout is None else httpx.Timeout(timeout, connect=self._settings.connect_timeout),
            )
            if response.status_code not in expected:
                _raise_for_status(url, response)
            cookies, expires = _cookies_of(url, response)
            return Reply(str(response.url), response.status_code, response.headers, response.content, cookies, expires)

    def _open_client(self) -> httpx.AsyncClient:
        if self._settings.offline:
            raise ArchiveError("offline: the network is not used, for the setting offline is on")
        if self._client is None:
            raise TessellarError("the transport is closed: use it inside `async with`")
        return self._client


class _Direct(httpx.AsyncHTTPTransport):
    """httpx's own way to a host, over sockets that are read in large pieces."""

    def __init__(self, context: Any, limits: httpx.Limits, addresses: Mapping[str, str] | None = None) -> None:
        super().__init__(verify=context, limits=limits)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=LargeReads(addresses),
        )


def _certificates() -> SSLContext:
    """Return what certificates are checked with; it takes 30 ms to read, and is the same for all."""
    return _certificates_of(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _certificates_of(file: str | None, folder: str | None) -> SSLContext:
    return httpx.create_ssl_context()  # which looks into the same variables


def _private(url: str, headers: Mapping[str, str] | None) -> dict[str, Any]:
    """Attach headers to a request in such a way that only the origin of `url` gets them."""
    return {_PRIVATE: (_origin(url), dict(headers))} if headers else {}


async def _give_private(request: httpx.Request) -> None:
    """Add the private headers of a request, or take them off; called for each step of a redirection."""
    origin, headers = request.extensions.get(_PRIVATE, ("", {}))
    for name, value in headers.items():
        if _origin(str(request.url)) == origin:
            request.headers[name] = value
        elif request.headers.get(name) == value:  # httpx has copied it from the step before
            del request.headers[name]


def _cookies_of(url: str, response: httpx.Response) -> tuple[dict[str, str], dict[str, float]]:
    steps = [step for step in (*response.history, response) if _origin(str(step.url)) == _origin(url)]
    found = {cookie.name: cookie for step in steps for cookie in step.cookies.jar}
    ends = {name: float(cookie.expires) for name, cookie in found.items() if cookie.expires is not None}
    return {name: cookie.value or "" for name, cookie in found.items()}, ends


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    port = {"http": 80, "https": 443}.get(parts.scheme) if parts.port is None else parts.port
    return parts.scheme, parts.hostname or "", port


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


def _is_short_json(response: httpx.Response) -> bool:
    length = response.headers.get("Content-Length", "")
    return (
        response.headers.get("Content-Type", "").startswith("application/json")
        and length.isdecimal()
        and int(length) < _LONGEST_REASON
    )


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
    reason = told_in(response.content) if _is_short_json(response) and response.is_closed else ""
    raise kind(
        f"{host} answered {status} {response.reason_phrase}" + (f": {reason}" if reason else ""),
        url=url,
        status=status,
        retry_after=retry_after_seconds(response.headers.get("Retry-After")),
    )
