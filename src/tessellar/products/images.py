"""Full-frame images and pixel response functions, read-only."""

from __future__ import annotations

import re
import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, Unrecognised
from tessellar.products.fitsfile import FitsFile, Hdu
from tessellar.products.identity import identify
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS


class FullFrameImage:
    """One frame of one CCD, or a piece of it.

    Attributes
    ----------
    path : Path
        Where the file lies.
    field : Field or None
        Sector, camera, CCD; the sector is in the file's name only.
    btjd_start, btjd_end : float
        Begin and end of the exposure, BJD_TDB - 2457000 at the CCD's centre, days.
    quality : int
        The frame's flags (DQUALITY).
    """

    def __init__(self, file: FitsFile) -> None:
        self._file = file
        self._hdu = _first_image(file)
        self.path: Path = file.path
        keys = self._hdu.keys
        who = identify(file.path, file.hdus[0].keys, keys)
        self.sector, self.camera, self.ccd = who.sector, who.camera, who.ccd
        self.data_release = who.data_release
        self.simulated = who.simulated
        self.field = Field(who.sector, who.camera, who.ccd) if who.sector and who.camera and who.ccd else None
        both = {**file.hdus[0].keys, **keys}
        self.btjd_start, self.btjd_end = _float(both.get("TSTART")), _float(both.get("TSTOP"))
        self.quality = int(_float(keys.get("DQUALITY"), 0.0))

    @cached_property
    def header(self) -> Header:
        """The primary header."""
        return self._file.header(0)

    @cached_property
    def image_header(self) -> Header:
        """The header of the image, with its world coordinates."""
        return self._file.header(self._hdu.index)

    @cached_property
    def flux(self) -> NDArray[Any]:
        """Calibrated flux, (rows, columns), e-/s; the 44 leading virtual columns are there."""
        image = self._file.image(self._hdu)
        if image is None:
            raise Corrupt(f"{self.path}: the image is empty")
        return image

    @cached_property
    def uncertainty(self) -> NDArray[Any] | None:
        """The 1-sigma error of `flux`, where the file has it (its virtual columns can be left out)."""
        images = [hdu for hdu in self._file.hdus[self._hdu.index + 1 :] if hdu.data_size and not hdu.is_table]
        return self._file.image(images[0]) if images else None

    @cached_property
    def wcs(self) -> WCS:
        """World coordinates, TAN-SIP."""
        from astropy.wcs import WCS, FITSFixedWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)
            return WCS(self.image_header)

    def __repr__(self) -> str:
        size = " x ".join(str(self._hdu.keys[f"NAXIS{axis}"]) for axis in (1, 2))
        return f"<FullFrameImage {self.field or self.path.name}, {size} pixels, BTJD {self.btjd_start:.5f}>"


class PRF:
    """The mission's pixel response function at one point of one CCD, on a grid of sub-pixels.

    Attributes
    ----------
    path : Path
        Where the file lies.
    camera, ccd : int
        The CCD.
    column, row : float
        Where on it, 1-based, leading virtual columns counted; the middle of the image.
    samples : int
        Sub-pixels a pixel, each way.
    """

    def __init__(self, file: FitsFile) -> None:
        self._file = file
        self._hdu = _first_image(file)
        self.path: Path = file.path
        keys = self._hdu.keys
        self.camera, self.ccd = int(_float(keys.get("CAM"))), int(_float(keys.get("CCD")))
        self.column, self.row = _float(keys.get("CCD_CREF")), _float(keys.get("CCD_RREF"))
        self.samples = int(_float(keys.get("NSAMP")))
        # The models of sectors 1-3 and of 4 onwards are told apart by the date in the name only.
        match = re.search(r"tess(\d{13})-prf", file.path.name)
        self.issued = match[1] if match else None

    @cached_property
    def header(self) -> Header:
        """The primary header."""
        return self._file.header(0)

    @cached_property
    def image(self) -> NDArray[Any]:
        """The response, (rows, columns) of sub-pixels; each of the `samples`² phases sums to about 1."""
        image = self._file.image(self._hdu)
        if image is None:
            raise Corrupt(f"{self.path}: the image is empty")
        return image

    @cached_property
    def uncertainty(self) -> NDArray[Any] | None:
        """The 1-sigma error of `image`."""
        return self._file.image(self._file.hdus[1]) if len(self._file.hdus) > 1 else None

    def phase(self, column: int, row: int) -> NDArray[Any]:
        """The response of whole pixels at one sub-pixel phase (0 to `samples` - 1 each way), normalised to 1."""
        pixels = self.image[row :: self.samples, column :: self.samples]
        return np.asarray(pixels / pixels.sum())

    def __repr__(self) -> str:
        return f"<PRF camera {self.camera}, CCD {self.ccd}, column {self.column:.0f}, row {self.row:.0f}>"


def _first_image(file: FitsFile) -> Hdu:
    for hdu in file.hdus:
        if hdu.keys.get("NAXIS") == 2 and not hdu.is_table and hdu.data_size:
            return hdu
    raise Unrecognised(f"{file.path}: no image in it")


def _float(value: object, default: float = float("nan")) -> float:
    return float(value) if isinstance(value, int | float) else default
