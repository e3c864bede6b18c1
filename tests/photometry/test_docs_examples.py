"""The examples of the how-to on methods, run as they stand, on the sky that the page makes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tessellar.cli import main
from tessellar.photometry import METHODS, STATUS
from tessellar.products import read_light_curve

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_methods_of_ones_own_run_as_they_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "howto" / "write-a-method.md").read_text()
    for command in "".join(re.findall(r"```bash\n(.*?)```", page, re.DOTALL)).splitlines():
        monkeypatch.setattr("sys.argv", ["tessellar", "-q", *shlex.split(command)[1:]])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 0, command
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
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
        assert read_light_curve(path).flux.size == 120
    assert "WT_LEAST" in read_light_curve(written["weighted-lc.fits"]).header
    assert "ERROR" not in capsys.readouterr().out
