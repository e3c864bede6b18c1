"""ExoFOP's login as it goes over the wire: a form that is sent once, a cookie, and a page that says who one is.

None of ExoFOP's answers has a status that says whether a login went well. What
counts is what a page shows: the way out to those who are in, the way in to
those who are not.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

from tessellar import config
from tessellar.errors import ArchiveError, AuthError, UnexpectedReply
from tessellar.exofop.sessions import UNTOLD_LIFE, Session
from tessellar.net import Reply, Transport

_REFUSED = re.compile(r"invalid\s+(?:username|user name)\s+or\s+password", re.IGNORECASE)
_WAY_OUT = re.compile(r"log\s*out|sign\s*out", re.IGNORECASE)
_WAY_IN = re.compile(r"log\s*in\b|login\.php|sign\s*in\b", re.IGNORECASE)
_SESSION = "PHPSESSID"


async def open_sessions(base: str, username: str, password: str, number: int) -> list[Session]:
    """Log in so many times; a password that is refused is not sent again.

    Returns
    -------
    list of Session
        Empty if ExoFOP refuses the login; fewer than wanted if it gave no more.

    Raises
    ------
    ArchiveError
        If ExoFOP cannot be reached, or answers neither yes nor no.
    """
    found: list[Session] = []
    for _ in range(number):
        try:
            session = await _open_session(base, username, password)
        except ArchiveError:
            if not found:
                raise
            break
        if session is None:
            break
        found.append(session)
    return found


async def have_ended(base: str, sessions: Sequence[Session]) -> bool:
    """Whether ExoFOP takes any of the sessions for a stranger's; it is asked."""
    pages = await asyncio.gather(*(_page(f"{base}index.php", session) for session in sessions))
    return any(not _WAY_OUT.search(page) and _WAY_IN.search(page) for page in pages)


async def close_sessions(base: str, sessions: Sequence[Session]) -> None:
    """Tell ExoFOP that sessions are over, as far as it can be reached."""
    for session in sessions:
        with suppress(ArchiveError):
            await _page(f"{base}logout.php", session)


def origin_of(url: str) -> tuple[str, str]:
    """Return scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


async def _open_session(base: str, username: str, password: str) -> Session | None:
    """Send the login form, once; a session is one whose login ExoFOP has confirmed."""
    form = {"username": username, "password": password, "ref": "login_user", "ref_page": "/tess/"}
    # A transport of its own: no cookie of another session goes with the form.
    async with Transport(config.load()) as transport:
        try:
            # The password is for this page alone, wherever that leads.
            reply = await transport.post_form(f"{base}password_check.php", form, follow=False)
        except AuthError:
            return None
    if _REFUSED.search(reply.body.decode("utf-8", "replace")):
        return None
    session = _session_of(reply)
    if session is None or not await _is_confirmed(base, session, reply):
        raise UnexpectedReply(
            f"{base}password_check.php answered neither yes nor no to the login of {username}; try again later",
            url=base,
        )
    return session


def _session_of(reply: Reply) -> Session | None:
    if not reply.cookies:
        return None
    ends = [reply.expires.get(name) for name in ([_SESSION] if _SESSION in reply.cookies else reply.cookies)]
    known = [end for end in ends if end is not None]
    return Session(dict(reply.cookies), min(known) if known else time.time() + UNTOLD_LIFE)


async def _is_confirmed(base: str, session: Session, reply: Reply) -> bool:
    """Whether ExoFOP says that somebody is logged in: it offers the way out, or leads to where they wanted."""
    page = reply.body.decode("utf-8", "replace")
    if 300 <= reply.status < 400:
        place = urljoin(reply.url, reply.headers.get("Location", ""))
        if origin_of(place) != origin_of(base):
            return False
        if urlsplit(place).path in {urlsplit(urljoin(base, each)).path for each in ("index.php", ".")}:
            return True
        page = await _page(place, session)
    return _WAY_OUT.search(page) is not None


async def _page(url: str, session: Session) -> str:
    async with Transport(config.load()) as transport:
        reply = await transport.get(url, private={"Cookie": session.header})
    return reply.body.decode("utf-8", "replace")
