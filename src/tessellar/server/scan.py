"""The files of a folder, without opening any: the ones that may be served."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tessellar.errors import InputError, NoPermission
from tessellar.products.exofopfolder import FOLDER as EXOFOP_FOLDER


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its path below the folder (with ``/``), its size in bytes, and when it was changed."""

    path: str
    size: int
    mtime_ns: int

    @property
    def folder(self) -> str:
        """The folder that it lies in, below the one that is served; empty for that one itself."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """Its name without the folder."""
        return self.path.rpartition("/")[2]


@dataclass
class Skipped:
    """What a walk left out, and did not even look at: links that lead out, and what may not be read."""

    outside: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def checked_folder(directory: str | os.PathLike[str]) -> Path:
    """Return the real path of a folder that can be read.

    Raises
    ------
    InputError
        If there is no such folder, or it is none.
    NoPermission
        If it may not be read.
    """
    path = Path(directory)
    try:
        real = path.resolve(strict=True)
        with os.scandir(real):
            return real
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such folder; name one that holds TESS files") from error
    except NotADirectoryError as error:
        raise InputError(f"{path}: not a folder; name one that holds TESS files") from error
    except PermissionError as error:
        raise NoPermission(f"{path}: may not be read; check its permissions") from error
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name with a NUL
        raise InputError(f"{path!s}: cannot be opened as a folder: {error}") from error


def walk(root: Path, skipped: Skipped) -> Iterator[tuple[str, list[Entry]]]:
    """Give the folders below `root` with the files that lie in each.

    Names that begin with a dot are left out, and so is the folder of ExoFOP data, whose
    files are not for everybody. A link to a file counts where it
    leads to a file below `root`; links to folders are not followed.

    Parameters
    ----------
    root : Path
        The real path of a folder.
    skipped : Skipped
        Takes note of what was left out.
    """
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            skipped.unreadable.append(folder or ".")
            continue
        files = []
        for entry in entries:
            if entry.name.startswith(".") or not _printable(entry.name):
                continue
            path = f"{folder}/{entry.name}" if folder else entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    if path != EXOFOP_FOLDER:
                        waiting.append(path)
                elif file := _file(root, path, entry, skipped):
                    files.append(file)
            except OSError:
                skipped.unreadable.append(path)
        yield folder, files


def real_file(root: Path, path: str) -> Path | None:
    """Return where a file below `root` really lies, or None if that is not a regular file below `root`."""
    try:
        real = (root / path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return None
    return real if real.is_relative_to(root) and real.is_file() else None


def _file(root: Path, path: str, entry: os.DirEntry[str], skipped: Skipped) -> Entry | None:
    if entry.is_symlink():
        real = real_file(root, path)
        if real is None:
            skipped.outside.append(path)
            return None
        status = real.stat()
    else:
        status = entry.stat(follow_symlinks=False)
    return Entry(path, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def _printable(name: str) -> bool:
    # A name that is not text cannot be asked for by any client.
    return name.isprintable()
