"""`tessellar look`: one page of a file, as a picture."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, count
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tessellar.cli.main import DONE, ROWS_FAILED, Globals
from tessellar.cli.output import print_json
from tessellar.errors import InputError, MissingInput, ProductError, StoreError, Unrecognised
from tessellar.machine import cores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# From so many files on, a process of its own to draw some of them is worth its start.
_FILES_A_WORKER = 4


@click.command("look")
@click.argument("what", metavar="PATH...|TARGET", nargs=-1, required=True)
@click.option("--sector", type=int, metavar="N", help="Of a TARGET: only this sector.")
@click.option(
    "--kind", type=click.Choice(["lightcurve", "tpf"]), default="lightcurve", help="Of a TARGET: which files."
)
@click.option("--out", "-o", type=click.Path(path_type=Path), metavar="PNG|DIR", help="Picture, or their folder.")
@click.pass_obj
def command(settings: Globals, what: tuple[str, ...], sector: int | None, kind: str, out: Path | None) -> int:
    """Draw one page of each file as a PNG.

    Of light curves, target pixel files, full-frame images, time series of validation runs, prepared fields, follow-up
    tables.

    A TARGET (a TIC id) is found in the archive and fetched first.
    """
    files: list[Path] = []
    for each in what:
        path = Path(each)
        if path.is_dir():
            raise InputError(f"{path}: is a folder; name files in it")
        files += [path] if path.exists() else _fetched(settings, each, sector, kind)
    pictures: dict[Path, Path] = {}
    for file in files:
        pictures[_picture_path(file, out, several=len(files) > 1, taken=set(pictures))] = file
    drawn: list[Path] = []
    for ended in _drawn(pictures):
        if isinstance(ended, Path):
            drawn.append(ended)
        elif len(files) == 1:
            raise ended
        else:
            click.echo(f"tessellar: {ended}", err=True)
    if settings.json:
        print_json([str(picture.absolute()) for picture in drawn])
    else:
        for picture in drawn:
            click.echo(str(picture))
    return DONE if len(drawn) == len(files) else ROWS_FAILED


def _fetched(settings: Globals, what: str, sector: int | None, kind: str) -> list[Path]:
    from tessellar.access import fetch, list_products, search

    if "/" in what or what.endswith((".fits", ".gz")):
        raise MissingInput(f"{what}: no such file")
    with settings.progress() as listener:
        found = search(what, sector=sector, kind=kind, archive=settings.archive, listener=listener)
        table = list_products(found, kind=kind, listener=listener)
        if not len(table):
            raise MissingInput(f"{what}: the archive has no {kind} of it")
        manifest = fetch(table, listener=listener)
    manifest.raise_for_failures()
    return manifest.paths


def _picture_path(file: Path, out: Path | None, *, several: bool, taken: set[Path]) -> Path:
    stem = file.name.removesuffix(".gz")
    for ending in (".fits", ".h5", ".tbl", ".csv", ".dat"):
        stem = stem.removesuffix(ending)
    candidates = (_named(f"{stem}{ending}.png", out, several) for ending in chain([""], map("-{}".format, count(2))))
    return next(path for path in candidates if path not in taken)


def _named(name: str, out: Path | None, several: bool) -> Path:
    if out is None:
        return Path(name)
    if out.is_dir() or several:
        return out / name
    if out.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise InputError(f"{out}: a picture ends in .png, .pdf or .svg; or name a folder that exists")
    return out


def _drawn(pictures: Mapping[Path, Path]) -> Iterator[Path | ProductError]:
    """Draw each picture of its file; the picture, or why there is none. Of many, several at a time."""
    workers = min(cores(), len(pictures) // _FILES_A_WORKER)
    if workers < 2:
        yield from map(_try_to_draw, pictures.values(), pictures)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_leave_interrupts) as pool:
        try:
            yield from pool.map(_try_to_draw, pictures.values(), pictures)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _leave_interrupts() -> None:
    """Ctrl-C is for the parent, which stops its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _try_to_draw(file: Path, picture: Path) -> Path | ProductError:
    try:
        return _draw(file, picture)
    except ProductError as error:
        return error


def _draw(file: Path, picture: Path) -> Path:
    figure = _page(file)
    draft = picture.with_name(f".{picture.name}.{os.getpid()}.part")
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
        try:
            figure.savefig(draft, dpi=110, format=picture.suffix.lstrip(".").lower())
            draft.replace(picture)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{picture}: cannot be written ({error.strerror})") from error
    return picture


def _page(file: Path) -> Figure:
    from tessellar.plots import page
    from tessellar.products import read

    return _field_page(file) if _is_hdf5(file) else page(read(file))


def _field_page(file: Path) -> Figure:
    from tessellar.pixels import PreparedField
    from tessellar.plots import field_page
    from tessellar.products import LightCurveStore

    try:
        return field_page(PreparedField(file))
    except Unrecognised as error:
        try:
            LightCurveStore(file)
        except ProductError:
            raise error from None
        raise Unrecognised(
            f"{file}: a store of light curves: take those of a star out of it with "
            "`tessellar survey export DIR -o OUT --tic N`, and look at the files"
        ) from error


def _is_hdf5(file: Path) -> bool:
    """Tell whether a file begins as prepared fields do; what is wrong with one that cannot be opened, `read` says."""
    if not file.is_file():  # opening a pipe may never end
        return False
    try:
        with file.open("rb") as stream:
            return stream.read(8) == b"\x89HDF\r\n\x1a\n"
    except OSError:
        return False
