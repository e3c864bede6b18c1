"""All that ExoFOP has of one star in one answer: the JSON of ``target.php``, read into tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from astropy.table import Table

from tessellar.errors import UnexpectedReply
from tessellar.exofop.asking import read_json
from tessellar.exofop.columns import make_table
from tessellar.exofop.parsing import plain
from tessellar.products.exofopkeys import PAGE_KEYS
from tessellar.products.exofoptables import COLUMNS

#: The tables that the page of a target has.
ON_PAGE = frozenset(PAGE_KEYS)

# Whose row it is stands under the same words in all tables, after a letter or two of the table's own.
_OWNER = re.compile(r"[a-z]{0,2}(user|group|tag|notes|date)$")
_OWNERS = {"user": "User", "group": "Group", "tag": "Tag", "notes": "Notes", "date": "Date"}
_SOURCES = {"tic": "TIC", "toi": "TOI", "k2": "K2", "kepler": "Kepler", "nexsci": "Exoplanet Archive"}
# What somebody has uploaded is called after the table.
_UPLOADED = {"stellar_parameters": "Stellar", "planet_parameters": "Planet"}
_FREE_TEXT = frozenset({"Notes", "Description"})


class TargetPage:
    """What ``target.php?json`` says of one star.

    Parameters
    ----------
    text : str
        The answer.
    where : str
        Its URL, for messages.

    Raises
    ------
    UnexpectedReply
        If it is not the page of a target.
    """

    def __init__(self, text: str, where: str) -> None:
        page = read_json(text, where)
        if not isinstance(page, dict) or "basic_info" not in page:
            raise UnexpectedReply(f"{where}: JSON, but not the page of a target")
        self._page: dict[str, Any] = page
        self._where = where

    @property
    def tic(self) -> str:
        """The TIC id of the star."""
        return str((self._page.get("basic_info") or {}).get("tic_id") or "")

    @property
    def names(self) -> list[str]:
        """What the star is called."""
        told = str((self._page.get("basic_info") or {}).get("star_names") or "")
        return [name.strip() for name in told.split(",") if name.strip()]

    @property
    def coordinates(self) -> dict[str, float]:
        """Right ascension, declination (degrees, ICRS), galactic and ecliptic place, proper motion (mas/yr)."""
        found = {}
        for key, value in (self._page.get("coordinates") or {}).items():
            try:
                found[str(key)] = float(value)
            except (TypeError, ValueError):
                continue
        return found

    def has(self, name: str) -> bool:
        """Whether the page has a table, and all that its download page would have: tags, where it has rows."""
        rows = self._page.get(name)
        if name not in ON_PAGE or not isinstance(rows, list):
            return False
        data = [row for row in rows if isinstance(row, dict) and "prov" not in row]
        return "Tag" not in COLUMNS[name] or all("Tag" in {_column(name, key) for key in row} for row in data)

    def table(self, name: str) -> Table:
        """Return one of the tables of `ON_PAGE`, with the columns of its download page."""
        rows = self._page.get(name) or []
        if not isinstance(rows, Sequence) or not all(isinstance(row, dict) for row in rows):
            raise UnexpectedReply(f"{self._where}: its {name} are no rows")
        found: list[dict[str, Any]] = []
        source = ""
        for row in rows:
            if "prov" in row:
                prov = str(row["prov"]).lower()
                source = (
                    _UPLOADED.get(name, "")
                    if prov == "user"
                    else _SOURCES.get(prov, str(row.get("prov_title") or prov))
                )
                continue
            cells = {_column(name, key): value for key, value in row.items()}
            for column in _FREE_TEXT & set(cells):
                cells[column] = plain(str(cells[column] or ""))
            cells.setdefault("Table", source)
            found.append({("TIC" if name == "files" else "TIC ID"): self.tic, **cells})
        columns = list(COLUMNS[name])
        columns += [key for row in found for key in row if key not in columns and key != "Table"]
        columns = list(dict.fromkeys(column for column in columns if column))
        return make_table(columns, [[row.get(column) for column in columns] for row in found], toi_is_text=True)


def _column(name: str, key: str) -> str:
    known = PAGE_KEYS[name].get(key)
    if known is not None:
        return known
    match = _OWNER.fullmatch(key)
    return _OWNERS[match[1]] if match else key
