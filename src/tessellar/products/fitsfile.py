"""One FITS file, opened without reading it: its parts by position, its columns when asked for.

The bytes of a plain file are memory-mapped, so a target pixel file of 50 MB costs
what is taken from it; a ``.gz`` file is unpacked into memory.
"""

from __future__ import annotations

import gzip
import mmap
import re
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, MissingInput, NoPermission, Unrecognised
from tessellar.products.keywords import (
    BLOCK,
    LONGEST_HEADER,
    Value,
    data_size,
    extensions_told,
    has_end,
    padded,
    parse_header,
)

if TYPE_CHECKING:
    from astropy.io.fits import Header

GZIP_MAGIC = b"\x1f\x8b"
FITS_MAGIC = b"SIMPLE  ="

# FITS 4.0, table 18; strings and logicals are told apart from their numpy types by the code.
_FORMATS = {
    "L": "S1", "X": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8",
    "E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16", "P": ">i4", "Q": ">i8",
}  # fmt: skip
_BITPIX = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_TFORM = re.compile(r"\s*(\d*)([LXBIJKAEDCMPQ])")
_TDIM = re.compile(r"\s*\(([\d,\s]+)\)\s*")


@dataclass(frozen=True)
class Column:
    """One column of a binary table: its name, place (1-based), FITS code, numpy type, unit, scaling."""

    name: str
    number: int
    code: str
    dtype: np.dtype[Any]
    unit: str
    scale: float
    zero: float


@dataclass(frozen=True)
class Hdu:
    """One header and its data unit: `keys` are its values, the rest are byte positions."""

    index: int
    name: str
    keys: dict[str, Value]
    start: int
    data_start: int
    data_size: int

    @property
    def is_table(self) -> bool:
        """Whether this is a binary table."""
        return self.keys.get("XTENSION") == "BINTABLE"


class FitsFile:
    """A FITS file by its parts.

    Parameters
    ----------
    path : path-like
        The file; it stays mapped as long as this object or one of its raw views lives.
    content : bytes, optional
        Its bytes, where they are in memory already.

    Raises
    ------
    MissingInput
        If there is no such file.
    Unrecognised
        If it is not FITS.
    Corrupt
        If it is FITS but cut short, or its headers make no sense.
    """

    def __init__(self, path: str | Path, content: bytes | mmap.mmap | None = None) -> None:
        self.path = Path(path)
        self.content = load(self.path) if content is None else content
        self.hdus: tuple[Hdu, ...] = tuple(self._scan())
        self._columns: dict[int, dict[str, Column]] = {}

    def find(self, name: str) -> Hdu | None:
        """The first part whose EXTNAME is `name` (upper or lower case), or None."""
        return next((hdu for hdu in self.hdus if hdu.name.upper() == name.upper()), None)

    def header(self, index: int) -> Header:
        """The header of part `index`, as astropy has it; a copy to do with as one likes."""
        from astropy.io.fits import Header

        hdu = self.hdus[index]
        return Header.fromstring(bytes(self.content[hdu.start : hdu.data_start]))

    def columns(self, hdu: Hdu) -> dict[str, Column]:
        """The columns of a table, by upper-case name, in their order."""
        if hdu.index not in self._columns:
            self._columns[hdu.index] = {column.name.upper(): column for column in _columns_of(hdu, self.path)}
        return self._columns[hdu.index]

    def rows(self, hdu: Hdu) -> NDArray[Any]:
        """The raw rows of a table: a read-only structured view, big-endian, of the file's own bytes."""
        columns = self.columns(hdu).values()
        dtype = np.dtype([(f"{column.number}", column.dtype) for column in columns])
        width, count = hdu.keys.get("NAXIS1"), hdu.keys.get("NAXIS2")
        if dtype.itemsize != width:
            raise Corrupt(f"{self.path}: rows of {hdu.name} have {width} bytes, their columns {dtype.itemsize}")
        if not count:
            return np.empty(0, dtype)
        return np.frombuffer(self.content, dtype, count=int(count), offset=hdu.data_start)

    def column(self, hdu: Hdu, name: str) -> NDArray[Any]:
        """One column in native byte order, scaled, strings and logicals decoded; read-only.

        Raises
        ------
        KeyError
            If the table has no such column (upper and lower case are alike).
        """
        column = self.columns(hdu)[name.upper()]
        raw = self.rows(hdu)[f"{column.number}"]
        values: NDArray[Any]
        if column.code == "L":
            values = raw == b"T"
        elif column.code == "A":
            values = np.char.decode(raw, "latin-1")
        elif column.scale != 1 or column.zero != 0:
            exact = raw.dtype.kind in "iu" and column.scale == 1 and float(column.zero).is_integer()
            values = raw.astype("i8") + int(column.zero) if exact else raw * column.scale + column.zero
        else:
            values = raw.astype(raw.dtype.newbyteorder("="))
        values.flags.writeable = False
        return values

    def image(self, hdu: Hdu) -> NDArray[Any] | None:
        """The image of a part, in native byte order, axes as numpy has them; None where there is none."""
        if not hdu.data_size or hdu.is_table:
            return None
        shape = [int(str(hdu.keys[f"NAXIS{axis}"])) for axis in range(int(str(hdu.keys["NAXIS"])), 0, -1)]
        dtype = np.dtype(_BITPIX[int(str(hdu.keys["BITPIX"]))])
        raw = np.frombuffer(self.content, dtype, count=int(np.prod(shape)), offset=hdu.data_start).reshape(shape)
        values: NDArray[Any] = raw.astype(dtype.newbyteorder("="))
        scale, zero = _number(hdu.keys, "BSCALE", 1.0), _number(hdu.keys, "BZERO", 0.0)
        if scale != 1 or zero != 0:
            values = values * scale + zero
        values.flags.writeable = False
        return values

    @cached_property
    def length(self) -> int:
        """Bytes of the (unpacked) file."""
        return len(self.content)

    def _scan(self) -> list[Hdu]:
        if bytes(self.content[: len(FITS_MAGIC)]) != FITS_MAGIC:
            raise Unrecognised(f"{self.path}: not a FITS file (it begins with {bytes(self.content[:16])!r})")
        hdus: list[Hdu] = []
        start = 0
        while start < self.length and (not hdus or bytes(self.content[start : start + 8]) == b"XTENSION"):
            data_start = self._header_end(start)
            keys = parse_header(bytes(self.content[start:data_start]))
            try:
                size = data_size(keys)
            except ValueError as error:
                raise Corrupt(f"{self.path}: part {len(hdus)} has no usable size: {error}") from error
            lacks = data_start + padded(size) - self.length
            if lacks > 0:
                raise Corrupt(f"{self.path}: cut short: part {len(hdus)} lacks {lacks} bytes; fetch it again")
            name = keys.get("EXTNAME")
            hdus.append(Hdu(len(hdus), name if isinstance(name, str) else "", keys, start, data_start, size))
            start = data_start + padded(size)
        told = extensions_told(hdus[0].keys)
        if told is not None and len(hdus) <= told:
            raise Corrupt(f"{self.path}: cut short: {len(hdus) - 1} of its {told} extensions are there; fetch it again")
        return hdus

    def _header_end(self, start: int) -> int:
        for at in range(start, min(self.length, start + LONGEST_HEADER), BLOCK):
            if has_end(bytes(self.content[at : at + BLOCK])):
                return at + BLOCK
        raise Corrupt(f"{self.path}: cut short: a header that begins at byte {start} never ends; fetch it again")


