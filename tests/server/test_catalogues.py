"""Stars from extracts of the TESS Input Catalog, asked for as its clients ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table

from tessellar.server import Index, ServerThread
from tests.server import folder as made
from tests.server.folder import DEC, RA, STAR

CENTRE = SkyCoord(RA, DEC, unit="deg")


def stars(number: int = 400, seed: int = 3) -> Table:
    """Stars around the one of the light curves, which is the first; of some, not all is known."""
    random = np.random.default_rng(seed)
    places = CENTRE.directional_offset_by(
        random.uniform(0, 360, number) * CENTRE.ra.unit, 0.5 * random.random(number) * CENTRE.ra.unit
    )
    table = Table({"ID": np.arange(1000, 1000 + number), "ra": places.ra.deg, "dec": places.dec.deg})
    table["ID"][0], table["ra"][0], table["dec"][0] = STAR, RA + 1e-5, DEC
    table["Tmag"] = 16 - 8 * random.random(number)
    table["Teff"] = MaskedColumn(random.uniform(3000, 7000, number), mask=np.arange(number) % 3 == 0)
    table["GAIA"] = [str(4_600_000_000_000_000_000 + i) for i in range(number)]
    table["disposition"] = np.where(np.arange(number) % 50 == 7, "DUPLICATE", "")
    table["duplicate_id"] = MaskedColumn(np.full(number, STAR), mask=np.arange(number) % 50 != 7)
    table["objType"] = "STAR"
    table["priority"] = MaskedColumn(random.random(number), mask=np.arange(number) % 10 != 0)
    return table


def ask(url: str, service: str, **request: Any) -> dict[str, Any]:
    params = request.pop("params")
    question = {"service": service, "params": params, "format": "json", **request}
    envelope: dict[str, Any] = httpx.post(f"{url}/api/v0/invoke", data={"request": json.dumps(question)}).json()
    assert envelope["status"] == "COMPLETE", envelope["msg"]
    return envelope


def only(column: str, *values: Any) -> list[dict[str, Any]]:
    return [{"paramName": column, "values": list(values)}]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("catalogue")
    made.light_curve(folder / made.LC1)
    made.light_curve(folder / made.OTHER, made.SECOND, RA_OBJ=340.3, DEC_OBJ=-43.8, TESSMAG=8.4)
    stars().write(folder / "tic.ecsv")
    with ServerThread(folder) as server:
        yield server.url


def test_a_cone_finds_the_stars_in_it_nearest_first(archive):
    table = stars()
    apart = CENTRE.separation(SkyCoord(table["ra"], table["dec"], unit="deg"))
    expected = {int(tic): d for tic, d in zip(table["ID"], apart.arcsec, strict=True) if d <= 360}
    reply = ask(archive, "Mast.Catalogs.Tic.Cone", params={"ra": RA, "dec": DEC, "radius": 0.1})
    found = {row["ID"]: row["dstArcSec"] for row in reply["data"]}
    assert found == pytest.approx(expected, abs=1e-6)
    assert list(found.values()) == sorted(found.values())
    types = {each["name"]: each["type"] for each in reply["fields"]}
    assert (types["ID"], types["GAIA"], types["HIP"], types["Tmag"]) == ("string", "string", "int", "float")


def test_the_catalogue_goes_before_headers_and_these_before_nothing(archive):
    (row,) = ask(archive, "Mast.Catalogs.Filtered.Tic", params={"columns": "*", "filters": only("ID", STAR)})["data"]
    assert row["ra"] == pytest.approx(RA + 1e-5)
    assert row["Tmag"] == pytest.approx(float(stars()["Tmag"][0]))
    assert row["Teff"] is None  # masked in the catalogue, though the header has it
    (other,) = ask(
        archive, "Mast.Catalogs.Filtered.Tic.Rows", params={"columns": "ID,Tmag", "filters": only("ID", made.SECOND)}
    )["data"]
    assert other == {"ID": made.SECOND, "Tmag": 8.4}


def test_pages_and_counts(archive):
    bright = [{"paramName": "Tmag", "values": [{"min": 8, "max": 12}]}]
    expected = int(((stars()["Tmag"] >= 8) & (stars()["Tmag"] <= 12)).sum()) + 1  # and the star of the header
    asked = {"columns": "COUNT_BIG(*)", "filters": bright}
    assert ask(archive, "Mast.Catalogs.Filtered.Tic", params=asked)["data"] == [{"Column1": expected}]
    around = {"filters": bright, "ra": RA, "dec": DEC, "radius": 0.2}
    near = ask(archive, "Mast.Catalogs.Filtered.Tic.Position.Rows", params={"columns": "*", **around})
    assert len(near["data"]) < expected
    pages: list[Any] = []
    for page in range(1, 100):
        reply = ask(
            archive, "Mast.Catalogs.Filtered.Tic.Position", params={"columns": "ID", **around}, page=page, pagesize=7
        )
        assert reply["paging"]["rowsFiltered"] == len(near["data"])
        pages += [row["ID"] for row in reply["data"]]
        if page == reply["paging"]["pagesFiltered"]:
            break
    assert pages == [row["ID"] for row in near["data"]]
    counted = ask(archive, "Mast.Catalogs.Filtered.Tic.Position", params={"columns": "COUNT_BIG(*)", **around})
    assert counted["data"] == [{"Column1": len(near["data"])}]


def test_disposition_duplicates_and_the_candidate_list(archive):
    asked = {"columns": "ID,duplicate_id", "filters": only("disposition", "duplicate")}
    rows = ask(archive, "Mast.Catalogs.Filtered.Tic", params=asked)["data"]
    assert len(rows) == 8
    assert {row["duplicate_id"] for row in rows} == {STAR}
    candidates = ask(archive, "Mast.Catalogs.Filtered.Ctl", params={"columns": "ID", "filters": []})
    assert len(candidates["data"]) == 40


def test_clients_learn_which_columns_are_numbers(archive):
    reply = ask(archive, "Mast.Catalogs.All.Tic", params={}, format="extjs")
    ranges = reply["data"]["Tables"][0]["ExtendedProperties"]["continuousHistogram"]
    assert ranges["Tmag"]["min"] == pytest.approx(float(stars()["Tmag"].min()))
    assert not {"ID", "KIC", "HIP", "SDSS", "objID", "version"} & set(ranges)


@pytest.mark.parametrize("name", ["TIC 1234.csv", "tic-stars.csv.gz", "Tic.fits", "tic_s0001.ecsv", "tic.csv"])
def test_a_catalogue_may_be_in_other_formats(tmp_path: Path, name: str):
    import gzip

    table = stars(50)
    if name.endswith(".gz"):
        table.write(tmp_path / "plain.csv")
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / "plain.csv").read_bytes()))
        (tmp_path / "plain.csv").unlink()
    elif name.endswith(".ecsv"):
        table.write(tmp_path / name, delimiter=",")
    else:
        table.write(tmp_path / name)
    index = Index(tmp_path, index_path=":memory:")
    report = index.refresh()
    assert (report.catalogues, report.stars, report.damaged) == (1, 50, 0)
    rows = index.select("SELECT ID, ra, dec, Tmag, Teff, GAIA, disposition, duplicate_id FROM tic ORDER BY ID")
    expected = sorted(
        (
            int(row["ID"]), float(row["ra"]), float(row["dec"]), float(row["Tmag"]),
            None if np.ma.is_masked(row["Teff"]) else float(row["Teff"]), str(row["GAIA"]),
            str(row["disposition"]) or None, None if np.ma.is_masked(row["duplicate_id"]) else STAR,
        )
        for row in table
    )  # fmt: skip
    assert rows == expected
    index.close()


def test_stars_follow_their_file(tmp_path: Path):
    stars(30).write(tmp_path / "tic.csv")
    made.light_curve(tmp_path / made.LC1)
    index = Index(tmp_path, index_path=":memory:")
    index.refresh()

    def star() -> list[tuple[Any, ...]]:
        return index.select("SELECT ra FROM tic WHERE ID = ?", (STAR,))

    assert star() == [(RA + 1e-5,)]
    # Another extract, of fewer stars, in its place; then none.
    stars(30)[5:10].write(tmp_path / "tic.csv", overwrite=True)
    assert index.refresh().stars == 6
    assert star() == [(RA,)]
    (tmp_path / "tic.csv").unlink()
    assert index.refresh().stars == 1
    assert index.select("SELECT count(*) FROM stars_sky") == [(1,)]
    index.close()


@pytest.mark.parametrize(
    ("content", "state"),
    [
        ("ID,ra,dec\n1,2\n", "damaged"),
        ("ID,ra,dec\n1,two,3\n", "damaged"),
        ("ID,ra,dec\n", "catalogue"),
        ("", "damaged"),
        ("name,colour\nx,red\n", "foreign"),
        ("ID,ra,dec\n1,2,95\n-5,1,1\n,1,1\n99999999999,1,1\n", "catalogue"),
        ("# %ECSV 1.0\n# ---\n# delimiter: ','\nID,RA,DEC\n7,1,2\n", "catalogue"),
        ("ID,ra,dec\n1,\0,3\n", "damaged"),
    ],
)
def test_a_table_that_is_none_is_said_to_be_damaged_and_nothing_of_it_is_served(tmp_path, content, state):
    (tmp_path / "tic.csv").write_text(content)
    (tmp_path / "tic.ecsv").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "tic.fits").write_bytes(b"SIMPLE  =")
    index = Index(tmp_path, index_path=":memory:")
    index.refresh()
    states = dict(index.select("SELECT name, state FROM files"))
    assert states == {"tic.csv": state, "tic.ecsv": "damaged", "tic.fits": "damaged"}
    expected = [(7,)] if "7,1,2" in content else []
    assert index.select("SELECT ID FROM tic") == expected
    index.close()


def test_thousands_of_stars_are_indexed_in_seconds(tmp_path):
    import time

    stars(20_000).write(tmp_path / "tic.csv")
    index = Index(tmp_path, index_path=":memory:")
    start = time.perf_counter()
    assert index.refresh().stars == 20_000
    assert time.perf_counter() - start < 5  # 1 on a free machine
    index.close()
