"""`tessellar find`: list the files, or the observations, that an archive has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tessellar.cli.main import DONE, Globals
from tessellar.cli.output import human_size, print_choice, print_csv, print_json, print_table
from tessellar.cli.selection import criteria, say_none, selected, selection

_COLUMNS = ("obs_id", "target", "sector", "camera", "ccd", "cadence", "kind", "author", "filename", "uri", "size",
            "sector_first", "sector_last", "s3_uri", "summary")  # fmt: skip
_SHOWN = ("target", "sector", "camera", "ccd", "cadence", "kind", "author", "filename", "size")
_OBSERVED = ("target_name", "sector_first", "sector_last", "camera", "ccd", "t_exptime", "provenance_name", "obs_id")


@click.command("find")
@selection
@click.option("--observations", is_flag=True, help="List observations in place of files.")
@click.option("--columns", metavar="A,B,...", help="With --observations: only these columns.")
@click.option("--urls", "form", flag_value="urls", help="Print the URL of each file.")
@click.option("--curl", "form", flag_value="curl", help="Print a shell script that fetches the files with curl.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@click.option("--ecsv", "form", flag_value="ecsv", help="Print ECSV, with types, units and meanings.")
@click.option("--votable", "form", flag_value="votable", help="Print a VOTable.")
@click.option(
    "--out", "-o", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write the table to FILE (.csv, .ecsv, .parquet, .vot); observations of any number, gone on with if killed.",
)  # fmt: skip
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where fetched files lie, whose headers are shown (default: the data folder, or the working one).",
)
@click.pass_obj
def command(
    settings: Globals,
    /,
    observations: bool,
    columns: str | None,
    form: str | None,
    out: Path | None,
    data: Path | None,
    **chosen: Any,
) -> int:
    """List the files that an archive has of TARGET (a TIC id or a name), or of a sector.

    On a target it ends with a table of its light curves: which author, which release, which aperture.
    """
    if columns and not observations:
        raise click.UsageError("--columns goes with --observations")
    if observations:
        return _observations(settings, columns.split(",") if columns else None, form, out, chosen)
    table = selected(settings, **chosen)
    if not len(table):
        say_none(chosen)
    if out is not None:
        _write(settings, table, out)
    elif settings.json:
        print_json([file_row(row) for row in table.rows()])
    elif form is not None:
        _print(table, form, [file_row(row) for row in table.rows()], _COLUMNS)
    elif len(table):
        print_table([_shown_row(row) for row in table.rows()], _SHOWN)
        if chosen["target"] is not None:
            from tessellar.access import which_light_curve

            print_choice(which_light_curve(table, data))
        if not settings.quiet:
            size = f", {human_size(table.total_size)}" if table.total_size else ""
            click.echo(f"{len(table)} files{size}", err=True)
    return DONE


def _shown_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of one file for eyes: a run over several sectors is not one of the last of them."""
    shown = file_row(row)
    first, last = shown["sector_first"], shown["sector_last"]
    return {**shown, "sector": f"{first}-{last}"} if first != last else shown


def file_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of one file with the keys that are printed."""
    named = {**row, "filename": row["productFilename"], "uri": row["dataURI"]}
    return {name: named.get(name) for name in _COLUMNS}


def _observations(
    settings: Globals, columns: list[str] | None, form: str | None, out: Path | None, chosen: dict[str, Any]
) -> int:
    from tessellar.access import save_observations, search
    from tessellar.store.tablefile import VOTABLE

    if form in ("urls", "curl"):
        raise click.UsageError(f"--{form} lists files: leave --observations out")
    asked = criteria(**chosen)
    with settings.progress() as listener:
        if out is not None and out.suffix not in VOTABLE and "position" not in asked and "radius" not in asked:
            saved = save_observations(out, wanted=columns, archive=settings.archive, listener=listener, **asked)
            _say_written(settings, saved)
            return DONE
        table = search(wanted=columns, archive=settings.archive, listener=listener, **asked)
    if not len(table):
        say_none(chosen)
    if out is not None:
        _write(settings, table, out)
    elif settings.json:
        print_json(table.rows())
    elif form is not None:
        _print(table, form, table.rows(), table.colnames)
    elif len(table):
        shown = table.colnames if columns else [name for name in _OBSERVED if name in table.colnames]
        print_table(table.rows(), shown)
        if not settings.quiet:
            click.echo(f"{len(table)} observations", err=True)
    return DONE


def _print(table: Any, form: str, rows: list[dict[str, Any]], columns: Any) -> None:
    """Print a table in one of its forms for other programs."""
    if form == "urls":
        for url in table.to_urls():
            click.echo(url)
    elif form == "curl":
        from tessellar.products.tables import curl_script

        click.echo(curl_script(table), nl=False)
    elif form == "csv":
        print_csv(rows, columns)
    elif form == "ecsv":
        table.write(sys.stdout, format="ascii.ecsv")
    else:
        table.write(sys.stdout.buffer, format="votable")


def _write(settings: Globals, table: Any, out: Path) -> None:
    from tessellar.store.tablefile import write_table

    written = write_table(table, out.expanduser().absolute())
    if settings.json:
        print_json({"path": str(written), "rows": len(table)})
    elif not settings.quiet:
        click.echo(f"{written}: {len(table)} rows", err=True)


def _say_written(settings: Globals, saved: Any) -> None:
    """Say what was written, and what is not in it."""
    if settings.json:
        print_json({"path": str(saved.path), "rows": saved.rows, "twice": saved.twice, "missing": saved.missing})
    elif not settings.quiet:
        click.echo(f"{saved.path}: {saved.rows} rows", err=True)
    if saved.twice:
        click.echo(f"tessellar: {saved.twice} rows came twice; each is written once", err=True)
    if saved.missing:
        click.echo(f"tessellar: {saved.missing} rows without a declination are left out: no strip has them", err=True)
