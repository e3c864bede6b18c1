"""`survey export`: light curves and tables of a survey, out of its stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from tessellar.errors import InputError
from tessellar.photometry import get_method
from tessellar.photometry.status import STATUS
from tessellar.progress import Event, Listener, ignore
from tessellar.survey.folder import SurveyFolder
from tessellar.survey.ledger import FieldRow, Ledger

#: Forms of export: light curves as FITS files, or as one Parquet table a field and method; its table of metrics.
FORMS = ("fits", "parquet", "metrics")
# TIC ids of stars by field and method.
_Wanted = dict[FieldRow, dict[str, list[int]]]


@dataclass(frozen=True, kw_only=True)
class Subset:
    """Which light curves are wanted; what is not given does not matter.

    Attributes
    ----------
    tics : tuple of int
        TIC ids.
    brightest, faintest : float or None
        TESS magnitudes, both included.
    status : tuple of str
        Names of STATUS. Light curves of stars that are SKIPPED are in the store, and can be asked for.
    methods : tuple of str
        Of several methods by which a star was measured, these; by default the one that counts.
    """

    tics: tuple[int, ...] = ()
    brightest: float | None = None
    faintest: float | None = None
    status: tuple[str, ...] = ("OK", "WARNING")
    methods: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.status) - set(STATUS.__members__))
        if unknown:
            raise InputError(f"no STATUS is called {', '.join(unknown)}: choose of {', '.join(STATUS.__members__)}")
        for method in self.methods:
            get_method(method)

    def of(self, ledger: Ledger, field: FieldRow) -> dict[str, list[int]]:
        """TIC ids of the stars of a field that are wanted, and have a light curve, by method."""
        counts = int(STATUS.SKIPPED)
        query = (
            "SELECT outcome.method, tic, tmag, CASE WHEN skipped_by IS NULL THEN outcome.status "
            f"ELSE {counts} END FROM outcome JOIN target USING (priority) "
            "LEFT JOIN skipped ON skipped.priority = outcome.priority AND skipped.method = outcome.method "
            "WHERE field = ? AND outcome.status IN (?, ?) ORDER BY outcome.priority"
        )
        if not self.methods:
            query = (
                "SELECT result.method, tic, tmag, result.status FROM result JOIN outcome ON "
                "outcome.priority = result.priority AND outcome.method = result.method "
                "WHERE field = ? AND outcome.status IN (?, ?) ORDER BY result.priority"
            )
        wanted: dict[str, list[int]] = {}
        for method, tic, tmag, status in ledger.select(query, field.id, int(STATUS.OK), int(STATUS.WARNING)):
            if self._holds(method, tic, tmag, status):
                wanted.setdefault(method, []).append(tic)
        return wanted

    def _holds(self, method: str, tic: int, tmag: float | None, status: int) -> bool:
        return (
            (not self.methods or method in self.methods)
            and (not self.tics or tic in self.tics)
            and STATUS(status).name in self.status
            and (self.brightest is None or (tmag is not None and tmag >= self.brightest))
            and (self.faintest is None or (tmag is not None and tmag <= self.faintest))
        )


def export(
    folder: str | PathLike[str],
    out: str | PathLike[str],
    *,
    subset: Subset | None = None,
    form: str = "fits",
    listener: Listener = ignore,
) -> Iterator[Path]:
    """Write light curves of a survey, one file after the other.

    Parameters
    ----------
    folder : path-like
        As given to `plan`.
    out : path-like
        Folder to write to, made if need be.
    subset : Subset, optional
        All that have a light curve and are not skipped if not given.
    form : str
        ``fits``: one file a star and method, in one folder a field. ``parquet``: one table of light curves a field and
        method. ``metrics``: one table of metrics a field and method, as Parquet.
    listener : callable
        Told about progress.

    Yields
    ------
    Path

    Raises
    ------
    InputError
        If the form is not known, or no light curve fits what is asked for.
    MissingInput
        If no survey is planned there.
    NoSpace, NoPermission, StoreError
        If a file cannot be written.
    """
    if form not in FORMS:
        raise InputError(f"light curves are not exported as {form!r}: choose of {', '.join(FORMS)}")
    place = SurveyFolder(Path(folder))
    subset = subset or Subset()
    place.require_plan()
    with closing(Ledger(place.ledger)) as ledger:
        chosen, _ = _chosen(place, ledger, subset)
        skipped = {(field, method): _skips(ledger, field, method) for field, by in chosen.items() for method in by}
    if not chosen:
        alone = not_exported(folder, subset).get(subset.tics[0]) if len(set(subset.tics)) == 1 else None
        why = f" (TIC {subset.tics[0]}: {alone})" if alone else ""
        text = "no light curve fits what is asked for"
        if not {"OK", "WARNING", "SKIPPED"} & set(subset.status):
            text = f"there are no light curves of stars that ended as {', '.join(subset.status)}"
        raise InputError(f"{place.folder}: {text}{why}; `survey status` tells what there is")
    total = sum(len(tics) for by in chosen.values() for tics in by.values())
    done = 0
    for field, by in chosen.items():
        for method, tics in by.items():
            for path, count in _exported(place, field, method, tics, Path(out), form, skipped[field, method]):
                done += count
                listener(Event("export", done, total, "light curves", finished=done == total))
                yield path


def not_exported(folder: str | PathLike[str], subset: Subset) -> dict[int, str]:
    """Of the stars that a subset names, those that `export` has no light curve of, and why.

    Parameters
    ----------
    folder : path-like
        As given to `plan`.
    subset : Subset

    Returns
    -------
    dict
        Reason by TIC id, in the order of the subset; empty if it names no stars.

    Raises
    ------
    MissingInput
        If no survey is planned there.
    """
    place = SurveyFolder(Path(folder))
    place.require_plan()
    with closing(Ledger(place.ledger)) as ledger:
        chosen, lacking = _chosen(place, ledger, subset)
        there, later = (
            {tic for by in some.values() for tics in by.values() for tic in tics} for some in (chosen, lacking)
        )
        return {
            tic: "its light curve is not in the store" if tic in later else _why_not(ledger, tic)
            for tic in subset.tics
            if tic not in there
        }


def not_stored(folder: str | PathLike[str], subset: Subset) -> dict[str, int]:
    """How many light curves that a subset asks for were measured, but are not in their store: of a survey that is not
    finished, or whose store was lost.

    Parameters
    ----------
    folder : path-like
        As given to `plan`.
    subset : Subset

    Returns
    -------
    dict
        Number by name of the store; empty if all are there.

    Raises
    ------
    MissingInput
        If no survey is planned there.
    """
    place = SurveyFolder(Path(folder))
    place.require_plan()
    with closing(Ledger(place.ledger)) as ledger:
        _, lacking = _chosen(place, ledger, subset)
        return {place.store(field).name: sum(map(len, by.values())) for field, by in lacking.items()}


def _why_not(ledger: Ledger, tic: int) -> str:
    """Why a star has no light curve, or none of the kind that was asked for."""
    if not ledger.select("SELECT 1 FROM target WHERE tic = ?", tic):
        left_out = ledger.select("SELECT reason FROM left_out WHERE tic = ?", tic)
        return f"left out of the plan: {left_out[0][0]}" if left_out else "not in the plan"
    ended = ledger.select("SELECT status, method, reason FROM result WHERE tic = ? ORDER BY priority", tic)
    words = []
    for number, method, reason in ended:
        status = STATUS(number or 0)
        name = "not measured yet" if status is STATUS.UNKNOWN else status.name
        by = f" by {method}" if method and status.has_light_curve else ""
        words.append(f"{name}{by}" + (f" ({reason})" if reason else ""))
    return f"what is asked for does not fit: {', '.join(dict.fromkeys(words))}" if words else "not measured yet"


def _chosen(place: SurveyFolder, ledger: Ledger, subset: Subset) -> tuple[_Wanted, _Wanted]:
    """TIC ids by field and method: what is in the stores, and, of a survey that runs, what is not there yet."""
    chosen: _Wanted = {}
    lacking: _Wanted = {}
    for field in ledger.fields():
        present: dict[str, set[int]] = {}
        wanted = subset.of(ledger, field)
        if wanted and place.store(field).exists():
            with closing(place.open_store(field)) as store:
                present = {method: set(store.tics(method).tolist()) for method in wanted if method in store.methods}
        for method, tics in wanted.items():
            there = present.get(method, set())
            for some, each in ((chosen, [tic for tic in tics if tic in there]), (lacking, [*set(tics) - there])):
                if each:
                    some.setdefault(field, {})[method] = each
    return chosen, lacking


def _skips(ledger: Ledger, field: FieldRow, method: str) -> dict[int, int]:
    """Stars of a field that are skipped, and the star that has the mask of each, by TIC id."""
    query = (
        "SELECT target.tic, by.tic FROM skipped JOIN target ON target.priority = skipped.priority "
        "JOIN target AS by ON by.priority = skipped_by WHERE target.field = ? AND skipped.method = ?"
    )
    return dict(ledger.select(query, field.id, method))


def _exported(
    place: SurveyFolder, field: FieldRow, method: str, tics: list[int], out: Path, form: str, skipped: dict[int, int]
) -> Iterator[tuple[Path, int]]:
    from tessellar.photometry.completing import completed
    from tessellar.products import export_fits, export_parquet

    with closing(place.open_store(field)) as store:
        if form == "fits":
            frames = completed if field.kind == "ffi" else None
            folder = out / field.name
            for path in export_fits(store, folder, method=method, tics=tics, skipped=skipped, complete=frames):
                yield path, 1
        else:
            words = f"{field.name}-{method}" + ("-metrics" if form == "metrics" else "")
            path = out / f"{words}.parquet"
            curves = form == "parquet"
            made = export_parquet(store, path, method=method, light_curves=curves, tics=tics, skipped=skipped)
            yield made, len(tics)
