"""`tessellar survey`: every star of a sector: what is to be measured, measuring it, and what came of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tessellar.cli.main import DONE, ROWS_FAILED, Globals
from tessellar.cli.output import print_json, print_table
from tessellar.errors import InputError

if TYPE_CHECKING:
    from tessellar.survey import Finished

_folder = click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
_file = click.Path(path_type=Path, dir_okay=False)


@click.group("survey")
def command() -> None:
    """Measure every star in the prepared fields and target pixel files in DIR.

    What it makes lies in DIR/survey: the to-do list (survey.sqlite), the light curves, one page a field.
    """


@command.command("plan")
@_folder
@click.option("--limit", type=float, default=15.0, show_default=True, metavar="T", help="Faintest stars.")
@click.option(
    "--bright", type=float, default=6.8, show_default=True, metavar="T", help="In frames, brighter ones one by one."
)
@click.option("--source", type=click.Choice(["all", "ffi", "tpf"]), default="all", show_default=True, help="Pixels.")
@click.option(
    "--methods", default="aperture,linpsf", show_default=True, metavar="A,B", help="Of stars measured all at once."
)
@click.option("--memory", type=float, metavar="GB", help="That a worker will have; by default 3.5.")
@click.option("--rows", type=click.IntRange(1), metavar="N", help="CCD rows of a task, whatever the memory.")
@click.option("--prepared", type=_file, multiple=True, help="Of several prepared fields of a CCD, this one.")
@click.option("--exclude", type=_file, multiple=True, metavar="CSV", help="Targets to leave out: tic,sector,reason.")
@click.option(
    "--special", type=_file, multiple=True, metavar="CSV", help="Targets that need a method: tic,method,reason."
)
@click.option("--overwrite", is_flag=True, help="Replace another plan, and its light curves.")
@click.pass_obj
def plan_command(settings: Globals, /, folder: Path, **options: Any) -> None:
    """Write down which stars are to be measured, in what pixels, by which method, in what order."""
    from tessellar.survey import Choices, describe, plan

    choices = Choices(
        limit=options["limit"],
        bright=options["bright"],
        sources=("ffi", "tpf") if options["source"] == "all" else (options["source"],),
        methods=tuple(each.strip() for each in options["methods"].split(",")),
        rows=options["rows"],
        **({} if options["memory"] is None else {"memory": round(options["memory"] * 1e9)}),
    )
    with settings.progress() as listener:
        ledger = plan(
            folder, choices=choices, prepared=options["prepared"], exclude=options["exclude"],
            method_tables=options["special"], overwrite=options["overwrite"], listener=listener,
        )  # fmt: skip
    with closing(ledger):
        rows = describe(ledger)
        left_out = ledger.select("SELECT reason, count(*) FROM left_out GROUP BY reason ORDER BY 2 DESC, 1")
    if settings.json:
        told = {"ledger": str(ledger.path.absolute()), "fields": rows, "left_out": dict(left_out)}
        print_json(told)
        return
    print_table(rows, ["field", "cadence", "kind", "targets", "secondary", "brightest", "faintest", "tasks"])
    if not settings.quiet:
        for reason, count in left_out:
            click.echo(f"{count} left out: {reason}", err=True)
        click.echo(f"{ledger.path}; `tessellar survey run {folder}` measures them", err=True)


@command.command("run")
@_folder
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes; by default one a core.")
@click.option("--memory", type=float, metavar="GB", help="That each may have; by default a share of what there is.")
@click.option("--scheduler", metavar="ADDRESS", help="Of a Dask cluster that measures, or its scheduler file (.json).")
@click.option("--again", is_flag=True, help="Also what was set aside.")
@click.pass_obj
def run_command(
    settings: Globals, /, folder: Path, workers: int | None, memory: float | None, scheduler: str | None, again: bool
) -> int:
    """Measure what is left of the plan.

    It may be stopped at any time, with Ctrl-C or otherwise, and goes on when it is started again.
    """
    from tessellar.survey import SurveyFolder, run

    if scheduler is not None and (workers is not None or memory is not None):
        raise click.UsageError("a cluster has its own workers: leave --workers and --memory out")
    if memory is not None and memory < 0.5:
        raise InputError(f"--memory {memory:g}: a worker needs half a gigabyte at least")
    SurveyFolder(folder).require_plan()
    with settings.progress() as listener:
        try:
            finished = run(
                folder, workers=workers, memory=None if memory is None else int(memory * 1e9), scheduler=scheduler,
                again=again, listener=listener,
            )  # fmt: skip
        except KeyboardInterrupt as error:
            raise click.Abort("what was done is kept; the same command goes on") from error
    return _tell_run(settings, folder, finished)


def _tell_run(settings: Globals, folder: Path, finished: Finished) -> int:
    if settings.json:
        print_json({**vars(finished), "aside": [{"task": n, "reason": why} for n, why in finished.aside.items()]})
    else:
        click.echo("  ".join(f"{name} {count}" for name, count in finished.stars.items()))
        for number, reason in finished.aside.items():
            click.echo(f"tessellar: task {number} is set aside: {reason}", err=True)
        if not settings.quiet:
            many = "1 task" if finished.done == 1 else f"{finished.done} tasks"
            click.echo(f"{many} in {finished.seconds:.0f} s; `tessellar survey status {folder}` tells more", err=True)
            if finished.aside:
                click.echo("`--again` tries what was set aside once more", err=True)
    return ROWS_FAILED if finished.aside else DONE


@command.command("status")
@_folder
@click.option("--html", is_flag=True, help="Write one page a field, and its table, into DIR/survey.")
@click.pass_obj
def status_command(settings: Globals, /, folder: Path, html: bool) -> None:
    """Tell what came of the survey so far, also while it runs: counts, reasons, noise, suspicious stars."""
    from tessellar.survey import Ledger, SurveyFolder, summaries, write_page

    place = SurveyFolder(folder)
    place.require_plan()
    with closing(Ledger(place.ledger)) as ledger:
        found = summaries(ledger)
        tasks = dict(ledger.select("SELECT state, count(*) FROM task GROUP BY state"))
        pages = [write_page(place, each, ledger) for each in found] if html else []
    if settings.json:
        fields = [each.as_record() for each in found]
        print_json({"tasks": tasks, "fields": fields, "pages": [str(page.absolute()) for page in pages]})
        return
    for each in found:
        _show(each.as_record(), settings.quiet)
    if not settings.quiet:
        click.echo("tasks: " + ", ".join(f"{count} {state}" for state, count in sorted(tasks.items())), err=True)
    for page in pages:
        click.echo(str(page))


def _show(record: dict[str, Any], quiet: bool) -> None:
    counts = "  ".join(f"{name} {count}" for name, count in record["status"].items())
    click.echo(f"{record['field']}  {record['cadence']} s  {record['kind']}: {record['targets']} targets: {counts}")
    if quiet:
        return
    for row in record["reasons"][:12]:
        click.echo(f"  {row['stars']:>6} {row['status']}: {row['reason']} (as TIC {row['example']})")
    if len(record["reasons"]) > 12:
        click.echo(f"         and {len(record['reasons']) - 12} other reasons: --json or --html tell all")
    for name, count in record["several_reasons"].items():
        click.echo(f"         of {name}, {count} with several reasons: counted with each")
    if record["noise"]:
        rows = [
            {"tmag": f"{row['tmag']:.2f}", "stars": int(row["stars"]), "noise of 1 h (ppm)": _ppm(row["noise"]),
             "expected": _ppm(row["expected"])}
            for row in record["noise"]
        ]  # fmt: skip
        print_table(rows, list(rows[0]))
    if record["suspicious"]:
        click.echo(f"  {len(record['suspicious'])} suspicious stars; --html lists them")


def _ppm(value: float | None) -> int | None:
    return None if value is None else round(value)


@command.command("export")
@_folder
@click.option("--out", "-o", type=click.Path(path_type=Path), required=True, metavar="OUT", help="Folder to write to.")
@click.option("--tic", "tics", multiple=True, metavar="N", help="Only this star; may be given several times.")
@click.option("--brightest", type=float, metavar="T", help="Only stars of this magnitude, or fainter.")
@click.option("--faintest", type=float, metavar="T", help="Only stars of this magnitude, or brighter.")
@click.option("--status", default="OK,WARNING", show_default=True, metavar="A,B", help="Only stars with this outcome.")
@click.option("--method", "methods", multiple=True, metavar="M", help="By this method; else by the one that counts.")
@click.option(
    "--form", type=click.Choice(["fits", "parquet", "metrics"]), default="fits", show_default=True,
    help="FITS files, one Parquet table of light curves a field, or one of metrics.",
)  # fmt: skip
@click.pass_obj
def export_command(settings: Globals, /, folder: Path, out: Path, **options: Any) -> int:
    """Write light curves that were measured into files, all or some of them."""
    from tessellar.survey import Subset, export, not_exported, not_stored
    from tessellar.targets import TIC

    subset = Subset(
        tics=tuple(int(TIC(tic)) for tic in options["tics"]),
        brightest=options["brightest"],
        faintest=options["faintest"],
        status=tuple(each.strip().upper() for each in options["status"].split(",")),
        methods=options["methods"],
    )
    paths = []
    with settings.progress() as listener:
        for path in export(folder, out, subset=subset, form=options["form"], listener=listener):
            paths.append(str(path.absolute()))
            if not settings.json and options["form"] != "fits":
                click.echo(str(path))
    if settings.json:
        print_json(paths)
    elif not settings.quiet:
        click.echo(f"{len(paths)} file{'' if len(paths) == 1 else 's'} in {out}", err=True)
    missing = not_exported(folder, subset)
    for tic, reason in missing.items():
        click.echo(f"tessellar: TIC {tic} is not exported: {reason}", err=True)
    later = not_stored(folder, subset)
    for name, count in later.items():
        many = "1 light curve is" if count == 1 else f"{count} light curves are"
        click.echo(f"tessellar: {many} not in {name}: `tessellar survey run {folder}` goes on", err=True)
    return ROWS_FAILED if missing or later else DONE
