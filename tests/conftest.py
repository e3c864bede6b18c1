"""What every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("quick", max_examples=40, deadline=None, derandomize=True)
hypothesis.settings.register_profile("thorough", max_examples=1000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

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
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("TESSELLAR_")]:
        monkeypatch.delenv(name)
    for name in ("CONFIG", "CACHE", "DATA", "STATE"):
        (home / name.lower()).mkdir()
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
