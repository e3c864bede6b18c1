"""A stack of full-frame images: all frames of one CCD in one sector, in order of time."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, InputError, MissingInput, ProductError
from tessellar.mission.ccd import FIRST_COLUMN, FIRST_ROW, LAST_COLUMN, LAST_ROW
from tessellar.mission.flags import DEFAULT_MASK, good
from tessellar.pixels.frames import Frame, check_alike, describe, read_cubes, read_window
from tessellar.pixels.planes import repair, wcs_of
from tessellar.pixels.series import FrameSeries
from tessellar.pixels.stamp import Span, Stamp
from tessellar.pixels.unpacking import is_packed, unpacked
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from tessellar.mission.tangent import Plane
    from tessellar.products.images import FullFrameImage


class FrameStack(FrameSeries):
    """The frames of one field, ordered by time: a source of stamps.

    Pixels are read from the uncompressed files when asked for; none is kept open, and none is copied.
    `FrameStack.open` makes one out of files.

    Parameters
    ----------
    frames : iterable of Frame
        In any order.
    left_out : mapping of Path to str, optional
        Files that do not belong to it or could not be used, and why.

    Raises
    ------
    InputError
        If there is none; if they are of several CCDs, sizes or cadences; if one is there twice.
    Corrupt
        If their numbers contradict their times.

    Examples
    --------
    >>> from tessellar.pixels import FrameStack
    >>> stack = FrameStack.open("frames", field="27-1-1")  # doctest: +SKIP
    >>> stack.window(rows=(1000, 1010), cols=(500, 510)).images.shape  # doctest: +SKIP
    (3475, 11, 11)
    """

    def __init__(self, frames: Iterable[Frame], left_out: Mapping[Path, str] | None = None) -> None:
        super().__init__(frames)
        self.left_out: dict[Path, str] = dict(left_out or {})
        if not self.frames:
            why = next((f"; {path.name}: {reason}" for path, reason in self.left_out.items()), "")
            raise InputError(f"no frames to make a stack of{why}")
        check_alike(self.frames)

    @classmethod
    def open(
        cls,
        source: str | PathLike[str] | Iterable[str | PathLike[str]],
        *,
        field: Field | str | None = None,
        cadence: float | None = None,
        skip_damaged: bool = False,
        unpack: str | PathLike[str] | None = None,
    ) -> FrameStack:
        """Make a stack of the frames in a folder, or of given files.

        Parameters
        ----------
        source : path-like or iterable of path-like
            A folder, searched with all below it for ``*ffic.fits``; or the files.
        field : Field or str, optional
            Sector, camera and CCD: frames of others are left out. Needed where a folder holds several.
        cadence : float, optional
            Seconds of an exposure, dead time included: frames of others are left out. Needed where a folder holds both.
        skip_damaged : bool
            Leave damaged frames out and go on; `left_out` tells which and why.
        unpack : path-like, optional
            A folder into which packed frames (``.fits.gz``, tile-compressed ``.fits.fz``) are unpacked, once. Without
            it they are refused.

        Raises
        ------
        MissingInput
            If there is no such folder or file, or no frame in it.
        InputError
            If the frames do not belong together.
        Corrupt
            If a frame is damaged, unless those are to be left out.
        """
        from tessellar.products import FullFrameImage, read

        field = Field.parse(field) if isinstance(field, str) else field
        frames: list[Frame] = []
        left_out: dict[Path, str] = {}
        opened: set[Path] = set()
        for path in _files(source):
            try:
                plain = path if unpack is None else unpacked(path, Path(unpack))
                if unpack is not None and plain in opened:
                    continue
                image = read(plain)
                opened.add(plain)
                if not isinstance(image, FullFrameImage):
                    raise InputError(f"{path}: {type(image).__name__}, not a full-frame image")
                if field is not None and image.field is not None and image.field != field:
                    left_out[path] = f"of {image.field}"
                    continue
                if cadence is not None and abs(image.exposure - cadence) > 0.01 * cadence:
                    left_out[path] = f"of another cadence, {image.exposure:.0f} s"
                    continue
                frames.append(describe(image))
            except ProductError as error:
                if not skip_damaged or isinstance(error, MissingInput):
                    raise
                left_out[path] = str(error)
        if field is not None and not frames:
            raise MissingInput(f"no frame of {field} among {len(left_out)} files")
        return cls(frames, left_out)

    def __repr__(self) -> str:
        rows, cols = self.shape
        return (
            f"<FrameStack {self.field}, {len(self)} frames of {self.cadence:.0f} s, {rows} x {cols} px, "
            f"BTJD {self.time[0]:.3f} to {self.time[-1]:.3f}>"
        )

    @property
    def damaged(self) -> dict[Path, str]:
        """Those of `left_out` that are of this field, or could be, and cannot be used."""
        return {path: why for path, why in self.left_out.items() if not why.startswith("of ")}

    @property
    def corner(self) -> tuple[int, int]:
        """CCD column and row of the first science pixel, 1-based."""
        column, row = self.frames[0].pixels.corner
        return max(column, FIRST_COLUMN), max(row, FIRST_ROW)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of science pixels."""
        layout = self.frames[0].pixels
        end_column = min(layout.corner[0] + layout.shape[1] - 1, LAST_COLUMN)
        end_row = min(layout.corner[1] + layout.shape[0] - 1, LAST_ROW)
        return end_row - self.corner[1] + 1, end_column - self.corner[0] + 1

    @cached_property
    def _repaired(self) -> tuple[list[Plane], NDArray[np.bool_]]:
        planes, repaired = repair([frame.plane for frame in self.frames], self.field)
        if repaired.any():
            warnings.warn(
                f"{int(repaired.sum())} of {len(self)} frames of {self.field} have no usable world coordinates "
                f"(first {self.frames[int(np.argmax(repaired))].path.name}): taken from "
                + ("their neighbours" if not repaired.all() else "the mission's table"),
                stacklevel=3,
            )
        return planes, repaired

    @property
    def planes(self) -> list[Plane]:
        """Projection of each frame, between the sky and 1-based CCD pixels; broken ones repaired."""
        return self._repaired[0]

    @property
    def repaired(self) -> NDArray[np.bool_]:
        """Which frames had no usable world coordinates of their own."""
        return self._repaired[1]

    @cached_property
    def reference(self) -> int:
        """Index of the reference frame: the good one with its own world coordinates nearest to the middle in time."""
        usable = good(self.quality, DEFAULT_MASK) & ~self.repaired
        candidates = np.flatnonzero(usable) if usable.any() else np.arange(len(self))
        middle = 0.5 * (self.time[0] + self.time[-1])
        return int(candidates[np.abs(self.time[candidates] - middle).argmin()])

    @property
    def wcs(self) -> WCS:
        """World coordinates of the reference frame: 0-based pixel (0, 0) is the first science pixel."""
        return wcs_of(self.planes[self.reference], self.corner)

    def frame_wcs(self, index: int) -> WCS:
        """World coordinates of one frame, counted as those of `wcs`."""
        return wcs_of(self.planes[index], self.corner)

    def image(self, index: int) -> FullFrameImage:
        """One frame, opened."""
        from tessellar.products import FullFrameImage, read

        product = read(self.frames[index].path)
        if not isinstance(product, FullFrameImage):
            raise Corrupt(f"{self.frames[index].path}: is no full-frame image any more")
        return product

    def window(self, rows: Span = None, cols: Span = None) -> Stamp:
        """Cut CCD rows and columns out of all frames (first, last; 1-based, both included).

        All science pixels if not given, which for a whole CCD and sector do not fit any memory.

        Returns
        -------
        Stamp
            Background is NaN, for it was not measured, and is still in the flux; missing errors are NaN.

        Raises
        ------
        InputError
            If the window is empty or not wholly inside.
        Corrupt, MissingInput
            If a file changed since the stack was opened.
        """
        (left, bottom), (high, wide) = self.corner, self.shape
        first_row, last_row = _inside(rows, bottom, high, "row", self)
        first_column, last_column = _inside(cols, left, wide, "column", self)
        corner = first_column, first_row
        shape = last_row - first_row + 1, last_column - first_column + 1
        images, errors = read_cubes(self.frames, corner, shape)
        return Stamp(
            images=images,
            errors=errors,
            background=np.broadcast_to(np.float32(np.nan), images.shape),
            time=self.time,
            timecorr=self.timecorr,
            cadenceno=self.cadenceno,
            quality=self.quality,
            corner=corner,
            field=self.field,
            cadence=self.cadence,
            origin=f"frames of {self.field}",
            wcs=wcs_of(self.planes[self.reference], corner),
            background_subtracted=False,
        )

    def series(self, column: int, row: int) -> NDArray[np.float64]:
        """Flux of one CCD pixel (1-based) in every frame, e-/s: four bytes are read of each file.

        Raises
        ------
        InputError
            If the stack has no such pixel.
        """
        _inside((row, row), self.corner[1], self.shape[0], "row", self)
        _inside((column, column), self.corner[0], self.shape[1], "column", self)
        values = np.empty((len(self), 1, 1))
        for index, frame in enumerate(self.frames):
            read_window(frame.path, frame.pixels, (column, row), (1, 1), values[index])
        return values[:, 0, 0]


def _files(source: str | PathLike[str] | Iterable[str | PathLike[str]]) -> list[Path]:
    if not isinstance(source, str | PathLike):
        return [Path(path) for path in source]
    folder = Path(source)
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise MissingInput(f"{folder}: no such folder")
    found = sorted(path for path in folder.rglob("*ffic.fits*") if path.suffix == ".fits" or is_packed(path))
    if not found:
        raise MissingInput(f"{folder}: no full-frame images in it (files that end in ffic.fits)")
    return found


def _inside(span: Span, first: int, count: int, word: str, stack: FrameStack) -> tuple[int, int]:
    begin, end = span if span is not None else (first, first + count - 1)
    if not first <= begin <= end <= first + count - 1:
        raise InputError(
            f"{word}s {begin} to {end} are not in the frames of {stack.field}, "
            f"which have {word}s {first} to {first + count - 1}"
        )
    return begin, end