def load(path: Path) -> bytes | mmap.mmap:
    """Map a file into memory, unpacked if it is gzip; see `FitsFile` for what is raised."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise Unrecognised(f"{path}: not a regular file")
    try:
        with path.open("rb") as stream:
            magic = stream.read(2)
            if not magic:
                raise Corrupt(f"{path}: an empty file; fetch it again")
            if magic == GZIP_MAGIC:
                stream.seek(0)
                return gzip.decompress(stream.read())
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise Unrecognised(f"{path}: a folder, not a file") from error
    except PermissionError as error:
        raise NoPermission(f"{path}: may not be read") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Corrupt(f"{path}: broken gzip data ({error}); fetch it again") from error


def _columns_of(hdu: Hdu, path: Path) -> list[Column]:
    keys = hdu.keys
    columns = []
    for number in range(1, int(str(keys.get("TFIELDS") or 0)) + 1):
        match = _TFORM.match(str(keys.get(f"TFORM{number}")))
        if match is None:
            raise Corrupt(f"{path}: column {number} of {hdu.name} has no usable TFORM")
        count, code = int(match[1] or 1), match[2]
        columns.append(
            Column(
                name=str(keys.get(f"TTYPE{number}") or f"COLUMN{number}"),
                number=number,
                code=code,
                dtype=_dtype(count, code, keys.get(f"TDIM{number}")),
                unit=str(keys.get(f"TUNIT{number}") or ""),
                scale=_number(keys, f"TSCAL{number}", 1.0),
                zero=_number(keys, f"TZERO{number}", 0.0),
            )
        )
    return columns


def _dtype(count: int, code: str, tdim: Value) -> np.dtype[Any]:
    if code == "A":
        return np.dtype(f"S{count}") if count else np.dtype("V0")
    if code == "X":
        count = -(-count // 8)
    if code in "PQ":
        count = 2 * count
    match = _TDIM.fullmatch(tdim) if isinstance(tdim, str) else None
    if match:
        shape = tuple(int(part) for part in reversed(match[1].split(",")))
        if int(np.prod(shape)) == count:
            return np.dtype((_FORMATS[code], shape))
    return np.dtype(_FORMATS[code]) if count == 1 else np.dtype((_FORMATS[code], (count,)))


def _number(keys: dict[str, Value], name: str, default: float) -> float:
    value = keys.get(name)
    return float(value) if isinstance(value, int | float) else default
