"""Simulated skies as a user meets them: files that readers open, and a truth that they agree with."""

import gzip
import shutil
import subprocess
import warnings
from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from tessellar.errors import InputError, MissingInput, NoPermission
from tessellar.products import read
from tessellar.products.checksum import ones_sum
from tessellar.simulate import (
    ZERO_POINT,
    Star,
    Transit,
    Truth,
    simulate,
    simulated_stamp,
    write_light_curve_file,
    write_target_pixel_file,
)
from tessellar.simulate.stars import FIRST_TIC

DAYS = 1.5


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """The default sky, cut short: 9 stars, 2 sectors and one more for the ninth, 1.5 days each."""
    return simulate(tmp_path_factory.mktemp("sky"), days=DAYS)


def in_memory(path):
    """The parts of a file, without a file left open."""
    raw = path.read_bytes()
    return fits.open(BytesIO(gzip.decompress(raw) if path.suffix == ".gz" else raw))


def opened(sky, row):
    return in_memory(sky.directory / row["target_pixels"]), in_memory(sky.directory / row["light_curve"])


def test_the_default_sky_has_what_it_promises(sky):
    kinds = list(sky.stars["kind"][sky.stars["sector"] == 1])
    assert sorted(kinds) == ["binary", "blend", "planet", "pulsator", "quick", *["quiet"] * 3, "saturated"]
    assert set(sky.stars["sector"]) == {1, 2, 27}
    assert len({(row["sector"], row["camera"], row["ccd"]) for row in sky.stars}) == 3
    assert set(sky.stars["cadence"]) == {20, 120}
    assert all(path.is_file() for path in sky.files())
    assert len(sky.files()) == 2 * (9 * 2 + 2)
    assert sky.stars["tic"].min() >= 9_900_000_001
    assert len(sky.catalogue) > 50


def test_the_truth_can_be_read_again(sky):
    again = Truth.read(sky.directory)
    assert again.stars.colnames == sky.stars.colnames
    np.testing.assert_array_equal(again.stars["epoch"], sky.stars["epoch"])
    row = again.of(FIRST_TIC, 2)
    assert row["kind"] == "planet"
    assert row["sector"] == 2
    with pytest.raises(InputError, match="no TIC 25155310"):
        again.of(25155310)
    with pytest.raises(MissingInput, match="simulate"):
        Truth.read(sky.directory / "truth")


@pytest.mark.skipif(shutil.which("fitsverify") is None, reason="fitsverify is not installed")
def test_fitsverify_finds_only_the_null_values_of_real_files(sky):
    files = [*sky.files(), *(sky.directory / "truth").glob("*.fits")]
    report = subprocess.run(["fitsverify", *files], capture_output=True, text=True, check=False).stdout
    complaints = [line.strip() for line in report.splitlines() if line.startswith("*** ")]
    assert report.count("0 error(s)") == len(files)
    allowed = (" MH has a null value.", " PDC_EPT has a null value.", " PDC_EPTP has a null value.")
    assert [line for line in complaints if not line.endswith(allowed)] == []


def test_every_sum_is_right(sky):
    for path in sky.files()[::5]:
        raw = path.read_bytes()
        with fits.open(path, checksum=False) as hdus:
            for hdu in hdus:
                info = hdu.fileinfo()
                assert ones_sum(raw[info["hdrLoc"] : info["datLoc"] + info["datSpan"]]) == 0xFFFFFFFF
                assert ones_sum(raw[info["datLoc"] : info["datLoc"] + info["datSpan"]]) == int(hdu.header["DATASUM"])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with fits.open(path, checksum=True) as hdus:
                assert len(hdus) in (3, 4)


