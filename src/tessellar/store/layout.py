"""Where a file lies in the data folder: by default as astroquery would put it, so that both find it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from string import Formatter

from tessellar.errors import InputError
from tessellar.mission.names import ProductName, match_name
from tessellar.net import Remote

# The control characters, the separators of every system, and what Windows forbids.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')

ASTROQUERY, FLAT = "astroquery", "flat"
_TEMPLATES = {ASTROQUERY: "mastDownload/{collection}/{obs_id}/{filename}", FLAT: "{filename}"}

# What a folder is called for files that have no such thing.
_NONE = "none"

_FROM_NAME: dict[str, Callable[[ProductName], str | None]] = {
    "author": lambda name: name.author,
    "kind": lambda name: name.kind,
    "sector": lambda name: None if name.sector is None else f"s{name.sector:04d}",
    "tic": lambda name: None if name.tic is None else str(name.tic),
    "camera": lambda name: None if name.camera is None else str(name.camera),
    "ccd": lambda name: None if name.ccd is None else str(name.ccd),
    "cadence": lambda name: None if name.cadence is None else f"{name.cadence:g}",
}
_FIELDS = ("collection", "obs_id", "filename", *_FROM_NAME)


@dataclass(frozen=True)
class Layout:
    """Which folder each file goes to.

    Parameters
    ----------
    template : str
        ``"astroquery"``, ``"flat"``, or folders separated by ``/``, in which ``{collection}``, ``{obs_id}``,
        ``{author}``, ``{kind}``, ``{sector}``, ``{tic}``, ``{camera}``, ``{ccd}`` and ``{cadence}`` stand for
        what the file's name tells. The file keeps its own name: ``{filename}`` may only stand at the end, and
        is added where it is missing.

    Raises
    ------
    InputError
        If it could lead out of the folder, or names a field that there is not.

    Examples
    --------
    >>> from tessellar.net import Remote
    >>> from tessellar.store.layout import Layout
    >>> name = "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits"
    >>> remote = Remote(f"mast:TESS/product/{name}", "http://x/", name, "TESS", name[:-8])
    >>> str(Layout("{author}/{sector}/{kind}").path(remote))
    'SPOC/s0001/lightcurve/tess2018206045859-s0001-0000000025155310-0120-s_lc.fits'
    """

    template: str = ASTROQUERY

    def __post_init__(self) -> None:
        parts = _TEMPLATES.get(self.template, self.template).split("/")
        if parts[-1] != "{filename}":
            parts.append("{filename}")
        for part in parts:
            _check_part(part, self.template, last=part is parts[-1])
        object.__setattr__(self, "_parts", tuple(parts))

    def path(self, remote: Remote) -> PurePosixPath:
        """Return where a file lies, relative to the data folder.

        Raises
        ------
        InputError
            If a part of it could lead out of the folder.
        """
        parts: tuple[str, ...] = self.__dict__["_parts"]
        values = _values(remote, match_name(remote.filename) if self.template not in _TEMPLATES else None)
        return PurePosixPath(*(_safe(part.format_map(values), remote) for part in parts))


def _values(remote: Remote, name: ProductName | None) -> dict[str, str]:
    told = {field: (name and tell(name)) or _NONE for field, tell in _FROM_NAME.items()}
    return {**told, "collection": remote.collection, "obs_id": remote.obs_id, "filename": remote.filename}


def _check_part(part: str, template: str, *, last: bool) -> None:
    where = f"layout {template!r}"
    try:
        pieces = list(Formatter().parse(part))
    except ValueError as error:
        raise InputError(f"{where}: {part!r} cannot be read ({error})") from error
    plain = "".join(text for text, _, _, _ in pieces)
    for _, field, form, conversion in pieces:
        if field is None:
            continue
        if field not in _FIELDS or form or conversion:
            raise InputError(f"{where}: there is no {{{field}}}; {_near(field)}")
        if field == "filename" and not last:
            raise InputError(f"{where}: {{filename}} may only stand at the end, alone")
    if not part or _UNSAFE.search(plain) or plain.startswith("~") or (plain == part and not part.strip(". ")):
        raise InputError(f"{where}: {part!r} cannot be a folder; write as in {{collection}}/{{sector}}")


def _near(field: str) -> str:
    import difflib

    near = difflib.get_close_matches(field, _FIELDS, n=3, cutoff=0.5)
    return f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(_FIELDS)}"


def _safe(part: str, remote: Remote) -> str:
    if not part or part.strip(". ") == "" or part.startswith("~") or len(part) > 240 or _UNSAFE.search(part):
        raise InputError(f"{remote.uri}: {part!r} cannot be the name of a file or folder; it is not fetched")
    return part
