"""What the portal is asked: the JSON of a request, and its filters as SQL over known columns."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tessellar.errors import QueryError
from tessellar.server.columns import Column

_MOST_ROWS = 1_000_000
_COUNT = ("count_big(*)", "count(*)")
_EVERYTHING = ("", "*", "c.*")

Sql = tuple[str, list[Any]]


@dataclass(frozen=True)
class Question:
    """One request to the portal.

    Attributes
    ----------
    service : str
        As the client wrote it.
    params : mapping
        What the service takes.
    format : str
        ``json``, ``csv``, ``votable`` or ``extjs``.
    page, page_size : int
        Which rows are wanted; `page` counts from 1.
    """

    service: str
    params: Mapping[str, Any]
    format: str
    page: int
    page_size: int

    @property
    def rows_before(self) -> int:
        """Rows on the pages before this one."""
        return (self.page - 1) * self.page_size


def parse_question(text: str) -> Question:
    """Read the JSON of a request.

    Raises
    ------
    QueryError
        If it is none, or lacks the service.
    """
    try:
        request = json.loads(text)
    except ValueError as error:
        raise QueryError(f"the request is not JSON: {error}") from error
    if not isinstance(request, dict) or not isinstance(request.get("service"), str):
        raise QueryError('the request names no service: send {"service": ..., "params": ...}')
    params = request.get("params") or {}
    if not isinstance(params, dict):
        raise QueryError("params is not an object")
    return Question(
        service=request["service"],
        params=params,
        format=str(request.get("format") or "json").lower(),
        page=_count(request, "page", 1),
        page_size=_count(request, "pagesize", _MOST_ROWS),
    )


def chosen_columns(wanted: Any, known: Mapping[str, Column]) -> list[Column] | None:
    """Return the columns that are asked for; None where their number is (``COUNT_BIG(*)``).

    Raises
    ------
    QueryError
        If there is no such column.
    """
    text = ",".join(map(str, wanted)) if isinstance(wanted, list) else str(wanted or "")
    if text.replace(" ", "").lower() in _COUNT:
        return None
    if text.strip() in _EVERYTHING:
        return list(known.values())
    names = [name.strip() for name in text.split(",") if name.strip()]
    return list({column.name: column for column in (_column(name, known) for name in names)}.values())


def where(filters: Any, known: Mapping[str, Column]) -> Sql:
    """Turn a list of filters into an SQL condition: all filters, any value of each.

    Parameters
    ----------
    filters : list of dict
        ``paramName``, ``values`` (values, or ranges ``{min, max}``; one range may
        stand alone), ``separator``, ``freeText`` (``%`` stands for anything). A
        filter without any value asks nothing. Text is compared without regard
        to case, ranges are closed.
    known : mapping
        The columns that may be named.

    Raises
    ------
    QueryError
        If a filter is malformed or names an unknown column.

    Examples
    --------
    >>> from tessellar.server.columns import OBSERVATION
    >>> where([{"paramName": "sequence_number", "values": ["1", "2"]}], OBSERVATION)
    ('("sequence_number" IN (SELECT value FROM json_each(?)))', ['[1.0, 2.0]'])
    """
    if not isinstance(filters, list | tuple):
        raise QueryError("filters is not a list")
    conditions: list[str] = []
    values: list[Any] = []
    for entry in filters:
        if not isinstance(entry, dict) or not isinstance(entry.get("paramName"), str):
            raise QueryError(f"a filter needs a paramName: {_short(entry)}")
        column = _column(entry["paramName"], known)
        condition, found = _any_of(column, entry)
        if condition:
            conditions.append(f"({condition})")
            values += found
    return " AND ".join(conditions), values


def cone_of(params: Mapping[str, Any]) -> tuple[float, float, float]:
    """Return the centre and radius (degrees) of a cone, from ``position`` or from ``ra``, ``dec`` and ``radius``.

    Raises
    ------
    QueryError
        If they are missing or impossible.
    """
    position = params.get("position")
    if position is not None:
        parts: Sequence[Any] = str(position).replace(",", " ").split()
        if len(parts) != 3:
            raise QueryError(f"position {position!r} is not 'ra, dec, radius'")
    else:
        parts = [params.get("ra"), params.get("dec"), params.get("radius", 0.2)]
    ra, dec, radius = (_number(part, "ra, dec and radius") for part in parts)
    if not -90 <= dec <= 90 or not 0 <= radius <= 180:
        raise QueryError(f"there is no cone around ra {ra}, dec {dec} with radius {radius} degrees")
    return ra % 360, dec, radius


def row_numbers(value: Any, name: str = "obsid") -> list[int]:
    """Return the whole numbers of ``"1,2"``, a number, or a list of them.

    Raises
    ------
    QueryError
        If there is anything else among them.
    """
    parts = value if isinstance(value, list) else str(value if value is not None else "").split(",")
    words = [str(part).strip() for part in parts if str(part).strip()]
    wrong = next((word for word in words if not word.isdecimal() or len(word) > 18), None)
    if wrong is not None:
        hint = ": ask with obsid, not obs_id" if name == "obsid" else ""
        raise QueryError(f"{name} {_short(wrong)} is not a whole number{hint}")
    return [int(word) for word in words]


def _any_of(column: Column, entry: Mapping[str, Any]) -> Sql:
    given = entry.get("values")
    items = [] if given is None else given if isinstance(given, list) else [given]
    ranges = [item for item in items if isinstance(item, dict)]
    single = [item for item in items if not isinstance(item, dict)]
    conditions: list[str] = []
    values: list[Any] = []
    for item in ranges:
        condition, found = _range(column, item)
        conditions.append(condition)
        values += found
    if single:
        separator = entry.get("separator") if column.kind == "text" else None
        condition, found = _several(column, single, separator) if separator else _equal(column, single)
        conditions.append(condition)
        values += found
    free_text = entry.get("freeText")
    if free_text:
        conditions.append(f"""CAST("{column.name}" AS TEXT) LIKE ? ESCAPE '\\'""")
        values.append(_pattern(str(free_text)))
    return " OR ".join(conditions), values


def _range(column: Column, item: Mapping[str, Any]) -> Sql:
    if column.kind == "text":
        raise QueryError(f"{column.name} holds text: it has no range")
    bounds = [(sign, item.get(key)) for key, sign in (("min", ">="), ("max", "<="))]
    given = [(sign, _number(bound, column.name)) for sign, bound in bounds if bound is not None]
    if not given:
        return "1", []
    return " AND ".join(f'"{column.name}" {sign} ?' for sign, _ in given), [bound for _, bound in given]


def _equal(column: Column, items: Sequence[Any]) -> Sql:
    # One JSON list instead of one variable each: a client may ask for thousands of stars.
    found = json.dumps([_value(column, item) for item in items])
    return f'"{column.name}" IN (SELECT value FROM json_each(?))', [found]


def _several(column: Column, items: Sequence[Any], separator: Any) -> Sql:
    """A cell with several values, as ``OPTICAL;UV``, has each of them."""
    mark = str(separator)
    alone, values = _equal(column, items)
    cell = f"""? || replace(lower("{column.name}"), ? || ' ', ?) || ?"""
    # Most cells have only one value, and those are looked up at once.
    among = f"""instr("{column.name}", ?) > 0 AND EXISTS (SELECT 1 FROM json_each(?) WHERE instr({cell}, value) > 0)"""
    wanted = json.dumps([f"{mark}{str(item).strip().lower()}{mark}" for item in items])
    return f"{alone} OR {among}", [*values, mark, wanted, *[mark] * 4]


def _value(column: Column, item: Any) -> Any:
    if column.kind == "text":
        return str(item)
    if column.kind == "flag":
        return 1 if str(item).strip().lower() in ("1", "true", "t") else 0
    if column.kind == "id":
        return next(iter(row_numbers([item], column.name)), None)
    return _number(item, column.name)


def _pattern(free_text: str) -> str:
    # In the portal only % (and, as people write it, *) stands for anything; _ is itself.
    return free_text.replace("\\", "\\\\").replace("_", "\\_").replace("*", "%")


def _column(name: str, known: Mapping[str, Column]) -> Column:
    column = known.get(name) or next((c for key, c in known.items() if key.lower() == name.lower()), None)
    if column is None:
        raise QueryError(f"there is no column {_short(name)}; there are {', '.join(known)}")
    return column


def _number(item: Any, what: str) -> float:
    try:
        number = float(item) if not isinstance(item, bool) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise QueryError(f"{what} needs a number, not {_short(item)}")
    return number


def _count(request: Mapping[str, Any], key: str, default: int) -> int:
    value = request.get(key)
    if value is None:
        return default
    number = _number(value, key)
    if not number.is_integer() or not 1 <= number <= 1e9:
        raise QueryError(f"{key} {value!r} is not a whole number from 1")
    return int(number)


def _short(item: Any) -> str:
    text = repr(item)
    return text if len(text) <= 60 else f"{text[:57]}..."
