"""Pictures of what came of a survey: many stars at once, by magnitude and on the CCD."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.plots.style import DATA, FLAGGED, INK, SECOND, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_Floats = NDArray[np.float64]
_TMAG = "TESS magnitude"
# Of more stars than this only so many are drawn one by one.
_MOST = 20_000
_COLORS = (DATA, SECOND, FLAGGED, "#9aa5ad", INK, "#e6b800", "#cc79a7")


def plot_noise_by_magnitude(
    tmag: ArrayLike,
    noise: ArrayLike,
    *,
    expected: tuple[ArrayLike, ArrayLike] | None = None,
    median: tuple[ArrayLike, ArrayLike] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show the noise of stars against their magnitude.

    Parameters
    ----------
    tmag, noise : array (k,)
        TESS magnitudes; noise of one hour in ppm.
    expected : (array, array), optional
        Magnitudes, and the noise of photons and reading there, ppm.
    median : (array, array), optional
        Magnitudes, and the median of the measured noise there, ppm.
    ax : Axes, optional
        Where to plot; new axes on a new figure if not given.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from tessellar.plots import plot_noise_by_magnitude
    >>> ax = plot_noise_by_magnitude([10.0, 12.0], [160.0, 500.0], expected=([10, 12], [150, 480]))
    >>> ax.get_yscale()
    'log'
    """
    ax = ax if ax is not None else new_axes(7.0, 4.2)
    _points(ax, np.asarray(tmag, dtype=np.float64), np.asarray(noise, dtype=np.float64))
    if median is not None:
        ax.plot(*median, "-", color=INK, lw=1.6, label="median of the stars")
    if expected is not None:
        ax.plot(*expected, "--", color=FLAGGED, lw=1.8, label="photons and reading")
    _by_magnitude(ax, "Noise of one hour (ppm)", log=True)
    return ax


def plot_mask_sizes(
    tmag: ArrayLike,
    pixels: ArrayLike,
    *,
    bounds: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show how many pixels the masks have, against magnitude.

    Parameters
    ----------
    tmag, pixels : array (k,)
    bounds : (array, array, array), optional
        Magnitudes, and the fewest and the most pixels that are accepted there; infinite where there is no bound.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax if ax is not None else new_axes(7.0, 4.2)
    _points(ax, np.asarray(tmag, dtype=np.float64), np.asarray(pixels, dtype=np.float64))
    if bounds is not None:
        at, least, most = (np.asarray(each, dtype=np.float64) for each in bounds)
        ax.plot(at, least, "--", color=FLAGGED, lw=1.5, label="bounds of masks found in images")
        ax.plot(at, np.where(np.isfinite(most), most, np.nan), "--", color=FLAGGED, lw=1.5)
    _by_magnitude(ax, "Pixels in the mask", log=True)
    return ax


def plot_contamination(tmag: ArrayLike, contamination: ArrayLike, ax: Axes | None = None) -> Axes:
    """Show the part of the light in the masks that is of other stars, against magnitude."""
    ax = ax if ax is not None else new_axes(7.0, 4.2)
    _points(ax, np.asarray(tmag, dtype=np.float64), np.asarray(contamination, dtype=np.float64))
    ax.set_ylim(-0.02, 1.02)
    _by_magnitude(ax, "Light of other stars", log=False)
    return ax


def plot_places(
    column: ArrayLike,
    row: ArrayLike,
    groups: Mapping[str, NDArray[np.bool_]],
    colors: Sequence[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Show where the stars of a field are, in groups.

    Parameters
    ----------
    column, row : array (k,)
        1-based CCD pixels.
    groups : mapping of str to boolean array (k,)
        What to call them, and which they are; drawn in this order.
    colors : sequence of str, optional
        One a group.
    ax : Axes, optional
    """
    ax = ax if ax is not None else new_axes(7.0, 6.0)
    x, y = np.asarray(column, dtype=np.float64), np.asarray(row, dtype=np.float64)
    size = float(np.clip(4000 / max(x.size, 1), 1.0, 14.0))
    for (name, which), color in zip(groups.items(), colors or _COLORS, strict=False):
        if which.any():
            ax.scatter(x[which], y[which], s=size, color=color, lw=0, label=f"{name} ({which.sum()})", rasterized=True)
    ax.set_aspect("equal")
    ax.set_xlabel("CCD column (pixel)")
    ax.set_ylabel("CCD row (pixel)")
    tidy(ax)
    ax.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, frameon=False)
    return ax


def _points(ax: Axes, x: _Floats, y: _Floats) -> None:
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if known.size > _MOST:
        known = np.random.default_rng(1).choice(known, _MOST, replace=False)
    size = float(np.clip(6000 / max(known.size, 1), 1.5, 16.0))
    ax.scatter(x[known], y[known], s=size, color=DATA, alpha=0.5, lw=0, rasterized=True)


def _by_magnitude(ax: Axes, label: str, *, log: bool) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    if log and any(np.size(collection.get_offsets()) for collection in ax.collections):
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        ax.yaxis.set_major_formatter(ScalarFormatter())
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.ticklabel_format(axis="y", style="plain")
    ax.set_xlabel(_TMAG)
    ax.set_ylabel(label)
    tidy(ax)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=8, frameon=False)
