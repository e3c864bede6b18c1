"""Validation runs as the archive lists them: which are observations of their own, and which belong to a sector's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tessellar.server import Index
from tests.server import folder as made
from tests.server.folder import DEC, OBS1, RA, STAR

RUN = f"tess2018206190142-s0001-s0003-{STAR:016d}-00129"
RERUN = f"tess2024170090940-s0001-s0003-{STAR:016d}-00899"
HLSP = f"hlsp_tess-spoc_tess_phot_{STAR:016d}-s0036"


def indexed(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    index = Index(folder, index_path=":memory:")
    assert index.refresh().damaged == 0
    rows = index.select(sql)
    index.close()
    return rows


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    made.light_curve(tmp_path / made.LC1)
    made.report(tmp_path / made.DVR)
    for run, sectors in ((RUN, "0111"), (RERUN, "0101")):
        made.report(tmp_path / f"{run}_dvr.xml", sectors=sectors)
        for tail in ("_dvr.pdf", "_dvm.pdf"):
            (tmp_path / f"{run}{tail}").write_bytes(b"%PDF-1.4 %%EOF")
        stem, _, pin = run.rpartition("-")
        for planet in (1, 2):
            (tmp_path / f"{stem}-{planet:02d}-{pin}_dvs.pdf").write_bytes(b"%PDF-1.4 %%EOF")
    made.light_curve(tmp_path / f"{HLSP}_tess_v1_lc.fits", sector=36, cadence=600.0)
    made.report(tmp_path / f"{HLSP}-s0036_tess_v1_dvr.xml", sectors=f"{1:>037d}")
    made.report(tmp_path / f"{HLSP}-s0039_tess_v1_dvr.xml", sectors=f"{1001:>040d}")
    return tmp_path


def test_a_run_over_several_sectors_is_an_observation_of_its_last_sector(runs):
    rows = indexed(
        runs,
        """SELECT obs_id, target_name, sequence_number, t_exptime, dataproduct_type, provenance_name, obs_collection,
           project, calib_level, s_region, s_ra, s_dec FROM observations WHERE obs_id LIKE '%-s____-%-00%'""",
    )
    place = (f"CIRCLE {RA:.8f} {DEC:.8f} 0.00138889", RA, DEC)
    expected = [
        (run, str(STAR), 3, 120.0, "timeseries", "SPOC", "TESS", "TESS", 3, *place) for run in sorted((RUN, RERUN))
    ]
    assert sorted(rows) == expected


def test_its_files_are_described_as_at_mast(runs):
    rows = indexed(
        runs,
        f"""SELECT productFilename, description, productSubGroupDescription, productType, type FROM products
            WHERE obs_id = '{RUN}' ORDER BY productFilename""",
    )
    stem, _, pin = RUN.rpartition("-")
    assert rows == [
        (f"{RUN}_dvm.pdf", "Data validation mini report", "DVM", "INFO", "C"),
        (f"{RUN}_dvr.pdf", "full data validation report", "DVR", "INFO", "C"),
        (f"{RUN}_dvr.xml", "full data validation report", "DVR", "INFO", "C"),
        *((f"{stem}-{planet:02d}-{pin}_dvs.pdf", "TCE summary report", "DVS", "INFO", "C") for planet in (1, 2)),
    ]


def test_a_run_over_one_sector_belongs_to_the_light_curve_of_that_sector(runs):
    rows = dict(indexed(runs, "SELECT productFilename, obs_id FROM products"))
    assert rows[made.DVR] == rows[made.LC1] == OBS1
    assert rows[f"{HLSP}-s0036_tess_v1_dvr.xml"] == rows[f"{HLSP}_tess_v1_lc.fits"]


def test_a_run_of_tess_spoc_over_several_sectors_has_no_exposure_time(runs):
    rows = indexed(
        runs,
        "SELECT sequence_number, t_exptime, obs_collection FROM observations WHERE provenance_name = 'TESS-SPOC'",
    )
    assert sorted(rows, key=str) == [(36, 600.0, "HLSP"), (39, None, "HLSP")]
