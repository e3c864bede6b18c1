"""Running the archive: in this process until a signal comes, or in a thread beside other work."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp

from tessellar.errors import InputError, NoPermission, StoreError
from tessellar.progress import Listener, ignore
from tessellar.server.app import create_app
from tessellar.server.index import Index
from tessellar.server.tap.routes import Service

# Downloads that run when the archive is stopped get this long to end, in seconds.
_GRACE = 1

Ready = Callable[[str], object]


def serve(
    directory: str | os.PathLike[str],
    host: str = "127.0.0.1",
    port: int = 0,
    on_ready: Ready | None = None,
    *,
    index_path: str | os.PathLike[str] | None = None,
    watch: bool = True,
    listener: Listener = ignore,
) -> None:
    """Offer a folder as an archive until SIGINT or SIGTERM comes; then stop within 2 s.

    Parameters
    ----------
    directory : path-like
        A folder of TESS files, with all below it. Nothing in it is changed.
    host : str
        Address to listen on; by default only this machine can reach it.
    port : int
        0 picks a free one.
    on_ready : callable, optional
        Called with the URL as soon as the archive answers.
    index_path : path-like, optional
        Where to keep the index; by default in the user's cache folder.
    watch : bool
        Whether to look through the folder, now and while questions come; if
        not, what the index says is served as it is.
    listener : callable, optional
        Told of progress while the folder is read.

    Raises
    ------
    InputError
        If there is no such folder, or the address cannot be listened on.
    NoPermission
        If the folder may not be read, or the port not be used.
    """
    listening = _listen(host, port)
    try:
        app = create_app(directory, index_path=index_path, watch=watch, listener=listener)
        index: Index = app.state.index
        try:
            _Server(app, index, on_ready, _url(listening)).run(sockets=[listening])
        finally:
            index.stop()
            app.state.tap.close()
            index.close()
    finally:
        listening.close()


class ServerThread:
    """A folder as an archive, for the length of a ``with`` block.

    Parameters
    ----------
    directory : path-like
        A folder of TESS files, with all below it.
    index_path : path-like, optional
        Where to keep the index; by default as long as this is open.
    watch : bool
        Whether to look through the folder, as for `serve`.
    wrap : callable, optional
        Puts something around the application, as tests do that want it to fail.

    Attributes
    ----------
    url : str
        Where it answers, as ``http://127.0.0.1:PORT``.
    app : callable
        The application, with what `wrap` put around it.

    Examples
    --------
    >>> import tempfile, urllib.request
    >>> with tempfile.TemporaryDirectory() as folder, ServerThread(folder) as archive:
    ...     urllib.request.urlopen(archive.url).status
    200
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        index_path: str | os.PathLike[str] | None = ":memory:",
        watch: bool = True,
        wrap: Callable[[ASGIApp], ASGIApp] | None = None,
    ) -> None:
        self.url = ""
        self.app: ASGIApp
        self._directory = directory
        self._index_path = index_path
        self._watch = watch
        self._wrap = wrap

    def __enter__(self) -> Self:
        self._listening = _listen("127.0.0.1", 0)
        try:
            app = create_app(self._directory, index_path=self._index_path, watch=self._watch)
        except BaseException:
            self._listening.close()
            raise
        self._index: Index = app.state.index
        self._tap: Service = app.state.tap
        self.app = self._wrap(app) if self._wrap else app
        ready = threading.Event()
        self._server = _Server(self.app, self._index, lambda url: ready.set(), _url(self._listening))
        self._thread = threading.Thread(target=self._run, name="tessellar archive", daemon=True)
        self._thread.start()
        ready.wait(30)
        self.url = _url(self._listening)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._index.stop()
        self._thread.join(10)
        self._tap.close()
        self._index.close()
        self._listening.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._listening])


class _Server(uvicorn.Server):
    """uvicorn, silent, that says when it is ready and returns when it is told to stop."""

    def __init__(self, app: ASGIApp, index: Index, on_ready: Ready | None, url: str) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",  # what fails in the application is logged there
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        self._index = index
        self._on_ready = on_ready
        self._address = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets=sockets)
        if self._on_ready is not None:
            self._on_ready(self._address)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the work in other threads end, then everything else."""
        self._index.stop()
        await super().shutdown(sockets=sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop on a signal, without passing it on: it has done what it was sent for."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.handle_exit(number, frame)


def _listen(host: str, port: int) -> socket.socket:
    try:
        found: list[Any] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except BaseException:
            listening.close()
            raise
    except PermissionError as error:
        raise NoPermission(f"port {port} on {host} may not be used; choose one from 1024 on") from error
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise StoreError(f"cannot listen on {host}, port {port}: it is taken; choose another, or port 0") from error
        raise InputError(f"cannot listen on {host}, port {port}: {error}; choose another, or port 0") from error
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    # A wildcard address is no address to go to, but then this machine's own one works.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
