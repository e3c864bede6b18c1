"""When to try again, and how long to wait before it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, stop_after_delay
from tenacity.stop import stop_base

from tessellar.config import Settings
from tessellar.errors import TessellarError

LONGEST_PAUSE = 60.0
LONGEST_RETRY_AFTER = 600.0

# Attempts that brought the file further are free, but not without end: each must bring at least
# this share of the file, or this many bytes, and there are no more than so many of them.
PROGRESS_SHARE = 64
PROGRESS_BYTES = 64 * 1024
FREE_ATTEMPTS = 100


def retrying(
    settings: Settings,
    tell: Callable[[str], None] | None = None,
    *,
    but: type[TessellarError] | None = None,
    within: float | None = None,
) -> AsyncRetrying:
    """Build the retry policy of questions: full-jitter exponential pauses, or what Retry-After says.

    Only errors that say they are worth it (`TessellarError.retryable`) are retried;
    the last one is raised as it is.

    Parameters
    ----------
    settings : Settings
        Gives the number of attempts and the first pause, in seconds.
    tell : callable, optional
        Called with one line before each pause.
    but : type, optional
        Errors of this kind are not retried, though they could be.
    within : float, optional
        Seconds after which there is no further attempt.
    """
    stop: stop_base = stop_after_attempt(settings.attempts)
    if within is not None:
        stop = stop | stop_after_delay(within)

    def worth_it(error: BaseException) -> bool:
        return isinstance(error, TessellarError) and error.retryable and not (but and isinstance(error, but))

    def pause(state: RetryCallState) -> float:
        return pause_after(_error_of(state), state.attempt_number, settings)

    def before_sleep(state: RetryCallState) -> None:
        if tell is not None and state.next_action is not None:
            tell(f"{_error_of(state)}; trying again in {state.next_action.sleep:.1f} s")

    return AsyncRetrying(
        retry=retry_if_exception(worth_it),
        stop=stop,
        wait=pause,
        before_sleep=before_sleep,
        reraise=True,
    )


class Budget:
    """The attempts that one file may take.

    An attempt that brought the file a good piece further costs nothing; what
    counts as further is measured from the furthest point that was ever
    reached, so that a server which cuts or changes a file again and again
    cannot keep us for ever.

    Parameters
    ----------
    settings : Settings
        Gives the number of attempts and the first pause, in seconds.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._fruitless = 0
        self._free = 0
        self._furthest = 0

    def start_from(self, size: int) -> None:
        """Take note of what was there before the first attempt."""
        self._furthest = max(self._furthest, size)

    def pause(self, error: TessellarError, reached: int, total: int | None) -> float | None:
        """Return the seconds to wait after a failed attempt, or None if there is to be no other.

        Parameters
        ----------
        error : TessellarError
            How the attempt ended.
        reached : int
            Bytes of the file that are here and can be continued.
        total : int or None
            Bytes that it has in all, if known.
        """
        if not error.retryable:
            return None
        step = max(PROGRESS_BYTES, (total or 0) // PROGRESS_SHARE)
        further = reached - self._furthest >= step and self._free < FREE_ATTEMPTS
        if further:
            self._free += 1
            self._furthest = reached
        else:
            self._fruitless += 1
        if self._fruitless >= self._settings.attempts:
            return None
        return pause_after(error, max(self._fruitless, 1), self._settings)


def pause_after(error: BaseException | None, attempt: int, settings: Settings) -> float:
    """Return the seconds to wait after attempt number `attempt`: what the archive asks for, or a random pause."""
    ceiling = min(settings.retry_wait * 2.0 ** min(attempt - 1, 32), LONGEST_PAUSE)
    own = random.uniform(0, ceiling)
    # On top of what is asked for, so that those who were sent away together do not come back together.
    return min(float(getattr(error, "retry_after", None) or 0.0), LONGEST_RETRY_AFTER) + own


def retry_after_seconds(value: str | None, now: datetime | None = None) -> float | None:
    """Read a Retry-After header: seconds, or an HTTP date.

    Examples
    --------
    >>> from tessellar.net.retry import retry_after_seconds
    >>> retry_after_seconds("7"), retry_after_seconds("soon")
    (7.0, None)
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        pass
    else:
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max((date - (now or datetime.now(UTC))).total_seconds(), 0.0)


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
