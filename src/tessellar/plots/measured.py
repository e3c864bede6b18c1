"""The page of a light curve that tessellar measured: its pixels, its noise against what can be, and itself."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError
from tessellar.plots.image import plot_stamp
from tessellar.plots.lightcurve import TIME_LABEL, Series, flux_label, plot_series
from tessellar.plots.style import DATA, FLAGGED, INK, SECOND, THIRD, new_axes, new_page, robust_limits, tidy
from tessellar.robust import MAD_TO_SIGMA

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tessellar.products import LightCurve

_Floats = NDArray[np.float64]

# Shares of the page's height: pixels and noise, light curve, background, positions, weights.
_PIXELS, _LIGHT, _SKY, _PLACE, _WEIGHTS = 2.7, 1.9, 0.9, 1.0, 1.9
_MOST_MAPS = 4
# Stars that are named by their magnitude at the most, and how far below the target they may be.
_MOST_NAMES, _FAINTER = 8, 5.0
# What varies slower than a day is no noise; time scales run to a third of that.
_SLOW, _LONGEST = 1.0, 1 / 3
_FEWEST_BINS = 8


def measured_page(
    model: LightCurve, *, stars: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None, quality: str = "default"
) -> Figure:
    """Draw a page of a light curve with its pixels: mean image, noise, flux, background, positions, weights.

    Parameters
    ----------
    model : LightCurve
        One with a mean image, as tessellar writes it.
    stars : (columns, rows, magnitudes), optional
        Stars on and about the stamp: 1-based CCD pixels, TESS magnitudes.
    quality : str
        Named quality mask: cadences that are not good are marked.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the light curve has no mean image, or not one finite cadence.

    Examples
    --------
    >>> import tessellar
    >>> from tessellar.plots import measured_page
    >>> measured_page(tessellar.read("hlsp_tessellar...-lc.fits")).savefig("page.png")  # doctest: +SKIP
    """
    image = model.mean_image
    if image is None:
        raise InputError(f"{model.path.name} has no mean image: `plots.page` draws it without")
    good = model.good(quality)
    flux = np.asarray(model.flux, dtype=np.float64)
    sky = _column(model, "FLUX_BKG")
    places = _places(model, good)
    maps = model.weight_maps[:_MOST_MAPS]
    heights = [_PIXELS, _LIGHT] + [_SKY] * (sky is not None) + [_PLACE] * bool(places) + [_WEIGHTS] * bool(maps)
    figure = new_page(*_titles(model), size=(8.5, 1.5 + 1.3 * sum(heights)))
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    pixels = grid[0].subgridspec(1, 2, width_ratios=[1.1, 1.0])
    _draw_pixels(figure.add_subplot(pixels[0]), model, image, stars)
    plot_noise(
        model.btjd, flux, model.flux_err, good, model.cadence, _number(model, "NOISEEXP"), figure.add_subplot(pixels[1])
    )
    _draw_series(figure, grid, model, flux, good, sky, places)
    if maps:
        _draw_maps(figure, grid[len(heights) - 1], model, maps)
    return figure


def plot_noise(
    time: ArrayLike,
    flux: ArrayLike,
    errors: ArrayLike,
    good: ArrayLike,
    cadence: float,
    expected: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot the scatter of a light curve on all time scales against what its errors, and photons alone, would give.

    The scatter is 1.4826 times the median absolute deviation of means over so many cadences (bins at least 80 % full),
    of the flux divided by a line through its daily medians.

    Parameters
    ----------
    time, flux, errors : array (n,)
        Days; flux and its 1-sigma errors in any unit.
    good : boolean array (n,)
        Cadences to use.
    cadence : float
        Seconds.
    expected : float, optional
        Noise of one hour that photons and reading alone would give, ppm.
    ax : Axes, optional
        Where to plot; new axes if not given.
    """
    ax = ax if ax is not None else new_axes(4.2, 3.6)
    time, flux, errors = (np.asarray(each, dtype=np.float64) for each in (time, flux, errors))
    use = np.asarray(good, dtype=bool) & np.isfinite(time) & np.isfinite(flux)
    hours, scatter = noise_by_scale(time[use], flux[use], cadence)
    middle = float(np.median(flux[use])) if use.any() else float("nan")
    known = errors[use & np.isfinite(errors)]
    ax.set_xscale("log")
    ax.set_yscale("log")
    if hours.size:
        span = np.array([hours[0] * 0.8, hours[-1] * 1.25])
        if known.size and middle > 0:
            one = 1e6 * float(np.median(known)) / middle
            ax.plot(span, one * np.sqrt(cadence / 3600 / span), "-", color=SECOND, lw=1.4, label="errors of the file")
        if expected is not None and expected > 0:
            ax.plot(span, expected / np.sqrt(span), "--", color=FLAGGED, lw=1.4, label="photons and reading")
        ax.plot(hours, scatter, "o", ms=4.5, color=DATA, mew=0, label="measured")
        # Above the axes, where no point can be.
        ax.legend(fontsize=7, loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=3, framealpha=0.0,
                  edgecolor="none", handletextpad=0.4, columnspacing=1.0)  # fmt: skip
    else:
        ax.text(0.5, 0.5, "too few cadences", transform=ax.transAxes, ha="center", va="center", fontsize=9, color=INK)
    ax.set_xlabel("Averaged over (h)")
    ax.set_ylabel("Scatter of the means (ppm)")
    _plain_ticks(ax)
    tidy(ax)
    ax.grid(True, which="minor", axis="y", color="#eef1f3", linewidth=0.4)
    return ax


