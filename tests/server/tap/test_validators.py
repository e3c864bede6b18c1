"""The field's own judges: STILTS's taplint on the service, votlint on its answers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def stilts() -> str:
    if shutil.which("stilts") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True, env=environment)
        subprocess.run(["apt-get", "install", "-y", "-qq", "stilts"], check=False, capture_output=True, env=environment)
    found = shutil.which("stilts")
    assert found, "stilts is needed: on Debian, apt-get install stilts"
    return found


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("path", ["tap", "vo-tap/api/v0.1/caom"])
def test_taplint_reports_no_error(stilts: str, client: httpx.Client, path: str) -> None:
    said = run(stilts, "taplint", f"tapurl={str(client.base_url).rstrip('/')}/{path}", "report=EWFS", "maxrepeat=20")
    totals = re.search(r"Totals: Errors: (\d+); Warnings: (\d+)", said)
    assert totals, said
    assert totals[1] == "0", said
    for section in (
        "TMV",
        "TME",
        "TMS",
        "TMC",
        "CPV",
        "CAP",
        "AVV",
        "QGE",
        "QPO",
        "QAS",
        "UWS",
        "MDQ",
        "OBS",
        "UPL",
        "EXA",
    ):
        assert f"Section {section}:" in said


@pytest.mark.parametrize("form", ["votable", "votable/b2"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM ivoa.obscore",
        "SELECT * FROM dbo.obspointing",
        "SELECT * FROM dbo.caomplane",
        "SELECT * FROM dbo.caomartifact",
        "SELECT * FROM dbo.tic",
        "SELECT * FROM tap_schema.columns",
        "SELECT TOP 1 'a <b> & c' AS odd, 1/3.0 AS third, COUNT(*) FROM ivoa.obscore",
        "SELECT TOP 2 * FROM dbo.obspointing WHERE 1=0",
        "SELECT nope FROM ivoa.obscore",
    ],
)
def test_votlint_finds_nothing(stilts: str, client: httpx.Client, tmp_path: Path, query: str, form: str) -> None:
    reply = client.post("/tap/sync", data={"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": form, "MAXREC": "50"})
    path = tmp_path / "answer.vot"
    path.write_bytes(reply.content)
    said = run(stilts, "votlint", f"votable={path}")
    assert "ERROR" not in said, said
    assert "WARNING" not in said, said
