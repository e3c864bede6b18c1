"""What every room's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real TESS files, where this checkout has one beside it."""
    folder = SHARED / "data" / "tess"
    if not folder.is_dir():
        pytest.skip("the real TESS files are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def recorded_replies() -> Path:
    """The folder of recorded MAST replies, where this checkout has one beside it."""
    folder = SHARED / "data" / "recorded" / "mast"
    if not folder.is_dir():
        pytest.skip("the recorded MAST replies are not beside this checkout")
    return folder


@pytest.fixture(autouse=True)
def _own_user_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's own settings, caches and TESSELLAR_* variables out of the tests."""
    import os

    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("TESSELLAR_")]:
        monkeypatch.delenv(name)
    for name in ("CONFIG", "CACHE", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
