"""The public bucket: listed past all pages, read in pieces, and a source of whole files; here on loopback."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest

from tessellar.access.fetching import fetch_remotes
from tessellar.access.sources import Sources
from tessellar.archives.cloud import Bucket, CloudFile, cloud_url
from tessellar.config import Settings
from tessellar.errors import ArchiveError, InputError, NotFound, Unavailable
from tessellar.net import Remote
from tests.webserver import FileServer, Misbehaviour, running

ROOT = "/stpubdata/"
NAME = "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits"
KEY = f"tess/public/tid/s0001/0000/0000/2515/5310/{NAME}"


class S3Server(FileServer):
    """As much of S3 as is needed: objects, and lists in pages of two or three hundred keys."""

    def answer(self, path: str) -> Misbehaviour | None:
        parts = urlsplit(path)
        if parts.path.rstrip("/") != ROOT.rstrip("/"):
            return None
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert asked["list-type"] == "2"
        keys = sorted(name.removeprefix(ROOT) for name in self.files if name.startswith(ROOT + asked.get("prefix", "")))
        start = int(asked.get("continuation-token", "0"))
        page = keys[start : start + 300]
        more = start + len(page) < len(keys)
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.files[ROOT + key])}</Size><ETag>&quot;e&quot;</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{start + len(page)}</NextContinuationToken>" if more else ""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>stpubdata</Name><KeyCount>{len(page)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{token}{rows}</ListBucketResult>"
        )
        return Misbehaviour(status=200, headers={"Content-Type": "application/xml"}, body=body.encode())


@pytest.fixture
def s3():
    with running(S3Server()) as server:
        server.files[ROOT + KEY] = bytes(range(256)) * 10
        yield server


@pytest.fixture
def settings(s3):
    return Settings(cloud=s3.url, attempts=3, retry_wait=0.01)


def test_a_list_goes_past_every_page(s3, settings):
    for number in range(1000):
        s3.files[f"{ROOT}tess/public/ffi/s0001/2018/206/1-1/{number:04d} &.fits"] = b"x" * number
    found = list(Bucket(settings).list("tess/public/ffi/s0001/2018/206/1-1/"))
    assert len(s3.requests) == 4
    assert found[7] == CloudFile("tess/public/ffi/s0001/2018/206/1-1/0007 &.fits", 7, '"e"')
    assert [each.size for each in found] == list(range(1000))
    assert list(Bucket(settings).list("tess/public/nothing/")) == []


def test_a_piece_is_read_and_no_more(s3, settings):
    bucket = Bucket(settings)
    assert bucket.read(KEY, 10, 4) == bytes([10, 11, 12, 13])
    assert bucket.read(KEY, 2550) == bytes(range(246, 256))
    assert bucket.describe(KEY).size == 2560
    assert s3.sent[ROOT + KEY] == 14
    with pytest.raises(NotFound, match="not in the bucket"):
        bucket.read("tess/nothing", 0, 4)
    with pytest.raises(NotFound, match="not in the bucket"):
        bucket.describe("tess/nothing")
    with pytest.raises(InputError, match="no 0 bytes"):
        bucket.read(KEY, 0, 0)


def test_a_bucket_that_does_not_answer_is_one_clear_error(s3, settings):
    s3.answer = lambda path: Misbehaviour(status=503)
    with pytest.raises(Unavailable, match="does not answer"):
        list(Bucket(Settings(cloud=s3.url, attempts=1)).list("tess/"))
    with pytest.raises(ArchiveError, match="offline"):
        Bucket(Settings(offline=True))


def test_the_bucket_is_a_source_of_whole_files(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("TESSELLAR_CLOUD", s3.url)
    s3.files[ROOT + KEY] = b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =                    8".ljust(80)
    s3.files[ROOT + KEY] = (s3.files[ROOT + KEY] + b"NAXIS   =                    0".ljust(80) + b"END").ljust(2880)
    remote = Remote(f"mast:TESS/product/{NAME}", "http://127.0.0.1:1/never", NAME, "TESS", "obs")
    (offered,) = Sources("cloud, archive").offer([remote])
    assert offered.url == f"{s3.url}{ROOT}{KEY}"
    assert offered.others == ("http://127.0.0.1:1/never",)
    manifest = fetch_remotes([offered], tmp_path)
    assert manifest.ok
    assert manifest["URL"][0] == offered.url


def test_where_it_lies_at_amazon():
    assert cloud_url(NAME) == f"https://stpubdata.s3.us-east-1.amazonaws.com/{KEY}"
    assert cloud_url("notes.txt") is None
