"""Light curves to write, and a way to have them judged."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest


def light_curve_columns(rows: int = 200) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    time = 1325.3 + np.arange(rows) / 720
    if rows > 3:
        time[3] = np.nan
    return {
        "TIME": time,
        "TIMECORR": np.full(rows, 0.0008),
        "CADENCENO": 70444 + np.arange(rows),
        "FLUX": 1000 + rng.normal(0, 1, rows),
        "FLUX_ERR": np.full(rows, 1.25),
        "FLUX_BKG": np.full(rows, 80.0),
        "QUALITY": np.where(np.arange(rows) % 50 == 7, 128, 0),
        "MOM_CENTR1": 1624 + rng.normal(0, 0.01, rows),
        "MOM_CENTR2": 394 + rng.normal(0, 0.01, rows),
        "POS_CORR1": rng.normal(0, 0.01, rows),
        "POS_CORR2": rng.normal(0, 0.01, rows),
    }


META = {
    "tic": 25155310,
    "sector": 1,
    "camera": 4,
    "ccd": 1,
    "cadence": 120,
    "tmag": 10.555,
    "ra": 63.37389,
    "dec": -69.226789,
    "data_release": 1,
    "method": "aperture",
    "quality_mask": "default",
    "quality_bits": 17087,
    "corner": (1619, 389),
    "num_frm": 60,
}


def aperture(rows: int = 11, columns: int = 11) -> np.ndarray:
    flags = np.full((rows, columns), 257)
    flags[4:7, 4:7] |= 2 | 8
    return flags


def fitsverify(path: Path) -> str:
    """The last line of fitsverify's report on a file."""
    program = shutil.which("fitsverify")
    if program is None:
        pytest.skip("fitsverify is not installed")
    done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    return done.stdout.strip().splitlines()[-1]


CLEAN = "**** Verification found 0 warning(s) and 0 error(s). ****"
