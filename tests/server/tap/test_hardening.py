"""What somebody who means ill, or is careless, may send: nothing leaks, nothing is lost, the service lives on."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest
from astropy.table import Table

from tessellar.server import ServerThread
from tessellar.server.tap import fetching
from tessellar.server.tap.jobs import Jobs, NoSuchJob
from tests.server.tap.test_adql import ask, rows
from tests.server.tap.test_protocol import QUERY, new_job, upload_of
from tests.webserver import running

VOTABLE = '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>{}</TABLE></RESOURCE></VOTABLE>'


def send(
    client: httpx.Client, content: bytes, query: str = "SELECT * FROM tap_upload.t", **more: str
) -> httpx.Response:
    form = {"LANG": "ADQL", "QUERY": query, "UPLOAD": "t,param:p", "RESPONSEFORMAT": "json", **more}
    return client.post("/tap/sync", data=form, files={"p": ("t.vot", content)})


def test_an_upload_cannot_name_files_or_addresses(client: httpx.Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret.fits"
    Table({"word": ["password"]}).write(secret)
    for data in (
        f'<FIELD name="a" datatype="char" arraysize="*"/><DATA><FITS extnum="1"><STREAM href="file://{secret}"/></FITS></DATA>',
        f'<FIELD name="a" datatype="int"/><DATA><BINARY><STREAM href="file://{secret}"/></BINARY></DATA>',
        f'<FIELD name="a" datatype="int"/><DATA><PARQUET><STREAM href="file://{secret}"/></PARQUET></DATA>',
    ):
        reply = send(client, VOTABLE.format(data).encode())
        assert reply.status_code == 400
        assert "lies elsewhere" in reply.text
        assert "password" not in reply.text


def test_an_upload_cannot_take_all_memory(client: httpx.Client) -> None:
    row = "<DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA>"
    huge = f'<FIELD name="a" datatype="double" arraysize="30000000"/>{row}'
    reply = send(client, VOTABLE.format(huge).encode())
    assert (reply.status_code, "are taken" in reply.text) == (400, True)


def test_the_host_that_a_client_names_opens_no_doors(client: httpx.Client) -> None:
    form = {"LANG": "ADQL", "QUERY": QUERY, "UPLOAD": "t,http://127.0.0.1:9/latest/meta-data"}
    for host in ("127.0.0.1:9", 'x" FROM files --'):
        reply = client.post("/tap/sync", data=form, headers={"Host": host})
        assert reply.status_code == 400
        assert "not a public host" in reply.text or "Host" in reply.text


def test_text_of_a_query_is_never_changed(client: httpx.Client) -> None:
    assert rows(client, "SELECT TOP 1 '{base}' AS \"{base}\" FROM ivoa.obscore") == [["{base}"]]
    assert rows(client, "SELECT COUNT(*) FROM obscore WHERE obs_id = '{base}' OR obs_id = 'adql_base()'") == [[0]]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "WITH RECURSIVE n AS (SELECT 1 AS i FROM tic UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
            "RECURSIVE",
        ),
        (
            "WITH a AS (SELECT TOP 1 'xxxxxxxxxxxxxxxx' AS s FROM obscore)"
            + "".join(f", a{i} AS (SELECT s || s || s || s AS s FROM a{i - 1 if i else ''})" for i in range(12))
            + " SELECT s FROM a11",
            "too big",
        ),
        ("SELECT CAST(99999999999 AS BIGINT) * 99999999999 AS x FROM obscore", "but has the value"),
        ("SELECT COALESCE(s_xel1, 'abc') FROM obscore", "but has the value"),
        (
            f"SELECT 1 FROM obscore WHERE 1=CONTAINS(POINT(s_ra, s_dec), POLYGON({', '.join(['1, 2'] * 3000)}))",
            "at most",
        ),
    ],
)
def test_what_would_take_everything_is_refused(client: httpx.Client, query: str, said: str) -> None:
    for form in ("votable", "votable/b2"):
        reply = ask(client, query, RESPONSEFORMAT=form)
        assert reply.status_code == 400, reply.text[:500]
        assert said in reply.text


def test_whole_numbers_are_not_cut(client: httpx.Client) -> None:
    query = "SELECT TOP 1 9999999999 AS x, CAST('9999999999' AS INTEGER) AS y, 7 AS z FROM ivoa.obscore"
    for form in ("votable", "votable/b2", "json"):
        reply = ask(client, query, RESPONSEFORMAT=form)
        assert reply.status_code == 200
        if form == "json":
            assert reply.json()["data"] == [[9999999999, 9999999999, 7]]
        else:
            import io

            table = Table.read(io.BytesIO(reply.content), format="votable")
            assert list(table[0]) == [9999999999, 9999999999, 7]


def test_places_that_are_not_known_are_left_out_in_every_wording(client: httpx.Client) -> None:
    mine = Table({"n": [1, 2, 3], "ra": [10.0, 40.0, np.nan], "dec": [0.0, 0.0, np.nan]})
    inside = "CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 10, 0, 1))"
    near = "DISTANCE(POINT(ra, dec), POINT(10, 0)) < 1"
    for condition, expected in (
        (f"1 = {inside}", [[1]]), (f"0 = {inside}", [[2]]), (f"NOT (1 = {inside})", [[2]]),
        (near, [[1]]), (f"NOT ({near})", [[2]]), (f"NOT (NOT ({near}))", [[1]]),
    ):  # fmt: skip
        reply = send(client, upload_of(mine), f"SELECT n FROM tap_upload.t WHERE {condition} ORDER BY n")
        assert reply.status_code == 200, reply.text
        assert reply.json()["data"] == expected, condition


def test_names_of_a_question_hide_no_tables(client: httpx.Client) -> None:
    count = rows(client, "SELECT COUNT(*) FROM obscore")
    for name in ("observations", "tic", "artifacts", "obscore"):
        query = f"WITH {name} AS (SELECT obs_id FROM ivoa.obscore) SELECT COUNT(*) FROM {name}"
        assert rows(client, query) == count
    assert rows(client, "WITH obscore AS (SELECT * FROM obscore) SELECT COUNT(*) FROM obscore") == count
    assert rows(client, "SELECT COUNT(*) FROM obscore WHERE facility_name = 'tess'") == count
    assert rows(client, "SELECT COUNT(*) FROM tap_schema.tables WHERE schema_name = 'TAP_SCHEMA'") == [[5]]


def test_columns_of_uploads_may_have_any_name(client: httpx.Client) -> None:
    odd = Table({'mag 2"': [1.0], "row__": [2.0], "select": [3.0]})
    assert send(client, upload_of(odd)).json()["data"] == [[1.0, 2.0, 3.0]]
    twice = Table({"RA": [1.0], "ra": [2.0]})
    assert "differ in case only" in send(client, upload_of(twice)).text


def test_the_list_of_jobs_stays_well_formed(client: httpx.Client) -> None:
    from xml.etree import ElementTree

    job = new_job(client, RUNID="bad\x01id\uffff<&")
    ElementTree.fromstring(client.get("/tap/async").content)
    ElementTree.fromstring(client.get(job).content)
    client.post(f"{job}/destruction", data={"DESTRUCTION": "2026-11-25T10:00:00+05:00"})
    assert client.get(f"{job}/destruction").text.startswith("2026-11-25T05:00:00")
    client.delete(job)


def test_jobs_changed_from_all_sides_end_as_they_should(tmp_path: Path) -> None:
    from datetime import timedelta

    from tessellar.server.tap.engine import Outcome, Question
    from tessellar.server.tap.formats import chosen

    class Quick:
        def answer(self, question: object, out: object, given_up: object) -> Outcome:
            return Outcome(media_type="text/csv")

    question = Question(QUERY, chosen("csv"), 1, "http://x")
    jobs = Jobs(tmp_path / "jobs", Quick(), lambda job, path: question)  # type: ignore[arg-type]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        made = [jobs.add({}, {}, base="") for _ in range(150)]

        def meddle(number: int) -> None:
            for job in made[number::3]:
                jobs.start(job.id)
                if number == 0:
                    jobs.change(job.id, destruction=job.created + timedelta(days=9))
                elif number == 1:
                    jobs.abort(job.id)
                else:
                    jobs.delete(job.id)

        threads = [threading.Thread(target=meddle, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
        jobs.close()
    assert all(jobs.get(job.id).phase in ("COMPLETED", "QUEUED") for job in made[0::3])  # closed before some began
    assert all(jobs.get(job.id).destruction == job.created + timedelta(days=9) for job in made[0::3])
    assert all(jobs.get(job.id).phase in ("COMPLETED", "ABORTED") for job in made[1::3])
    for job in made[2::3]:
        with pytest.raises(NoSuchJob):
            jobs.get(job.id)
        assert not jobs.path(job).exists()


def test_two_servers_of_one_folder_keep_jobs_apart(folder: Path, tmp_path: Path) -> None:
    index = tmp_path / "index.sqlite"
    with ServerThread(folder, index_path=index) as one, ServerThread(folder, index_path=index) as two:
        job = httpx.post(f"{one.url}/tap/async", data={"LANG": "ADQL", "QUERY": QUERY}).headers["location"]
        name = job.rsplit("/", 1)[1]
        assert httpx.get(job).status_code == 200
        assert httpx.get(f"{two.url}/tap/async/{name}").status_code == 404
        assert httpx.post(f"{two.url}/tap/async", data={"LANG": "ADQL", "QUERY": QUERY}).status_code == 303


def test_an_upload_by_url_is_fetched_from_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that stands for another address when it is asked for again leads nowhere else."""
    with running() as server:
        server.files["/t.vot"] = b"<VOTABLE/>"
        monkeypatch.setattr(fetching, "_public_address", lambda _: "127.0.0.1")
        place = server.url.replace("127.0.0.1", "rebinding.example") + "/t.vot"
        assert asyncio.run(fetching.fetch_table(place, 1000)) == b"<VOTABLE/>"
    monkeypatch.undo()
    assert fetching._public_address("localhost") is None


def test_an_answer_cannot_fill_the_disk(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tessellar.server.tap.engine.MOST_BYTES", 1000)
    reply = ask(client, "SELECT * FROM ivoa.obscore")
    assert reply.status_code == 400
    assert "longer than" in reply.text
