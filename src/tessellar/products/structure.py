"""Is a file whole? The checks that its own format allows, without knowing what it is about.

The sums of FITS are taken over the raw bytes of each part: the mission's files carry
CHECKSUM without DATASUM, which astropy takes for a failure on intact ones.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import IO, Literal, Protocol, TypeAlias
from xml.etree import ElementTree as ET

from tessellar.errors import Corrupt, MissingInput, NoPermission
from tessellar.products.checksum import WHOLE, ones_sum
from tessellar.products.keywords import (
    BLOCK,
    LONGEST_HEADER,
    Keys,
    Value,
    data_size,
    extensions_told,
    has_end,
    padded,
    parse_header,
)

_CHUNK = 1024 * BLOCK

Checksums: TypeAlias = Literal["enforce", "note", "skip"]


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def check_structure(
    path: str | PathLike[str], name: str | None = None, *, checksums: Checksums = "enforce"
) -> tuple[str, ...]:
    """Check that a file is whole, as far as its format tells; bounded memory, one pass.

    Parameters
    ----------
    path : path-like
        The file.
    name : str, optional
        The name it is to have, where `path` is that of a part of a transfer: the kind of file is told by it.
    checksums : {'enforce', 'note', 'skip'}
        What to do where a FITS part disagrees with its CHECKSUM or DATASUM: raise, say so
        in the result, or do not look. Files that people have edited after the pipeline
        wrote them carry sums that no longer fit; in a gzip file, whose own CRC proves it
        undamaged, they are therefore only noted.

    Returns
    -------
    tuple of str
        The checks that were made; empty for a kind of file that has no structure known here.

    Raises
    ------
    Corrupt
        If it is not whole, or is an error page in the file's place; the message says what is wrong and where.
    MissingInput
        If there is no such file.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> page = pathlib.Path(tempfile.mkdtemp()) / "tess_lc.fits"
    >>> _ = page.write_text("<html>busy</html>")
    >>> check_structure(page)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    tessellar.errors.Corrupt: ...: an HTML page in place of the file; fetch it again
    """
    path = Path(path)
    checker = _checker_for((name or path.name).lower())
    if checker is None:
        return ()
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
            if not head:
                raise Corrupt(f"{path}: an empty file; fetch it again")
            page = error_page(head)
            if page:
                raise Corrupt(f"{path}: {page} in place of the file; fetch it again")
            stream.seek(0)
            return checker(path, stream, checksums)
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: no such file") from error
    except PermissionError as error:
        raise NoPermission(f"{path}: may not be read") from error


def error_page(head: bytes) -> str:
    """Tell whether a file begins like an error page of a server: name the kind of page, or give an empty string."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:256].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in start:
        return "an HTML page"
    if start.startswith((b"{", b"[")):
        return "a JSON message"
    return ""


def _checker_for(name: str) -> _Checker | None:
    return next((checker for ending, checker in _CHECKERS if name.endswith(ending)), None)


def _check_fits(path: Path, stream: _Readable, checksums: Checksums) -> tuple[str, ...]:
    found: set[str] = set()
    told: int | None = None
    index = 0
    while True:
        block = stream.read(BLOCK)
        if not block and index:
            break
        wanted = b"XTENSION=" if index else b"SIMPLE  ="
        if not block.startswith(wanted):
            what = "bytes that belong to no part follow" if index else "this is not FITS"
            raise Corrupt(f"{path}: {what} (they begin with {block[:16]!r}); fetch it again")
        keys, made = _check_part(path, stream, block, index, checksums)
        found |= made
        told = told if index else extensions_told(keys)
        index += 1
    if told is not None and index <= told:
        raise Corrupt(f"{path}: cut short: {index - 1} of its {told} extensions are there; fetch it again")
    return ("fits blocks", *sorted(found))


