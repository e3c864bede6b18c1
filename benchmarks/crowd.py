"""A crowded field in memory: stars, their movement and noisy pixels, to compare ways to measure it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.engine.order import by_place
from tessellar.pixels.response import box_corners

STARS_PER_CCD = 200_000
FRAMES = 400
RADIUS = 2.5
SKY, READ, SECONDS = 100.0, 50.0, 1440.0


class Gaussian:
    """A pixel response: a Gaussian of 0.85 px, integrated over pixels."""

    reach, width = 7, 0.85

    def boxes(self, column: Any, row: Any, derivatives: int = 0) -> NDArray[np.float32]:
        """See `tessellar.pixels.PixelResponse`."""
        column, row = (np.atleast_1d(np.asarray(each, float)) for each in (column, row))
        x, y = self._line(column - np.floor(column + 0.5)), self._line(row - np.floor(row + 0.5))
        orders = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))[: {0: 1, 1: 3, 2: 6}[derivatives]]
        return np.stack([y[b][:, :, None] * x[a][:, None, :] for a, b in orders], axis=1).astype(np.float32)

    def _line(self, place: NDArray[Any]) -> list[NDArray[Any]]:
        from scipy.special import ndtr

        u = (np.arange(-self.reach, self.reach + 2) - 0.5 - place[:, None]) / self.width
        density = np.exp(-0.5 * u * u) / np.sqrt(2 * np.pi) / self.width
        return [
            np.diff(ndtr(u), axis=1),
            -np.diff(density, axis=1),
            -0.5 * np.diff(density * u, axis=1) / self.width,
        ]


@dataclass(frozen=True, eq=False)
class Scene:
    """Stars, their movement, and pixels of all frames, laid by time and frame by frame."""

    size: int
    column: NDArray[np.float64]
    row: NDArray[np.float64]
    flux: NDArray[np.float64]
    shifts: NDArray[np.float64]
    pixels: NDArray[np.float32]
    variance: NDArray[np.float32]

    @classmethod
    def draw(cls, size: int, seed: int = 0) -> Scene:
        """Draw it."""
        rng = np.random.default_rng(seed)
        count = round(STARS_PER_CCD * (size / 2048) ** 2)
        flux = 10 ** (-0.4 * (np.clip(16 - rng.exponential(1.4, count), 6.5, 16) - 20.44))
        column, row = 0.5 + rng.random((2, count)) * size
        # Neighbours one after the other, as the engine takes them: whoever goes star by star gains by it.
        column, row = np.array([column, row])[:, by_place(column, row)]
        shifts = rng.normal(0, 0.01, (FRAMES, 2)) + 0.02 * (np.arange(FRAMES) / FRAMES - 0.5)[:, None]
        amplitude = np.where(rng.random(count) < 0.1, 0.02, 0.0)
        phase = rng.random(count) * 2 * np.pi
        response = Gaussian()
        terms = np.zeros((6, size, size))
        wave = np.zeros((2, 6, size, size))
        boxes = response.boxes(column, row, 2)
        corners = box_corners(column, row, (1, 1), 7)
        for images, light in ((terms, flux), (wave[0], flux * amplitude * np.cos(phase)),
                              (wave[1], flux * amplitude * np.sin(phase))):  # fmt: skip
            for term in range(6):
                _put(images[term], *corners, light, boxes[:, term])
        variance = ((terms[0] + SKY + READ) / SECONDS).astype(np.float32)
        scatter = np.sqrt(variance)
        cube = np.empty((size, size, FRAMES), dtype=np.float32)
        for frame, (dx, dy) in enumerate(shifts):
            weights = np.array([1, dx, dy, dx * dx, dx * dy, dy * dy])
            angle = 2 * np.pi * frame / 50
            image = np.tensordot(weights, terms + np.sin(angle) * wave[0] + np.cos(angle) * wave[1], 1)
            cube[:, :, frame] = image + scatter * rng.standard_normal((size, size), dtype=np.float32)
        return cls(size, column, row, flux, shifts, cube.reshape(-1, FRAMES), variance)

    def __len__(self) -> int:
        return len(self.column)

    def frame(self, index: int) -> NDArray[np.float32]:
        """One frame, (rows, columns)."""
        return self.by_frame[index]

    @cached_property
    def by_frame(self) -> NDArray[np.float32]:
        """The pixels frame by frame, as images come."""
        return np.ascontiguousarray(self.pixels.T).reshape(FRAMES, self.size, self.size)

    @cached_property
    def masks(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Pixels within 2.5 px of each star: pointers, rows, columns (from 0)."""
        near = np.arange(-3, 4)
        rows = np.floor(self.row + 0.5).astype(int)[:, None, None] - 1 + near[:, None] + 0 * near
        cols = np.floor(self.column + 0.5).astype(int)[:, None, None] - 1 + near[None, :] + 0 * near[:, None]
        inside = np.hypot(rows + 1 - self.row[:, None, None], cols + 1 - self.column[:, None, None]) <= RADIUS
        inside &= (rows >= 0) & (rows < self.size) & (cols >= 0) & (cols < self.size)
        indptr = np.concatenate([[0], np.cumsum(inside.sum(axis=(1, 2)))])
        return indptr, rows[inside], cols[inside]

    @cached_property
    def indices(self) -> NDArray[np.int64]:
        """Flat indices of the masks' pixels."""
        _, rows, cols = self.masks
        return rows * self.size + cols

    def kernels(self) -> NDArray[np.float64]:
        """Movement as affine kernels."""
        made = np.tile([1.0, 0, 0, 0, 1, 0], (FRAMES, 1))
        made[:, 2], made[:, 5] = self.shifts.T
        return made


def _put(image: Any, bottoms: Any, lefts: Any, light: Any, boxes: Any) -> None:
    """Add boxes times light to an image."""
    padded = np.zeros((image.shape[0] + 32, image.shape[1] + 32))
    lines = bottoms[:, None, None] + 16 + np.arange(15)[:, None]
    places = lefts[:, None, None] + 16 + np.arange(15)[None, :]
    np.add.at(padded, (lines, places), light[:, None, None] * boxes)
    image += padded[16:-16, 16:-16]
