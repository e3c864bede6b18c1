"""The web application: MAST's addresses, answered from the index."""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import time

import anyio
from anyio import to_thread
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from tessellar.progress import Listener, ignore
from tessellar.server.answers import error_text
from tessellar.server.asking import answer_portal, field
from tessellar.server.columns import columns_config
from tessellar.server.downloads import FILE_PATH, FormTooLarge, look_up_cloud, send_file, send_script
from tessellar.server.exofop import Exofop, exofop_routes
from tessellar.server.index import Index
from tessellar.server.models import model_routes
from tessellar.server.page import page
from tessellar.server.resolving import AnyTarget, resolve_names
from tessellar.server.tap.engine import Engine
from tessellar.server.tap.routes import Service, tap_routes
from tessellar.server.tesscut import tesscut_routes

_log = logging.getLogger("tessellar.server")

# The folder is looked through again when a question comes, but never for more than a small part of the time. Reading
# files that are new or changed may take half of it: they are read once, and until then they are not found.
_LEAST_PAUSE, _PAUSE_PER_SECOND, _LONGEST_WAIT = 1.0, 50.0, 0.5


def create_app(
    directory: str | os.PathLike[str],
    *,
    index_path: str | os.PathLike[str] | None = None,
    watch: bool = True,
    listener: Listener = ignore,
) -> Starlette:
    """Make an archive of a folder: an ASGI application that speaks the protocol of MAST's portal.

    The index is brought up to date before this returns. Close it with
    ``app.state.index.close()`` when the application is not needed any more.

    Parameters
    ----------
    directory : path-like
        A folder of TESS files, with all below it. Nothing in it is changed.
    index_path : path-like, optional
        Where to keep the index; by default in the user's cache folder.
        ``":memory:"`` keeps it only until it is closed.
    watch : bool
        Whether to look through the folder, now and while questions come; if
        not, what the index says is served as it is.
    listener : callable, optional
        Told of progress.

    Raises
    ------
    InputError
        If there is no such folder, or `index_path` lies in it.
    NoPermission
        If the folder may not be read, or `index_path` not be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     app = create_app(folder, index_path=":memory:")
    ...     app.state.index.report.products
    0
    """
    index = Index(directory, index_path=index_path)
    started = time.monotonic()
    if watch:
        index.refresh(listener)
    tap = Service(Engine(index), index.beside("jobs"))
    routes = [*_routes(), *tap_routes(tap)]
    app = Starlette(routes=routes, middleware=[Middleware(AnyTarget)], exception_handlers={Exception: _failed})
    app.state.index = index
    app.state.tap = tap
    app.state.exofop = Exofop(index.root)
    app.state.looked = started if watch else math.inf
    app.state.look_again = _look_again
    tap.resume()
    return app


def _routes() -> list[BaseRoute]:
    both = ["GET", "POST"]
    return [
        Route("/", _front_page),
        Route("/api/v0/invoke", _invoke, methods=both),
        Route("/portal/Mashup/Mashup.asmx/columnsconfig", _columns_config, methods=both),
        Route("/Santa-war/query", _resolve_names),
        Route(FILE_PATH, send_file),
        Route(f"{FILE_PATH}/", send_file),
        Route("/api/v0.1/Download/bundle.sh", send_script, methods=both),
        Route("/api/v0.1/path_lookup", look_up_cloud),
        Route("/api/v0.1/path_lookup/", look_up_cloud),
        Route("/whoami", _who_am_i),
        *tesscut_routes(),
        *model_routes(),
        exofop_routes(),
    ]


async def _invoke(request: Request) -> Response:
    await _look_again(request.app)
    return await answer_portal(request)


async def _columns_config(request: Request) -> Response:
    try:
        name = await field(request, "colConfigId")
    except FormTooLarge:
        return PlainTextResponse("the request is too large\n", status_code=413)
    return JSONResponse(columns_config(name))


async def _resolve_names(request: Request) -> Response:
    await _look_again(request.app)
    return await resolve_names(request)


async def _front_page(request: Request) -> Response:
    await _look_again(request.app)
    base = f"{request.url.scheme}://{request.url.netloc}"
    return HTMLResponse(await run_in_threadpool(page, request.app.state.index, base))


async def _who_am_i(request: Request) -> Response:
    return JSONResponse({"anon": True, "eppn": None, "ezid": "anonymous", "scopes": [], "attrib": {}})


async def _failed(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    message = "this archive failed to answer; its own output says why"
    return Response(error_text(message), status_code=500, media_type="application/json")


async def _look_again(app: Starlette) -> None:
    """Bring the index up to date, unless that was done a moment ago; do not wait long for it."""
    index: Index = app.state.index
    pause = max(_LEAST_PAUSE, _PAUSE_PER_SECOND * index.report.looking, index.report.seconds)
    if time.monotonic() - app.state.looked < pause:
        return
    app.state.looked = time.monotonic()
    with anyio.move_on_after(_LONGEST_WAIT):
        await to_thread.run_sync(_refresh, index, abandon_on_cancel=True)
    app.state.looked = time.monotonic()


def _refresh(index: Index) -> None:
    try:
        index.refresh(wait=False)
    except (OSError, sqlite3.Error) as error:
        _log.warning("%s could not be looked through again: %s", index.root, error)
