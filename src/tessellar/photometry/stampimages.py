"""Images of the stamps of many stars of prepared frames, for light curves that the engine measured."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.pixels import AperturePixel
from tessellar.pixels.stamp import output_flags
from tessellar.products.starimages import ImageBlock
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
    >>> images = StampImages(prepared).of([1000], [500], mask[None])  # doctest: +SKIP
    """

    def __init__(self, prepared: PreparedField) -> None:
        self.prepared = prepared

    def of(self, columns: NDArray[np.int64], rows: NDArray[np.int64], masks: NDArray[np.bool_]) -> ImageBlock:
        """Images of stars.

        Parameters
        ----------
        columns, rows : int array (k,)
            CCD pixel of each star's ``mask[0, 0]``, 1-based.
        masks : boolean array (k, rows, cols)
            The pixels that were added up. The stamp is the box about them and two pixels more, as far as there are
            pixels; without any, the box that was given.
        """
        columns, rows = np.asarray(columns), np.asarray(rows)
        (left, bottom), (high, wide) = self.prepared.corner, self.prepared.shape
        first_row, last_row = _spans(rows, np.any(masks, axis=2), bottom, high)
        first_column, last_column = _spans(columns, np.any(masks, axis=1), left, wide)
        shape = last_row - first_row + 1, last_column - first_column + 1
        # All pixels of all stamps: whose they are, and which ones of the CCD.
        count = shape[0] * shape[1]
        star = np.repeat(np.arange(len(rows)), count)
        place = np.arange(len(star)) - (np.cumsum(count) - count)[star]
        row, column = first_row[star] + place // shape[1][star], first_column[star] + place % shape[1][star]
        down, across = row - rows[star], column - columns[star]
        seen = row - bottom, column - left
        inside = (down >= 0) & (down < masks.shape[1]) & (across >= 0) & (across < masks.shape[2])
        added = np.zeros(len(star), dtype=bool)
        added[inside] = masks[star[inside], down[inside], across[inside]]
        return ImageBlock(
            column=first_column, row=first_row, rows=shape[0], cols=shape[1],
            crpix=np.column_stack(self.prepared.crpix_of((first_column, first_row), shape)),
            aperture=self._flags[seen] | _ADDED_UP * added, sumimage=self.prepared.mean_image[seen],
            wcs=[self._text] * len(rows),
        )  # fmt: skip

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


def _spans(
    begins: NDArray[np.int64], taken: NDArray[np.bool_], begin: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last of the lines that each mask takes, with their margin, as far as there are pixels."""
    length = taken.shape[1]
    some = taken.any(axis=1)
    first = np.where(some, taken.argmax(axis=1), 0)
    last = np.where(some, length - 1 - taken[:, ::-1].argmax(axis=1), length - 1)
    low = np.clip(begins + first - _MARGIN, begin, begin + count - 1)
    return low, np.maximum(np.minimum(begins + last + _MARGIN, begin + count - 1), low)
