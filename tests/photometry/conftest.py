"""Small skies in memory, with known truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tessellar import TIC, Field
from tessellar.photometry import Target
from tessellar.pixels import Stamp

CORNER = (1619, 389)


def gaussian(shape: tuple[int, int], column: float, row: float, sigma: float = 0.9) -> Any:
    rows, cols = np.indices(shape)
    image = np.exp(-0.5 * ((cols - column) ** 2 + (rows - row) ** 2) / sigma**2)
    return image / image.sum()


@pytest.fixture(scope="session")
def make_stamp() -> Callable[..., Stamp]:
    """A star of `flux` e-/s in the middle of an 11 x 11 stamp, white noise of `noise` e-/s a pixel."""

    def make(
        flux: Any = 15000.0,
        *,
        count: int = 200,
        noise: float = 0.0,
        sky: Any = 0.0,
        subtracted: bool = True,
        place: tuple[float, float] = (5.0, 5.0),
        half: int = 2,
        seed: int = 1,
        cadence: float = 120.0,
        **other: Any,
    ) -> Stamp:
        rng = np.random.default_rng(seed)
        shape = (11, 11)
        star = gaussian(shape, *place)
        images = np.multiply.outer(np.broadcast_to(flux, count).astype(float), star)
        images += rng.normal(0.0, noise, images.shape) if noise else 0.0
        level = np.broadcast_to(sky, count).astype(float)[:, None, None] * np.ones(shape)
        aperture = np.ones(shape, dtype=np.int32)
        aperture[5 - half : 6 + half, 5 - half : 6 + half] |= 2 | 8
        values: dict[str, Any] = {
            "images": images if subtracted else images + level,
            "errors": np.full(images.shape, noise or 1.0),
            "background": level if subtracted else np.zeros(images.shape),
            "time": 1325.3 + np.arange(count) * cadence / 86400,
            "timecorr": np.full(count, 0.001),
            "cadenceno": 70444 + np.arange(count),
            "quality": np.zeros(count, dtype=np.int32),
            "corner": CORNER,
            "field": Field(1, 4, 1),
            "cadence": cadence,
            "origin": "memory",
            "aperture": aperture,
            "background_subtracted": subtracted,
        }
        return Stamp(**{**values, **other})

    return make


@pytest.fixture(scope="session")
def star() -> Target:
    """A star of Tmag 10, which promises 14,997 e-/s, in the middle of the stamp."""
    return Target(tic=TIC(25155310), tmag=10.0, column=CORNER[0] + 5.0, row=CORNER[1] + 5.0)
