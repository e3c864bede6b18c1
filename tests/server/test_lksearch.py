"""lksearch, unmodified, against our archive: it pins numpy below 2, so it gets an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tessellar.server import ServerThread
from tessellar.simulate import Truth, simulate
from tessellar.simulate.stars import FIRST_TIC

PACKAGE = "lksearch==1.2.1"
STAR = FIRST_TIC + 8
SCRIPT = Path(__file__).with_name("lksearch_session.py")

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="session")
def lksearch_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with lksearch in it."""
    home = tmp_path_factory.mktemp("lksearch")
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    uv = shutil.which("uv")
    if uv is not None:
        commands = [[uv, "venv", "-q", "--python", sys.executable, "--allow-existing", home],
                    [uv, "pip", "install", "-q", "--python", python, PACKAGE]]  # fmt: skip
    else:
        commands = [[sys.executable, "-m", "venv", home], [python, "-m", "pip", "install", "-q", PACKAGE]]
    for command in commands:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=280)
        if done.returncode:
            pytest.skip(f"no environment with {PACKAGE} can be made here: {done.stderr.strip().splitlines()[-1]}")
    return python


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return simulate(tmp_path_factory.mktemp("lksearch_sky") / "archive", days=0.6, kinds=["quick"])


def run(python: Path, url: str, home: Path, *arguments: object) -> dict[str, Any]:
    """Run the session with settings that know only this archive, which is its name resolver too."""
    # Its astropy looks for settings below XDG_CONFIG_HOME, in folders that are there.
    for folder in ("config/astropy", "cache/astropy"):
        (home / folder).mkdir(parents=True)
    (home / "config/astropy/astroquery.cfg").write_text(f"[mast]\nserver = {url}\n")
    environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environ |= {
        "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "XDG_CACHE_HOME": str(home / "cache"),
        "HTTP_PROXY": url, "http_proxy": url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "MPLBACKEND": "Agg",
    }  # fmt: skip
    environ.pop("PYTHONPATH", None)
    command = [str(python), str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=home, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout[done.stdout.index('{"versions"') :])
    return said


def test_lksearch_searches_lists_and_downloads(lksearch_python, sky, tmp_path):
    row = sky.of(STAR)
    with ServerThread(sky.directory) as archive:
        said = run(lksearch_python, archive.url, tmp_path / "home", STAR, row["ra"], row["dec"])
    assert said["versions"][1].startswith("1.")
    here = {path.name for path in sky.directory.iterdir()}
    curves = {name for name in here if name.endswith("lc.fits")}
    assert set(said["light curves"]) == curves
    assert {name for name in said["cubes"] if name != "TESScut"} == {name for name in here if name.endswith("tp.fits")}
    several = [name for name in here if name.endswith(".pdf") and "-s0001-s0002-" in name]
    assert several
    assert set(several) <= set(said["reports"]) <= here
    assert {1, 2, 27} <= set(said["sectors"])
    assert said["spoc of sector 1"] == [sky.of(STAR, 1)["light_curve"]]
    assert said["fast"] == [sky.of(STAR, 27, 20)["light_curve"]]
    assert said["hlsp"] == sorted(name for name in curves if name.startswith("hlsp_qlp"))
    assert said["at the place"] == [sky.of(STAR, 2)["light_curve"]]
    assert set(said["status"]) == {"COMPLETE"}
    assert len(said["paths"]) == 3
    for path in (*said["paths"], *said["pixels"]):
        assert Path(path).read_bytes() == (sky.directory / Path(path).name).read_bytes()
    assert set(said["again"]) <= {"COMPLETE", "UNKNOWN"}
