"""Names in the documentation and in docstrings lead somewhere: modules that move leave none behind."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = [each.stem for each in (ROOT / "src" / "tessellar").iterdir() if each.name[0] not in "._"]
# A whole name anywhere in the text; one that begins with a room only as code, for `survey.sqlite` is no module.
WHOLE = re.compile(r"(?<![\w./-])(tessellar(?:\.[A-Za-z_]\w*)+)(?![\w-])")
OF_A_ROOM = re.compile(rf"`((?:{'|'.join(ROOMS)})(?:\.[A-Za-z_]\w*)+)`")
# Files and the environment's own names, which only look like modules.
ENDINGS = {"toml", "sqlite", "private", "fits", "h5", "log"}


def resolves(name: str) -> bool:
    """Whether attributes and modules lead from the package to this name; fields of data classes count."""
    path, found = "tessellar", import_module("tessellar")
    for part in name.split(".")[1:]:
        path += f".{part}"
        try:
            found = getattr(found, part)
        except AttributeError:
            try:
                found = import_module(path)
            except ImportError:
                return isinstance(found, type) and any(
                    part in vars(base).get("__annotations__", {}) for base in found.__mro__
                )
    return True


def told() -> dict[str, list[str]]:
    """Names and where they are told."""
    names: dict[str, list[str]] = {}
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs" / "reference").glob("*.rst")]
    for path in [*pages, *(ROOT / "src").rglob("*.py")]:
        text = path.read_text()
        for name in {*WHOLE.findall(text), *(f"tessellar.{each}" for each in OF_A_ROOM.findall(text))}:
            if name.rpartition(".")[2] not in ENDINGS:
                names.setdefault(name, []).append(str(path.relative_to(ROOT)))
    return names


def test_every_name_that_is_told_exists() -> None:
    names = told()
    assert len(names) > 300
    assert {name: where for name, where in names.items() if not resolves(name)} == {}


def test_a_name_that_has_moved_is_found() -> None:
    assert not resolves("tessellar.photometry.linear")
    assert resolves("tessellar.photometry.fitting.linear")
    assert resolves("tessellar.pixels.Stamp.corner")
