"""What the names and positions in an archive's rows tell beyond its columns: sectors, camera and CCD, kind.

Rows come and go by their columns: tens of thousands are looked at in one go.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tessellar.archives.base import Criteria
from tessellar.errors import InputError
from tessellar.mission.ccd import locate_many
from tessellar.mission.cloud import s3_uri
from tessellar.mission.names import match_name, match_names
from tessellar.mission.sentences import describe
from tessellar.mission.tangent import angular_separation

# What MAST calls the products whose names do not tell.
_KINDS = {"LC": "lightcurve", "FAST-LC": "lightcurve", "TP": "tpf", "FAST-TP": "tpf", "DVT": "dv", "DVR": "dv",
          "DVM": "dv", "DVS": "dv", "FFIC": "ffi", "FFIR": "ffi", "CBV": "cbv"}  # fmt: skip

# The usual names of a target's files, which tell nothing beyond the row.
_OF_ONE_SECTOR = re.compile(
    r"tess\d{13}-s\d{4}-\d{16}-\d{4}-[xsab]_"
    r"|hlsp_(?:qlp_tess_ffi_s\d{4}-\d{16}|tess-spoc_tess_phot_\d{16}-s\d{4})_tess_"
)

Columns: TypeAlias = Mapping[str, Sequence[Any]]

_ANY_DIGIT = str.maketrans("123456789", "000000000")


def described(columns: Columns) -> Columns:
    """Add what the names in the rows tell: the range of sectors, camera and CCD."""
    urls = [str(url or "") for url in _values(columns, "dataURL")]
    sectors = _values(columns, "sequence_number")
    first, last = list(sectors), list(sectors)
    camera: list[int | None] = [None] * len(urls)
    ccd = camera.copy()
    # Names differ in their digits mostly: what one of a form does not tell, no other does.
    forms = "\n".join(urls).translate(_ANY_DIGIT).split("\n") if urls else []
    for i, form in enumerate(forms) if len(forms) == len(urls) else enumerate(urls):
        if _tells_nothing(form):
            continue
        name = match_name(urls[i].rsplit("/", 1)[-1])
        if name is not None:
            first[i], last[i] = name.sector_range or (sectors[i], sectors[i])
            camera[i], ccd[i] = name.camera, name.ccd
    return {**columns, "sector_first": first, "sector_last": last, "camera": camera, "ccd": ccd}


@lru_cache(maxsize=4096)
def _tells_nothing(url: str) -> bool:
    return _OF_ONE_SECTOR.match(url.rsplit("/", 1)[-1].translate(_ANY_DIGIT)) is not None


def put_on_ccds(columns: Columns) -> Columns:
    """Fill in camera and CCD of targets from their positions and the pointing of the sector."""
    asked = zip(columns["sector_first"], columns["sector_last"], columns["camera"],
                _values(columns, "dataproduct_type"), strict=True)  # fmt: skip
    targets = np.array(
        [i for i, (first, last, camera, kind) in enumerate(asked)
         if camera is None and kind == "timeseries" and isinstance(first, int) and first == last],
        dtype=np.int64,
    )  # fmt: skip
    if not len(targets):
        return columns
    ra, dec = _places(columns)
    targets = targets[np.isfinite(ra[targets])]
    sectors = np.array([columns["sector_first"][i] for i in targets])
    camera, ccd = list(columns["camera"]), list(columns["ccd"])
    for sector in np.unique(sectors).tolist():
        here = targets[sectors == sector]
        try:
            index, _, its_camera, its_ccd, _, _ = locate_many(ra[here], dec[here], [sector])
        except InputError:  # a sector newer than our table: its pointing is not known
            continue
        # Where two CCDs overlap on the sky, the first is as good as the other: the archive does not tell.
        on = here[index[::-1]].tolist()
        for i, a, b in zip(on, its_camera[::-1].tolist(), its_ccd[::-1].tolist(), strict=True):
            camera[i], ccd[i] = a, b
    return {**columns, "camera": camera, "ccd": ccd}


def by_separation(columns: Columns, centre: tuple[float, float]) -> Columns:
    """Add each row's distance from the centre of the cone, and put the nearest first."""
    places = zip(*(part.tolist() for part in _places(columns)), strict=True)
    apart = [angular_separation(*centre, *place) if math.isfinite(place[0]) else None for place in places]
    order = sorted(range(len(apart)), key=lambda i: math.inf if apart[i] is None else float(apart[i] or 0.0))
    return taken({**columns, "separation": apart}, order)


