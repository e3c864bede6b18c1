"""TAP and UWS by raw requests, as clients of all kinds send them; jobs over restarts; tables that are uploaded."""

from __future__ import annotations

import io
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import httpx
import numpy as np
import pytest
from astropy.io import votable
from astropy.table import Table

from tessellar.server import ServerThread
from tessellar.server.tap.model import Column
from tessellar.server.tap.votable import document
from tests.server.folder import DEC, RA, make

QUERY = "SELECT obs_id FROM dbo.obspointing ORDER BY obs_id"
SLOW = "SELECT COUNT(*) FROM tap_schema.columns a, tap_schema.columns b, tap_schema.columns c, tap_schema.columns d"


def new_job(client: httpx.Client, query: str = QUERY, **more: str) -> str:
    reply = client.post("/tap/async", data={"LANG": "ADQL", "QUERY": query, **more})
    assert reply.status_code == 303
    return reply.headers["location"]


def wait_for(client: httpx.Client, job: str, *phases: str) -> str:
    until = time.monotonic() + 20
    while (phase := client.get(f"{job}/phase").text) not in phases:
        assert time.monotonic() < until, phase
        client.get(job, params={"WAIT": "1"})
    return phase


def upload_of(table: Table) -> bytes:
    out = io.BytesIO()
    votable.from_table(table).to_xml(out)
    return out.getvalue()


def test_a_job_by_hand(client: httpx.Client) -> None:
    job = new_job(client, RUNID="my run")
    assert client.get(f"{job}/phase").text == "PENDING"
    document = client.get(job).text
    assert "<uws:runId>my run</uws:runId>" in document
    assert '<uws:parameter id="QUERY">' in document
    assert client.post(f"{job}/parameters", data={"MAXREC": "2"}).status_code == 303
    assert client.post(f"{job}/executionduration", data={"EXECUTIONDURATION": "5"}).status_code == 303
    assert client.get(f"{job}/executionduration").text == "5"
    assert "<uws:executionDuration>5<" in client.get(job).text
    assert client.post(f"{job}/destruction", data={"DESTRUCTION": "2999-01-01T00:00:00Z"}).status_code == 303
    assert not client.get(f"{job}/destruction").text.startswith("2999")  # not for ever
    assert client.get(f"{job}/quote").text == client.get(f"{job}/owner").text == client.get(f"{job}/error").text == ""
    assert client.get(f"{job}/results/result").status_code == 404
    assert client.post(f"{job}/phase", data={"PHASE": "RUN"}).headers["location"] == job
    wait_for(client, job, "COMPLETED")
    (href,) = re.findall(r'xlink:href="([^"]+)"', client.get(f"{job}/results").text)
    assert href == f"{job}/results/result"
    result = client.get(href).text
    assert result.count("<TR>") == 2
    assert 'value="OVERFLOW"' in result
    assert client.post(f"{job}/parameters", data={"MAXREC": "1"}).status_code == 400  # too late
    assert client.post(job, data={"ACTION": "DELETE"}).headers["location"].endswith("/tap/async")
    assert client.get(job).status_code == client.get(f"{job}/phase").status_code == 404


def test_a_job_that_runs_from_the_start_and_one_that_fails(client: httpx.Client) -> None:
    job = new_job(client, PHASE="RUN", RESPONSEFORMAT="csv")
    wait_for(client, job, "COMPLETED")
    result = client.get(f"{job}/results/result")
    assert result.headers["content-type"] == "text/csv;header=present"
    assert result.text.startswith("obs_id\r\n")
    assert client.delete(job).status_code == 303

    for query, lang, said in ((QUERY, "SQL", "LANG=SQL"), ("SELECT nope FROM ivoa.obscore", "ADQL", "column 'nope'")):
        failed = client.post("/tap/async", data={"LANG": lang, "QUERY": query, "PHASE": "RUN"}).headers["location"]
        wait_for(client, failed, "ERROR")
        assert said in client.get(failed).text
        assert said in client.get(f"{failed}/error").text
        assert said in client.get(f"{failed}/results/result").text
        client.delete(failed)


def test_the_list_of_jobs(client: httpx.Client) -> None:
    first = new_job(client)
    moment = re.search(r"<uws:creationTime>([^<]+)", client.get(first).text)
    second = new_job(client, PHASE="RUN")
    wait_for(client, second, "COMPLETED")
    names = [job.rsplit("/", 1)[1] for job in (first, second)]

    def listed(**which: str) -> list[str]:
        return [name for name in re.findall(r'jobref id="(\w+)"', client.get("/tap/async", params=which).text)
                if name in names]  # fmt: skip

    assert sorted(listed()) == sorted(names)
    assert listed(PHASE="PENDING") == names[:1]
    assert listed(PHASE="COMPLETED") == names[1:]
    assert listed(LAST="1") == names[1:]
    assert moment is not None
    assert listed(AFTER=moment[1]) == names[1:]
    assert client.get("/tap/async", params={"PHASE": "SLEEPING"}).status_code == 400
    client.delete(first), client.delete(second)


