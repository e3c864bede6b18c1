"""Files that have been used up, kept for whoever writes the next one of about their size.

To write over half a gigabyte that the system has in memory takes it a tenth of a second; to find
room for as much that is new, and to give it back, takes it more than one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# Hidden, and named as what a killed process leaves: the next run throws it away.
_NAME = ".spare-{}.part"


def keep(path: Path, most: int) -> None:
    """Make a file a spare one; of more than `most` the smallest go.

    Parameters
    ----------
    path : Path
        It is gone afterwards.
    most : int
    """
    path.replace(path.with_name(_NAME.format(path.stem)))
    for spare in _spares(path.parent)[most:]:
        spare.unlink(missing_ok=True)


def opened(path: Path) -> BinaryIO:
    """Open a file of this name for writing from its beginning: a spare one of its folder, the largest, or a new one.

    What was in it is there until it is written over: cut it off at the end.
    """
    for spare in _spares(path.parent):
        # Another process may have taken it.
        with suppress(FileNotFoundError):
            spare.rename(path)
            return path.open("r+b")
    return path.open("wb")


@contextmanager
def none_left(folder: Path) -> Iterator[None]:
    """Remove the spare files of a folder in the end, however that comes."""
    try:
        yield
    finally:
        for spare in _spares(folder):
            spare.unlink(missing_ok=True)


def _spares(folder: Path) -> list[Path]:
    """Spare files, the largest first."""
    sizes = {}
    for spare in folder.glob(_NAME.format("*")):
        with suppress(FileNotFoundError):
            sizes[spare] = spare.stat().st_size
    return sorted(sizes, key=lambda spare: (-sizes[spare], spare.name))
