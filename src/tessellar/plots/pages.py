"""One-page quick looks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, InputError
from tessellar.plots.followup import contrast_page, followup_page
from tessellar.plots.frame import frame_page
from tessellar.plots.image import plot_stamp
from tessellar.plots.lightcurve import FLUX_LABEL, TIME_LABEL, Series, flux_label, plot_series
from tessellar.plots.measured import measured_page
from tessellar.plots.style import DATA, INK, SECOND, THIRD, new_page, robust_limits, tidy
from tessellar.plots.validation import validation_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tessellar.products import LightCurve, TargetPixelFile

_BACKGROUND_LABEL = "Background (e$^-$ s$^{-1}$)"


def page(model: Any) -> Figure:
    """Draw a page of a light curve, a target pixel file, or a follow-up table.

    A light curve: flux over time with flagged cadences marked, the background, the centroid; where it has its pixels,
    too, also those, and the noise on all time scales (`measured_page`). A target pixel file: the
    mean image of the good cadences with the pipeline's aperture, the flux and the background summed in that aperture.
    The time series of a validation run: the light curve, and its events folded. A light curve from the ground: the
    star, its comparison stars, airmass and seeing. A contrast curve. A full-frame image: its science pixels.

    Parameters
    ----------
    model : LightCurve, TargetPixelFile, ValidationTimeSeries, FullFrameImage, FollowupLightCurve or ContrastCurve
        From `tessellar.read`.

    Returns
    -------
    matplotlib.figure.Figure
        Save it with ``savefig``; pyplot does not know it.

    Raises
    ------
    InputError
        If there is nothing to show: another kind of product, or not one finite value.

    Examples
    --------
    >>> import tessellar
    >>> from tessellar.plots import page
    >>> page(tessellar.read("tess...s_lc.fits")).savefig("look.png")  # doctest: +SKIP
    """
    from tessellar.products import (
        ContrastCurve,
        FollowupLightCurve,
        FullFrameImage,
        LightCurve,
        TargetPixelFile,
        ValidationTimeSeries,
    )

    if isinstance(model, LightCurve):
        return _light_curve_page(model) if model.mean_image is None else measured_page(model)
    if isinstance(model, TargetPixelFile):
        return _target_pixel_page(model)
    if isinstance(model, ValidationTimeSeries):
        return validation_page(model)
    if isinstance(model, FollowupLightCurve):
        return followup_page(model)
    if isinstance(model, ContrastCurve):
        return contrast_page(model)
    if isinstance(model, FullFrameImage):
        return frame_page(model)
    raise InputError(f"no page is drawn for a {type(model).__name__}: give a light curve or a target pixel file")


def _light_curve_page(model: LightCurve) -> Figure:
    flux = np.asarray(model.flux, dtype=np.float64)
    good = model.good()
    series = Series(model.btjd, flux, good, f"flux of {model.path.name}")
    background = _first_column(model, "SAP_BKG", "FLUX_BKG", "BACKGROUND")
    shifts = _shifts(model, good)
    # A panel that would stay empty is left out, and the page is as much shorter.
    heights = [2.0] + [1.0] * (background is not None) + [1.2] * bool(shifts)
    figure = new_page(*_titles(model), size=(8.5, 1.4 + 1.75 * sum(heights)))
    panels = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0])
    plot_series(series, panels[0], label=flux_label(model))
    _small_summary(panels[0], flux, good)
    if background is not None:
        _plot_or_say(panels[1], model.btjd, background, good, _BACKGROUND_LABEL, SECOND, "no background")
    if shifts:
        _centroids(panels[-1], model, good, shifts)
    for ax in panels[:-1]:
        ax.set_xlabel("")
    return figure


def _target_pixel_page(model: TargetPixelFile) -> Figure:
    good = model.good()
    cube = model.flux
    if not np.isfinite(cube).any():
        raise InputError(f"cannot show {model.path.name}: no pixel of it has a finite value")
    used = good if (good & np.isfinite(cube).any(axis=(1, 2))).any() else np.ones_like(good)
    chosen = model.pipeline_mask
    has_aperture = bool(chosen.any())
    if not has_aperture:
        chosen = np.ones(cube.shape[1:], dtype=bool)
    figure = new_page(*_titles(model), size=(8.5, 10.6))
    grid = figure.add_gridspec(3, 2, height_ratios=[2.3, 1.5, 1.0], width_ratios=[2.2, 1.0])
    image_axes, text_axes = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    outline = chosen if has_aperture else None
    plot_stamp(_mean(cube[used]), outline, image_axes, corner=model.corner, target=_target_pixel(model))
    image_axes.set_title("Mean of the good cadences", fontsize=10, color=INK, loc="left")
    _facts(text_axes, model, chosen, has_aperture, good)
    top = figure.add_subplot(grid[1, :])
    bottom = figure.add_subplot(grid[2, :], sharex=top)
    flux = _sum(cube, chosen)
    _plot_or_say(top, model.btjd, flux, good, FLUX_LABEL, DATA, "no cadence has a value in every pixel that is summed")
    summed = "pipeline aperture (outlined)" if has_aperture else "all pixels: the file has no aperture"
    top.set_title(f"Sum of the {summed}" if has_aperture else f"Sum of {summed}", fontsize=10, color=INK, loc="left")
    _small_summary(top, flux, good)
    top.set_xlabel("")
    top.tick_params(labelbottom=False)
    background = _sum(model.flux_bkg, chosen) if model.background_subtracted else None
    nothing = "no background was subtracted: the sky is still in the flux"
    _plot_or_say(bottom, model.btjd, background, good, _BACKGROUND_LABEL, SECOND, nothing)
    bottom.set_xlabel(TIME_LABEL)
    return figure


def _titles(model: LightCurve | TargetPixelFile) -> tuple[str, str]:
    name = str(model.tic) if model.tic is not None else model.path.name
    known = [model.author]
    known += [f"sector {model.sector}"] if model.sector is not None else []
    if model.camera is not None and model.ccd is not None:
        known.append(f"camera {model.camera}, CCD {model.ccd}")
    known += [f"{model.cadence:g} s"] if np.isfinite(model.cadence) else []
    known += [f"Tmag {model.tmag:.2f}"] if model.tmag and np.isfinite(model.tmag) else []
    known += [f"{model.btjd.size} cadences"] + ["simulated"] * model.simulated
    return name, "  ·  ".join(known)


def _first_column(model: LightCurve, *names: str) -> NDArray[np.float64] | None:
    have = {name.upper() for name in model.columns}
    found = next((name for name in names if name.upper() in have), None)
    return None if found is None else np.asarray(model.column(found), dtype=np.float64)


def _plot_or_say(
    ax: Axes, time: NDArray[Any], values: NDArray[Any] | None, good: NDArray[Any], label: str, color: str, nothing: str
) -> None:
    if values is None or not (np.isfinite(values) & np.isfinite(time)).any():
        _say(ax, nothing)
        ax.set_ylabel(label)
        return
    plot_series(Series(time, np.asarray(values, dtype=np.float64), good, label), ax, label=label, color=color)
    legend = ax.get_legend()
    if legend is not None and color != DATA:
        legend.remove()


def _shifts(model: LightCurve, good: NDArray[Any]) -> list[tuple[str, str, NDArray[np.float64]]]:
    """Label, colour and distance from the median of the centroid's column and row, where the file has them."""
    shifts = []
    for names, word, color in (
        (("MOM_CENTR1", "SAP_X", "X_COM"), "column", DATA),
        (("MOM_CENTR2", "SAP_Y", "Y_COM"), "row", THIRD),
    ):
        values = _first_column(model, *names)
        use = None if values is None else np.isfinite(values) & np.isfinite(model.btjd) & good
        if values is not None and use is not None and use.any():
            middle = float(np.median(values[use]))
            shifts.append((f"{word} $-$ {middle:.2f}", color, np.where(use, values - middle, np.nan)))
    return shifts


