"""Fetching the mission's models of the pixel response for a CCD."""

from __future__ import annotations

import os
from pathlib import Path

from tessellar import config
from tessellar.access.fetching import fetch_remotes
from tessellar.access.opening import archive_of
from tessellar.archives import Archive
from tessellar.archives.models import response_remotes
from tessellar.progress import Listener, ignore
from tessellar.store import Manifest
from tessellar.store.store import check_folder
from tessellar.targets import Field

_LAYOUT = "prf/{obs_id}"


def fetch_responses(
    field: Field | str,
    folder: str | os.PathLike[str] | None = None,
    *,
    archive: str | Archive | None = None,
    deadline: float | None = None,
    listener: Listener = ignore,
) -> Manifest:
    """Fetch the pixel response functions (PRF) of one CCD: 25 files, of the issue that holds for the sector.

    What is here already is not fetched again.

    Parameters
    ----------
    field : Field or str
        A CCD in a sector: ``Field(27, 1, 2)`` or ``"27-1-2"``.
    folder : path-like, optional
        By default the setting ``data_dir``, or the working folder. The files lie in ``prf/cam1_ccd2`` in it.
    archive : str or Archive, optional
        By default the setting.
    deadline : float, optional
        Seconds after which what is not whole is given up.
    listener : callable, optional
        Told of bytes as they arrive.

    Returns
    -------
    Manifest
        One row a file; its ``paths`` are what `tessellar.pixels.MissionPRF.open` takes.

    Raises
    ------
    InputError
        If no models are known for the CCD.
    StoreError
        If nothing can be kept in the folder.

    Examples
    --------
    >>> from tessellar.access import fetch_responses
    >>> fetch_responses("27-1-2", "frames").ok  # doctest: +SKIP
    True
    """
    place = Field.parse(field) if isinstance(field, str) else field
    target = Path(folder or config.load().data_dir or ".").expanduser().absolute()
    remotes = response_remotes(archive_of(archive).name, place)
    check_folder(target)
    return fetch_remotes(remotes, target, layout=_LAYOUT, deadline=deadline, listener=listener)
