"""`tessellar tap` and `find --footprint` from the shell, against a folder that is served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from astropy.table import Table

from tessellar.server import ServerThread
from tests.server.folder import make

QUERY = "SELECT obs_id, s_ra FROM ivoa.obscore WHERE target_name = '25155310' ORDER BY obs_id"


Run = Callable[..., Any]


@pytest.fixture(scope="module")
def folder_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ServerThread(make(tmp_path_factory.mktemp("served"))) as server:
        yield server.url


@pytest.fixture
def ask(tessellar: Run, folder_url: str) -> Run:
    return lambda *words: tessellar("--archive", folder_url, *words)


def test_a_query_in_every_form(ask: Run, tmp_path: Path) -> None:
    plain = ask("tap", QUERY)
    assert plain.code == 0, plain.err
    assert plain.out.splitlines()[0].split() == ["obs_id", "s_ra"]
    rows = ask("--json", "tap", QUERY).json
    assert len(rows) == 5
    assert set(rows[0]) == {"obs_id", "s_ra"}
    for name in ("rows.ecsv", "rows.csv", "rows.fits", "rows.vot"):
        done = ask("tap", "-o", str(tmp_path / name), QUERY)
        assert done.code == 0, done.err
        assert Table.read(tmp_path / name)["obs_id"].tolist() == [row["obs_id"] for row in rows]
    cut = ask("tap", "--maxrec", "2", QUERY)
    assert "cut off at 2 rows" in cut.err
    none = ask("--json", "tap", "SELECT obs_id FROM obscore WHERE 1 = 0")
    assert (none.code, none.json) == (0, [])


def test_a_job_is_left_and_found_again(ask: Run, tmp_path: Path) -> None:
    left = ask("tap", "--job", "--no-wait", QUERY)
    url = left.out.strip()
    assert "/vo-tap/" in url
    assert url in ask("tap", "jobs").out
    taken = ask("tap", "job", url, "-o", str(tmp_path / "job.ecsv"))
    assert taken.code == 0, taken.err
    assert len(Table.read(tmp_path / "job.ecsv")) == 5
    assert ask("tap", "job", url).out.strip() == "COMPLETED"
    assert ask("tap", "job", url, "--delete").code == 0
    gone = ask("tap", "job", url)
    assert (gone.code, len(gone.err.splitlines())) == (3, 1)


@pytest.mark.parametrize("name", ["rows.ecsv", "rows.csv", "rows.fits", "rows.parquet"])
def test_the_answer_of_a_job_is_streamed(ask: Run, tmp_path: Path, name: str) -> None:
    query = "SELECT obs_id, obsid, s_ra, mtFlag, obs_title, t_exptime FROM dbo.obspointing ORDER BY obs_id"
    rows = ask("--json", "tap", query).json
    done = ask("tap", "--job", "-o", str(tmp_path / name), query)
    assert done.code == 0, done.err
    assert f"{len(rows)} rows" in done.err
    if name.endswith("parquet"):
        found = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / name).to_pylist()
        assert [row["obs_id"] for row in found] == [row["obs_id"] for row in rows]
        assert [row["obsid"] for row in found] == [row["obsid"] for row in rows]
    else:
        table = Table.read(tmp_path / name)
        assert table["obs_id"].tolist() == [row["obs_id"] for row in rows]
        assert table["s_ra"].tolist() == [row["s_ra"] for row in rows]
    if name.endswith(("ecsv", "fits")):
        assert table["s_ra"].unit == "deg"
        assert [bool(value) for value in table["mtFlag"]] == [bool(row["mtFlag"]) for row in rows]
    if name.endswith("fits"):
        with fits.open(tmp_path / name) as file:
            file.verify("exception")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    cut = ask("tap", "--job", "--maxrec", "3", "-o", str(tmp_path / name), query)
    assert "no more than 3 rows" in cut.err
    assert ask("tap", "jobs").out == ""


def test_an_upload_and_the_list_of_tables(ask: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("name,ra,dec\nhere,63.374,-69.2268\n")
    query = (
        "SELECT u.name, COUNT(*) AS n FROM TAP_UPLOAD.mine AS u JOIN ivoa.obscore AS o "
        "ON DISTANCE(POINT(o.s_ra, o.s_dec), POINT(u.ra, u.dec)) < 0.01 GROUP BY u.name"
    )
    done = ask("--json", "tap", "--upload", f"mine={tmp_path / 'mine.csv'}", query)
    assert done.json == [{"name": "here", "n": 5}], done.err
    assert "dbo.caomartifact" in ask("tap", "tables").out
    found = ask("--json", "tap", "tables", "FOOTPRINT")
    assert "s_region" in {row["column"] for row in found.json}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["tap", "SELECT nope FROM obscore"], 2, "column 'nope'"),
        (["tap", "DROP TABLE obscore"], 2, "DROP is not ADQL"),
        (["tap", "--upload", "x", QUERY], 2, "write NAME=FILE"),
        (["tap", "--upload", "x=nothing.csv", QUERY], 2, "cannot be read as a table"),
        (["tap", "-o", "rows.xlsx", QUERY], 2, "a table is written to"),
        (["tap", "--service", "http://127.0.0.1:1/tap", QUERY], 3, "cannot be reached"),
        (["tap", "explain", "--footprint", "1-1"], 2, "write sector-camera-ccd"),
        (["find", "--footprint", "POLYGON 1 2"], 2, "has 2 numbers"),
        (["find", "--footprint", "9999-1-1"], 2, "sector"),
        (["find", "--footprint", "1-1-2", "--kind", "tpf"], 2, "--kind tpf"),
        (["find", "--footprint", "1-1-2", "--position", "1 2"], 2, "--position"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(ask: Run, words: list[str], code: int, said: str) -> None:
    done = ask(*words)
    assert done.code == code, done.err
    assert said in done.err
    assert "Traceback" not in done.err
    assert "Usage" in done.err or len(done.err.strip().splitlines()) == 1


def test_find_and_fetch_what_is_in_a_footprint(ask: Run, tmp_path: Path) -> None:
    assert "1 = CONTAINS" in ask("tap", "explain", "--footprint", "1-4-1", "--sector", "1").out
    rows = ask("--json", "find", "--footprint", "1-4-1").json
    shown = ask("find", "--footprint", "1-4-1")
    assert shown.code == 0, shown.err
    assert shown.err.splitlines() == [f"{len(rows)} files"]  # their sizes are in another table of the service
    assert {(row["target"], row["kind"]) for row in rows} == {("25155310", "lightcurve")}
    assert {row["sector"] for row in rows} == {1, 2}
    urls = ask("find", "--footprint", "1-4-1", "--sector", "2", "--urls").out.split()
    assert len(urls) == 1
    done = ask("--json", "fetch", "--footprint", "1-4-1", "--sector", "2", "-o", str(tmp_path))
    assert done.code == 0, done.err
    (row,) = done.json
    assert Path(row["path"]).is_file()
