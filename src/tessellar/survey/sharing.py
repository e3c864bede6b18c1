"""Who is skipped where several stars share a mask: the brightest keeps it.

It is decided when all outcomes are known, from the outcomes alone: the order in which they came
makes no difference.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tessellar.photometry.status import STATUS

#: Methods that separate a star's light from that of others, by fits of the pixel response: where the light of a star
#: is in another one's mask, what they give is its own all the same, and is not skipped.
SEPARATING = ("linpsf", "psf")


@dataclass(frozen=True)
class Sighting:
    """A star that was measured, by one method; a star may be sighted by several.

    Attributes
    ----------
    priority : int
        Its number in the to-do list.
    tic : int
    tmag : float
    light : object
        Hashable: stars of equal `light` (field, cadence, kind of pixels) can share a mask.
    status : STATUS
    sharing : tuple of int
        TIC ids of other stars whose light is in its mask.
    """

    priority: int
    tic: int
    tmag: float
    light: object
    status: STATUS
    sharing: tuple[int, ...] = ()


def skipped_by(sightings: Iterable[Sighting]) -> dict[int, int]:
    """Tell which stars are skipped, and for the sake of which.

    A star is skipped where it shares a mask with a brighter one that has a light curve and is not skipped itself.
    Two share a mask if the mask of either holds the other. Of equally bright ones, that of the lower TIC id stays.

    Parameters
    ----------
    sightings : iterable of Sighting
        In any order, of all methods that sum light in masks: an aperture may lie in the halo of a brighter star.

    Returns
    -------
    dict of int to int
        From the priority of a skipped star to that of the star which keeps the mask: the brightest that does.

    Examples
    --------
    A row of three, each in the mask of the next brighter one: the faintest one stays, for what held it is skipped.

    >>> from tessellar.photometry import STATUS
    >>> from tessellar.survey.sharing import Sighting, skipped_by
    >>> stars = [Sighting(1, 10, 8.0, "s1", STATUS.OK, (20,)), Sighting(2, 20, 9.0, "s1", STATUS.OK, (30,)),
    ...          Sighting(3, 30, 10.0, "s1", STATUS.OK)]
    >>> skipped_by(stars)
    {2: 1}
    """
    measured = sorted((each for each in sightings if each.status.has_light_curve), key=_brightness)
    here = {(each.light, each.tic): each for each in measured}
    together: Mapping[int, set[int]] = defaultdict(set)
    for each in measured:
        for tic in each.sharing:
            other = here.get((each.light, tic))
            if other is not None and other.priority != each.priority:
                together[each.priority].add(other.priority)
                together[other.priority].add(each.priority)
    kept: dict[int, int] = {}
    skipped: dict[int, int] = {}
    for place, each in enumerate(measured):
        brighter = [other for other in together[each.priority] if other in kept]
        if brighter:
            skipped[each.priority] = min(brighter, key=kept.__getitem__)
        else:
            kept[each.priority] = place
    return skipped


def _brightness(each: Sighting) -> tuple[float, int, int]:
    return math.inf if math.isnan(each.tmag) else each.tmag, each.tic, each.priority
