"""What an archive says of many files: versions, or errors, one for each; no byte of them is sent."""

from __future__ import annotations

from tessellar.config import Settings
from tessellar.errors import AuthError, NotFound, Unavailable
from tessellar.net import Remote, Version, probe, run
from tests.webserver import Misbehaviour, running


def test_each_file_has_a_version_or_an_error():
    with running() as server:
        server.files = {f"/{number}.dat": b"x" * number for number in range(40)}
        server.plan["/1.dat"] = [Misbehaviour(status=503)]
        server.plan["/2.dat"] = [Misbehaviour(status=403)]
        server.plan["/3.dat"] = [Misbehaviour(no_validator=True)]
        server.plan["/4.dat"] = [Misbehaviour(status=503)] * 9
        server.plan["/5.dat"] = [Misbehaviour(no_length=True)]
        server.plan["/6.dat"] = [Misbehaviour(status=200, headers={"ETag": 'W/"weak"'}, body=b"x" * 6)]
        remotes = [Remote(path, server.url + path, path[1:]) for path in [*server.files, "/none.dat"]]
        told = []
        found = run(probe(remotes, Settings(retry_wait=0.01, attempts=3), told.append))
        assert server.sent == {}
    assert set(found) == {*server.files, "/none.dat"}
    assert found["/1.dat"].size == 1
    assert isinstance(found["/2.dat"], AuthError)
    assert found["/3.dat"] == Version(3, None)
    assert isinstance(found["/4.dat"], Unavailable)
    assert found["/5.dat"].size is None
    assert found["/6.dat"] == Version(6, None)
    assert isinstance(found["/none.dat"], NotFound)
    assert found["/7.dat"].etag != found["/8.dat"].etag
    assert told[-1].finished
    assert run(probe([], Settings())) == {}
