"""Facts of the mission that hold on real files, seen through the models."""

from pathlib import Path

import numpy as np
import pytest

from tessellar.errors import InputError
from tessellar.products import read_light_curve, read_target_pixels

SECTOR_1 = "tess2018206045859-s0001-{:016d}-0120-s_lc.fits"
TWO_MINUTES = "tess2020106103520-s0024-0000000188589164-0180-s_lc.fits"
THIRTY_MINUTES = "hlsp_tess-spoc_tess_phot_0000000188589164-s0024_tess_v1_lc.fits"
TGLC = "c2de12_hlsp_tglc_tess_ffi_gaiaid-6399196263939178880-s0001-cam2-ccd1_tess_v1_llc.fits"
QLP = "hlsp_qlp_tess_ffi_s0024-0000000188589164_tess_v01_llc.fits"


@pytest.mark.parametrize("name", [SECTOR_1.format(25155310), SECTOR_1.format(117544915), TWO_MINUTES])
def test_pdcsap_is_sap_freed_of_neighbours_and_losses(real_data: Path, name):
    lc = read_light_curve(real_data / name)
    good = lc.good()
    sap, pdcsap = np.nanmedian(lc.sap_flux[good]), np.nanmedian(lc.flux[good])
    assert lc.flux_column == "PDCSAP_FLUX"
    assert pdcsap == pytest.approx(sap * lc.table_header["CROWDSAP"] / lc.table_header["FLFRCSAP"], rel=2e-3)
    # Zero point of TESS: 20.44 mag is 1 e-/s.
    assert 20.44 - 2.5 * np.log10(pdcsap) == pytest.approx(lc.tmag, abs=0.1)


def test_ccds_are_read_out_staggered(real_data: Path):
    first, second = (read_light_curve(real_data / SECTOR_1.format(tic)) for tic in (25155310, 117544915))
    _, one, two = np.intersect1d(first.cadenceno, second.cadenceno, return_indices=True)
    spacecraft = [(lc.btjd - lc.timecorr)[rows] for lc, rows in ((first, one), (second, two))]
    late = (spacecraft[1] - spacecraft[0]) * 86400
    late = late[np.isfinite(late)]
    assert late.size == 19261
    assert np.abs(late - 0.540).max() < 1e-3


def test_two_minute_fluxes_bin_to_thirty_minutes(real_data: Path):
    fast, slow = (read_light_curve(real_data / name) for name in (TWO_MINUTES, THIRTY_MINUTES))
    assert (fast.cadenceno[0], slow.cadenceno[0]) == (524401, 34960)  # apart: never to be joined on
    usable = (fast.quality == 0) & np.isfinite(fast.sap_flux)
    half = 0.5 * slow.cadence / 86400
    ratios, steps = [], []
    for row in np.flatnonzero((slow.quality == 0) & np.isfinite(slow.sap_flux)):
        low, high = np.searchsorted(fast.btjd[usable], [slow.btjd[row] - half, slow.btjd[row] + half])
        if high - low == 15:
            ratios.append(fast.sap_flux[usable][low:high].mean(dtype=float) / slow.sap_flux[row])
            steps.append((fast.btjd[usable][low:high].mean() - slow.btjd[row]) * 86400)
    assert len(ratios) == pytest.approx(826, abs=60)
    assert np.median(ratios) == pytest.approx(0.9998, abs=5e-4)
    assert 1.4826 * np.median(np.abs(ratios - np.median(ratios))) == pytest.approx(121e-6, abs=30e-6)
    assert np.abs(np.median(steps)) < 1e-4


def test_qlp_times_are_two_seconds_late(real_data: Path):
    qlp, spoc = (read_light_curve(real_data / name) for name in (QLP, THIRTY_MINUTES))
    _, one, two = np.intersect1d(qlp.cadenceno, spoc.cadenceno, return_indices=True)
    late = (qlp.btjd[one] - spoc.btjd[two]) * 86400
    late = late[np.isfinite(late)]
    assert late.size > 1000
    assert 1.976 < late.min() < late.max() < 1.981


