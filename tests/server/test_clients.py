"""The field's own clients, unmodified, each in a process of its own that only its settings point to the archive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from tessellar.mission import locate
from tessellar.server import ServerThread
from tests.server import folder as made
from tests.server.folder import OBS1, OBS2, STAR
from tests.server.test_catalogues import CENTRE, stars

HERE = Path(__file__).parent


def session(script: str, url: str, home: Path, *arguments: object) -> dict[str, Any]:
    """Run a client with settings that know only this archive, which is its name resolver too."""
    config = home / "config"
    config.mkdir(parents=True)
    (config / "astroquery.cfg").write_text(f"[mast]\nserver = {url}\n")
    environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environ |= {
        "HOME": str(home), "ASTROPY_CONFIG_DIR": str(config), "ASTROPY_CACHE_DIR": str(home),
        "XDG_CACHE_HOME": str(home),
        "HTTP_PROXY": url, "http_proxy": url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "MPLBACKEND": "Agg",
    }  # fmt: skip
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=home, timeout=240)
    assert ran.returncode == 0, ran.stderr
    said: dict[str, Any] = json.loads(ran.stdout[ran.stdout.index("{") :])
    return said


def same_bytes(paths: list[str], folder: Path) -> bool:
    originals = {path.name: path for path in folder.rglob("*") if path.is_file()}
    return all(Path(path).read_bytes() == originals[Path(path).name].read_bytes() for path in paths)


def test_astroquery(folder, tmp_path):
    pytest.importorskip("astroquery")
    with ServerThread(folder) as archive:
        said = session("astroquery_session.py", archive.url, tmp_path / "home", STAR, tmp_path)
    multi = made.MULTI.removesuffix("_dvr.xml")
    assert said["found"] == sorted([OBS1, OBS2, multi])
    assert len(said["paged"]) == said["count"] == 5
    assert said["second page"] == 1
    assert said["wildcard"] == sorted([OBS1, made.OTHER.removesuffix("_lc.fits")])
    assert said["sector"] == sorted([OBS2, multi])
    assert "does not exist" in said["refused"]
    assert "there is no service" in said["error"]
    assert said["products"] == sorted([made.LC1, made.TP1, made.DVR, made.LC2, made.MULTI])
    assert said["light curves"] == sorted([made.LC1, made.LC2])
    assert said["recommended"] == 3
    assert said["status"] == said["again"] == ["COMPLETE"]
    assert said["missing"] == "ERROR"
    assert len(said["paths"]) == 5
    assert same_bytes(said["paths"], folder)
    assert f"mastDownload/TESS/{OBS1}/{made.LC1}" in " ".join(said["paths"])
    assert {"sequence_number", "provenance_name", "distance"} <= set(said["observations columns"])
    assert {"dataURI", "size", "obsID"} <= set(said["products columns"])
    assert said["near"] == [[str(STAR), 0.0]] * 5
    assert said["region"] == 5
    assert said["star"] == [str(STAR)]
    assert said["by id"] == [10.555]
    assert said["missions"] == ["HLSP", "TESS"]


def test_astroquery_catalogs_and_sectors(tmp_path):
    pytest.importorskip("astroquery")
    files = tmp_path / "files"
    files.mkdir()
    made.light_curve(files / made.LC1)
    made.light_curve(files / made.LC2, sector=2)
    made.report(files / made.DVR)
    table = stars()
    table.write(files / "tic.ecsv")
    with ServerThread(files) as archive:
        said = session("catalogs_session.py", archive.url, tmp_path / "home", STAR, made.RA, made.DEC)
    apart = CENTRE.separation(SkyCoord(table["ra"], table["dec"], unit="deg")).deg
    near = [str(tic) for tic in table["ID"][np.argsort(apart)][: int((apart <= 0.1).sum())]]
    assert said["region"] == said["object"] == said["paged"] == near
    assert said["distances"] == pytest.approx(sorted(apart[apart <= 0.1] * 3600), abs=1e-5)
    assert said["second page"] == near[7:14]
    assert said["kinds"] == {"ID": "U", "ra": "f", "Tmag": "f", "numcont": "i", "GAIA": "U", "disposition": "U"}
    assert said["unknown"] == sum(np.ma.is_masked(teff) for teff in table["Teff"][apart <= 0.1])
    assert said["name"][0] == str(STAR)
    assert said["by id"] == [pytest.approx(float(table["Tmag"][0]))]
    assert sorted(said["by ids"]) == sorted(["1001", "1002", str(STAR)])
    bright = (table["Tmag"] >= 8) & (table["Tmag"] <= 12)
    assert said["bright"] == sorted(map(str, table["ID"][bright]))
    assert set(said["bright and near"]) == set(said["bright"]) & set(near)
    assert said["duplicates"] == sorted(map(str, table["ID"][table["disposition"] == "DUPLICATE"]))
    assert said["candidates"] == (~table["priority"].mask).sum()
    assert "does not exist" in said["refused"]

    fields = [place.field for place in locate(made.RA, made.DEC, [1, 2])]
    named = [f"tess-s{field.sector:04d}-{field.camera}-{field.ccd}" for field in fields]
    assert said["sectors"] == [[name, f.sector, f.camera, f.ccd] for name, f in zip(named, fields, strict=True)]
    assert said["sectors of an object"] == named
    assert said["sectors of a circle"] > len(named)
    assert said["sectors elsewhere"] == 0
    assert "501" in said["moving"]
    assert "no such star" in said["nobody"]


def test_lightkurve(folder, tmp_path):
    pytest.importorskip("lightkurve")
    with ServerThread(folder) as archive:
        said = session("lightkurve_session.py", archive.url, tmp_path / "home", STAR, made.RA, made.DEC, tmp_path)
    assert said["light curves"] == [
        ["TESS Sector 01", "SPOC", 20.0, made.FAST1],
        ["TESS Sector 01", "SPOC", 120.0, made.LC1],
        ["TESS Sector 02", "SPOC", 120.0, made.LC2],
        ["TESS Sector 01", "QLP", 1800.0, made.QLP1],
    ]
    assert said["curve"][:2] == [STAR, 50]
    assert said["near"] == [0.0, 0.0]
    assert said["pixels"] == [made.TP1]
    assert said["stamp"][:4] == [STAR, 50, 5, 5]
    assert said["sectors"] == [["TESS Sector 01", "TESScut"]]  # of which there is an image
    assert same_bytes([said["curve"][2], said["stamp"][4]], folder)
    assert said["nothing"] == 0


def test_astroquery_on_real_files(real_data, tmp_path):
    pytest.importorskip("astroquery")
    with ServerThread(real_data) as archive:
        said = session("astroquery_session.py", archive.url, tmp_path / "home", STAR, tmp_path)
    assert said["found"] == [OBS1]
    nameless = [f"tess25155310-s01-first-cadences{tail}.fits.gz" for tail in ("", "_no_pm", "_no_target_position")]
    assert said["products"] == sorted([made.LC1, *nameless])
    assert said["status"] == ["COMPLETE"]
    assert same_bytes(said["paths"], real_data)
    assert said["near"][0] == [str(STAR), 0.0]


@pytest.mark.heavy
def test_lightkurve_on_real_files(real_data, tmp_path):
    pytest.importorskip("lightkurve")
    with ServerThread(real_data) as archive:
        place = (239.578324614201, 35.4067440085437)
        said = session("lightkurve_session.py", archive.url, tmp_path / "home", 188589164, *place, tmp_path)
    assert [row[:3] for row in said["light curves"]] == [
        ["TESS Sector 24", "SPOC", 120.0],
        ["TESS Sector 24", "TESS-SPOC", 1800.0],
        ["TESS Sector 24", "QLP", 1800.0],
    ]
    assert said["curve"][:2] == [188589164, 18413]  # rows with a time, of 19074
    assert same_bytes([said["curve"][2]], real_data)
    assert said["near"] == [0.0]
    assert said["pixels"] == said["sectors"] == []
