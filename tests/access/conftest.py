"""A simulated sky with everything on it, served over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tessellar.server import ServerThread
from tessellar.simulate import simulate


@pytest.fixture(scope="session")
def full_sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of each sector, with validation runs, 20-s files, QLP light curves and the TIC."""
    folder = tmp_path_factory.mktemp("full") / "sky"
    simulate(folder, days=2)
    return folder


@pytest.fixture(scope="session")
def full_archive(full_sky: Path) -> Iterator[str]:
    """The URL at which it is served."""
    with ServerThread(full_sky) as server:
        yield server.url
