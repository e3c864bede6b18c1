"""The star that is measured, as far as photometry needs to know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tessellar.errors import PhotometryError
from tessellar.targets import TIC

if TYPE_CHECKING:
    from tessellar.pixels import Stamp

# Flux of a star of TESS magnitude 0 is 10**(0.4 * ZERO_POINT) e-/s
# (Vanderspek et al. 2018, TESS Instrument Handbook: 20.44 +- 0.05).
ZERO_POINT = 20.44


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is known of the star before it is measured; anything may be unknown (None).

    Parameters
    ----------
    tic : TIC, optional
        Its identifier.
    tmag : float, optional
        TESS magnitude.
    ra, dec : float, optional
        ICRS degrees.
    column, row : float, optional
        1-based CCD pixels. Found with the stamp's WCS from `ra` and `dec` if not given.
    crowdsap : float, optional
        Fraction of the flux in the *pipeline's* aperture that is the star's own (CROWDSAP of SPOC headers).
    flfrcsap : float, optional
        Fraction of the star's flux that is in it (FLFRCSAP).
    secondary : bool
        The pixels are those of another star's file: the pipeline's aperture in it is not this star's.

    Examples
    --------
    >>> from tessellar import TIC
    >>> from tessellar.photometry import Target
    >>> round(Target(tic=TIC(25155310), tmag=10.0).expected_flux())
    14997
    """

    tic: TIC | None = None
    tmag: float | None = None
    ra: float | None = None
    dec: float | None = None
    column: float | None = None
    row: float | None = None
    crowdsap: float | None = None
    flfrcsap: float | None = None
    secondary: bool = False

    def expected_flux(self, zero_point: float = ZERO_POINT) -> float | None:
        """Flux in e-/s that its magnitude promises, 10**(-0.4 (tmag - zero_point)), or None without a magnitude."""
        return None if self.tmag is None else float(10 ** (-0.4 * (self.tmag - zero_point)))

    def __str__(self) -> str:
        return str(self.tic) if self.tic is not None else "the target"


def known_place(stamp: Stamp, target: Target) -> tuple[float, float] | None:
    """1-based CCD column and row of the target, from its place or its position; None where neither is known."""
    if target.column is not None and target.row is not None:
        return target.column, target.row
    if target.ra is None or target.dec is None:
        return None
    return stamp.pixel_of(target.ra, target.dec)


def check_place(place: tuple[float, float], stamp: Stamp, target: Target, *, remedy: str = "") -> None:
    """Refuse a place (1-based CCD column and row) that is not on the stamp's pixels.

    Parameters
    ----------
    place : (float, float)
    stamp : Stamp
    target : Target
        Whose place it is, for the message.
    remedy : str
        What else can be done, the message's end.

    Raises
    ------
    PhotometryError
        If it is outside the stamp.
    """
    inside = [
        corner - 0.5 <= value < corner + size - 0.5
        for value, corner, size in zip(place, stamp.corner, stamp.shape[::-1], strict=True)
    ]
    if not all(inside):
        raise PhotometryError(
            f"{target} falls on column {place[0]:.1f}, row {place[1]:.1f}, outside the stamp of {stamp.origin}: "
            f"its world coordinates are unusable or the star is another{remedy}"
        )
