"""What a stack keeps of each of its frames, and how pixels are read from them.

A sector has up to 12,000 frames: none is kept open. A record tells where in the
file the pixels lie, and a window is read from there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
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

# Frames that are announced before they are read.
_AHEAD = 16
# Windows that are narrower than the image by this factor are read row by row.
_NARROW = 4
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
        Any floating type.
    room : bytearray, optional
        To read wide windows into; made larger if need be. With one for many frames, the system need not find memory
        for each.
    """
    left, bottom = corner[0] - layout.corner[0], corner[1] - layout.corner[1]
    high, wide = layout.shape
    first_row, end_row = max(bottom, 0), min(bottom + shape[0], high)
    first_column, end_column = max(left, 0), min(left + shape[1], wide)
    if (first_row, first_column, end_row, end_column) != (bottom, left, bottom + shape[0], left + shape[1]):
        out[:] = np.nan
    if first_row >= end_row or first_column >= end_column:
        return
    rows, columns = end_row - first_row, end_column - first_column
    size = layout.dtype.itemsize
    offset, step = layout.offset + (first_row * wide + first_column) * size, wide * size
    read = _read_narrow if columns * size * _NARROW <= step else _read_wide
    try:
        with path.open("rb", buffering=0) as stream:
            view = read(stream.fileno(), offset, step, rows, columns * size, room)
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: gone since the stack was opened") from error
    if view is None:
        raise Corrupt(f"{path}: cut short since the stack was opened; fetch it again")
    out[first_row - bottom : end_row - bottom, first_column - left : end_column - left] = view.view(layout.dtype)


def _read_wide(
    file: int, offset: int, step: int, rows: int, length: int, room: bytearray | None
) -> NDArray[np.uint8] | None:
    """Read `length` bytes every `step`: as one run, what is between them too; None where the file ends before."""
    count = (rows - 1) * step + length
    room = bytearray() if room is None else room
    room.extend(bytes(max(count - len(room), 0)))
    with memoryview(room)[:count] as part:
        if os.preadv(file, [part], offset) != count:
            return None
    flat = np.frombuffer(room, np.uint8, count)
    return np.lib.stride_tricks.as_strided(flat, (rows, length), (step, 1), writeable=False)


def _read_narrow(
    file: int, offset: int, step: int, rows: int, length: int, room: bytearray | None
) -> NDArray[np.uint8] | None:
    """Read the same one by one: most of the run would be dropped."""
    raw = b"".join([os.pread(file, length, offset + row * step) for row in range(rows)])
    return np.frombuffer(raw, np.uint8).reshape(rows, length) if len(raw) == rows * length else None


def announce(frame: Frame, corner: tuple[int, int], shape: tuple[int, int], *, errors: bool = False) -> None:
    """Tell the system that pixels of a frame will be read soon: it fetches them from the disk meanwhile.

    Parameters
    ----------
    frame : Frame
    corner, shape
        As `read_window` takes them.
    errors : bool
        Whether their errors will be read, too.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    with suppress(OSError), frame.path.open("rb", buffering=0) as stream:
        for layout in (frame.pixels, frame.errors if errors else None):
            if layout is not None:
                size, wide = layout.dtype.itemsize, layout.shape[1]
                first = max(corner[1] - layout.corner[1], 0) * wide + max(corner[0] - layout.corner[0], 0)
                count = (shape[0] - 1) * wide + shape[1]
                os.posix_fadvise(stream.fileno(), layout.offset + first * size, count * size, os.POSIX_FADV_WILLNEED)


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
    errors = np.full_like(images, np.nan)
    room = bytearray()
    for index, frame in enumerate(frames):
        if index + _AHEAD < len(frames):
            announce(frames[index + _AHEAD], corner, shape, errors=True)
        read_window(frame.path, frame.pixels, corner, shape, images[index], room)
        if frame.errors is not None:
            read_window(frame.path, frame.errors, corner, shape, errors[index], room)
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
