"""`find` and `stars`: every way out holds the same rows, and what makes no sense is one line."""

from __future__ import annotations

import csv
import io
import json

import pytest
from astropy.table import Table

from tessellar import Field
from tests.access.test_stars import Catalogue, around
from tests.webserver import running


@pytest.fixture(autouse=True)
def at(monkeypatch, archive):
    monkeypatch.setenv("TESSELLAR_ARCHIVE", archive)


def test_every_form_has_the_same_files(tessellar, star):
    rows = tessellar("--json", "find", star).json
    names = [row["filename"] for row in rows]
    assert len(names) == 4
    assert {row["author"] for row in rows} == {"SPOC"}
    assert all(row["s3_uri"].startswith("s3://stpubdata/tess/public/tid/") for row in rows)
    assert all(f"TIC {star}" in row["summary"] for row in rows)
    assert [row["filename"] for row in csv.DictReader(io.StringIO(tessellar("find", star, "--csv").out))] == names
    assert [url.rsplit("/", 1)[1] for url in tessellar("find", star, "--urls").out.split()] == names
    ecsv = Table.read(tessellar("find", star, "--ecsv").out, format="ascii.ecsv")
    votable = Table.read(io.BytesIO(tessellar("find", star, "--votable").out.encode()), format="votable")
    assert list(ecsv["productFilename"]) == list(votable["productFilename"]) == names
    assert list(votable["size"]) == [row["size"] for row in rows]


@pytest.mark.parametrize("ending", ["csv", "ecsv", "vot", "parquet"])
def test_a_table_is_written_to_a_file(tessellar, star, tmp_path, ending):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = tmp_path / f"files.{ending}"
    ran = tessellar("find", star, "-o", path)
    assert ran.code == 0
    assert ran.line == f"{path}: 4 rows"
    if ending == "parquet":
        assert len(pandas.read_parquet(path)) == 4
    else:
        assert len(Table.read(path, format={"vot": "votable"}.get(ending, f"ascii.{ending}"))) == 4
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_observations_of_everything_go_to_a_file(tessellar, tmp_path, star):
    ran = tessellar("--json", "find", "--observations", "--columns", "obs_id,target_name", "-o", tmp_path / "all.csv")
    assert ran.code == 0
    with (tmp_path / "all.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert ran.json["rows"] == len(rows) > 10
    assert str(star) in {row["target_name"] for row in rows}
    assert list(rows[0]) == ["obs_id", "target_name"]


def test_observations_by_any_column(tessellar):
    found = tessellar("--json", "find", "--observations", "--where", "t_exptime=100..130", "--where",
                      "obs_id=tess*s0001*", "--where", "provenance_name=SPOC,QLP").json  # fmt: skip
    assert found
    assert {row["sequence_number"] for row in found} == {1}
    assert len(tessellar("find", "--observations", "--sector", 1, "--time", "2018-07-26", "58400").out.splitlines()) > 2
    assert json.loads(tessellar("--json", "find", "--observations", "--sector", 1, "--time", "2000-01-01", "51545").out
                      ) == []  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--where", "t_exptime"], "COLUMN=VALUE"),
        (["--where", "t_exptime=a..b"], "two numbers"),
        (["--where", "t_min=soon"], "holds numbers"),
        (["--where", "obsId=1"], "did you mean"),
        (["--columns", "obs_id", "1"], "--observations"),
        (["--observations", "--urls", "1"], "--urls"),
        (["--observations", "-o", "all.doc"], "endings"),
        (["1", "-o", "all.doc"], "endings"),
        ([], "millions of rows"),
    ],
)
def test_what_makes_no_sense_is_said(tessellar, arguments, told):
    ran = tessellar("find", *arguments)
    assert ran.code == 2
    assert told in ran.err
    assert "Traceback" not in ran.err


def test_stars_of_a_ccd_become_a_catalogue(tessellar, tmp_path):
    rows = around(Field(1, 4, 1), 500)
    with running(Catalogue(rows)) as server:
        path = tmp_path / "tic.ecsv"
        ran = tessellar(
            "--archive", server.url, "stars", "--field", "1-4-1", "--tmag", 12, "--epoch", 2018.6, "-o", path
        )
        assert ran.code == 0, ran.err
        table = Table.read(path)
        assert ran.line == f"{path}: {len(table)} stars"
        assert {"ID", "ra", "dec", "Tmag", "ra_epoch"} <= set(table.colnames)
        some = tessellar("--archive", server.url, "--json", "stars", rows[0]["ID"], 99)
        assert [row["ID"] for row in some.json] == [rows[0]["ID"]]
        assert some.line == "tessellar: not in the catalogue: TIC 99"
        assert tessellar("--archive", server.url, "stars").code == 2


def test_global_options_may_stand_anywhere(tessellar, archive, star):
    before = tessellar("--archive", archive, "--json", "find", star)
    after = tessellar("--archive", archive, "find", star, "--json")
    assert after.json == before.json
    assert after.code == 0
