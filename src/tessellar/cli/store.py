"""`tessellar store`: look after a data folder, without network."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tessellar.cli.main import DONE, ROWS_FAILED, Globals
from tessellar.cli.output import human_size, print_json, print_table

if TYPE_CHECKING:
    from tessellar.store import Store
    from tessellar.store.upkeep import Finding

_folder = click.argument("folder", required=False, metavar="[DIR]", type=click.Path(path_type=Path))


@click.group("store")
def command() -> None:
    """Look after a folder of fetched files: DIR, or the setting data_dir, or the working folder."""


@command.command("verify")
@_folder
@click.option("--repair", is_flag=True, help="Set aside what is not whole, and fetch it again.")
@click.pass_obj
def verify(settings: Globals, /, folder: Path | None, repair: bool) -> int:
    """Read every file again and compare it with the digest of when it was fetched."""
    from tessellar.store import upkeep

    store = _opened(folder)
    with settings.progress() as listener:
        if repair:
            from tessellar.access.fetching import repair as fetch_again

            manifest = fetch_again(store, archive=settings.archive, listener=listener)
            found = upkeep.verify(store, listener)
        else:
            manifest, found = None, upkeep.verify(store, listener)
    bad = [finding for finding in found if finding.state != upkeep.WHOLE]
    failed = [row for row in manifest.to_rows() if row["status"] != "COMPLETE"] if manifest is not None else []
    _print(settings, found, bad)
    for row in failed:
        click.echo(f"tessellar: {row['uri']}: {row['message']}", err=True)
    if not settings.quiet:
        again = f", {len(manifest) - len(failed)} of {len(manifest)} fetched again" if manifest is not None else ""
        click.echo(f"{len(found) - len(bad)} of {len(found)} files whole{again}; {_kept(store)}", err=True)
    return ROWS_FAILED if bad or failed else DONE


@command.command("gc")
@_folder
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.pass_obj
def gc(settings: Globals, /, folder: Path | None, dry_run: bool) -> int:
    """Remove partial files that nobody is fetching, what was set aside, and the memory of files that are gone."""
    from tessellar.store import upkeep

    found = upkeep.collect(_opened(folder), dry_run=dry_run)
    _print(settings, found, found)
    if not settings.quiet:
        verb = "can be" if dry_run else "were"
        click.echo(f"{human_size(sum(finding.size for finding in found))} {verb} removed", err=True)
    return DONE


@command.command("du")
@_folder
@click.pass_obj
def du(settings: Globals, /, folder: Path | None) -> int:
    """Add up the files by collection, sector and kind."""
    from tessellar.store import upkeep

    store = _opened(folder)
    rows = upkeep.usage(store)
    if settings.json:
        print_json(rows)
    elif rows:
        shown = [{**row, "size": human_size(float(str(row["bytes"])))} for row in rows]
        print_table(shown, ["collection", "sector", "kind", "files", "size"])
    if not settings.quiet:
        click.echo(f"{human_size(sum(int(str(row['bytes'])) for row in rows))} in {store.folder}", err=True)
    return DONE


@command.command("adopt")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.pass_obj
def adopt(settings: Globals, /, folder: Path) -> int:
    """Make DIR, filled by astroquery, lightkurve or by hand, a data folder: what is whole need not be fetched."""
    from tessellar.store import upkeep

    with settings.progress() as listener:
        store, found = upkeep.adopt(folder, listener)
    refused = [finding for finding in found if finding.state == upkeep.REFUSED]
    _print(settings, found, refused)
    if not settings.quiet:
        new = sum(finding.state == upkeep.ADOPTED for finding in found)
        click.echo(f"{new} files adopted, {len(found) - new - len(refused)} known before; {_kept(store)}", err=True)
        click.echo(f"use them with: tessellar fetch ... -o {store.folder}", err=True)
    return ROWS_FAILED if refused else DONE


def _opened(folder: Path | None) -> Store:
    from tessellar import config
    from tessellar.errors import InputError
    from tessellar.store import Store

    root = (folder or Path(config.load().data_dir or ".")).expanduser().absolute()
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    return Store(root)


def _kept(store: Store) -> str:
    return f"ledger: {store.ledger.journal}"


def _print(settings: Globals, found: list[Finding], worth_telling: list[Finding]) -> None:
    """Print everything for machines, and for eyes what is worth telling."""
    if settings.json:
        rows: list[dict[str, Any]] = [asdict(finding) for finding in found]
        print_json([{("bytes" if key == "size" else key): value for key, value in row.items()} for row in rows])
        return
    for finding in worth_telling:
        click.echo(f"{finding.state:10}  {finding.path}" + (f": {finding.reason}" if finding.reason else ""))
