"""A folder of this machine as a source of files: it answers as a server would."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from tessellar.errors import AuthError, NotFound, Unavailable
from tessellar.net.incoming import Incoming
from tessellar.net.loop import in_thread

_BLOCK = 1024 * 1024


@asynccontextmanager
async def open_file(url: str, headers: Mapping[str, str]) -> AsyncIterator[Incoming]:
    """Answer a request for a ``file:`` URL; its version is its size and time of change.

    Parameters
    ----------
    url : str
        As `pathlib.Path.as_uri` writes it.
    headers : mapping
        Of them, ``Range: bytes=N-`` with ``If-Range`` counts.

    Raises
    ------
    NotFound
        If there is no such file.
    AuthError
        If it may not be read.
    """
    path = Path(unquote(urlsplit(url).path))
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise NotFound(f"{path}: there is no such file any more", url=url) from error
    except PermissionError as error:
        raise AuthError(f"{path}: may not be read", url=url) from error
    except OSError as error:
        raise Unavailable(f"{path}: cannot be read ({error.strerror})", url=url) from error
    with stream:
        status, answer, start = _answered(os.fstat(stream.fileno()), headers)
        stream.seek(start)
        yield Incoming(url, status, answer, _chunks(stream, path, url))


def _answered(found: os.stat_result, headers: Mapping[str, str]) -> tuple[int, dict[str, str], int]:
    size = found.st_size
    etag = f'"{found.st_mtime_ns:x}-{size:x}"'
    start = 0
    if "Range" in headers and headers.get("If-Range", etag) == etag:
        start = int(headers["Range"].removeprefix("bytes=").removesuffix("-"))
    answer = {"ETag": etag, "Content-Length": str(max(size - start, 0))}
    if not start:
        return 200, answer, 0
    if start >= size:
        return 416, {**answer, "Content-Range": f"bytes */{size}"}, size
    return 206, {**answer, "Content-Range": f"bytes {start}-{size - 1}/{size}"}, start


async def _chunks(stream: BinaryIO, path: Path, url: str) -> AsyncIterator[bytes]:
    while True:
        try:
            block = await in_thread(None, lambda: stream.read(_BLOCK))
        except OSError as error:
            raise Unavailable(f"{path}: cannot be read ({error.strerror})", url=url) from error
        if not block:
            return
        yield block
