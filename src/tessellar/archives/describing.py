"""What the names and positions in an archive's rows tell beyond its columns: sectors, camera and CCD, kind."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from tessellar.archives.base import Criteria
from tessellar.errors import InputError
from tessellar.mission.ccd import locate_many
from tessellar.mission.cloud import s3_uri
from tessellar.mission.names import match_name
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


def described(row: dict[str, Any]) -> dict[str, Any]:
    """Add what the names in a row tell: the range of sectors, camera and CCD."""
    filename = str(row.get("dataURL") or "").rsplit("/", 1)[-1]
    name = match_name(filename) if not _OF_ONE_SECTOR.match(filename) else None
    sector = row.get("sequence_number")
    first, last = name.sector_range if name and name.sector_range else (sector, sector)
    camera, ccd = (name.camera, name.ccd) if name else (None, None)
    return {**row, "sector_first": first, "sector_last": last, "camera": camera, "ccd": ccd}


def put_on_ccds(rows: list[dict[str, Any]]) -> None:
    """Fill in camera and CCD of targets from their positions and the pointing of the sector."""
    of_sector: dict[int, tuple[list[dict[str, Any]], list[tuple[float, float]]]] = {}
    for row in rows:
        single = row["sector_first"] == row["sector_last"] and isinstance(row["sector_first"], int)
        if single and row["camera"] is None and row.get("dataproduct_type") == "timeseries":
            place = _place(row)
            if place is not None:
                targets, places = of_sector.setdefault(row["sector_first"], ([], []))
                targets.append(row)
                places.append(place)
    for sector, (targets, places) in of_sector.items():
        ra, dec = zip(*places, strict=True)
        try:
            index, _, camera, ccd, _, _ = locate_many(ra, dec, [sector])
        except InputError:  # a sector newer than our table: its pointing is not known
            continue
        # Where two CCDs overlap on the sky, the first is as good as the other: the archive does not tell.
        for i, its_camera, its_ccd in zip(index[::-1], camera[::-1], ccd[::-1], strict=True):
            targets[i] |= {"camera": int(its_camera), "ccd": int(its_ccd)}


def by_separation(rows: list[dict[str, Any]], centre: tuple[float, float]) -> list[dict[str, Any]]:
    """Add each row's distance from the centre of the cone, and put the nearest first."""
    for row in rows:
        place = _place(row)
        if place is not None:
            row["separation"] = angular_separation(*centre, *place)
    return sorted(rows, key=lambda row: float(row.get("separation", math.inf)))


def _place(row: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return right ascension and declination, in degrees; None for what is no place on the sky."""
    try:
        ra, dec = float(row["s_ra"]), float(row["s_dec"])
    except (KeyError, TypeError, ValueError):
        return None
    return (ra % 360, dec) if math.isfinite(ra) and -90 <= dec <= 90 else None


def belongs(row: Mapping[str, Any], criteria: Criteria) -> bool:
    """Whether a row meets what could not be asked of the archive."""
    for wanted, found in ((criteria.camera, row["camera"]), (criteria.ccd, row["ccd"])):
        if wanted is not None and found != wanted:
            return False
    if criteria.kind == "dv" and criteria.sector is not None:
        first, last = row["sector_first"], row["sector_last"]
        return first is not None and last is not None and first <= criteria.sector <= last
    return True


def joined_product(row: Mapping[str, Any], parents: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Put beside a file what is known of its observation, and what its own name tells."""
    parent = parents.get(str(row.get("obsID")), {})
    filename = str(row.get("productFilename") or str(row["dataURI"]).rsplit("/", 1)[-1])
    name = match_name(filename)
    sector = parent.get("sequence_number") if name is None or name.sector is None else name.sector
    first, last = name.sector_range if name and name.sector_range else (sector, sector)
    uri = str(row["dataURI"])
    return {
        **row,
        "productFilename": filename,
        "obs_id": row.get("obs_id") or parent.get("obs_id"),
        "target": parent.get("target_name"),
        "sector": parent.get("sequence_number"),
        "sector_first": first,
        "sector_last": last,
        "camera": name.camera if name and name.camera else parent.get("camera"),
        "ccd": name.ccd if name and name.ccd else parent.get("ccd"),
        "cadence": parent.get("t_exptime"),
        "kind": name.kind if name else _KINDS.get(str(row.get("productSubGroupDescription")), "unknown"),
        "author": parent.get("provenance_name") or (name.author if name else None),
        "s3_uri": s3_uri(uri),
        "summary": describe(name),
    }
