"""What must not stand in a log: the session ids that libraries print with the headers of a reply."""

from __future__ import annotations

import logging
import re

# The loggers of the HTTP library that print whole headers, at debug level.
_TALKATIVE = ("httpcore.http11", "httpcore.http2", "httpcore.proxy")
_COOKIE = re.compile(r"(b?'(?:set-)?cookie', b?')(?:[^'\\]|\\.)*'", re.IGNORECASE)
_COOKIE_IN_QUOTES = re.compile(r"(b?'(?:set-)?cookie', b?\")(?:[^\"\\]|\\.)*\"", re.IGNORECASE)


class _NoCookies(logging.Filter):
    """Lets every record pass, but not the cookies in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if "cookie" in text.lower():
            record.msg = _COOKIE_IN_QUOTES.sub(r'\1***"', _COOKIE.sub(r"\1***'", text))
            record.args = None
        return True


_no_cookies = _NoCookies()


def keep_cookies_out_of_logs() -> None:
    """See to it that the HTTP library logs no cookies; called before its first request, and any time after."""
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_no_cookies)
