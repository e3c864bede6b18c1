"""`tessellar tap`: questions in ADQL to a TAP service, its tables, its jobs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tessellar.cli.main import DONE, Globals
from tessellar.cli.output import print_json, print_table

if TYPE_CHECKING:
    from tessellar.archives.tap import Mode

_EXAMPLES = """
Examples:

\b
  tessellar tap "SELECT TOP 5 obs_id, target_name FROM dbo.obspointing WHERE obs_collection = 'TESS'"
  tessellar tap tables footprint
  tessellar tap explain --footprint 1-1-2 --sector 1
  tessellar tap --job -o stars.ecsv "SELECT ID, ra, dec, Tmag FROM dbo.tic WHERE Tmag < 8"
  tessellar tap --service https://gea.esac.esa.int/tap-server/tap "SELECT TOP 1 * FROM gaiadr3.gaia_source"
"""


class _Queries(click.Group):
    """A group whose first word is a query unless it is one of its commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["query", *args]
        return super().parse_args(ctx, args)


def _service(command: Any) -> Any:
    return click.option("--service", metavar="URL", help="Another TAP service, by its base URL.")(command)


@click.group("tap", cls=_Queries, epilog=_EXAMPLES, options_metavar="[OPTIONS] QUERY |")
def command() -> None:
    """Ask the archive's TAP service (or another one) a QUERY in ADQL."""


