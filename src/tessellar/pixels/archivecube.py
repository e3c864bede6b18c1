"""The cubes of frames that the mission's archive cuts stamps from, as a source of stamps.

A cube (of `astrocut`'s CubeFactory, or MAST's) is a FITS file: the first extension is an image of
(rows, columns, frames, 2) floats, flux and error side by side, the second a table with the headers of
the frames, one row a frame.
"""

from __future__ import annotations

from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, InputError, Unrecognised
from tessellar.pixels.planes import plane_of, wcs_of
from tessellar.pixels.stamp import Span, Stamp
from tessellar.products.fitsfile import FITS_MAGIC, FitsFile, load
from tessellar.products.images import early_number
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from tessellar.mission.tangent import Plane


class ArchiveCubeSource:
    """A cube of the archive; its pixels are views of the file's own bytes, memory-mapped.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    MissingInput
        If there is no such file.
    Unrecognised, Corrupt
        If it is no cube of frames, or damaged.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        content = load(self.path)
        if bytes(content[: len(FITS_MAGIC)]) != FITS_MAGIC:
            raise Unrecognised(f"{self.path}: not FITS, so not a cube of frames")
        self._file = FitsFile(self.path, content)
        images = [hdu for hdu in self._file.hdus if hdu.keys.get("NAXIS") == 4 and not hdu.is_table]
        tables = [hdu for hdu in self._file.hdus if hdu.is_table]
        if not images or not tables or images[0].keys.get("NAXIS1") != 2:
            raise Unrecognised(f"{self.path}: no cube of frames (an image of flux and error, and a table of headers)")
        self._hdu, self._table = images[0], tables[0]
        keys = {**self._file.hdus[0].keys, **self._hdu.keys}
        place = [keys.get(name) for name in ("SECTOR", "CAMERA", "CCD")]
        if not all(isinstance(each, int) for each in place):
            raise Corrupt(f"{self.path}: tells no sector, camera and CCD, but {place}")
        self._field = Field(*(int(str(each)) for each in place))
        count, wide, high = (int(str(self._hdu.keys[f"NAXIS{axis}"])) for axis in (2, 3, 4))
        pixels = np.frombuffer(content, ">f4", count=2 * count * wide * high, offset=self._hdu.data_start)
        self._cube: NDArray[Any] = pixels.reshape(high, wide, count, 2)
        #: CCD column and row of the first pixel: a cube holds whole frames, virtual columns included.
        self.corner, self.shape = (1, 1), (high, wide)
        if len(self.time) != count:
            raise Corrupt(f"{self.path}: {count} images, but headers of {len(self.time)} frames")

    def __len__(self) -> int:
        return int(self._cube.shape[2])

    def __repr__(self) -> str:
        return f"<ArchiveCubeSource {self._field}, {len(self)} frames, {self.shape[0]} x {self.shape[1]} px>"

    @property
    def field(self) -> Field:
        """Sector, camera and CCD."""
        return self._field

    @cached_property
    def time(self) -> NDArray[np.float64]:
        """Middle of each exposure, BTJD."""
        return 0.5 * (self._column("TSTART") + self._column("TSTOP"))

    @cached_property
    def quality(self) -> NDArray[np.int32]:
        """The mission's flags."""
        return np.nan_to_num(self._column("DQUALITY", 0.0)).astype(np.int32)

    @property
    def wcs(self) -> WCS | None:
        """World coordinates of the frame in the middle: 0-based pixel (0, 0) is the first pixel of the CCD."""
        return None if self._plane is None else wcs_of(self._plane, self.corner)

    def window(self, rows: Span = None, cols: Span = None) -> Stamp:
        """Cut out CCD rows and columns (first, last; 1-based, both included); all there are if not given.

        Raises
        ------
        InputError
            If the window is empty or not wholly inside.
        """
        spans = []
        for span, count, word in zip((rows, cols), self.shape, ("rows", "columns"), strict=True):
            begin, end = span if span is not None else (1, count)
            if not 1 <= begin <= end <= count:
                raise InputError(f"{word} {begin} to {end} are not in {self.path.name}, 1 to {count}")
            spans.append(slice(begin - 1, end))
        part = self._cube[spans[0], spans[1]]
        corner = spans[1].start + 1, spans[0].start + 1
        images = np.moveaxis(part[..., 0], -1, 0)
        start, stop = self._column("TSTART"), self._column("TSTOP")
        exposure = float(np.round(np.nanmedian(stop - start) * 86400))
        return Stamp(
            images=images,
            errors=np.moveaxis(part[..., 1], -1, 0),
            background=np.broadcast_to(np.float32(np.nan), images.shape),
            time=self.time,
            timecorr=np.nan_to_num(self._column("BARYCORR", 0.0)),
            cadenceno=self._numbers(exposure),
            quality=self.quality,
            corner=corner,
            field=self._field,
            cadence=exposure,
            origin=self.path.name,
            wcs=None if self._plane is None else wcs_of(self._plane, corner),
            background_subtracted=False,
        )

    @cached_property
    def _plane(self) -> Plane | None:
        columns = self._file.columns(self._table)
        row = len(self) // 2
        keys: dict[str, Any] = {}
        for name in columns:
            value = self._file.column(self._table, name)[row]
            keys[name] = (
                value.decode().strip() if isinstance(value, bytes) else getattr(value, "item", lambda v=value: v)()
            )
        return plane_of(keys)

    def _numbers(self, exposure: float) -> NDArray[np.int32]:
        number = self._column("FFIINDEX", np.nan)
        at_spacecraft = self.time - np.nan_to_num(self._column("BARYCORR", 0.0))
        # Frames of the first sectors have no number.
        if not np.isfinite(number).all():
            counted = (at_spacecraft - at_spacecraft[0]) * 86400 / exposure
            number = np.round(counted) + (early_number(float(at_spacecraft[0])) if exposure > 1000 else 0)
        return number.astype(np.int32)

    def _column(self, name: str, default: float | None = None) -> NDArray[np.float64]:
        if name not in self._file.columns(self._table):
            if default is None:
                raise Corrupt(f"{self.path}: its table of headers has no {name}")
            return np.full(len(self), default)
        values = self._file.column(self._table, name)
        try:
            return np.asarray(values, dtype=np.float64)
        except ValueError as error:
            raise Corrupt(f"{self.path}: {name} in its table of headers is no number") from error
