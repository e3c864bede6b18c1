"""Running a survey: whatever happens to it, what it finds is the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tessellar.survey import SurveyFolder, run
from tests.survey.conftest import contents
from tests.survey.fakework import MEASURE

Found = Callable[[], dict[str, Any]]


def faults(folder: Path, **what: Any) -> None:
    (folder / "faults.json").write_text(json.dumps(what))


def test_workers_that_die_fail_and_run_out_of_memory_change_nothing(planned: Path, undisturbed: Found) -> None:
    faults(
        planned,
        **{"2": {"how": "kill", "times": 2}, "4": {"how": "memory", "times": 1}, "5": {"how": "bug", "times": 2}},
    )
    notes: list[str] = []
    finished = run(planned, workers=2, memory=2 << 30, measure=MEASURE, listener=lambda event: notes.append(event.note))
    assert finished.aside == {}
    assert contents(planned) == undisturbed()
    told = "\n".join(notes)
    assert "SIGKILL" in told
    assert "not enough memory" in told
    assert "KeyError" in told
    assert not list(SurveyFolder(planned).folder.glob("parts/*"))
