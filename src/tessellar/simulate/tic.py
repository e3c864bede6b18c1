"""The TESS Input Catalog (TIC) about a simulated sky: every star, and entries that are none.

Targets stand still, as their files say. Many of the stars about them move; their positions in the
catalogue are those of the year 2000, so that they stand in the middle of the first sector where the
images have them. A few have no proper motion, for the catalogue knows none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tessellar.simulate.stars import Sky, Star

if TYPE_CHECKING:
    from astropy.table import Table

TIC_FILE = "tic.ecsv"
#: First id of entries that are no stars of their own: duplicates and artefacts.
FIRST_OTHER_TIC = 9_900_200_001

#: Columns of the catalogue that are filled: name, unit, what it is. Names and units are those of MAST's service.
COLUMNS = (
    ("ID", "", "TIC id"),
    ("version", "", "version of the entry"),
    ("GAIA", "", "Gaia DR2 id"),
    ("objType", "", "STAR or EXTENDED"),
    ("typeSrc", "", "where the type is from"),
    ("ra", "deg", "right ascension, ICRS, epoch J2000.0"),
    ("dec", "deg", "declination, ICRS, epoch J2000.0"),
    ("POSflag", "", "where the position is from"),
    ("pmRA", "mas / yr", "proper motion in right ascension, on the sky"),
    ("e_pmRA", "mas / yr", "its error"),
    ("pmDEC", "mas / yr", "proper motion in declination"),
    ("e_pmDEC", "mas / yr", "its error"),
    ("PMflag", "", "where the proper motion is from"),
    ("GAIAmag", "mag", "G"),
    ("Tmag", "mag", "TESS magnitude"),
    ("e_Tmag", "mag", "its error"),
    ("TESSflag", "", "where the TESS magnitude is from"),
    ("Teff", "K", "effective temperature"),
    ("logg", "dex(cm / s2)", "log of the surface gravity"),
    ("MH", "", "metallicity"),
    ("rad", "solRad", "radius"),
    ("mass", "solMass", "mass"),
    ("lumclass", "", "luminosity class"),
    ("numcont", "", "sources that contaminate the aperture"),
    ("contratio", "", "their flux over that of the star"),
    ("disposition", "", "SPLIT, DUPLICATE or ARTIFACT; empty for most"),
    ("duplicate_id", "", "TIC id of the entry that counts, of a duplicate"),
    ("priority", "", "of the candidate target list"),
    ("objID", "", "number of the entry"),
    ("ra_orig", "deg", "right ascension at the source's epoch"),
    ("dec_orig", "deg", "declination at the source's epoch"),
)

_TEXT = {"ID", "version", "GAIA", "objType", "typeSrc", "POSflag", "PMflag", "TESSflag", "lumclass", "disposition",
         "duplicate_id"}  # fmt: skip
_WHOLE = {"numcont", "objID"}
# Epoch of Gaia DR2, from which most positions are.
_SOURCE_EPOCH = 2015.5
_STILL_SHARE = 0.2
_MOTION_MAS, _FAST_MAS, _FAST_SHARE = 12.0, 180.0, 0.05
_NEAR_ARCSEC = 42.0
# G - T of a Sun-like star (Stassun et al. 2019).
_GAIA_COLOUR = 0.43
_DUPLICATES = 3


@dataclass(frozen=True)
class _Motion:
    """Proper motion, mas/yr; None where the catalogue knows none."""

    ra: float | None
    dec: float | None


def tic_table(sky: Sky, epoch: float, seed: int = 1) -> Table:
    """Make the catalogue of a sky.

    Parameters
    ----------
    sky : Sky
        Targets and the stars about them.
    epoch : float
        Year at which the stars stand where the sky has them.
    seed : int
        Of the proper motions, and of the entries that are no stars.

    Returns
    -------
    astropy Table
        One row an entry, in the order of their ids; what is not known is masked.
    """
    from astropy.table import MaskedColumn, Table

    rng = np.random.default_rng([seed, 7])
    split = {star.tic for star in _companions(sky)}
    rows = [_row(star, sky, _motion(star, sky, split, rng), epoch, star.tic in split) for star in sky.stars]
    rows += _others(rows, sky, rng)
    rows.sort(key=lambda row: int(row["ID"]))
    table = Table(masked=True, meta={"catalogue": "TIC extract of a simulated sky", "epoch": 2000.0, "simulated": True})
    for name, unit, meaning in COLUMNS:
        kind: type = str if name in _TEXT else int if name in _WHOLE else float
        values = [row.get(name) for row in rows]
        filled = [kind() if value is None else value for value in values]
        table[name] = MaskedColumn(
            filled, mask=[value is None for value in values], unit=unit or None, description=meaning, dtype=kind
        )
    return table


def _companions(sky: Sky) -> list[Star]:
    """The stars that share their light with a blended target: Gaia split them."""
    blends = [star for star in sky.targets if star.kind == "blend"]
    return [other for other in sky.field_stars for star in blends if _apart(other, star) < _NEAR_ARCSEC]


def _motion(star: Star, sky: Sky, split: set[int], rng: np.random.Generator) -> _Motion:
    if any(star is target for target in sky.targets):
        return _Motion(0.0, 0.0)
    fast, still = rng.uniform(size=2)
    ra, dec = rng.normal(0, _FAST_MAS if fast < _FAST_SHARE else _MOTION_MAS, 2)
    if still < _STILL_SHARE or star.tic in split:
        return _Motion(None, None)
    return _Motion(round(float(ra), 4), round(float(dec), 4))


def _row(star: Star, sky: Sky, motion: _Motion, epoch: float, split: bool) -> dict[str, Any]:
    target = any(star is one for one in sky.targets)
    ra, dec = _moved(star, motion, 2000.0 - epoch)
    ra_orig, dec_orig = _moved(star, motion, _SOURCE_EPOCH - epoch)
    moving = motion.ra is not None
    near = [other for other in sky.stars if other is not star and _apart(other, star) < _NEAR_ARCSEC]
    row: dict[str, Any] = {
        "ID": str(star.tic), "version": "20190415", "GAIA": str(4_600_000_000_000_000_000 + star.tic),
        "objType": "STAR", "typeSrc": "tmgaia2", "ra": ra, "dec": dec, "POSflag": "tmgaia2",
        "pmRA": motion.ra, "e_pmRA": 0.05 if moving else None, "pmDEC": motion.dec,
        "e_pmDEC": 0.05 if moving else None, "PMflag": "gaia2" if moving else None,
        "GAIAmag": round(star.tmag + _GAIA_COLOUR, 4), "Tmag": star.tmag, "e_Tmag": 0.006, "TESSflag": "gbprp",
        "objID": star.tic, "ra_orig": ra_orig, "dec_orig": dec_orig, "disposition": "SPLIT" if split else None,
    }  # fmt: skip
    if target:
        row |= {
            "Teff": star.teff, "logg": star.logg, "MH": star.mh, "rad": star.radius,
            "mass": round(10 ** (star.logg - 4.438) * star.radius**2, 4),
            "lumclass": "DWARF" if star.logg > 3.5 else "GIANT", "numcont": len(near),
            "contratio": round(sum(other.flux for other in near) / star.flux, 6),
        }  # fmt: skip
    return row


def _others(rows: list[dict[str, Any]], sky: Sky, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Entries of the catalogue that are no stars of their own: the same star twice, and spikes of a bright one."""
    others: list[dict[str, Any]] = []
    count = min(_DUPLICATES, len(rows))
    for index in sorted(rng.choice(len(rows), count, replace=False).tolist()):
        twin = rows[index]
        others.append(
            {
                **{name: twin.get(name) for name in ("Tmag", "objType")},
                "version": "20171221", "typeSrc": "2mass", "POSflag": "2mass", "TESSflag": "tor_jhk",
                "ra": twin["ra"] + 1e-4, "dec": twin["dec"], "e_Tmag": 0.1,
                "disposition": "DUPLICATE", "duplicate_id": twin["ID"],
            }
        )  # fmt: skip
    bright = min(sky.stars, key=lambda star: star.tmag)
    for sign in (1, -1):
        others.append(
            {
                "version": "20171221", "objType": "STAR", "typeSrc": "2mass", "POSflag": "2mass",
                "ra": bright.ra, "dec": bright.dec + sign * 0.012, "Tmag": round(bright.tmag + 7, 3), "e_Tmag": 0.3,
                "TESSflag": "tor_jhk", "disposition": "ARTIFACT",
            }
        )  # fmt: skip
    for number, row in enumerate(others):
        row |= {"ID": str(FIRST_OTHER_TIC + number), "objID": FIRST_OTHER_TIC + number}
    return others


def _moved(star: Star, motion: _Motion, years: float) -> tuple[float, float]:
    """Where a star stands so many years after the sky's epoch."""
    if motion.ra is None or motion.dec is None:
        return star.ra, star.dec
    east, north = years * motion.ra / 3.6e6, years * motion.dec / 3.6e6
    return (star.ra + east / float(np.cos(np.deg2rad(star.dec)))) % 360, star.dec + north


def _apart(one: Star, other: Star) -> float:
    """Distance on the sky, arcsec, of stars that are near each other."""
    across = ((one.ra - other.ra + 180) % 360 - 180) * np.cos(np.deg2rad(other.dec))
    return float(3600 * np.hypot(across, one.dec - other.dec))
