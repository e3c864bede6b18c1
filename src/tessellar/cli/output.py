"""Printing tables: as JSON, as CSV, or for eyes."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from typing import Any

import click


def print_json(value: Any) -> None:
    """Print one JSON value on stdout."""
    click.echo(json.dumps(value, indent=1, allow_nan=False, default=str))


def print_csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as CSV with a header line."""
    writer = csv.DictWriter(sys.stdout, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def print_table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """Print rows in aligned columns, numbers to the right; nothing is cut, however narrow the terminal."""
    cells = [[_shown(row[name]) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    numeric = [all(isinstance(row[name], int | float | None) for row in rows) for name in columns]
    for line in ([*columns], *cells):
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        )
        click.echo("  ".join(padded).rstrip())


def print_choice(choice: Any) -> None:
    """Print what tells light curves apart; columns of which nothing is known are left out."""
    rows = choice.rows()
    if not rows:
        return
    known = [name for name in choice.shown_columns if any(row[name] is not None for row in rows)]
    click.echo("\nlight curves")
    print_table(rows, known)
    if any(row["path"] is None for row in rows):
        click.echo("(more is known of those that are here: see tessellar fetch)")


def human_size(size: float) -> str:
    """Write a number of bytes for people.

    Examples
    --------
    >>> from tessellar.cli.output import human_size
    >>> human_size(2039040)
    '2.0 MB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)
