"""What the examples in docstrings need: those of ExoFOP's client ask an ExoFOP that is started for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOM = Path(__file__).parent / "src" / "tessellar" / "exofop"


@pytest.fixture(scope="session")
def _example_exofop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from tessellar.server import ServerThread
    from tests.exofop import site

    with ServerThread(site.make(tmp_path_factory.mktemp("examples"))) as server:
        yield server.url


@pytest.fixture(autouse=True)
def _exofop_of_the_examples(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the docstrings of the room exofop ask an ExoFOP on this machine, with user folders of their own."""
    if not isinstance(request.node, pytest.DoctestItem) or not request.node.path.is_relative_to(_ROOM):
        return
    folder = request.getfixturevalue("tmp_path")
    for name in ("CONFIG", "CACHE"):
        (folder / name.lower()).mkdir()
        monkeypatch.setenv(f"XDG_{name}_HOME", str(folder / name.lower()))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("TESSELLAR_ARCHIVE", request.getfixturevalue("_example_exofop"))
