"""Contrast curves of high-resolution images: how faint a companion could be and yet be seen."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tessellar.errors import Unrecognised
from tessellar.products.followuptable import FloatArray, FollowupTable
from tessellar.products.followuptext import ObserversTable

_SEPARATION = ("arcsec", "sep", "separation", "sep(arcsec)", "separation(arcsec)", "radius", "rho")
_CONTRAST = ("dmag", "delta_mag", "deltamag", "contrast", "delta mag", "dm", "limit")
_SPREAD = ("dmrms", "dmag_rms", "rms", "err", "dmag_err")


class ContrastCurve(FollowupTable):
    """The contrast that an image reaches, by distance from the star.

    Parameters
    ----------
    table : ObserversTable
        What the file says; users call `tessellar.read`.

    Attributes
    ----------
    notes : dict of str to str
        What the file says before the table, as ``Telescope``.
    """

    def __init__(self, table: ObserversTable) -> None:
        super().__init__(table)
        self.notes = dict(table.notes)
        if not is_contrast_curve(table):
            raise Unrecognised(f"{self.path}: a table, but not of contrast by separation")

    @cached_property
    def separation(self) -> FloatArray:
        """Distance from the star, arcsec."""
        return self._numbers(self._first(*_SEPARATION))

    @cached_property
    def contrast(self) -> FloatArray:
        """How much fainter a companion may be and is yet seen, mag."""
        return self._numbers(self._first(*_CONTRAST))

    @cached_property
    def spread(self) -> FloatArray:
        """The scatter of `contrast` around the star, mag; NaN where the file has none."""
        return self._numbers(self._first(*_SPREAD))

    def at(self, separation: float) -> float:
        """The contrast at a distance in arcsec, mag; NaN outside the curve."""
        return float(np.interp(separation, self.separation, self.contrast, left=np.nan, right=np.nan))

    def __repr__(self) -> str:
        return f"<ContrastCurve {self.name or self.path.name}: {len(self)} points to {self.separation.max():g} arcsec>"


def is_contrast_curve(table: ObserversTable) -> bool:
    """Whether a table has separations and contrasts."""
    names = {name.lower() for name in table.columns}
    return bool(names & set(_SEPARATION)) and bool(names & set(_CONTRAST))
