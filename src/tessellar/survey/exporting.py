"""`survey export`: light curves and tables of a survey, out of its stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from tessellar.errors import InputError
from tessellar.photometry.status import STATUS
from tessellar.progress import Event, Listener, ignore
from tessellar.survey.folder import SurveyFolder
from tessellar.survey.ledger import FieldRow, Ledger

#: Forms of export: light curves as FITS files, or as one Parquet table a field and method; its table of metrics.
FORMS = ("fits", "parquet", "metrics")


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
    NoSpace, NoPermission, StoreError
        If a file cannot be written.
    """
    if form not in FORMS:
        raise InputError(f"light curves are not exported as {form!r}: choose of {', '.join(FORMS)}")
    place = SurveyFolder(Path(folder))
    with closing(Ledger(place.ledger)) as ledger:
        chosen = {field: (subset or Subset()).of(ledger, field) for field in ledger.fields()}
    # Of a survey that runs, what is in the store already.
    chosen = {field: by for field, by in chosen.items() if by and place.store(field).exists()}
    if not chosen:
        raise InputError(f"{place.folder}: no light curve fits what is asked for; `survey status` tells what there is")
    total = sum(len(tics) for by in chosen.values() for tics in by.values())
    done = 0
    for field, by in chosen.items():
        for method, tics in by.items():
            for path, count in _exported(place, field, method, tics, Path(out), form):
                done += count
                listener(Event("export", done, total, "light curves", finished=done == total))
                yield path


def _exported(
    place: SurveyFolder, field: FieldRow, method: str, tics: list[int], out: Path, form: str
) -> Iterator[tuple[Path, int]]:
    from tessellar.products import LightCurveStore, export_fits, export_parquet

    with closing(LightCurveStore(place.store(field))) as store:
        present = set(store.tics(method).tolist()) if method in store.methods else set()
        here = [tic for tic in tics if tic in present]
        if form == "fits":
            for path in export_fits(store, out / field.name, method=method, tics=here):
                yield path, 1
        elif here:
            words = f"{field.name}-{method}" + ("-metrics" if form == "metrics" else "")
            path = out / f"{words}.parquet"
            yield export_parquet(store, path, method=method, light_curves=form == "parquet", tics=here), len(here)
