"""A whole CCD, from frames on disk to the store of light curves: apertures and linear PSF of all its stars.

Frames are simulated once into a folder and kept (stars to T = 16 as densely as 200,000 a CCD, fainter ones, movement,
noise), and prepared once; neither counts. What counts is `tessellar survey plan DIR --limit 16` and `tessellar survey
run DIR --workers N`, called from Python: the to-do list, the start of the workers, bands of rows read and measured by
both methods, the brightest stars one by one, each task's part on disk, and the one writer that puts parts into the
store and outcomes into the ledger. Before the clock starts, kernels have been compiled, as in any second run, and all
frames have been read once, as `prepare` reads them: half of those of a whole CCD are then in this machine's memory,
the others are not, and the run with two workers finds what the one with one has found. The survey's files lie beside
the frames until they have been looked at: as much room again as the store has is needed.

    python benchmarks/ccd.py                              512 x 512 x 400 frames, with one worker and with two, 5 turns
    python benchmarks/ccd.py --quick                      the same, 2 turns (frames in the user's cache, 1 GB)
    python benchmarks/ccd.py --full --frames DIR          2048 x 2048 x 1,300 frames in DIR: 46 GB, made in half an hour
    python benchmarks/ccd.py --full --frames DIR --workers 1 2    the same with one worker, and with two
    python benchmarks/ccd.py --full --frames DIR --count 40    only 40 frames: the 6 min are not judged
    python benchmarks/ccd.py --engine                     a row more: the engine and the store alone, with two workers
    python benchmarks/ccd.py --json                       one object on stdout

Of several turns the fastest is told, for each number of workers: what other guests of the machine do to its memory only
ever makes a run slower, by up to a third from one minute to the next, and two workers more than one.

The row "engine" is a lower bound: bands are appended to a store under a lock, by workers that have started before, with
no to-do list, parts, ledger, or stars measured one by one.

Exit status 1: a whole CCD takes more than 6 min, planned and run, or more than 8 GiB, on two cores; where both are run,
two workers are less than 1.6 times as fast as one (with 512 x 512 pixels they mostly are: the start of each worker, 2 s
of a core, and what one process does alone at either end are a third of all there); or the survey has not measured every
star that it planned.
Memory and stars are judged always. The load of the machine is read once, before anything else: if it is 1.5 or more,
other processes are at work, and what the clock says against us is not judged; "not judged: the machine is busy" is
printed, stands in the object of --json (`not_judged`), and leaves the exit status 0.
"""

# ruff: noqa: E402  (threads of linear algebra are limited before NumPy is there)
from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np

from tessellar import Field
from tessellar.photometry.engine import band_rows, measure_band
from tessellar.pixels import PreparedField, prepare
from tessellar.products import LightCurveStore
from tessellar.survey import Choices, Ledger, SurveyFolder, plan
from tessellar.survey import run as survey_run

FIELD = Field(27, 2, 3)
STARS_PER_CCD = 200_000
WHOLE, SECTOR = 2048, 1300
METHODS = ("aperture", "linpsf")
# The faintest stars: all of the 200,000.
LIMIT = 16.0
WALL, MEMORY, GAIN = 360.0, 8.0, 1.6
QUIET = 1.5
# Bytes that one band may take in a worker.
BAND = 2.6e9

_lock: Any = None


def make_field(folder: Path, size: int, count: int) -> PreparedField:
    """Simulate and prepare frames, unless they are there already."""
    from tessellar.pixels.inputs import find_catalog, find_response, read_catalog
    from tessellar.simulate import simulate_frames

    prepared = folder / f"{FIELD}-{size}-{count}.h5"
    if not prepared.exists():
        window = None if size == WHOLE else size
        truth = simulate_frames(
            folder, FIELD, window=window, cadence=600, n_frames=count, stars=STARS_PER_CCD, seed=3, workers=2
        )
        prepare(
            truth.paths, read_catalog(find_catalog(folder)), find_response(folder, FIELD), out=prepared, field=FIELD,
            workers=2,
        )  # fmt: skip
    return PreparedField(prepared, frames=folder)


def begin_worker(lock: Any) -> None:
    """Keep the lock of the store."""
    global _lock
    _lock = lock


