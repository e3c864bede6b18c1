"""MAST's portal protocol: one JSON question in a form field, answered in pages.

The peculiarities of the protocol end here: an answer that is still being
computed (``EXECUTING``) is asked for again with growing pauses, an error comes
with HTTP status 200, and a page may say that there are more.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from tessellar.archives.answers import Answers
from tessellar.config import Settings
from tessellar.errors import QueryError, ResultTruncated, TimedOut, Unavailable, UnexpectedReply
from tessellar.net import Reply, Transport
from tessellar.net.retry import retrying
from tessellar.progress import Event, Listener, ignore

# Columns in which the archive keeps several values in one text; it wants to be told what separates them.
_SEPARATED = frozenset(
    {"obs_collection", "project", "filters", "wavelength_region", "target_classification", "provenance_name"}
)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
_TOO_LONG = ("timeout", "timed out", "time-out")
_SERVER_TROUBLE = ("deadlock", "try again", "unavailable", "connection")


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
    ) -> list[dict[str, Any]]:
        """Ask one question and gather all pages of the answer.

        Parameters
        ----------
        service : str
            As ``Mast.Caom.Filtered``.
        params : mapping
            What the service is asked.
        listener : callable, optional
            Told of rows as they arrive.
        insist : bool
            Ask again when the archive did not finish in time.

        Raises
        ------
        QueryError
            If the archive refuses the question.
        ResultTruncated
            If it says that there are more rows than it sends.
        """
        question = {"archive": self._url, "service": service, "params": params}
        kept = self._answers.recall(question)
        if kept is None:
            kept = self._answers.keep(question, await self._gather(service, params, listener, insist))
        rows: list[dict[str, Any]] = kept.value
        return rows

    async def _gather(
        self, service: str, params: Mapping[str, Any], listener: Listener, insist: bool
    ) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        key = str(uuid.uuid4())
        page, pages, total = 1, 1, None
        while page <= pages:
            answer = await self._page(service, params, page, key, listener, insist)
            data = answer["data"]
            rows.extend(data)
            paging = answer.get("paging") or {}
            pages = int(paging.get("pagesFiltered") or 1)
            total = paging.get("rowsFiltered")
            listener(Event(f"ask {service}", len(rows), total, "rows"))
            if not data:
                break
            page += 1
        listener(Event(f"ask {service}", len(rows), total, "rows", finished=True))
        if total is not None and len(rows) < int(total):
            raise ResultTruncated(
                f"{self._url}: {service} has {total} rows but sent {len(rows)}; narrow the search", url=self._url
            )
        return rows

    async def _page(
        self, service: str, params: Mapping[str, Any], page: int, key: str, listener: Listener, insist: bool
    ) -> dict[str, Any]:
        question = {
            "service": service,
            "params": dict(params),
            "format": "json",
            "pagesize": self._settings.page_size,
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
    """Ask that a column of numbers lies between two bounds, both included."""
    return {"paramName": column, "values": [{"min": low, "max": high}]}
