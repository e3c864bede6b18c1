"""`tessellar demo`: the whole journey, on an archive of our own over real HTTP.

It runs the very commands that a user would type, as separate processes, so
that what it shows is what they do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from tessellar.cli.main import DONE, Globals
from tessellar.errors import InputError, TessellarError

_MARK = ".tessellar-demo"
_DAYS = 9.0


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("tessellar-demo"),
    show_default=True,
    metavar="DIR",
    help="Folder for all that it makes; an earlier demo there is continued.",
)
@click.pass_obj
def command(settings: Globals, out: Path) -> int:
    """Simulate a sky, serve it, then find, fetch, measure and look, as a client over HTTP."""
    started = time.monotonic()
    out = out.absolute()
    _claim(out)
    sky, work = out / "archive", out / "results"
    work.mkdir(exist_ok=True)
    say = _Teller(settings.quiet or settings.json)

    say("1. A simulated sky: 8 stars, two sectors, 2-min target pixel files and light curves, exact truth beside them.")
    length = ("--days", f"{_DAYS:g}", "--targets-only")
    _tessellar(say, "simulate", str(sky), *length, shown=f"simulate {sky.name} {' '.join(length)}")
    say("2. The folder becomes an archive that speaks MAST's protocol.")
    with _served(say, sky) as url:
        star = _transit_host(sky)
        say(f"3. What does it hold of TIC {star}?")
        _tessellar(say, "--archive", url, "find", f"TIC {star}")
        say("4. Fetch its files, and those of the other stars: each is verified before it gets its name.")
        data = work / "data"
        for sector in _sectors(sky):
            _tessellar(say, "--archive", url, "fetch", "--sector", str(sector), "-o", str(data), echo=False)
    say("5. The archive is gone; what was fetched is here. Measure every star.")
    curves = work / "lightcurves"
    measured = _tessellar(say, "--json", "photometry", str(data), "--source", "tpf", "-o", str(curves), echo=False)
    rows = json.loads(measured)
    for row in rows:
        say(f"   {row['status']:<7} TIC {row['tic']}  {Path(row['path']).name if row['path'] else row['reason']}")
    say("6. Look at them.")
    pictures = _look_at(say, rows, work)
    seconds = time.monotonic() - started
    _close(settings, work, curves, data, pictures, seconds)
    return DONE


def _look_at(say: _Teller, rows: list[dict[str, Any]], work: Path) -> list[Path]:
    files = [row[key] for row in rows for key in ("path", "input") if row[key]]
    shown = "--json look lightcurves/*.fits data/mastDownload/TESS/*/*_tp.fits -o pictures"
    drawn = _tessellar(say, "--json", "look", *files, "-o", str(work / "pictures"), shown=shown, echo=False)
    pictures = [Path(picture) for picture in json.loads(drawn)]
    say(f"   {len(pictures)} pictures")
    return pictures


def _close(settings: Globals, work: Path, curves: Path, data: Path, pictures: list[Path], seconds: float) -> None:
    manifests = sorted(data.glob("manifest_*.ecsv"))
    if settings.json:
        click.echo(
            json.dumps(
                {
                    "results": str(work),
                    "lightcurves": [str(path) for path in sorted(curves.glob("*.fits"))],
                    "pictures": [str(path) for path in pictures],
                    "manifests": [str(path) for path in manifests],
                    "seconds": round(seconds, 1),
                }
            )
        )
        return
    click.echo(f"Done in {seconds:.0f} s. The results lie in {work}")
    click.echo("  lightcurves/          measured light curves (FITS)")
    click.echo("  pictures/             one page a file (PNG)")
    click.echo("  data/                 the fetched files, with manifest_*.ecsv")
    click.echo(f"The truth to compare with lies in {work.parent / 'archive' / 'truth.ecsv'}")


class _Teller:
    """Says what the demo does, unless told to be quiet."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet

    def __call__(self, line: str) -> None:
        if not self.quiet:
            click.echo(line)


def _claim(out: Path) -> None:
    """Make the demo's folder; refuse one that holds anything else."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not (out / _MARK).exists() and any(out.iterdir()):
            raise InputError(f"{out}: is not empty and not from an earlier demo; choose another folder with --out")
        (out / _MARK).touch()
    except FileExistsError as error:
        raise InputError(f"{out}: is a file; choose another folder with --out") from error


def _environment() -> dict[str, str]:
    """The user's own settings must not send the demo to another archive."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TESSELLAR_")}


def _tessellar(say: _Teller, *arguments: str, shown: str = "", echo: bool = True) -> str:
    """Run one command as a user would; return what it prints."""
    say(f"   $ tessellar {shown or ' '.join(_quoted(argument) for argument in arguments)}")
    done = subprocess.run(
        [sys.executable, "-m", "tessellar", *arguments],
        capture_output=True,
        text=True,
        env=_environment(),
        check=False,
    )
    if done.returncode not in (0, 1):
        raise TessellarError(
            f"the demo's `tessellar {arguments[0]}` failed: {done.stderr.strip() or done.stdout.strip()}"
        )
    if echo:
        for line in (done.stdout + done.stderr).splitlines():
            say(f"   {line}")
    return done.stdout


def _quoted(argument: str) -> str:
    return f'"{argument}"' if " " in argument else argument


@contextmanager
def _served(say: _Teller, folder: Path) -> Iterator[str]:
    say(f"   $ tessellar serve {folder.name} --port 0")
    command = [sys.executable, "-m", "tessellar", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as server:
        try:
            yield _address(server.stdout, say)
        finally:
            server.terminate()


def _address(stdout: IO[str] | None, say: _Teller) -> str:
    line = stdout.readline().strip() if stdout is not None else ""
    if "http://" not in line:
        raise TessellarError("the demo's server did not start")
    say(f"   {line}")
    return line[line.index("http://") :]


def _transit_host(sky: Path) -> str:
    from astropy.table import Table

    truth = Table.read(sky / "truth.ecsv")
    return str(next(row["tic"] for row in truth if str(row["kind"]) == "planet"))


def _sectors(sky: Path) -> list[int]:
    from astropy.table import Table

    return sorted({int(sector) for sector in Table.read(sky / "truth.ecsv")["sector"]})
