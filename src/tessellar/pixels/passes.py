"""The two passes over the frames of a field: where the stars are, then what the sky is.

Frames are worked on by some threads at a time and taken in their order, so that sums do
not depend on who was first; after every part of them the results are kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tessellar.mission.flags import DEFAULT_MASK, good
from tessellar.pixels.background import Background, Sky
from tessellar.pixels.frames import science
from tessellar.pixels.jumps import blocks_of, residual_of
from tessellar.pixels.quality import Excluded, excluded_pixels
from tessellar.progress import Event, Listener

if TYPE_CHECKING:
    from tessellar.pixels.checkpoints import Checkpoints
    from tessellar.pixels.pointing import PointingMeter
    from tessellar.pixels.stack import FrameStack
    from tessellar.pixels.starmodel import StarModel

T = TypeVar("T")
Array = NDArray[np.float64]

# Results are kept after as many frames as have about so many pixels.
_PART_PIXELS = 1 << 27
_PART_FRAMES = (8, 128)
# Frames that may wait for their turn.
_AHEAD = 3


@dataclass(frozen=True, eq=False)
class Scene:
    """What is known of one part of the sector before its frames are gone through.

    Attributes
    ----------
    model : StarModel or None
        The stars on the mean image of the part.
    kernel : array (6,)
        Mean movement of the part's sample against the reference frame.
    starlight : array (rows, columns)
        The mean image without its sky: what stars, known or not, add.
    hidden : boolean array (rows, columns)
        Pixels with too much of it to see the sky.
    """

    model: StarModel | None
    kernel: Array
    starlight: NDArray[np.float32]
    hidden: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Survey:
    """What the second pass found: per frame, and summed over the frames."""

    nodes: NDArray[np.float32]
    node_errors: NDArray[np.float32]
    glow: NDArray[np.float32]
    residuals: NDArray[np.float16]
    mean_image: NDArray[np.float32]
    used: NDArray[np.bool_]


def part_size(shape: tuple[int, int]) -> int:
    """Frames of some shape after which results are kept."""
    return int(np.clip(_PART_PIXELS // (shape[0] * shape[1]), *_PART_FRAMES))


def parts_of(stack: FrameStack) -> list[tuple[int, int]]:
    """First and end index of the parts that are kept together."""
    size = part_size(stack.shape)
    return list(pairwise([*range(0, len(stack), size), len(stack)]))


def first_pass(
    stack: FrameStack, meter: PointingMeter, kept: Checkpoints, pool: ThreadPoolExecutor, listener: Listener
) -> Array:
    """Places of the bright stars in every frame, (n, stars, 2)."""
    places = np.full((len(stack), *meter.shape), np.nan)
    for first, end in parts_of(stack):
        name = f"places-{first:06d}"
        part = kept.load(name)
        if part is None:
            images = _ahead(pool, lambda index: meter.places(_pixels(stack, index)), range(first, end))
            part = {"places": np.stack(list(images))}
            kept.save(name, part)
        places[first:end] = part["places"]
        listener(Event("pointing", end, len(stack), "frames", finished=end == len(stack)))
    return places


@dataclass(frozen=True, eq=False, kw_only=True)
class SecondPass:
    """Background of every frame, mean image, and what blocks of pixels show beyond both.

    Attributes
    ----------
    stack : FrameStack
    sky : Sky
    scene_of : callable
        Gives the scene of a part of the sector; asked in order, again after a while.
    segments : int array (n,)
        Part of the sector of each frame.
    kernels : array (n, 6)
        Movement of each frame against the reference frame.
    excluded : tuple of Excluded
    kept : Checkpoints
    pool : ThreadPoolExecutor
    listener : callable
    """

    stack: FrameStack
    sky: Sky
    scene_of: Callable[[int], Scene]
    segments: NDArray[np.int64]
    kernels: Array
    excluded: tuple[Excluded, ...]
    kept: Checkpoints
    pool: ThreadPoolExecutor
    listener: Listener

    def run(self) -> Survey:
        """Go through the frames, from where an earlier run was stopped."""
        parts = parts_of(self.stack)
        whole = [self.kept.has(f"sky-{first:06d}") and self.kept.has(f"sums-{first:06d}") for first, _ in parts]
        # Sums hold those of all frames before: what comes up to the last of them is done.
        done = max((number + 1 for number, there in enumerate(whole) if there), default=0)
        sums = _Sums(self.stack)
        if done:
            sums.take(self.kept.load(f"sums-{parts[done - 1][0]:06d}") or {})
        scenes: dict[int, Scene] = {}
        for number in range(done, len(parts)):
            first, end = parts[number]
            found = self._part(first, end, scenes, sums)
            self.kept.save(f"sky-{first:06d}", found)
            self.kept.save(f"sums-{first:06d}", sums.state())
            if number:
                self.kept.drop(f"sums-{parts[number - 1][0]:06d}")
        self.listener(Event("background", len(self.stack), len(self.stack), "frames", finished=True))
        rows = [self.kept.load(f"sky-{first:06d}") or {} for first, _ in parts]
        joined = {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}
        return Survey(mean_image=sums.mean(), used=sums.used_by_most(), **joined)

    def _part(self, first: int, end: int, scenes: dict[int, Scene], sums: _Sums) -> dict[str, NDArray[Any]]:
        for segment in [each for each in scenes if each < self.segments[first]]:
            del scenes[segment]
        for segment in np.unique(self.segments[first:end]).tolist():
            if segment not in scenes:
                scenes[segment] = self.scene_of(segment)
        usable = good(self.stack.quality, DEFAULT_MASK)
        results: list[tuple[Background, NDArray[np.float16]]] = []

        def look(index: int) -> tuple[NDArray[np.float32], Background, NDArray[np.float16]]:
            scene = scenes[int(self.segments[index])]
            return _look(self.stack, self.sky, scene, index, self.kernels[index], self.excluded)

        for index, (light, background, residual) in enumerate(_ahead(self.pool, look, range(first, end)), first):
            sums.add(light, background, bool(usable[index]))
            results.append((replace(background, used=None), residual))
            self.listener(Event("background", index + 1, len(self.stack), "frames"))
        return {
            "nodes": np.stack([background.nodes for background, _ in results]),
            "node_errors": np.stack([background.node_errors for background, _ in results]),
            "glow": np.stack([background.glow for background, _ in results]),
            "residuals": np.stack([residual for _, residual in results]),
        }


def _pixels(stack: FrameStack, index: int) -> NDArray[np.float32]:
    return science(stack.frames[index], stack.corner, stack.shape)


def _look(
    stack: FrameStack, sky: Sky, scene: Scene, index: int, kernel: Array, excluded: tuple[Excluded, ...]
) -> tuple[NDArray[np.float32], Background, NDArray[np.float16]]:
    """One frame: its pixels without sky, its background, and the residual of its blocks."""
    image = _pixels(stack, index)
    masked = excluded_pixels(excluded, index, stack.corner, stack.shape)
    if scene.model is None:
        background = sky.measure(image, masked=masked, keep_used=True)
    else:
        model = scene.model
        move = kernel - scene.kernel
        move[[0, 4]] += 1.0
        background = sky.measure(
            image,
            starlight=model.moved(move, stack.corner),
            masked=model.masked if masked is None else model.masked | masked,
            faintest=model.faintest,
            keep_used=True,
        )
    image -= background.image()
    return image, background, residual_of(image, scene.starlight, scene.hidden, blocks_of(stack.shape))


def _ahead(pool: ThreadPoolExecutor, work: Callable[[int], T], indices: range) -> Iterator[T]:
    """Results in order; some frames are worked on ahead, not so many that they fill the memory."""
    waiting: deque[Future[T]] = deque()
    try:
        for index in indices:
            waiting.append(pool.submit(work, index))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


class _Sums:
    """Sums over the frames so far, always added up in their order."""

    def __init__(self, stack: FrameStack) -> None:
        self.light = np.zeros(stack.shape)
        self.number = np.zeros(stack.shape, dtype=np.int32)
        self.used = np.zeros(stack.shape, dtype=np.int32)
        self.usable = 0

    def add(self, light: NDArray[np.float32], background: Background, in_mean: bool) -> None:
        if not background.usable or background.used is None:
            return
        self.usable += 1
        _adder()(self.light, self.number, self.used, light, background.used, in_mean)

    def state(self) -> dict[str, NDArray[Any]]:
        return {"light": self.light, "number": self.number, "used": self.used, "usable": np.array(self.usable)}

    def take(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.light, self.number, self.used = state["light"], state["number"], state["used"]
        self.usable = int(state["usable"])

    def mean(self) -> NDArray[np.float32]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self.light / self.number).astype(np.float32)

    def used_by_most(self) -> NDArray[np.bool_]:
        return np.asarray(self.used > 0.5 * max(self.usable, 1))


@cache
def _adder() -> Any:
    from numba import njit

    return njit(cache=True, nogil=True)(_add)


def _add(total, number, used, light, here, in_mean):  # type: ignore[no-untyped-def]
    """Add a frame to the sums. Compiled by numba."""
    for j in range(total.shape[0]):
        for k in range(total.shape[1]):
            used[j, k] += here[j, k]
            value = light[j, k]
            if in_mean and np.isfinite(value):
                total[j, k] += value
                number[j, k] += 1
