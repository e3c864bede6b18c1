"""MAST's name service: from what people call a thing to where it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tessellar.errors import UnexpectedReply
from tessellar.net import Reply

LIVE_URL = "http://mastresolver.stsci.edu/Santa-war/query"


@dataclass(frozen=True)
class NamedPlace:
    """One answer of the name service.

    Attributes
    ----------
    name : str
        What the catalogue calls it.
    resolver : str
        Which catalogue answered: ``TIC``, ``SIMBAD``, ``NED`` ...
    ra, dec : float
        ICRS, degrees, epoch 2000.
    object_type : str
        Kind of object, as that catalogue has it; empty if it does not say.
    """

    name: str
    resolver: str
    ra: float
    dec: float
    object_type: str = ""


def service_url(archive: str, live: str) -> str:
    """Return where names are asked for: MAST's service has a host of its own, a server of ours answers itself."""
    return LIVE_URL if archive == live else f"{archive}/Santa-war/query"


def question(name: str) -> dict[str, str]:
    """Return the parameters that ask for one name."""
    return {"outputFormat": "json", "resolveAll": "False", "name": name}


def read_answer(reply: Reply, name: str) -> list[NamedPlace]:
    """Read what the service answers to one name, best first; empty if it knows none.

    Raises
    ------
    UnexpectedReply
        If it is not the service's answer.
    """
    try:
        rows = json.loads(reply.body).get("resolvedCoordinate") or []
        wanted = name.strip().lower()
        return [_place(row) for row in rows if str(row.get("searchString", wanted)).lower() == wanted]
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise UnexpectedReply(f"{reply.url} did not answer as the name service does", url=reply.url) from error


def _place(row: dict[str, Any]) -> NamedPlace:
    return NamedPlace(
        name=" ".join(str(row.get("canonicalName") or "").split()),
        resolver=str(row.get("resolver") or ""),
        ra=float(row["ra"]),
        dec=float(row["decl"]),
        object_type=str(row.get("objectType") or ""),
    )
