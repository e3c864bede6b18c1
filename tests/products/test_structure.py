"""Is a download whole? What is said of whole files, and of every way to break them."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessellar.errors import Corrupt, MissingInput
from tessellar.products import check_structure, read, write_light_curve
from tessellar.products.fitsfile import FitsFile

from .conftest import META, aperture, light_curve_columns


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "lc.fits"
    return write_light_curve(path, light_curve_columns(), meta=META, aperture=aperture()).read_bytes()


def test_intact_mission_files_pass_with_their_own_sums(real_data: Path):
    for name in (
        "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits",
        "tess2018206045859-s0001-0000000117544915-0120-s_lc.fits",
        "tess2020106103520-s0024-0000000188589164-0180-s_lc.fits",
        "hlsp_tess-spoc_tess_phot_0000000188589164-s0024_tess_v1_lc.fits",
    ):
        assert check_structure(real_data / name) == ("fits blocks", "fits CHECKSUM")
    assert "fits DATASUM" in check_structure(real_data / "test-tpf-tesscut_1x1.fits")
    assert check_structure(real_data / "hlsp_qlp_tess_ffi_s0024-0000000188589164_tess_v01_llc.fits") == ("fits blocks",)
    assert check_structure(real_data / "astrocut_107.27_-70.0_5x5.zip") == ("zip CRC",)
    assert check_structure(real_data / "tess2019033200935-s0008-s0008-0000000307210830-00182_dvr.xml") == ("xml",)


def test_a_file_that_was_edited_after_it_was_sealed(real_data: Path):
    edited = real_data / "tess2019085135100-s0010-2-4-0140-s_cbv.fits"
    with pytest.raises(Corrupt, match="disagrees with its CHECKSUM"):
        check_structure(edited)
    assert "fits CHECKSUM differs" in check_structure(edited, checksums="note")
    assert check_structure(edited, checksums="skip") == ("fits blocks",)
    # In gzip, whose own CRC proves it undamaged, the stale sums do not condemn it.
    assert "fits CHECKSUM differs" in check_structure(real_data / "tess25155310-s01-first-cadences.fits.gz")


def test_our_own_files_pass(tmp_path: Path, whole: bytes):
    path = tmp_path / "lc.fits"
    path.write_bytes(whole)
    assert check_structure(path) == ("fits blocks", "fits CHECKSUM", "fits DATASUM")
    packed = tmp_path / "lc.fits.gz"
    packed.write_bytes(gzip.compress(whole))
    assert check_structure(packed) == ("gzip CRC", "fits blocks", "fits CHECKSUM", "fits DATASUM")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_no_cut_goes_unseen(tmp_path: Path, whole: bytes, data):
    length = data.draw(st.integers(0, len(whole) - 1))
    path = tmp_path / "lc.fits.part"
    path.write_bytes(whole[:length])
    with pytest.raises(Corrupt):
        check_structure(path, name="lc.fits")


def test_a_cut_between_two_parts_is_seen_by_the_number_of_extensions(tmp_path: Path, whole: bytes):
    path = tmp_path / "lc.fits"
    path.write_bytes(whole[: whole.rindex(b"XTENSION= 'BINTABLE'")])
    with pytest.raises(Corrupt, match="2 of its 3 extensions"):
        check_structure(path)
    with pytest.raises(Corrupt, match="2 of its 3 extensions"):
        read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_no_changed_bit_goes_unseen(tmp_path: Path, whole: bytes, data):
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    broken = bytearray(whole)
    broken[at] ^= 1 << bit
    path = tmp_path / "lc.fits"
    path.write_bytes(broken)
    with pytest.raises(Corrupt):
        check_structure(path)


@pytest.mark.parametrize("name", ["a_lc.fits", "a_tp.fits.gz", "a_dvr.xml", "a_dvr.pdf", "a.zip", "a.csv", "a.txt.gz"])
@pytest.mark.parametrize("page", ["<!DOCTYPE html>\n<html>503</html>", "\n <HTML>", '{"error": 1}', ""])
def test_error_pages_are_refused_under_any_name(tmp_path: Path, name, page):
    path = tmp_path / "transfer.part"
    path.write_text(page)
    with pytest.raises(Corrupt, match=r"in place of the file|empty"):
        check_structure(path, name)


def test_bytes_after_the_end(tmp_path: Path, whole: bytes):
    path = tmp_path / "lc.fits"
    path.write_bytes(whole + b"<html>")
    with pytest.raises(Corrupt, match="belong to no part"):
        check_structure(path)
    path.write_bytes(whole + bytes(2880))
    with pytest.raises(Corrupt, match="belong to no part"):
        check_structure(path)


def test_other_formats(tmp_path: Path):
    pdf = tmp_path / "a.pdf"
    pdf.write_bytes(b"%PDF-1.4\n" + bytes(5000) + b"\n%%EOF\n")
    assert check_structure(pdf) == ("pdf marks",)
    pdf.write_bytes(pdf.read_bytes()[:3000])
    with pytest.raises(Corrupt, match="end mark"):
        check_structure(pdf)
    pdf.write_bytes(b"plain text")
    with pytest.raises(Corrupt, match="not PDF"):
        check_structure(pdf)
    xml = tmp_path / "a.xml"
    xml.write_text("<a><b></a>")
    with pytest.raises(Corrupt, match="XML"):
        check_structure(xml)
    packed = tmp_path / "a.txt.gz"
    packed.write_bytes(gzip.compress(b"text" * 1000))
    assert check_structure(packed) == ("gzip CRC",)
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(Corrupt, match="gzip"):
        check_structure(packed)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("a.fits", b"x" * 1000)
    assert check_structure(archive) == ("zip CRC",)
    damaged = bytearray(archive.read_bytes())
    damaged[200] ^= 1
    archive.write_bytes(damaged)
    with pytest.raises(Corrupt, match="CRC"):
        check_structure(archive)


def test_unknown_kinds_have_no_structure_and_missing_files_are_missing(tmp_path: Path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"anything")
    assert check_structure(path) == ()
    with pytest.raises(MissingInput):
        check_structure(tmp_path / "nowhere.fits")


def test_a_validation_time_series_that_counts_its_primary_part_is_whole(tmp_path):
    """MAST's own notebook finds the events as NEXTEND - 2: the mission's files count one part more than there is."""
    tables = [fits.BinTableHDU.from_columns([fits.Column("TIME", "D", array=np.zeros(3))]) for _ in range(3)]
    primary = fits.PrimaryHDU(header=fits.Header({"NEXTEND": 4, "NUMTCES": 2, "TELESCOP": "TESS"}))
    whole = tmp_path / "tess2018206190142-s0001-s0001-0000000025155310-00106_dvt.fits"
    fits.HDUList([primary, *tables]).writeto(whole)
    assert "fits blocks" in check_structure(whole)
    assert len(FitsFile(whole).hdus) == 4
    cut = tmp_path / "cut_dvt.fits"
    fits.HDUList([primary, *tables[:2]]).writeto(cut)
    for check in (check_structure, FitsFile):
        with pytest.raises(Corrupt, match="2 of its 3 extensions are there"):
            check(cut)
