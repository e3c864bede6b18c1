"""The services of the portal: what each answers, from the index."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from types import MappingProxyType
from typing import Any

from tessellar.errors import QueryError
from tessellar.server.answers import Answer, Document
from tessellar.server.columns import DISTANCE, OBSERVATION, PRODUCT, STAR, STAR_DISTANCE, Column
from tessellar.server.database import Reader
from tessellar.server.names import TOIs, resolve
from tessellar.server.questions import Question, chosen_columns, cone_of, row_numbers, where
from tessellar.server.sphere import near

_COUNT = Column("Column1", "text")
_LOOKUP = "mast.name.lookup"
_FEW = 1000  # rows


def answer(reader: Reader, question: Question, tois: TOIs | None = None) -> Answer | Document:
    """Answer a question; the rows are read from the index as they are taken.

    Parameters
    ----------
    reader : Reader
        Of the index.
    question : Question
        What is asked.
    tois : callable, optional
        Knows TOIs that no header tells of.

    Raises
    ------
    QueryError
        If the service is not known, or cannot answer this.
    """
    if question.service.lower() == _LOOKUP:
        return _lookup(reader, question, tois)
    service = SERVICES.get(question.service.lower())
    if service is None:
        known = ", ".join(sorted([*SERVICES, _LOOKUP]))
        raise QueryError(f"there is no service {question.service[:60]!r} here; there are {known}")
    return service(reader, question)


@dataclass(frozen=True)
class _Table:
    """What is asked: a table or view, its columns, and, where it lies on the sky, which rows a cone has."""

    name: str
    columns: Mapping[str, Column]
    condition: str = ""
    sky: str = ""
    place: tuple[str, str] = ("", "")
    exact: str = ""
    distance: Column | None = None


_OBSERVATIONS = _Table(
    "observations", OBSERVATION, "", "observations", ("s_ra", "s_dec"), "touches(s_region, ?, ?, ?)", DISTANCE
)
_STARS = _Table("tic", STAR, "", "stars", ("ra", "dec"), "separation(ra, dec, ?, ?) <= ?", STAR_DISTANCE)
# The Candidate Target List is the stars that have a priority.
_CANDIDATES = replace(_STARS, condition="priority IS NOT NULL")


def _filtered(table: _Table, reader: Reader, question: Question) -> Answer:
    condition, values = where(question.params.get("filters") or [], table.columns)
    conditions = [part for part in (table.condition, condition) if part]
    return _select(reader, question, table, conditions, values)


def _positioned(table: _Table, reader: Reader, question: Question) -> Answer:
    """What a cone touches, nearest first."""
    ra, dec, radius = cone_of(question.params)
    box, edges = near(table.sky, ra, dec, radius)
    condition, values = where(question.params.get("filters") or [], table.columns)
    conditions = [part for part in (box, table.condition, condition, table.exact) if part]
    return _select(reader, question, table, conditions, [*edges, *values, ra, dec, radius], (ra, dec))


def _products(reader: Reader, question: Question) -> Answer:
    numbers = row_numbers(question.params.get("obsid"))
    if not numbers:
        raise QueryError("obsid is missing: give the row numbers of observations, separated by commas")
    asked = json.dumps(numbers)
    tail = "observation IN (SELECT row FROM observations WHERE obsid IN (SELECT value FROM json_each(?)))"
    ((total,),) = reader.select(f"SELECT count(*) FROM artifacts WHERE {tail}", [asked])
    rows = reader.rows(
        f"SELECT {_quoted(PRODUCT.values())} FROM products WHERE {tail} ORDER BY observation, place LIMIT ? OFFSET ?",
        [asked, question.page_size, question.rows_before],
    )
    return Answer(list(PRODUCT.values()), rows, total)


def _all_observations(reader: Reader, question: Question) -> Document:
    """The collections with their counts, in the shape that the portal's start page reads."""
    counts = dict(reader.known("SELECT obs_collection, count(*) FROM observations GROUP BY obs_collection"))
    histogram = {**counts, "hist": [{"key": key, "count": count} for key, count in counts.items()]}
    facet = {"text": "obs_collection", "dataIndex": "obs_collection", "ExtendedProperties": {"histObj": histogram}}
    return Document({"status": "COMPLETE", "msg": "", "data": {"Tables": [{"Columns": [facet], "Rows": []}]}})


