"""The star that is measured, as far as photometry needs to know it."""

from __future__ import annotations

from dataclasses import dataclass

from tessellar.targets import TIC

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