@command.command("query", hidden=True)
@click.argument("adql", metavar="QUERY")
@_service
@click.option("--job", "as_job", is_flag=True, help="Ask as a job, which runs on if this program ends.")
@click.option("--no-wait", is_flag=True, help="With --job: print its URL and end.")
@click.option("--maxrec", type=click.IntRange(0), metavar="N", help="At most N rows.")
@click.option("--timeout", type=float, metavar="S", help="Seconds to wait for the answer.")
@click.option("--upload", multiple=True, metavar="NAME=FILE", help="A table to be asked for as TAP_UPLOAD.NAME.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@click.option("--ecsv", "form", flag_value="ecsv", help="Print ECSV, with units.")
@click.option("--votable", "form", flag_value="votable", help="Print a VOTable.")
@click.option("--out", "-o", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write to FILE: .ecsv, .csv, .fits, .parquet (these, of a job, piece by piece), .vot.")  # fmt: skip
@click.pass_obj
def query(
    settings: Globals,
    /,
    adql: str,
    service: str | None,
    as_job: bool,
    no_wait: bool,
    maxrec: int | None,
    timeout: float | None,
    upload: tuple[str, ...],
    form: str | None,
    out: Path | None,
) -> int:
    """Ask QUERY."""
    from tessellar.access.tapping import STREAMED, read_upload
    from tessellar.archives.tap import tap_service

    asked = tap_service(service or settings.archive)
    uploads = dict(map(read_upload, upload))
    if no_wait and not as_job:
        raise click.UsageError("--no-wait goes with --job")
    if no_wait:
        job = asked.submit(adql, maxrec=maxrec, uploads=uploads)
        if settings.json:
            print_json({"url": job.url, "phase": job.phase})
        else:
            click.echo(job.url)
        return DONE
    if as_job and out is not None and out.suffix in STREAMED:
        return _save(settings, asked, adql, out, maxrec=maxrec, uploads=uploads, timeout=timeout)
    with settings.progress() as listener:
        mode: Mode = "async" if as_job else "auto"
        table = asked.query(adql, mode=mode, maxrec=maxrec, uploads=uploads, timeout=timeout, listener=listener)
    return _show(settings, table, form, out)


@command.command("tables")
@click.argument("containing", default="", metavar="[TEXT]")
@_service
@click.option("--columns", is_flag=True, help="List columns, though no TEXT is given.")
@click.pass_obj
def tables(settings: Globals, /, containing: str, service: str | None, columns: bool) -> int:
    """List the tables; with TEXT, the columns that have it in their name, unit, UCD or description."""
    from tessellar.archives.tap import tap_service

    found = tap_service(service or settings.archive).tables(containing)
    rows = [dict(zip(found.colnames, map(str, row), strict=True)) for row in found.iterrows()]
    if not (containing or columns):
        counted: dict[str, int] = {}
        for row in rows:
            counted[row["table"]] = counted.get(row["table"], 0) + 1
        rows = [{"table": name, "columns": count} for name, count in counted.items()]
    if settings.json:
        print_json(rows)
    elif rows:
        print_table(rows, list(rows[0]))
    else:
        click.echo(f"tessellar: no column has {containing!r}", err=True)
    return DONE


@command.command("explain")
@click.option("--footprint", required=True, metavar="S-C-D|REGION", help="The footprint of a CCD, or a region.")
@click.option("--sector", type=int, multiple=True, metavar="N", help="Only this sector; may be given again.")
@click.option("--cadence", type=float, metavar="S", help="Only this exposure time, in seconds.")
@click.option("--author", metavar="A", help="Only this pipeline.")
def explain(footprint: str, sector: tuple[int, ...], cadence: float | None, author: str | None) -> int:
    """Print the ADQL that `find --footprint` sends; nothing is asked."""
    from tessellar.access.regions import question, region_of

    region = region_of(footprint)
    spans, dec = region.box
    asked = [question(span, dec, region, sectors=sector or None, cadence=cadence, author=author) for span in spans]
    click.echo("\n\n".join(asked))
    return DONE


@command.command("jobs")
@_service
@click.pass_obj
def jobs(settings: Globals, /, service: str | None) -> int:
    """List the jobs of the service."""
    from tessellar.archives.tap import tap_service

    rows = tap_service(service or settings.archive).jobs()
    if settings.json:
        print_json(rows)
    elif rows:
        print_table(rows, list(rows[0]))
    else:
        click.echo("tessellar: the service lists no jobs", err=True)
    return DONE


@command.command("job")
@click.argument("url")
@click.option("--wait", is_flag=True, help="Wait until it has ended.")
@click.option("--abort", is_flag=True, help="Stop it.")
@click.option("--delete", is_flag=True, help="Stop it, and let the service forget it.")
@click.option("--timeout", type=float, metavar="S", help="Seconds to wait.")
@click.option("--out", "-o", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write its result to FILE.")  # fmt: skip
@_service
@click.pass_obj
def job(
    settings: Globals,
    /,
    url: str,
    wait: bool,
    abort: bool,
    delete: bool,
    timeout: float | None,
    out: Path | None,
    service: str | None,
) -> int:
    """Say where the job at URL stands (or with this id); wait for it, take its result, stop or delete it."""
    from tessellar.archives.tap import tap_service

    found = tap_service(service or settings.archive).job(url)
    if delete:
        found.delete()
        return DONE
    if abort:
        found.abort()
    if wait or out is not None:
        with settings.progress() as listener:
            found.wait(timeout=timeout, listener=listener)
        return _show(settings, found.result(), None, out)
    phase = found.phase
    if settings.json:
        print_json({"url": found.url, "phase": phase, "query": found.query})
    else:
        click.echo(phase)
    return DONE


def _save(settings: Globals, service: Any, adql: str, out: Path, **how: Any) -> int:
    """Stream the answer of a job to a file."""
    from tessellar.access.tapping import save_answer

    with settings.progress() as listener:
        saved = save_answer(service, adql, out.expanduser().absolute(), listener=listener, **how)
    if settings.json:
        print_json({"path": str(saved.path), "rows": saved.rows})
    elif not settings.quiet:
        click.echo(f"{saved.path}: {saved.rows} rows", err=True)
    if saved.overflow:
        click.echo(f"tessellar: the service gives no more than {saved.rows} rows; there may be more", err=True)
    return DONE


def _show(settings: Globals, table: Any, form: str | None, out: Path | None) -> int:
    from tessellar.products.tables import plain_rows
    from tessellar.store.tablefile import write_table

    if out is not None:
        path = write_table(table, out.expanduser().absolute())
        if settings.json:
            print_json({"path": str(path), "rows": len(table)})
        elif not settings.quiet:
            click.echo(f"{path}: {len(table)} rows", err=True)
    elif settings.json:
        print_json(plain_rows(table))
    elif form == "votable":
        table.write(sys.stdout.buffer, format="votable")
    elif form is not None:
        table.write(sys.stdout, format="ascii.ecsv" if form == "ecsv" else "ascii.csv")
    elif len(table):
        print_table(plain_rows(table), table.colnames)
    if not len(table):
        click.echo("tessellar: no rows", err=True)
    if table.meta.get("overflow"):
        click.echo(f"tessellar: cut off at {len(table)} rows; there are more", err=True)
    return DONE
