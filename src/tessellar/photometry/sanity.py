"""Is this flux a star's? Reasons to refuse or to doubt a light curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tessellar.photometry.metrics import METRICS, Sample
from tessellar.photometry.status import STATUS

if TYPE_CHECKING:
    from tessellar.photometry.target import Target

# A star brighter than this cannot have negative flux: even a blank background error is far below its light.
BRIGHT_TMAG = 10.0
# Flux may differ from the magnitude's promise by this factor either way (neighbours and lost light both happen).
FLUX_FACTOR = 10.0
# Part of the flux on the stamp's border above which light is being lost there.
EDGE_FRACTION = 0.05


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a light curve, and how bad it is."""

    status: STATUS
    reason: str


def findings(sample: Sample, target: Target, zero_point: float) -> Iterator[Finding]:
    """Look at a light curve as a sceptic would.

    ERROR: no good cadence; median flux not positive and T < 10. WARNING: median flux not positive; flux more than
    10 times above or below ``10**(-0.4 (T - zero_point))``; no uncertainties; more than 5 % of the flux in mask pixels
    on the stamp's border.

    Parameters
    ----------
    sample : Sample
        The good cadences.
    target : Target
    zero_point : float
        Magnitude of a star that gives 1 e-/s.
    """
    if not sample.flux.size:
        yield Finding(STATUS.ERROR, "no good cadence: all are flagged, or have no time or no flux in the aperture")
        return
    flux = sample.mean_flux
    if not flux > 0:
        bright = target.tmag is not None and target.tmag < BRIGHT_TMAG
        told = f" for a star of Tmag {target.tmag:.2f}" if target.tmag is not None else ""
        yield Finding(STATUS.ERROR if bright else STATUS.WARNING, f"the median flux is {flux:.4g} e-/s{told}")
    expected = target.expected_flux(zero_point)
    if expected is not None and flux > 0 and not 1 / FLUX_FACTOR <= flux / expected <= FLUX_FACTOR:
        yield Finding(
            STATUS.WARNING,
            f"the median flux of {flux:.4g} e-/s is {flux / expected:.3g} times what Tmag {target.tmag:.2f} promises",
        )
    if not (sample.flux_err > 0).any():
        yield Finding(STATUS.WARNING, "no good cadence has an uncertainty")
    edge = METRICS["edge_flux"].compute(sample) / flux if flux > 0 else 0.0
    if edge > EDGE_FRACTION:
        yield Finding(STATUS.WARNING, f"{edge:.0%} of the flux is on the stamp's border: light is lost there")
