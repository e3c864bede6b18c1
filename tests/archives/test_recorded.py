"""The real archive's replies, as they were recorded, become our tables with the right types."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import numpy as np
import pytest

from tessellar import config
from tessellar.access import ObservationsFace, cutout_fields, stars
from tessellar.products.stars import STAR_COLUMNS
from tessellar.products.tables import OBSERVATION_COLUMNS, PRODUCT_COLUMNS
from tests.webserver import FileServer, Misbehaviour, running

# What the portal's own types mean for us; identifiers are texts there, whatever they look like.
TYPES = {"string": str, "float": float, "int": int, "boolean": bool}
# Numbers to the portal, names to us: leading zeros and 19 digits are safe in text.
NAMES = {"obsID", "objID1"}


class Recorded(FileServer):
    """Answers every question with what the real archive answered to one like it."""

    def __init__(self, folder) -> None:
        super().__init__()
        self.folder = folder

    def reply(self, name: str) -> dict:
        return json.loads((self.folder / name).read_text())

    def answer(self, path: str) -> Misbehaviour | None:
        if path.startswith("/tesscut"):
            return Misbehaviour(status=200, body=json.dumps(self.reply("tess_sector.json")).encode())
        if path.startswith("/Santa-war"):
            return Misbehaviour(status=200, body=json.dumps(self.reply("resolver.json")).encode())
        if "columnsconfig" in path:
            return Misbehaviour(status=200, body=json.dumps(self.reply("columnsconfig.json")).encode())
        question = json.loads(parse_qs(self.forms[-1])["request"][0])
        name = {"Products": "products.json", "Tic": "tic.json"}.get(question["service"].split(".")[-1], "caom.json")
        if "Tic" in question["service"]:
            name = "tic.json"
        if question["params"].get("columns") == "COUNT_BIG(*)":
            name = "countsResp.json"
        answer = self.reply(name)
        rows = len(answer["data"])
        paging = {"page": 1, "pageSize": 50000, "pagesFiltered": 1, "rows": rows, "rowsFiltered": rows}
        return Misbehaviour(status=200, body=json.dumps({**answer, "paging": paging}).encode())


@pytest.fixture
def server(recorded_replies):
    with running(Recorded(recorded_replies)) as files, config.overriding(retry_wait=0.01, attempts=2):
        yield files


def check(table, reply, known) -> None:
    """Every column that the portal declares is there, with its type, and its values are those that were sent."""
    rows = reply["data"]
    for each in reply["fields"]:
        name = each["name"]
        if name.startswith("_"):
            continue
        kind = known[name].kind if name in known else str
        assert kind is str or kind is TYPES[each["type"]] or name in NAMES, name
        if name not in table.colnames:
            assert all(row.get(name) is None for row in rows), name
            continue
        assert table[name].dtype.kind == {str: "U", float: "f", int: "i", bool: "b"}[kind], name


def test_observations(server):
    table = ObservationsFace(server.url).query_criteria(obs_collection="HST", target_name="x")
    reply = server.reply("caom.json")
    rows = {str(row["obsid"]): row for row in reply["data"]}
    assert len(table) == len(rows)
    check(table, reply, OBSERVATION_COLUMNS)
    for row in table.rows():
        sent = rows[row["obsid"]]
        assert row["obs_id"] == sent["obs_id"]
        assert row["s_ra"] == pytest.approx(sent["s_ra"])
        assert row["calib_level"] == sent["calib_level"]
        assert row["t_exptime"] == (sent["t_exptime"] if sent["t_exptime"] != "" else None)
    assert "unreadable" not in table.meta


def test_products(server):
    table = ObservationsFace(server.url).get_product_list("2003738726")
    reply = server.reply("products.json")
    assert len(table) == len({row["dataURI"] for row in reply["data"]})
    check(table, reply, PRODUCT_COLUMNS)
    sizes = {row["dataURI"]: row["size"] for row in reply["data"]}
    assert {row["dataURI"]: row["size"] for row in table.rows()} == {
        uri: None if size in (None, -999) else size for uri, size in sizes.items()
    }
    assert set(table["kind"]) == {"unknown"}  # they are of another mission: kept, and said to be unknown


def test_stars(server):
    reply = server.reply("tic.json")
    wanted = [each["name"] for each in reply["fields"] if each["name"] in STAR_COLUMNS]
    table = stars(position=(254.28, -4.09), radius=0.1, wanted=wanted, all_entries=True, archive=server.url)
    assert len(table) == len(reply["data"])
    for name in wanted:
        kind = STAR_COLUMNS[name].kind
        assert table[name].dtype.kind == {str: "U", float: "f", int: "i"}[kind], name
    sent = {row["ID"]: row for row in reply["data"]}
    for row in table.rows():
        assert row["Tmag"] == sent[row["ID"]]["Tmag"]
        assert row["GAIA"] == (None if sent[row["ID"]]["GAIA"] is None else str(sent[row["ID"]]["GAIA"]))
    assert np.ma.count_masked(table["pmRA"]) == sum(row["pmRA"] is None for row in reply["data"])


def test_counts_columns_names_and_sectors(server):
    face = ObservationsFace(server.url)
    assert face.query_criteria_count(obs_collection="TESS") == int(
        server.reply("countsResp.json")["data"][0]["Column1"]
    )
    described = face.get_metadata("observations")
    exposed = {name for name, each in server.reply("columnsconfig.json").items()
               if isinstance(each, dict) and not each.get("remove") and not name.startswith("_")}  # fmt: skip
    assert set(described["Column Name"]) == exposed
    assert [str(field) for field in cutout_fields((107.27, -70.0), archive=server.url)] == ["s0001-1-3"]
