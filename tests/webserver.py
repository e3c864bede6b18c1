"""A small HTTP server on loopback that can misbehave as told: for tests of transfers and of the command line."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Misbehaviour:
    """What to do with one request in place of answering it properly."""

    status: int | None = None  # answer this status, with `body`
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None  # close the connection after so many bytes of the body
    ignore_range: bool = False
    no_validator: bool = False
    wrong_range: bool = False  # answer 206, but from another offset
    too_much: int = 0  # send so many bytes more than announced
    drop: bool = False  # close without an answer


class FileServer:
    """Serves bytes under paths; `plan` gives, per path, misbehaviours for the next requests, first come first."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.plan: dict[str, list[Misbehaviour]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.forms: list[str] = []
        self.sent: dict[str, int] = {}
        self.url = ""

    def answer(self, path: str) -> Misbehaviour | None:
        """Answer a request in a way of one's own: for subclasses."""
        return None

    def count(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.requests)


@contextmanager
def running(server: FileServer | None = None) -> Iterator[FileServer]:
    files = server or FileServer()

    class Handler(_Handler):
        archive = files

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    files.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield files
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    archive: FileServer
    protocol_version = "HTTP/1.1"
    log_message: Callable[..., Any] = lambda *_: None

    def do_GET(self) -> None:
        archive, path = self.archive, self.path
        archive.requests.append((path, {name.lower(): value for name, value in self.headers.items()}))
        todo = archive.plan.get(path, [])
        how = todo.pop(0) if todo else archive.answer(path) or Misbehaviour()
        if how.drop:
            self.close_connection = True
            return
        if how.status is not None:
            self._answer(how.status, how.body, how.headers, how)
            return
        body = archive.files.get(path)
        if body is None:
            self._answer(404, b"no such file", {}, how)
            return
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"Content-Type": "application/octet-stream", **({} if how.no_validator else {"ETag": etag})}
        wanted = self.headers.get("Range")
        if wanted and not how.ignore_range and self.headers.get("If-Range", etag) == etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self._answer(416, b"", {"Content-Range": f"bytes */{len(body)}"}, how)
                return
            start = start // 2 if how.wrong_range else start
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self._answer(206, body[start:], headers, how)
            return
        self._answer(200, body, headers, how)

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.archive.forms.append(form.decode())
        self.do_GET()

    def _answer(self, status: int, body: bytes, headers: dict[str, str], how: Misbehaviour) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = how.cut_after is not None
        body = body[: how.cut_after] if cut else body + b"x" * how.too_much
        try:
            self.wfile.write(body)
            self.wfile.flush()
        except OSError:
            self.close_connection = True
        self.archive.sent[self.path] = self.archive.sent.get(self.path, 0) + len(body)
        if cut:
            self.close_connection = True
