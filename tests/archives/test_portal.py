"""The portal client against the protocol's peculiarities and faults, and against recorded real replies."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from urllib.parse import parse_qs

import numpy as np
import pytest

from tessellar.archives import Criteria, MastArchive
from tessellar.archives.portal import Portal
from tessellar.config import Settings
from tessellar.errors import QueryError, ResultTruncated, TimedOut, Unavailable, UnexpectedReply
from tessellar.mission import locate
from tessellar.net import Transport
from tessellar.products import ObservationTable
from tests.webserver import FileServer, Misbehaviour, running

SETTINGS = Settings(retry_wait=0.01, attempts=4, connect_timeout=2.0, page_size=2)
INVOKE = "/api/v0/invoke"


@pytest.fixture
def server():
    with running() as files:
        yield files


def ask(server: FileServer, *replies: object, service: str = "Mast.Caom.Filtered"):
    server.plan[INVOKE] = [
        reply if isinstance(reply, Misbehaviour) else Misbehaviour(status=200, body=json.dumps(reply).encode())
        for reply in replies
    ]

    async def work():
        async with Transport(SETTINGS) as transport:
            return await Portal(server.url, transport, SETTINGS).rows(service, {"columns": "*", "filters": []})

    return asyncio.run(work())


def page(number: int, pages: int, total: int, *names: str) -> dict[str, object]:
    paging = {"page": number, "pagesFiltered": pages, "rowsFiltered": total}
    return {"status": "COMPLETE", "data": [{"obs_id": name} for name in names], "fields": [], "paging": paging}


def test_all_pages_are_gathered_under_one_key(server):
    rows = ask(server, page(1, 2, 3, "a", "b"), page(2, 2, 3, "c"))
    assert [row["obs_id"] for row in rows] == ["a", "b", "c"]
    questions = [json.loads(parse_qs(form)["request"][0]) for form in server.forms]
    assert [question["page"] for question in questions] == [1, 2]
    assert len({question["cacheBreaker"] for question in questions}) == 1


def test_an_answer_still_being_computed_is_asked_for_again_after_a_pause(server):

    started = time.monotonic()
    rows = ask(server, {"status": "EXECUTING"}, page(1, 1, 1, "a"))
    assert len(rows) == 1
    assert time.monotonic() - started > 0.4


def test_an_answer_that_a_limit_cut_short_is_an_error(server):
    with pytest.raises(ResultTruncated, match="has 3 rows but sent 2"):
        ask(server, page(1, 1, 3, "a", "b"))


def test_an_error_with_status_200_is_an_error(server):
    with pytest.raises(QueryError, match=r"Invalid column name .nonsense."):
        ask(server, {"status": "ERROR", "msg": "Invalid column name 'nonsense'.\n"})


def test_a_database_time_out_is_tried_again(server):
    rows = ask(server, {"status": "ERROR", "msg": "Timeout expired"}, page(1, 1, 1, "a"))
    assert len(rows) == 1


def test_two_503_then_an_answer_is_an_answer(server):
    assert len(ask(server, Misbehaviour(status=503), Misbehaviour(status=503), page(1, 1, 1, "a"))) == 1


def test_503_for_good_is_told(server):
    with pytest.raises(Unavailable, match="503"):
        ask(server, *[Misbehaviour(status=503)] * 9)


@pytest.mark.parametrize(
    "body", [b"<html><body>Sorry</body></html>", b"", b"[]", b'{"status": "COMPLETE"}', b'{"status":"WHAT","data":[]}',
             b'{"status": "COMPLETE", "data": [1, 2]}']
)  # fmt: skip
def test_nonsense_is_told_as_such(server, body):
    with pytest.raises(UnexpectedReply, match="answered"):
        ask(server, Misbehaviour(status=200, body=body))


@pytest.mark.parametrize(("name", "rows"), [("caom.json", None), ("products.json", None), ("tic.json", None)])
def test_recorded_replies_of_the_real_archive_are_read(server, recorded_replies, name, rows):
    recorded = json.loads((recorded_replies / name).read_text())
    recorded["paging"] = {}
    found = ask(server, recorded)
    assert len(found) == len(recorded["data"]) > 0


class SlowProducts(FileServer):
    """An archive that answers for ten observations in time, but not for more."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def answer(self, path: str) -> Misbehaviour | None:
        ids = json.loads(parse_qs(self.forms[-1])["request"][0])["params"]["obsid"].split(",")
        self.asked.append(len(ids))
        if len(ids) > 10:
            return Misbehaviour(status=504)
        data = [{"obsID": obsid, "dataURI": f"mast:TESS/product/{obsid}_lc.fits", "obs_id": obsid} for obsid in ids]
        return Misbehaviour(status=200, body=json.dumps({"status": "COMPLETE", "data": data}).encode())


