"""Several processes may fetch into one folder, and any of them may be killed: no byte is wasted, none is wrong."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tessellar.net.body import BLOCK
from tests.net.chaos import leftovers
from tests.webserver import FileServer, running

SCRIPT = Path(__file__).with_name("fetching_process.py")


def start(server: FileServer, folder: Path) -> subprocess.Popen[str]:
    names = [path[1:] for path in server.files]
    command = [sys.executable, str(SCRIPT), server.url, str(folder), *names]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finish(process: subprocess.Popen[str]) -> dict[str, int]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def check_whole(server: FileServer, folder: Path) -> None:
    for path in (folder / "mastDownload").rglob("*.dat"):
        assert path.read_bytes() == server.files[f"/{path.name}"]


def test_two_processes_fetch_each_file_once(tmp_path):
    with running() as server:
        server.files = {f"/{number}.dat": random.Random(number).randbytes(400_000) for number in range(40)}
        server.pause = 0.005
        told = [finish(process) for process in [start(server, tmp_path) for _ in range(2)]]
        assert server.sent == {path: len(content) for path, content in server.files.items()}
    # Each file was asked for by one of them, and both know that it is here.
    for name in server.files:
        assert sorted(each[name[1:]] for each in told) == [0, 1]
    check_whole(server, tmp_path)
    assert len(list((tmp_path / "mastDownload").rglob("*.dat"))) == 40
    assert leftovers(tmp_path) == []


def test_a_file_whose_process_was_killed_is_finished_by_the_one_that_waits_for_it(tmp_path):
    with running() as server:
        server.files = {"/a.dat": random.Random(1).randbytes(4_000_000)}
        server.pause = 0.15
        first = start(server, tmp_path)
        while server.sent.get("/a.dat", 0) < 1_000_000:
            time.sleep(0.01)
        second = start(server, tmp_path)
        assert second.stdout is not None
        second.stdout.readline()
        time.sleep(0.3)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        server.pause = 0.0
        assert finish(second) == {"a.dat": 1}
        check_whole(server, tmp_path)
        assert server.requests[-1][1]["range"].startswith("bytes=")
        assert server.sent["/a.dat"] < 4_000_000 + 3 * BLOCK


def kill_and_count(folder: Path, kills: int, seed: int) -> None:
    """Kill a fetch at random moments, let it end, and count the bytes that the server sent."""
    rng = random.Random(seed)
    with running() as server:
        server.files = {f"/{number}.dat": rng.randbytes(rng.randrange(20_000, 6_000_000)) for number in range(16)}
        server.pause = 0.004
        for _ in range(kills):
            process = start(server, folder)
            asked = len(server.requests)
            while len(server.requests) == asked and process.poll() is None:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.7 * 5 / kills))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            check_whole(server, folder)
        finish(start(server, folder))
        check_whole(server, folder)
        assert len(list((folder / "mastDownload").rglob("*.dat"))) == 16
        assert leftovers(folder) == []
        time.sleep(0.1)
        for path, content in server.files.items():
            # What a kill can lose: a block that is held, one that is being written, and what the sockets hold.
            lost = (server.count(path) - 1) * (2 * BLOCK + 512 * 1024)
            assert server.sent[path] <= len(content) + lost, path
            if server.sent[path] > len(content):
                assert server.count(path) > 1


def test_a_killed_fetch_goes_on_where_it_stopped(tmp_path):
    kill_and_count(tmp_path, kills=2, seed=int(os.environ.get("TESSELLAR_TEST_SEED", "1")))


@pytest.mark.heavy
def test_a_fetch_killed_fifty_times_goes_on_where_it_stopped(tmp_path):
    kill_and_count(tmp_path, kills=50, seed=50)
