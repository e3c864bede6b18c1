"""`tessellar dataset`: write down what a study uses, and rebuild it anywhere, byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tessellar.cli.main import DONE, ROWS_FAILED, Globals
from tessellar.cli.output import human_size, print_json

if TYPE_CHECKING:
    from tessellar.access.dataset import Lock, Locked
    from tessellar.store.manifest import Manifest

F = TypeVar("F", bound=Callable[..., Any])

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "unknown": "?"}


@click.group("dataset")
def command() -> None:
    """Write down what a study uses, and rebuild it anywhere, byte by byte.

    RECIPE is a TOML file: targets or footprint, sectors, kinds, authors, cadences.
    LOCK is what it stood for on one day: every file with size and sha256.
    """


def _where(function: F) -> F:
    """Give a command the options that say where files lie and where they come from."""
    for option in (
        click.option("--source", "sources", multiple=True, metavar="S", help="archive, cloud, a URL or a folder."),
        click.option("--layout", metavar="TEMPLATE", help="astroquery (default), flat, or as in '{author}/{sector}'."),
        click.option("--out", "-o", type=click.Path(path_type=Path), metavar="DIR", help="The data folder."),
    ):
        function = option(function)
    return function


@command.command("lock")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("lock", metavar="[LOCK]", required=False, type=click.Path(path_type=Path))
@_where
@click.option("--update", "renew", is_flag=True, help="Lock again, and show what has changed upstream.")
@click.option("--no-fetch", is_flag=True, help="Leave digests open of what is not here; sync fills them.")
@click.pass_obj
def lock(
    settings: Globals,
    /,
    recipe: Path,
    lock: Path | None,
    out: Path | None,
    layout: str | None,
    sources: tuple[str, ...],
    renew: bool,
    no_fetch: bool,
) -> int:
    """Write to LOCK (default: RECIPE with the suffix .lock) which bytes RECIPE stands for today."""
    from tessellar.access import dataset
    from tessellar.errors import InputError

    path = lock or recipe.with_suffix(".lock")
    if path == recipe:
        raise InputError(f"{path}: is the recipe; give another name to the lock")
    if path.exists() and not renew:
        raise InputError(f"{path}: is there already; --update compares it with what the archive has now")
    asked: dict[str, Any] = {
        "fetch": not no_fetch,
        "layout": layout,
        "archive": settings.archive,
        "sources": sources or None,
    }
    read = dataset.read_recipe(recipe)
    old = dataset.read_lock(path) if renew else None
    with settings.progress() as listener:
        if old is None:
            made = dataset.lock(read, out, **asked, listener=listener)
        else:
            made = dataset.update(old, read, out, **asked, listener=listener)
    if old is None or (made.lock.files, made.lock.recipe) != (old.files, old.recipe):
        dataset.write_lock(made.lock, path)
        said = f"{path}: written"
    else:
        said = f"{path}: nothing has changed"
    _tell(settings, made, path, said)
    unknown = any(change.state == "unknown" for change in made.changes)
    return ROWS_FAILED if unknown or not made.manifest.ok else DONE


@command.command("sync")
@click.argument("lock", type=click.Path(path_type=Path))
@_where
@click.option("--deadline", type=float, metavar="S", help="Give up what is not here after so many seconds.")
@click.pass_obj
def sync(
    settings: Globals,
    /,
    lock: Path,
    out: Path | None,
    layout: str | None,
    sources: tuple[str, ...],
    deadline: float | None,
) -> int:
    """Bring a folder to what LOCK says: exactly these bytes, or an error that names the file."""
    from tessellar.access import dataset
    from tessellar.access.fetching import FetchInterrupted
    from tessellar.cli.fetch import exit_code_of_manifest
    from tessellar.cli.main import INTERRUPTED

    read = dataset.read_lock(lock)
    with settings.progress() as listener:
        try:
            done = dataset.sync(
                read,
                out,
                layout=layout,
                archive=settings.archive,
                sources=sources or None,
                deadline=deadline,
                listener=listener,
            )
        except FetchInterrupted as error:
            _print_manifest(settings, error.manifest)
            click.echo("tessellar: interrupted; run the same command again to go on", err=True)
            return INTERRUPTED
    if done.filled:
        dataset.write_lock(done.lock, lock)
    _print_manifest(settings, done.manifest)
    if not settings.quiet:
        here = len(done.manifest) - len(done.manifest.failed)
        click.echo(f"{here} of {len(done.manifest)} files here, {human_size(_bytes(done.manifest))}", err=True)
        if done.filled:
            click.echo(f"{lock}: {len(done.filled)} digests filled in that were open", err=True)
    return exit_code_of_manifest(done.manifest)


@command.command("verify")
@click.argument("lock", type=click.Path(path_type=Path))
@click.option("--out", "-o", type=click.Path(path_type=Path), metavar="DIR", help="The data folder.")
@click.pass_obj
def verify(settings: Globals, /, lock: Path, out: Path | None) -> int:
    """Prove, without network, that a folder holds the bytes of LOCK."""
    from tessellar.access import dataset
    from tessellar.store.upkeep import WHOLE

    read = dataset.read_lock(lock)
    with settings.progress() as listener:
        found = dataset.verify(read, out, listener)
    bad = [finding for finding in found if finding.state != WHOLE]
    if settings.json:
        rows = [asdict(finding) for finding in found]
        print_json([{("bytes" if key == "size" else key): value for key, value in row.items()} for row in rows])
    else:
        for finding in bad:
            click.echo(f"{finding.state:8}  {finding.path}: {finding.reason}")
    if not settings.quiet:
        click.echo(f"{len(found) - len(bad)} of {len(found)} files are those of {lock}", err=True)
    return ROWS_FAILED if bad else DONE


@command.command("cite")
@click.argument("lock", type=click.Path(path_type=Path))
@click.pass_obj
def cite(settings: Globals, /, lock: Path) -> int:
    """Print DOIs, acknowledgements and the queries, for a paper's data section."""
    from tessellar.access import dataset

    citation = dataset.cite(dataset.read_lock(lock))
    if settings.json:
        print_json(asdict(citation))
    else:
        click.echo(str(citation))
    return DONE


