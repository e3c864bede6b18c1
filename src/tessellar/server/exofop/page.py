"""What ``target.php?json`` says of a star, and ``tois.json`` of all TOIs, made of the folder's tables."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tessellar.products.exofopfolder import TextTable
from tessellar.products.exofopkeys import MOTIONS, NAMES, PAGE_KEYS, PAGE_UNITS, TOI_KEYS, TOI_TEXT
from tessellar.products.exofoptables import PROPRIETARY
from tessellar.products.exofopusers import Account
from tessellar.server.exofop.folder import DataFolder, may_see

Row = tuple[str, ...]


# Where the values of a `Table` come from: key and title of the line before them.
_PROVENANCE = {
    "TIC": ("tic", "TESS Input Catalog"),
    "TOI": ("toi", "TESS Project"),
    "Exoplanet Archive": ("nexsci", "NASA Exoplanet Archive"),
    "Kepler": ("kepler", "ExoFOP-Kepler"),
    "K2": ("k2", "ExoFOP-K2"),
}
_SEXAGESIMAL = re.compile(r"([+-]?)(\d+):(\d+):(\d+(?:\.\d*)?)", re.ASCII)


def tois_json(data: DataFolder, who: Account | None) -> str:
    """Write ``json/tois.json``: one object a row, numbers as numbers, positions in degrees."""
    table = data.table("tois")
    return _dumped([_toi(table, row) for row in table.rows if may_see(table, row, who)])


def target_json(data: DataFolder, tic: str, who: Account | None) -> str:
    """Write all that is known of a star."""
    kept = data.target_page(tic)
    page = {**_page(data, tic, who), **kept}
    for name, rows in kept.items():
        if isinstance(rows, list):
            page[name] = [_sent(row) for row in rows if not isinstance(row, dict) or _may_see_kept(row, who)]
    return _dumped(page)


def _page(data: DataFolder, tic: str, who: Account | None) -> dict[str, Any]:
    def seen(name: str, column: str = "TIC ID") -> tuple[TextTable, list[Row]]:
        table = data.table(name)
        return table, [row for row in table.where(column, tic) if may_see(table, row, who)]

    tois, toi_rows = seen("tois")
    ctois, ctoi_rows = seen("ctois")
    own = {name: name for name in ctois.columns if name != PROPRIETARY}
    page: dict[str, Any] = {
        "basic_info": _basic_info(data, tic),
        "coordinates": _coordinates(data, tic),
        "tois": [_toi(tois, row) for row in toi_rows],
        "ctois": [_named(ctois, row, own) for row in ctoi_rows],
    }
    for name, keys in PAGE_KEYS.items():
        table, rows = seen(name, "TIC" if name == "files" else "TIC ID")
        if name in PAGE_UNITS:
            page[f"{name.removesuffix('_parameters')}_units"] = dict(PAGE_UNITS[name])
        if name.endswith("_parameters"):
            page[name] = _with_provenance(table, rows, keys, name.replace("_", " ").title())
        else:
            page[name] = [_named(table, row, keys) for row in rows]
    return page


def _basic_info(data: DataFolder, tic: str) -> dict[str, Any]:
    targets = data.table("targets")
    row = next(iter(targets.where("TIC ID", tic)), None)
    info = {key: targets.cell(row, name) if row else "" for key, name in NAMES.items()}
    return {"tic_id": tic, **info, "star_names": info["star_names"] or f"TIC {tic}"}


def _coordinates(data: DataFolder, tic: str) -> dict[str, Any]:
    for name in ("targets", "tois", "ctois"):
        table = data.table(name)
        for row in table.where("TIC ID", tic):
            ra, dec = _degrees(table.cell(row, "RA"), 15), _degrees(table.cell(row, "Dec"), 1)
            if ra is not None and dec is not None:
                motions = {key: table.cell(row, column) for key, column in MOTIONS.items()}
                return {"ra": str(ra), "dec": str(dec), **_other_frames(ra, dec), **motions}
    return {}


def _other_frames(ra: float, dec: float) -> dict[str, str]:
    from astropy.coordinates import SkyCoord

    place = SkyCoord(ra, dec, unit="deg")
    ecliptic = place.barycentrictrueecliptic
    return {
        "galactic_long": f"{place.galactic.l.deg:.5f}",
        "galactic_lat": f"{place.galactic.b.deg:.5f}",
        "ecliptic_long": f"{ecliptic.lon.deg:.5f}",
        "ecliptic_lat": f"{ecliptic.lat.deg:.5f}",
    }


def _with_provenance(table: TextTable, rows: Sequence[Row], keys: Mapping[str, str], what: str) -> list[dict[str, Any]]:
    """Rows in groups of where they come from, with a line before each group that says so."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(table.cell(row, "Table"), []).append(row)
    found: list[dict[str, Any]] = []
    for source, members in groups.items():
        prov, title = _PROVENANCE.get(source, ("user", "User"))
        found.append({"prov": prov, "prov_title": f"{title} {what}", "prov_num": str(len(members))})
        found += [_named(table, row, keys) for row in members]
    return found


def _named(table: TextTable, row: Row, keys: Mapping[str, str]) -> dict[str, Any]:
    return {key: table.cell(row, name) if name else "" for key, name in keys.items()}


def _toi(table: TextTable, row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, name in TOI_KEYS.items():
        text = table.cell(row, name) if name else ""
        found[key] = text if key in TOI_TEXT else _number(text)
    found["ra"], found["dec"] = _degrees(table.cell(row, "RA"), 15), _degrees(table.cell(row, "Dec"), 1)
    return found


def _number(text: str) -> int | float | str | None:
    """A number where it is one: ExoFOP writes none for what it does not know."""
    text = text.strip()
    if not text:
        return None
    try:
        value = int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else None


def _degrees(text: str, per_unit: int) -> float | None:
    """An angle in degrees, from sexagesimal notation or from degrees."""
    match = _SEXAGESIMAL.fullmatch(text.strip())
    try:
        value = (int(match[2]) + int(match[3]) / 60 + float(match[4]) / 3600) * per_unit if match else float(text)
    except ValueError:
        return None
    return round(-value if match and match[1] == "-" else value, 6 if match else 12)


def _may_see_kept(row: Mapping[str, Any], who: Account | None) -> bool:
    """Whether somebody may see a row that is kept as JSON; its user and group have keys that end so."""
    ends = {key: str(value) for key, value in row.items()}
    columns = (PROPRIETARY, "User", "Group")
    values = (
        ends.get(PROPRIETARY, ""),
        next((value for key, value in ends.items() if key.endswith("user")), ""),
        next((value for key, value in ends.items() if key.endswith("group")), ""),
    )
    return may_see(TextTable(columns), values, who)


def _sent(row: Any) -> Any:
    return {key: value for key, value in row.items() if key != PROPRIETARY} if isinstance(row, dict) else row


def _dumped(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"), allow_nan=False)
