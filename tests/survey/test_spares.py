"""Files that are written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tessellar.survey import spares


def write(path: Path, text: str) -> None:
    with spares.opened(path) as stream:
        stream.write(text.encode())
        stream.truncate()


def test_a_file_is_written_over_the_largest_spare_one(tmp_path: Path) -> None:
    small, large, new = (tmp_path / name for name in ("small", "large", "new"))
    write(small, "x")
    write(large, "a long text")
    number = large.stat().st_ino
    spares.keep(small, 2)
    spares.keep(large, 2)
    write(new, "short")
    assert new.read_text() == "short"
    assert new.stat().st_ino == number
    other = tmp_path / "other"
    write(other, "y")
    write(tmp_path / "one more", "z")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "one more", "other"]


def test_of_more_than_are_wanted_the_smallest_go(tmp_path: Path) -> None:
    for size in (3, 1, 4, 2):
        path = tmp_path / f"{size}"
        path.write_bytes(bytes(size))
        spares.keep(path, 2)
    assert sorted(path.stat().st_size for path in tmp_path.iterdir()) == [3, 4]
    with pytest.raises(KeyboardInterrupt), spares.none_left(tmp_path):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_none_is_kept_where_none_is_wanted(tmp_path: Path) -> None:
    write(tmp_path / "a", "x")
    spares.keep(tmp_path / "a", 0)
    assert not list(tmp_path.iterdir())
