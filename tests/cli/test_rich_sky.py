"""The simulated sky as an archive of more than light curves: validation runs, 20-s files, QLP, the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import tessellar as package
from tessellar.server import ServerThread
from tessellar.simulate import Truth, simulate
from tessellar.simulate.stars import FIRST_TIC

STAR, BINARY = FIRST_TIC + 8, FIRST_TIC + 1


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """A day of the star with a planet that goes round in half a day, in sectors 1, 2 and 27."""
    return simulate(tmp_path_factory.mktemp("rich") / "archive", days=1.2, kinds=["quick"])


@pytest.fixture(scope="module")
def archive(sky: Truth) -> Iterator[str]:
    with ServerThread(sky.directory) as server:
        yield server.url


def test_dv_shows_runs_old_and_new_and_what_makes_which_obsolete(archive, tessellar):
    runs = {run["run_id"]: run for run in tessellar("--archive", archive, "--json", "dv", STAR).json}
    assert {number: run["sectors"] for number, run in runs.items()} == {
        101: [1], 102: [2], 103: [27], 104: [1, 2], 105: [1, 2], 106: [1],
    }  # fmt: skip
    told = {
        number: (run["superseded_by"] and run["superseded_by"]["run_id"], run["reason"]) for number, run in runs.items()
    }
    assert told == {
        101: (105, "extended-by"), 102: (105, "extended-by"), 103: (None, None), 104: (105, "rerun-of"),
        105: (None, None), 106: (None, None),
    }  # fmt: skip
    assert runs[106]["covered_by"]["run_id"] == 105  # made again later, but of fewer sectors
    assert {run["inputs_known"] for run in runs.values()} == {"exact"}
    assert [file["sector"] for file in runs[105]["inputs"]] == [1, 1, 2, 2]
    assert {file["kind"] for file in runs[105]["inputs"]} == {"lightcurve", "tpf"}
    assert not any("fast" in file["filename"] for file in runs[103]["inputs"])  # 20 s is no input
    assert [len(run["files"]) for run in runs.values()] == [5] * 6
    assert not any(tce["lacking_in_newer"] for run in runs.values() for tce in run["tces"])


def test_the_tree_marks_them(archive, tessellar):
    shown = tessellar("--archive", archive, "dv", STAR).out
    assert "6 validation runs, 3 of them obsolete" in shown
    assert "SPOC s0001-s0006 (run 105)  [██····" in shown
    assert "superseded by SPOC s0001-s0006 (run 105): rerun-of, the same sectors again" in shown
    assert "covered by SPOC s0001-s0006 (run 105), which is not known to be later" in shown
    assert shown.count("P 0.463") == 6


def test_names_alone_tell_a_wider_range(archive, tessellar):
    runs = {run["run_id"]: run for run in tessellar("--archive", archive, "--json", "dv", STAR, "--names-only").json}
    assert (runs[104]["superseded_by"]["run_id"], runs[104]["reason"]) == (105, "extended-by")
    assert runs[105]["inputs_known"] == "hull"


def test_a_run_older_than_its_light_curve_is_marked(sky, archive, tessellar):
    """The light curves of sector 1 were made again after the first run on them."""
    runs = tessellar("--archive", archive, "--json", "dv", STAR, "--reports", sky.directory).json
    newer = {run["run_id"]: {file["newer"] for file in run["inputs"]} for run in runs}
    assert newer == {101: {True}, 102: {True}, 103: {True}, 104: {False}, 105: {False}, 106: {False}}
    shown = tessellar("--archive", archive, "dv", STAR, "--reports", sky.directory).out
    assert shown.count("made again after this run") == 3


def test_a_second_reader_finds_the_planet_that_was_put_there(sky, archive, tmp_path):
    truth = sky.of(STAR)
    runs = package.dv_runs(STAR, archive=archive, folder=tmp_path)
    assert runs.failures == []
    for run in runs:
        (tce,) = run.tces
        assert tce.period == pytest.approx(truth["period"], rel=2e-3)
        assert tce.depth == pytest.approx(1e6 * truth["depth"], rel=0.06)
        assert 24 * truth["duration"] == pytest.approx(tce.duration, rel=0.05)


def test_find_tells_the_kinds_apart(sky, archive, tessellar):
    def found(*arguments: object) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = tessellar("--archive", archive, "--json", "find", STAR, *arguments).json
        return rows

    reports = found("--kind", "dv")
    assert len(reports) == 6 * 5
    assert {row["kind"] for row in reports} == {"dv"}
    assert {Path(str(row["filename"])).suffix for row in reports} == {".fits", ".xml", ".pdf"}
    several = {row["obs_id"] for row in reports if "-s0001-s0006-" in str(row["obs_id"])}
    assert several == {f"tess2018206190142-s0001-s0006-{STAR:016d}-00105"}
    one = {row["obs_id"] for row in reports if "s0002-s0002" in str(row["filename"])}
    assert one == {f"tess2018234235059-s0002-{STAR:016d}-0121-s"}  # of its light curve
    fast = found("--cadence", "20")
    assert {Path(str(row["filename"])).name.rpartition("_")[2] for row in fast} == {"fast-lc.fits", "fast-tp.fits"}
    assert {row["sector"] for row in fast} == {27}
    qlp = found("--author", "QLP")
    assert sorted((row["sector"], row["cadence"]) for row in qlp) == [(1, 1800), (2, 1800), (27, 600)]


def test_all_of_it_is_fetched_and_verified(archive, tessellar, tmp_path):
    rows = tessellar("--archive", archive, "--json", "fetch", STAR, "-o", tmp_path).json
    assert {row["status"] for row in rows} == {"COMPLETE"}
    kinds = {Path(row["path"]).name.rpartition("_")[2] for row in rows}
    assert {"dvt.fits", "dvr.xml", "dvr.pdf", "dvm.pdf", "dvs.pdf", "fast-tp.fits", "llc.fits"} <= kinds


def test_validation_observations_are_listed_as_mast_lists_them(archive):
    """Sector is the last of the range, the main file is the time series; a single-sector run joins its light curve."""
    found = package.search(STAR, archive=archive)
    rows = {str(row["obs_id"]): row for row in found.rows()}
    several = rows[f"tess2018206190142-s0001-s0006-{STAR:016d}-00105"]
    assert several["dataURL"] == f"mast:TESS/product/{several['obs_id']}_dvt.fits"
    assert (several["target_name"], several["sequence_number"], several["t_exptime"]) == (str(STAR), 6, 120)
    assert (several["obs_collection"], several["provenance_name"], several["project"]) == ("TESS", "SPOC", "TESS")
    assert (several["dataproduct_type"], several["calib_level"]) == ("timeseries", 3)
    assert str(several["s_region"]).startswith("CIRCLE")
    assert not any("s0001-s0001-" in obs_id for obs_id in rows)
    fast = rows[f"tess2020186164531-s0027-{STAR:016d}-0189-a_fast"]
    assert (fast["t_exptime"], fast["dataURL"]) == (20, f"mast:TESS/product/{fast['obs_id']}-lc.fits")
    products = package.list_products(found, archive=archive)
    told = {str(row["productFilename"]): row for row in products.rows()}
    run = several["obs_id"]
    assert {name: told[f"{run}_{name}"]["description"] for name in ("dvt.fits", "dvr.xml", "dvr.pdf", "dvm.pdf")} == {
        "dvt.fits": "Data validation time series", "dvr.xml": "full data validation report",
        "dvr.pdf": "full data validation report", "dvm.pdf": "Data validation mini report",
    }  # fmt: skip
    one = told[f"tess2018206190142-s0001-s0001-{STAR:016d}-00101_dvr.xml"]
    assert one["obs_id"] == f"tess2018206045859-s0001-{STAR:016d}-0120-s"
