"""The options by which `find` and `fetch` choose files, and the search that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tessellar.cli.main import Globals

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = [
    click.argument("target", required=False),
    click.option("--sector", type=int, metavar="N", help="Only this sector."),
    click.option(
        "--kind",
        type=click.Choice(["lightcurve", "tpf", "ffi", "dv", "cbv"]),
        help="Only files of this kind; images are found only when asked for.",
    ),
    click.option("--cadence", type=float, metavar="S", help="Only this exposure time, in seconds."),
    click.option("--author", metavar="A", help="Only this pipeline: SPOC, TESS-SPOC, QLP ..."),
    click.option("--camera", type=click.IntRange(1, 4), help="Only this camera."),
    click.option("--ccd", type=click.IntRange(1, 4), help="Only this CCD."),
    click.option("--position", metavar="'RA DEC'", help="Centre of a cone (ICRS, degrees), in place of a target."),
    click.option("--radius", type=float, metavar="DEG", help="Radius of the cone; around a target, if one is given."),
]


def selection(command: F) -> F:
    """Give a command the options that choose files."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def selected(settings: Globals, **chosen: Any) -> Any:
    """Search with the chosen options; return the table of files."""
    from tessellar.access import list_products, search

    with settings.progress() as listener:
        wanted = dict(chosen)
        observations = search(wanted.pop("target"), archive=settings.archive, listener=listener, **wanted)
        return list_products(observations, kind=chosen["kind"], listener=listener)


def say_none(chosen: dict[str, Any]) -> None:
    """Say on stderr that nothing was found, and by what was searched."""
    given = ", ".join(f"{name} {value}" for name, value in chosen.items() if value is not None)
    click.echo(f"tessellar: nothing found for {given}", err=True)
