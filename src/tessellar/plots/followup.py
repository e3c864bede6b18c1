"""Pages of what follow-up observers upload: light curves of a night, and contrast curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.plots.style import DATA, INK, SECOND, THIRD, new_page, robust_limits, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tessellar.products.contrast import ContrastCurve
    from tessellar.products.followup import FollowupLightCurve

_MOST_STARS = 8
_CONDITIONS = (("airmass", "Airmass", SECOND), ("fwhm", "FWHM (pixel)", THIRD))


def followup_page(model: FollowupLightCurve) -> Figure:
    """Draw a night: the star's relative flux, the comparison stars below it, airmass and seeing."""
    if not (np.isfinite(model.jd) & np.isfinite(model.flux)).any():
        raise InputError(f"cannot show {model.path.name}: no point of it has a finite time and a finite flux")
    conditions = [(label, colour, values) for name, label, colour in _CONDITIONS
                  if (values := model.beside(name)) is not None and np.isfinite(values).any()]  # fmt: skip
    heights = [2.4] + [1.6] * bool(model.comparisons) + [0.9] * len(conditions)
    who = str(model.tic or model.toi or model.path.name)
    told = str(model.name) if model.name else model.path.name
    figure = new_page(f"{who} from the ground", f"{told}, {model.author}", size=(8.5, 1.4 + 1.6 * sum(heights)))
    panels = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0])
    start = float(np.floor(np.nanmin(model.jd)))
    hours = np.asarray(model.jd) - start
    middle = float(np.nanmedian(model.flux))
    scale = middle if middle else 1.0
    _points(panels[0], hours, model.flux / scale, model.flux_err / abs(scale), DATA)
    panels[0].set_ylabel(f"Relative flux{f' of {model.star}' if model.star else ''}")
    box = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.85}
    panels[0].annotate("\n".join(model.doubts), (0.005, 0.985), xycoords="axes fraction", va="top", fontsize=7,
                       color=INK, bbox=box if model.doubts else None)  # fmt: skip
    if model.comparisons:
        _stars(panels[1], hours, model)
    for ax, (label, colour, values) in zip(panels[len(panels) - len(conditions) :], conditions, strict=True):
        ax.plot(hours, values, ".-", ms=3, lw=0.6, color=colour)
        ax.set_ylabel(label)
    for ax in panels:
        tidy(ax)
    panels[-1].set_xlabel(f"Time ({model.time_system.replace('_', ' ')} $-$ {start:.0f}, days)")
    return figure


def contrast_page(model: ContrastCurve) -> Figure:
    """Draw how faint a companion could be seen, by its distance from the star."""
    who = str(model.tic or model.toi or model.path.name)
    told = ", ".join(filter(None, (model.notes.get(key, "") for key in ("Telescope", "Instrument", "Filter"))))
    figure = new_page(f"{who}: contrast", told or model.path.name, size=(8.5, 5.0))
    ax = figure.subplots()
    low, high = model.contrast - model.spread, model.contrast + model.spread
    if np.isfinite(low).any():
        ax.fill_between(model.separation, low, high, color=DATA, alpha=0.2, lw=0)
    ax.plot(model.separation, model.contrast, "-", lw=1.4, color=DATA)
    ax.invert_yaxis()
    ax.set_xlabel("Separation (arcsec)")
    ax.set_ylabel("Contrast (mag)")
    tidy(ax)
    return figure


def _points(
    ax: Axes, time: NDArray[np.float64], flux: NDArray[np.float64], error: NDArray[np.float64], colour: str
) -> None:
    shown = error if np.isfinite(error).any() else None
    ax.errorbar(time, flux, yerr=shown, fmt=".", ms=4, color=colour, ecolor=colour, elinewidth=0.6, alpha=0.85)
    limits = robust_limits(flux[np.isfinite(flux)])
    if limits is not None:
        spread = 0.0 if shown is None else float(np.nanmedian(shown))
        ax.set_ylim(limits[0] - spread, limits[1] + spread)


def _stars(ax: Axes, time: NDArray[np.float64], model: FollowupLightCurve) -> None:
    """Comparison stars, one below the other, each relative to its own median."""
    shown = list(model.comparisons.items())[:_MOST_STARS]
    curves = [(star, flux / np.nanmedian(flux)) for star, (flux, _) in shown if np.nanmedian(flux)]
    spreads = [float(np.nanpercentile(np.abs(curve - 1), 90)) for _, curve in curves]
    step = 4 * max(spreads, default=0.0) or 0.01
    for number, (star, curve) in enumerate(curves):
        ax.plot(time, curve - number * step, ".", ms=3, color=SECOND, alpha=0.85)
        ax.annotate(star, (time[-1], 1 - number * step), xytext=(6, 0), textcoords="offset points", fontsize=7,
                    va="center", color=INK)  # fmt: skip
    ax.set_ylim(1 - (len(curves) - 0.4) * step, 1 + 0.6 * step)
    left = len(model.comparisons) - len(curves)
    ax.set_ylabel("Comparison stars" + (f"\n({left} more)" if left else ""))
