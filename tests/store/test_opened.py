"""A fetched set opens lazily: a table of what the names tell, models when they are asked for."""

from __future__ import annotations

import numpy as np
import pytest

import tessellar
from tessellar.errors import Corrupt, InputError
from tessellar.products import LightCurve, TargetPixelFile
from tessellar.server import ServerThread
from tessellar.simulate import simulate
from tessellar.store.opened import OpenedSet


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky")
    simulate(folder / "sky", seed=5, days=0.2, sectors=(1,))
    with ServerThread(folder / "sky") as server:
        table = tessellar.search(sector=1, author="SPOC", cadence=120, archive=server.url)
        return tessellar.fetch(table, folder / "data")


def test_one_row_a_file_and_nothing_is_read_for_it(manifest, monkeypatch):
    def never(path):
        raise AssertionError(f"{path} was read")

    with monkeypatch.context() as patch:
        patch.setattr("tessellar.store.opened.read", never)
        opened = manifest.open()
        readable = [path for path in manifest.paths if path.suffix != ".pdf"]
        assert len(opened) == len(opened.table) == len(readable)
        assert set(opened.table["kind"]) >= {"lightcurve", "tpf"}
        assert "read when asked for" in repr(opened)
        curves = opened.filter(kind="lightcurve", sector=[1])
        assert 0 < len(curves) < len(opened)
        assert len(curves[:2]) == 2
        assert "<table" in opened._repr_html_()
    assert all(isinstance(curve, LightCurve) for curve in curves)
    pixels = opened.filter(kind="tpf")[-1]
    assert isinstance(pixels, TargetPixelFile)
    assert np.isfinite(pixels.flux).any()
    star = int(curves.table["tic"][0])
    assert int(curves.filter(tic=star)[0].tic) == star


def test_what_the_table_does_not_have_is_refused(manifest):
    with pytest.raises(InputError, match="there are file, kind"):
        manifest.open().filter(sectr=1)


def test_a_damaged_file_is_told_when_it_is_asked_for(manifest, tmp_path):
    broken = tmp_path / manifest.open().paths[0].name
    broken.write_bytes(manifest.open().paths[0].read_bytes()[:5000])
    opened = OpenedSet([broken, tmp_path / "notes.pdf"])
    assert len(opened) == 1
    with pytest.raises(Corrupt):
        opened[0].flux  # noqa: B018
