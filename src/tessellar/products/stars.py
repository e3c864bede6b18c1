"""Stars of the TESS Input Catalog, with the catalogue's own column names.

What is easily mistaken: ``ra`` and ``dec`` are of epoch 2000.0, whatever the
source's epoch was (that position is in ``RA_orig``, ``Dec_orig``); ``GAIA`` is an
id of Gaia DR2, not DR3; ``contratio`` is the light of the neighbours over that
of the star, not over all light (`contamination_of` converts it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.products.tables import ArchiveTable, ColumnInfo

_T, _R, _W = str, float, int

STAR_COLUMNS: dict[str, ColumnInfo] = {
    "ID": ColumnInfo(_W, None, "TIC id"),
    "ra": ColumnInfo(_R, "deg", "right ascension (ICRS), epoch 2000.0"),
    "dec": ColumnInfo(_R, "deg", "declination (ICRS), epoch 2000.0"),
    "pmRA": ColumnInfo(_R, "mas/yr", "proper motion in right ascension, times cos(dec)"),
    "pmDEC": ColumnInfo(_R, "mas/yr", "proper motion in declination"),
    "Tmag": ColumnInfo(_R, "mag", "TESS magnitude"),
    "e_Tmag": ColumnInfo(_R, "mag", "error of the TESS magnitude"),
    "objType": ColumnInfo(_T, None, "STAR or EXTENDED"),
    "typeSrc": ColumnInfo(_T, None, "catalogue from which the entry was made"),
    "disposition": ColumnInfo(_T, None, "SPLIT, DUPLICATE, ARTIFACT, or nothing"),
    "duplicate_id": ColumnInfo(_W, None, "of a duplicate, the TIC id of the entry that stands for the star"),
    "GAIA": ColumnInfo(_T, None, "Gaia DR2 source id"),
    "TWOMASS": ColumnInfo(_T, None, "2MASS id"),
    "HIP": ColumnInfo(_W, None, "Hipparcos number"),
    "KIC": ColumnInfo(_W, None, "Kepler Input Catalog id"),
    "TYC": ColumnInfo(_T, None, "Tycho-2 id"),
    "version": ColumnInfo(_T, None, "date of the catalogue's version"),
    "GAIAmag": ColumnInfo(_R, "mag", "Gaia G"),
    "Vmag": ColumnInfo(_R, "mag", "Johnson V"),
    "Jmag": ColumnInfo(_R, "mag", "2MASS J"),
    "Hmag": ColumnInfo(_R, "mag", "2MASS H"),
    "Kmag": ColumnInfo(_R, "mag", "2MASS K"),
    "plx": ColumnInfo(_R, "mas", "parallax"),
    "d": ColumnInfo(_R, "pc", "distance"),
    "Teff": ColumnInfo(_R, "K", "effective temperature"),
    "e_Teff": ColumnInfo(_R, "K", "error of the effective temperature"),
    "logg": ColumnInfo(_R, "dex(cm/s2)", "surface gravity"),
    "MH": ColumnInfo(_R, "dex", "metallicity [M/H]"),
    "rad": ColumnInfo(_R, "solRad", "radius"),
    "e_rad": ColumnInfo(_R, "solRad", "error of the radius"),
    "mass": ColumnInfo(_R, "solMass", "mass"),
    "rho": ColumnInfo(_R, None, "mean density over that of the Sun"),
    "lumclass": ColumnInfo(_T, None, "DWARF, SUBGIANT or GIANT"),
    "ebv": ColumnInfo(_R, "mag", "reddening E(B-V)"),
    "numcont": ColumnInfo(_W, None, "neighbours that were counted for contratio"),
    "contratio": ColumnInfo(_R, None, "light of the neighbours over that of the star"),
    "priority": ColumnInfo(_R, None, "priority as a target"),
    "RA_orig": ColumnInfo(_R, "deg", "right ascension at the source's epoch"),
    "Dec_orig": ColumnInfo(_R, "deg", "declination at the source's epoch"),
    "objID": ColumnInfo(_T, None, "row number in the catalogue's database"),
    "dstArcSec": ColumnInfo(_R, "arcsec", "distance from the position asked for"),
    # What tessellar adds to the catalogue's columns.
    "ra_epoch": ColumnInfo(_R, "deg", "right ascension (ICRS) at the epoch asked for"),
    "dec_epoch": ColumnInfo(_R, "deg", "declination (ICRS) at the epoch asked for"),
    "moved": ColumnInfo(bool, None, "whether a proper motion is known; without one it stays where it was in 2000"),
}


class StarTable(ArchiveTable):
    """One row a star, with the columns of the TESS Input Catalog (`STAR_COLUMNS`)."""

    known_columns: ClassVar[Mapping[str, ColumnInfo]] = STAR_COLUMNS
    shown_columns = ("ID", "ra", "dec", "pmRA", "pmDEC", "Tmag", "Teff", "rad", "disposition", "GAIA", "dstArcSec",
                     "ra_epoch", "dec_epoch", "moved")  # fmt: skip

    def move_to(self, epoch: float) -> None:
        """Add the positions at an epoch (BTJD) as ``ra_epoch`` and ``dec_epoch``; ``ra`` and ``dec`` stay.

        Stars without proper motion stay in their places, and ``moved`` is
        False in their rows. Parallax and radial velocity are left out: they
        matter less than a hundredth of a pixel for all but a dozen stars.
        """
        from tessellar.mission.motion import move

        pm_ra, pm_dec = (_filled(self, name) for name in ("pmRA", "pmDEC"))
        known = np.isfinite(pm_ra) & np.isfinite(pm_dec)
        ra, dec = move(
            _filled(self, "ra"), _filled(self, "dec"), np.where(known, pm_ra, 0.0), np.where(known, pm_dec, 0.0), epoch
        )
        for name, values in (("ra_epoch", ra), ("dec_epoch", dec), ("moved", known)):
            info = STAR_COLUMNS[name]
            self[name] = np.ma.MaskedArray(values, mask=~np.isfinite(values))
            self[name].unit, self[name].description = info.unit, info.description
        self.meta["epoch_btjd"] = float(epoch)


def contamination_of(contratio: ArrayLike) -> NDArray[np.float64]:
    """Return the share of the light in an aperture that is not the star's, from the TIC's ``contratio``.

    The TIC counts the neighbours' light over the star's; light curves
    (``1 - CROWDSAP``) and the contamination of our photometry count it over
    all light. The TIC's neighbours are those within ten pixels, weighted by a
    model of the response, so that the two agree only roughly.

    Parameters
    ----------
    contratio : array-like
        Neighbours over star, 0 or more.

    Examples
    --------
    >>> from tessellar.products.stars import contamination_of
    >>> contamination_of([0.0, 1.0, 4.0]).tolist()
    [0.0, 0.5, 0.8]
    """
    ratio = np.asarray(contratio, dtype=np.float64)
    return np.asarray(ratio / (1.0 + ratio))


def is_kept(row: Mapping[str, Any]) -> bool:
    """Whether a row is a star of its own: neither a duplicate of another nor an artifact. What was split is kept."""
    return str(row.get("disposition") or "").strip().upper() not in ("DUPLICATE", "ARTIFACT")


def _filled(table: StarTable, name: str) -> NDArray[np.float64]:
    if name not in table.colnames:
        return np.full(len(table), np.nan)
    return np.asarray(np.ma.filled(np.ma.asarray(table[name]).astype(np.float64), np.nan))