def noise_by_scale(time: _Floats, flux: _Floats, cadence: float) -> tuple[_Floats, _Floats]:
    """Time scales (h) and the scatter of means over them (ppm), see `plot_noise`.

    Parameters
    ----------
    time, flux : array (n,)
        Days, and flux; finite.
    cadence : float
        Seconds.
    """
    middle = float(np.median(flux)) if flux.size else 0.0
    if flux.size < _FEWEST_BINS or not middle > 0:
        return np.zeros(0), np.zeros(0)
    order = np.argsort(time, kind="stable")
    time, relative = time[order], flux[order] / middle
    flat = relative / np.interp(time, *_daily(time, relative))
    place = np.rint((time - time[0]) * 86400 / cadence).astype(np.int64)
    sizes = np.unique(np.round(np.geomspace(1, max(1.0, _LONGEST * 86400 / cadence), 14)).astype(int))
    hours, scatter = [], []
    for size in sizes:
        number = np.bincount(place // size)
        means = np.bincount(place // size, weights=flat)[number >= 0.8 * size] / number[number >= 0.8 * size]
        if means.size >= _FEWEST_BINS:
            hours.append(size * cadence / 3600)
            scatter.append(1e6 * MAD_TO_SIGMA * float(np.median(np.abs(means - np.median(means)))))
    return np.array(hours), np.array(scatter)


def _daily(time: _Floats, values: _Floats) -> tuple[_Floats, _Floats]:
    """Middles and medians of the days that have data."""
    day = np.floor((time - time[0]) / _SLOW).astype(np.int64)
    days = np.unique(day)
    knots = np.array([time[day == each].mean() for each in days])
    return knots, np.array([np.median(values[day == each]) for each in days])


def _plain_ticks(ax: Axes) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())


def _titles(model: LightCurve) -> tuple[str, str]:
    method = str(model.header.get("PHOTMET") or model.author)
    # A file name can be too long for a title.
    title = f"{model.tic}  ·  {method}" if model.tic is not None else f"Light curve  ·  {method}"
    known = [] if model.tic is not None else [model.path.name]
    known += [f"sector {model.sector}"] if model.sector is not None else []
    if model.camera is not None and model.ccd is not None:
        known.append(f"camera {model.camera}, CCD {model.ccd}")
    known += [f"{model.cadence:g} s"] if np.isfinite(model.cadence) else []
    known += [f"Tmag {model.tmag:.2f}"] if model.tmag and np.isfinite(model.tmag) else []
    known += [f"{model.btjd.size} cadences"] + ["simulated"] * model.simulated
    why = "".join(str(model.header.get(f"REASON{number}") or "") + " " for number in range(1, 6)).strip()
    lines = wrap(f"{model.header.get('STATUS', 'WARNING')}: {why}", 125) if why else []
    return title, "\n".join(["  ·  ".join(known), *lines])


def _draw_pixels(
    ax: Axes, model: LightCurve, image: NDArray[Any], stars: tuple[ArrayLike, ArrayLike, ArrayLike] | None
) -> None:
    chosen = None if model.aperture is None else (model.aperture & 2) > 0
    outline = chosen if chosen is not None and chosen.any() and not chosen.all() else None
    plot_stamp(image, outline, ax, corner=model.corner, label="Mean flux (e$^-$ s$^{-1}$ px$^{-1}$)")
    pixels = 0 if chosen is None else int(chosen.sum())
    ax.set_title(f"Mean image, {pixels} pixels used", fontsize=9, color=INK, loc="left")
    if stars is not None:
        columns, rows, tmag = (np.asarray(each, dtype=np.float64) for each in stars)
        plot_stars(ax, columns, rows, tmag, brightest=model.tmag)


def plot_stars(
    ax: Axes, columns: _Floats, rows: _Floats, tmag: _Floats, *, brightest: float | None = None, names: bool = True
) -> None:
    """Mark stars on an image with rings, larger for brighter ones, and name some by their magnitudes.

    Parameters
    ----------
    ax : Axes
        Of `plot_stamp`; its limits stay.
    columns, rows : array (k,)
        1-based CCD pixels.
    tmag : array (k,)
        TESS magnitudes.
    brightest : float, optional
        Magnitude that the sizes are relative to; that of the brightest star by default.
    names : bool
        Whether to write magnitudes.
    """
    from matplotlib.patheffects import withStroke

    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    inside = (columns > left) & (columns < right) & (rows > bottom) & (rows < top) & np.isfinite(tmag)
    columns, rows, tmag = columns[inside], rows[inside], tmag[inside]
    if not tmag.size:
        return
    first = float(tmag.min()) if brightest is None or not np.isfinite(brightest) else brightest
    shown = tmag <= first + _FAINTER + 3
    if shown.sum() > 200:
        shown &= tmag <= np.sort(tmag)[200]
    size = 90 * 10 ** (-0.16 * np.clip(tmag - first, -2, 8)) + 4
    ax.scatter(columns[shown], rows[shown], s=size[shown], facecolors="none", edgecolors="white", linewidths=0.9)
    if not names:
        return
    width, height = 0.13 * (right - left), 0.05 * (top - bottom)
    # The scale bar stands in the lower left corner.
    taken = [(left + 0.5 * width, bottom + 1.5 * height), (left + 1.5 * width, bottom + 1.5 * height)]
    most = _MOST_NAMES + len(taken)
    for index in np.argsort(tmag, kind="stable"):
        place = float(columns[index]), float(rows[index])
        if len(taken) == most or tmag[index] > first + _FAINTER:
            break
        if any(abs(place[0] - x) < width and abs(place[1] - y) < height for x, y in taken):
            continue
        taken.append(place)
        near_right = place[0] > right - width
        ax.annotate(
            f"{tmag[index]:.1f}", place, xytext=(-6 if near_right else 6, 3), textcoords="offset points",
            ha="right" if near_right else "left", fontsize=7, color="white", annotation_clip=True,
            path_effects=[withStroke(linewidth=2, foreground="black", alpha=0.6)],
        )  # fmt: skip
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)


