"""`tessellar resolve`: what a target is called, where it is, when it was observed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tessellar.cli.main import Globals
from tessellar.cli.output import print_choice, print_json, print_table


@click.command("resolve")
@click.argument("target")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where fetched files lie, whose headers are shown (default: the data folder, or the working one).",
)
@click.pass_obj
def command(settings: Globals, /, target: str, data: Path | None) -> None:
    """Print the ids of TARGET, its position and the sectors in which it was observed.

    TARGET is a TIC id, a name, a Gaia DR2 id, or a position (ICRS). It ends with a table of its light curves.
    """
    from tessellar.access import observability, resolve, which_light_curve
    from tessellar.access.resolving import read_position
    from tessellar.errors import NoStarError

    with settings.progress() as listener:
        try:
            found = resolve(target, archive=settings.archive, listener=listener)
        except NoStarError as error:
            place = read_position(target)
            if place is None:
                raise
            _show_place(settings, place, str(error))
            return
        curves = which_light_curve(found.tic, data, archive=settings.archive, listener=listener)
    fields = observability((found.ra, found.dec))
    if settings.json:
        print_json(
            {
                "tic": int(found.tic),
                "ra": found.ra,
                "dec": found.dec,
                "tmag": found.tmag,
                "other_ids": found.other_ids,
                "sectors": list(found.sectors),
                "fields": _rows_of(fields),
                "matched": found.matched,
                "separation": found.separation,
                "neighbours": [
                    {"tic": int(each.tic), "tmag": each.tmag, "separation": each.separation}
                    for each in found.neighbours
                ],
                "light_curves": curves.rows(),
            }
        )
        return
    sectors = ", ".join(str(sector) for sector in found.sectors) or "none in this archive"
    magnitude = f"{found.tmag:.3f}" if found.tmag is not None else "unknown"
    click.echo(f"{found.tic}")
    click.echo(f"position  {found.ra:.6f} {found.dec:+.6f} deg (ICRS, epoch 2000)")
    click.echo(f"Tmag      {magnitude}")
    for label, name in found.other_ids.items():
        click.echo(f"{label:<9} {name}")
    click.echo(f"sectors   {sectors}")
    if found.matched != "TIC id":
        click.echo(f"matched   {found.matched}, {found.separation:.2f} arcsec away")
    for each in found.neighbours:
        shown = "unknown" if each.tmag is None else f"{each.tmag:.1f}"
        click.echo(f"near it   {each.tic}, T {shown}, {each.separation:.1f} arcsec away")
    _print_fields(fields)
    print_choice(curves)


def _show_place(settings: Globals, place: tuple[float, float], why: str) -> None:
    """Tell what is known of a position at which the catalogue has no star."""
    from tessellar.access import observability

    fields = observability(place)
    if settings.json:
        print_json({"tic": None, "ra": place[0], "dec": place[1], "fields": _rows_of(fields), "reason": why})
        return
    click.echo(f"position  {place[0]:.6f} {place[1]:+.6f} deg (ICRS)")
    _print_fields(fields)
    click.echo(f"tessellar: {why}", err=True)


_FIELD = ("sector", "camera", "ccd", "column", "row", "edge", "measured")


def _rows_of(fields: Any) -> list[dict[str, Any]]:
    from tessellar.products.tables import plain_rows

    return [{name: row[name] for name in _FIELD} for row in plain_rows(fields)]


def _print_fields(fields: Any) -> None:
    """Print where the position falls in each sector: 1-based pixels of a full-frame image, distance from its edge."""
    rows = [
        {**row, **{name: f"{row[name]:.1f}" for name in ("column", "row", "edge")},
         "pointing": "measured" if row["measured"] else "predicted"}
        for row in _rows_of(fields)
    ]  # fmt: skip
    click.echo("\non the CCDs (columns and rows from 1, edge in pixels)" if rows else "\non no CCD so far")
    if rows:
        print_table(rows, (*_FIELD[:-1], "pointing"))
