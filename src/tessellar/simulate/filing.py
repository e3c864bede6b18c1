"""Putting simulated files on disk: part by part as they are made, sealed with sums, whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tessellar.errors import NoPermission, NoSpace, StoreError
from tessellar.products.cards import card, header_block
from tessellar.products.checksum import encode, ones_sum

#: One header card: keyword, value (None: without a value), comment.
Card = tuple[str, str | int | float | bool | None, str]

#: Every file says that it was made on this day: the same seed gives the same bytes whatever the clock says.
DATE = "2020-01-01"
#: The card that stands where the two sums belong.
SUMS: Card = ("CHECKSUM", None, "")


@dataclass(frozen=True)
class Part:
    """One part of a FITS file: its header, with `SUMS` among the cards, and its data, made piece by piece."""

    cards: Sequence[Card]
    pieces: Callable[[], Iterable[bytes | memoryview]] = tuple


def write_parts(path: Path, parts: Iterable[Part]) -> Path:
    """Write a FITS file under another name and rename it when it is whole.

    The data are made and summed piece by piece (each a multiple of 4 bytes, but for the last),
    so that no file is ever in memory as a whole.

    Raises
    ------
    NoSpace, NoPermission, StoreError
        If it cannot be written; nothing of it is left behind.
    """
    with whole_file(path) as stream:
        for part in parts:
            start = stream.tell()
            stream.write(_header(part.cards))
            total = length = 0
            for piece in part.pieces():
                stream.write(piece)
                length += len(piece)
                total = ones_sum(bytes(piece) + bytes(-len(piece) % 4) if len(piece) % 4 else piece, total)
            stream.write(bytes(-length % 2880))
            end = stream.tell()
            # Ten digits always: who gathers the headers of many files keeps room for as many as the first one has.
            digits = f"{total:010d}"
            told = _header(part.cards, digits)
            stream.seek(start)
            stream.write(_header(part.cards, digits, encode(ones_sum(told, total))))
            stream.seek(end)
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under its name when all of it is written, and not before."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as stream:
            yield stream
        draft.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(f"{path}: the disk is full; free some space and run it again") from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise NoPermission(f"{path}: may not be written; choose another folder") from error
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            draft.unlink()


def _header(cards: Sequence[Card], data_sum: str = "0", checksum: str = "0" * 16) -> bytes:
    lines = []
    for entry in cards:
        if entry is SUMS:
            lines.append(card("CHECKSUM", checksum, f"HDU checksum updated {DATE}T00:00:00Z"))
            lines.append(card("DATASUM", data_sum, f"data unit checksum updated {DATE}T00:00:00Z"))
            continue
        key, value, comment = entry
        if value is None:
            lines.append(f"{key:<8}= {'':20} / {comment}"[:80].ljust(80).encode("ascii"))
        else:
            lines.append(card(key, value, comment))
    return header_block(lines)
