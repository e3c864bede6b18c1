"""What BasePhotometry tells of its star and its file, out of headers and catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tessellar.mission.motion import move

if TYPE_CHECKING:
    from tessellar.photometry.scene import Scene
    from tessellar.photometry.target import Target

# Of ten exposures of 2 s the brightest and the faintest are left out on board, where cosmic rays are mitigated.
_BLOCK, _LEFT_OUT, _EXPOSURE = 10, 2, 2.0


def readouts(header: Mapping[str, Any], cadence: float) -> int:
    """Number of 2-s exposures that one cadence is the sum of.

    NREADOUT where the header tells it; else NUM_FRM exposures (or as many as go into the cadence), less two of each
    CRBLKSZ where cosmic rays are mitigated on board (CRMITEN).

    Examples
    --------
    >>> from tessellar.photometry.face.facts import readouts
    >>> readouts({"CRMITEN": True}, 1800.0), readouts({"CRMITEN": False}, 20.0), readouts({"NREADOUT": 48}, 120.0)
    (720, 10, 48)
    """
    told = header.get("NREADOUT")
    if isinstance(told, int) and not isinstance(told, bool):
        return told
    count = header.get("NUM_FRM")
    exposures = count if isinstance(count, int) and count > 0 else round(cadence / _EXPOSURE)
    if header.get("CRMITEN") is False:
        return exposures
    block = header.get("CRBLKSZ")
    size = block if isinstance(block, int) and block > _LEFT_OUT else _BLOCK
    return int(exposures * (1 - _LEFT_OUT / size))


def target_facts(scene: Scene, target: Target) -> dict[str, float | int | None]:
    """The star as a dict; what is not known is None.

    Keys: starid; tmag; ra, decl (ICRS degrees at the time of observation); ra_J2000, decl_J2000 (at 2000.0); pm_ra,
    pm_decl (mas/yr, of the true angle); teff (K). Prepared frames tell no more than magnitude and place of their stars.
    """
    facts: dict[str, float | int | None] = dict.fromkeys(
        ("starid", "tmag", "ra", "decl", "ra_J2000", "decl_J2000", "pm_ra", "pm_decl", "teff")
    )
    facts |= {"starid": None if target.tic is None else int(target.tic), "tmag": target.tmag}
    facts |= {"ra": target.ra, "decl": target.dec}
    header = scene.header
    if target.ra is None or target.dec is None or str(header.get("TICID")) != str(facts["starid"]):
        return facts
    own = {ours: _number(header.get(key)) for ours, key in (("pm_ra", "PMRA"), ("pm_decl", "PMDEC"), ("teff", "TEFF"))}
    times = scene.stamp().time
    known = times[np.isfinite(times)]
    if known.size:
        epoch = 0.5 * float(known.min() + known.max())
        ra, dec = move(target.ra, target.dec, own["pm_ra"] or 0.0, own["pm_decl"] or 0.0, epoch)
        facts |= {"ra": float(ra), "decl": float(dec)}
    return {**facts, **own, "ra_J2000": target.ra, "decl_J2000": target.dec}


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if np.isfinite(value) else None
