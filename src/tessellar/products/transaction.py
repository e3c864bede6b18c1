"""Changes to a file that happen together or not at all, for files whose format does not promise it.

HDF5 is broken by a kill in the middle of a write. Here what is written beyond the old end of the
file goes there at once, where nobody looks yet. What would overwrite older bytes (in HDF5: a few
kilobytes of headers) is held in memory, and at the end written to a journal beside the file. The
journal appears under its name in one step, and with it the change has happened: its pages are then
put into the file, however often it takes. A reader who finds a journal reads the pages from there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tessellar.errors import Corrupt, StoreError
from tessellar.products.filing import translated

_PAGE = 4096
_MAGIC = b"tessellar journal 1\n"
# Length of the file before and after, number of pages.
_HEAD = struct.Struct("<QQQ")
_OFFSET = struct.Struct("<Q")
# Of HDF5's superblock, versions 2 and 3: where the address of the end of the file lies.
_HDF5, _END = b"\x89HDF\r\n\x1a\n", slice(28, 36)


class Changing(io.RawIOBase):
    """A file as it will be: reads see what was written, the file itself is changed by `apply` only.

    A write that fails (a full disk) is remembered in `failed` and later ones are swallowed: whoever writes can close
    in peace, and then learn of it.
    """

    def __init__(self, stream: BinaryIO | io.FileIO, base: int, size: int, pages: dict[int, bytearray]) -> None:
        super().__init__()
        self._stream, self._base, self._size, self._pages = stream, base, size, pages
        self._at = 0
        self.failed: OSError | None = None

    def close(self) -> None:
        """Close the file too."""
        self._stream.close()
        super().close()

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """Yes."""
        return True

    def writable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next byte is read or written."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go elsewhere."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read as many bytes as `buffer` takes, or as there are."""
        view = memoryview(buffer).cast("B")
        count = max(min(len(view), self._size - self._at), 0)
        got = os.pread(self._stream.fileno(), count, self._at)
        view[: len(got)] = got
        view[len(got) : count] = bytes(count - len(got))
        for number in _pages(self._at, min(self._at + count, self._base)):
            page = self._pages.get(number)
            if page is not None:
                inside, outside, length = _overlap(number, self._at, count, self._base)
                view[outside : outside + length] = page[inside : inside + length]
        self._at += count
        return count

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        """Write: over older bytes in memory only, beyond them into the file."""
        view = memoryview(data).cast("B")
        old = max(min(len(view), self._base - self._at), 0)
        for number in _pages(self._at, self._at + old):
            inside, outside, length = _overlap(number, self._at, old, self._base)
            self._page(number)[inside : inside + length] = view[outside : outside + length]
        self._beyond(self._at + old, view[old:])
        self._at += len(view)
        self._size = max(self._size, self._at)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the length that the file will have; the file keeps what it has until then."""
        self._size = self._at if size is None else size
        return self._size

    def commit(self, journal: Path) -> None:
        """Make the change happen: journal first, then the file."""
        if self.failed is not None:
            raise self.failed
        os.fsync(self._stream.fileno())
        body = b"".join(_OFFSET.pack(number * _PAGE) + bytes(page) for number, page in sorted(self._pages.items()))
        record = _MAGIC + _HEAD.pack(self._base, self._size, len(self._pages)) + body
        draft = journal.with_name(f".{journal.name}.part")
        try:
            with draft.open("wb") as stream:
                stream.write(record + hashlib.sha256(record).digest())
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(journal)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        # The name of the journal has to be on the disk before a page of the file is overwritten.
        _sync_folder(journal.parent)
        self.apply()

    def apply(self) -> None:
        """Put the pages into the file, which any number of times does the same."""
        for number, page in sorted(self._pages.items()):
            os.pwrite(self._stream.fileno(), bytes(page[: self._base - number * _PAGE]), number * _PAGE)
        os.ftruncate(self._stream.fileno(), self._size)
        os.fsync(self._stream.fileno())

    def undo(self) -> None:
        """Cut off what was written beyond the old end."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._stream.fileno(), self._base)

    def _page(self, number: int) -> bytearray:
        if number not in self._pages:
            self._pages[number] = bytearray(os.pread(self._stream.fileno(), _PAGE, number * _PAGE).ljust(_PAGE, b"\0"))
        return self._pages[number]

    def _beyond(self, at: int, view: memoryview) -> None:
        try:
            while view and self.failed is None:
                written = os.pwrite(self._stream.fileno(), view, at)
                at, view = at + written, view[written:]
        except OSError as error:
            self.failed = error


