"""Which sectors a place falls on, asked as TESScut's clients ask."""

from __future__ import annotations

import httpx
import pytest
from astropy.io import fits

from tessellar.mission import footprint, locate
from tessellar.server import Index, ServerThread
from tessellar.server.regions import touches
from tessellar.targets import Field
from tests.server import folder as made
from tests.server.folder import DEC, RA

SECTOR = "/tesscut/api/v0.1/sector"


def fields(reply: httpx.Response) -> list[tuple[str, str, str]]:
    assert reply.status_code == 200
    results = reply.json()["results"]
    assert all(row["sectorName"] == f"tess-s{row['sector']}-{row['camera']}-{row['ccd']}" for row in results)
    return [(row["sector"], row["camera"], row["ccd"]) for row in results]


def test_a_place_is_told_by_the_geometry_of_the_ccds_in_the_sectors_that_are_held(tmp_path):
    made.light_curve(tmp_path / made.LC1)
    made.light_curve(tmp_path / made.LC2, sector=2)
    expected = [place.field for place in locate(RA, DEC, [1, 2])]
    with ServerThread(tmp_path) as archive:
        client = httpx.Client(base_url=archive.url)
        found = fields(client.post(SECTOR, data={"ra": RA, "dec": DEC, "radius": 0.0}))
        assert found == [(f"{field.sector:04d}", str(field.camera), str(field.ccd)) for field in expected]
        assert fields(client.get(SECTOR, params={"ra": RA, "dec": DEC})) == found
        # Sector 3 saw this place too, but is not held; and these sectors looked south.
        assert locate(RA, DEC, [3])
        assert fields(client.post(SECTOR, data={"ra": 10, "dec": 40})) == []
        client.close()


def test_a_circle_finds_the_ccds_that_it_touches(tmp_path):
    made.light_curve(tmp_path / made.LC1)
    ra, dec = footprint(Field(1, 4, 1))
    with ServerThread(tmp_path) as archive:
        # Around the corner where the four CCDs of a camera nearly meet.
        meeting = [(float(a), float(d)) for a, d in zip(ra, dec, strict=True)]
        counts = []
        for a, d in meeting:
            reply = httpx.post(archive.url + SECTOR, data={"ra": a, "dec": d, "radius": 1.0})
            found = fields(reply)
            assert ("0001", "4", "1") in found
            counts.append(len([place for place in found if place[1] == "4"]))
        assert max(counts) == 4


def test_where_images_are_held_only_they_count(tmp_path):
    made.light_curve(tmp_path / made.LC1)
    made.light_curve(tmp_path / made.LC2, sector=2)
    made.image(tmp_path / made.FFI)  # sector 1, camera 4, CCD 1, half a degree around 70.2 -65.0
    with ServerThread(tmp_path) as archive:
        inside = httpx.post(archive.url + SECTOR, data={"ra": 70.2, "dec": -64.9, "radius": 0})
        # Sector 2 saw this place, too, and there is a light curve of it; but there is nothing to cut.
        assert locate(70.2, -64.9, [2])
        assert fields(inside) == [("0001", "4", "1")]
        # The same sector saw this place with camera 1, but of that there is no image.
        ra, dec = (float(x.mean()) for x in footprint(Field(1, 1, 2)))
        assert [place.field for place in locate(ra, dec, [1])] == [Field(1, 1, 2)]
        assert fields(httpx.post(archive.url + SECTOR, data={"ra": ra, "dec": dec})) == []


def test_an_image_without_a_projection_of_its_own_has_the_outline_of_its_ccd(tmp_path):
    hdu = fits.PrimaryHDU()
    hdu.header["TELESCOP"] = "TESS"
    hdu.writeto(tmp_path / "tess-s0002-1-3-cube.fits")
    index = Index(tmp_path, index_path=":memory:")
    index.refresh()
    ((region, ra, dec),) = index.select("SELECT s_region, s_ra, s_dec FROM observations")
    index.close()
    assert touches(region, ra, dec, 0)
    (place,) = locate(ra, dec, [2])
    assert place.field == Field(2, 1, 3)
    assert (place.column, place.row) == pytest.approx(((45 + 2092) / 2, (1 + 2048) / 2), abs=0.1)


@pytest.mark.parametrize("asked", [{}, {"ra": 1}, {"ra": "x", "dec": 2}, {"ra": 1, "dec": 95}, {"ra": 1, "dec": "nan"}])
def test_a_place_that_is_none_is_refused(client, asked):
    reply = client.post(SECTOR, data=asked)
    assert reply.status_code == 400
    assert reply.json()["results"] == []
    assert reply.json()["msg"]


def test_a_moving_target_is_refused_with_the_reason(client):
    reply = client.post("/tesscut/api/v0.1/moving_target/sector", data={"obj_id": "Eleonora", "obj_type": "smallbody"})
    assert reply.status_code == 501
    assert "Eleonora" in reply.json()["msg"]
    assert "ephemerides" in reply.json()["msg"]
    again = client.get("/tesscut/api/v0.1/moving_target/astrocut", params={"obj_id": "2"})
    assert again.status_code == 501
