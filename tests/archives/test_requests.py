"""What goes over the wire is what astroquery sends, field by field, as it was recorded."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs

import pytest

from tessellar.access import ObservationsFace
from tests.webserver import FileServer, Misbehaviour, running

OURS_ALONE = {"pagesize", "cacheBreaker"}  # the size of a page is a setting; the key is drawn anew for each question


class Empty(FileServer):
    """An archive that has nothing, and counts it."""

    def answer(self, path: str) -> Misbehaviour | None:
        if path != "/api/v0/invoke":
            return None
        columns = json.loads(parse_qs(self.forms[-1])["request"][0])["params"].get("columns")
        data = [{"Column1": 0}] if columns == "COUNT_BIG(*)" else []
        return Misbehaviour(status=200, body=json.dumps({"status": "COMPLETE", "data": data}).encode())


def recorded(text: str, title: str) -> dict[str, object]:
    (section,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return json.loads(re.search(r"request=(\{.*\})", section)[1])


def comparable(question: dict[str, object]) -> dict[str, object]:
    params = dict(question["params"])
    params["filters"] = sorted(params.get("filters", []), key=lambda each: each["paramName"])
    return {**{name: value for name, value in question.items() if name not in OURS_ALONE}, "params": params}


@pytest.mark.parametrize(
    ("title", "ask"),
    [
        ("query_criteria", lambda face: face.query_criteria(obs_collection="TESS", target_name="25132999")),
        ("count", lambda face: face.query_criteria_count(obs_collection="TESS", target_name="25132999")),
        (
            "wildcard+range+list",
            lambda face: face.query_criteria(
                obs_collection="TESS", obs_id="tess*s0001*", t_min=[58300, 58400], sequence_number=[1, 2],
                dataproduct_type=["timeseries", "image"],
            ),
        ),
        (
            "position criteria",
            lambda face: face.query_criteria(obs_collection="TESS", coordinates="80.0 -60.0", radius=0.02),
        ),
        ("query_region", lambda face: face.query_region("80.0 -60.0", radius=0.02)),
        (
            "get_product_list",
            lambda face: face.get_product_list(["60000001", "60000002", "60000003"]),
        ),
    ],
)  # fmt: skip
def test_our_questions_are_astroquery_s(recorded_replies, title, ask):
    requests = recorded_replies.parent / "mast-portal-requests-astroquery-0.4.11.txt"
    theirs = recorded(requests.read_text(), title)
    with running(Empty()) as server:
        ask(ObservationsFace(server.url))
    ours = json.loads(parse_qs(server.forms[-1])["request"][0])
    assert comparable(ours) == comparable(theirs)
