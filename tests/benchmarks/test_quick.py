"""The small sizes of benchmarks that nobody runs by hand often."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.heavy
def test_a_small_ccd_goes_from_frames_to_the_store_with_one_worker_and_with_two(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "ccd.py"), "--quick", "--turns", "1", "--frames", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=1200,
    )  # fmt: skip
    print(done.stdout)
    lines = done.stdout.splitlines()
    rows = [line.split() for line in lines if line.startswith("survey ")]
    assert [row[1] for row in rows] == ["1", "2"], done.stderr
    assert lines[0].startswith("512 x 512 pixels, 400 frames, 12,")
    assert any(line.startswith("outcomes: ") for line in lines)
    # How fast it is depends on who else is at work; memory and stars do not.
    told = [line for line in lines if line.startswith("failed: ") and "times as fast" not in line]
    assert told == []
    assert done.returncode == any(line.startswith("failed: ") for line in lines)
    assert not list(tmp_path.glob("survey-*"))


@pytest.mark.heavy
def test_processes_and_a_cluster_do_the_same_tasks() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "cluster.py"), "--quick"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    print(done.stdout)
    head, times, *more = done.stdout.splitlines() or ["", ""]
    assert head.startswith("16 tasks of 1 s of one core, 2 workers"), done.stderr
    assert times.startswith("processes ")
    assert all("Dask costs" in line for line in more)
    assert done.returncode == any(line.startswith("failed: ") for line in more)
