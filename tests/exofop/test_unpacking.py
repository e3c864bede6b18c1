"""Unpacking: whole trees of any shape, at once, also when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessellar.errors import Corrupt, MissingInput, NoPermission, ProductError
from tessellar.exofop.unpacking import Limits, unpack
from tests.exofop.site import zipped
from tests.exofop.test_known_faults import tree

names = (
    st.text(st.sampled_from("abé_-. 1"), min_size=1, max_size=6).map(str.strip).filter(lambda name: name.strip(". "))
)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(paths, st.binary(max_size=200), min_size=1, max_size=8))
def test_any_tree_comes_out_as_it_went_in(files: dict[str, bytes]) -> None:
    # A file cannot be a folder as well.
    files = {
        path: content for path, content in files.items() if not any(other.startswith(f"{path}/") for other in files)
    }
    with tempfile.TemporaryDirectory() as work:
        archive = Path(work, "5903.zip")
        archive.write_bytes(zipped(files))
        found = unpack(archive, Path(work, "5903"))
        tops = {path.split("/")[0] for path in files}
        inner = len(tops) == 1 and all("/" in path for path in files)
        wanted = {path.split("/", 1)[1] if inner else path: content for path, content in files.items()}
        assert tree(Path(work, "5903")) == wanted
        assert {path.relative_to(Path(work, "5903")).as_posix() for path in found} == set(wanted)
        unpack(archive, Path(work, "5903"))
        assert tree(Path(work, "5903")) == wanted
        assert {path.name for path in Path(work).iterdir()} == {"5903", "5903.zip"}


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/a", "C:/a", "..\\a", "a\nb", ".."])
def test_nothing_leads_out(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "1.zip"
    archive.write_bytes(zipped({"good.txt": b"", name: b"bad"}))
    with pytest.raises(ProductError, match="nothing of it is unpacked"):
        unpack(archive, tmp_path / "in" / "1")
    assert [path.name for path in tmp_path.rglob("*")] == ["1.zip"]


def test_a_link_that_lies_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("mine")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "sub").symlink_to(outside)
    archive = tmp_path / "1.zip"
    archive.write_bytes(zipped({"sub/a.txt": b"theirs", "b.txt": b"b"}))
    unpack(archive, tmp_path / "1")
    assert (outside / "a.txt").read_text() == "mine"
    assert (tmp_path / "1" / "sub" / "a.txt").read_bytes() == b"theirs"
    (tmp_path / "2").symlink_to(outside)
    with pytest.raises(NoPermission, match="is no folder"):
        unpack(archive, tmp_path / "2")
    assert [path.name for path in outside.iterdir()] == ["a.txt"]


def test_two_entries_of_one_name_and_encrypted_ones_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "1.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("a.txt", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            out.writestr("a.txt", b"2")
    with pytest.raises(ProductError, match="two entries of one name"):
        unpack(archive, tmp_path / "1")
    data = bytearray(zipped({"a.txt": b"secret"}))
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + at] |= 1
    archive.write_bytes(data)
    with pytest.raises(ProductError, match="is encrypted"):
        unpack(archive, tmp_path / "1")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [(Limits(entries=2), "3 entries"), (Limits(size=100), "would become"), (Limits(ratio=2, small=100), "would swell")],
)
def test_limits(tmp_path: Path, limits: Limits, reason: str) -> None:
    archive = tmp_path / "1.zip"
    archive.write_bytes(zipped({f"{each}.dat": bytes(5000) for each in "abc"}))
    with pytest.raises(ProductError, match=reason):
        unpack(archive, tmp_path / "1", limits)
    assert not (tmp_path / "1").exists()
    unpack(archive, tmp_path / "1")


def test_damage_leaves_nothing(tmp_path: Path) -> None:
    archive = tmp_path / "1.zip"
    data = bytearray(zipped({"a.dat": os.urandom(3000), "b.dat": b"b"}, method=zipfile.ZIP_STORED))
    data[1000] ^= 1
    archive.write_bytes(data)
    with pytest.raises(Corrupt, match="broken zip"):
        unpack(archive, tmp_path / "1")
    with pytest.raises(MissingInput):
        unpack(tmp_path / "2.zip", tmp_path / "2")
    assert [path.name for path in tmp_path.iterdir()] == ["1.zip"]


def test_a_kill_leaves_all_or_nothing_and_the_next_run_tidies_up(tmp_path: Path) -> None:
    archive = tmp_path / "1.zip"
    wanted = {f"{number:04d}.dat": os.urandom(2000) for number in range(1500)}
    archive.write_bytes(zipped(wanted, method=zipfile.ZIP_STORED))
    code = (
        "import sys; from pathlib import Path; from tessellar.exofop.unpacking import unpack;"
        "print(1, flush=True); unpack(*map(Path, sys.argv[1:]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(archive), str(tmp_path / "1")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    started = time.monotonic()
    while not list(tmp_path.glob(".1.*")) and time.monotonic() - started < 20 and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "1").exists() or len(tree(tmp_path / "1")) == len(wanted)
    unpack(archive, tmp_path / "1")
    assert tree(tmp_path / "1") == wanted
    assert {path.name for path in tmp_path.iterdir()} == {"1", "1.zip"}
