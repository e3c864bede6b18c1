"""Runs from an archive's tables: which files they have, what they were made from, what is newer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tessellar.mission.names import match_name
from tessellar.products import ObservationTable, ProductTable, read
from tessellar.products.dvruns import find_runs
from tessellar.targets import TIC

STAR = 25155310
LONG = f"{STAR:016d}"
SPOC_DATES = {1: "2018206045859", 2: "2018234235059", 3: "2018263035959"}
SCID = {1: "0120", 2: "0121", 3: "0123"}


def light_curve(sector: int, product: str = "lc", fast: bool = False) -> str:
    stem = f"tess{SPOC_DATES[sector]}-s{sector:04d}-{LONG}-{SCID[sector]}"
    return f"{stem}-a_fast-{product}.fits" if fast else f"{stem}-s_{product}.fits"


def dv(first: int, last: int, number: int, product: str = "dvr.xml", planet: int | None = None) -> str:
    middle = f"{LONG}-{planet:02d}" if planet else LONG
    return f"tess2018206190142-s{first:04d}-s{last:04d}-{middle}-{number:05d}_{product}"


def tess_spoc(sectors: str, product: str) -> str:
    return f"hlsp_tess-spoc_tess_phot_{LONG}-{sectors}_tess_v1_{product}"


def tables(*filenames: str, released: dict[str, float] | None = None) -> tuple[ObservationTable, ProductTable]:
    """Tables as an archive lists them: validation files of one sector belong to its light curve's observation."""
    names = [match_name(filename) for filename in filenames]
    homes = {name.sector: name.obs_id for name in names if name.family == "spoc-lc"}
    products, observations = [], {}
    for name in names:
        one = name.sector_range is not None and name.sector_range[0] == name.sector_range[1]
        obs_id = homes.get(name.sector, name.obs_id) if one and name.author == "SPOC" else name.obs_id
        products.append(
            {"productFilename": name.filename, "dataURI": name.uri, "obs_id": obs_id, "kind": name.kind, "size": 2880}
        )
        observations.setdefault(
            obs_id, {"obs_id": obs_id, "dataURL": name.uri, "t_obs_release": (released or {}).get(obs_id)}
        )
    return ObservationTable.from_rows(list(observations.values())), ProductTable.from_rows(products)


def test_a_run_has_its_files_and_the_light_curves_of_its_range():
    files = [dv(1, 3, 129), dv(1, 3, 129, "dvt.fits"), dv(1, 3, 129, "dvm.pdf")]
    files += [dv(1, 3, 129, "dvs.pdf", planet) for planet in (1, 2)]
    inputs = [light_curve(sector, product) for sector in (1, 2, 3) for product in ("lc", "tp")]
    others = [light_curve(1, fast=True), light_curve(1, "tp", fast=True), tess_spoc("s0002", "lc.fits")]
    (run,) = find_runs(*tables(*files, *inputs, *others))
    assert (run.target, run.pipeline, run.sector_range, run.run_id) == (TIC(STAR), "SPOC", (1, 3), 129)
    assert (run.sectors, run.inputs_known) == (None, "hull")
    assert {file.filename for file in run.files} == set(files)
    assert [file.filename for file in run.inputs] == inputs  # no 20-s file, none of another pipeline
    assert [tce.planet for tce in run.tces] == [1, 2]  # of which the names of the summaries tell


def test_inputs_never_cross_pipelines():
    spoc = [dv(1, 2, 129), light_curve(1), light_curve(2)]
    other = [tess_spoc("s0001-s0002", "dvr.xml"), tess_spoc("s0001", "lc.fits"), tess_spoc("s0002", "tp.fits")]
    runs = {run.pipeline: run for run in find_runs(*tables(*spoc, *other))}
    assert [file.filename for file in runs["SPOC"].inputs] == spoc[1:]
    assert [file.filename for file in runs["TESS-SPOC"].inputs] == other[1:]
    assert runs["TESS-SPOC"].run_id is None


def test_a_single_sector_run_is_found_among_the_files_of_its_light_curve():
    observations, products = tables(light_curve(1), light_curve(1, "tp"), dv(1, 1, 106), dv(1, 1, 366))
    assert len(observations) == 1
    first, second = find_runs(observations, products)
    assert (first.run_id, first.superseded_by, first.reason) == (106, second.key, "rerun-of")
    assert [file.kind for file in second.inputs] == ["lightcurve", "tpf"]


def test_an_observation_without_listed_files_is_a_run_too():
    observations, _ = tables(dv(1, 3, 129, "dvt.fits"), light_curve(2))
    (run,) = find_runs(observations, ProductTable.from_rows([]))
    assert (run.sector_range, run.run_id) == ((1, 3), 129)
    assert [file.filename for file in run.inputs] == [light_curve(2)]


