"""Target pixel files and cut-outs, read-only: a stack of small images of one star."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, Unrecognised
from tessellar.products.fitsfile import FitsFile
from tessellar.products.keywords import Keys
from tessellar.products.layouts import PIXEL_LAYOUT
from tessellar.products.series import TimeSeries

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

#: Bit of `aperture` that marks the pixels of the pipeline's photometric aperture.
IN_APERTURE = 2


class TargetPixelFile(TimeSeries):
    """The pixels round one star (SPOC, TESS-SPOC) or one position (TESScut) over one sector.

    Cubes have the shape (cadences, rows, columns), float32 and the machine's byte
    order; pixel [0, 0] of a stamp is pixel `corner` of the CCD. Only the cubes that
    are asked for are read.

    Parameters
    ----------
    file : FitsFile
        The opened file; users call `tessellar.read`.

    Raises
    ------
    Unrecognised
        If it has no table of pixels.
    """

    def __init__(self, file: FitsFile) -> None:
        table = next((hdu for hdu in file.hdus if hdu.is_table), None)
        if table is None or not {"TIME", "FLUX"} <= set(file.columns(table)):
            raise Unrecognised(f"{file.path}: not a target pixel file: it has no table with TIME and FLUX")
        if len(file.columns(table)["FLUX"].dtype.shape) != 2:
            raise Unrecognised(f"{file.path}: not a target pixel file: its FLUX is not a stack of images")
        super().__init__(file, table, PIXEL_LAYOUT)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Cadences, rows, columns."""
        rows, columns = self._file.columns(self._table)["FLUX"].dtype.shape
        return len(self), rows, columns

    @property
    def flux(self) -> NDArray[np.float32]:
        """Calibrated flux of each pixel, e-/s; background subtracted where `background_subtracted`."""
        return self._cube("FLUX")

    @property
    def flux_err(self) -> NDArray[np.float32]:
        """The 1-sigma error of `flux`, e-/s."""
        return self._cube("FLUX_ERR")

    @property
    def flux_bkg(self) -> NDArray[np.float32]:
        """The background that was subtracted, e-/s; zero in cut-outs, where none was."""
        return self._cube("FLUX_BKG")

    @property
    def flux_bkg_err(self) -> NDArray[np.float32]:
        """The 1-sigma error of `flux_bkg`, e-/s."""
        return self._cube("FLUX_BKG_ERR")

    @property
    def raw_counts(self) -> NDArray[np.int32]:
        """Counts as the spacecraft sent them, -1 where none were."""
        return self._cube("RAW_CNTS")

    def mapped(self, name: str) -> NDArray[Any]:
        """One column as a view of the file's own bytes: big-endian, read-only, nothing read until it is used.

        For who needs a few pixels of each image only. A column that the file scales, or
        lacks, comes as `column` gives it, or raises as it does.
        """
        column = self._file.columns(self._table).get(name.upper())
        if column is None or column.scale != 1 or column.zero != 0 or column.code not in "BIJKED":
            return self.column(name)
        return np.asarray(self._file.rows(self._table)[f"{column.number}"])

    @property
    def background_subtracted(self) -> bool:
        """Whether `flux` is free of sky background: TESScut cut-outs are not."""
        return self.author != "TESScut"

    @cached_property
    def aperture(self) -> NDArray[np.int32]:
        """Flags of the stamp's pixels, (rows, columns).

        Bit 1: collected, 2: in the photometric aperture, 4: used for the background, 8: in the
        centroid's aperture, 32 to 256: output A to D of the CCD. All 1 where the file has no APERTURE.
        """
        hdu = self._file.find("APERTURE")
        image = self._file.image(hdu) if hdu else None
        flags = np.ones(self.shape[1:], np.int32) if image is None else image.astype(np.int32)
        if flags.shape != self.shape[1:]:
            raise Corrupt(f"{self.path}: APERTURE is {flags.shape}, the stamps are {self.shape[1:]}")
        flags.flags.writeable = False
        return flags

    @property
    def pipeline_mask(self) -> NDArray[np.bool_]:
        """The pixels of the pipeline's photometric aperture, (rows, columns); none in cut-outs."""
        return np.asarray((self.aperture & IN_APERTURE) != 0)

    @cached_property
    def corner(self) -> tuple[int, int]:
        """Column and row of stamp pixel [0, 0] on the CCD, 1-based, leading virtual columns counted."""
        hdu = self._file.find("APERTURE")
        number = self._file.columns(self._table)["FLUX"].number
        tables: list[tuple[Keys, str, str, str]] = [
            (hdu.keys if hdu else {}, "CRVAL{}P", "CRPIX{}P", "CDELT{}P"),
            (self._table.keys, f"{{}}CRV{number}P", f"{{}}CRP{number}P", f"{{}}CDL{number}P"),
        ]
        for keys, value, pixel, step in tables:
            column, row = (_first_pixel(keys, value.format(i), pixel.format(i), step.format(i)) for i in (1, 2))
            if column is not None and row is not None:
                return column, row
        raise Corrupt(f"{self.path}: no header says where on the CCD the stamp lies")

    @cached_property
    def wcs_header(self) -> Header:
        """The header that holds the stamp's world coordinates (of APERTURE)."""
        hdu = self._file.find("APERTURE")
        if hdu is None:
            raise Corrupt(f"{self.path}: no APERTURE, so no world coordinates")
        return self._file.header(hdu.index)

    @cached_property
    def wcs(self) -> WCS:
        """World coordinates of the stamp: its pixel [0, 0] is (0, 0) for astropy, (1, 1) in FITS."""
        from astropy.wcs import WCS, FITSFixedWarning

        with warnings.catch_warnings():
            # It says that DATE-OBS was read; nothing of the coordinates changes.
            warnings.simplefilter("ignore", FITSFixedWarning)
            return WCS(self.wcs_header)

    @cached_property
    def pos_corr(self) -> NDArray[np.float32]:
        """Shift of the star by pointing and aberration, (cadences, 2): column, row, in pixels."""
        shifts = np.stack([self._or(name, np.float32, np.nan) for name in ("POS_CORR1", "POS_CORR2")], axis=1)
        shifts.flags.writeable = False
        return shifts

    def _cube(self, name: str) -> NDArray[Any]:
        return self.column(name)


def _first_pixel(keys: Keys, value: str, pixel: str, step: str) -> int | None:
    at, reference, delta = (keys.get(name) for name in (value, pixel, step))
    if not isinstance(at, int | float):
        return None
    offset = 1 - reference if isinstance(reference, int | float) else 0
    return round(at + offset * (delta if isinstance(delta, int | float) else 1))
