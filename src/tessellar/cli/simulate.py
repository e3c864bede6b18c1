"""`tessellar simulate`: make a sky with known truth."""

from __future__ import annotations

from pathlib import Path

import click

from tessellar.cli.main import Globals


@click.command("simulate")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--days", type=float, metavar="D", help="Only the first D days of each sector.")
@click.pass_obj
def command(settings: Globals, folder: Path, seed: int, days: float | None) -> None:
    """Write target pixel files and light curves of a simulated sky into DIR, with the exact truth beside them."""
    from tessellar.simulate import simulate

    simulate(folder, seed=seed, days=days)
    if not settings.quiet:
        click.echo(f"simulated sky with its truth in {folder}", err=True)
