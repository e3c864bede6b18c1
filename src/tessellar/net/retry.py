"""When to try again, and how long to wait before it."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from tessellar.config import Settings
from tessellar.errors import TessellarError

LONGEST_PAUSE = 60.0
LONGEST_RETRY_AFTER = 600.0


def retrying(settings: Settings, tell: Callable[[str], None] | None = None) -> AsyncRetrying:
    """Build the retry policy: full-jitter exponential pauses, or what Retry-After says.

    Only errors that say they are worth it (`TessellarError.retryable`) are retried;
    the last one is raised as it is.

    Parameters
    ----------
    settings : Settings
        Gives the number of attempts and the first pause, in seconds.
    tell : callable, optional
        Called with one line before each pause.
    """

    def pause(state: RetryCallState) -> float:
        asked = getattr(_error_of(state), "retry_after", None)
        if asked is not None:
            return min(float(asked), LONGEST_RETRY_AFTER)
        ceiling = min(settings.retry_wait * 2 ** (state.attempt_number - 1), LONGEST_PAUSE)
        return random.uniform(0, ceiling)

    def before_sleep(state: RetryCallState) -> None:
        if tell is not None and state.next_action is not None:
            tell(f"{_error_of(state)}; trying again in {state.next_action.sleep:.1f} s")

    return AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, TessellarError) and error.retryable),
        stop=stop_after_attempt(settings.attempts),
        wait=pause,
        before_sleep=before_sleep,
        reraise=True,
    )


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
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max((date - (now or datetime.now(UTC))).total_seconds(), 0.0)


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
