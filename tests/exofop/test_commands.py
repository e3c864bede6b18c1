"""`tessellar exofop ...`: what stands on stdout, what on stderr, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.exofop import site as made
from tests.exofop.conftest import Site
from tests.exofopfolder import GROUP_TAG, PASSWORDS, STAR

Run = Callable[..., Ran]


def test_tois_are_listed_and_looked_up(site: Site, tessellar: Run) -> None:
    done = tessellar("exofop", "toi")
    assert done.code == 0
    assert len(done.out.splitlines()) == 6
    assert tessellar("--json", "exofop", "toi", "1130.02").json[0]["Period (days)"] == 4.066499
    rows = tessellar("--json", "exofop", "toi", f"TIC {STAR}").json
    assert [row["TOI"] for row in rows] == [1130.01, 1130.02]
    assert rows[0]["Master"] is None
    assert tessellar("exofop", "toi", "101", "--csv").out.count("\n") == 2
    none = tessellar("--json", "exofop", "toi", "WASP-121")
    assert (none.code, none.json, none.line) == (0, [], "tessellar: no TOIs of WASP-121")
    assert tessellar("--json", "exofop", "toi", "--community").json[0]["CTOI"] == 17361.01


def test_the_table_of_tois_is_asked_for_anew_when_told_and_compared(
    site: Site,
    tessellar: Run,
    tmp_path: Path,
) -> None:
    saved = tmp_path / "tois.csv"
    saved.write_text(tessellar("exofop", "toi", "--csv").out.replace("8.35019", "8.3"))
    asked = site.app.count("tois.json")
    assert tessellar("--refresh", "exofop", "toi", "101").code == 0
    assert site.app.count("tois.json") == asked + 1
    changes = tessellar("--json", "exofop", "toi", "--since", saved).json
    assert [(row["TOI"], row["Column"], row["Before"], row["After"]) for row in changes] == [
        (1130.01, "Period (days)", "8.3", "8.35019")
    ]
    assert tessellar("exofop", "toi", "--changes").code == 2


def test_tables_and_tags(site: Site, tessellar: Run) -> None:
    tables = tessellar("--json", "exofop", "tables", "TOI-1130").json
    assert {kind: len(rows) for kind, rows in tables.items()} == {
        "time_series": 6, "spectroscopy": 1, "imaging": 1, "stellar_parameters": 2, "planet_parameters": 1,
        "nearby_targets": 2, "stellar_companions": 1, "magnitudes": 2, "files": 15, "notes": 1, "uploads": 1,
    }  # fmt: skip
    assert tables["time_series"][0]["Tag"] == 5903
    assert list(tessellar("--json", "exofop", "tables", "1130", "--kind", "imaging").json) == ["imaging"]
    shown = tessellar("exofop", "tables", "1130").out
    assert "time_series: 6" in shown
    assert "two events | one of them late, see the plot" in shown
    tags = tessellar("--json", "exofop", "tags", "1130").json
    assert [(row["tag"], row["kind"], row["observations"]) for row in tags][2:4] == [
        ("6038", "time_series", 2), ("6101", "time_series", 1),
    ]  # fmt: skip
    assert tessellar("exofop", "tags", "1130", "--kind", "spectroscopy").out.splitlines()[1].startswith("4711")


def test_download_says_what_became_of_each_tag(site: Site, tessellar: Run, tmp_path: Path) -> None:
    done = tessellar("--json", "exofop", "download", "TOI-1130", "-o", tmp_path, "--kind", "time_series")
    assert done.code == 0
    assert [(row["tag"], row["status"]) for row in done.json] == [
        (tag, "OK") for tag in ("5903", "5734", "6038", "6101", "6102")
    ]
    assert done.json[0]["path"] == str(tmp_path / "TOI-1130" / "5903")
    mixed = tessellar("exofop", "download", "TOI-1130", "-o", tmp_path, "--tag", "5903", "--tag", "1", "--tag", "../x")
    assert mixed.code == 1
    assert [line.split()[:2] for line in mixed.out.splitlines()] == [
        ["OK", "5903:"], ["NOT_FOUND", "1:"], ["ERROR", "../x:"],
    ]  # fmt: skip
    assert "1 of 3 here" in mixed.line
    everything = tessellar("--json", "exofop", "download", "1130", "-o", tmp_path / "all", "--no-unzip")
    assert [row["tag"] for row in everything.json][-2:] == ["4711", "5000"]
    assert not (tmp_path / "all" / "1130" / "5903").exists()
    files = tessellar("--json", "exofop", "download", "1130", "-o", tmp_path, "--files")
    assert len(files.json) == 15
    assert {row["status"] for row in files.json} == {"OK"}


def test_login_and_logout(site: Site, tessellar: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert tessellar("exofop", "tags", "1130", "--user", "lovelace").code == 3
    unknown = tessellar("exofop", "login", "--user", "lovelace")
    assert (unknown.code, "no password is known" in unknown.line) == (3, True)
    monkeypatch.setenv("TESSELLAR_EXOFOP_PASSWORD", "wrong")
    wrong = tessellar("exofop", "login", "--user", "lovelace")
    assert (wrong.code, "does not accept" in wrong.line) == (3, True)
    assert site.app.count("password_check") == 1
    monkeypatch.setenv("TESSELLAR_EXOFOP_PASSWORD", made.HER_PASSWORD)
    right = tessellar("--json", "exofop", "login", "--user", "lovelace")
    assert (right.code, right.json["user"]) == (0, "lovelace")
    monkeypatch.delenv("TESSELLAR_EXOFOP_PASSWORD")
    tags = tessellar("--json", "exofop", "tags", "1130", "--user", "lovelace").json
    assert GROUP_TAG in [row["tag"] for row in tags]
    done = tessellar("--json", "exofop", "download", "1130", "-o", tmp_path, "--tag", GROUP_TAG, "--user", "lovelace")
    assert done.json[0]["status"] == "OK"
    assert "was not logged in" in tessellar("exofop", "logout", "--user", "ada").line
    assert "is logged out" in tessellar("exofop", "logout", "--user", "lovelace").line
    assert tessellar("exofop", "tags", "1130", "--user", "lovelace").code == 3


def test_a_login_that_cannot_be_kept_is_this_machines_matter(
    site: Site,
    tessellar: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "tessellar").mkdir()
    (tmp_path / "tessellar" / "exofop").write_text("in the way")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("TESSELLAR_EXOFOP_PASSWORD", PASSWORDS["ada"])
    assert tessellar("exofop", "login", "--user", "ada").code == 4


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["exofop", "toi", "no such star"], 2),
        (["exofop", "tables", "TOI 9999"], 2),
        (["exofop", "tables", "1130", "--kind", "pictures"], 2),
        (["exofop", "download", "1130", "--files", "--tag", "1"], 2),
        (["exofop", "nonsense"], 2),
        (["--archive", "http://127.0.0.1:9", "exofop", "toi"], 3),
        (["--offline", "exofop", "toi"], 3),
    ],
)
def test_bad_input_ends_with_a_code_and_a_line(
    site: Site,
    tessellar: Run,
    arguments: list[str],
    code: int,
) -> None:
    done = tessellar(*arguments)
    assert done.code == code
    assert done.out == ""
    assert "Traceback" not in done.err


@pytest.mark.heavy
def test_a_download_that_is_killed_goes_on_and_ends_whole(site: Site, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tessellar", "--json", "exofop", "download", "TOI-1130", "-o", str(tmp_path)]
    environ = {**os.environ, "TESSELLAR_IDLE_TIMEOUT": "5"}
    for pause in (0.7, 1.0):
        process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not [path for path in tmp_path.rglob("*.zip") if path.stat().st_size == 0]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {row["status"] for row in json.loads(done.stdout)} == {"OK"}
    assert not [path for path in (tmp_path / "TOI-1130").iterdir() if path.name.startswith(".")]
    assert sorted(path.name for path in (tmp_path / "TOI-1130" / "zip").glob("*.part")) == []
