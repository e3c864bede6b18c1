"""Put something around an archive that lets it fail as archives do: for tests of clients.

with ServerThread(folder, wrap=FaultyArchive) as archive:
    archive.app.executing(3)
    archive.app.unavailable(2, on="/Download/", retry_after=0)
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

INVOKE = "/api/v0/invoke"
DOWNLOAD = "/Download/file"
ALWAYS = 1_000_000


class _CutShortError(Exception):
    """Ends an answer before its last byte."""


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose target contains `on`."""

    on: str
    times: int
    status: int = 0  # answer this instead, with `headers` and `body`
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None  # end the connection after so many bytes of the body
    drop_range: bool = False  # hide Range from the archive
    drop_headers: tuple[str, ...] = ()  # hide these of the answer's headers from the client
    methods: tuple[str, ...] = ("GET", "POST")


class FaultyArchive:
    """An archive that fails as told, and remembers what it was asked.

    Attributes
    ----------
    requests : list of (method, target)
        Everything that was asked, in order; the target has the query.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []

    def executing(self, times: int = 1) -> None:
        """Answer questions with EXECUTING."""
        self._reply({"status": "EXECUTING", "msg": ""}, times)

    def error(self, message: str, times: int = 1) -> None:
        """Answer questions with status ERROR, in HTTP status 200."""
        self._reply({"status": "ERROR", "msg": message, "data": [], "fields": []}, times)

    def unavailable(
        self, times: int = 1, *, on: str = INVOKE, retry_after: float | str | None = None, status: int = 503
    ) -> None:
        """Answer with a status that says to come back, and when."""
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        self.faults.append(Fault(on, times, status, headers, b"busy"))

    def html(self, times: int = 1, *, on: str = INVOKE) -> None:
        """Answer a page for people, with HTTP status 200."""
        page = b"<!DOCTYPE html><html><body>Down for maintenance</body></html>"
        self.faults.append(Fault(on, times, 200, {"content-type": "text/html"}, page))

    def throttle(self, times: int = 1, *, on: str = INVOKE) -> None:
        """Answer nothing at all, with HTTP status 200, as ExoFOP does to those who ask too often."""
        self.faults.append(Fault(on, times, 200, {"content-type": "text/html; charset=UTF-8"}, b""))

    def truncate(self, after: int, times: int = 1, *, on: str = DOWNLOAD) -> None:
        """End the connection after so many bytes of the body, though more were announced."""
        self.faults.append(Fault(on, times, cut_after=after))

    def ignore_range(self, times: int = ALWAYS) -> None:
        """Send whole files to those who ask for the rest of one."""
        self.faults.append(Fault(DOWNLOAD, times, drop_range=True))

    def hide(self, *headers: str, times: int = ALWAYS) -> None:
        """Leave out headers of downloads: etag, last-modified, accept-ranges, content-length ..."""
        self.faults.append(Fault(DOWNLOAD, times, drop_headers=headers, methods=("GET", "HEAD")))

    def count(self, part: str) -> int:
        """Return how many requests had `part` in their target."""
        return sum(part in target for _, target in self.requests)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        self.requests.append((scope["method"], target))
        fault = self._next(scope["method"], target)
        if fault is None:
            await self.app(scope, receive, send)
        elif fault.status:
            await _answer(fault, receive, send)
        else:
            await self._spoilt(fault, scope, receive, send)

    def _reply(self, envelope: dict[str, Any], times: int) -> None:
        headers = {"content-type": "application/json"}
        self.faults.append(Fault(INVOKE, times, 200, headers, json.dumps(envelope).encode()))

    def _next(self, method: str, target: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.on in target and method in fault.methods:
                fault.times -= 1
                return fault
        return None

    async def _spoilt(self, fault: Fault, scope: Any, receive: Receive, send: Send) -> None:
        if fault.drop_range:
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"range"]}
        sent = 0

        async def spoil(message: Message) -> None:
            nonlocal sent
            if message["type"] == "http.response.start":
                hidden = {name.encode() for name in fault.drop_headers}
                kept = [pair for pair in message["headers"] if pair[0].lower() not in hidden]
                message = {**message, "headers": kept}
            elif fault.cut_after is not None:
                part = message.get("body", b"")[: fault.cut_after - sent]
                sent += len(part)
                await send({**message, "body": part, "more_body": True})
                if sent >= fault.cut_after:
                    raise _CutShortError
                return
            await send(message)

        try:
            await self.app(scope, receive, spoil)
        except* _CutShortError:
            pass  # without the end of the answer, the server closes the connection


async def _answer(fault: Fault, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    headers = {"content-length": str(len(fault.body)), **fault.headers}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": fault.status, "headers": pairs})
    await send({"type": "http.response.body", "body": fault.body})
