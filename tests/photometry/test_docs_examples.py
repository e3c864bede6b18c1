"""The examples of the how-to on methods, run as they stand, on a small sky."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tessellar.photometry import METHODS, STATUS
from tessellar.products import read_light_curve
from tests.photometry.fieldsky import small_field

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_methods_of_ones_own_run_as_they_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sky").symlink_to(small_field().folder)
    code = re.findall(r"```python\n(.*?)```", (DOCS / "howto" / "write-a-method.md").read_text(), re.DOTALL)
    assert len(code) == 5
    names: dict[str, object] = {"__name__": "howto"}
    try:
        for block in code:
            exec(compile(block, "write-a-method.md", "exec"), names)
    finally:
        METHODS.pop("nine", None)
    assert names["result"].status in (STATUS.OK, STATUS.WARNING)
    written = {path.name.split("_")[-1]: path for path in Path("light-curves").iterdir()}
    assert {"weighted-lc.fits", "nine-lc.fits"} <= set(written)
    for path in written.values():
        assert read_light_curve(path).flux.size == len(small_field().field)
    assert "WT_LEAST" in read_light_curve(written["weighted-lc.fits"]).header
    assert "ERROR" not in capsys.readouterr().out
