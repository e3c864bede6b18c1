"""Whether a file is whole: its structure, and its digest where the archive gave one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tessellar.errors import IntegrityError
from tessellar.products.structure import check_structure

# Checks that a file which was cut short passes as well.
_WEAK = {"not an error page"}


def check_whole(path: Path, name: str, sha256: str, digest: str | None, size: int | None = None) -> list[str]:
    """Raise unless a file is whole.

    Parameters
    ----------
    path : Path
        The file, perhaps still under a temporary name.
    name : str
        Its own name, which tells what it should be.
    sha256 : str
        The digest of its bytes, in hexadecimal.
    digest : str or None
        ``"sha256:..."`` or ``"md5:..."`` as the archive gives it.
    size : int, optional
        Its bytes as the archive's table says. The tables err now and then, so that a file whose own
        structure is whole is believed; one without structure stands in doubt.

    Returns
    -------
    list of str
        The FITS sums (``CHECKSUM``, ``DATASUM``), or the ``size``, that do not fit, though the
        structure does and no digest says otherwise. They stand in doubt: a
        file that was edited after it was written carries such sums, and so
        does a file with a flipped byte.

    Raises
    ------
    Corrupt
        If its structure is broken.
    IntegrityError
        If its digest is not the archive's.
    """
    made = check_structure(path, name=name, checksums="note")
    # In a gzip file the CRC proves that the bytes are those that were packed.
    doubtful = [] if "gzip CRC" in made else [check.split()[1] for check in made if check.endswith("differs")]
    if size is not None and not set(made) - _WEAK and path.stat().st_size != size:
        doubtful.append("size")
    if digest is None:
        return doubtful
    kind, _, wanted = digest.partition(":")
    if kind == "sha256":
        found = sha256
    elif kind == "md5":
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    else:
        return doubtful
    if found != wanted.lower():
        raise IntegrityError(f"{name}: its {kind} is {found}, not the {wanted} that was asked for")
    return []
