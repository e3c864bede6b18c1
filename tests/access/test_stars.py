"""Stars of the TIC: on a CCD wherever it lies, by id through duplicates, moved to an epoch."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time

from tessellar import TIC, Field, config
from tessellar.access import save_stars, stars
from tessellar.errors import InputError, QueryError
from tessellar.mission import locate_many
from tessellar.mission.ccd import ccd_plane
from tessellar.products.stars import StarTable, contamination_of
from tests.webserver import FileServer, Misbehaviour, running


class Catalogue(FileServer):
    """A TIC that answers questions by ranges, and notes them."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        super().__init__()
        self.columns = {name: np.array([row.get(name) for row in rows]) for name in rows[0]}
        self.rows = rows
        self.asked: list[dict[str, Any]] = []
        self.most_ids = 10**9

    def answer(self, path: str) -> Misbehaviour | None:
        question = json.loads(parse_qs(self.forms[-1])["request"][0])
        self.asked.append(question)
        keep = np.ones(len(self.rows), dtype=bool)
        for each in question["params"]["filters"]:
            column, values = self.columns[each["paramName"]], each["values"]
            if each["paramName"] == "ID":
                if len(values) > self.most_ids:
                    return Misbehaviour(status=504)
                keep &= np.isin(column.astype(str), values)
            else:
                numbers = np.array([np.nan if value is None else value for value in column], float)
                keep &= np.any([(numbers >= v["min"]) & (numbers <= v["max"]) for v in values], axis=0)
        found = np.flatnonzero(keep)
        if question["params"]["columns"] == "COUNT_BIG(*)":
            data, total = [{"Column1": len(found)}], 1
        else:
            first, total = (question["page"] - 1) * question["pagesize"], len(found)
            data = [self.rows[i] for i in found[first : first + question["pagesize"]]]
        pages = max(-(-total // question["pagesize"]), 1)
        paging = {"page": question["page"], "pagesFiltered": pages, "rowsFiltered": total}
        return Misbehaviour(
            status=200, body=json.dumps({"status": "COMPLETE", "data": data, "paging": paging}).encode()
        )


def around(field: Field, count: int = 6000) -> list[dict[str, Any]]:
    """Stars all over a CCD and well around it."""
    random = np.random.default_rng(field.camera)
    column, row = random.uniform(-900, 3000, count), random.uniform(-900, 2900, count)
    ra, dec = ccd_plane(field).to_sky(column, row)
    return [
        {"ID": 1000 + i, "ra": float(ra[i]), "dec": float(dec[i]), "Tmag": float(6 + 10 * i / count), "pmRA": None,
         "pmDEC": None, "disposition": None, "duplicate_id": None}
        for i in range(count)
    ]  # fmt: skip


# Two around the poles, two across right ascension 0, one elsewhere.
PLACES = [Field(19, 3, 3), Field(12, 3, 4), Field(2, 1, 2), Field(42, 2, 3), Field(5, 2, 3)]


@pytest.mark.parametrize("field", PLACES)
def test_the_stars_on_a_ccd_are_those_whose_pixels_are_on_it(field):
    rows = around(field)
    ra, dec = (np.array([row[name] for row in rows]) for name in ("ra", "dec"))
    index, _, camera, ccd, _, _ = locate_many(ra, dec, [field.sector])
    expected = {1000 + int(i) for i in index[(camera == field.camera) & (ccd == field.ccd)] if rows[i]["Tmag"] <= 14}
    with running(Catalogue(rows)) as server, config.overriding(strip_rows=400, page_size=150):
        table = stars(field=field, tmag=14, archive=server.url)
        assert len(expected) > 500
        assert set(table["ID"].tolist()) == expected
        assert table["Tmag"].tolist() == sorted(table["Tmag"])
        counts = [question for question in server.asked if question["params"]["columns"] == "COUNT_BIG(*)"]
    assert 5 < len(counts) < 60


def test_a_margin_lets_stars_beside_the_ccd_in():
    field = Field(1, 4, 1)
    rows = around(field)
    with running(Catalogue(rows)) as server:
        inside, wider = (stars(field="1-4-1", margin=margin, archive=server.url) for margin in (0, 50))
    column, _ = ccd_plane(field).to_pixel(wider["ra"], wider["dec"])
    assert set(inside["ID"]) < set(wider["ID"])
    assert -6 < column.min() < 20
    assert 2130 < column.max() < 2143


def test_a_ccd_is_written_strip_by_strip(tmp_path):
    field = Field(1, 1, 1)
    with running(Catalogue(around(field))) as server, config.overriding(strip_rows=400):
        saved = save_stars(tmp_path / "tic.ecsv", field, tmag=12, epoch=2018.6, archive=server.url)
        table = stars(field=field, tmag=12, archive=server.url)
    written = Table.read(saved.path)
    assert saved.rows == len(written) == len(table)
    assert set(written["ID"]) == set(table["ID"])
    assert written["ra"].unit == "deg"
    assert not written["moved"].any()
    assert written["ra_epoch"].tolist() == pytest.approx(written["ra"].tolist(), abs=1e-12)


FEW = [
    {"ID": 1, "ra": 10.0, "dec": -30.0, "Tmag": 9.0, "pmRA": 1000.0, "pmDEC": -2000.0, "disposition": "SPLIT"},
    {"ID": 2, "ra": 10.1, "dec": -30.0, "Tmag": 9.5, "disposition": "DUPLICATE", "duplicate_id": 3},
    {"ID": 3, "ra": 10.1, "dec": -30.0, "Tmag": 9.4, "disposition": "DUPLICATE", "duplicate_id": "4"},
    {"ID": 4, "ra": 10.1, "dec": -30.0, "Tmag": 9.3, "GAIA": 5251470948229139, "disposition": None},
    {"ID": 5, "ra": 10.2, "dec": -30.0, "Tmag": 9.2, "disposition": "ARTIFACT"},
    {"ID": 6, "ra": 10.2, "dec": -30.0, "Tmag": 9.2, "disposition": "DUPLICATE", "duplicate_id": 6},
    {"ID": 7, "ra": 10.2, "dec": -30.0, "Tmag": 9.2, "disposition": "DUPLICATE", "duplicate_id": None},
]  # fmt: skip


@pytest.fixture
def few():
    with running(Catalogue(FEW)) as server:
        yield server


def test_duplicates_are_followed_to_the_star(few):
    table = stars([2, "TIC 1", TIC(4), 99, 5, 6], archive=few.url)
    assert table["ID"].tolist() == [4, 1]
    assert table.meta["duplicates"] == {"2": 4}
    assert table.meta["unknown"] == [99, 5, 6]
    assert table["GAIA"].tolist() == ["5251470948229139", None]
    assert stars([2, 5, 7], all_entries=True, archive=few.url)["ID"].tolist() == [2, 5, 7]


def test_none_of_the_ids_is_told(few):
    with pytest.raises(QueryError, match="TIC 98, 99: not in the catalogue"):
        stars([98, 99], archive=few.url)


def test_many_ids_are_asked_in_batches_that_shrink():
    rows = [{"ID": n, "ra": 1.0, "dec": 2.0, "Tmag": 9.0, "disposition": None} for n in range(1, 701)]
    with running(Catalogue(rows)) as server:
        server.most_ids = 100
        assert len(stars(range(1, 701), archive=server.url)) == 700


def test_proper_motion_is_applied_as_astropy_does_and_what_has_none_is_kept(few):
    table = stars([1, 4], epoch=2018.6, archive=few.url)
    assert table["moved"].tolist() == [True, False]
    assert table["ra_epoch"][1] == pytest.approx(10.1, abs=1e-12)
    assert table["ra"].tolist() == [10.0, 10.1]
    motion = units.mas / units.yr
    star = SkyCoord(10.0 * units.deg, -30.0 * units.deg, pm_ra_cosdec=1000 * motion, pm_dec=-2000 * motion,
                    obstime=Time(2000.0, format="jyear"), distance=1000 * units.pc)  # fmt: skip
    there = star.apply_space_motion(new_obstime=Time(2018.6, format="jyear"))
    here = SkyCoord(table["ra_epoch"][0], table["dec_epoch"][0], unit="deg")
    assert here.separation(SkyCoord(there.ra, there.dec)).mas < 5  # half a day of the motion
    same = stars([1, 4], epoch="2018-08-08T04:00", archive=few.url)
    assert same["ra_epoch"][0] == pytest.approx(table["ra_epoch"][0], abs=1e-7)


def test_a_table_of_stars_survives_files(few, tmp_path):
    table = stars([1, 4], wanted=["ID", "ra", "dec", "Tmag", "GAIA", "contratio"], archive=few.url)
    assert table.colnames == ["ID", "ra", "dec", "Tmag", "GAIA", "contratio"]
    table.write(tmp_path / "tic.ecsv")
    table.write(tmp_path / "tic.vot", format="votable")
    again = StarTable.read(tmp_path / "tic.ecsv")
    assert again["ID"].tolist() == [1, 4]
    assert again["GAIA"][1] == "5251470948229139"
    assert Table.read(tmp_path / "tic.vot")["ra"].tolist() == [10.0, 10.1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "one of the three"),
        ({"ids": 1, "field": "1-1-1"}, "one of the three"),
        ({"position": (1, 2)}, "radius"),
        ({"field": "1-9-1"}, "camera"),
        ({"field": "nowhere"}, "sector-camera-ccd"),
        ({"ids": []}, "no id"),
        ({"ids": "WASP-18"}, "TIC id"),
        ({"ids": 1, "epoch": "never"}, "Julian year"),
        ({"ids": 1, "epoch": 59000}, "Julian year"),
        ({"ids": 1, "tmag": -30}, "magnitude"),
        ({"ids": 1, "wanted": ["tmag"]}, "did you mean Tmag"),
    ],
)
def test_senseless_questions_are_refused_before_anything_is_asked(options, told):
    with pytest.raises(InputError, match=told):
        stars(archive="http://127.0.0.1:9", **options)


def test_contamination_is_a_share_of_all_light():
    assert contamination_of([0.0, 0.25, np.nan]).tolist()[:2] == [0.0, 0.2]
