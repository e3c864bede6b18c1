"""The mission's models of the pixel response, at the addresses at which MAST's web server has them."""

from __future__ import annotations

from html import escape
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from tessellar.mission.responses import model_path
from tessellar.server.downloads import ProductResponse
from tessellar.server.index import Index
from tessellar.server.scan import real_file

_PATH = "/missions/tess/models/prf_fitsfiles/{issue}/{ccd}/"


def model_routes() -> list[BaseRoute]:
    """Routes of the files, and of lists of those of one CCD, as clients look through them."""
    return [Route(f"{_PATH}{{filename}}", _send), Route(_PATH, _list), Route(_PATH.rstrip("/"), _list)]


async def _send(request: Request) -> Response:
    await request.app.state.look_again(request.app)
    filename = request.path_params["filename"]
    if model_path(filename) != f"{_place(request)}/{filename}":
        return PlainTextResponse("no model of the pixel response has such an address\n", status_code=404)
    path = await run_in_threadpool(_located, request.app.state.index, filename)
    if path is None:
        return PlainTextResponse("this archive does not have that model of the pixel response\n", status_code=404)
    return ProductResponse(path, media_type="application/fits", filename=filename)


async def _list(request: Request) -> Response:
    await request.app.state.look_again(request.app)
    names = await run_in_threadpool(_names, request.app.state.index, _place(request))
    items = "".join(f'<li><a href="{escape(name)}">{escape(name)}</a></li>' for name in names)
    title = f"Index of {escape(_place(request))}"
    return HTMLResponse(f"<!doctype html><title>{title}</title><h1>{title}</h1><ul>{items}</ul>")


def _place(request: Request) -> str:
    return f"{request.path_params['issue']}/{request.path_params['ccd']}"


def _located(index: Index, filename: str) -> Path | None:
    rows = index.select(
        "SELECT folder, name FROM artifacts JOIN files ON files.row = artifacts.file WHERE artifacts.filename = ?",
        (filename,),
    )
    return real_file(index.root, "/".join(part for part in rows[0] if part)) if rows else None


def _names(index: Index, place: str) -> list[str]:
    rows = index.select("SELECT DISTINCT filename FROM artifacts WHERE filename GLOB 'tess*-prf-*.fits' ORDER BY 1")
    return [name for (name,) in rows if model_path(name) == f"{place}/{name}"]
