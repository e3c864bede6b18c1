"""Light curves that tessellar writes: judged by fitsverify, astropy, lightkurve and our own reader."""

import os
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS

from tessellar import TIC, Field, __version__
from tessellar.errors import InputError, NoPermission, NoSpace
from tessellar.products import InputFile, Provenance, read_light_curve, read_target_pixels, write_light_curve

from .conftest import CLEAN, META, aperture, fitsverify, light_curve_columns

PROVENANCE = Provenance(
    (InputFile("tess_tp.fits", 48994560, "ab" * 32), InputFile("Größe 'x'.fits", 1, "")),
    {"aperture": "pipeline", "bits": [1, 2], "threshold": np.float64(3.0), "mask": None, "note": "it's"},
)


def stamp_wcs() -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crpix, wcs.wcs.crval, wcs.wcs.cdelt = [6.0, 6.0], [63.37, -69.22], [-0.0058, 0.0058]
    return wcs


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return write_light_curve(
        tmp_path / "deep" / "lc.fits",
        light_curve_columns(),
        meta={**META, "headers": {"MEANFLUX": (1000.5, "[e-/s] median of FLUX"), "TINY": 1e-300, "OPEN": float("nan")}},
        aperture=aperture(),
        sumimage=np.ones((11, 11)),
        wcs=stamp_wcs(),
        provenance=PROVENANCE,
    )


def test_fitsverify_finds_nothing(written: Path):
    assert fitsverify(written) == CLEAN


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_fitsverify_finds_nothing_in_small_and_bare_files(tmp_path: Path, rows):
    columns = {name: np.ones(rows) for name in ("TIME", "FLUX", "FLUX_ERR")}
    assert fitsverify(write_light_curve(tmp_path / "lc.fits", columns, meta={})) == CLEAN


def test_astropy_agrees_with_the_sums_and_the_layout(written: Path):
    with fits.open(written, checksum=True) as file:
        assert [hdu.name for hdu in file] == ["PRIMARY", "LIGHTCURVE", "SUMIMAGE", "APERTURE", "PROVENANCE"]
        for hdu in file:
            assert hdu.verify_checksum() == 1
            assert hdu.verify_datasum() == 1
        assert file[0].header["CREATOR"] == f"tessellar lightcurve {__version__}"
        assert file[0].header["QUALMASK"] == "default"
        assert file[0].header["MEANFLUX"] == 1000.5
        assert "OPEN" not in file[0].header
        assert file[1].header["DATE-OBS"].startswith("2018-07-25T19:")
        assert file[0].header["NEXTEND"] == 4


def test_it_is_read_back(written: Path):
    columns, lc = light_curve_columns(), read_light_curve(written)
    assert (lc.author, lc.tic, lc.field, lc.cadence) == ("tessellar", TIC(25155310), Field(1, 4, 1), 120)
    assert (lc.tmag, lc.ra, lc.dec, lc.data_release, lc.simulated) == (10.555, 63.37389, -69.226789, 1, False)
    for name, values in columns.items():
        # Centroids have six decimals.
        kept = np.round(values, 6) if name.startswith("MOM_CENTR") else values
        np.testing.assert_array_equal(lc.column(name), np.asarray(kept, lc.column(name).dtype))
    np.testing.assert_array_equal(lc.flux, columns["FLUX"].astype("f4"))
    np.testing.assert_array_equal(lc.column("FLUX_RAW"), columns["FLUX"].astype("f4"))
    assert np.isnan(lc.column("FLUX_CORR")).all()
    assert not lc.column("PIXEL_QUALITY").any()
    np.testing.assert_array_equal(lc.aperture, aperture())
    assert lc.units["FLUX"] == "e-/s"
    assert np.isnan(lc.btjd[3])
    assert not lc.good()[3]
    assert not lc.good()[7]
    with fits.open(written) as file:
        wcs = WCS(file["APERTURE"].header)
        assert wcs.wcs_pix2world([[5, 5]], 0)[0] == pytest.approx([63.37, -69.22])
        assert (file["APERTURE"].header["CRVAL1P"], file["APERTURE"].header["CRVAL2P"]) == (1619, 389)


