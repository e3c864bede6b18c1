"""Answers of the portal: rows with their columns, written piece by piece as JSON, CSV or VOTable.

Rows are taken from the index a few hundred at a time, so that neither the
largest answer fills the memory nor its writing holds up a smaller one.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from json.encoder import encode_basestring_ascii
from tempfile import SpooledTemporaryFile
from typing import Any

from tessellar.errors import QueryError
from tessellar.server.columns import Column
from tessellar.server.database import GivenUp, never
from tessellar.server.questions import Question
from tessellar.server.tap.model import Column as Field
from tessellar.server.tap.votable import document

_AT_ONCE = 500  # rows
_IN_MEMORY = 4 * 1024 * 1024  # bytes of an answer; a longer one is kept in a temporary file until it is sent


@dataclass(frozen=True)
class Answer:
    """Rows of a table, of which `total` meet the question.

    Attributes
    ----------
    columns : sequence of Column
        What the values of a row are.
    rows : iterator of tuple
        Those of the page that was asked for.
    total : int
        How many there are on all pages.
    """

    columns: Sequence[Column]
    rows: Iterator[tuple[Any, ...]]
    total: int


@dataclass(frozen=True)
class Document:
    """An answer that is no table: a JSON object of its own shape."""

    content: dict[str, Any]


@dataclass(frozen=True)
class Written:
    """An answer as it is sent; whoever has it closes it."""

    stream: SpooledTemporaryFile[bytes]
    size: int
    media_type: str


def written(answer: Answer | Document, question: Question, given_up: Callable[[], bool] = never) -> Written:
    """Write an answer in the format that was asked for.

    Raises
    ------
    QueryError
        If there is no such format.
    GivenUp
        If nobody waits for it any more.
    """
    if isinstance(answer, Document):
        pieces, media_type = iter([json.dumps(answer.content)]), "application/json"
    else:
        writer = _WRITERS.get(question.format)
        if writer is None:
            raise QueryError(f"format {question.format!r} is not known; there are {', '.join(_WRITERS)}")
        write, media_type = writer
        pieces = write(answer, question)
    stream: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - it is closed when sent
    try:
        for piece in pieces:
            if given_up():
                raise GivenUp
            stream.write(piece.encode())
        size = stream.tell()
        stream.seek(0)
    except BaseException:
        stream.close()
        raise
    return Written(stream, size, media_type)


def error_text(message: str) -> str:
    """Write the envelope of a question that could not be answered; it is sent with HTTP status 200."""
    return json.dumps({"status": "ERROR", "msg": " ".join(message.split()), "data": [], "fields": []})


def _json(answer: Answer, question: Question) -> Iterator[str]:
    fields = [{"name": column.name, "type": column.portal_type} for column in answer.columns]
    yield f'{{"status": "COMPLETE", "msg": "", "fields": {json.dumps(fields)}, "data": ['
    labels = [f"{json.dumps(column.name)}: " for column in answer.columns]
    between = ""
    for rows in _pieces(answer.rows):
        yield between + ", ".join(f"{{{', '.join(cells)}}}" for cells in _json_cells(answer.columns, rows, labels))
        between = ", "
    yield f'], "paging": {json.dumps(_paging(answer, question))}}}'


def _extjs(answer: Answer, question: Question) -> Iterator[str]:
    table = {
        "Name": "Table1",
        "Columns": [{"text": column.name, "dataIndex": column.name} for column in answer.columns],
        "Fields": [{"name": column.name, "type": column.portal_type} for column in answer.columns],
        "ExtendedProperties": {"Paging": _paging(answer, question)},
    }
    yield f'{{"status": "COMPLETE", "msg": "", "data": {{"Tables": [{json.dumps(table)[:-1]}, "Rows": ['
    between = ""
    for rows in _pieces(answer.rows):
        yield between + ", ".join(f"[{', '.join(cells)}]" for cells in _json_cells(answer.columns, rows))
        between = ", "
    yield "]}]}}"


def _json_cells(
    columns: Sequence[Column], rows: list[tuple[Any, ...]], labels: Sequence[str] | None = None
) -> Iterator[tuple[str, ...]]:
    """Give the cells of rows as JSON, each after its label; made column by column, for a column has one kind."""
    cells = []
    for i, (column, values) in enumerate(zip(columns, zip(*rows, strict=True), strict=True)):
        label = labels[i] if labels is not None else ""
        distinct = set(values)
        if len(distinct) < len(values) / 4:
            # What stands in many rows is written once.
            texts = {value: label + _json_cell(column, value) for value in distinct}
            cells.append([texts[value] for value in values])
        else:
            cells.append([label + _json_cell(column, value) for value in values])
    return zip(*cells, strict=True)


def _json_cell(column: Column, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if column.kind == "flag":
        return "true" if value else "false"
    return repr(value) if not isinstance(value, float) or math.isfinite(value) else "null"


def _csv(answer: Answer, question: Question) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in answer.columns])
    yield text.getvalue()
    for rows in _pieces(answer.rows):
        text.seek(0)
        text.truncate()
        writer.writerows(_plain(answer.columns, row) for row in rows)
        yield text.getvalue()


def _votable(answer: Answer, question: Question) -> Iterator[str]:
    columns = [
        Field(each.name, _VOTABLE[each.kind], each.unit, description=each.description) for each in answer.columns
    ]
    for piece in document(columns, answer.rows, "", lambda: False, binary=False):
        yield piece.decode()


_VOTABLE = {"text": "char", "real": "double", "whole": "long", "id": "long", "flag": "boolean"}
_WRITERS: dict[str, tuple[Callable[[Answer, Question], Iterator[str]], str]] = {
    "json": (_json, "application/json"),
    "extjs": (_extjs, "application/json"),
    "csv": (_csv, "text/csv"),
    "votable": (_votable, "application/x-votable+xml"),
}


def _pieces(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    while piece := list(islice(rows, _AT_ONCE)):
        yield piece


def _paging(answer: Answer, question: Question) -> dict[str, int]:
    pages = max(1, -(-answer.total // question.page_size))
    return {
        "page": question.page,
        "pageSize": question.page_size,
        "pagesFiltered": pages,
        "rows": max(0, min(question.page_size, answer.total - question.rows_before)),
        "rowsFiltered": answer.total,
        "rowsTotal": answer.total,
    }


def _plain(columns: Sequence[Column], row: Sequence[Any]) -> list[Any]:
    return [
        bool(value) if column.kind == "flag" and value is not None else value
        for column, value in zip(columns, row, strict=True)
    ]
