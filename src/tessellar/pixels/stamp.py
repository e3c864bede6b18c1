"""The pixels around one star, cadence by cadence, whatever file they came from.

A `Stamp` is what every photometry method takes; a `PixelSource` is anything that
can cut one out: a target pixel file, a cut-out, a stack of frames, arrays in memory.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace
from enum import IntFlag
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.mission.ccd import FIRST_COLUMN
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

Span: TypeAlias = tuple[int, int] | None
"""First and last row (or column) of a window, 1-based CCD pixels, both included; None for all there is."""

# Each CCD is read through four outputs.
_OUTPUT_COLUMNS = 512


class AperturePixel(IntFlag):
    """Bits of the APERTURE image of TESS products (TESS Science Data Products Description Document)."""

    COLLECTED = 1
    PHOTOMETRY = 2
    BACKGROUND = 4
    CENTROID = 8
    OUTPUT_A = 32
    OUTPUT_B = 64
    OUTPUT_C = 128
    OUTPUT_D = 256


def output_flags(columns: NDArray[Any]) -> NDArray[np.int32]:
    """Bit of `AperturePixel` of the output that each CCD column (1-based) is read through; 0 for virtual columns.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.pixels.stamp import output_flags
    >>> output_flags(np.array([44, 45, 556, 557, 2092, 2093])).tolist()
    [0, 32, 32, 64, 256, 0]
    """
    output = (np.asarray(columns, dtype=np.int64) - FIRST_COLUMN) // _OUTPUT_COLUMNS
    seen = (output >= 0) & (output < 4)
    return np.where(seen, int(AperturePixel.OUTPUT_A) << np.clip(output, 0, 3), 0).astype(np.int32)


class PixelFlag(IntFlag):
    """Bits of `Stamp.pixel_flags`: what is known of one pixel in one cadence."""

    NOT_USED_FOR_BACKGROUND = 1
    EXCLUDED = 2
    BACKGROUND_JUMP = 4


@dataclass(frozen=True, eq=False, kw_only=True)
class Stamp:
    """Pixels of one part of one CCD over time. Frozen: its arrays cannot be written to.

    Parameters
    ----------
    images : array (n, rows, cols)
        Flux in e-/s. Any floating type and byte order, also a memory-mapped view; NaN where a pixel is missing.
    errors, background : array (n, rows, cols)
        1-sigma uncertainty of `images`, and the sky that belongs to them, both in e-/s.
    time : array (n,), float64
        Mid-exposure times in BTJD (BJD TDB - 2457000); NaN in a gap.
    timecorr : array (n,)
        Barycentric correction contained in `time`, in days.
    cadenceno, quality : array (n,), int32
        Cadence numbers and the mission's quality flags.
    corner : (int, int)
        CCD column and row of stamp pixel [0, 0], 1-based as in the headers.
    field : Field
        Sector, camera and CCD.
    cadence : float
        Seconds from one cadence to the next.
    origin : str
        What the pixels are, in words: a file name, or "memory".
    aperture : array (rows, cols), int32, optional
        Flags of `AperturePixel`.
    wcs : astropy.wcs.WCS or astropy.io.fits.Header, optional
        Sky to stamp; its 0-based pixel (0, 0) is stamp pixel [0, 0]. A header is turned into a WCS when a position is
        asked for; `sky` is always the WCS.
    pos_corr : array (n, 2), optional
        Offset of the target from its mean place, column and row, in pixels.
    pixel_flags : array (n, rows, cols), uint8, optional
        Flags of `PixelFlag`.
    background_subtracted : bool
        False where `images` still hold the sky, as in TESScut cut-outs.

    Raises
    ------
    InputError
        If shapes disagree.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar import Field
    >>> from tessellar.pixels import Stamp
    >>> cube = np.ones((3, 4, 5), dtype="f4")
    >>> stamp = Stamp(images=cube, errors=cube, background=cube, time=np.arange(3.0), timecorr=np.zeros(3),
    ...               cadenceno=np.arange(3), quality=np.zeros(3, int), corner=(45, 1), field=Field(1, 4, 1),
    ...               cadence=120.0, origin="memory")
    >>> stamp.shape, int(stamp.columns[-1]), int(stamp.rows[-1])
    ((4, 5), 49, 4)
    >>> stamp.window(cols=(46, 47)).shape
    (4, 2)
    """

    images: NDArray[Any]
    errors: NDArray[Any]
    background: NDArray[Any]
    time: NDArray[np.float64]
    timecorr: NDArray[Any]
    cadenceno: NDArray[Any]
    quality: NDArray[Any]
    corner: tuple[int, int]
    field: Field
    cadence: float
    origin: str
    aperture: NDArray[np.int32] | None = None
    wcs: WCS | Header | None = None
    pos_corr: NDArray[Any] | None = None
    pixel_flags: NDArray[np.uint8] | None = None
    background_subtracted: bool = True

    def __post_init__(self) -> None:
        if np.ndim(self.images) != 3 or 0 in np.shape(self.images):
            raise InputError(f"images of {self.origin} have shape {np.shape(self.images)}: give (cadences, rows, cols)")
        count, *shape = self.images.shape
        expected = {
            **dict.fromkeys(("images", "errors", "background", "pixel_flags"), (count, *shape)),
            **dict.fromkeys(("time", "timecorr", "cadenceno", "quality"), (count,)),
            "aperture": tuple(shape),
            "pos_corr": (count, 2),
        }
        for name, wanted in expected.items():
            value = getattr(self, name)
            if value is None and name in ("aperture", "pos_corr", "pixel_flags"):
                continue
            if np.shape(value) != wanted:
                raise InputError(
                    f"{name} of {self.origin} has shape {np.shape(value)}, not {wanted} as its images need"
                )
            frozen = np.asarray(value).view()
            frozen.flags.writeable = False
            object.__setattr__(self, name, frozen)

    def __len__(self) -> int:
        return int(self.images.shape[0])

    def __repr__(self) -> str:
        rows, cols = self.shape
        return f"<Stamp {self.field} {rows} x {cols} px at {self.corner}, {len(self)} cadences, from {self.origin}>"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of one image."""
        return int(self.images.shape[1]), int(self.images.shape[2])

    @property
    def columns(self) -> NDArray[np.int64]:
        """CCD column of each stamp column, 1-based."""
        return self.corner[0] + np.arange(self.shape[1])

    @property
    def rows(self) -> NDArray[np.int64]:
        """CCD row of each stamp row, 1-based."""
        return self.corner[1] + np.arange(self.shape[0])

    @cached_property
    def sky(self) -> WCS | None:
        """World coordinates of the stamp: 0-based pixel (0, 0) is stamp pixel [0, 0]."""
        if self.wcs is None or not hasattr(self.wcs, "cards"):
            return self.wcs
        from astropy.wcs import WCS, FITSFixedWarning

        with warnings.catch_warnings():
            # It only says that a date keyword was completed.
            warnings.simplefilter("ignore", FITSFixedWarning)
            return WCS(self.wcs)

    def pixel_of(self, ra: float, dec: float) -> tuple[float, float] | None:
        """Where a sky position (ICRS degrees) falls: 1-based CCD column and row, or None without a usable WCS.

        The place may lie outside the stamp.
        """
        if self.sky is None:
            return None
        x, y = self.sky.all_world2pix([ra], [dec], 0)
        place = float(x[0]) + self.corner[0], float(y[0]) + self.corner[1]
        return place if np.isfinite(place).all() else None

    def window(self, rows: Span = None, cols: Span = None) -> Stamp:
        """Cut a smaller stamp out of this one.

        Parameters
        ----------
        rows, cols : (int, int), optional
            First and last CCD row and column, 1-based, both included. All if not given.

        Raises
        ------
        InputError
            If the window is empty or not wholly inside.
        """
        if rows is None and cols is None:
            return self
        row, col = self._cut(rows, 0, "row"), self._cut(cols, 1, "column")
        cut: dict[str, Any] = {name: getattr(self, name)[:, row, col] for name in ("images", "errors", "background")}
        if self.aperture is not None:
            cut["aperture"] = self.aperture[row, col]
        if self.pixel_flags is not None:
            cut["pixel_flags"] = self.pixel_flags[:, row, col]
        if self.sky is not None:
            cut["wcs"] = self.sky[row, col]
        return replace(self, corner=(self.corner[0] + col.start, self.corner[1] + row.start), **cut)

    def reordered(self, order: NDArray[Any]) -> Stamp:
        """The same stamp with the cadences of `order`: an index array, a slice or a boolean array."""
        per_cadence = {"images", "errors", "background", "time", "timecorr", "cadenceno", "quality", "pos_corr"}
        per_cadence.add("pixel_flags")
        names = [each.name for each in fields(self) if each.name in per_cadence]
        return replace(self, **{name: getattr(self, name)[order] for name in names if getattr(self, name) is not None})

    def _cut(self, span: Span, axis: int, word: str) -> slice:
        first = self.corner[1 - axis]
        last = first + self.shape[axis] - 1
        begin, end = span if span is not None else (first, last)
        if not first <= begin <= end <= last:
            raise InputError(f"{word}s {begin} to {end} are not in {self.origin}, which has {word}s {first} to {last}")
        return slice(begin - first, end - first + 1)


class PixelSource(Protocol):
    """Anything that stamps can be cut from."""

    @property
    def field(self) -> Field:
        """Sector, camera and CCD."""

    @property
    def time(self) -> NDArray[np.float64]:
        """Mid-exposure times in BTJD, shape (n,)."""

    @property
    def quality(self) -> NDArray[Any]:
        """The mission's quality flags, shape (n,)."""

    @property
    def wcs(self) -> WCS | None:
        """Sky to pixel [0, 0] of the whole source."""

    def window(self, rows: Span = None, cols: Span = None) -> Stamp:
        """Cut out CCD rows and columns (first, last; 1-based, both included); all there are if not given."""
