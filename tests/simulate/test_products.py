"""What the mission and others make of the simulated light: validation runs, 20-s files, QLP, the catalogue."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import warnings
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from tessellar.mission.names import build_name, parse_name
from tessellar.products import DataValidationReport, TCEStatistics, read, read_light_curve
from tessellar.simulate import Truth, simulate
from tessellar.simulate.detector import TWENTY_SECONDS, TWO_MINUTES
from tessellar.simulate.schedule import in_twenty_seconds, plan, pointing
from tessellar.simulate.stars import FIRST_TIC

PLANET, BINARY = FIRST_TIC + 8, FIRST_TIC + 1
RUNS = {101: (1, 1), 102: (2, 2), 103: (27, 27), 104: (1, 2), 105: (1, 6), 106: (1, 1)}
NAMESPACE = "{http://www.nasa.gov/2018/TESS/DV}"


@pytest.fixture(scope="module")
def sky(tmp_path_factory) -> Truth:
    """Two and a half days of a planet that goes round in half a day, and of an eclipsing binary."""
    return simulate(tmp_path_factory.mktemp("sky"), days=2.5, kinds=["quick", "binary"])


def files(sky: Truth, ending: str, tic: int | None = None) -> list[Path]:
    return [path for path in sorted(sky.directory.glob(f"*{ending}")) if tic is None or f"{tic:016d}" in path.name]


def report(sky: Truth, tic: int, run: int) -> DataValidationReport:
    (path,) = sky.directory.glob(f"*{tic:016d}-{run:05d}_dvr.xml")
    return read(path)


def folded(sky: Truth, tic: int, sectors: tuple[int, ...], epoch: float, period: float):
    """Days from mid-transit, and flux over its median out of transit, of the light curves of some sectors."""
    phases, fluxes = [], []
    for sector in sectors:
        lc = read_light_curve(sky.directory / sky.of(tic, sector)["light_curve"])
        good = lc.good() & np.isfinite(lc.flux)
        phase = (lc.btjd[good] - epoch + period / 2) % period - period / 2
        flux = lc.flux[good].astype(float)
        phases.append(phase)
        fluxes.append(flux / np.median(flux[np.abs(phase) > sky.of(tic)["duration"] * 0.75]))
    return np.concatenate(phases), np.concatenate(fluxes)


def test_every_file_has_a_name_of_the_archive_and_is_in_the_list(sky):
    listed = set(json.loads((sky.directory / "simulation.json").read_text())["files"])
    kinds = set()
    for path in sky.directory.glob("*.*"):
        if path.name in ("simulation.json", "truth.ecsv"):
            continue
        assert path.name in listed
        if path.name != "tic.ecsv":
            name = parse_name(path.name)
            assert build_name(name.family, **name.parts) == path.name
            kinds.add(name.product)
    assert kinds == {"tp", "lc", "fast-tp", "fast-lc", "dvt", "dvr", "dvm", "dvs", "dvr-tcestats", "llc"}


@pytest.mark.skipif(shutil.which("fitsverify") is None, reason="fitsverify is not installed")
def test_fitsverify_finds_only_the_null_values_of_real_files(sky):
    checked = [*files(sky, "_dvt.fits"), *files(sky, "_llc.fits"), *files(sky, "v1_lc.fits"), *files(sky, "-tp.fits")]
    done = subprocess.run(["fitsverify", *checked], capture_output=True, text=True, check=False)
    assert done.stdout.count(" 0 error(s)") == len(checked) > 10
    null = (" MH has a null value.", " PDC_EPT has a null value.", " PDC_EPTP has a null value.")
    complaints = [line for line in done.stdout.splitlines() if line.lstrip().startswith("*** ")]
    assert [line for line in complaints if not line.endswith(null)] == []


def test_there_are_runs_old_and_new_of_one_sector_and_several(sky):
    found = {}
    for path in files(sky, "_dvr.xml", PLANET):
        one = read(path)
        assert one.simulated
        found[one.run_id] = (one.sector_range, one.sectors)
    assert {run: ranges for run, (ranges, _) in found.items()} == RUNS
    assert found[105] == ((1, 6), (1, 2))  # searched further than observed
    dates = {run: fits.getval(files(sky, f"-{run:05d}_dvt.fits", PLANET)[0], "DATE") for run in RUNS}
    assert [dates[run] for run in sorted(RUNS)] == sorted(dates.values())
    curve = fits.getval(sky.directory / sky.of(PLANET, 1)["light_curve"], "DATE")
    assert dates[101] < curve < dates[104]


def test_a_star_without_transits_has_no_run(tmp_path):
    sky = simulate(tmp_path, days=0.3, kinds=["quiet", "planet"], sectors=[1])
    assert files(sky, "_dvr.xml") == files(sky, ".pdf") == files(sky, ".csv") == []
    assert len(files(sky, "_llc.fits")) == len(files(sky, "v1_lc.fits")) == 4


@pytest.mark.parametrize("run", sorted(RUNS))
def test_reported_values_are_the_injected_ones_within_their_errors(sky, run):
    truth = sky.of(PLANET)
    (row,) = report(sky, PLANET, run).to_table()
    (tce,) = report(sky, PLANET, run).tces
    assert tce.source == "transit fit"
    cycles = (row["epoch"] - truth["epoch"]) / truth["period"]
    late = (cycles - round(cycles)) * truth["period"]
    for name, value, expected, error in (
        ("period", row["period"], truth["period"], row["period_err"]),
        ("epoch", late, 0.0, row["epoch_err"]),
        ("depth", row["depth"], 1e6 * truth["depth"], row["depth_err"]),
        ("duration", row["duration"], 24 * truth["duration"], row["duration_err"]),
        ("radius ratio", row["radius_ratio"], 0.06, row["radius_ratio_err"]),
    ):
        assert abs(value - expected) < 4.5 * error, name
    assert row["depth_err"] < 0.02 * row["depth"]
    assert row["odd_even_significance"] > 1e-4
    assert row["offset_tic"] < row["offset_tic_err"]
    assert row["secondary_mes"] < 5
    assert not row["eclipsing_binary"]


def test_light_goes_missing_at_the_star(sky):
    """Offsets of single sectors have errors of a tenth of a pixel's breadth, and hold within them."""
    for tic in (PLANET, BINARY):
        offsets = report(sky, tic, 104).offsets()
        each = offsets[~offsets["sector"].mask]
        assert len(each) == 4
        assert (each["sky"] < 5 * each["sky_err"] + 0.15).all()
        assert each["sky"].max() < 1.0


