"""What a paper says of its data: where they are registered, whom to thank, and which questions gave them."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from tessellar import __version__
from tessellar.access.dataset.lockfile import Lock, Query
from tessellar.mission.names import match_name

_FINDER = "https://archive.stsci.edu/publishing/data-use"


@dataclass(frozen=True)
class Citation:
    """What a paper says of a data set.

    Attributes
    ----------
    summary : str
        What it is: files, bytes, authors, kinds, sectors.
    collections : tuple of str
        Registered collections that it is part of, with their DOI.
    unregistered : tuple of str
        Authors and kinds of which no DOI is known here.
    acknowledgements : tuple of str
        Whom to thank, in their words.
    queries : tuple of str
        What the archive was asked, and when.
    software : str
        What made it.
    """

    summary: str
    collections: tuple[str, ...]
    unregistered: tuple[str, ...]
    acknowledgements: tuple[str, ...]
    queries: tuple[str, ...]
    software: str

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield from ("Data", "", self.summary, "")
        yield from (f"- {line}" for line in self.collections)
        if self.unregistered:
            yield f"- no DOI is known here for {', '.join(self.unregistered)}: see {_FINDER}"
        yield from ("", "Queries", "")
        yield from (f"- {line}" for line in self.queries)
        yield from ("", "Acknowledgements", "")
        yield from (line for text in self.acknowledgements for line in (text, ""))
        yield from ("Software", "", self.software)


def cite(lock: Lock) -> Citation:
    """Say what a paper has to say of a data set.

    Parameters
    ----------
    lock : Lock
        As `read_lock` gives it.

    Returns
    -------
    Citation
        Its text is ``str(citation)``.
    """
    known = tomllib.loads(files("tessellar.access.dataset").joinpath("citations.toml").read_text(encoding="utf-8"))
    parts = Counter(_part(file.name) for file in lock.files)
    authors = {author for author, _, _ in parts}
    found = {part: _collection(known["collection"], part[0], part[2]) for part in sorted(parts)}
    return Citation(
        _summary(lock, parts),
        tuple(dict.fromkeys(_shown(entry) for entry in found.values() if entry is not None)),
        tuple(dict.fromkeys(f"{author} {product}" for (author, _, product), entry in found.items() if entry is None)),
        (
            known["facility"].strip(),
            *(entry["text"].strip() for entry in known["thanks"] if authors & set(entry["authors"])),
        ),
        tuple(_question(query) for query in lock.queries),
        f"{lock.tool or f'tessellar {__version__}'}; the data set has the sha256 {lock.fingerprint}"
        + (f", with {len(lock.open)} digests still open" if lock.open else ""),
    )


def _part(filename: str) -> tuple[str, str, str]:
    """Return author, kind and product of a file: of one kind, products may be registered apart."""
    name = match_name(filename)
    return (name.author, name.kind, name.product) if name is not None else ("unknown author", "other", "other")


def _collection(entries: list[dict[str, Any]], author: str, product: str) -> dict[str, Any] | None:
    fits = (e for e in entries if e["author"].lower() == author.lower() and product in e.get("products", [product]))
    return next(fits, None)


def _shown(entry: dict[str, Any]) -> str:
    paper = f" ({entry['paper']})" if "paper" in entry else ""
    return f"{entry['title']}{paper}: https://doi.org/{entry['doi']}"


def _summary(lock: Lock, parts: Counter[tuple[str, str, str]]) -> str:
    names = [match_name(file.name) for file in lock.files]
    sectors = sorted({name.sector for name in names if name is not None and name.sector is not None})
    kinds: Counter[tuple[str, str]] = Counter()
    for (author, kind, _), number in parts.items():
        kinds[author, kind] += number
    what = ", ".join(f"{number} {kind} of {author}" for (author, kind), number in sorted(kinds.items()))
    title = f"{lock.title}: " if lock.title else ""
    where = f", sectors {_spans(sectors)}" if sectors else ""
    return f"{title}{len(lock.files)} files, {lock.size / 1e6:.1f} MB ({what}){where}, from {lock.archive or 'MAST'}."


def _spans(numbers: list[int]) -> str:
    """Write 1, 2, 3, 5 as 1-3, 5."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in spans)


def _question(query: Query) -> str:
    asked = ", ".join(f"{name} {value}" for name, value in query.criteria.items())
    return f"{query.asked} {query.archive}: {asked}: {query.observations} observations, {query.files} files"
