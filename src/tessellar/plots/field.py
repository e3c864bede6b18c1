"""One page of a prepared field: its stars, its sky, its movement, its bad times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.plots.image import plot_stamp
from tessellar.plots.lightcurve import TIME_LABEL
from tessellar.plots.style import DATA, FLAGGED, IMAGE_MAP, INK, SECOND, THIRD, new_page, robust_limits, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tessellar.pixels import PreparedField

# Images are shown with at most so many pixels on a side, stars to at most so many.
_SIDE, _STARS = 512, 300
_EXCLUDED, _REPORTED = FLAGGED, "#e6b800"


def field_page(field: PreparedField) -> Figure:
    """Draw a page of a prepared field.

    The mean image with its stars; the background of three frames, the darkest, the usual and the brightest; level of
    the background, movement of the stars, and the calendar of bad times.

    Parameters
    ----------
    field : PreparedField
        From `tessellar.pixels.prepare`, or opened.
    """
    figure = new_page(*_titles(field), size=(8.5, 11.4))
    grid = figure.add_gridspec(4, 6, height_ratios=[3.2, 1.7, 1.25, 1.25])
    _mean_image(figure.add_subplot(grid[0, :4]), field)
    _facts(figure.add_subplot(grid[0, 4:]), field)
    _backgrounds([figure.add_subplot(grid[1, 2 * at : 2 * at + 2]) for at in range(3)], field)
    top = figure.add_subplot(grid[2, :])
    bottom = figure.add_subplot(grid[3, :], sharex=top)
    _levels(top, field)
    _movement(bottom, field)
    for ax in (top, bottom):
        _shade(ax, field)
    top.tick_params(labelbottom=False)
    bottom.set_xlabel(TIME_LABEL)
    return figure


def _titles(field: PreparedField) -> tuple[str, str]:
    place = field.field
    known = [f"sector {place.sector}", f"camera {place.camera}, CCD {place.ccd}", f"{field.cadence:g} s"]
    known += [f"{len(field)} frames", f"{field.shape[0]} × {field.shape[1]} pixels"]
    return f"Prepared field {place}", "  ·  ".join(known)


def _thinned(image: NDArray[Any]) -> tuple[NDArray[np.float64], int]:
    """Mean of blocks of pixels, so that the image has at most `_SIDE` on a side; and the blocks' side."""
    step = max(1, -(-max(image.shape) // _SIDE))
    rows, cols = (size // step * step for size in image.shape)
    blocks = image[:rows, :cols].astype(np.float64).reshape(rows // step, step, cols // step, step)
    return np.asarray(blocks.mean(axis=(1, 3))), step


def _mean_image(ax: Axes, field: PreparedField) -> None:
    image, step = _thinned(field.mean_image)
    plot_stamp(image, None, ax, corner=(1, 1))
    (left, bottom), (high, wide) = field.corner, field.shape
    shown = ax.images[0]
    shown.set_extent(
        (left - 0.5, left - 0.5 + image.shape[1] * step, bottom - 0.5, bottom - 0.5 + image.shape[0] * step)
    )
    for artist in [*ax.lines, *ax.texts]:
        artist.remove()
    if field.stars is not None:
        inside = (field.stars.column > left) & (field.stars.column < left + wide - 1)
        inside &= (field.stars.row > bottom) & (field.stars.row < bottom + high - 1)
        some = np.flatnonzero(inside)[:_STARS]
        sizes = np.clip(60 * 10 ** (-0.12 * (field.stars.tmag[some] - 6)), 4, 120)
        ax.scatter(
            field.stars.column[some], field.stars.row[some], s=sizes, facecolors="none", edgecolors="white",
            linewidths=0.6, alpha=0.9,
        )  # fmt: skip
    ax.set_xlim(left - 0.5, left + wide - 0.5)
    ax.set_ylim(bottom - 0.5, bottom + high - 0.5)
    ax.set_title("Mean of the good frames, background subtracted", fontsize=10, color=INK, loc="left")


def _backgrounds(panels: list[Axes], field: PreparedField) -> None:
    usable = np.flatnonzero(field.background.usable)
    if not usable.size:
        for ax in panels:
            ax.axis("off")
        return
    level = np.median(field.background.nodes[usable].reshape(len(usable), -1), axis=1)
    order = usable[np.argsort(level, kind="stable")]
    (left, bottom), (high, wide) = field.corner, field.shape
    step = max(1, max(field.shape) // _SIDE)
    for ax, name, index in zip(
        panels,
        ("Darkest sky", "Median sky", "Brightest sky"),
        (order[0], order[len(order) // 2], order[-1]),
        strict=True,
    ):
        image = field.background.frame(int(index)).image()[::step, ::step]
        edges = (left - 0.5, left + wide - 0.5, bottom - 0.5, bottom + high - 0.5)
        shown = ax.imshow(image, origin="lower", extent=edges, cmap=IMAGE_MAP, interpolation="nearest")
        bar = ax.figure.colorbar(shown, ax=ax, shrink=0.75, pad=0.02)
        bar.ax.tick_params(labelsize=7, colors=INK)
        bar.ax.set_title("e$^-$ s$^{-1}$", fontsize=7, color=INK, loc="left")
        ax.set_xlabel("CCD column", fontsize=8, color=INK)
        ax.set_title(f"{name}, {field.time[index]:.2f}", fontsize=8, color=INK, loc="left")
        ax.tick_params(labelsize=7, colors=INK)
        ax.locator_params(integer=True, nbins=4)
    panels[0].set_ylabel("CCD row", fontsize=8, color=INK)


def _levels(ax: Axes, field: PreparedField) -> None:
    tidy(ax)
    nodes = field.background.nodes.reshape(len(field), -1)
    for values, color, name in (
        (nodes.max(axis=1), SECOND, "brightest tile"),
        (np.median(nodes, axis=1), DATA, "median of the field"),
    ):
        ax.plot(field.time, values, ".", ms=2.5, color=color, label=name)
    limits = robust_limits(nodes.max(axis=1))
    if limits is not None:
        low = float(np.nanmin(np.median(nodes, axis=1)))
        ax.set_ylim(min(limits[0], low - 0.1 * (limits[1] - low)), limits[1])
    ax.set_ylabel("Background\n(e$^-$ s$^{-1}$ pixel$^{-1}$)")
    _legend(ax)


def _movement(ax: Axes, field: PreparedField) -> None:
    tidy(ax)
    shifts = field.pointing.shifts
    for values, color, name in ((shifts[:, 0], DATA, "columns"), (shifts[:, 1], THIRD, "rows")):
        ax.plot(field.time, values, ".", ms=2.5, color=color, label=name)
    limits = robust_limits(shifts)
    if limits is not None:
        ax.set_ylim(*limits)
    measured = int((field.pointing.stars > 0).sum())
    told = f"from {int(np.median(field.pointing.stars))} stars" if measured else "from the headers"
    ax.set_ylabel("Movement (pixel)")
    _legend(ax, told)


def _legend(ax: Axes, title: str = "") -> None:
    """Above the panel: inside it would lie on points."""
    handles, names = ax.get_legend_handles_labels()
    ax.legend(
        handles, [f"{name} ({title})" if title else name for name in names], fontsize=7, loc="lower right",
        bbox_to_anchor=(1.0, 0.97), frameon=False, markerscale=3, ncols=2, borderpad=0.1,
    )  # fmt: skip


def _shade(ax: Axes, field: PreparedField) -> None:
    """Bad times: those that are left out, and those that are only reported."""
    for bad in field.bad_times:
        ax.axvspan(bad.begin, bad.end, color=_EXCLUDED if bad.excluded else _REPORTED, alpha=0.25, lw=0, zorder=0)


def _facts(ax: Axes, field: PreparedField) -> None:
    ax.axis("off")
    lines = [("Stars", "no catalogue" if field.stars is None else f"{len(field.stars)}, brightest {_STARS} circled")]
    lines.append(("Pixel response", str(field.provenance.settings.get("response", "none"))))
    offset = np.hypot(*field.pointing.offset)
    lines.append(("Stars off the header", f"{offset:.3f} pixel"))
    lines.append(("Frames not usable", f"{int((~field.background.usable).sum())}; missing {len(field.missing)}"))
    y = 0.98
    for head, text in lines:
        y = _line(ax, y, head, text)
    totals: dict[tuple[str, bool], int] = {}
    for bad in field.bad_times:
        totals[bad.reason, bad.excluded] = totals.get((bad.reason, bad.excluded), 0) + bad.frames
    ax.text(0.0, y, "Bad times (frames)", transform=ax.transAxes, fontsize=9, fontweight="bold", color=INK, va="top")
    y -= 0.055
    for (reason, excluded), count in sorted(totals.items(), key=lambda each: -each[1])[:9]:
        words = f"{count}  {reason}"
        color = _EXCLUDED if excluded else "#8a6d00"
        wrapped = _wrapped(words)
        ax.text(0.0, y, wrapped, transform=ax.transAxes, fontsize=7, color=color, va="top", linespacing=1.2)
        y -= 0.045 * (wrapped.count("\n") + 1)
    for each in ax.texts:
        each.set_in_layout(False)  # words must not take the room of pictures


def _line(ax: Axes, y: float, head: str, text: str) -> float:
    wrapped = _wrapped(text.strip("<>"))
    ax.text(0.0, y, head, transform=ax.transAxes, fontsize=9, fontweight="bold", color=INK, va="top")
    ax.text(0.0, y - 0.05, wrapped, transform=ax.transAxes, fontsize=8, color=INK, va="top", linespacing=1.25)
    return y - 0.075 - 0.045 * (wrapped.count("\n") + 1)


def _wrapped(text: str, width: int = 38) -> str:
    from textwrap import fill

    return fill(text, width)
