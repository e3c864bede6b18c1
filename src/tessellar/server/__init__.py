"""A folder of TESS files as an archive that the field's own clients can query: the protocol of MAST's portal."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tessellar.server.app import create_app
    from tessellar.server.index import Index, Report
    from tessellar.server.running import ServerThread, serve

# Loaded when first used: the web framework takes a while.
_HOMES = {"create_app": "app", "Index": "index", "Report": "index", "ServerThread": "running", "serve": "running"}

__all__ = ["Index", "Report", "ServerThread", "create_app", "serve"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tessellar.server' has no attribute {name!r}")
    value = getattr(import_module(f"tessellar.server.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
