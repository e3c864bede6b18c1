"""Every real file opens as what it is, and says about itself what it should."""

import math
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tessellar import TIC, Field
from tessellar.errors import Unrecognised
from tessellar.products import (
    CBV,
    PRF,
    CutoutArchive,
    DataValidationReport,
    FullFrameImage,
    LightCurve,
    TargetPixelFile,
    TCEStatistics,
    read,
    read_light_curve,
    read_target_pixels,
)
from tessellar.products.fitsfile import FitsFile

LIGHT_CURVES = [
    # name, author, TIC, field, cadence, magnitude, rows, flux column
    (
        "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits",
        "SPOC",
        25155310,
        (1, 4, 1),
        120,
        10.555,
        20076,
        "PDCSAP_FLUX",
    ),
    (
        "tess2018206045859-s0001-0000000117544915-0120-s_lc.fits",
        "SPOC",
        117544915,
        (1, 2, 3),
        120,
        8.441,
        20076,
        "PDCSAP_FLUX",
    ),
    (
        "tess2020106103520-s0024-0000000188589164-0180-s_lc.fits",
        "SPOC",
        188589164,
        (24, 1, 1),
        120,
        10.2705,
        19074,
        "PDCSAP_FLUX",
    ),
    ("test-lc-tess-pimen-100-cadences.fits", "SPOC", 261136679, (1, 4, 2), 120, 5.1054, 100, "PDCSAP_FLUX"),
    (
        "hlsp_tess-spoc_tess_phot_0000000188589164-s0024_tess_v1_lc.fits",
        "TESS-SPOC",
        188589164,
        (24, 1, 1),
        1800,
        10.2705,
        1271,
        "PDCSAP_FLUX",
    ),
    (
        "hlsp_qlp_tess_ffi_s0024-0000000188589164_tess_v01_llc.fits",
        "QLP",
        188589164,
        (24, 1, 1),
        1800,
        10.2705,
        1226,
        "SAP_FLUX",
    ),
    (
        "c2de12_hlsp_tglc_tess_ffi_gaiaid-6399196263939178880-s0001-cam2-ccd1_tess_v1_llc.fits",
        "TGLC",
        389023759,
        (1, 2, 1),
        1800,
        9.412,
        1282,
        "CAL_PSF_FLUX",
    ),
    (
        "test-lc-tess-pimen_s1_eleanor_lite-100-cadences.fits",
        "ELEANOR",
        261136679,
        (1, 4, 2),
        1800,
        5.1054,
        100,
        "CORR_FLUX",
    ),
]

PIXELS = [
    # name, author, TIC, field, cadence, shape, corner
    ("tess25155310-s01-first-cadences.fits.gz", "SPOC", 25155310, (1, 4, 1), 120, (5, 11, 11), (1619, 389)),
    ("tess25155310-s01-first-cadences_no_pm.fits.gz", "SPOC", 25155310, (1, 4, 1), 120, (5, 11, 11), (1619, 389)),
    (
        "tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits",
        "TESScut",
        None,
        (1, 4, 2),
        1800,
        (50, 6, 6),
        (1628, 257),
    ),
    ("test-tpf-tesscut_1x1.fits", "TESScut", None, (12, 2, 1), 1800, (1289, 1, 1), (379, 1458)),
    ("asteroid_test.fits", "TESScut", None, (18, 2, 4), 1800, (1, 10, 11), (134, 570)),
]


@pytest.mark.parametrize(("name", "author", "tic", "field", "cadence", "tmag", "rows", "column"), LIGHT_CURVES)
def test_light_curves(real_data: Path, name, author, tic, field, cadence, tmag, rows, column):
    lc = read(real_data / name)
    assert isinstance(lc, LightCurve)
    assert (lc.author, lc.tic, lc.field, lc.cadence) == (author, TIC(tic), Field(*field), cadence)
    assert lc.tmag == pytest.approx(tmag, abs=1e-3)
    assert (len(lc), lc.flux_column) == (rows, column)
    assert lc.btjd.dtype == np.float64
    assert lc.btjd.shape == lc.flux.shape == lc.flux_err.shape == lc.quality.shape == lc.cadenceno.shape == (rows,)
    assert lc.quality.dtype == lc.cadenceno.dtype == np.int32
    assert 0.6 * rows < np.isfinite(lc.flux[lc.good()]).sum() <= rows
    assert lc.good("none").sum() == np.isfinite(lc.btjd).sum() >= lc.good().sum()
    assert np.nanmedian(lc.flux_err[lc.good()] / lc.flux[lc.good()]) < 0.01
    assert lc.normalised == (author in ("QLP", "TGLC"))
    assert f"TIC {tic}" in repr(lc)
    assert author in lc._repr_html_()


