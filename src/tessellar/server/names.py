"""Looking names up: ids of catalogues, TOIs, the names that headers give to their stars, and positions as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tessellar.server.database import Reader
from tessellar.server.grouping import name_key

#: From a TOI, as it is written, to the TIC ids that a table of TOIs has for it.
TOIs = Callable[[str], Iterable[str]]

_TIC = re.compile(r"\s*tic[\s_-]*0*(\d{1,10})\s*", re.IGNORECASE | re.ASCII)
_TOI = re.compile(r"\s*(toi[\s_-]*0*\d{1,6})(?:\.\d{1,2})?\s*", re.IGNORECASE | re.ASCII)
# Ids of other catalogues, and the column of the TESS Input Catalog that has them.
_IDS = (
    (re.compile(r"gaia\s*dr2\s*(\d{5,20})", re.IGNORECASE | re.ASCII), "GAIA"),
    (re.compile(r"hip[\s-]*(\d{1,6})", re.IGNORECASE | re.ASCII), "HIP"),
    (re.compile(r"(?:kic|kplr)[\s-]*0*(\d{1,9})", re.IGNORECASE | re.ASCII), "KIC"),
    (re.compile(r"tyc[\s-]*(\d{1,4}-\d{1,5}-\d)", re.IGNORECASE | re.ASCII), "TYC"),
    (re.compile(r"2mass\s*j?\s*(\d{8}[+-]\d{7})", re.IGNORECASE | re.ASCII), "TWOMASS"),
)
_NUMBER = r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?"
_DEGREES = re.compile(rf"\s*({_NUMBER})[\s,]+({_NUMBER})\s*", re.ASCII)
_HOURS = re.compile(
    r"\s*(\d{1,2})[:h\s](\d{1,2})[:m\s](\d{1,2}(?:\.\d*)?)s?[\s,]+([+-]?)(\d{1,2})[:d\s](\d{1,2})[:m\s](\d{1,2}(?:\.\d*)?)s?\s*",
    re.ASCII,
)
_SEARCH_RADIUS = 0.000333


@dataclass(frozen=True)
class _Place:
    """What one resolver found."""

    name: str
    resolver: str
    ra: float
    dec: float
    object_type: str = ""


def resolve(
    reader: Reader,
    names: Iterable[str],
    *,
    resolvers: Iterable[str] = (),
    every: bool = False,
    tois: TOIs | None = None,
) -> list[dict[str, Any]]:
    """Return where names are, as MAST's name resolver says it; names that are not known are left out.

    Parameters
    ----------
    reader : Reader
        Knows the stars of catalogues and headers.
    names : iterable of str
        ``TIC 25155310``, ``TOI-175`` or one of its planets, an id of Gaia DR2, HIP, KIC, TYC or 2MASS, a name that a
        header gives to its star, or a position (degrees, or hours and degrees in sexagesimal notation).
    resolvers : iterable of str
        Which of ``TIC``, ``EXO`` and ``NONE`` (positions) may answer; by default all.
    every : bool
        Whether to tell what each of them says, instead of the first one.
    tois : callable, optional
        Knows TOIs that no header tells of.
    """
    allowed = {resolver.upper().replace("COORDINATES", "NONE") for resolver in resolvers}
    found = []
    for name in names:
        places = [_tic(reader, name), _toi(reader, name, tois), _catalogued(reader, name), _alias(reader, name)]
        known = [place for place in [*places, _position(name)] if place and (not allowed or place.resolver in allowed)]
        distinct = {place.resolver: place for place in reversed(known)}
        chosen = [place for place in known if distinct[place.resolver] is place]
        found += [_told(name, place) for place in (chosen if every else chosen[:1])]
    return found


def _told(name: str, place: _Place) -> dict[str, Any]:
    told = {
        # Clients recognise their question by this, in small letters.
        "searchString": name.lower(),
        "resolver": place.resolver,
        "cached": False,
        "resolverTime": 0,
        "searchRadius": _SEARCH_RADIUS,
        "canonicalName": place.name,
        "ra": place.ra,
        "decl": place.dec,
    }
    return {**told, "objectType": place.object_type} if place.object_type else told


def _tic(reader: Reader, name: str) -> _Place | None:
    match = _TIC.fullmatch(name)
    return _star(reader, int(match[1]), "TIC") if match else None


def _toi(reader: Reader, name: str, tois: TOIs | None) -> _Place | None:
    """Find the star of a TOI, or of one of its planets."""
    match = _TOI.fullmatch(name)
    if match is None:
        return None
    known = {row[0] for row in _named(reader, match[1])}
    if not known and tois is not None:
        known = {int(tic) for tic in tois(match[1])}
    return _star(reader, known.pop(), "EXO") if len(known) == 1 else None


def _catalogued(reader: Reader, name: str) -> _Place | None:
    for pattern, column in _IDS:
        match = pattern.fullmatch(name.strip())
        if match:
            rows = reader.select(f'SELECT ID FROM tic WHERE "{column}" = ? LIMIT 2', (match[1],))
            return _star(reader, rows[0][0], "TIC") if len(rows) == 1 else None
    return None


def _alias(reader: Reader, name: str) -> _Place | None:
    rows = _named(reader, name)
    # A name of two stars is a name of neither.
    return _star(reader, rows[0][0], "TIC") if len(rows) == 1 and not _TOI.fullmatch(name) else None


def _named(reader: Reader, name: str) -> list[tuple[Any, ...]]:
    return reader.select("SELECT DISTINCT tic FROM names WHERE key = ?", (name_key(name),))


def _star(reader: Reader, tic: int, resolver: str) -> _Place | None:
    rows = reader.select("SELECT ra, dec, objType FROM tic WHERE ID = ?", (tic,))
    return _Place(f"TIC {tic}", resolver, rows[0][0], rows[0][1], rows[0][2] or "") if rows else None


def _position(name: str) -> _Place | None:
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
    return _Place(name.strip(), "NONE", ra % 360, dec) if -90 <= dec <= 90 and abs(ra) < 1e6 else None
