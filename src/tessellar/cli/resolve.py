"""`tessellar resolve`: what a target is called, where it is, when it was observed."""

from __future__ import annotations

import click

from tessellar.cli.main import Globals
from tessellar.cli.output import print_json
from tessellar.progress import drawn


@click.command("resolve")
@click.argument("target")
@click.pass_obj
def command(settings: Globals, target: str) -> None:
    """Print the ids of TARGET, its position and the sectors in which it was observed.

    TARGET is a TIC id, a name, a Gaia DR2 id, or a position (ICRS).
    """
    from tessellar.access import resolve

    with drawn(settings.quiet or settings.json) as listener:
        found = resolve(target, archive=settings.archive, listener=listener)
    if settings.json:
        print_json(
            {
                "tic": int(found.tic),
                "ra": found.ra,
                "dec": found.dec,
                "tmag": found.tmag,
                "other_ids": found.other_ids,
                "sectors": list(found.sectors),
                "matched": found.matched,
                "separation": found.separation,
                "neighbours": [
                    {"tic": int(each.tic), "tmag": each.tmag, "separation": each.separation}
                    for each in found.neighbours
                ],
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
