"""A small simulated and prepared field, made once, and surroundings in memory: what tests of photometry share."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from tessellar import Field
from tessellar.pixels import GriddedResponse, PreparedField, Surroundings, prepare
from tessellar.pixels.inputs import find_catalog, find_response, read_catalog
from tessellar.simulate import FrameTruth, simulate_frames

FIELD = Field(27, 1, 1)


@dataclass(frozen=True)
class PreparedSky:
    """Simulated frames and target pixel files of four stars, prepared with the PRF they were drawn with."""

    folder: Path
    truth: FrameTruth
    field: PreparedField


@cache
def small_field() -> PreparedSky:
    """128 x 128 px, 120 frames of 600 s, 60,000 stars a CCD, in a window away from the CCD's edges."""
    folder = Path(tempfile.mkdtemp(prefix="fieldsky-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    window = ((600, 727), (700, 827))
    truth = simulate_frames(folder, FIELD, window=window, cadence=600, n_frames=120, stars=60_000, seed=5, targets=4)
    return PreparedSky(folder, truth, prepare_sky(truth, folder / f"{FIELD}-c0600.h5"))


def prepare_sky(truth: FrameTruth, out: Path, *, estimate: bool = False) -> PreparedField:
    """Prepare simulated frames with their own catalogue, and their own PRF files or a response estimated from them."""
    folder = truth.directory
    prf = None if estimate else find_response(folder, truth.field)
    return prepare(truth.paths, read_catalog(find_catalog(folder)), prf, out=out, field=truth.field)


def surroundings(
    tmag: Sequence[float],
    *,
    column: Sequence[float],
    row: Sequence[float],
    count: int = 200,
    tic: Sequence[int] | None = None,
    response: GriddedResponse | None = None,
) -> Surroundings:
    """Stars that do not move; ids from 1 unless given."""
    magnitudes = np.asarray(tmag, dtype=np.float64)
    return Surroundings(
        tic=np.asarray(tic if tic is not None else np.arange(1, len(magnitudes) + 1), dtype=np.int64),
        tmag=magnitudes,
        ra=np.zeros(len(magnitudes)),
        dec=np.zeros(len(magnitudes)),
        column=np.asarray(column, dtype=np.float64),
        row=np.asarray(row, dtype=np.float64),
        flux=10 ** (-0.4 * (magnitudes - 20.44)),
        shifts=np.zeros((count, len(magnitudes), 2)),
        segments=np.zeros(count, dtype=np.int64),
        responses=() if response is None else (response,),
    )
