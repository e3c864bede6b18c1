"""What an answer to a request for a file means: where its bytes belong, and whether they are the file at all."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tessellar.errors import IntegrityError, UnexpectedReply
from tessellar.net.incoming import Incoming
from tessellar.net.sink import Partial, Remote

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)
_UNSATISFIED = re.compile(r"bytes \*/(\d+)", re.ASCII)
_PAGES = frozenset({"text/html", "application/xhtml+xml", "application/json"})
_LONGEST_REASON = 65536  # bytes
_PAGE_SUFFIXES = frozenset({"html", "htm", "json"})


@dataclass(frozen=True)
class Place:
    """Where the body of an answer belongs.

    Attributes
    ----------
    start : int
        Offset of its first byte in the file.
    total : int or None
        Size of the whole file, where the answer tells.
    packed : bool
        The body is packed with gzip, though nobody asked for it.
    """

    start: int
    total: int | None
    packed: bool = False


def place_of(remote: Remote, incoming: Incoming, partial: Partial | None) -> Place | None:
    """Return where the body belongs; None if what is here is no beginning of what the archive has.

    Parameters
    ----------
    remote : Remote
        The file.
    incoming : Incoming
        The answer.
    partial : Partial or None
        What the request asked to be continued; None if it asked for all.

    Raises
    ------
    UnexpectedReply
        If the status means nothing that can be stored.
    IntegrityError
        If the body is something in the file's place.
    """
    if incoming.status == 416:
        return _already_whole(incoming, partial)
    if incoming.status not in (200, 206):
        raise UnexpectedReply(f"{incoming.url} answered {incoming.status} to a request for a file", url=incoming.url)
    _refuse_pages(remote, incoming)
    packed = _packed(remote, incoming)
    if incoming.status == 206:
        return None if packed else _continuation(incoming, partial)
    length = incoming.headers.get("Content-Length", "")
    return Place(0, int(length) if length.isdecimal() and not packed else None, packed)


async def reason_in(incoming: Incoming) -> str:
    """Return why the archive sends JSON in place of a file, as the body tells it; empty if it tells nothing."""
    if _kind_of(incoming) != "application/json":
        return ""
    body = b""
    async for chunk in incoming.chunks:
        body += chunk
        if len(body) > _LONGEST_REASON:
            return ""
    return told_in(body)


def told_in(body: bytes) -> str:
    """Return the reason that a JSON answer gives, in one line; empty if it gives none."""
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    reasons = [told.get(name) for name in ("msg", "message", "error", "detail")] if isinstance(told, dict) else []
    return " ".join(next((text for text in reasons if isinstance(text, str) and text), "").split())[:300]


def refuse_page(remote: Remote, reason: str) -> None:
    """Raise `IntegrityError`, which is tried again, where the archive says why it sends no file."""
    if reason:
        raise IntegrityError(f"{remote.filename}: the archive sent no file, but says: {reason}")


def validator_of(incoming: Incoming) -> str | None:
    """Return what names this version of the file, if it can serve to continue it: a strong ETag, or a date."""
    return strong_etag(incoming) or incoming.headers.get("Last-Modified")


def strong_etag(incoming: Incoming) -> str | None:
    """Return the ETag, unless it is weak: a weak one promises no equal bytes."""
    etag = incoming.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else None


def _continuation(incoming: Incoming, partial: Partial | None) -> Place | None:
    match = _RANGE.fullmatch(incoming.headers.get("Content-Range", ""))
    if match is None:
        return None
    first, last, total = map(int, match.groups())
    here = partial.size if partial is not None else 0
    return Place(here, total) if first == here and last + 1 == total and _same(incoming, partial) else None


def _already_whole(incoming: Incoming, partial: Partial | None) -> Place | None:
    """Read a 416: there is nothing after our last byte, for ours are all."""
    match = _UNSATISFIED.fullmatch(incoming.headers.get("Content-Range", ""))
    if match is None or partial is None or int(match[1]) != partial.size:
        return None
    return Place(partial.size, partial.size) if _same(incoming, partial) else None


def _same(incoming: Incoming, partial: Partial | None) -> bool:
    """Whether nothing speaks against its being the version that is here; what has no validator, a digest will prove."""
    return partial is None or partial.validator is None or validator_of(incoming) in (None, partial.validator)


def _refuse_pages(remote: Remote, incoming: Incoming) -> None:
    """Refuse a page that stands for an error although its status says all is well."""
    if is_page(remote, incoming):
        kind = _kind_of(incoming)
        raise IntegrityError(f"{remote.filename}: the archive sent {kind} in place of the file: see {remote.url}")


def is_page(remote: Remote, incoming: Incoming) -> bool:
    """Whether a page has come in the place of a file."""
    suffix = Path(remote.filename).suffix.lower().removeprefix(".")
    return _kind_of(incoming) in _PAGES and suffix not in _PAGE_SUFFIXES


def _kind_of(incoming: Incoming) -> str:
    return incoming.headers.get("Content-Type", "").split(";")[0].strip().lower()


def _packed(remote: Remote, incoming: Incoming) -> bool:
    coding = incoming.headers.get("Content-Encoding", "identity").strip().lower()
    if coding in ("identity", ""):
        return False
    if coding in ("gzip", "x-gzip"):
        # Some servers call the .gz files that they hold encoded: there the file itself is meant.
        return not remote.filename.lower().endswith(".gz")
    raise IntegrityError(f"{remote.filename}: sent with the content coding {coding!r}, which was not asked for")
