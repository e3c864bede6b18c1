"""Sending files: only what the index knows by its archive name, and only what really lies in the folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from tessellar.server.index import Index
from tessellar.server.scan import real_file

FILE_PATH = "/api/v0.1/Download/file"
_LONGEST_FORM = 32 * 1024 * 1024

_MEDIA_TYPES = {
    ".fits": "application/fits", ".gz": "application/gzip", ".pdf": "application/pdf", ".xml": "application/xml",
    ".csv": "text/csv", ".txt": "text/plain", ".png": "image/png",
}  # fmt: skip


_RANGES = re.compile(r"bytes=\s*(?:\d+-\d*|-\d+)(?:\s*,\s*(?:\d+-\d*|-\d+))*\s*", re.IGNORECASE | re.ASCII)


class ProductResponse(FileResponse):
    """A whole file or a range of it; larger chunks than usual, for these are large files."""

    chunk_size = 1024 * 1024

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. A range that makes no sense, or comes with HEAD, counts as not asked for (RFC 9110, 14.2)."""
        wanted = Headers(scope=scope).get("range")
        if wanted is not None and (scope["method"] != "GET" or not _meant(wanted)):
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() != b"range"]}
        await super().__call__(scope, receive, send)


def _meant(wanted: str) -> bool:
    if not _RANGES.fullmatch(wanted):
        return False
    pairs = (part.strip().split("-") for part in wanted.partition("=")[2].split(","))
    return all(not first or not last or int(first) <= int(last) for first, last in pairs)


class FormTooLarge(Exception):
    """A client sent more than any question needs."""


async def form_fields(request: Request) -> dict[str, list[str]]:
    """Return the fields of a form that is sent in the body, each with all its values.

    Raises
    ------
    FormTooLarge
        If it has more than 32 MiB.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            raise FormTooLarge
    return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)


async def send_file(request: Request) -> Response:
    """Answer ``GET`` and ``HEAD`` of one file, named by ``uri``; ranges are honoured."""
    uri = request.query_params.get("uri")
    if not uri:
        return PlainTextResponse("uri is missing: give the dataURI of a product\n", status_code=400)
    index: Index = request.app.state.index
    path = await run_in_threadpool(_locate, index, uri)
    if path is None:
        return PlainTextResponse("there is no such file in this archive\n", status_code=404)
    try:
        status = path.stat()
    except OSError:
        return PlainTextResponse("the file has vanished from this archive\n", status_code=404)
    return ProductResponse(
        path,
        media_type=_MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
        filename=uri.rpartition("/")[2],
        stat_result=status,
        # Strong: equal bytes are promised as long as neither size nor time of change differ.
        headers={"etag": f'"{status.st_mtime_ns:x}-{status.st_size:x}"', "cache-control": "no-cache"},
    )


async def send_script(request: Request) -> Response:
    """Answer a list of ``uri`` with a shell script that downloads them with curl."""
    uris = (await form_fields(request)).get("uri", []) if request.method == "POST" else []
    uris = uris or request.query_params.getlist("uri")
    index: Index = request.app.state.index
    base = f"{request.url.scheme}://{request.url.netloc}"
    script = await run_in_threadpool(_script, index, base, uris)
    return Response(script, media_type="text/x-sh", headers={"content-disposition": "attachment"})


async def look_up_cloud(request: Request) -> Response:
    """Answer where files lie in a cloud: nowhere, for this archive has none; clients then download them here."""
    uris = request.query_params.getlist("uri")
    return JSONResponse({uri: {"status_code": 404, "path": None} for uri in uris})


def _locate(index: Index, uri: str) -> Path | None:
    path = index.path_of(uri)
    # Looked at again now: a link may have been changed since the folder was read.
    return real_file(index.root, path) if path is not None else None


def _script(index: Index, base: str, uris: list[str]) -> str:
    lines = ["#!/bin/sh", "# Downloads into mastDownload/ of the working folder; run it again to go on.", "set -eu"]
    for uri in uris:
        folder, slash, filename = uri.rpartition("/")
        rows = index.select(
            """SELECT o.obs_collection, o.obs_id, a.filename FROM artifacts AS a JOIN observations AS o
               ON o.row = a.observation WHERE a.filename = ? AND a.base = ?""",
            (filename, folder + slash),
        )
        if not rows:
            lines.append(f"# not in this archive: {quote(uri, safe=':/')}")
            continue
        target = "/".join(("mastDownload", *map(str, rows[0])))
        url = f"{base}{FILE_PATH}?uri={quote(uri, safe=':/')}"
        lines.append(f"curl -f -L -C - --create-dirs -o {shlex.quote(target)} {shlex.quote(url)}")
    return "\n".join(lines) + "\n"
