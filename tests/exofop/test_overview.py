"""The table of all TOIs: asked for once a day, looked up at once, compared with the one before."""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from astropy.table import Table

from tessellar.errors import ArchiveError, ConfigError, InputError, TessellarError
from tessellar.exofop import TIC, TOI, System, ctoi_table, overview, read_exofop_table, toi_table
from tessellar.exofop.snapshots import Snapshots
from tessellar.server import ServerThread
from tests.exofop.conftest import Site
from tests.exofopfolder import SECOND, STAR
from tests.faults import FaultyArchive


def made_older(site: Site, name: str = "tois", hours: float = 25) -> None:
    """Let the kept table be so many hours old."""
    path = Snapshots(name, site.base)._path()
    told = json.loads(gzip.decompress(path.read_bytes()))
    told["checked"] = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    path.write_bytes(gzip.compress(json.dumps(told).encode()))
    overview.forget()


def test_the_table_is_asked_for_once_a_day(site: Site) -> None:
    first = toi_table()
    overview.forget()
    assert len(toi_table()) == len(first)
    assert TOI("1130").exists()
    assert site.asked == ["json/tois.json?"]
    made_older(site)
    toi_table()
    assert site.asked == ["json/tois.json?"] * 2
    toi_table()
    assert len(site.asked) == 2
    toi_table(refresh=True)
    assert len(site.asked) == 3


def test_an_unchanged_table_is_not_sent_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    toi_table()
    made_older(site)
    sent: list[int] = []
    original = overview.Exofop.reply

    def reply(self: overview.Exofop, *args: object, **options: object) -> object:
        found = original(self, *args, **options)  # type: ignore[arg-type]
        sent.append(found.status)
        return found

    monkeypatch.setattr(overview.Exofop, "reply", reply)
    assert len(toi_table()) == 5
    assert sent == [304]
    overview.forget()
    assert len(toi_table()) == 5
    assert sent == [304]


def test_offline_works_from_what_is_kept_whatever_its_age(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSELLAR_OFFLINE", "1")
    with pytest.raises(ArchiveError, match=r"offline: the tois of .* were never asked for"):
        TOI("1130").exists()
    monkeypatch.delenv("TESSELLAR_OFFLINE")
    toi_table()
    made_older(site, hours=1000)
    site.app.requests.clear()
    monkeypatch.setenv("TESSELLAR_OFFLINE", "1")
    assert TIC(STAR).to_toi() == TOI(1130)
    assert site.asked == []


def test_an_old_table_is_used_where_exofop_gives_none(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    toi_table()
    made_older(site)
    site.fail("/tess/", 99)
    assert TOI("1130").exists()
    assert "are used" in caplog.text
    with pytest.raises(ArchiveError, match="503"):
        toi_table(refresh=True)


def test_a_kept_table_that_is_damaged_is_asked_for_again(site: Site) -> None:
    toi_table()
    path = Snapshots("tois", site.base)._path()
    path.write_bytes(path.read_bytes()[:100])
    overview.forget()
    assert len(toi_table()) == 5
    assert len(site.asked) == 2


def test_what_changed_since_is_told(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "exofop"
    folder.mkdir()
    text = (site.folder / "exofop" / "tois.csv").read_text()
    (folder / "tois.csv").write_text(text)
    with ServerThread(tmp_path) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TESSELLAR_ARCHIVE", server.url)
        before = toi_table()
        with pytest.raises(InputError, match="no older table is kept"):
            before.since()
        lines = [line for line in text.splitlines() if "1234.01" not in line]
        changed = "\n".join(lines).replace("8.350190", "8.350381") + f"\n{lines[1].replace('1130.01', '1130.03')}\n"
        (folder / "tois.csv").write_text(changed)
        after = toi_table(refresh=True)
        rows = [tuple(row) for row in after.since()]
        assert rows == [
            (int(STAR), 1130.01, "changed", "Period (days)", "8.35019", "8.350381"),
            (int(STAR), 1130.03, "new", "", "", ""),
            (90504905, 1234.01, "gone", "", "", ""),
        ]
        assert [tuple(row) for row in after.since(before)] == rows
        assert len(after.since(after)) == 0


def test_ctois_come_likewise(site: Site) -> None:
    table = ctoi_table()
    assert table["CTOI"].tolist() == [17361.01]
    assert table["Promoted to TOI"].tolist() == [3127.01]
    assert str(table["Period (days)"].unit) == "d"
    ctoi_table()
    assert site.asked == ["download_ctoi.php?output=pipe"]


@pytest.mark.parametrize("kind", ["frame", "table", "strings"])
def test_another_table_can_be_looked_up_in(site: Site, kind: str) -> None:
    columns = {"tic id": [1, 2, 2], " TOI ": [10.01, 20.01, 20.02], "Mine": ["a", "b", "c"]}
    if kind == "strings":
        columns |= {"tic id": ["TIC 1", "2", "2"], " TOI ": ["TOI 10.01", "20.01", "TOI-20.02"]}
    own = Table(columns) if kind == "table" else pd.DataFrame(columns)
    assert TIC(2).exists(own)
    assert not TIC(3).exists(own)
    assert TIC(2).to_toi(own) == TOI(20)
    assert TOI("20.02").to_tic(own) == TIC(2)
    found = TOI("20.02").lookup(own)
    assert isinstance(found, pd.DataFrame)
    assert found["Mine"].tolist() == ["c"]
    assert System(tic=2).lookup(own)["Mine"].tolist() == ["b", "c"]
    assert System(toi=10).exists(own)
    assert site.asked == []
    with pytest.raises(InputError, match="no column 'TIC ID'"):
        TIC(1).exists(Table({"TOI": [1]}))


def test_a_star_without_a_toi_and_a_toi_that_is_none_are_named(site: Site) -> None:
    with pytest.raises(InputError, match="TIC_22529346 not found in overview table"):
        TIC("22529346").to_toi()
    with pytest.raises(InputError, match=r"TOI1130\.09 not found in overview table"):
        TOI("1130.09").to_tic()
    system = System(tic=22529346)
    assert system.autocomplete() is False
    assert not system.is_complete()
    assert system.is_consistent()
    with pytest.raises(ValueError, match="cannot be completed"):
        System(tic=22529346, complete=True)
    with pytest.raises(ValueError, match="Could not convert `4321`"):
        System("4321")
    with pytest.raises(ValueError, match="must be provided"):
        System()


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("1130", (STAR, "TOI1130")),
        ("1130.02", (STAR, "TOI1130.02")),
        ("254113311", (STAR, "TOI1130")),
        (" tic-254113311 ", (STAR, None)),
        ("TIC 254113311", (STAR, None)),
        ("toi_1130.01", (None, "TOI1130.01")),
        ("WASP-121", ("22529346", None)),
        ("TOI-1130 c", (STAR, "TOI1130")),
        ("99999999", ("99999999", None)),
    ],
)
def test_any_spelling_of_a_system(site: Site, name: str, ids: tuple[str | None, str | None]) -> None:
    system = System(name)
    assert (system.tic and system.tic.id, system.toi and system.toi.id) == ids
    assert system.name == name


def test_systems_are_compared_by_their_ids_and_not_hashed() -> None:
    assert System("a", tic=1, toi=2) == System("b", tic="TIC 1", toi="TOI-2")
    assert System(tic=1) != System(tic=1, toi=2)
    with pytest.raises(TypeError):
        hash(System(tic=1))


def test_without_pandas_one_line_says_what_to_install(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert TIC(STAR).exists()
    with pytest.raises(TessellarError, match=r"pip install tessellar\[pandas\]"):
        TIC(STAR).lookup()


# Speed, on the real table


@pytest.fixture
def real_site(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyArchive]:
    (tmp_path / "exofop").mkdir()
    shutil.copy(recorded / "tess_atlas" / "exofop_data_2025-10-19.csv", tmp_path / "exofop" / "tois.csv")
    with ServerThread(tmp_path, wrap=FaultyArchive) as server:
        monkeypatch.setenv("TESSELLAR_ARCHIVE", server.url)
        assert isinstance(server.app, FaultyArchive)
        yield server.app


@pytest.mark.heavy
def test_the_real_table_loads_in_a_second_and_is_looked_up_in_a_millisecond(
    real_site: FaultyArchive, recorded: Path
) -> None:
    toi_table()  # from the server, which takes its time to write it
    taken = []
    for _ in range(2):
        overview.forget()
        started = time.process_time()
        table = toi_table()
        taken.append(time.process_time() - started)
    assert min(taken) < 1.0
    assert len(table) == 7710
    assert table.meta["source"].endswith("tois.json")
    TIC(SECOND).lookup()
    for look in (lambda: TIC("1717732429").exists(), lambda: TOI("1130.02").to_tic(), lambda: TIC(SECOND).lookup()):
        best = min(_seconds(look) for _ in range(20))
        assert best < 1e-3
    saved = read_exofop_table(recorded / "tess_atlas" / "exofop_data_2025-10-19.csv")
    changes = table.since(saved)
    assert len(changes) == 0, changes[:5]


def test_two_real_tables_of_different_pages_are_compared(recorded: Path) -> None:
    from tessellar.exofop import TOITable

    older = read_exofop_table(recorded / "pentrican_gui_export" / "exofop_tess_tois_2025-07-03.csv")
    newer = TOITable(read_exofop_table(recorded / "tess_atlas" / "exofop_data_2025-10-19.csv"))
    changes = newer.since(older)
    kinds = {kind: int((changes["Change"] == kind).sum()) for kind in ("new", "gone", "changed")}
    assert kinds["new"] - kinds["gone"] == 7710 - 7655
    assert not {"RA", "Dec", "TIC ID"} & set(changes["Column"])


def _seconds(work: object) -> float:
    started = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - started


def test_the_setting_says_where_exofop_is(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSELLAR_ARCHIVE", "mast")
    monkeypatch.setenv("TESSELLAR_EXOFOP", site.base.rstrip("/"))
    assert TOI("1130").exists()
    monkeypatch.setenv("TESSELLAR_EXOFOP", "exofop")
    with pytest.raises(ConfigError, match="give a URL"):
        TOI("1130").exists()


def test_a_cache_that_cannot_be_written_is_done_without(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert TOI("1130").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
