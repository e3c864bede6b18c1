"""What measuring a band of rows gives: light curves of all its stars, as arrays of stars by cadences.

`measure_band(field, rows=(first, last), limit=16.0, methods=("aperture", "linpsf"), tics=None, threads=1) -> Band`
makes it, out of a `PreparedField` and its frames, without any other I/O. Every star of the field whose place in the
reference frame, rounded to a pixel, lies in the band's rows is in exactly one band.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError

if TYPE_CHECKING:
    from tessellar.targets import Field


@dataclass(frozen=True, eq=False, kw_only=True)
class BandCurves:
    """Light curves that one method measured for the stars of a band.

    Attributes
    ----------
    tic : int64 array (stars,)
        Whose they are, in the order of `columns` and `table`.
    columns : mapping of str to array (stars, n)
        By FITS names, all cadences: FLUX, FLUX_ERR, FLUX_BKG (float32, e-/s), MOM_CENTR1, MOM_CENTR2 (float32, 1-based
        CCD column and row), PIXEL_QUALITY (uint8).
    table : mapping of str to array (stars, ...)
        One value a star: ``status`` (int8, of `STATUS`), ``warnings`` (int16, bits of `BandWarning`), ``tmag``,
        ``column``, ``row``, the metrics that a whole band has cheaply, by the names of `METRICS`, and what a method
        knows besides: ``crowdsap``, ``flfrcsap``; of apertures ``mask_column``, ``mask_row`` (1-based CCD pixel of the
        first pixel of its box) and ``mask`` (boolean array (stars, side, side)).
    """

    tic: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]
    table: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        for name, values in (*self.columns.items(), *self.table.items()):
            if len(values) != len(self.tic):
                raise InputError(f"{name} has {len(values)} rows, but there are {len(self.tic)} stars")

    def __len__(self) -> int:
        return len(self.tic)

    def index(self, tic: int) -> int:
        """Index of a star, by its id; `InputError` if it is not here."""
        found = np.flatnonzero(self.tic == int(tic))
        if not found.size:
            raise InputError(f"TIC {int(tic)} is not among the {len(self)} stars of this band")
        return int(found[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class Band:
    """The stars of some rows of a CCD, measured.

    Attributes
    ----------
    field : Field
        Sector, camera, CCD.
    rows : (int, int)
        First and last CCD row, 1-based, both included.
    cadence : float
        Seconds.
    time, timecorr, cadenceno, quality : array (n,)
        Of the frames, as `PreparedField` has them: BTJD at the CCD's centre, days, numbers, flags.
    curves : mapping of str to BandCurves
        By method.
    """

    field: Field
    rows: tuple[int, int]
    cadence: float
    time: NDArray[np.float64]
    timecorr: NDArray[np.float64]
    cadenceno: NDArray[np.int32]
    quality: NDArray[np.int32]
    curves: Mapping[str, BandCurves] = field(default_factory=lambda: MappingProxyType({}))

    def __repr__(self) -> str:
        told = ", ".join(f"{len(curves)} by {method}" for method, curves in self.curves.items())
        return (
            f"<Band {self.field}, rows {self.rows[0]} to {self.rows[1]}, {len(self.time)} frames, {told or 'no stars'}>"
        )
