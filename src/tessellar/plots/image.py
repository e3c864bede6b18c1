"""Stamps: images of the pixels around a star, and the aperture on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.plots.style import APERTURE, IMAGE_MAP, INK, new_axes
from tessellar.robust import MAD_TO_SIGMA

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import AsinhNorm

# TESS pixels are 21 arcsec wide (TESS Instrument Handbook).
_PIXEL_ARCSEC = 21.0
# Lengths that a scale bar may have, arcmin.
_BARS = (1, 2, 5, 10, 20, 30, 60, 120)


def plot_stamp(
    image: NDArray[Any],
    aperture: NDArray[Any] | None = None,
    ax: Axes | None = None,
    *,
    corner: tuple[int, int] = (1, 1),
    target: tuple[float, float] | None = None,
    label: str = "Mean flux (e$^-$ s$^{-1}$ pixel$^{-1}$)",
    step: int = 1,
) -> Axes:
    """Show an image with an asinh stretch and the outline of an aperture.

    Parameters
    ----------
    image : array (rows, cols)
        e-/s per pixel; NaN is left blank.
    aperture : array (rows, cols), optional
        Anything but 0 is inside.
    ax : Axes, optional
        Where to plot; new axes on a new figure if not given.
    corner : (int, int)
        CCD column and row of pixel [0, 0], 1-based.
    target : (float, float), optional
        1-based CCD column and row to mark.
    label : str
        Of the colour scale.
    step : int
        CCD pixels that each one of the image stands for, each way.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the image is not two-dimensional or has no finite pixel, or the aperture has another shape.
    """
    from matplotlib.colors import AsinhNorm

    image = np.asarray(image, dtype=np.float64)
    if image.ndim != 2:
        raise InputError(f"cannot show an array of shape {image.shape}: give an image (rows, cols)")
    finite = image[np.isfinite(image)]
    if finite.size == 0:
        raise InputError(f"cannot show an image of shape {image.shape}: no pixel has a finite value")
    ax = ax if ax is not None else new_axes(5.0, 4.4)
    rows, cols = image.shape
    edges = (corner[0] - 0.5, corner[0] + cols * step - 0.5, corner[1] - 0.5, corner[1] + rows * step - 0.5)
    low, middle, high = np.percentile(finite, [1.0, 50.0, 100.0 if finite.size < 4096 else 99.9])
    noise = MAD_TO_SIGMA * float(np.median(np.abs(finite - middle)))
    # Linear around the sky, logarithmic above: faint neighbours and the star's core both show.
    stretch = AsinhNorm(linear_width=max(noise, (high - low) * 1e-3, 1e-12), vmin=low, vmax=max(high, low + 1e-9))
    shown = ax.imshow(image, origin="lower", extent=edges, cmap=IMAGE_MAP, norm=stretch, interpolation="nearest")
    bar = ax.figure.colorbar(shown, ax=ax, shrink=0.9, pad=0.02)
    bar.set_label(label, fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8, colors=INK)
    ticks = _round_ticks(stretch, low, high) or [float(middle)]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.minorticks_off()
    if aperture is not None:
        _outline(ax, np.asarray(aperture), image.shape, corner)
    if target is not None:
        ax.plot(*target, "+", ms=11, mew=1.6, color="white")
    ax.set_xlabel("CCD column (pixel)", fontsize=9, color=INK)
    ax.set_ylabel("CCD row (pixel)", fontsize=9, color=INK)
    ax.tick_params(labelsize=8, colors=INK)
    ax.ticklabel_format(useOffset=False)
    ax.locator_params(integer=True, nbins=7, min_n_ticks=1)
    _scale_bar(ax, rows * step, cols * step, corner)
    return ax


def _round_ticks(stretch: AsinhNorm, low: float, high: float, apart: float = 0.06) -> list[float]:
    """Round numbers from `low` to `high` that lie at least `apart` (of the colour bar's length) from each other."""
    decades = 10.0 ** np.arange(-3, 9)
    chosen: list[float] = []
    # Whole decades and zero come first, then what fits between.
    for steps in ((1.0,), (3.0,), (2.0, 5.0)):
        wanted = np.concatenate([sign * step * decades for step in steps for sign in (1.0, -1.0)] + [np.zeros(1)])
        for value in sorted(wanted, key=lambda number: -abs(number)):
            place = float(stretch(value))
            if low <= value <= high and all(abs(place - float(stretch(other))) >= apart for other in chosen):
                chosen.append(float(value))
    return sorted(chosen)


def _outline(ax: Axes, aperture: NDArray[Any], shape: tuple[int, ...], corner: tuple[int, int]) -> None:
    if aperture.shape != shape:
        raise InputError(f"the aperture has shape {aperture.shape}, the image {shape}: they must be alike")
    inside = np.pad(aperture.astype(bool), 1)
    lines: list[list[tuple[float, float]]] = []
    left, bottom = corner[0] - 0.5, corner[1] - 0.5
    for row, col in zip(*np.nonzero(inside[1:, 1:-1] != inside[:-1, 1:-1]), strict=True):
        lines.append([(left + col, bottom + row), (left + col + 1, bottom + row)])
    for row, col in zip(*np.nonzero(inside[1:-1, 1:] != inside[1:-1, :-1]), strict=True):
        lines.append([(left + col, bottom + row), (left + col, bottom + row + 1)])
    from matplotlib.collections import LineCollection

    ax.add_collection(LineCollection(lines, colors=APERTURE, linewidths=2.2, capstyle="round"), autolim=False)


def _scale_bar(ax: Axes, rows: int, cols: int, corner: tuple[int, int]) -> None:
    if min(rows, cols) < 5:
        return
    from matplotlib.patheffects import withStroke

    # An arcminute on stamps, and about a sixth of larger images.
    wanted = cols * _PIXEL_ARCSEC / 60 / 6
    length = max((each for each in _BARS if each <= wanted), default=_BARS[0])
    pixels = length * 60.0 / _PIXEL_ARCSEC
    name = f"{length} arcmin" if length < 60 else f"{length // 60}°"
    x, y = corner[0] + max(0.2, 0.02 * cols), corner[1] - 0.5 + 0.06 * rows
    halo = [withStroke(linewidth=3, foreground="black", alpha=0.5)]
    ax.plot([x, x + pixels], [y, y], color="white", lw=2, solid_capstyle="butt", path_effects=halo)
    ax.text(x, y + 0.02 * rows, name, color="white", fontsize=8, ha="left", va="bottom", path_effects=halo)
