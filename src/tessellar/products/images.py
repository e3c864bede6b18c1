"""Full-frame images and pixel response functions, read-only."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, Unrecognised
from tessellar.mission.ccd import FIRST_COLUMN, FIRST_ROW, FULL_FRAME_SHAPE, LAST_COLUMN, LAST_ROW
from tessellar.products.fitsfile import FitsFile, Hdu
from tessellar.products.identity import identify
from tessellar.products.keywords import Keys
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

# Rows and columns of a full frame that see no sky (TESS Instrument Handbook; keywords SMROWS, VROWS, TVCSA of SPOC).
_COLLATERAL = {
    "leading": ((1, FIRST_COLUMN - 1), (FIRST_ROW, LAST_ROW)),
    "trailing": ((LAST_COLUMN + 1, FULL_FRAME_SHAPE[1]), (FIRST_ROW, LAST_ROW)),
    "buffer": ((FIRST_COLUMN, LAST_COLUMN), (2049, 2058)),
    "smear": ((FIRST_COLUMN, LAST_COLUMN), (2059, 2068)),
    "virtual": ((FIRST_COLUMN, LAST_COLUMN), (2069, 2078)),
}

# Frames of the first sectors have no FFIINDEX. Frame 4697 of sector 1 has its middle, at the spacecraft, here (days);
# the following ones come every 1800 s (cadence numbers of the target pixel files of the same sector).
_FIRST_FFIINDEX = 4697
_FIRST_FRAME = 0.5 * (1325.317007851970 + 1325.337841177751) - 3.9072474e-3
_LONG_EXPOSURE = 1000.0


@dataclass(frozen=True)
class PixelLayout:
    """Where the pixels of an image lie in its (uncompressed) file.

    Attributes
    ----------
    offset : int
        Byte of the first pixel.
    shape : (int, int)
        Rows and columns.
    dtype : numpy.dtype
        As stored: big-endian.
    corner : (int, int)
        CCD column and row of pixel [0, 0], 1-based, leading virtual columns counted.
    """

    offset: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    corner: tuple[int, int]


class FullFrameImage:
    """One frame of one CCD, or a piece of it: of SPOC, or of TICA.

    Its pixels are views of the file's own bytes (big-endian, memory-mapped, read-only): nothing is copied.

    Attributes
    ----------
    path : Path
        Where the file lies.
    author : str
        ``SPOC`` or ``TICA``.
    field : Field or None
        Sector, camera, CCD; the sector of SPOC's frames is in the file's name only.
    btjd_start, btjd, btjd_end : float
        Begin, middle and end of the exposure, float64 days. BJD_TDB - 2457000 at the CCD's centre where
        `barycentric`; TICA's times are those at the spacecraft.
    barycentric : bool
        Whether the times hold the barycentric correction.
    timecorr : float
        That correction (BARYCORR), days; NaN where the file does not tell it.
    exposure : float
        Seconds from begin to end, dead time included.
    cadenceno : int or None
        Number of the frame (FFIINDEX). Frames of the first sectors lack it: theirs is counted from the times.
    quality : int
        The frame's flags (DQUALITY; of TICA QUAL_BIT).
    corner : (int, int)
        CCD column and row of the image's pixel [0, 0], 1-based.
    """

    def __init__(self, file: FitsFile) -> None:
        self._file = file
        self._hdu = _first_image(file)
        self.path: Path = file.path
        keys = self._hdu.keys
        who = identify(file.path, file.hdus[0].keys, keys)
        both = {**file.hdus[0].keys, **keys}
        self.author = "TICA" if "STARTTJD" in both or "CAMNUM" in both else "SPOC"
        # Who keeps a frame often puts a word before its name; the sector of SPOC's frames stands nowhere else.
        told = re.search(r"-s(\d{4})-[1-4]-[1-4]-\d{4}-[xsab]_ffi", file.path.name)
        self.sector = who.sector or (int(told[1]) if told else None)
        self.camera = who.camera or _whole(both.get("CAMNUM"))
        self.ccd = who.ccd or _whole(both.get("CCDNUM"))
        self.data_release = who.data_release
        self.simulated = who.simulated
        whole = self.sector and self.camera and self.ccd
        self.field = Field(self.sector, self.camera, self.ccd) if whole else None  # type: ignore[arg-type]
        self.barycentric = self.author == "SPOC"
        self.btjd_start = _float(both.get("TSTART" if self.barycentric else "STARTTJD"))
        self.btjd_end = _float(both.get("TSTOP" if self.barycentric else "ENDTJD"))
        self.btjd = _float(both.get("MIDTJD"), (self.btjd_start + self.btjd_end) / 2)
        self.exposure = (self.btjd_end - self.btjd_start) * 86400
        self.timecorr = _float(keys.get("BARYCORR"))
        self.quality = int(_float(both.get("DQUALITY", both.get("QUAL_BIT")), 0.0))
        self.corner = _corner(keys)

    @cached_property
    def cadenceno(self) -> int | None:
        """Number of the frame, from FFIINDEX (of TICA CADENCE); without it counted from the times, or None."""
        for keys in (self._hdu.keys, self._file.hdus[0].keys):
            number = _whole(keys.get("FFIINDEX" if self.author == "SPOC" else "CADENCE"))
            if number is not None:
                return number
        at_spacecraft = self.btjd - self.timecorr
        if self.exposure > _LONG_EXPOSURE and np.isfinite(at_spacecraft):
            return early_number(at_spacecraft)
        return None

    @cached_property
    def header(self) -> Header:
        """The primary header."""
        return self._file.header(0)

    @cached_property
    def image_header(self) -> Header:
        """The header of the image, with its world coordinates."""
        return self._file.header(self._hdu.index)

    @property
    def keys(self) -> Keys:
        """Keywords of the image's header as plain values, without astropy."""
        return self._hdu.keys

    @cached_property
    def unit(self) -> str:
        """Unit of the pixels (BUNIT), ``electrons/s`` of SPOC's; empty where the file does not tell it."""
        return str(self._hdu.keys.get("BUNIT") or "")

    @property
    def gzipped(self) -> bool:
        """Whether the file is packed: `layout` then tells places in the unpacked one."""
        return isinstance(self._file.content, bytes)

    @property
    def layout(self) -> PixelLayout:
        """Where the calibrated pixels lie in the file."""
        return _layout(self._hdu, self.path)

    @cached_property
    def uncertainty_layout(self) -> PixelLayout | None:
        """Where the 1-sigma errors lie in the file, if it has any."""
        after = self._file.hdus[self._hdu.index + 1 :]
        images = [hdu for hdu in after if hdu.data_size and not hdu.is_table]
        return _layout(images[0], self.path) if images else None

    @property
    def flux(self) -> NDArray[Any]:
        """Calibrated flux, (rows, columns), e-/s; the 44 leading virtual columns are there."""
        return self._view(self.layout)

    @property
    def uncertainty(self) -> NDArray[Any] | None:
        """The 1-sigma error of `flux`, where the file has it (its virtual columns can be left out)."""
        layout = self.uncertainty_layout
        return None if layout is None else self._view(layout)

    @property
    def science(self) -> NDArray[Any]:
        """The science pixels alone, (rows, columns), e-/s: columns 45 to 2092 and rows 1 to 2048 of the CCD.

        Of a crop, those that it has; its pixel [0, 0] is `science_corner`.
        """
        return self.part((FIRST_COLUMN, LAST_COLUMN), (FIRST_ROW, LAST_ROW))

    @property
    def science_corner(self) -> tuple[int, int]:
        """CCD column and row of the first science pixel, 1-based."""
        return max(self.corner[0], FIRST_COLUMN), max(self.corner[1], FIRST_ROW)

    @property
    def collateral(self) -> dict[str, NDArray[Any]]:
        """The pixels that see no sky, by name, as far as the image has them (instrument handbook, figure 4.5).

        ``leading`` and ``trailing`` virtual columns, ``buffer``, ``smear`` and ``virtual`` rows; e-/s.
        """
        parts = {name: self.part(columns, rows) for name, (columns, rows) in _COLLATERAL.items()}
        return {name: pixels for name, pixels in parts.items() if pixels.size}

    def part(self, columns: tuple[int, int], rows: tuple[int, int]) -> NDArray[Any]:
        """View of some CCD columns and rows (first, last; 1-based, both included), as far as the image has them."""
        (left, bottom), (high, wide) = self.corner, self.layout.shape
        first_row, first_column = max(rows[0] - bottom, 0), max(columns[0] - left, 0)
        end_row, end_column = min(rows[1] - bottom + 1, high), min(columns[1] - left + 1, wide)
        return self.flux[first_row : max(end_row, first_row), first_column : max(end_column, first_column)]

    @cached_property
    def wcs(self) -> WCS:
        """World coordinates, TAN-SIP; of the whole image, virtual columns counted."""
        from astropy.wcs import WCS, FITSFixedWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)
            return WCS(self.image_header)

    def _view(self, layout: PixelLayout) -> NDArray[Any]:
        count = layout.shape[0] * layout.shape[1]
        flat = np.frombuffer(self._file.content, layout.dtype, count=count, offset=layout.offset)
        return flat.reshape(layout.shape)

    def __repr__(self) -> str:
        size = " x ".join(str(self._hdu.keys[f"NAXIS{axis}"]) for axis in (1, 2))
        return f"<FullFrameImage {self.field or self.path.name}, {size} pixels, BTJD {self.btjd_start:.5f}>"


