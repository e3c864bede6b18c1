"""Unpacking the zip of a tag: all of it, into one folder, or nothing.

Nothing leads out of the folder, no link is made, nothing swells without end.
What is unpacked appears at once; what was there and is whole stays as it is.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from tessellar.errors import Corrupt, MissingInput, NoPermission, NoSpace, ProductError

_BLOCK = 1 << 20
_MARK = ".unpacking"


@dataclass(frozen=True)
class Limits:
    """How large a zip may become.

    Attributes
    ----------
    entries : int
        Files and folders in it.
    size : int
        Bytes of all its files together.
    ratio : float
        Those, for each byte of the zip; looked at from `small` bytes on.
    small : int
        Bytes that cannot hurt, however well they were packed.
    """

    entries: int = 100_000
    size: int = 20 * 1024**3
    ratio: float = 200.0
    small: int = 100 * 1024**2


USUAL = Limits()


@dataclass(frozen=True)
class _Entry:
    info: zipfile.ZipInfo
    place: PurePosixPath


def check_limits(path: Path, limits: Limits = USUAL) -> None:
    """Raise for a zip that would become too large, by what it says of itself; it is not unpacked for that.

    Raises
    ------
    ProductError
        If it is too much.
    Corrupt
        If it is no zip.
    """
    with _opened(path) as archive:
        _within(path, archive, limits)


def unpack(path: Path, folder: Path, limits: Limits = USUAL) -> list[Path]:
    """Unpack a zip into a folder of its own.

    A single folder that holds everything is left out: its content goes straight into `folder`.

    Parameters
    ----------
    path : Path
        The zip.
    folder : Path
        Made if need be. What it holds already is compared with the zip:
        files that are whole stay untouched, missing ones are added, and one
        that differs is kept beside under another name.
    limits : Limits
        How large it may become.

    Returns
    -------
    list of Path
        Its files, in the order of the zip.

    Raises
    ------
    ProductError
        If it is hostile or too large; then nothing of it is unpacked.
    Corrupt
        If it is damaged; then too.
    StoreError
        If this machine cannot keep it.
    """
    with _opened(path) as archive, _disk_errors(folder):
        _within(path, archive, limits)
        entries = _places(path, archive)
        missing = [entry for entry in entries if not _is_whole(folder, entry)]
        if missing or not folder.is_dir():
            _clear_leftovers(folder)
            draft = folder.with_name(f".{folder.name}.{os.getpid()}.{secrets.token_hex(4)}{_MARK}")
            try:
                _extract(path, archive, missing, draft)
                _move_in(missing, draft, folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return [folder / entry.place for entry in entries if not entry.info.is_dir()]


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        raise Corrupt(f"{path}: a broken zip file ({error}); download it again") from error
    except RuntimeError as error:
        raise ProductError(f"{path}: cannot be unpacked ({error})") from error
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: no such file") from error
    except OSError as error:
        raise NoPermission(f"{path}: cannot be read ({error.strerror})") from error


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    import errno

    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(f"{folder}: the disk is full; free some space and unpack again") from error
        raise NoPermission(f"{error.filename or folder}: cannot be written ({error.strerror})") from error


def _within(path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    packed = path.stat().st_size
    what = ""
    if len(entries) > limits.entries:
        what = f"has {len(entries)} entries, more than {limits.entries}"
    elif size > limits.size:
        what = f"would become {size / 1e9:.1f} GB, more than {limits.size / 1e9:.1f}"
    elif size > limits.small and size > limits.ratio * packed:
        what = f"would swell from {packed / 1e6:.1f} MB to {size / 1e9:.2f} GB"
    if what:
        raise ProductError(f"{path}: {what}: refused; unpack it by hand if you trust it")


def _places(path: Path, archive: zipfile.ZipFile) -> list[_Entry]:
    """Return where each entry belongs; raise if one belongs nowhere."""
    found: list[_Entry] = []
    for info in archive.infolist():
        name = info.filename.replace("\\", "/")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        kind = stat.S_IFMT(info.external_attr >> 16)
        fault = ""
        if name.startswith("/") or ".." in parts or not parts or (len(parts[0]) > 1 and parts[0][1] == ":"):
            fault = "leads out of its folder"
        elif any(ord(letter) < 32 for letter in name):
            fault = "has a name with control characters"
        elif kind == stat.S_IFLNK:
            fault = "is a symbolic link"
        elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            fault = "is a special file"
        elif info.flag_bits & 1:
            fault = "is encrypted"
        if fault:
            raise ProductError(f"{path}: {info.filename!r} in it {fault}; nothing of it is unpacked")
        found.append(_Entry(info, PurePosixPath(*parts)))
    files = [entry.place for entry in found if not entry.info.is_dir()]
    if len(set(files)) < len(files) or any(parent in set(files) for place in files for parent in place.parents):
        raise ProductError(f"{path}: has two entries of one name; nothing of it is unpacked")
    tops = {entry.place.parts[0] for entry in found}
    if len(tops) == 1 and files and all(len(place.parts) > 1 for place in files):
        return [_Entry(entry.info, entry.place.relative_to(*tops)) for entry in found if len(entry.place.parts) > 1]
    return found


def _is_whole(folder: Path, entry: _Entry) -> bool:
    """Whether an entry is in the folder already, with the bytes that it has in the zip."""
    path = folder / entry.place
    if any(parent.is_symlink() for parent in [path, *path.parents] if parent.is_relative_to(folder)):
        return False
    if entry.info.is_dir():
        return path.is_dir()
    try:
        if not path.is_file() or path.stat().st_size != entry.info.file_size:
            return False
        crc = 0
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                crc = zlib.crc32(block, crc)
    except OSError:
        return False
    return crc == entry.info.CRC


def _extract(path: Path, archive: zipfile.ZipFile, entries: list[_Entry], draft: Path) -> None:
    draft.mkdir(parents=True)
    for entry in entries:
        target = draft / entry.place
        if entry.info.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        # Reads no more than the entry says that it has, and checks its CRC at the end.
        with archive.open(entry.info) as source, target.open("xb") as stream:
            shutil.copyfileobj(source, stream, _BLOCK)
        if target.stat().st_size != entry.info.file_size:
            raise Corrupt(f"{path}: {entry.info.filename} in it is cut short; download it again")


def _move_in(entries: list[_Entry], draft: Path, folder: Path) -> None:
    if not folder.is_symlink():
        # At once, where nothing is there, or an empty folder.
        with suppress(OSError):
            draft.rename(folder)
            return
    if not folder.is_dir() or folder.is_symlink():
        raise NoPermission(f"{folder}: is no folder; move it away and unpack again")
    for entry in entries:
        target = folder / entry.place
        if _is_whole(folder, entry):
            continue  # somebody else was faster
        for parent in reversed([parent for parent in target.parents if parent.is_relative_to(folder)]):
            if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
                _set_aside(parent)
            parent.mkdir(exist_ok=True)
        if target.is_symlink() or (target.exists() and not (entry.info.is_dir() and target.is_dir())):
            _set_aside(target)
        if entry.info.is_dir():
            target.mkdir(exist_ok=True)
        else:
            (draft / entry.place).replace(target)


def _set_aside(path: Path) -> None:
    """Keep what is not what the zip has: somebody may have made it so."""
    with suppress(FileNotFoundError):
        path.rename(path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"))


def _clear_leftovers(folder: Path) -> None:
    """Remove what a killed process has left of unpacking into this folder."""
    for path in folder.parent.glob(f".{_literal(folder.name)}.*{_MARK}"):
        process = path.name.removesuffix(_MARK).split(".")[-2]
        if process.isdecimal() and not _lives(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def _literal(name: str) -> str:
    import glob

    return glob.escape(name)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
