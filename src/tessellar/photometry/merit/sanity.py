"""Is this flux a star's? Reasons to refuse or to doubt a light curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.mission.ccd import FIRST_ROW, LAST_ROW
from tessellar.photometry.apertures.watershed import SATURATED
from tessellar.photometry.merit.expected import mask_size_bounds
from tessellar.photometry.merit.metrics import METRICS, Sample
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


# Part of the light in an aperture that must be the target's.
OWN_SHARE = 0.5
# Part of a stamp's collected pixels above which an aperture has swallowed it.
_EVERYTHING = 0.9


def findings(sample: Sample, target: Target, zero_point: float) -> Iterator[Finding]:
    """Look at a light curve as a sceptic would.

    ERROR: no good cadence; median flux not positive and T < 10. WARNING: median flux not positive; flux more than
    10 times above or below ``10**(-0.4 (T - zero_point))``; no uncertainties; more than 5 % of the flux in mask pixels
    on the stamp's border; less than half of the light in the aperture the target's.

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
    if sample.crowdsap < OWN_SHARE:
        yield Finding(STATUS.WARNING, f"only {sample.crowdsap:.0%} of the light in the aperture is the target's")


def aperture_findings(
    mask: NDArray[np.bool_],
    image: NDArray[np.float64],
    *,
    kind: str,
    corner: tuple[int, int],
    tmag: float | None,
    frames: bool,
) -> Iterator[Finding]:
    """Look at an aperture as a sceptic would.

    ERROR: no pixel, or every pixel that has a value. WARNING: nine tenths of these; saturated pixels at the border of
    the stamp or at either end of a CCD column, over which their charge is lost; of masks found in the image
    (threshold, watershed) also sizes that TASOC's data validation would not accept for the magnitude
    (`tessellar.photometry.merit.expected.mask_size_bounds`).

    Parameters
    ----------
    mask : boolean array (rows, cols)
    image : array (rows, cols)
        Mean image of the good cadences, e-/s.
    kind : str
        Of the aperture, as `tessellar.photometry.apertures.choosing.Choice` has it.
    corner : (int, int)
        CCD column and row of pixel [0, 0], 1-based.
    tmag : float or None
    frames : bool
        Whether the pixels come from full-frame images: their masks may be larger than those of target pixel files.
    """
    there = np.isfinite(image)
    size, all_there = int(mask.sum()), int(there.sum())
    if size == 0 or (size >= all_there and all_there > 1 and not (there & ~mask).any()):
        what = "no pixel" if size == 0 else f"every pixel that has a value ({size})"
        yield Finding(STATUS.ERROR, f"the aperture is {what}: it tells no star from its surroundings")
        return
    if size > _EVERYTHING * all_there:
        yield Finding(STATUS.WARNING, f"the aperture is {size} of the {all_there} pixels that have a value")
    with np.errstate(invalid="ignore"):
        full = mask & (image > SATURATED)
    ends = [(0, corner[1] <= FIRST_ROW), (-1, corner[1] + mask.shape[0] - 1 >= LAST_ROW)]
    for line, at_the_end in ends:
        if not full[line].any():
            continue
        where = "the end of its CCD column" if at_the_end else "the border of the stamp"
        yield Finding(STATUS.WARNING, f"the star's charge bleeds to {where}, and is lost beyond it")
    if tmag is not None and kind in ("threshold", "watershed"):
        least, most = mask_size_bounds(tmag, "ffi" if frames else "tpf")
        if not least <= size <= most:
            word = f"fewer than {least:.0f}" if size < least else f"more than {most:.0f}"
            yield Finding(STATUS.WARNING, f"the mask of {size} pixels has {word}, unusual for Tmag {tmag:.2f}")
