"""Follow-up light curves: every real file opens, names are understood, and times are not believed unchecked."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tessellar
from tessellar.errors import Corrupt, ProductError, Unrecognised
from tessellar.plots import page
from tessellar.products import ContrastCurve, FollowupLightCurve, FollowupName, parse_followup_name
from tessellar.products.followupnames import FILTERS, match_followup_name
from tessellar.products.followuptime import barycentric_correction
from tests.conftest import SHARED

NIGHT = date(2022, 6, 30)
JD = 2459760.75  # in that night


@pytest.fixture(scope="module")
def tfop_files() -> Path:
    folder = SHARED / "data" / "exofop" / "tfop_files"
    if not folder.is_dir():
        pytest.skip("the real follow-up files are not beside this checkout")
    return folder


def curve_of(folder: Path, text: str, name: str = "TIC1-01_20220630_LCO_ip_measurements.tbl") -> FollowupLightCurve:
    path = folder / name
    path.write_text(text)
    model = tessellar.read(path)
    assert isinstance(model, FollowupLightCurve)
    return model


def table(head: str, *columns: np.ndarray, separator: str = "\t") -> str:
    rows = "\n".join(separator.join(f"{value!r}" for value in map(float, row)) for row in zip(*columns, strict=True))
    return f"{head}\n{rows}\n"


TIMES = JD + np.arange(5) / 100
ONES = np.linspace(0.99, 1.01, 5)


# Real files


def test_every_real_file_opens_and_is_drawn(tfop_files: Path) -> None:
    kinds = {}
    for path in sorted(tfop_files.glob("T*")):
        model = tessellar.read(path)
        kinds[path.name] = type(model).__name__
        assert page(model).axes
        assert model._repr_html_() if isinstance(model, FollowupLightCurve) else repr(model)
    assert len(kinds) == 7
    assert [name for name, kind in kinds.items() if kind != "FollowupLightCurve"] == [
        "TOI5671I-dc20230608-Hcont_plot.tbl"
    ]


@pytest.mark.parametrize(
    ("name", "author", "points", "comparisons", "depth"),
    [
        ("TIC23863105-01_20230326_LCO-McD-1m0_V_measurements.tbl", "AstroImageJ", 30, "C3 C4 C6 C8", 0.094),
        ("TIC23863105-01_20230428_LCO-MCD-1m0_gp_measurements.tbl", "AstroImageJ", 31, "C2 C8", 0.09),
        ("TIC23863105-11_20220621_LCO-HAL-0m4_zs_measurements.tbl", "AstroImageJ", 26, "C6 C11 C14", 0.08),
        ("TIC23863106-01_20220608_KeplerCam_ip.dat", "KeplerCam", 45, "", 0.09),
        ("TOI5671.01L-jd20220630_MuSCAT3_g_measurements.csv", "MuSCAT", 120, "", 0.09),
        ("TOI5671.01L-jd20220630_MuSCAT3_r_measurements.csv", "MuSCAT", 250, "", 0.09),
    ],
)
def test_real_light_curves_are_named_alike(
    tfop_files: Path, name: str, author: str, points: int, comparisons: str, depth: float
) -> None:
    curve = tessellar.read(tfop_files / name)
    assert isinstance(curve, FollowupLightCurve)
    assert (curve.author, len(curve), " ".join(curve.comparisons)) == (author, points, comparisons)
    # All of them say BJD_TDB; where JD_UTC stands beside it, the difference is what it should be within 2 s.
    assert (curve.time_system, curve.doubts) == ("BJD_TDB", ())
    assert np.all((curve.btjd > 2700) & (curve.btjd < 3100))
    found = curve.to_table()
    assert {"time", "flux", "flux_err", "airmass"} <= set(found.colnames)
    assert {f"flux_{star}" for star in curve.comparisons} <= set(found.colnames)
    low, high = np.percentile(found["flux"], [10, 90])
    assert 1 - low / high == pytest.approx(depth, abs=0.025)
    assert np.nanmedian(found["flux_err"] / found["flux"]) < 0.02


def test_the_times_of_astroimagej_are_checked_against_the_sky(tfop_files: Path) -> None:
    path = tfop_files / "TIC23863105-01_20230326_LCO-McD-1m0_V_measurements.tbl"
    curve = tessellar.read(path)
    assert isinstance(curve, FollowupLightCurve)
    assert curve.position == pytest.approx((211.0092, 38.6183), abs=1e-3)
    correction = 86400 * np.median(curve.jd - curve.column("JD_UTC"))
    assert barycentric_correction(float(np.median(curve.column("JD_UTC"))), *curve.position) == pytest.approx(
        correction, abs=0.1
    )


def test_contrast_curve(tfop_files: Path) -> None:
    curve = tessellar.read(tfop_files / "TOI5671I-dc20230608-Hcont_plot.tbl")
    assert isinstance(curve, ContrastCurve)
    assert (curve.notes["Telescope"], curve.notes["PI"]) == ("Palomar-5m", "Ciardi")
    assert str(curve.toi) == "TOI5671"
    assert (len(curve), curve.at(1.126), curve.spread[1]) == (62, 7.461, 0.296)
    assert np.isnan(curve.at(20))


# Names


@pytest.mark.parametrize(
    ("name", "target", "planet", "night", "observatory", "used_filter", "aperture", "content"),
    [
        ("TIC_337217173-01_20250922_LCO-SS-1.0m_ip_15pix_measurements.tbl",
         "TIC_337217173", 1, "2025-09-22", "LCO-SS-1.0m", "ip", 15.0, "measurements"),
        ("TIC218795833.01_20190401_LCO1m_ip_Measurements.xls",
         "TIC218795833", 1, "2019-04-01", "LCO1m", "ip", None, "Measurements"),
        ("TIC254113311-01_20200822_El_Sauce_Rc-filter_measurements.xls",
         "TIC254113311", 1, "2020-08-22", "El_Sauce", "Rc", None, "measurements"),
        ("TIC446549905-01_20190916_Brierfield0.36m_measurements.tbl",
         "TIC446549905", 1, "2019-09-16", "Brierfield0.36m", "", None, "measurements"),
        ("TIC254113311.01_20200805_ASTEP-ANTARCTICA_Rc_compstar-lightcurves.png",
         "TIC254113311", 1, "2020-08-05", "ASTEP-ANTARCTICA", "Rc", None, "compstar-lightcurves"),
        ("TIC1-02_20200805_LCO_B_3px_NEB-table.txt", "TIC1", 2, "2020-08-05", "LCO", "B", 3.0, "NEB-table"),
        ("TIC1_02_20200805_notes.txt", "TIC1", 2, "2020-08-05", "", "", None, "notes"),
        ("TOI5671.01L-jd20220630_MuSCAT3_g_measurements.csv",
         "TOI5671", 1, "2022-06-30", "MuSCAT3", "g", None, "measurements"),
        ("TOI5671I-dc20230608-Hcont_plot.tbl", "TOI5671", None, "2023-06-08", "", "Hcont", None, "plot"),
    ],
)  # fmt: skip
def test_names_as_they_are_found(
    name: str, target: str, planet: int | None, night: str, observatory: str, used_filter: str, aperture: float | None,
    content: str,
) -> None:  # fmt: skip
    found = parse_followup_name(name)
    assert (found.target, found.planet, str(found.night)) == (target, planet, night)
    assert (found.observatory, found.filter, found.aperture, found.content) == (
        observatory,
        used_filter,
        aperture,
        content,
    )


def test_what_a_name_is_of() -> None:
    assert parse_followup_name("TIC_337217173-01_20250922_x_ip_notes.txt").tic == tessellar.TIC(337217173)
    made = parse_followup_name("TOI5671.01L-jd20220630_MuSCAT3_g_measurements.csv")
    assert (made.toi, made.tic, made.kind, made.observer) == (tessellar.TOI("5671.01"), None, "L", "jd")
    assert made.is_measurements


@pytest.mark.parametrize(
    "name", ["", "x.tbl", "TIC1_notes.txt", "TIC1-01_20221399_LCO_ip.tbl", "README", "TIC1-01_202206_a_b.c"]
)
def test_names_of_other_files(name: str) -> None:
    assert match_followup_name(name) is None
    with pytest.raises(Unrecognised):
        parse_followup_name(name)


words = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.-]{0,12}", fullmatch=True).filter(
    lambda text: text not in FILTERS
    and not text.endswith((".", "-"))
    and not any(word in text.lower() for word in ("px", "pix", "filter", "band"))
)  # fmt: skip
nights = st.dates(date(2000, 1, 1), date(2099, 12, 31))
given_names = st.builds(
    FollowupName,
    st.one_of(st.integers(1, 9_999_999_999).map("TIC{}".format), st.integers(1, 9999).map("TOI{}".format)),
    st.integers(0, 99),
    nights,
    words,
    st.sampled_from(sorted(FILTERS)),
    st.one_of(st.none(), st.integers(1, 400).map(lambda tenths: tenths / 10)),
    words,
    st.sampled_from(["tbl", "csv", "txt", "png", "plotcfg"]),
)
made_names = st.builds(
    FollowupName,
    st.integers(1, 9999).map("TOI{}".format),
    st.one_of(st.none(), st.integers(1, 99)),
    nights,
    words,
    st.sampled_from(sorted(FILTERS)),
    st.none(),
    words,
    st.sampled_from(["tbl", "csv"]),
    st.from_regex(r"[a-z]{2,3}", fullmatch=True),
    st.sampled_from("LISFO"),
)


@given(st.one_of(given_names, made_names))
def test_a_name_that_is_written_is_read_again(name: FollowupName) -> None:
    assert parse_followup_name(name.filename) == name


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_is_refused(text: str) -> None:
    match_followup_name(text)


# Times


@pytest.mark.parametrize(
    ("column", "values", "system", "zero"),
    [
        ("BJD_TDB", TIMES, "BJD_TDB", 0.0),
        ("#BJD_TDB", TIMES, "BJD_TDB", 0.0),
        ("bjd_tdb_mobs", TIMES, "BJD_TDB", 0.0),
        ("BJD_TDB", TIMES - 2457000, "BJD_TDB", 2457000.0),
        ("BJD_TDB", TIMES - 2450000, "BJD_TDB", 2450000.0),
        ("BJD_TDB", TIMES - 2400000, "BJD_TDB", 2400000.0),
        ("BTJD", TIMES - 2457000, "BJD_TDB", 2457000.0),
        ("J.D.-2400000", TIMES - 2400000, "JD_UTC", 2400000.0),
        ("MJD", TIMES - 2400000.5, "MJD", 2400000.5),
        ("HJD_UTC", TIMES, "HJD_UTC", 0.0),
        ("time", TIMES - 2454833, "unknown", 2454833.0),
    ],
)
def test_times_are_whole_dates_whatever_they_count_from(
    tmp_path: Path, column: str, values: np.ndarray, system: str, zero: float
) -> None:
    curve = curve_of(tmp_path, table(f"{column}\tflux\terr", values, ONES, ONES / 100))
    assert (curve.time_system, curve.time_axis.zero) == (system, zero)
    np.testing.assert_allclose(curve.jd, TIMES, rtol=0, atol=1e-8)
    assert bool(curve.doubts) == (system != "BJD_TDB")
    if system == "BJD_TDB":
        np.testing.assert_allclose(curve.btjd, TIMES - 2457000, atol=1e-8)
    else:
        with pytest.raises(ProductError, match="not BJD_TDB"):
            _ = curve.btjd


def test_the_best_system_is_taken_that_has_values(tmp_path: Path) -> None:
    nothing = np.full(5, np.nan)
    text = table("JD_UTC\tBJD_TDB\tflux\terr", TIMES, TIMES + 300 / 86400, ONES, ONES)
    assert curve_of(tmp_path, text).time_axis.column == "BJD_TDB"
    empty = curve_of(tmp_path, table("JD_UTC\tBJD_TDB\tflux\terr", TIMES, nothing, ONES, ONES))
    assert empty.time_system == "JD_UTC"
    assert "not BJD_TDB" in empty.doubts[0]


def test_times_that_cannot_be_true_are_told(tmp_path: Path) -> None:
    def doubts(bjd: np.ndarray, utc: np.ndarray = TIMES, name: str = "TIC1-01_20220630_LCO_ip_measurements.tbl") -> str:
        head = "JD_UTC\tBJD_TDB\trel_flux_T1\trel_flux_err_T1\tRA_T1\tDEC_T1"
        place = (np.full(5, 14.067279), np.full(5, 38.618287))
        return "; ".join(curve_of(tmp_path, table(head, utc, bjd, ONES, ONES, *place), name).doubts)

    right = barycentric_correction(float(np.median(TIMES)), 14.067279 * 15, 38.618287) / 86400
    assert doubts(TIMES + right) == ""
    assert "nothing was corrected" in doubts(TIMES)
    assert "should be" in doubts(TIMES + right + 69.184 / 86400)  # leap seconds and TT counted twice
    assert "8.5 min" in doubts(TIMES + 0.02)
    assert "from the night" in doubts(TIMES + right, name="TIC1-01_20220710_LCO_ip_measurements.tbl")
    assert "does not tell" in doubts(TIMES - 2459000, name="TIC1.tbl")


# Tables as observers write them


@pytest.mark.parametrize(
    "text",
    [
        table("BJD_TDB,Flux,Err", TIMES, ONES, ONES / 100, separator=","),
        table("BJD_TDB;rel_flux;rel_flux_err", TIMES, ONES, ONES / 100, separator=";"),
        table("# BJD_TDB  flux  flux_err", TIMES, ONES, ONES / 100, separator="  "),
        "\ufeff" + table("BJD_TDB,Flux,Err", TIMES, ONES, ONES / 100, separator=",").replace("\n", "\r\n"),
        "# Telescope = LCO\n# Filter: ip\n"
        + table("#BJD_TDB flux_star_0 sigma", TIMES, ONES, ONES / 100, separator=" "),
        "\n".join(f"{line}\t" for line in table("BJD_TDB\tFLUX\tERRFLUX", TIMES, ONES, ONES / 100).splitlines()),
    ],
)
def test_separators_headers_and_ends_of_lines(tmp_path: Path, text: str) -> None:
    curve = curve_of(tmp_path, text)
    assert (len(curve), curve.time_system) == (5, "BJD_TDB")
    np.testing.assert_array_equal(curve.flux, ONES)
    np.testing.assert_array_equal(curve.flux_err, ONES / 100)


def test_three_columns_without_names(tmp_path: Path) -> None:
    curve = curve_of(tmp_path, table("# made by hand", TIMES, ONES, ONES / 100, separator=" "))
    np.testing.assert_array_equal(curve.flux_err, ONES / 100)
    assert curve.time_system == "BJD"
    assert "69 s" in curve.doubts[0]


def test_flux_that_was_worked_on_is_the_second_choice(tmp_path: Path) -> None:
    head = "BJD_TDB\trel_flux_T1_n\trel_flux_err_T1_n\trel_flux_T1\trel_flux_err_T1\trel_flux_C2_n"
    both = curve_of(tmp_path, table(head, TIMES, ONES, ONES / 50, 2 * ONES, ONES / 100, ONES))
    assert (both.flux_column, both.stars, list(both.comparisons)) == ("rel_flux_T1", ("T1", "C2"), ["C2"])
    np.testing.assert_array_equal(both.flux_err, ONES / 100)
    one = curve_of(tmp_path, table("BJD_TDB\trel_flux_T1_fn\trel_flux_err_T1_fn", TIMES, ONES, ONES / 50))
    assert one.flux_column == "rel_flux_T1_fn"
    np.testing.assert_array_equal(one.flux_err, ONES / 50)


def test_a_light_curve_without_errors(tmp_path: Path) -> None:
    curve = curve_of(tmp_path, table("BJD_TDB,Flux", TIMES, ONES, separator=","))
    assert np.isnan(curve.flux_err).all()


def test_damaged_and_foreign_tables(tmp_path: Path) -> None:
    path = tmp_path / "TIC1-01_20220630_LCO_ip_measurements.tbl"
    whole = table("Label\tBJD_TDB\trel_flux_T1\trel_flux_err_T1", TIMES, TIMES, ONES, ONES)
    path.write_text(whole[:-30])
    with pytest.raises(Corrupt, match="line 6 has"):
        tessellar.read(path)
    path.write_text("<!DOCTYPE html><html><body>Please log in</body></html>")
    with pytest.raises(Corrupt, match="in place of the file"):
        tessellar.read(path)
    path.write_text(whole.replace("0.995", "0.99x"))
    with pytest.raises(Corrupt, match="is no number"):
        _ = tessellar.read(path).flux  # type: ignore[union-attr]
    path.write_text("")
    with pytest.raises(Corrupt, match="empty"):
        tessellar.read(path)
    for text in ("Notes of the night.\nIt was cloudy.\n", table("a,b,c,d", TIMES, ONES, ONES, ONES, separator=",")):
        path.write_text(text)
        with pytest.raises(Unrecognised):
            tessellar.read(path)
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(Unrecognised):
        tessellar.read(path)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_table_or_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.tbl"
    path.write_bytes(content)
    try:
        model = tessellar.read(path)
    except ProductError:
        return
    assert len(model)  # type: ignore[arg-type]


def test_nights_are_a_day_wide(tmp_path: Path) -> None:
    """A night that begins before midnight UT, or ends after it, is no doubt."""
    for hours in (-12, 0, 30):
        start = (NIGHT - date(2000, 1, 1)) / timedelta(days=1) + 2451544.5 + hours / 24
        text = table("BJD_TDB,Flux,Err", start + np.arange(5) / 100, ONES, ONES, separator=",")
        assert curve_of(tmp_path, text).doubts == ()


def test_look_draws_a_night(tmp_path: Path) -> None:
    path = tmp_path / "TIC1-01_20220630_LCO_ip_measurements.tbl"
    path.write_text(table("BJD_TDB\tflux\terr", TIMES, ONES, ONES / 100))
    command = [sys.executable, "-m", "tessellar", "look", str(path), "-o", str(tmp_path)]
    assert subprocess.run(command, capture_output=True, check=True).stderr == b""
    assert (tmp_path / "TIC1-01_20220630_LCO_ip_measurements.png").stat().st_size > 10_000
