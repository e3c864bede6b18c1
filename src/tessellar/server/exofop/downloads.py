"""Sending the files of tags and targets: one by one, or all of them as a zip or a tar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tessellar.products.exofopusers import Account
from tessellar.server.downloads import ProductResponse
from tessellar.server.exofop import html, tables
from tessellar.server.exofop.bundles import Bundles, Member
from tessellar.server.exofop.folder import DataFolder
from tessellar.server.exofop.targets import tics_of

if TYPE_CHECKING:
    from tessellar.server.exofop.app import Exofop

_MEDIA_TYPES = {"zip": "application/zip", "tar": "application/x-tar"}


async def send_one(request: Request) -> Response:
    """Answer ``get_file.php?id=``: one file, by its number in the table of files."""
    state: Exofop = request.app.state.exofop
    who = state.sessions.who(request)
    number = request.query_params.get("id", "").strip()
    path = await run_in_threadpool(_file, state.data, number, who)
    if path is None:
        return _missing(f"file {number}", who)
    return _sent(path, path.name, "application/octet-stream", "")


async def send_archive(request: Request) -> Response:
    """Answer ``download_tag_files*.php?tag=`` and ``download_files*.php?id=``."""
    state: Exofop = request.app.state.exofop
    who = state.sessions.who(request)
    page = request.url.path.rpartition("/")[2].removesuffix(".php")
    ending = "zip" if page.endswith("_zip") else "tar"
    if page.startswith("download_tag_"):
        asked = request.query_params.get("tag", "")
        found = await run_in_threadpool(_of_tag, state.data, state.bundles, asked, ending, who)
    else:
        asked = request.query_params.get("id", "")
        found = await run_in_threadpool(_of_target, state.data, state.bundles, asked, ending, who)
    if found is None:
        return _missing(f"tag {asked}" if page.startswith("download_tag_") else f"target {asked}", who)
    path, name, mark = found
    return _sent(path, name, _MEDIA_TYPES[ending], mark)


def _file(data: DataFolder, number: str, who: Account | None) -> Path | None:
    files = data.table("files")
    rows = tables.rows_of(data, "files", who, files.where("File ID", number)) if number else []
    if not rows or not data.may_see_tag(files.cell(rows[0], "Tag"), who):
        return None
    return data.file_of_row(rows[0])


def _of_tag(
    data: DataFolder, bundles: Bundles, asked: str, ending: str, who: Account | None
) -> tuple[Path, str, str] | None:
    tag = data.tag_id(asked.strip())
    if not data.may_see_tag(tag, who):
        return None
    ready = data.archive_of(tag) if ending == "zip" else None
    if ready is not None:
        return ready, f"{tag}.zip", ""
    members = [Member(file.path, f"{tag}/{file.name}") for file in data.files_of_tag(tag, who)]
    return _bundled(bundles, members, ending, f"{tag}.{ending}")


def _of_target(
    data: DataFolder, bundles: Bundles, asked: str, ending: str, who: Account | None
) -> tuple[Path, str, str] | None:
    files = data.table("files")
    members: dict[str, Member] = {}
    for tic in tics_of(data, asked):
        for row in tables.rows_of(data, "files", who, files.where("TIC", tic)):
            path = data.file_of_row(row)
            tag, name = files.cell(row, "Tag"), files.cell(row, "File Name")
            if path is not None and data.may_see_tag(tag, who):
                # Files of two tags may have one name: the second keeps its tag in it.
                within = f"{tic}/{name}" if f"{tic}/{name}" not in members else f"{tic}/{tag}_{name}"
                members[within] = Member(path, within)
    return _bundled(bundles, list(members.values()), ending, f"{asked.strip()}.{ending}")


def _bundled(bundles: Bundles, members: list[Member], ending: str, name: str) -> tuple[Path, str, str] | None:
    if not members:
        return None
    path, mark = (bundles.zip if ending == "zip" else bundles.tar)(members)
    return path, name, mark


def _sent(path: Path, name: str, media_type: str, mark: str) -> Response:
    status = path.stat()
    etag = f'"{mark or f"{status.st_mtime_ns:x}-{status.st_size:x}"}"'
    return ProductResponse(path, media_type=media_type, filename=name, stat_result=status, headers={"etag": etag})


def _missing(what: str, who: Account | None) -> Response:
    message = "There are no files, or you are not authorized to see them"
    return HTMLResponse(html.nothing_found(what, message, who), status_code=404)