def _all_stars(reader: Reader, question: Question) -> Document:
    """The ranges of the catalogue's numbers, by which clients know which columns are numbers."""
    numbers = [column.name for column in STAR.values() if column.kind == "real"]
    wanted = ", ".join(f'min("{name}"), max("{name}")' for name in numbers)
    ((*bounds,),) = reader.known(f"SELECT {wanted} FROM tic")
    ranges = {
        name: {"min": bounds[2 * i], "max": bounds[2 * i + 1], "type": "numeric"} for i, name in enumerate(numbers)
    }
    properties = {"discreteHistogram": {}, "continuousHistogram": ranges}
    table = {"Columns": [], "Rows": [], "ExtendedProperties": properties}
    return Document({"status": "COMPLETE", "msg": "", "data": {"Tables": [table]}})


def _lookup(reader: Reader, question: Question, tois: TOIs | None) -> Document:
    name = question.params.get("input")
    if not isinstance(name, str) or not name.strip():
        raise QueryError("input is missing: give the name to look up")
    return Document({"resolvedCoordinate": resolve(reader, [name], tois=tois), "status": ""})


Service = Callable[[Reader, Question], Answer | Document]


def _catalogue(name: str, table: _Table) -> dict[str, Service]:
    """The services of a catalogue; those that end in ``.rows`` differ from the others only inside MAST."""
    filtered, positioned = partial(_filtered, table), partial(_positioned, table)
    return {
        f"mast.catalogs.{name}.cone": positioned,
        f"mast.catalogs.filtered.{name}": filtered,
        f"mast.catalogs.filtered.{name}.rows": filtered,
        f"mast.catalogs.filtered.{name}.position": positioned,
        f"mast.catalogs.filtered.{name}.position.rows": positioned,
        f"mast.catalogs.all.{name}": _all_stars,
    }


SERVICES: Mapping[str, Service] = MappingProxyType(
    {
        "mast.caom.filtered": partial(_filtered, _OBSERVATIONS),
        "mast.caom.filtered.position": partial(_positioned, _OBSERVATIONS),
        "mast.caom.cone": partial(_positioned, _OBSERVATIONS),
        "mast.caom.products": _products,
        "mast.caom.all": _all_observations,
        **_catalogue("tic", _STARS),
        **_catalogue("ctl", _CANDIDATES),
    }
)


def _select(
    reader: Reader,
    question: Question,
    table: _Table,
    conditions: Sequence[str],
    values: Sequence[Any],
    centre: tuple[float, float] | None = None,
) -> Answer:
    """Ask one table; from a `centre`, with the distance to it."""
    distance = table.distance if centre is not None else None
    known = {**table.columns, distance.name: distance} if distance else table.columns
    columns = chosen_columns(question.params.get("columns"), known)
    tail = f"FROM {table.name} WHERE {' AND '.join(f'({part})' for part in conditions) or '1'}"
    if columns is None:
        ((count,),) = reader.known(f"SELECT count(*) {tail}", values)
        return Answer([_COUNT], iter([(count,)]), 1)
    # The key is the order in which rows were found: it lasts, and nothing has to be sorted by it.
    order, first = "row", []
    if distance is not None and centre is not None:
        tail = f'FROM (SELECT *, separation({", ".join(table.place)}, ?, ?) * 3600 AS "{distance.name}" {tail})'
        order, first = f'"{distance.name}", row', list(centre)
    wanted = f"SELECT {_quoted(columns)} {tail} ORDER BY {order} LIMIT ? OFFSET ?"
    rows = reader.rows(wanted, [*first, *values, question.page_size, question.rows_before])
    # A short answer need not be counted; clients that read a long one page by page ask for its length each time.
    few = list(islice(rows, _FEW))
    if len(few) < min(_FEW, question.page_size) and (few or question.page == 1):
        return Answer(columns, iter(few), question.rows_before + len(few))
    ((total,),) = reader.known(f"SELECT count(*) {tail}", [*first, *values])
    return Answer(columns, chain(few, rows), int(total))


def _quoted(columns: Iterable[Column]) -> str:
    return ", ".join(f'"{column.name}"' for column in columns)