def test_files_have_the_keywords_and_columns_of_the_mission(sky, real_data):
    row = sky.stars[0]
    real = (
        in_memory(real_data / "tess25155310-s01-first-cadences.fits.gz"),
        in_memory(real_data / "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits"),
    )
    pdc = {"PR_GOOD2", "PR_WGHT2", "FITTYPE2", "PR_GOOD3", "PR_WGHT3", "FITTYPE3"}
    for theirs, ours in zip(real, opened(sky, row), strict=True):
        assert [hdu.name for hdu in ours] == [hdu.name for hdu in theirs]
        for their, our in zip(theirs, ours, strict=True):
            lost = [key for key in their.header if key not in our.header and key not in pdc]
            assert lost == []
            assert set(our.header) - set(their.header) <= {"SIMULATD", "DATASUM", "CHECKSUM"}
            own = [key for key in our.header if key in their.header and key[:2] not in ("1C", "2C", "11", "12", "21")]
            plain = [
                key for key in own if not key.startswith(("TTYPE", "TFORM", "TUNIT", "TDISP", "TDIM", "TNULL", "WC"))
            ]
            assert plain == [key for key in their.header if key in plain]
            if their.is_image:
                continue
            for attribute in ("name", "format", "unit", "disp", "dim", "null"):
                assert getattr(our.columns, f"{attribute}s") == getattr(their.columns, f"{attribute}s"), attribute


def test_every_part_says_that_it_is_simulated(sky):
    for row in sky.stars[:1]:
        for hdus in opened(sky, row):
            assert all(hdu.header["SIMULATD"] is True and hdu.header["SIMDATA"] is True for hdu in hdus)
            assert "simulation" in hdus[0].header["ORIGIN"]


def test_light_curves_are_the_sums_of_their_pixels(sky):
    for row in sky.stars:
        tpf, lc = opened(sky, row)
        mask = (tpf["APERTURE"].data & 2) > 0
        np.testing.assert_array_equal(tpf["APERTURE"].data, lc["APERTURE"].data)
        assert mask.sum() == row["pixels"] == tpf["APERTURE"].header["NPIXSAP"]
        for cube, column in (("FLUX", "SAP_FLUX"), ("FLUX_BKG", "SAP_BKG")):
            total = tpf[1].data[cube][:, mask].sum(axis=1, dtype=np.float64)
            np.testing.assert_allclose(lc[1].data[column], total, rtol=2e-7)
        for column in ("TIME", "TIMECORR", "CADENCENO", "QUALITY", "POS_CORR1"):
            np.testing.assert_array_equal(lc[1].data[column], tpf[1].data[column])


def test_missing_cadences_look_as_in_real_files(sky):
    tpf, lc = opened(sky, sky.stars[0])
    missing = np.isnan(lc[1].data["TIME"])
    assert 0 < missing.sum() < 0.1 * missing.size
    assert (lc[1].data["QUALITY"][missing] == 8).all()
    assert (lc[1].data["TIMECORR"][missing] == 0).all()
    assert np.isnan(tpf[1].data["FLUX"][missing]).all()
    assert (tpf[1].data["RAW_CNTS"][missing] == -1).all()
    assert (tpf[1].data["RAW_CNTS"][~missing] > 200_000).all()
    flagged = (lc[1].data["QUALITY"] & (32 | 4096)) > 0
    assert flagged.any()
    assert np.isnan(lc[1].data["PDCSAP_FLUX"][flagged]).all()