def _centroids(
    ax: Axes, model: LightCurve, good: NDArray[Any], shifts: list[tuple[str, str, NDArray[np.float64]]]
) -> None:
    for _, color, shift in shifts:
        plot_series(Series(model.btjd, shift, good, "centroid"), ax, label="Centroid shift (pixel)", color=color)
    for text in list(ax.texts):
        text.remove()
    limits = robust_limits(np.concatenate([shift for *_, shift in shifts]))
    if limits is not None:
        ax.set_ylim(*limits)
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], ls="", marker=".", color=color, label=text) for text, color, _ in shifts]
    ax.legend(handles=handles, fontsize=7, loc="upper right", framealpha=0.9, edgecolor="none", handletextpad=0.2)


def _say(ax: Axes, text: str) -> None:
    tidy(ax)
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=9, color=INK)
    ax.set_yticks([])


def _small_summary(ax: Axes, flux: NDArray[Any], good: NDArray[Any]) -> None:
    use = flux[good & np.isfinite(flux)]
    if use.size < 2:
        return
    middle = float(np.median(use))
    step = np.median(np.abs(np.diff(use)))
    words = f"median {middle:.7g}"
    words += f",  cadence to cadence {1e6 * step / middle:.0f} ppm" if middle > 0 else ""
    ax.annotate(words, (0.005, 0.985), xycoords="axes fraction", ha="left", va="top", fontsize=8, color=INK,
                bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.85})  # fmt: skip


def _target_pixel(model: TargetPixelFile) -> tuple[float, float] | None:
    try:
        x, y = model.wcs.all_world2pix([model.ra], [model.dec], 0)
    except (Corrupt, ValueError):
        # No world coordinates, or none that can be inverted: the image is still worth a look.
        return None
    _, rows, cols = model.shape
    inside = -0.5 <= x[0] <= cols - 0.5 and -0.5 <= y[0] <= rows - 0.5
    return (float(x[0]) + model.corner[0], float(y[0]) + model.corner[1]) if inside else None


def _facts(ax: Axes, model: TargetPixelFile, chosen: NDArray[Any], has_aperture: bool, good: NDArray[Any]) -> None:
    count, rows, cols = model.shape
    lines = [
        ("Stamp", f"{rows} rows × {cols} columns"),
        ("Outline", f"pipeline aperture, {int(chosen.sum())} pixels" if has_aperture else "no aperture in the file"),
        ("Cross", "catalogue position"),
        ("Cadences", f"{count}, of which {int(good.sum())} good"),
        ("File", _wrapped(model.path.name)),
    ]
    ax.axis("off")
    y = 0.97
    for head, text in lines:
        ax.text(0.0, y, head, transform=ax.transAxes, fontsize=9, fontweight="bold", color=INK, va="top")
        ax.text(0.0, y - 0.06, text, transform=ax.transAxes, fontsize=8, color=INK, va="top", linespacing=1.3)
        y -= 0.145


def _wrapped(name: str, width: int = 32) -> str:
    lines = [""]
    for part in re.findall(r"[^-_]+[-_]?|[-_]", name):
        if len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _sum(cube: NDArray[Any], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Sum over the chosen pixels, NaN where one of them is missing."""
    return np.asarray(cube[:, chosen].sum(axis=1, dtype=np.float64))


def _mean(cube: NDArray[Any]) -> NDArray[np.float64]:
    finite = np.isfinite(cube)
    total = np.where(finite, cube, 0.0).sum(axis=0, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / finite.sum(axis=0))
