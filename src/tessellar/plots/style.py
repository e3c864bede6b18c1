"""Colours and sizes that all plots share, and limits that a few wild points cannot spoil."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito: told apart also by colour-blind readers.
INK = "#26323b"
DATA = "#0b4f82"
FLAGGED = "#d55e00"
APERTURE = "#ff3b5c"
SECOND = "#009e73"
THIRD = "#cc79a7"
GRID = "#d9dfe3"
IMAGE_MAP = "viridis"


def new_axes(width: float = 9.0, height: float = 3.4) -> Axes:
    """Axes on a figure of their own (`Axes.figure`), of `width` x `height` inches, outside pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").subplots()


def new_page(title: str, subtitle: str, size: tuple[float, float] = (8.5, 11.0)) -> Figure:
    """An empty page with a title and one or more lines under it."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    strip = (0.75 + 0.16 * subtitle.count("\n")) / size[1]  # inches that the titles take
    engine = ConstrainedLayoutEngine(rect=(0.01, 0.0, 0.98, 1.0 - strip), h_pad=0.08, w_pad=0.08)
    figure = Figure(figsize=size, layout=engine)
    figure.text(0.025, 1.0 - 0.16 / size[1], title, fontsize=15, fontweight="bold", color=INK, ha="left", va="top")
    figure.text(0.025, 1.0 - 0.47 / size[1], subtitle, fontsize=9, color=INK, ha="left", va="top")
    return figure


def tidy(ax: Axes) -> None:
    """Give axes the house's look: light grid, no box, ticks outside."""
    ax.grid(True, color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(INK)
    ax.tick_params(colors=INK, labelsize=8)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set_color(INK)
        label.set_fontsize(9)
    ax.yaxis.get_offset_text().set_fontsize(8)


def robust_limits(values: NDArray[Any], margin: float = 0.25) -> tuple[float, float] | None:
    """Limits that hold all but a few wild values, or None if no value is finite.

    Wild is farther from the median than 12 times its distance to the 16 (84) percentile, if no more than one in a
    thousand (or a single one) is so far: eclipses and flares stay in view, a cosmic ray does not flatten them.

    Parameters
    ----------
    values : array
        Any shape; NaN is passed over.
    margin : float
        Room left below and above, in parts of the width.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.plots import robust_limits
    >>> low, high = robust_limits(np.r_[np.linspace(99.0, 101.0, 5000), 1e9])
    >>> 98 < low < 99 and 101 < high < 102
    True
    """
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return None
    below, middle, above = np.percentile(finite, [16.0, 50.0, 84.0])
    low = -_far_end(-finite, -middle, middle - below)
    high = _far_end(finite, middle, above - middle)
    width = high - low
    if not width > 0:
        width = abs(middle) * 0.02 or 1.0
        return float(middle - width), float(middle + width)
    return float(low - margin * width), float(high + margin * width)


def _far_end(values: NDArray[np.float64], middle: float, spread: float) -> float:
    wild = values > middle + 12.0 * spread
    count = int(wild.sum())
    if spread > 0 and 0 < count <= max(1, values.size // 1000):
        return float(values[~wild].max())
    return float(values.max() if count <= values.size // 1000 else np.percentile(values, 99.9))
