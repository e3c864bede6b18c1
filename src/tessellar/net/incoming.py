"""An answer, as it comes in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Incoming:
    """An answer whose body is still arriving.

    Attributes
    ----------
    url : str
        What was asked for.
    status : int
        As of HTTP.
    headers : mapping
        As of HTTP.
    chunks : asynchronous iterator of bytes
        The body.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]
