"""What falls on the pixels about one star: all stars there, cadence by cadence, without noise or sky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate.detector import SATURATION, bleed
from tessellar.simulate.prf import PRF
from tessellar.simulate.signals import Constant
from tessellar.simulate.stars import Star

FloatArray = NDArray[np.float64]
Images = NDArray[np.float32]

# Cadences drawn at a time: a few MB of images, that the processor's cache can hold.
_CHUNK = 1024
# Constant stars fainter than this share of the target move with their mean image and its slopes.
_SLOPES_BELOW = 0.05
_SLOPE_STEP = 0.02
# Rows above and below the stamp in which a saturated star's charge may spill.
_SPILL_ROWS = 30


@dataclass(frozen=True)
class Placed:
    """A star on the stamp: (0, 0) is the centre of its first pixel."""

    star: Star
    column: float
    row: float


@dataclass(frozen=True)
class Scene:
    """Noiseless starlight on a stamp.

    Attributes
    ----------
    images, target : float32 array, shape (n, rows, columns)
        All stars, and the target alone, e-/s.
    signal : array, shape (n,)
        The target's relative flux.
    saturated : bool
        Whether charge spills.
    """

    images: Images
    target: Images
    signal: FloatArray
    saturated: bool


def draw_scene(
    target: Placed,
    others: Sequence[Placed],
    prf: PRF,
    motion: FloatArray,
    btjd: FloatArray,
    shape: tuple[int, int] = (11, 11),
) -> Scene:
    """Draw the stars on a stamp.

    Parameters
    ----------
    target : Placed
        The star of the stamp.
    others : sequence of Placed
        Stars on it or near it.
    prf : PRF
        The response there.
    motion : array, shape (n, 2)
        Column and row shift of the image in each cadence, px.
    btjd : array, shape (n,)
        Times of the cadences; all finite.
    shape : (int, int)
        Rows and columns of the stamp.
    """
    signal = target.star.signal.relative(btjd)
    peak = target.star.flux * float(_render(prf, target, np.zeros((1, 2)), shape, 0).max())
    saturated = bool(peak > SATURATION)
    margin = _SPILL_ROWS if saturated else 0
    bright = [other for other in others if not _is_plain(other.star, target.star)]
    faint = [other for other in others if _is_plain(other.star, target.star)]
    maps = _slopes(prf, faint, shape, margin)
    images = np.empty((len(btjd), *shape), dtype=np.float32)
    alone = np.empty_like(images)
    inside = slice(margin, margin + shape[0])
    for start in range(0, len(btjd), _CHUNK):
        part = slice(start, start + _CHUNK)
        own = _lit(prf, target, motion[part], signal[part], shape, margin)
        scene = own + np.tensordot(_slope_weights(motion[part]), maps, axes=1)
        for other in bright:
            relative = other.star.signal.relative(btjd[part])
            scene += _lit(prf, other, motion[part], relative, shape, margin)
        if saturated:
            own, scene = bleed(own), bleed(scene)
        alone[part], images[part] = own[:, inside], scene[:, inside]
    return Scene(images, alone, signal, saturated)


def _is_plain(star: Star, target: Star) -> bool:
    return star.flux < _SLOPES_BELOW * target.flux and isinstance(star.signal, Constant)


def _render(prf: PRF, placed: Placed, motion: FloatArray, shape: tuple[int, int], margin: int) -> Images:
    tall = (shape[0] + 2 * margin, shape[1])
    return prf.render(placed.column + motion[:, 0], placed.row + margin + motion[:, 1], tall)


def _lit(
    prf: PRF, placed: Placed, motion: FloatArray, signal: FloatArray, shape: tuple[int, int], margin: int
) -> Images:
    images = _render(prf, placed, motion, shape, margin)
    images *= (placed.star.flux * signal).astype(np.float32)[:, None, None]
    return images


def _slopes(prf: PRF, faint: Sequence[Placed], shape: tuple[int, int], margin: int) -> Images:
    """Mean image of the faint stars and its slopes along columns and rows, e-/s and e-/s/px; (3, rows, columns)."""
    maps = np.zeros((3, shape[0] + 2 * margin, shape[1]), dtype=np.float32)
    h = _SLOPE_STEP
    steps = np.array([(0.0, 0.0), (-h, 0.0), (h, 0.0), (0.0, -h), (0.0, h)])
    for placed in faint:
        still, left, right, down, up = _render(prf, placed, steps, shape, margin) * np.float32(placed.star.flux)
        maps += np.stack([still, (right - left) / (2 * h), (up - down) / (2 * h)])
    return maps


def _slope_weights(motion: FloatArray) -> Images:
    return np.column_stack([np.ones(len(motion)), motion]).astype(np.float32)
