"""Where the residual background of a frame differs from what it is at other times, in blocks of 16 px."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.pixels.nodes import Mesh, fill, levels

#: A block whose residual differs by more than this, e-/s, from its mean over time has jumped.
JUMP = 40.0
# Side of the blocks in which jumps are looked for, px.
_BLOCK = 16
# Residuals are kept in 16 bits.
_LIMIT = 6.0e4
# Frames that are turned to 32 bits at once.
_CHUNK = 256


def blocks_of(shape: tuple[int, int]) -> Mesh:
    """The blocks of frames of some shape."""
    return Mesh(shape, _BLOCK)


def residual_of(
    light: NDArray[np.float32], starlight: NDArray[np.float32], hidden: NDArray[np.bool_], blocks: Mesh
) -> NDArray[np.float16]:
    """Level of each block of a frame over its background and starlight, e-/s.

    Parameters
    ----------
    light : array (rows, columns)
        The frame without its background, e-/s.
    starlight : array (rows, columns)
        What the field's stars, known or not, add in the mean of the frames.
    hidden : boolean array (rows, columns)
        Pixels not to ask.
    blocks : Mesh
    """
    level, _, _ = levels(light - starlight, ~hidden, blocks, 0.0)
    # A block under a bright star goes with those about it.
    return np.clip(fill(level), -_LIMIT, _LIMIT).astype(np.float16)


def jumps_in(residuals: NDArray[np.float16], usable: NDArray[np.bool_], jump: float = JUMP) -> NDArray[np.bool_]:
    """Blocks and frames that differ from the mean over the usable frames by more than `jump`, (n, rows, columns)."""
    steady: NDArray[Any] = np.zeros(residuals.shape[1:])
    for first in range(0, len(residuals), _CHUNK):
        part = slice(first, first + _CHUNK)
        steady += residuals[part][usable[part]].sum(axis=0, dtype=np.float64)
    steady = (steady / max(int(usable.sum()), 1)).astype(np.float32)
    jumps = np.empty(residuals.shape, dtype=bool)
    for first in range(0, len(residuals), _CHUNK):
        part = slice(first, first + _CHUNK)
        with np.errstate(invalid="ignore"):
            jumps[part] = np.abs(residuals[part].astype(np.float32) - steady) > jump
    return jumps
