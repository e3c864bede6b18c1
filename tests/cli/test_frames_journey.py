"""From nothing to a page of a prepared field by the command line, at each cadence, killed on the way."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.pixels.test_prepare import same

TESSELLAR = [sys.executable, "-m", "tessellar", "--quiet"]


def commands(folder: Path, sector: int, cadence: int) -> list[list[str]]:
    """What the documentation says: simulate, prepare, look."""
    place = ["--sector", str(sector), "--camera", "2", "--ccd", "3"]
    name = f"s{sector:04d}-2-3-c{cadence:04d}.h5"
    return [
        ["simulate", str(folder), *place, "--window", "512", "--cadence", str(cadence), "--frames", "24"],
        ["prepare", str(folder), *place],
        ["look", str(folder / name), "-o", str(folder / "page.png")],
    ]


def run(words: Sequence[str]) -> float:
    begin = time.monotonic()
    done = subprocess.run([*TESSELLAR, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - begin


def run_killed(words: Sequence[str], kills: int, lasting: float, rng: random.Random) -> int:
    """Kill the command at moments over the time that it lasts, then let it finish; how many kills hit."""
    hits = 0
    for _ in range(kills):
        process = subprocess.Popen([*TESSELLAR, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(0.1, lasting / 2))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            hits += 1
    run(words)
    return hits


@pytest.mark.heavy
@pytest.mark.parametrize(("sector", "cadence"), [(60, 200), (27, 600), (1, 1800)])
def test_simulate_prepare_and_look_survive_ten_kills(tmp_path: Path, sector: int, cadence: int) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    lasting = [run(words) for words in commands(whole, sector, cadence)]
    rng = random.Random(cadence)
    simulate, prepare, look = commands(killed, sector, cadence)
    hits = run_killed(simulate, 5, lasting[0], rng) + run_killed(prepare, 5, lasting[1], rng)
    run(look)
    assert hits >= 8
    for path in sorted(whole.glob("*.fits")):
        assert path.read_bytes() == (killed / path.name).read_bytes(), path.name
    name = f"s{sector:04d}-2-3-c{cadence:04d}.h5"
    same(killed / name, whole / name)
    picture = (whole / "page.png").read_bytes()
    assert len(picture) > 50_000
    assert (killed / "page.png").read_bytes() == picture
    assert {path.name for path in killed.iterdir()} == {path.name for path in whole.iterdir()}
