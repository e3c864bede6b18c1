"""The pixels of one star's stamp as BasePhotometry gives them, kept or read anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError

if TYPE_CHECKING:
    from tessellar.photometry.limits import StampLimits
    from tessellar.photometry.scene import Scene
    from tessellar.photometry.target import Target
    from tessellar.pixels import Stamp

CACHES = ("none", "basic", "full")


class StampPixels:
    """Stamps of one target, and cubes of them.

    Parameters
    ----------
    scene : Scene
    target : Target
    limits : StampLimits
        The stamp to begin with.
    cache : {"none", "basic", "full"}
        ``none``: pixels are read anew whenever they are asked for. ``basic``: those of the present stamp are kept.
        ``full``: also those of larger stamps before, so that a smaller one is read from memory.
    """

    def __init__(self, scene: Scene, target: Target, limits: StampLimits, cache: str = "basic") -> None:
        if cache not in CACHES:
            raise InputError(f"invalid cache: {cache!r}; choose {', '.join(CACHES)}")
        self._scene, self._target, self.cache = scene, target, cache
        self._limits = limits
        self._widest: tuple[StampLimits, Stamp] | None = None
        self._kept: dict[str, Any] = {}

    @property
    def limits(self) -> StampLimits:
        """The present stamp; setting it forgets what was kept of another."""
        return self._limits

    @limits.setter
    def limits(self, limits: StampLimits) -> None:
        if limits != self._limits:
            self._limits = limits
            self._kept.clear()

    def clear(self) -> None:
        """Forget all that was read."""
        self._kept.clear()
        self._widest = None

    @property
    def stamp(self) -> Stamp:
        """The present stamp."""
        stamp: Stamp = self._keep("stamp", self._cut)
        return stamp

    def cube(self, name: str) -> NDArray[np.float32]:
        """Images, errors or background as (rows, cols, times), float32 of the machine's byte order; read-only."""

        def make() -> NDArray[np.float32]:
            cube = np.moveaxis(np.asarray(getattr(self.stamp, name), dtype=np.float32), 0, -1)
            cube.flags.writeable = False
            return cube

        made: NDArray[np.float32] = self._keep(name, make)
        return made

    def each(self, name: str) -> Iterator[NDArray[np.float32]]:
        """One image after the other, (rows, cols)."""
        for image in getattr(self.stamp, name):
            yield np.asarray(image, dtype=np.float32)

    def flags(self) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Times at the spacecraft of the CCD's frames, and their flags, (frames, rows, cols)."""
        made: tuple[NDArray[np.float64], NDArray[np.uint8]] = self._keep(
            "flags", lambda: self._scene.pixel_flags(self.stamp)
        )
        return made

    def each_flags(self) -> Iterator[NDArray[np.uint8]]:
        """For each time of the stamp the flags in the frame next to it; zeros where no frames are known."""
        stamp, (times, flags) = self.stamp, self.flags()
        if not len(times):
            for _ in range(len(stamp)):
                yield np.zeros(stamp.shape, dtype=np.uint8)
            return
        # A cadence without a time is next to the first frame: it has no pixels either.
        wanted = np.nan_to_num(stamp.time - stamp.timecorr, nan=times[0])
        after = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
        before = after - 1
        after = np.minimum(after, len(times) - 1)
        for index in np.where(wanted - times[before] <= times[after] - wanted, before, after):
            yield flags[index]

    def mean_image(self, quality: str) -> NDArray[np.float64]:
        """Mean of the good cadences."""
        made: NDArray[np.float64] = self._keep(f"mean {quality}", lambda: self._scene.mean_image(self.stamp, quality))
        return made

    def _cut(self) -> Stamp:
        if self._widest is not None and self._limits.lies_in(self._widest[0]):
            return self._widest[1].window(self._limits.rows, self._limits.cols)
        stamp = self._scene.stamp(self._limits, self._target)
        if self.cache == "full":
            self._widest = self._limits, stamp
        return stamp

    def _keep(self, name: str, make: Any) -> Any:
        if self.cache == "none":
            return make()
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]
