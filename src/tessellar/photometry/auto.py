"""Which method when: an aperture first, and another one where the outcome says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from tessellar.photometry.method import METHODS, Settings
from tessellar.photometry.result import Result

if TYPE_CHECKING:
    from tessellar.photometry.method import PhotometryMethod
    from tessellar.photometry.target import Target
    from tessellar.pixels import Stamp, Surroundings

#: Stars this bright go to the halo where their aperture loses light, or fails (as in TASOC's pipeline).
HALO_TMAG = 6.0
#: Part of the expected flux on the stamp's border that is light lost.
EDGE_LIMIT = 0.01
#: Stars fainter than this are not saturated: a fit of the pixel response is true to them.
FIT_TMAG = 7.0
#: Part of the aperture's flux from other stars above which all stars are fitted together.
CONTAMINATION_LIMIT = 0.1
#: A star is blended with one this near, px, that is at most so many magnitudes fainter.
BLEND_RADIUS, BLEND_TMAG = 1.5, 2.5


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the choice is made by: the star, and what its aperture gave.

    Parameters
    ----------
    tmag : float or None
        TESS magnitude.
    measured : bool
        Whether the aperture gave a light curve.
    edge_fraction : float
        Flux of the aperture's pixels on the stamp's border, over the flux that the magnitude promises; NaN if unknown.
    contamination : float
        Part of the aperture's flux from other stars; NaN if unknown.
    blend : float
        Distance of the nearest star that is at most 2.5 mag fainter, px; infinite without one.
    response : bool
        Whether the pixel response and the stars about are known.
    """

    tmag: float | None
    measured: bool
    edge_fraction: float = float("nan")
    contamination: float = float("nan")
    blend: float = float("inf")
    response: bool = False


def choose_method(outcome: Outcome) -> tuple[str, str]:
    """Name the method for a star, and why: the first rule that holds.

    1. T <= 6, and the aperture gave no light curve: ``halo``.
    2. T <= 6, and more than 1 % of the expected flux lies on the stamp's border: ``halo``.
    3. T > 7, the response is known, and the aperture gave no light curve: ``linpsf``.
    4. T > 7, the response is known, and another star of at most 2.5 mag less lies within 1.5 px: ``linpsf``.
    5. T > 7, the response is known, and more than 10 % of the aperture's flux is other stars': ``linpsf``.
    6. Else ``aperture``.

    Examples
    --------
    >>> from tessellar.photometry.auto import Outcome, choose_method
    >>> choose_method(Outcome(tmag=3.0, measured=True, edge_fraction=0.034))
    ('halo', '3.4% of the expected flux is on the stamp border')
    >>> choose_method(Outcome(tmag=11.0, measured=True, contamination=0.02))
    ('aperture', 'no rule asks for another method')
    """
    tmag = outcome.tmag
    if tmag is not None and tmag <= HALO_TMAG:
        if not outcome.measured:
            return "halo", "no aperture gives a light curve of this bright star"
        if outcome.edge_fraction > EDGE_LIMIT:
            return "halo", f"{outcome.edge_fraction:.1%} of the expected flux is on the stamp border"
    if tmag is not None and tmag > FIT_TMAG and outcome.response:
        if not outcome.measured:
            return "linpsf", "no aperture gives a light curve"
        if outcome.blend < BLEND_RADIUS:
            return "linpsf", f"a star alike lies {outcome.blend:.1f} px away"
        if outcome.contamination > CONTAMINATION_LIMIT:
            return "linpsf", f"{outcome.contamination:.0%} of the aperture's flux is other stars'"
    return "aperture", "no rule asks for another method"


class AutoPhotometry:
    """Measure with an aperture, and with another method where `choose_method` says so.

    The result is that of the method chosen, and is named after it; its header says that and why (AUTOMETH, AUTOWHY),
    and ``edge_flux`` stays the aperture's. Where the method chosen gives no light curve and the aperture gave one, that
    is the result.

    Parameters
    ----------
    methods : mapping of str to callable, optional
        Makers of methods by name; those of `METHODS` if not given.
    """

    name = "auto"

    def __init__(self, methods: Mapping[str, Callable[[], PhotometryMethod]] | None = None) -> None:
        self._methods = METHODS if methods is None else methods

    def run(self, stamp: Stamp, target: Target, stars: Surroundings | None, settings: Settings) -> Result:
        """Measure `target` in `stamp`; see `PhotometryMethod.run`."""
        first = self._methods["aperture"]().run(stamp, target, stars, settings)
        chosen, why = choose_method(outcome_of(first, stars))
        if chosen == first.method:
            return _told(first, chosen, why)
        other = self._methods[chosen]().run(stamp, target, stars, settings)
        if other.status.has_light_curve:
            if "edge_flux" in first.metrics:
                metrics = {**other.metrics, "edge_flux": first.metrics["edge_flux"]}
                other = replace(other, metrics=MappingProxyType(metrics))
            if first.grow is not None:
                # On a larger stamp the aperture may do after all; where there is none, this result stands as it is.
                other = replace(other, grow=other.grow or replace(first.grow, needed=False))
            return _told(other, chosen, why)
        kept = replace(first, reasons=(*first.reasons, f"{chosen}: {other.reason}"))
        return _told(kept, first.method, f"{chosen} gave no light curve: the aperture is kept")


def outcome_of(result: Result, stars: Surroundings | None) -> Outcome:
    """What a choice is made by, from the result of an aperture and the stars about it."""
    target = result.target
    expected = target.expected_flux(result.settings.zero_point)
    edge = result.metrics.get("edge_flux", float("nan"))
    return Outcome(
        tmag=target.tmag,
        measured=result.status.has_light_curve,
        edge_fraction=edge / expected if expected else float("nan"),
        contamination=result.metrics.get("contamination", float("nan")),
        blend=_nearest_alike(target, stars),
        response=stars is not None and bool(stars.responses),
    )


def _nearest_alike(target: Target, stars: Surroundings | None) -> float:
    own = None if stars is None or target.tic is None else stars.index(int(target.tic))
    if stars is None or own is None or target.tmag is None:
        return float("inf")
    distance = np.hypot(stars.column - stars.column[own], stars.row - stars.row[own])
    alike = (stars.tmag <= target.tmag + BLEND_TMAG) & (np.arange(len(stars)) != own)
    return float(distance[alike].min()) if alike.any() else float("inf")


def _told(result: Result, chosen: str, why: str) -> Result:
    cards = {**result.cards, "AUTOMETH": (chosen, "method that auto chose"), "AUTOWHY": (why, "")}
    return replace(result, cards=MappingProxyType(cards))
