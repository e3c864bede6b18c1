"""What is meant for one host alone, a cookie or a token, is never sent to another, whoever redirects whom."""

from __future__ import annotations

import pytest

from tessellar.config import Settings
from tessellar.errors import IntegrityError
from tessellar.net import Remote, Transport, run, transfer
from tessellar.store import Store
from tests.webserver import FileServer, Misbehaviour, running

SECRET = {"Cookie": "session=s3cret", "X-Token": "t0ken", "Authorization": "Bearer b4d"}


@pytest.fixture
def hosts():
    with running() as first, running() as second:
        first.files["/a.dat"] = second.files["/a.dat"] = b"a" * 1000
        yield first, second


def to(url: str) -> Misbehaviour:
    return Misbehaviour(status=302, headers={"Location": url})


def seen(server: FileServer) -> list[set[str]]:
    return [
        {name for name in ("cookie", "x-token", "authorization") if name in headers} for _, headers in server.requests
    ]


def fetched(url: str, folder, **more):
    outcomes = []
    remote = Remote("mast:TESS/a.dat", url, "a.dat", "TESS", "obs", **more)
    run(transfer([remote], Store(folder), Settings(retry_wait=0.01, attempts=2), outcomes))
    return outcomes[0]


def test_another_host_never_sees_them(hosts, tmp_path):
    first, second = hosts
    first.plan["/a.dat"] = [to("/b.dat")]
    first.plan["/b.dat"] = [to(second.url + "/a.dat")]
    assert fetched(first.url + "/a.dat", tmp_path, private=SECRET).kept
    assert seen(first) == [{"cookie", "x-token", "authorization"}] * 2
    assert seen(second) == [set()]


def test_they_come_back_where_the_way_comes_back(hosts, tmp_path):
    first, second = hosts
    first.plan["/login"] = [to(second.url + "/there")]
    second.plan["/there"] = [to(first.url + "/a.dat")]
    assert fetched(first.url + "/login", tmp_path, private=SECRET).kept
    assert seen(first) == [{"cookie", "x-token", "authorization"}] * 2
    assert seen(second) == [set()]


def test_questions_carry_them_and_tell_the_cookies_of_the_host_alone(hosts):
    first, second = hosts
    first.plan["/login"] = [Misbehaviour(status=302, headers={"Location": "/home", "Set-Cookie": "session=new"})]
    first.plan["/home"] = [to(second.url + "/a.dat")]
    second.plan["/a.dat"] = [Misbehaviour(status=200, headers={"Set-Cookie": "stranger=1"}, body=b"ok")]

    async def ask():
        async with Transport(Settings()) as transport:
            return await transport.post_form(first.url + "/login", {"user": "me"}, private={"X-Token": "t0ken"})

    reply = run(ask())
    assert reply.cookies == {"session": "new"}
    assert "x-token" in first.requests[0][1]
    assert "x-token" not in second.requests[0][1]
    assert first.forms[0] == "user=me"


def test_nothing_of_them_is_recorded(hosts, tmp_path):
    first, _ = hosts
    remote = Remote("mast:TESS/a.dat", first.url + "/a.dat", "a.dat", private=SECRET)
    assert "s3cret" not in repr(remote)
    fetched(first.url + "/a.dat", tmp_path, private=SECRET)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"s3cret" not in path.read_bytes()


def test_a_check_of_ones_own_is_made_before_the_file_has_its_name(hosts, tmp_path):
    first, _ = hosts
    looked = []

    def refuse(path):
        looked.append(path.read_bytes())
        raise IntegrityError("a.dat: not what was asked for")

    outcome = fetched(first.url + "/a.dat", tmp_path, check=refuse)
    assert "not what was asked for" in str(outcome.error)
    assert looked == [b"a" * 1000] * 2
    assert list(tmp_path.rglob("a.dat*")) == []
