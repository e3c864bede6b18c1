"""Time and memory of preparing one whole field: part of `prepare.py`, run in a process of its own.

python benchmarks/whole_field.py FOLDER SIZE FRAMES     write the frames, once, and prepare them; JSON on stdout
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar import Field
from tessellar.pixels import MissionPRF, prepare
from tessellar.progress import Event

FIELD = Field(1, 4, 1)
STARS_PER_CCD = 200_000


def write_frames(folder: Path, size: int, count: int) -> None:
    """Write frames of 200,000 stars a CCD to T = 16 and fainter ones to 20, sky and noise; beside them their catalogue.

    One frame is made by `tessellar.simulate`, for its headers and responses; the others are the same light with other
    noise, so that writing them takes no longer than preparing them.
    """
    from astropy.io import fits

    from tessellar.simulate import simulate_frames

    window = None if size == 2048 else size
    truth = simulate_frames(folder / "first", FIELD, window=window, n_frames=1, stars=STARS_PER_CCD, seed=1)
    light = truth.light(0).astype(np.float32)
    noise = np.sqrt(light / 1350 + 0.06)
    rng = np.random.default_rng(2)
    with fits.open(truth.paths[0]) as hdus:
        hdus = fits.HDUList([hdu.copy() for hdu in hdus])
    begin, stop = hdus[1].header["TSTART"], hdus[1].header["TSTOP"]
    (folder / "frames").mkdir(parents=True)
    for number in range(count):
        image = light + noise * rng.standard_normal(light.shape, dtype=np.float32)
        hdus[1].data[: light.shape[0], 44 : 44 + light.shape[1]] = image
        step = number * 1800 / 86400
        hdus[1].header["TSTART"], hdus[1].header["TSTOP"] = begin + step, stop + step
        hdus[1].header["FFIINDEX"] = 4697 + number
        hdus.writeto(folder / "frames" / f"tess{2018206192942 + number}-s0001-4-1-0120-s_ffic.fits")


class Clock:
    """Notes the processor time and the wall clock when each event of a stage came."""

    def __init__(self) -> None:
        self.begin = self.now()
        self.stages: dict[str, list[NDArray[np.float64]]] = {}

    def __call__(self, event: Event) -> None:
        """Note an event."""
        self.stages.setdefault(event.task, []).append(self.now())

    @staticmethod
    def now() -> NDArray[np.float64]:
        """Processor time of all threads, and wall clock."""
        return np.array([time.process_time(), time.monotonic()])


def measure(folder: Path, count: int) -> dict[str, Any]:
    """Prepare the frames; what it took, and what 1,300 frames of two orbits would take on two cores."""
    from tessellar.pixels.inputs import find_catalog, read_catalog

    prf = MissionPRF.open(folder / "first" / "prf", camera=FIELD.camera, ccd=FIELD.ccd, sector=FIELD.sector)
    out = folder / "field.h5"
    out.unlink(missing_ok=True)
    clock = Clock()
    catalog = read_catalog(find_catalog(folder / "first"))
    field = prepare(folder / "frames", catalog, prf, out=out, workers=2, listener=clock)
    total = clock.now() - clock.begin
    # What is done once (catalogue, places, compiling) ends when the first part of the frames is through; the stars are
    # fitted once an orbit, before its first frame.
    pointing, stars, sky = (clock.stages[name] for name in ("pointing", "stars", "background"))
    first = parts(count, field.shape)[0]
    orbit = sky[0] - stars[0]
    frame = (pointing[-1] - pointing[0]) / max(count - first, 1) + (sky[-2] - sky[0]) / (len(sky) - 2)
    once = total - orbit - frame * count
    cpu = float(once[0] + 2 * orbit[0] + 1300 * frame[0] / 2)
    return {
        "frames": count,
        "stars": len(field.stars) if field.stars is not None else 0,
        "wall": float(total[1]),
        "cpu": float(total[0]),
        "once": float(once[0]),
        "per_orbit": float(orbit[0]),
        "per_frame": float(frame[0]),
        "extrapolated": cpu,
        "extrapolated_wall": float(once[1] + 2 * orbit[1] + 1300 * frame[1]),
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "file_mb": out.stat().st_size / 1e6,
    }


def parts(count: int, shape: tuple[int, int]) -> list[int]:
    """Frames that are through when each event of the first pass comes."""
    from tessellar.pixels.passes import part_size

    size = part_size(shape)
    return [min(end, count) for end in range(size, count + size, size)]


if __name__ == "__main__":
    where, size, frames = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if not (where / "frames").is_dir():
        write_frames(where, size, frames)
        # Frames are written by another process than the one whose memory is measured.
        os.execv(sys.executable, [sys.executable, *sys.argv])
    print(json.dumps(measure(where, frames)))
