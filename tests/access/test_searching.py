"""Search by everything it offers, on the simulated sky over real HTTP."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time

import tessellar
from tessellar.errors import QueryError
from tessellar.server import ServerThread
from tessellar.simulate import simulate


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky") / "archive"
    simulate(folder, seed=5, days=0.2, extras=False)
    return folder


@pytest.fixture(scope="module")
def archive(sky):
    with ServerThread(sky) as server:
        yield server.url


@pytest.fixture(scope="module")
def truth(sky):
    return Table.read(sky / "truth.ecsv")


def test_a_cone_gives_each_target_with_its_distance(archive, truth):
    star = truth[0]
    centre = SkyCoord(star["ra"], star["dec"], unit="deg")
    everywhere = SkyCoord(truth["ra"], truth["dec"], unit="deg")
    for position in (centre, (star["ra"], star["dec"]), f"{star['ra']} {star['dec']}", centre.to_string("hmsdms")):
        table = tessellar.search(position=position, radius=0.5, archive=archive)
        assert list(table["separation"]) == sorted(table["separation"])
        assert table["target_name"][0] == str(star["tic"])
        expected = {str(row["tic"]) for row in truth[centre.separation(everywhere).deg <= 0.5]}
        assert set(table["target_name"]) == expected
    places = SkyCoord(table["s_ra"], table["s_dec"], unit="deg")
    np.testing.assert_allclose(table["separation"], centre.separation(places).arcsec, atol=0.01)
    by_target = tessellar.search(int(star["tic"]), radius=0.5, archive=archive)
    assert set(by_target["target_name"]) == expected


def test_a_time_span_finds_what_overlaps_with_it(archive):
    everything = tessellar.search(obs_collection="TESS", archive=archive)
    assert set(everything["sequence_number"]) == {1, 2}
    first = everything.filter(sequence_number=1)
    start, end = float(first["t_min"].min()), float(first["t_max"].max())
    inside = tessellar.search(time=(start + 0.01, start + 0.02), archive=archive)
    assert set(inside["sequence_number"]) == {1}
    assert len(inside) == len(first)
    as_text = tessellar.search(time=(Time(start, format="mjd").iso, Time(end, format="mjd")), archive=archive)
    assert len(as_text) == len(first)
    assert len(tessellar.search(time=(end + 1, end + 2), archive=archive)) == 0


def test_any_column_is_a_criterion(archive, truth):
    tics = sorted({str(tic) for tic in truth["tic"]})[:2]
    assert set(tessellar.search(target_name=tics, archive=archive)["target_name"]) == set(tics)
    assert len(tessellar.search(obs_id="tess2018206045859-s0001*", archive=archive)) == 8
    assert len(tessellar.search(t_exptime=(100, 130), sector=1, archive=archive)) == 8


@pytest.mark.parametrize(
    ("criteria", "told"),
    [
        ({"objid": 1}, "did you mean .*objID"),
        ({"target_name": (1, 2)}, "range"),
        ({"sector": 1, "kind": "movie"}, "movie"),
        ({"position": "nowhere", "radius": 1}, "nowhere"),
        ({"position": (10, 95), "radius": 1}, "sky"),
        ({"position": (float("nan"), 5), "radius": 1}, "sky"),
        ({"t_exptime": (float("nan"), 5)}, "finite"),
        ({"t_exptime": (20, 5)}, "lower one first"),
        ({"t_exptime": ("a", 5)}, "finite"),
        ({"t_exptime": float("inf")}, "finite"),
        ({"sector_first": 1}, "no column of the archive"),
        ({"obs_id": ["*a", "b*"]}, "one pattern"),
        ({"position": (10, 10)}, "radius"),
        ({"radius": 1, "sector": 1}, "target or a position"),
        ({"target": "TIC 1", "position": (10, 10), "radius": 1}, "not both"),
        ({"time": (60000, 59000)}, "ends before it begins"),
        ({"time": ("never", "ever")}, "cannot be read"),
        ({}, "millions of rows"),
    ],
)
def test_senseless_criteria_are_refused_before_anything_is_asked(criteria, told):
    with pytest.raises(ValueError, match=told):
        tessellar.search(archive="http://127.0.0.1:9", **criteria)


def test_a_table_survives_ecsv(archive, tmp_path):
    table = tessellar.search(sector=1, archive=archive)
    table.write(tmp_path / "found.ecsv", format="ascii.ecsv")
    again = type(table).read(tmp_path / "found.ecsv", format="ascii.ecsv")
    assert again.colnames == table.colnames
    assert list(again["obs_id"]) == list(table["obs_id"])
    assert again.meta["archive"] == archive
    products = tessellar.list_products(again, kind="tpf")
    assert len(products) == 8
    assert len(tessellar.list_products(table)) == 16


def test_products_know_their_sizes_and_urls(archive, sky):
    products = tessellar.list_products(tessellar.search(sector=2, archive=archive))
    sizes = {path.name: path.stat().st_size for path in sky.rglob("*-s0002-*.fits")}
    assert dict(zip(products["productFilename"], products["size"], strict=True)) == {
        name: size for name, size in sizes.items() if name.startswith("tess")
    }
    assert products.total_size == sum(size for name, size in sizes.items() if name.startswith("tess"))
    assert all(url.startswith(archive) for url in products.to_urls())
    with pytest.raises(QueryError, match="nonsense"):
        products.filter(nonsense=1)
