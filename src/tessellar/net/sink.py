"""Where fetched bytes go: the contract between the transfer engine and whoever keeps the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol


@dataclass(frozen=True)
class Remote:
    """One file as an archive describes it.

    Attributes
    ----------
    uri : str
        Its name in the archive, as ``mast:TESS/product/...``; the file's identity.
    url : str
        Where it can be fetched; over HTTP, or ``file:`` for one that lies in a folder of this machine.
    filename : str
        Its own name.
    collection, obs_id : str
        What it belongs to.
    size : int or None
        Bytes, as the archive's tables say; they are mostly but not always right. With a `digest` they are.
    digest : str or None
        ``"sha256:..."`` or ``"md5:..."``, where the archive, or whoever asks, gives one.
    others : tuple of str
        Further URLs that offer the same file, asked in this order when those before do not give it.
    private : mapping
        Headers, such as a cookie, that are sent to the origin of `url` and to nobody else; never recorded.
    check : callable or None
        Called with the path of the whole file before it gets its name, besides the usual verification;
        raises `IntegrityError` if it is not what was asked for.
    """

    uri: str
    url: str
    filename: str
    collection: str = "TESS"
    obs_id: str = ""
    size: int | None = None
    digest: str | None = None
    others: tuple[str, ...] = ()
    private: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False, compare=False)
    check: Callable[[Path], None] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Partial:
    """What is here of a file that is not whole.

    Attributes
    ----------
    path : Path
        Where further bytes are to be written, beside the final name.
    size : int
        Bytes that are there.
    validator : str or None
        The ETag or Last-Modified of the version they belong to; without one
        they cannot be continued.
    source : str or None
        The URL that they came from.
    """

    path: Path
    size: int
    validator: str | None
    source: str | None = None


@dataclass(frozen=True)
class Received:
    """What the transfer saw, for the sink to check and record."""

    size: int
    sha256: str
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Kept:
    """A whole, verified file under its final name."""

    path: Path
    size: int
    sha256: str
    note: str = ""


class Claim(Protocol):
    """The right to write one file; nobody else, in this process or another, has it at the same time."""

    def release(self) -> None:
        """Give it back; a partial file without a byte goes away."""


class Sink(Protocol):
    """Who keeps the files.

    Methods are called from several threads at once, but for one file in the
    order in which they stand here, and all but `recall` only under a claim.
    None of them may touch the network.
    """

    def recall(self, remote: Remote) -> Kept | None:
        """Return the file if it is known to be here and unchanged; a matter of microseconds."""

    def claim(self, remote: Remote) -> Claim | None:
        """Take the right to write the file, or return None while somebody else has it.

        Raises
        ------
        InputError
            If no file can have its name.
        StoreError
            If this machine cannot keep the file.
        """

    def has(self, remote: Remote) -> Kept | None:
        """Return the file if it is here and whole; looks closely at what is not known."""

    def plan(self, remote: Remote) -> Partial:
        """Say where the bytes go and what is there of them."""

    def begin(self, remote: Remote, validator: str | None) -> None:
        """Take note that the partial file now holds bytes of the version named by `validator` at ``remote.url``."""

    def commit(self, remote: Remote, received: Received) -> Kept:
        """Verify the partial file and give it its final name.

        Raises
        ------
        IntegrityError
            If it is not the file that was promised; the partial file is empty then.
        StoreError
            If this machine cannot keep it.
        """
