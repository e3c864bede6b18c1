"""How large the noise of a pixel is: what the errors in the mission's files are worth, and a model where they lack.

The variance of a pixel grows with its light: ``(light + read) / time``, all light counted, in e-/s, with
``read = RN**2 / 1.98`` for a read noise of RN electrons in each exposure of 2 s. The time is that which the *noise*
is worth. On board, the lowest and the highest of every ten exposures are dropped: their mean keeps 0.8 of the time, but
has the variance of 9.49 exposures (order statistics of ten normal values), so that noise is worth 0.949 of the time.
The errors in the mission's files take the time that was kept, and are too large by ``sqrt(0.949 / 0.8)``, 1.089. Data
of 20 s lose no exposures, and nothing has to be mended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.pixels.averages import mean_image

if TYPE_CHECKING:
    from tessellar.pixels import Stamp

Array = NDArray[np.float64]

#: Seconds of light in an exposure of 2 s, by that: header words INT_TIME and READTIME.
LIT = 0.99
#: Share of the exposures that the on-board mitigation of cosmic rays keeps, and what their noise is worth.
KEPT, WORTH = 0.8, 0.949
#: Read noise of the four outputs is 7 to 11 e-; this is taken where the files do not tell (TESS Instrument Handbook).
READ_NOISE = 10.0
#: Seconds of light in one exposure, see `LIT`.
EXPOSURE = 1.98
#: Mitigated data are those of so many seconds or more (Instrument Handbook: not those of 20 s).
MITIGATED = 100.0
# The errors' own time over the cadence's: 0.74 to 0.75 in the mission's frames and 2-min files, 0.949 where they are
# honest, about 1 without mitigation; what lies outside was not made by this formula.
_FORMULA = (0.45, 0.87)
_SAMPLED = 24


@dataclass(frozen=True, eq=False)
class PixelNoise:
    """Honest noise of the pixels of a stamp.

    Attributes
    ----------
    variance : array (rows, cols)
        Mean variance of each pixel, (e-/s)**2; NaN where nothing is known of it.
    time : float
        Seconds: light that is added to a pixel, in e-/s, adds so much variance divided by it.
    scale : float
        By what the errors of the stamp were multiplied, see `error_scale`.
    """

    variance: Array
    time: float
    scale: float


def noise_time(cadence: float, *, mitigated: bool | None = None) -> float:
    """Seconds of light that the noise of one cadence is worth.

    Parameters
    ----------
    cadence : float
        Seconds from one cadence to the next.
    mitigated : bool, optional
        Whether the spacecraft dropped cosmic rays; by default it did in all but data of 20 s.

    Examples
    --------
    >>> from tessellar.photometry.merit.noise import noise_time
    >>> round(noise_time(1800), 1), round(noise_time(20), 1)
    (1691.1, 19.8)
    """
    dropped = cadence > MITIGATED if mitigated is None else mitigated
    return float(cadence) * LIT * (WORTH if dropped else 1.0)


def light_variance(
    rate: NDArray[Any] | float, cadence: float, *, read_noise: float = READ_NOISE, mitigated: bool | None = None
) -> Array:
    """Variance that a pixel should have, (e-/s)**2: shot noise and read noise.

    Parameters
    ----------
    rate : array
        All light that falls on it, sky included, e-/s; below 0 it counts as 0.
    cadence : float
        Seconds.
    read_noise : float
        Electrons in each exposure of 2 s.
    mitigated : bool, optional
        See `noise_time`.

    Examples
    --------
    >>> from tessellar.photometry.merit.noise import light_variance
    >>> float(light_variance(100.0, 1800).round(4))
    0.089
    """
    light = np.maximum(np.asarray(rate, dtype=np.float64), 0.0)
    return np.asarray((light + read_noise**2 / EXPOSURE) / noise_time(cadence, mitigated=mitigated))


def error_scale(stamp: Stamp) -> float:
    """Tell by what the errors of a stamp have to be multiplied to be those of its noise.

    The errors themselves tell: where they grow with the light as if 0.8 of the time counted (the mission's frames and
    2-min target pixel files; measured: 0.74 to 0.75, for the flat field is in it too) they are too large, and the
    answer is ``sqrt(0.8 / 0.949)``. Where they take the time that the noise is worth (simulated frames), or nothing was
    dropped (20 s), or they follow no such formula (arrays of other origin), it is 1.

    Parameters
    ----------
    stamp : Stamp
        With ``images``, ``background`` and ``errors``, of any source.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar import Field
    >>> from tessellar.photometry.merit.noise import error_scale
    >>> from tessellar.pixels import Stamp
    >>> light = np.linspace(100, 900, 60).reshape(3, 4, 5)
    >>> stamp = Stamp(images=light, errors=np.sqrt((light + 50) / (120 * 0.8 * 0.99)), background=0 * light,
    ...               time=np.arange(3.0), timecorr=np.zeros(3), cadenceno=np.arange(3), quality=np.zeros(3, int),
    ...               corner=(45, 1), field=Field(1, 4, 1), cadence=120.0, origin="memory")
    >>> round(error_scale(stamp), 4)
    0.9181
    """
    return told_scale(errors_time(stamp), stamp.cadence)


def errors_time(stamp: Stamp) -> float:
    """Seconds of light that the errors of a stamp take for granted: one over the growth of their squares with light.

    NaN where the errors do not grow with light.
    """
    some = np.unique(np.linspace(0, len(stamp) - 1, min(len(stamp), _SAMPLED)).round().astype(int))
    light = np.asarray(stamp.images[some], np.float64) + np.nan_to_num(np.asarray(stamp.background[some], np.float64))
    squares = np.asarray(stamp.errors[some], np.float64) ** 2
    # A cadence that was not exposed is all zeros in the files.
    known = np.isfinite(light) & np.isfinite(squares) & (squares > 0) & (light > 0)
    light, squares = light[known], squares[known]
    if light.size < 8 or np.ptp(light) <= 1e-3 * light.max():
        return float("nan")
    slope = float("nan")
    for _ in range(2):
        design = np.column_stack([light, np.ones_like(light)]) / squares[:, None]
        slope, base = np.linalg.lstsq(design, np.ones_like(light), rcond=None)[0]
        near = np.abs(slope * light + base - squares) < 0.2 * squares
        if near.sum() < 8:
            break
        light, squares = light[near], squares[near]
    return float(1.0 / slope) if slope > 0 else float("nan")


def pixel_noise(stamp: Stamp, use: NDArray[np.bool_] | None = None, told: float | None = None) -> PixelNoise:
    """Honest mean noise of a stamp's pixels, from its errors, and from its light where they lack.

    Parameters
    ----------
    stamp : Stamp
    use : boolean array (n,), optional
        The cadences to average over; all if not given.
    told : float, optional
        What `errors_time` says of the stamp, where that is known.
    """
    chosen = np.ones(len(stamp), dtype=bool) if use is None else use
    told = errors_time(stamp) if told is None else told
    scale = told_scale(told, stamp.cadence)
    with np.errstate(invalid="ignore"):
        variance = mean_image(np.square(stamp.errors, dtype=np.float64), chosen) * scale**2
    lacking = ~(variance > 0)
    if lacking.any():
        light = mean_image(stamp.images, chosen) + np.nan_to_num(mean_image(stamp.background, chosen))
        variance[lacking] = light_variance(light, stamp.cadence)[lacking]
    honest = noise_time(stamp.cadence)
    time = told / scale**2 if 0.5 * honest < told / scale**2 < 2 * honest else honest
    return PixelNoise(variance, time, scale)


def told_scale(told: float, cadence: float) -> float:
    """By what errors have to be multiplied that take `told` seconds (see `errors_time`) of a cadence for granted."""
    if cadence > MITIGATED and _FORMULA[0] < told / (cadence * LIT) < _FORMULA[1]:
        return float(np.sqrt(KEPT / WORTH))
    return 1.0
