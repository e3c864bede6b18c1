"""`tessellar dv`: real reports over our own server, and an archive with runs old and new."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from astropy.io import fits

import tessellar as package
from tessellar.server import ServerThread

STAR = 25155310
KEYS = {
    "tic", "sector_range", "sectors", "pipeline", "run_id", "tces", "inputs", "inputs_known", "superseded_by",
    "covered_by", "reason", "files",
}  # fmt: skip

PLANET = """<dv:planetResults planetNumber="{number}">
 <dv:allTransitsFit type="ALL" fullConvergence="true" modelChiSquare="1.0" modelDegreesOfFreedom="1.0"
  modelFitSnr="12.0" transitModelName="mandel-agol"><dv:modelParameters>
  <dv:modelParameter fitted="true" name="orbitalPeriodDays" uncertainty="0.001" value="{period}"/>
  <dv:modelParameter fitted="true" name="transitEpochBtjd" uncertainty="0.001" value="1326.0"/>
  <dv:modelParameter fitted="false" name="transitDurationHours" uncertainty="0.1" value="3.0"/>
  </dv:modelParameters></dv:allTransitsFit></dv:planetResults>"""


def write_report(folder: Path, filename: str, sectors: str, *periods: float) -> Path:
    """Write a small report with these events."""
    planets = "".join(PLANET.format(number=number, period=period) for number, period in enumerate(periods, 1))
    path = folder / filename
    path.write_text(
        f'<?xml version="1.0"?>\n<dv:dvTargetResults startCadence="1" endCadence="9" pipelineTaskId="7" ticId="{STAR}" '
        f'simData="false" sectorsObserved="{sectors}" xmlns:dv="http://www.nasa.gov/2018/TESS/DV">\n'
        '<dv:raDegrees value="63.37" uncertainty="0.0"/><dv:decDegrees value="-69.22" uncertainty="0.0"/>\n'
        f"{planets}</dv:dvTargetResults>\n"
    )
    return path


def report_name(sectors: str, number: int, timestamp: str = "2018206190142") -> str:
    return f"tess{timestamp}-{sectors}-{STAR:016d}-{number:05d}_dvr.xml"


@pytest.fixture
def old_and_new(tmp_path: Path) -> Iterator[str]:
    """Sectors 1-3 in 2018 and again in 2024, 1-13 between: the URL of an archive of them."""
    folder = tmp_path / "archive"
    folder.mkdir()
    write_report(folder, report_name("s0001-s0003", 129), "0110", 3.5, 9.0)
    write_report(folder, report_name("s0001-s0013", 241), "01100000000001", 3.5)
    write_report(folder, report_name("s0001-s0003", 899, "2024170090940"), "0110", 3.5)
    with ServerThread(folder) as server:
        yield server.url


@pytest.fixture(scope="module")
def real_archive(real_data: Path) -> Iterator[str]:
    with ServerThread(real_data) as server:
        yield server.url


def test_the_real_runs_of_l_98_59(real_archive, tessellar):
    ran = tessellar("--archive", real_archive, "--json", "dv", "307210830")
    assert (ran.code, ran.err) == (0, "")
    assert {frozenset(run) for run in ran.json} == {frozenset(KEYS)}
    first, second = ran.json
    assert (first["tic"], first["sector_range"], first["sectors"], first["run_id"]) == (307210830, [1, 6], [2, 5], 196)
    assert (second["sector_range"], second["sectors"], second["inputs_known"]) == ([8, 8], [8], "exact")
    assert [tce["planet"] for tce in first["tces"]] == [1, 2, 3]
    assert first["tces"][0]["period"] == pytest.approx(3.690603902)
    assert {run["superseded_by"] for run in ran.json} == {None}
    shown = tessellar("--archive", real_archive, "dv", "307210830")
    assert "s0001-s0006 (run 196)  [·█··█·  ]  observed in 2, 5" in shown.out
    assert "P 3.690604 d  epoch 1356.2039 BTJD  depth 1849 ppm  1.27 h  SNR 34.4" in shown.out


def test_a_real_run_is_linked_to_the_real_light_curve_beside_it(real_archive, tessellar):
    (run,) = tessellar("--archive", real_archive, "--json", "dv", "TIC 117544915").json
    assert [tce["period"] for tce in run["tces"]] == [1.4855988, 1.4841429, 1.4844073]
    lc = "tess2018206045859-s0001-0000000117544915-0120-s_lc.fits"
    assert [(file["filename"], file["sector"], file["kind"]) for file in run["inputs"]] == [(lc, 1, "lightcurve")]
    assert [file["product"] for file in run["files"]] == ["dvr"]


def test_a_rerun_is_covered_by_an_older_run_and_supersedes_an_older_one(old_and_new, tessellar):
    ran = tessellar("--archive", old_and_new, "--json", "dv", STAR)
    runs = {run["run_id"]: run for run in ran.json}
    assert set(runs) == {129, 241, 899}
    assert (runs[129]["superseded_by"]["run_id"], runs[129]["reason"]) == (241, "extended-by")
    assert (runs[241]["superseded_by"], runs[241]["covered_by"], runs[241]["reason"]) == (None, None, None)
    assert (runs[899]["superseded_by"], runs[899]["reason"]) == (None, None)
    assert runs[899]["covered_by"] == {"pipeline": "SPOC", "sector_range": [1, 13], "run_id": 241}
    assert [tce["lacking_in_newer"] for tce in runs[129]["tces"]] == [False, True]
    shown = tessellar("--archive", old_and_new, "dv", STAR).out
    assert "3 validation runs, 1 of them obsolete" in shown
    assert "superseded by SPOC s0001-s0013 (run 241): extended-by, more sectors" in shown
    assert "covered by SPOC s0001-s0013 (run 241), which is not known to be later" in shown
    assert shown.count("the newer run lacks it") == 1
    assert "[██··········█]  observed in 1, 2, 13" in shown


def test_names_alone_tell_ranges(old_and_new, tessellar):
    ran = tessellar("--archive", old_and_new, "--json", "dv", STAR, "--names-only")
    assert {(run["inputs_known"], run["sectors"]) for run in ran.json} == {("hull", None)}
    by = {run["run_id"]: (run["superseded_by"] or {}).get("run_id") for run in ran.json}
    assert by == {129: 241, 241: None, 899: None}
    shown = tessellar("--archive", old_and_new, "dv", STAR, "--names-only").out
    assert "[▒▒▒          ]  observed sectors not known" in shown
    assert "TCEs: not known without the report" in shown


def test_reports_are_kept_and_not_fetched_again(old_and_new, tessellar, tmp_path):
    kept = tmp_path / "reports"
    first = tessellar("--archive", old_and_new, "--json", "dv", STAR, "--reports", kept).json
    paths = [Path(file["path"]) for run in first for file in run["files"]]
    assert len(paths) == 3
    assert all(path.is_relative_to(kept) for path in paths)
    damaged = paths[0]
    damaged.write_text("<dv")  # what is here is taken as it is, and said to be damaged
    ran = tessellar("--archive", old_and_new, "dv", STAR, "--reports", kept, "--names-only")
    assert ran.code == 1
    assert f"{damaged.name} is left out" in ran.line


def test_a_narrow_terminal_without_unicode_still_shows_it(old_and_new, tessellar, monkeypatch):
    from tessellar.cli.dv import _Drawing

    drawing = _Drawing("ascii")
    assert drawing.branch(True)[0].isascii()
    assert drawing.legend.isascii()
    (run, *_) = package.dv_runs(STAR, archive=old_and_new)
    assert drawing.bar(run, 1, 5, 1) == "???  "
    assert drawing.bar(run, 1, 13, 2) == "??     "


def test_no_run_is_no_failure(real_archive, tessellar):
    ran = tessellar("--archive", real_archive, "--json", "dv", "188589164")
    assert (ran.code, ran.json) == (0, [])
    assert ran.line == "tessellar: no validation run on TIC 188589164 found"


def test_what_cannot_be_a_target_is_refused(real_archive, tessellar):
    assert tessellar("--archive", real_archive, "dv", "no such star").code == 2
    assert tessellar("--archive", "http://127.0.0.1:9", "dv", STAR).code == 3


def test_the_runs_in_python(old_and_new, tmp_path):
    runs = package.dv_runs(STAR, archive=old_and_new, folder=tmp_path / "reports")
    assert [run.run_id for run in runs] == [129, 899, 241]
    assert [run.sectors for run in runs] == [(1, 2), (1, 2), (1, 2, 13)]
    assert runs.failures == []
    assert [tce.planet for tce in runs[0].lacking] == [2]
    names_only = package.dv_runs(STAR, archive=old_and_new)
    assert {run.inputs_known for run in names_only} == {"hull"}
    local = package.dv_runs(STAR, archive=old_and_new, folder=tmp_path / "reports", reports=False)
    assert [run.superseded_by for run in local] == [run.superseded_by for run in runs]


def test_a_report_that_the_archive_lacks_is_a_run_too(old_and_new, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    write_report(mine, report_name("s0001-s0039", 901), "0110000000000100000000000001", 3.5)
    runs = package.dv_runs(STAR, archive=old_and_new, folder=mine)
    assert [run.run_id for run in runs if run.superseded_by is None] == [901]
    assert runs[-1].files[0].path == mine / report_name("s0001-s0039", 901)


def test_light_curves_made_after_the_run_are_marked(tmp_path, tessellar):
    for name, date in (
        (f"tess2018206045859-s0001-{STAR:016d}-0120-s_lc.fits", "2020-10-05"),
        (f"tess2018234235059-s0002-{STAR:016d}-0121-s_lc.fits", "2018-10-05"),
        (report_name("s0001-s0003", 129).replace("dvr.xml", "dvt.fits"), "2018-12-15"),
    ):
        header = fits.Header({"TELESCOP": "TESS", "TICID": STAR, "DATE": date, "RA_OBJ": 63.37, "DEC_OBJ": -69.22})
        fits.PrimaryHDU(header=header).writeto(tmp_path / name)
    write_report(tmp_path, report_name("s0001-s0003", 129), "0110", 3.5)
    with ServerThread(tmp_path) as server:
        ran = tessellar("--archive", server.url, "--json", "dv", STAR, "--reports", tmp_path)
        shown = tessellar("--archive", server.url, "dv", STAR, "--reports", tmp_path)
    (run,) = ran.json
    assert [(file["sector"], file["newer"]) for file in run["inputs"]] == [(1, True), (2, False)]
    assert all(Path(file["path"]).is_file() for file in run["inputs"])
    assert "made again after this run: sector 1\n" in shown.out


def test_a_damaged_report_leaves_the_range(old_and_new, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    cut = mine / report_name("s0001-s0013", 241)
    cut.write_text("<dv:dvTargetResults")
    nameless = write_report(mine, report_name("s0001-s0003", 129), "0110", 3.5)
    nameless.write_text(nameless.read_text().replace('name="orbitalPeriodDays"', ""))
    runs = package.dv_runs(STAR, archive=old_and_new, folder=mine)
    assert {name for name, _ in runs.failures} == {cut.name, nameless.name}
    assert {run.run_id: run.sectors for run in runs} == {129: None, 241: None, 899: (1, 2)}
