"""An archive of observations that lacks time, loses pages and repeats rows as a test sets it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from tests.webserver import FileServer, Misbehaviour


class Sky(FileServer):
    """An archive of observations with a will of its own, each set by a test."""

    def __init__(self, count: int = 230) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = [
            {"obsid": n, "obs_id": f"tess2018206045859-s0001-{n:016d}-0120-s", "target_name": str(n),
             "dataURL": f"mast:TESS/product/tess2018206045859-s0001-{n:016d}-0120-s_lc.fits", "sequence_number": 1,
             "s_ra": n * 1.7 % 360, "s_dec": -90 + 180 * n / count, "dataproduct_type": "timeseries"}
            for n in range(count)
        ]  # fmt: skip
        self.most_rows = 10**9  # more than this in one page, and it does not finish
        self.most_counted = 10**9  # more than this in all, and it does not finish
        self.lose: dict[int, int] = {}  # page: how often it comes without its last rows
        self.asked: list[dict[str, Any]] = []

    def answer(self, path: str) -> Misbehaviour | None:
        question = json.loads(parse_qs(self.forms[-1])["request"][0])
        self.asked.append(question)
        rows = self.rows
        for each in question["params"]["filters"]:
            if each["paramName"] == "s_dec":
                (span,) = each["values"]
                rows = [row for row in rows if row["s_dec"] is not None and span["min"] <= row["s_dec"] <= span["max"]]
        if len(rows) > self.most_counted:
            return Misbehaviour(status=200, body=b'{"status": "ERROR", "msg": "Timeout expired"}')
        if question["params"]["columns"] == "COUNT_BIG(*)":
            return self.reply([{"Column1": len(rows)}], 1, 1, 1)
        size, page = question["pagesize"], question["page"]
        if size > self.most_rows:
            return Misbehaviour(status=504)
        some = rows[(page - 1) * size : page * size]
        if self.lose.get(page, 0) > 0:
            self.lose[page] -= 1
            some = some[:-7]
        return self.reply(self.shape(page, some), page, -(-len(rows) // size), len(rows))

    def shape(self, page: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return rows

    def reply(self, rows: list[dict[str, Any]], page: int, pages: int, total: int) -> Misbehaviour:
        paging = {"page": page, "pagesFiltered": pages, "rowsFiltered": total}
        body = json.dumps({"status": "COMPLETE", "data": rows, "paging": paging}).encode()
        return Misbehaviour(status=200, body=body)
