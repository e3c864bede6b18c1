"""Where archives, net and store meet: the verbs that a user calls."""

from __future__ import annotations

from tessellar.access.fetch import FetchInterrupted, fetch
from tessellar.access.resolve import Resolved, resolve
from tessellar.access.search import list_products, search

__all__ = ["FetchInterrupted", "Resolved", "fetch", "list_products", "resolve", "search"]
