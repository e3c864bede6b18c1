"""Where a stamp lies on its CCD, how large it is to begin with, and how it grows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tessellar.errors import InputError
from tessellar.pixels.places import nearest_pixel

# Rows and columns to begin with, by TESS magnitude: saturated stars bleed along their column. Tabulated from 0 in steps
# of 10/19, and at 13; the sizes are those of the TASOC pipeline, so that masks of one star are chosen among the same
# pixels.
_TMAG = (*np.linspace(0, 10, 20), 13.0)
_FAINT = (
    28.05639497, 23.043017, 19.85922009, 17.83731732, 16.5532873, 15.73785092,
    15.21999971, 14.89113301, 14.68228285, 14.54965042, 14.46542084, 14.0,
)  # fmt: skip
_ROWS = (
    831.98319063, 533.58494422, 344.0840884, 223.73963332, 147.31365728,
    98.77856016, 67.95585074, 48.38157414, 35.95072974, *_FAINT,
)  # fmt: skip
_COLUMNS = (
    157.71602062, 125.1238281, 99.99440209, 80.61896267, 65.6799962,
    54.16166547, 45.28073365, 38.4333048, 33.15375951, *_FAINT,
)  # fmt: skip
_LEAST = 15


class StampLimits(NamedTuple):
    """The pixels of a stamp: 0-based CCD rows and columns, the last ones not included.

    CCD row 1 and column 1, as headers count, are 0 here.

    Examples
    --------
    >>> from tessellar.photometry import StampLimits
    >>> limits = StampLimits(50, 60, 50, 70)
    >>> limits.shape, limits.rows, limits.cols
    ((10, 20), (51, 60), (51, 70))
    >>> limits.grown(up=12)
    StampLimits(row_min=50, row_max=72, col_min=50, col_max=70)
    """

    row_min: int
    row_max: int
    col_min: int
    col_max: int

    @classmethod
    def about(cls, column: float, row: float, size: tuple[int, int]) -> StampLimits:
        """Limits of a stamp of (rows, columns) about a 1-based place; an even number becomes the odd one above."""
        (bottom, top), (left, right) = (_about(place, width) for place, width in zip((row, column), size, strict=True))
        return cls(bottom, top, left, right)

    @classmethod
    def of(cls, corner: tuple[int, int], shape: tuple[int, int]) -> StampLimits:
        """Limits of the pixels from a 1-based CCD column and row on, of so many (rows, columns)."""
        return cls(corner[1] - 1, corner[1] - 1 + shape[0], corner[0] - 1, corner[0] - 1 + shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.row_max - self.row_min, self.col_max - self.col_min

    @property
    def rows(self) -> tuple[int, int]:
        """First and last row, 1-based, both included."""
        return self.row_min + 1, self.row_max

    @property
    def cols(self) -> tuple[int, int]:
        """First and last column, 1-based, both included."""
        return self.col_min + 1, self.col_max

    def grown(self, down: int = 0, up: int = 0, left: int = 0, right: int = 0) -> StampLimits:
        """The limits with so many more pixels on each side; negative numbers take some away."""
        return StampLimits(self.row_min - down, self.row_max + up, self.col_min - left, self.col_max + right)

    def resized(self, column: float, row: float, width: int | None = None, height: int | None = None) -> StampLimits:
        """The limits with so many columns or rows about a 1-based place."""
        new = self
        if height is not None:
            new = new._replace(**dict(zip(("row_min", "row_max"), _about(row, height), strict=True)))
        if width is not None:
            new = new._replace(**dict(zip(("col_min", "col_max"), _about(column, width), strict=True)))
        return new

    def clipped(self, outer: StampLimits) -> StampLimits:
        """The part of these limits that lies within others.

        Raises
        ------
        InputError
            If there is none.
        """
        new = StampLimits(
            max(self.row_min, outer.row_min),
            min(self.row_max, outer.row_max),
            max(self.col_min, outer.col_min),
            min(self.col_max, outer.col_max),
        )
        if min(new.shape) <= 0:
            raise InputError(
                f"invalid stamp selected: rows {self.row_min} to {self.row_max}, columns {self.col_min} to "
                f"{self.col_max} (0-based, last not included) leave no pixel of {tuple(outer)}"
            )
        return new

    def lies_in(self, outer: StampLimits) -> bool:
        """Whether all pixels are among those of others."""
        below = outer.row_min <= self.row_min and self.row_max <= outer.row_max
        return below and outer.col_min <= self.col_min and self.col_max <= outer.col_max

    def holds(self, column: float, row: float) -> bool:
        """Whether a 1-based place falls on one of the pixels."""
        return bool(
            self.row_min + 0.5 <= row < self.row_max + 0.5 and self.col_min + 0.5 <= column < self.col_max + 0.5
        )


def stamp_size(tmag: float | None) -> tuple[int, int]:
    """Rows and columns of the stamp that a star is first looked for in; 15 at least.

    Parameters
    ----------
    tmag : float or None
        TESS magnitude; between those of the table the sizes are interpolated linearly.

    Examples
    --------
    >>> from tessellar.photometry import stamp_size
    >>> stamp_size(10.0), stamp_size(2.216)
    ((15, 15), (138, 64))
    """
    if tmag is None or not np.isfinite(tmag):
        return _LEAST, _LEAST
    rows, columns = (max(_LEAST, int(np.ceil(np.interp(tmag, _TMAG, table)))) for table in (_ROWS, _COLUMNS))
    return rows, columns


def _about(place: float, width: int) -> tuple[int, int]:
    middle = int(nearest_pixel(place - 1))
    return middle - width // 2, middle + width // 2 + 1
