"""The local data folder: which files are here, which are verified, what a fetch did.

*Knows* (the ledger has a row), *exists* (the file is there) and *verified*
(it is the file that the ledger describes) are three questions; all are
answered without network.
"""

from __future__ import annotations

from tessellar.store.ledger import Entry, Ledger
from tessellar.store.manifest import Manifest
from tessellar.store.store import Store

__all__ = ["Entry", "Ledger", "Manifest", "Store"]