def test_noise_is_photon_and_read_noise(sky):
    for row in sky.stars:
        tpf, lc = opened(sky, row)
        truth = sky.cadences(row["tic"], row["sector"], row["cadence"])
        table = lc[1].data
        good = table["QUALITY"] == 0
        residual = (table["SAP_FLUX"] - truth["FLUX"])[good]
        # Frames of 2 s, less what cosmic-ray mitigation drops (of 20 s nothing); read noise of every one; all light.
        mask = (tpf["APERTURE"].data & 2) > 0
        frames = 10 if row["cadence"] == 20 else 60 * 0.949
        seconds = frames * 1.98
        letter = "ABCD"[int((row["column"] - 45) // 512)]
        read = mask.sum() * frames * tpf[1].header[f"READNOI{letter}"] ** 2 / seconds**2
        expected = np.sqrt((truth["FLUX"] + table["SAP_BKG"])[good] / seconds + read)
        pull = residual / expected
        assert abs(pull.std() - 1) < 4.5 / np.sqrt(2 * good.sum()) + 0.01, row["tic"]
        assert abs(pull.mean()) < 4.5 / np.sqrt(good.sum()), row["tic"]
        np.testing.assert_allclose(table["SAP_FLUX_ERR"][good], expected, rtol=0.01)


def test_flux_tells_the_magnitude(sky):
    for row in sky.stars:
        _, lc = opened(sky, row)
        header, table = lc[1].header, lc[1].data
        assert header["CROWDSAP"] == pytest.approx(1 - row["contamination"], abs=1e-7)
        assert header["FLFRCSAP"] == pytest.approx(row["flux_fraction"], abs=1e-7)
        good = table["QUALITY"] == 0
        signal = sky.cadences(row["tic"], row["sector"], row["cadence"])["SIGNAL"]
        flux = np.median(table["PDCSAP_FLUX"][good] / signal[good])
        assert ZERO_POINT - 2.5 * np.log10(flux) == pytest.approx(lc[0].header["TESSMAG"], abs=0.02), row["kind"]
        ratio = np.nanmedian(table["PDCSAP_FLUX"]) / np.nanmedian(table["SAP_FLUX"])
        assert ratio == pytest.approx(header["CROWDSAP"] / header["FLFRCSAP"], rel=3e-3)


def test_truth_of_the_cadences_is_the_injected_signal(sky):
    for row in sky.stars:
        truth = sky.cadences(row["tic"], row["sector"], row["cadence"])
        star = truth["TARGET"] / truth["SIGNAL"]
        # What is left is the motion of the image, little but in momentum dumps.
        assert np.ptp(np.percentile(star, [1, 99])) / np.median(star) < 0.01
        share = np.median(star) / row["flux"]
        assert share == pytest.approx(row["flux_fraction"], rel=5e-3), row["kind"]
    assert sky.of(FIRST_TIC)["depth"] == pytest.approx(0.0083, abs=2e-4)


def test_a_saturated_star_spills_along_its_columns_and_keeps_its_light(sky):
    row = sky.of(FIRST_TIC + 4, 1)
    tpf, _ = opened(sky, row)
    image = np.nanmedian(tpf[1].data["FLUX"], axis=0)
    assert row["saturated"]
    assert row["kind"] == "saturated"
    assert image.max() == pytest.approx(200_000 / 1.98, rel=0.01)
    full = image > 0.95 * image.max()
    assert full.any(axis=1).sum() > 2 * full.any(axis=0).sum()
    assert image.sum() == pytest.approx(row["flux"], rel=0.05)
    assert image.sum() < row["flux"]


def test_stars_are_where_the_wcs_says(sky):
    for row in sky.stars:
        tpf, lc = opened(sky, row)
        where = WCS(tpf["APERTURE"].header).all_world2pix([[row["ra"], row["dec"]]], 1)[0]
        corner = tpf["APERTURE"].header["CRVAL1P"], tpf["APERTURE"].header["CRVAL2P"]
        assert where[0] + corner[0] - 1 == pytest.approx(row["column"], abs=0.01)
        assert where[1] + corner[1] - 1 == pytest.approx(row["row"], abs=0.01)
        assert (tpf[1].header["1CRV5P"], tpf[1].header["2CRV5P"]) == corner
        if row["kind"] == "quiet" and row["contamination"] < 0.01:
            centroid = [np.nanmedian(lc[1].data[f"MOM_CENTR{axis}"]) for axis in (1, 2)]
            assert centroid == pytest.approx([row["column"], row["row"]], abs=0.15)


def test_times_are_the_spacecrafts_plus_timecorr(sky):
    rows = [row for row in sky.stars if row["sector"] == 1]
    clocks = []
    for row in rows[:2]:
        _, lc = opened(sky, row)
        table = lc[1].data
        clocks.append(table["TIME"] - table["TIMECORR"])
        assert sky.cadences(row["tic"], 1)["TIME"][0] == table["TIME"][0]
        assert lc[1].header["TSTART"] < table["TIME"][0] < lc[1].header["TSTOP"]
    np.testing.assert_allclose(clocks[0], clocks[1], atol=1e-9, equal_nan=True)


def test_lightkurve_opens_both_kinds(sky):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lightkurve
    row = sky.of(FIRST_TIC, 1)
    pixels = lightkurve.read(str(sky.directory / row["target_pixels"]), quality_bitmask="none")
    curve = lightkurve.read(str(sky.directory / row["light_curve"]), flux_column="sap_flux", quality_bitmask="none")
    assert type(pixels).__name__ == "TessTargetPixelFile"
    assert type(curve).__name__ == "TessLightCurve"
    assert pixels.targetid == curve.targetid == FIRST_TIC
    assert (pixels.column, pixels.row) == (int(np.floor(row["column"] + 0.5)) - 5, int(np.floor(row["row"] + 0.5)) - 5)
    made = pixels.to_lightcurve(aperture_mask="pipeline")
    pixels.hdu.close()
    there = np.isin(made.cadenceno, curve.cadenceno)
    assert there.sum() == len(curve) > 900
    np.testing.assert_allclose(made.flux.value[there], curve.flux.value, rtol=1e-6)


def test_tessellar_reads_them_as_spoc_files(sky):
    row = sky.of(FIRST_TIC + 3, 2)
    pixels, curve = read(sky.directory / row["target_pixels"]), read(sky.directory / row["light_curve"])
    for model in (pixels, curve):
        assert (model.author, model.sector, int(model.tic), model.cadence) == ("SPOC", 2, row["tic"], 120)
    assert pixels.flux.shape[1:] == (11, 11)
    assert curve.tmag == row["tmag"]


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(tmp_path):
    arguments = {"n_cadences": 150, "kinds": ["planet", "saturated"], "sectors": [2]}
    first, second = (simulate(tmp_path / name, **arguments) for name in "ab")
    other = simulate(tmp_path / "c", seed=2, **arguments)
    names = sorted(path.relative_to(first.directory) for path in first.directory.rglob("*") if path.is_file())
    assert len([name for name in names if name.parts[0] != "exofop"]) == 14
    for name in names:
        assert (first.directory / name).read_bytes() == (second.directory / name).read_bytes(), name
    assert first.files()[0].read_bytes() != (other.directory / first.files()[0].name).read_bytes()


def test_a_part_of_the_sky_is_as_in_the_whole(sky, tmp_path):
    part = simulate(tmp_path, days=DAYS, kinds=["planet"], sectors=[1])
    names = [path.name for path in part.files()]
    assert [path.read_bytes() for path in part.files()] == [(sky.directory / name).read_bytes() for name in names]


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds other things"):
        simulate(tmp_path, n_cadences=5)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    simulate(tmp_path, n_cadences=5, kinds=["planet"], overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_former_simulation_is_replaced_and_leaves_nothing_behind(tmp_path):
    simulate(tmp_path, n_cadences=5, kinds=["planet", "binary"], sectors=[1])
    (tmp_path / "mine.fits").write_bytes(b"not of the simulation")
    truth = simulate(tmp_path, n_cadences=5, kinds=["planet"], sectors=[1])
    found = {path.name for path in tmp_path.glob("*.fits")}
    assert found == {path.name for path in truth.files()} | {"mine.fits"}
    assert len(list((tmp_path / "truth").glob("*.fits"))) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sectors": []}, "at least one"),
        ({"sectors": [1, 1]}, "each once"),
        ({"sectors": [0]}, "does not exist"),
        ({"sectors": [1, 14]}, "seen by all of sectors 1, 14"),
        ({"kinds": ["quasar"]}, "no star of kind 'quasar'"),
        ({"days": 0}, "more than none"),
        ({"days": 1, "n_cadences": 5}, "give one"),
        ({"n_cadences": 0}, "0 cadences"),
    ],
)
def test_impossible_wishes_are_refused_in_one_line(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        simulate(tmp_path / "sky", **arguments)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path).rglob("*.fits"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        simulate(tmp_path / "file", n_cadences=5)


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    import errno
    from pathlib import Path

    from tessellar.errors import NoSpace

    def full(self, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    stamp = simulated_stamp(3)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(NoSpace, match="disk is full"):
        write_target_pixel_file(tmp_path / "a_tp.fits", stamp)
    assert list(tmp_path.iterdir()) == []


def test_permission_is_reported(tmp_path, monkeypatch):
    from pathlib import Path

    def denied(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(NoPermission, match="may not be written"):
        simulate(tmp_path / "sky", n_cadences=5)


def test_a_star_of_ones_own_and_a_stamp_of_another_shape(tmp_path):
    deep = Star(9_900_000_077, "planet", 9.0, signal=Transit(1.0, 1325.3, radius_ratio=0.2, semi_axis=5.0))
    stamp = simulated_stamp(60, (13, 9), star=deep)
    path = write_target_pixel_file(tmp_path / "x_tp.fits", stamp)
    write_light_curve_file(tmp_path / "x_lc.fits", stamp)
    with fits.open(path) as hdus:
        assert hdus[1].data["FLUX"].shape == (60, 13, 9)
        assert hdus[0].header["TICID"] == 9_900_000_077
    truth = simulate(tmp_path / "sky", stars=[deep], sectors=[1], n_cadences=30)
    assert truth.of(9_900_000_077)["depth"] == pytest.approx(deep.signal.depth)


def test_any_sector_has_a_sky(tmp_path):
    truth = simulate(tmp_path, sectors=[27, 28], n_cadences=5, kinds=["planet"])
    assert {path.name[:23] for path in truth.files()} >= {"tess2020186164531-s0027"}


@pytest.mark.heavy
def test_the_whole_sky_recovers_its_planet(tmp_path):
    import time

    began = time.perf_counter()
    truth = simulate(tmp_path, seed=3)
    assert time.perf_counter() - began < 60
    row = truth.of(FIRST_TIC, 1)
    pieces = []
    for sector in (1, 2):
        table = fits.getdata(tmp_path / truth.of(FIRST_TIC, sector)["light_curve"], 1)
        good = np.isfinite(table["PDCSAP_FLUX"])
        pieces.append(
            np.array([table["TIME"][good], table["PDCSAP_FLUX"][good] / np.median(table["PDCSAP_FLUX"][good])])
        )
    t, flux = np.concatenate(pieces, axis=1)
    phase = np.abs((t - row["epoch"] + row["period"] / 2) % row["period"] - row["period"] / 2)
    depth = np.median(flux[phase > row["duration"]]) - np.median(flux[phase < row["duration"] / 5])
    assert depth == pytest.approx(row["depth"], rel=0.03)
    reports = sorted(tmp_path.glob("*_dvr.xml"))
    assert len(reports) == 3 * 5 + 1
    for report in map(read, reports):
        (tce,), (told,) = report.tces, report.to_table()
        known = truth.of(int(report.tic))
        if tce.eclipsing_binary:
            assert tce.depth == pytest.approx(1e6 * known["depth"], rel=0.05)
            assert tce.secondary_mes > 100
            continue
        assert abs(tce.period - known["period"]) < 4.5 * told["period_err"]
        assert abs(tce.depth - 1e6 * known["depth"]) < 4.5 * told["depth_err"]
        fit = tce.fit("all")
        assert fit.chi_square / fit.degrees_of_freedom == pytest.approx(1, abs=0.15)
