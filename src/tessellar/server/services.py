"""The services of the portal: what each answers, from the index."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tessellar.errors import QueryError
from tessellar.server.answers import Answer, Document
from tessellar.server.columns import DISTANCE, OBSERVATION, PRODUCT, STAR, STAR_DISTANCE, Column
from tessellar.server.index import Index
from tessellar.server.names import resolve
from tessellar.server.questions import Question, chosen_columns, cone_of, row_numbers, where

_COUNT = Column("Column1", "text")


def answer(index: Index, question: Question) -> Answer | Document:
    """Answer a question.

    Raises
    ------
    QueryError
        If the service is not known, or cannot answer this.
    """
    service = SERVICES.get(question.service.lower())
    if service is None:
        raise QueryError(f"there is no service {question.service!r} here; there are {', '.join(sorted(SERVICES))}")
    return service(index, question)


def _filtered(index: Index, question: Question) -> Answer:
    condition, values = where(question.params.get("filters") or [], OBSERVATION)
    return _select(index, question, "observations", OBSERVATION, condition, values, "obs_id, obsid")


def _positioned(index: Index, question: Question) -> Answer:
    """Observations whose footprint the cone touches, nearest first."""
    ra, dec, radius = cone_of(question.params)
    condition, values = where(question.params.get("filters") or [], OBSERVATION)
    near = "dec_low <= ? AND dec_high >= ? AND touches(s_region, ?, ?, ?)"
    return _select(
        index,
        question,
        "observations",
        {**OBSERVATION, DISTANCE.name: DISTANCE},
        f"{near} AND {condition}" if condition else near,
        [dec + radius, dec - radius, ra, dec, radius, *values],
        "distance, obs_id, obsid",
        distance=("s_ra, s_dec", DISTANCE.name, ra, dec),
    )


def _products(index: Index, question: Question) -> Answer:
    numbers = row_numbers(question.params.get("obsid"))
    if not numbers:
        raise QueryError("obsid is missing: give the row numbers of observations, separated by commas")
    rows = index.select(
        f"""SELECT {_quoted(PRODUCT.values())} FROM products WHERE obsID IN (SELECT value FROM json_each(?))
            ORDER BY obs_id, obsID, place, dataURI""",
        [json.dumps(numbers)],
    )
    page = rows[question.rows_before : question.rows_before + question.page_size]
    return Answer(list(PRODUCT.values()), page, len(rows))


def _stars(index: Index, question: Question) -> Answer:
    condition, values = where(question.params.get("filters") or [], STAR)
    return _select(index, question, "tic", STAR, condition, values, "objID")


def _stars_near(index: Index, question: Question) -> Answer:
    ra, dec, radius = cone_of(question.params)
    condition, values = where(question.params.get("filters") or [], STAR)
    near = '"dec" BETWEEN ? AND ? AND separation("ra", "dec", ?, ?) <= ?'
    return _select(
        index,
        question,
        "tic",
        {**STAR, STAR_DISTANCE.name: STAR_DISTANCE},
        f"{near} AND {condition}" if condition else near,
        [dec - radius, dec + radius, ra, dec, radius, *values],
        '"dstArcSec", objID',
        distance=('"ra", "dec"', STAR_DISTANCE.name, ra, dec),
    )


def _all_observations(index: Index, question: Question) -> Document:
    """The collections with their counts, in the shape that the portal's start page reads."""
    counts = dict(index.select("SELECT obs_collection, count(*) FROM observations GROUP BY obs_collection"))
    histogram = {**counts, "hist": [{"key": key, "count": count} for key, count in counts.items()]}
    facet = {"text": "obs_collection", "dataIndex": "obs_collection", "ExtendedProperties": {"histObj": histogram}}
    return Document({"status": "COMPLETE", "msg": "", "data": {"Tables": [{"Columns": [facet], "Rows": []}]}})


def _all_stars(index: Index, question: Question) -> Document:
    """The ranges of the catalogue's numbers, by which clients know which columns are numbers."""
    numbers = [column.name for column in STAR.values() if column.kind == "real"]
    wanted = ", ".join(f'min("{name}"), max("{name}")' for name in numbers)
    ((*bounds,),) = index.select(f"SELECT {wanted} FROM tic")
    ranges = {
        name: {"min": bounds[2 * i], "max": bounds[2 * i + 1], "type": "numeric"} for i, name in enumerate(numbers)
    }
    properties = {"discreteHistogram": {}, "continuousHistogram": ranges}
    table = {"Columns": [], "Rows": [], "ExtendedProperties": properties}
    return Document({"status": "COMPLETE", "msg": "", "data": {"Tables": [table]}})


def _lookup(index: Index, question: Question) -> Document:
    name = question.params.get("input")
    if not isinstance(name, str) or not name.strip():
        raise QueryError("input is missing: give the name to look up")
    return Document({"resolvedCoordinate": resolve(index, [name]), "status": ""})


SERVICES: Mapping[str, Callable[[Index, Question], Answer | Document]] = MappingProxyType(
    {
        "mast.caom.filtered": _filtered,
        "mast.caom.filtered.position": _positioned,
        "mast.caom.cone": _positioned,
        "mast.caom.products": _products,
        "mast.caom.all": _all_observations,
        "mast.catalogs.filtered.tic": _stars,
        "mast.catalogs.filtered.tic.rows": _stars,
        "mast.catalogs.filtered.tic.position": _stars_near,
        "mast.catalogs.filtered.tic.position.rows": _stars_near,
        "mast.catalogs.tic.cone": _stars_near,
        "mast.catalogs.all.tic": _all_stars,
        "mast.name.lookup": _lookup,
    }
)


def _select(
    index: Index,
    question: Question,
    table: str,
    known: Mapping[str, Column],
    condition: str,
    values: Sequence[Any],
    order: str,
    *,
    distance: tuple[str, str, float, float] | None = None,
) -> Answer:
    """Ask one table; `distance` names the columns of a place, what to call the distance to it, and from where."""
    columns = chosen_columns(question.params.get("columns"), known)
    tail = f"FROM {table} WHERE {condition}" if condition else f"FROM {table}"
    if columns is None:
        ((count,),) = index.select(f"SELECT count(*) {tail}", values)
        return Answer([_COUNT], [(count,)], 1)
    first: list[Any] = []
    if distance is not None:
        place, name, ra, dec = distance
        tail = f'FROM (SELECT *, separation({place}, ?, ?) * 3600 AS "{name}" {tail})'
        first = [ra, dec]
    rows = index.select(
        f"SELECT {_quoted(columns)} {tail} ORDER BY {order} LIMIT ? OFFSET ?",
        [*first, *values, question.page_size, question.rows_before],
    )
    total = len(rows)
    if question.page > 1 or total == question.page_size:
        ((total,),) = index.select(f"SELECT count(*) {tail}", [*first, *values])
    return Answer(columns, rows, total)


def _quoted(columns: Iterable[Column]) -> str:
    return ", ".join(f'"{column.name}"' for column in columns)