def test_pixels_of_the_aperture_add_up_to_the_light_curve(real_data: Path):
    tpf = read_target_pixels(real_data / "tess25155310-s01-first-cadences.fits.gz")
    lc = read_light_curve(real_data / SECTOR_1.format(25155310))
    rows = np.searchsorted(lc.cadenceno, tpf.cadenceno)
    np.testing.assert_array_equal(tpf.cadenceno, [70444, 70445, 70446, 70447, 70448])
    np.testing.assert_array_equal(tpf.btjd, lc.btjd[rows])
    np.testing.assert_array_equal(tpf.quality, lc.quality[rows])
    np.testing.assert_array_equal(tpf.aperture & 2, lc.aperture & 2)
    flux = tpf.flux[:, tpf.pipeline_mask].sum(axis=1, dtype=np.float64)
    sky = tpf.flux_bkg[:, tpf.pipeline_mask].sum(axis=1, dtype=np.float64)
    usable = np.isfinite(lc.sap_flux[rows])
    np.testing.assert_allclose(flux[usable], lc.sap_flux[rows][usable], rtol=1e-6)
    np.testing.assert_allclose(sky[usable], lc.column("sap_bkg")[rows][usable], rtol=1e-5)


def test_times_are_tdb_and_gaps_are_masked(real_data: Path):
    lc = read_light_curve(real_data / SECTOR_1.format(25155310))
    assert lc.time.scale == "tdb"
    timed = np.isfinite(lc.btjd)
    np.testing.assert_allclose(np.asarray(lc.time[timed].jd) - 2457000, lc.btjd[timed], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(np.asarray(lc.time.mask), np.isnan(lc.btjd))
    assert str(lc.time[timed].utc.isot[0]).startswith("2018-07-25T19")


def test_flags_are_the_authors_own(real_data: Path):
    lc = read_light_curve(real_data / SECTOR_1.format(25155310))
    assert lc.flags(32).name.lower().startswith("desat")
    assert not (lc.quality[lc.good()] & 32).any()
    tglc = read_light_curve(real_data / TGLC)
    np.testing.assert_array_equal(tglc.quality, tglc.column("TESS_flags"))
    assert tglc.flags is lc.flags  # its own are in another column, TGLC_flags


def test_error_of_eleanors_corrected_flux_is_scaled_from_the_raw_one(real_data: Path):
    lc = read_light_curve(real_data / "test-lc-tess-pimen_s1_eleanor_lite-100-cadences.fits")
    relative = lc.column("FLUX_ERR") / lc.column("RAW_FLUX")
    np.testing.assert_allclose(lc.flux_err / lc.flux, relative)
    assert lc.timecorr[0] == pytest.approx(0.00123445, abs=1e-8)  # its BARYCORR
    assert lc.cadenceno[0] == 4697  # its FFIINDEX


def test_columns_in_any_case_and_those_that_are_not_there(real_data: Path):
    lc = read_light_curve(real_data / SECTOR_1.format(25155310))
    np.testing.assert_array_equal(lc.column("pdcsap_flux"), lc.flux)
    with pytest.raises(InputError, match="has no column 'KSPSAP_FLUX': it has TIME"):
        lc.column("KSPSAP_FLUX")


def test_other_packages_get_the_same_numbers(real_data: Path):
    lc = read_light_curve(real_data / SECTOR_1.format(25155310))
    table = lc.to_table()
    assert len(table) == 19261
    assert str(table["SAP_FLUX"].unit) == "electron / s"
    assert table["TIME"].scale == "tdb"
    frame = lc.to_pandas()
    assert list(frame.columns) == list(lc.columns)
    np.testing.assert_array_equal(frame["QUALITY"], lc.quality)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [SECTOR_1.format(25155310), THIRTY_MINUTES, QLP, "test-lc-tess-pimen_s1_eleanor_lite-100-cadences.fits"],
)
def test_lightkurve_reads_the_same_as_we_hand_over(real_data: Path, name):
    lightkurve = pytest.importorskip("lightkurve")
    lc = read_light_curve(real_data / name)
    ours, theirs = lc.to_lightkurve(), lightkurve.read(str(real_data / name), quality_bitmask="none")
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours.flux.value, theirs.flux.value, rtol=1e-6)
    np.testing.assert_allclose(ours.flux_err.value, theirs.flux_err.value, rtol=1e-6)
    np.testing.assert_allclose(ours.time.value, theirs.time.value, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(ours.quality, theirs.quality)
    assert ours.author == lc.author
    assert ours.meta["TARGETID"] == int(lc.tic)
    assert ours.meta["SECTOR"] == lc.sector
