"""Files of ExoFOP through the transfer engine: resumed, verified, each with its own outcome."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tessellar import config
from tessellar.errors import AuthError, Corrupt, InputError, NotFound, ProductError, TessellarError, TimedOut
from tessellar.exofop.unpacking import check_limits
from tessellar.net import Kept, Outcome, Received, Remote, run, transfer
from tessellar.progress import Listener, drawn, ignore
from tessellar.store import Store
from tessellar.store.store import check_folder


class DownloadStatus(Enum):
    """What became of a download."""

    OK = 1
    NOT_FOUND = 2
    ERROR = 3
    TIMEOUT = 4
    DENIED = 5


@dataclass(frozen=True)
class TagOutcome:
    """What became of one tag, or file.

    Attributes
    ----------
    tag : str
        What was asked for.
    status : DownloadStatus
        OK if it is here and whole.
    path : Path or None
        The zip or file, or the folder into which it was unpacked.
    message : str
        How it came to be here (``already here``), or why it is not.
    attempts : int
        Requests made for it; 0 if it was here already.
    error : TessellarError or None
        What went wrong.
    """

    tag: str
    status: DownloadStatus
    path: Path | None = None
    message: str = ""
    attempts: int = 0
    error: TessellarError | None = None


class TagCounter(Counter[DownloadStatus]):
    """How many downloads ended how; and, in `outcomes`, which.

    Awaiting it gives it back, so that code which awaits a download in a notebook runs as well.
    """

    def __init__(self, outcomes: Iterable[TagOutcome] = ()) -> None:
        self.outcomes = tuple(outcomes)
        super().__init__(outcome.status for outcome in self.outcomes)

    @property
    def failed(self) -> tuple[TagOutcome, ...]:
        """The outcomes that are not OK."""
        return tuple(outcome for outcome in self.outcomes if outcome.status is not DownloadStatus.OK)

    def of(self, tag: str | int) -> TagOutcome:
        """Return the outcome of one tag."""
        for outcome in self.outcomes:
            if outcome.tag == str(tag):
                return outcome
        raise InputError(f"tag {tag} was not asked for")

    def copy(self) -> TagCounter:
        """Return another one like it."""
        return TagCounter(self.outcomes)

    def __await__(self) -> Generator[None, None, TagCounter]:
        yield from ()
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.outcomes,)


class ZipStore(Store):
    """A folder of downloads from ExoFOP.

    What one gets under a name depends on who asks: a name is followed by ``#`` and the user, if there is one. What
    a user was given will do for the public, but not the other way round. A zip that would become too large is
    refused before it is read.
    """

    def recall(self, remote: Remote) -> Kept | None:
        """Return the file if it is here unchanged, and holds all that whoever asks may see."""
        kept = super().recall(remote)
        other = self._of_another(remote) if kept is None else None
        if other is not None and "#" not in remote.uri:
            return super().recall(replace(remote, uri=other))
        return kept

    def has(self, remote: Remote) -> Kept | None:
        """Return the file if it is here and whole; one that somebody else was given stays until the new one is here."""
        if self._of_another(remote) is not None and "#" in remote.uri:
            return None
        return super().has(remote)

    def _of_another(self, remote: Remote) -> str | None:
        """Return the name under which somebody else was given this file, if it is here."""
        entry = self.ledger.find(remote.filename)
        if entry is None or entry.uri == remote.uri or entry.uri.partition("#")[0] != remote.uri.partition("#")[0]:
            return None
        return entry.uri

    def commit(self, remote: Remote, received: Received) -> Kept:
        """Verify and keep a file, as any store does, but not a zip bomb."""
        if remote.filename.endswith(".zip"):
            part = self.plan(remote).path
            try:
                with suppress(Corrupt):  # what is wrong with it is told below
                    check_limits(part)
            except ProductError:
                os.truncate(part, 0)
                raise
        return super().commit(remote, received)


class AsyncDownloader:
    """Downloads many files at a time; what is here and whole is not asked for again.

    Parameters
    ----------
    download_directory : str
        Where files are put if a call does not say it.
    max_concurrent_downloads : int
        The most at a time.
    transport_retries : int
        Kept for code that gives it; `max_retries` counts.
    timeout : float
        Seconds to wait for a connection, and for the next bytes of each download.
    display_progress : bool
        Draw progress, where stderr is a terminal.
    max_retries : int
        Further tries of each file. One that brought a file further is not counted.
    cookie_feeder : iterator of cookie jars, optional
        Cookies to be sent, one jar a file.
    listener : callable, optional
        Told of bytes, in place of the drawing.
    """

    def __init__(
        self,
        *,
        download_directory: str = ".",
        max_concurrent_downloads: int = 5,
        transport_retries: int = 5,
        timeout: float = 10.0,
        display_progress: bool = True,
        max_retries: int = 1,
        cookie_feeder: Any = None,
        listener: Listener | None = None,
    ) -> None:
        self.download_directory = download_directory
        self.max_concurrent_downloads = max_concurrent_downloads
        self.transport_retries = transport_retries
        self.timeout = timeout
        self.display_progress = display_progress
        self.max_retries = max_retries
        self.cookie_feeder = cookie_feeder
        self.listener = listener

    def __repr__(self) -> str:
        return (
            f"AsyncDownloader(max_concurrent_downloads={self.max_concurrent_downloads}, timeout={self.timeout}, "
            f"max_retries={self.max_retries})"
        )

    @property
    def settings(self) -> config.Settings:
        """The settings of the transfer engine that these are."""
        if self.max_concurrent_downloads < 1 or self.max_retries < 0 or not self.timeout > 0:
            raise InputError(f"{self!r}: give at least 1 download at a time, 0 retries, and more than 0 seconds")
        return replace(
            config.load(),
            connections=int(self.max_concurrent_downloads),
            attempts=int(self.max_retries) + 1,
            idle_timeout=float(self.timeout),
            connect_timeout=float(self.timeout),
        )

    def download_files(
        self,
        url_list: Sequence[str],
        download_directory: str | None = None,
        file_names: Sequence[str] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
    ) -> TagCounter:
        """Download files by their URLs.

        Parameters
        ----------
        url_list : sequence of str
            Where they are.
        download_directory : str, optional
            By default that of the downloader.
        file_names : sequence of str, optional
            By default the last parts of the URLs.
        client_kwargs : mapping, optional
            ``{"cookies": jar}``: cookies, sent to their own host only.

        Returns
        -------
        TagCounter
            One outcome per file, by its name.
        """
        names = (
            list(file_names)
            if file_names is not None
            else [unquote(urlsplit(url).path.rsplit("/", 1)[-1]) for url in url_list]
        )
        if len(names) != len(url_list):
            raise InputError(f"{len(url_list)} URLs but {len(names)} file names")
        jar = (client_kwargs or {}).get("cookies")
        remotes = [
            Remote(url, url, name, private=cookies_for(url, next(self.cookie_feeder) if self.cookie_feeder else jar))
            for url, name in zip(url_list, names, strict=True)
        ]
        outcomes = self.fetch(remotes, Path(download_directory or self.download_directory))
        return TagCounter(told(outcome.remote.filename, outcome) for outcome in outcomes)

    async def download_files_async(self, *args: Any, **options: Any) -> TagCounter:
        """Download files without holding up the event loop; see `download_files`."""
        return await asyncio.to_thread(self.download_files, *args, **options)

    def fetch(self, remotes: Sequence[Remote], folder: Path) -> list[Outcome]:
        """Fetch files into a folder; return one outcome each, in their order."""
        folder = folder.expanduser().absolute()
        check_folder(folder)
        store = ZipStore(folder, flat=True)
        outcomes: list[Outcome] = []
        try:
            with self._listening() as listener:
                run(transfer(remotes, store, self.settings, outcomes, listener))
        finally:
            store.close()
        by_uri = {outcome.remote.uri: outcome for outcome in outcomes}
        return [by_uri[uri] for uri in dict.fromkeys(remote.uri for remote in remotes)]

    def _listening(self) -> AbstractContextManager[Listener]:
        if self.listener is not None:
            return nullcontext(self.listener)
        return drawn() if self.display_progress else nullcontext(ignore)


def told(tag: str, outcome: Outcome) -> TagOutcome:
    """Turn the engine's outcome into that of a tag."""
    if outcome.kept is not None:
        return TagOutcome(tag, DownloadStatus.OK, outcome.kept.path, outcome.kept.note, outcome.attempts)
    assert outcome.error is not None
    return failed(tag, outcome.error, outcome.attempts)


def failed(tag: str, error: TessellarError, attempts: int = 0, path: Path | None = None) -> TagOutcome:
    """Return the outcome that an error is."""
    return TagOutcome(tag, status_of(error), path, str(error), attempts, error)


def status_of(error: TessellarError) -> DownloadStatus:
    """Return the status that says what an error means."""
    if isinstance(error, NotFound):
        return DownloadStatus.NOT_FOUND
    if isinstance(error, TimedOut):
        return DownloadStatus.TIMEOUT
    if isinstance(error, AuthError):
        return DownloadStatus.DENIED
    return DownloadStatus.ERROR


def cookies_for(url: str, jar: Any) -> dict[str, str]:
    """Return the ``Cookie`` header that a cookie jar, or a mapping, has for a URL."""
    if jar is None:
        return {}
    if isinstance(jar, Mapping):
        header = "; ".join(f"{name}={value}" for name, value in jar.items())
        return {"Cookie": header} if header else {}
    import urllib.request

    request = urllib.request.Request(url)
    jar.add_cookie_header(request)
    header = request.get_header("Cookie") or ""
    return {"Cookie": header} if header else {}
