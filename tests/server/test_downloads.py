"""Sending files: the whole, a part, and never what is not in the folder."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import httpx
import pytest

from tessellar.server import ServerThread
from tests.server import folder as made
from tests.server.folder import LC1, NAMELESS, OBS1

URL = "/api/v0.1/Download/file"
URI = f"mast:TESS/product/{LC1}"


@pytest.fixture(scope="module")
def content(folder: Path) -> bytes:
    return (folder / "sector 1" / LC1).read_bytes()


def test_a_whole_file(client, content):
    for url in (URL, URL + "/"):
        reply = client.get(url, params={"uri": URI}, headers={"accept-encoding": "gzip, deflate"})
        assert reply.status_code == 200
        assert reply.content == content
        assert reply.headers["content-length"] == str(len(content))
        assert "content-encoding" not in reply.headers
    assert reply.headers["content-type"] == "application/fits"
    assert reply.headers["accept-ranges"] == "bytes"
    assert LC1 in reply.headers["content-disposition"]
    assert reply.headers["etag"].startswith('"')
    assert reply.headers["last-modified"].endswith("GMT")


def test_head_has_the_same_headers_and_no_body(client):
    head, get = client.head(URL, params={"uri": URI}), client.get(URL, params={"uri": URI})
    assert head.status_code == 200
    assert head.content == b""
    for name in ("content-length", "etag", "last-modified", "accept-ranges", "content-type"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-99", 0, 99),
        ("bytes=2880-", 2880, None),
        ("bytes=-100", -100, None),
        ("bytes=100-999999999", 100, None),
    ],
)
def test_a_part_of_a_file(client, content, wanted, first, last):
    reply = client.get(URL, params={"uri": URI}, headers={"range": wanted})
    assert reply.status_code == 206
    expected = content[first : None if last is None else last + 1]
    assert reply.content == expected
    start = first % len(content)
    assert reply.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/{len(content)}"
    assert reply.headers["content-length"] == str(len(expected))


def test_a_part_beyond_the_end(client, content):
    reply = client.get(URL, params={"uri": URI}, headers={"range": f"bytes={len(content)}-"})
    assert reply.status_code == 416
    assert reply.headers["content-range"] == f"bytes */{len(content)}"


@pytest.mark.parametrize("wanted", ["bytes=9-3", "bytes=x-", "lines=1-2", "bytes=", "bytes", ""])
def test_a_range_that_makes_no_sense_counts_as_none(client, content, wanted):
    reply = client.get(URL, params={"uri": URI}, headers={"range": wanted})
    assert reply.status_code == 200
    assert reply.content == content
    head = client.head(URL, params={"uri": URI}, headers={"range": "bytes=0-9"})
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(content)))


def test_the_rest_of_another_file_is_not_sent(tmp_path):
    made.light_curve(tmp_path / LC1)
    with ServerThread(tmp_path) as archive, httpx.Client(base_url=archive.url) as client:
        before = client.head(URL, params={"uri": URI}).headers
        rest = {"range": "bytes=2880-"}
        for validator in (before["etag"], before["last-modified"]):
            assert client.get(URL, params={"uri": URI}, headers={**rest, "if-range": validator}).status_code == 206
        os.utime(tmp_path / LC1, (10**9, 10**9))
        after = client.get(URL, params={"uri": URI}, headers={**rest, "if-range": before["etag"]})
    assert after.status_code == 200
    assert after.content == (tmp_path / LC1).read_bytes()
    assert after.headers["etag"] != before["etag"]


def test_a_name_with_spaces_and_a_gzip_file_arrive_as_they_are(client, folder):
    reply = client.get(URL, params={"uri": f"mast:TESS/product/{NAMELESS}"})
    assert reply.content == (folder / NAMELESS).read_bytes()
    assert "content-encoding" not in reply.headers


@pytest.mark.parametrize(
    "uri",
    [
        "mast:TESS/product/missing.fits", "/etc/passwd", "../../../../etc/passwd", "mast:TESS/product/../notes.txt",
        "mast:TESS/product/..%2f..%2fnotes.txt", "notes.txt", "mast:TESS/product/notes.txt", f"sector 1/{LC1}",
        f"mast:tess/product/{LC1}", f"{URI}\0", "mast:TESS/product/", ".", "mast:TESS/product/.hidden.fits",
    ],
)  # fmt: skip
def test_what_is_no_product_is_not_sent(client, uri):
    reply = client.get(URL, params={"uri": uri})
    assert reply.status_code == 404
    assert b"milk" not in reply.content


def test_paths_lead_nowhere(client):
    for path in (
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/sector%201/" + LC1,
        "//etc/passwd",
        f"/{made.LC2}",
    ):
        assert client.get(path).status_code == 404
    assert client.get(URL).status_code == 400


def test_a_file_replaced_by_a_link_out_is_not_sent(tmp_path):
    served, secret = tmp_path / "served", tmp_path / "secret.fits"
    (served / "deep").mkdir(parents=True)
    secret.write_bytes(b"secret")
    made.light_curve(served / LC1)
    made.light_curve(served / "deep" / made.LC2, sector=2)
    with ServerThread(served) as archive, httpx.Client(base_url=archive.url) as client:

        def status(name: str) -> int:
            return client.get(URL, params={"uri": f"mast:TESS/product/{name}"}).status_code

        assert status(LC1) == 200
        (served / LC1).unlink()
        (served / LC1).symlink_to(secret)
        assert status(LC1) == 404
        # The same with a folder on the way.
        (served / "deep").rename(tmp_path / "elsewhere")
        (served / "deep").symlink_to(tmp_path / "elsewhere")
        assert status(made.LC2) == 404
        (served / LC1).unlink()
        assert status(LC1) == 404


def test_the_script_downloads_the_files(folder, tmp_path, content):
    with ServerThread(folder) as archive:
        names = [URI, f"mast:TESS/product/{NAMELESS}", "mast:TESS/product/missing $(touch oops).fits"]
        reply = httpx.post(f"{archive.url}/api/v0.1/Download/bundle.sh", data={"uri": names})
        assert reply.status_code == 200
        script = tmp_path / "get.sh"
        script.write_text(reply.text)
        subprocess.run(["sh", str(script)], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert (tmp_path / "mastDownload" / "TESS" / OBS1 / LC1).read_bytes() == content
    assert len(list(tmp_path.rglob("my favourite star.fits.gz"))) == 1
    assert not (tmp_path / "oops").exists()


def test_a_host_that_is_a_shell_command_stays_a_word(client):
    reply = client.post(
        "/api/v0.1/Download/bundle.sh", data={"uri": URI}, headers={"host": "x';touch oops;'"}, follow_redirects=False
    )
    for line in reply.text.splitlines():
        if line.startswith("curl"):
            assert "touch" not in shlex.split(line)
