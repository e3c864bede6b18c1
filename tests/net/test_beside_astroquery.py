"""The same faults, met by astroquery and by us: what each leaves under the file's name."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from tessellar.config import Settings
from tessellar.net import Remote, run, transfer
from tessellar.store import Store
from tests.net.chaos import HTML, archive_files
from tests.webserver import FileServer, Misbehaviour, running

URI = "mast:TESS/product/a_lc.fits"
PATH = f"/file?uri={URI}"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with running() as files:
        files.files[PATH] = archive_files(1, seed=5)["/product0000_lc.fits"]
        yield files


def theirs(server: FileServer, folder: Path) -> bytes | None:
    """What astroquery leaves under the final name; None if nothing."""
    from astroquery.mast import Observations

    path = folder / "a_lc.fits"
    # Whatever it raises: a cut body ends its whole batch.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
        Observations.download_file(URI, local_path=str(path), base_url=f"{server.url}/file", verbose=False)
    return path.read_bytes() if path.exists() else None


def ours(server: FileServer, folder: Path) -> bytes | None:
    remote = Remote(URI, server.url + PATH, "a_lc.fits", "TESS", "obs")
    store = Store(folder, flat=True)
    run(transfer([remote], store, Settings(retry_wait=0.01), []))
    store.close()
    path = folder / "a_lc.fits"
    return path.read_bytes() if path.exists() else None


@pytest.mark.parametrize(
    "how",
    [
        Misbehaviour(flip=20_000),
        Misbehaviour(cut_after=10_000),
        Misbehaviour(no_length=True, cut_after=10_000),
        Misbehaviour(status=200, headers={"Content-Type": "text/html"}, body=HTML),
        Misbehaviour(status=200),
    ],
    ids=["flipped bit", "cut", "cut without length", "html with 200", "nothing with 200"],
)
def test_astroquery_leaves_a_bad_file_where_we_leave_a_whole_one(server, tmp_path, how):
    good = server.files[PATH]
    # The fault meets its request for the file; the one before it asks for the headers.
    server.plan[PATH] = [Misbehaviour(), how]
    bad = theirs(server, tmp_path)
    assert bad is not None
    assert bad != good
    server.plan[PATH] = [how]
    # The bad file that is there is set aside; what comes again under the same fault is not taken for it.
    assert ours(server, tmp_path) == good


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Misbehaviour(cut_after=10_000), Misbehaviour(ignore_range=True)),
        (Misbehaviour(other_bytes=True, cut_after=10_000), Misbehaviour()),
    ],
    ids=["ranges ignored", "another version in between"],
)
def test_astroquery_continues_into_a_bad_file_where_we_start_over(server, tmp_path, first, second):
    from astroquery.mast import Observations

    good = server.files[PATH]
    # Where it continues files (not by default with MAST), it asks for headers, then for the rest.
    bad = tmp_path / "theirs.fits"
    bad.write_bytes((good[::-1] if first.other_bytes else good)[:10_000])
    server.plan[PATH] = [Misbehaviour(), second]
    with contextlib.suppress(Exception):
        Observations._download_file(
            server.url + PATH, str(bad), cache=True, continuation=True, head_safe=True, verbose=False
        )
    assert bad.stat().st_size >= len(good)
    assert bad.read_bytes() != good
    server.plan[PATH] = [first, second]
    assert ours(server, tmp_path) == good