def warm_up(path: Path) -> None:
    """Measure a few rows, so that all is compiled."""
    field = PreparedField(path)
    measure_band(field, (field.corner[1], field.corner[1] + 31), limit=14)


def measure_rows(path: Path, store: Path, rows: tuple[int, int]) -> dict[str, Any]:
    """Measure a band and append it; what it took."""
    from tessellar.photometry.engine import apertures, fitting

    setting_up = [0.0]

    def timed(call: Any) -> Any:
        def timing(*args: Any, **kwargs: Any) -> Any:
            begun = time.process_time()
            made = call(*args, **kwargs)
            setting_up[0] += time.process_time() - begun
            return made

        return timing

    # What does not grow with frames: systems of stars, masks, and how large the stars' images are.
    still = [(fitting, "build_system"), (apertures, "choose_apertures"), (fitting, "_shape_of")]
    plain = [getattr(module, name) for module, name in still]
    for (module, name), call in zip(still, plain, strict=True):
        setattr(module, name, timed(call))
    try:
        used = time.process_time()
        band = measure_band(PreparedField(path), rows, limit=LIMIT, methods=METHODS)
        measured = time.process_time() - used
        with _lock:
            used = time.process_time()
            target = LightCurveStore(store)
            for method, curves in band.curves.items():
                target.append(method, curves.tic, curves.columns, curves.table)
            stored = time.process_time() - used
    finally:
        for (module, name), call in zip(still, plain, strict=True):
            setattr(module, name, call)
    return {
        "stars": len(band.curves[METHODS[0]]),
        "measured": measured,
        "setting_up": setting_up[0],
        "stored": stored,
    }


def run_engine(field: PreparedField, folder: Path, workers: int) -> dict[str, Any]:
    """The engine and the store alone: bands appended to a store that is thrown away."""
    context = multiprocessing.get_context("spawn")
    lock = context.Lock()
    bands = band_rows(field, BAND)
    if len(bands) < 2 * workers:
        edges = np.linspace(field.corner[1], field.corner[1] + field.shape[0], 2 * workers + 1).astype(int).tolist()
        bands = [(first, end - 1) for first, end in pairwise(edges)]
    with (
        TemporaryDirectory(dir=folder) as place,
        ProcessPoolExecutor(workers, mp_context=context, initializer=begin_worker, initargs=(lock,)) as pool,
    ):
        store = Path(place) / "store.h5"
        LightCurveStore.create(
            store, field=field.field, cadence=field.cadence, time=field.time, timecorr=field.timecorr,
            cadenceno=field.cadenceno, quality=field.quality,
        )  # fmt: skip
        list(pool.map(warm_up, [field.path] * workers))
        begin = time.monotonic()
        with Usage() as usage:
            done = list(pool.map(measure_rows, [field.path] * len(bands), [store] * len(bands), bands))
        wall = time.monotonic() - begin
        size = store.stat().st_size
    total = {name: sum(each[name] for each in done) for name in ("stars", "measured", "setting_up", "stored")}
    return {
        "what": "engine",
        "workers": workers,
        "tasks": len(bands),
        "wall": wall,
        "plan": 0.0,
        "cpu": total["measured"] + total["stored"],
        "peak_gib": usage.peak,
        "read_gb": usage.read / 1e9,
        "store_gb": size / 1e9,
        "cadences": len(METHODS) * total["stars"] * len(field),
        **total,
    }  # fmt: skip


def run_survey(field: PreparedField, folder: Path, workers: int) -> dict[str, Any]:
    """What a user runs: the survey planned and run, in a folder that is thrown away."""
    with TemporaryDirectory(dir=folder, prefix="survey-") as name:
        root, before = Path(name), processor()
        with Usage() as usage:
            begin = time.monotonic()
            choices = Choices(limit=LIMIT, sources=("ffi",), methods=METHODS)
            with closing(plan(root, choices=choices, prepared=[field.path.absolute()])) as ledger:
                tasks = ledger.tasks()
                planned, place = time.monotonic() - begin, SurveyFolder(root.absolute())
                stores = [place.store(each) for each in ledger.fields()]
            finished = survey_run(root, workers=workers)
            wall = time.monotonic() - begin
        with closing(Ledger(place.ledger)) as ledger:
            measuring = sum(task.seconds or 0.0 for task in ledger.tasks())
        kept = [LightCurveStore(path) for path in stores]
        curves = sum(len(store.tics(method)) for store in kept for method in store.methods)
        size = sum(path.stat().st_size for path in stores)
    return {
        "what": "survey",
        "workers": workers,
        "tasks": len(tasks),
        "one_by_one": sum(task.stars for task in tasks if task.rows is None),
        "wall": wall,
        "plan": planned,
        "measuring": measuring,
        "cpu": processor() - before,
        "peak_gib": usage.peak,
        "read_gb": usage.read / 1e9,
        "store_gb": size / 1e9,
        "cadences": curves * len(field),
        "stars": sum(task.stars for task in tasks),
        "status": finished.stars,
        "aside": len(finished.aside),
    }  # fmt: skip


