"""Answers of the portal: rows with their columns, written as JSON, CSV or VOTable."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tessellar.errors import QueryError
from tessellar.server.columns import Column
from tessellar.server.questions import Question


@dataclass(frozen=True)
class Answer:
    """Rows of a table, of which `total` meet the question.

    Attributes
    ----------
    columns : sequence of Column
        What the values of a row are.
    rows : sequence of tuple
        Those of the page that was asked for.
    total : int
        How many there are on all pages.
    """

    columns: Sequence[Column]
    rows: Sequence[tuple[Any, ...]]
    total: int


@dataclass(frozen=True)
class Document:
    """An answer that is no table: a JSON object of its own shape."""

    content: dict[str, Any]


def written(answer: Answer | Document, question: Question) -> tuple[str, str]:
    """Write an answer in the format that was asked for.

    Returns
    -------
    content, media_type : str

    Raises
    ------
    QueryError
        If there is no such format.
    """
    if isinstance(answer, Document):
        return json.dumps(answer.content), "application/json"
    writer = _WRITERS.get(question.format)
    if writer is None:
        raise QueryError(f"format {question.format!r} is not known; there are {', '.join(_WRITERS)}")
    return writer(answer, question)


def error_text(message: str) -> str:
    """Write the envelope of a question that could not be answered; it is sent with HTTP status 200."""
    return json.dumps({"status": "ERROR", "msg": " ".join(message.split()), "data": [], "fields": []})


def _json(answer: Answer, question: Question) -> tuple[str, str]:
    names = [column.name for column in answer.columns]
    rows = [dict(zip(names, _plain(answer.columns, row), strict=True)) for row in answer.rows]
    envelope = {
        "status": "COMPLETE",
        "msg": "",
        "data": rows,
        "fields": [{"name": column.name, "type": column.portal_type} for column in answer.columns],
        "paging": _paging(answer, question),
    }
    return json.dumps(envelope), "application/json"


def _extjs(answer: Answer, question: Question) -> tuple[str, str]:
    table = {
        "Name": "Table1",
        "Columns": [{"text": column.name, "dataIndex": column.name} for column in answer.columns],
        "Fields": [{"name": column.name, "type": column.portal_type} for column in answer.columns],
        "Rows": [_plain(answer.columns, row) for row in answer.rows],
        "ExtendedProperties": {"Paging": _paging(answer, question)},
    }
    return json.dumps({"status": "COMPLETE", "msg": "", "data": {"Tables": [table]}}), "application/json"


def _csv(answer: Answer, question: Question) -> tuple[str, str]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in answer.columns])
    writer.writerows(_plain(answer.columns, row) for row in answer.rows)
    return text.getvalue(), "text/csv"


def _votable(answer: Answer, question: Question) -> tuple[str, str]:
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">',
        '<RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/><TABLE>',
    ]
    for column in answer.columns:
        size = ' arraysize="*"' if column.kind == "text" else ""
        unit = f" unit={quoteattr(column.unit)}" if column.unit else ""
        null = f'<VALUES null="{_NULL}"/>' if column.kind in ("whole", "id") else ""
        note = f"<DESCRIPTION>{escape(column.description)}</DESCRIPTION>" if column.description else ""
        datatype = "long" if column.kind == "whole" else column.votable_type
        lines.append(
            f"<FIELD name={quoteattr(column.name)} datatype={quoteattr(datatype)}{size}{unit}>{note}{null}</FIELD>"
        )
    lines.append("<DATA><TABLEDATA>")
    for row in answer.rows:
        cells = (_cell(column, value) for column, value in zip(answer.columns, row, strict=True))
        lines.append(f"<TR>{''.join(f'<TD>{cell}</TD>' for cell in cells)}</TR>")
    lines.append("</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>")
    return "\n".join(lines), "application/x-votable+xml"


_NULL = -999
_WRITERS = {"json": _json, "extjs": _extjs, "csv": _csv, "votable": _votable}


def _paging(answer: Answer, question: Question) -> dict[str, int]:
    pages = max(1, -(-answer.total // question.page_size))
    return {
        "page": question.page,
        "pageSize": question.page_size,
        "pagesFiltered": pages,
        "rows": len(answer.rows),
        "rowsFiltered": answer.total,
        "rowsTotal": answer.total,
    }


def _plain(columns: Sequence[Column], row: Sequence[Any]) -> list[Any]:
    return [
        bool(value) if column.kind == "flag" and value is not None else value
        for column, value in zip(columns, row, strict=True)
    ]


def _cell(column: Column, value: Any) -> str:
    if value is None:
        return str(_NULL) if column.kind in ("whole", "id") else ""
    if column.kind == "flag":
        return "true" if value else "false"
    return escape(str(value))
