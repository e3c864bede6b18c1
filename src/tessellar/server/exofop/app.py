"""ExoFOP's addresses below ``/tess/``, answered from the folder ``exofop`` of an archive."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from tessellar.products.exofopfolder import TextTable
from tessellar.products.exofoptables import COLUMNS
from tessellar.products.exofopusers import Account
from tessellar.server.exofop import html, tables
from tessellar.server.exofop.bundles import Bundles
from tessellar.server.exofop.downloads import send_archive, send_one
from tessellar.server.exofop.folder import DataFolder
from tessellar.server.exofop.login import check_password, log_out, show_login
from tessellar.server.exofop.page import target_json, tois_json
from tessellar.server.exofop.sessions import Sessions
from tessellar.server.exofop.targets import is_known, tics_of

T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]


class Exofop:
    """The state of this part of an archive.

    Attributes
    ----------
    data : DataFolder
        What is served.
    sessions : Sessions
        Who is logged in.
    bundles : Bundles
        Zips that were made.
    """

    def __init__(self, root: Path) -> None:
        self.data = DataFolder(root)
        self.sessions = Sessions()
        self.bundles = Bundles()
        self.tois: dict[object, str] = {}  # the last list of all TOIs, which takes a while to write


def exofop_routes() -> Mount:
    """The addresses below ``/tess``; the application's state must have an `Exofop` by the name ``exofop``."""
    routes = [
        Route("/", _guarded(_start)),
        Route("/index.php", _guarded(_start)),
        Route("/login.php", _guarded(show_login)),
        Route("/password_check.php", _guarded(check_password), methods=["POST"]),
        Route("/logout.php", _guarded(log_out)),
        Route("/json/tois.json", _guarded(_tois_json)),
        Route("/gototicid.php", _guarded(_go_to_tic)),
        Route("/target.php", _guarded(_target)),
        Route("/download_toi.php", _guarded(_toi)),
        Route("/download_ctoi.php", _guarded(_ctoi)),
        *(Route(f"/download_{page}.php", _guarded(_of_target(name))) for page, name in _OF_TARGET.items()),
        *(Route(f"/download_tag_{page}.php", _guarded(_of_tag(_OF_TARGET[page]))) for page in _OBSERVATIONS),
        Route("/download_stellar.php", _guarded(_of_star("stellar_parameters"))),
        Route("/download_planet.php", _guarded(_of_star("planet_parameters"))),
        Route("/download_nearbytarget.php", _guarded(_nearby)),
        Route("/download_filelist.php", _guarded(_file_list)),
        Route("/download_obsnotes.php", _guarded(_notes)),
        Route("/download_uploads.php", _guarded(_uploads)),
        Route("/download_user_tags.php", _guarded(_user_tags)),
        Route("/get_file.php", _guarded(send_one)),
        *(Route(f"/{page}.php", _guarded(send_archive)) for page in _ARCHIVES),
    ]
    return Mount("/tess", routes=routes)


_OBSERVATIONS = ("tseries", "spect", "imaging")
_OF_TARGET = {
    "tseries": "time_series",
    "spect": "spectroscopy",
    "imaging": "imaging",
    "stellarcomp": "stellar_companions",
}
_ARCHIVES = ("download_files", "download_files_zip", "download_tag_files", "download_tag_files_zip")


def _guarded(endpoint: Endpoint) -> Endpoint:
    """An endpoint that is only there where the archive has ExoFOP data."""

    async def answer(request: Request) -> Response:
        state: Exofop = request.app.state.exofop
        if not state.data.exists:
            return PlainTextResponse("this archive has no ExoFOP data: it has no folder exofop\n", status_code=404)
        response = await endpoint(request)
        # What one gets depends on who asks, and may be another thing the next moment.
        response.headers.setdefault("cache-control", "no-cache, private")
        response.headers.setdefault("vary", "Cookie")
        return response

    return answer


async def _ask(request: Request, work: Callable[[DataFolder, Account | None], T]) -> T:
    state: Exofop = request.app.state.exofop
    who = state.sessions.who(request)
    return await run_in_threadpool(work, state.data, who)


def _text(request: Request, content: str, media_type: str) -> Response:
    """Answer text with a mark of its bytes; who has them already gets none."""
    body = content.encode()
    mark = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if mark in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"etag": mark})
    return Response(body, media_type=media_type, headers={"etag": mark})


def _table(
    request: Request, table: TextTable, rows: list[tables.Row], output: str, *, of_tag: bool = False
) -> Response:
    content = tables.written(table, rows, output, of_tag=of_tag)
    return _text(request, content, "text/csv" if output == "csv" else "text/plain")


async def _chosen(
    request: Request,
    name: str,
    choose: Callable[[DataFolder], list[tables.Row] | None],
    *,
    usual: str = "text",
    only: tuple[str, ...] = ("text", "csv", "pipe"),
    of_tag: bool = False,
) -> Response:
    """Answer the rows of a table that `choose` finds (None: all), as the question wants them written."""
    query = request.query_params
    output = query.get("output", usual) if query.get("output", usual) in only else usual

    def work(data: DataFolder, who: Account | None) -> tuple[TextTable, list[tables.Row]]:
        table = data.table(name)
        rows = tables.rows_of(data, name, who, choose(data))
        return table, tables.in_order(name, table, rows, query.get("sort"))

    table, rows = await _ask(request, work)
    return await run_in_threadpool(_table, request, table, rows, output, of_tag=of_tag)