def read_frames(field: PreparedField) -> None:
    """Read all frames, as `prepare` has before a survey: each run then finds the system's memory full of them.

    Memory that is free instead may cost more than what is done in it: a virtual machine gets it from its host.
    """
    room = bytearray(1 << 24)
    for frame in field.frames:
        with frame.path.open("rb", buffering=0) as stream:
            while stream.readinto(room):
                pass


def in_turns(field: PreparedField, folder: Path, numbers: list[int], turns: int) -> list[dict[str, Any]]:
    """The fastest run with each number of workers, of several that take turns; in `walls` what each took."""

    def run(workers: int) -> dict[str, Any]:
        read_frames(field)
        return run_survey(field, folder, workers)

    runs = [[run(workers) for workers in numbers] for _ in range(turns)]
    return [
        {
            **min(each, key=lambda run: run["wall"]),
            "peak_gib": max(run["peak_gib"] for run in each),
            "aside": max(run["aside"] for run in each),
            "unknown": max(run["status"].get("UNKNOWN", 0) for run in each),
            "walls": [round(run["wall"], 1) for run in each],
        }
        for each in zip(*runs, strict=True)
    ]


def processor() -> float:
    """Seconds of processor time of this process, and of all that it has started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


class Usage:
    """Memory and reading of this process and its workers, while it is entered: looked at five times a second.

    Attributes
    ----------
    peak : float
        Most memory that all of them may have had at a time, GiB: the sum of the peaks of those that live.
    """

    def __init__(self) -> None:
        self.peak, self._before = 0.0, 0
        self._read: dict[int, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def read(self) -> float:
        """Bytes that they have read from files since, also where the system had them in memory."""
        return float(sum(self._read.values()) - self._before)

    def __enter__(self) -> Usage:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the making of frames is not counted
        self._look()
        self._before = sum(self._read.values())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            self._look()

    def _look(self) -> None:
        total, read = 0.0, {}
        for pid in (os.getpid(), *(each.pid for each in multiprocessing.active_children())):
            # One that has just ended is no more.
            with suppress(OSError, StopIteration):
                total += _entry(Path(f"/proc/{pid}/status"), "VmHWM:") / 2**20
                read[pid] = _entry(Path(f"/proc/{pid}/io"), "rchar:")
        # What a worker has read is its parent's as soon as it has ended.
        self._read, self.peak = read, max(self.peak, total)


def _entry(path: Path, name: str) -> int:
    return int(next(line for line in path.read_text().splitlines() if line.startswith(name)).split()[1])


def judged(results: list[dict[str, Any]], whole: bool, load: float) -> tuple[list[str], list[str]]:
    """What does not hold of the claims, and what could not be judged.

    Parameters
    ----------
    results : list of dict
        Of `in_turns`, with one worker and two, or with two.
    whole : bool
        Whether that was a whole CCD of all frames.
    load : float
        Of the machine, before.
    """
    last = results[-1]
    failed, slow = [], []
    if whole and not last["wall"] <= WALL:
        slow.append(f"a CCD takes {last['wall']:.0f} s, more than {WALL:.0f} s")
    if not last["peak_gib"] <= MEMORY:
        failed.append(f"it takes {last['peak_gib']:.1f} GiB, more than {MEMORY:.0f} GiB")
    for each in results:
        if each["aside"] + each["unknown"] or not each["cadences"] > 0:
            failed.append(f"{each['aside']} tasks are set aside, {each['unknown']} stars not measured")
    if len(results) > 1:
        gain = results[0]["wall"] / last["wall"]
        if not gain >= GAIN:
            slow.append(f"two workers are {gain:.2f} times as fast as one, less than {GAIN}")
    if load < QUIET:
        return failed + slow, []
    return failed, [f"the machine is busy (load {load:.1f}): {line}" for line in slow]


def main() -> int:
    """Run, print, judge."""
    # Before anything: what we do ourselves is no reason not to judge.
    load = os.getloadavg()[0]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="512 x 512 x 400 (the default), 2 turns")
    parser.add_argument("--full", action="store_true", help="2048 x 2048 x 1,300")
    parser.add_argument("--frames", type=Path, help="folder of the frames, and of the survey for a while")
    parser.add_argument("--count", type=int, help="fewer frames")
    parser.add_argument("--workers", type=int, nargs="+", metavar="N", help="1 2; with --full 2 alone")
    parser.add_argument("--turns", type=int, metavar="N", help="runs with each number of workers; --full 1, else 5")
    parser.add_argument("--size", type=int, help="fewer pixels a side")
    parser.add_argument("--engine", action="store_true", help="also the engine and the store alone")
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    asked = parser.parse_args()
    if asked.full and asked.frames is None:
        parser.error("--full needs --frames DIR, with 46 GB of room for frames, and 12 GB for light curves")
    whole = (WHOLE, SECTOR) if asked.full else (512, 400)
    size, count = asked.size or whole[0], asked.count or whole[1]
    folder = asked.frames or _cache() / f"ccd-{size}-{count}"
    folder.mkdir(parents=True, exist_ok=True)
    field = make_field(folder, size, count)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(warm_up, field.path).result()
    numbers = asked.workers or ([2] if asked.full else [1, 2])
    turns = asked.turns or (1 if asked.full else 2 if asked.quick else 5)
    results = in_turns(field, folder, sorted(numbers), turns)
    failed, unjudged = judged(results, (size, count) == (WHOLE, SECTOR), load)
    beside = [run_engine(field, folder, 2)] if asked.engine else []
    about = {"pixels": list(field.shape), "frames": len(field), "load": load}
    if asked.json:
        print(json.dumps({**about, "results": results + beside, "failures": failed, "not_judged": unjudged}))
        return 1 if failed else 0
    show(about, results, beside)
    for line in unjudged:
        print(f"not judged: {line}")
    for line in failed:
        print(f"failed: {line}")
    return 1 if failed else 0


def show(about: dict[str, Any], results: list[dict[str, Any]], beside: list[dict[str, Any]]) -> None:
    """Print the table, of the fastest runs."""
    first, (high, wide) = results[0], about["pixels"]
    print(f"{wide} x {high} pixels, {about['frames']} frames, {first['stars']:,} stars to T = {LIMIT:g}, "
          f"{first['one_by_one']} of them one by one; load {about['load']:.1f} before")  # fmt: skip
    print(f"{'':<8}{'workers':>8}{'tasks':>7}{'wall s':>9}{'plan s':>8}{'CPU s':>8}{'star-cadences/s':>17}"
          f"{'GB read':>9}{'GB store':>10}{'GiB':>6}")  # fmt: skip
    for each in results + beside:
        print(f"{each['what']:<8}{each['workers']:>8}{each['tasks']:>7}{each['wall']:>9.1f}{each['plan']:>8.1f}"
              f"{each['cpu']:>8.1f}{each['cadences'] / each['wall']:>17.3g}{each['read_gb']:>9.2f}"
              f"{each['store_gb']:>10.2f}{each['peak_gib']:>6.1f}")  # fmt: skip
    told = results[-1]
    print("outcomes: " + ", ".join(f"{count:,} {status}" for status, count in told["status"].items())
          + f"; tasks took {told['measuring']:.1f} s together, by the clock")  # fmt: skip
    for each in beside:
        print(f"engine: {each['setting_up']:.1f} s of CPU to set up, {each['stored']:.1f} s to store")
    if len(results) > 1:
        print(f"two workers are {results[0]['wall'] / told['wall']:.2f} times as fast as one")
    if len(told["walls"]) > 1:
        print(f"the fastest of {len(told['walls'])} turns; the slowest took "
              + " and ".join(f"{max(each['walls']):.1f} s" for each in results))  # fmt: skip
    print("star-cadences are counted once for each method")


def _cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("tessellar") / "benchmarks"


if __name__ == "__main__":
    sys.exit(main())
