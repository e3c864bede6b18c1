"""File names: read and built, for every family; foreign names are no TESS names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessellar import TIC
from tessellar.errors import InputError, Unrecognised
from tessellar.mission import ProductName, build_name, match_name, parse_name
from tessellar.mission import names as reading
from tessellar.mission.names import FAMILIES, template_parts

digits = st.text("0123456789", min_size=13, max_size=13)
PARTS = {
    "timestamp": digits,
    "sector": st.integers(1, 9999),
    "first": st.integers(1, 9999),
    "last": st.integers(1, 9999),
    "tic": st.integers(1, 10**10 - 1),
    "scid": st.text("0123456789", min_size=4, max_size=4),
    "cr": st.sampled_from("xsab"),
    "camera": st.integers(1, 4),
    "ccd": st.integers(1, 4),
    "pin": st.integers(1, 99999),
    "planet": st.integers(1, 99),
    "cadence": st.sampled_from([20.0, 120.0, 200.0, 600.0, 1800.0]),
    "version": st.sampled_from(["v1", "v01", "v1.0", "v2b"]),
    "instrument": st.sampled_from(["ffi", "tpf"]),
    "output": st.sampled_from("abcd"),
    "project": st.sampled_from(["x1", "some-one"]),
    "release": st.text("0123456789", min_size=2, max_size=2),
    "extension": st.just("fits"),
    "product": st.just(""),
    "target": st.just(""),
}
PRODUCTS = {
    "spoc-dv": "dvt", "spoc-dvs": "dvs", "spoc-tcestats": "dvr-tcestats", "spoc-tcestats-sector": "dvr-tcestats",
    "spoc-ffi": "ffic", "tess-spoc": "lc", "tess-spoc-dv": "dvt", "tasoc": "cbv-lc", "eleanor-postcard": "pc",
    "tess-data-alerts": "tp", "engineering": "quat", "tessellar": "aperture-lc", "hlsp": "llc",
}  # fmt: skip
EXTENSIONS = {"spoc-dvs": "pdf", "spoc-tcestats": "csv", "spoc-tcestats-sector": "csv", "spoc-dv-schema": "xsd",
              "tess-spoc-dvs": "pdf", "bulk-script": "sh", "bulk-script-runs": "sh"}  # fmt: skip
TARGETS = {
    "spoc-collateral": "smear", "spoc-prf": "row0001-col1580", "tesscut": "84.291190_-80.469170_6x6",
    "tglc": "gaiaid-6399196263939178880", "cdips": "gaiatwo0005251470948229139", "tica": "o1-00116470",
    "cdips-later": "gaiatwo0005251470948229139", "t16": "02475555794352572672", "bulk-script": "fast-lc",
    "ticacut": "107.186960_-70.509190_21x14", "bulk-script-runs": "dv",
    "eleanor-postcard": "cal-0902-1078", "hlsp": "tic-0123456789-s0001",
}  # fmt: skip


@st.composite
def names(draw):
    family = draw(st.sampled_from(FAMILIES)).name
    parts = {part: draw(PARTS[part]) for part in template_parts(family)}
    parts |= {part: table[family] for part, table in
              (("product", PRODUCTS), ("extension", EXTENSIONS), ("target", TARGETS)) if family in table}  # fmt: skip
    if family in ("tess-data-alerts", "tasoc-v04"):
        parts["sector"] %= 99
        parts["sector"] += 1
    if family == "tasoc-pipeline":
        parts["sector"] = parts["sector"] % 999 + 1
        parts["version"] = "v04"
    return family, parts


@given(names())
def test_what_is_built_is_read_back_part_by_part(made):
    family, parts = made
    filename = build_name(family, **parts)
    name = parse_name(filename)
    assert name.family == family
    assert build_name(family, **name.parts) == filename
    assert name.uri.endswith(filename)
    for part in ("tic", "camera", "ccd", "scid", "cr", "pin", "planet", "timestamp", "version", "target", "cadence"):
        if part in parts:
            assert getattr(name, part) == parts[part], part
    if "first" in parts:
        assert name.sector_range == (parts["first"], parts["last"])
        assert name.sector == parts["last"]
    elif family != "hlsp":
        assert name.sector == parts.get("sector")
    assert name.filename == filename
    assert name.kind
    assert name.author


@given(names(), st.lists(st.sampled_from("0123456789"), min_size=60, max_size=60))
def test_names_that_differ_in_their_digits_are_read_as_if_each_were_the_first(made, digits):
    family, parts = made
    filename = build_name(family, **parts)
    following = iter(digits)
    other = "".join(next(following, "1") if character in "0123456789" else character for character in filename)
    match_name(filename)
    after = match_name(other)
    reading._match.cache_clear()
    reading._FORMS.clear()
    assert match_name(other) == after


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_without_an_accident(text):
    name = match_name(text)
    assert name is None or name.filename == text


@pytest.mark.parametrize(
    ("filename", "kind", "author", "tic", "sector", "obs_id"),
    [
        ("tess2018206045859-s0001-0000000025155310-0120-s_lc.fits", "lightcurve", "SPOC", 25155310, 1,
         "tess2018206045859-s0001-0000000025155310-0120-s"),
        ("tess2018206045859-s0001-0000000025155310-0120-s_tp.fits.gz", "tpf", "SPOC", 25155310, 1,
         "tess2018206045859-s0001-0000000025155310-0120-s"),
        ("tess2020186164531-s0027-0000000025155310-0189-a_fast-lc.fits", "lightcurve", "SPOC", 25155310, 27,
         "tess2020186164531-s0027-0000000025155310-0189-a_fast"),
        ("tess2018206190142-s0001-s0003-0000000025132999-00129_dvr.xml", "dv", "SPOC", 25132999, 3,
         "tess2018206190142-s0001-s0003-0000000025132999-00129"),
        ("tess2018206190142-s0001-s0003-0000000025132999-01-00129_dvs.pdf", "dv", "SPOC", 25132999, 3,
         "tess2018206190142-s0001-s0003-0000000025132999-00129"),
        ("tess2018207052942-s0001-1-2-0120-s_ffic.fits", "ffi", "SPOC", None, 1,
         "tess2018207052942-s0001-1-2-0120-s"),
        ("hlsp_tess-spoc_tess_phot_0000000188589164-s0024_tess_v1_lc.fits", "lightcurve", "TESS-SPOC", 188589164, 24,
         "hlsp_tess-spoc_tess_phot_0000000188589164-s0024_tess_v1_tp"),
        ("hlsp_tess-spoc_tess_phot_0000000188589164-s0036-s0063_tess_v1_dvs-01.pdf", "dv", "TESS-SPOC", 188589164, 63,
         "hlsp_tess-spoc_tess_phot_0000000188589164-s0036-s0063_tess_v1"),
        ("hlsp_qlp_tess_ffi_s0024-0000000188589164_tess_v01_llc.fits", "lightcurve", "QLP", 188589164, 24,
         "hlsp_qlp_tess_ffi_s0024-0000000188589164_tess_v01_llc"),
        ("hlsp_pathos_tess_lightcurve_tic-0012345678-s0001_tess_v1_llc.fits", "lightcurve", "PATHOS", 12345678, 1,
         "hlsp_pathos_tess_lightcurve_tic-0012345678-s0001_tess_v1_llc"),
        ("hlsp_tasoc_tess_ffi_tic00408084461-s0003-cam1-ccd3-c1800_tess_v05_ens-lc.fits", "lightcurve", "TASOC",
         408084461, 3, "hlsp_tasoc_tess_ffi_tic00408084461-s0003-cam1-ccd3-c1800_tess_v05"),
        ("hlsp_t16_tess_ffi_s0003-cam1-ccd3-02475555794352572672_tess_v01_llc.fits", "lightcurve", "T16", None, 3,
         "hlsp_t16_tess_ffi_s0003-cam1-ccd3-02475555794352572672_tess_v01"),
        ("tess2018331094053_sector01-quat.fits", "other", "SPOC", None, 1, "tess2018331094053_sector01-quat"),
        ("tess00025155310-s001-4-1-c1800-dr01-v04-tasoc_lc.fits.gz", "lightcurve", "TASOC", 25155310, 1,
         "tess00025155310-s001-4-1-c1800-dr01-v04-tasoc_lc"),
    ],
)  # fmt: skip
def test_names_of_the_archive(filename, kind, author, tic, sector, obs_id):
    name = parse_name(filename)
    assert (name.kind, name.author, name.tic, name.sector, name.obs_id) == (kind, author, tic, sector, obs_id)


@pytest.mark.parametrize(
    "uri",
    [
        "mast:TESS/product/tess2018206045859-s0001-0000000025155310-0120-s_lc.fits",
        "mast:HLSP/qlp/s0037/0000/0002/7221/3425/hlsp_qlp_tess_ffi_s0037-0000000272213425_tess_v01_llc.fits",
        "mast:HLSP/tess-spoc/s0006/target/0000/0001/5042/8135/"
        "hlsp_tess-spoc_tess_phot_0000000150428135-s0006_tess_v1_tp.fits",
        "mast:HLSP/tess-spoc/s0056-s0069/target/0000/0001/5042/8135/"
        "hlsp_tess-spoc_tess_phot_0000000150428135-s0056-s0069_tess_v1_dvt.fits",
        "mast:HLSP/tess-spoc/s0036/target/0000/0001/5042/8135/"
        "hlsp_tess-spoc_tess_phot_0000000150428135-s0036-s0036_tess_v1_dvm.pdf",
        "mast:HLSP/tglc/s0001/cam4-ccd2/0046/2474/2688/9442/"
        "hlsp_tglc_tess_ffi_gaiaid-4624742688944261376-s0001-cam4-ccd2_tess_v1_llc.fits",
        "mast:HLSP/tglc/s0007/cam2-ccd3/0057/0748/5527/4506/"
        "hlsp_tglc_tess_ffi_gaiaid-5707485527450614656-s0007-cam2-ccd3_tess_v1_llc.fits",
        "mast:HLSP/cdips/s0008/cam3_ccd4/"
        "hlsp_cdips_tess_ffi_gaiatwo0005318059532750974720-0008-cam3-ccd4_tess_v01_llc.fits",
        "mast:HLSP/cdips/s0014/cam1_ccd1/"
        "hlsp_cdips_tess_ffi_gaiatwo0002030897830235411200-s0014-cam1-ccd1_tess_v01_llc.fits",
        "mast:HLSP/tasoc/s0001/c1800/0000/0001/5044/1810/"
        "hlsp_tasoc_tess_ffi_tic00150441810-s0001-cam4-ccd4-c1800_tess_v05_ens-lc.fits",
        "mast:HLSP/tasoc/s0001/ffi/0000/0004/1206/4070/hlsp_tasoc_tess_ffi_tic00412064070-s01-c1800_tess_v04_lc.fits",
        "mast:HLSP/pathos/s0008/hlsp_pathos_tess_lightcurve_tic-0093270923-s0008_tess_v1_llc.fits",
        "mast:HLSP/gsfc-eleanor-lite/s0001/0000/0002/6113/6679/"
        "hlsp_gsfc-eleanor-lite_tess_ffi_s0001-0000000261136679_tess_v1.0_lc.fits",
        "mast:HLSP/eleanor/postcards/s0005/3-3/hlsp_eleanor_tess_ffi_postcard-s0005-3-3-cal-1686-1132_tess_v2_pc.fits",
        "mast:HLSP/diamante/0000/0009/0167/4675/hlsp_diamante_tess_lightcurve_tic-0000000901674675_tess_v1_llc.fits",
        "mast:HLSP/tica/s0035/cam1-ccd1/hlsp_tica_tess_ffi_s0035-o1-00149185-cam1-ccd1_tess_v01_img.fits",
    ],
)
def test_names_lie_where_the_archive_has_them(uri):
    assert parse_name(uri.rpartition("/")[2]).uri == uri


@pytest.mark.parametrize(
    ("filename", "kind", "tic", "sector_range", "sector", "camera"),
    [
        ("hlsp_tess-3i_tess_ffi_3iatlas-s1751-cam2-ccd3_tess_v1.1_tp.fits", "tpf", None, None, 1751, 2),
        ("hlsp_new_tess_ffi_tic-25155310-s0001-s0013_tess_v1_lc.fits", "lightcurve", 25155310, (1, 13), 13, None),
        ("hlsp_new_tess_ffi_0000000025155310-s0002_tess_v1_lc.fits", "lightcurve", 25155310, None, 2, None),
        ("hlsp_new_tess_ffi_gaiaid-1234567890123456_tess_v1_lc.fits", "lightcurve", None, None, None, None),
    ],
)
def test_what_the_target_of_an_unknown_hlsp_tells(filename, kind, tic, sector_range, sector, camera):
    name = parse_name(filename)
    assert (name.kind, name.tic, name.sector_range) == (kind, tic, sector_range)
    assert (name.sector, name.camera) == (sector, camera)


def test_a_file_told_by_what_is_in_it_needs_no_family():
    name = ProductName("mine.fits", "", "lightcurve", "lc", "SPOC", "TESS", tic=1)
    assert (name.obs_id, name.uri, name.parts) == ("mine", "mast:TESS/product/mine.fits", {})
    assert ProductName("mine.fits", "", "lightcurve", "lc", "QLP", "HLSP").uri == "mast:HLSP/qlp/mine.fits"


def test_a_star_may_be_a_tic():
    assert build_name("qlp", sector=24, tic=TIC(188589164), version="v01") == (
        "hlsp_qlp_tess_ffi_s0024-0000000188589164_tess_v01_llc.fits"
    )


def test_special_pointings_have_any_number():
    assert parse_name("tess2026001000000-s1751-0000000025155310-0300-s_lc.fits").sector == 1751


@pytest.mark.parametrize(
    "filename",
    ["", "notes.txt", "TESS2018206045859-s0001-0000000025155310-0120-s_lc.fits",
     "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits.part", "kplr010666592-2009131110544_slc.fits",
     "tess2018206045859-s0001-000000002515531-0120-s_lc.fits", "tess2018207052942-s0001-5-2-0120-s_ffic.fits",
     "../tess2018206045859-s0001-0000000025155310-0120-s_lc.fits",
     "hlsp_x_tess_ffi_../../secret_tess_v1_lc.fits", "hlsp_x_tess_ffi_a b_tess_v1_lc.fits",
     "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits\n"],
)  # fmt: skip
def test_foreign_names_are_refused(filename):
    assert match_name(filename) is None
    with pytest.raises(Unrecognised):
        parse_name(filename)


def test_a_name_cannot_be_built_from_nonsense():
    with pytest.raises(InputError, match="no family"):
        build_name("spoc")
    with pytest.raises(InputError, match="tic"):
        build_name("spoc-lc", timestamp="2018206045859", sector=1, scid="0120", cr="s")
    with pytest.raises(InputError):
        build_name("spoc-lc", timestamp="2018", sector=1, tic=1, scid="0120", cr="s")
    with pytest.raises(InputError):
        build_name("spoc-lc", timestamp="2018206045859", sector="x", tic=1, scid="0120", cr="s")


# Real files by names that their owners gave them: they are known by what is in them, not by their names.
RENAMED = ("asteroid_test", "astrocut_107", "astroquery_tic", "backdrop_", "c2de12_", "s1-3_", "tess25155310-", "test-",
           "README", "INSPECTION")  # fmt: skip


def test_the_real_files_are_read_or_told_apart(real_data):
    for path in real_data.iterdir():
        name = match_name(path.name)
        assert (name is None) == path.name.startswith(RENAMED), path.name
        # Their names as the archive had them.
        original = path.name.removeprefix("backdrop_").removeprefix("c2de12_").removeprefix("s1-3_")
        if original != path.name:
            name = parse_name(original)
        if name is not None:
            assert build_name(name.family, **name.parts) == original
            assert name.kind != "other" or name.product == "prf"


def test_what_the_headers_of_real_files_say_is_what_their_names_say(real_data):
    from astropy.io import fits

    checked = 0
    for path in real_data.glob("*.fits*"):
        name, header = match_name(path.name), fits.getheader(path)
        if name is None:
            continue
        for part, key in (("tic", "TICID"), ("sector", "SECTOR"), ("camera", "CAMERA"), ("ccd", "CCD")):
            if getattr(name, part) is not None and header.get(key) is not None:
                assert getattr(name, part) == int(header[key]), (path.name, part)
                checked += 1
    assert checked > 10


# Names as the archive has them, one of each form, and the kind that each is of.
_STAR = "0000000025132999"
OF_THE_ARCHIVE = {
    "lightcurve": (
        f"tess2018206045859-s0001-{_STAR}-0120-s_lc.fits",
        f"tess2020186164531-s0027-{_STAR}-0189-a_fast-lc.fits",
        f"hlsp_tess-spoc_tess_phot_{_STAR}-s0001_tess_v1_lc.fits",
        "hlsp_qlp_tess_ffi_s0037-0000000272213425_tess_v01_llc.fits",
        "hlsp_tglc_tess_ffi_gaiaid-4624742688944261376-s0001-cam4-ccd2_tess_v1_llc.fits",
        "hlsp_tglc_tess_ffi_gaiaid-4624742688944261376-s0001-cam4-ccd2_tess_v2_llc.fits",
        "hlsp_cdips_tess_ffi_gaiatwo0005318059532750974720-0008-cam3-ccd4_tess_v01_llc.fits",
        "hlsp_tasoc_tess_ffi_tic00150441810-s0001-cam4-ccd4-c1800_tess_v05_ens-lc.fits",
        "hlsp_tasoc_tess_tpf_tic00150441810-s0001-cam4-ccd4-c0120_tess_v05_cbv-lc.fits",
        "hlsp_pathos_tess_lightcurve_tic-0093270923-s0008_tess_v1_llc.fits",
        "hlsp_gsfc-eleanor-lite_tess_ffi_s0001-0000000261136679_tess_v1.0_lc.fits",
        "hlsp_diamante_tess_lightcurve_tic-0000000901674675_tess_v1_llc.fits",
        "hlsp_tess-data-alerts_tess_phot_00025155310-s01_tess_v1_lc.fits",
        f"tess2026001000000-s1751-{_STAR}-0300-x_lc.fits",
        f"tess2018234235059-s0002-{_STAR}-0121-b_lc.fits.gz",
        "hlsp_cdips_tess_ffi_gaiatwo0005318059532750974720-s0014-cam3-ccd4_tess_v01_llc.fits",
        "hlsp_tasoc_tess_ffi_tic00150441810-s0001-cam4-ccd4-c1800_tess_v05_cbv-lc.fits",
        "hlsp_tasoc_tess_tpf_tic00150441810-s0001-cam4-ccd4-c0120_tess_v05_ens-lc.fits",
    ),
    "tpf": (
        f"tess2018206045859-s0001-{_STAR}-0120-s_tp.fits",
        f"tess2018206045859-s0001-{_STAR}-0120-s_tp.fits.gz",
        f"tess2020186164531-s0027-{_STAR}-0189-a_fast-tp.fits",
        f"tess2020186164531-s0027-{_STAR}-0189-a_fast-tp.fits.gz",
        f"hlsp_tess-spoc_tess_phot_{_STAR}-s0001_tess_v1_tp.fits",
        "hlsp_tess-data-alerts_tess_phot_00025155310-s01_tess_v1_tp.fits",
    ),
    "dv": (
        f"tess2018206190142-s0001-s0003-{_STAR}-00129_dvt.fits",
        f"tess2018206190142-s0001-s0096-{_STAR}-00899_dvr.xml",
        f"tess2024170090940-s0001-s0003-{_STAR}-00899_dvr.xml",
        f"tess2018206190142-s0001-s0001-{_STAR}-00366_dvr.pdf",
        f"tess2018206190142-s0001-s0001-{_STAR}-00106_dvm.pdf",
        f"tess2018206190142-s0001-s0001-{_STAR}-01-00106_dvs.pdf",
        f"tess2018206190142-s0001-s0003-{_STAR}-10-00129_dvs.pdf",
        f"tess2018206190142-s0001-s0003-{_STAR}-01-00129_dvp.pdf",
        f"tess2018206190142-s0001-s0003-{_STAR}-00129_dvt.fits.gz",
        f"tess2018206190142-s0001-s0003-{_STAR}-00129_dvr.xml.gz",
        f"hlsp_tess-spoc_tess_phot_{_STAR}-s0036-s0036_tess_v1_dvt.fits",
        f"hlsp_tess-spoc_tess_phot_{_STAR}-s0056-s0069_tess_v1_dvr.xml",
        f"hlsp_tess-spoc_tess_phot_{_STAR}-s0056-s0069_tess_v1_dvr.pdf",
        f"hlsp_tess-spoc_tess_phot_{_STAR}-s0056-s0069_tess_v1_dvm.pdf",
        f"hlsp_tess-spoc_tess_phot_{_STAR}-s0056-s0069_tess_v1_dvs-01.pdf",
    ),
    "tcestats": (
        "tess2018206190142-s0001-s0001_dvr-tcestats.csv",
        "tess2018206190142-s0001_dvr-tcestats.csv",
    ),
    "ffi": (
        "tess2018207052942-s0001-1-2-0120-s_ffic.fits",
        "tess2018207052942-s0001-1-2-0120-s_ffir.fits",
        "tess2018207052942-s0001-1-2-0120-x_ffic.fits.gz",
        "hlsp_tica_tess_ffi_s0027-o1-00116470-cam1-ccd1_tess_v01_img.fits",
    ),
    "cbv": (
        "tess2018206045859-s0001-1-2-0120-s_cbv.fits",
        "hlsp_tess-spoc_tess_phot_s0001-1-2_tess_v1_cbv.fits",
    ),
    "collateral": (
        "tess2018207052942-s0001-smear-1-2-c-0120-s_col.fits",
        "tess2018207052942-s0001-ffi-tvcol-1-2-A-0120-x_col.fits",
    ),
    "cube": ("tess-s0001-1-1-cube.fits", "tica-s0001-1-1-cube.fits"),
    "cutout": (
        "tess-s0001-4-3_107.27_-70.0_5x5_astrocut.fits",
        "tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits",
    ),
    "other": (
        "tess2018206190142_dvr.xsd",
        *(
            f"tesscurl_sector_{number}_{what}.sh"
            for number in (1, 27, 101)
            for what in ("ffic", "ffir", "tp", "fast-tp", "lc", "fast-lc", "dv")
        ),
        "tesscurl_multisector_s0001-s0096_dv.sh",
        "hlsp_eleanor_tess_ffi_postcard-s0005-3-3-cal-1686-1132_tess_v2_pc.fits",
        "hlsp_eleanor_tess_ffi_postcard-s0005-3-3-cal-1686-1132_tess_v2_bkg.fits",
        "tess2018331094053_sector01-quat.fits",
        "tess2018331094053_sector01-emi.fits",
        "tess2018243163601-prf-4-1-row0001-col1580.fits",
    ),
}


@pytest.mark.parametrize(("kind", "filename"), [(kind, name) for kind, all_ in OF_THE_ARCHIVE.items() for name in all_])
def test_every_form_of_name_in_the_archive_has_its_kind_and_builds_back(kind, filename):
    name = parse_name(filename)
    assert name.kind == kind
    assert build_name(name.family, **name.parts) == filename


# What the endings of the real files mean.
OF_ENDINGS = {"lc.fits": "lightcurve", "tp.fits": "tpf", "ffic.fits": "ffi", "cbv.fits": "cbv", "dvr.xml": "dv",
              "tcestats.csv": "tcestats", "astrocut.fits": "cutout", "": "other"}  # fmt: skip


def test_every_real_file_is_of_the_kind_that_its_list_tells(real_data):
    """The list beside the files says what is in each; its name, as the archive had it, says the same."""
    told = {
        "target table": "tpf", "stamp": "tpf", "DV report": "dv", "data-validation report": "dv", "table |": "tcestats",
    }  # fmt: skip
    checked = 0
    for line in (real_data / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 5 or not cells[2].isdigit():
            continue
        original = cells[1].removeprefix("backdrop_").removeprefix("c2de12_").removeprefix("s1-3_")
        name = match_name(original)
        if name is None:
            assert cells[1].startswith(RENAMED), cells[1]
            continue
        assert build_name(name.family, **name.parts) == original
        expected = next((kind for words, kind in told.items() if words in cells[3] + " |"), None)
        if expected == "tpf" and "astrocut" in original:
            expected = "cutout"
        if expected is not None:
            assert name.kind == expected, original
        if (tic := cells[3].partition("TIC ")[2].split(",")[0]).isdigit() and name.tic is not None:
            assert name.tic == int(tic)
        assert name.kind == next(kind for ending, kind in OF_ENDINGS.items() if original.endswith(ending)), original
        checked += 1
    assert checked >= 15
