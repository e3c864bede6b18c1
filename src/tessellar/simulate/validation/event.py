"""One threshold-crossing event of a run: all that the report, the time series and the pages tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate.signals import EclipsingBinary
from tessellar.simulate.validation.difference import Difference, Offset, difference_of, mean_offset
from tessellar.simulate.validation.fit import Fit, fit_transits, fit_trapezoid, transit_model, unfitted
from tessellar.simulate.validation.search import Detection, SingleEvents, detect, single_events
from tessellar.simulate.validation.sighting import phases
from tessellar.simulate.validation.stitched import Stitched, detrended

FloatArray = NDArray[np.float64]

#: Impact parameters that the reduced fits hold.
REDUCED_IMPACTS = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Outcome:
    """Outcome of a test; a significance of -1 says that it was not made."""

    value: float
    significance: float


NOT_MADE = Outcome(0.0, -1.0)


@dataclass(frozen=True)
class Event:
    """What a run found on a star.

    Attributes
    ----------
    stitched : Stitched
        The light curve that was searched.
    flux : array, shape (n,)
        The same without slow variation.
    singles : tuple of SingleEvents
        Single-event statistics of every trial duration.
    detection : Detection
        The search's own numbers.
    transits, odd, even, trapezoid : Fit
        Fits; those of transits not converged where an eclipsing binary is suspected.
    reduced : tuple of Fit
        With the impact parameter held.
    odd_even : Outcome
        Whether odd and even transits are equally deep.
    core, halo : Outcome
        Whether the light of the aperture, and that about it, shows the transits.
    differences : tuple of Difference
        Difference images, a sector each.
    from_control, from_catalogue : Offset or None
        Mean offsets of the place where light goes missing.
    """

    stitched: Stitched
    flux: FloatArray
    singles: tuple[SingleEvents, ...]
    detection: Detection
    transits: Fit
    odd: Fit
    even: Fit
    trapezoid: Fit
    reduced: tuple[Fit, ...]
    odd_even: Outcome
    core: Outcome
    halo: Outcome
    differences: tuple[Difference, ...]
    from_control: Offset | None
    from_catalogue: Offset | None

    @property
    def binary(self) -> bool:
        """Whether an eclipsing binary is suspected: no transit model was fitted."""
        return not self.transits.converged

    @property
    def best(self) -> Fit:
        """The fit whose numbers count."""
        return self.trapezoid if self.binary else self.transits

    @property
    def model(self) -> FloatArray:
        """Relative flux minus 1 of the best fit."""
        return transit_model(self.stitched, self.best)


def validate(stitched: Stitched) -> Event | None:
    """Search a star's light curve and test what is found; None if nothing is."""
    flux = detrended(stitched)
    singles = single_events(stitched, flux)
    detection = detect(stitched, singles)
    if detection is None:
        return None
    trapezoid = fit_trapezoid(stitched)
    if isinstance(stitched.star.signal, EclipsingBinary):
        transits, odd, even = (unfitted(stitched, kind) for kind in ("ALL", "ODD", "EVEN"))
        reduced: tuple[Fit, ...] = ()
    else:
        transits, odd, even = (fit_transits(stitched, kind) for kind in ("ALL", "ODD", "EVEN"))
        reduced = tuple(fit_transits(stitched, "REDUCED_PARAMETER", impact) for impact in REDUCED_IMPACTS)
    differences = tuple(found for each in stitched.sightings if (found := difference_of(each)) is not None)
    return Event(
        stitched, flux, singles, detection, transits, odd, even, trapezoid, reduced, _odd_even(odd, even),
        *_ghosts(stitched), differences,
        mean_offset([each.from_control for each in differences]) if differences else None,
        mean_offset([each.from_catalogue for each in differences]) if differences else None,
    )  # fmt: skip


def _odd_even(odd: Fit, even: Fit) -> Outcome:
    if not (odd.converged and even.converged):
        return NOT_MADE
    name = "transitDepthPpm"
    value = (odd[name] - even[name]) ** 2 / (odd.error(name) ** 2 + even.error(name) ** 2)
    return Outcome(float(value), erfc(sqrt(value / 2)))


def _ghosts(stitched: Stitched) -> tuple[Outcome, Outcome]:
    """Correlate the light of the aperture, and of the pixels about it, with the transits."""
    tests = []
    for name in ("core", "halo"):
        correlation = power = 0.0
        for sighting in stitched.sightings:
            flux = getattr(sighting, name)
            usable = np.isfinite(flux) & np.isfinite(sighting.flux)
            phase, _ = phases(sighting.btjd[usable], sighting.star.signal)
            dark = np.abs(phase) < 0.4 * sighting.star.signal.duration
            bright = np.abs(phase) > 0.75 * sighting.star.signal.duration
            if not dark.any() or bright.sum() < 10:
                continue
            level = np.median(flux[usable][bright])
            spread = 1.4826 * np.median(np.abs(flux[usable][bright] - level))
            correlation += float((level - flux[usable][dark]).sum() / spread)
            power += float(dark.sum())
        value = correlation / np.sqrt(power) if power else 0.0
        tests.append(Outcome(float(value), 0.5 * erfc(-value / sqrt(2))) if power else NOT_MADE)
    return tests[0], tests[1]