@pytest.mark.parametrize(("tic", "run"), [(PLANET, 105), (PLANET, 103), (BINARY, 104)])
def test_folding_the_light_curve_on_the_reported_period_shows_the_reported_depth(sky, tic, run):
    found = report(sky, tic, run)
    (tce,) = found.tces
    phase, flux = folded(sky, tic, found.sectors, tce.epoch, tce.period)
    half = tce.duration / 48
    middle = flux[np.abs(phase) < half / 5]
    bottom, noise = 1 - middle.mean(), middle.std() / np.sqrt(len(middle))
    assert 1e6 * bottom == pytest.approx(tce.depth, abs=0.02 * tce.depth + 3e6 * noise)
    assert noise < 0.03 * bottom
    away = flux[(np.abs(phase) > 2.5 * half) & (np.abs(phase) < 4 * half)]
    assert abs(1 - np.median(away)) < 0.03 * bottom


def test_an_eclipsing_binary_is_told_as_the_mission_does(sky, real_data):
    (tce,) = report(sky, BINARY, 104).tces
    (real,) = read(real_data / "tess2018206190142-s0001-s0001-0000000117544915-00106_dvr.xml").tces[:1]
    assert (tce.source, tce.eclipsing_binary) == (real.source, real.eclipsing_binary) == ("trapezoid fit", True)
    assert not any(value.known for value in tce.parameters.values())
    assert np.isnan(tce.tests["odd-even depth"].value)
    truth = sky.of(BINARY)
    assert tce.period == pytest.approx(truth["period"])
    assert tce.depth == pytest.approx(1e6 * truth["depth"], rel=0.05)


def shape(element: ET.Element, path: str = "", found: dict[str, set[str]] | None = None) -> dict[str, set[str]]:
    found = {} if found is None else found
    path += "/" + element.tag.removeprefix(NAMESPACE)
    found.setdefault(path, set()).update(element.attrib)
    for child in element:
        shape(child, path, found)
    return found


