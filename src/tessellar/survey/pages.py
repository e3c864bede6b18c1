"""`survey status --html`: one page a field, complete in itself, and the table behind it."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tessellar.photometry.merit.expected import mask_size_bounds
from tessellar.photometry.merit.metrics import METRICS
from tessellar.photometry.status import STATUS
from tessellar.products.filing import translated
from tessellar.products.lightcurvelayout import COUNTS
from tessellar.survey.folder import SurveyFolder
from tessellar.survey.ledger import Ledger
from tessellar.survey.summary import (
    CHECKS,
    Summary,
    by_magnitude,
    grouped_reasons,
    noise_of,
    several_reasons,
    status_counts,
    suspicious,
)

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# Rows of a table that the page shows; the file beside it has all.
_ROWS = 200
# Of columns that are no metrics: unit and meaning.
_MEANINGS = {
    "priority": ("", "number in the to-do list"), "tic": ("", "TIC id"),
    "source": ("", "pixels: ffi; tpf, a file of its own; tpf:N, that of TIC N"), "tmag": ("mag", "TESS magnitude"),
    "method": ("", "method that counts"), "status": ("", "number of STATUS"), "status_name": ("", "STATUS"),
    "reason": ("", "why it is not OK"), "skipped_by": ("", "TIC id of the star that has the mask; 0: none"),
    "ccd_column": ("pixel", "CCD column, 1-based"), "ccd_row": ("pixel", "CCD row, 1-based"),
}  # fmt: skip
# Units as every reader of ECSV knows them.
_UNITS = {"e-/s": "electron / s", "ppm": "1e-6"}
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #26323b; max-width: 1080px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse; font-size: 13px } th, td { padding: .25rem .7rem; text-align: left }
th { border-bottom: 2px solid #26323b } td { border-bottom: 1px solid #d9dfe3; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
figure { margin: 0 } figcaption, .note { font-size: 13px; color: #5a6770 }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(430px, 1fr)); gap: 1.2rem }
img { max-width: 100%; height: auto }
.bar { display: flex; height: 1.4rem; border-radius: 3px; overflow: hidden; margin: .8rem 0 }
.bar span { display: block } .key span { display: inline-block; margin-right: 1.2rem }
.key i { display: inline-block; width: .8rem; height: .8rem; margin-right: .35rem; border-radius: 2px }
"""
_COLORS = {
    "OK": "#0b4f82", "WARNING": "#e6b800", "ERROR": "#d55e00", "SKIPPED": "#9aa5ad", "UNKNOWN": "#d9dfe3",
}  # fmt: skip
_OTHER = "#26323b"


def write_page(place: SurveyFolder, summary: Summary, ledger: Ledger) -> Path:
    """Write the page of a field, and beside it the table of its targets (ECSV); they replace older ones.

    Parameters
    ----------
    place : SurveyFolder
    summary : Summary
        Of the field.
    ledger : Ledger

    Returns
    -------
    Path
        Of the page (HTML); it needs no other file.

    Raises
    ------
    NoSpace, NoPermission
        If it cannot be written.
    """
    table = place.page(summary.field).with_suffix(".ecsv")
    text = io.StringIO()
    _for_file(summary.table).write(text, format="ascii.ecsv")
    _replace(table, text.getvalue())
    return _replace(place.page(summary.field), "".join(_page(summary, ledger, table.name)))


def _for_file(table: Table) -> Table:
    """The same with the name of the status, whole numbers where only these can be, and what each column means.

    What is not known is masked.
    """
    from astropy.table import MaskedColumn
    from astropy.units import Unit

    shown = table.copy()
    names = [STATUS(number).name for number in table["status"].tolist()]
    shown.add_column(names, name="status_name", index=shown.colnames.index("status") + 1)
    for name in COUNTS:
        values = np.asarray(table[name], dtype=np.float64)
        known = np.isfinite(values)
        if np.array_equal(values[known], np.rint(values[known])):
            shown[name] = MaskedColumn(np.where(known, values, 0).astype(np.int64), mask=~known)
    for name in shown.colnames:
        metric = METRICS.get(name)
        unit, meaning = _MEANINGS.get(name, ("", "")) if metric is None else (metric.unit, metric.comment)
        shown[name].unit, shown[name].description = Unit(_UNITS.get(unit, unit)) if unit else None, meaning
    return shown


def _replace(path: Path, text: str) -> Path:
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with translated(path):
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _page(summary: Summary, ledger: Ledger, table: str) -> Iterator[str]:
    field, found = summary.field, summary.table
    kind = "full-frame images" if field.kind == "ffi" else "target pixel files"
    title = f"Sector {field.field.sector}, camera {field.field.camera}, CCD {field.field.ccd}"
    yield f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>\n'
    yield f"<h1>{title}</h1><p>{len(found)} stars in {kind} of {field.cadence} s{_methods(summary)}. "
    yield f'All of them, one row a star: <a href="{escape(table)}">{escape(table)}</a></p>\n'
    yield from _bar(status_counts(found), len(found))
    yield "<h2>Pictures</h2><div class='pictures'>\n"
    yield from _pictures(summary)
    yield "</div>\n<h2>Reasons</h2>\n"
    yield from _table(grouped_reasons(found), ("status", "stars", "reason", "example"), "All is well.")
    for name, count in several_reasons(found).items():
        yield f"<p class='note'>{count} of the {name} stars have several reasons, and count with each.</p>\n"
    yield "<h2>Suspicious stars</h2><ul class='note'>"
    yield from (f"<li><b>{check.name}</b>: {escape(check.meaning)}</li>" for check in CHECKS)
    yield "</ul>\n"
    yield from _table(suspicious(found), ("tic", "tmag", "checks"), "None.")
    yield "<h2>Noise by magnitude</h2>"
    yield "<p class='note'>One hour, ppm: median of the stars, 16th and 84th percentile.</p>\n"
    names = ("tmag", "stars", "noise", "noise_16", "noise_84", "expected")
    yield from _table(summary.as_record()["noise"], names, "-")
    yield "<h2>Tasks</h2>\n"
    names = ("task", "rows", "stars", "state", "seconds", "reason")
    yield from _table(_tasks(ledger, field.id), names, "None.")
    yield "</body></html>\n"


