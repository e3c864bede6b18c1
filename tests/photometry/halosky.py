"""A star too bright for its pixels, in memory: core, wings to 60 px, image motion, spilt charge, noise, exact truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tessellar import TIC, Field
from tessellar.photometry import Target
from tessellar.pixels import Stamp
from tessellar.simulate.detector import Exposure, bleed, variance


def exposure(cadence: float) -> Exposure:
    """How exposures of 2 s add up to so many seconds; of 20 s none is dropped."""
    frames = round(cadence / 2)
    return Exposure(cadence, frames, frames, frames, None) if cadence == 20 else Exposure(
        cadence, frames, round(0.8 * frames), 0.949 * frames, 10
    )  # fmt: skip


@dataclass(frozen=True)
class Sky:
    stamp: Stamp
    target: Target
    signal: np.ndarray


def bright_star(
    tmag: float = 3.0, *, count: int = 500, size: int = 45, signal: np.ndarray | None = None, gap: float = 0.0,
    cadence: float = 600.0, seed: int = 4, sky: float = 100.0, others: tuple[tuple[float, float, float], ...] = (),
    **changes: Any,
) -> Sky:  # fmt: skip
    """Make a stamp of `count` cadences.

    `others` are (column, row, magnitude) of stars at 0-based places; `gap` is days without data in the middle. The
    same seed gives the same motion and noise, whatever the signal is.
    """
    rng = np.random.default_rng(seed)
    time = 2000.0 + np.arange(count) * cadence / 86400
    time[count // 2 :] += gap
    relative = np.ones(count) if signal is None else np.asarray(signal)
    motion = np.cumsum(rng.normal(0, 0.002, (count, 2)), axis=0) + rng.normal(0, 0.004, (count, 2))
    motion = (motion - motion.mean(axis=0)).astype(np.float32)
    middle = size // 2 + 0.3
    light = np.full((count, size, size), sky, dtype=np.float32)
    spill = 12
    stars = [(middle, middle - 0.1, tmag, relative), *((*each, np.ones(count)) for each in others)]
    for column, row, magnitude, share in stars:
        flux = 10 ** (-0.4 * (magnitude - 20.44))
        y, x = np.mgrid[-spill : size + spill, :size] if magnitude < 7 else np.mgrid[:size, :size]
        column, row, y, x = np.float32(column), np.float32(row), y.astype(np.float32), x.astype(np.float32)
        shape = np.hypot(x[None] - column - motion[:, 0, None, None], y[None] - row - motion[:, 1, None, None])
        image = (flux * share)[:, None, None] * _response(shape)
        if magnitude < 7:
            image = bleed(image.astype(np.float32))[:, spill : spill + size]
        light += image.astype(np.float32)
    errors = np.sqrt(variance(light, 9.0, exposure(cadence)))
    images = light - np.float32(sky) + errors * rng.standard_normal(light.shape, dtype=np.float32)
    made: dict[str, Any] = {
        "images": images, "errors": errors, "background": np.full_like(light, sky), "time": time,
        "timecorr": np.zeros(count), "cadenceno": np.arange(1000, 1000 + count), "quality": np.zeros(count, np.int32),
        "corner": (601, 701), "field": Field(27, 1, 1), "cadence": cadence, "origin": "memory", "pos_corr": motion,
    }  # fmt: skip
    stamp = Stamp(**{**made, **changes})
    target = Target(tic=TIC(77), tmag=tmag, ra=10.0, dec=20.0, column=middle + 601, row=middle - 0.1 + 701)
    return Sky(stamp, target, relative)


def _response(r: np.ndarray) -> np.ndarray:
    """Share of the light in a pixel at distance r: 90 % in a Gaussian core, 10 % in wings that fall with the cube."""
    core = 0.9 * np.exp(-0.5 * (r / 0.9) ** 2) / (2 * np.pi * 0.9**2)
    return core + 0.1 * (1 + (r / 5.0) ** 2) ** -1.5 / (2 * np.pi * 25.0)
