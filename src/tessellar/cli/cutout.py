"""`tessellar cutout`: cut-outs of the full-frame images, made to order by TESScut."""

from __future__ import annotations

import re
from pathlib import Path

import click

from tessellar.cli.fetch import exit_code_of_manifest
from tessellar.cli.main import DONE, ROWS_FAILED, Globals
from tessellar.cli.output import print_json


@click.command("cutout")
@click.argument("target")
@click.option("--sector", "sectors", type=int, multiple=True, metavar="N", help="Only this sector; can be repeated.")
@click.option("--size", default="11", metavar="PX", help="Pixels a side, or ROWSxCOLUMNS as in 11x15.")
@click.option("--list", "only_list", is_flag=True, help="Only say in which sectors there is one.")
@click.option("--out", "-o", type=click.Path(path_type=Path), metavar="DIR", help="Folder to fetch into.")
@click.option("--deadline", type=float, metavar="S", help="Give up what is not here after so many seconds.")
@click.pass_obj
def command(
    settings: Globals,
    /,
    target: str,
    sectors: tuple[int, ...],
    size: str,
    only_list: bool,
    out: Path | None,
    deadline: float | None,
) -> int:
    """Fetch cut-outs of the full-frame images around TARGET: a TIC id, a name, or a position (ICRS, degrees).

    They are target pixel files. The flux in them still has the sky in it.
    """
    from tessellar.access import cutout_fields, fetch_cutouts

    if only_list:
        fields = [field for field in cutout_fields(target, archive=settings.archive)
                  if not sectors or field.sector in sectors]  # fmt: skip
        if settings.json:
            print_json([{"sector": each.sector, "camera": each.camera, "ccd": each.ccd} for each in fields])
        else:
            for field in fields:
                click.echo(f"sector {field.sector}, camera {field.camera}, CCD {field.ccd}")
            if not fields:
                click.echo(f"tessellar: {target} is on no full-frame image", err=True)
        return DONE
    with settings.progress() as listener:
        found = fetch_cutouts(target, out, size=_size(size), sectors=sectors or None, archive=settings.archive,
                              deadline=deadline, listener=listener)  # fmt: skip
    if settings.json:
        print_json([{"path": str(path)} for path in found.paths])
    for path in () if settings.json else found.paths:
        click.echo(path)
    for row in found.manifest.to_rows():
        if row["status"] != "COMPLETE":
            click.echo(f"tessellar: {row['uri']}: {row['message']}", err=True)
    for path, error in found.failures:
        click.echo(f"tessellar: {path}: {error}", err=True)
    if not len(found.manifest):
        click.echo(f"tessellar: {target} is on no full-frame image", err=True)
    return ROWS_FAILED if found.failures else exit_code_of_manifest(found.manifest)


def _size(text: str) -> int | tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", text.strip())
    if match is None:
        raise click.UsageError(f"--size {text!r}: write pixels a side, or ROWSxCOLUMNS as in 11x15")
    return int(match[1]) if match[2] is None else (int(match[1]), int(match[2]))
