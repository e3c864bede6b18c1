"""A stack's pixels turned round and kept: all times of a pixel together, for who asks for many stamps.

Frames lie on disk image by image, so that a stamp takes one read of every file. In a cube
it takes one read of a few chunks. Chunks hold 16 x 16 pixels through all time, packed with
Blosc (LZ4, bit-shuffle): of the layouts that were measured the fastest to read and the smallest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, InputError, MissingInput, Unrecognised
from tessellar.pixels.checkpoints import Checkpoints, translated
from tessellar.pixels.frames import read_window
from tessellar.pixels.planes import wcs_of
from tessellar.pixels.stamp import Span, Stamp
from tessellar.products.newhdf5 import new_hdf5
from tessellar.progress import Event, Listener, ignore
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from tessellar.mission.tangent import Plane
    from tessellar.pixels.stack import FrameStack

FORMAT = "tessellar pixel cube"
CHUNK = 16
#: Bytes of pixels that are in memory at one time.
MEMORY = 1 << 29
_PER_FRAME = ("time", "timecorr", "cadenceno", "quality")


def write_cube(
    stack: FrameStack,
    out: str | PathLike[str],
    *,
    errors: bool = False,
    memory: int = MEMORY,
    listener: Listener = ignore,
) -> CubeSource:
    """Keep the pixels of a stack as a cube.

    Bands of rows are read out of all frames, one band at a time; each is kept beside `out` until all are there, so that
    a run that was killed goes on, and its result is the same. A whole CCD of 1,300 frames takes 13 GB.

    Parameters
    ----------
    stack : FrameStack
    out : path-like
        The file (HDF5).
    errors : bool
        Whether the errors of the pixels are kept too, which doubles it.
    memory : int
        Bytes of pixels in memory at one time.
    listener : callable
        Told about progress.

    Raises
    ------
    NoSpace, NoPermission, StoreError
        If it cannot be written, or another process is writing it.
    Corrupt, MissingInput
        If a frame changed since the stack was opened.
    """
    path = Path(out)
    work = _Work(stack, errors, memory)
    if path.exists() and _key_of(path) == work.key:
        return CubeSource(path)
    with Checkpoints(path.with_name(f"{path.name}.work"), work.key) as kept:
        for number, rows in enumerate(work.bands):
            if not (kept.folder / f"band-{number:05d}.h5").exists():
                work.write_band(kept.folder, number, rows)
            listener(Event("cube", rows.stop, stack.shape[0], "rows", finished=rows.stop == stack.shape[0]))
        work.join(kept.folder, path)
        kept.remove()
    return CubeSource(path)


@dataclass(frozen=True)
class _Work:
    stack: FrameStack
    errors: bool
    memory: int

    @property
    def key(self) -> str:
        told = [(str(frame.path.absolute()), frame.path.stat().st_size, frame.path.stat().st_mtime_ns)
                for frame in self.stack.frames]  # fmt: skip
        import hashlib

        return hashlib.sha256(json.dumps([told, self.errors]).encode()).hexdigest()

    @property
    def bands(self) -> list[slice]:
        """Rows (0-based) that are read together: whole chunks, as many as the memory takes."""
        high, wide = self.stack.shape
        row = len(self.stack) * wide * 4
        size = max(int(self.memory // (row * CHUNK)), 1) * CHUNK
        return [slice(first, min(first + size, high)) for first in range(0, high, size)]

    @property
    def names(self) -> tuple[str, ...]:
        return ("pixels", "errors") if self.errors else ("pixels",)

    def write_band(self, folder: Path, number: int, rows: slice) -> None:
        """Write one band, (rows, columns, n): it appears whole, or not at all."""
        with _whole(folder, folder / f"band-{number:05d}.h5") as file:
            for name in self.names:
                file.create_dataset(name, data=self._turned(name, rows), **_storage(self._chunks(rows)))

    def _turned(self, name: str, rows: slice) -> NDArray[np.float32]:
        """Pixels of some rows, all times of a pixel together."""
        stack = self.stack
        shape = rows.stop - rows.start, stack.shape[1]
        cube = np.empty((*shape, len(stack)), dtype=np.float32)
        image = np.empty(shape, dtype=np.float32)
        corner = stack.corner[0], stack.corner[1] + rows.start
        for index, frame in enumerate(stack.frames):
            layout = getattr(frame, name)
            if layout is None:
                image[:] = np.nan
            else:
                read_window(frame.path, layout, corner, shape, image)
            cube[:, :, index] = image
        return cube

    def _chunks(self, rows: slice) -> tuple[int, int, int]:
        return min(CHUNK, rows.stop - rows.start), min(CHUNK, self.stack.shape[1]), len(self.stack)

    def join(self, folder: Path, path: Path) -> None:
        """Put the bands into one file: packed chunks are copied as they are."""
        import h5py

        stack = self.stack
        with _whole(path, path) as file:
            for name in self.names:
                chunks = self._chunks(self.bands[0])
                shape = *stack.shape, len(stack)
                target = file.create_dataset(name, shape=shape, dtype="f4", **_storage(chunks))
                for number, rows in enumerate(self.bands):
                    with h5py.File(folder / f"band-{number:05d}.h5", "r") as band:
                        _copy(band[name], target, rows, chunks)
            for name in _PER_FRAME:
                file[name] = getattr(stack, name)
            plane = stack.planes[stack.reference]
            for name in ("crval", "crpix", "cd", "sip_crpix", "a", "b"):
                file[f"wcs/{name}"] = np.asarray(getattr(plane, name), dtype=np.float64)
            place = stack.field
            file.attrs.update({
                "format": FORMAT, "key": self.key, "corner": stack.corner, "cadence": stack.cadence,
                "field": (place.sector, place.camera, place.ccd),
            })  # fmt: skip


@contextmanager
def _whole(named: Path, path: Path) -> Iterator[Any]:
    """Give an HDF5 file to be filled: it appears whole, or not at all. `named` is what errors speak of."""
    partial = path.with_name(f".{path.name}.part")
    with translated(named, "what was done is kept; free some and run again"):
        try:
            with new_hdf5(partial) as file:
                yield file
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _copy(source: Any, target: Any, rows: slice, chunks: tuple[int, int, int]) -> None:
    if source.chunks != chunks:
        target[rows] = source[...]
        return
    for row in range(0, source.shape[0], chunks[0]):
        for column in range(0, source.shape[1], chunks[1]):
            mask, packed = source.id.read_direct_chunk((row, column, 0))
            target.id.write_direct_chunk((rows.start + row, column, 0), packed, mask)


def _storage(chunks: tuple[int, int, int]) -> dict[str, Any]:
    import hdf5plugin

    packing = hdf5plugin.Blosc(cname="lz4", clevel=5, shuffle=hdf5plugin.Blosc.BITSHUFFLE)
    return {"chunks": chunks, "compression": packing}


def _key_of(path: Path) -> str:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return str(file.attrs.get("key", ""))
    except OSError:
        return ""


class CubeSource:
    """A cube that `write_cube` made, as a source of stamps; the sky is still in its flux.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    MissingInput
        If there is no such file.
    Unrecognised, Corrupt
        If it is no such cube, or damaged.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise MissingInput(f"{self.path}: no such file")
        with self._open() as file:
            if file.attrs.get("format") != FORMAT:
                raise Unrecognised(f"{self.path}: HDF5, but not a pixel cube of tessellar")
            self._field = Field(*(int(each) for each in file.attrs["field"]))
            self.corner = int(file.attrs["corner"][0]), int(file.attrs["corner"][1])
            self.cadence = float(file.attrs["cadence"])
            rows, cols, count = file["pixels"].shape
            self._arrays: dict[str, NDArray[Any]] = {name: file[name][()] for name in _PER_FRAME}
        self.shape = int(rows), int(cols)
        self._count = int(count)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        rows, cols = self.shape
        return f"<CubeSource {self._field}, {len(self)} frames of {self.cadence:.0f} s, {rows} x {cols} px>"

    @property
    def field(self) -> Field:
        """Sector, camera and CCD."""
        return self._field

    @property
    def time(self) -> NDArray[np.float64]:
        """Middle of each exposure, BTJD."""
        return self._arrays["time"]

    @property
    def quality(self) -> NDArray[np.int32]:
        """The mission's flags."""
        return self._arrays["quality"]

    @cached_property
    def _plane(self) -> Plane:
        from tessellar.mission.tangent import Plane

        with self._open() as file:
            parts = {name: file[f"wcs/{name}"][()] for name in file["wcs"]}
        pairs = {name: (float(parts[name][0]), float(parts[name][1])) for name in ("crval", "crpix", "sip_crpix")}
        return Plane(cd=parts["cd"], a=parts["a"], b=parts["b"], **pairs)

    @property
    def wcs(self) -> WCS:
        """World coordinates of the reference frame: 0-based pixel (0, 0) is the first pixel."""
        return wcs_of(self._plane, self.corner)

    def window(self, rows: Span = None, cols: Span = None) -> Stamp:
        """Cut out CCD rows and columns (first, last; 1-based, both included); all there are if not given."""
        spans = []
        for span, first, count, word in zip(
            (rows, cols), self.corner[::-1], self.shape, ("rows", "columns"), strict=True
        ):
            begin, end = span if span is not None else (first, first + count - 1)
            if not first <= begin <= end < first + count:
                raise InputError(f"{word} {begin} to {end} are not in {self.path.name}, {first} to {first + count - 1}")
            spans.append(slice(begin - first, end - first + 1))
        row, col = spans
        corner = self.corner[0] + col.start, self.corner[1] + row.start
        with self._open() as file:
            images = np.moveaxis(file["pixels"][row, col], -1, 0)
            has = "errors" in file
            errors = np.moveaxis(file["errors"][row, col], -1, 0) if has else np.full_like(images, np.nan)
        return Stamp(
            images=images,
            errors=errors,
            background=np.broadcast_to(np.float32(np.nan), images.shape),
            **self._arrays,
            corner=corner,
            field=self._field,
            cadence=self.cadence,
            origin=self.path.name,
            wcs=wcs_of(self._plane, corner),
            background_subtracted=False,
        )

    def _open(self) -> Any:
        import h5py
        import hdf5plugin

        _ = hdf5plugin  # its import lets HDF5 unpack
        try:
            return h5py.File(self.path, "r")
        except OSError as error:
            raise Corrupt(f"{self.path}: cannot be read as HDF5 ({error}); write it again") from error
