"""What is true of TESS whatever the archive: names, sectors, flags, the CCDs on the sky, time."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "names": ("FAMILIES", "ProductName", "build_name", "match_name", "parse_name"),
    "sectors": ("Sector", "all_sectors", "get_sector"),
    "flags": ("DEFAULT_MASK", "MASKS", "decode", "flags_of", "good"),
    "time": ("BTJD_ORIGIN", "btjd_to_time", "time_to_btjd"),
    "ccd": ("Located", "ccd_wcs", "footprint", "locate"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tessellar.mission' has no attribute {name!r}")
    return getattr(import_module(f"tessellar.mission.{_HOME_OF[name]}"), name)
