"""The real package exofop, as its users run it, against a folder of ours."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tessellar.server import ServerThread
from tests import exofopfolder as made

SCRIPT = Path(__file__).with_name("exofop_session.py")


def session(url: str, work: Path, *arguments: str) -> dict[str, Any]:
    environ = {**os.environ, "HOME": str(work), "TQDM_DISABLE": "1"}
    command = [sys.executable, str(SCRIPT), url, *arguments[:-1], str(work), arguments[-1]]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_the_package_exofop_reads_tables_logs_in_and_downloads(tmp_path: Path) -> None:
    pytest.importorskip("exofop")
    made.make(tmp_path / "archive", note="on time")  # the package fails on bars in free text
    hidden = f"{made.GROUP_TAG},{made.ADAS_TAG}"
    # The package cuts a password at an equals sign; grace's has none.
    (tmp_path / "work").mkdir()
    with ServerThread(tmp_path / "archive") as archive:
        arguments = (made.STAR, "TOI 1130", "grace", made.PASSWORDS["grace"])
        said = session(archive.url, tmp_path / "work", *arguments, hidden)
        whole = {tag: httpx.get(f"{archive.url}/tess/download_tag_files_zip.php?tag={tag}") for tag in made.PUBLIC_TAGS}
    assert (said["tic"], said["toi"], said["exists"]) == (made.STAR, "TOI1130", [True, False])
    assert said["tags"] == ["5903", "5734", "6038", "6038"]
    assert said["columns"][-1] == "Notes"
    assert said["rows"] == {
        "time_series": 4, "spectroscopy": 1, "imaging": 1, "stellar_parameters": 2, "stellar_companions": 1,
        "nearby_target": 2,
    }  # fmt: skip
    assert said["counts"] == {"OK": 3}
    assert said["zips"] == {tag: hashlib.sha256(reply.content).hexdigest() for tag, reply in whole.items()}
    assert len(said["files"]) == 3
    assert said["wrong"] is False
    assert said["cookies"] == ["PHPSESSID"]
    # Grace is of the group, and not Ada.
    assert list(said["private zips"]) == [made.GROUP_TAG]
    assert said["private"]["OK"] == 1
    assert "OK" not in said["refused"]
    assert said["refused zips"] == {}


def test_the_package_etta_reads_every_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    etta = pytest.importorskip("etta")
    helpers = pytest.importorskip("etta.helpers")
    made.make(tmp_path, note="on time")  # the package cannot read bars in free text either
    with ServerThread(tmp_path) as archive:
        monkeypatch.setattr(helpers, "base_url", f"{archive.url}/tess/")
        tois = etta.download_toi()
        assert sorted(tois.index) == [101.01, 1130.01, 1130.02, 1172.01, 1234.01]
        assert int(tois.loc[1172.01, "TIC ID"]) == int(made.TEN_DIGITS)
        assert len(etta.download_toi(toi=1130)) == 2
        assert list(etta.download_tseries(target="TOI1130")["Tag"]) == [5903, 5734, 6038, 6038]
        assert list(etta.download_tag_tseries("5903")["Telescope"]) == ["LCO-CTIO (1 m)"]
        assert list(etta.download_spect(target=made.STAR)["Instrument"]) == ["CHIRON"]
        assert list(etta.download_imaging(sort="date")["Image Type"]) == ["Speckle"]
        assert list(etta.download_nearbytarget(made.STAR).index) == [int(made.STAR), 1027891301]
        assert list(etta.download_stellarcomp()["Delta Mag"]) == [5.4]
        assert list(etta.download_obsnotes(tic=made.STAR)["Username"]) == ["mlund"]
        assert list(etta.download_user_tags("ada")["Tag ID"]) == [5903]
        etta.download_toi(toi=101, output="csv", path=str(tmp_path / "toi.csv"))
        assert (tmp_path / "toi.csv").read_text().startswith("TIC ID,TOI,")
    assert "Fetching data from" in capsys.readouterr().out
