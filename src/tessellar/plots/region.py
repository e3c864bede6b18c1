"""Regions of the sky, and stars in and around them, seen from above their centre."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError
from tessellar.mission.shapes import positions, unit_vectors
from tessellar.plots.style import APERTURE, GRID, INK, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tessellar.mission import SkyRegion

Array = NDArray[np.float64]

# Degrees between two lines of the grid: the finest that leaves no more than about six of them.
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 45.0)
_LINES = 6


def plot_region(
    region: SkyRegion,
    ra: ArrayLike | None = None,
    dec: ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    label: str = "",
) -> Axes:
    """Draw a region with lines of right ascension and declination, north up, east left.

    The projection is Lambert's equal-area one about the region's centre, so
    that neither a pole nor right ascension 0 tears it.

    Parameters
    ----------
    region : SkyRegion
        At most half the sky.
    ra, dec : array-like of shape (n,), optional
        Positions (ICRS, degrees) to mark: those inside filled, others hollow.
    ax : Axes, optional
        Where to plot; new axes on a new figure if not given.
    label : str
        Of the region.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the region is larger than half the sky.
    """
    (ra0, dec0), radius = region.cap
    if radius > 90:
        raise InputError("a region larger than half the sky cannot be drawn from above its centre; draw its parts")
    ax = ax if ax is not None else new_axes(5.0, 5.0)
    view = _View(ra0, dec0)
    reach = 2 * np.sin(np.radians(1.15 * radius) / 2)
    _grid(ax, view, radius, float(reach))
    for line in region.outline(step=max(radius / 200, 1e-4)):
        ax.fill(*view.of(*line), color=APERTURE, alpha=0.12, lw=0)
        ax.plot(*view.of(*line), color=APERTURE, lw=1.6, label=label or None)
        label = ""
    if ra is not None and dec is not None:
        inside = region.contains(ra, dec)
        for held, face in ((inside, INK), (~inside, "none")):
            x, y = view.of(np.asarray(ra)[held], np.asarray(dec)[held])
            ax.scatter(x, y, s=9, facecolors=face, edgecolors=INK, linewidths=0.6, zorder=3)
    # East is left.
    ax.set(xlim=(reach, -reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
    ax.set_xlabel("Right ascension", labelpad=14)
    ax.set_ylabel("Declination", labelpad=30)
    return ax


class _View:
    """Lambert's azimuthal equal-area projection (Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.8)."""

    def __init__(self, ra: float, dec: float) -> None:
        a, d = np.radians([ra, dec])
        self._middle = unit_vectors(ra, dec)
        self._east = np.array([-np.sin(a), np.cos(a), 0.0])
        self._north = np.array([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)])

    def of(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Array, Array]:
        """Return x (to the east) and y (to the north); NaN on the far side."""
        vectors = unit_vectors(ra, dec)
        height = vectors @ self._middle
        scale = np.sqrt(2 / np.where(height > -0.99, 1 + height, np.nan))
        return scale * (vectors @ self._east), scale * (vectors @ self._north)

    def back(self, x: float, y: float) -> tuple[float, float]:
        """Return right ascension and declination of a point of the picture."""
        square = x * x + y * y
        side = np.sqrt(1 - square / 4)
        ra, dec = positions((1 - square / 2) * self._middle + side * (x * self._east + y * self._north))
        return float(ra), float(dec)


def _grid(ax: Axes, view: _View, radius: float, reach: float) -> None:
    ra0, dec0 = view.back(0.0, 0.0)
    low, high = max(-90.0, dec0 - 1.7 * radius), min(90.0, dec0 + 1.7 * radius)
    pole = max(-low, high) >= 90
    wide = 180.0 if pole else min(180.0, 1.7 * radius / np.cos(np.radians(max(-low, high))))
    step = _step(radius)
    ra_step = 30.0 if pole else _step(radius / np.cos(np.radians(dec0)))
    named: list[float] = []
    for parallel in np.arange(np.ceil(low / step) * step, high + 1e-9, step):
        line = view.of(np.linspace(ra0 - wide, ra0 + wide, 400), np.full(400, parallel))
        ax.plot(*line, color=GRID, lw=0.6, zorder=0)
        _name(ax, line, f"{parallel:+.6g}°", reach, named, left=True)
    named = []
    for meridian in np.arange(np.ceil((ra0 - wide) / ra_step) * ra_step, ra0 + wide, ra_step):
        line = view.of(np.full(400, meridian), np.linspace(low, high, 400))
        ax.plot(*line, color=GRID, lw=0.6, zorder=0)
        _name(ax, line, f"{meridian % 360:.6g}°", reach, named, left=False)


def _step(radius: float) -> float:
    return next((each for each in _STEPS if 2.3 * radius / each <= _LINES), _STEPS[-1])


def _name(ax: Axes, line: tuple[Array, Array], text: str, reach: float, named: list[float], *, left: bool) -> None:
    """Write what a line is, where it crosses the left or the lower edge of the picture, if there is room."""
    across, along = (line[0] - reach, line[1]) if left else (line[1] + reach, line[0])
    crossed = np.flatnonzero((across[:-1] * across[1:] <= 0) & (np.abs(along[:-1]) < 0.97 * reach))
    if not len(crossed) or any(abs(float(along[crossed[0]]) - other) < 0.2 * reach for other in named):
        return
    i = int(crossed[0])
    named.append(float(along[i]))
    ax.annotate(
        text,
        (line[0][i], line[1][i]),
        xytext=(-3, 0) if left else (0, -3),
        textcoords="offset points",
        ha="right" if left else "center",
        va="center" if left else "top",
        fontsize=8,
        color=INK,
        annotation_clip=False,
    )
