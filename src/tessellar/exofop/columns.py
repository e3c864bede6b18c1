"""What the cells of ExoFOP's tables are: whole numbers, numbers with units, angles, text.

A unit is told by the column's own name where it has one in brackets, else by
the table here. A column that nobody has told of is what its cells look like.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from astropy.table import Column, MaskedColumn, Table

from tessellar.exofop.parsing import normalised

_log = logging.getLogger(__name__)

# What ExoFOP writes in brackets, and how astropy calls it.
_UNITS = {
    "days": "d", "hours": "h", "hrs": "h", "bjd": "d", "mas/yr": "mas / yr", "arcsec": "arcsec", "mmag": "mmag",
    "r_earth": "R_earth", "r earth": "R_earth", "r sun": "R_sun", "m earth": "M_earth", "m sun": "M_sun",
    "l sun": "L_sun", "k": "K", "pc": "pc", "m/s": "m / s", "km/s": "km / s", "au": "AU", "gyr": "Gyr", "deg": "deg",
    "deg e. of n.": "deg", "g/cm^3": "g / cm3", "g/cm3": "g / cm3", "cm/s^2": "dex(cm / s2)", "cm/s2": "dex(cm / s2)",
    "ppm": "1e-6",
}  # fmt: skip

_UNIT_OF = {
    "tess mag": "mag", "gaia mag": "mag", "pixel scale": "arcsec", "psf": "arcsec", "phot aperture rad": "pix",
    "obs duration": "min", "delta mag": "mag", "depth mmag": "mmag", "depth ppm": "1e-6", "arg of periastron": "deg",
    "log(g)": "dex(cm / s2)", "value": "mag", "pos angle e of n (deg)": "deg",
}  # fmt: skip

_WHOLE = frozenset({
    "tic id", "master", "sg1a", "sg1b", "sg2", "sg3", "sg4", "sg5", "time series observations",
    "spectroscopy observations", "imaging observations", "num obs", "file id", "id", "pipeline signal id",
})  # fmt: skip

_NUMBERS = frozenset({
    "toi", "ctoi", "promoted to toi", "esm", "tsm", "planet snr", "stellar metallicity", "impact param",
    "impact parameter b", "rad p/rad s", "a/rad s", "eccentricity", "snr", "logr'hk", "s-index", "h-alpha",
    "metallicity", "snr/resolution", "spectral resolution", "planet insolation (earth flux)",
    "insolation (earth flux)", *_UNIT_OF,
})  # fmt: skip

_TEXT = frozenset({
    "tic", "telescope", "instrument", "camera", "filter", "wavelength coverage", "snr wavelength", "transit coverage",
    "appropriate to prv", "obs date", "user", "group", "notes", "comments", "description", "contrast", "image type",
    "obs type", "sectors", "source", "detection", "planet name", "name", "previous ctoi", "gaia dr2", "table", "type",
    "tess disposition", "tfopwg disposition", "user disposition", "disposition", "band", "date", "file name",
    "fit quality", "date modified", "observation date (ut)", "date toi alerted (utc)", "date toi updated (utc)",
    "ctoi lastmod", "lastmod", "username", "groupname",
})  # fmt: skip

_ERROR = re.compile(r"\s*(?:\(error\)|\berr(?:or)?\b)", re.IGNORECASE)
_BRACKETS = re.compile(r"\(([^()]+)\)$")
_THOUSANDS = re.compile(r"([\d.]+)\s*k", re.IGNORECASE)
_HOUR = 15.0


def make_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, toi_is_text: bool = False) -> Table:
    """Build a table whose columns have types and units.

    Parameters
    ----------
    columns : sequence of str
        Names.
    rows : iterable of sequences
        Cells: text, numbers, or None; empty text means that there is no value.
    toi_is_text : bool
        The TOI is written as ``TOI 1130.02``, as in tables of observations, not as a number.

    Returns
    -------
    Table
        Numbers that are not there are masked, text that is not there is empty.

    Examples
    --------
    >>> from tessellar.exofop.columns import make_table
    >>> table = make_table(["TIC ID", "Period (days)"], [["25", ".5"], ["26", ""]])
    >>> table["Period (days)"].unit, table["Period (days)"].mask.tolist()
    (Unit("d"), [False, True])
    """
    cells = list(zip(*rows, strict=True)) or [() for _ in columns]
    table = Table()
    for name, values in zip(columns, cells, strict=True):
        table[name] = make_column(name, values, toi_is_text=toi_is_text)
    return table


def make_column(name: str, values: Sequence[object], *, toi_is_text: bool = False) -> Column:
    """Build one column; its name tells what it holds, and where that is unknown, its cells do."""
    plain = normalised(name)
    quantity = normalised(_ERROR.sub(" ", name))
    if plain in ("ra", "dec"):
        return _numbers(name, [_angle(value, _HOUR if plain == "ra" else 1.0) for value in values], "deg")
    if plain == "tag" or plain == "tag id":
        return _guessed(name, values, numbers=False)
    if plain in _TEXT or (plain == "toi" and toi_is_text):
        return _text(name, values)
    if plain in _WHOLE:
        return _whole(name, values)
    unit = unit_of(quantity)
    if quantity in _NUMBERS or unit is not None:
        return _numbers(name, values, unit)
    return _guessed(name, values)


def unit_of(quantity: str) -> str | None:
    """Return the unit of a quantity, by its normalised name; None if it has none."""
    if quantity in _UNIT_OF:
        return _UNIT_OF[quantity]
    match = _BRACKETS.search(quantity)
    return _UNITS.get(match[1].strip()) if match else None


def _text(name: str, values: Sequence[object]) -> Column:
    cells = [_word(value) for value in values]
    return Column(np.array(cells, dtype=str) if cells else np.array([], dtype="U1"), name=name)


def _numbers(name: str, values: Sequence[object], unit: str | None) -> Column:
    cells = _read_numbers(name, values)
    return _masked(name, cells, np.isnan(cells), unit)


def _whole(name: str, values: Sequence[object]) -> Column:
    cells = _read_numbers(name, values)
    missing = np.isnan(cells) | (cells != np.round(cells))
    # Ids have up to 10 digits, which a float holds exactly.
    return _masked(name, np.where(missing, 0, cells).astype(np.int64), missing, None)


def _guessed(name: str, values: Sequence[object], *, numbers: bool = True) -> Column:
    """Make a column of what its cells look like: whole numbers, numbers, or text that loses nothing."""
    given = [word for word in map(_word, values) if word]
    if given and all(re.fullmatch(r"-?\d{1,18}", word) for word in given):
        missing = np.array([not _word(value) for value in values], dtype=bool)
        whole = np.array([int(word) if (word := _word(value)) else 0 for value in values], dtype=np.int64)
        return _masked(name, whole, missing, None)
    if numbers and given and not any(math.isnan(_number(word)) or _THOUSANDS.fullmatch(word) for word in given):
        return _numbers(name, values, None)
    return _text(name, values)


def _masked(name: str, cells: Any, missing: Any, unit: str | None) -> Column:
    if missing.any():
        return MaskedColumn(cells, name=name, mask=missing, unit=unit)
    return Column(cells, name=name, unit=unit)


def _word(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.15g}"
    return value.strip() if isinstance(value, str) else str(value)


def _number(value: object) -> float:
    """Read a number as people write it: `.386`, `60k`; NaN for what is none."""
    if isinstance(value, bool) or value is None:
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        match = _THOUSANDS.fullmatch(str(value).strip())
        return 1000.0 * float(match[1]) if match else math.nan


def _angle(value: object, scale: float) -> object:
    """Turn ``21:14:56.88`` into degrees (`scale` 15 for hours); what is degrees already stays."""
    if not isinstance(value, str) or ":" not in value:
        return value
    parts = value.strip().split(":")
    try:
        numbers = [abs(float(part)) for part in parts]
    except ValueError:
        return value
    total = sum(number / 60.0**power for power, number in enumerate(numbers)) * scale
    return -total if parts[0].startswith("-") else total


def _read_numbers(name: str, values: Sequence[object]) -> Any:
    """Read cells as numbers, NaN where there is none; one that is something else is told of."""
    try:
        return np.array([math.nan if value is None or value == "" else float(value) for value in values])  # type: ignore[arg-type]
    except (TypeError, ValueError):
        cells = np.array([_number(value) for value in values], dtype=np.float64)
    unreadable = [word for index in np.flatnonzero(np.isnan(cells)).tolist() if (word := _word(values[index]))]
    if unreadable:
        _log.warning("%s: %d cells are no numbers, and are masked: %r", name, len(unreadable), unreadable[0])
    return cells
