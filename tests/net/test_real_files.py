"""Real files behind a proxy that spoils every third request: none is lost, and none is wrong under its final name."""

from __future__ import annotations

import contextlib
import gc
import io
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tessellar.config import Settings
from tessellar.net import Remote, run, transfer
from tessellar.store import Store
from tests.net.chaos import PASSING, ChaosServer, leftovers
from tests.webserver import running

TROUBLE = ("503", "500", "refused", "reset", "cut", "html with 200", "nothing with 200", "stalled", "another etag")
RUNS = 3


@pytest.fixture(scope="module")
def real_files(real_data) -> dict[str, bytes]:
    files = {f"/file?uri=mast:TESS/product/{path.name}": path.read_bytes() for path in sorted(real_data.iterdir())}
    assert len(files) > 30
    return files


def spoilt(files: dict[str, bytes], seed: int) -> ChaosServer:
    return ChaosServer(files, seed, {name: PASSING[name] for name in TROUBLE})


def judged(server: ChaosServer, folder: Path) -> Counter[str]:
    """Whole, wrong under its final name, or missing: how many of each."""
    told: Counter[str] = Counter()
    for path, content in server.files.items():
        found = folder / path.rpartition("/")[2]
        told["missing" if not found.exists() else "whole" if found.read_bytes() == content else "wrong"] += 1
    return told


def ours(server: ChaosServer, folder: Path) -> None:
    remotes = [
        Remote(path.partition("=")[2], server.url + path, path.rpartition("/")[2], size=len(content))
        for path, content in server.files.items()
    ]
    store, outcomes = Store(folder, flat=True), []
    # As by default, but for the pauses.
    run(transfer(remotes, store, Settings(retry_wait=0.01, idle_timeout=0.5), outcomes))
    store.close()
    assert [str(outcome.error) for outcome in outcomes if outcome.error] == []
    assert leftovers(folder) == []


def aria2c(server: ChaosServer, folder: Path) -> None:
    listed = "".join(f"{server.url}{path}\n  out={path.rpartition('/')[2]}\n" for path in server.files)
    options = [
        "-q",
        "-j4",
        "-x1",
        "-s1",
        "--max-tries=6",
        "--retry-wait=0",
        "-t2",
        "--connect-timeout=2",
        "-d",
        str(folder),
    ]
    subprocess.run(["aria2c", *options, "-i", "-"], input=listed, text=True, check=False)


def astroquery(server: ChaosServer, folder: Path) -> None:
    from astroquery.mast import Observations

    for path in server.files:
        name = path.rpartition("/")[2]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
            Observations.download_file(
                path.partition("=")[2], local_path=str(folder / name), base_url=f"{server.url}/file", verbose=False
            )


@pytest.mark.heavy
def test_every_real_file_ends_whole_in_every_run(real_files, tmp_path):
    told: Counter[str] = Counter()
    faults = 0
    for seed in range(RUNS):
        with running(spoilt(real_files, seed)) as server:
            ours(server, tmp_path / str(seed))
            told += judged(server, tmp_path / str(seed))
            faults += sum(map(len, server.done.values()))
    assert told == {"whole": RUNS * len(real_files)}
    assert faults > 30


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore")  # of sockets that they leave open
@pytest.mark.parametrize("peer", [aria2c, astroquery], ids=lambda peer: peer.__name__)
def test_peers_lose_or_spoil_some_where_we_do_not(real_files, tmp_path, peer):
    if peer is aria2c and not shutil.which("aria2c"):
        pytest.skip("aria2c is not installed")
    told: Counter[str] = Counter()
    for seed in range(RUNS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with running(spoilt(real_files, seed)) as server:
            peer(server, folder)
            told += judged(server, folder)
    gc.collect()  # what they left open is closed here, not in somebody else's test
    assert sum(told.values()) == RUNS * len(real_files)
    assert told["wrong"] + told["missing"] > 0, told
