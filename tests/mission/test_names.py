"""File names: read and built, for every family; foreign names are no TESS names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessellar.errors import InputError, Unrecognised
from tessellar.mission import build_name, match_name, parse_name
from tessellar.mission.names import FAMILIES, template_parts

digits = st.text("0123456789", min_size=13, max_size=13)
PARTS = {
    "timestamp": digits,
    "sector": st.integers(1, 99),
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
    "project": st.just("pathos"),
    "extension": st.just("fits"),
    "product": st.just(""),
    "target": st.just(""),
}
PRODUCTS = {
    "spoc-dv": "dvt", "spoc-dvs": "dvs", "spoc-tcestats": "dvr-tcestats", "spoc-tcestats-sector": "dvr-tcestats",
    "spoc-ffi": "ffic", "tess-spoc": "lc", "tess-spoc-dv": "dvt", "tasoc": "cbv-lc", "eleanor-postcard": "pc",
    "tess-data-alerts": "tp", "tessellar": "aperture-lc", "hlsp": "llc",
}  # fmt: skip
EXTENSIONS = {"spoc-dvs": "pdf", "spoc-tcestats": "csv", "spoc-tcestats-sector": "csv", "spoc-dv-schema": "xsd",
              "tess-spoc-dvs": "pdf"}  # fmt: skip
TARGETS = {
    "spoc-collateral": "smear", "spoc-prf": "row0001-col1580", "tesscut": "84.291190_-80.469170_6x6",
    "tglc": "gaiaid-6399196263939178880", "cdips": "gaiatwo0005251470948229139", "tica": "o1-00116470",
    "eleanor-postcard": "cal-0902-1078", "hlsp": "tic-0123456789-s0001",
}  # fmt: skip


@st.composite
def names(draw):
    family = draw(st.sampled_from(FAMILIES)).name
    parts = {part: draw(PARTS[part]) for part in template_parts(family)}
    parts |= {part: table[family] for part, table in
              (("product", PRODUCTS), ("extension", EXTENSIONS), ("target", TARGETS)) if family in table}  # fmt: skip
    if family == "tess-data-alerts":
        parts["tic"] %= 10**9
    return family, parts


@given(names())
def test_what_is_built_is_read_back_part_by_part(made):
    family, parts = made
    filename = build_name(family, **parts)
    name = parse_name(filename)
    assert name.family == family
    for part in ("tic", "camera", "ccd", "scid", "cr", "pin", "planet", "timestamp", "version", "target", "cadence"):
        if part in parts:
            assert getattr(name, part) == parts[part], part
    if "first" in parts:
        assert name.sector_range == (parts["first"], parts["last"])
        assert name.sector == parts["last"]
    else:
        assert name.sector == parts.get("sector")
    assert name.filename == filename
    assert name.kind
    assert name.author


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
        ("hlsp_pathos_tess_lightcurve_tic-0012345678-s0001_tess_v1_llc.fits", "lightcurve", "PATHOS", None, None,
         "hlsp_pathos_tess_lightcurve_tic-0012345678-s0001_tess_v1_llc"),
    ],
)  # fmt: skip
def test_names_of_the_archive(filename, kind, author, tic, sector, obs_id):
    name = parse_name(filename)
    assert (name.kind, name.author, name.tic, name.sector, name.obs_id) == (kind, author, tic, sector, obs_id)


def test_special_pointings_have_any_number():
    assert parse_name("tess2026001000000-s1751-0000000025155310-0300-s_lc.fits").sector == 1751


@pytest.mark.parametrize(
    "filename",
    ["", "notes.txt", "TESS2018206045859-s0001-0000000025155310-0120-s_lc.fits",
     "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits.part", "kplr010666592-2009131110544_slc.fits",
     "tess2018206045859-s0001-000000002515531-0120-s_lc.fits", "tess2018207052942-s0001-5-2-0120-s_ffic.fits",
     "../tess2018206045859-s0001-0000000025155310-0120-s_lc.fits"],
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


def test_the_real_files_are_read_or_told_apart(real_data):
    read = {path.name: match_name(path.name) for path in real_data.iterdir()}
    known = {name for name, found in read.items() if found is not None}
    assert len(known) >= 11
    assert all(name.startswith(("tess", "hlsp_")) for name in known)
    assert all(found.kind != "other" for found in read.values() if found is not None)
