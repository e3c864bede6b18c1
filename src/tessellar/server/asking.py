"""Questions as requests: read from the client, answered in a thread, and given up when the client goes away."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tessellar.errors import QueryError
from tessellar.server.answers import Written, error_text, written
from tessellar.server.database import GivenUp
from tessellar.server.downloads import FormTooLarge, form_fields
from tessellar.server.index import Index
from tessellar.server.questions import parse_question
from tessellar.server.resolving import known_tois
from tessellar.server.services import answer

_log = logging.getLogger("tessellar.server")

_PIECE = 256 * 1024  # bytes of an answer that are sent at once

T = TypeVar("T")


class WrittenResponse(StreamingResponse):
    """An answer that was written before, sent piece by piece."""

    def __init__(self, answer: Written) -> None:
        self._stream = answer.stream
        super().__init__(self._pieces(), media_type=answer.media_type, headers={"content-length": str(answer.size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.close()

    async def _pieces(self) -> AsyncIterator[bytes]:
        # A short answer lies in memory; of a long one, the system has the file in its memory.
        while piece := self._stream.read(_PIECE):
            yield piece


async def answer_portal(request: Request) -> Response:
    """Answer a question to the portal, whatever is wrong with it with HTTP status 200, as MAST does."""
    try:
        text = await field(request, "request")
    except FormTooLarge:
        return _said("the request is too large: ask for fewer at once")
    index: Index = request.app.state.index
    tois = known_tois(request)

    def answered(given_up: Callable[[], bool]) -> Written:
        question = parse_question(text)
        with index.reading(given_up) as reader:
            return written(answer(reader, question, tois), question, given_up)

    try:
        return WrittenResponse(await while_connected(request, answered))
    except QueryError as error:
        return _said(str(error))
    except sqlite3.OperationalError as error:
        return _said(f"the question is too large: {error}")
    except RecursionError:
        return _said("the question cannot be read: it is nested too deeply")
    except UnicodeEncodeError as error:
        return _said(f"the question cannot be read: {error.reason}")
    except (sqlite3.Error, OverflowError) as error:
        _log.error("%s failed", request.url.path, exc_info=error)
        return _said(f"the question cannot be answered: {error}")
    except GivenUp:
        return PlainTextResponse("nobody waited for the answer\n", status_code=503)


async def while_connected(
    request: Request, work: Callable[[Callable[[], bool]], T], limiter: CapacityLimiter | None = None
) -> T:
    """Work in a thread as long as the client is there; `work` is given what tells whether it has gone.

    No more than a limiter lets through is worked on at a time.
    """
    gone = threading.Event()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone.set()

    watching = asyncio.ensure_future(watch())
    try:
        return await to_thread.run_sync(work, gone.is_set, limiter=limiter)
    finally:
        watching.cancel()


async def field(request: Request, name: str) -> str:
    """Return a field of the form, or of the query, that a request has; empty without one.

    Raises
    ------
    FormTooLarge
        If the form is longer than any question.
    """
    values = (await form_fields(request)).get(name) if request.method == "POST" else None
    return values[0] if values else request.query_params.get(name, "")


def _said(message: str) -> Response:
    return Response(error_text(message), media_type="application/json")
