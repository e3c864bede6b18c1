"""The tables of one target: typed, whole, from whichever page has them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from astropy.table import Table

from tessellar.errors import ArchiveError, InputError, NotFound, Unavailable, UnexpectedReply
from tessellar.exofop import ExofopTable, OverviewTableAccessor, System, TargetTables
from tessellar.exofop.tables import KINDS
from tessellar.exofop.targetpage import ON_PAGE, TargetPage
from tessellar.products.exofoptables import COLUMNS
from tessellar.server import ServerThread
from tests.exofop.conftest import Site
from tests.exofopfolder import STAR, TEN_DIGITS
from tests.faults import FaultyArchive


def test_one_request_gives_most_tables(site: Site) -> None:
    tables = TargetTables(System(tic=STAR))
    lengths = {kind: len(tables.table(kind)) for kind in sorted(ON_PAGE)}
    assert lengths == {
        "files": 15, "imaging": 1, "magnitudes": 2, "planet_parameters": 1, "spectroscopy": 1, "stellar_companions": 1,
        "stellar_parameters": 2, "time_series": 6,
    }  # fmt: skip
    assert site.asked == [f"target.php?id={STAR}&json="]
    assert tables.page.names[0] == f"TIC {STAR}"
    assert tables.page.coordinates["ra"] == pytest.approx(286.376028)


def test_both_sources_of_a_table_say_the_same(site: Site) -> None:
    one = {
        kind: TargetTables(System(tic=STAR)).table(kind) for kind in KINDS if kind in COLUMNS and kind != "magnitudes"
    }
    site.fail("/target.php", 99, 500)
    other = {kind: TargetTables(System(tic=STAR)).table(kind) for kind in one}
    for kind in one:
        shared = [name for name in one[kind].colnames if name in other[kind].colnames]
        assert set(COLUMNS[kind]) <= {*one[kind].colnames, "Target"}, kind
        assert [c.dtype.kind for c in one[kind][shared].itercols()] == [
            c.dtype.kind for c in other[kind][shared].itercols()
        ]
        assert [c.unit for c in one[kind][shared].itercols()] == [c.unit for c in other[kind][shared].itercols()]
        # The TOI of an observation does not stand on the page of its star.
        told = [name for name in shared if name not in ("TOI", "TIC")]
        assert one[kind][told].pformat(max_width=-1) == other[kind][told].pformat(max_width=-1), kind


def test_values_have_types_and_units(site: Site) -> None:
    table = TargetTables(System(tic=STAR)).table("time_series")
    first = table[0]
    assert (first["Pixel Scale"], str(table["Pixel Scale"].unit), str(table["Obs Duration"].unit)) == (
        0.39,
        "arcsec",
        "min",
    )
    assert (first["Num Obs"], first["Tag"], table["Tag"].dtype.kind) == (120, 5903, "i")
    stars = TargetTables(System(tic=STAR)).table("stellar_parameters")
    assert stars["Teff (K)"].tolist() == [4350.0, 4250.0]
    assert stars["Table"].tolist() == ["TIC", "Stellar"]
    assert stars["Teff (K) err"].mask.tolist() == [True, False]
    near = TargetTables(System(tic=STAR)).table("nearby_targets")
    assert near["GAIA DR2"].tolist() == ["6715688452614516736", "6715688456909484416"]


def test_tags_are_distinct_in_order_and_none_where_a_table_has_none(site: Site) -> None:
    tables = TargetTables(System(tic=STAR))
    assert tables.tags("time_series").tolist() == [5903, 5734, 6038, 6101, 6102]
    assert tables.tags("nearby_targets").tolist() == []
    assert tables.tags("uploads").tolist() == []
    assert tables.tags("notes").tolist() == [3059]
    assert tables.tags("magnitudes").tolist() == []


def test_empty_tables_have_their_columns(site: Site) -> None:
    tables = TargetTables(System(tic=TEN_DIGITS))
    for kind in KINDS:
        if kind in COLUMNS:
            table = tables.table(kind)
            assert len(table) == 0
            assert {*table.colnames, "Target"} >= set(COLUMNS[kind])
    assert tables.tags("time_series").tolist() == []


def test_an_unknown_target_is_named_and_not_an_empty_table(site: Site) -> None:
    with pytest.raises(NotFound, match="no such object"):
        TargetTables("TIC 1").table("time_series")
    with pytest.raises(InputError, match="ExoFOP knows no object"):
        TargetTables("TOI 9999").table("nearby_targets")
    with pytest.raises(InputError, match="'pictures' is no table"):
        TargetTables(System(tic=STAR)).table("pictures")
    with pytest.raises(InputError):
        ExofopTable("pictures")


def test_a_toi_that_the_kept_table_does_not_have_yet_is_resolved(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(site.folder / "exofop", tmp_path / "exofop")
    tois = tmp_path / "exofop" / "tois.csv"
    whole = tois.read_text()
    tois.write_text("\n".join(line for line in whole.splitlines() if "1130.0" not in line) + "\n")
    with ServerThread(tmp_path, wrap=FaultyArchive) as server:
        monkeypatch.setenv("TESSELLAR_ARCHIVE", server.url)
        assert not System("TOI-1130").exists()
        tois.write_text(whole)
        assert TargetTables("TOI-1130").tags("spectroscopy").tolist() == [4711]
        assert server.app.count("gototicid.php?target=TOI1130") == 1  # type: ignore[attr-defined]


def test_a_host_that_cannot_be_reached_is_asked_no_further_pages(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TESSELLAR_EXOFOP", "http://127.0.0.1:9/tess/")
    monkeypatch.setenv("TESSELLAR_RETRY_WAIT", "0.001")
    caplog.set_level(1, logger="httpcore.connection")
    with pytest.raises(Unavailable, match="cannot be reached"):
        TargetTables("TOI-1130").table("time_series")
    assert caplog.text.count("connect_tcp.started") == 2


def test_an_accessor_asks_once_and_saves_what_came(site: Site, tmp_path: Path) -> None:
    accessor = OverviewTableAccessor(ExofopTable("time_series"), "TOI1130", str(tmp_path))
    assert accessor.tags.tolist() == [5903, 5734, 6038, 6101, 6102]
    assert len(accessor.table) == 6
    assert site.app.count("target.php") == 1
    saved = Table.read(tmp_path / "time_series_observations_overview_TOI1130.csv", format="ascii.csv")
    assert saved["Tag"].tolist() == accessor.table["Tag"].tolist()


def test_tables_without_network_come_from_what_was_answered(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    TargetTables(System(tic=STAR)).table("time_series")
    TargetTables(System(tic=STAR)).table("notes")
    site.app.requests.clear()
    monkeypatch.setenv("TESSELLAR_OFFLINE", "1")
    assert len(TargetTables(System(tic=STAR)).table("time_series")) == 6
    assert len(TargetTables(System(tic=STAR)).table("notes")) == 1
    assert site.asked == []
    with pytest.raises(ArchiveError, match="offline"):
        TargetTables(System(tic=STAR)).table("uploads")


# Tables that are not as they were


def with_page(site: Site, change: Callable[[dict[str, object]], None]) -> TargetTables:
    """The tables of a target whose page is changed."""
    page = TargetTables(System(tic=STAR)).page._page
    change(page)
    site.app.requests.clear()
    site.fail("/target.php", 1, 200, json.dumps(page).encode(), headers={"content-type": "application/json"})
    return TargetTables(System(tic=STAR))


def test_a_page_whose_rows_have_no_tags_is_not_believed(site: Site) -> None:
    def change(page: dict[str, object]) -> None:
        for row in page["time_series"]:  # type: ignore[attr-defined]
            del row["tstag"]

    tables = with_page(site, change)
    assert tables.tags("time_series").tolist() == [5903, 5734, 6038, 6101, 6102]
    assert site.app.count("download_tseries") == 1


def test_new_keys_are_kept_and_missing_tables_asked_for_elsewhere(site: Site) -> None:
    def change(page: dict[str, object]) -> None:
        del page["imaging"]
        for row in page["time_series"]:  # type: ignore[attr-defined]
            row["tsseeing"] = "1.2"

    tables = with_page(site, change)
    assert tables.table("time_series")["tsseeing"].tolist() == [1.2] * 6
    assert tables.tags("imaging").tolist() == [5000]
    assert site.app.count("download_imaging") == 1


def test_columns_that_moved_or_were_added_are_found_by_name(site: Site) -> None:
    moved = b"Notes|Tag|New|TIC ID|Telescope\na|b|77|x|254113311|LCO\n"
    site.fail("/target.php", 99, 500)
    site.fail("download_tseries", 1, 200, moved)
    table = TargetTables(System(tic=STAR)).table("time_series")
    assert (table["Notes"][0], table["Tag"][0], table["New"][0], table["TIC ID"][0]) == ("a|b", 77, "x", int(STAR))


def test_another_table_in_the_place_of_one_is_named(site: Site) -> None:
    site.fail("download_uploads", 1, 200, b"apples|pears\n1|2\n")
    with pytest.raises(UnexpectedReply, match="a table of apples, pears"):
        TargetTables(System(tic=STAR)).table("uploads")


# What ExoFOP really sent


def test_the_real_page_of_a_target_is_read_whole(recorded: Path) -> None:
    page = TargetPage((recorded / "target_json" / "target_38877496.json").read_text(), "here")
    assert page.tic == "38877496"
    assert "Gaia DR3 4677014433801899392" in page.names
    assert page.coordinates["pm_dec_error"] == 0.0562892
    magnitudes = page.table("magnitudes")
    assert magnitudes["Band"].tolist()[:3] == ["TESS", "B", "V"]
    assert magnitudes["Value"].tolist()[0] == 9.5916
    star = page.table("stellar_parameters")[0]
    assert (star["Table"], star["Teff (K)"], star["Density (g/cm^3)"], star["Notes"]) == (
        "TIC",
        5745.0,
        1.879643,
        "TIC v8.2",
    )
    assert star["Metallicity"] is not None
    assert page.table("stellar_parameters")["Metallicity"].mask.all()
    for kind in ON_PAGE:
        assert page.has(kind)
        assert set(COLUMNS[kind]) <= set(page.table(kind).colnames)


def test_the_real_page_served_and_asked_for_comes_back(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exofop" / "targets").mkdir(parents=True)
    shutil.copy(recorded / "target_json" / "target_38877496.json", tmp_path / "exofop" / "targets" / "38877496.json")
    with ServerThread(tmp_path) as server:
        monkeypatch.setenv("TESSELLAR_ARCHIVE", server.url)
        assert len(TargetTables("TIC 38877496").table("magnitudes")) == 11
