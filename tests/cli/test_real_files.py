"""The journey on real files, served by our own archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tessellar as package
from tessellar.server import ServerThread

STAR = "TIC 25155310"


@pytest.fixture(scope="module")
def real_archive(real_data):
    with ServerThread(real_data) as server:
        yield server.url


def test_from_a_name_to_the_pipeline_s_own_fluxes(tessellar, real_archive, real_data, tmp_path):
    found = tessellar("--archive", real_archive, "--json", "find", STAR).json
    assert {row["target"] for row in found} == {"25155310"}
    assert {(row["sector"], row["camera"], row["ccd"], row["cadence"]) for row in found} == {(1, 4, 1, 120.0)}
    assert {row["kind"] for row in found} == {"lightcurve", "tpf"}

    fetched = tessellar("--archive", real_archive, "--json", "fetch", STAR, "-o", tmp_path)
    assert fetched.code == 0, fetched.err
    for row in fetched.json:
        path = Path(row["path"])
        assert path.read_bytes() == (real_data / path.name).read_bytes()

    ran = tessellar("--json", "photometry", tmp_path, "--tic", "25155310", "--aperture", "pipeline", "-o", tmp_path)
    assert ran.code == 0, ran.err
    measured = [row for row in ran.json if row["status"] == "OK"]
    assert [Path(row["input"]).name for row in measured] == ["tess25155310-s01-first-cadences.fits.gz"]

    ours = package.read(measured[0]["path"])
    theirs = package.read(next(tmp_path.rglob("*-0120-s_lc.fits")))
    same = np.isin(theirs.cadenceno, ours.cadenceno)
    assert same.sum() == len(ours.btjd) == 5
    np.testing.assert_allclose(ours.flux, theirs.column("SAP_FLUX")[same], rtol=1e-6)
    np.testing.assert_allclose(ours.column("FLUX_BKG"), theirs.column("SAP_BKG")[same], rtol=1e-6)
    np.testing.assert_array_equal(ours.btjd, theirs.btjd[same])
    np.testing.assert_array_equal(ours.quality, theirs.quality[same])
    np.testing.assert_array_equal(ours.aperture & 2, theirs.aperture & 2)


def test_every_real_file_is_found_and_fetched(tessellar, real_archive, real_data, tmp_path):
    """Also those that were edited after their sums were written."""
    stars = {"188589164": 3, "117544915": 2, "25155310": 4, "307210830": 2}
    for star, files in stars.items():
        ran = tessellar("--archive", real_archive, "--json", "fetch", star, "-o", tmp_path)
        assert ran.code == 0, ran.err
        assert len(ran.json) == files, [row["path"] for row in ran.json]
        for row in ran.json:
            path = Path(row["path"])
            assert path.read_bytes() == (real_data / path.name).read_bytes()


def test_resolve_knows_the_real_star(tessellar, real_archive):
    found = tessellar("--archive", real_archive, "--json", "resolve", STAR).json
    assert (found["tic"], found["sectors"]) == (25155310, [1])
    assert abs(found["ra"] - 63.37389) < 1e-4
    assert abs(found["dec"] + 69.226789) < 1e-4
    assert abs(found["tmag"] - 10.555) < 0.01
