"""Work that takes no time, and goes wrong as told: what tests of running hand to workers.

A file ``faults.json`` in the folder says what happens to which task: ``{"3": {"how": "kill", "times": 1}}``.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np

from tessellar.errors import Corrupt, NoPermission
from tessellar.photometry import STATUS
from tessellar.photometry.engine import BandCurves
from tessellar.pixels import PreparedField
from tessellar.survey.outcomes import METRIC_NAMES, Outcome, Outcomes, Part
from tessellar.survey.tasks import Task

MEASURE = "tests.survey.fakework:measure"


def measure(task: Task) -> Part:
    _go_wrong(task)
    count = len(PreparedField(task.path))
    tics = [star.tic for star in task.stars]
    flux = np.stack([np.random.default_rng(tic).normal(100, 1, count) for tic in tics]).astype(np.float32)
    good = np.array([tic % 7 != 0 for tic in tics])
    outcomes = []
    shapes = np.array([np.random.default_rng(tic).random((3, 3)) < 0.5 for tic in tics])
    for star, fine in zip(task.stars, good, strict=True):
        metrics = tuple(float(star.tic % 100) if name == "mean_flux" else float("nan") for name in METRIC_NAMES)
        status = STATUS.OK if fine else STATUS.ERROR
        # Every star holds the next one of its task in its mask.
        place = tics.index(star.tic)
        sharing = tuple(tics[place + 1 : place + 2]) if star.tic % 5 == 0 else ()
        outcomes.append(Outcome(star.priority, "aperture", status, "" if fine else "no pixels", metrics, sharing))
    table = {
        "ra": np.zeros(len(tics)), "dec": np.zeros(len(tics)), "tmag": np.array([s.tmag for s in task.stars]),
        "mean_flux": np.array(tics) % 100, "status": np.full(len(tics), int(STATUS.OK)),
        "reasons": np.array([f"of task {task.number}" if tic % 3 else "" for tic in tics], dtype=np.str_),
        "mask": shapes, "mask_column": 600 + np.array(tics) % 120, "mask_row": 700 + np.array(tics) % 110,
    }  # fmt: skip
    columns = {"FLUX": flux[good], "FLUX_ERR": np.sqrt(np.abs(flux[good])), "MOM_CENTR1": 600 + flux[good] / 100}
    curves = BandCurves(
        tic=np.array(tics)[good], columns=columns, table={name: values[good] for name, values in table.items()}
    )
    # Another method has no masks, and light curves of some of the stars only.
    some = curves.tic % 2 == 0
    others = BandCurves(
        tic=curves.tic[some],
        columns={"FLUX": -curves.columns["FLUX"][some]},
        table={name: values[some] for name, values in curves.table.items() if not name.startswith("mask")},
    )
    outcomes += [
        Outcome(star.priority, "linpsf", STATUS.OK, "", (float("nan"),) * len(METRIC_NAMES))
        for star in task.stars
        if star.tic in others.tic
    ]
    return Part(
        Outcomes.of(outcomes), {"aperture": curves, "linpsf": others} if some.any() else {"aperture": curves}, {}
    )


def _go_wrong(task: Task) -> None:
    path = Path(task.folder) / "faults.json"
    told = json.loads(path.read_text()) if path.exists() else {}
    time.sleep(told.get("sleep", 0.0))
    fault = told.get(str(task.number))
    if fault is None:
        return
    tried = Path(task.folder) / f"tried-{task.number}"
    tries = len(tried.read_text()) if tried.exists() else 0
    if tries >= fault.get("times", 1_000):
        return
    with tried.open("a") as stream:
        stream.write("x")
    how = fault["how"]
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "memory":
        np.ones(1 << 40)
    if how == "corrupt":
        raise Corrupt(f"frame-17.fits: cut short, in task {task.number}")
    if how == "forbidden":
        raise NoPermission(f"{task.part}: may not be written")
    if how == "bug":
        raise KeyError("surprise")
