"""Who is logged in: sessions in memory, known by the cookie that ExoFOP's own software would set."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import Response

from tessellar.products.exofopusers import Account

COOKIE = "PHPSESSID"
#: Seconds for which ExoFOP keeps a login: about a week.
LIFETIME = 7 * 86400.0
_MOST = 10_000


class Sessions:
    """The sessions of those who logged in; visitors without a login have none that is kept.

    Parameters
    ----------
    lifetime : float
        Seconds after which one has to log in anew.
    clock : callable, optional
        Tells the time; for tests.
    """

    def __init__(self, lifetime: float = LIFETIME, clock: Callable[[], float] = time.time) -> None:
        self.lifetime = lifetime
        self._clock = clock
        self._kept: OrderedDict[str, tuple[Account, float]] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, account: Account) -> str:
        """Begin a session; its secret name is new each time."""
        name = new_name()
        with self._lock:
            self._kept[name] = (account, self._clock() + self.lifetime)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return name

    def who(self, request: Request) -> Account | None:
        """Return who asks, or None where nobody is logged in, or not any more."""
        name = request.cookies.get(COOKIE, "")
        with self._lock:
            account, until = self._kept.get(name, (None, 0.0))
            if account is not None and self._clock() >= until:
                del self._kept[name]
                return None
        return account

    def close(self, request: Request) -> None:
        """End the session of a request."""
        with self._lock:
            self._kept.pop(request.cookies.get(COOKIE, ""), None)

    def forget(self) -> None:
        """End every session, as if its time were over."""
        with self._lock:
            self._kept.clear()

    def hand(self, response: Response, name: str, request: Request) -> None:
        """Put the cookie on an answer; over plain HTTP it cannot be a secure one."""
        secure = "; secure" if request.url.scheme == "https" else ""
        until = formatdate(self._clock() + self.lifetime, usegmt=True)
        value = f"{COOKIE}={name}; expires={until}; Max-Age={int(self.lifetime)}; path=/{secure}; HttpOnly"
        response.headers.append("set-cookie", value)


def new_name() -> str:
    """Return a name for a session that nobody can guess, in PHP's alphabet."""
    return secrets.token_hex(16)
