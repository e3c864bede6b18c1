"""`tessellar dv`: the validation runs on a star, what they were made from, and which are obsolete."""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tessellar.cli.main import DONE, ROWS_FAILED, Globals
from tessellar.cli.output import print_json
from tessellar.progress import drawn

if TYPE_CHECKING:
    from tessellar.products.dvrun import DVRun, RunKey
    from tessellar.products.validation import TCE

# Sectors are drawn as a bar of at most this many characters.
_BAR = 60


@click.command("dv")
@click.argument("target")
@click.option("--reports", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Read the reports in DIR and below; keep there what is fetched.")  # fmt: skip
@click.option("--names-only", is_flag=True, help="Fetch no report: tell what the names of the files tell.")
@click.pass_obj
def command(settings: Globals, target: str, reports: Path | None, names_only: bool) -> int:
    """Print the data-validation runs on TARGET as a tree: sectors, inputs, events, which supersedes which.

    The reports (XML) are fetched, for they alone tell in which sectors the star was observed. Light curves in DIR are
    linked by their dates, too: those that were made again after a run are marked.
    """
    from tessellar import config
    from tessellar.access.validation import dv_runs

    kept = reports or (Path(data_dir) if (data_dir := config.load().data_dir) else None)
    with (
        tempfile.TemporaryDirectory(prefix="tessellar-") as scratch,
        drawn(settings.quiet or settings.json) as listener,
    ):
        folder = kept if kept is not None else None if names_only else Path(scratch)
        runs = dv_runs(target, archive=settings.archive, folder=folder, reports=not names_only, listener=listener)
    if settings.json:
        print_json([run_row(run, keep_paths=kept is not None) for run in runs])
    elif runs:
        for line in _tree(runs.target, runs, files=settings.verbose > 0):
            click.echo(line)
    if not runs:
        click.echo(f"tessellar: no validation run on {runs.target} found", err=True)
    for name, error in runs.failures:
        click.echo(f"tessellar: {name} is left out: {error}", err=True)
    return ROWS_FAILED if runs.failures else DONE


def run_row(run: DVRun, *, keep_paths: bool = True) -> dict[str, Any]:
    """Return a run with the keys that are printed."""

    def path(file: Any) -> str | None:
        return str(file.path) if keep_paths and file.path is not None else None

    lacking = {tce.planet for tce in run.lacking}
    return {
        "tic": int(run.target),
        "sector_range": list(run.sector_range),
        "sectors": None if run.sectors is None else list(run.sectors),
        "pipeline": run.pipeline,
        "run_id": run.run_id,
        "tces": [_tce_row(tce, tce.planet in lacking) for tce in run.tces],
        "inputs": [
            {"obs_id": file.obs_id, "sector": file.sector, "kind": file.kind, "filename": file.filename,
             "uri": file.uri, "path": path(file), "newer": file.newer}
            for file in run.inputs
        ],
        "inputs_known": run.inputs_known,
        "superseded_by": _key_row(run.superseded_by),
        "covered_by": _key_row(run.covered_by),
        "reason": run.reason,
        "files": [
            {"filename": file.filename, "product": file.product, "planet": file.planet, "uri": file.uri,
             "size": file.size, "path": path(file)}
            for file in run.files
        ],
    }  # fmt: skip


def _tce_row(tce: TCE, lacking: bool) -> dict[str, Any]:
    numbers = {name: getattr(tce, name) for name in ("period", "epoch", "depth", "duration", "snr", "mes")}
    return {
        "planet": tce.planet,
        **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
        "source": tce.source,
        "toi": tce.toi,
        "sectors": list(tce.sectors),
        "lacking_in_newer": lacking,
    }


def _key_row(key: RunKey | None) -> dict[str, Any] | None:
    if key is None:
        return None
    return {"pipeline": key.pipeline, "sector_range": list(key.sector_range), "run_id": key.run_id}


def _tree(target: Any, runs: Sequence[DVRun], *, files: bool) -> Iterator[str]:
    draw = _Drawing(sys.stdout.encoding)
    obsolete = sum(run.superseded_by is not None for run in runs)
    yield f"{target}: {_count(len(runs), 'validation run')}, {obsolete} of them obsolete"
    first = min(run.sector_range[0] for run in runs)
    last = max(run.sector_range[1] for run in runs)
    step = max(1, math.ceil((last - first + 1) / _BAR))
    width = max(len(str(run)) for run in runs)
    for index, run in enumerate(runs):
        branch, stem = draw.branch(index == len(runs) - 1)
        yield f"{branch}{run!s:{width}}  [{draw.bar(run, first, last, step)}]  {_sectors(run)}"
        lines = list(_lines(run, files=files))
        for place, line in enumerate(lines):
            yield stem + draw.branch(place == len(lines) - 1)[0] + line
    scale = f", one character for {step} sectors" if step > 1 else ""
    yield f"bar: sectors {first} to {last}{scale}; {draw.legend}"


def _lines(run: DVRun, *, files: bool) -> Iterator[str]:
    curves = [file for file in run.inputs if file.kind == "lightcurve"]
    pixels = [file for file in run.inputs if file.kind == "tpf"]
    counts = f"{_count(len(curves), 'light curve')}, {_count(len(pixels), 'target pixel file')}"
    yield f"inputs ({run.inputs_known}): {counts}"
    if files:
        yield from (f"  {file.filename}" for file in run.inputs)
    newer = sorted({file.sector for file in run.inputs if file.newer})
    if newer:
        yield f"  made again after this run: sector {', '.join(map(str, newer))}"
    if not run.tces:
        yield "no TCE" if run.tces_known else "TCEs: not known without the report"
    lacking = {tce.planet for tce in run.lacking}
    for tce in run.tces:
        yield _event(tce) + ("  (the newer run lacks it)" if tce.planet in lacking else "")
    if files:
        yield from (f"file {file.filename}" for file in run.files)
    if run.superseded_by is not None:
        why = "more sectors" if run.reason == "extended-by" else "the same sectors again"
        yield f"superseded by {run.superseded_by}: {run.reason}, {why}{_guessed(run)}"
    elif run.covered_by is not None:
        yield f"covered by {run.covered_by}, which is not known to be later{_guessed(run)}"


def _guessed(run: DVRun) -> str:
    """Say so where the sectors that were observed are not known, only the range in the name."""
    return "" if run.sectors is not None else ", by the ranges in the names alone"


def _event(tce: TCE) -> str:
    if not math.isfinite(tce.period):
        return f"TCE {tce.planet}"
    told = [f"TCE {tce.planet}  P {tce.period:.6f} d", f"epoch {tce.epoch:.4f} BTJD"]
    for value, text in ((tce.depth, "depth {:.0f} ppm"), (tce.duration, "{:.2f} h"), (tce.snr, "SNR {:.1f}")):
        told += [text.format(value)] if math.isfinite(value) else []
    return "  ".join(told + ([f"TOI {tce.toi}"] if tce.toi else []))


def _sectors(run: DVRun) -> str:
    if run.sectors is not None:
        return f"observed in {', '.join(map(str, run.sectors))}"
    return "observed sectors not known"


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


class _Drawing:
    """Lines and bars in characters that the terminal can show."""

    def __init__(self, encoding: str | None) -> None:
        try:
            "├└─│█▒·".encode(encoding or "ascii")
            self._fork, self._end, self._on, self._marks = "├─ ", "└─ ", "│  ", ("█", "▒", "·")
        except (UnicodeEncodeError, LookupError):
            self._fork, self._end, self._on, self._marks = "|- ", "`- ", "|  ", ("#", "?", ".")

    @property
    def legend(self) -> str:
        observed, unknown, unseen = self._marks
        return f"{observed} observed, {unknown} searched, not known whether observed, {unseen} searched, not observed"

    def branch(self, last: bool) -> tuple[str, str]:
        """Return how a line begins, and how the lines below it do."""
        return (self._end, "   ") if last else (self._fork, self._on)

    def bar(self, run: DVRun, first: int, last: int, step: int) -> str:
        """Draw the sectors from `first` to `last`, `step` of them a character."""
        marks = []
        for start in range(first, last + 1, step):
            bin_ = range(max(start, run.sector_range[0]), min(start + step - 1, run.sector_range[1]) + 1)
            observed = run.sectors is not None and any(sector in run.sectors for sector in bin_)
            mark = self._marks[0] if observed else self._marks[1] if run.sectors is None else self._marks[2]
            marks.append(mark if len(bin_) else " ")
        return "".join(marks)
