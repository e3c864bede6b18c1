"""Tables that say which targets are left out of a survey, and which need a certain method."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from tessellar.errors import Corrupt, InputError, MissingInput

_DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Rule:
    """One line of a table; a field that is None fits everything.

    Attributes
    ----------
    tic, sector : int or None
    source : str or None
        ``ffi`` or ``tpf``; ``tpf`` also fits stars inside another star's target pixel file.
    release : int or None
        Data release of the pixels.
    brighter : float or None
        Stars of at most this TESS magnitude.
    method : str
        What to measure them with; empty: they are left out.
    reason : str
        Why, in a few words, and who says so.
    """

    tic: int | None
    sector: int | None
    source: str | None
    release: int | None
    brighter: float | None
    method: str
    reason: str

    def fits(self, tic: int, sector: int, source: str, release: int | None, tmag: float) -> bool:
        """Whether the rule is about this target."""
        return (
            self.tic in (None, tic)
            and self.sector in (None, sector)
            and self.source in (None, source.partition(":")[0])
            and (self.release is None or release is None or self.release == release)
            and (self.brighter is None or tmag <= self.brighter)
        )


class Rules:
    """Rules in order: the first that fits a target counts.

    Examples
    --------
    >>> from tessellar.survey.rules import exclusions, methods
    >>> exclusions().first(149251611, 1, "tpf", 1, 5.0).reason
    'stamp is misplaced (list of the TASOC pipeline (Handberg et al. 2021))'
    >>> methods().first(1, 27, "ffi", None, 1.5).method
    'halo'
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._general: list[tuple[int, Rule]] = []
        self._of_star: dict[int, list[tuple[int, Rule]]] = {}
        for place, rule in enumerate(rules):
            chosen = self._general if rule.tic is None else self._of_star.setdefault(rule.tic, [])
            chosen.append((place, rule))

    def first(self, tic: int, sector: int, source: str, release: int | None, tmag: float) -> Rule | None:
        """The rule that counts for a target, or None."""
        own = self._of_star.get(tic)
        rules = self._general if own is None else sorted((*own, *self._general), key=itemgetter(0))
        return next((rule for _, rule in rules if rule.fits(tic, sector, source, release, tmag)), None)


def exclusions(*paths: Path) -> Rules:
    """Targets that are left out: those of `paths`, then those that tessellar knows of."""
    return Rules(rule for path in (*paths, _DATA / "exclusions.csv") for rule in _read(path, with_method=False))


def methods(*paths: Path) -> Rules:
    """Methods that targets need: those of `paths`, then those that tessellar knows of."""
    return Rules(rule for path in (*paths, _DATA / "methods.csv") for rule in _read(path, with_method=True))


def _read(path: Path, *, with_method: bool) -> Iterator[Rule]:
    needed = {"reason", "method"} if with_method else {"reason"}
    if not path.is_file():
        raise MissingInput(f"{path}: no such table")
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    except UnicodeDecodeError as error:
        raise Corrupt(f"{path}: is no text") from error
    reader = csv.DictReader(lines)
    lacking = needed - set(reader.fieldnames or ())
    if lacking:
        raise InputError(f"{path}: a table of {'methods' if with_method else 'exclusions'} needs {sorted(lacking)}")
    for number, row in enumerate(reader, 1):
        yield _rule({name: (value or "").strip() for name, value in row.items() if name}, path, number, with_method)


def _rule(row: dict[str, str], path: Path, number: int, with_method: bool) -> Rule:
    source, origin = row.get("source") or None, row.get("origin", "")
    try:
        tic, sector, release = (int(row[name]) if row.get(name) else None for name in ("tic", "sector", "release"))
        brighter = float(row["brighter"]) if row.get("brighter") else None
    except ValueError as error:
        raise InputError(f"{path}, line {number}: {error}") from error
    if source not in (None, "ffi", "tpf"):
        raise InputError(f"{path}, line {number}: source {source!r} is neither ffi nor tpf")
    if with_method and not row["method"]:
        raise InputError(f"{path}, line {number}: names no method")
    if not with_method and tic is None and sector is None and brighter is None:
        raise InputError(f"{path}, line {number}: would leave everything out: give tic or sector")
    reason = f"{row['reason']} ({origin or path.name})"
    return Rule(tic, sector, source, release, brighter, row["method"] if with_method else "", reason)