def test_reports_have_the_elements_and_attributes_of_the_mission_in_their_order(sky, real_data):
    real = ET.parse(real_data / "tess2018206190142-s0001-s0006-0000000307210830-00196_dvr.xml").getroot()
    (path,) = sky.directory.glob(f"*{PLANET:016d}-00105_dvr.xml")
    ours = ET.parse(path).getroot()
    # A simulated star is no object of interest.
    expected = {key: value - {"toiId"} for key, value in shape(real).items() if "ToiId" not in key}
    assert shape(ours) == expected
    order = [[kind for kind, _ in itertools.groupby(child.tag for child in one.find(f"{NAMESPACE}planetResults"))]
             for one in (real, ours)]  # fmt: skip
    assert order[0] == order[1]
    names = [[each.get("name") for each in one.iter(f"{NAMESPACE}modelParameter")][:17] for one in (real, ours)]
    assert names[0] == names[1]
    images = ours.findall(f".//{NAMESPACE}differenceImageResults")
    assert [image.get("sector") for image in images] == ["1", "2"]
    assert all(len(image.findall(f"{NAMESPACE}differenceImagePixelData")) == 121 for image in images)


def test_the_time_series_holds_the_light_curves_and_what_was_found(sky):
    (path,) = sky.directory.glob(f"*{PLANET:016d}-00104_dvt.fits")
    (tce,) = report(sky, PLANET, 104).tces
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "TCE_1", "STATISTICS"]
        primary, header, table = hdus[0].header, hdus[1].header, hdus[1].data
        assert "SECTOR" not in primary
        assert (primary["SECTORS"], primary["NUMTCES"]) == ("011", 1)
        assert primary["NEXTEND"] - 2 == primary["NUMTCES"]  # as users of the mission's files count
        assert header["TPERIOD"] == pytest.approx(tce.period)
        assert header["TEPOCH"] == pytest.approx(tce.epoch)
        assert header["TDEPTH"] == pytest.approx(tce.depth)
        assert header["TDUR"] == pytest.approx(tce.duration)
        assert header["MAXMES"] == pytest.approx(tce.mes)
        known = np.isfinite(table["LC_INIT"])
        phase = table["PHASE"][known]
        assert -0.25 * tce.period <= phase.min() < phase.max() <= 0.75 * tce.period
        pull = (table["LC_INIT"] - table["MODEL_INIT"])[known] / table["LC_INIT_ERR"][known]
        assert pull.std() == pytest.approx(1, abs=0.05)
        assert table["MODEL_INIT"][known][np.abs(phase) < 0.005].max() < -0.9e-6 * tce.depth
        white = table["LC_WHITE"][known] - table["MODEL_WHITE"][known]
        assert white.std() == pytest.approx(1, abs=0.07)
        statistics = hdus["STATISTICS"].data
        assert [name for name in statistics.names if name.startswith("SES_CORR")][:2] == [
            "SES_CORR_0_5",
            "SES_CORR_1_0",
        ]
        events = statistics["SES_CORR_1_0"] / np.where(
            statistics["SES_NORM_1_0"] > 0, statistics["SES_NORM_1_0"], np.inf
        )
        assert events.max() == pytest.approx(header["MAXSES"], rel=0.1)
        assert np.abs(np.nanmedian(statistics["RESIDUAL_LC"])) < 1e-4
        for sector in (1, 2):
            lc = read_light_curve(sky.directory / sky.of(PLANET, sector)["light_curve"])
            rows = np.searchsorted(statistics["CADENCENO"], lc.cadenceno)
            np.testing.assert_array_equal(statistics["PDCSAP_FLUX"][rows], lc.column("PDCSAP_FLUX"))
            np.testing.assert_array_equal(statistics["QUALITY"][rows], lc.quality)
            np.testing.assert_array_equal(statistics["TIME"][rows], lc.btjd)


def test_lists_of_events_have_the_columns_of_the_mission_and_the_numbers_of_the_reports(sky, real_data):
    real = read(real_data / "tess2018206190142-s0001-s0001_dvr-tcestats.csv")
    (path,) = sky.directory.glob("*s0001-s0006_dvr-tcestats.csv")
    ours = read(path)
    assert isinstance(ours, TCEStatistics)
    assert list(ours.rows[0]) == list(real.rows[0])
    assert ours.about["Sectors"] == "s0001-s0006"
    for tic in (PLANET, BINARY):
        (listed,), (reported,) = ours.tces(tic), report(sky, tic, 105).tces
        for name in ("period", "epoch", "depth", "duration", "mes"):
            assert getattr(listed, name) == pytest.approx(getattr(reported, name)), name
        assert ours.sectors(tic) == (1, 2)


