"""Where a file lies in the data folder: as astroquery would put it, so that both find it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from tessellar.errors import InputError
from tessellar.net import Remote

# The control characters, the separators of every system, and what Windows forbids.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


def relative_path(remote: Remote, *, flat: bool = False) -> PurePosixPath:
    """Return ``mastDownload/<collection>/<obs_id>/<file>``, or only the file name if `flat`.

    Raises
    ------
    InputError
        If a part of it could lead out of the folder.

    Examples
    --------
    >>> from tessellar.net import Remote
    >>> from tessellar.store.layout import relative_path
    >>> remote = Remote("mast:TESS/product/a_lc.fits", "http://x/a_lc.fits", "a_lc.fits", "TESS", "a")
    >>> str(relative_path(remote))
    'mastDownload/TESS/a/a_lc.fits'
    """
    name = _safe(remote.filename, remote)
    if flat:
        return PurePosixPath(name)
    return PurePosixPath("mastDownload", _safe(remote.collection, remote), _safe(remote.obs_id, remote), name)


def _safe(part: str, remote: Remote) -> str:
    if not part or part.strip(". ") == "" or part.startswith("~") or len(part) > 240 or _UNSAFE.search(part):
        raise InputError(f"{remote.uri}: {part!r} cannot be the name of a file or folder; it is not fetched")
    return part