@pytest.mark.parametrize(("name", "author", "tic", "field", "cadence", "shape", "corner"), PIXELS)
def test_target_pixels(real_data: Path, name, author, tic, field, cadence, shape, corner):
    tpf = read(real_data / name)
    assert isinstance(tpf, TargetPixelFile)
    assert (tpf.author, tpf.tic, tpf.field, tpf.cadence) == (author, TIC(tic) if tic else None, Field(*field), cadence)
    assert (tpf.shape, tpf.corner) == (shape, corner)
    for cube in (tpf.flux, tpf.flux_err, tpf.flux_bkg, tpf.flux_bkg_err):
        assert (cube.shape, cube.dtype) == (shape, np.dtype("=f4"))
    assert tpf.raw_counts.dtype == np.dtype("=i4")
    assert (tpf.aperture.shape, tpf.aperture.dtype) == (shape[1:], np.dtype("=i4"))
    assert tpf.pos_corr.shape == (shape[0], 2)
    assert tpf.pipeline_mask.sum() == (9 if author == "SPOC" else 0)
    assert tpf.background_subtracted == (author == "SPOC")
    assert math.isnan(tpf.tmag) == (author == "TESScut")
    if not tpf.background_subtracted:
        assert not tpf.flux_bkg.any()
    if shape[1] > 1:  # of a single pixel, astrocut could fit no coordinates
        x, y = tpf.wcs.all_world2pix([tpf.ra], [tpf.dec], 0)
        assert abs(x[0] - (shape[2] - 1) / 2) < 1.5
        assert abs(y[0] - (shape[1] - 1) / 2) < 1.5
    np.testing.assert_array_equal(tpf.mapped("FLUX"), tpf.flux)


def test_every_table_and_image_reads_as_astropy_reads_it(real_data: Path):
    names = [name for name, *_ in LIGHT_CURVES + PIXELS] + ["tess2019085135100-s0010-2-4-0140-s_cbv.fits"]
    for name in names:
        path = real_data / name
        file = FitsFile(path)
        with fits.open(path, memmap=False) as judge:
            assert len(judge) == len(file.hdus)
            for hdu, other in zip(file.hdus, judge, strict=True):
                assert file.header(hdu.index) == other.header
                if not hdu.is_table:
                    np.testing.assert_array_equal(file.image(hdu), other.data)
                    continue
                assert [column.name for column in file.columns(hdu).values()] == other.columns.names
                for column in other.columns.names:
                    np.testing.assert_array_equal(file.column(hdu, column), other.data[column])
        assert all(value is None or not hasattr(value, "dtype") for hdu in file.hdus for value in hdu.keys.values())


def test_a_star_without_a_position(real_data: Path):
    tpf = read_target_pixels(real_data / "tess25155310-s01-first-cadences_no_target_position.fits.gz")
    assert tpf.tic == TIC(25155310)
    # The primary header has none; that of the table has the one of the epoch.
    assert tpf.ra == pytest.approx(63.37481, abs=1e-4)


def test_the_zip_of_cutouts(real_data: Path):
    archive = read(real_data / "astrocut_107.27_-70.0_5x5.zip")
    assert isinstance(archive, CutoutArchive)
    assert archive.names == ("tess-s0001-4-3_107.27_-70.0_5x5_astrocut.fits",)
    (tpf,) = archive
    # Its headers leave the sector empty and name no software: name and columns tell.
    assert (tpf.author, tpf.field, tpf.shape) == ("TESScut", Field(1, 4, 3), (1282, 5, 5))
    assert tpf.aperture.dtype == np.dtype("=i4")
    _, y = tpf.wcs.all_world2pix([tpf.ra], [tpf.dec], 0)
    assert y[0] == pytest.approx(976, abs=1)  # a known fault of cut-outs of 2018: far off the 5 x 5 stamp


def test_full_frame_image(real_data: Path):
    frame = read(real_data / "backdrop_tess2018206192942-s0001-1-4-0120-s_ffic.fits")
    assert isinstance(frame, FullFrameImage)
    assert frame.flux.shape == (128, 173)
    assert frame.uncertainty.shape == (128, 128)
    assert (frame.camera, frame.ccd, frame.data_release, frame.quality) == (1, 4, 1, 0)
    assert frame.btjd_end - frame.btjd_start == pytest.approx(1800 / 86400, rel=1e-3)
    assert np.nanmedian(frame.flux[:, 44:]) == pytest.approx(149.5, abs=1)
    assert frame.wcs.sip is not None
    assert "173 x 128" in repr(frame)


