"""Where on the pixels the light of a star falls: what every pixel response can do, and that of the mission.

The mission gives, for a grid of places on each CCD, the share of a star's light in
pixels of 13 x 13, with the star on 9 x 9 sub-pixel places. These are responses of
whole pixels (integrated), so that drawing a star is interpolating: between the grid
places bilinearly, between the sub-pixel places with a cubic spline, whose slopes are
those of the image when the star moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError, MissingInput
from tessellar.mission.responses import response_models
from tessellar.pixels.places import nearest_pixel
from tessellar.targets import Field

if TYPE_CHECKING:
    from tessellar.products.images import PRF

SAMPLES = 9
#: Half the width of a drawn star, px.
REACH = 7
# The files end 6.5 px from the star; between 6 and 7 px the response fades out, so that no pixel
# switches on or off while a star moves.
_FADE = (6.0, 7.0)
_MIDDLE = (REACH + 1) * SAMPLES
# Numbers of columns that hold 1, the two slopes, and the three second derivatives.
_TERMS = {0: 1, 1: 3, 2: 6}


class PixelResponse(Protocol):
    """Anything that tells where a star's light falls: the mission's files, or an effective PSF."""

    @property
    def reach(self) -> int:
        """Pixels from the star's pixel to the border of its box."""

    def boxes(self, column: ArrayLike, row: ArrayLike, derivatives: int = 0) -> NDArray[np.float32]:
        """Share of each star's light in the pixels of a box about it.

        Parameters
        ----------
        column, row : array-like, shape (n,)
            Places on the CCD, 1-based; the box is centred on the nearest pixel.
        derivatives : int
            0: the shares; 1: also their slopes; 2: also second derivatives.

        Returns
        -------
        float32 array, shape (n, terms, 2 reach + 1, 2 reach + 1)
            Terms are P, dP/dx, dP/dy, then half d²P/dx², d²P/dxdy, half d²P/dy²; x is the star's
            column, y its row. A shift by (dx, dy) is their sum with weights 1, dx, dy, dx², dx dy, dy².
        """


