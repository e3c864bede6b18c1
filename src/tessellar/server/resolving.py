"""The addresses of MAST's name resolver, and requests that come as to a proxy.

Clients ask the resolver at a fixed address. Those that have this archive as
their HTTP proxy send it whole, ``GET http://mastresolver.stsci.edu/...``, and
are answered as if it were here. For any other place this is no proxy.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tessellar.server.exofop import Exofop
from tessellar.server.exofop.targets import tics_of
from tessellar.server.index import Index
from tessellar.server.names import TOIs, resolve

_STOOD_IN_FOR = "stsci.edu"


class AnyTarget:
    """Takes requests with an absolute target, as clients send them that use this server as their HTTP proxy."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        target = scope["raw_path"].decode("latin-1") if scope["path"].startswith(("http://", "https://")) else ""
        host = _host_of(target)
        if scope["method"] == "CONNECT" or (target and not self._is_here(host, scope)):
            where = host or scope["path"]
            refusal = PlainTextResponse(
                f"this archive is no proxy for {where}: it stands in for {_STOOD_IN_FOR} alone\n", status_code=502
            )
            await refusal(scope, receive, send)
            return
        if target:
            parts = urlsplit(scope["path"])
            scope = {**scope, "path": parts.path or "/", "raw_path": (parts.path or "/").encode()}
        await self._app(scope, receive, send)

    @staticmethod
    def _is_here(host: str, scope: Scope) -> bool:
        own = {str((scope.get("server") or ("",))[0]), "localhost"}
        return host in own or host == _STOOD_IN_FOR or host.endswith(f".{_STOOD_IN_FOR}")


def _host_of(target: str) -> str:
    try:
        return (urlsplit(target).hostname or "").lower()
    except ValueError:
        return ""


async def resolve_names(request: Request) -> Response:
    """Answer ``/Santa-war/query``: where each ``name`` is, by the first resolver that knows it or by all."""
    asked = request.query_params
    names = [name for name in asked.getlist("name") if name.strip()]
    if not names:
        return JSONResponse({"resolvedCoordinate": [], "status": "name is missing: give what to look up"})
    every = asked.get("resolveAll", "").lower() == "true"
    # What cannot be written as text is no name.
    names = [name for name in names if "\0" not in name and name.isprintable()]
    found = await run_in_threadpool(
        _resolved, request.app.state.index, names, asked.getlist("resolver"), every, known_tois(request)
    )
    return JSONResponse({"resolvedCoordinate": found, "status": ""})


def known_tois(request: Request) -> TOIs:
    """Return what knows the TOIs of the tables that lie beside the files."""
    exofop: Exofop = request.app.state.exofop
    return lambda toi: tics_of(exofop.data, toi)


def _resolved(index: Index, names: list[str], resolvers: list[str], every: bool, tois: TOIs) -> list[dict[str, Any]]:
    with index.reading() as reader:
        return resolve(reader, names, resolvers=resolvers, every=every, tois=tois)
