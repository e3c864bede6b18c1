"""Which URLs offer a file, in the order that the user wants."""

from __future__ import annotations

import shutil

import pytest

import tessellar
from tessellar.access.fetching import repair
from tessellar.access.sources import Sources
from tessellar.errors import InputError
from tessellar.net import Remote
from tessellar.server import ServerThread
from tessellar.simulate import simulate

NAME = "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits"
REMOTE = Remote(f"mast:TESS/product/{NAME}", "http://archive/file", NAME, "TESS", "obs")


def urls(named) -> list[str]:
    (remote,) = Sources(named).offer([REMOTE])
    return [remote.url, *remote.others]


def test_the_order_is_that_of_the_user_and_none_is_asked_twice(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / NAME).write_bytes(b"x")
    mirror = f"http://mirror:8000/api/v0.1/Download/file?uri=mast:TESS/product/{NAME}"
    assert urls("archive") == ["http://archive/file"]
    assert urls(f"{tmp_path}, http://mirror:8000/, archive, archive") == [
        (tmp_path / "deep" / NAME).as_uri(),
        mirror,
        "http://archive/file",
    ]
    assert urls(["archive", "http://mirror:8000"]) == ["http://archive/file", mirror]


def test_the_archive_is_asked_where_no_source_has_the_file(tmp_path):
    assert urls(str(tmp_path)) == ["http://archive/file"]


@pytest.mark.parametrize("named", ["", "archive,,cloud", "ftp://mirror", "/no/such/folder", []])
def test_what_is_no_source_is_refused_by_name(named):
    with pytest.raises(InputError, match=r"source|archive"):
        Sources(named)


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky")
    simulate(folder, seed=5, days=0.2, sectors=(1,), extras=False)
    return folder


def test_a_mirror_and_a_folder_stand_in_for_an_archive_that_lost_a_file(sky, tmp_path, monkeypatch):
    monkeypatch.setenv("TESSELLAR_RETRY_WAIT", "0.01")
    poor = tmp_path / "poor"
    shutil.copytree(sky, poor)
    with ServerThread(poor) as archive, ServerThread(sky) as mirror:
        table = tessellar.search(sector=1, archive=archive.url)
        products = tessellar.list_products(table).filter(kind="lightcurve")
        lost = sorted(poor.rglob("*_lc.fits"))[0]
        lost.unlink()
        assert not tessellar.fetch(products, tmp_path / "a").ok
        manifest = tessellar.fetch(products, tmp_path / "b", sources=["archive", mirror.url])
        assert manifest.ok
        assert [url.startswith(mirror.url) for url in manifest["URL"]].count(True) == 1
        manifest = tessellar.fetch(products, tmp_path / "c", sources=["archive", str(sky)], layout="{sector}/{kind}")
        assert manifest.ok
        assert {path.parent for path in manifest.paths} == {tmp_path / "c" / "s0001" / "lightcurve"}
        # With the folder first, and all in it, the archive is not needed at all.
    manifest = tessellar.fetch(products, tmp_path / "d", sources=str(sky))
    assert manifest.ok
    assert {path.read_bytes() for path in manifest.paths} == {path.read_bytes() for path in sky.rglob("*_lc.fits")}


def test_a_repaired_file_comes_back_where_it_was(sky, tmp_path):
    with ServerThread(sky) as archive:
        products = tessellar.list_products(tessellar.search(sector=1, archive=archive.url)).filter(kind="lightcurve")
        folders = {"a": "{author}/{{odd}}/{sector}", "b": "flat", "c": "astroquery"}
        for folder, layout in folders.items():
            manifest = tessellar.fetch(products, tmp_path / folder, layout=layout)
            damaged, gone = manifest.paths[:2]
            damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
            gone.unlink()
            repaired = repair(tessellar.Store(tmp_path / folder))
            assert repaired.ok
            assert sorted(repaired.paths) == sorted([damaged, gone])
            assert damaged.read_bytes() == next(sky.rglob(damaged.name)).read_bytes()
