"""What exists, and where: archives describe observations, files and URLs; they keep nothing and fetch nothing."""

from __future__ import annotations

from tessellar.archives.base import Archive, Criteria
from tessellar.archives.mast import MastArchive, open_archive
from tessellar.archives.resolver import NamedPlace

__all__ = ["Archive", "Criteria", "MastArchive", "NamedPlace", "open_archive"]
