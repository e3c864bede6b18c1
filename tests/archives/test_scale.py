"""Answers of many pages, from archives that lose pages, lack time, repeat rows and change their columns."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest

from tessellar.archives import Criteria, MastArchive
from tessellar.archives.mast import observations_of
from tessellar.archives.sweep import Sweep
from tessellar.config import Settings
from tessellar.errors import ResultTruncated, TimedOut, Unavailable
from tests.skyserver import Sky
from tests.webserver import Misbehaviour, running

SETTINGS = Settings(retry_wait=0.01, attempts=3, connect_timeout=2.0, page_size=50)


def search(server: Sky, **settings: Any):
    return MastArchive(server.url, replace(SETTINGS, **settings)).search(Criteria(sector=1))


def test_a_page_that_takes_too_long_is_asked_for_in_pieces():
    with running(Sky()) as server:
        server.most_rows = 10
        table = search(server)
    assert sorted(int(obsid) for obsid in table["obsid"]) == list(range(230))
    assert [question["pagesize"] for question in server.asked[:4]] == [50, 25, 5, 5]
    assert len({question["cacheBreaker"] for question in server.asked}) == 1


class Silent(Sky):
    """Answers ten rows at once, and those who ask for more hear nothing for longer than they wait."""

    def answer(self, path: str) -> Misbehaviour | None:
        size = json.loads(parse_qs(self.forms[-1])["request"][0])["pagesize"]
        how = super().answer(path)
        return how if size <= 10 or how is None else replace(how, cut_after=0, stall=5.0)


def test_a_service_that_times_out_at_fifty_rows_but_not_at_ten_is_read_whole():
    with running(Silent()) as server:
        table = search(server, idle_timeout=0.6)
        server.stopping.set()  # nobody waits for the silent ones any more
    assert sorted(int(obsid) for obsid in table["obsid"]) == list(range(230))
    sizes = [question["pagesize"] for question in server.asked]
    assert sizes[:3] == [50, 25, 5]
    assert max(sizes[3:]) == 5  # once found, the size that the service bears is kept


def test_a_service_that_is_too_slow_for_one_row_is_told():
    with running(Sky()) as server:
        server.most_rows = 0
        with pytest.raises(TimedOut, match="504"):
            search(server)


def test_a_page_that_comes_without_some_rows_is_asked_for_again():
    with running(Sky()) as server:
        server.lose = {3: 1}
        table = search(server)
    assert len(table) == len(set(table["obsid"])) == 230
    assert [question["page"] for question in server.asked] == [1, 2, 3, 3, 4, 5]


def test_a_page_that_never_comes_whole_is_told():
    with running(Sky()) as server:
        server.lose = {3: 99}
        with pytest.raises(ResultTruncated, match="has 230 rows, but page 3"):
            search(server)


def test_an_archive_with_smaller_pages_than_asked_for_is_read_in_its_own():
    class Small(Sky):
        def answer(self, path: str) -> Misbehaviour | None:
            question = json.loads(parse_qs(self.forms[-1])["request"][0])
            some = self.rows[(question["page"] - 1) * 20 : question["page"] * 20]
            paging = {"page": question["page"], "pageSize": 20, "pagesFiltered": 12, "rowsFiltered": 230}
            return Misbehaviour(status=200, body=json.dumps({"status": "", "data": some, "paging": paging}).encode())

    with running(Small()) as server:
        assert len(search(server)) == 230


def test_a_table_that_changes_while_it_is_read_is_told():
    class Growing(Sky):
        def reply(self, rows: list[dict[str, Any]], page: int, pages: int, total: int) -> Misbehaviour:
            return super().reply(rows, page, pages, total + (page > 2))

    with running(Growing()) as server, pytest.raises(Unavailable, match="changed while it was read"):
        search(server)


def test_rows_that_come_twice_and_columns_that_change_make_one_table():
    class Moody(Sky):
        def shape(self, page: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            if page == 2:
                return [{**row, "novelty": "x"} for row in self.rows[:3] + rows[3:]]
            if page == 3:
                return [{key: value for key, value in row.items() if key != "target_name"} for row in rows]
            return rows

    with running(Moody()) as server:
        table = search(server)
    assert len(table) == len(set(table["obsid"])) == 227
    assert np.ma.count_masked(table["target_name"]) == 50
    assert (table["novelty"] == "x").sum() == 47


def test_values_that_are_not_what_a_column_holds_are_masked_and_counted():
    row = {"obsid": 1, "obs_id": "a", "t_min": "late", "s_ra": "x", "s_dec": 3, "calib_level": 2.5, "mtFlag": None,
           "sequence_number": "nine", "dataURL": None, "target_name": 17, "t_exptime": "120"}  # fmt: skip
    newer = {"obsid": 2, "obs_id": "tess2040206045859-s0999-0000000000000001-0120-s", "sequence_number": 999,
             "s_ra": 1.0, "s_dec": 2.0, "dataproduct_type": "timeseries"}  # fmt: skip
    table = observations_of([row, newer], Criteria(sector=1))
    assert table.meta["unreadable"] == {"t_min": 1, "s_ra": 1, "calib_level": 1, "sequence_number": 1,
                                        "sector_first": 1, "sector_last": 1}  # fmt: skip
    assert table["target_name"][0] == "17"
    assert table["t_exptime"][0] == 120.0
    assert np.ma.is_masked(table["t_min"][0])
    assert np.ma.is_masked(table["camera"][1])  # a sector beyond the table of pointings
    assert table["sector_last"][1] == 999


def test_wanted_columns_only():
    with running(Sky(20)) as server:
        archive = MastArchive(server.url, SETTINGS)
        table = archive.search(Criteria(sector=1), wanted=["obs_id", "camera", "sector_last"])
    assert table.colnames == ["obs_id", "camera", "sector_last"]
    assert set(server.asked[0]["params"]["columns"].split(",")) == {
        "obs_id", "obsid", "dataURL", "dataproduct_type", "sequence_number", "s_ra", "s_dec"}  # fmt: skip


def sweep(server: Sky, **options: Any) -> Sweep:
    return MastArchive(server.url, replace(SETTINGS, strip_rows=60)).sweep(
        Criteria(columns={"obs_collection": "TESS"}), **options
    )


def test_a_large_question_is_asked_in_strips_that_leave_out_nothing():
    with running(Sky()) as server:
        server.rows[5]["s_dec"] = None
        found = sweep(server)
        strips = [[row["obsid"] for row in rows] for rows in found]
    assert sorted(obsid for strip in strips for obsid in strip) == [n for n in range(230) if n != 5]
    assert max(map(len, strips)) <= 60
    assert (found.tally.rows, found.tally.total, found.tally.missing) == (229, 230, 1)


def test_a_small_question_is_asked_as_it_is():
    with running(Sky(40)) as server:
        assert sum(map(len, sweep(server))) == 40
    assert [each["paramName"] for each in server.asked[-1]["params"]["filters"]] == [
        "dataproduct_type", "project", "obs_collection"]  # fmt: skip


def test_what_the_archive_cannot_count_in_time_is_asked_in_halves():
    with running(Sky()) as server:
        server.most_counted = 50
        found = sweep(server)
        assert sorted(row["obsid"] for rows in found for row in rows) == list(range(230))
    assert found.tally.total is None


def test_reading_goes_on_where_it_stopped():
    with running(Sky()) as server:
        first = sweep(server)
        read = [row["obsid"] for row in next(iter(first))]
        asked = len(server.asked)
        rest = sweep(server, pending=first.pending, tally=first.tally)
        read += [row["obsid"] for rows in rest for row in rows]
    assert sorted(read) == list(range(230))
    assert len(server.asked) > asked
    assert rest.tally.missing == 0