def test_pages_are_pdf_that_says_it_is_simulated(sky):
    pages = {"_dvr.pdf": 2, "_dvm.pdf": 1, "_dvs.pdf": 1}
    for ending, count in pages.items():
        for path in files(sky, ending, PLANET):
            content = path.read_bytes()
            assert content.startswith(b"%PDF-1.4")
            assert content.count(b"/Type /Page ") == count
            assert b"SIMULATED DATA" in content
            # Every object is where the table at the end says.
            start = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", content)[1])
            places = re.findall(rb"(\d{10}) 00000 n ", content[start:])
            for number, place in enumerate(places, 1):
                assert content[int(place) :].startswith(b"%d 0 obj\n" % number)
            for length, stream in re.findall(rb"/Length (\d+) >>\nstream\n(.*?)\nendstream", content, re.DOTALL):
                assert len(stream) == int(length)


def test_twenty_seconds_add_up_to_two_minutes(sky):
    row = sky.of(PLANET, 27, 20)
    fast = read(sky.directory / row["light_curve"])
    slow = read(sky.directory / sky.of(PLANET, 27)["light_curve"])
    assert (fast.author, fast.cadence, slow.cadence, fast.sector) == ("SPOC", 20, 120, 27)
    assert row["light_curve"].endswith("-0189-a_fast-lc.fits")
    assert len(fast) == 6 * 720
    header = fits.getheader(sky.directory / row["light_curve"], 1)
    assert (header["NUM_FRM"], header["NREADOUT"], header["DEADC"]) == (10, 10, pytest.approx(0.99))
    assert fits.getval(sky.directory / row["light_curve"], "CRMITEN") is False
    parts = fast.btjd.reshape(-1, 6)
    np.testing.assert_allclose(parts.mean(axis=1), slow.btjd[:720], atol=1e-8)
    np.testing.assert_array_equal(fast.cadenceno.reshape(-1, 6)[:, 0], 6 * slow.cadenceno[:720] + 1)
    good = ((fast.quality.reshape(-1, 6) == 0).all(axis=1)) & (slow.quality[:720] == 0)
    mean = fast.sap_flux.reshape(-1, 6).mean(axis=1, dtype=float)
    noise = np.hypot(
        slow.column("SAP_FLUX_ERR")[:720], fast.column("SAP_FLUX_ERR").reshape(-1, 6).mean(axis=1) / 6**0.5
    )
    pull = (mean - slow.sap_flux[:720])[good] / noise[good]
    assert abs(pull.mean()) < 0.3
    assert pull.std() == pytest.approx(1, abs=0.15)
    pixels = read(sky.directory / row["target_pixels"])
    np.testing.assert_allclose(
        pixels.flux[:, pixels.pipeline_mask].sum(axis=1, dtype=float)[good.repeat(6)],
        fast.sap_flux[good.repeat(6)], rtol=1e-6,
    )  # fmt: skip


def test_the_motion_of_twenty_seconds_is_that_of_two_minutes_on_average():
    schedule = plan(27, 2036.0, 2060.0, 300)
    motion = pointing(schedule, 1, 4)
    fine, jitter = in_twenty_seconds(schedule, motion, 1)
    np.testing.assert_allclose(jitter.reshape(300, 6, 2).mean(axis=1), motion, atol=1e-12)
    assert (fine.exposure, schedule.exposure) == (TWENTY_SECONDS, TWO_MINUTES)
    np.testing.assert_allclose(np.diff(fine.clock), np.diff(fine.clock)[0], rtol=1e-5)


def test_qlp_light_curves_are_laid_out_as_theirs(sky, real_data):
    real = real_data / "hlsp_qlp_tess_ffi_s0024-0000000188589164_tess_v01_llc.fits"
    ours = files(sky, "_llc.fits", PLANET)
    assert [parse_name(path.name).sector for path in ours] == [1, 2, 27]
    with fits.open(real) as theirs, fits.open(ours[0]) as mine:
        for their, our in zip(theirs, mine, strict=True):
            assert [key for key in our.header if key != "SIMULATD"] == list(their.header)
        for attribute in ("names", "formats", "units"):
            assert getattr(mine[1].columns, attribute) == getattr(theirs[1].columns, attribute)
        assert mine[0].header["SIMULATD"] is True


