"""A small cube of the frames of one CCD, about one place: what astrocut cuts target pixel files from.

astrocut cuts from a cube of all pixels of a CCD and all frames of a sector, 50 GB and more
with the errors. Only the pixels about the place that is asked for are put into a cube here, read straight
from the frames, with the headers of all frames; their world coordinates are those of the small image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import ProductError
from tessellar.pixels.frames import read_window
from tessellar.pixels.planes import plane_of
from tessellar.products import FullFrameImage, read
from tessellar.products.images import PixelLayout

# Keywords that stand once in a header and mean nothing in a table of headers.
_NOT_IN_TABLE = {"XTENSION", "END", "COMMENT", "HISTORY", ""}
# Taken from the image's header into the primary one, of the first and of the last frame.
_OF_FIRST, _OF_LAST = ("CAMERA", "CCD"), ("DATE-END", "TSTOP")


@dataclass(frozen=True)
class HeldFrames:
    """Frames of one CCD and sector that lie in a folder, in order of time, all of the same pixels.

    Attributes
    ----------
    paths : tuple of Path
        The files.
    pixels, errors : tuple of PixelLayout
        Where in each file they lie.
    headers : structured array, shape (n,)
        The keywords of each image, as astrocut's cubes keep them.
    """

    paths: tuple[Path, ...]
    pixels: tuple[PixelLayout, ...]
    errors: tuple[PixelLayout, ...]
    headers: NDArray[Any]

    @property
    def corner(self) -> tuple[int, int]:
        """CCD column and row of the images' first pixel, 1-based."""
        return self.pixels[0].corner

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the images."""
        return self.pixels[0].shape

    def find(self, ra: float, dec: float) -> tuple[float, float] | None:
        """CCD column and row (1-based) of a place in the middle frame; None where it is not on the images."""
        row = self.headers[len(self.headers) // 2]
        plane = plane_of({name: _plain(row[name]) for name in self.headers.dtype.names or ()}, self.corner)
        if plane is None:
            return None
        column, line = (float(value) for value in plane.to_pixel(ra, dec))
        (left, bottom), (high, wide) = self.corner, self.shape
        inside = left - 0.5 <= column < left + wide - 0.5 and bottom - 0.5 <= line < bottom + high - 0.5
        # Far from the CCD the projection may lead back to it.
        back = plane.to_sky(column, line)
        near = inside and abs(float(back[1]) - dec) < 0.01
        return (column, line) if near else None

    def around(self, place: tuple[float, float], reach: tuple[float, float]) -> tuple[tuple[int, int], tuple[int, int]]:
        """First pixel (CCD column and row), and rows and columns, of what lies about a place and on the images."""
        first = [int(np.floor(p - r)) for p, r in zip(place, reach, strict=True)]
        last = [int(np.ceil(p + r)) for p, r in zip(place, reach, strict=True)]
        (left, bottom), (high, wide) = self.corner, self.shape
        first = [max(first[0], left), max(first[1], bottom)]
        last = [min(last[0], left + wide - 1), min(last[1], bottom + high - 1)]
        return (first[0], first[1]), (last[1] - first[1] + 1, last[0] - first[0] + 1)

    def write_cube(self, path: Path, corner: tuple[int, int], shape: tuple[int, int], sector: int) -> None:
        """Write some of the pixels as a cube, as astrocut's own are.

        Parameters
        ----------
        path : Path
            The file.
        corner, shape : (int, int)
            CCD column and row (1-based) of the first pixel; rows and columns.
        sector : int
            For the header, for the headers of frames do not tell it.
        """
        from astropy.io import fits

        cube = np.empty((*shape, len(self.paths), 2), dtype=np.float32)
        window, room = np.empty(shape, dtype=np.float32), bytearray()
        for k, file in enumerate(self.paths):
            for plane, layout in enumerate((self.pixels[k], self.errors[k])):
                read_window(file, layout, corner, shape, window, room)
                cube[:, :, k, plane] = window
        headers = self.headers.copy()
        headers["CRPIX1"] -= corner[0] - self.corner[0]
        headers["CRPIX2"] -= corner[1] - self.corner[1]
        first = read(self.paths[0])
        assert isinstance(first, FullFrameImage)
        primary = first.header.copy()
        primary.remove("CHECKSUM", ignore_missing=True)
        primary.remove("DATASUM", ignore_missing=True)
        for row, names in ((self.headers[0], _OF_FIRST), (self.headers[-1], _OF_LAST)):
            for name in names:
                primary[name] = _plain(row[name])
        primary["SECTOR"] = (sector, "Observing sector")
        # As in the cubes that astrocut makes: clients know cut-outs by it.
        primary["ORIGIN"] = "STScI/MAST"
        table = fits.BinTableHDU(headers)
        fits.HDUList([fits.PrimaryHDU(header=primary), fits.ImageHDU(cube), table]).writeto(path)


@lru_cache(maxsize=4)
def hold(files: tuple[tuple[Path, int], ...]) -> HeldFrames | None:
    """Read the headers of frames.

    Parameters
    ----------
    files : tuple of (Path, int)
        The frames, and when each was changed: what was read before is taken again only while nothing changed.

    Returns
    -------
    HeldFrames or None
        Those that are whole, unpacked and of the same pixels as most; None if there is none.
    """
    images = [image for path, _ in files if (image := _usable(path)) is not None]
    if not images:
        return None
    common = Counter((image.layout.shape, image.layout.corner) for image in images).most_common(1)[0][0]
    images = [image for image in images if (image.layout.shape, image.layout.corner) == common]
    images.sort(key=lambda image: image.btjd_start)
    errors = [image.uncertainty_layout for image in images]
    return HeldFrames(
        tuple(image.path for image in images),
        tuple(image.layout for image in images),
        # Without errors of its own a frame gives its pixels for them; the mission's frames have them.
        tuple(error or image.layout for error, image in zip(errors, images, strict=True)),
        _table(images),
    )


def _plain(value: Any) -> str | int | float:
    """A field of the table of headers as a plain value."""
    return value.decode("ascii") if isinstance(value, bytes) else value.item()


def _usable(path: Path) -> FullFrameImage | None:
    try:
        image = read(path)
        usable = isinstance(image, FullFrameImage) and image.barycentric and not image.gzipped
        if not usable or not isinstance(image, FullFrameImage) or image.layout.dtype.itemsize != 4:
            return None
    except (ProductError, OSError):
        return None
    return image


def _table(images: Sequence[FullFrameImage]) -> NDArray[Any]:
    """Keywords of all images as a table; what a frame lacks is 0, NaN or empty."""
    fields: list[tuple[str, str]] = []
    for name, value in images[0].keys.items():
        if name in _NOT_IN_TABLE or value is None:
            continue
        if isinstance(value, str):
            longest = max(len(str(image.keys.get(name) or "")) for image in images)
            fields.append((name, f"S{max(longest, 1)}"))
        else:
            fields.append((name, "i4" if isinstance(value, int) else "f8"))
    fields.append(("FFI_FILE", f"S{max(len(image.path.name) for image in images)}"))
    table = np.zeros(len(images), dtype=fields)
    for row, image in zip(table, images, strict=True):
        for name, kind in fields[:-1]:
            value = image.keys.get(name)
            if kind[0] == "S":
                row[name] = str(value or "").encode("ascii", "replace")
            elif isinstance(value, int | float):
                row[name] = value
            else:
                row[name] = 0 if kind == "i4" else np.nan
        row["FFI_FILE"] = image.path.name.encode()
    return table
