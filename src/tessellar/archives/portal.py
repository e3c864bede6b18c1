"""MAST's portal protocol: one JSON question in a form field, answered in pages.

The peculiarities of the protocol end here: an answer that is still being
computed (``EXECUTING``) is asked for again with growing pauses, an error comes
with HTTP status 200, and a page may say that there are more.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
import uuid
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias

from tessellar.archives.answers import Answers, Page
from tessellar.config import Settings
from tessellar.errors import QueryError, ResultTruncated, TimedOut, Unavailable, UnexpectedReply
from tessellar.net import Reply, Transport
from tessellar.net.retry import retrying
from tessellar.progress import Event, Listener, ignore

# Columns in which the archive keeps several values in one text; it wants to be told what separates them.
_SEPARATED = frozenset(
    {"obs_collection", "project", "filters", "wavelength_region", "target_classification", "provenance_name"}
)
# Longer answers are not kept: they are for files.
_MOST_KEPT = 100_000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
_SENT = 0.001  # seconds in which a question has surely left
_TOO_LONG = ("timeout", "timed out", "time-out")
_SERVER_TROUBLE = ("deadlock", "try again", "unavailable", "connection")

Row: TypeAlias = dict[str, Any]


class Portal:
    """Asks one portal; made for one transport and thrown away with it.

    Parameters
    ----------
    base : str
        URL of the archive without a path, as ``https://mast.stsci.edu``.
    transport : Transport
        Open.
    settings : Settings
        Retries and page size.
    """

    def __init__(self, base: str, transport: Transport, settings: Settings) -> None:
        self._url = f"{base}/api/v0/invoke"
        self._transport = transport
        self._settings = settings
        self._answers = Answers(settings)

    async def rows(
        self, service: str, params: Mapping[str, Any], listener: Listener = ignore, *, insist: bool = True
    ) -> list[Row]:
        """Ask one question and gather all pages of the answer, as `answer` gives them."""
        return [row async for page in self.answer(service, params, listener, insist=insist) for row in page]

    async def answer(
        self, service: str, params: Mapping[str, Any], listener: Listener = ignore, *, insist: bool = True
    ) -> AsyncIterator[Page]:
        """Give a kept answer that will do, whole, or ask and give page after page.

        An answer is kept once it is complete, unless it is very long.

        Parameters
        ----------
        service : str
            As ``Mast.Caom.Filtered``.
        params : mapping
            What the service is asked.
        listener : callable, optional
            Told of rows as they arrive.
        insist : bool
            Ask again, and for smaller pages, when the archive did not finish in time.

        Raises
        ------
        QueryError
            If the archive refuses the question.
        ResultTruncated
            If it says that there are more rows than it sends.
        """
        question = {"archive": self._url, "service": service, "params": params}
        kept = self._answers.recall(question)
        if kept is not None:
            yield kept.value
            return
        keeping, count = self._answers.keeping(question), 0
        try:
            async for rows in self.pages(service, params, listener, insist=insist):
                count += len(rows)
                if count <= _MOST_KEPT:
                    keeping.add(rows)
                yield rows
            if count <= _MOST_KEPT:
                keeping.finish()
        finally:
            keeping.drop()

    async def count(self, service: str, params: Mapping[str, Any], *, insist: bool = True) -> int:
        """Return how many rows a question has, without asking for them."""
        rows = await self.rows(service, {**params, "columns": "COUNT_BIG(*)"}, insist=insist)
        try:
            (row,) = rows
            return int(next(iter(row.values())))
        except (ValueError, TypeError, StopIteration) as error:
            raise UnexpectedReply(f"{self._url}: {service} answered no number of rows", url=self._url) from error

    async def pages(
        self, service: str, params: Mapping[str, Any], listener: Listener = ignore, *, insist: bool = True
    ) -> AsyncIterator[Page]:
        """Ask, and give each page as it comes; nothing is kept.

        A page that does not come in time is asked for in smaller pieces, and a
        page that comes without some of its rows is asked for again. While a page
        is worked on, the archive is at the next one already.
        """
        key = str(uuid.uuid4())
        read, size, total = 0, self._settings.page_size, None
        since, ended = time.monotonic(), False
        coming: asyncio.Task[dict[str, Any]] | None = None

        def ask(page: int) -> Coroutine[Any, Any, dict[str, Any]]:
            return self._whole_page(service, params, page, size, total, key, listener, insist and size == 1)

        try:
            while not ended:
                page = read // size + 1
                try:
                    answer = await (coming if coming is not None else ask(page))
                except TimedOut:
                    if not insist or size == 1 or time.monotonic() - since > self._settings.question_timeout:
                        raise
                    size, coming = size // _smallest_factor(size), None
                    note = f"too slow: asking for {size} at a time"
                    listener(Event(f"ask {service}", read, total, "rows", note=note))
                    continue
                since = time.monotonic()
                paging, data = answer.get("paging") or {}, answer["data"]
                total, pages = _number(paging.get("rowsFiltered")), _number(paging.get("pagesFiltered")) or 1
                if page == 1 and 0 < len(data) < size and pages > 1:
                    size = len(data)  # the archive's own limit of a page
                read += len(data)
                ended = page >= pages or not data
                listener(Event(f"ask {service}", read, total, "rows"))
                coming = None
                if not ended:
                    coming = asyncio.create_task(ask(read // size + 1))
                    await asyncio.sleep(_SENT)
                yield Page(data)
        finally:
            if coming is not None and not coming.cancel():
                coming.exception()  # it has failed, and nobody wants to know any more
        listener(Event(f"ask {service}", read, total, "rows", finished=True))
        if total is not None and read < total:
            raise ResultTruncated(
                f"{self._url}: {service} has {total} rows but sent {read}; narrow the search", url=self._url
            )

    async def _whole_page(
        self,
        service: str,
        params: Mapping[str, Any],
        page: int,
        size: int,
        total: int | None,
        key: str,
        listener: Listener,
        insist: bool,
    ) -> dict[str, Any]:
        """Ask for a page until it comes with all its rows."""
        pause = _FIRST_PAUSE
        for _ in range(self._settings.attempts):
            answer = await self._page(service, params, page, size, key, listener, insist)
            paging = answer.get("paging") or {}
            told = _number(paging.get("rowsFiltered"))
            if total is not None and told is not None and told != total:
                raise Unavailable(
                    f"{self._url}: {service} had {total} rows and now has {told}: it changed while it was read; "
                    "ask again",
                    url=self._url,
                )
            due = size if told is None else min(size, told - (page - 1) * size)
            last = page >= (_number(paging.get("pagesFiltered")) or 1)
            own_limit = page == 1 and len(answer["data"]) == _number(paging.get("pageSize"))
            if told is None or last or own_limit or len(answer["data"]) >= due:
                return answer
            note = f"page {page} came with {len(answer['data'])} of {due} rows: asking again"
            listener(Event(f"ask {service}", (page - 1) * size, told, "rows", note=note))
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        raise ResultTruncated(
            f"{self._url}: {service} has {told} rows, but page {page} of {size} comes without some of them; "
            "try again later",
            url=self._url,
        )

    async def _page(
        self,
        service: str,
        params: Mapping[str, Any],
        page: int,
        size: int,
        key: str,
        listener: Listener,
        insist: bool,
    ) -> dict[str, Any]:
        question = {
            "service": service,
            "params": dict(params),
            "format": "json",
            "pagesize": size,
            "page": page,
            "cacheBreaker": key,
        }
        form = {"request": json.dumps(question, allow_nan=False)}

        def tell(line: str) -> None:
            listener(Event(f"ask {service}", 0, None, "rows", note=line))

        started = time.monotonic()
        limit = self._settings.question_timeout

        async def ask() -> dict[str, Any]:
            pause = _FIRST_PAUSE
            while True:
                answer = self._read(await self._transport.post_form(self._url, form))
                if answer["status"] != "EXECUTING":
                    return answer
                if time.monotonic() - started > limit:
                    raise TimedOut(f"{self._url}: {service} was still working after {limit:.0f} s", url=self._url)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

        policy = retrying(self._settings, tell, but=None if insist else TimedOut, within=limit)
        answer: dict[str, Any] = await policy(ask)
        return answer

    def _read(self, reply: Reply) -> dict[str, Any]:
        try:
            answer = json.loads(reply.body)
        except ValueError as error:
            start = reply.body[:60].decode("utf-8", "replace").strip().replace("\n", " ")
            raise UnexpectedReply(
                f"{self._url} answered no JSON but {start!r}: is this a MAST archive?", url=self._url
            ) from error
        status = answer.get("status") if isinstance(answer, dict) else None
        if status == "ERROR":
            message = " ".join(str(answer.get("msg") or "no reason given").split())
            if any(word in message.lower() for word in _TOO_LONG):
                raise TimedOut(f"{self._url}: {message}", url=self._url)
            if any(word in message.lower() for word in _SERVER_TROUBLE):
                raise Unavailable(f"{self._url}: {message}", url=self._url)
            raise QueryError(f"{self._url} refused the question: {message}")
        if status == "EXECUTING":
            return {"status": status}
        if status not in ("COMPLETE", None, "") or not isinstance(answer, dict) or "data" not in answer:
            raise UnexpectedReply(f"{self._url} answered with status {status!r} and no data", url=self._url)
        data = answer["data"]
        if not isinstance(data, Sequence) or not all(isinstance(row, dict) for row in data):
            raise UnexpectedReply(f"{self._url} answered with data that are not rows", url=self._url)
        return {**answer, "status": "COMPLETE"}


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _smallest_factor(size: int) -> int:
    """Return the smallest number that parts pages evenly, so that smaller pages begin where larger ones did."""
    return next((factor for factor in range(2, int(size**0.5) + 1) if size % factor == 0), size)


def read_columns(reply: Reply) -> dict[str, dict[str, Any]]:
    """Read the description of a service's columns; those that the archive marks as removed are left out."""
    try:
        described = json.loads(reply.body)
        columns = {name: each for name, each in described.items() if isinstance(each, dict)}
    except (ValueError, AttributeError) as error:
        raise UnexpectedReply(f"{reply.url} did not answer with a description of columns", url=reply.url) from error
    return {name: each for name, each in columns.items() if not each.get("remove") and not name.startswith("_")}


def text_filter(column: str, *values: str) -> dict[str, Any]:
    """Ask that a column has one of some values; one ``*`` in a value stands for anything."""
    asked: dict[str, Any] = {"paramName": column}
    if column in _SEPARATED:
        asked["separator"] = ";"
    patterns = [value for value in values if "*" in value]
    if len(patterns) > 1:
        raise QueryError(f"{column}: the archive takes one pattern at a time, not {' and '.join(patterns)}")
    pattern = patterns[0] if patterns else None
    asked["values"] = [value for value in values if value != pattern]
    return asked if pattern is None else {**asked, "freeText": pattern.replace("*", "%")}


def range_filter(column: str, low: float, high: float) -> dict[str, Any]:
    """Ask that a column of numbers lies between two bounds, both included.

    Raises
    ------
    QueryError
        If they are no numbers, or nothing lies between them.
    """
    try:
        possible = math.isfinite(low) and math.isfinite(high) and low <= high
    except TypeError:
        possible = False
    if not possible:
        raise QueryError(f"{column} from {low} to {high}: give two finite numbers, the lower one first")
    return {"paramName": column, "values": [{"min": low, "max": high}]}
