"""`survey plan`: look through a folder, and write down what is to be measured, in what order, by whom."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tessellar.errors import InputError, ProductError, Unrecognised
from tessellar.mission.ccd import nearest_pixel
from tessellar.photometry.engine.measuring import METHODS, band_rows, bytes_of_bands
from tessellar.progress import Event, Listener, ignore
from tessellar.survey.folder import SurveyFolder
from tessellar.survey.ledger import FieldRow, Ledger
from tessellar.survey.rules import Rules, exclusions, methods
from tessellar.survey.targets import Candidate, in_frames, in_target_file, without_repeats

if TYPE_CHECKING:
    from tessellar.pixels import PreparedField, StarField
    from tessellar.products import TargetPixelFile

#: Memory of a worker that bands are cut to: what each of four has on a machine with 16 GB.
MEMORY = 3_500_000_000
# What a worker takes before it measures anything, with some room.
_WORKER = 500_000_000
# A field is cut into so many bands at least, that all workers have some; but for this into none of fewer rows.
_BANDS, _ROWS = 8, 64
# Most stars a task where they are measured one by one: from frames, from target pixel files.
_STARS = {"ffi": 8, "tpf": 24}
# Where there are bands, at least one such task for so many of them: the rows of its stars have been read lately.
_APART = 4
#: Stars brighter than this fill their pixels' wells in 2 s (Vanderspek et al. 2018, TESS Instrument Handbook).
SATURATED = 6.8


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a user can choose of a survey.

    Attributes
    ----------
    limit : float
        Faintest TESS magnitude.
    bright : float
        Stars in frames that are brighter than this are measured one by one, the others all at once.
    sources : tuple of str
        ``ffi``, ``tpf`` or both.
    methods : tuple of str
        Of the stars that are measured all at once; the first one's outcome is the star's.
    rows : int or None
        CCD rows of a band; by default what `memory` allows, and an eighth of the field at most.
    memory : int
        Bytes that a worker will have, all told.
    """

    limit: float = 15.0
    bright: float = SATURATED
    sources: tuple[str, ...] = ("ffi", "tpf")
    methods: tuple[str, ...] = ("aperture", "linpsf")
    rows: int | None = None
    memory: int = MEMORY

    def __post_init__(self) -> None:
        if not math.isfinite(self.limit):
            raise InputError(f"limit={self.limit}: give the faintest TESS magnitude")
        if not self.sources or set(self.sources) - {"ffi", "tpf"}:
            raise InputError(f"sources={self.sources}: choose of ffi and tpf")
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise InputError(f"methods={self.methods}: name one or more, each once")
        unknown = sorted(set(self.methods) - set(METHODS))
        if unknown:
            raise InputError(f"{', '.join(unknown)}: stars are measured all at once by {' and '.join(METHODS)} only")
        if self.rows is not None and self.rows < 1:
            raise InputError(f"rows={self.rows}: a band has one row at least")
        if not self.memory >= 2 * _WORKER:
            raise InputError(f"memory={self.memory}: a worker needs {2 * _WORKER / 1e9:g} GB at least")


def plan(
    folder: str | PathLike[str],
    *,
    choices: Choices | None = None,
    prepared: Sequence[str | PathLike[str]] = (),
    exclude: Sequence[str | PathLike[str]] = (),
    method_tables: Sequence[str | PathLike[str]] = (),
    overwrite: bool = False,
    listener: Listener = ignore,
) -> Ledger:
    """Write the to-do list of a survey: ``survey/survey.sqlite`` in the folder.

    Parameters
    ----------
    folder : path-like
        With prepared fields (`tessellar.pixels.prepare`) and target pixel files in it, or below it.
    choices : Choices, optional
    prepared : sequence of path-like
        The prepared fields, where the folder holds several of one field and cadence.
    exclude, method_tables : sequence of path-like
        Tables (CSV) of targets to be left out, and of targets that need a certain method: see `survey.rules`.
    overwrite : bool
        Replace an older list that differs, and all that came of it.
    listener : callable
        Told about progress.

    Returns
    -------
    Ledger

    Raises
    ------
    InputError
        If there is nothing to measure, or an older list that differs.
    MissingInput, Corrupt
        If a file is missing or damaged.
    StoreError
        If it cannot be written, or a survey runs there.

    Examples
    --------
    >>> from tessellar.survey import Choices, plan
    >>> ledger = plan("frames", choices=Choices(limit=13))  # doctest: +SKIP
    """
    place = SurveyFolder(Path(folder))
    place.require_root()
    work = _Plan(place, choices or Choices(), [Path(each) for each in prepared], listener)
    work.look([Path(each) for each in exclude], [Path(each) for each in method_tables])
    with place.locked():
        if place.ledger.exists() and not overwrite:
            known = Ledger(place.ledger)
            if known.setting("key") == work.key:
                return known
            known.close()
            raise InputError(
                f"{place.ledger}: another survey is planned here (other files, or other settings); --overwrite "
                "replaces it with its light curves"
            )
        place.clear()
        return Ledger.create(place.ledger, {"key": work.key, "need": work.need, **work.settings}, work.rows())


