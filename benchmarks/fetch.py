"""Fetching: tessellar (verified, hashed, recorded) beside aria2c followed by sha256sum, and astroquery.

One server on loopback, in a process of its own, sends many files of 2 MB (20 ms are added to
each response) and a few of 250 MB to each tool in turn, each in a process of its own. tessellar and
aria2c have the same number of connections. The second run over files that are here and the cost of the
ledger are measured too, and the peak memory.

    python benchmarks/fetch.py            2,000 files of 2 MB, 8 of 250 MB
    python benchmarks/fetch.py --quick    200 and 2: under a minute
    python benchmarks/fetch.py --json     one object on stdout

aria2c is a Debian package; where it is not installed, it is left out, and so is its line.
Exit status 1: a line is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CONNECTIONS = 4
DELAY = 0.02
SIZES = {"small": 2_000_000, "large": 250_000_000}
KNOWN_FILES = 10_000

# What is wanted, as the most that a figure may be.
WANTED = {
    "small: tessellar / (aria2c + sha256sum)": 1.25,
    "large: tessellar / (aria2c + sha256sum)": 1.25,
    "small: tessellar / astroquery": 1 / 3,
    "large: tessellar / astroquery": 1.0,
    "peak MiB above the interpreter's": 150.0,
    "ledger, ms a file": 1.0,
    f"s for a second run over {KNOWN_FILES} files": 2.0,
}


def write_source(path: Path, size: int) -> None:
    """Write a FITS file with sums, of about `size` bytes."""
    import numpy as np
    from astropy.io import fits

    data = np.random.default_rng(1).integers(0, 1 << 30, size // 4 - 5000, dtype=np.int32)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data)]).writeto(path, checksum=True)


# -- the server ------------------------------------------------------------------------------------


def serve(folder: Path) -> None:
    """Answer ``/file?uri=mast:TESS/product/small-17_lc.fits`` with small.fits; print the port."""
    sources = {name: (folder / f"{name}.fits").open("rb") for name in SIZES}
    sizes = {name: (folder / f"{name}.fits").stat().st_size for name in SIZES}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                method, target, _ = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split(" ", 2)
                kind = target.rpartition("/")[2].partition("-")[0]
                await asyncio.sleep(DELAY)
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {sizes[kind]}\r\nContent-Type: application/fits\r\n"
                writer.write(f'{head}ETag: "{kind}"\r\nAccept-Ranges: bytes\r\n\r\n'.encode())
                if method == "GET":
                    await writer.drain()
                    # A descriptor of its own for each, for sendfile moves the position.
                    with Path(sources[kind].name).open("rb") as source:
                        await asyncio.get_running_loop().sendfile(writer.transport, source)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(main())


# -- the tools, each in a process of its own -----------------------------------------------------------


def names_of(kind: str, number: int) -> list[str]:
    """The names of the files that are fetched."""
    return [f"{kind}-{index:05d}_lc.fits" for index in range(number)]


def url_of(base: str, name: str) -> str:
    """Where the server has one."""
    return f"{base}/file?uri=mast:TESS/product/{name}"


def run_tessellar(base: str, names: list[str], folder: Path) -> None:
    """Fetch with tessellar."""
    from tessellar.config import Settings
    from tessellar.net import Outcome, Remote, run, transfer
    from tessellar.store import Store

    remotes = [Remote(f"mast:TESS/product/{name}", url_of(base, name), name, "TESS", name[:11]) for name in names]
    store, outcomes = Store(folder), list[Outcome]()
    start = time.perf_counter()
    run(transfer(remotes, store, Settings(connections=CONNECTIONS), outcomes))
    store.close()
    tell(start, sum(outcome.kept is not None for outcome in outcomes))


def run_astroquery(base: str, names: list[str], folder: Path) -> None:
    """Fetch with astroquery."""
    import contextlib
    import io

    from astroquery.mast import Observations

    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        told = [
            Observations.download_file(
                f"mast:TESS/product/{name}", local_path=str(folder / name), base_url=f"{base}/file", verbose=False
            )
            for name in names
        ]
    tell(start, sum(status == "COMPLETE" for status, _, _ in told))


def run_aria2c(base: str, names: list[str], folder: Path) -> None:
    """Fetch with aria2c, then hash with sha256sum."""
    listed = "".join(f"{url_of(base, name)}\n  out={name}\n" for name in names)
    options = ["-q", "-j", str(CONNECTIONS), "-x", "1", "-s", "1", "--file-allocation=none", "--max-tries=3"]
    start = time.perf_counter()
    subprocess.run(["aria2c", *options, "-d", str(folder), "-i", "-"], input=listed, text=True, check=True)
    got = time.perf_counter() - start
    sums = subprocess.run(["sha256sum", "--", *names], cwd=folder, check=True, capture_output=True, text=True)
    tell(start, len(sums.stdout.splitlines()), got=got)


TOOLS = {"tessellar": run_tessellar, "aria2c + sha256sum": run_aria2c, "astroquery": run_astroquery}


def tell(start: float, files: int, **more: float) -> None:
    """Print what one tool needed."""
    print(json.dumps({"seconds": time.perf_counter() - start, "files": files, "peak_mib": peak_mib(), **more}))


def peak_mib() -> float:
    """The peak memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# -- what needs no server ---------------------------------------------------------------------------------


