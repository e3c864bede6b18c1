"""Cutting fields into tasks that workers have the memory for, with every star in the band that measures it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tessellar.errors import InputError
from tessellar.mission.ccd import nearest_pixel
from tessellar.photometry.engine.measuring import bytes_of_bands
from tessellar.survey import Choices, SurveyFolder, plan, planning, run, running
from tessellar.survey.planning import MEMORY, row_bands
from tests.survey.fakework import MEASURE

# A worker's share on a machine with 16 GB and four cores: what `run` gives it if it is not told otherwise.
_SHARE = 16_000_000_000 * 9 // 10 // 4
_WORKER = 500_000_000


class WholeCCD:
    """As much of a prepared field as tells its size."""

    def __init__(self, frames: int, stars: int) -> None:
        self.corner, self.shape, self._frames = (45, 1), (2048, 2048), frames
        self.stars = SimpleNamespace(row=np.random.default_rng(3).uniform(0.5, 2048.5, stars))

    def __len__(self) -> int:
        return self._frames


@pytest.mark.parametrize(("frames", "stars"), [(1300, 200_000), (1300, 20_000), (4000, 100_000), (200, 200_000)])
def test_bands_of_a_whole_ccd_fit_the_share_of_a_usual_machine(frames: int, stars: int) -> None:
    field: Any = WholeCCD(frames, stars)
    bands = row_bands(field)
    assert len(bands) >= 8
    assert (bands[0][0], bands[-1][1]) == (1, 2048)
    assert all(after[0] == before[1] + 1 for before, after in pairwise(bands))
    assert max(bytes_of_bands(field, bands)) + _WORKER <= MEMORY <= _SHARE


def test_more_memory_gives_wider_bands_and_rows_give_what_they_say() -> None:
    field: Any = WholeCCD(4000, 100_000)
    widths = [max(last - first + 1 for first, last in row_bands(field, memory=each)) for each in (3 * 10**9, 9 * 10**9)]
    assert widths[0] < widths[1]
    assert row_bands(field, rows=1000) == [(1, 683), (684, 1365), (1366, 2048)]
    with pytest.raises(InputError, match="a worker needs 1 GB at least"):
        Choices(memory=10**8)


def test_a_star_on_the_border_of_two_bands_is_in_the_one_that_measures_it(
    sky_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = planning.in_frames

    def on_borders(*about: Any) -> Iterator[Any]:
        return (each._replace(row=math.floor(each.row) + 0.5) for each in found(*about))

    monkeypatch.setattr(planning, "in_frames", on_borders)
    ledger = plan(sky_folder, choices=Choices(limit=13.0, bright=-5.0, rows=1, sources=("ffi",)))
    rows = ledger.select("SELECT ccd_row, first_row, last_row FROM target JOIN task ON task.id = target.task")
    ledger.close()
    assert len(rows) > 20
    assert all(first <= nearest_pixel(row) <= last for row, first, last in rows)


def test_stars_that_are_measured_one_by_one_stand_between_the_bands_of_their_rows(sky_folder: Path) -> None:
    ledger = plan(sky_folder, choices=Choices(limit=13.0, bright=12.3, rows=16, sources=("ffi",)))
    tasks = ledger.tasks()
    handfuls = [place for place, task in enumerate(tasks) if task.rows is None]
    of_task = "SELECT ccd_row FROM target WHERE task = ?"
    rows = [[row for (row,) in ledger.select(of_task, tasks[place].id)] for place in handfuls]
    ledger.close()
    assert len(handfuls) > 1
    assert handfuls[-1] == len(tasks) - 1, "a worker would be alone with a whole band"
    assert max(np.diff([-1, *handfuls, len(tasks)])) <= math.ceil(len(tasks) / len(handfuls)) + 1
    assert all(max(before) <= min(after) for before, after in pairwise(rows))
    sizes = [len(each) for each in rows]
    assert max(sizes) <= 8
    assert max(sizes) - min(sizes) <= 1
    assert len(handfuls) >= min(sum(sizes), (len(tasks) - len(handfuls)) // 4)


def test_the_plan_tells_what_it_needs_and_so_many_workers_are_started_as_have_it(
    planned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "cores", lambda: 8)
    ledger = planning.Ledger(SurveyFolder(planned).ledger)
    need = ledger.setting("need")
    assert _WORKER < need < 2 * _WORKER
    for workers in (1, 3):
        monkeypatch.setattr(running, "machine_memory", lambda workers=workers: need * workers * 10 // 9 + 10)
        assert running._fitting(ledger, None) == workers
    monkeypatch.setattr(running, "machine_memory", lambda: 10**6)
    assert running._fitting(ledger, None) == 1
    assert running._fitting(ledger, 2 * need) == 8, "whoever says what each has knows how many there are"
    ledger.close()


def test_too_little_memory_is_told_with_what_to_do(planned: Path) -> None:
    (planned / "faults.json").write_text('{"2": {"how": "memory"}}')
    notes: list[str] = []
    finished = run(
        planned, workers=1, memory=480_000_000, measure=MEASURE, listener=lambda each: notes.append(each.note)
    )
    advice = "a worker has 0.5 GB: run with fewer --workers or more --memory, or plan with --rows 8 --overwrite"
    assert finished.aside[2].endswith(advice)
    assert notes[0] == f"tasks of this plan need up to 0.5 GB: {advice}"