class PRF:
    """The mission's pixel response function at one point of one CCD, on a grid of sub-pixels.

    Attributes
    ----------
    path : Path
        Where the file lies.
    camera, ccd : int
        The CCD.
    column, row : float
        Where on it, 1-based, leading virtual columns counted; the middle of the image.
    samples : int
        Sub-pixels a pixel, each way.
    """

    def __init__(self, file: FitsFile) -> None:
        self._file = file
        self._hdu = _first_image(file)
        self.path: Path = file.path
        keys = self._hdu.keys
        self.camera, self.ccd = int(_float(keys.get("CAM"))), int(_float(keys.get("CCD")))
        self.column, self.row = _float(keys.get("CCD_CREF")), _float(keys.get("CCD_RREF"))
        self.samples = int(_float(keys.get("NSAMP")))
        # The models of sectors 1-3 and of 4 onwards are told apart by the date in the name only.
        match = re.search(r"tess(\d{13})-prf", file.path.name)
        self.issued = match[1] if match else None

    @cached_property
    def header(self) -> Header:
        """The primary header."""
        return self._file.header(0)

    @cached_property
    def image(self) -> NDArray[Any]:
        """The response, (rows, columns) of sub-pixels; each of the samples x samples phases sums to about 1."""
        image = self._file.image(self._hdu)
        if image is None:
            raise Corrupt(f"{self.path}: the image is empty")
        return image

    @cached_property
    def uncertainty(self) -> NDArray[Any] | None:
        """The 1-sigma error of `image`."""
        return self._file.image(self._file.hdus[1]) if len(self._file.hdus) > 1 else None

    def phase(self, column: int, row: int) -> NDArray[Any]:
        """The response of whole pixels at one sub-pixel phase (0 to `samples` - 1 each way), normalised to 1."""
        pixels = self.image[row :: self.samples, column :: self.samples]
        return np.asarray(pixels / pixels.sum())

    def __repr__(self) -> str:
        return f"<PRF camera {self.camera}, CCD {self.ccd}, column {self.column:.0f}, row {self.row:.0f}>"


