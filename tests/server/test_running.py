"""Starting and stopping, and failing as told."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tessellar.errors import InputError, StoreError
from tessellar.server import ServerThread, index, serve
from tests.faults import FaultyArchive
from tests.server import folder as made
from tests.server.folder import LC1, OBS1

URI = f"mast:TESS/product/{LC1}"
DOWNLOAD = "/api/v0.1/Download/file"

_SERVE = """
import sys
from tessellar.server import serve
serve(sys.argv[1], on_ready=lambda url: print("listening on", url, flush=True), index_path=":memory:")
print("stopped")
"""


def question(**wanted: Any) -> dict[str, str]:
    filters = [{"paramName": name, "values": values} for name, values in wanted.items()]
    content = {"service": "Mast.Caom.Filtered", "params": {"columns": "*", "filters": filters}, "format": "json"}
    return {"request": json.dumps(content)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_within_two_seconds_whatever_goes_on(folder, tmp_path, number):
    big = tmp_path / "big"
    big.mkdir()
    made.light_curve(big / LC1)
    with (big / LC1).open("ab") as stream:
        stream.truncate(400 * 2**20)  # more than any socket takes at once
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(big)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        assert url.startswith("http://127.0.0.1:")
        idle, busy = httpx.Client(), httpx.Client()
        assert idle.get(f"{url}/whoami").status_code == 200  # stays open, for the next question
        with busy.stream("GET", url + DOWNLOAD, params={"uri": URI}) as download:
            next(download.iter_raw())
            start = time.monotonic()
            process.send_signal(number)
            out, err = process.communicate(timeout=10)
            assert time.monotonic() - start < 2.0
        assert process.returncode == 0
        assert out == "stopped\n"
        assert err == ""
        idle.close()
        busy.close()
    finally:
        process.kill()
        process.wait()


def test_addresses_that_cannot_be_listened_on(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StoreError, match=r"cannot listen on 127\.0\.0\.1.* taken"):
            serve(folder, port=taken.getsockname()[1])
    with pytest.raises(InputError, match="cannot listen"):
        serve(folder, host="no.such.host.invalid")
    with pytest.raises(InputError, match="no such folder"):
        serve(folder / "missing")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells who listens where")
def test_only_this_machine_can_reach_it(folder):
    with ServerThread(folder) as archive:
        port = int(archive.url.rpartition(":")[2])
        listening = [
            line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if f":{port:04X} " in line
        ]
        assert listening
        assert all(local.startswith("0100007F") for local in listening if local.endswith(f":{port:04X}"))


def test_new_files_are_found_while_it_runs(tmp_path):
    with ServerThread(tmp_path) as archive:
        asked = f"{archive.url}/api/v0/invoke"
        assert httpx.post(asked, data=question()).json()["data"] == []
        made.light_curve(tmp_path / LC1)
        time.sleep(1.1)
        assert [row["obs_id"] for row in httpx.post(asked, data=question()).json()["data"]] == [OBS1]
        (tmp_path / LC1).unlink()
        time.sleep(1.1)
        assert httpx.post(asked, data=question()).json()["data"] == []


def told(url: str, request: str) -> bytes:
    """What a request gets, sent as it is."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"{request}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        reply = b""
        while part := connection.recv(65536):
            reply += part
    return reply


def test_new_files_are_found_soon_however_long_the_others_took_to_read(tmp_path, monkeypatch):
    read = index.described
    monkeypatch.setattr(index, "described", lambda *file: time.sleep(1) or read(*file))
    made.light_curve(tmp_path / LC1)
    with ServerThread(tmp_path) as archive:
        monkeypatch.undo()
        made.light_curve(tmp_path / "new.fits", 42, sector=3)
        deadline = time.monotonic() + 10
        asked = {"uri": "mast:TESS/product/new.fits"}
        while time.monotonic() < deadline:
            httpx.get(f"{archive.url}/")
            if httpx.get(archive.url + DOWNLOAD, params=asked).status_code == 200:
                return
            time.sleep(0.1)
        pytest.fail("the new file was not seen")


def test_it_answers_in_place_of_the_name_resolver_for_clients_that_use_it_as_proxy(folder):
    with ServerThread(folder) as archive:
        asked = "http://mastresolver.stsci.edu/Santa-war/query?outputFormat=json&name=TIC+25155310"
        reply = told(archive.url, f"GET {asked} HTTP/1.1")
        assert reply.startswith(b"HTTP/1.1 200")
        assert json.loads(reply.partition(b"\r\n\r\n")[2])["resolvedCoordinate"][0]["ra"] == made.RA
        assert told(archive.url, f"GET {archive.url}/whoami HTTP/1.1").startswith(b"HTTP/1.1 200")
        assert told(archive.url, "GET http://mast.stsci.edu/whoami HTTP/1.1").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "request_line",
    ["GET http://example.org/ HTTP/1.1", "GET http://stsci.edu.example.org/whoami HTTP/1.1",
     "CONNECT mast.stsci.edu:443 HTTP/1.1"],
)  # fmt: skip
def test_it_is_no_proxy_for_other_places(folder, request_line):
    with ServerThread(folder) as archive:
        assert told(archive.url, request_line).startswith(b"HTTP/1.1 502")


def test_a_failure_of_its_own_is_a_500_and_not_the_end(folder, monkeypatch, caplog):
    with ServerThread(folder) as archive:
        monkeypatch.setattr("tessellar.server.asking.answer", lambda *asked: 1 / 0)
        reply = httpx.post(f"{archive.url}/api/v0/invoke", data=question())
        assert reply.status_code == 500
        assert reply.json()["status"] == "ERROR"
        monkeypatch.undo()
        assert httpx.post(f"{archive.url}/api/v0/invoke", data=question()).status_code == 200
    assert "division by zero" in caplog.text


def test_it_fails_as_told(folder):
    whole = (folder / "sector 1" / LC1).read_bytes()
    with ServerThread(folder, wrap=FaultyArchive) as archive:
        faults = archive.app
        assert isinstance(faults, FaultyArchive)
        asked, file = f"{archive.url}/api/v0/invoke", f"{archive.url}{DOWNLOAD}?uri={URI}"
        faults.executing(2)
        statuses = [httpx.post(asked, data=question()).json()["status"] for _ in range(3)]
        assert statuses == ["EXECUTING", "EXECUTING", "COMPLETE"]
        faults.error("Timeout expired")
        assert httpx.post(asked, data=question()).json()["msg"] == "Timeout expired"
        faults.unavailable(retry_after=7)
        refused = httpx.post(asked, data=question())
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "7")
        faults.html()
        assert "<html>" in httpx.post(asked, data=question()).text
        faults.truncate(5000)
        with pytest.raises(httpx.RemoteProtocolError, match="5000"):
            httpx.get(file)
        faults.ignore_range(1)
        assert httpx.get(file, headers={"range": "bytes=100-"}).content == whole
        assert httpx.get(file, headers={"range": "bytes=100-"}).content == whole[100:]
        faults.hide("etag", times=1)
        assert "etag" not in httpx.head(file).headers
        assert "etag" in httpx.head(file).headers
        assert faults.count(DOWNLOAD) == 5


def test_importing_the_room_is_cheap():
    code = "import sys, tessellar.server; print(any(m in sys.modules for m in ('starlette', 'uvicorn', 'astropy')))"
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert ran.stdout.strip() == "False"
