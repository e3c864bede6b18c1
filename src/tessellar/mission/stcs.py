"""The words of a footprint: STC-S and DALI, as archives write them, read into a tree.

`tessellar.mission.skyregion` makes shapes of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from tessellar.errors import InputError

#: How many numbers each shape takes.
SHAPES = {"CIRCLE": "3 numbers", "POLYGON": "3 or more pairs of numbers", "BOX": "4 numbers", "RANGE": "4 numbers"}
SETS = ("UNION", "INTERSECTION", "NOT")

_DEEPEST = 20
# A sign may not stand between two numbers without a blank: "1-2" would be read as one thing by some, two by others.
_WORD = re.compile(r"[()]|[A-Za-z_][\w.]*|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?=[\s,()]|$)")
_BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True)
class Node:
    """One shape or set.

    Attributes
    ----------
    name : str
        One of `SHAPES` or `SETS`.
    words : tuple of str
        What stood before the numbers or the bracket: frame, reference position, flavour; upper case.
    numbers : tuple of float
        Of a shape.
    parts : tuple of Node
        Of a set.
    place : int
        The character at which it starts, counted from 1.
    """

    name: str
    words: tuple[str, ...]
    numbers: tuple[float, ...]
    parts: tuple[Node, ...]
    place: int


def read(text: str) -> tuple[Node, ...]:
    """Read a footprint into its shapes and sets, one after the other.

    Raises
    ------
    InputError
        If a word stands where it should not, or a shape has too few or too
        many numbers: what was found, where, and what should be there.

    Examples
    --------
    >>> from tessellar.mission.stcs import read
    >>> node, = read("CIRCLE ICRS 10.5 -20 0.1")
    >>> node.name, node.words, node.numbers
    ('CIRCLE', ('ICRS',), (10.5, -20.0, 0.1))
    """
    return _Reader(text).everything()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._words: list[tuple[str, int]] = []
        place = _after(text, 0)
        while place < len(text):
            match = _WORD.match(text, place)
            if match is None:
                self._wrong(place, "a shape, a frame or a number")
            self._words.append((match.group(), place))
            place = _after(text, match.end())
        self._next = self._depth = 0

    def everything(self) -> tuple[Node, ...]:
        nodes = self._nodes()
        if self._word:
            self._wrong(self._place, "a shape")
        if not nodes:
            raise InputError("an empty region: give a CIRCLE, POLYGON, BOX, RANGE or a UNION of them")
        return nodes

    def _nodes(self) -> tuple[Node, ...]:
        nodes = []
        while self._word and self._word != ")":
            name, place = self._word.upper(), self._place
            if name not in SHAPES and name not in SETS:
                self._wrong(place, f"one of {', '.join((*SHAPES, *SETS))}")
            self._next += 1
            nodes.append(self._set(name, place) if name in SETS else self._shape(name, place))
        return tuple(nodes)

    def _set(self, name: str, place: int) -> Node:
        if self._depth >= _DEEPEST:
            self._wrong(place, f"a shape (sets stand in each other at most {_DEEPEST} deep)")
        self._depth += 1
        node = self._parts(name, place)
        self._depth -= 1
        return node

    def _parts(self, name: str, place: int) -> Node:
        words = self._qualifiers()
        if self._word != "(":
            self._wrong(self._place, f"( after {name}")
        self._next += 1
        parts = self._nodes()
        if self._word != ")":
            self._wrong(self._place, ")")
        self._next += 1
        if not parts or (name == "NOT" and len(parts) != 1):
            self._wrong(place, f"{name} (…) of {'one region' if name == 'NOT' else 'some regions'}")
        return Node(name, words, (), parts, place + 1)

    def _shape(self, name: str, place: int) -> Node:
        words = self._qualifiers()
        numbers = []
        while self._word and self._word[0] not in "()" and not _alphabetic(self._word):
            numbers.append(float(self._word))
            self._next += 1
        count = len(numbers)
        fits = count >= 6 and count % 2 == 0 if name == "POLYGON" else SHAPES[name].startswith(f"{count} ")
        if not fits:
            raise InputError(
                f"region: {name} at character {place + 1} has {count} numbers: it takes {SHAPES[name]}, in degrees"
            )
        return Node(name, words, tuple(numbers), (), place + 1)

    def _qualifiers(self) -> tuple[str, ...]:
        words = []
        while self._word and _alphabetic(self._word) and self._word.upper() not in (*SHAPES, *SETS):
            words.append(self._word.upper())
            self._next += 1
        return tuple(words)

    @property
    def _word(self) -> str:
        return self._words[self._next][0] if self._next < len(self._words) else ""

    @property
    def _place(self) -> int:
        return self._words[self._next][1] if self._next < len(self._words) else len(self._text)

    def _wrong(self, place: int, wanted: str) -> NoReturn:
        found = repr(self._text[place : place + 20].strip()) if self._text[place:].strip() else "the end"
        raise InputError(f"region: found {found} at character {place + 1}, where {wanted} should be")


def _after(text: str, place: int) -> int:
    match = _BETWEEN.match(text, place)
    return match.end() if match else place


def _alphabetic(word: str) -> bool:
    return word[0].isalpha() or word[0] == "_"
