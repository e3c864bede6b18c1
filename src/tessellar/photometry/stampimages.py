"""Images of the stamps of many stars of prepared frames, for light curves that the engine measured."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.pixels import AperturePixel
from tessellar.pixels.stamp import output_flags
from tessellar.products import StarImages
from tessellar.products.wcscards import WorldCards

if TYPE_CHECKING:
    from tessellar.pixels import PreparedField

# Pixels about a mask that are shown with it.
_MARGIN = 2
# Pixels of a mask: light and positions were measured there.
_ADDED_UP = np.int32(AperturePixel.PHOTOMETRY | AperturePixel.CENTROID)


class StampImages:
    """Cuts apertures, mean images and world coordinates out of a prepared field, a star in microseconds.

    Parameters
    ----------
    prepared : PreparedField

    Examples
    --------
    >>> from tessellar.photometry.stampimages import StampImages
    >>> images = StampImages(prepared).of(1000, 500, mask)  # doctest: +SKIP
    """

    def __init__(self, prepared: PreparedField) -> None:
        self.prepared = prepared

    def of(self, column: int, row: int, mask: NDArray[np.bool_]) -> StarImages:
        """Images of one star.

        Parameters
        ----------
        column, row : int
            CCD pixel of ``mask[0, 0]``, 1-based.
        mask : boolean array (rows, cols)
            The pixels that were added up. The stamp is the box about them and two pixels more, as far as there are
            pixels; without any, the box that was given.
        """
        lines, places = np.nonzero(mask)
        down, across = (lines, places) if len(lines) else np.indices(mask.shape).reshape(2, -1)
        (left, bottom), (high, wide) = self.prepared.corner, self.prepared.shape
        first_row, last_row = _limits(row + down.min(), row + down.max(), bottom, high)
        first_column, last_column = _limits(column + across.min(), column + across.max(), left, wide)
        part = slice(first_row - bottom, last_row - bottom + 1), slice(first_column - left, last_column - left + 1)
        corner, shape = (first_column, first_row), (last_row - first_row + 1, last_column - first_column + 1)
        aperture = self._flags[part].copy()
        lines, places = lines + row - first_row, places + column - first_column
        inside = (lines >= 0) & (lines < shape[0]) & (places >= 0) & (places < shape[1])
        aperture[lines[inside], places[inside]] |= _ADDED_UP
        return StarImages(
            corner=corner,
            aperture=aperture,
            sumimage=self.prepared.mean_image[part],
            wcs=self._text,
            crpix=self.prepared.crpix_of(corner, shape),
        )

    @cached_property
    def _text(self) -> str:
        return WorldCards.of(self.prepared.wcs).text

    @cached_property
    def _flags(self) -> NDArray[np.int32]:
        """What is known of all pixels before anything is measured: none of them is added up."""
        prepared = self.prepared
        flags = np.where(np.isfinite(prepared.mean_image), int(AperturePixel.COLLECTED), 0)
        flags |= np.where(prepared.used_for_background(), int(AperturePixel.BACKGROUND), 0)
        columns = prepared.corner[0] + np.arange(prepared.shape[1])
        return np.asarray(flags | output_flags(columns)[None, :], dtype=np.int32)


def _limits(first: int, last: int, begin: int, count: int) -> tuple[int, int]:
    """A span with its margin, as far as there are pixels."""
    low = min(max(int(first) - _MARGIN, begin), begin + count - 1)
    return low, max(min(int(last) + _MARGIN, begin + count - 1), low)
