"""From what people write to the star that they mean; what is not clear is listed, not guessed."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessellar import TIC, search
from tessellar.access import resolve
from tessellar.access.resolving import read_position
from tessellar.archives.resolver import read_answer
from tessellar.errors import InputError, Unavailable, UnexpectedReply
from tessellar.net import Reply
from tests.webserver import FileServer, Misbehaviour, running

HOST = {"ID": 100, "ra": 24.354311, "dec": -45.677887, "Tmag": 8.8, "GAIA": "4955371367334610048", "HIP": 7562}
FAINT = {"ID": 101, "ra": 24.354400, "dec": -45.677900, "Tmag": 15.0}
TWIN = {"ID": 102, "ra": 24.354312, "dec": -45.678200, "Tmag": 9.5}
COPY = {"ID": 103, "ra": 24.354311, "dec": -45.677887, "Tmag": 8.8, "disposition": "DUPLICATE"}


class Catalogue(FileServer):
    """A name service and a TIC of a few stars."""

    def __init__(self) -> None:
        super().__init__()
        self.stars = [HOST, FAINT]
        self.names = {"wasp-18": ("SIMBAD", "WASP-18"), "toi-185": ("SIMBAD", "TOI-185"), "my star": ("TIC", "TIC 100")}

    def answer(self, path: str) -> Misbehaviour | None:
        if path.startswith("/Santa-war/"):
            name = parse_qs(urlsplit(path).query)["name"][0].lower()
            resolver, canonical = self.names.get(name, ("", ""))
            row = {"searchString": name, "resolver": resolver, "canonicalName": canonical, "ra": HOST["ra"],
                   "decl": HOST["dec"], "objectType": "Star"}  # fmt: skip
            body = {"resolvedCoordinate": [row] if resolver else [], "status": ""}
            return Misbehaviour(status=200, body=json.dumps(body).encode())
        if path != "/api/v0/invoke":
            return None
        question = json.loads(parse_qs(self.forms[-1])["request"][0])
        params, service = question["params"], question["service"]
        rows = self.stars if service.startswith("Mast.Catalogs") else []
        if service == "Mast.Catalogs.TIC.Cone":
            rows = [{**star, "dstArcSec": abs(star["dec"] - params["dec"]) * 3600} for star in rows]
            rows = [star for star in rows if star["dstArcSec"] <= params["radius"] * 3600]
        elif rows:
            (wanted,) = params["filters"]
            rows = [star for star in rows if str(star.get(wanted["paramName"])) in wanted["values"]]
        return Misbehaviour(status=200, body=json.dumps({"status": "COMPLETE", "data": rows}).encode())


@pytest.fixture
def catalogue():
    with running(Catalogue()) as server:
        yield server


@pytest.mark.parametrize(
    ("written", "matched"),
    [
        ("TIC 100", "TIC id"),
        (100, "TIC id"),
        ("WASP-18", "SIMBAD: WASP-18"),
        ("  wasp-18 ", "SIMBAD: WASP-18"),
        ("TOI-185", "SIMBAD: TOI-185"),
        ("toi 185", "SIMBAD: TOI-185"),
        ("my star", "TIC: TIC 100"),
        ("Gaia DR2 4955371367334610048", "Gaia DR2 4955371367334610048"),
        ("gaia 4955371367334610048", "Gaia DR2 4955371367334610048"),
        ("24.354311 -45.677887", "position"),
        ("24.354311, -45.677887", "position"),
        ("01:37:25.03 -45:40:40.4", "position"),
        ("1h37m25.03s -45d40m40.4s", "position"),
    ],
)
def test_each_way_to_name_a_star(catalogue, written, matched):
    found = resolve(written, archive=catalogue.url)
    assert found.tic == TIC(100)
    assert found.matched == matched
    assert found.separation < 0.5
    assert found.other_ids["HIP"] == "7562"


def test_fainter_stars_beside_it_are_told(catalogue):
    found = resolve("WASP-18", archive=catalogue.url)
    assert [(each.tic, each.tmag) for each in found.neighbours] == [(TIC(101), 15.0)]


def test_two_stars_that_could_be_meant_are_listed(catalogue):
    catalogue.stars = [HOST, TWIN]
    with pytest.raises(InputError, match=r"TIC 100 .*TIC 102 .*one that is meant"):
        resolve("WASP-18", archive=catalogue.url)


def test_what_the_tic_marks_as_a_copy_is_no_second_star(catalogue):
    catalogue.stars = [HOST, COPY]
    assert resolve("WASP-18", archive=catalogue.url).neighbours == ()


def test_names_that_nobody_knows(catalogue):
    for name, told in (("nonsense", "nothing called 'nonsense'"), ("TIC 5", "TIC 5 is not in the catalogue"),
                       ("gaia 123456789", "123456789"), ("10.0 10.0", "no star of the TIC within"),
                       ("Gaia DR3 4955371367334610048", "DR2")):  # fmt: skip
        with pytest.raises(InputError, match=told):
            resolve(name, archive=catalogue.url)


@pytest.mark.parametrize("text", ["400 10", "10 91", "25:00:00 10:00:00", "10:00:00 95:00:00"])
def test_positions_off_the_sky_are_refused_before_anything_is_asked(catalogue, text):
    with pytest.raises(InputError, match="sky"):
        resolve(text, archive=catalogue.url)
    assert catalogue.requests == []


def test_a_digit_in_a_name_is_never_taken_for_an_id(catalogue):
    with pytest.raises(InputError, match="WASP-121"):
        search("WASP-121", archive=catalogue.url)


@pytest.mark.parametrize("text", ["TIC x", "TIC 12345678901", "TOI-1130.1", ""])
def test_broken_ids_are_refused_before_anything_is_asked(catalogue, text):
    with pytest.raises(InputError):
        resolve(text, archive=catalogue.url)
    assert catalogue.requests == []


@given(st.floats(0, 359.999), st.floats(-90, 90))
def test_plain_numbers_are_degrees(ra, dec):
    assert read_position(f"{ra:.6f} {dec:+.6f}") == (float(f"{ra:.6f}"), float(f"{dec:+.6f}"))


@given(st.text(max_size=40))
def test_any_text_is_a_position_or_not_without_an_accident(text):
    try:
        place = read_position(text)
    except InputError:
        return
    assert place is None or (0 <= place[0] < 360 and -90 <= place[1] <= 90)


def test_recorded_replies_of_the_name_service_are_read(recorded_replies):
    body = (recorded_replies / "resolver.json").read_bytes()
    places = read_answer(Reply("http://x", 200, {}, body), "TIC 307210830")
    assert [place.resolver for place in places] == ["TIC", "SIMBAD", "SIMBADCFA"]
    assert places[0].name == "TIC 307210830"
    assert places[1].name == "L 98-59"
    assert abs(places[0].ra - 124.531756290083) < 1e-12


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"resolvedCoordinate": [{"searchString": "x"}]}'])
def test_a_broken_name_service_is_told_as_such(body):
    with pytest.raises(UnexpectedReply):
        read_answer(Reply("http://x", 200, {}, body), "x")


def test_a_name_service_that_is_down_is_told(catalogue, monkeypatch):
    monkeypatch.setenv("TESSELLAR_RETRY_WAIT", "0")
    monkeypatch.setenv("TESSELLAR_ATTEMPTS", "2")
    catalogue.answer = lambda path: Misbehaviour(status=503)
    with pytest.raises(Unavailable, match="503"):
        resolve("WASP-18", archive=catalogue.url)
