"""Validation reports: the numbers of the file, with units, and nothing where nothing was fitted."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from tessellar.errors import Corrupt, Unrecognised
from tessellar.products import read, read_light_curve
from tessellar.products.validation import DataValidationReport, TCEStatistics, observed_sectors

BINARY = "tess2018206190142-s0001-s0001-0000000117544915-00106_dvr.xml"
L98_59 = "tess2018206190142-s0001-s0006-0000000307210830-00196_dvr.xml"
REPORTS = (BINARY, L98_59, "tess2019033200935-s0008-s0008-0000000307210830-00182_dvr.xml")
NAMESPACE = "{http://www.nasa.gov/2018/TESS/DV}"


@pytest.mark.parametrize("name", REPORTS)
def test_every_fitted_value_of_the_file_is_in_the_table_and_no_other(real_data: Path, name: str):
    """The oracle reads the XML by itself: same order, same values, masked exactly where nothing was fitted."""
    root = ET.parse(real_data / name).getroot()
    expected = []
    for planet in root.iter(f"{NAMESPACE}planetResults"):
        for tag in ("allTransitsFit", "oddTransitsFit", "evenTransitsFit", "trapezoidalFit"):
            for each in planet.iterfind(f"{NAMESPACE}{tag}/*/{NAMESPACE}modelParameter"):
                value, error, fitted = float(each.get("value")), float(each.get("uncertainty")), each.get("fitted")
                known = fitted == "true" or (error >= 0 and (value, error) != (0.0, 0.0))
                expected.append((value if known else None, error if known and error >= 0 else None))
    table = read(real_data / name).parameters()
    table = table[[not str(fit).startswith("reduced") for fit in table["fit"]]]
    found = [
        (None if row["value"] is np.ma.masked else row["value"],
         None if row["uncertainty"] is np.ma.masked else row["uncertainty"])
        for row in table
    ]  # fmt: skip
    assert found == expected


def test_planets_come_as_a_table_with_units(real_data: Path):
    table = read(real_data / L98_59).to_table()
    assert list(table["planet"]) == [1, 2, 3]
    assert (table["period"].unit, table["depth"].unit, table["duration"].unit) == (u.day, u.cds.ppm, u.hour)
    assert (table["radius"].unit, table["semi_major_axis"].unit, table["offset_tic"].unit) == (
        u.R_earth,
        u.AU,
        u.arcsec,
    )
    assert list(table["period"]) == pytest.approx([3.690603902, 2.253088966, 7.450807844])
    assert list(table["period_err"]) == pytest.approx([2.94485e-5, 2.983157e-5, 1.607988e-4])
    assert list(table["odd_even_significance"]) == pytest.approx([0.54618657, 0.7323547, 0.9336113])
    assert list(table["offset_tic"]) == pytest.approx([2.7783353, 3.891526, 5.963014])
    assert list(table["secondary_depth"]) == pytest.approx([179.02068, 74.04095, 181.93425])
    assert list(table["transits"]) == [12, 22, 5]


def test_what_was_not_fitted_is_masked(real_data: Path):
    """No transit model fits this eclipsing binary: its seeds, such as 69 Earth radii, must not show."""
    report = read(real_data / BINARY)
    table = report.to_table()
    assert set(table["source"]) == {"trapezoid fit"}
    for column in ("radius", "semi_major_axis", "radius_err", "period_err", "odd_even", "bootstrap"):
        assert table[column].mask.all(), column
    assert table["offset_tic"].mask.tolist() == [False, False, True]
    assert table["eclipsing_binary"].tolist() == [True, False, False]
    assert all(not parameter.known for tce in report.tces for parameter in tce.parameters.values())
    assert report.tces[0].depth == pytest.approx(380552.197)
    assert math.isnan(report.tces[0].fit("trapezoid").parameters["transitDepthPpm"].uncertainty)
    assert report.tces[0].tests["odd-even depth"].value != report.tces[0].tests["odd-even depth"].value  # NaN


def test_a_report_tells_its_star_and_its_tests(real_data: Path):
    report = read(real_data / REPORTS[2])
    assert report.tois == ("175.01", "175.02", "175.03")
    assert (report.pipeline, report.run_id, report.sector_range) == ("SPOC", 182, (8, 8))
    assert len(report.limb_darkening) == 4
    tests = report.tests()
    longer = tests[(tests["planet"] == 1) & (tests["test"] == "longer period")][0]
    assert (longer["value"], longer["other"]) == (pytest.approx(3998.571), 2)
    offsets = read(real_data / L98_59).offsets()
    assert set(offsets["sector"].compressed()) == {2, 5}
    assert offsets["sector"].mask.sum() == 2 * 3  # a mean for each reference and planet


def test_the_real_light_curve_folded_on_the_reported_period_shows_the_reported_depth(real_data: Path):
    tce = read(real_data / BINARY).tces[0]
    lc = read_light_curve(real_data / "tess2018206045859-s0001-0000000117544915-0120-s_lc.fits")
    good = lc.good() & np.isfinite(lc.flux) & np.isfinite(lc.btjd)
    flux = np.asarray(lc.flux, dtype=float)[good]
    phase = (lc.btjd[good] - tce.epoch + tce.period / 2) % tce.period - tce.period / 2
    half = tce.duration / 48
    level = np.median(flux[np.abs(phase) > half])
    bottom = np.median(flux[np.abs(phase) < half / 8])
    assert 1e6 * (1 - bottom / level) == pytest.approx(tce.depth, rel=0.08)
    elsewhere = np.median(flux[np.abs(np.abs(phase) - tce.period / 4) < half / 8])
    assert abs(1 - elsewhere / level) < 0.02


def test_a_report_whose_parts_contradict_each_other_is_corrupt(real_data: Path):
    content = (real_data / L98_59).read_bytes()
    with pytest.raises(Corrupt, match="sector 5, which it says was not observed"):
        DataValidationReport(Path("a_dvr.xml"), content.replace(b'"001001"', b'"001010"'))
    with pytest.raises(Corrupt, match="a number that every report has"):
        DataValidationReport(Path("a_dvr.xml"), content.replace(b'pipelineTaskId="10941"', b""))
    with pytest.raises(Corrupt, match="broken XML"):
        DataValidationReport(Path("a_dvr.xml"), content[:-100])
    with pytest.raises(Unrecognised, match="not a data-validation report"):
        DataValidationReport(Path("a_dvr.xml"), b"<other/>")


def test_a_report_that_does_not_tell_its_sectors_says_so(real_data: Path):
    content = (real_data / L98_59).read_bytes().replace(b'"001001"', b'"000000"')
    report = DataValidationReport(Path("a_dvr.xml"), content)
    assert (report.sectors, report.run_id, report.sector_range) == ((), None, None)


def test_a_report_without_its_star_still_opens(real_data: Path):
    content = (real_data / L98_59).read_bytes()
    for name in (b"raDegrees", b"tessMag"):
        content = content.replace(b"<dv:" + name + b" provenance", b"<dv:other provenance")
    report = DataValidationReport(Path("a_dvr.xml"), content)
    assert math.isnan(report.ra)
    assert math.isnan(report.tmag)
    assert len(report.tces) == 3


@given(st.sets(st.integers(1, 120), min_size=1))
def test_bits_are_read_from_the_left(sectors: set[int]):
    bits = "".join("1" if sector in sectors else "0" for sector in range(max(sectors) + 1))
    assert observed_sectors(bits) == tuple(sorted(sectors))


def test_events_of_a_list(real_data: Path):
    events = read(real_data / "tess2018206190142-s0001-s0001_dvr-tcestats.csv")
    assert events.sector_range == (1, 1)
    (pi_men,) = events.tces(261136679)
    assert (pi_men.planet, pi_men.period, pi_men.depth) == (1, 6.2675, 301.808)
    assert (pi_men.duration, pi_men.snr, pi_men.source) == (
        pytest.approx(2.97585),
        pytest.approx(28.29154),
        "transit fit",
    )
    assert repr(pi_men) == "<TCE 1, period 6.2675 d, depth 301.81 ppm, transit fit>"
    assert events.sectors(261136679) == (1,)
    assert events.tces(1) == events.sectors(1) == ()


def test_sectors_that_a_list_cannot_tell_are_not_guessed():
    """Bits of zeros alone tell nothing, and lists of long runs lose those behind sector 79."""
    header = b"ticid,tce_plnt_num,tce_period,tce_full_conv,tcet_period,tce_sectors\n"
    name = "tess2018206190142-s0001-s{:04d}_dvr-tcestats.csv"
    for last, bits, expected in ((13, b"0110", (1, 2)), (13, b"0000", ()), (96, b"0110", ())):
        content = header + b"25155310,1,-1.0,false,3.289," + bits + b"\n"
        events = TCEStatistics(Path(name.format(last)), content)
        assert events.sectors(25155310) == expected
        (tce,) = events.tces(25155310)
        assert (tce.period, tce.source) == (3.289, "trapezoid fit")
    with pytest.raises(Corrupt, match="has not the 6 values"):
        TCEStatistics(Path(name.format(13)), header + b"25155310,1,3.2")
