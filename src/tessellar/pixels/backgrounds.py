"""The backgrounds of all frames of a stack, and where they jump."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.mission.flags import DEFAULT_MASK, good
from tessellar.pixels.background import BOX, Background, Sky, measure_jointly
from tessellar.pixels.frames import science
from tessellar.pixels.jumps import JUMP, blocks_of, jumps_in, residual_of
from tessellar.pixels.stamp import Span, Stamp

if TYPE_CHECKING:
    from tessellar.pixels.response import PixelResponse
    from tessellar.pixels.stack import FrameStack
    from tessellar.pixels.starmodel import StarModel
    from tessellar.pixels.stars import StarField

# Frames of which the mean image is made that the stars are fitted to.
_SAMPLE = 16
# Without known stars, pixels with more light than this in the mean image, e-/s, are not asked for jumps.
_BRIGHT = 200.0


@dataclass(frozen=True, eq=False)
class BackgroundSeries:
    """The background of every frame of a stack, kept as nodes.

    `measure_backgrounds` makes it.

    Attributes
    ----------
    sky : Sky
        How nodes and glow are spread over the pixels.
    nodes, node_errors : float32 array (n, node rows, node columns)
        Levels of the tiles and their 1-sigma errors, e-/s; NaN in frames that could not be used.
    glow : float32 array (n, knots)
        Corner glow, e-/s.
    used : boolean array (rows, columns)
        Pixels that most backgrounds were made from.
    jumps : boolean array (n, block rows, block columns)
        Where the residual background jumps, in blocks of 16 px; `jumped` gives it for pixels.
    model : StarModel or None
        The stars that were taken off.
    windows : int array (n,), optional
        Frames that each one's nodes are the mean of, where they were smoothed in time.
    """

    sky: Sky
    nodes: NDArray[np.float32]
    node_errors: NDArray[np.float32]
    glow: NDArray[np.float32]
    used: NDArray[np.bool_]
    jumps: NDArray[np.bool_]
    model: StarModel | None
    windows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        rows, cols = self.nodes.shape[1:]
        level = np.nanmedian(self.nodes) if np.isfinite(self.nodes).any() else np.nan
        size = f"{len(self)} frames, {rows} x {cols} nodes"
        return f"<BackgroundSeries {self.sky.field}, {size}, median {level:.1f} e-/s>"

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Frames that had pixels to measure a background on."""
        return np.asarray(np.isfinite(self.nodes).all(axis=(1, 2)))

    def frame(self, index: int) -> Background:
        """Background of one frame."""
        return Background(self.nodes[index], self.node_errors[index], self.glow[index], self.sky)

    def window(self, rows: Span = None, cols: Span = None) -> NDArray[np.float32]:
        """Background in CCD rows and columns (first, last; 1-based, both included) of all frames, e-/s."""
        row, col = self._slices(rows, cols)
        return self.sky.image(self.nodes, self.glow, row, col)

    def error(self, rows: Span = None, cols: Span = None) -> NDArray[np.float32]:
        """1-sigma error of `window`, e-/s; pixels of one tile share theirs."""
        row, col = self._slices(rows, cols)
        return np.stack([self.frame(index).error(row, col) for index in range(len(self))])

    def jumped(self, rows: Span = None, cols: Span = None) -> NDArray[np.bool_]:
        """Pixels and frames in which the residual background jumps, (n, rows, columns)."""
        row, col = self._slices(rows, cols)
        block_rows, block_cols = (
            np.searchsorted(edges, np.arange(size)[part], side="right") - 1
            for edges, size, part in zip(blocks_of(self.sky.shape).edges, self.sky.shape, (row, col), strict=True)
        )
        return np.asarray(self.jumps[:, block_rows][:, :, block_cols])

    def subtract(self, stamp: Stamp) -> Stamp:
        """Take the background off a stamp of the same stack; it is kept as the stamp's `background`.

        Raises
        ------
        InputError
            If the stamp has other frames, or its background is off already.
        """
        if len(stamp) != len(self) or stamp.field != self.sky.field:
            raise InputError(f"{len(self)} backgrounds of {self.sky.field} do not fit {stamp!r}")
        if stamp.background_subtracted:
            raise InputError(f"the background of {stamp!r} was subtracted already")
        spans = [(int(places[0]), int(places[-1])) for places in (stamp.rows, stamp.columns)]
        background = self.window(*spans)
        return replace(stamp, images=stamp.images - background, background=background, background_subtracted=True)

    def _slices(self, rows: Span, cols: Span) -> tuple[slice, slice]:
        slices = []
        for span, first, count in zip((rows, cols), self.sky.corner[::-1], self.sky.shape, strict=True):
            begin, end = span if span is not None else (first, first + count - 1)
            if not first <= begin <= end < first + count:
                raise InputError(f"pixels {begin} to {end} are not among {first} to {first + count - 1} of the frames")
            slices.append(slice(begin - first, end - first + 1))
        return slices[0], slices[1]


