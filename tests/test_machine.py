"""What a process may use, and what it keeps."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tessellar.machine import cores, keep_memory


def test_cores_are_those_that_this_process_may_use() -> None:
    assert cores() >= 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="its memory is told by /proc")
@pytest.mark.parametrize("keeping", [False, True])
def test_memory_that_is_freed_is_kept_where_that_is_asked_for(keeping: bool) -> None:
    code = f"""
        import numpy as np
        from tessellar.machine import keep_memory
        from pathlib import Path

        def resident():
            return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

        kept = {keeping} and keep_memory()
        before = resident()
        array = np.ones(25_000_000)
        assert resident() - before > 190
        del array
        print(kept, resident() - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=60
    )
    kept, left = done.stdout.split()
    assert (float(left) > 190) == (kept == "True")
    assert keeping or float(left) < 50


def test_a_library_without_such_settings_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert not keep_memory()
