"""What is true of TESS whatever the archive: names, sectors, flags, the CCDs on the sky, time."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tessellar.mission.ccd import Located, ccd_wcs, footprint, locate, locate_many
    from tessellar.mission.cloud import s3_uri
    from tessellar.mission.flags import DEFAULT_MASK, MASKS, decode, flags_of, good
    from tessellar.mission.names import ProductName, build_name, match_name, parse_name
    from tessellar.mission.offsets import TimeOffset, time_offset
    from tessellar.mission.sectors import Sector, all_sectors, get_sector
    from tessellar.mission.sentences import describe
    from tessellar.mission.skyregion import SkyRegion
    from tessellar.mission.time import BTJD_ORIGIN, btjd_to_time, time_to_btjd

__all__ = [
    "BTJD_ORIGIN",
    "DEFAULT_MASK",
    "MASKS",
    "Located",
    "ProductName",
    "Sector",
    "SkyRegion",
    "TimeOffset",
    "all_sectors",
    "btjd_to_time",
    "build_name",
    "ccd_wcs",
    "decode",
    "describe",
    "flags_of",
    "footprint",
    "get_sector",
    "good",
    "locate",
    "locate_many",
    "match_name",
    "parse_name",
    "s3_uri",
    "time_offset",
    "time_to_btjd",
]

_HOMES = {
    "names": ("ProductName", "build_name", "match_name", "parse_name"),
    "sectors": ("Sector", "all_sectors", "get_sector"),
    "flags": ("DEFAULT_MASK", "MASKS", "decode", "flags_of", "good"),
    "offsets": ("TimeOffset", "time_offset"),
    "skyregion": ("SkyRegion",),
    "time": ("BTJD_ORIGIN", "btjd_to_time", "time_to_btjd"),
    "cloud": ("s3_uri",),
    "sentences": ("describe",),
    "ccd": ("Located", "ccd_wcs", "footprint", "locate", "locate_many"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tessellar.mission' has no attribute {name!r}")
    return getattr(import_module(f"tessellar.mission.{_HOME_OF[name]}"), name)
