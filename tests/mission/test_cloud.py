"""Where files lie in MAST's cloud: addresses in public use, and none where none is known."""

from __future__ import annotations

import pytest

from tessellar.mission.cloud import s3_uri

IN_USE = [
    "tess/public/tid/s0015/0000/0003/7542/2201/tess2019226182529-s0015-0000000375422201-0151-s_lc.fits",
    "tess/public/ffi/s0014/2019/199/2-3/tess2019199202929-s0014-2-3-0150-s_ffic.fits",
    "tess/public/ffi/s0012/2019/142/2-1/tess2019142115932-s0012-2-1-0144-s_ffic.fits",
    "tess/public/mast/tess-s0012-1-4-cube.fits",
    "mast/hlsp/tglc/s0014/cam2-ccd4/0020/7819/9232/7496/"
    "hlsp_tglc_tess_ffi_gaiaid-2078199232749616512-s0014-cam2-ccd4_tess_v1_llc.fits",
]


@pytest.mark.parametrize("key", IN_USE)
def test_addresses_in_public_use_follow_from_the_file_names(key):
    assert s3_uri(key.rsplit("/", 1)[-1]) == f"s3://stpubdata/{key}"


def test_files_of_a_run_lie_with_its_last_sector():
    name = "tess2018206190142-s0001-s0003-0000000025132999-00129_dvr.xml"
    expected = f"s3://stpubdata/tess/public/tid/s0003/0000/0000/2513/2999/{name}"
    assert s3_uri(name) == s3_uri(f"mast:TESS/product/{name}") == expected


@pytest.mark.parametrize(
    "name", ["notes.txt", "tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits", "hlsp_x_tess_ffi_a_tess_v1_lc.fits"]
)
def test_what_is_not_known_to_lie_there_has_no_address(name):
    assert s3_uri(name) is None
