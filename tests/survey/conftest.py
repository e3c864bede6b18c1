"""Folders with a prepared field and a plan, for tests of surveys."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.photometry.fieldsky import small_field
from tests.survey.fakework import MEASURE


@pytest.fixture
def sky_folder(tmp_path: Path) -> Path:
    """A prepared field alone in a folder; its frames lie elsewhere."""
    folder = tmp_path / "sky"
    folder.mkdir()
    shutil.copy(small_field().field.path, folder)
    return folder


@pytest.fixture
def planned(sky_folder: Path) -> Path:
    """The same with a plan of eight bands."""
    from tessellar.survey import Choices, plan

    plan(sky_folder, choices=Choices(limit=15.0, bright=-5.0, rows=16, sources=("ffi",))).close()
    return sky_folder


def contents(folder: Path) -> dict[str, Any]:
    """All that a survey found: light curves by store, method and star; results by target. Times of writing left out."""
    from tessellar.products import LightCurveStore
    from tessellar.survey import Ledger, SurveyFolder

    place = SurveyFolder(folder)
    found: dict[str, Any] = {}
    for path in sorted(place.folder.glob("*.lc.h5")):
        store = LightCurveStore(path)
        for method in store.methods:
            tics = store.tics(method).tolist()
            assert len(set(tics)) == len(tics), "a star is there twice"
            for name in store.names(method):
                for tic, values in zip(tics, store.column(method, name), strict=True):
                    found[f"{path.name} {method} {tic} {name}"] = values.tobytes()
        store.close()
    ledger = Ledger(place.ledger)
    for priority, *rest in ledger.select("SELECT priority, tic, status, reason, skipped_by, mean_flux FROM result"):
        found[f"target {priority}"] = rest
    ledger.close()
    return found


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], dict[str, Any]]:
    """What a survey of `planned` finds if nothing disturbs it."""
    found: dict[str, Any] = {}

    def give() -> dict[str, Any]:
        if not found:
            from tessellar.survey import Choices, plan, run

            folder = tmp_path_factory.mktemp("undisturbed")
            shutil.copy(small_field().field.path, folder)
            plan(folder, choices=Choices(limit=15.0, bright=-5.0, rows=16, sources=("ffi",))).close()
            run(folder, workers=1, measure=MEASURE)
            found.update(contents(folder))
            assert np.mean(["FLUX" in name for name in found]) > 0.3
        return found

    return give
