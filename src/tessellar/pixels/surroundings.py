"""What lies on and about a stamp: its stars, how they move, and the response their light falls with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.pixels.movement import MovementKernel
from tessellar.pixels.segments import segments_of

if TYPE_CHECKING:
    from astropy.table import Table

    from tessellar.pixels.response import PixelResponse
    from tessellar.pixels.stamp import Stamp
    from tessellar.pixels.stars import StarField

Array = NDArray[np.float64]

_PER_STAR = ("tic", "tmag", "ra", "dec", "column", "row", "flux")


@dataclass(frozen=True, eq=False, kw_only=True)
class Surroundings:
    """The stars on and about a stamp, over the stamp's n cadences; frozen, plain arrays.

    `PreparedField.surroundings` and `Surroundings.of_stamp` make it.

    Attributes
    ----------
    tic : int64 array (k,)
        TIC ids.
    tmag : array (k,)
        TESS magnitudes.
    ra, dec : array (k,)
        ICRS degrees at the time of the pixels.
    column, row : array (k,)
        Places on the CCD, 1-based, in the reference frame.
    flux : array (k,)
        Flux to expect, e-/s: that of the mean image where it was fitted, else that of the magnitude.
    shifts : array (n, k, 2)
        Columns and rows to add to the place of each star in each cadence, px; NaN where not known.
    segments : int array (n,)
        Part of the sector (orbit) that each cadence belongs to, from 0.
    responses : tuple of PixelResponse
        One for each part, or one for all; empty where no response is known.

    Raises
    ------
    InputError
        If shapes disagree.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.pixels import Surroundings
    >>> about = Surroundings(
    ...     tic=np.array([25155310, 25155311]), tmag=np.array([10.0, 12.0]), ra=np.zeros(2), dec=np.zeros(2),
    ...     column=np.array([100.2, 103.0]), row=np.array([50.0, 50.5]), flux=np.array([15e3, 2377.0]),
    ...     shifts=np.zeros((5, 2, 2)), segments=np.zeros(5, int), responses=())
    >>> about.index(25155311), about.near(100, 50, radius=2).tic.tolist()
    (1, [25155310])
    """

    tic: NDArray[np.int64]
    tmag: Array
    ra: Array
    dec: Array
    column: Array
    row: Array
    flux: Array
    shifts: Array
    segments: NDArray[np.int64]
    responses: tuple[PixelResponse, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.tic)
        for name in _PER_STAR:
            if getattr(self, name).shape != (count,):
                raise InputError(f"{name} has shape {getattr(self, name).shape}, but there are {count} stars")
        if self.shifts.shape != (len(self.segments), count, 2):
            raise InputError(
                f"shifts of shape {self.shifts.shape} do not fit {len(self.segments)} cadences of {count} stars"
            )

    @classmethod
    def of_stamp(
        cls,
        stamp: Stamp,
        stars: StarField,
        response: PixelResponse | None = None,
        movement: MovementKernel | None = None,
    ) -> Surroundings:
        """Surroundings of a target pixel file or a cut-out.

        Parameters
        ----------
        stamp : Stamp
        stars : StarField
            Placed with the stamp's own world coordinates, or in the frame where `movement` is zero.
        response : PixelResponse, optional
        movement : MovementKernel, optional
            Of the CCD's frames. Without it all stars move as POS_CORR of the stamp tells, which counts from the place
            that its world coordinates give; without that either they do not move.

        Examples
        --------
        >>> Surroundings.of_stamp(stamp, stars, prf)  # doctest: +SKIP
        """
        if movement is not None:
            shifts = movement.tracks(stamp.time, stars.column, stars.row)
        else:
            shifts = np.zeros((len(stamp), len(stars), 2))
            if stamp.pos_corr is not None and np.isfinite(stamp.pos_corr).any():
                shifts += np.asarray(stamp.pos_corr, dtype=np.float64)[:, None, :]
        time = np.asarray(stamp.time, dtype=np.float64)
        known = np.isfinite(time)
        segments = np.zeros(len(stamp), dtype=np.int64)
        if known.any():
            parts = segments_of(time[known])
            segments[known] = parts
            # A cadence without a time belongs to the part of the one before it.
            last = np.maximum.accumulate(np.where(known, np.arange(len(stamp)), -1))
            segments = segments[np.maximum(last, 0)]
        return cls(
            **{name: np.asarray(getattr(stars, name)) for name in _PER_STAR if name != "flux"},
            flux=stars.flux(),
            shifts=shifts,
            segments=segments,
            responses=() if response is None else (response,),
        )

    def __len__(self) -> int:
        return len(self.tic)

    def __repr__(self) -> str:
        return f"<Surroundings of {len(self)} stars, {len(self.segments)} cadences, {len(self.responses)} responses>"

    def index(self, tic: int | None) -> int | None:
        """Index of a star, by its id; None if it is not here."""
        found = np.flatnonzero(self.tic == int(tic)) if tic is not None else np.empty(0, int)
        return int(found[0]) if found.size else None

    def response_of(self, segment: int) -> PixelResponse | None:
        """The response in a part of the sector, or None where none is known."""
        if not self.responses:
            return None
        return self.responses[0 if len(self.responses) == 1 else segment]

    def chosen(self, which: NDArray[Any] | Sequence[int]) -> Surroundings:
        """The stars of an index array or boolean array."""
        chosen = np.asarray(which)
        per_star = {name: getattr(self, name)[chosen] for name in _PER_STAR}
        return replace(self, shifts=self.shifts[:, chosen], **per_star)

    def near(self, column: float, row: float, radius: float) -> Surroundings:
        """Stars within `radius` px of a place (1-based), the nearest first."""
        distance = np.hypot(self.column - column, self.row - row)
        order = np.argsort(distance, kind="stable")
        return self.chosen(order[distance[order] <= radius])

    def reordered(self, order: NDArray[Any]) -> Surroundings:
        """The same stars in the cadences of `order`: an index array, a slice or a boolean array."""
        return replace(self, shifts=self.shifts[order], segments=self.segments[order])

    def to_table(self) -> Table:
        """The stars as an astropy table: tic, tmag, ra, dec, column, row, flux."""
        from astropy.table import Table

        return Table({name: getattr(self, name) for name in _PER_STAR})
