"""Packed frames, unpacked once: a stack reads pixels in their place, which a packed file does not have."""

from __future__ import annotations

import errno
import os
import warnings
from pathlib import Path

from tessellar.errors import Corrupt, NoPermission, NoSpace

# What a name ends with, and what is left of it when the file is unpacked.
_ENDINGS = {".fits.gz": ".fits", ".fits.fz": ".fits"}


def is_packed(path: Path) -> bool:
    """Tell, by its name, whether a frame is packed: with gzip (``.fits.gz``), or tile by tile (``.fits.fz``)."""
    return path.name.endswith(tuple(_ENDINGS))


def unpacked(path: Path, folder: Path) -> Path:
    """Unpack a frame into a folder, unless it is there already.

    Parameters
    ----------
    path : Path
        ``.fits.gz`` or ``.fits.fz``; anything else is returned as it is.
    folder : Path
        Made if need be. A file appears in it whole, or not at all.

    Raises
    ------
    Corrupt
        If the file cannot be unpacked.
    NoSpace, NoPermission
        If the folder cannot take it.
    """
    ending = next((each for each in _ENDINGS if path.name.endswith(each)), None)
    if ending is None:
        return path
    goal = folder / (path.name.removesuffix(ending) + _ENDINGS[ending])
    if goal.exists() and goal.stat().st_mtime >= path.stat().st_mtime:
        return goal
    partial = goal.with_name(f".{goal.name}.{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _unpack(path, partial)
        partial.replace(goal)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(f"{folder}: no space to unpack {path.name}; what was unpacked is kept") from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise NoPermission(f"{folder}: {path.name} may not be unpacked there") from error
        raise Corrupt(f"{path}: cannot be unpacked ({error}); fetch it again") from error
    finally:
        partial.unlink(missing_ok=True)
    return goal


def _unpack(path: Path, goal: Path) -> None:
    if path.name.endswith(".gz"):
        from tessellar.products.fitsfile import load

        goal.write_bytes(load(path))
        return
    from astropy.io import fits

    with warnings.catch_warnings(), fits.open(path) as packed:
        warnings.simplefilter("ignore")
        parts = [
            fits.ImageHDU(part.data, part.header) if isinstance(part, fits.CompImageHDU) else part.copy()
            for part in packed
        ]
        fits.HDUList(parts).writeto(goal)
