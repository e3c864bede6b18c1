"""A small simulated archive over real HTTP, and the command line as a function."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tessellar.server import ServerThread
from tessellar.simulate import simulate


@dataclass
class Ran:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def line(self) -> str:
        """The one line on stderr; there must be no more, and no traceback."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        return lines[0]


@pytest.fixture
def tessellar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run one command in this process."""
    from tessellar.cli import main

    monkeypatch.setenv("TESSELLAR_RETRY_WAIT", "0.01")
    monkeypatch.setenv("TESSELLAR_CONNECT_TIMEOUT", "2")

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr("sys.argv", ["tessellar", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return Ran(int(stopped.value.code or 0), out, err)

    return run


@pytest.fixture(scope="session")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a day of the simulated sky."""
    folder = tmp_path_factory.mktemp("sky") / "archive"
    simulate(folder, seed=3, days=0.5, extras=False)
    return folder


@pytest.fixture(scope="session")
def archive(sky: Path) -> Iterator[str]:
    """The sky, served over HTTP: its URL."""
    with ServerThread(sky) as server:
        yield server.url


@pytest.fixture(scope="session")
def star(sky: Path) -> int:
    """The TIC id of the star with a transiting planet."""
    from astropy.table import Table

    truth = Table.read(sky / "truth.ecsv")
    return int(next(row["tic"] for row in truth if str(row["kind"]) == "planet"))
