"""An ExoFOP that can fail, for the tests of its client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tessellar.exofop import ExoFOPAuthenticator, overview
from tessellar.server import ServerThread
from tests.cli.conftest import tessellar
from tests.conftest import SHARED
from tests.exofop import site as made
from tests.faults import Fault, FaultyArchive

__all__ = ["Site", "tessellar"]


@dataclass
class Site:
    """A running ExoFOP."""

    url: str
    folder: Path
    app: FaultyArchive
    server: ServerThread

    @property
    def base(self) -> str:
        return f"{self.url}/tess/"

    @property
    def asked(self) -> list[str]:
        """What was asked, without the path before the page."""
        return [target.removeprefix("/tess/") for _, target in self.app.requests]

    def fail(self, on: str, times: int = 1, status: int = 503, body: bytes = b"busy", **options: object) -> None:
        """Answer the next questions for a page otherwise."""
        self.app.faults.append(Fault(on, times, status, body=body, **options))  # type: ignore[arg-type]

    def silence(self, on: str, times: int = 1) -> None:
        """Answer 200, and nothing: ExoFOP is asked too often."""
        self.app.throttle(times, on=on)

    def page(self, text: str, on: str, times: int = 1) -> None:
        """Answer a page for people, with status 200."""
        body = f"<!DOCTYPE html><html><head><title>ExoFOP</title></head><body>{text}</body></html>".encode()
        self.app.faults.append(Fault(on, times, 200, {"content-type": "text/html"}, body))

    def forget_sessions(self) -> None:
        """End all sessions, before their time."""
        self.app.app.state.exofop.sessions.forget()


@pytest.fixture(scope="session")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = made.make(tmp_path_factory.mktemp("exofop"))
    with ServerThread(folder, wrap=FaultyArchive) as server:
        assert isinstance(server.app, FaultyArchive)
        yield Site(server.url, folder, server.app, server)


@pytest.fixture(scope="session")
def recorded() -> Path:
    """What ExoFOP really sent."""
    folder = SHARED / "data" / "exofop"
    if not folder.is_dir():
        pytest.skip("the recorded answers of ExoFOP are not beside this checkout")
    return folder


@pytest.fixture(autouse=True)
def _no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the keyring of whoever runs the tests out of them."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture
def site(_running: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The ExoFOP that the settings name; without faults, and with an empty list of what it was asked."""
    _running.app.faults.clear()
    _running.app.requests.clear()
    overview.forget()
    monkeypatch.setenv("TESSELLAR_ARCHIVE", _running.url)
    monkeypatch.setenv("TESSELLAR_RETRY_WAIT", "0.01")
    return _running


@pytest.fixture
def lovelace(site: Site, monkeypatch: pytest.MonkeyPatch) -> ExoFOPAuthenticator:
    """Somebody who is logged in."""
    authenticator = ExoFOPAuthenticator(made.LOVELACE, number_of_cookie_jars=1)
    assert authenticator.login(made.HER_PASSWORD)
    site.app.requests.clear()
    return authenticator