def taken(columns: Columns, rows: Sequence[int]) -> Columns:
    """Return some of the rows."""
    return {name: [values[i] for i in rows] for name, values in columns.items()}


def stacked(parts: Sequence[Columns]) -> Columns:
    """Put columns below each other; None where a part has no such column."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: [value for part in parts for value in _values(part, name)] for name in names}


def without_repeats(columns: Columns, name: str) -> Columns:
    """Keep the first of the rows that have the same value in a column, and none that have no value there."""
    first: dict[str, int] = {}
    for i, value in enumerate(columns.get(name, ())):
        if value:
            first.setdefault(str(value), i)
    return columns if len(first) == len(columns.get(name, ())) > 0 else taken(columns, list(first.values()))


def _values(columns: Columns, name: str) -> Sequence[Any]:
    """Return the values of a column; nothing in all rows where there is no such column."""
    return columns.get(name) or [None] * len(next(iter(columns.values()), ()))


def _places(columns: Columns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return right ascension and declination, in degrees; NaN for what is no place on the sky."""
    ra, dec = (_numbers(_values(columns, name)) for name in ("s_ra", "s_dec"))
    on_sky = np.isfinite(ra) & (np.abs(dec) <= 90)
    return np.where(on_sky, ra % 360, np.nan), np.where(on_sky, dec, np.nan)


def _numbers(values: Sequence[Any]) -> NDArray[np.float64]:
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def belonging(columns: Columns, criteria: Criteria) -> list[int] | None:
    """Return the rows that meet what could not be asked of the archive; None if that is all."""
    by_range = criteria.kind == "dv" and criteria.sector is not None
    if criteria.camera is None and criteria.ccd is None and not by_range:
        return None
    rows = zip(*(columns[name] for name in ("camera", "ccd", "sector_first", "sector_last")), strict=True)
    return [i for i, row in enumerate(rows) if _belongs(row, criteria, by_range=by_range)]


def _belongs(row: Sequence[Any], criteria: Criteria, *, by_range: bool) -> bool:
    camera, ccd, first, last = row
    if criteria.camera not in (None, camera) or criteria.ccd not in (None, ccd):
        return False
    return not by_range or (first is not None and last is not None and first <= criteria.sector <= last)


def joined_products(columns: Columns, parents: Mapping[str, Mapping[str, Any]]) -> Columns:
    """Put beside files what is known of their observations, and what their own names tell."""
    uris = [str(uri) for uri in columns["dataURI"]]
    given = _values(columns, "productFilename")
    filenames = [str(name or uri.rsplit("/", 1)[-1]) for name, uri in zip(given, uris, strict=True)]
    owners = [parents.get(str(number), {}) for number in _values(columns, "obsID")]
    groups = _values(columns, "productSubGroupDescription")
    return {
        **columns,
        "productFilename": filenames,
        "obs_id": [own or owner.get("obs_id") for own, owner in zip(_values(columns, "obs_id"), owners, strict=True)],
        "target": [owner.get("target_name") for owner in owners],
        "sector": [owner.get("sequence_number") for owner in owners],
        **_told_by_names(filenames, uris, owners, groups),
        "cadence": [owner.get("t_exptime") for owner in owners],
    }


def _told_by_names(
    filenames: Sequence[str], uris: Sequence[str], owners: Sequence[Mapping[str, Any]], groups: Sequence[Any]
) -> Columns:
    """Return what the names of files tell; where they do not, their observations and the archive's own groups."""
    rows = []
    for name, uri, owner, group in zip(match_names(filenames), uris, owners, groups, strict=True):
        sector, camera, ccd, author = map(owner.get, ("sequence_number", "camera", "ccd", "provenance_name"))
        if name is None:
            told = (sector, sector, camera, ccd, _KINDS.get(str(group), "unknown"), author)
        else:
            sector = sector if name.sector is None else name.sector
            first, last = name.sector_range or (sector, sector)
            told = (first, last, name.camera or camera, name.ccd or ccd, name.kind, author or name.author)
        rows.append((*told, s3_uri(uri, name), describe(name)))
    names = ("sector_first", "sector_last", "camera", "ccd", "kind", "author", "s3_uri", "summary")
    return dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
