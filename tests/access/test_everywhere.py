"""The same call works in a script, inside a running event loop, and in a notebook, and says the same."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from tessellar.access.fetching import fetch_remotes
from tessellar.net import Remote
from tests.webserver import running

BODIES = {f"/{number}.dat": bytes([number]) * 50_000 for number in range(5)}

CELL = """
import asyncio, json, sys
from pathlib import Path
sys.path[:0] = {path!r}
from tessellar.access.fetching import fetch_remotes
from tessellar.net import Remote
assert asyncio.get_running_loop().is_running()
names = [f"{{number}}.dat" for number in range(6)]
remotes = [Remote(f"mast:TESS/{{name}}", "{url}/" + name, name, "TESS", "obs") for name in names]
manifest = fetch_remotes(remotes, Path({folder!r}))
print(json.dumps(manifest.to_rows()))
"""


@pytest.fixture
def server():
    with running() as files:
        files.files = dict(BODIES)
        yield files


def said(rows, folder) -> list[dict]:
    """The rows, with paths as seen from the folder."""
    return [{**row, "path": row["path"] and row["path"].removeprefix(str(folder))} for row in rows]


def fetch(server, folder) -> list[dict]:
    remotes = [
        Remote(f"mast:TESS/{number}.dat", f"{server.url}/{number}.dat", f"{number}.dat", "TESS", "obs")
        for number in range(6)
    ]
    return said(fetch_remotes(remotes, folder).to_rows(), folder)


@pytest.mark.heavy
def test_a_running_loop_and_a_notebook_get_the_manifest_of_a_script(server, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    in_script = fetch(server, tmp_path / "script")
    assert [row["status"] for row in in_script] == ["COMPLETE"] * 5 + ["ERROR"]

    async def in_loop() -> list[dict]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(tick())
        await asyncio.sleep(0)
        rows = fetch(server, tmp_path / "loop")
        other.cancel()
        assert ticks
        return rows

    assert asyncio.run(in_loop()) == in_script
    folder = str(tmp_path / "notebook")
    cell = nbformat.v4.new_code_cell(CELL.format(path=sys.path, url=server.url, folder=folder))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    assert said(json.loads(cell["outputs"][0]["text"]), folder) == in_script