def test_a_job_is_stopped_and_waiting_for_it_ends(client: httpx.Client) -> None:
    job = new_job(client, SLOW, PHASE="RUN")
    wait_for(client, job, "EXECUTING")
    started = time.monotonic()
    assert "EXECUTING" in client.get(job, params={"WAIT": "1"}).text
    assert 0.9 < time.monotonic() - started < 5
    threading.Timer(0.5, lambda: httpx.post(f"{job}/phase", data={"PHASE": "ABORT"})).start()
    assert "ABORTED" in client.get(job, params={"WAIT": "-1", "PHASE": "EXECUTING"}).text
    assert time.monotonic() - started < 8
    client.delete(job)


def test_a_job_may_take_only_so_long(client: httpx.Client) -> None:
    job = new_job(client, SLOW)
    client.post(f"{job}/executionduration", data={"EXECUTIONDURATION": "1"})
    client.post(f"{job}/phase", data={"PHASE": "RUN"})
    wait_for(client, job, "ERROR")
    assert "still running after 1 s" in client.get(job).text
    client.delete(job)


def test_one_slow_question_does_not_hold_the_others(client: httpx.Client) -> None:
    job = new_job(client, SLOW, PHASE="RUN")
    wait_for(client, job, "EXECUTING")
    with ThreadPoolExecutor(8) as pool:
        url, params = f"{client.base_url}/tap/sync", {"LANG": "ADQL", "QUERY": QUERY}
        replies = list(pool.map(lambda _: httpx.get(url, params=params, timeout=20), range(24)))
    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.text for reply in replies}) == 1
    client.delete(job)


@pytest.mark.parametrize(
    ("method", "address", "form", "status", "said"),
    [
        ("POST", "/sync", {"LANG": "ADQL"}, 400, "QUERY is missing"),
        ("POST", "/sync", {"QUERY": QUERY}, 400, "LANG is missing"),
        ("POST", "/sync", {"LANG": "PQL", "QUERY": QUERY}, 400, "LANG=PQL"),
        ("POST", "/sync", {"LANG": "ADQL", "QUERY": QUERY, "REQUEST": "getEverything"}, 400, "REQUEST=getEverything"),
        ("POST", "/sync", {"LANG": "ADQL", "QUERY": QUERY, "MAXREC": "many"}, 400, "MAXREC=many"),
        ("POST", "/sync", {"LANG": "ADQL", "QUERY": QUERY, "MAXREC": "-1"}, 400, "give 0 or more"),
        ("POST", "/sync", {"LANG": "ADQL", "QUERY": QUERY, "RESPONSEFORMAT": "xlsx"}, 400, "there are votable"),
        ("POST", "/sync", {"LANG": "ADQL", "QUERY": QUERY, "UPLOAD": "t,param:x"}, 400, "no part 'x'"),
        ("POST", "/sync", {"LANG": "ADQL", "QUERY": QUERY, "UPLOAD": "a b,param:x"}, 400, "no name of a table"),
        ("POST", "/sync", {"LANG": "ADQL", "QUERY": QUERY, "UPLOAD": "t,file:///etc/passwd"}, 400, "only http"),
        ("POST", "/sync", {"LANG": "ADQL", "QUERY": QUERY, "UPLOAD": "t,http://127.0.0.1:1/x"}, 400, "public host"),
        ("POST", "/sync", {"LANG": "ADQL", "QUERY": QUERY, "UPLOAD": "t,http://localhost/x"}, 400, "not a public host"),
        ("GET", "/async/0123456789abcdef", {}, 404, "there is no job"),
        ("GET", "/async/..%2F..%2Fetc", {}, 404, ""),
        ("POST", "/async/0123456789abcdef/phase", {"PHASE": "RUN"}, 404, "there is no job"),
        ("GET", "/tables/dbo.nothing", {}, 404, "is not known"),
    ],
)  # fmt: skip
def test_what_the_protocol_does_not_have(
    client: httpx.Client, method: str, address: str, form: dict[str, str], status: int, said: str
) -> None:
    reply = client.request(method, f"/tap{address}", data=form or None)
    assert reply.status_code == status
    assert re.search(said, reply.text)
    assert "Traceback" not in reply.text
    assert client.get("/tap/availability").status_code == 200


