"""ExoFOP: what the follow-up community keeps of TESS targets that the mission did not measure.

Identifiers with look-ups (`TIC`, `TOI`, `System`), the tables of TOIs and
CTOIs, the tables of one target, downloads of tagged files, login. Nothing
here asks the network before something is asked of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tessellar.exofop.authenticator import ExoFOPAuthenticator
    from tessellar.exofop.downloader import AsyncDownloader, DownloadStatus, TagCounter, TagOutcome
    from tessellar.exofop.identifiers import TIC, TOI
    from tessellar.exofop.overview import TOITable, ctoi_table, toi_table
    from tessellar.exofop.reading import read_exofop_table
    from tessellar.exofop.system import System
    from tessellar.exofop.systemdownloader import SystemDownloader
    from tessellar.exofop.tables import ExofopTable, OverviewTableAccessor, TargetTables
    from tessellar.exofop.tagdownloader import TagDownloader

__all__ = [
    "TIC",
    "TOI",
    "AsyncDownloader",
    "DownloadStatus",
    "ExoFOPAuthenticator",
    "ExofopTable",
    "OverviewTableAccessor",
    "System",
    "SystemDownloader",
    "TOITable",
    "TagCounter",
    "TagDownloader",
    "TagOutcome",
    "TargetTables",
    "ctoi_table",
    "read_exofop_table",
    "toi_table",
]

_HOMES = {
    "identifiers": ("TIC", "TOI"),
    "system": ("System",),
    "overview": ("TOITable", "ctoi_table", "toi_table"),
    "reading": ("read_exofop_table",),
    "tables": ("ExofopTable", "OverviewTableAccessor", "TargetTables"),
    "authenticator": ("ExoFOPAuthenticator",),
    "downloader": ("AsyncDownloader", "DownloadStatus", "TagCounter", "TagOutcome"),
    "tagdownloader": ("TagDownloader",),
    "systemdownloader": ("SystemDownloader",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