class GriddedResponse:
    """A pixel response known at a grid of places on the CCD, drawn by interpolation.

    Parameters
    ----------
    columns, rows : array-like
        Where the places are, 1-based and increasing.
    coefficients : array (rows, columns, 145, 145)
        For each place the coefficients of a cubic B-spline through the responses of pixels at 9 sub-pixel places
        each way, the star in the middle; `spline_coefficients` makes them.
    """

    def __init__(self, columns: ArrayLike, rows: ArrayLike, coefficients: ArrayLike) -> None:
        self.columns, self.rows = np.asarray(columns, dtype=np.float64), np.asarray(rows, dtype=np.float64)
        self.coefficients = np.asarray(coefficients, dtype=np.float32)
        side = 2 * _MIDDLE + 1
        if self.coefficients.shape != (len(self.rows), len(self.columns), side, side):
            raise InputError(
                f"coefficients of shape {self.coefficients.shape} do not fit {len(self.rows)} rows and "
                f"{len(self.columns)} columns of {side} x {side} samples"
            )

    @property
    def reach(self) -> int:
        """Pixels from the star's pixel to the border of its box."""
        return REACH

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.rows)} x {len(self.columns)} places>"

    def boxes(self, column: ArrayLike, row: ArrayLike, derivatives: int = 0) -> NDArray[np.float32]:
        """Share of each star's light in the 15 x 15 pixels about it; see `PixelResponse.boxes`.

        Outside the grid of places the response of its border is taken.
        """
        if derivatives not in _TERMS:
            raise InputError(f"derivatives {derivatives!r}: give 0, 1 or 2")
        columns, rows = np.atleast_1d(np.asarray(column, np.float64)), np.atleast_1d(np.asarray(row, np.float64))
        side = 2 * REACH + 1
        out = np.empty((len(columns), _TERMS[derivatives], side, side), dtype=np.float32)
        if len(columns):
            _kernel()(columns, rows, *self._places(columns, rows), self._phases, side + 2, out)
        return out

    @cached_property
    def _phases(self) -> NDArray[np.float64]:
        """The coefficients in the order in which they are needed: see `_draw`."""
        high, wide, samples, _ = self.coefficients.shape
        pixels = 2 * REACH + 3
        padded = np.zeros((high, wide, pixels * SAMPLES, pixels * SAMPLES))
        padded[..., :samples, :samples] = self.coefficients
        cut = padded.reshape(high, wide, pixels, SAMPLES, pixels, SAMPLES).transpose(0, 1, 3, 5, 2, 4)
        return np.ascontiguousarray(cut).reshape(high, wide, SAMPLES, SAMPLES, pixels**2)

    def noise_area(self, column: float, row: float) -> float:
        """Noise-equivalent area at a place, px: 1 over the sum of the squared shares."""
        return float(1 / (self.boxes(column, row).astype(np.float64) ** 2).sum())

    def _places(self, columns: NDArray[np.float64], rows: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
        """Of each star: grid row and column below it, and the weights of the ones above."""
        found = []
        for values, grid in ((rows, self.rows), (columns, self.columns)):
            if len(grid) == 1:
                found += [np.zeros(len(values), np.int64), np.zeros(len(values))]
                continue
            below = np.clip(np.searchsorted(grid, values, side="right") - 1, 0, len(grid) - 2)
            share = (values - grid[below]) / (grid[below + 1] - grid[below])
            found += [below, np.clip(share, 0.0, 1.0)]
        return tuple(found)


class MissionPRF(GriddedResponse):
    """The pixel response of one CCD out of the mission's files.

    Parameters
    ----------
    models : sequence of PRF
        All of one camera, CCD and issue; their places must make a rectangular grid (one place will do).

    Raises
    ------
    InputError
        If they do not.

    Examples
    --------
    >>> from tessellar.pixels import MissionPRF
    >>> prf = MissionPRF.open("prf", camera=4, ccd=1, sector=1)  # doctest: +SKIP
    >>> prf.boxes([1700.3], [250.0]).sum()  # doctest: +SKIP
    1.0
    """

    def __init__(self, models: Sequence[PRF]) -> None:
        if not models:
            raise InputError("no pixel response functions were given")
        kinds = {(model.camera, model.ccd, model.issued) for model in models}
        if len(kinds) > 1:
            raise InputError(f"pixel response functions of several CCDs or issues: {sorted(map(str, kinds))}")
        self.camera, self.ccd, self.issued = models[0].camera, models[0].ccd, models[0].issued
        columns, rows = (np.unique([getattr(model, name) for model in models]) for name in ("column", "row"))
        at = {(model.row, model.column): model for model in models}
        lacking = [(row, column) for row in rows for column in columns if (row, column) not in at]
        if lacking:
            row, column = lacking[0]
            raise InputError(
                f"the pixel response functions of camera {self.camera}, CCD {self.ccd} make no grid: "
                f"none for row {row:.0f}, column {column:.0f}"
            )
        super().__init__(columns, rows, [[_coefficients(at[row, column]) for column in columns] for row in rows])

    @classmethod
    def open(
        cls,
        source: str | PathLike[str] | Iterable[str | PathLike[str]],
        *,
        camera: int,
        ccd: int,
        sector: int | None = None,
    ) -> MissionPRF:
        """Read the files of one CCD.

        Parameters
        ----------
        source : path-like or iterable of path-like
            A folder, searched with all below it for ``*prf*.fits``; or the files.
        camera, ccd : int
            The CCD; files of others are passed over.
        sector : int, optional
            Chooses between the models for sectors up to 3 and those for later ones, where both are here.

        Raises
        ------
        MissingInput
            If there is no file for this CCD.
        InputError
            If their places do not make a grid, or two issues are here and no sector is given.
        """
        from tessellar.products import PRF, read

        if isinstance(source, str | PathLike):
            folder = Path(source)
            paths = sorted(folder.rglob("*prf*.fits*")) if folder.is_dir() else [folder]
        else:
            paths = [Path(path) for path in source]
        products = [read(path) for path in paths]
        models = [each for each in products if isinstance(each, PRF) and (each.camera, each.ccd) == (camera, ccd)]
        if not models:
            raise MissingInput(f"{source}: no pixel response functions of camera {camera}, CCD {ccd}")
        issues = {model.issued for model in models}
        if len(issues) > 1:
            if sector is None:
                raise InputError(f"{source}: models of {len(issues)} issues; give the sector")
            held = response_models(Field(sector, camera, ccd)).stamp
            models = [model for model in models if model.issued == held] or models
        return cls(models)

    def __repr__(self) -> str:
        places = f"{len(self.rows)} x {len(self.columns)} places"
        return f"<MissionPRF camera {self.camera}, CCD {self.ccd}, {places}, issued {self.issued}>"


def _coefficients(model: PRF) -> NDArray[np.float64]:
    if model.samples != SAMPLES or model.image.shape != (117, 117):
        raise InputError(f"{model.path}: {model.image.shape} samples, {model.samples} a pixel, not 117 x 117 and 9")
    margin = (2 * _MIDDLE + 1 - 117) // 2
    return spline_coefficients(np.pad(np.asarray(model.image, dtype=np.float64), margin, mode="edge"))


def spline_coefficients(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spline coefficients of a response: faded out at its border, each sub-pixel phase normalised to 1.

    Parameters
    ----------
    samples : array (145, 145)
        Response of a pixel at (sample - 72) / 9 px from the star.
    """
    from scipy.ndimage import spline_filter

    side = 2 * _MIDDLE + 1
    distance = np.abs(np.arange(side) - _MIDDLE) / SAMPLES
    fading = np.clip((distance - _FADE[0]) / (_FADE[1] - _FADE[0]), 0, 1)
    fade = np.cos(0.5 * np.pi * fading) ** 2
    samples = samples * fade[:, None] * fade[None, :]
    for phase_row in range(SAMPLES):
        for phase_column in range(SAMPLES):
            phase = samples[phase_row::SAMPLES, phase_column::SAMPLES]
            phase /= phase.sum()
    return np.asarray(spline_filter(samples, order=3, mode="mirror"))


@cache
def _kernel() -> Any:
    from numba import njit

    return njit(cache=True, fastmath=True, nogil=True)(_draw)


def _draw(columns, rows, row_below, row_share, column_below, column_share, phases, width, out):  # type: ignore[no-untyped-def]
    """Draw stars: cubic B-splines on the samples, bilinear between grid places. Compiled by numba.

    `phases` (places, places, 9, 9, pixels) are the coefficients one sub-pixel phase after the other, `width` pixels a
    row: what all pixels of a box need of one phase is one run.
    """
    terms, side = out.shape[1], out.shape[2]
    orders = 1 if terms == 1 else (2 if terms == 3 else 3)
    run = (side - 1) * width + side
    weights = np.zeros((2, 3, 4))
    mixed, across = np.zeros((4, run)), np.zeros((3, 4, run))
    first = np.zeros(2, np.int64)
    for star in range(len(columns)):
        for axis in range(2):
            place = rows[star] if axis == 0 else columns[star]
            nearest = np.floor(place + 0.5)
            u = -9.0 * (place - nearest)
            base = np.floor(u)
            t = u - base
            # The border of the samples lies one pixel beyond the box, where the star is in the middle of its pixel.
            first[axis] = 9 + int(base) - 1
            weights[axis, 0, 0] = (1 - t) ** 3 / 6
            weights[axis, 0, 1] = (3 * t**3 - 6 * t**2 + 4) / 6
            weights[axis, 0, 2] = (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6
            weights[axis, 0, 3] = t**3 / 6
            # The star's place enters with -9 samples a pixel.
            weights[axis, 1, 0] = 4.5 * (1 - t) ** 2
            weights[axis, 1, 1] = -4.5 * (3 * t**2 - 4 * t)
            weights[axis, 1, 2] = -4.5 * (-3 * t**2 + 2 * t + 1)
            weights[axis, 1, 3] = -4.5 * t**2
            weights[axis, 2, 0] = 40.5 * (1 - t)
            weights[axis, 2, 1] = 40.5 * (3 * t - 2)
            weights[axis, 2, 2] = 40.5 * (-3 * t + 1)
            weights[axis, 2, 3] = 40.5 * t
        low, left = row_below[star], column_below[star]
        high, right = min(low + 1, len(phases) - 1), min(left + 1, phases.shape[1] - 1)
        up, on = row_share[star], column_share[star]
        share0, share1, share2, share3 = (1 - up) * (1 - on), (1 - up) * on, up * (1 - on), up * on
        for a in range(4):
            line, phase = divmod(first[0] + a, 9)
            for b in range(4):
                column, other = divmod(first[1] + b, 9)
                begin = line * width + column
                table0, table1 = phases[low, left, phase, other], phases[low, right, phase, other]
                table2, table3 = phases[high, left, phase, other], phases[high, right, phase, other]
                for k in range(run):
                    at = begin + k
                    mixed[b, k] = share0 * table0[at] + share1 * table1[at] + share2 * table2[at] + share3 * table3[at]
            for order in range(orders):
                w0, w1, w2, w3 = weights[1, order]
                for k in range(run):
                    across[order, a, k] = w0 * mixed[0, k] + w1 * mixed[1, k] + w2 * mixed[2, k] + w3 * mixed[3, k]
        for term in range(terms):
            # P, Px, Py, Pxx / 2, Pxy, Pyy / 2: orders along columns and rows.
            x = 1 if term == 1 or term == 4 else (2 if term == 3 else 0)
            y = 1 if term == 2 or term == 4 else (2 if term == 5 else 0)
            w0, w1, w2, w3 = weights[0, y]
            for j in range(side):
                for k in range(side):
                    at = j * width + k
                    value = w0 * across[x, 0, at] + w1 * across[x, 1, at]
                    out[star, term, j, k] = value + w2 * across[x, 2, at] + w3 * across[x, 3, at]


def add_stars(
    image: NDArray[np.floating[Any]],
    corner: tuple[int, int],
    column: NDArray[np.float64],
    row: NDArray[np.float64],
    flux: NDArray[np.floating[Any]],
    response: PixelResponse,
) -> None:
    """Add stars to an image, in place.

    Parameters
    ----------
    image : array (rows, columns) or (3 or 6, rows, columns)
        In e-/s; in three dimensions the terms of `PixelResponse.boxes`: the image, its slopes, second derivatives.
    corner : (int, int)
        CCD column and row of its pixel [0, 0], 1-based.
    column, row, flux : array (n,)
        Places of the stars, 1-based, and their light in e-/s. What falls outside the image is lost.
    response : PixelResponse
        Where their light falls.
    """
    terms = image[None] if image.ndim == 2 else image
    boxes = response.boxes(column, row, derivatives={1: 0, 3: 1, 6: 2}[len(terms)])
    bottom, left = box_corners(column, row, corner, response.reach)
    for number, term in enumerate(terms):
        _adder()(term, bottom, left, np.asarray(flux, np.float64), boxes[:, number])


def box_corners(
    column: NDArray[np.float64], row: NDArray[np.float64], corner: tuple[int, int], reach: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row and column, in an image that begins at `corner`, of the boxes about stars."""
    left = nearest_pixel(column) - reach - corner[0]
    bottom = nearest_pixel(row) - reach - corner[1]
    return bottom, left


@cache
def _adder() -> Any:
    from numba import njit

    return njit(cache=True, nogil=True)(_add)


def _add(image, bottoms, lefts, flux, boxes):  # type: ignore[no-untyped-def]
    """Add boxes times fluxes to an image. Compiled by numba."""
    high, wide = image.shape
    for star in range(len(flux)):
        bottom, left = bottoms[star], lefts[star]
        for j in range(max(0, -bottom), min(boxes.shape[1], high - bottom)):
            for k in range(max(0, -left), min(boxes.shape[2], wide - left)):
                image[bottom + j, left + k] += flux[star] * boxes[star, j, k]
