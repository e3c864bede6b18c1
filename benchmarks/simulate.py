"""How long the frames of a window take: 512 x 512 x 400 with 12,500 catalogued stars, from nothing to files.

All of it is counted: drawing the stars (200,000 fainter ones among them), sky, motion, noise, errors, sums and writing
to disk; the compiled parts are warm. Two threads on two cores.

    python benchmarks/simulate.py            the line
    python benchmarks/simulate.py --quick    128 x 128 x 100
    python benchmarks/simulate.py --whole    also three frames of a whole CCD: seconds a frame, and the memory it takes
    python benchmarks/simulate.py --json     one object on stdout

Exit status 1: the 512 x 512 frames take 90 s or more.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tessellar.progress import Event
from tessellar.simulate import simulate_frames

LIMIT = 90.0
STARS_PER_CCD = 200_000
FIELD = "1-4-1"


def run(size: int | None, count: int, cadence: int, threads: int) -> dict[str, Any]:
    """Make frames in a folder that is thrown away, and time it."""
    first: list[float] = []

    def listen(event: Event) -> None:
        if not first:
            first.append(time.perf_counter())

    with TemporaryDirectory() as folder:
        begin, used = time.perf_counter(), time.process_time()
        truth = simulate_frames(
            folder, FIELD, window=size, cadence=cadence, n_frames=count, stars=STARS_PER_CCD, workers=threads,
            listener=listen,
        )  # fmt: skip
        seconds = time.perf_counter() - begin
        written = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return {
        "pixels": list(truth.shape),
        "frames": count,
        "stars": len(truth.stars["tic"]),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(time.process_time() - used, 2),
        "before_the_first_frame": round(first[0] - begin, 2),
        "a_frame": round((seconds - (first[0] - begin)) / max(count - 1, 1), 4),
        "megabytes": round(written / 1e6, 1),
        "memory_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="128 x 128 x 100")
    parser.add_argument("--whole", action="store_true", help="also three frames of a whole CCD")
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        simulate_frames(folder, FIELD, window=32, n_frames=2)
    size, count = (128, 100) if arguments.quick else (512, 400)
    results = {"window": run(size, count, 200, arguments.threads)}
    if arguments.whole:
        results["whole"] = run(None, 3, 1800, arguments.threads)
    if arguments.json:
        print(json.dumps({**results, "limit_seconds": LIMIT, "threads": arguments.threads}))
    else:
        for name, values in results.items():
            rows, columns = values["pixels"]
            print(
                f"{name}: {columns} x {rows} x {values['frames']} with {values['stars']:,} stars in "
                f"{values['seconds']} s ({values['before_the_first_frame']} s before the first frame, then "
                f"{values['a_frame']} s each; {values['cpu_seconds']} s of processors), {values['megabytes']} MB "
                f"written, {values['memory_megabytes']} MB of memory"
            )
        print(f"limit: 512 x 512 x 400 in {LIMIT:.0f} s")
    slow = not arguments.quick and results["window"]["seconds"] >= LIMIT
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
