"""Pointing measured on the frames: how far, and how, the bright stars have moved in each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.mission.flags import DEFAULT_MASK, good
from tessellar.pixels.frames import science
from tessellar.pixels.movement import MovementKernel
from tessellar.pixels.places import nearest_pixel
from tessellar.pixels.response import box_corners
from tessellar.pixels.starmodel import StarModel
from tessellar.robust import MAD_TO_SIGMA

if TYPE_CHECKING:
    from tessellar.pixels.response import PixelResponse
    from tessellar.pixels.stack import FrameStack
    from tessellar.pixels.stars import StarField

Array = NDArray[np.float64]

# Stars are bright enough to be measured in every frame, and do not saturate.
_BRIGHTEST, _FAINTEST = 7.5, 13.0
_WANTED = 500
# Part of the pixels about a star that is used: 9 x 9. Neighbours may add this share of its own light there.
_HALF, _SHARED = 4, 0.3
# Fewer stars give no roll and scale (6 parameters), fewer than the least no shift.
_FOR_AFFINE, _LEAST = 12, 3
_SCALE = 1000.0


@dataclass(frozen=True, eq=False)
class Pointing:
    """Measured movement of a stack's frames against its reference frame.

    `measure_pointing` makes it.

    Attributes
    ----------
    time : array (n,)
        BTJD of the frames.
    kernels : array (n, 6)
        Affine kernels, as `MovementKernel` has them; NaN in frames that could not be measured.
    shifts : array (n, 2)
        Movement at the middle of the frames' pixels, columns and rows, px.
    errors : array (n, 2)
        1-sigma errors of `shifts`, from the scatter of the stars.
    stars : array (n,)
        Stars that were used in each frame.
    offset : array (2,)
        Mean of where the stars are in the reference frame less where its world coordinates have them, px: that the
        catalogue's places are off by.
    registration : array (6,)
        The same as an affine kernel: from the catalogue's places to those in the reference frame.
    """

    time: Array
    kernels: Array
    shifts: Array
    errors: Array
    stars: NDArray[np.int64]
    offset: Array
    registration: Array

    @property
    def movement(self) -> MovementKernel:
        """The movement at any time and place, mode ``affine``."""
        return MovementKernel(self.time, self.kernels, "affine")

    def filled_kernels(self) -> Array:
        """`kernels`, with those of frames that could not be measured interpolated in time."""
        known = np.isfinite(self.kernels).all(axis=1)
        return np.column_stack([np.interp(self.time, self.time[known], each[known]) for each in self.kernels.T])

    def filled(self) -> Array:
        """`shifts`, with those of frames that could not be measured interpolated in time."""
        known = np.isfinite(self.shifts).all(axis=1)
        return np.column_stack([np.interp(self.time, self.time[known], each[known]) for each in self.shifts.T])


def measure_pointing(
    stack: FrameStack,
    stars: StarField,
    response: PixelResponse,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> Pointing:
    """Measure how the stars move from frame to frame.

    In each frame flux, place and local sky of up to 500 bright, unsaturated, fairly isolated stars are fitted with the
    response, less the light of their neighbours; an affine map (a shift alone, where there are few stars) is fitted to
    their places, robustly. What a star is off by in all frames (its catalogue place, the response) is not movement.

    Parameters
    ----------
    stack : FrameStack
    stars : StarField
        Placed on its reference frame.
    response : PixelResponse
    progress : callable, optional
        Called with the number of frames done and of all.

    Raises
    ------
    InputError
        If there are not three stars to measure on, or the reference frame cannot be measured.
    """
    meter = PointingMeter(stack, stars, response)
    places = np.full((len(stack), *meter.shape), np.nan)
    for index, frame in enumerate(stack.frames):
        places[index] = meter.places(science(frame, stack.corner, stack.shape))
        if progress is not None:
            progress(index + 1, len(stack))
    return meter.solve(places)


def pointing_of_headers(stack: FrameStack) -> Pointing:
    """Movement of a stack's frames as their headers' world coordinates tell it; its errors are not known."""
    moved = MovementKernel.from_stack(stack)
    (left, bottom), (high, wide) = stack.corner, stack.shape
    middle = np.array([left + (wide - 1) / 2, bottom + (high - 1) / 2])
    columns, rows = (
        mesh.ravel()
        for mesh in np.meshgrid(np.linspace(left, left + wide - 1, 5), np.linspace(bottom, bottom + high - 1, 5))
    )
    design = np.column_stack([np.ones_like(columns), (columns - middle[0]) / _SCALE, (rows - middle[1]) / _SCALE])
    inverse = np.linalg.pinv(design)
    fits = np.stack([inverse @ moved.interpolate(time, np.column_stack([columns, rows])) for time in stack.time])
    nothing = np.zeros((1, 3, 2))
    return Pointing(
        stack.time,
        _kernels(fits, middle),
        fits[:, 0].copy(),
        np.full((len(stack), 2), np.nan),
        np.zeros(len(stack), np.int64),
        np.zeros(2),
        _kernels(nothing, middle)[0],
    )


class PointingMeter:
    """Measures where the bright stars of one field are, frame by frame; `solve` makes a `Pointing` of all places.

    Parameters
    ----------
    stack : FrameStack
    stars : StarField
        Placed on its reference frame.
    response : PixelResponse

    Raises
    ------
    InputError
        If there are not three stars to measure on.
    """

    def __init__(self, stack: FrameStack, stars: StarField, response: PixelResponse) -> None:
        self._stack, self._response = stack, response
        drawn = StarModel.fit(
            np.zeros(stack.shape, np.float32), stack.corner, stars, response, sweeps=0, moves=False
        ).terms[0]
        chosen = _choose(stack, stars, response, drawn)
        self.stars = stars.chosen(chosen)
        #: Stars and coordinates: of one frame's places.
        self.shape = len(chosen), 2
        self._others = self._light_of_others(stars, chosen)

    def _light_of_others(self, stars: StarField, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
        """Light of the neighbours on the pixels about each star, and how it changes when all move: (stars, 6, 9, 9)."""
        reach = self._response.reach
        near = np.unique(np.concatenate([stars.near(x, y, 1.5 * (reach + _HALF + 1))[0] for x, y in zip(
            self.stars.column, self.stars.row, strict=True)]))  # fmt: skip
        empty = np.zeros(self._stack.shape, np.float32)
        model = StarModel.fit(empty, self._stack.corner, stars.chosen(near), self._response, sweeps=0)
        cuts = [_cut(term, self.stars.column, self.stars.row, self._stack.corner) for term in model.terms]
        boxes = self._response.boxes(self.stars.column, self.stars.row, derivatives=2)
        inner = slice(reach - _HALF, reach + _HALF + 1)
        own = self.stars.flux()[:, None, None, None] * boxes[:, :, inner, inner]
        return np.asarray(np.stack(cuts, axis=1) - own, dtype=np.float32)

    def places(self, image: NDArray[np.float32]) -> Array:
        """Where each star is in one frame, less where the catalogue has it; NaN where the fit failed.

        Parameters
        ----------
        image : array (rows, columns)
            The frame, with its sky, e-/s.
        """
        stars, reach = self.stars, self._response.reach
        found = np.full(self.shape, np.nan)
        data = _cut(image, stars.column, stars.row, self._stack.corner)
        if not np.isfinite(data).any() or not np.any(data):
            return found
        weights = 1.0 / np.maximum(data.reshape(len(stars), -1), 50.0)
        weights = np.where(np.isfinite(weights), weights, 0.0)
        moved = np.zeros(2)
        for _ in range(3):
            # Boxes stay on the pixels of the catalogue's places: the response is drawn there for the moved star.
            terms = _drawn(self._response, stars.column + moved[0], stars.row + moved[1], stars)
            others = np.tensordot(_taylor(*moved), self._others, axes=(0, 1))
            pixels = np.nan_to_num((data - others).reshape(len(stars), -1).astype(np.float64), posinf=0.0, neginf=0.0)
            design = np.concatenate([terms, np.ones_like(terms[:, :1])], axis=1).reshape(len(stars), 4, -1)
            weighted = design * weights[:, None, :]
            normal = weighted @ design.transpose(0, 2, 1)
            right = weighted @ pixels[:, :, None]
            with np.errstate(invalid="ignore", divide="ignore"):
                normal += 1e-9 * np.eye(4) * np.trace(normal, axis1=1, axis2=2)[:, None, None]
                solved = np.linalg.solve(normal + 1e-30 * np.eye(4), right)[:, :, 0]
                step = solved[:, 1:3] / solved[:, :1]
            bad = ~np.isfinite(step).all(axis=1) | (np.abs(step) > 1.5).any(axis=1) | (solved[:, 0] <= 0)
            step[bad] = np.nan
            if bad.all():
                return found
            found = step + moved
            moved = np.clip(np.nanmedian(found, axis=0), -reach + _HALF, reach - _HALF)
        return found

    def solve(self, places: Array) -> Pointing:
        """Make the movement of the stack out of the places in all its frames, (n, stars, 2).

        Raises
        ------
        InputError
            If the reference frame could not be measured.
        """
        (left, bottom), (high, wide) = self._stack.corner, self._stack.shape
        middle = np.array([left + (wide - 1) / 2, bottom + (high - 1) / 2])
        u, v = (self.stars.column - middle[0]) / _SCALE, (self.stars.row - middle[1]) / _SCALE
        use = good(self._stack.quality, DEFAULT_MASK)
        return _solve(self._stack, places, np.column_stack([np.ones_like(u), u, v]), middle, use)


def _taylor(dx: float, dy: float) -> NDArray[np.float32]:
    return np.array([1, dx, dy, dx * dx, dx * dy, dy * dy], dtype=np.float32)


def _choose(
    stack: FrameStack, stars: StarField, response: PixelResponse, drawn: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Stars to measure: bright, whole on the frame, with little light of others; spread over the frame."""
    (left, bottom), (high, wide) = stack.corner, stack.shape
    fits = (stars.tmag > _BRIGHTEST) & (stars.tmag < _FAINTEST)
    fits &= (stars.column > left + response.reach) & (stars.column < left + wide - 1 - response.reach)
    fits &= (stars.row > bottom + response.reach) & (stars.row < bottom + high - 1 - response.reach)
    index = np.flatnonzero(fits)
    if index.size:
        some = stars.chosen(index)
        light = _cut(drawn, some.column, some.row, stack.corner).sum(axis=(1, 2))
        own = some.flux() * _core(response.boxes(some.column, some.row)[:, 0], response.reach).sum(axis=(1, 2))
        index = index[light - own < _SHARED * own]
    if index.size < _LEAST:
        raise InputError(
            f"{index.size} stars of T {_BRIGHTEST} to {_FAINTEST} stand free on the frames of {stack.field}: "
            f"pointing needs {_LEAST}"
        )
    cell = ((stars.row[index] - bottom) // (high / 8)).astype(int) * 8 + ((stars.column[index] - left) // (wide / 8))
    turn = np.zeros(len(index), dtype=int)
    for each in np.unique(cell):
        turn[cell == each] = np.arange(int((cell == each).sum()))
    return np.sort(index[np.argsort(turn, kind="stable")[:_WANTED]])


def _drawn(response: PixelResponse, column: Array, row: Array, stars: StarField) -> Array:
    """Response and slopes of moved stars on the pixels about their catalogue places, (stars, 3, 9, 9)."""
    boxes = response.boxes(column, row, derivatives=1)
    aside = nearest_pixel(stars.column) - nearest_pixel(column), nearest_pixel(stars.row) - nearest_pixel(row)
    drawn = np.empty((len(stars), 3, 2 * _HALF + 1, 2 * _HALF + 1))
    for star in range(len(stars)):
        x, y = (response.reach - _HALF + int(each[star]) for each in aside)
        drawn[star] = boxes[star, :, y : y + 2 * _HALF + 1, x : x + 2 * _HALF + 1]
    return drawn


def _core(boxes: NDArray[Any], reach: int) -> NDArray[Any]:
    inner = slice(reach - _HALF, reach + _HALF + 1)
    return boxes[:, inner, inner]


def _cut(image: NDArray[Any], column: Array, row: Array, corner: tuple[int, int]) -> NDArray[Any]:
    """The 9 x 9 pixels about each star."""
    bottoms, lefts = box_corners(column, row, corner, _HALF)
    reach = np.arange(2 * _HALF + 1)
    return np.asarray(image[bottoms[:, None, None] + reach[:, None], lefts[:, None, None] + reach[None, :]])


def _solve(stack: FrameStack, places: Array, design: Array, middle: Array, use: NDArray[np.bool_]) -> Pointing:
    affine = places.shape[1] >= _FOR_AFFINE
    terms = design if affine else design[:, :1]
    fits, errors, counts = _fit_all(places, terms)
    measured: NDArray[np.bool_] = np.asarray(np.isfinite(fits).all(axis=(1, 2)))
    if not measured[stack.reference]:
        raise InputError(f"the stars of {stack.frames[stack.reference].path.name}, the reference frame, cannot be seen")
    # What remains of a star in all good frames alike is its own.
    rest = places - np.einsum("ks,nsa->nka", terms, fits)
    steady = rest[measured & use] if (measured & use).any() else rest[measured]
    own = np.nanmedian(steady, axis=0)
    own[~np.isfinite(own)] = 0.0
    fits, errors, counts = _fit_all(places - own, terms)
    first = fits[stack.reference].copy()
    kernels = _kernels(fits - first, middle)
    shifts = (fits - first)[:, 0].copy()
    return Pointing(stack.time, kernels, shifts, errors, counts, first[0], _kernels(first[None], middle)[0])


def _kernels(fits: Array, middle: Array) -> Array:
    """Affine kernels, as `MovementKernel` has them, of fitted terms (n, terms, 2)."""
    slopes = np.zeros((len(fits), 2, 2))
    if fits.shape[1] == 3:
        slopes = np.transpose(fits[:, 1:], (0, 2, 1)) / _SCALE
    kernels = np.empty((len(fits), 6))
    for axis in (0, 1):
        matrix = slopes[:, axis].copy()
        constant = fits[:, 0, axis] - matrix @ middle
        matrix[:, axis] += 1.0
        kernels[:, 3 * axis : 3 * axis + 2], kernels[:, 3 * axis + 2] = matrix, constant
    kernels[~np.isfinite(fits).all(axis=(1, 2))] = np.nan
    return kernels


def _fit_all(places: Array, terms: Array) -> tuple[Array, Array, NDArray[np.int64]]:
    """Fit each frame's places, leaving out what lies more than 4 robust sigmas off: (n, terms, 2), errors, counts."""
    count = len(places)
    fits = np.full((count, terms.shape[1], 2), np.nan)
    errors, used = np.full((count, 2), np.nan), np.zeros(count, dtype=np.int64)
    for index in range(count):
        there = np.isfinite(places[index]).all(axis=1)
        for _ in range(4):
            if there.sum() < max(_LEAST, terms.shape[1]):
                break
            solved = np.linalg.lstsq(terms[there], places[index][there], rcond=None)[0]
            rest = places[index] - terms @ solved
            sigma = MAD_TO_SIGMA * np.nanmedian(np.abs(rest[there]), axis=0) + 1e-6
            fits[index] = solved
            errors[index] = sigma / np.sqrt(max(there.sum() - terms.shape[1], 1))
            used[index] = there.sum()
            with np.errstate(invalid="ignore"):
                there = np.isfinite(rest).all(axis=1) & (np.abs(rest) < 4 * sigma).all(axis=1)
    return fits, errors, used