def measure_backgrounds(
    stack: FrameStack,
    stars: StarField | None = None,
    response: PixelResponse | None = None,
    *,
    shifts: NDArray[np.float64] | None = None,
    box: int = BOX,
    jump: float = JUMP,
    progress: Callable[[int, int], object] | None = None,
) -> BackgroundSeries:
    """Measure the background of every frame of a stack.

    Where stars and response are given, the stars are fitted once, to the mean of up to 16 good frames, jointly with
    its background; their light, moved with each frame, is taken off before the frame's background is measured.

    Parameters
    ----------
    stack : FrameStack
    stars : StarField, optional
        Placed on the stack's reference frame.
    response : PixelResponse, optional
        Without it, or without stars, the mode of the pixels is taken, which crowding pulls up.
    shifts : array (n, 2), optional
        How far each frame's stars lie from the reference frame's, columns and rows, px.
    box : int
        Side of the tiles, px.
    jump : float
        e-/s by which the residual of a block must differ from its mean over time to be flagged.
    progress : callable, optional
        Called with the number of frames done and of all.

    Returns
    -------
    BackgroundSeries

    Raises
    ------
    InputError
        If `shifts` does not fit the stack, or no frame holds any light.
    """
    if shifts is not None and np.shape(shifts) != (len(stack), 2):
        raise InputError(f"shifts have shape {np.shape(shifts)}; {len(stack)} frames need ({len(stack)}, 2)")
    sky = Sky(stack.field, stack.corner, stack.shape, box=box)
    mean = mean_of_frames(stack, sky, sample_of(stack))
    model = measure_jointly(sky, mean, stars, response)[1] if stars is not None and response is not None else None
    # Jumps are looked for in what a frame has over the mean image, both without their sky.
    starlit = mean - (_of(model, sky, mean, (0.0, 0.0)).image())
    hidden = model.masked if model is not None else starlit > _BRIGHT
    blocks = blocks_of(stack.shape)
    found: list[Background] = []
    counts = np.zeros(stack.shape, dtype=np.int32)
    residuals = np.empty((len(stack), *(len(edges) - 1 for edges in blocks.edges)), dtype=np.float16)
    for index in range(len(stack)):
        image = stack.image(index).science
        shift = (0.0, 0.0) if shifts is None else (float(shifts[index, 0]), float(shifts[index, 1]))
        background = _of(model, sky, image, shift)
        found.append(replace(background, used=None))
        if background.used is not None:
            counts += background.used
        residuals[index] = residual_of(
            np.asarray(image - background.image(), dtype=np.float32), starlit, hidden, blocks
        )
        if progress is not None:
            progress(index + 1, len(stack))
    usable = np.array([background.usable for background in found])
    return BackgroundSeries(
        sky=sky,
        nodes=np.stack([background.nodes for background in found]),
        node_errors=np.stack([background.node_errors for background in found]),
        glow=np.stack([background.glow for background in found]),
        used=counts > 0.5 * max(int(usable.sum()), 1),
        jumps=jumps_in(residuals, usable, jump),
        model=model,
    )


def _of(model: StarModel | None, sky: Sky, image: NDArray[Any], shift: tuple[float, float]) -> Background:
    if model is None:
        return sky.measure(image, keep_used=True)
    return sky.measure(
        image, starlight=model.image(shift), masked=model.masked, faintest=model.faintest, keep_used=True
    )


def sample_of(stack: FrameStack, among: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Indices of up to 16 good frames, spread over the stack, or over some of its frames."""
    every = np.arange(len(stack)) if among is None else among
    candidates = every[good(stack.quality[every], DEFAULT_MASK)]
    if not candidates.size:
        candidates = every
    return np.asarray(
        candidates[np.unique(np.linspace(0, len(candidates) - 1, min(_SAMPLE, len(candidates))).astype(int))]
    )


def mean_of_frames(stack: FrameStack, sky: Sky, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean of some frames, each freed of its sky, with the mean sky put back.

    Raises
    ------
    InputError
        If none of them holds any light.
    """
    total, number = np.zeros(stack.shape), np.zeros(stack.shape, dtype=np.int32)
    nodes: Any = 0.0
    glow: Any = 0.0
    usable = 0
    for index in chosen:
        image = science(stack.frames[index], stack.corner, stack.shape)
        background = sky.measure(image)
        if not background.usable:
            continue
        pixels = image - background.image()
        finite = np.isfinite(pixels)
        total += np.where(finite, pixels, 0.0)
        number += finite
        nodes, glow, usable = nodes + background.nodes, glow + background.glow, usable + 1
    if not usable:
        raise InputError(f"no frame of {stack.field} has pixels to measure a background on: all zero, or all NaN")
    with np.errstate(invalid="ignore"):
        mean = (total / number).astype(np.float32)
    return np.asarray(mean + sky.image(np.asarray(nodes) / usable, np.asarray(glow) / usable))
