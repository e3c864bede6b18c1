"""The demo, as a new user runs it: what it leaves is what was injected."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from astropy.timeseries import BoxLeastSquares

import tessellar


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One run of the demo in a process of its own, with a setting of the user's that must not mislead it."""
    out = tmp_path_factory.mktemp("demo") / "here"
    environment = {**os.environ, "TESSELLAR_ARCHIVE": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-m", "tessellar", "--json", "demo", "--out", str(out)],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return out, json.loads(done.stdout)


def truth_rows(out: Path):
    return Table.read(out / "archive" / "truth.ecsv")


def curve_of(told, row):
    (path,) = [path for path in told["lightcurves"] if f"{row['tic']:016d}-s{row['sector']:04d}" in path]
    return tessellar.read(path)


def test_it_leaves_light_curves_pictures_and_manifests(demo):
    out, told = demo
    rows = truth_rows(out)
    assert len(told["lightcurves"]) == len(rows) == 16
    assert len(told["pictures"]) == 32
    assert all(Path(path).read_bytes()[:4] == b"\x89PNG" for path in told["pictures"])
    assert told["manifests"]
    assert all(Path(path).is_file() for path in (*told["lightcurves"], *told["manifests"]))


def test_flux_is_the_truth_within_its_errors(demo):
    out, told = demo
    for row in truth_rows(out):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "e-/s" is TESS's unit, not astropy's
            truth = Table.read(out / "archive" / row["cadences"])
        curve = curve_of(told, row)
        good = curve.good() & np.isfinite(curve.flux)
        pull = (curve.flux - truth["FLUX"])[good] / curve.flux_err[good]
        assert good.sum() > 5000
        assert abs(pull.mean()) < 3 / np.sqrt(good.sum()), row["tic"]
        assert 0.95 < pull.std() < 1.05, row["tic"]


def test_the_transit_is_recovered(demo):
    out, told = demo
    rows = [row for row in truth_rows(out) if row["kind"] == "planet"]
    times, fluxes = [], []
    for row in rows:
        curve = curve_of(told, row)
        good = curve.good() & np.isfinite(curve.flux)
        times.append(curve.btjd[good])
        fluxes.append(curve.flux[good] / np.median(curve.flux[good]))
    time, flux = np.concatenate(times), np.concatenate(fluxes)
    model = BoxLeastSquares(time, flux)
    found = model.power(np.geomspace(1.5, 6.0, 20000), 0.1)
    period = found.period[np.argmax(found.power)]
    epoch = found.transit_time[np.argmax(found.power)]
    assert abs(period / rows[0]["period"] - 1) < 0.05
    phase = (time - epoch + period / 2) % period - period / 2
    duration = rows[0]["duration"]
    # The mid-transit depth: the bottom of the transit against the flux outside it.
    depth = 1 - np.median(flux[np.abs(phase) < 0.15 * duration]) / np.median(flux[np.abs(phase) > duration])
    injected = rows[0]["depth"] * (1 - rows[0]["contamination"])
    assert abs(depth / injected - 1) < 0.05


def test_it_needs_less_than_a_gibibyte(demo):
    # The largest of all processes that the tests have waited for, the demo's among them.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1024**2


def test_it_refuses_a_folder_that_is_not_its_own(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    done = subprocess.run(
        [sys.executable, "-m", "tessellar", "demo", "--out", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
