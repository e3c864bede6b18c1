"""From real target pixel files to light-curve files, as a user would have them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tessellar.errors import InputError, MissingInput, PhotometryError, StoreError, Unrecognised
from tessellar.photometry import METRICS, STATUS, AperturePhotometry, Result, Settings, Target, measure
from tessellar.pixels import Stamp
from tessellar.products import read, read_light_curve

NAME = "hlsp_tessellar_tess_tpf_0000000025155310-s0001-c0120_tess_v1_aperture-lc.fits"


@pytest.fixture(scope="module")
def spoc_pixels(real_data: Path) -> Path:
    return real_data / "tess25155310-s01-first-cadences.fits.gz"


@pytest.fixture(scope="module")
def cut_out(real_data: Path) -> Path:
    return real_data / "tess-s0001-4-2_84.291190_-80.469170_6x6_astrocut.fits"


def accepted_by_fitsverify(path: Path) -> bool:
    if shutil.which("fitsverify") is None:
        pytest.skip("fitsverify is not installed")
    told = subprocess.run(["fitsverify", str(path)], capture_output=True, text=True, check=False).stdout
    return "found 0 warning(s) and 0 error(s)" in told


def test_the_pipelines_aperture_gives_the_missions_own_light_curve(spoc_pixels: Path, real_data: Path) -> None:
    ours = measure(spoc_pixels)
    assert ours.status is STATUS.OK, ours.reason
    mission = read_light_curve(real_data / "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits")
    rows = np.searchsorted(mission.cadenceno, ours.columns["CADENCENO"])
    np.testing.assert_array_equal(mission.cadenceno[rows], ours.columns["CADENCENO"])
    np.testing.assert_allclose(ours.columns["FLUX"], mission.column("SAP_FLUX")[rows], rtol=1e-6)
    np.testing.assert_allclose(ours.columns["FLUX_BKG"], mission.column("SAP_BKG")[rows], rtol=1e-6)
    np.testing.assert_array_equal(ours.columns["TIME"], mission.btjd[rows])
    np.testing.assert_array_equal(ours.columns["QUALITY"], mission.quality[rows])
    np.testing.assert_array_equal(ours.mask, (np.asarray(mission.aperture) & 2) > 0)
    # The moment centroids of the pipeline were taken over the same nine pixels.
    np.testing.assert_allclose(ours.columns["MOM_CENTR1"], mission.column("MOM_CENTR1")[rows], rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.columns["MOM_CENTR2"], mission.column("MOM_CENTR2")[rows], rtol=0, atol=1e-6)
    # The two files come from different processings, whose errors differ by 2.3 %.
    # Ours are those of the noise: the mission's take the time that was kept on board for that which the noise is worth.
    scale = np.sqrt(0.8 / 0.949)
    np.testing.assert_allclose(ours.columns["FLUX_ERR"], scale * mission.column("SAP_FLUX_ERR")[rows], rtol=0.03)


def test_the_file_says_all_that_the_result_says(spoc_pixels: Path, tmp_path: Path) -> None:
    result = measure(spoc_pixels)
    path = result.write(tmp_path)
    assert path == tmp_path / NAME
    assert [each.name for each in tmp_path.iterdir()] == [NAME]
    assert accepted_by_fitsverify(path)
    back = read_light_curve(path)
    assert (back.tic, back.sector, back.camera, back.ccd, back.cadence) == (result.target.tic, 1, 4, 1, 120.0)
    # The file has single precision, but for times and centroids.
    np.testing.assert_array_equal(back.flux, result.columns["FLUX"].astype(np.float32))
    for name, values in result.columns.items():
        np.testing.assert_allclose(back.column(name), values, rtol=1e-7, err_msg=name)
    with fits.open(path) as hdus:
        header = hdus[0].header
        assert (header["STATUS"], header["PHOTMET"], header["APKIND"]) == ("OK", "aperture", "pipeline")
        assert (header["QUALMASK"], header["BKGSUB"]) == ("default", "input")
        for name, value in result.metrics.items():
            if np.isfinite(value):
                assert header[METRICS[name].keyword] == pytest.approx(value), name
                assert header.comments[METRICS[name].keyword] == METRICS[name].comment
            else:
                assert METRICS[name].keyword not in header
        flags = hdus["APERTURE"].data
        np.testing.assert_array_equal((flags & 2) > 0, result.mask)
        np.testing.assert_array_equal((flags & 8) > 0, result.mask)
        with fits.open(spoc_pixels) as pixels:
            np.testing.assert_array_equal(flags & ~10, pixels["APERTURE"].data & ~10)
        np.testing.assert_allclose(hdus["SUMIMAGE"].data, result.mean_image, rtol=1e-6)


def test_a_folder_is_made_where_there_is_none(spoc_pixels: Path, tmp_path: Path) -> None:
    result = measure(spoc_pixels)
    assert result.write(tmp_path / "new" / "er") == tmp_path / "new" / "er" / NAME
    assert result.write(tmp_path / "mine.fits") == tmp_path / "mine.fits"
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be made"):
        result.write(tmp_path / "file" / "er")
    assert not list(tmp_path.rglob("*.tmp*"))


def test_the_inputs_digest_is_recorded_taken_or_given(spoc_pixels: Path, tmp_path: Path) -> None:
    result = measure(spoc_pixels)
    hashed = read_light_curve(result.write(tmp_path / "a.fits")).provenance
    assert hashed is not None
    assert hashed.inputs[0].name == spoc_pixels.name
    assert hashed.inputs[0].sha256 == hashlib.sha256(spoc_pixels.read_bytes()).hexdigest()
    assert hashed.settings["aperture"] == "default"  # APKIND tells which that was
    assert hashed.settings["quality"] == "default"
    given = read_light_curve(result.write(tmp_path / "b.fits", digest="ab" * 32)).provenance
    assert given is not None
    assert given.inputs[0].sha256 == "ab" * 32


def test_lightkurve_opens_the_file_unaided(spoc_pixels: Path, tmp_path: Path) -> None:
    lightkurve = pytest.importorskip("lightkurve")
    result = measure(spoc_pixels)
    lc = lightkurve.read(str(result.write(tmp_path)), quality_bitmask="none")
    np.testing.assert_allclose(lc.flux.value, result.columns["FLUX"], rtol=1e-7)
    assert lc.targetid == 25155310
    assert str(lc.flux.unit) == "electron / s"


def test_an_error_leaves_no_file(cut_out: Path, tmp_path: Path) -> None:
    result = measure(cut_out, aperture="pipeline")
    assert result.status is STATUS.ERROR
    assert "is empty (no pixel with bit 2)" in result.reason
    with pytest.raises(PhotometryError, match="no light curve of the target is written: the pipeline's aperture"):
        result.write(tmp_path / "lc.fits")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PhotometryError):
        _ = result.lightcurve


def test_a_cut_out_has_its_sky_taken_out_and_says_so(cut_out: Path, tmp_path: Path) -> None:
    result = measure(cut_out, aperture="threshold")
    assert result.status is STATUS.WARNING  # pi Men bleeds out of the stamp
    assert "on the stamp's border" in result.reason
    with pytest.raises(InputError, match="give a file name"):
        result.write(tmp_path)
    path = result.write(tmp_path / "pi_men.fits")
    assert accepted_by_fitsverify(path)
    header = fits.getheader(path)
    assert (header["BKGSUB"], header["STATUS"], header["APSIGMA"]) == ("median", "WARNING", 3.0)
    assert "border" in header["REASON1"]
    assert (result.columns["FLUX_BKG"] > 0).all()


def test_a_cut_out_with_an_unusable_wcs_is_an_error(real_data: Path) -> None:
    result = measure(real_data / "test-tpf-tesscut_1x1.fits", aperture="threshold")
    assert result.status is STATUS.ERROR
    assert "\n" not in result.reason


def test_a_mask_may_come_from_a_file(spoc_pixels: Path, tmp_path: Path) -> None:
    mask = np.zeros((11, 11), dtype=np.uint8)
    mask[4:7, 4:7] = 1
    fits.PrimaryHDU(mask).writeto(tmp_path / "mask.fits")
    result = measure(spoc_pixels, aperture=tmp_path / "mask.fits")
    np.testing.assert_array_equal(result.columns["FLUX"], measure(spoc_pixels, aperture=mask).columns["FLUX"])
    header = fits.getheader(result.write(tmp_path))
    assert (header["APKIND"], header["APNAME"], header["MASKSIZE"]) == ("mask", "mask.fits", 9)
    fits.PrimaryHDU(mask[:5]).writeto(tmp_path / "mask.fits", overwrite=True)
    with pytest.raises(InputError, match=r"mask\.fits has shape \(5, 11\)"):
        measure(spoc_pixels, aperture=str(tmp_path / "mask.fits"))


def test_requests_that_cannot_be_met_raise(spoc_pixels: Path, real_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no aperture is called 'optimum'"):
        measure(spoc_pixels, aperture="optimum")
    with pytest.raises(MissingInput):
        measure(spoc_pixels, aperture="none.fits")
    with pytest.raises(MissingInput):
        measure(tmp_path / "none.fits")
    with pytest.raises(Unrecognised, match="not a target pixel file"):
        measure(real_data / "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits")
    with pytest.raises(InputError):
        measure(spoc_pixels, method="psf9")


@pytest.mark.parametrize("name", ["no_pm", "no_target_position"])
def test_headers_with_holes_are_measured_all_the_same(real_data: Path, name: str, tmp_path: Path) -> None:
    result = measure(real_data / f"tess25155310-s01-first-cadences_{name}.fits.gz")
    assert result.status.has_light_curve
    assert accepted_by_fitsverify(result.write(tmp_path))


def test_pixels_in_memory_are_written_too(make_stamp: Callable[..., Stamp], star: Target, tmp_path: Path) -> None:
    result: Result = AperturePhotometry().run(make_stamp(noise=3.0), star, None, Settings())
    path = result.write(tmp_path)
    assert accepted_by_fitsverify(path)
    back = read(path)
    assert type(back).__name__ == "LightCurve"
    with pytest.raises(InputError, match="a digest is of one input file"):
        result.write(tmp_path, digest="ab" * 32)
    one_gone = AperturePhotometry().run(make_stamp(noise=3.0, quality=np.full(200, 128)), star, None, Settings())
    with pytest.raises(PhotometryError, match="no good cadence"):
        one_gone.write(tmp_path)
