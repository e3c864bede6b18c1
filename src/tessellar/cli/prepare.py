"""`tessellar prepare`: make the full-frame images of one CCD ready for photometry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tessellar.cli.main import Globals
from tessellar.cli.output import print_json
from tessellar.errors import ArchiveError, InputError, MissingInput
from tessellar.targets import Field

if TYPE_CHECKING:
    from tessellar.pixels import FrameStack, MissionPRF, PreparedField
    from tessellar.progress import Listener

# Seconds after which files of the response that do not come are done without.
_PATIENCE = 120


@click.command("prepare")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--sector", type=int, required=True, metavar="N", help="Sector of the frames.")
@click.option("--camera", type=click.IntRange(1, 4), required=True, help="Their camera.")
@click.option("--ccd", type=click.IntRange(1, 4), required=True, help="Their CCD.")
@click.option("--cadence", type=float, metavar="S", help="Only frames of this exposure time, in seconds.")
@click.option(
    "--catalog",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Stars, with the TIC's columns; by default tic*.ecsv (.csv, .fits) in DIR, else from the archive.",
)
@click.option("--limit", type=float, default=16.0, show_default=True, metavar="T", help="Faintest stars.")
@click.option(
    "--prf",
    metavar="DIR|estimate",
    help="The mission's PRF files; by default those in DIR, else from the archive. Or estimate one from the frames.",
)
@click.option(
    "--targets",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of 2-min files of the sector, for flags and times; by default DIR.",
)
@click.option("--correct-times", is_flag=True, help="Take known errors off the times of early releases.")
@click.option("--unpack", type=click.Path(path_type=Path), metavar="DIR", help="Where packed frames are unpacked.")
@click.option("--cube", is_flag=True, help="Also keep the pixels turned round (26 GB for a CCD): many stamps are fast.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, metavar="N", help="Threads.")
@click.option("--out", "-o", type=click.Path(path_type=Path), metavar="FILE|DIR", help="The file to write.")
@click.pass_obj
def command(settings: Globals, /, folder: Path, **options: Any) -> None:
    """Measure background, pointing, response and stars of the full-frame images in DIR.

    All goes into one small file, and the pixels stay where they are. A run that
    is interrupted goes on when it is started again.
    """
    from tessellar.pixels import prepare, write_cube
    from tessellar.pixels.inputs import find_stars

    field = Field(options["sector"], options["camera"], options["ccd"])
    stack = _stack(folder, field, options["cadence"], options["unpack"])
    with settings.progress() as listener:
        prf = _response(settings, folder, stack, options["prf"], listener)
        made = prepare(
            stack,
            _stars(settings, folder, field, options, listener),
            prf,
            out=_place(folder, stack, options["out"]),
            targets=find_stars(options["targets"] or folder, field),
            limit=options["limit"],
            correct_times=options["correct_times"],
            workers=options["workers"],
            listener=listener,
        )
        if options["cube"]:
            write_cube(stack, made.path.with_suffix(".cube.h5"), errors=True, listener=listener)
    _tell(settings, made)


def _stack(folder: Path, field: Field, cadence: float | None, unpack: Path | None) -> FrameStack:
    from tessellar.pixels import FrameStack

    return FrameStack.open(folder, field=field, cadence=cadence, skip_damaged=True, unpack=unpack)


def _stars(settings: Globals, folder: Path, field: Field, options: dict[str, Any], listener: Listener) -> Any:
    from tessellar.pixels.inputs import find_catalog, read_catalog

    path = options["catalog"] or find_catalog(folder)
    if path is not None:
        return read_catalog(path)
    from tessellar.access import stars

    try:
        return stars(
            field=field, tmag=options["limit"], margin=10, archive=settings.archive, wanted=None, listener=listener
        )
    except ArchiveError as error:
        raise type(error)(f"stars of {field} are not to be had ({error}); give them with --catalog FILE") from error


def _response(
    settings: Globals, folder: Path, stack: FrameStack, given: str | None, listener: Listener
) -> MissionPRF | None:
    """The mission's response, from a folder or the archive; None where it is to be estimated."""
    from tessellar.access import fetch_responses
    from tessellar.pixels.inputs import find_response

    field = stack.field
    if given == "estimate":
        return None
    found = find_response(Path(given or folder), field)
    if found is None and given is not None:
        raise MissingInput(f"{given}: no PRF files of camera {field.camera}, CCD {field.ccd}, or no whole grid")
    if found is not None or stack.image(0).simulated:  # a simulation draws with a response of its own
        return found
    fetched = fetch_responses(field, folder, archive=settings.archive, deadline=_PATIENCE, listener=listener)
    if not fetched.ok:
        why = next(str(row["Message"]) for row in fetched.failed)
        click.echo(f"no PRF files to be had ({why}): a response is estimated from the frames", err=True)
        return None
    return find_response(folder, field)


def _place(folder: Path, stack: FrameStack, out: Path | None) -> Path:
    name = f"{stack.field}-c{stack.cadence:04.0f}.h5"
    if out is None:
        return folder / name
    if out.is_dir():
        return out / name
    if out.suffix not in (".h5", ".hdf5"):
        raise InputError(f"{out}: a prepared field ends in .h5 or .hdf5; or name a folder that exists")
    return out


def _tell(settings: Globals, made: PreparedField) -> None:
    facts = {
        "path": str(made.path.absolute()),
        "field": str(made.field),
        "cadence": made.cadence,
        "frames": len(made),
        "missing": len(made.missing),
        "unusable": int((~made.background.usable).sum()),
        "stars": 0 if made.stars is None else len(made.stars),
        "left_out": made.left_out,
        "time_offset": made.provenance.settings.get("time_offset"),
        "bad_times": [vars(each) for each in made.bad_times],
    }
    if settings.json:
        print_json(facts)
        return
    click.echo(str(made.path))
    if not settings.quiet:
        out = f", {len(made.left_out)} files left out" if made.left_out else ""
        click.echo(
            f"{facts['frames']} frames of {made.cadence:.0f} s, {facts['stars']} stars, "
            f"{len(made.bad_times)} bad times{out}; `tessellar look {made.path}` draws them",
            err=True,
        )
        for name, why in made.left_out.items():
            click.echo(f"left out: {Path(name).name}: {why}", err=True)
