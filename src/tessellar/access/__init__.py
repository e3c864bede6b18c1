"""Where archives, net and store meet: the verbs that a user calls."""

from __future__ import annotations

from tessellar.access.fetching import FetchInterrupted, fetch
from tessellar.access.resolving import Resolved, resolve
from tessellar.access.searching import list_products, search

__all__ = ["FetchInterrupted", "Resolved", "fetch", "list_products", "resolve", "search"]
