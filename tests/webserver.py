"""A small HTTP server on loopback that can misbehave as told: for tests of transfers and of the command line."""

from __future__ import annotations

import gzip
import hashlib
import socket
import struct
import threading
import time
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
    reset: bool = False  # close so that the other side sees a reset; alone, before any answer
    stall: float = 0.0  # after `cut_after` bytes, send nothing for so many seconds, then close
    drip: float = 0.0  # after `cut_after` bytes, send one byte every so many seconds
    length: int | None = None  # announce so many bytes more (or fewer) than there are
    no_length: bool = False  # announce no length: the body ends with the connection
    chunked: bool = False  # announce no length: the body comes in chunks
    gzip: bool = False  # pack the body, though nobody asked for it
    other_bytes: bool = False  # send another version: other bytes, and an ETag of its own
    other_etag: bool = False  # send the same bytes under another ETag
    flip: int | None = None  # flip one bit of this byte of the file
    name: str = ""  # what a test calls it


class FileServer:
    """Serves bytes under paths; `plan` gives, per path, misbehaviours for the next requests, first come first."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.plan: dict[str, list[Misbehaviour]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.forms: list[str] = []
        self.sent: dict[str, int] = {}
        self.pause = 0.0  # seconds after each 64 KiB of a body
        self.url = ""
        self.lock = threading.Lock()
        self.stopping = threading.Event()

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

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        handle_error: Callable[..., Any] = lambda *_: None

    httpd = Server(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    files.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield files
    finally:
        files.stopping.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    archive: FileServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    log_message: Callable[..., Any] = lambda *_: None

    def do_GET(self) -> None:
        archive, path = self.archive, self.path
        with archive.lock:
            archive.requests.append((path, {name.lower(): value for name, value in self.headers.items()}))
            todo = archive.plan.get(path, [])
            how = todo.pop(0) if todo else archive.answer(path) or Misbehaviour()
        if how.drop or (how.reset and how.cut_after is None):
            self._close(how.reset)
            return
        if how.status is not None:
            self._answer(how.status, how.body, how.headers, how)
            return
        body = archive.files.get(path)
        if body is None:
            self._answer(404, b"no such file", {}, how)
            return
        body = _spoilt(body, how)
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}{"-2" * how.other_etag}"'
        headers = {
            "Content-Type": "application/octet-stream",
            "Accept-Ranges": "bytes",
            **({} if how.no_validator else {"ETag": etag}),
        }
        wanted = self.headers.get("Range")
        if wanted and not how.ignore_range and self.headers.get("If-Range", etag) == etag:
            start, end = _range(wanted, len(body))
            if start >= len(body):
                self._answer(416, b"", {"Content-Range": f"bytes */{len(body)}"}, how)
                return
            start = start // 2 if how.wrong_range else start
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
            self._answer(206, body[start:end], headers, how)
            return
        self._answer(200, body, headers, how)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.archive.forms.append(form.decode())
        self.do_GET()

    def _answer(self, status: int, body: bytes, headers: dict[str, str], how: Misbehaviour) -> None:
        if how.gzip:
            body, headers = gzip.compress(body, 1), {**headers, "Content-Encoding": "gzip"}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if how.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif how.no_length:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(max(len(body) + (how.length or 0), 0)))
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = how.cut_after is not None
        first = body[: how.cut_after] if cut else body + b"x" * how.too_much
        try:
            self._send(first, how.chunked)
            if how.drip and cut:
                self._drip(body[len(first) :], how.drip)
            elif how.chunked and not cut:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True
        self.archive.stopping.wait(how.stall)
        if cut or how.no_length or how.length or how.too_much or how.stall:
            self._close(how.reset)

    def _send(self, body: bytes, chunked: bool) -> None:
        archive = self.archive
        step = 1 << 16 if archive.pause or chunked else max(len(body), 1)
        for first in range(0, len(body), step):
            part = body[first : first + step]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            with archive.lock:
                archive.sent[self.path] = archive.sent.get(self.path, 0) + len(part)
            if archive.pause:
                time.sleep(archive.pause)

    def _drip(self, rest: bytes, pause: float) -> None:
        for byte in rest:
            if self.archive.stopping.wait(pause):
                return
            self.wfile.write(bytes([byte]))

    def _close(self, reset: bool) -> None:
        self.close_connection = True
        if reset:
            # With no time to linger, the system sends RST in place of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.wfile.close()
            self.rfile.close()
            self.connection.close()


def _range(wanted: str, size: int) -> tuple[int, int]:
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    return int(first), min(int(last) + 1, size) if last else size


def _spoilt(body: bytes, how: Misbehaviour) -> bytes:
    if how.other_bytes:
        body = body[::-1]
    if how.flip is not None and body:
        at = how.flip % len(body)
        body = body[:at] + bytes([body[at] ^ 4]) + body[at + 1 :]
    return body
