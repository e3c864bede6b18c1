"""`tessellar simulate`: make a sky with known truth."""

from __future__ import annotations

from pathlib import Path

import click

from tessellar.cli.main import Globals


@click.command("simulate")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--days", type=float, metavar="D", help="Only the first D days of each sector.")
@click.option("--targets-only", is_flag=True, help="No validation runs, 20-s files, QLP light curves, catalogue.")
@click.pass_obj
def command(settings: Globals, folder: Path, seed: int, days: float | None, targets_only: bool) -> None:
    """Write the files of a simulated sky into DIR, with the exact truth beside them.

    Target pixel files and light curves of nine stars, the validation runs of those with transits, 20-s files of
    one, light curves as QLP makes them, and the catalogue (tic.ecsv).
    """
    from tessellar.simulate import simulate

    simulate(folder, seed=seed, days=days, extras=not targets_only)
    if not settings.quiet:
        click.echo(f"simulated sky with its truth in {folder}", err=True)