def _check_part(path: Path, stream: _Readable, block: bytes, index: int, checksums: Checksums) -> tuple[Keys, set[str]]:
    header = _whole_header(path, stream, block, index)
    keys = parse_header(header)
    try:
        left = padded(data_size(keys))
    except ValueError as error:
        raise Corrupt(f"{path}: part {index} has no usable size: {error}") from error
    data_sum = 0
    while left:
        chunk = stream.read(min(left, _CHUNK))
        if len(chunk) % 4 or not chunk:
            raise Corrupt(f"{path}: cut short in the data of part {index}; fetch it again")
        if checksums != "skip":
            data_sum = ones_sum(chunk, data_sum)
        left -= len(chunk)
    if checksums == "skip":
        return keys, set()
    whole_sum = ones_sum(header, data_sum)
    made = set()
    for key, holds in (("CHECKSUM", whole_sum in (0, WHOLE)), ("DATASUM", _same(keys.get("DATASUM"), data_sum))):
        if not keys.get(key):
            continue
        if not holds and checksums == "enforce":
            name = keys.get("EXTNAME") or index
            raise Corrupt(f"{path}: part {name} disagrees with its {key}: damaged, or edited since; fetch it again")
        made.add(f"fits {key}" if holds else f"fits {key} differs")
    return keys, made


def _whole_header(path: Path, stream: _Readable, block: bytes, index: int) -> bytes:
    header = bytearray(block)
    while not has_end(block):
        block = stream.read(BLOCK)
        if len(block) < BLOCK or len(header) > LONGEST_HEADER:
            raise Corrupt(f"{path}: cut short: the header of part {index} never ends; fetch it again")
        header += block
    if len(header) % BLOCK:
        raise Corrupt(f"{path}: cut short in the header of part {index}; fetch it again")
    return bytes(header)


def _same(told: Value, data_sum: int) -> bool:
    # A sum of zero can be written as all ones: both mean nothing in ones' complement.
    text = str(told).strip()
    return text.isdigit() and (int(text) == data_sum or {int(text), data_sum} == {0, WHOLE})


def _check_gzip(path: Path, stream: IO[bytes], checksums: Checksums, fits: bool = False) -> tuple[str, ...]:
    made: tuple[str, ...] = ()
    try:
        with gzip.GzipFile(fileobj=stream) as unpacked:
            if fits:
                made = _check_fits(path, unpacked, "skip" if checksums == "skip" else "note")
            while unpacked.read(_CHUNK):
                pass
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Corrupt(f"{path}: broken gzip data ({error}); fetch it again") from error
    return ("gzip CRC", *made)


def _check_fits_gzip(path: Path, stream: IO[bytes], checksums: Checksums) -> tuple[str, ...]:
    return _check_gzip(path, stream, checksums, fits=True)


def _check_zip(path: Path, stream: IO[bytes], checksums: Checksums) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(stream) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise Corrupt(f"{path}: a broken zip file ({error}); fetch it again") from error
    if broken is not None:
        raise Corrupt(f"{path}: {broken} in it does not agree with its CRC; fetch it again")
    return ("zip CRC",)


def _check_pdf(path: Path, stream: IO[bytes], checksums: Checksums) -> tuple[str, ...]:
    if b"%PDF-" not in stream.read(1024):
        raise Corrupt(f"{path}: this is not PDF; fetch it again")
    size = stream.seek(0, 2)
    stream.seek(max(0, size - 2048))
    if b"%%EOF" not in stream.read():
        raise Corrupt(f"{path}: cut short: the end mark of PDF is missing; fetch it again")
    return ("pdf marks",)


def _check_xml(path: Path, stream: IO[bytes], checksums: Checksums) -> tuple[str, ...]:
    try:
        for _, element in ET.iterparse(stream):
            element.clear()
    except ET.ParseError as error:
        raise Corrupt(f"{path}: broken XML ({error}); fetch it again") from error
    return ("xml",)


def _check_text(path: Path, stream: IO[bytes], checksums: Checksums) -> tuple[str, ...]:
    return ("not an error page",)


_Checker: TypeAlias = Callable[[Path, IO[bytes], Checksums], tuple[str, ...]]

_CHECKERS: tuple[tuple[str, _Checker], ...] = (
    (".fits.gz", _check_fits_gzip),
    (".fits", _check_fits),
    (".fit", _check_fits),
    (".gz", _check_gzip),
    (".zip", _check_zip),
    (".pdf", _check_pdf),
    (".xml", _check_xml),
    (".csv", _check_text),
    (".txt", _check_text),
)
