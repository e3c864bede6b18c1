"""What a file is, in a sentence: for every family of names, and for names that are none."""

from __future__ import annotations

import pytest

from tessellar.mission import describe, match_name
from tessellar.mission.names import FAMILIES


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("tess2020186164531-s0027-0000000025132999-0189-a_fast-lc.fits",
         "Light curve of TIC 25132999, sector 27, every 20 s, by SPOC."),
        ("tess2018206190142-s0001-s0003-0000000025132999-02-00129_dvs.pdf",
         "One page on one event found in a search for transits of TIC 25132999, sectors 1 to 3, event 2, "
         "to be read (PDF), by SPOC."),
        ("tess2018207052942-s0001-1-2-0120-s_ffic.fits",
         "Calibrated full-frame image of camera 1, CCD 2, sector 1, by SPOC."),
        ("hlsp_tglc_tess_ffi_gaiaid-6399196263939178880-s0001-cam2-ccd1_tess_v1_llc.fits",
         "Light curve of Gaia DR2 6399196263939178880, sector 1, by TGLC."),
        ("hlsp_diamante_tess_lightcurve_tic-0000000001003831_tess_v1_llc.fits",
         "Light curve of TIC 1003831, by DIAMANTE."),
        ("hlsp_pathos_tess_lightcurve_tic-0001003831-s0001_tess_v1_llc.fits",
         "Light curve of TIC 1003831, sector 1, by PATHOS."),
    ],
)  # fmt: skip
def test_the_name_tells(name, sentence):
    assert describe(match_name(name)) == sentence


def test_every_author_has_its_name_in_the_sentence():
    authors = {family.author for family in FAMILIES if family.author}
    assert {"SPOC", "TESS-SPOC", "QLP", "TASOC", "TGLC", "CDIPS", "PATHOS", "ELEANOR", "DIAMANTE"} <= authors


def test_a_name_that_is_not_known_is_said_to_be_so():
    assert describe(match_name("notes.txt")) == "A file whose name tessellar does not know."
