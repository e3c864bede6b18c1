"""One small archive for all tests that only read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tessellar.server import ServerThread
from tests.server.folder import make

# Programs that tests run in processes of their own, with clients that are not here.
collect_ignore_glob = ["*_session.py"]

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="session")
def client(folder: Path) -> Iterator[httpx.Client]:
    with ServerThread(folder) as archive, httpx.Client(base_url=archive.url) as client:
        yield client


@pytest.fixture(scope="session")
def ask(client: httpx.Client) -> Ask:
    """Ask the portal a question, and return the envelope of the answer."""

    def ask(service: str, params: dict[str, Any], **request: Any) -> dict[str, Any]:
        question = {"service": service, "params": params, "format": "json", **request}
        reply = client.post("/api/v0/invoke", data={"request": json.dumps(question)})
        assert reply.status_code == 200
        envelope: dict[str, Any] = reply.json()
        return envelope

    return ask
