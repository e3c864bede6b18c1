"""How stars move on the pixels: a kernel for each frame, and where a star is at any time.

Places are 1-based CCD columns and rows, as in headers; a movement is what has to be
added to the place in the reference frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError

if TYPE_CHECKING:
    from tessellar.mission.tangent import Plane
    from tessellar.pixels.stack import FrameStack
    from tessellar.pixels.stamp import Stamp

Array = NDArray[np.float64]

#: Parameters of a kernel in each mode. Those of ``wcs`` are two cubic polynomials in the place.
WARP_MODES = {"unchanged": 0, "translation": 2, "euclidian": 3, "affine": 6, "wcs": 20}
_POWERS = [(p, q) for p in range(4) for q in range(4 - p)]
# Places are divided by these in the polynomials, so that all terms are of one order.
_ORIGIN, _SCALE = 1068.5, 1024.0


class MovementKernel:
    """The movement of the image over time.

    Parameters
    ----------
    times : array-like, shape (n,)
        BTJD of the kernels; any order.
    kernels : array-like, shape (n, parameters)
        ``unchanged``: none. ``translation``: dx, dy. ``euclidian``: dx, dy and an angle in radians, about pixel (0, 0):
        x' = cos x - sin y + dx, y' = sin x + cos y + dy. ``affine``: rows of the matrix in
        x' = m0 x + m1 y + m2, y' = m3 x + m4 y + m5. ``wcs``: made by `from_planes`. Rows with NaN are left out.
    warpmode : str
        One of `WARP_MODES`.

    Raises
    ------
    InputError
        If the mode is unknown or shapes do not fit.

    Examples
    --------
    >>> kernel = MovementKernel([1325.0, 1326.0], [[0.0, 0.0], [0.1, -0.2]])
    >>> kernel.interpolate(1325.5, [[100.0, 200.0]]).round(3).tolist()
    [[0.05, -0.1]]
    """

    def __init__(self, times: ArrayLike, kernels: ArrayLike, warpmode: str = "translation") -> None:
        if warpmode not in WARP_MODES:
            raise InputError(f"warp mode {warpmode!r} does not exist; there are {', '.join(WARP_MODES)}")
        self.warpmode, self.n_params = warpmode, WARP_MODES[warpmode]
        when = np.asarray(times, dtype=np.float64)
        series = np.asarray(kernels, dtype=np.float64).reshape(len(when), -1) if np.size(kernels) else np.empty((0, 0))
        if warpmode == "unchanged":
            series = np.empty((len(when), 0))
        if series.shape != (len(when), self.n_params):
            raise InputError(
                f"wrong shape of kernels: {series.shape}; {len(when)} times in mode {warpmode} need "
                f"({len(when)}, {self.n_params})"
            )
        finite = np.isfinite(when) & np.isfinite(series).all(axis=1)
        order = np.flatnonzero(finite)[np.argsort(when[finite], kind="stable")]
        if not order.size:
            raise InputError(f"none of {len(when)} kernels has a finite time and finite parameters")
        self.times, self.kernels = when[order], series[order]

    @classmethod
    def from_planes(
        cls, times: ArrayLike, planes: Sequence[Plane], reference: int, spans: tuple[tuple[int, int], tuple[int, int]]
    ) -> MovementKernel:
        """Movement from the world coordinates of each frame, mode ``wcs``.

        Parameters
        ----------
        times : array-like, shape (n,)
            BTJD.
        planes : sequence of Plane
            One a frame.
        reference : int
            Index of the frame in which places are told.
        spans : ((int, int), (int, int))
            First and last column, and row, where stars will be asked for.
        """
        if len(planes) != np.size(times):
            raise InputError(f"wrong shape of kernels: {len(planes)} projections for {np.size(times)} times")
        columns, rows = (mesh.ravel() for mesh in np.meshgrid(*(np.linspace(a, b, 9) for a, b in spans)))
        sky = planes[reference].to_sky(columns, rows)
        moves = []
        for plane in planes:
            if plane is planes[reference]:
                moves.append(np.zeros((len(columns), 2)))
                continue
            there = plane.to_pixel(*sky)
            moves.append(np.column_stack([there[0] - columns, there[1] - rows]))
        terms = np.linalg.lstsq(_polynomials(columns, rows), np.concatenate(moves, axis=1), rcond=1e-10)[0]
        return cls(times, terms.T.reshape(len(planes), -1), "wcs")

    @classmethod
    def from_stack(cls, stack: FrameStack) -> MovementKernel:
        """Movement from the headers of a stack's frames, mode ``wcs``, over all its pixels."""
        (column, row), (high, wide) = stack.corner, stack.shape
        spans = ((column, column + wide - 1), (row, row + high - 1))
        return cls.from_planes(stack.time, stack.planes, stack.reference, spans)

    @classmethod
    def from_stamp(cls, stamp: Stamp, reference_time: float | None = None) -> MovementKernel:
        """Movement from POS_CORR of a target pixel file, mode ``translation``, zero at a time.

        Parameters
        ----------
        stamp : Stamp
            With `pos_corr`.
        reference_time : float, optional
            BTJD at which the movement is zero (the nearest cadence that has one counts), such as that of the
            reference frame of a stack; by default the middle of the stamp's times.

        Raises
        ------
        InputError
            If the stamp has no usable POS_CORR, or the time lies outside its times: a Julian date is not a BTJD.
        """
        usable = np.isfinite(stamp.time)
        if stamp.pos_corr is not None:
            usable &= np.isfinite(stamp.pos_corr).all(axis=1)
        if stamp.pos_corr is None or not usable.any():
            raise InputError(f"{stamp.origin} has no usable POS_CORR: its movement is not known")
        times = stamp.time[usable]
        moved = np.asarray(stamp.pos_corr, dtype=np.float64)[usable]
        wanted = 0.5 * (times.min() + times.max()) if reference_time is None else reference_time
        if not times.min() - 1 <= wanted <= times.max() + 1:
            raise InputError(
                f"reference time {wanted:.3f} lies outside {times.min():.3f} to {times.max():.3f} of {stamp.origin}; "
                "give BTJD, the barycentric Julian date less 2457000"
            )
        return cls(times, moved - moved[np.abs(times - wanted).argmin()], "translation")

    @classmethod
    def unchanged(cls) -> MovementKernel:
        """No movement, at any time."""
        return cls([0.0], [], "unchanged")

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        return f"<MovementKernel {self.warpmode}, {len(self)} times>"

    def interpolate(self, time: float, xy: ArrayLike) -> Array:
        """Movement of places at one time.

        Parameters
        ----------
        time : float
            BTJD. Between two kernels their parameters (in mode ``wcs`` that is, their movements) are interpolated
            linearly; up to a median step outside the series the end's is taken.
        xy : array-like, shape (m, 2)
            Columns and rows in the reference frame, 1-based.

        Returns
        -------
        array, shape (m, 2)
            Columns and rows to add, px.

        Raises
        ------
        InputError
            If the time lies outside the series.
        """
        places = np.atleast_2d(np.asarray(xy, dtype=np.float64))
        moved: Array = self._apply(self._at(np.array([time], dtype=np.float64)), places[:, 0], places[:, 1])[0]
        return moved

    def jitter(self, time: ArrayLike, column: float, row: float) -> Array:
        """Movement of one star over time.

        Parameters
        ----------
        time : array-like, shape (n,)
            BTJD; where it is NaN, so is the movement.
        column, row : float
            Place in the reference frame, 1-based.

        Returns
        -------
        array, shape (n, 2)
            Columns and rows to add, px.
        """
        return self.tracks(time, [column], [row])[:, 0]

    def tracks(self, time: ArrayLike, column: ArrayLike, row: ArrayLike) -> Array:
        """Movement of many stars over time.

        Parameters
        ----------
        time : array-like, shape (n,)
            BTJD; where it is NaN, so is the movement.
        column, row : array-like, shape (k,)
            Places in the reference frame, 1-based.

        Returns
        -------
        array, shape (n, k, 2)
            Columns and rows to add, px.

        Raises
        ------
        InputError
            If a time lies outside the series.
        """
        times = np.atleast_1d(np.asarray(time, dtype=np.float64))
        columns, rows = (np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in (column, row))
        moved = np.full((len(times), len(columns), 2), np.nan)
        known = np.isfinite(times)
        if known.any():
            moved[known] = self._apply(self._at(times[known]), columns, rows)
        return moved

    def _at(self, times: Array) -> Array:
        """Parameters at given times, (n, parameters)."""
        if self.warpmode == "unchanged":
            return np.empty((len(times), 0))
        step = float(np.median(np.diff(self.times))) if len(self) > 1 else np.inf
        outside = ~((times >= self.times[0] - step) & (times <= self.times[-1] + step))
        if outside.any():
            raise InputError(
                f"time {times[outside][0]:.5f} lies outside the movement's, BTJD {self.times[0]:.5f} to "
                f"{self.times[-1]:.5f}"
            )
        return np.column_stack([np.interp(times, self.times, each) for each in self.kernels.T])

    def _apply(self, kernels: Array, column: Array, row: Array) -> Array:
        """Movements, (kernels, places, 2)."""
        moved = np.zeros((len(kernels), len(column), 2))
        if self.warpmode == "translation":
            moved[:] = kernels[:, None, :]
        elif self.warpmode == "euclidian":
            cosine, sine = np.cos(kernels[:, 2:]), np.sin(kernels[:, 2:])
            moved[:, :, 0] = (cosine - 1) * column - sine * row + kernels[:, :1]
            moved[:, :, 1] = sine * column + (cosine - 1) * row + kernels[:, 1:2]
        elif self.warpmode == "affine":
            for axis, own in ((0, column), (1, row)):
                a, b, c = kernels[:, 3 * axis : 3 * axis + 3].T
                moved[:, :, axis] = a[:, None] * column + b[:, None] * row + c[:, None] - own
        elif self.warpmode == "wcs":
            terms = _polynomials(column, row)
            for axis in (0, 1):
                moved[:, :, axis] = kernels[:, axis * 10 : axis * 10 + 10] @ terms.T
        return moved


def _polynomials(column: ArrayLike, row: ArrayLike) -> Array:
    """Terms of the cubic polynomials, (places, 10)."""
    u = (np.asarray(column, dtype=np.float64) - _ORIGIN) / _SCALE
    v = (np.asarray(row, dtype=np.float64) - _ORIGIN) / _SCALE
    return np.column_stack([u**p * v**q for p, q in _POWERS])


def mapped(kernel: Array, column: Array, row: Array) -> tuple[Array, Array]:
    """Columns and rows, 1-based, through an affine kernel (6,)."""
    return kernel[0] * column + kernel[1] * row + kernel[2], kernel[3] * column + kernel[4] * row + kernel[5]
