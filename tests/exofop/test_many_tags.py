"""Many tags with the worst of networks in between: in the end all is as if nothing had been."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tessellar.exofop import AsyncDownloader, DownloadStatus, System, SystemDownloader
from tests.exofop import site as made
from tests.exofop.test_known_faults import at, tree
from tests.webserver import FileServer, Misbehaviour, running

FAULTS = (
    Misbehaviour(status=503, headers={"Retry-After": "0"}),
    Misbehaviour(status=429, headers={"Retry-After": "0"}),
    Misbehaviour(status=500),
    Misbehaviour(status=200, headers={"Content-Type": "text/html"}, body=b"<html>busy</html>"),
    Misbehaviour(status=200, body=b""),
    Misbehaviour(status=200, body=b"<!DOCTYPE html>busy", headers={"Content-Type": "application/zip"}),
    Misbehaviour(cut_after=700),
    Misbehaviour(cut_after=0),
    Misbehaviour(drop=True),
    Misbehaviour(reset=True),
    Misbehaviour(chunked=True, cut_after=900),
    Misbehaviour(too_much=3),
    Misbehaviour(length=5),
    Misbehaviour(gzip=True),
    Misbehaviour(flip=400),
    Misbehaviour(no_validator=True, cut_after=1000),
    Misbehaviour(other_bytes=True, cut_after=600),
)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with running() as server:
        monkeypatch.setenv("TESSELLAR_EXOFOP", f"{server.url}/tess/")
        monkeypatch.setenv("TESSELLAR_RETRY_WAIT", "0.005")
        yield server


@pytest.mark.parametrize("tags", [40, pytest.param(500, marks=pytest.mark.heavy)])
def test_the_end_is_that_without_faults(files: FileServer, tmp_path: Path, tags: int) -> None:
    chance = random.Random(tags)
    for tag in range(tags):
        content = {
            f"{tag}/notes.txt": f"notes of {tag}".encode(),
            f"{tag}/plots/a.dat": chance.randbytes(chance.randint(900, 9000)),
        }
        files.files[at(tag)] = made.zipped(content)
    wanted = list(range(tags))

    def downloaded(folder: str) -> dict[str, bytes]:
        engine = AsyncDownloader(max_concurrent_downloads=8, max_retries=8, timeout=5, display_progress=False)
        loader = SystemDownloader(System(tic=1), target_dir=str(tmp_path / folder), downloader=engine)
        assert loader.download(wanted) == {DownloadStatus.OK: tags}
        return tree(tmp_path / folder)

    clean = downloaded("clean")
    assert len(clean) == 3 * tags
    for tag in wanted:
        files.plan[at(tag)] = chance.choices(FAULTS, k=chance.randint(0, 4))
    asked = len(files.requests)
    assert downloaded("faulty") == clean
    assert len(files.requests) - asked > 2 * tags