def _methods(summary: Summary) -> str:
    """By what the stars were measured, as far as that counts: the most frequent method first."""
    counts = sorted(summary.as_record()["methods"].items(), key=lambda each: (-each[1], each[0]))
    return ", " * bool(counts) + ", ".join(f"{count} by {escape(method)}" for method, count in counts)


def _tasks(ledger: Ledger, field: int) -> list[dict[str, Any]]:
    return [
        {"task": task.id, "rows": "-" if task.rows is None else f"{task.rows[0]} to {task.rows[1]}",
         "stars": task.stars, "state": task.state, "seconds": task.seconds, "reason": task.reason}
        for task in ledger.tasks()
        if task.field == field
    ]  # fmt: skip


def _bar(counts: dict[str, int], total: int) -> Iterator[str]:
    colors = {name: _COLORS.get(name, _OTHER) for name in counts}
    yield "<div class='bar'>"
    yield from (
        f"<span style='width:{100 * count / max(total, 1):.3f}%;background:{colors[name]}' title='{name}'></span>"
        for name, count in counts.items()
    )
    yield "</div><p class='key'>"
    yield from (
        f"<span><i style='background:{colors[name]}'></i>{name} {count}</span>" for name, count in counts.items()
    )
    yield "</p>\n"


def _table(rows: Sequence[dict[str, Any]], names: Iterable[str], nothing: str) -> Iterator[str]:
    if not rows:
        yield f"<p>{nothing}</p>\n"
        return
    columns = list(names)
    numeric = {name for name in columns if all(isinstance(row[name], int | float | None) for row in rows)}
    yield "<table><tr>"
    yield from (f"<th{' class=n' if name in numeric else ''}>{escape(name)}</th>" for name in columns)
    yield "</tr>\n"
    for row in rows[:_ROWS]:
        yield "<tr>"
        for name in columns:
            yield f"<td{' class=n' if name in numeric else ''}>{escape(_shown(row[name]))}</td>"
        yield "</tr>\n"
    yield "</table>\n"
    if len(rows) > _ROWS:
        yield f"<p class='note'>and {len(rows) - _ROWS} more</p>\n"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"
    return str(value)


def _pictures(summary: Summary) -> Iterator[str]:
    from tessellar.plots import plot_contamination, plot_mask_sizes, plot_noise_by_magnitude, plot_places

    found = summary.table
    curves = found[np.isin(found["status"], [STATUS.OK, STATUS.WARNING])]
    if len(curves):
        tmag = np.asarray(curves["tmag"])
        measured, expected = noise_of(curves)
        bins = by_magnitude(tmag, {"noise": measured, "expected": expected})
        median = (bins["tmag"], bins["noise"]) if len(bins) else None
        noise = plot_noise_by_magnitude(tmag, measured, median=median, expected=_expected_curve(tmag, expected))
        yield _picture(noise, "Noise of one hour against magnitude")
        span = np.linspace(np.nanmin(tmag), np.nanmax(tmag), 60)
        least, most = np.array([mask_size_bounds(each, summary.field.kind) for each in span]).T
        sizes = plot_mask_sizes(tmag, curves["mask_size"], bounds=(span, least, most))
        yield _picture(sizes, "Mask sizes; optimal apertures are smaller than masks that are found in images")
        crowd = np.asarray(curves["crowdsap"])
        other = np.where(np.isfinite(crowd), 1 - crowd, np.asarray(curves["contamination"]))
        yield _picture(plot_contamination(tmag, other), "Part of the light in the mask that is of other stars")
    groups = {name: np.asarray(found["status"] == STATUS[name]) for name in status_counts(found)}
    places = plot_places(found["ccd_column"], found["ccd_row"], groups, [_COLORS.get(name, _OTHER) for name in groups])
    yield _picture(places, "Where they are")


def _expected_curve(tmag: NDArray[np.float64], expected: NDArray[np.float64]) -> tuple[Any, Any]:
    """Medians of what is expected, from the brightest star to the faintest, however few there are."""
    known = np.flatnonzero(np.isfinite(tmag) & np.isfinite(expected))
    if not len(known):
        return (), ()
    ends = known[[np.argmin(tmag[known]), np.argmax(tmag[known])]]
    bins = by_magnitude(tmag[known], {"expected": expected[known]}, least=1)
    inside = (bins["tmag"] > tmag[ends[0]]) & (bins["tmag"] < tmag[ends[1]])
    at = np.concatenate([tmag[ends[:1]], bins["tmag"][inside], tmag[ends[1:]]])
    return at, np.concatenate([expected[ends[:1]], bins["expected"][inside], expected[ends[1:]]])


def _picture(ax: Axes, caption: str) -> str:
    image = io.BytesIO()
    figure: Any = ax.figure
    figure.savefig(image, format="png", dpi=110)
    text = base64.b64encode(image.getvalue()).decode("ascii")
    name = escape(caption)
    return f'<figure><img alt="{name}" src="data:image/png;base64,{text}"><figcaption>{name}</figcaption></figure>\n'