def measure_ledger() -> float:
    """Milliseconds that the ledger needs for one file: version noted, recorded, settled."""
    from tessellar.store.ledger import Entry, Ledger

    number = 1000
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder, "ledger.sqlite"))
        start = time.perf_counter()
        for index in range(number):
            path = f"mastDownload/TESS/obs/{index}_lc.fits"
            ledger.set_version(path, '"etag"', "http://127.0.0.1/")
            ledger.record(Entry(path, f"mast:{path}", 1, "0" * 64, 1, '"etag"', "http://127.0.0.1/", "now"))
            ledger.settle(path)
        seconds = time.perf_counter() - start
        ledger.close()
    return 1e3 * seconds / number


def measure_second_run() -> float:
    """Seconds for a fetch of files that are all here, with no server to ask."""
    from tessellar.access.fetching import fetch_remotes
    from tessellar.net import Remote
    from tessellar.store import Store
    from tessellar.store.ledger import Entry

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, remotes = Store(folder), []
        (folder / "mastDownload" / "TESS" / "obs").mkdir(parents=True)
        for index in range(KNOWN_FILES):
            path = f"mastDownload/TESS/obs/{index}.dat"
            (folder / path).write_bytes(b"x")
            remote = Remote(f"mast:{path}", "http://127.0.0.1:1/", f"{index}.dat", "TESS", "obs", size=1)
            changed = (folder / path).stat().st_mtime_ns
            store.ledger.record(Entry(path, remote.uri, 1, "0" * 64, changed, None, remote.url, "now"))
            remotes.append(remote)
        store.close()
        start = time.perf_counter()
        manifest = fetch_remotes(remotes, folder)
        seconds = time.perf_counter() - start
        assert manifest.ok
        assert not manifest["Attempts"].any()
    return seconds


# -- the race ---------------------------------------------------------------------------------------------


def race(work: Path, numbers: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Let each tool fetch the small files, then the large ones."""
    for kind, size in SIZES.items():
        write_source(work / f"{kind}.fits", size)
    server = subprocess.Popen([sys.executable, __file__, "--serve", str(work)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        base = f"http://127.0.0.1:{int(server.stdout.readline())}"
        tools = [tool for tool in TOOLS if not tool.startswith("aria2c") or shutil.which("aria2c")]
        found: dict[str, dict[str, Any]] = {kind: {} for kind in numbers}
        for kind, number in numbers.items():
            for tool in tools:
                folder = work / "out"
                folder.mkdir()
                command = [sys.executable, __file__, "--run", tool, kind, str(number), base, str(folder)]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                found[kind][tool] = json.loads(done.stdout.splitlines()[-1])
                assert found[kind][tool]["files"] == number, (tool, found[kind][tool])
                shutil.rmtree(folder)
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()
    return found


def benchmark(numbers: dict[str, int]) -> dict[str, Any]:
    """Run everything; compare with what is wanted."""
    with tempfile.TemporaryDirectory(prefix="tessellar-benchmark-") as name:
        raced = race(Path(name), numbers)
    bare = float(
        subprocess.run([sys.executable, __file__, "--peak"], check=True, stdout=subprocess.PIPE, text=True).stdout
    )
    figures = {
        f"{kind}: tessellar / {'(' + tool + ')' if '+' in tool else tool}": raced[kind]["tessellar"]["seconds"]
        / raced[kind][tool]["seconds"]
        for tool in raced["small"]
        if tool != "tessellar"
        for kind in raced
    }
    figures["peak MiB above the interpreter's"] = max(raced[kind]["tessellar"]["peak_mib"] for kind in raced) - bare
    figures["ledger, ms a file"] = measure_ledger()
    figures[f"s for a second run over {KNOWN_FILES} files"] = measure_second_run()
    missed = [name for name, value in figures.items() if value > WANTED[name]]
    return {"numbers": numbers, "tools": raced, "figures": figures, "wanted": WANTED, "passed": not missed}


def report(found: dict[str, Any]) -> str:
    """The result as a table."""
    lines = []
    for kind, tools in found["tools"].items():
        number = found["numbers"][kind]
        lines.append(f"{number} files of {SIZES[kind] / 1e6:.0f} MB, {CONNECTIONS} connections")
        for tool, told in tools.items():
            rate = number * SIZES[kind] / told["seconds"] / 1e6
            lines.append(f"  {tool:20} {told['seconds']:8.2f} s {rate:8.0f} MB/s {told['peak_mib']:8.0f} MiB")
    lines.append("")
    for name, value in found["figures"].items():
        most = found["wanted"][name]
        lines.append(f"{name:45} {value:8.2f}  at most {most:6.2f}  {'met' if value <= most else 'MISSED'}")
    return "\n".join(lines)


def main() -> int:
    """Run the benchmark as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer files: under a minute")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--run", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve)
    elif asked.peak:
        print(peak_mib())
    elif asked.run:
        tool, kind, number, base, folder = asked.run
        TOOLS[tool](base, names_of(kind, int(number)), Path(folder))
    else:
        found = benchmark({"small": 200, "large": 2} if asked.quick else {"small": 2000, "large": 8})
        print(json.dumps(found) if asked.json else report(found))
        return 0 if found["passed"] else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
