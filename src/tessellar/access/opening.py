"""Opening the archive that a caller names."""

from __future__ import annotations

from tessellar.archives import Archive, open_archive


def archive_of(archive: str | Archive | None) -> Archive:
    """Open an archive by name, unless it is open already; None is the one of the settings."""
    return open_archive(archive) if archive is None or isinstance(archive, str) else archive
