"""Resolve: from what a user writes to a star of the TESS Input Catalog, and what an archive knows of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tessellar.access.opening import archive_of
from tessellar.archives import Archive, Criteria
from tessellar.errors import InputError, NoStarError, QueryError
from tessellar.progress import Listener, ignore
from tessellar.targets import TIC, TOI, parse_target

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

# A name's position and the TIC's agree to a fraction of an arcsec; a position that someone wrote down, to a few.
_NAME_RADIUS = 3.0
_POSITION_RADIUS = 10.0
# Of several stars, one is meant if the others are this much fainter, in magnitudes.
_CLEARLY_FAINTER = 3.0

_GAIA = re.compile(r"\s*gaia\s*(?:(?:e?dr)\s*(\d))?[\s_-]*(\d{6,20})\s*", re.IGNORECASE)
_SEXAGESIMAL = re.compile(
    r"\s*\d+[:\sh]\s*\d+[:\sm]\s*\d+(?:\.\d*)?\s*s?[\s,]+"
    r"[+-]?\d+[:\sd°]\s*\d+[:\sm']\s*\d+(?:\.\d*)?\s*[s\"]?\s*"
)
_OTHER_IDS = {"GAIA": "Gaia DR2", "TWOMASS": "2MASS", "HIP": "HIP"}


@dataclass(frozen=True)
class Candidate:
    """A star of the TESS Input Catalog that may be the one that is meant.

    Attributes
    ----------
    tic : TIC
        Its id.
    tmag : float or None
        TESS magnitude.
    separation : float
        From the position asked for, in arcsec.
    """

    tic: TIC
    tmag: float | None
    separation: float


@dataclass(frozen=True)
class Resolved:
    """A target with its place on the sky.

    Attributes
    ----------
    tic : TIC
        Its id.
    ra, dec : float
        ICRS, degrees, epoch 2000, as the TIC has them.
    tmag : float or None
        TESS magnitude.
    other_ids : dict of str to str
        Its names in other catalogues, as the TIC has them.
    sectors : tuple of int
        Sectors in which the archive holds a light curve or target pixel file of it.
    matched : str
        By what it was found: ``TIC id``, ``position``, ``SIMBAD: WASP-18`` ...
    separation : float
        How far the TIC's position is from the one that was matched, in arcsec; 0 for an id.
    neighbours : tuple of Candidate
        Other stars of the TIC in the circle that was searched, the nearest first.
    """

    tic: TIC
    ra: float
    dec: float
    tmag: float | None
    other_ids: dict[str, str]
    sectors: tuple[int, ...]
    matched: str = "TIC id"
    separation: float = 0.0
    neighbours: tuple[Candidate, ...] = field(default=())


@dataclass(frozen=True)
class _Match:
    """One row of the TIC, and how it was found."""

    row: Mapping[str, Any]
    matched: str
    separation: float = 0.0
    neighbours: tuple[Candidate, ...] = ()


def resolve(target: str | int | TIC, *, archive: str | Archive | None = None, listener: Listener = ignore) -> Resolved:
    """Find a star in the TESS Input Catalog, and the sectors in which it was observed.

    Parameters
    ----------
    target : str, int or TIC
        A TIC id; a name that MAST's name service knows (``WASP-18``, ``pi Men``,
        ``TOI-1130``); a Gaia DR2 id; or a position (ICRS): degrees as in
        ``"24.354311 -45.677887"``, or ``"01:37:25 -45:40:40"``, or ``"1h37m25s -45d40m40s"``.
    archive : str or Archive, optional
        ``"mast"``, the URL of a tessellar server, or an opened archive; by default the setting.
    listener : callable, optional
        Told of progress.

    Returns
    -------
    Resolved
        The star, with what was matched and how far it is.

    Raises
    ------
    NoStarError
        If no star of the catalogue is there.
    InputError
        If nothing of that name is known, or several stars could be meant: they are listed, none is guessed.
    ArchiveError
        If the archive cannot be reached.
    """
    opened = archive_of(archive)
    match = _match(target, opened)
    row = match.row
    tic = TIC(row["ID"])
    observations = opened.search(Criteria(target=tic), listener)
    sectors = {
        int(first)
        for first, last in zip(observations["sector_first"], observations["sector_last"], strict=True)
        if first == last and first
    }
    return Resolved(
        tic=tic,
        ra=float(row["ra"]),
        dec=float(row["dec"]),
        tmag=_number(row.get("Tmag")),
        other_ids={label: str(row[key]) for key, label in _OTHER_IDS.items() if row.get(key) not in (None, "", -999)},
        sectors=tuple(sorted(sectors)),
        matched=match.matched,
        separation=match.separation,
        neighbours=match.neighbours,
    )


def star_of(target: str | int | TIC, archive: Archive) -> TIC:
    """Return the TIC id of what a user wrote; the archive is only asked where it is no TIC id."""
    written = _as_id(target)
    return written if isinstance(written, TIC) else TIC(_match(target, archive).row["ID"])


def place_of(where: str | int | TIC | tuple[float, float] | SkyCoord, archive: Archive) -> tuple[float, float]:
    """Return the position (ICRS, degrees) that is meant: as written, or that of a star in the TIC (epoch 2000)."""
    if isinstance(where, tuple) or hasattr(where, "icrs"):
        return degrees_of(where)
    position = read_position(where) if isinstance(where, str) else None
    if position is not None:
        return position
    row = _match(where, archive).row
    return float(row["ra"]), float(row["dec"])


def _match(target: str | int | TIC, archive: Archive) -> _Match:
    written = _as_id(target)
    if isinstance(written, TIC):
        return _Match(archive.target_position(written), "TIC id")
    name = str(target).strip()
    gaia = _GAIA.fullmatch(name)
    if gaia is not None:
        return _by_gaia(name, gaia, archive)
    position = read_position(name)
    if position is not None:
        return _by_position(*position, _POSITION_RADIUS, "position", name, archive)
    places = archive.places(written.id.replace("TOI", "TOI-") if isinstance(written, TOI) else name)
    if not places:
        raise InputError(f"{archive.name} knows nothing called {name!r}: give a TIC id, or a position in degrees")
    best = places[0]
    if best.resolver == "TIC" and best.name.upper().startswith("TIC"):
        return _Match(archive.target_position(TIC(best.name)), f"TIC: {best.name}")
    return _by_position(best.ra, best.dec, _NAME_RADIUS, f"{best.resolver}: {best.name}", name, archive)


def _as_id(target: str | int | TIC) -> TIC | TOI | None:
    """Read an id; None for a text that has to be looked up."""
    text = target.strip().lower() if isinstance(target, str) else ""
    if text and not text.isdigit() and not re.match(r"(?:tic|toi)(?![a-z])", text):
        return None
    return parse_target(target)


def _by_gaia(name: str, gaia: re.Match[str], archive: Archive) -> _Match:
    if gaia[1] not in (None, "2"):
        raise InputError(f"{name!r}: the TIC holds Gaia ids of DR2; give that one, or a position")
    rows = archive.stars_named("GAIA", gaia[2])
    if not rows:
        raise InputError(f"no star of the TIC has the id Gaia DR2 {gaia[2]} in {archive.name}")
    return _Match(rows[0], f"Gaia DR2 {gaia[2]}")


def _by_position(ra: float, dec: float, radius: float, matched: str, asked: str, archive: Archive) -> _Match:
    rows = [row for row in archive.stars_near(ra, dec, radius / 3600) if _is_a_star(row)]
    found = [(row, _candidate(row)) for row in rows]
    if not found:
        raise NoStarError(f"{asked!r}: no star of the TIC within {radius:g} arcsec of {ra:.5f} {dec:+.5f}")
    index = _the_one(_magnitudes([each for _, each in found]))
    if index is None:
        listed = ", ".join(f"{each.tic} (T {_shown(each.tmag)}, {each.separation:.1f} arcsec)" for _, each in found)
        raise InputError(f"{asked!r} can be any of {listed}: give the TIC id of the one that is meant")
    row, chosen = found[index]
    others = tuple(each for _, each in found if each is not chosen)
    return _Match(row, matched, chosen.separation, others)


def _the_one(magnitudes: Sequence[float]) -> int | None:
    """Return the index of the star that outshines all others clearly, None if there is none."""
    order = sorted(range(len(magnitudes)), key=magnitudes.__getitem__)
    if len(order) > 1 and magnitudes[order[1]] - magnitudes[order[0]] < _CLEARLY_FAINTER:
        return None
    return order[0]


def _magnitudes(candidates: Sequence[Candidate]) -> list[float]:
    return [math.inf if each.tmag is None else each.tmag for each in candidates] if len(candidates) > 1 else [0.0]


def _is_a_star(row: Mapping[str, Any]) -> bool:
    """Drop what the TIC itself marks as no star of its own."""
    return str(row.get("disposition") or "").upper() not in ("DUPLICATE", "ARTIFACT")


def _candidate(row: Mapping[str, Any]) -> Candidate:
    return Candidate(TIC(row["ID"]), _number(row.get("Tmag")), float(row.get("dstArcSec") or 0.0))


def _number(value: Any) -> float | None:
    return None if value is None or float(value) == -999.0 else float(value)


def _shown(tmag: float | None) -> str:
    return "unknown" if tmag is None else f"{tmag:.1f}"


def read_position(text: str) -> tuple[float, float] | None:
    """Read a position as people write it; None if it is none.

    Two plain numbers are degrees. Colons or blanks between parts, and the
    letters h, m, s, mean hours of right ascension.

    Returns
    -------
    ra, dec : float
        Degrees (ICRS).

    Raises
    ------
    InputError
        If it is written as a position, but not on the sky.

    Examples
    --------
    >>> from tessellar.access.resolving import read_position
    >>> read_position("24.5, -45.25")
    (24.5, -45.25)
    >>> ra, dec = read_position("01:38:00 -45:15:00")
    >>> round(ra, 6), round(dec, 6)
    (24.5, -45.25)
    >>> read_position("WASP-18") is None
    True
    """
    plain = re.fullmatch(r"\s*([+-]?\d+(?:\.\d*)?)[\s,]+([+-]?\d+(?:\.\d*)?)\s*", text)
    sexagesimal = _SEXAGESIMAL.fullmatch(text)
    if plain is not None:
        ra, dec = float(plain[1]), float(plain[2])
        if not (0 <= ra < 360 and -90 <= dec <= 90):
            raise _off_the_sky(text)
        return ra, dec
    if sexagesimal is None:
        return None
    from astropy import units
    from astropy.coordinates import SkyCoord

    try:
        place = SkyCoord(text.replace(",", " "), unit=(units.hourangle, units.deg))
    except ValueError as error:
        raise InputError(f"{text!r} is not on the sky: {error}") from error
    return float(place.ra.deg), float(place.dec.deg)


def _off_the_sky(written: str) -> InputError:
    return InputError(f"{written!r} is not on the sky: right ascension from 0 to 360 degrees, declination -90 to 90")


def degrees_of(position: str | tuple[float, float] | SkyCoord) -> tuple[float, float]:
    """Return right ascension and declination (degrees, ICRS) of a position, in whichever form it is given.

    Raises
    ------
    QueryError
        If a text is no position.
    InputError
        If it is not on the sky.
    """
    if isinstance(position, str):
        read = read_position(position)
        if read is None:
            raise QueryError(f"position {position!r} cannot be read: write degrees, as in '24.35 -45.68'")
        return read
    if isinstance(position, tuple):
        ra, dec = (float(value) for value in position)
        if not (0 <= ra < 360 and -90 <= dec <= 90):
            raise _off_the_sky(f"{ra:g} {dec:g}")
        return ra, dec
    place = position.icrs
    if place.shape:
        raise InputError(f"{place.size} positions are given where one is meant: ask for one after the other")
    return degrees_of((float(place.ra.deg), float(place.dec.deg)))
