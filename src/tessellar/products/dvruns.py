"""Finding data-validation runs among an archive's tables and reports: what each found, what it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tessellar.mission.names import ProductName, match_name
from tessellar.products.dvrun import DVRun, RunFile, RunInput, RunKey
from tessellar.products.superseding import related
from tessellar.products.tables import ObservationTable, ProductTable
from tessellar.products.validation import TCE, DataValidationReport, TCEStatistics
from tessellar.targets import TIC

#: Pipelines that make validation runs, and the cadence (s) of the light curves that they search; None for any.
PIPELINES: Mapping[str, float | None] = {"SPOC": 120.0, "TESS-SPOC": None}


@dataclass
class _Here:
    """What is known beside the archive's tables."""

    reports: dict[RunKey, DataValidationReport] = field(default_factory=dict)
    lists: list[TCEStatistics] = field(default_factory=list)
    paths: Mapping[str, Path] = field(default_factory=dict)
    written: Mapping[str, float] = field(default_factory=dict)
    released: Mapping[str, float] = field(default_factory=dict)


def find_runs(
    observations: ObservationTable,
    products: ProductTable,
    reports: Iterable[DataValidationReport | TCEStatistics] = (),
    *,
    paths: Mapping[str, Path] | None = None,
    written: Mapping[str, float] | None = None,
) -> list[DVRun]:
    """Find the validation runs among observations and files, and how they belong together.

    Parameters
    ----------
    observations : ObservationTable
        Of one star or several.
    products : ProductTable
        Their files. Validation files of a single sector belong to the observation
        of its light curve, those of several sectors to one of their own.
    reports : iterable of DataValidationReport or TCEStatistics
        Those that are here: they tell the observed sectors and the events. A
        report of a run that the tables lack adds that run.
    paths : mapping, optional
        File name to where the file is, for those that are here.
    written : mapping, optional
        File name to when the file was written (MJD), for those that are here.

    Returns
    -------
    list of DVRun
        By star, pipeline, sectors and number.

    Examples
    --------
    >>> from tessellar.products import ObservationTable, ProductTable
    >>> name = "tess2018206190142-s0001-s0003-0000000025155310-00129_dvr.xml"
    >>> (run,) = find_runs(ObservationTable.from_rows([]), ProductTable.from_rows([{"productFilename": name}]))
    >>> str(run), run.sectors, run.inputs_known
    ('SPOC s0001-s0003 (run 129)', None, 'hull')
    """
    rows = list(_named_rows(observations, products))
    here = _Here(paths=paths or {}, written=written or {}, released=_releases(observations))
    for report in reports:
        if isinstance(report, TCEStatistics):
            here.lists.append(report)
        elif (key := _report_key(report)) is not None:
            here.reports[key] = report
    found: dict[RunKey, list[RunFile]] = {key: [] for key in here.reports}
    for name, row in rows:
        if (named := _name_key(name)) is not None:
            found.setdefault(named, []).append(_run_file(name, row, here))
    inputs = [(name, row) for name, row in rows if _is_input(name)]
    runs = [_run(key, files, inputs, here) for key, files in found.items()]
    return related(sorted(runs, key=_place))


def _named_rows(
    observations: ObservationTable, products: ProductTable
) -> Iterator[tuple[ProductName, Mapping[str, Any]]]:
    """Give every file with a name of TESS once; an observation's main file also if the files do not list it."""
    seen: set[str] = set()
    main = [
        {"dataURI": row.get("dataURL"), "productFilename": str(row.get("dataURL") or "").rsplit("/", 1)[-1], **row}
        for row in observations.rows()
    ]
    for row in (*products.rows(), *main):
        filename = str(row.get("productFilename") or "")
        name = match_name(filename)
        if name is not None and filename not in seen:
            seen.add(filename)
            yield name, row


def _releases(observations: ObservationTable) -> dict[str, float]:
    return {
        str(row["obs_id"]): float(row["t_obs_release"])
        for row in observations.rows()
        if row.get("obs_id") and row.get("t_obs_release") is not None
    }


def _name_key(name: ProductName) -> RunKey | None:
    if name.kind != "dv" or not name.tic or name.sector_range is None:
        return None
    return RunKey(TIC(name.tic), name.author, name.sector_range, name.pin, name.timestamp)


