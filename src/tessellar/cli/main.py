"""The `tessellar` command: global options, lazily loaded subcommands, exit codes.

Exit codes: 0 done, 1 some rows failed, 2 bad usage or input, 3 archive
unreachable or refused, 4 this machine, 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import click

from tessellar import __version__, config
from tessellar.errors import (
    ArchiveError,
    InputError,
    MissingInput,
    PhotometryError,
    ProductError,
    StoreError,
    TessellarError,
    TransferError,
)
from tessellar.progress import Listener, drawn

DONE, ROWS_FAILED, BAD_INPUT, NO_ARCHIVE, THIS_MACHINE, INTERRUPTED = 0, 1, 2, 3, 4, 130

# No command has an option of its own by these names.
_ANYWHERE = ("--json", "--quiet", "--offline")

# Subcommand: (module, one line for the list of commands). A module is imported when its command
# is called, so that `--help` does not wait for numpy.
_COMMANDS = {
    "demo": ("tessellar.cli.demo", "The whole journey on an embedded archive."),
    "resolve": ("tessellar.cli.resolve", "Ids, position and sectors of a target."),
    "find": ("tessellar.cli.find", "List the files that an archive has."),
    "stars": ("tessellar.cli.stars", "Stars of the TIC: by id, around a position, on a CCD."),
    "fetch": ("tessellar.cli.fetch", "Download files, verified."),
    "cutout": ("tessellar.cli.cutout", "Cut-outs of the full-frame images, made to order."),
    "dv": ("tessellar.cli.dv", "Validation runs of a star: sectors, inputs, events, which supersedes which."),
    "tap": ("tessellar.cli.tap", "Ask the archive's TAP service in ADQL."),
    "dataset": ("tessellar.cli.dataset", "Write down what a study uses, and rebuild it anywhere."),
    "exofop": ("tessellar.cli.exofop", "TOIs, tables, tagged files and login of ExoFOP."),
    "store": ("tessellar.cli.store", "Verify, clean, measure or adopt a folder of files."),
    "photometry": ("tessellar.cli.photometry", "Measure stars in frames or target pixel files."),
    "prepare": ("tessellar.cli.prepare", "Make full-frame images ready: background, pointing, stars, response."),
    "survey": ("tessellar.cli.survey", "Measure every star of a sector, here or on a cluster."),
    "look": ("tessellar.cli.look", "Draw one page of a file."),
    "serve": ("tessellar.cli.serve", "Offer a folder as an archive."),
    "simulate": ("tessellar.cli.simulate", "Make a sky with known truth."),
}


def _unforeseen(error: Exception) -> str:
    """Describe an error that nobody thought of, for whoever mends it."""
    from traceback import extract_tb

    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    frames = extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    told = " ".join(str(error).split())
    return f"a fault of tessellar: {type(error).__name__}{where}: {told}; please report it (-v shows the traceback)"


@dataclass
class Globals:
    """What the global options say."""

    archive: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: int = 0

    def progress(self) -> AbstractContextManager[Listener]:
        """Draw progress, if it is wanted here."""
        return drawn(self.quiet or self.json, notes=self.verbose > 0)


class _Lazy(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(_COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--archive", metavar="NAME|URL", help="mast (default), or the URL of a tessellar server.")
@click.option("--offline", is_flag=True, help="Use no network: answer from what was answered before.")
@click.option("--refresh", is_flag=True, help="Ask the archive, though a kept answer would do.")
@click.option("--json", "as_json", is_flag=True, help="Print machine output on stdout, nothing else there.")
@click.option("--quiet", "-q", is_flag=True, help="No progress, no remarks.")
@click.option("--verbose", "-v", count=True, help="Say more; twice: log what goes over the wire.")
@click.version_option(__version__, prog_name="tessellar")
@click.pass_context
def group(
    ctx: click.Context, archive: str | None, offline: bool, refresh: bool, as_json: bool, quiet: bool, verbose: int
) -> None:
    """From a name on the sky to TESS data that can be trusted, and light curves with honest errors."""
    if offline and refresh:
        raise click.UsageError("--offline and --refresh exclude each other")
    ctx.obj = Globals(archive, as_json, quiet, verbose)
    ctx.with_resource(config.overriding(offline=offline or None, answers_for=0.0 if refresh else None))
    if verbose > 1:
        import logging

        logging.basicConfig(stream=sys.stderr, level=logging.DEBUG if verbose > 2 else logging.INFO)


def main() -> None:
    """Run the command line; every failure is one line on stderr and an exit code."""
    sys.exit(_run())


def _run() -> int:
    try:
        code = group.main(_globals_first(sys.argv[1:]), prog_name="tessellar", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return BAD_INPUT
    except click.ClickException as error:
        return _say(_usage(error), BAD_INPUT)
    except (click.Abort, KeyboardInterrupt) as error:
        return _say(f"interrupted: {error}" if str(error) else "interrupted", INTERRUPTED)
    except TessellarError as error:
        return _say(str(error), exit_code_of(error))
    except (BrokenPipeError, SystemExit):
        # The reader has gone, which is its good right (click turns it into SystemExit, and nothing else);
        # nothing more can be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _say(f"{error.filename or 'the disk'}: no space left; free some and run again", THIS_MACHINE)
        return _say(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "), THIS_MACHINE)
    except Exception as error:
        if any(argument.startswith("-v") or argument == "--verbose" for argument in sys.argv[1:]):
            raise
        return _say(_unforeseen(error), THIS_MACHINE)
    return code if isinstance(code, int) else DONE


def _usage(error: click.ClickException) -> str:
    """Say in one line what is wrong with a command, in which one, and where its options are told."""
    what = " ".join(error.format_message().split()).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return what
    path = context.command_path
    where = path.removeprefix("tessellar").strip()
    return f"{where}{': ' if where else ''}{what[:1].lower()}{what[1:]}; see {path} --help"


def _globals_first(words: list[str]) -> list[str]:
    """Let ``tessellar find … --json`` be ``tessellar --json find …``: people write it where they think of it."""
    end = words.index("--") if "--" in words else len(words)
    moved = [word for word in words[:end] if word in _ANYWHERE]
    return [*moved, *(word for word in words[:end] if word not in _ANYWHERE), *words[end:]]


def exit_code_of(error: TessellarError) -> int:
    """Return the exit code that an error ends the command with."""
    if isinstance(error, InputError | MissingInput):
        return BAD_INPUT
    if isinstance(error, ArchiveError):
        return NO_ARCHIVE
    if isinstance(error, StoreError | ProductError):
        return THIS_MACHINE
    if isinstance(error, TransferError | PhotometryError):
        return ROWS_FAILED
    return ROWS_FAILED


def _say(line: str, code: int) -> int:
    click.echo(f"tessellar: {line}", err=True)
    return code
