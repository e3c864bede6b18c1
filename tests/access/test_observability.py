"""Where and when a star is, or will be, seen."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from tessellar.access import observability
from tessellar.errors import InputError
from tessellar.mission import locate
from tessellar.server import ServerThread
from tessellar.simulate import simulate


def test_one_position_in_every_spelling():
    table = observability((63.37389, -69.226789))
    for other in ("63.37389 -69.226789", SkyCoord(63.37389, -69.226789, unit="deg"), ([63.37389], [-69.226789])):
        again = observability(other)
        assert all((again[name] == table[name]).all() for name in table.colnames)
    places = locate(63.37389, -69.226789)
    assert table["sector"].tolist() == [place.field.sector for place in places]


@pytest.mark.heavy
def test_ten_thousand_positions_at_once_are_where_each_is_alone():
    rng = np.random.default_rng(7)
    ra, dec = rng.uniform(0, 360, 10_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 10_000)))
    table = observability((ra, dec))
    for index in (0, 17, 9999):
        mine = table[table["index"] == index]
        alone = locate(float(ra[index]), float(dec[index]))
        assert mine["sector"].tolist() == [place.field.sector for place in alone]
        np.testing.assert_allclose(mine["column"], [place.column for place in alone], atol=1e-9)
    assert (table["edge"] >= 0).all()
    assert table["edge"].max() < 1024.5
    predicted = set(table["sector"][~table["measured"]])
    assert predicted
    assert predicted.isdisjoint(table["sector"][table["measured"]])


@pytest.mark.heavy
def test_tesswcs_finds_the_same_ccds():
    """Its WCS of sectors 92 to 108 are off by up to some pixels: near an edge they may differ."""
    tesswcs = pytest.importorskip("tesswcs")
    logging.getLogger("tesswcs").setLevel(logging.ERROR)
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, 12), np.degrees(np.arcsin(rng.uniform(-1, 1, 12)))
    table = observability((ra, dec), sectors=range(1, 109))
    inside = table[table["edge"] > 5]
    compared = 0
    for index, sector, camera, ccd in inside.iterrows("index", "sector", "camera", "ccd"):
        column, row = tesswcs.WCS.from_sector(int(sector), int(camera), int(ccd)).all_world2pix(
            ra[index], dec[index], 1
        )
        mine = inside[(inside["index"] == index) & (inside["sector"] == sector)][0]
        limit = 0.3 if sector < 92 else 5.0
        assert np.hypot(column - mine["column"], row - mine["row"]) < limit
        compared += 1
    assert compared > 30


def test_a_star_says_where_the_archive_has_it(tmp_path):
    simulate(tmp_path / "sky", days=0.05, extras=False)
    with ServerThread(tmp_path / "sky") as server:
        table = observability("TIC 9900000001", archive=server.url)
    assert table["sector"][table["products"]].tolist() == [1, 2]
    assert len(table) > 20
    assert table.meta["tic"] == 9900000001


@pytest.mark.parametrize("where", [(10.0, 95.0), "400 10", ([1, 2], [3]), (1, 2, 3)])
def test_what_is_no_position_is_refused(where):
    with pytest.raises(InputError):
        observability(where)


def test_an_unseen_place_is_an_empty_table():
    assert len(observability((0.0, 0.0), sectors=[1])) == 0
    assert observability((0.0, 0.0), sectors=[1]).colnames[:3] == ["index", "sector", "camera"]
