"""The memory of a survey: whose outcome counts, who is skipped, and files that are something else."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tessellar.errors import Corrupt, StoreError, Unrecognised
from tessellar.photometry import STATUS
from tessellar.survey.ledger import Ledger
from tessellar.survey.outcomes import METRIC_NAMES, Outcome, Outcomes
from tessellar.survey.running import decide_skips


def ledger_of(folder: Path, *stars: tuple[int, float, str | None]) -> Ledger:
    """A plan of one field and one task; stars are TIC id, magnitude, and the method that a table asks for."""
    rows: dict[str, Iterable[Sequence[Any]]] = {
        "rank": [("aperture", 1), ("linpsf", 2)],
        "field": [(1, 27, 1, 1, 600, "ffi", "prepared.h5")],
        "task": [(1, 1, 1, 64, len(stars))],
        "target": [
            (number, tic, 1, "ffi", tmag, 10.0, 10.0, 5.0, method, "prepared.h5", 1)
            for number, (tic, tmag, method) in enumerate(stars, 1)
        ],
    }
    return Ledger.create(folder / "survey.sqlite", {"key": "k", "methods": ["aperture", "linpsf"]}, rows)


def outcome(priority: int, method: str, *sharing: int, status: STATUS = STATUS.OK) -> Outcome:
    reason = "" if status is STATUS.OK else "no pixels"
    return Outcome(priority, method, status, reason, (math.nan,) * len(METRIC_NAMES), sharing)


def results(ledger: Ledger) -> dict[int, tuple[str, str, int | None]]:
    """Method, name of the status, and who skips it, by TIC id, of the outcome that counts."""
    rows = ledger.select("SELECT tic, method, status, skipped_by FROM result")
    return {tic: (method, STATUS(status).name, by) for tic, method, status, by in rows}


def test_a_star_in_the_halo_of_a_bright_one_is_skipped_by_whatever_mask_it_was_measured(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path, (10, 3.0, None), (22, 9.0, None), (23, 9.5, None), (24, 9.7, "linpsf"))
    bands = [outcome(number, method) for number in (2, 3, 4) for method in ("aperture", "linpsf")]
    ledger.record(1, Outcomes.of([outcome(1, "halo", 22, 24), *bands]), None)
    decide_skips(ledger)
    assert results(ledger) == {
        10: ("halo", "OK", None),
        22: ("aperture", "SKIPPED", 1),
        23: ("aperture", "OK", None),
        24: ("linpsf", "OK", None),
    }
    # A fit separates the light: what it gives is the star's own.
    assert sorted(ledger.select("SELECT priority, method, skipped_by FROM skipped")) == [
        (2, "aperture", 1),
        (4, "aperture", 1),
    ]
    decide_skips(ledger)
    assert len(ledger.select("SELECT * FROM skipped")) == 2
    ledger.close()


def test_nobody_is_skipped_for_the_sake_of_a_halo_that_gave_nothing(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path, (10, 3.0, None), (22, 9.0, None))
    ledger.record(1, Outcomes.of([outcome(1, "halo", 22, status=STATUS.ERROR), outcome(2, "aperture")]), None)
    decide_skips(ledger)
    assert results(ledger)[22] == ("aperture", "OK", None)
    ledger.close()


def test_the_method_that_a_table_asks_for_counts_before_the_rank(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path, (10, 8.0, "linpsf"), (11, 9.0, None), (12, 9.5, "auto"))
    both = [outcome(number, method) for number in (1, 2) for method in ("aperture", "linpsf")]
    ledger.record(1, Outcomes.of([*both, outcome(3, "halo")]), None)
    assert {tic: method for tic, (method, *_) in results(ledger).items()} == {10: "linpsf", 11: "aperture", 12: "halo"}
    ledger.close()


@pytest.mark.parametrize(
    "script",
    ["CREATE TABLE setting (name TEXT, value TEXT)", "CREATE TABLE setting (name TEXT)", "CREATE TABLE other (x)",
     """CREATE TABLE setting (name TEXT, value TEXT); INSERT INTO setting VALUES ('version', '"one"')"""],
)  # fmt: skip
def test_another_database_is_told_in_one_line(tmp_path: Path, script: str) -> None:
    path = tmp_path / "survey.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    with pytest.raises(Unrecognised, match="is not the ledger of a survey"):
        Ledger(path)


@pytest.mark.parametrize(("version", "said"), [(2, "a newer tessellar; update"), (0, "an older tessellar; plan")])
def test_a_ledger_of_another_version_is_told_in_one_line(tmp_path: Path, version: int, said: str) -> None:
    ledger = ledger_of(tmp_path, (10, 8.0, None))
    ledger._connection.execute("UPDATE setting SET value = ? WHERE name = 'version'", (str(version),))
    ledger._connection.commit()
    ledger.close()
    with pytest.raises(Unrecognised, match=f"{said}.* again with --overwrite"):
        Ledger(ledger.path)


def test_a_ledger_that_lacks_a_table_is_damaged(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path, (10, 8.0, None))
    ledger._connection.execute("DROP VIEW result")
    with pytest.raises(Corrupt, match=r"is damaged .*no such table: result.*; plan again with --overwrite"):
        results(ledger)
    ledger.close()


def test_a_ledger_that_another_program_holds_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tessellar.survey.ledger._PATIENCE", 0.1)
    ledger = ledger_of(tmp_path, (10, 8.0, None))
    holder = sqlite3.connect(ledger.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="another program has held it") as told:
        ledger.record(1, Outcomes.of([outcome(1, "aperture")]), None)
    assert "\n" not in str(told.value)
    with pytest.raises(StoreError, match="another program has held it"):
        Ledger(ledger.path)
    holder.execute("ROLLBACK")
    holder.close()
    ledger.record(1, Outcomes.of([outcome(1, "aperture")]), None)
    assert results(ledger)[10][1] == "OK"
    ledger.close()