def observations(count: int) -> ObservationTable:
    return ObservationTable.from_rows([{"obsid": str(number), "obs_id": f"o{number}"} for number in range(count)])


def test_batches_that_take_too_long_are_halved_until_they_do_not():
    with running(SlowProducts()) as server:
        table = MastArchive(server.url, SETTINGS).products(observations(137))
    assert sorted(int(obsid) for obsid in table["obsID"]) == list(range(137))
    assert server.asked[:4] == [137, 68, 34, 17]
    assert max(server.asked[4:]) <= 10


def test_what_finds_nothing_is_an_empty_table_and_has_no_files():
    with running() as server:
        server.plan[INVOKE] = [Misbehaviour(status=200, body=json.dumps(page(1, 0, 0)).encode())]
        archive = MastArchive(server.url, SETTINGS)
        nothing = archive.search(Criteria(sector=1))
        files = archive.products(nothing)
        assert len(server.forms) == 1  # nobody is asked for the files of nothing
    assert (len(nothing), len(files)) == (0, 0)
    assert {"obs_id", "target_name", "s_ra"} <= set(nothing.colnames)
    assert {"dataURI", "kind", "author", "size"} <= set(files.colnames)


def test_one_observation_that_takes_too_long_is_told():
    with running() as server:
        server.plan[INVOKE] = [Misbehaviour(status=504)] * 99
        with pytest.raises(TimedOut, match="504"):
            MastArchive(server.url, SETTINGS).products(observations(8))


def test_an_archive_that_is_down_is_not_asked_in_ever_smaller_pieces():
    with running() as server:
        server.plan[INVOKE] = [Misbehaviour(status=503)] * 99
        with pytest.raises(Unavailable, match="503"):
            MastArchive(server.url, SETTINGS).products(observations(80))
        assert len(server.requests) == SETTINGS.attempts


class OneSector(FileServer):
    """An archive with twenty thousand light curves of one sector."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = [
            {"obsid": n, "obs_id": f"tess2018206045859-s0001-{n:016d}-0120-s", "target_name": str(n),
             "dataURL": f"mast:TESS/product/tess2018206045859-s0001-{n:016d}-0120-s_lc.fits", "sequence_number": 1,
             "s_ra": n * 0.018, "s_dec": -89.0 + n * 0.0045, "dataproduct_type": "timeseries"}
            for n in range(1, 20_001)
        ]  # fmt: skip

    def answer(self, path: str) -> Misbehaviour | None:
        question = json.loads(parse_qs(self.forms[-1])["request"][0])
        first, size = (question["page"] - 1) * question["pagesize"], question["pagesize"]
        paging = {"page": question["page"], "pagesFiltered": -(-len(self.rows) // size), "rowsFiltered": len(self.rows)}
        answer = {"status": "COMPLETE", "data": self.rows[first : first + size], "paging": paging}
        return Misbehaviour(status=200, body=json.dumps(answer).encode())


def test_a_whole_sector_is_put_on_its_ccds_at_once():
    with running(OneSector()) as server:
        started = time.monotonic()
        table = MastArchive(server.url, replace(SETTINGS, page_size=5000)).search(Criteria(sector=1))
        assert time.monotonic() - started < 20
    assert len(table) == 20_000
    for row in table[::1999]:
        places = locate(row["s_ra"], row["s_dec"], sectors=[1])
        expected = (places[0].field.camera, places[0].field.ccd) if places else (np.ma.masked, np.ma.masked)
        assert (row["camera"], row["ccd"]) == expected or not places
        assert np.ma.is_masked(row["camera"]) == (not places)