def _report_key(report: DataValidationReport) -> RunKey | None:
    name = match_name(report.path.name)
    key = _name_key(name) if name is not None else None
    if key is not None and key.target == report.tic:
        return key
    if not report.sectors:
        return None
    return RunKey(report.tic, report.pipeline, (report.sectors[0], report.sectors[-1]), None, None)


def _run_file(name: ProductName, row: Mapping[str, Any], here: _Here) -> RunFile:
    size = row.get("size")
    return RunFile(
        name.filename,
        name.product,
        name.planet,
        str(row.get("dataURI") or name.uri),
        str(row.get("obs_id") or name.obs_id),
        int(size) if size else None,
        here.paths.get(name.filename),
    )


def _is_input(name: ProductName) -> bool:
    if name.kind not in ("lightcurve", "tpf") or name.author not in PIPELINES or name.sector is None:
        return False
    cadence = PIPELINES[name.author]
    return cadence is None or name.cadence == cadence


def _run(key: RunKey, files: list[RunFile], inputs: list[tuple[ProductName, Mapping[str, Any]]], here: _Here) -> DVRun:
    report = here.reports.get(key)
    if report is not None and report.path.name not in {file.filename for file in files}:
        name = match_name(report.path.name)
        uri = name.uri if name else ""
        files = [*files, RunFile(report.path.name, "dvr", None, uri, path=report.path)]
    run = DVRun(*key, files=tuple(sorted(files, key=lambda file: file.filename)))
    times = [here.written[file.filename] for file in files if file.product == "dvt" and file.filename in here.written]
    released = [here.released[file.obs_id] for file in files if file.obs_id in here.released]
    run = replace(run, time=max(times, default=None), released=max(released, default=None))
    run = _with_events(run, report, here.lists)
    return replace(run, inputs=tuple(_inputs(run, inputs, here)))


def _with_events(run: DVRun, report: DataValidationReport | None, lists: Iterable[TCEStatistics]) -> DVRun:
    if report is not None:
        return replace(run, sectors=report.sectors or None, tces=report.tces, tces_known=True)
    for events in lists:
        name = match_name(events.path.name)
        same = name is not None and (name.author, name.timestamp) == (run.pipeline, run.timestamp)
        if same and events.sector_range == run.sector_range and (tces := events.tces(int(run.target))):
            return replace(run, sectors=events.sectors(int(run.target)) or None, tces=tces, tces_known=True)
    planets = sorted({file.planet for file in run.files if file.planet is not None})
    nan = float("nan")
    tces = tuple(TCE(planet, nan, nan, nan, nan, nan, nan, source="name") for planet in planets)
    return replace(run, tces=tces, tces_known=bool(tces))


def _inputs(run: DVRun, rows: list[tuple[ProductName, Mapping[str, Any]]], here: _Here) -> list[RunInput]:
    first, last = run.sector_range
    wanted = set(run.sectors if run.sectors is not None else range(first, last + 1))
    own = (int(run.target), run.pipeline)
    inputs = [
        RunInput(
            filename=name.filename,
            obs_id=str(row.get("obs_id") or name.obs_id),
            uri=str(row.get("dataURI") or name.uri),
            kind=name.kind,
            sector=name.sector,
            newer=_is_newer(name, row, run, here),
            path=here.paths.get(name.filename),
        )
        for name, row in rows
        if name.sector is not None and name.sector in wanted and (name.tic, name.author) == own
    ]
    return sorted(inputs, key=lambda file: (file.sector, file.kind, file.filename))


def _is_newer(name: ProductName, row: Mapping[str, Any], run: DVRun, here: _Here) -> bool | None:
    """Compare dates of one kind only: those in the files, or those of the release."""
    written = here.written.get(name.filename)
    if written is not None and run.time is not None:
        return written > run.time
    home = str(row.get("obs_id") or name.obs_id)
    released = here.released.get(home)
    if released is None or run.released is None or home in {file.obs_id for file in run.files}:
        return None  # one observation lists both: its date tells nothing
    return released > run.released


def _place(run: DVRun) -> tuple[Any, ...]:
    return (run.target, run.pipeline, run.sector_range, run.run_id or 0, run.timestamp or "")
