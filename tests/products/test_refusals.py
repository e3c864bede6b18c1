"""Broken, foreign and missing files: three different things, each said in one line."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tessellar.errors import Corrupt, MissingInput, Unrecognised
from tessellar.products import read, write_light_curve

from .conftest import META, light_curve_columns

NAME = "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits"


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    return write_light_curve(tmp_path / "whole.fits", light_curve_columns(), meta=META).read_bytes()


def refused(kind: type[Exception], path: Path) -> str:
    with pytest.raises(kind) as caught:
        read(path)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_missing_file(tmp_path: Path):
    assert "no such file" in refused(MissingInput, tmp_path / "nowhere.fits")


def test_a_folder(tmp_path: Path):
    assert "a folder" in refused(Unrecognised, tmp_path)


def test_an_empty_file(tmp_path: Path):
    (tmp_path / NAME).touch()
    assert "empty" in refused(Corrupt, tmp_path / NAME)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_a_file_cut_short(tmp_path: Path, whole: bytes, share):
    path = tmp_path / NAME
    path.write_bytes(whole[: int(len(whole) * share)])
    assert "cut short" in refused(Corrupt, path)


def test_a_gzip_file_cut_short_or_damaged(tmp_path: Path, whole: bytes):
    packed = gzip.compress(whole)
    path = tmp_path / f"{NAME}.gz"
    path.write_bytes(packed)
    assert len(read(path)) == 200
    path.write_bytes(packed[: len(packed) // 2])
    assert "gzip" in refused(Corrupt, path)
    path.write_bytes(packed[:-6] + bytes(6))
    assert "gzip" in refused(Corrupt, path)


def test_an_error_page_under_a_products_name(tmp_path: Path):
    path = tmp_path / NAME
    path.write_text("<!DOCTYPE html><html><body>Service unavailable</body></html>")
    assert "HTML" in refused(Corrupt, path)
    path.write_text('{"status": "ERROR"}')
    assert "JSON" in refused(Corrupt, path)
    path.write_text("no such uri")
    assert "not FITS" in refused(Corrupt, path)


def test_a_foreign_file(tmp_path: Path):
    path = tmp_path / "page.html"
    path.write_text("<html></html>")
    refused(Unrecognised, path)
    path = tmp_path / "notes.xml"
    path.write_text("<notes/>")
    assert "not a data-validation report" in refused(Unrecognised, path)
    path = tmp_path / "notes.txt"
    path.write_text("# a note")
    refused(Unrecognised, path)


def test_a_broken_report(tmp_path: Path):
    path = tmp_path / "tess2018206190142-s0001-s0001-0000000117544915-00106_dvr.xml"
    path.write_text('<?xml version="1.0"?><dv:dvTargetResults xmlns:dv="http://www.nasa.gov/2018/TESS/DV"><dv:a>')
    assert "XML" in refused(Corrupt, path)


def test_fits_of_another_mission(tmp_path: Path):
    path = tmp_path / "kplr000757076-2009131105131_llc.fits"
    header = fits.Header({"TELESCOP": "Kepler", "ORIGIN": "NASA/Ames"})
    table = fits.BinTableHDU.from_columns([fits.Column("TIME", "D", array=np.arange(3.0))])
    fits.HDUList([fits.PrimaryHDU(header=header), table]).writeto(path)
    assert "not from TESS" in refused(Unrecognised, path)


def test_a_tess_table_of_an_unknown_author(tmp_path: Path):
    path = tmp_path / "curve.fits"
    header = fits.Header({"TELESCOP": "TESS", "ORIGIN": "somebody"})
    table = fits.BinTableHDU.from_columns([fits.Column("TIME", "D", array=np.arange(3.0))])
    fits.HDUList([fits.PrimaryHDU(header=header), table]).writeto(path)
    assert "somebody" in refused(Unrecognised, path)


def test_a_zip_without_fits_and_one_cut_short(tmp_path: Path):
    path = tmp_path / "cutouts.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing " * 1000)
    assert "without FITS" in refused(Unrecognised, path)
    path.write_bytes(path.read_bytes()[:200])
    assert "zip" in refused(Corrupt, path)
