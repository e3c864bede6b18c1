"""A question with more rows than one answer should have, asked in strips of declination.

The archive's database fails on questions of millions of rows, whatever the
size of a page. So each question is counted first; one with too many rows, or
one that takes too long, is asked again in narrower strips. A strip is read
whole or not at all: whoever reads them can stop after any of them, and go on
there later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tessellar import config
from tessellar.archives.portal import Portal, Row
from tessellar.errors import TimedOut
from tessellar.net import Transport, run
from tessellar.progress import Event, Listener, ignore

_WHOLE = (-90.0, 90.0)
_NARROWEST = 1e-4  # degrees: no strip is parted further
_MOST_PARTS = 64

Span: TypeAlias = tuple[float, float]
# From a strip (degrees, closed) to a service and its parameters; None where nothing is to be asked.
Question: TypeAlias = Callable[[Span], tuple[str, Mapping[str, Any]] | None]


@dataclass
class Tally:
    """What has become of the rows of a question so far.

    Attributes
    ----------
    rows : int
        Read, each once.
    twice : int
        Left out, for they came a second time.
    total : int or None
        What the archive counted for the whole question; None if it was too slow to count them.
    """

    rows: int = 0
    twice: int = 0
    total: int | None = None

    @property
    def missing(self) -> int:
        """Rows that the archive counted and no strip had: those without a declination."""
        return 0 if self.total is None else max(self.total - self.rows - self.twice, 0)


class Sweep:
    """Reads a large question strip by strip; an iterator over lists of rows.

    Parameters
    ----------
    base : str
        URL of the archive without a path.
    settings : Settings
        Retries, page size, and the rows of a strip.
    question : callable
        From a strip to what is asked of it.
    identity : callable
        From a row to what no other row has.
    whole : (float, float)
        The declinations that are asked for.
    pending : list of (float, float), optional
        Strips that are left, the next one last; by default all.
    tally : Tally, optional
        What was read before.
    keep : bool
        Keep the answers, for work without network.
    listener : callable, optional
        Told of rows as they arrive.
    """

    def __init__(
        self,
        base: str,
        settings: config.Settings,
        question: Question,
        identity: Callable[[Row], object],
        *,
        whole: Span = _WHOLE,
        pending: list[Span] | None = None,
        tally: Tally | None = None,
        keep: bool = False,
        listener: Listener = ignore,
    ) -> None:
        self.pending = [whole] if pending is None else list(pending)
        self.tally = tally or Tally()
        self._base, self._settings, self._question, self._identity = base, settings, question, identity
        self._whole = whole
        self._most, self._keep, self._listener = settings.strip_rows, keep, listener

    def __iter__(self) -> Iterator[list[Row]]:
        while self.pending:
            strip = self.pending[-1]
            found = run(self._read(strip))
            self.pending.pop()
            if isinstance(found, int):
                self.pending += reversed(_parts(strip, found))
                continue
            rows = list({self._identity(row): row for row in found}.values())
            self.tally.rows += len(rows)
            self.tally.twice += len(found) - len(rows)
            self._listener(Event("read rows", self.tally.rows, self.tally.total, "rows", finished=not self.pending))
            if rows:
                yield rows

    async def _read(self, strip: Span) -> list[Row] | int:
        """Return the rows of a strip, or into how many parts it has to be parted."""
        asked = self._question(strip)
        if asked is None:
            return []
        narrow = strip[1] - strip[0] < _NARROWEST
        async with Transport(self._settings) as transport:
            portal = Portal(self._base, transport, self._settings)
            try:
                count = await portal.count(*asked, insist=narrow)
                if strip == self._whole:
                    self.tally.total = count
                if count > self._most and not narrow:
                    return min(math.ceil(count / self._most) + 1, _MOST_PARTS)
                if not count:
                    return []
                pages = (portal.answer if self._keep else portal.pages)(*asked, self._told)
                return [row async for page in pages for row in page]
            except TimedOut as error:
                if narrow:
                    raise
                self._listener(Event("read rows", self.tally.rows, self.tally.total, "rows", note=f"{error}; halving"))
                return 2

    def _told(self, event: Event) -> None:
        done = self.tally.rows + event.done
        self._listener(Event("read rows", done, self.tally.total, "rows", note=event.note))


def _parts(strip: Span, count: int) -> list[Span]:
    """Part a strip into closed strips of equal area that share no declination."""
    low, high = (math.sin(math.radians(edge)) for edge in strip)
    cuts = [math.degrees(math.asin(low + (high - low) * i / count)) for i in range(1, count)]
    edges = [strip[0], *cuts]
    return [*zip(edges, (math.nextafter(cut, -math.inf) for cut in cuts), strict=False), (edges[-1], strip[1])]
