"""Files out of a zip file that somebody else made: no name leads out of the folder, no size fills the disk."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tessellar.errors import Corrupt
from tessellar.products.structure import check_structure

_MOST_BYTES = 16 * 1024**3  # of one file
_MOST_GROWTH = 200  # times its packed size; FITS files with many zeros come to 20
_SMALL = 10 * 1024**2  # any growth will do up to here
_CHUNK = 1 << 20


def unpack(path: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """Unpack the wanted files of a zip file into its own folder, each whole and checked before it gets its name.

    What is there already, byte for byte, is left.

    Parameters
    ----------
    path : Path
        The zip file.
    wanted : callable
        Tells from a file's name whether it is wanted; others stay packed.

    Returns
    -------
    list of Path
        The files, in the order of the zip file.

    Raises
    ------
    Corrupt
        If the zip file is broken, or a wanted file in it is not what it should be.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if not each.is_dir() and wanted(_last(each.filename))]
            return [_unpacked(path, archive, member) for member in members]
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise Corrupt(f"{path}: a broken zip file ({error}); fetch it again") from error


def _last(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def _unpacked(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Path:
    if member.filename != _last(member.filename) or stat.S_ISLNK(member.external_attr >> 16):
        raise Corrupt(f"{path}: {member.filename!r} in it is no plain file of its folder; nothing of it is unpacked")
    grown = member.file_size > max(_SMALL, _MOST_GROWTH * member.compress_size)
    if grown or member.file_size > _MOST_BYTES:
        raise Corrupt(f"{path}: {member.filename} in it claims {member.file_size} bytes; it is not unpacked")
    target = path.with_name(member.filename)
    if target.is_file() and target.stat().st_size == member.file_size and _crc_of(target) == member.CRC:
        return target
    part = target.with_name(f"{target.name}.part")
    try:
        with archive.open(member) as packed, part.open("wb") as stream:
            # More than what was claimed is an error of the zip file, which reading tells at the end.
            while chunk := packed.read(_CHUNK):
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        check_structure(part, name=target.name, checksums="note")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _crc_of(path: Path) -> int:
    crc = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc
