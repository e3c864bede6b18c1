"""The package exofop and ours, against the same archive: the same rows, the same tags, the same bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tessellar.exofop import ExoFOPAuthenticator, System, SystemDownloader, TagDownloader
from tessellar.server import ServerThread
from tests import exofopfolder as made
from tests.server.test_exofop_client import session


@pytest.mark.heavy
def test_both_get_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("exofop")
    made.make(tmp_path / "archive", note="on time")  # the package fails on bars in free text
    hidden = [made.GROUP_TAG, made.ADAS_TAG]
    (tmp_path / "theirs").mkdir()
    with ServerThread(tmp_path / "archive") as archive:
        monkeypatch.setenv("TESSELLAR_ARCHIVE", archive.url)
        arguments = (made.STAR, "TOI 1130", "grace", made.PASSWORDS["grace"])
        theirs = session(archive.url, tmp_path / "theirs", *arguments, ",".join(hidden))
        loader = SystemDownloader(System(f"TIC_{made.STAR}"), data_dir=str(tmp_path / "ours"))
        rows = {name: len(getattr(loader, name).table) for name in theirs["rows"]}
        tags = [str(tag) for tag in loader.time_series.tags]
        loader.download(tags)
        grace = ExoFOPAuthenticator("grace")
        assert grace.login(made.PASSWORDS["grace"])
        TagDownloader(str(tmp_path / "private"), authenticator=grace).download_tags(hidden)
    assert rows == theirs["rows"]
    assert tags == list(dict.fromkeys(theirs["tags"]))
    assert loader.time_series.table.colnames == theirs["columns"]
    assert zips(Path(loader.target_dir)) == theirs["zips"]
    assert zips(tmp_path / "private") == theirs["private zips"]
    measured = sorted(str(path.relative_to(loader.target_dir)) for path in Path(loader.target_dir).rglob("*.tbl"))
    assert measured == theirs["files"]


def zips(folder: Path) -> dict[str, str]:
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("zip/*.zip"))}