def test_an_uploaded_table_is_joined(client: httpx.Client) -> None:
    mine = Table({"name": ["near", "far"], "ra": [RA + 0.001, 10.0], "dec": [DEC, 10.0], "n": np.array([1, 2], "i2")})
    query = (
        "SELECT u.name, u.n, o.obs_id FROM TAP_UPLOAD.mine AS u JOIN ivoa.obscore AS o "
        "ON 1=CONTAINS(POINT('ICRS', o.s_ra, o.s_dec), CIRCLE('ICRS', u.ra, u.dec, 0.01)) ORDER BY o.obs_id"
    )
    form = {"LANG": "ADQL", "QUERY": query, "UPLOAD": "mine,param:table1", "RESPONSEFORMAT": "json"}
    reply = client.post("/tap/sync", data=form, files={"table1": ("t.vot", upload_of(mine))})
    found = reply.json()
    assert [row[0] for row in found["data"]] == ["near"] * 5
    assert found["info"][1]["datatype"] == "short"
    # The same as a job, whose upload is kept with it.
    job = client.post("/tap/async", data={**form, "PHASE": "RUN"}, files={"table1": ("t.vot", upload_of(mine))})
    address = job.headers["location"]
    wait_for(client, address, "COMPLETED")
    assert client.get(f"{address}/results/result").json()["data"] == found["data"]
    # And the result of a job can be uploaded by its URL.
    source = new_job(client, "SELECT TOP 2 obs_id, s_ra FROM ivoa.obscore", PHASE="RUN")
    wait_for(client, source, "COMPLETED")
    again = client.post(
        "/tap/sync",
        data={"LANG": "ADQL", "QUERY": "SELECT COUNT(*) FROM TAP_UPLOAD.t", "UPLOAD": f"t,{source}/results/result",
              "RESPONSEFORMAT": "json"},
    )  # fmt: skip
    assert again.json()["data"] == [[2]]


@pytest.mark.heavy
def test_a_large_upload_and_one_that_is_none(client: httpx.Client) -> None:
    rng = np.random.default_rng(1)
    places = zip(rng.uniform(0, 360, 100_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 100_000))), strict=True)
    columns = [Column("ra", "double", "deg"), Column("dec", "double", "deg")]
    many = b"".join(document(columns, places, "", lambda: False, binary=True))
    query = (
        "SELECT COUNT(*) FROM TAP_UPLOAD.t AS u JOIN ivoa.obscore AS o "
        "ON 1=CONTAINS(POINT('ICRS', u.ra, u.dec), CIRCLE('ICRS', o.s_ra, o.s_dec, 2))"
    )
    form = {"LANG": "ADQL", "QUERY": query, "UPLOAD": "t,param:p", "RESPONSEFORMAT": "json"}
    reply = client.post("/tap/sync", data=form, files={"p": ("t.vot", many)}, timeout=60)
    assert reply.status_code == 200, reply.text
    assert 0 < reply.json()["data"][0][0] < 1000
    for content, said in (
        (b"obs_id,ra\n1,2\n", "not a VOTable"),
        (b"<html><body>Bad gateway</body></html>", "cannot be read as a VOTable"),
        (b"", "not a VOTable"),
    ):
        refused = client.post("/tap/sync", data=form, files={"p": ("t.vot", content)})
        assert refused.status_code == 400
        assert said in refused.text


def test_a_client_that_goes_away_is_not_worked_for(client: httpx.Client) -> None:
    body = urlencode({"LANG": "ADQL", "QUERY": SLOW})
    request = (
        f"POST /tap/sync HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    before = threading.active_count()
    for _ in range(5):
        with socket.create_connection((client.base_url.host, client.base_url.port)) as gone:
            gone.sendall(request.encode())
            time.sleep(0.1)
    time.sleep(1)
    started = time.monotonic()
    assert client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": QUERY}).status_code == 200
    assert time.monotonic() - started < 5
    assert threading.active_count() <= before + 40


def test_jobs_outlive_the_server(tmp_path: Path) -> None:
    folder, index = tmp_path / "files", tmp_path / "index.sqlite"
    folder.mkdir()
    make(folder)
    with ServerThread(folder, index_path=index) as archive, httpx.Client(base_url=archive.url) as client:
        done = new_job(client, PHASE="RUN").rsplit("/", 1)[1]
        wait_for(client, f"/tap/async/{done}", "COMPLETED")
        result = client.get(f"/tap/async/{done}/results/result").text
        waiting = new_job(client).rsplit("/", 1)[1]
        running = new_job(client, SLOW, PHASE="RUN").rsplit("/", 1)[1]
        wait_for(client, f"/tap/async/{running}", "EXECUTING")
    with ServerThread(folder, index_path=index) as archive, httpx.Client(base_url=archive.url) as client:
        assert client.get(f"/tap/async/{done}/results/result").text == result
        assert client.get(f"/tap/async/{waiting}/phase").text == "PENDING"
        wait_for(client, f"/tap/async/{running}", "EXECUTING")  # it is asked anew
        client.delete(f"/tap/async/{running}")
        assert not (tmp_path / "index.jobs" / running).exists()


def test_documents_of_the_service(client: httpx.Client) -> None:
    base = f"{client.base_url}/tap".replace("//tap", "/tap")
    capabilities = client.get("/tap/capabilities").text
    assert f'<accessURL use="base">{base}</accessURL>' in capabilities
    assert "<alias>csv</alias>" in capabilities
    assert "<column" not in client.get("/tap/tables", params={"detail": "min"}).text
    assert client.get("/tap/tables").text.count("<column") > 500
    single = client.get("/vo-tap/api/v0.1/caom/tables/ivoa.obscore").text
    assert "<name>s_region</name>" in single
    assert "vosi:table " in single
    assert 'property="query"' in client.get("/tap/examples").text
