"""From a recipe to the files that the archive has for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tessellar.access.dataset.followup import ask_followup
from tessellar.access.dataset.lockfile import LockedFile, Query
from tessellar.access.dataset.recipe import Recipe, Selection
from tessellar.access.regions import lightcurves_in
from tessellar.access.resolving import star_of
from tessellar.access.searching import list_products, search
from tessellar.archives import Archive
from tessellar.progress import Listener

# Cadences of one name differ by less than this: 158.4 s are asked for as 158.
_SECONDS = 0.5


@dataclass
class Wanted:
    """What a recipe stands for now.

    Attributes
    ----------
    files : dict
        By archive name; digests are open.
    queries : list of Query
        What was asked.
    """

    files: dict[str, LockedFile] = field(default_factory=dict)
    queries: list[Query] = field(default_factory=list)


def ask(recipe: Recipe, archive: Archive, listener: Listener) -> Wanted:
    """Ask the archive which files a recipe stands for.

    Raises
    ------
    InputError
        If a target is not known.
    ArchiveError
        If the archive cannot be reached or does not answer properly.
    """
    wanted = Wanted()
    for selection in recipe.selections:
        if selection.tags:
            for query, files in ask_followup(selection, archive):
                wanted.files.update({file.uri: file for file in files})
                wanted.queries.append(query)
            continue
        if selection.inside:
            _ask_inside(selection, archive, wanted, listener)
            continue
        for criteria in _questions(selection):
            _ask_one(selection, criteria, archive, wanted, listener)
    return wanted


def _ask_one(
    selection: Selection, criteria: dict[str, Any], archive: Archive, wanted: Wanted, listener: Listener
) -> None:
    asked = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    told = {**criteria, **_held_against(selection, criteria.get("kind"))}
    told = {name: value for name, value in told.items() if value is not None and name != "kind"}
    target = criteria.pop("target", None)
    if target is not None:
        target = star_of(target, archive)
        told["tic"] = int(target.id)
    observations = search(target, **criteria, archive=archive, listener=listener)
    keep = [i for i, row in enumerate(observations.rows()) if _is_wanted(row, selection, row.get("t_exptime"))]
    observations = observations[keep]
    rows = list_products(observations, archive=archive, listener=listener).rows() if len(observations) else []
    files = [
        _file(row)
        for row in rows
        if (not selection.kinds or row.get("kind") in selection.kinds)
        and _is_wanted(row, selection, row.get("cadence"))
    ]
    wanted.files.update({file.uri: file for file in files})
    wanted.queries.append(Query(asked, archive.name, told, len(observations), len(files)))


def _ask_inside(selection: Selection, archive: Archive, wanted: Wanted, listener: Listener) -> None:
    """Ask for the light curves of the stars inside regions."""
    for region in selection.inside:
        for author in selection.authors or (None,):
            for cadence in selection.cadences or (None,):
                asked = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
                sectors = selection.sectors or None
                table = lightcurves_in(
                    region, sectors=sectors, cadence=cadence, author=author, archive=archive.name, listener=listener
                )
                files = [_file(row) for row in table.rows()]
                held = {"author": author or "", "cadences": f"{cadence:g}" if cadence else "",
                        "sectors": ", ".join(map(str, selection.sectors))}  # fmt: skip
                told = {"inside": region, **{name: value for name, value in held.items() if value}}
                wanted.files.update({file.uri: file for file in files})
                wanted.queries.append(Query(asked, archive.name, told, len(files), len(files)))


def _held_against(selection: Selection, kind: str | None) -> dict[str, str]:
    """Say what the answers are held against, besides what is asked."""
    kinds = [kind] if kind else [name for name in selection.kinds if name != "ffi"]
    sectors = selection.sectors if selection.targets else ()
    told = {"sectors": map(str, sectors), "kinds": kinds, "cadences": (f"{each:g}" for each in selection.cadences)}
    return {name: joined for name, values in told.items() if (joined := ", ".join(values))}


def _questions(selection: Selection) -> Iterator[dict[str, Any]]:
    """Say what to ask: one question for each star or field, and author; images are asked for apart."""
    images = ["ffi"] if "ffi" in selection.kinds else []
    others = [None] if not selection.kinds or set(selection.kinds) - {"ffi"} else []
    for place in _places(selection):
        for author in selection.authors or (None,):
            for kind in (*others, *images):
                yield {**place, "author": author, "kind": kind}


def _places(selection: Selection) -> Iterable[dict[str, Any]]:
    if selection.targets:
        return [{"target": target} for target in selection.targets]
    if selection.footprint:
        return [{"sector": f.sector, "camera": f.camera, "ccd": f.ccd} for f in selection.footprint]
    return [{"sector": sector} for sector in selection.sectors]


def _is_wanted(row: dict[str, Any], selection: Selection, cadence: Any) -> bool:
    """Whether sector and cadence fit, as far as they are asked for and known."""
    if selection.targets and selection.sectors:
        last = row.get("sector_last") or row.get("sequence_number") or row.get("sector")
        first = row.get("sector_first") or last
        if first is None or last is None or not any(first <= sector <= last for sector in selection.sectors):
            return False
    image = row.get("dataproduct_type") == "image" or row.get("kind") == "ffi"
    if selection.cadences and cadence is not None and not image:
        return any(abs(float(cadence) - wanted) <= _SECONDS for wanted in selection.cadences)
    return True


def _file(row: dict[str, Any]) -> LockedFile:
    uri, size = str(row["dataURI"]), row.get("size")
    name = str(row.get("productFilename") or uri.rsplit("/", 1)[-1])
    return LockedFile(
        uri,
        str(row.get("obs_collection") or "TESS"),
        str(row.get("obs_id") or name.split(".")[0]),
        size=size if isinstance(size, int) and size > 0 else 0,
        filename="" if name == uri.rsplit("/", 1)[-1] else name,
    )
