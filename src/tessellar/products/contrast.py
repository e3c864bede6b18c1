"""Contrast curves of high-resolution images: how faint a companion could be and yet be seen."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Unrecognised
from tessellar.products.followupnames import FollowupName, match_followup_name
from tessellar.products.followuptext import ObserversTable
from tessellar.targets import TIC, TOI

FloatArray = NDArray[np.float64]

_SEPARATION = ("arcsec", "sep", "separation", "sep(arcsec)", "separation(arcsec)", "radius", "rho")
_CONTRAST = ("dmag", "delta_mag", "deltamag", "contrast", "delta mag", "dm", "limit")
_SPREAD = ("dmrms", "dmag_rms", "rms", "err", "dmag_err")


class ContrastCurve:
    """The contrast that an image reaches, by distance from the star.

    Parameters
    ----------
    table : ObserversTable
        What the file says; users call `tessellar.read`.

    Attributes
    ----------
    path : Path
        Where the file lies.
    name : FollowupName or None
        What its name tells.
    notes : dict of str to str
        What the file says before the table, as ``Telescope``.
    """

    def __init__(self, table: ObserversTable) -> None:
        self._table = table
        self._lower = {name.lower(): name for name in reversed(table.columns)}
        self.path: Path = table.path
        self.name: FollowupName | None = match_followup_name(self.path.name)
        self.notes = dict(table.notes)
        if not is_contrast_curve(table):
            raise Unrecognised(f"{self.path}: a table, but not of contrast by separation")

    def __len__(self) -> int:
        return len(self._table)

    @property
    def tic(self) -> TIC | None:
        """The star's TIC id, where the file's name has it."""
        return self.name.tic if self.name else None

    @property
    def toi(self) -> TOI | None:
        """The TOI, where the file's name has it."""
        return self.name.toi if self.name else None

    @cached_property
    def separation(self) -> FloatArray:
        """Distance from the star, arcsec."""
        return self._numbers(_SEPARATION)

    @cached_property
    def contrast(self) -> FloatArray:
        """How much fainter a companion may be and is yet seen, mag."""
        return self._numbers(_CONTRAST)

    @cached_property
    def spread(self) -> FloatArray:
        """The scatter of `contrast` around the star, mag; NaN where the file has none."""
        return self._numbers(_SPREAD)

    def at(self, separation: float) -> float:
        """The contrast at a distance in arcsec, mag; NaN outside the curve."""
        return float(np.interp(separation, self.separation, self.contrast, left=np.nan, right=np.nan))

    def __repr__(self) -> str:
        return f"<ContrastCurve {self.name or self.path.name}: {len(self)} points to {self.separation.max():g} arcsec>"

    def _numbers(self, names: tuple[str, ...]) -> FloatArray:
        column = next((self._lower[name] for name in names if name in self._lower), None)
        return self._table.numbers(column) if column else np.full(len(self), np.nan)


def is_contrast_curve(table: ObserversTable) -> bool:
    """Whether a table has separations and contrasts."""
    names = {name.lower() for name in table.columns}
    return bool(names & set(_SEPARATION)) and bool(names & set(_CONTRAST))
