"""How many requests one host gets at a time: as many as it bears.

A host starts with a few. Each run of successes earns it one more, up to the
limit of the settings; one sign of trouble (it asks us to slow down, answers
that it cannot, or falls silent) halves what it gets. Requests that were
already under way when the number was halved do not halve it again: they
belong to the same trouble.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tessellar.errors import RateLimited, Unavailable

START = 4
# One more after so many successes for each that there is: 40 successes lead from 4 to 5.
SUCCESSES = 10
# So many files one after the other that a host never gave, though each was tried again: it is down.
DOWN = 10


class HostLimit:
    """The number of requests that one host gets at a time.

    Parameters
    ----------
    ceiling : int
        Never more than this.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = min(START, ceiling)
        self.running = 0
        self.given_up = 0
        self._successes = 0
        self._halvings = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def down(self) -> bool:
        """Whether it gave none of the files that it was last asked for."""
        return self.given_up >= DOWN

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a turn; how the block ends tells how the host bears it."""
        while self.running >= self.limit:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()
                raise
        self.running += 1
        halvings = self._halvings
        try:
            yield
        except (RateLimited, Unavailable):
            if halvings == self._halvings:
                self._halve()
            raise
        else:
            self._succeed()
        finally:
            self.running -= 1
            self._wake()

    def _halve(self) -> None:
        self.limit = max(1, self.limit // 2)
        self._halvings += 1
        self._successes = 0

    def _succeed(self) -> None:
        self._successes += 1
        if self._successes >= SUCCESSES * self.limit and self.limit < self.ceiling:
            self.limit += 1
            self._successes = 0

    def _wake(self) -> None:
        """Let those go on for whom there is room; each looks for itself whether there still is."""
        room = self.limit - self.running
        while self._waiting and room > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                room -= 1


class Throttle:
    """One `HostLimit` for each host that is asked.

    Parameters
    ----------
    ceiling : int
        The most that any of them gets.
    """

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._hosts: dict[str, HostLimit] = {}

    def host(self, url: str) -> HostLimit:
        """Return the limit of the host that a URL names."""
        return self._hosts.setdefault(urlsplit(url).netloc, HostLimit(self._ceiling))
