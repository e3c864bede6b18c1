"""The first two headers of a FITS file, and nothing else of it: enough to know what it is."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tessellar.errors import Corrupt
from tessellar.products.keywords import BLOCK, LONGEST_HEADER, Keys, data_size, has_end, padded, parse_header

_BUFFER = 16 * BLOCK


class Stream(Protocol):
    """Bytes that can be read from any place on: a file, or what is in a gzip file."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, fewer at the end."""

    def seek(self, offset: int, /) -> int:
        """Go on from another place."""

    def tell(self) -> int:
        """Return the place."""


@dataclass(frozen=True)
class Headers:
    """What a file says about itself: its primary header and the header of its first extension (empty without one)."""

    primary: Keys
    first: Keys

    def get(self, *names: str) -> str | int | float | bool | None:
        """Return the first of some keywords that has a value, the primary header before the other."""
        for name in names:
            for keys in (self.primary, self.first):
                value = keys.get(name)
                if value is not None and value != "":
                    return value
        return None

    def text(self, *names: str) -> str:
        """Return such a keyword as text, empty without one."""
        value = self.get(*names)
        return "" if value is None else str(value).strip()

    def number(self, *names: str) -> float | None:
        """Return such a keyword as a number, None without one; some authors write numbers as text."""
        value = self.get(*names)
        try:
            number = float(value) if value is not None and not isinstance(value, bool) else float("nan")
        except ValueError:
            return None
        return number if abs(number) < float("inf") else None

    def whole(self, *names: str) -> int | None:
        """Return such a keyword as a positive whole number, None without one."""
        number = self.number(*names)
        return int(number) if number is not None and number > 0 and number.is_integer() else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The column names (upper case) of the table in the first extension."""
        count = self.first.get("TFIELDS")
        names = range(1, count + 1) if isinstance(count, int) and 0 <= count <= 999 else ()
        return tuple(str(self.first.get(f"TTYPE{i}") or "").upper() for i in names)


def read_headers(path: Path) -> Headers:
    """Read the first two headers of a FITS file, which may be gzipped.

    Raises
    ------
    Corrupt
        If it is not FITS, or ends before the data of its first extension do.
    OSError
        If it cannot be read at all.
    """
    try:
        with path.open("rb", buffering=_BUFFER) as raw:
            if path.name.endswith(".gz"):
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    return _read(path, unpacked, None)
            return _read(path, raw, path.stat().st_size)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Corrupt(f"{path}: broken gzip data ({error})") from error
    except ValueError as error:
        raise Corrupt(f"{path}: no usable header: {error}") from error


def _read(path: Path, stream: Stream, length: int | None) -> Headers:
    primary = _header(path, stream, b"SIMPLE  =")
    end = stream.tell() + padded(data_size(primary))
    if length is not None and end > length:
        raise Corrupt(f"{path}: cut short: {length} bytes where the primary data need {end}")
    stream.seek(end)
    first = _header(path, stream, b"XTENSION=", optional=True)
    if first and length is not None:
        end = stream.tell() + padded(data_size(first))
        if end > length:
            raise Corrupt(f"{path}: cut short: {length} bytes where the first extension needs {end}")
    return Headers(primary, first)


def _header(path: Path, stream: Stream, start: bytes, *, optional: bool = False) -> Keys:
    block = stream.read(BLOCK)
    if optional and not block.startswith(start):
        return {}
    if not block.startswith(start):
        raise Corrupt(f"{path}: not FITS (it begins with {block[:16]!r})")
    header = bytearray(block)
    while not has_end(block):
        block = stream.read(BLOCK)
        header += block
        if len(block) < BLOCK or len(header) > LONGEST_HEADER:
            raise Corrupt(f"{path}: cut short: a header that never ends")
    return parse_header(bytes(header))
