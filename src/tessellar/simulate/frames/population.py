"""The stars of a CCD: from a luminosity function, or from a list.

The luminosity function is exponential, dN/dT ~ exp(T / 1.4), and steeper for stars brighter
than T = 10, exp(T / 0.95), so that a CCD has some tens of saturated stars and not hundreds. The
catalogue that users get stops at a limit, T = 16 by default; fainter stars, to T = 20, shine all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.mission.ccd import ccd_plane
from tessellar.mission.motion import move
from tessellar.pixels.stars import StarField
from tessellar.simulate.stars import ZERO_POINT
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.table import Table

FloatArray = NDArray[np.float64]

#: First TIC id of stars drawn from the luminosity function.
FIRST_DRAWN_TIC = 9_910_000_001
#: Faintest stars that shine.
FAINTEST = 20.0
_SCALE, _BRIGHT_SCALE, _BREAK, _BRIGHTEST = 1.4, 0.95, 10.0, 2.0
_CCD_AREA = 2048.0**2
# 1-sigma of catalogued magnitudes, and of proper motions, mas/yr.
_TMAG_ERROR, _PROPER_MOTION = 0.02, 12.0


@dataclass(frozen=True)
class Population:
    """Stars on and about a window; arrays of one length, the catalogued ones first.

    Attributes
    ----------
    tic : int64 array
        TIC ids; 0 for stars that no catalogue has.
    ra, dec, pm_ra, pm_dec : array
        ICRS degrees at J2000, proper motion in mas/yr; NaN for stars that no catalogue has.
    tmag, told : array
        True magnitude, and that of the catalogue (NaN where there is none).
    column, row : array
        Reference place on the CCD (1-based) at the time of the frames, before any movement.
    catalogued : int
        How many of them the catalogue has.
    """

    tic: NDArray[np.int64]
    ra: FloatArray
    dec: FloatArray
    pm_ra: FloatArray
    pm_dec: FloatArray
    tmag: FloatArray
    told: FloatArray
    column: FloatArray
    row: FloatArray
    catalogued: int

    def __len__(self) -> int:
        return len(self.tmag)

    @property
    def flux(self) -> FloatArray:
        """Light of each star when nothing happens, e-/s."""
        result: FloatArray = 10 ** (0.4 * (ZERO_POINT - self.tmag))
        return result

    def chosen(self, which: NDArray[np.int64]) -> Population:
        """Some of the stars, by rising indices."""
        arrays = {each.name: getattr(self, each.name)[which] for each in fields(self) if each.name != "catalogued"}
        return Population(**arrays, catalogued=int(np.count_nonzero(which < self.catalogued)))

    def digest(self) -> str:
        """A fingerprint of these stars."""
        arrays = (self.tic, self.column, self.row, self.tmag)
        return sha256(b"".join(np.ascontiguousarray(each).tobytes() for each in arrays)).hexdigest()

    def catalogue(self) -> Table:
        """The catalogue that users are given: column names and units of the TIC, J2000 positions."""
        from astropy.table import Table

        part = slice(0, self.catalogued)
        count = self.catalogued
        table = Table(
            {
                "ID": self.tic[part],
                "ra": self.ra[part].round(8),
                "dec": self.dec[part].round(8),
                "pmRA": self.pm_ra[part].round(3),
                "pmDEC": self.pm_dec[part].round(3),
                "Tmag": self.told[part].round(4),
                "e_Tmag": np.full(count, _TMAG_ERROR),
                "objType": np.full(count, "STAR"),
            },
            meta={"simulated": True, "epoch": "J2000", "zero_point": ZERO_POINT},
        )
        for name, unit in (("ra", "deg"), ("dec", "deg"), ("pmRA", "mas / yr"), ("pmDEC", "mas / yr")):
            table[name].unit = unit
        table["Tmag"].unit = table["e_Tmag"].unit = "mag"
        return table


def draw_stars(
    field: Field,
    corner: tuple[int, int],
    shape: tuple[int, int],
    epoch: float,
    *,
    per_ccd: float,
    limit: float,
    seed: int,
) -> Population:
    """Draw stars from the luminosity function, evenly over a window.

    Parameters
    ----------
    field : Field
        Sector, camera and CCD.
    corner, shape : (int, int)
        First column and row (1-based), and rows and columns, of the area that gets stars.
    epoch : float
        BTJD of the places.
    per_ccd : float
        Catalogued stars on 2048 x 2048 px.
    limit : float
        Magnitude at which the catalogue ends.
    seed : int
        Which stars.
    """
    if not (0 < per_ccd <= 2e6 and _BREAK < limit <= FAINTEST):
        raise InputError(f"{per_ccd:g} stars to T = {limit:g} asked for: up to 2 million, to T = {_BREAK:g} to 20")
    rng = np.random.default_rng([seed, 7, field.sector, field.camera, field.ccd])
    area = shape[0] * shape[1] / _CCD_AREA
    count = rng.poisson(per_ccd * area)
    bright = np.sort(_magnitudes(rng.random(count), limit))
    rest = np.expm1((FAINTEST - limit) / _SCALE)
    faint = limit + _SCALE * np.log1p(rng.random(rng.poisson(per_ccd * area * rest)) * rest)
    total = count + len(faint)
    column = corner[0] - 0.5 + rng.random(total) * shape[1]
    row = corner[1] - 0.5 + rng.random(total) * shape[0]
    motion = np.round(rng.normal(0, _PROPER_MOTION, (2, count)), 3)
    plane = ccd_plane(field)
    ra, dec = plane.to_sky(column[:count], row[:count])
    then = np.round(move(ra, dec, -motion[0], -motion[1], epoch), 8)
    # Where the rounded catalogue puts them is where they are.
    now = move(then[0], then[1], motion[0], motion[1], epoch)
    column[:count], row[:count] = plane.to_pixel(*now)
    nothing = np.full(len(faint), np.nan)
    return Population(
        tic=np.concatenate([np.arange(count) + FIRST_DRAWN_TIC, np.zeros(len(faint), np.int64)]),
        ra=np.concatenate([then[0], nothing]), dec=np.concatenate([then[1], nothing]),
        pm_ra=np.concatenate([motion[0], nothing]), pm_dec=np.concatenate([motion[1], nothing]),
        tmag=np.concatenate([bright, faint]),
        told=np.concatenate([bright + rng.normal(0, _TMAG_ERROR, count), nothing]),
        column=column, row=row, catalogued=count,
    )  # fmt: skip


def listed_stars(
    catalog: Table | Any, field: Field, corner: tuple[int, int], shape: tuple[int, int], epoch: float
) -> Population:
    """Take the stars from a list with the columns of the TIC: ``ID, ra, dec, Tmag`` and, if there, ``pmRA, pmDEC``.

    Raises
    ------
    InputError
        If a column is missing, or none of the stars falls there.
    """
    found = StarField.place(catalog, ccd_plane(field), epoch=epoch, corner=corner, shape=shape, margin=0)
    count = len(found)
    # Places are kept as they are at the time of the frames; going back to J2000 only needs the list's own motion.
    return Population(
        tic=found.tic, ra=found.ra, dec=found.dec, pm_ra=np.zeros(count), pm_dec=np.zeros(count),
        tmag=found.tmag, told=found.tmag.copy(), column=found.column, row=found.row, catalogued=count,
    )  # fmt: skip


def _magnitudes(share: FloatArray, limit: float) -> FloatArray:
    """Magnitudes of catalogued stars: the inverse of the luminosity function's integral."""
    # Weights of the steep and the flat part, which meet at the break.
    steep = _BRIGHT_SCALE * -np.expm1((_BRIGHTEST - _BREAK) / _BRIGHT_SCALE)
    flat = _SCALE * np.expm1((limit - _BREAK) / _SCALE)
    at = share * (steep + flat)
    low = np.exp((_BRIGHTEST - _BREAK) / _BRIGHT_SCALE)
    below = _BREAK + _BRIGHT_SCALE * np.log(np.minimum(at, steep) / _BRIGHT_SCALE + low)
    above = _BREAK + _SCALE * np.log1p(np.maximum(at - steep, 0) / _SCALE)
    result: FloatArray = np.where(at < steep, below, above)
    return result