@pytest.mark.parametrize(("sector", "cadence"), [(1, 1800), (2, 1800), (27, 600)])
def test_qlp_light_curves_are_means_of_the_two_minute_ones(sky, sector, cadence):
    (path,) = sky.directory.glob(f"hlsp_qlp*s{sector:04d}-{PLANET:016d}*")
    qlp, spoc = read(path), read(sky.directory / sky.of(PLANET, sector)["light_curve"])
    assert (qlp.author, qlp.cadence, qlp.normalised, int(qlp.tic)) == ("QLP", cadence, True, PLANET)
    count = cadence // 120
    signal = sky.cadences(PLANET, sector)
    number = (signal["CADENCENO"] - 1) // count
    expected = np.array([signal["SIGNAL"][number == each].mean() for each in qlp.cadenceno])
    good = qlp.quality == 0
    ratio = qlp.flux[good] / expected[good]
    # Its circular aperture sees the stars about it, too.
    assert np.ptp(np.percentile(ratio, [5, 95])) < 3e-3
    dark = expected < 0.998
    if dark.sum() > 3:
        assert 1 - qlp.flux[dark].min() == pytest.approx(1 - expected.min(), rel=0.15)
    rows = np.searchsorted(spoc.cadenceno, qlp.cadenceno * count + 1 + count // 2)
    near = rows < len(spoc)
    assert np.nanmax(np.abs(qlp.btjd[near] - spoc.btjd[rows[near]])) < cadence / 86400
    assert set(qlp.column("ORBITID")) <= {2 * sector + 7, 2 * sector + 8}


@pytest.mark.parametrize(("sector", "cadence"), [(1, 1800), (2, 1800), (27, 600)])
def test_tess_spoc_light_curves_are_means_of_the_two_minute_ones(sky, sector, cadence):
    (path,) = sky.directory.glob(f"hlsp_tess-spoc*{PLANET:016d}-s{sector:04d}*")
    slow, fast = read(path), read(sky.directory / sky.of(PLANET, sector)["light_curve"])
    assert (slow.author, slow.cadence, slow.sector, int(slow.tic)) == ("TESS-SPOC", cadence, sector, PLANET)
    count = cadence // 120
    assert slow.table_keys["NUM_FRM"] == 60 * count
    number = (fast.cadenceno - 1) // count
    known = np.isfinite(fast.sap_flux)
    means = {}
    for each in set(number[known].tolist()):
        rows = known & (number == each)
        means[each] = (fast.btjd[rows].mean(), fast.sap_flux[rows].mean(dtype=float), int(rows.sum()))
    filled = np.isfinite(slow.sap_flux)
    assert filled.sum() > 0.9 * len(slow)
    for row in np.flatnonzero(filled):
        time, flux, taken = means[int(slow.cadenceno[row])]
        assert slow.btjd[row] == pytest.approx(time, abs=1e-9)
        assert slow.sap_flux[row] == pytest.approx(flux, rel=2e-6)
        expected = np.median(fast.column("SAP_FLUX_ERR")[known]) / np.sqrt(taken)
        assert slow.column("SAP_FLUX_ERR")[row] == pytest.approx(expected, rel=0.1)
    assert set(slow.quality[~filled]) <= {8}
    level, brighter = (np.nanmedian(lc.column("PDCSAP_FLUX")) for lc in (slow, fast))
    assert level == pytest.approx(brighter, rel=1e-3)


def test_tess_spoc_light_curves_are_laid_out_as_theirs(sky, real_data):
    real = fits.open(real_data / "hlsp_tess-spoc_tess_phot_0000000188589164-s0024_tess_v1_lc.fits")
    with real as theirs, fits.open(files(sky, "v1_lc.fits", PLANET)[0]) as ours:
        assert [hdu.name for hdu in ours] == [hdu.name for hdu in theirs]
        for attribute in ("names", "formats", "units", "disps"):
            assert getattr(ours[1].columns, attribute) == getattr(theirs[1].columns, attribute)
        assert ours[1].header["TIMEDEL"] == pytest.approx(theirs[1].header["TIMEDEL"])
        assert ours[1].header["NREADOUT"] == theirs[1].header["NREADOUT"]


def test_lightkurve_reads_what_others_made(sky):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lightkurve

        for path in (files(sky, "_llc.fits", PLANET)[0], *files(sky, "fast-lc.fits")):
            curve = lightkurve.read(str(path), quality_bitmask="none")
            assert int(curve.targetid) == PLANET
            assert len(curve) > 80


def test_the_catalogue_has_the_columns_of_the_tic_and_what_is_no_star(sky, recorded_replies):
    known = {field["name"] for field in json.loads((recorded_replies / "tic.json").read_text())["fields"]}
    table = Table.read(sky.directory / "tic.ecsv")
    assert set(table.colnames) - known == {"ra_orig", "dec_orig"}
    kinds = table["disposition"].filled("")
    assert {kind: int((kinds == kind).sum()) for kind in set(kinds) - {""}} == {"DUPLICATE": 3, "ARTIFACT": 2}
    stars = table[(kinds == "") | (kinds == "SPLIT")]
    assert {int(number) for number in stars["ID"]} == {int(number) for number in sky.catalogue["tic"]}
    twins = table[kinds == "DUPLICATE"]
    for twin in twins:
        (one,) = stars[stars["ID"] == twin["duplicate_id"]]
        assert abs(one["dec"] - twin["dec"]) < 1e-6
        assert one["Tmag"] == twin["Tmag"]
    still = stars["pmRA"].mask
    assert 0 < still.sum() < len(stars) / 2
    assert list(table["ID"]) == sorted(table["ID"], key=int)


def test_a_blend_is_split_in_the_catalogue(tmp_path):
    sky = simulate(tmp_path, n_cadences=5, kinds=["blend"], sectors=[1])
    table = Table.read(tmp_path / "tic.ecsv")
    (companion,) = table[table["disposition"].filled("") == "SPLIT"]
    blend = sky.of(FIRST_TIC + 3)
    assert companion["Tmag"] == pytest.approx(blend["tmag"] + 0.9)
    (row,) = table[table["ID"] == str(FIRST_TIC + 3)]
    assert row["contratio"] == pytest.approx(10 ** (-0.4 * 0.9), rel=0.05)  # neighbours over the star


def test_stars_stand_in_the_sky_where_their_motion_brings_them(sky):
    """Positions are of 2000; with the proper motion to the first sector they are those of the images."""
    table = Table.read(sky.directory / "tic.ecsv")
    where = {int(row["tic"]): (row["ra"], row["dec"]) for row in sky.catalogue}
    years = 2000 + (2457000 + 1326.5 - 2451545.0) / 365.25 - 2000
    moved = 0
    for row in table:
        if int(row["ID"]) not in where or np.ma.is_masked(row["pmRA"]):
            continue
        ra, dec = where[int(row["ID"])]
        assert 3.6e6 * abs(row["dec"] + years * row["pmDEC"] / 3.6e6 - dec) < 0.1  # mas
        assert 3.6e6 * abs((row["ra"] - ra) * np.cos(np.deg2rad(dec)) + years * row["pmRA"] / 3.6e6) < 0.1
        moved += row["pmRA"] != 0
    assert moved > 10


def test_the_targets_alone(tmp_path):
    sky = simulate(tmp_path, days=1.2, kinds=["planet"], sectors=[1])
    assert len(files(sky, "_llc.fits")) == len(files(sky, "v1_lc.fits")) == 1
    plain = simulate(tmp_path, days=1.2, kinds=["planet"], sectors=[1], extras=False)
    row = plain.of(FIRST_TIC)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {row["target_pixels"], row["light_curve"], "simulation.json", "truth", "truth.ecsv"}


def test_a_shorter_sky_leaves_no_run_of_the_former_one(tmp_path):
    longer = simulate(tmp_path, days=1.3, kinds=["quick"], sectors=[1])
    assert files(longer, "_dvr.xml")
    again = simulate(tmp_path / "again", days=1.3, kinds=["quick"], sectors=[1])
    for path in longer.directory.glob("*_dv*"):
        assert path.read_bytes() == (again.directory / path.name).read_bytes(), path.name
    shorter = simulate(tmp_path, days=0.2, kinds=["quick"], sectors=[1])
    assert list(shorter.directory.glob("*_dv*")) == []
