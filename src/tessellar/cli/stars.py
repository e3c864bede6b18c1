"""`tessellar stars`: stars of the TESS Input Catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tessellar.cli.main import DONE, Globals
from tessellar.cli.output import print_csv, print_json, print_table

_SHOWN = ("ID", "ra", "dec", "Tmag", "pmRA", "pmDEC", "Teff", "rad", "contratio", "disposition", "GAIA")


@click.command("stars")
@click.argument("tic", nargs=-1)
@click.option("--position", metavar="'RA DEC'", help="Centre of a cone (ICRS, degrees).")
@click.option("--radius", type=float, metavar="DEG", help="Radius of the cone.")
@click.option("--field", metavar="S-C-D", help="A CCD in a sector: sector-camera-CCD, as in 1-4-2.")
@click.option("--tmag", type=float, metavar="T", help="The faintest TESS magnitude.")
@click.option(
    "--margin",
    type=click.FloatRange(0, 500),
    default=0.0,
    metavar="PX",
    help="Pixels around the CCD that count as well.",
)
@click.option("--epoch", metavar="E", help="Also give the positions then: a Julian year as in 2018.6, or a date.")
@click.option("--all", "all_entries", is_flag=True, help="Keep duplicates and artifacts.")
@click.option("--columns", metavar="A,B,...", help="Only these columns of the catalogue.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write them to FILE (.ecsv, .csv, .parquet; .vot but for a CCD).",
)
@click.pass_obj
def command(
    settings: Globals,
    /,
    tic: tuple[str, ...],
    out: Path | None,
    as_csv: bool,
    columns: str | None,
    epoch: str | None,
    **asked: Any,
) -> int:
    """List stars of the TESS Input Catalog: those with the ids TIC, those in a cone, or those on a CCD.

    Positions are of epoch 2000.0, GAIA is an id of DR2, and contratio is the neighbours' light over the star's.
    Duplicates are followed to the star; artifacts are left out.
    """
    from tessellar.access import save_stars, stars
    from tessellar.store.tablefile import write_table

    asked |= {"wanted": columns.split(",") if columns else None, "epoch": _epoch(epoch), "archive": settings.archive}
    with settings.progress() as listener:
        if out is not None and asked["field"] and not tic and not asked["position"]:
            rest = {name: value for name, value in asked.items() if name not in ("position", "radius")}
            saved = save_stars(out, **rest, listener=listener)
            _say(settings, saved.path, saved.rows)
            return DONE
        table = stars(tic or None, **asked, listener=listener)
    for duplicate, star in table.meta.get("duplicates", {}).items():
        click.echo(f"tessellar: TIC {duplicate} is a duplicate of TIC {star}", err=True)
    if table.meta.get("unknown"):
        click.echo(f"tessellar: not in the catalogue: TIC {', '.join(map(str, table.meta['unknown']))}", err=True)
    if out is not None:
        _say(settings, write_table(table, out.expanduser().absolute()), len(table))
    elif settings.json:
        print_json(table.rows())
    elif as_csv:
        print_csv(table.rows(), table.colnames)
    elif len(table):
        print_table(table.rows(), [name for name in (table.colnames if columns else _SHOWN) if name in table.colnames])
    else:
        click.echo("tessellar: no star found", err=True)
    return DONE


def _epoch(text: str | None) -> str | float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _say(settings: Globals, path: Path, rows: int) -> None:
    if settings.json:
        print_json({"path": str(path), "rows": rows})
    elif not settings.quiet:
        click.echo(f"{path}: {rows} stars", err=True)