def test_its_table_has_units_that_calculate(written: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = read_light_curve(written).to_table()
    assert table["FLUX"].unit == u.electron / u.s
    assert table["MOM_CENTR1"].unit == u.pix
    assert table["FLUX_CORR"].unit.to(u.dimensionless_unscaled) == pytest.approx(1e-6)


def test_provenance_is_read_back(written: Path):
    record = read_light_curve(written).provenance
    assert record.inputs == PROVENANCE.inputs
    assert record.settings == {"aperture": "pipeline", "bits": [1, 2], "threshold": 3.0, "mask": None, "note": "it's"}
    assert (record.version, record.created) == (__version__, PROVENANCE.created)


def test_provenance_without_inputs_and_of_foreign_files(tmp_path: Path, real_data: Path):
    path = write_light_curve(tmp_path / "lc.fits", light_curve_columns(), meta=META)
    record = read_light_curve(path).provenance
    assert (record.inputs, record.settings, record.version) == ((), {}, __version__)
    assert read_light_curve(real_data / "test-lc-tess-pimen-100-cadences.fits").provenance is None


def test_digest_of_an_input(tmp_path: Path):
    path = tmp_path / "input.fits"
    path.write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert InputFile.of(path) == InputFile("input.fits", 3, digest)
    assert InputFile.of(path, sha256="known").sha256 == "known"


@pytest.mark.filterwarnings("ignore")
def test_lightkurve_opens_it_unaided(written: Path):
    lightkurve = pytest.importorskip("lightkurve")
    lc = lightkurve.read(str(written), quality_bitmask="none")
    ours = read_light_curve(written)
    timed = np.isfinite(ours.btjd)
    assert type(lc).__name__ == "TessLightCurve"
    np.testing.assert_array_equal(lc.flux.value, ours.flux[timed])
    np.testing.assert_array_equal(lc.flux_err.value, ours.flux_err[timed])
    np.testing.assert_array_equal(lc.quality, ours.quality[timed])
    assert str(lc.flux.unit) == "electron / s"
    assert (lc.time.format, lc.time.scale) == ("btjd", "tdb")
    assert (lc.targetid, lc.label, lc.sector) == (25155310, "TIC 25155310", 1)
    np.testing.assert_array_equal(lc.centroid_col.value, ours.column("MOM_CENTR1")[timed])


def test_headers_and_wcs_of_a_real_stamp_are_taken_over(tmp_path: Path, real_data: Path):
    for name in ("tess25155310-s01-first-cadences.fits.gz", "tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits"):
        tpf = read_target_pixels(real_data / name)
        for number, wcs in enumerate((tpf.wcs_header, tpf.wcs)):
            path = tmp_path / f"{number}.fits"
            columns = {"TIME": tpf.btjd, "FLUX": tpf.flux.sum((1, 2)), "FLUX_ERR": tpf.flux_err.sum((1, 2))}
            meta = {"cadence": tpf.cadence, "corner": tpf.corner, "simulated": True}
            write_light_curve(path, columns, meta=meta, aperture=tpf.aperture, wcs=wcs)
            assert fitsverify(path) == CLEAN
            assert read_light_curve(path).simulated
            with fits.open(path) as file:
                corners = [[0, 0], [5, 5]]
                np.testing.assert_allclose(
                    WCS(file["APERTURE"].header).all_pix2world(corners, 0), tpf.wcs.all_pix2world(corners, 0), atol=1e-9
                )


def test_further_columns_and_packing(tmp_path: Path):
    columns = {
        **light_curve_columns(),
        "FLUX_CORR": np.arange(200.0),
        "ORBIT": np.ones(200, int),
        "USED": np.ones(200, bool),
    }
    path = write_light_curve(tmp_path / "lc.fits.gz", columns, meta=META)
    assert fitsverify(path) == CLEAN
    lc = read_light_curve(path)
    np.testing.assert_array_equal(lc.column("FLUX_CORR"), np.arange(200.0))
    assert lc.column("ORBIT").dtype == np.int64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"FLUX": None}, "needs a column FLUX"),
        ({"QUALITY": np.zeros(3)}, "column QUALITY has the shape"),
        ({"NAMES": np.full(200, "x")}, "not of numbers"),
    ],
)
def test_columns_that_make_no_light_curve(tmp_path: Path, change, message):
    columns = {name: values for name, values in {**light_curve_columns(), **change}.items() if values is not None}
    with pytest.raises(InputError, match=message):
        write_light_curve(tmp_path / "lc.fits", columns, meta=META)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["TOO_LONG_KEY", "SECTOR", "A B", ""])
def test_headers_that_cannot_be(tmp_path: Path, key):
    with pytest.raises(InputError, match="header keyword"):
        write_light_curve(tmp_path / "lc.fits", light_curve_columns(), meta={**META, "headers": {key: 1}})


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch):
    path = write_light_curve(tmp_path / "lc.fits", light_curve_columns(), meta=META)
    before = path.read_bytes()

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(NoSpace, match="disk is full"):
        write_light_curve(path, light_curve_columns(50), meta=META)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(NoPermission):
        write_light_curve(tmp_path / "lc.fits", light_curve_columns(), meta=META)


@pytest.mark.heavy
def test_a_sector_is_written_and_read_fast(tmp_path: Path):
    columns, flags = light_curve_columns(20_000), aperture()
    path = tmp_path / "lc.fits"
    spent = []
    for _ in range(9):
        start = time.perf_counter()
        write_light_curve(path, columns, meta=META, aperture=flags, sumimage=np.ones((11, 11)), wcs=stamp_wcs())
        spent.append(time.perf_counter() - start)
    assert min(spent) < 0.030