def test_inputs_made_after_the_run_are_marked():
    names = [dv(1, 2, 129, "dvt.fits"), light_curve(1), light_curve(2)]
    (run,) = find_runs(*tables(*names), written={names[0]: 58500.0, names[1]: 58400.0, names[2]: 59100.0})
    assert [(file.sector, file.newer) for file in run.inputs] == [(1, False), (2, True)]
    released = {match_name(name).obs_id: date for name, date in zip(names, (58500.0, 58450.0, 59200.0), strict=True)}
    (run,) = find_runs(*tables(*names, released=released))
    assert [(file.sector, file.newer) for file in run.inputs] == [(1, False), (2, True)]
    (run,) = find_runs(*tables(*names), written={names[0]: 58500.0})
    assert [file.newer for file in run.inputs] == [None, None]


def test_the_date_of_an_observation_tells_nothing_of_what_it_lists_itself():
    names = [light_curve(1), dv(1, 1, 106, "dvt.fits")]
    observations, products = tables(*names, released={match_name(names[0]).obs_id: 59200.0})
    (run,) = find_runs(observations, products)
    assert (run.released, [file.newer for file in run.inputs]) == (59200.0, [None])


def test_runs_without_numbers_are_ordered_by_their_release():
    one, more = tess_spoc("s0036-s0036", "dvt.fits"), tess_spoc("s0036-s0039", "dvt.fits")
    curve = tess_spoc("s0036", "lc.fits")
    released = {match_name(one).obs_id: 59800.0, match_name(more).obs_id: 60100.0, match_name(curve).obs_id: 59700.0}
    first, second = find_runs(*tables(one, more, curve, released=released))
    assert (first.superseded_by, first.reason) == (second.key, "extended-by")
    assert [file.newer for file in (*first.inputs, *second.inputs)] == [False, False]


def test_real_reports_tell_the_observed_sectors(real_data: Path):
    reports = [read(path) for path in sorted(real_data.glob("*dvr.xml"))]
    lc = "tess2018206045859-s0001-0000000117544915-0120-s_lc.fits"
    products = ProductTable.from_rows([{"productFilename": lc, "dataURI": f"mast:TESS/product/{lc}"}])
    runs = find_runs(ObservationTable.from_rows([]), products, reports, paths={lc: real_data / lc})
    assert [(int(run.target), run.sector_range, run.sectors, run.run_id) for run in runs] == [
        (117544915, (1, 1), (1,), 106),
        (307210830, (1, 6), (2, 5), 196),
        (307210830, (8, 8), (8,), 182),
    ]
    assert [tce.period for tce in runs[0].tces] == [1.4855988, 1.4841429, 1.4844073]
    assert [(file.filename, file.path) for file in runs[0].inputs] == [(lc, real_data / lc)]
    assert [run.inputs_known for run in runs] == ["exact"] * 3
    assert {run.superseded_by for run in runs} == {None}
    assert repr(runs[1]) == "<DVRun TIC 307210830, SPOC s0001-s0006 (run 196), sectors 2, 5, 3 TCEs>"


def test_a_list_of_events_stands_in_for_a_report(real_data: Path):
    events = read(real_data / "tess2018206190142-s0001-s0001_dvr-tcestats.csv")
    name = "tess2018206190142-s0001-s0001-0000000261136679-00106_dvr.pdf"
    table = ProductTable.from_rows([{"productFilename": name}])
    (run,) = find_runs(ObservationTable.from_rows([]), table, [events])
    assert (run.sectors, [tce.period for tce in run.tces]) == ((1,), [6.2675])


def test_exact_inputs_are_only_of_the_observed_sectors(real_data: Path):
    report = read(real_data / "tess2018206190142-s0001-s0006-0000000307210830-00196_dvr.xml")
    star = "0000000307210830"
    names = [f"tess2018206045859-s{sector:04d}-{star}-0120-s_lc.fits" for sector in range(1, 9)]
    table = ProductTable.from_rows([{"productFilename": name} for name in names])
    (run,) = find_runs(ObservationTable.from_rows([]), table, [report])
    assert [file.sector for file in run.inputs] == [2, 5]


@pytest.mark.parametrize("nothing", [["notes.txt"], [], [light_curve(1)]])
def test_no_validation_file_no_run(nothing: list[str]):
    table = ProductTable.from_rows([{"productFilename": name} for name in nothing])
    assert find_runs(ObservationTable.from_rows([]), table) == []
