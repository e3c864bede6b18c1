"""Folders with a prepared field and a plan, for tests of surveys."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def contents(folder: Path, *, ordered: bool = True) -> dict[str, Any]:
    """All that a survey found: its stores to the last dataset and attribute, and all that the ledger knows of stars.

    When it was written and measured is left out, and how often it was tried. With another cut into tasks the same
    stars are in another order: `ordered` says whether that counts.
    """
    from tessellar.survey import Ledger, SurveyFolder

    place = SurveyFolder(folder)
    found: dict[str, Any] = {}
    for path in sorted(place.folder.glob("*.lc.h5")):
        for name, value in stored(path, ordered=ordered).items():
            found[f"{path.name} {name}"] = value
    ledger = Ledger(place.ledger)
    for table, key in (("target", 1), ("outcome", 2), ("sharing", 3), ("skipped", 2), ("result", 1), ("left_out", 1)):
        rows = ledger.select(f"SELECT * FROM {table}")
        names = [row[1] for row in ledger.select(f"PRAGMA table_info({table})")]
        kept = [at for at, name in enumerate(names) if ordered or name != "task"]
        for row in rows:
            found[f"{table} {row[:key]}"] = [row[at] for at in kept]
    states = "SELECT id, field, first_row, last_row, stars, state FROM task"
    found |= {f"task {number}": rest for number, *rest in ledger.select(states)} if ordered else {}
    ledger.close()
    return found


def stored(path: Path, *, ordered: bool = True) -> dict[str, Any]:
    """All that a store of light curves holds: each star's columns, row of the table, images; attributes; cadences."""
    import h5py
    import hdf5plugin  # noqa: F401  (without it packed datasets cannot be read)

    from tessellar.products import LightCurveStore

    found: dict[str, Any] = {}
    with h5py.File(path, "r") as file:
        found["attributes"] = plain(file.attrs)
        for name, data in file["cadences"].items():
            found[f"cadences {name}"] = data[()].tobytes(), str(data.dtype), plain(data.attrs)
        for method, group in file["methods"].items():
            found[f"{method} attributes"] = plain(group.attrs)
            tics = group["tic"][()].tolist()
            assert len(set(tics)) == len(tics), "a star is there twice"
            if ordered:
                found[f"{method} order"] = tics
                # Pixels and numbers of rows lie in the order of the stars.
                found |= {
                    f"{method} {part} {name}": data[()].tolist() if data.dtype.kind == "O" else data[()].tobytes()
                    for part in ("stamps", "weights")
                    for name, data in group.get(part, {}).items()
                }
            for part in ("lightcurves", "table"):
                for name, data in group[part].items():
                    found[f"{method} {part} {name}"] = str(data.dtype), data.shape, plain(data.attrs)
                    values = data[()]
                    if name != "appended":
                        for tic, value in zip(tics, values, strict=True):
                            each = value if data.dtype.kind == "O" else value.tobytes()
                            found[f"{method} {part} {name} {tic}"] = without_dates(each) if name == "record" else each
    store = LightCurveStore(path)
    for method in store.methods:
        for tic in store.tics(method).tolist():
            images = store.images(tic, method)
            found[f"{method} images {tic}"] = None if images is None else _shown(images)
    store.close()
    return found


def plain(attributes: Any) -> dict[str, Any]:
    """Attributes as values that can be compared; references within the file mean nothing outside of it."""
    return {
        name: value.tolist() if hasattr(value, "tolist") else value
        for name, value in sorted(attributes.items())
        if name not in ("DIMENSION_LIST", "REFERENCE_LIST")
    }


def without_dates(record: bytes) -> dict[str, Any]:
    """What the file of a star says, but for the moment when it was measured."""
    told = json.loads(record or b"{}")
    if "provenance" in told:
        told["provenance"].pop("created")
    return dict(told)


def _shown(images: Any) -> dict[str, Any]:
    weights = [
        (each.first_cadence, each.last_cadence, each.saturated, each.weights.tobytes()) for each in images.weights
    ]
    mean = None if images.sumimage is None else images.sumimage.tobytes()
    about = images.corner, images.crpix, images.wcs, images.aperture.shape
    return {"about": about, "aperture": images.aperture.tobytes(), "sumimage": mean, "weights": weights}


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """What a survey of `planned` finds if nothing disturbs it; `ordered` as for `contents`."""
    found: dict[bool, dict[str, Any]] = {}

    def give(*, ordered: bool = True) -> dict[str, Any]:
        if not found:
            from tessellar.survey import Choices, plan, run

            folder = tmp_path_factory.mktemp("undisturbed")
            shutil.copy(small_field().field.path, folder)
            plan(folder, choices=Choices(limit=15.0, bright=-5.0, rows=16, sources=("ffi",))).close()
            run(folder, workers=1, measure=MEASURE)
            found.update({each: contents(folder, ordered=each) for each in (True, False)})
            parts = (" FLUX", " table mean_flux ", " images ", "outcome ", "skipped ", "sharing ", " stamps sumimage")
            assert all(any(part in name for name in found[True]) for part in parts)
        return found[ordered]

    return give
