"""ExoFOP-TESS over a folder: tables, targets, tagged files and logins, as ExoFOP's own clients ask for them."""

from __future__ import annotations

from tessellar.products.exofopusers import add_user
from tessellar.server.exofop.app import Exofop, exofop_routes

__all__ = ["Exofop", "add_user", "exofop_routes"]