def _tell(settings: Globals, made: Locked, path: Path, said: str) -> None:
    lock: Lock = made.lock
    if settings.json:
        print_json(
            {
                "lock": str(path.absolute()),
                "files": len(lock.files),
                "bytes": lock.size,
                "open": [file.uri for file in lock.open],
                "fingerprint": lock.fingerprint,
                "changes": [asdict(change) for change in made.changes],
                "manifest": made.manifest.to_rows(),
            }
        )
    else:
        for change in made.changes:
            click.echo(f"{_SIGNS[change.state]} {change.uri}" + (f": {change.detail}" if change.detail else ""))
        for row in made.manifest.failed:
            click.echo(f"ERROR     {row['URI']}: {row['Message']}")
    if not settings.quiet:
        for row in made.manifest.to_rows():
            if row["status"] == "COMPLETE" and row["message"]:
                click.echo(f"tessellar: {row['uri']}: {row['message']}", err=True)
        for query in lock.queries:
            if not query.files:
                told = ", ".join(f"{name} {value}" for name, value in query.criteria.items())
                click.echo(f"tessellar: nothing found for {told}", err=True)
        still = f", {len(lock.open)} digests open" if lock.open else ""
        click.echo(f"{said}: {len(lock.files)} files, {human_size(lock.size)}{still}", err=True)


def _print_manifest(settings: Globals, manifest: Manifest) -> None:
    if settings.json:
        print_json(manifest.to_rows())
        return
    for row in manifest.failed:
        click.echo(f"ERROR     {row['URI']}: {row['Message']}")


def _bytes(manifest: Manifest) -> float:
    return float(sum(row["bytes"] for row in manifest.to_rows()))
