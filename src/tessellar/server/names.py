"""Looking names up: TIC ids, the names that headers give to their stars, and positions written as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tessellar.server.database import Reader
from tessellar.server.grouping import name_key

_TIC = re.compile(r"\s*tic[\s_-]*0*(\d{1,10})\s*", re.IGNORECASE | re.ASCII)
_NUMBER = r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?"
_DEGREES = re.compile(rf"\s*({_NUMBER})[\s,]+({_NUMBER})\s*", re.ASCII)
_HOURS = re.compile(
    r"\s*(\d{1,2})[:h\s](\d{1,2})[:m\s](\d{1,2}(?:\.\d*)?)s?[\s,]+([+-]?)(\d{1,2})[:d\s](\d{1,2})[:m\s](\d{1,2}(?:\.\d*)?)s?\s*",
    re.ASCII,
)
_SEARCH_RADIUS = 0.000333


def resolve(reader: Reader, names: Iterable[str]) -> list[dict[str, Any]]:
    """Return where names are, as MAST's name resolver says it; names that are not known are left out.

    Parameters
    ----------
    reader : Reader
        Knows the stars of catalogues and headers.
    names : iterable of str
        ``TIC 25155310``, a name that a header gives to its star, or a position
        (degrees, or hours and degrees in sexagesimal notation).
    """
    found = []
    for name in names:
        place = _tic(reader, name) or _alias(reader, name) or _position(name)
        if place is not None:
            canonical, resolver, ra, dec = place
            found.append(
                {
                    # Clients recognise their question by this, in small letters.
                    "searchString": name.lower(),
                    "resolver": resolver,
                    "cached": False,
                    "resolverTime": 0,
                    "searchRadius": _SEARCH_RADIUS,
                    "canonicalName": canonical,
                    "ra": ra,
                    "decl": dec,
                }
            )
    return found


def _tic(reader: Reader, name: str) -> tuple[str, str, float, float] | None:
    match = _TIC.fullmatch(name)
    return _star(reader, int(match[1])) if match else None


def _alias(reader: Reader, name: str) -> tuple[str, str, float, float] | None:
    rows = reader.select("SELECT DISTINCT tic FROM names WHERE key = ?", (name_key(name),))
    # A name of two stars is a name of neither.
    return _star(reader, rows[0][0]) if len(rows) == 1 else None


def _star(reader: Reader, tic: int) -> tuple[str, str, float, float] | None:
    rows = reader.select('SELECT "ra", "dec" FROM tic WHERE ID = ?', (tic,))
    return (f"TIC {tic}", "TIC", *rows[0]) if rows else None


def _position(name: str) -> tuple[str, str, float, float] | None:
    degrees = _DEGREES.fullmatch(name)
    if degrees:
        ra, dec = float(degrees[1]), float(degrees[2])
    else:
        hours = _HOURS.fullmatch(name)
        if hours is None:
            return None
        ra = 15 * (int(hours[1]) + int(hours[2]) / 60 + float(hours[3]) / 3600)
        dec = int(hours[5]) + int(hours[6]) / 60 + float(hours[7]) / 3600
        dec = -dec if hours[4] == "-" else dec
    return (name.strip(), "NONE", ra % 360, dec) if -90 <= dec <= 90 else None
