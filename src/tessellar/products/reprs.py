"""How the models show themselves at a prompt and in a notebook."""

from __future__ import annotations

from html import escape
from typing import Any


def table_line(model: Any) -> str:
    """Write one line: star, field, cadence, author, rows."""
    where = str(model.field) if model.field else f"sector {model.sector}" if model.sector else "no sector"
    who = str(model.tic) if model.tic else "no star"
    return f"{who}, {where}, {model.cadence:.6g} s, {model.author}, {len(model)} cadences"


def page(model: Any) -> str:
    """Write a small HTML table of what a model says about itself."""
    rows = {
        "file": model.path.name,
        "star": model.tic,
        "field": model.field,
        "author": model.author,
        "cadence": f"{model.cadence:.6g} s",
        "TESS magnitude": f"{model.tmag:.3f}",
        "position": f"{model.ra:.5f} {model.dec:+.5f}",
        "cadences": len(model),
        "columns": ", ".join(model.columns),
    }
    lines = "".join(f"<tr><th>{escape(key)}</th><td>{escape(str(value))}</td></tr>" for key, value in rows.items())
    return f"<table><caption>{escape(type(model).__name__)}</caption>{lines}</table>"
