"""`tessellar find`: list the files that an archive has."""

from __future__ import annotations

from typing import Any

import click

from tessellar.cli.main import Globals
from tessellar.cli.output import human_size, print_csv, print_json, print_table
from tessellar.cli.selection import say_none, selected, selection

_COLUMNS = ("obs_id", "target", "sector", "camera", "ccd", "cadence", "kind", "author", "filename", "uri", "size")
_SHOWN = ("target", "sector", "camera", "ccd", "cadence", "kind", "author", "filename", "size")


@click.command("find")
@selection
@click.option("--urls", is_flag=True, help="Print the URL of each file.")
@click.option("--curl", is_flag=True, help="Print a shell script that fetches the files with curl.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.pass_obj
def command(settings: Globals, /, urls: bool, curl: bool, as_csv: bool, **chosen: Any) -> None:
    """List the files that an archive has of TARGET (a TIC id), or of a sector."""
    table = selected(settings, **chosen)
    if not len(table):
        say_none(chosen)
    rows = [file_row(row) for row in table.rows()]
    if settings.json:
        print_json(rows)
    elif urls:
        for url in table.to_urls():
            click.echo(url)
    elif curl:
        from tessellar.products.tables import curl_script

        click.echo(curl_script(table), nl=False)
    elif as_csv:
        print_csv(rows, _COLUMNS)
    elif rows:
        print_table(rows, _SHOWN)
        if not settings.quiet:
            click.echo(f"{len(rows)} files, {human_size(table.total_size)}", err=True)


def file_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of one file with the keys that are printed."""
    named = {**row, "filename": row["productFilename"], "uri": row["dataURI"]}
    return {name: named.get(name) for name in _COLUMNS}