async def _start(request: Request) -> Response:
    def work(data: DataFolder, who: Account | None) -> str:
        return html.start({name: len(tables.rows_of(data, name, who)) for name in COLUMNS}, who)

    return HTMLResponse(await _ask(request, work))


async def _tois_json(request: Request) -> Response:
    state: Exofop = request.app.state.exofop

    def work(data: DataFolder, who: Account | None) -> str:
        mark = data.state("tois"), who
        if mark not in state.tois:
            state.tois = {mark: tois_json(data, who)}
        return state.tois[mark]

    return _text(request, await _ask(request, work), "application/json")


async def _toi(request: Request) -> Response:
    return await _chosen(request, "tois", lambda data: tables.tois(data, request.query_params.get("toi")))


async def _ctoi(request: Request) -> Response:
    number = request.query_params.get("ctoi", "").strip()

    def choose(data: DataFolder) -> list[tables.Row] | None:
        table = data.table("ctois")
        rows = [row for row in table.rows if number in (ctoi := table.cell(row, "CTOI"), ctoi.partition(".")[0])]
        return rows if number else None

    return await _chosen(request, "ctois", choose)


def _of_target(name: str) -> Endpoint:
    async def answer(request: Request) -> Response:
        return await _chosen(request, name, lambda data: tables.about(data, name, request.query_params.get("target")))

    return answer


def _of_tag(name: str) -> Endpoint:
    async def answer(request: Request) -> Response:
        tag = request.query_params.get("tag", "")
        return await _chosen(request, name, lambda data: tables.tagged(data, name, tag), of_tag=True)

    return answer


def _of_star(name: str) -> Endpoint:
    async def answer(request: Request) -> Response:
        target = request.query_params.get("id", "")
        return await _chosen(
            request, name, lambda data: tables.about(data, name, target) or [], usual="pipe", only=("pipe",)
        )

    return answer


async def _nearby(request: Request) -> Response:
    # The real site wants a TIC id here; clients that send a TOI get its star's neighbours.
    target = request.query_params.get("id", "")
    name = "nearby_targets"
    return await _chosen(request, name, lambda data: tables.about(data, name, target, "Target") or [])


async def _file_list(request: Request) -> Response:
    query = request.query_params
    response = await _chosen(
        request,
        "files",
        lambda data: tables.files(data, query.get("id"), query.get("toi")),
        usual="pipe",
        only=("pipe", "csv"),
    )
    ending = "csv" if query.get("output") == "csv" else "pipe"
    response.headers["content-disposition"] = f'attachment; filename="exofop_filelist.{ending}"'
    return response


async def _notes(request: Request) -> Response:
    query = request.query_params

    def choose(data: DataFolder) -> list[tables.Row]:
        if tag := query.get("tag"):
            return tables.tagged(data, "notes", tag, "TAG ID")
        if tic := query.get("tid"):
            return tables.about(data, "notes", tic) or []
        return data.table("notes").where("ID", query.get("id", "").strip())

    return await _chosen(request, "notes", choose, usual="csv", only=("csv", "pipe"))


async def _uploads(request: Request) -> Response:
    target = request.query_params.get("target", "")
    table = await _ask(request, lambda data, who: tables.uploads(data, target, who))
    return _table(request, table, list(table.rows), request.query_params.get("output", "text"))


async def _user_tags(request: Request) -> Response:
    def work(data: DataFolder, who: Account | None) -> TextTable:
        return tables.user_tags(data, request.query_params.get("username") or (who.username if who else ""), who)

    table = await _ask(request, work)
    return _table(request, table, list(table.rows), request.query_params.get("output", "text"))


async def _go_to_tic(request: Request) -> Response:
    query = request.query_params
    target = query.get("target", "")
    tics = await _ask(request, lambda data, who: tics_of(data, target))
    if "jsonext" in query:
        names = {} if len(tics) != 1 else {"TIC": tics[0]}
        status = {"status": "OK"} if tics else {"status": "ERROR", "message": "No object found."}
        return JSONResponse({"summary": {**status, **names}})
    if "json" in query:
        if not tics:
            return JSONResponse({"status": "ERROR", "message": "No object found."})
        return JSONResponse({"status": "OK", "num": len(tics), "TIC": tics[0] if len(tics) == 1 else tics})
    if len(tics) == 1:
        return RedirectResponse(f"/tess/target.php?id={tics[0]}", status_code=302)
    links = "".join(f'<li><a href="/tess/target.php?id={tic}">TIC {tic}</a>' for tic in tics)
    if links:
        return HTMLResponse(html.page("Which of them?", f"<ul>{links}</ul>"))
    return HTMLResponse(html.nothing_found(target, "No TIC object found", None))


async def _target(request: Request) -> Response:
    query = request.query_params
    target = query.get("id", "")

    def work(data: DataFolder, who: Account | None) -> tuple[str, str]:
        tics = tics_of(data, target)
        if len(tics) != 1 or not is_known(data, tics[0]):
            return html.nothing_found(target, "No TIC object found", who), "text/html"
        if "json" in query:
            return target_json(data, tics[0], who), "application/json"
        targets = data.table("targets")
        names = next((targets.cell(row, "Star Names") for row in targets.where("TIC ID", tics[0])), "")
        return html.target(tics[0], names, who), "text/html"

    content, media_type = await _ask(request, work)
    return _text(request, content, media_type)
