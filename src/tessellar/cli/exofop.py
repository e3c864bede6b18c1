"""`tessellar exofop`: the follow-up community's tables and tagged files."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tessellar.cli.main import DONE, NO_ARCHIVE, ROWS_FAILED, THIS_MACHINE, Globals
from tessellar.cli.output import print_csv, print_json, print_table

if TYPE_CHECKING:
    from tessellar.exofop import ExoFOPAuthenticator, TagCounter

F = TypeVar("F", bound=Callable[..., Any])

_OBSERVATIONS = ("time_series", "spectroscopy", "imaging")
_KINDS = (
    *_OBSERVATIONS, "stellar_parameters", "planet_parameters", "nearby_targets", "stellar_companions", "magnitudes",
    "files", "notes", "uploads",
)  # fmt: skip
_TOI_SHOWN = (
    "TOI", "TIC ID", "TESS Disposition", "TFOPWG Disposition", "TESS Mag", "Period (days)", "Epoch (BJD)",
    "Depth (ppm)", "Planet Radius (R_Earth)", "Comments",
)  # fmt: skip
_CTOI_SHOWN = ("CTOI", "TIC ID", "Promoted to TOI", "User Disposition", "TESS Mag", "Period (days)", "User", "Tag")
# So much of a cell is shown to eyes.
_WIDEST = 48

_user = click.option("--user", metavar="NAME", envvar="TESSELLAR_EXOFOP_USER", help="Ask as this user, logged in.")


@click.group("exofop")
def command() -> None:
    """TOIs, tables, tagged files and login of ExoFOP.

    TARGET is a TIC id, a TOI, or any name that ExoFOP knows; a bare number is a TOI if there is such a one.
    """


@command.command("toi")
@click.argument("target", required=False)
@click.option("--community", is_flag=True, help="Community TOIs in place of TOIs.")
@click.option("--changes", is_flag=True, help="What changed since the table that ExoFOP had before.")
@click.option("--since", type=click.Path(path_type=Path), metavar="FILE", help="What changed since a saved table.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, all columns.")
@click.pass_obj
def toi(
    settings: Globals, /, target: str | None, community: bool, changes: bool, since: Path | None, as_csv: bool
) -> None:
    """Print the TOIs of TARGET, or all."""
    from tessellar.exofop import System, TOITable, ctoi_table, read_exofop_table, toi_table

    with _there(settings):
        table = (ctoi_table if community else toi_table)(refresh=_refreshing())
        shown = _CTOI_SHOWN if community else _TOI_SHOWN
        if changes or since is not None:
            table = TOITable(table.since(read_exofop_table(since) if since is not None else None))
            shown = tuple(table.colnames)
        if target is not None:
            table = table.of(System(target))
    rows = rows_of(table)
    if settings.json:
        print_json(rows)
    elif as_csv:
        print_csv(rows, table.colnames)
    elif rows:
        _show(rows, shown)
    if not rows:
        what = "changes" if changes or since is not None else "community TOIs" if community else "TOIs"
        click.echo(f"tessellar: no {what} of {target or 'any star'}", err=True)


@command.command("tables")
@click.argument("target")
@click.option("--kind", "kinds", type=click.Choice(_KINDS), multiple=True, help="Only this table; can be repeated.")
@_user
@click.pass_obj
def tables(settings: Globals, /, target: str, kinds: tuple[str, ...], user: str | None) -> None:
    """Print the tables that ExoFOP has of TARGET."""
    from tessellar.exofop import System, TargetTables

    with _there(settings):
        asked = TargetTables(System(target), _authenticator(user))
        found = {kind: asked.table(kind) for kind in kinds or _KINDS}
    if settings.json:
        print_json({kind: rows_of(table) for kind, table in found.items()})
        return
    for kind, table in found.items():
        rows = rows_of(table)
        if not rows and not kinds:
            continue
        click.echo(f"{kind}: {len(rows)}")
        # Columns in which nothing stands are left out.
        filled = [name for name in table.colnames if any(row[name] not in (None, "") for row in rows)]
        if rows:
            _show(rows, filled)
        click.echo()


@command.command("tags")
@click.argument("target")
@click.option("--kind", type=click.Choice(_OBSERVATIONS), help="Only tags of these observations.")
@_user
@click.pass_obj
def tags(settings: Globals, /, target: str, kind: str | None, user: str | None) -> None:
    """List the tags of the observations of TARGET."""
    from tessellar.exofop import System, TargetTables

    with _there(settings):
        asked = TargetTables(System(target), _authenticator(user))
        rows = _tag_rows(asked, kind)
    if settings.json:
        print_json(rows)
    elif rows:
        _show(rows, ("tag", "kind", "observations", "date", "telescope", "user", "group"))
    if not rows:
        click.echo(f"tessellar: no tags of {target}", err=True)


@command.command("download")
@click.argument("target")
@click.option("--kind", type=click.Choice(_OBSERVATIONS), help="Only tags of these observations; default: all three.")
@click.option("--tag", "wanted", multiple=True, metavar="N", help="Only this tag; can be repeated.")
@click.option("--files", is_flag=True, help="All files of TARGET one by one, whatever their tags.")
@click.option("--out", "-o", type=click.Path(path_type=Path), metavar="DIR", help="Folder for a folder of TARGET.")
@click.option("--no-unzip", is_flag=True, help="Keep the zips only.")
@click.option("--at-a-time", type=click.IntRange(1, 64), default=4, show_default=True, help="Downloads at a time.")
@_user
@click.pass_obj
def download(
    settings: Globals,
    /,
    target: str,
    kind: str | None,
    wanted: tuple[str, ...],
    files: bool,
    out: Path | None,
    no_unzip: bool,
    at_a_time: int,
    user: str | None,
) -> int:
    """Download the files of the tags of TARGET; run it again to go on: what is whole is not asked for again."""
    from tessellar import config
    from tessellar.exofop import AsyncDownloader, System, SystemDownloader, TagCounter

    if files and (kind or wanted):
        raise click.UsageError("--files means all files: leave out --kind and --tag")
    with _there(settings), settings.progress() as listener:
        now = config.load()
        engine = AsyncDownloader(
            max_concurrent_downloads=at_a_time,
            timeout=now.idle_timeout,
            max_retries=now.attempts - 1,
            listener=listener,
        )
        folder = (out or Path(now.data_dir or ".")).expanduser().absolute()
        loader = SystemDownloader(
            System(target), data_dir=str(folder), authenticator=_authenticator(user), downloader=engine
        )
        if files:
            counts = loader.download_files()
        else:
            chosen = list(wanted)
            for each in () if wanted else (kind,) if kind else _OBSERVATIONS:
                chosen += [tag for tag in loader.tables.tags(each).tolist() if tag not in chosen]
            counts = loader.download(chosen, unzip=not no_unzip) if chosen else TagCounter()
    return _tell(settings, counts, loader.target_dir, target)


@command.command("login")
@click.option("--user", metavar="NAME", envvar="TESSELLAR_EXOFOP_USER", help="Who; asked for if not given.")
@click.option(
    "--credentials", type=click.Path(path_type=Path), metavar="FILE", help=".txt or .yaml with user, password."
)
@click.option("--remember", is_flag=True, help="Put the password into the system's keyring (extra keyring).")
@click.pass_obj
def login(settings: Globals, /, user: str | None, credentials: Path | None, remember: bool) -> int:
    """Log in to ExoFOP; the session is kept in your config folder.

    The password is taken from FILE, from TESSELLAR_EXOFOP_PASSWORD, from the keyring, or asked for.
    """
    from tessellar.errors import AuthError, NoPermission
    from tessellar.exofop import ExoFOPAuthenticator

    with _there(settings):
        who = ExoFOPAuthenticator(
            username=user, credential_file_path=str(credentials) if credentials is not None else None
        )
        if who.refused or not (who.logged_in or who.login()):
            raise AuthError(f"ExoFOP does not accept the user name {who.username} with this password")
        if who.kept_in is None:
            raise NoPermission(f"{who.username} is logged in, but the session cannot be kept: see the line above")
        if remember:
            who.remember()
        who.confirm()
    if settings.json:
        print_json({"user": who.username, "expires": who.expires, "kept_in": str(who.kept_in)})
    elif not settings.quiet:
        click.echo(f"{who.username} is logged in; the session is kept in {who.kept_in}", err=True)
    return DONE


@command.command("logout")
@click.option("--user", metavar="NAME", envvar="TESSELLAR_EXOFOP_USER", required=True, help="Who.")
@click.pass_obj
def logout(settings: Globals, /, user: str) -> None:
    """End the session of a user, here and at ExoFOP."""
    from tessellar.exofop.authenticator import end_sessions

    with _there(settings):
        there = end_sessions(user)
    if settings.json:
        print_json({"user": user, "ended": there})
    elif not settings.quiet:
        click.echo(f"{user} is logged out" if there else f"{user} was not logged in", err=True)


# ------------------------------------------------------------------------------------------------


def rows_of(table: Any) -> list[dict[str, Any]]:
    """Return the rows of a table as plain values; None where there is none."""
    columns = [[_plain(value) for value in table[name].tolist()] for name in table.colnames]
    return [dict(zip(table.colnames, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _there(settings: Globals) -> ExitStack:
    """Ask the ExoFOP that belongs to the archive of the command line."""
    from tessellar import config

    stack = ExitStack()
    stack.enter_context(config.overriding(archive=settings.archive))
    return stack


def _refreshing() -> bool:
    return bool(click.get_current_context().find_root().params.get("refresh"))


def _authenticator(user: str | None) -> ExoFOPAuthenticator | None:
    if not user:
        return None
    from tessellar.exofop import ExoFOPAuthenticator

    return ExoFOPAuthenticator(username=user)


def _tag_rows(asked: Any, kind: str | None) -> list[dict[str, Any]]:
    found = []
    for each in (kind,) if kind else _OBSERVATIONS:
        table = asked.table(each)
        rows = rows_of(table)
        for tag in asked.tags(each).tolist():
            own = [row for row in rows if row["Tag"] == tag]
            found.append({
                "tag": str(tag), "kind": each, "observations": len(own), "date": own[0]["Obs Date"],
                "telescope": own[0]["Telescope"], "user": own[0]["User"], "group": own[0]["Group"],
            })  # fmt: skip
    return found


def _show(rows: list[dict[str, Any]], columns: Any) -> None:
    """Print rows for eyes: long cells in one line, and cut."""
    cut = [{name: _cut(row.get(name)) for name in columns} for row in rows]
    print_table(cut, list(columns))


def _cut(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.10g}"
    if not isinstance(value, str):
        return value
    text = " ".join(value.split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _tell(settings: Globals, counts: TagCounter, folder: str, target: str) -> int:
    rows = [
        {
            "tag": outcome.tag,
            "status": outcome.status.name,
            "path": str(outcome.path) if outcome.path is not None and not outcome.error else None,
            "message": outcome.message,
        }
        for outcome in counts.outcomes
    ]
    if settings.json:
        print_json(rows)
    for row in () if settings.json else rows:
        note = f": {row['message']}" if row["message"] else ""
        click.echo(f"{row['status']:<9}  {row['tag']}{note}")
    if not rows:
        click.echo(f"tessellar: nothing to download of {target}", err=True)
    elif not settings.quiet:
        click.echo(f"{len(rows) - len(counts.failed)} of {len(rows)} here, in {folder}", err=True)
    return _exit_code(counts)


def _exit_code(counts: TagCounter) -> int:
    from tessellar.errors import RateLimited, StoreError, Unavailable

    errors = [outcome.error for outcome in counts.failed]
    if not errors:
        return DONE
    if any(isinstance(error, StoreError) for error in errors):
        return THIS_MACHINE
    if len(errors) == len(counts.outcomes) and all(isinstance(error, Unavailable | RateLimited) for error in errors):
        return NO_ARCHIVE
    return ROWS_FAILED