@pytest.mark.parametrize("ccd", [1, 2])
@pytest.mark.parametrize("row", [1, 513])
@pytest.mark.parametrize("column", [1580, 2092])
def test_pixel_response_functions(real_data: Path, ccd, row, column):
    prf = read(real_data / f"s1-3_tess2018243163601-prf-4-{ccd}-row{row:04d}-col{column}.fits")
    assert isinstance(prf, PRF)
    assert (prf.camera, prf.ccd, prf.row, prf.column, prf.samples) == (4, ccd, row, column, 9)
    assert prf.image.shape == prf.uncertainty.shape == (117, 117)
    assert prf.image.sum() == pytest.approx(81, abs=0.05)
    assert prf.issued == "2018243163601"
    areas = [1 / (prf.phase(x, y) ** 2).sum() for x in range(9) for y in range(9)]
    assert 6.8 < np.mean(areas) < 8.5


def test_basis_vectors(real_data: Path):
    cbv = read(real_data / "tess2019085135100-s0010-2-4-0140-s_cbv.fits")
    assert isinstance(cbv, CBV)
    assert (cbv.field, cbv.cadence) == (Field(10, 2, 4), 120)
    assert cbv.kinds == ("single-scale", "spike", "multiscale-band-1", "multiscale-band-2", "multiscale-band-3")
    single = cbv["single-scale"]
    assert single.vectors.shape == (100, 16)
    assert single.gap.dtype == bool
    assert single.cadenceno[1] - single.cadenceno[0] == 1


@pytest.mark.parametrize(
    ("name", "tic", "sectors", "sector_range", "task", "planets"),
    [
        ("tess2018206190142-s0001-s0001-0000000117544915-00106_dvr.xml", 117544915, (1,), (1, 1), 3837, 3),
        ("tess2018206190142-s0001-s0006-0000000307210830-00196_dvr.xml", 307210830, (2, 5), (1, 6), 10941, 3),
        ("tess2019033200935-s0008-s0008-0000000307210830-00182_dvr.xml", 307210830, (8,), (8, 8), 10238, 2),
    ],
)
def test_validation_reports(real_data: Path, name, tic, sectors, sector_range, task, planets):
    report = read(real_data / name)
    assert isinstance(report, DataValidationReport)
    assert (report.tic, report.sectors, report.sector_range, report.task_id) == (TIC(tic), sectors, sector_range, task)
    assert [tce.planet for tce in report.tces] == list(range(1, planets + 1))
    for tce in report.tces:
        assert set(tce.sectors) <= set(sectors)  # the images' own sectors agree with the bits
        assert tce.period > 0
        assert 1300 < tce.epoch < 1600
    assert set().union(*(tce.sectors for tce in report.tces)) == set(sectors)


def test_parameters_of_a_validation_report(real_data: Path):
    report = read(real_data / "tess2018206190142-s0001-s0006-0000000307210830-00196_dvr.xml")
    planet = report.tces[0]
    assert planet.period == pytest.approx(3.690603901996017)
    assert planet.epoch == pytest.approx(1356.2039447077009)
    assert planet.depth == pytest.approx(1848.855)
    assert planet.duration == pytest.approx(1.27367, abs=1e-5)
    assert (report.tmag, report.ra) == (9.393, 124.5319)
    assert math.isnan(planet.parameters["eccentricity"].value)  # 0 +- 0 and not fitted: not a measurement
    assert planet.parameters["transitDepthPpm"].uncertainty == pytest.approx(59.27924)
    other = read(real_data / "tess2019033200935-s0008-s0008-0000000307210830-00182_dvr.xml")
    assert [tce.toi for tce in other.tces] == ["175.01", "175.02"]


def test_list_of_events(real_data: Path):
    events = read(real_data / "tess2018206190142-s0001-s0001_dvr-tcestats.csv")
    assert isinstance(events, TCEStatistics)
    assert events.about["Sectors"] == "s0001-s0001"
    table = events.to_table()
    assert len(table) == len(events) > 0
    assert table["ticid"].dtype.kind == "i"
    assert table["tce_period"].dtype.kind == "f"


def test_what_is_not_a_product_is_unrecognised(real_data: Path):
    for name in ("astroquery_tic_conesearch_response.json", "README.md", "INSPECTION.txt"):
        with pytest.raises(Unrecognised, match="not a TESS file"):
            read(real_data / name)
    with pytest.raises(Unrecognised, match="not a light curve"):
        read_light_curve(real_data / "tess25155310-s01-first-cadences.fits.gz")
    with pytest.raises(Unrecognised, match="not a target pixel file"):
        read_target_pixels(real_data / "test-lc-tess-pimen-100-cadences.fits")


def test_arrays_cannot_be_changed(real_data: Path):
    lc = read_light_curve(real_data / "test-lc-tess-pimen-100-cadences.fits")
    for values in (lc.flux, lc.btjd, lc.quality, lc.aperture):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 0
