"""`tessellar fetch`: download files, verified, and say what became of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tessellar.cli.main import DONE, INTERRUPTED, NO_ARCHIVE, ROWS_FAILED, THIS_MACHINE, Globals
from tessellar.cli.output import human_size, print_json
from tessellar.cli.selection import say_none, selected, selection


@click.command("fetch")
@selection
@click.option("--out", "-o", type=click.Path(path_type=Path), metavar="DIR", help="Folder to fetch into.")
@click.option("--flat", is_flag=True, help="Put files straight into DIR.")
@click.option("--layout", metavar="TEMPLATE", help="Folders of your own below DIR, as in '{author}/{sector}'.")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="S",
    help="archive, cloud, a URL or a folder; may be repeated, first first.",
)
@click.option("--deadline", type=float, metavar="S", help="Give up what is not here after so many seconds.")
@click.pass_obj
def command(
    settings: Globals,
    /,
    out: Path | None,
    flat: bool,
    layout: str | None,
    sources: tuple[str, ...],
    deadline: float | None,
    **chosen: Any,
) -> int:
    """Download the files that `find` lists, verified; print the manifest.

    Run it again to continue what was interrupted: what is here is not fetched twice.
    """
    from tessellar import config
    from tessellar.access import FetchInterrupted, fetch
    from tessellar.access.fetching import write_manifest
    from tessellar.access.sources import Sources
    from tessellar.store import Store
    from tessellar.store.store import check_folder

    folder = (out or Path(config.load().data_dir or ".")).expanduser().absolute()
    check_folder(folder)
    # What cannot be is refused before anybody is asked.
    Store(folder, flat=flat, layout=layout)
    Sources(sources or config.load().sources)
    table = selected(settings, **chosen)
    if not len(table):
        say_none(chosen)
        if settings.json:
            print_json([])
        return DONE
    interrupted = False
    with settings.progress() as listener:
        try:
            manifest = fetch(
                table,
                folder,
                flat=flat,
                layout=layout,
                sources=sources or None,
                deadline=deadline,
                listener=listener,
            )
        except FetchInterrupted as error:
            manifest, interrupted = error.manifest, True
    _show(settings, manifest, folder)
    written = write_manifest(manifest, folder)
    if not settings.quiet:
        click.echo(f"manifest: {written}", err=True)
    if interrupted:
        click.echo("tessellar: interrupted; run the same command again to go on", err=True)
        return INTERRUPTED
    return exit_code_of_manifest(manifest)


def _show(settings: Globals, manifest: Any, folder: Path) -> None:
    rows = manifest.to_rows()
    if settings.json:
        print_json(rows)
        return
    for row in rows:
        if row["status"] == "COMPLETE":
            note = f"  ({row['message']})" if row["message"] else ""
            click.echo(f"COMPLETE  {_short(row['path'], folder)}{note}")
        else:
            click.echo(f"ERROR     {row['uri']}: {row['message']}")
    if not settings.quiet:
        done = [row for row in rows if row["status"] == "COMPLETE"]
        size = human_size(sum(row["bytes"] for row in done))
        click.echo(f"{len(done)} of {len(rows)} files here, {size}, in {folder}", err=True)


def _short(path: str, folder: Path) -> str:
    return str(Path(path).relative_to(folder)) if Path(path).is_relative_to(folder) else path


def exit_code_of_manifest(manifest: Any) -> int:
    """Return the exit code that a manifest ends a command with."""
    from tessellar.errors import ArchiveError, StoreError, Unavailable

    errors = manifest.errors
    if not errors:
        return DONE
    if any(isinstance(error, StoreError) for error in errors):
        return THIS_MACHINE
    if len(errors) == len(manifest) and all(isinstance(error, ArchiveError) for error in errors):
        return NO_ARCHIVE if any(isinstance(error, Unavailable) for error in errors) else ROWS_FAILED
    return ROWS_FAILED
