"""Many clients at once, clients that go away, and what no client should send."""

from __future__ import annotations

import json
import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessellar.server import Index, ServerThread
from tessellar.server.filling import insert_observations
from tests.server.folder import DEC, OBS1, RA

INVOKE = "/api/v0/invoke"


def asked(service: str = "Mast.Caom.Filtered", **params: Any) -> dict[str, str]:
    return {"request": json.dumps({"service": service, "params": {"columns": "*", "filters": [], **params}})}


def observation(number: int) -> dict[str, Any]:
    return {
        "obs_id": f"tess-{number}", "obsid": 5 * 10**11 + number, "target_name": str(number % 5000), "s_ra": 10.0,
        "s_dec": 20.0, "s_region": "CIRCLE 10 20 0.001", "sequence_number": 1 + number % 3, "obs_title": "x" * 200,
    }  # fmt: skip


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory):
    """An archive with 30,000 observations that the folder does not have."""
    kept = tmp_path_factory.mktemp("crowded") / "index.sqlite"
    folder = tmp_path_factory.mktemp("empty")
    index = Index(folder, index_path=kept)
    index.refresh()
    with index._database.writing() as cursor:
        insert_observations(cursor, [observation(number) for number in range(30_000)], 1)
    index.close()
    with ServerThread(folder, index_path=kept, watch=False) as server:
        yield server.url


def slow(number: int) -> dict[str, str]:
    """A question whose answer is 0, but not before each footprint was looked at; asked once, the answer is known."""
    return asked("Mast.Caom.Filtered.Position", columns="COUNT_BIG(*)", position=f"{190 + number / 1000}, -20, 100")


def test_eight_clients_at_once_get_what_each_asked_for(crowded):
    def one(seed: int) -> int:
        right = 0
        chance = random.Random(seed)
        with httpx.Client(base_url=crowded, timeout=60) as client:
            for _ in range(15):
                target = str(chance.randrange(5000))
                reply = client.post(INVOKE, data=asked(filters=[{"paramName": "target_name", "values": [target]}]))
                rows = reply.json()["data"]
                right += len(rows) == 6 and {row["target_name"] for row in rows} == {target}
            sector = 1 + seed % 3
            reply = client.post(INVOKE, data=asked(filters=[{"paramName": "sequence_number", "values": [sector]}]))
            right += len(reply.json()["data"]) == 10_000
        return right

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == [16] * 8


def test_a_slow_question_holds_up_no_other(crowded):
    quick = asked(filters=[{"paramName": "target_name", "values": ["7"]}])
    with httpx.Client(base_url=crowded, timeout=60) as client, ThreadPoolExecutor(3) as pool:
        start = time.perf_counter()
        assert client.post(INVOKE, data=slow(0)).json()["data"] == [{"Column1": 0}]
        alone = time.perf_counter() - start
        waiting = [pool.submit(httpx.post, crowded + INVOKE, data=slow(1 + number), timeout=60) for number in range(3)]
        took = []
        while not all(each.done() for each in waiting):
            start = time.perf_counter()
            assert client.post(INVOKE, data=quick).json()["data"]
            took.append(time.perf_counter() - start)
    assert len(took) > 5
    assert sorted(took)[len(took) // 2] < alone / 2


def test_a_question_ends_when_its_client_goes_away(crowded):
    import tessellar.server.asking as asking

    ended: list[str] = []
    original = asking.answer

    def answer(*given: Any) -> Any:
        try:
            return original(*given)
        except BaseException as error:
            ended.append(type(error).__name__ + str(error))
            raise

    host, port = crowded.removeprefix("http://").split(":")
    head = f"POST {INVOKE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    asking.answer = answer
    try:
        for attempt in range(10):  # a quick machine may have the answer before the client has gone
            body = f"request={quote(slow(20 + attempt)['request'])}".encode()
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                time.sleep(0.05)
            time.sleep(0.5)
            if ended:
                break
    finally:
        asking.answer = original
    assert ended == ["OperationalErrorinterrupted"]
    assert httpx.get(f"{crowded}/whoami").status_code == 200


def test_clients_that_leave_in_the_middle_of_an_answer_do_no_harm(crowded):
    body = f"request={quote(asked()['request'])}".encode()
    head = f"POST {INVOKE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    host, port = crowded.removeprefix("http://").split(":")
    for cut in (0, 10, len(body) // 2):  # of the question
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:cut])
    for _ in range(5):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            connection.recv(1000)  # of many megabytes
    assert len(httpx.post(crowded + INVOKE, data=asked(columns="obsid"), timeout=60).json()["data"]) == 30_000


