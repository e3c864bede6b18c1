"""Questions to ExoFOP: answered, or refused in one line; never an error page or silence taken for an answer.

When it is asked too often, ExoFOP answers 200 with nothing at all; its error
pages are HTML with status 200 too. Both end here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tessellar import config
from tessellar.archives.answers import Answers
from tessellar.errors import (
    ArchiveError,
    AuthError,
    InputError,
    NotFound,
    RateLimited,
    TimedOut,
    Unavailable,
    UnexpectedReply,
)
from tessellar.net import Reply, Transport, run
from tessellar.net.retry import retrying
from tessellar.products.structure import error_page
from tessellar.progress import Event, Listener, ignore

_NOT_THERE = re.compile(r"no tic object found|no object found|not found|does not exist|no such", re.IGNORECASE)
_NOT_ALLOWED = re.compile(r"not authori[sz]ed|must (?:be logged|log) in|please log ?in\b|login required", re.IGNORECASE)
_TITLE = re.compile(r"<(?:title|h1|h2|p)[^>]*>\s*([^<]{3,120})", re.IGNORECASE)


class Visitor(Protocol):
    """Whoever asks: an authenticator, as far as this module needs it."""

    base: str

    def private_headers(self, url: str) -> dict[str, str]:
        """Return the headers that tell the host of a URL who asks."""

    def confirm(self) -> bool:
        """Make sure that ExoFOP knows who asks; return whether a new login was needed."""


@dataclass(frozen=True)
class Exofop:
    """One ExoFOP: where it is, and as whom it is asked.

    Parameters
    ----------
    base : str
        URL of its pages, with a slash at the end.
    settings : Settings
        Time-outs and tries.
    visitor : Visitor or None
        None asks as the public.
    """

    base: str
    settings: config.Settings
    visitor: Visitor | None = None

    @classmethod
    def open(cls, visitor: Visitor | None = None) -> Exofop:
        """Open the ExoFOP at which the visitor is logged in, or that of the settings."""
        settings = config.load()
        return cls(settings.exofop_url if visitor is None else visitor.base, settings, visitor)

    def hasty(self) -> Exofop:
        """Return the same ExoFOP, asked at most twice: for questions that can be put another way."""
        return replace(self, settings=replace(self.settings, attempts=min(2, self.settings.attempts)))

    def text(self, page: str, params: Mapping[str, str], listener: Listener = ignore) -> str:
        """Ask a page and return its text.

        Raises
        ------
        NotFound, AuthError
            If ExoFOP says so, with whatever status.
        RateLimited, Unavailable
            If it sends nothing, or a page for people in place of an answer, however often it is asked.
        """
        answers = Answers(self.settings)
        question = {"archive": self.base, "page": page, "params": dict(params)}
        # What only this user may see is not kept where others could find it.
        kept = answers.recall(question) if self.visitor is None or self.settings.offline else None
        if kept is None:
            text = self.reply(page, params, listener=listener).body.decode("utf-8", "replace")
            if self.visitor is None:
                answers.keep(question, text)
            return text
        found: str = kept.value
        return found

    def reply(
        self,
        page: str,
        params: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        listener: Listener = ignore,
    ) -> Reply:
        """Ask a page and return the whole answer, also one of 304 where `headers` ask for it."""
        url = f"{self.base}{page}"
        private = {**(self.visitor.private_headers(url) if self.visitor else {}), **(headers or {})}

        def tell(line: str) -> None:
            listener(Event(f"ask {page}", note=line))

        async def work() -> Reply:
            async with Transport(self.settings) as transport:

                async def ask() -> Reply:
                    return check(await transport.get(url, params, private=private), page)

                policy = retrying(self.settings, tell, within=self.settings.question_timeout)
                reply: Reply = await policy(ask)
                return reply

        return run(work())

    def tic_of(self, name: str) -> int:
        """Return the TIC id of a name, as ExoFOP's own resolver knows it.

        Raises
        ------
        InputError
            If it knows no such object, or several.
        """
        text = self.text("gototicid.php", {"target": name, "json": ""})
        try:
            answer = json.loads(text)
            status, found = answer["status"], answer.get("TIC")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnexpectedReply(f"{self.base}gototicid.php did not answer as ExoFOP's resolver does") from error
        if str(status).upper() != "OK" or not str(found).strip().isdigit():
            many = int(answer.get("num") or 0) > 1
            what = "several objects" if many else "no object"
            raise InputError(f"{name!r}: ExoFOP knows {what} of that name; write a TIC or TOI id, as in TOI-1130")
        return int(str(found))


def check(reply: Reply, page: str) -> Reply:
    """Return a reply that is an answer; raise for one that is none, though its status says so."""
    if reply.status == 304:
        return reply
    if not reply.body.strip():
        raise RateLimited(
            f"{reply.url} answered with nothing, as ExoFOP does when it is asked too often; ask again later",
            url=reply.url,
            status=reply.status,
        )
    head = reply.body[:4096]
    if error_page(head) == "an HTML page" or head.lstrip()[:2] == b"<!":
        raise page_error(reply.body.decode("utf-8", "replace"), reply.url)
    if (
        not page.startswith("gototicid")
        and len(reply.body) < 200
        and b"|" not in head
        and _NOT_THERE.search(head.decode("utf-8", "replace"))
    ):
        raise NotFound(f"{reply.url}: {' '.join(head.decode('utf-8', 'replace').split())}", url=reply.url)
    return reply


def page_error(text: str, url: str) -> ArchiveError:
    """Return the error that a page for people means, where an answer was wanted."""
    if _NOT_THERE.search(text):
        return NotFound(f"{url}: ExoFOP has no such object", url=url)
    if _NOT_ALLOWED.search(text):
        return AuthError(f"{url}: ExoFOP wants a login for this; log in, or ask whose it is", url=url)
    match = _TITLE.search(text)
    told = f" ({' '.join(match[1].split())!r})" if match else ""
    return Unavailable(
        f"{url}: ExoFOP sent a page for people{told} in place of an answer; ask again later", url=url, status=200
    )


def is_unreachable(error: ArchiveError) -> bool:
    """Whether ExoFOP gave no answer at all, so that its other pages need not be asked."""
    return isinstance(error, Unavailable) and error.status is None and not isinstance(error, TimedOut)


def read_json(text: str, where: str) -> Any:
    """Read JSON, or say that it is none."""
    try:
        return json.loads(text)
    except ValueError as error:
        start = " ".join(text[:60].split())
        raise UnexpectedReply(f"{where}: no JSON but {start!r}") from error
