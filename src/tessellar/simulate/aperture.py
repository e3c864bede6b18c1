"""Which pixels belong to a star: the aperture with the best signal to noise, from the true images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Bits of the APERTURE image: collected, in the optimal aperture, used for the background, used for the centroid.
COLLECTED, OPTIMAL, BACKGROUND, CENTROID = 1, 2, 4, 8
#: Bit of each read-out A to D.
OUTPUTS = (32, 64, 128, 256)

# A pixel with less of the star's light than this stays out: it would add the motion of the
# image and other stars rather than light (SPOC takes 45 px for a star of T = 5.1, not the whole stamp).
_LEAST_SHARE = 1e-3


@dataclass(frozen=True)
class Aperture:
    """The optimal aperture of a star in one sector.

    Attributes
    ----------
    flags : int32 array, shape (rows, columns)
        As in the APERTURE image of the mission's files.
    flux_fraction : float
        Share of the star's light that falls into it (FLFRCSAP).
    crowding : float
        Share of the star in all starlight in it (CROWDSAP).
    """

    flags: NDArray[np.int32]
    flux_fraction: float
    crowding: float

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Pixels of the optimal aperture."""
        result: NDArray[np.bool_] = (self.flags & OPTIMAL) > 0
        return result


def optimal_aperture(
    target: NDArray[np.floating],
    scene: NDArray[np.floating],
    variance: NDArray[np.floating],
    flux: float,
    output: int,
) -> Aperture:
    """Choose the pixels whose sum has the best signal to noise.

    Pixels join in the order of their own signal to noise, as long as they touch the
    others and the ratio of the sum grows.

    Parameters
    ----------
    target, scene : array, shape (rows, columns)
        Mean light of the star alone, and of all stars, e-/s.
    variance : array, shape (rows, columns)
        Of one cadence, (e-/s)**2.
    flux : float
        All light of the star, wherever it falls, e-/s.
    output : int
        Read-out of the CCD, 0 to 3 for A to D.
    """
    order = np.argsort(-(target / np.sqrt(variance)), axis=None, kind="stable")
    light = np.cumsum(target.ravel()[order])
    ratio = light / np.sqrt(np.cumsum(variance.ravel()[order]))
    chosen = np.zeros(target.size, dtype=bool)
    chosen[order[: int(np.argmax(ratio)) + 1]] = True
    chosen[target.ravel() < _LEAST_SHARE * flux] = False
    chosen[order[0]] = True
    mask = _joined(chosen.reshape(target.shape), int(order[0]))
    flags = np.full(target.shape, COLLECTED | OUTPUTS[output], dtype=np.int32)
    flags[mask] |= OPTIMAL | CENTROID
    dark = ~mask & (scene <= np.quantile(scene, 0.25))
    flags[dark] |= BACKGROUND
    inside = float(target[mask].sum())
    return Aperture(flags, inside / flux, inside / float(scene[mask].sum()))


def _joined(chosen: NDArray[np.bool_], first: int) -> NDArray[np.bool_]:
    """Chosen pixels that hang together, side by side, with the first one."""
    grown = np.zeros_like(chosen)
    grown.flat[first] = True
    while True:
        wider = grown.copy()
        wider[1:] |= grown[:-1]
        wider[:-1] |= grown[1:]
        wider[:, 1:] |= grown[:, :-1]
        wider[:, :-1] |= grown[:, 1:]
        wider &= chosen
        if np.array_equal(wider, grown):
            return grown
        grown = wider
