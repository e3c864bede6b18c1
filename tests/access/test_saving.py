"""Searches straight to a file: whole, in bounded memory, gone on with after a kill."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest

from tessellar import config
from tessellar.access import save_observations
from tessellar.errors import ArchiveError, InputError, StoreError
from tessellar.products import ObservationTable
from tests.skyserver import Sky
from tests.webserver import Misbehaviour, running

WANTED = ["obs_id", "target_name", "s_ra", "sequence_number", "camera", "mtFlag"]


@pytest.fixture
def archive():
    with running(Sky()) as server, config.overriding(page_size=50, attempts=2, retry_wait=0.01, strip_rows=60):
        yield server


def numbers(path: Any) -> list[int]:
    with path.open(newline="") as stream:
        lines = [line for line in stream if not line.startswith("#")]
    return sorted(int(row["target_name"]) for row in csv.DictReader(lines))


def test_every_row_is_in_the_file_once(archive, tmp_path):
    heard = []
    saved = save_observations(tmp_path / "all.csv", wanted=WANTED, archive=archive.url, listener=heard.append)
    assert (saved.rows, saved.twice, saved.missing) == (230, 0, 0)
    assert numbers(saved.path) == list(range(230))
    assert [path.name for path in tmp_path.iterdir()] == ["all.csv"]
    assert heard[-1].done == heard[-1].total == 230


def test_formats_hold_the_same(archive, tmp_path):
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")
    archive.rows[3]["target_name"] = 'a "name", with\nall'
    archive.rows[4] |= {"s_ra": None, "mtFlag": True}
    paths = [tmp_path / f"all{ending}" for ending in (".csv", ".ecsv", ".parquet")]
    for path in paths:
        save_observations(path, wanted=WANTED, archive=archive.url)
    table = ObservationTable.read(paths[1], format="ascii.ecsv")
    assert table.colnames == WANTED
    assert table["s_ra"].unit == "deg"
    assert table.meta["archive"] == archive.url
    frame = pandas.read_parquet(paths[2])
    assert list(frame["obs_id"]) == list(table["obs_id"]) == list(pandas.read_csv(paths[0])["obs_id"])
    assert np.array_equal(np.ma.filled(table["s_ra"], np.nan), frame["s_ra"], equal_nan=True)
    assert np.ma.count_masked(table["s_ra"]) == 1
    row = table[table["target_name"] == 'a "name", with\nall']
    assert len(row) == 1
    assert list(frame["mtFlag"].dropna()) == [True]


class Breaking(Sky):
    """Answers some questions, and then no more."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def answer(self, path: str) -> Misbehaviour | None:
        self.left -= 1
        return super().answer(path) if self.left >= 0 else Misbehaviour(status=500)


def test_an_archive_that_fails_half_way_costs_no_more_than_a_strip(archive, tmp_path):
    with running(Breaking(12)) as server:
        with pytest.raises(ArchiveError, match="500"):
            save_observations(tmp_path / "all.csv", wanted=WANTED, archive=server.url)
        assert not (tmp_path / "all.csv").exists()
        half = len((tmp_path / "all.csv.part").read_text().splitlines())
        asked, server.left = len(server.asked), 10**6
        saved = save_observations(tmp_path / "all.csv", wanted=WANTED, archive=server.url)
        again = sum(question["params"]["columns"] != "COUNT_BIG(*)" for question in server.asked[asked:])
    assert half > 1
    assert numbers(saved.path) == list(range(230))
    assert saved.missing == 0
    assert again < 230 / 20


_SAVE = """
import sys
from tessellar.access import save_observations
save_observations(sys.argv[1], wanted=["target_name"], archive=sys.argv[2])
"""


def test_a_killed_process_leaves_nothing_double_and_nothing_out(archive, tmp_path):
    path = tmp_path / "all.csv"
    slow = archive.answer

    def answer(asked: str) -> Misbehaviour | None:
        time.sleep(0.05)
        return slow(asked)

    archive.answer = answer
    kills = 0
    while not path.exists():  # each time a few questions further
        before = len(archive.asked)
        command = [sys.executable, "-c", _SAVE, str(path), archive.url]
        child = subprocess.Popen(command, env={**os.environ, "TESSELLAR_STRIP_ROWS": "60"})
        while child.poll() is None and len(archive.asked) < before + 10:
            time.sleep(0.01)
        if child.poll() is None:
            child.kill()
            kills += 1
        assert child.wait() in (0, -9)
    assert kills >= 2
    assert numbers(path) == list(range(230))
    assert [each.name for each in tmp_path.iterdir()] == ["all.csv"]


def test_half_of_another_table_is_not_gone_on_with(archive, tmp_path):
    with running(Breaking(12)) as server:
        with pytest.raises(ArchiveError):
            save_observations(tmp_path / "all.csv", wanted=WANTED, archive=server.url)
        with pytest.raises(InputError, match=r"all.csv.part: half of another table"):
            save_observations(tmp_path / "all.csv", wanted=WANTED, sector=1, archive=server.url)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("all.txt", {}, r"\.csv, \.ecsv, \.parquet"),
        ("all.csv", {"wanted": ["obsID"]}, "did you mean"),
        ("all.csv", {"position": (1, 2), "radius": 1}, "cone"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(archive, tmp_path, name, options, told):
    with pytest.raises(InputError, match=told):
        save_observations(tmp_path / name, archive=archive.url, **options)
    assert archive.asked == []
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_file_are_kept_apart(archive, tmp_path):
    from tessellar.store.tablefile import TableFile

    first = TableFile(tmp_path / "all.csv", ObservationTable, WANTED, {})
    with pytest.raises(StoreError, match="another process"):
        save_observations(tmp_path / "all.csv", wanted=WANTED, archive=archive.url)
    first.close()


@pytest.mark.heavy
def test_memory_does_not_grow_with_the_table(tmp_path):
    peaks = []
    for count in (1_000, 4_000):
        with running(Sky(count)) as server, config.overriding(page_size=250, strip_rows=250):
            tracemalloc.start()
            saved = save_observations(tmp_path / f"{count}.csv", wanted=["obs_id"], archive=server.url)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert saved.rows == count
    assert peaks[1] < 1.5 * peaks[0]
