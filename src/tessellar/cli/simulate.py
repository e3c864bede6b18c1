"""`tessellar simulate`: make a sky with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tessellar.cli.main import Globals
from tessellar.cli.output import print_json

_PLACE = ("sector", "camera", "ccd")


@click.command("simulate")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--days", type=float, metavar="D", help="Only the first D days of each sector (of light curves).")
@click.option("--targets-only", is_flag=True, help="No validation runs, 20-s files, QLP light curves, catalogue.")
@click.option("--sector", type=int, metavar="N", help="With --camera and --ccd: full-frame images of this CCD.")
@click.option("--camera", type=click.IntRange(1, 4), metavar="N", help="Camera of the frames.")
@click.option("--ccd", type=click.IntRange(1, 4), metavar="N", help="CCD of the frames.")
@click.option("--window", metavar="N|C1-C2,R1-R2", help="N x N px, or columns and rows; default the whole CCD.")
@click.option("--cadence", type=click.Choice(["200", "600", "1800"]), help="Seconds; default the sector's own.")
@click.option("--frames", "n_frames", type=int, metavar="N", help="The first N frames; default all of the sector.")
@click.option("--stars", type=float, metavar="N", help="Catalogued stars on a whole CCD; default 30000.")
@click.option("--limit", type=float, metavar="T", help="Magnitude at which the catalogue ends; default 16.")
@click.option("--catalog", type=click.Path(path_type=Path), metavar="FILE", help="Take the stars from a TIC table.")
@click.option("--prf", type=click.Path(path_type=Path), metavar="DIR", help="Draw with the mission's PRF files.")
@click.option("--targets", type=int, metavar="N", help="Target pixel files and light curves of N stars, too.")
@click.option(
    "--target-cadence",
    "target_cadences",
    type=click.Choice(["120", "200", "600", "1800"]),
    multiple=True,
    help="Of these: 120 (default), the frames' own, or both.",
)
@click.option("--overwrite", is_flag=True, help="Replace frames made with other settings.")
@click.pass_obj
def command(
    settings: Globals, /, folder: Path, seed: int, days: float | None, targets_only: bool, **frames: Any
) -> None:
    """Write a simulated sky into DIR, with the exact truth beside it.

    Target pixel files and light curves of nine stars, the validation runs of those with transits, 20-s files of
    one, light curves as QLP makes them, and the catalogue (tic.ecsv); or, with --sector, --camera and --ccd, the
    full-frame images of that CCD as SPOC writes them, with a catalogue (tic.ecsv), PRF files and the truth (truth.h5).
    The same command goes on with frames where it was interrupted.
    """
    given = [name for name in _PLACE if frames[name] is not None]
    if not given and any(value not in (None, False, ()) for value in frames.values()):
        raise click.UsageError("options of frames need --sector, --camera and --ccd")
    if given and len(given) < len(_PLACE):
        lacking = ", ".join(f"--{name}" for name in _PLACE if name not in given)
        raise click.UsageError(f"frames are of one CCD: give {lacking} too")
    if not given:
        from tessellar.simulate import simulate

        simulate(folder, seed=seed, days=days, extras=not targets_only)
        _say(settings, f"simulated sky with its truth in {folder}", {"directory": str(folder.absolute())})
        return
    if targets_only:
        raise click.UsageError("--targets-only is of light curves: leave it out for frames")
    if days is not None:
        raise click.UsageError("frames are counted: give --frames instead of --days")
    _make_frames(settings, folder, seed, **frames)


def _make_frames(
    settings: Globals,
    folder: Path,
    seed: int,
    sector: int,
    camera: int,
    ccd: int,
    window: str | None,
    cadence: str | None,
    **rest: Any,
) -> None:
    from tessellar.simulate import simulate_frames
    from tessellar.targets import Field

    chosen = {name: value for name, value in rest.items() if value not in (None, ())}
    if "target_cadences" in chosen:
        chosen["target_cadences"] = [int(each) for each in chosen["target_cadences"]]
    if "catalog" in chosen:
        chosen["catalog"] = _table(chosen["catalog"])
    with settings.progress() as listener:
        truth = simulate_frames(
            folder, Field(sector, camera, ccd), seed=seed, window=_window(window),
            cadence=int(cadence) if cadence else None, listener=listener, **chosen,
        )  # fmt: skip
    told = {
        "directory": str(folder.absolute()), "field": str(truth.field), "frames": len(truth),
        "cadence": truth.settings["cadence"], "rows": truth.settings["rows"], "columns": truth.settings["columns"],
        "catalog": str((folder / "tic.ecsv").absolute()), "truth": str((folder / "truth.h5").absolute()),
    }  # fmt: skip
    _say(settings, f"{len(truth)} frames of {truth.field} with their truth in {folder}", told)


def _window(text: str | None) -> Any:
    """Read a window: one number, or columns and rows as ``45-556,1-512``."""
    if text is None:
        return None
    try:
        if text.isdigit():
            return int(text)
        (c1, c2), (r1, r2) = (map(int, part.split("-")) for part in text.split(","))
    except ValueError:
        raise click.UsageError(
            f"window {text!r}: give a number of pixels, or columns and rows as 45-556,1-512"
        ) from None
    return (c1, c2), (r1, r2)


def _table(path: Path) -> Any:
    from astropy.table import Table

    from tessellar.errors import Corrupt, MissingInput

    if not path.is_file():
        raise MissingInput(f"{path}: no such file")
    try:
        return Table.read(path)
    except Exception as error:
        raise Corrupt(f"{path}: cannot be read as a table ({' '.join(str(error).split())[:100]})") from error


def _say(settings: Globals, line: str, told: dict[str, Any]) -> None:
    if settings.json:
        print_json(told)
    elif not settings.quiet:
        click.echo(line, err=True)
