"""From a name on the sky to TESS data that can be trusted, and light curves with honest errors."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tessellar import exofop
    from tessellar.access import (
        Observations,
        dataset,
        dv_runs,
        fetch,
        footprint,
        lightcurves_in,
        list_products,
        observability,
        resolve,
        search,
    )
    from tessellar.exofop import TIC, TOI, System
    from tessellar.mission import SkyRegion
    from tessellar.products import read
    from tessellar.store import Store
    from tessellar.targets import Field

__version__ = "0.1.0"

# Where each public name lives; the module is imported when the name is first used,
# so that `import tessellar` costs next to nothing.
_HOMES = {
    "Observations": "tessellar.access",
    "observability": "tessellar.access",
    "search": "tessellar.access",
    "dataset": "tessellar.access",
    "dv_runs": "tessellar.access",
    "list_products": "tessellar.access",
    "footprint": "tessellar.access",
    "lightcurves_in": "tessellar.access",
    "SkyRegion": "tessellar.mission",
    "fetch": "tessellar.access",
    "resolve": "tessellar.access",
    "read": "tessellar.products",
    "Store": "tessellar.store",
    "TIC": "tessellar.exofop",
    "TOI": "tessellar.exofop",
    "System": "tessellar.exofop",
    "Field": "tessellar.targets",
}

__all__ = [
    "TIC",
    "TOI",
    "Field",
    "Observations",
    "SkyRegion",
    "Store",
    "System",
    "dataset",
    "dv_runs",
    "exofop",
    "fetch",
    "footprint",
    "lightcurves_in",
    "list_products",
    "observability",
    "read",
    "resolve",
    "search",
]


def __getattr__(name: str) -> Any:
    if name == "exofop":
        return import_module("tessellar.exofop")
    if name not in _HOMES:
        raise AttributeError(f"module 'tessellar' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
