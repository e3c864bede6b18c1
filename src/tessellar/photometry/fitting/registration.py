"""Where the catalogue's stars are on the pixels of a file, all moved alike: its world coordinates may be off.

World coordinates of target pixel files and cut-outs place stars to 0.1 px, at times to 0.4 px. A fit at places 0.1 px
off loses a per cent of the light, and what it finds changes with every movement. The common offset of all stars is
found in the mean image, together with their fluxes, by least squares (Gauss and Newton; slopes are analytic).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.fitting.linear import Basis, draw_basis

if TYPE_CHECKING:
    from tessellar.photometry.fitting.starfit import StarFit
    from tessellar.pixels import PixelResponse, Stamp

Array = NDArray[np.float64]

#: Offsets further than this are not believed, px.
FARTHEST = 1.0
# With less light than this on the stamp, e-/s, stars that no catalogue has would decide; T = 12.5.
_LEAST_LIGHT = 1500.0
_ITERATIONS, _SETTLED, _LONGEST = 10, 1e-4, 0.3
# Relative error that fluxes of magnitudes are given, so that stars on one place do no harm.
_WIDTH = 0.3


def common_offset(
    image: NDArray[Any],
    weights: Array,
    column: Array,
    row: Array,
    flux: Array,
    response: PixelResponse,
    corner: tuple[int, int],
) -> tuple[float, float] | None:
    """Columns and rows by which all stars have to be moved to fit an image.

    Parameters
    ----------
    image : array (rows, columns)
        Mean image without its sky, e-/s.
    weights : array (rows, columns)
        Inverse variances; 0 where a pixel is not to be used.
    column, row, flux : array (k,)
        Places, 1-based, and fluxes to expect, e-/s.
    response : PixelResponse
    corner : (int, int)
        CCD column and row of pixel [0, 0].

    Returns
    -------
    (float, float) or None
        px; None where too little light is there, or the offset would be larger than `FARTHEST`.
    """
    use = np.isfinite(image) & (weights > 0)
    data, weight = np.asarray(image, np.float64)[use], weights[use]
    offset, fluxes = np.zeros(2), np.maximum(np.nan_to_num(flux), 1.0)
    held = 1.0 / (_WIDTH * fluxes) ** 2
    expected = fluxes.copy()
    for _ in range(_ITERATIONS):
        basis = draw_basis(column, row, np.broadcast_to(offset, (len(column), 2)), corner, response)
        light, right, up = (_term(basis, term, image.shape)[:, use] for term in range(3))
        if expected @ light.sum(axis=1) < _LEAST_LIGHT:
            return None
        # Of a mean image, pixels are known to a per cent or so of their light: the response is no better.
        trust = 1.0 / (1.0 / weight + (0.01 * np.maximum(data, 0.0)) ** 2)
        jacobian = np.concatenate([light, [fluxes @ right, fluxes @ up]])
        pull = (jacobian * trust) @ (data - fluxes @ light)
        normal = (jacobian * trust) @ jacobian.T
        normal[np.arange(len(column)), np.arange(len(column))] += held
        pull[: len(column)] += held * (expected - fluxes)
        step = np.linalg.lstsq(normal, pull, rcond=None)[0]
        fluxes = fluxes + step[:-2]
        moved = np.clip(step[-2:], -_LONGEST, _LONGEST)
        offset = offset + moved
        if np.abs(offset).max() > FARTHEST:
            return None
        if np.abs(moved).max() < _SETTLED:
            return float(offset[0]), float(offset[1])
    return None


def registered(fit: StarFit, corner: tuple[int, int]) -> tuple[StarFit, tuple[float, float]]:
    """The fit with its stars moved to where they are in the mean image, and by how much; unmoved where that fails."""
    about = fit.stars
    part = int(np.bincount(about.segments[fit.good]).argmax())
    response = about.response_of(part)
    with np.errstate(invalid="ignore"):
        middle = np.nanmedian(about.shifts[fit.good], axis=0)
    if response is None or not np.isfinite(middle).all():
        return fit, (0.0, 0.0)
    places = about.column + middle[:, 0], about.row + middle[:, 1]
    found = common_offset(fit.mean_image, fit.weights[part], *places, about.flux, response, corner)
    if found is None:
        return fit, (0.0, 0.0)
    moved = replace(about, column=about.column + found[0], row=about.row + found[1])
    return replace(fit, stars=moved), found


def placed(fit: StarFit, stamp: Stamp) -> tuple[StarFit, tuple[float, float]]:
    """Registered where the stamp is that of a file (it has an APERTURE); prepared frames have been registered.

    Stamps of prepared frames, too, tell flags in `aperture`; but only they know flags of each pixel in each frame.
    """
    of_file = stamp.aperture is not None and stamp.pixel_flags is None
    return registered(fit, stamp.corner) if of_file else (fit, (0.0, 0.0))


def offset_cards(moved: tuple[float, float]) -> dict[str, tuple[str | float | int, str]]:
    """Header cards that tell by how much all stars were moved; none where they were not."""
    if moved == (0.0, 0.0):
        return {}
    return {
        "PSFDCOL": (round(moved[0], 5), "[pixel] columns that all stars were moved by"),
        "PSFDROW": (round(moved[1], 5), "[pixel] rows that all stars were moved by"),
    }


def _term(basis: Basis, term: int, shape: tuple[int, ...]) -> Array:
    """One of the six images of each star on the stamp, (k, rows, columns)."""
    alone = np.zeros_like(basis.images)
    alone[:, 0] = basis.images[:, term]
    return Basis(alone, basis.bottom, basis.left, basis.reference).drawn((shape[0], shape[1]))
