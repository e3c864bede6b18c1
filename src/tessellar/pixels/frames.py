"""What a stack keeps of each of its frames, and how pixels are read from them.

A sector has up to 12,000 frames: none is kept open. A record tells where in the
file the pixels lie, and a window is read from there.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, InputError, MissingInput
from tessellar.pixels.planes import plane_of

if TYPE_CHECKING:
    from tessellar.mission.tangent import Plane
    from tessellar.products.images import FullFrameImage, PixelLayout
    from tessellar.products.keywords import Keys
    from tessellar.targets import Field

# Frames that are opened, and announced to the system, before they are read.
_AHEAD = 16
#: Where frames are timed, if they do not say it: the middle of the CCD.
TIMED_AT = (1068.0, 1024.0)


@dataclass(frozen=True)
class Frame:
    """One frame of a stack.

    Attributes
    ----------
    path : Path
        The file.
    field : Field
        Sector, camera, CCD.
    pixels, errors : PixelLayout
        Where they lie in the file; errors can be missing.
    start, mid, stop : float
        BTJD of the exposure, days.
    timecorr : float
        Barycentric correction in them, days.
    cadenceno : int or None
        FFIINDEX.
    quality : int
        Flags of the frame.
    plane : Plane or None
        Its projection, as its header has it.
    timed_at : (float, float)
        CCD column and row, 1-based, whose place on the sky the barycentric correction is for (BTC_PIX1, BTC_PIX2).
    """

    path: Path
    field: Field
    pixels: PixelLayout
    errors: PixelLayout | None
    start: float
    mid: float
    stop: float
    timecorr: float
    cadenceno: int | None
    quality: int
    plane: Plane | None
    timed_at: tuple[float, float] = TIMED_AT

    @property
    def exposure(self) -> float:
        """Seconds from begin to end."""
        return (self.stop - self.start) * 86400


def describe(image: FullFrameImage) -> Frame:
    """Take from a frame what a stack keeps of it.

    Raises
    ------
    InputError
        If it is packed, of TICA, or does not tell its field or times.
    """
    if image.gzipped:
        raise InputError(f"{image.path}: packed with gzip, its pixels have no place: unpack it first, or give unpack=")
    if not image.barycentric:
        raise InputError(f"{image.path}: a frame of TICA (times at the spacecraft); a stack takes SPOC's frames")
    if image.field is None:
        raise InputError(f"{image.path}: neither its headers nor its name tell sector, camera and CCD")
    if not (np.isfinite(image.btjd_start) and image.btjd_end > image.btjd_start):
        raise Corrupt(f"{image.path}: TSTART and TSTOP tell no exposure ({image.btjd_start} to {image.btjd_end})")
    return Frame(
        path=image.path,
        field=image.field,
        pixels=image.layout,
        errors=image.uncertainty_layout,
        start=image.btjd_start,
        mid=image.btjd,
        stop=image.btjd_end,
        timecorr=0.0 if np.isnan(image.timecorr) else image.timecorr,
        cadenceno=image.cadenceno,
        quality=image.quality,
        plane=plane_of(image.keys, image.corner),
        timed_at=_timed_at(image.keys),
    )


def _timed_at(keys: Keys) -> tuple[float, float]:
    column, row = keys.get("BTC_PIX1"), keys.get("BTC_PIX2")
    return (float(column), float(row)) if isinstance(column, int | float) and isinstance(row, int | float) else TIMED_AT


def read_window(
    path: Path, layout: PixelLayout, corner: tuple[int, int], shape: tuple[int, int], out: NDArray[Any],
    room: bytearray | None = None,
) -> None:  # fmt: skip
    """Read CCD pixels of one frame into `out`; where the image has none there will be NaN.

    Parameters
    ----------
    path, layout
        The file, and where in it the pixels lie.
    corner : (int, int)
        CCD column and row of the first pixel, 1-based.
    shape : (int, int)
        Rows and columns.
    out : array (rows, columns)
        Any floating type; that of the layout does for windows that lie in the image.
    room : bytearray, optional
        To read into; made larger if need be. With one for many frames, the system need not find memory for each.
    """
    file = _open(path)
    try:
        _read(file, path, _inside(layout, corner, shape), out, bytearray() if room is None else room)
    finally:
        os.close(file)


@dataclass(frozen=True)
class _Inside:
    """What of a window lies in an image: `rows` of `cols` pixels, every `step` bytes from `offset` on; and where."""

    offset: int
    step: int
    rows: int
    cols: int
    dtype: np.dtype[Any]
    place: tuple[slice, slice]

    @cached_property
    def count(self) -> int:
        """Bytes from the first to the last."""
        return (self.rows - 1) * self.step + self.cols * self.dtype.itemsize


@lru_cache(maxsize=16)
def _inside(layout: PixelLayout, corner: tuple[int, int], shape: tuple[int, int]) -> _Inside | None:
    left, bottom = corner[0] - layout.corner[0], corner[1] - layout.corner[1]
    high, wide = layout.shape
    first_row, end_row = max(bottom, 0), min(bottom + shape[0], high)
    first_column, end_column = max(left, 0), min(left + shape[1], wide)
    if first_row >= end_row or first_column >= end_column:
        return None
    size = layout.dtype.itemsize
    return _Inside(
        offset=layout.offset + (first_row * wide + first_column) * size,
        step=wide * size,
        rows=end_row - first_row,
        cols=end_column - first_column,
        dtype=layout.dtype,
        place=(slice(first_row - bottom, end_row - bottom), slice(first_column - left, end_column - left)),
    )


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: gone since the stack was opened") from error


def _read(file: int, path: Path, inside: _Inside | None, out: NDArray[Any], room: bytearray) -> None:
    """Read into `out` what of a window lies in an image; NaN where nothing does."""
    if inside is None or (inside.rows, inside.cols) != out.shape:
        out[:] = np.nan
    if inside is None:
        return
    # As one run, with what lies between the rows: to ask for each row takes longer than to drop the rest of it.
    room.extend(bytes(max(inside.count - len(room), 0)))
    with memoryview(room)[: inside.count] as part:
        if os.preadv(file, [part], inside.offset) != inside.count:
            raise Corrupt(f"{path}: cut short since the stack was opened; fetch it again")
    steps = (inside.step, inside.dtype.itemsize)
    out[inside.place] = np.ndarray((inside.rows, inside.cols), inside.dtype, room, strides=steps)


def announce(frame: Frame, corner: tuple[int, int], shape: tuple[int, int]) -> None:
    """Tell the system that pixels of a frame will be read soon: it fetches them from the disk meanwhile.

    Parameters
    ----------
    frame : Frame
    corner, shape
        As `read_window` takes them.
    """
    # Whether the file is there is found out by who reads it.
    with suppress(MissingInput, OSError):
        file = _open(frame.path)
        try:
            _announce(file, _inside(frame.pixels, corner, shape))
        finally:
            os.close(file)


def _announce(file: int, inside: _Inside | None) -> None:
    if inside is not None and hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file, inside.offset, inside.count, os.POSIX_FADV_WILLNEED)


def science(frame: Frame, corner: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Read the pixels of one frame from `corner` (CCD column and row, 1-based) on, e-/s; NaN where it has none."""
    pixels = np.empty(shape, dtype=np.float32)
    read_window(frame.path, frame.pixels, corner, shape, pixels)
    return pixels