@contextlib.contextmanager
def changing(path: Path) -> Iterator[Changing]:
    """Change a file: what is written to the object given takes effect at the end of the block, or not at all.

    Raises
    ------
    StoreError
        If another process changes the file, or it cannot be written (`NoSpace`, `NoPermission`); it is as it was.
    """
    journal = journal_of(path)
    with translated(path, "it is as it was; free some and run again"):
        lock = path.with_name(f".{path.name}.lock").open("w")
        with lock, path.open("r+b") as stream:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StoreError(f"{path}: another process is writing it; wait for it") from error
            recover(path)
            base = _committed(stream)
            stream.truncate(base)
            change = Changing(stream, base, base, {})
            try:
                yield change
                change.commit(journal)
            except BaseException:
                # Once the journal is there the change has happened.
                if not journal.exists():
                    change.undo()
                raise
            journal.unlink()


def recover(path: Path) -> None:
    """Finish a change whose writer was killed while it put it into the file."""
    record = _read_journal(journal_of(path))
    if record is not None:
        with path.open("r+b") as stream:
            Changing(stream, *record).apply()
        journal_of(path).unlink()


def snapshot(path: Path) -> Changing:
    """A view of a file as it is, for reading; a change that has happened but is not in the file yet is in the view."""
    record = _read_journal(journal_of(path))
    stream = path.open("rb", buffering=0)
    size = os.fstat(stream.fileno()).st_size
    return Changing(stream, *(record or (size, size, {})))


def journal_of(path: Path) -> Path:
    """Where the journal of a file lies while it is needed."""
    return path.with_name(f"{path.name}.journal")


def _sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems have no such thing: their servers do it with each renaming.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _committed(stream: BinaryIO | io.FileIO) -> int:
    """Length of the file without what a killed writer left beyond its end."""
    head = os.pread(stream.fileno(), _END.stop, 0)
    length = os.fstat(stream.fileno()).st_size
    end = int.from_bytes(head[_END], "little")
    return min(end, length) if head.startswith(_HDF5) and head[len(_HDF5)] in (2, 3) else length


def _read_journal(journal: Path) -> tuple[int, int, dict[int, bytearray]] | None:
    """Length before and after, and pages; None where there is no journal."""
    try:
        record = journal.read_bytes()
    except FileNotFoundError:
        return None
    body, digest = record[:-32], record[-32:]
    if not body.startswith(_MAGIC) or hashlib.sha256(body).digest() != digest:
        raise Corrupt(f"{journal}: not a whole journal; the file beside it cannot be told whole")
    before, after, count = _HEAD.unpack_from(body, len(_MAGIC))
    at = len(_MAGIC) + _HEAD.size
    pages = {}
    for _ in range(count):
        (offset,) = _OFFSET.unpack_from(body, at)
        pages[offset // _PAGE] = bytearray(body[at + _OFFSET.size : at + _OFFSET.size + _PAGE])
        at += _OFFSET.size + _PAGE
    return before, after, pages


def _pages(start: int, stop: int) -> range:
    return range(start // _PAGE, -(-stop // _PAGE)) if stop > start else range(0)


def _overlap(number: int, start: int, count: int, end: int) -> tuple[int, int, int]:
    """Of a page and `count` bytes from `start`: where the common bytes begin in each, and how many they are."""
    first = max(number * _PAGE, start)
    last = min((number + 1) * _PAGE, start + count, end)
    return first - number * _PAGE, first - start, last - first
