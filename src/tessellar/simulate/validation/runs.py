"""All validation runs of a sky: which stars have events in which, and the files of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tessellar.simulate.filing import whole_file
from tessellar.simulate.validation.event import Event, validate
from tessellar.simulate.validation.pages import mini_pages, report_pages, summary_page
from tessellar.simulate.validation.plan import Run, plan_runs
from tessellar.simulate.validation.report import report_xml
from tessellar.simulate.validation.sighting import Sighting
from tessellar.simulate.validation.statistics import statistics_csv
from tessellar.simulate.validation.stitched import stitch
from tessellar.simulate.validation.timeseries import write_time_series


def write_runs(folder: Path, sightings: Iterable[Sighting]) -> list[str]:
    """Search the stars of a sky and write what every run found.

    Parameters
    ----------
    folder : Path
        Where the files go.
    sightings : iterable of Sighting
        Of all stars with eclipses, in all sectors.

    Returns
    -------
    list of str
        Names of the files. A star without an event has none, as in the mission's archive.
    """
    stars: dict[int, list[Sighting]] = {}
    for sighting in sightings:
        stars.setdefault(sighting.star.tic, []).append(sighting)
    found: dict[tuple[int, tuple[int, ...]], Event | None] = {}
    names: list[str] = []
    for run in plan_runs(sorted({sighting.sector for seen in stars.values() for sighting in seen})) if stars else ():
        listed = []
        for tic, seen in stars.items():
            chosen = [sighting for sighting in seen if sighting.sector in run.sectors]
            key = tic, tuple(sorted(sighting.sector for sighting in chosen))
            if chosen and key not in found:
                # A run that is made again on the same light curves finds the same.
                found[key] = validate(stitch(chosen))
            event = found.get(key)
            if event is not None:
                listed.append([event])
                names += _write_star(folder, run, [event])
        if listed:
            names.append(_write(folder / run.list_name, statistics_csv(run, listed)))
    return names


def _write_star(folder: Path, run: Run, events: Sequence[Event]) -> list[str]:
    tic = events[0].stitched.star.tic
    series = run.file_name("dvt", "fits", tic)
    write_time_series(folder / series, run, events)
    contents = {
        run.file_name("dvr", "xml", tic): report_xml(run, events),
        run.file_name("dvr", "pdf", tic): report_pages(run, events),
        run.file_name("dvm", "pdf", tic): mini_pages(run, events),
    }
    contents |= {
        run.file_name("dvs", "pdf", tic, number): summary_page(run, event, number)
        for number, event in enumerate(events, 1)
    }
    return [series, *(_write(folder / name, content) for name, content in contents.items())]


def _write(path: Path, content: bytes) -> str:
    with whole_file(path) as stream:
        stream.write(content)
    return path.name