def early_number(at_spacecraft: float) -> int:
    """Number (FFIINDEX) of a frame of 1800 s, counted from its middle at the spacecraft (BTJD less BARYCORR)."""
    return _FIRST_FFIINDEX + round((at_spacecraft - _FIRST_FRAME) * 86400 / 1800)


def _layout(hdu: Hdu, path: Path) -> PixelLayout:
    keys = hdu.keys
    if keys.get("BITPIX") not in (-32, -64) or _float(keys.get("BSCALE"), 1.0) != 1 or _float(keys.get("BZERO"), 0.0):
        raise Corrupt(f"{path}: pixels of type BITPIX {keys.get('BITPIX')} or scaled, not the mission's plain floats")
    shape = int(_float(keys.get("NAXIS2"))), int(_float(keys.get("NAXIS1")))
    return PixelLayout(hdu.data_start, shape, np.dtype(">f4" if keys["BITPIX"] == -32 else ">f8"), _corner(keys))


def _corner(keys: Keys) -> tuple[int, int]:
    first = [_float(keys.get(f"CRVAL{n}P"), 1.0) - (_float(keys.get(f"CRPIX{n}P"), 1.0) - 1) for n in (1, 2)]
    return round(first[0]), round(first[1])


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and float(value).is_integer() else None


def _first_image(file: FitsFile) -> Hdu:
    for hdu in file.hdus:
        if hdu.keys.get("NAXIS") == 2 and not hdu.is_table and hdu.data_size:
            return hdu
    raise Unrecognised(f"{file.path}: no image in it")


def _float(value: object, default: float = float("nan")) -> float:
    return float(value) if isinstance(value, int | float) else default
