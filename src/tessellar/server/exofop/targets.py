"""Which stars a question means: by TIC id, TOI, the name of a star or of a planet."""

from __future__ import annotations

import re

from tessellar.server.exofop.folder import DataFolder

_TIC = re.compile(r"\s*(?:tic[\s_-]*)?0*([1-9]\d{0,9})\s*", re.IGNORECASE | re.ASCII)
_TOI = re.compile(r"\s*toi[\s_-]*0*(\d{1,6})(?:\.(\d{1,2}))?\s*", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"\s*0*(\d{1,6})(?:\.(\d{1,2}))?\s*", re.ASCII)
_PLANET = re.compile(r"(.*\d)[b-i]", re.IGNORECASE)

# Where names of stars and planets stand: table, and columns.
_NAMES = (
    ("targets", ("Star Names", "Confirmed Planets")),
    ("tois", ("Planet Name",)),
    ("planet_parameters", ("Name",)),
)
# Tables whose rows make a star known.
_KNOWING = (
    "targets", "tois", "ctois", "time_series", "spectroscopy", "imaging", "stellar_parameters", "planet_parameters",
)  # fmt: skip


def is_known(data: DataFolder, tic: str) -> bool:
    """Whether anything is here of a star."""
    return any(data.table(name).where("TIC ID", tic) for name in _KNOWING) or bool(data.target_page(tic))


def tics_of(data: DataFolder, target: str) -> list[str]:
    """The TIC ids that a target means; none if it is not known.

    Parameters
    ----------
    data : DataFolder
        What is known.
    target : str
        ``254113311``, ``TIC 254113311``, ``TOI1130``, ``TOI1130.01``, or a name.
    """
    if match := _TIC.fullmatch(target):
        return [match[1]] if is_known(data, match[1]) else []
    if match := _TOI.fullmatch(target):
        return tics_of_toi(data, match[1], match[2])
    return _named(data, target)


def toi_rows(data: DataFolder, number: str, planet: str | None = None) -> list[tuple[str, ...]]:
    """The rows of a TOI: all its planets, or the one that is named."""
    tois = data.table("tois")
    wanted = int(number)
    found = []
    for row in tois.rows:
        match = _NUMBER.fullmatch(tois.cell(row, "TOI"))
        if match and int(match[1]) == wanted and planet in (None, (match[2] or "").ljust(2, "0")):
            found.append(row)
    return found


def tics_of_toi(data: DataFolder, number: str, planet: str | None = None) -> list[str]:
    """The TIC ids of a TOI."""
    tois = data.table("tois")
    return list(dict.fromkeys(tois.cell(row, "TIC ID") for row in toi_rows(data, number, planet)))


def _named(data: DataFolder, name: str) -> list[str]:
    wanted = _key(name)
    found: dict[str, None] = {}
    for table_name, columns in _NAMES:
        table = data.table(table_name)
        for row in table.rows:
            for names in (table.cell(row, column) for column in columns):
                if names and wanted in _keys(names):
                    found[table.cell(row, "TIC ID")] = None
    return list(found)


def _keys(names: str) -> set[str]:
    """A list of names, each with and without the letter of a planet, as they are compared."""
    keys = {_key(name) for name in names.split(",")}
    return keys | {match[1] for key in keys if (match := _PLANET.fullmatch(key))}


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).lower()
