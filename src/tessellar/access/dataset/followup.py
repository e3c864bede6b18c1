"""Tagged files of ExoFOP in a data set: single files, whose bytes stay, not the zips that are made when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from tessellar import config
from tessellar.access.dataset.lockfile import LockedFile, Query
from tessellar.access.dataset.recipe import Selection
from tessellar.access.resolving import star_of
from tessellar.archives import Archive
from tessellar.errors import InputError
from tessellar.exofop import TargetTables

COLLECTION = "ExoFOP"
_URI = "exofop:file/"


def ask_followup(selection: Selection, archive: Archive) -> Iterator[tuple[Query, list[LockedFile]]]:
    """Ask ExoFOP for the files of a selection's tags, star by star; the public sees them all.

    Raises
    ------
    InputError
        If ExoFOP lists no file of a tag.
    ArchiveError
        If it cannot be reached or does not answer properly.
    """
    left = set(selection.tags)
    for target in selection.targets:
        asked = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        star = star_of(target, archive)
        with config.overriding(archive=archive.name):
            base = config.load().exofop_url
            rows = TargetTables(star).table("files")
        files = [
            LockedFile(f"{_URI}{row['File ID']}", COLLECTION, str(row["Tag"]), filename=str(row["File Name"]))
            for row in rows
            if str(row["Tag"]) in selection.tags
        ]
        found = {file.obs_id for file in files}
        left -= found
        told: dict[str, str | int] = {"target": target, "tic": int(star), "tags": ", ".join(selection.tags)}
        yield Query(asked, base, told, len(found), len(files)), files
    if left:
        named = ", ".join(sorted(left))
        raise InputError(f"tags: ExoFOP lists no files of {named} at {', '.join(selection.targets)}")


def url_of(file: LockedFile, archive: Archive) -> str:
    """Return where a file of a data set is fetched: at the archive, or at the ExoFOP that belongs to it."""
    if not file.uri.startswith(_URI):
        return archive.locate(file.uri, filename=file.name).url
    with config.overriding(archive=archive.name):
        return f"{config.load().exofop_url}get_file.php?id={file.uri.removeprefix(_URI)}"
