"""A recipe: what a data set consists of, as a person writes it down.

::

    title = "Transits of L 98-59"
    targets = ["TIC 307210830", "pi Men"]
    sectors = [2, "5-8"]
    kinds = ["lightcurve", "tpf"]
    authors = ["SPOC"]
    cadences = [120]

``tags = [5903]`` beside targets means the files that ExoFOP has under these tags.
In place of targets, ``footprint = ["1-4-2"]`` names CCDs (sector-camera-ccd), and
``inside = ["1-4-2", "CIRCLE 84.29 -80.47 1"]`` means the light curves of all stars
in the footprint of a CCD, or in a region, from every sector. A recipe of several
parts writes each below its own ``[[select]]``.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tessellar.access.dataset.reading import read_as
from tessellar.archives.base import KINDS
from tessellar.errors import InputError
from tessellar.targets import Field, check_sector

T = TypeVar("T")

_TOP = ("title", "archive", "select")
_SELECTION = ("targets", "footprint", "inside", "sectors", "kinds", "authors", "cadences", "tags")
_SPAN = re.compile(r"\s*(\d+)\s*-\s*(\d+)\s*", re.ASCII)


@dataclass(frozen=True)
class Selection:
    """One part of a recipe; an empty tuple leaves a thing open.

    Attributes
    ----------
    targets : tuple of str
        Stars, by TIC id or by name.
    footprint : tuple of Field
        CCDs, in place of targets.
    inside : tuple of str
        CCDs or regions: the light curves of the stars inside, in place of targets.
    sectors : tuple of int
        Sectors; with targets or regions, only files of these.
    kinds : tuple of str
        ``lightcurve``, ``tpf``, ``dv``, ``cbv``, ``ffi``.
    authors : tuple of str
        Pipelines.
    cadences : tuple of float
        Exposure times, in seconds.
    tags : tuple of str
        Tags of ExoFOP: their files at these targets, and nothing else.
    """

    targets: tuple[str, ...] = ()
    footprint: tuple[Field, ...] = ()
    inside: tuple[str, ...] = ()
    sectors: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    cadences: tuple[float, ...] = ()
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.tags and (not self.targets or self.sectors or self.kinds or self.authors or self.cadences):
            raise InputError("tags go with targets alone; another [[select]] can have the rest")
        if self.targets and self.footprint:
            raise InputError("give targets or a footprint, not both; a second [[select]] can have the other")
        if self.inside and (self.targets or self.footprint or set(self.kinds) - {"lightcurve"}):
            raise InputError("inside means light curves, in place of targets or a footprint: leave the others out")
        if self.footprint and self.sectors:
            raise InputError("the footprint says the sectors: leave sectors out")
        if not (self.targets or self.footprint or self.inside or self.sectors):
            raise InputError("give targets, a footprint or sectors: everything of TESS is millions of files")
        if self.targets and "ffi" in self.kinds:
            raise InputError("full-frame images belong to no target: give a footprint for them, as in ['1-4-2']")


@dataclass(frozen=True)
class Recipe:
    """What a data set consists of.

    Attributes
    ----------
    selections : tuple of Selection
        Its parts.
    title : str
        What it is, for people.
    archive : str or None
        Where it is asked for; None for the setting.
    sha256 : str
        Digest of the text that it was read from.
    """

    selections: tuple[Selection, ...]
    title: str = ""
    archive: str | None = None
    sha256: str = ""


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Read a recipe.

    Raises
    ------
    InputError
        If it cannot be read; the message names the file, the key, and what is meant perhaps.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tessellar.access.dataset import read_recipe
    >>> path = pathlib.Path(tempfile.mkdtemp(), "recipe.toml")
    >>> _ = path.write_text('sectors = ["1-3"]')
    >>> read_recipe(path).selections[0].sectors
    (1, 2, 3)
    """
    return read_as(path, "recipe", parse_recipe)


def parse_recipe(text: str) -> Recipe:
    """Read the text of a recipe.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not valid TOML: {error}") from error
    parts = written.get("select")
    if parts is None:
        _check_keys(written, (*_TOP, *_SELECTION))
        selections = [_selection({name: written[name] for name in _SELECTION if name in written})]
    else:
        mixed = sorted(set(written) & set(_SELECTION))
        if mixed:
            raise InputError(f"{mixed[0]} stands beside [[select]]: move it into one of them")
        _check_keys(written, _TOP)
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise InputError("select is not a table: write [[select]] above each part")
        for part in parts:
            _check_keys(part, _SELECTION)
        selections = [_selection(part) for part in parts]
    return Recipe(
        tuple(selections),
        title=_text(written, "title") or "",
        archive=_text(written, "archive"),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def _check_keys(written: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in written:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
            raise InputError(f"no key is called {name!r}; {hint}")


def _selection(written: Mapping[str, Any]) -> Selection:
    kinds = _texts(written, "kinds")
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(f"kinds: {kind!r} is not known; there are {', '.join(KINDS)}")
    return Selection(
        targets=_unique(str(_checked_target(value)) for value in _items(written, "targets")),
        footprint=_unique(Field.parse(value) for value in _texts(written, "footprint")),
        inside=_unique(_region(value) for value in _texts(written, "inside")),
        sectors=_unique(sector for value in _items(written, "sectors") for sector in _span(value)),
        kinds=kinds,
        authors=_texts(written, "authors"),
        cadences=_unique(_seconds(value) for value in _items(written, "cadences")),
        tags=_unique(_tag(value) for value in _items(written, "tags")),
    )


def _items(written: Mapping[str, Any], name: str) -> list[Any]:
    value = written.get(name, [])
    items = value if isinstance(value, list) else [value]
    if name in written and not items:
        raise InputError(f"{name} is empty: leave it out, or name at least one")
    return items


def _texts(written: Mapping[str, Any], name: str) -> tuple[str, ...]:
    items = _items(written, name)
    for item in items:
        if not isinstance(item, str) or not item.strip():
            raise InputError(f"{name}: {item!r} is not a text")
    return _unique(item.strip() for item in items)


def _text(written: Mapping[str, Any], name: str) -> str | None:
    value = written.get(name)
    if value is not None and not isinstance(value, str):
        raise InputError(f"{name}: {value!r} is not a text")
    return value


def _checked_target(value: Any) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise InputError(f"targets: {value!r} is neither a name nor a TIC id")
    return value.strip() if isinstance(value, str) else value


def _tag(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise InputError(f"tags: {value!r} is no tag of ExoFOP: a tag is a number, as in 5903")
    return str(value).strip()


def _region(value: str) -> str:
    from tessellar.access.regions import region_of

    try:
        region_of(value)
    except InputError as error:
        raise InputError(f"inside: {error}") from error
    return value


def _span(value: Any) -> Iterable[int]:
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return [check_sector(value)]
    first, last = check_sector(int(match[1])), check_sector(int(match[2]))
    if last < first:
        raise InputError(f"sectors: {value!r} ends before it begins")
    return range(first, last + 1)


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e5:
        raise InputError(f"cadences: {value!r} is not an exposure time in seconds, as in 120")
    return float(value)


def _unique(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
