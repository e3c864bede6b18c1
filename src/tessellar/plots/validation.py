"""Pages of validation runs: what was searched, and each event folded on its period, with the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tessellar.errors import InputError
from tessellar.plots.lightcurve import TIME_LABEL
from tessellar.plots.style import DATA, FLAGGED, INK, new_page, robust_limits, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tessellar.products import ValidationTimeSeries
    from tessellar.products.validation import TCE

# More events than these do not fit on a page.
_MOST_EVENTS = 6
# Folded: hours on both sides of mid-transit, in durations.
_REACH = 2.5
_BINS = 60
_LABEL = "Flux $-$ 1 (ppm)"


def validation_page(model: ValidationTimeSeries) -> Figure:
    """Draw the light curve that a run searched, and its events about mid-transit: points, means, model."""
    flux = 1e6 * model.column("LC_DETREND").astype(np.float64)
    if not (np.isfinite(flux) & np.isfinite(model.btjd)).any():
        raise InputError(f"cannot show {model.path.name}: no cadence has a finite time and a finite flux")
    shown = model.tces[:_MOST_EVENTS]
    sectors = ", ".join(map(str, model.sectors)) or "unknown"
    told = f"{model.path.name}, sectors {sectors}{', simulated' if model.simulated else ''}"
    rows = (len(shown) + 1) // 2
    figure = new_page(f"{model.tic}: validation run", told, size=(8.5, 3.6 + 2.7 * rows))
    grid = figure.add_gridspec(1 + rows, 2)
    top = figure.add_subplot(grid[0, :])
    top.plot(model.btjd, flux, ",", color=DATA)
    top.set_xlabel(TIME_LABEL)
    top.set_ylabel(_LABEL)
    limits = robust_limits(flux)
    if limits is not None:
        top.set_ylim(*limits)
    tidy(top)
    for index, tce in enumerate(shown):
        alone = len(shown) == 1
        _folded(figure.add_subplot(grid[1 + index // 2, slice(None) if alone else index % 2]), model, tce)
    return figure


def _folded(ax: Axes, model: ValidationTimeSeries, tce: TCE) -> None:
    hours = 24 * model.column("PHASE", tce.planet).astype(np.float64)
    flux, fit = (1e6 * model.column(name, tce.planet).astype(np.float64) for name in ("LC_DETREND", "MODEL_INIT"))
    reach = _REACH * tce.duration if np.isfinite(tce.duration) else np.nanmax(np.abs(hours))
    near = np.isfinite(hours) & np.isfinite(flux) & (np.abs(hours) < reach)
    ax.plot(hours[near], flux[near], ".", ms=1.5, color=DATA, alpha=0.25)
    edges = np.linspace(-reach, reach, _BINS + 1)
    counts, _ = np.histogram(hours[near], edges)
    sums, _ = np.histogram(hours[near], edges, weights=flux[near])
    filled = counts > 0
    ax.plot(((edges[1:] + edges[:-1]) / 2)[filled], sums[filled] / counts[filled], "o", ms=3, color=DATA)
    order = np.flatnonzero(near & np.isfinite(fit))
    order = order[np.argsort(hours[order], kind="stable")]
    ax.plot(hours[order], fit[order], "-", lw=1.2, color=FLAGGED)
    limits = robust_limits(flux[near])
    if limits is not None:
        ax.set_ylim(*limits)
    ax.set_title(
        f"TCE {tce.planet}: P {tce.period:.6g} d, depth {tce.depth:.0f} ppm, {tce.duration:.2f} h", fontsize=10,
        color=INK, loc="left",
    )  # fmt: skip
    ax.set_xlabel("Hours from mid-transit")
    ax.set_ylabel(_LABEL)
    tidy(ax)