def read_cubes(
    frames: Sequence[Frame], corner: tuple[int, int], shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read a window out of many frames: pixels and their errors (NaN where a frame has none), (n, rows, columns)."""
    images = np.empty((len(frames), *shape), dtype=np.float32)
    errors = np.empty_like(images)
    room = bytearray()
    soon: deque[tuple[int, _Inside | None, _Inside | None]] = deque()
    try:
        for index, frame in enumerate(frames):
            for each in frames[index + len(soon) : index + _AHEAD]:
                file, pixels = _open(each.path), _inside(each.pixels, corner, shape)
                uncertainties = None if each.errors is None else _inside(each.errors, corner, shape)
                soon.append((file, pixels, uncertainties))
                _announce(file, pixels)
                _announce(file, uncertainties)
            file, pixels, uncertainties = soon[0]
            _read(file, frame.path, pixels, images[index], room)
            _read(file, frame.path, uncertainties, errors[index], room)
            os.close(soon.popleft()[0])
    finally:
        for file, *_ in soon:
            os.close(file)
    return images, errors


def check_alike(frames: Sequence[Frame]) -> None:
    """Refuse frames that do not make one stack: of several CCDs, sizes or cadences, or the same one twice.

    Parameters
    ----------
    frames : sequence of Frame
        In order of time.

    Raises
    ------
    InputError
        If they do not belong together.
    Corrupt
        If their numbers contradict their times.
    """
    first = frames[0]
    for frame in frames[1:]:
        if frame.field != first.field:
            raise InputError(
                f"frames of two CCDs: {first.path.name} is of {first.field}, {frame.path.name} of {frame.field}; "
                "give the field, or only its frames"
            )
    exposures = np.array([frame.exposure for frame in frames])
    odd = np.flatnonzero(np.abs(exposures / np.median(exposures) - 1) > 0.01)
    if odd.size:
        raise InputError(
            f"two cadences mixed: {frames[odd[0]].path.name} was exposed for {exposures[odd[0]]:.0f} s, "
            f"most frames for {np.median(exposures):.0f} s; give frames of one cadence"
        )
    for frame in frames[1:]:
        if (frame.pixels.shape, frame.pixels.corner) != (first.pixels.shape, first.pixels.corner):
            raise InputError(
                f"{frame.path.name} has {frame.pixels.shape} pixels from {frame.pixels.corner}, "
                f"{first.path.name} {first.pixels.shape} from {first.pixels.corner}: not one stack"
            )
    for before, after in pairwise(frames):
        same = before.cadenceno is not None and before.cadenceno == after.cadenceno
        if same or after.start - before.start < 0.5 * exposures[0] / 86400:
            raise InputError(f"the same frame twice: {before.path} and {after.path}; leave one out")
        if before.cadenceno is not None and after.cadenceno is not None and after.cadenceno < before.cadenceno:
            raise Corrupt(
                f"{after.path.name} is later than {before.path.name}, but its FFIINDEX {after.cadenceno} is smaller "
                f"than {before.cadenceno}: one of their headers is wrong"
            )