def _draw_series(
    figure: Figure, grid: Any, model: LightCurve, flux: _Floats, good: NDArray[Any], sky: _Floats | None,
    places: Sequence[tuple[str, str, _Floats]],
) -> None:  # fmt: skip
    top = figure.add_subplot(grid[1])
    plot_series(Series(model.btjd, flux, good, f"flux of {model.path.name}"), top, label=flux_label(model))
    panels = [top]
    if sky is not None:
        panels.append(figure.add_subplot(grid[len(panels) + 1], sharex=top))
        plot_series(Series(model.btjd, sky, good, "background"), panels[-1],
                    label="Background\n(e$^-$ s$^{-1}$)", color=SECOND)  # fmt: skip
        _no_legend(panels[-1])
    if places:
        ax = figure.add_subplot(grid[len(panels) + 1], sharex=top)
        panels.append(ax)
        for name, color, shift in places:
            plot_series(Series(model.btjd, shift, good, "position"), ax, label="Position\n(pixel)", color=color)
            ax.plot([], [], ".", color=color, label=name)
        for text in list(ax.texts):
            text.remove()
        limits = robust_limits(np.concatenate([shift for *_, shift in places]))
        if limits is not None:
            ax.set_ylim(*limits)
        handles = [line for line in ax.lines if str(line.get_label()).startswith(("column", "row"))]
        ax.legend(handles=handles, fontsize=7, loc="upper left", bbox_to_anchor=(0.0, 1.22), ncols=2,
                  framealpha=0.0, edgecolor="none", handletextpad=0.2)  # fmt: skip
    legend = top.get_legend()
    if legend is not None:
        # Above the points, not over them.
        top.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0.0, 0.98), framealpha=0.0, edgecolor="none",
                   handletextpad=0.2)  # fmt: skip
    for ax in panels:
        # A common factor would stand where the legends do.
        ax.ticklabel_format(axis="y", useOffset=False, style="plain")
    for ax in panels[:-1]:
        ax.set_xlabel("")
        ax.tick_params(labelbottom=False)
    panels[-1].set_xlabel(TIME_LABEL)


