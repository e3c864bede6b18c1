"""The mission's models of the pixel response: their names, and fetching them from an archive that has them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from astropy.io import fits
from click.testing import CliRunner

from tessellar import Field
from tessellar.access import fetch_responses
from tessellar.archives.models import response_remotes
from tessellar.cli.main import group
from tessellar.mission.responses import model_path, response_models
from tessellar.pixels import MissionPRF, PreparedField
from tessellar.server import ServerThread
from tessellar.simulate import simulate_frames
from tessellar.simulate.frames.responses import write_responses

FIELD = Field(27, 3, 2)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("models")
    write_responses(folder, FIELD)
    with ServerThread(folder) as server:
        yield server.url


@pytest.mark.heavy
def test_all_models_of_a_ccd_come_and_make_a_response(archive: str, tmp_path: Path) -> None:
    fetched = fetch_responses("27-3-2", tmp_path, archive=archive)
    assert fetched.ok
    assert len(fetched.paths) == 25
    assert {path.parent for path in fetched.paths} == {tmp_path / "prf/cam3_ccd2"}
    prf = MissionPRF.open(fetched.paths, camera=3, ccd=2, sector=27)
    assert prf.boxes([1000.3], [700.2]).sum() == pytest.approx(1.0, abs=1e-5)
    assert {row["Attempts"] for row in fetch_responses(FIELD, tmp_path, archive=archive)} == {0}, "asked for again"


def test_a_ccd_that_the_archive_lacks_is_told(archive: str, tmp_path: Path) -> None:
    fetched = fetch_responses("27-3-3", tmp_path, archive=archive)
    assert not fetched.ok
    assert len(fetched.failed) == 25
    assert not list(tmp_path.rglob("*.fits"))


def test_lists_of_files_are_served_as_clients_look_through_them(archive: str) -> None:
    folder = "/missions/tess/models/prf_fitsfiles/start_s0004/cam3_ccd2"
    listed = httpx.get(f"{archive}{folder}/").text
    assert listed.count('href="tess2019107181902-prf-3-2-row') == 25
    name = "tess2019107181902-prf-3-2-row0513-col2092.fits"
    assert httpx.get(f"{archive}{folder}/{name}").content[:6] == b"SIMPLE"
    for wrong in (f"start_s0001/cam3_ccd2/{name}", f"start_s0004/cam1_ccd1/{name}", "start_s0004/cam3_ccd2/x.fits"):
        assert httpx.get(f"{archive}/missions/tess/models/prf_fitsfiles/{wrong}").status_code == 404


def test_names_are_those_of_the_real_files(real_data: Path) -> None:
    real = [path.name.removeprefix("s1-3_") for path in real_data.glob("*prf*.fits")]
    assert len(real) == 8
    for name in real:
        path = model_path(name)
        assert path is not None
        camera, ccd = int(name.split("-")[2]), int(name.split("-")[3])
        assert path in response_models(Field(2, camera, ccd)).paths
        assert path not in response_models(Field(4, camera, ccd)).paths


def test_mast_has_them_on_a_host_of_their_own() -> None:
    (first, *others) = response_remotes("https://mast.stsci.edu", Field(1, 1, 1))
    assert len(others) == 24
    assert first.url == (
        "https://archive.stsci.edu/missions/tess/models/prf_fitsfiles/start_s0001/cam1_ccd1/"
        "tess2018243163600-prf-1-1-row0001-col0045.fits"
    )
    assert first.uri == first.url


def test_prepare_takes_them_from_the_archive_where_the_folder_has_none(archive: str, tmp_path: Path) -> None:
    truth = simulate_frames(tmp_path, FIELD, window=96, n_frames=10, cadence=600, stars=100_000)
    shutil.rmtree(tmp_path / "prf")
    for path in truth.paths:
        with fits.open(path, mode="update") as hdus:
            for hdu in hdus:
                hdu.header.remove("SIMULATD", ignore_missing=True)
                hdu.header.remove("SIMDATA", ignore_missing=True)
    words = ["--json", "--archive", archive, "prepare", str(tmp_path), "--sector", "27", "--camera", "3", "--ccd", "2"]
    done = CliRunner().invoke(group, words, standalone_mode=False)
    assert done.exception is None, done.output
    made = PreparedField(json.loads(done.stdout)["path"])
    assert made.provenance.settings["response"].startswith("<MissionPRF camera 3, CCD 2, 5 x 5 places")
    assert len(list((tmp_path / "prf/cam3_ccd2").glob("*.fits"))) == 25