def test_pages_of_a_long_answer_make_up_the_whole(crowded):
    found: list[int] = []
    with httpx.Client(base_url=crowded, timeout=60) as client:
        for page in range(1, 5):
            question = {"service": "Mast.Caom.Filtered", "params": {"columns": "obsid"}, "page": page, "pagesize": 8000}
            reply = client.post(INVOKE, data={"request": json.dumps(question)}).json()
            assert reply["paging"] == {
                "page": page, "pageSize": 8000, "pagesFiltered": 4, "rows": 8000 if page < 4 else 6000,
                "rowsFiltered": 30_000, "rowsTotal": 30_000,
            }  # fmt: skip
            found += [row["obsid"] for row in reply["data"]]
    assert sorted(found) == [5 * 10**11 + number for number in range(30_000)]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_SERVICES = (
    "Mast.Caom.Filtered", "Mast.Caom.Filtered.Position", "Mast.Caom.Cone", "Mast.Caom.Products",
    "Mast.Catalogs.Tic.Cone", "Mast.Catalogs.Filtered.Tic.Position.Rows", "Mast.Catalogs.Filtered.Tic",
    "Mast.Name.Lookup", "Mast.Catalogs.All.Tic",
)  # fmt: skip
_FILTER = st.fixed_dictionaries(
    {"paramName": st.sampled_from(["ra", "obs_id", "ID", "t_min"])},
    optional={"values": _JSON, "freeText": _JSON, "separator": _JSON},
)
_PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "columns": _JSON | st.sampled_from(["*", "COUNT_BIG(*)", "obs_id,obsid", "ID"]),
        "filters": _JSON | st.lists(_FILTER), "ra": _JSON | st.just(RA), "dec": _JSON | st.just(DEC),
        "radius": _JSON | st.just(0.1), "obsid": _JSON, "position": _JSON | st.just("1, 2, 3"), "input": _JSON,
    },
)  # fmt: skip
_MORE = st.dictionaries(st.sampled_from(["page", "pagesize", "format"]), _JSON)


@settings(max_examples=120)
@given(st.sampled_from(_SERVICES), _PARAMS | _JSON, _MORE)
def test_whatever_is_asked_gets_the_portals_own_form(client, service, params, more):
    question = json.dumps({"service": service, "params": params, **more})
    reply = client.post(INVOKE, data={"request": question})
    assert reply.status_code == 200, (question, reply.text)
    if reply.headers["content-type"].startswith("application/json"):
        envelope = reply.json()
        assert envelope["status"] in ("COMPLETE", "ERROR", ""), question
        assert envelope["status"] != "ERROR" or ("Traceback" not in envelope["msg"] and "\n" not in envelope["msg"])


@pytest.mark.parametrize(
    "request_text",
    ["[" * 100_000, '{"service": "Mast.Caom.Filtered", "params": {"filters": ' + "[" * 5000 + "]" * 5000 + "}}",
     '{"service": "\\ud800"}', '{"service": "Mast.Name.Lookup", "params": {"input": "\\ud800"}}', "1e999", "\x00",
     '{"service": "Mast.Caom.Filtered", "params": {"filters": [{"paramName": "obs_id", "values": ["\\ud800"]}]}}',
     '{"service": "Mast.Caom.Filtered", "params": {"filters": [{"paramName": "t_min", "values": [1e400]}]}}',
     '{"service": "Mast.Caom.Products", "params": {"obsid": 99999999999999999999}}',
     '{"service": "Mast.Caom.Filtered", "params": {"filters": []}, "page": 1e8, "pagesize": 1e9}',
     '{"service": "Mast.Caom.Filtered", "params": {"filters": [{"paramName": "obs_id", "freeText": "%\\\\"}]}}'],
    ids=range(11),
)  # fmt: skip
def test_hard_questions(client, request_text):
    reply = client.post(INVOKE, data={"request": request_text})
    assert reply.status_code == 200
    assert reply.json()["status"] in ("ERROR", "COMPLETE")


def test_a_question_that_is_too_large_is_refused_in_the_portals_form(client):
    reply = client.post(INVOKE, data={"request": "x" * 40_000_000})
    assert reply.json()["status"] == "ERROR"
    assert "too large" in reply.json()["msg"]


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n",
     b"POST /api/v0/invoke HTTP/1.1\r\nContent-Length: x\r\n\r\n",
     b"GET /api/v0.1/Download/file?uri=%ff%fe%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n\r\n\r\n",
     b"GET /Santa-war/query?name=%ff%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n"],
)  # fmt: skip
def test_noise_does_not_stop_it(client, sent):
    host, port = str(client.base_url).removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        told = b""
        while part := connection.recv(65536):
            told += part
    assert b"Traceback" not in told
    assert b" 500 " not in told.split(b"\r\n")[0]
    found = client.post(INVOKE, data=asked(filters=[{"paramName": "obs_id", "values": [OBS1]}])).json()
    assert len(found["data"]) == 1
