"""The local data folder: which files are here, which are verified, what a fetch did.

*Knows* (the ledger has a row), *exists* (the file is there) and *verified*
(it is the file that the ledger describes) are three questions; all are
answered without network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tessellar.store.ledger import Entry, Ledger
from tessellar.store.store import Store

if TYPE_CHECKING:
    from tessellar.store.manifest import Manifest

__all__ = ["Entry", "Ledger", "Manifest", "Store"]


def __getattr__(name: str) -> Any:
    """Import the manifest, which is an astropy table, only where one is needed."""
    if name == "Manifest":
        from tessellar.store.manifest import Manifest

        return Manifest
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