def _no_legend(ax: Axes) -> None:
    legend = ax.get_legend()
    if legend is not None:
        legend.remove()


def _draw_maps(figure: Figure, cell: Any, model: LightCurve, maps: Sequence[Any]) -> None:
    """Weights as parts of their mean over the pixels used, one image a span."""
    from matplotlib.colors import PowerNorm

    relative = [each.weights * np.count_nonzero(each.weights) for each in maps]
    norm = PowerNorm(0.5, 0.0, max(float(np.nanmax(each)) for each in relative))
    panels = np.atleast_1d(cell.subgridspec(1, len(maps)).subplots())
    rows, cols = relative[0].shape
    left, bottom = model.corner[0] - 0.5, model.corner[1] - 0.5
    weighted = np.any([each.weights > 0 for each in maps], axis=0)
    ys, xs = np.nonzero(weighted)
    shown = None
    for ax, each, values in zip(panels, maps, relative, strict=True):
        shown = ax.imshow(np.where(values > 0, values, np.nan), origin="lower", norm=norm, cmap="magma",
                          extent=(left, left + cols, bottom, bottom + rows), interpolation="nearest")  # fmt: skip
        ax.set_facecolor("#e8ebed")
        ax.set_xlim(left + xs.min() - 1, left + xs.max() + 2)
        ax.set_ylim(bottom + ys.min() - 1, bottom + ys.max() + 2)
        ax.set_title(f"weights from cadence {each.first_cadence} on", fontsize=8, color=INK, loc="left")
        ax.tick_params(labelsize=7, colors=INK)
        ax.locator_params(integer=True, nbins=4)
        ax.ticklabel_format(useOffset=False)
        ax.set_xlabel("CCD column (pixel)", fontsize=8, color=INK)
    panels[0].set_ylabel("CCD row (pixel)", fontsize=8, color=INK)
    assert shown is not None
    bar = figure.colorbar(shown, ax=list(panels), shrink=0.9, pad=0.02)
    bar.set_label("weight / mean weight", fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=7, colors=INK)


def _places(model: LightCurve, good: NDArray[Any]) -> list[tuple[str, str, _Floats]]:
    """Name, colour and distance from the median of the star's column and row, where the file has them."""
    found = []
    for name, word, color in (("MOM_CENTR1", "column", DATA), ("MOM_CENTR2", "row", THIRD)):
        values = _column(model, name)
        use = None if values is None else np.isfinite(values) & np.isfinite(model.btjd) & good
        if values is not None and use is not None and use.any():
            middle = float(np.median(values[use]))
            found.append((f"{word} $-$ {middle:.2f}", color, np.where(use, values - middle, np.nan)))
    return found


def _column(model: LightCurve, name: str) -> _Floats | None:
    if name not in {each.upper() for each in model.columns}:
        return None
    values = np.asarray(model.column(name), dtype=np.float64)
    return values if (np.isfinite(values) & np.isfinite(model.btjd)).any() else None


def _number(model: LightCurve, keyword: str) -> float | None:
    value = model.header.get(keyword)
    return float(value) if isinstance(value, int | float) else None
