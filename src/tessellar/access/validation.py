"""Data validation: the runs that an archive has on a star, with their reports where those are wanted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tessellar.access.fetching import fetch
from tessellar.access.opening import archive_of
from tessellar.access.resolving import star_of
from tessellar.archives import Archive, Criteria
from tessellar.errors import ProductError, TessellarError, TransferError
from tessellar.mission.names import ProductName, match_name
from tessellar.products.dvrun import DVRun
from tessellar.products.dvruns import PIPELINES, find_runs
from tessellar.products.fitsfile import FitsFile
from tessellar.products.reading import read
from tessellar.products.tables import ProductTable
from tessellar.products.validation import DataValidationReport, TCEStatistics
from tessellar.progress import Listener, ignore
from tessellar.targets import TIC

_UNIX_EPOCH_MJD = 40587  # 1970-01-01


class DVRuns(list[DVRun]):
    """The validation runs on a star.

    Attributes
    ----------
    target : TIC
        The star.
    failures : list of (str, TessellarError)
        Reports that are not taken into account, and why: not to be had, or damaged.
    """

    def __init__(self, target: TIC, runs: Iterable[DVRun] = (), failures: Iterable[tuple[str, TessellarError]] = ()):
        super().__init__(runs)
        self.target = target
        self.failures = list(failures)


@dataclass
class _Local:
    """What a folder holds of a star."""

    reports: list[DataValidationReport | TCEStatistics] = field(default_factory=list)
    paths: dict[str, Path] = field(default_factory=dict)
    written: dict[str, float] = field(default_factory=dict)
    failures: list[tuple[str, TessellarError]] = field(default_factory=list)


def dv_runs(
    target: str | int | TIC,
    *,
    archive: str | Archive | None = None,
    folder: str | os.PathLike[str] | None = None,
    reports: bool = True,
    listener: Listener = ignore,
) -> DVRuns:
    """Find the data-validation runs on a star, and how they belong together.

    Parameters
    ----------
    target : str, int or TIC
        A TIC id, or a name that the archive resolves.
    archive : str or Archive, optional
        ``"mast"``, the URL of a tessellar server, or an opened archive; by default the setting.
    folder : path-like, optional
        Where TESS files are. Reports in it, and all below it, tell the observed
        sectors and the events; light curves in it are linked by their paths.
        Without a folder only the names are known: `DVRun.inputs_known` is ``hull``.
    reports : bool
        Fetch the reports (XML) that are not in `folder` yet into it.
    listener : callable, optional
        Told of progress.

    Returns
    -------
    DVRuns
        A list of `DVRun`, by pipeline, sectors and number, which also tells the
        reports that could not be had or read.

    Raises
    ------
    InputError
        If nothing is called so.
    ArchiveError
        If the archive cannot be reached.

    Examples
    --------
    >>> import tessellar
    >>> for run in tessellar.dv_runs("TIC 307210830", folder="data"):  # doctest: +SKIP
    ...     print(run, run.sectors, run.superseded_by, run.reason)
    SPOC s0001-s0006 (run 196) (2, 5) None None
    """
    opened = archive_of(archive)
    tic = star_of(target, opened)
    observations = opened.search(Criteria(target=tic), listener)
    if "provenance_name" in observations.colnames:
        observations = observations.filter(provenance_name=list(PIPELINES))
    products = opened.products(observations, listener) if len(observations) else ProductTable.from_rows([])
    local = _Local()
    if folder is not None:
        where = Path(folder).expanduser().absolute()
        local = _found(where, tic)
        if reports:
            _fetch_reports(opened, products, where, local, listener)
        _read_reports(local)
    runs = find_runs(observations, products, local.reports, paths=local.paths, written=local.written)
    return DVRuns(tic, (run for run in runs if run.target == tic), local.failures)


def _found(folder: Path, tic: TIC) -> _Local:
    """Note the files of the star under a folder, and the lists of events."""
    local = _Local()
    for path, name in _named_files(folder):
        if name.tic == int(tic) or name.kind == "tcestats":
            local.paths.setdefault(path.name, path)
        dated = name.product == "dvt" or name.kind in ("lightcurve", "tpf")
        if dated and name.tic == int(tic) and name.author in PIPELINES:
            _note_date(path, local.written)
    return local


def _named_files(folder: Path) -> Iterator[tuple[Path, ProductName]]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for filename in sorted(names):
            name = match_name(filename)
            if name is not None:
                yield Path(where, filename), name


def _note_date(path: Path, written: dict[str, float]) -> None:
    """Note when a file was made, as its header says; one that does not tell, or is damaged, tells nothing."""
    try:
        date = FitsFile(path).hdus[0].keys.get("DATE")
        when = datetime.fromisoformat(str(date))
    except (ProductError, ValueError):
        return
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    written[path.name] = _UNIX_EPOCH_MJD + when.timestamp() / 86400


def _fetch_reports(archive: Archive, products: ProductTable, folder: Path, local: _Local, listener: Listener) -> None:
    names = [str(name) for name in products["productFilename"]] if len(products) else []
    wanted = np.array([_is_report(match_name(name)) and name not in local.paths for name in names], dtype=bool)
    if not wanted.any():
        return
    manifest = fetch(products[wanted], folder, archive=archive, listener=listener)
    for row in manifest.to_rows():
        if row["status"] == "COMPLETE":
            local.paths[Path(row["path"]).name] = Path(row["path"])
        else:
            local.failures.append((row["uri"].rsplit("/", 1)[-1], TransferError(row["message"])))


def _read_reports(local: _Local) -> None:
    for filename, path in sorted(local.paths.items()):
        name = match_name(filename)
        if not (_is_report(name) or (name is not None and name.kind == "tcestats")):
            continue
        try:
            model = read(path)
            if isinstance(model, DataValidationReport):
                len(model.tces)  # its events are read when asked for: damage in them shows here
        except TessellarError as error:
            local.failures.append((filename, error))
            continue
        if isinstance(model, DataValidationReport | TCEStatistics):
            local.reports.append(model)


def _is_report(name: ProductName | None) -> bool:
    return name is not None and name.product == "dvr" and name.extension.startswith("xml")