@dataclass(slots=True)
class _Chosen:
    """A target, with what it is to be measured with, and in which task, as soon as it has one."""

    candidate: Candidate
    method: str | None
    task: int = 0


class _Plan:
    """What is found, on its way into the ledger."""

    def __init__(self, place: SurveyFolder, choices: Choices, prepared: list[Path], listener: Listener) -> None:
        self.place, self.choices, self.listener = place, choices, listener
        self.fields: list[FieldRow] = []
        self.tasks: list[tuple[int, int, int | None, int | None, int]] = []
        self.chosen: list[_Chosen] = []
        self.left_out: list[tuple[Candidate, str]] = []
        self.need = _WORKER
        self._prepared = self._open_prepared(prepared) if "ffi" in choices.sources or not prepared else {}
        self._longest: dict[Any, tuple[int, str]] = {}
        self._catalogued: dict[Any, StarField | None] = {}

    def look(self, exclude: list[Path], tables: list[Path]) -> None:
        """Find the targets, and share them out among tasks."""
        found = list(self._candidates())
        if not found:
            raise InputError(
                f"{self.place.root}: no star to T = {self.choices.limit:g} in a prepared field, and no target pixel "
                "file; `tessellar prepare` makes frames ready"
            )
        kept, self.left_out = without_repeats(found)
        self.chosen = list(self._ruled(kept, exclusions(*exclude), methods(*tables)))
        if not self.chosen:
            raise InputError(f"{self.place.root}: all {len(found)} targets are left out by the tables")
        self._share_out()

    @property
    def settings(self) -> dict[str, Any]:
        """What goes into the ledger besides rows."""
        return {**vars(self.choices), "targets": len(self.chosen)}

    @property
    def key(self) -> str:
        """A digest of files, choices and targets: it tells this survey from any other."""
        digest = hashlib.sha256(json.dumps(self.settings).encode())
        for path in sorted({each.candidate.path for each in self.chosen}):
            told = (self.place.root / path).stat()
            digest.update(f"{path} {told.st_size} {told.st_mtime_ns}\n".encode())
        for each in self.chosen:
            digest.update(f"{each.candidate.tic} {each.candidate.source} {each.method} {each.task}\n".encode())
        return digest.hexdigest()

    def rows(self) -> dict[str, Iterable[Sequence[Any]]]:
        """Rows of the ledger's tables."""
        ids = {(each.field, each.cadence, each.kind): each.id for each in self.fields}
        return {
            "rank": list(zip(self.choices.methods, range(1, len(self.choices.methods) + 1), strict=True)),
            "field": [
                (each.id, each.field.sector, each.field.camera, each.field.ccd, each.cadence, each.kind, each.path)
                for each in self.fields
            ],
            "task": self.tasks,
            "target": (
                (number, one.tic, ids[one.light], one.source, _known(one.tmag), _known(one.column), _known(one.row),
                 _known(one.edge), each.method, one.path, each.task)
                for number, each in enumerate(self.chosen, 1)
                for one in (each.candidate,)
            ),
            "left_out": (
                (one.tic, one.field.sector, one.field.camera, one.field.ccd, one.cadence, one.source, _known(one.tmag),
                 one.path, reason)
                for one, reason in self.left_out
            ),
        }  # fmt: skip

    def _open_prepared(self, named: list[Path]) -> dict[str, PreparedField]:
        from tessellar.pixels import PreparedField

        found: dict[str, PreparedField] = {}
        taken: dict[Any, str] = {}
        for path in named or self.place.hdf5_files():
            try:
                each = PreparedField(path)
            except Unrecognised:
                if named:
                    raise
                continue  # a cube, light curves, somebody else's
            name = self.place.name_of(path)
            what = each.field, round(each.cadence)
            if what in taken:
                raise InputError(
                    f"{taken[what]} and {name} are of one field and cadence ({each.field}, {what[1]} s): "
                    "name the one to measure with --prepared"
                )
            if each.stars is None:
                self.listener(Event("plan", note=f"{name} has no stars: it was prepared without a catalogue"))
            elif not each.responses:
                self.listener(Event("plan", note=f"{name} has no pixel response: its stars are measured one by one"))
            found[name], taken[what] = each, name
        return found

    def _candidates(self) -> Iterator[Candidate]:
        from tessellar.products.discover import target_pixel_files

        if "ffi" in self.choices.sources:
            for name, each in self._prepared.items():
                self.listener(Event("plan", note=f"{name}: {each!r}"))
                yield from in_frames(each, name, self.choices.limit)
        if "tpf" not in self.choices.sources:
            return
        models, broken = target_pixel_files(self.place.root)
        for path, error in broken:
            self.listener(Event("plan", note=f"{path.name} is left out: {error}"))
        for number, model in enumerate(models):
            name = self.place.name_of(model.path)
            try:
                yield from self._in_target_file(model, name)
            except ProductError as error:
                self.listener(Event("plan", note=f"{name} is left out: {error}"))
            self.listener(
                Event("target pixel files", number + 1, len(models), "files", finished=number + 1 == len(models))
            )

    def _in_target_file(self, model: TargetPixelFile, name: str) -> list[Candidate]:
        if model.tic is None or model.field is None:
            return []
        found = list(in_target_file(model, name, self._stars(model), self.choices.limit))
        what = found[0].light
        # The file with the most cadences says which there are.
        self._longest[what] = max(
            self._longest.get(what, (0, "")), (len(model), name), key=lambda one: (one[0], one[1])
        )
        return found

    def _stars(self, model: TargetPixelFile) -> StarField | None:
        """Stars of a file's CCD: of a prepared field that it lies in, else of the folder's catalogue."""
        column, row = model.corner
        for name, each in self._prepared.items():
            if self.place.path_of(name).parent != self.place.root.absolute():
                continue  # who measures looks beside the catalogue only
            (left, bottom), (rows, cols) = each.corner, each.shape
            inside = left <= column and bottom <= row
            inside &= column + model.shape[2] <= left + cols and row + model.shape[1] <= bottom + rows
            if each.field == model.field and each.stars is not None and inside:
                return each.stars
        assert model.field is not None
        if model.field not in self._catalogued:
            self._catalogued[model.field] = self._placed(model)
        return self._catalogued[model.field]

    def _placed(self, model: TargetPixelFile) -> StarField | None:
        from tessellar.mission.ccd import ccd_plane
        from tessellar.pixels import StarField
        from tessellar.pixels.inputs import find_catalog, read_catalog

        path = find_catalog(self.place.root)
        if path is None or model.field is None:
            return None
        try:
            return StarField.place(read_catalog(path), ccd_plane(model.field), epoch=float(np.nanmedian(model.btjd)))
        except InputError as error:
            self.listener(Event("plan", note=f"{path.name}: {error}"))
            return None

    def _ruled(self, kept: list[Candidate], exclude: Rules, special: Rules) -> Iterator[_Chosen]:
        for each in kept:
            about = each.tic, each.field.sector, each.source, each.release, each.tmag
            rule = exclude.first(*about)
            if rule is not None:
                self.left_out.append((each, rule.reason))
                continue
            needs = special.first(*about)
            yield _Chosen(each, needs.method if needs else None)

    def _share_out(self) -> None:
        """Make tasks: bands of rows for the stars that are measured all at once, handfuls of the others."""
        of_field: dict[Any, list[int]] = {}
        for place, each in enumerate(self.chosen):
            of_field.setdefault(each.candidate.light, []).append(place)
        for what in sorted(of_field):
            field, cadence, kind = what
            places = of_field[what]
            path = self._longest[what][1] if kind == "tpf" else self.chosen[places[0]].candidate.path
            self.fields.append(FieldRow(len(self.fields) + 1, field, cadence, kind, path))
            if kind == "ffi":
                prepared = self._prepared[path]
                single = [at for at in places if not prepared.responses or self._is_single(self.chosen[at])]
                bands = self._bands(prepared, sorted(set(places) - set(single)))
                if bands:
                    # Each handful comes among the bands that it lies in: their rows have just been read.
                    single.sort(key=lambda at: self.chosen[at].candidate.row)
            else:
                # Stars of one file are measured together, in the order of the brightest of each file.
                first = {self.chosen[at].candidate.path: at for at in reversed(places)}
                single = sorted(places, key=lambda at: (first[self.chosen[at].candidate.path], at))
                bands = []
            self._list_tasks(bands, _handfuls(single, _STARS[kind], len(bands) // _APART))

    def _list_tasks(self, bands: list[tuple[tuple[int, int], list[int]]], handfuls: list[list[int]]) -> None:
        """Put handfuls evenly between bands, which hardly ever wait for the disk; at the end comes one: it is short."""
        done = 0
        for count, ((first, last), places) in enumerate(bands, 1):
            self._add_task(places, first, last)
            due = len(handfuls) * count // len(bands)
            for places in handfuls[done:due]:
                self._add_task(places, None, None)
            done = due
        for places in handfuls[done:]:
            self._add_task(places, None, None)

    def _is_single(self, each: _Chosen) -> bool:
        special = each.method is not None and each.method not in self.choices.methods
        return special or each.candidate.tmag < self.choices.bright

    def _bands(self, prepared: PreparedField, places: list[int]) -> list[tuple[tuple[int, int], list[int]]]:
        """Rows (first, last) of each band that has stars, and these."""
        bands = row_bands(prepared, rows=self.choices.rows, memory=self.choices.memory)
        rows = nearest_pixel([self.chosen[at].candidate.row for at in places])
        found = []
        for (first, last), taken in zip(bands, bytes_of_bands(prepared, bands), strict=True):
            inside = np.flatnonzero((rows >= first) & (rows <= last))
            if len(inside):
                found.append(((first, last), [places[at] for at in inside.tolist()]))
                self.need = max(self.need, round(taken) + _WORKER)
        return found

    def _add_task(self, places: list[int], first: int | None, last: int | None) -> None:
        number = len(self.tasks) + 1
        for at in places:
            self.chosen[at].task = number
        self.tasks.append((number, self.fields[-1].id, first, last, len(places)))


def row_bands(field: PreparedField, *, rows: int | None = None, memory: int = MEMORY) -> list[tuple[int, int]]:
    """Bands of CCD rows that are measured at once: what the memory allows, but bands enough for all workers.

    Parameters
    ----------
    field : PreparedField
    rows : int, optional
        So many rows a band, or a few less that all have about as many, whatever the memory.
    memory : int
        Bytes that a worker will have, all told.

    Returns
    -------
    list of (int, int)
        First and last row of each, 1-based, both included.

    Examples
    --------
    >>> from tessellar.pixels import PreparedField
    >>> from tessellar.survey.planning import row_bands
    >>> row_bands(PreparedField("s0027-1-1-c0600.h5"))  # doctest: +SKIP
    [(1, 128), (129, 256), ...]
    """
    (_, bottom), (high, _) = field.corner, field.shape
    if rows is not None:
        return _pieces(bottom, bottom + high - 1, rows)
    most = max(math.ceil(high / _BANDS), _ROWS)
    wide = band_rows(field, memory=memory - _WORKER)
    return [piece for first, last in wide for piece in _pieces(first, last, most)]


def _handfuls(places: list[int], most: int, count: int) -> list[list[int]]:
    """Cut a list into `count` parts, or into more, that none is longer than `most`; none is empty."""
    count = max(math.ceil(len(places) / most), min(count, len(places)))
    return [places[begin:end] for begin, end in _cut(0, len(places), count)]


def _pieces(first: int, last: int, most: int) -> list[tuple[int, int]]:
    """Cut rows into as few pieces as can be, of about as many rows each."""
    return [(begin, after - 1) for begin, after in _cut(first, last + 1, math.ceil((last + 1 - first) / most))]


def _cut(begin: int, end: int, count: int) -> Iterator[tuple[int, int]]:
    """Cut whole numbers into `count` runs of about as many each: first of each run, and first after it."""
    return pairwise(np.linspace(begin, end, count + 1).round().astype(int).tolist())


def describe(ledger: Ledger) -> list[dict[str, Any]]:
    """What is planned: one row a field, cadence and kind of pixels."""
    rows = []
    tasks = Counter(task.field for task in ledger.tasks())
    for each in ledger.fields():
        query = (
            "SELECT count(*), count(method), min(tmag), max(tmag), sum(source LIKE 'tpf:%') FROM target WHERE field = ?"
        )
        stars, special, brightest, faintest, secondary = ledger.select(query, each.id)[0]
        rows.append({
            "field": str(each.field), "cadence": each.cadence, "kind": each.kind, "targets": stars,
            "secondary": secondary, "special": special, "brightest": brightest, "faintest": faintest,
            "tasks": tasks[each.id], "path": each.path,
        })  # fmt: skip
    return rows


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
