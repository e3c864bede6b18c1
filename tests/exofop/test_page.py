"""The page that users know: each class with its members and signatures, read from the page, and its examples."""

from __future__ import annotations

import doctest
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import tessellar
from tessellar import exofop
from tests.conftest import SHARED
from tests.exofop import site as made
from tests.exofop.conftest import Site

_DEFINITION = re.compile(r"^(class|classmethod|async|property)?\s*([A-Za-z_.]+)\((.*)\)(?: .*)?\[source\]#$")
_PROPERTY = re.compile(r"^property ([a-z_]+)(?:: .*)?#$")
_VALUE = re.compile(r"^([a-zA-Z_]+)(?: = '(.*)')?#$")


@dataclass
class Member:
    """One entry of the page: what it is, and its parameters with their defaults."""

    owner: str
    name: str
    kind: str
    parameters: list[tuple[str, str | None]]
    value: str | None = None


def page() -> str:
    path = SHARED / "mission" / "exofop-download.txt"
    if not path.is_file():
        pytest.skip("the page is not beside this checkout")
    return path.read_text(encoding="utf-8")


def members() -> Iterator[Member]:
    """Read the page: a line that ends with # defines a class, a method, a property or an attribute of one."""
    owner = ""
    for line in page().split("Classes#", 1)[1].splitlines():
        if match := _PROPERTY.match(line.strip()):
            yield Member(owner, match[1], "property", [])
        elif match := _DEFINITION.match(line.strip()):
            kind, name, inside = match.groups()
            if kind == "class":
                owner = name.rsplit(".", 1)[-1]
                yield Member(owner, "__init__", "class", parameters(inside))
            else:
                yield Member(owner, name, kind or "method", parameters(inside))
        elif match := _VALUE.match(line.strip()):
            yield Member(owner, match[1], "attribute", [], match[2])


def parameters(text: str) -> list[tuple[str, str | None]]:
    """Cut ``name: type = default, ...`` at the commas that are not in brackets."""
    found, depth, word = [], 0, ""
    for letter in f"{text},":
        depth += (letter in "[(") - (letter in "])")
        if letter == "," and not depth:
            name, _, default = word.partition("=")
            if name.strip():
                found.append((name.partition(":")[0].strip(), default.strip() or None))
            word = ""
        else:
            word += letter
    return found


def test_the_page_is_read_whole() -> None:
    found = list(members())
    classes = {member.owner for member in found}
    assert classes == {
        "ExoFOPAuthenticator", "OverviewTableAccessor", "System", "SystemDownloader", "TIC", "TOI", "TagDownloader",
    }  # fmt: skip
    assert sum(member.kind not in ("property", "attribute") for member in found) == page().count("[source]#")
    assert sum(member.kind == "property" for member in found) == page().count("\nproperty ")
    assert ("SystemDownloader", "time_series") in {(member.owner, member.name) for member in found}


def test_each_member_of_the_page_exists_with_its_signature() -> None:
    for member in members():
        owner = getattr(exofop, member.owner)
        where = f"{member.owner}.{member.name}"
        if member.kind == "attribute":
            if member.value is not None:
                assert getattr(owner, member.name) == member.value, where
            continue
        attribute = inspect.getattr_static(owner, member.name)
        if member.kind == "property":
            assert isinstance(attribute, property), where
            continue
        assert isinstance(attribute, classmethod) == (member.kind == "classmethod"), where
        called = getattr(owner, member.name)
        assert inspect.iscoroutinefunction(called) == (member.kind == "async"), where
        signature = inspect.signature(owner if member.kind == "class" else called)
        ours = [
            (name, None if each.default is inspect.Parameter.empty else repr(each.default))
            for name, each in signature.parameters.items()
            if name != "self"
        ]
        assert ours == member.parameters, where


def test_the_names_are_on_the_face_of_the_package() -> None:
    assert tessellar.System is exofop.System
    assert (tessellar.TIC, tessellar.TOI) == (exofop.TIC, exofop.TOI)
    assert tessellar.exofop is exofop
    assert set(exofop.__all__) <= set(dir(exofop))


def test_attributes_of_objects_exist(site: Site, tmp_path: Path) -> None:
    objects = {
        "System": exofop.System("TOI-1130"),
        "SystemDownloader": exofop.SystemDownloader(exofop.System("TOI-1130"), str(tmp_path)),
        "ExoFOPAuthenticator": exofop.ExoFOPAuthenticator("ada"),
        "TIC": exofop.TIC(1),
        "TOI": exofop.TOI(1),
        "TagDownloader": exofop.TagDownloader(str(tmp_path)),
    }
    for member in members():
        if member.kind == "attribute":
            assert hasattr(objects[member.owner], member.name), f"{member.owner}.{member.name}"
    for name in ("AsyncDownloader", "DownloadStatus"):
        assert hasattr(exofop, name)


def examples() -> list[str]:
    """The examples of the page, one text for each run of lines that begin with >>>."""
    lines = page().splitlines()
    found: list[str] = []
    block: list[str] = []
    for line in [*lines, ""]:
        # What follows an example up to an empty line is what it prints.
        if line.startswith((">>>", "...")) or (block and line.strip() and not line.endswith("#")):
            block.append(line)
        elif block:
            found.append("\n".join(block) + "\n")
            block = []
    return found


def test_every_example_of_the_page_runs(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tessellar.exofop.credentials.can_ask", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda prompt: made.HER_PASSWORD)
    names: dict[str, object] = {}
    exec("import os\nfrom tessellar.exofop import *", names)
    parser, ran = doctest.DocTestParser(), 0
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    for number, text in enumerate(examples()):
        text = text.replace("exofop.download", "tessellar.exofop")
        text = re.sub(r"/?path/to/[\w/]+", str(tmp_path), text).replace(
            "system_loader.download(", "_ = system_loader.download("
        )
        # What is printed is told in comments, with another user's name.
        text = "\n".join("" if "# " in line and ">>>" not in line else line for line in text.splitlines())
        text = re.sub(r"(?m)^Please enter your login credentials:$", "", text) + "\n"
        text = re.sub(r"(?m)^>>> (tdl|system_loader|session)\.(download_\w+|login)\(", r">>> _ = \1.\2(", text)
        names.setdefault("data_dir", str(tmp_path))
        test = parser.get_doctest(text, names, f"example {number}", None, None)
        said: list[str] = []
        result = doctest.DocTestRunner(optionflags=flags).run(test, out=said.append, clear_globs=False)
        assert result.failed == 0, "".join(said)
        ran += result.attempted
        names |= test.globs
        # The page goes on with objects that it has made before under other names.
        for alias, name in (("downloader", "tdl"), ("tag_downloader", "tdl")):
            if name in names:
                names[alias] = names[name]
    assert ran >= 40
    assert "Login was successful." in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} >= {"5734", "5903", "TIC_254113311"}
