"""What goes over the wire is what astroquery sends, field by field, as it was recorded."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tessellar.access import ObservationsFace
from tessellar.archives import open_archive
from tessellar.archives.tesscut import CutoutService
from tessellar.errors import NotFound
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


def section_of(text: str, title: str) -> str:
    (section,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return section


def recorded(text: str, title: str) -> dict[str, object]:
    return json.loads(re.search(r"request=(\{.*\})", section_of(text, title))[1])


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


@pytest.mark.parametrize(
    ("title", "ask", "differing"),
    [
        ("Catalogs criteria TIC", lambda archive: archive.stars_by_id([25132999]), {}),
        ("Catalogs criteria TIC", lambda archive: archive.stars_named("ID", "25132999"), {"columns"}),
        ("Catalogs criteria TIC pos", lambda archive: archive.stars_around(80.0, -60.0, 0.1, tmag=10.0), {"filters"}),
        ("Catalogs region TIC", lambda archive: archive.stars_near(80.0, -60.0, 0.01), {}),
    ],
)
def test_our_questions_to_the_tic_are_astroquery_s(recorded_replies, title, ask, differing):
    requests = recorded_replies.parent / "mast-portal-requests-astroquery-0.4.11.txt"
    section = section_of(requests.read_text(), title)
    theirs = [json.loads(text) for text in re.findall(r"request=(\{.*\})", section)][-1]
    with running(Empty()) as server:
        ask(open_archive(server.url))
    ours = json.loads(parse_qs(server.forms[-1])["request"][0])
    assert theirs.pop("use_json") is False
    for each in (ours, theirs):  # what differs, and why, is told on the page of the protocol
        each["params"] = {name: value for name, value in each["params"].items() if name not in differing}
    assert comparable(ours) == comparable(theirs)
    if "filters" in differing:  # ours goes down to a magnitude, from far above the brightest star's
        (brightness,) = json.loads(parse_qs(server.forms[-1])["request"][0])["params"]["filters"]
        assert brightness == {"paramName": "Tmag", "values": [{"min": -5.0, "max": 10.0}]}


def test_our_questions_to_tesscut_and_the_name_service_are_astroquery_s(recorded_replies):
    text = (recorded_replies.parent / "mast-portal-requests-astroquery-0.4.11.txt").read_text()
    path, body = re.search(r"POST (\S+) .*?body (\S+)", section_of(text, "Tesscut sectors"), re.DOTALL).groups()
    with running(Empty()) as server:
        with pytest.raises(NotFound):
            CutoutService(server.url).fields(107.27, -70.0)
        assert server.requests[-1][0] == path
        assert parse_qs(server.forms[-1]) == parse_qs(body)
        with pytest.raises(NotFound):
            open_archive(server.url).places("TIC 25132999")
        ours = parse_qs(urlsplit(server.requests[-1][0]).query)
    (cutout,) = re.findall(r"GET (\S+) ->", section_of(text, "Tesscut download"))
    told = urlsplit(CutoutService("https://mast.stsci.edu").cutout(107.27, -70.0, 1, 5, 7).url)
    assert (told.path, parse_qs(told.query)) == (urlsplit(cutout).path, parse_qs(urlsplit(cutout).query))
    (named,) = re.findall(r"GET (http://mastresolver\S+) ->", section_of(text, "query_object via HTTP_PROXY"))
    theirs = parse_qs(urlsplit(named).query)
    assert {**ours, "name": [ours["name"][0].upper()]} == theirs  # the service takes names in any case; ours are kept
