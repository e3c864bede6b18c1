"""Brightness over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError
from tessellar.plots.style import DATA, FLAGGED, new_axes, robust_limits, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tessellar.products import LightCurve

TIME_LABEL = "Time (BTJD = BJD$_{\\mathrm{TDB}}$ $-$ 2457000, days)"
FLUX_LABEL = "Flux (e$^-$ s$^{-1}$)"


@dataclass(frozen=True)
class Series:
    """Values over time with the good cadences marked."""

    time: NDArray[np.float64]
    values: NDArray[np.float64]
    good: NDArray[np.bool_]
    what: str

    def __post_init__(self) -> None:
        if not self.time.shape == self.values.shape == self.good.shape or self.time.ndim != 1:
            raise InputError(
                f"cannot plot the {self.what}: time, values and good have shapes "
                f"{self.time.shape}, {self.values.shape} and {self.good.shape}, which must be one and the same"
            )
        if not (np.isfinite(self.time) & np.isfinite(self.values)).any():
            raise InputError(f"cannot plot the {self.what}: no cadence has a finite time and a finite value")


def plot_light_curve(
    light_curve: LightCurve | tuple[ArrayLike, ArrayLike],
    ax: Axes | None = None,
    *,
    good: ArrayLike | None = None,
    quality: str = "default",
    label: str = FLUX_LABEL,
    color: str = DATA,
) -> Axes:
    """Plot flux over time; cadences that are not good are marked with crosses.

    Parameters
    ----------
    light_curve : LightCurve or (time, flux)
        A model, or two arrays of one length: BTJD in days, and flux.
    ax : Axes, optional
        Where to plot; new axes on a new figure (``ax.figure``) if not given.
    good : boolean array, optional
        Which cadences are good. From the model's flags if not given, all if it is given as arrays.
    quality : str
        Named quality mask, for a model.
    label : str
        Of the y axis, for arrays.
    color : str
        Of the good cadences.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If lengths differ, or there is not one finite point.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.plots import plot_light_curve
    >>> ax = plot_light_curve((np.arange(10.0), np.ones(10)))
    >>> ax.figure.savefig("light_curve.png")  # doctest: +SKIP
    """
    series, label = _as_series(light_curve, good, quality, label)
    return plot_series(series, ax, label=label, color=color)


def plot_series(series: Series, ax: Axes | None, *, label: str, color: str = DATA, name: str | None = None) -> Axes:
    """Plot one series as dots; marks flagged cadences and says how many lie outside the limits."""
    ax = ax if ax is not None else new_axes()
    finite = np.isfinite(series.time) & np.isfinite(series.values)
    shown, flagged = finite & series.good, finite & ~series.good
    limits = robust_limits(series.values[shown if shown.any() else finite])
    size = float(np.clip(90.0 / np.sqrt(max(finite.sum(), 1)), 2.2, 9.0))
    ax.plot(series.time[shown], series.values[shown], ".", ms=size, color=color, mew=0, alpha=0.85,
            label=name, rasterized=bool(finite.sum() > 5000))  # fmt: skip
    if limits is not None:
        ax.set_ylim(*limits)
        # Flagged cadences are often far away: those keep their place in time, at the edge.
        rim = 0.015 * (limits[1] - limits[0])
        inside = np.clip(series.values[flagged], limits[0] + rim, limits[1] - rim)
        if flagged.any():
            ax.plot(series.time[flagged], inside, "x", ms=4.0, mew=0.9, color=FLAGGED, alpha=0.7,
                    label=f"flagged: {int(flagged.sum())}")  # fmt: skip
        outside = int((shown & ((series.values < limits[0]) | (series.values > limits[1]))).sum())
        if outside:
            ax.annotate(f"{outside} good outside", (1.0, 1.0), xycoords="axes fraction", ha="right", va="bottom",
                        fontsize=7, color=color)  # fmt: skip
    ax.set_xlabel(TIME_LABEL)
    ax.set_ylabel(label)
    ax.margins(x=0.01)
    ax.ticklabel_format(axis="x", useOffset=False)
    tidy(ax)
    if flagged.any() or name is not None:
        ax.legend(fontsize=7, loc="upper right", framealpha=0.9, edgecolor="none", handletextpad=0.2)
    return ax


def _as_series(
    light_curve: LightCurve | tuple[ArrayLike, ArrayLike], good: ArrayLike | None, quality: str, label: str
) -> tuple[Series, str]:
    if hasattr(light_curve, "btjd"):
        model = cast("LightCurve", light_curve)
        use = model.good(quality) if good is None else np.asarray(good, dtype=bool)
        return Series(model.btjd, np.asarray(model.flux, dtype=np.float64), use, f"flux of {model.path.name}"), (
            flux_label(model)
        )
    if not isinstance(light_curve, tuple) or len(light_curve) != 2:
        raise InputError(f"cannot plot a {type(light_curve).__name__}: give a light curve, or (time, flux)")
    time, flux = (np.asarray(part, dtype=np.float64) for part in light_curve)
    use = np.ones(time.shape, dtype=bool) if good is None else np.asarray(good, dtype=bool)
    return Series(time, flux, use, "light curve"), label


def flux_label(model: LightCurve) -> str:
    """Label of a model's flux: with e-/s, or as relative where its author normalises."""
    return "Relative flux" if model.normalised else FLUX_LABEL
