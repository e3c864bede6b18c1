"""From a target pixel file to a FITS light curve: tessellar beside lightkurve.

A simulated sector-long 2-min target pixel file (20,000 cadences of 11 x 11 pixels) is
measured in the pipeline's aperture, from file to file, as warm library calls in one
process; the two take turns, so that a busy machine slows both. Quality is handled alike:
both take tessellar's default mask. The input's digest is given, as the store's ledger
has it; the time with hashing is told too.

    python benchmarks/tpf.py            the table
    python benchmarks/tpf.py --quick    the same file, fewer turns
    python benchmarks/tpf.py --json     one object on stdout

Exit status 1: tessellar is less than 3 times faster, or a flux differs by more than 1e-6.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tessellar.mission.flags import DEFAULT_MASK, MASKS
from tessellar.photometry import measure
from tessellar.products import read_light_curve
from tessellar.simulate import simulated_stamp, write_target_pixel_file

CADENCES = 20_000
SHAPE = (11, 11)
FASTER = 3.0
SAME_FLUX = 1e-6


def run_tessellar(pixels: Path, out: Path, digest: str | None) -> Path:
    """Measure with tessellar, from file to file."""
    return measure(pixels, aperture="pipeline", quality=DEFAULT_MASK).write(out, digest=digest)


def run_lightkurve(pixels: Path, out: Path) -> Path:
    """Measure with lightkurve, from file to file."""
    import lightkurve

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tpf = lightkurve.read(str(pixels), quality_bitmask=MASKS[DEFAULT_MASK])
        tpf.to_lightcurve(aperture_mask="pipeline").to_fits(str(out), overwrite=True)
    return out


def peak_memory(tool: str, pixels: Path) -> float:
    """MiB that a process of its own needs at its peak for one measurement, imports and mapped file included."""
    command = [sys.executable, __file__, "--peak-of", tool, "--file", str(pixels)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(tool: str, pixels: Path) -> None:
    """Measure once, and print this process's peak memory in MiB."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lc.fits"
        run_lightkurve(pixels, out) if tool == "lightkurve" else run_tessellar(pixels, out, "0" * 64)
    # A child inherits ru_maxrss from its parent; VmHWM, where there is one, is the process's own.
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    own = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    print((own[0] if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024)


def take_turns(tools: dict[str, Callable[[], Path]], turns: int) -> dict[str, list[float]]:
    """Seconds of each call, the tools taking turns; one call of each before counts for nothing."""
    for call in tools.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in tools}
    for _ in range(turns):
        for name, call in tools.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def compare(ours: Path, theirs: Path) -> dict[str, Any]:
    """Compare the two files where lightkurve has a cadence: it drops the flagged ones, tessellar keeps them all."""
    from astropy.io import fits

    model = read_light_curve(ours)
    table = fits.getdata(theirs, 1)
    rows = np.searchsorted(model.cadenceno, table["CADENCENO"])
    flux = np.asarray(table["FLUX"], dtype=np.float64)
    common = np.isfinite(flux) & np.isfinite(model.flux[rows])
    same_cadences = bool(
        np.array_equal(model.cadenceno[rows], table["CADENCENO"]) and len(rows) == int(model.good().sum())
    )
    return {
        "cadences": len(model),
        "good_cadences": int(model.good().sum()),
        "same_cadences": same_cadences and bool((np.isfinite(flux) == np.isfinite(model.flux[rows])).all()),
        "largest_flux_difference": float(np.max(np.abs(model.flux[rows][common] / flux[common] - 1))),
    }


def benchmark(turns: int) -> dict[str, Any]:
    """Make the file, let the tools take turns, compare what they wrote."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="tessellar-benchmark-") as name:
        folder = Path(name)
        pixels = write_target_pixel_file(folder / "sector_tp.fits", simulated_stamp(CADENCES, SHAPE))
        digest = hashlib.sha256(pixels.read_bytes()).hexdigest()
        ours, theirs = folder / "tessellar.fits", folder / "lightkurve.fits"
        seconds = take_turns(
            {
                "tessellar": lambda: run_tessellar(pixels, ours, digest),
                "tessellar, hashing": lambda: run_tessellar(pixels, ours, None),
                "lightkurve": lambda: run_lightkurve(pixels, theirs),
            },
            turns,
        )
        peaks = {tool: peak_memory(tool, pixels) for tool in ("tessellar", "lightkurve")}
        compared = compare(ours, theirs)
        size = pixels.stat().st_size
    middle = {tool: statistics.median(times) for tool, times in seconds.items()}
    ratio = middle["lightkurve"] / middle["tessellar"]
    same = compared["same_cadences"] and compared["largest_flux_difference"] <= SAME_FLUX
    return {
        "file_bytes": size,
        "shape": [CADENCES, *SHAPE],
        "turns": turns,
        "median_s": middle,
        "fastest_s": {tool: min(times) for tool, times in seconds.items()},
        "peak_mib": peaks,
        "times_faster": ratio,
        "times_faster_hashing": middle["lightkurve"] / middle["tessellar, hashing"],
        "wanted_times_faster": FASTER,
        **compared,
        "passed": bool(ratio >= FASTER and same),
    }


def report(found: dict[str, Any]) -> str:
    """The result as a table."""
    lines = [
        f"{found['file_bytes'] / 1e6:.0f} MB, {' x '.join(map(str, found['shape']))}, {found['turns']} turns each",
        "",
        f"{'':20} {'median ms':>10} {'fastest ms':>11} {'peak MiB':>9} {'faster':>7}",
    ]
    for tool, seconds in found["median_s"].items():
        peak = found["peak_mib"].get(tool)
        lines.append(
            f"{tool:20} {1e3 * seconds:10.1f} {1e3 * found['fastest_s'][tool]:11.1f} "
            f"{'' if peak is None else f'{peak:.0f}':>9} {found['median_s']['lightkurve'] / seconds:6.2f}x"
        )
    lines += [
        "",
        f"cadences: {found['cadences']}, good: {found['good_cadences']}, the same in both: {found['same_cadences']}",
        f"largest relative difference of flux: {found['largest_flux_difference']:.1e} (at most {SAME_FLUX:g})",
        f"wanted: {FASTER:g} times faster with the digest given: {'met' if found['passed'] else 'MISSED'}",
    ]
    return "\n".join(lines)


def main() -> int:
    """Run the benchmark as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer turns: under a minute")
    parser.add_argument("--turns", type=int, help="how often each tool is run (41; quick: 15)")
    parser.add_argument("--peak-of", choices=("tessellar", "lightkurve"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peak_of:
        print_peak(asked.peak_of, asked.file)
        return 0
    found = benchmark(asked.turns or (15 if asked.quick else 41))
    print(json.dumps(found) if asked.json else report(found))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
