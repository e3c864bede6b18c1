"""What every method needs of a band: its pixels, its stars and where they are, its noise, its good cadences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.apertures.choosing import PRESENT
from tessellar.photometry.engine.kernels import compiled
from tessellar.photometry.engine.light import LightNoise, light_noise, mean_sky
from tessellar.photometry.fitting.starfit import saturated_pixels

if TYPE_CHECKING:
    from tessellar.photometry.engine.reading import Window
    from tessellar.pixels import PreparedField
    from tessellar.pixels.response import GriddedResponse
    from tessellar.pixels.stars import StarField

Array = NDArray[np.float64]
Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class BandSky:
    """Pixels and stars of a band.

    Attributes
    ----------
    field : PreparedField
    window : Window
        Pixels of its rows and some about them.
    good : boolean array (n,)
        Cadences that count in means and metrics.
    stars : StarField
        All whose light may fall on the pixels.
    flux : array (k,)
        Their light in the mean, e-/s.
    wanted : int64 array (m,)
        Which of them are to be measured.
    noise : LightNoise
    sky : float32 array (rows, cols)
        Mean background, e-/s.
    image : float32 array (rows, cols)
        Mean of the good cadences without background, e-/s.
    present : boolean array (rows, cols)
        Pixels that have a value in nearly all good cadences.
    """

    field: PreparedField
    window: Window
    good: NDArray[np.bool_]
    stars: StarField
    flux: Array
    wanted: NDArray[np.int64]
    noise: LightNoise
    sky: Float
    image: Float
    present: NDArray[np.bool_]

    @classmethod
    def of(cls, field: PreparedField, window: Window, use: NDArray[np.bool_], wanted: NDArray[np.int64]) -> BandSky:
        """Gather it; `wanted` are indices among the field's stars."""
        stars = field.stars
        assert stars is not None
        reach = 3 * field.responses[0].reach
        (left, bottom), (high, wide) = window.corner, window.shape
        near = (stars.row > bottom - reach) & (stars.row < bottom + high + reach)
        near &= (stars.column > left - reach) & (stars.column < left + wide + reach)
        chosen = np.flatnonzero(near)
        some = use if use.any() else window.exposed
        frames = np.flatnonzero(some)
        total, number = np.zeros(len(window.pixels)), np.zeros(len(window.pixels), dtype=np.int32)
        _sum_frames(window.pixels, frames, total, number)
        with np.errstate(invalid="ignore"):
            image = (total / number).astype(np.float32).reshape(window.shape)
        rows = (bottom, bottom + high - 1)
        return cls(
            field=field,
            window=window,
            good=use,
            stars=stars.chosen(chosen),
            flux=np.asarray(field.fluxes, dtype=np.float64)[chosen],
            wanted=np.searchsorted(chosen, wanted),
            noise=light_noise(field, rows),
            sky=mean_sky(field, rows, some),
            image=image,
            present=(number >= PRESENT * max(len(frames), 1)).reshape(window.shape) & bool(len(frames)),
        )

    @cached_property
    def kernels(self) -> Array:
        """Affine movement of every frame, (n, 6)."""
        return self.field.pointing.filled_kernels()

    def response(self, segment: int) -> GriddedResponse:
        """The response in a part of the sector."""
        responses = self.field.responses
        return responses[0 if len(responses) == 1 else segment]

    @cached_property
    def saturated(self) -> NDArray[np.bool_]:
        """Pixels that are saturated in the mean, or next to such along the column."""
        return saturated_pixels(np.asarray(self.image + self.sky, dtype=np.float64))

    @cached_property
    def variance(self) -> Float:
        """Variance of the pixels in the mean of the good cadences, (e-/s)**2."""
        return self.noise.variance(np.nan_to_num(self.image) + self.sky)

    def moved(self) -> tuple[Float, Float]:
        """Movement of the wanted stars in every frame: columns and rows, (m, n) each, px."""
        k = self.kernels
        column, row = self.stars.column[self.wanted, None], self.stars.row[self.wanted, None]
        x = k[:, 0] * column + k[:, 1] * row + k[:, 2] - column
        y = k[:, 3] * column + k[:, 4] * row + k[:, 5] - row
        return x.astype(np.float32), y.astype(np.float32)


def _sum_frames(pixels: Float, frames: NDArray[np.int64], total: Array, number: NDArray[np.int32]) -> None:
    compiled("time_sums")(pixels, frames, total, number)
