"""`tessellar resolve`: what a target is called, where it is, when it was observed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tessellar.cli.main import Globals
from tessellar.cli.output import print_choice, print_json


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
    from tessellar.products.tables import plain_rows

    with settings.progress() as listener:
        found = resolve(target, archive=settings.archive, listener=listener)
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
                "fields": [
                    {name: row[name] for name in ("sector", "camera", "ccd", "column", "row", "edge", "measured")}
                    for row in plain_rows(fields)
                ],
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
    seen, later = fields[fields["measured"]], fields[~fields["measured"]]
    click.echo(f"on a CCD  {_listed(seen)}")
    if len(later):
        click.echo(f"to come   {_listed(later)}")
    if found.matched != "TIC id":
        click.echo(f"matched   {found.matched}, {found.separation:.2f} arcsec away")
    for each in found.neighbours:
        shown = "unknown" if each.tmag is None else f"{each.tmag:.1f}"
        click.echo(f"near it   {each.tic}, T {shown}, {each.separation:.1f} arcsec away")
    print_choice(curves)


def _listed(fields: Any) -> str:
    """Write fields as sector-camera-CCD, and of many only the first and the last."""
    names = [f"{sector}-{camera}-{ccd}" for sector, camera, ccd in fields.iterrows("sector", "camera", "ccd")]
    if not names:
        return "in no sector so far"
    shown = names if len(names) <= 8 else [*names[:5], "...", names[-1]]
    return f"{', '.join(shown)} (sector-camera-CCD)" + (f", {len(names)} in all" if len(names) > 8 else "")
