"""The options by which `find` and `fetch` choose files, and the search that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tessellar.cli.main import Globals

_WITH_FOOTPRINT = ("sector", "cadence", "author")

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
    click.option(
        "--footprint",
        metavar="S-C-D|REGION",
        help="Light curves of all stars in the footprint of a CCD, as in 1-1-2, or in a region; in every sector.",
    ),
    click.option("--position", metavar="'RA DEC'", help="Centre of a cone (ICRS, degrees), in place of a target."),
    click.option("--time", nargs=2, metavar="FIRST LAST", help="Only what overlaps with these days (ISO or MJD, UTC)."),
    click.option(
        "--where",
        multiple=True,
        metavar="COLUMN=VALUE",
        help="Any other column of observations: a value, several with commas, text with *, or LOW..HIGH.",
    ),
    click.option("--radius", type=float, metavar="DEG", help="Radius of the cone; around a target, if one is given."),
]


def selection(command: F) -> F:
    """Give a command the options that choose files."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def criteria(target: str | None = None, where: tuple[str, ...] = (), **chosen: Any) -> dict[str, Any]:
    """Return what `search` takes, from what the options say."""
    wanted = {name: value for name, value in chosen.items() if value is not None}
    if "time" in wanted:
        wanted["time"] = tuple(_time(each) for each in wanted["time"])
    return {**({} if target is None else {"target": target}), **wanted, **dict(map(_column, where))}


def selected(settings: Globals, **chosen: Any) -> Any:
    """Search with the chosen options; return the table of files."""
    from tessellar.access import list_products, search

    region = chosen.pop("footprint", None)
    if region is not None:
        return _in_footprint(settings, region, chosen)
    with settings.progress() as listener:
        observations = search(archive=settings.archive, listener=listener, **criteria(**chosen))
        return list_products(observations, kind=chosen["kind"], listener=listener)


def _in_footprint(settings: Globals, region: str, chosen: dict[str, Any]) -> Any:
    from tessellar.access import lightcurves_in

    kind = chosen.pop("kind", None)
    other = [name for name, value in chosen.items() if value not in (None, ()) and name not in _WITH_FOOTPRINT]
    if other or kind not in (None, "lightcurve"):
        named = f"--kind {kind}" if not other else other[0] if other[0] == "target" else f"--{other[0]}"
        raise click.UsageError(
            f"--footprint lists light curves, and goes with --sector, --cadence, --author; not {named}"
        )
    with settings.progress() as listener:
        return lightcurves_in(
            region,
            sectors=chosen.get("sector"),
            cadence=chosen.get("cadence"),
            author=chosen.get("author"),
            archive=settings.archive,
            listener=listener,
        )


def _time(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _column(text: str) -> tuple[str, Any]:
    """Read ``COLUMN=VALUE``."""
    name, sign, value = text.partition("=")
    if not sign or not value:
        raise click.UsageError(f"--where {text!r}: write COLUMN=VALUE, as in t_exptime=100..130")
    low, between, high = value.partition("..")
    try:
        if between:
            return name, (float(low), float(high))
    except ValueError as error:
        raise click.UsageError(f"--where {text!r}: a range is of two numbers, as in t_exptime=100..130") from error
    return name, value.split(",") if "," in value else _number_for(name, value)


def _number_for(name: str, value: str) -> str | float:
    """Read a number where the column holds numbers; `search` refuses columns that there are none of."""
    from tessellar.products.tables import OBSERVATION_COLUMNS

    info = OBSERVATION_COLUMNS.get(name)
    if info is None or info.kind is not float:
        return value
    try:
        return float(value)
    except ValueError as error:
        raise click.UsageError(f"--where {name}={value}: {name} holds numbers") from error


def say_none(chosen: dict[str, Any]) -> None:
    """Say on stderr that nothing was found, and by what was searched."""
    given = ", ".join(f"{name} {value}" for name, value in chosen.items() if value not in (None, ()))
    click.echo(f"tessellar: nothing found for {given}", err=True)
