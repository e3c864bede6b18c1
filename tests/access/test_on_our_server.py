"""Stars and cut-outs from our own archive: what goes in comes out."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table

import tessellar
from tessellar import Field, config
from tessellar.access import cutout_fields, fetch_cutouts, save_observations, save_stars, stars
from tessellar.mission import locate_many
from tessellar.server import ServerThread
from tessellar.simulate import simulate_frames


def test_the_stars_of_a_ccd_are_those_of_the_catalogue_on_it(full_sky, full_archive, tmp_path):
    catalogue = Table.read(full_sky / "tic.ecsv")
    index, _, camera, ccd, _, _ = locate_many(catalogue["ra"], catalogue["dec"], [1])
    here = index[(camera == 4) & (ccd == 1)]
    kinds = [str(word) if word is not np.ma.masked else "" for word in catalogue["disposition"]]
    stars_there = {int(catalogue["ID"][i]) for i in here if kinds[i] not in ("DUPLICATE", "ARTIFACT")}
    with config.overriding(strip_rows=25):
        table = stars(field=Field(1, 4, 1), archive=full_archive)
        saved = save_stars(tmp_path / "tic.ecsv", "1-4-1", archive=full_archive)
    assert set(table["ID"].tolist()) == stars_there
    assert saved.rows == len(stars_there) > 50
    every = stars(field=Field(1, 4, 1), all_entries=True, archive=full_archive)
    assert {int(catalogue["ID"][i]) for i in here} == set(every["ID"].tolist())
    duplicate = kinds.index("DUPLICATE")
    followed = stars(int(catalogue["ID"][duplicate]), archive=full_archive)
    assert followed["ID"].tolist() == [int(catalogue["duplicate_id"][duplicate])]


def test_the_extract_that_was_saved_is_a_catalogue_that_can_be_served(full_archive, tmp_path):
    save_stars(tmp_path / "tic.ecsv", "1-4-1", tmag=12, archive=full_archive)
    with ServerThread(tmp_path) as again:
        one, two = (stars(field="1-4-1", tmag=12, archive=url) for url in (full_archive, again.url))
    assert len(one) > 5
    assert one["ID"].tolist() == two["ID"].tolist()
    assert one["Tmag"].tolist() == two["Tmag"].tolist()
    assert one["GAIA"].tolist() == two["GAIA"].tolist()


def test_all_observations_are_written_whatever_the_size_of_a_strip(full_archive, tmp_path):
    whole = save_observations(tmp_path / "whole.csv", wanted=["obs_id"], archive=full_archive)
    with config.overriding(strip_rows=5, page_size=2):
        parts = save_observations(tmp_path / "parts.csv", wanted=["obs_id"], archive=full_archive)
    assert whole.rows == parts.rows == parts.rows + parts.missing
    lines = [sorted((tmp_path / f"{name}.csv").read_text().splitlines()) for name in ("whole", "parts")]
    assert lines[0] == lines[1]
    assert len(set(lines[0])) == whole.rows + 1


@pytest.mark.heavy
def test_cut_outs_hold_the_pixels_of_the_frames(tmp_path):
    pytest.importorskip("astrocut")
    frames = simulate_frames(tmp_path / "frames", "1-4-1", window=((700, 759), (900, 951)), n_frames=4)
    ra, dec = (float(np.asarray(each)) for each in frames.plane(2).to_sky(730.0, 925.0))
    with ServerThread(frames.directory) as server:
        assert Field(1, 4, 1) in cutout_fields((ra, dec), archive=server.url)
        found = fetch_cutouts((ra, dec), tmp_path / "data", size=(5, 7), sectors=1, archive=server.url)
    assert found.ok, found.manifest["Message"]
    (path,) = found.paths
    pixels = tessellar.read(path)
    assert pixels.flux.shape == (4, 5, 7)
    assert not pixels.background_subtracted
    column, row = pixels.corner
    first = tessellar.read(frames.paths[0]).part((column, column + 6), (row, row + 4))
    np.testing.assert_array_equal(pixels.flux[0], first)
