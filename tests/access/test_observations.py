"""The face that users of astroquery know: what code written for it does, and what astroquery itself gets."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys

import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.table import Table

from tessellar.access import ObservationsFace
from tessellar.errors import QueryError
from tessellar.server import ServerThread
from tessellar.simulate import simulate


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky") / "archive"
    simulate(folder, seed=5, days=0.1, extras=False)
    return folder


@pytest.fixture(scope="module")
def url(sky):
    with ServerThread(sky) as server:
        yield server.url


@pytest.fixture
def face(url):
    return ObservationsFace(url)


STAR = "9900000001"


def test_the_page_s_own_steps(face, sky, tmp_path):
    observations = face.query_criteria(obs_collection="TESS", target_name=STAR)
    assert set(observations["dataproduct_type"]) == {"timeseries"}
    assert all(str(each).endswith("lc.fits") for each in observations["dataURL"])
    assert len(observations.to_pandas()) == 2
    products = face.get_product_list(observations)
    assert set(products["productSubGroupDescription"]) == {"LC", "TP"}
    manifest = face.download_products(products, download_dir=tmp_path, productSubGroupDescription="LC")
    assert manifest.colnames[:4] == ["Local Path", "Status", "Message", "URL"]
    assert set(manifest["Status"]) == {"COMPLETE"}
    for path in manifest.paths:
        assert path.read_bytes() == (sky / path.name).read_bytes()
        assert path.parent.parent == tmp_path / "mastDownload" / "TESS"


def test_a_row_an_id_and_a_list_of_ids_do_as_well(face, tmp_path):
    observations = face.query_criteria(obs_collection="TESS", target_name=STAR)
    whole = set(face.get_product_list(observations)["dataURI"])
    ids = [str(each) for each in observations["obsid"]]
    assert set(face.get_product_list(ids)["dataURI"]) == whole
    assert set(face.get_product_list(",".join(ids))["dataURI"]) == whole
    one = set(face.get_product_list(observations[0])["dataURI"])
    assert one == set(face.get_product_list(ids[0])["dataURI"]) == set(face.get_product_list(int(ids[0]))["dataURI"])
    assert len(one) == 2
    row = face.get_product_list(observations)[0]
    assert len(face.download_products(row, download_dir=tmp_path, flat=True).paths) == 1
    assert len(face.download_products(ids[0], download_dir=tmp_path, extension="lc.fits").paths) == 1


def test_positions_names_and_counts(face, sky):
    star = Table.read(sky / "truth.ecsv")[0]
    place = SkyCoord(star["ra"], star["dec"], unit="deg")
    near = face.query_region(place, radius=10 * units.arcsec)
    assert set(near["target_name"]) == {STAR}
    assert face.query_region_count(f"{star['ra']} {star['dec']}", radius="10 arcsec") == len(near) == 2
    assert len(face.query_object(f"TIC {STAR}", radius=0.003)) == face.query_object_count(f"TIC {STAR}", radius=0.003)
    assert face.query_criteria_count(obs_collection="TESS") == 16
    assert len(face.query_criteria(coordinates=place, radius=0.003, sequence_number=1)) == 1
    assert len(face.query_criteria(obs_id="tess*s0002*", t_exptime=[100, 130])) == 8


def test_criteria_that_astroquery_refuses_are_refused(face):
    with pytest.raises(QueryError, match="did you mean"):
        face.query_criteria(target_nam="1")
    with pytest.raises(QueryError, match="criterion"):
        face.query_criteria(coordinates="10 10", radius=1)
    with pytest.raises(ValueError, match="nonsense"):
        face.get_metadata("nonsense")


def test_filters_narrow_products(face):
    products = face.get_product_list(face.query_criteria(target_name=STAR))
    assert len(face.filter_products(products, productSubGroupDescription=["lc", "tp"])) == len(products)
    assert len(face.filter_products(products, extension="_tp.fits")) == 2
    assert len(face.filter_products(products, mrp_only=True, productType="SCIENCE")) == len(products)
    assert len(face.filter_products(products, productType="PREVIEW")) == 0
    with pytest.raises(QueryError, match="nonsense"):
        face.filter_products(products, nonsense=1)


def test_one_file_by_its_name(face, sky, tmp_path):
    name = f"tess2018206045859-s0001-{STAR:0>16}-0120-s_lc.fits"
    uri = f"mast:TESS/product/{name}"
    assert face.download_file(uri, local_path=tmp_path) == ("COMPLETE", None, None)
    assert (tmp_path / name).read_bytes() == (sky / name).read_bytes()
    assert face.download_file(uri, local_path=tmp_path / "mine.fits")[0] == "COMPLETE"
    assert (tmp_path / "mine.fits").read_bytes() == (sky / name).read_bytes()
    status, message, url = face.download_file("mast:TESS/product/none.fits", local_path=tmp_path)
    assert status == "ERROR"
    assert "404" in message
    assert url.endswith("none.fits")


def test_every_name_that_the_page_of_astroquery_has_is_here():
    names = {"query_criteria", "query_object", "query_region", "query_criteria_count", "query_object_count",
             "query_region_count", "get_metadata", "get_product_list", "filter_products", "download_products",
             "download_file"}  # fmt: skip
    assert names == {name for name, _ in inspect.getmembers(ObservationsFace, inspect.isfunction) if name[0] != "_"}


_ASTROQUERY = """
import json, sys
from astroquery.mast import Observations
found = Observations.query_criteria(obs_collection="TESS", target_name=[sys.argv[1]], sequence_number=[1, 2])
products = Observations.get_product_list(found)
metadata = {kind: sorted(Observations.get_metadata(kind)["Column Name"]) for kind in ("observations", "products")}
print(json.dumps({"found": {name: [str(v) for v in found[name]] for name in found.colnames},
                  "products": sorted(str(uri) for uri in products["dataURI"]), "metadata": metadata}))
"""


def test_astroquery_itself_gets_the_same(face, url, tmp_path):
    pytest.importorskip("astroquery")
    (tmp_path / "astroquery.cfg").write_text(f"[mast]\nserver = {url}\n")
    environment = {**os.environ, "ASTROPY_CONFIG_DIR": str(tmp_path), "ASTROPY_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", _ASTROQUERY, STAR], env=environment, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout.splitlines()[-1])
    ours = face.query_criteria(obs_collection="TESS", target_name=[STAR], sequence_number=[1, 2])
    order = [theirs["found"]["obs_id"].index(obs_id) for obs_id in ours["obs_id"]]
    for name in ("obs_id", "obsid", "target_name", "dataURL", "s_region", "provenance_name", "dataproduct_type"):
        assert [str(value) for value in ours[name]] == [theirs["found"][name][i] for i in order], name
    assert sorted(face.get_product_list(ours)["dataURI"]) == theirs["products"]
    for kind, names in theirs["metadata"].items():
        assert sorted(face.get_metadata(kind)["Column Name"]) == names, kind
