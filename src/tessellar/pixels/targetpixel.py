"""Stamps out of target pixel files and TESScut cut-outs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, InputError
from tessellar.pixels.stamp import Span, Stamp

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    from tessellar.products import TargetPixelFile
    from tessellar.targets import Field


class TargetPixelSource:
    """A target pixel file as a source of stamps.

    The cubes of its stamps are views of the file's own bytes (big-endian, memory-mapped): who adds up ten pixels of
    each image reads ten pixels of each image.

    Parameters
    ----------
    tpf : TargetPixelFile
        From `tessellar.read`. Of TESScut files the sky is still in the flux: their stamps say
        ``background_subtracted=False``.

    Raises
    ------
    InputError
        If the file does not tell sector, camera and CCD.

    Examples
    --------
    >>> import tessellar
    >>> from tessellar.pixels import TargetPixelSource
    >>> source = TargetPixelSource(tessellar.read("tess...s_tp.fits"))  # doctest: +SKIP
    >>> source.window(rows=(1000, 1004)).shape  # doctest: +SKIP
    (5, 11)
    """

    def __init__(self, tpf: TargetPixelFile) -> None:
        if tpf.field is None:
            raise InputError(f"{tpf.path.name} does not tell its sector, camera and CCD, so its pixels have no place")
        self._tpf = tpf
        self._field = tpf.field

    def __repr__(self) -> str:
        return f"TargetPixelSource({self._tpf!r})"

    @property
    def field(self) -> Field:
        """Sector, camera and CCD."""
        return self._field

    @property
    def time(self) -> NDArray[np.float64]:
        """Mid-exposure times in BTJD."""
        return self._tpf.btjd

    @property
    def quality(self) -> NDArray[np.int32]:
        """The mission's quality flags."""
        return self._tpf.quality

    @property
    def wcs(self) -> WCS | None:
        """Sky to stamp pixel [0, 0], or None where the file has no world coordinates."""
        return self._stamp.sky

    def window(self, rows: Span = None, cols: Span = None) -> Stamp:
        """Cut out CCD rows and columns (first, last; 1-based, both included); the whole file's stamp if not given."""
        return self._stamp.window(rows, cols)

    @cached_property
    def _stamp(self) -> Stamp:
        tpf = self._tpf
        return Stamp(
            images=self._cube("FLUX"),
            errors=self._cube("FLUX_ERR"),
            background=self._cube("FLUX_BKG"),
            time=tpf.btjd,
            timecorr=tpf.timecorr,
            cadenceno=tpf.cadenceno,
            quality=tpf.quality,
            corner=tpf.corner,
            field=self._field,
            cadence=tpf.cadence,
            origin=tpf.path.name,
            aperture=tpf.aperture,
            wcs=self._wcs_header(),
            pos_corr=tpf.pos_corr,
            background_subtracted=tpf.background_subtracted,
        )

    def _wcs_header(self) -> Header | None:
        try:
            return self._tpf.wcs_header
        except Corrupt:
            # Without an APERTURE image there are no world coordinates; the pixels are good all the same.
            return None

    def _cube(self, name: str) -> NDArray[Any]:
        if name not in {column.upper() for column in self._tpf.columns}:
            return np.full(self._tpf.shape, np.nan, dtype=np.float32)
        return self._tpf.mapped(name)
