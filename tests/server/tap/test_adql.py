"""What can be asked in ADQL, what it is answered with, and what is said of anything else."""

from __future__ import annotations

import csv
import io
import json
import warnings

import httpx
import numpy as np
import pytest
from astropy.io import votable
from astropy.table import Table

from tessellar.errors import QueryError
from tessellar.server.tap.statement import translate
from tessellar.server.tap.tables import catalogue
from tests.server.folder import LC1, OBS1, SECOND, STAR

CONE = "CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 63.37, -69.22, 0.5))"


def ask(client: httpx.Client, query: str, **more: str) -> httpx.Response:
    return client.post("/tap/sync", data={"LANG": "ADQL", "QUERY": query, **more})


def rows(client: httpx.Client, query: str, **more: str) -> list[list[object]]:
    reply = ask(client, query, RESPONSEFORMAT="json", **more)
    assert reply.status_code == 200, reply.text
    data: list[list[object]] = reply.json()["data"]
    return data


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "empty query"),
        ("   ", "empty query"),
        ("DROP TABLE ivoa.obscore", "DROP is not ADQL"),
        ("INSERT INTO ivoa.obscore VALUES (1)", "INSERT is not ADQL"),
        ("PRAGMA table_info(files)", "PRAGMA is not ADQL"),
        ("ATTACH DATABASE '/etc/passwd' AS x", "line 1, column"),
        ("SELECT obs_id FROM ivoa.obscore; DROP TABLE files", "2 statements"),
        ("SELECT * FROM files", "table 'files' is not known"),
        ("SELECT * FROM sqlite_master", "table 'sqlite_master' is not known"),
        ("SELECT * FROM pragma_table_info('files')", "is not the name of a table"),
        ("SELECT load_extension('x') FROM ivoa.obscore", "function 'load_extension' is not known"),
        ("SELECT adql_checksum(1) FROM ivoa.obscore", "function 'adql_checksum' is not known"),
        ("SELECT obs_id INTO x FROM ivoa.obscore", "INTO is not part of ADQL"),
        ("SELECT CASE WHEN 1=1 THEN 1 END FROM ivoa.obscore", "is not part of ADQL"),
        ("SELECT ROW_NUMBER() OVER (ORDER BY obs_id) FROM ivoa.obscore", "is not part of ADQL"),
        ("SELECT obs_id FORM ivoa.obscore", "line 1, column 20, at 'ivoa': expected FROM in place of FORM"),
        ("SELECT obs_id\nFROM obscore WHERE s_ra = = 2", "line 2, column 27, at '=': expected a value or a column"),
        ("SELECT obs_id FROM obscore ORDER s_ra", "line 1, column 34, at 's_ra': expected BY after ORDER"),
        ("SELECT obs_id FROM obscore WHERE s_ra BETWEEN 1 OR 2", "column 49, at 'OR': expected two values with AND"),
        ("SELECT obs_id FROM obscore WHERE s_ra > 2 3", "expected an operator, a comma, GROUP BY, HAVING, ORDER BY"),
        ("SELECT obs_id FROM obscore)", "column 27, at ')': expected an operator, a comma, WHERE, GROUP BY"),
        ("SELECT COUNT(*) obs_id x FROM obscore", "expected an operator, a comma, or FROM"),
        ("OBSERVATIONS, PLEASE", "expected SELECT at the beginning"),
        ("SELECT obs_id FROM ivoa.obscore WHERE", "something is missing after it"),
        ("SELECT obs_id, FROM ivoa.obscore", "where something should follow the comma"),
        ("SELECT FROM ivoa.obscore", "names no columns"),
        ("SELECT (obs_id FROM ivoa.obscore", "column 16, at 'FROM': expected )"),
        ("SELECT 'obs_id FROM ivoa.obscore", "quote left open"),
        ("SELECT s_rra FROM ivoa.obscore", "did you mean s_ra"),
        ("SELECT obs_id FROM ivoa.obscor", "did you mean ivoa.obscore"),
        ("SELECT obs_id FROM ivoa.obscore a, dbo.obspointing b", "write table.column"),
        ("SELECT MOD(1) FROM ivoa.obscore", "MOD takes 2 arguments, not 1"),
        ("SELECT TOP many obs_id FROM ivoa.obscore", "at 'many': expected a whole number after TOP"),
        ("SELECT CAST(obs_id AS BLOB) FROM ivoa.obscore", "CAST to"),
        (
            "SELECT 1 FROM ivoa.obscore WHERE 1=CONTAINS(POINT(s_ra, s_dec), POLYGON(1, 2, 3, 4))",
            "three or more corners",
        ),
        (
            "SELECT 1 FROM ivoa.obscore WHERE 1=CONTAINS(POINT(s_ra, s_dec), POLYGON(0,0, 10,10, 10,0, 0,10))",
            "cross each other",
        ),
        ("SELECT 1 FROM ivoa.obscore WHERE 1=CONTAINS(POINT(s_ra, s_dec), CIRCLE(1, 95, 1))", "not on the sky"),
        ("SELECT 1 FROM ivoa.obscore WHERE 1=CONTAINS(POINT(s_ra, s_dec), CIRCLE(1, 2, 181))", "from 0 to 180"),
        ("SELECT 1 FROM ivoa.obscore WHERE 1=CONTAINS(POINT(s_ra, s_dec), CIRCLE(1, 2, 1e400))", "finite"),
        ("SELECT 1 FROM ivoa.obscore WHERE 1=CONTAINS(POINT(s_ra, s_dec), POINT(1, 2))", "a point holds nothing"),
        (
            "SELECT 1 FROM ivoa.obscore WHERE 1=CONTAINS(POINT('FOO', s_ra, s_dec), CIRCLE(1, 2, 3))",
            "'FOO' is not known",
        ),
        (
            "SELECT 1 FROM ivoa.obscore WHERE 1=CONTAINS(POINT('GALACTIC', s_ra, s_dec), CIRCLE(1, 2, 3))",
            "are ICRS here",
        ),
        (f"SELECT obs_id FROM ivoa.obscore WHERE obs_id = '{'x' * 1_000_000}'", "1,000,0"),
        (f"SELECT {'(' * 5000}1{')' * 5000} FROM ivoa.obscore", "nested too deeply"),
    ],
)
def test_what_is_no_question_is_refused_in_one_line(client: httpx.Client, query: str, said: str) -> None:
    with pytest.raises(QueryError) as refused:
        translate(query, catalogue())
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    reply = ask(client, query or " ")
    assert reply.status_code == 400
    assert reply.headers["content-type"].startswith("application/x-votable+xml")
    assert 'name="QUERY_STATUS" value="ERROR"' in reply.text
    assert "Traceback" not in reply.text


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("SELECT COUNT(*) FROM dbo.obspointing WHERE obs_collection = 'TESS'", 7),
        ("SELECT count(*) FROM OBSPOINTING WHERE Obs_Collection = 'tess'", 7),  # LIKE SQL Server, text has no case
        ("SELECT COUNT(DISTINCT target_name) FROM dbo.obspointing", 4),
        (f"SELECT COUNT(*) FROM ivoa.obscore WHERE 1 = {CONE}", 6),
        (f"SELECT COUNT(*) FROM ivoa.obscore WHERE {CONE} = 0", 2),
        (f"SELECT COUNT(*) FROM ivoa.obscore WHERE NOT ({CONE} = 1)", 2),
        (f"SELECT COUNT(*) FROM ivoa.obscore WHERE {CONE} = 1 OR target_name = '{SECOND}'", 7),
        ("SELECT COUNT(*) FROM ivoa.obscore WHERE DISTANCE(POINT(s_ra, s_dec), POINT(63.37, -69.22)) < 0.5", 6),
        ("SELECT COUNT(*) FROM ivoa.obscore WHERE DISTANCE(s_ra, s_dec, 63.37, -69.22) <= 0.5", 6),
        ("SELECT COUNT(*) FROM ivoa.obscore WHERE 1=INTERSECTS(s_region, CIRCLE('ICRS', 340.32, -43.84, 1))", 1),
        ("SELECT COUNT(*) FROM ivoa.obscore WHERE 1=CONTAINS(s_region, CIRCLE('ICRS', 340.32, -43.84, 1))", 1),
        ("SELECT COUNT(*) FROM ivoa.obscore WHERE 1=CONTAINS(POINT('ICRS', 340.327824, -43.841277), s_region)", 1),
        ("SELECT COUNT(*) FROM ivoa.obscore WHERE 1=CONTAINS(POINT('', s_ra, s_dec), BOX('ICRS', 340, -44, 4, 4))", 1),
        (
            "SELECT COUNT(*) FROM ivoa.obscore WHERE 1=CONTAINS(POINT('ICRS GEOCENTER', s_ra, s_dec), "
            "POLYGON('ICRS', 330.34, -44.34, 324.66, -33.28, 337.72, -28.38, 350, -48.56))",
            1,
        ),
        (
            "SELECT COUNT(*) FROM ivoa.obscore WHERE 1=CONTAINS(POINT(s_ra, s_dec), "
            "REGION('UNION ICRS (CIRCLE 340.3 -43.8 1 CIRCLE 63.4 -69.2 0.1)'))",
            6,
        ),
        ("SELECT COUNT(*) FROM tap_schema.keys NATURAL JOIN tap_schema.key_columns", 12),
        ("SELECT COUNT(*) FROM dbo.obspointing JOIN ivoa.obscore USING (obs_id, target_name)", 8),
        ("SELECT COUNT(*) FROM dbo.obspointing a LEFT OUTER JOIN dbo.caommembers m ON m.derivedTID = a.obsid", 10),
        ("SELECT COUNT(*) FROM (SELECT target_name FROM obscore GROUP BY target_name HAVING COUNT(*) > 1) AS x", 1),
        ("WITH near AS (SELECT obs_id FROM ivoa.obscore WHERE s_dec < -60) SELECT COUNT(*) FROM near", 7),
        ("SELECT COUNT(*) FROM obspointing WHERE obs_id IN (SELECT obs_id FROM obscore WHERE t_exptime = 20)", 1),
        ("SELECT MAX(sequence_number) FROM obspointing WHERE obs_id LIKE 'tess%-s000_-%' AND NOT obs_id IS NULL", 2),
        ("SELECT TOP 1 ROUND(10 * SQRT(2) + MOD(7, 4) + ABS(-1) + POWER(2, 3) + LOG10(100), 2) FROM obscore", 28.14),
        ("SELECT TOP 1 5 / 2 FROM obscore", 2),
        ("SELECT TOP 1 CAST('12' AS INTEGER) + COALESCE(NULL, 3) FROM obscore", 15),
        ("SELECT TOP 1 UPPER('a') || LOWER('B') FROM obscore", "Ab"),
        ("SELECT TOP 1 LOG(-1) FROM obscore", None),
        ("SELECT TOP 1 COORD2(POINT('ICRS', 1, 2)) FROM obscore", 2),
        ("SELECT TOP 1 ROUND(AREA(CIRCLE('ICRS', 10, 20, 1)), 3) FROM obscore", 3.142),
        ("SELECT TOP 1 ROUND(COORD1(CENTROID(BOX(10, 20, 2, 2))), 6) FROM obscore", 10),
        ("SELECT TOP 1 COORDSYS(POINT(1, 2)) FROM obscore", "ICRS"),
        ("SELECT COUNT(*) FROM tap_schema.columns WHERE table_name = 'ivoa.obscore'", 31),
        ("SELECT COUNT(*) FROM columns WHERE \"size\" IS NULL AND std = 1 AND table_name = 'tap_schema.keys'", 5),
        ("SELECT COUNT(*) FROM dbo.caomchunk", 0),
        (f"SELECT COUNT(*) FROM dbo.tic WHERE ID = {STAR}", 1),
        ("SELECT s_ra FROM tic, obscore WHERE 1=0 UNION SELECT s_ra FROM obscore ORDER BY 1", 63.37389),
        ("SELECT TOP 1 t_exptime FROM dbo.obspointing WHERE t_exptime IS NOT NULL ORDER BY 1 DESC OFFSET 0", 1800.0),
    ],
)  # fmt: skip
def test_questions_are_answered(client: httpx.Client, query: str, answer: object) -> None:
    ((value, *_), *_) = rows(client, query)
    assert value == (pytest.approx(answer) if isinstance(answer, float) else answer)


@pytest.mark.parametrize("degrees", [10, 60])
def test_a_polygon_about_more_than_half_the_sky_is_the_other_side(client: httpx.Client, degrees: int) -> None:
    """Its corners lie on a parallel of the south: whichever way they run, what is inside lies about the pole."""
    south = ", ".join(f"{ra}, {-degrees}" for ra in range(0, 360, 10))
    turned = ", ".join(f"{ra}, {-degrees}" for ra in range(350, -10, -10))
    answers = []
    for corners in (south, turned):
        polygon = f"POLYGON('ICRS', {corners})"
        inside = f"1=CONTAINS(POINT('ICRS', s_ra, s_dec), {polygon})"
        ((area,),) = rows(client, f"SELECT TOP 1 AREA({polygon}) FROM obscore")
        ((within,),) = rows(client, f"SELECT COUNT(*) FROM obscore WHERE {inside}")
        ((beyond,),) = rows(client, f"SELECT COUNT(*) FROM obscore WHERE NOT ({inside})")
        answers.append((area, within, beyond))
    (first, second) = answers
    assert first == pytest.approx(second)
    assert first[0] == pytest.approx(20626.48 * (1 - np.sin(np.radians(degrees))), rel=0.02)
    ((south_of_it,),) = rows(client, f"SELECT COUNT(*) FROM obscore WHERE s_dec < {-degrees}")
    assert first[1:] == (south_of_it, 8 - south_of_it)
    # A circle says by its radius that it is larger than half the sky.
    most = "1=CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 0, 90, 130))"
    assert rows(client, f"SELECT COUNT(*) FROM obscore WHERE {most}") == rows(
        client, "SELECT COUNT(*) FROM obscore WHERE s_dec >= -40"
    )


def test_the_tables_of_caom_belong_together(client: httpx.Client) -> None:
    files = rows(
        client,
        "SELECT a.productFileName, a.contentLength, a.contentChecksum, a.contentType, t.subGroupDescription "
        "FROM dbo.obspointing AS o JOIN dbo.caomplane AS p ON p.planeTID = o.objID "
        "JOIN dbo.caomartifact AS a ON a.planeTID = p.planeTID "
        "JOIN dbo.caomproducttype AS t ON t.typeID = a.productTypeID "
        f"WHERE o.obs_id = '{OBS1}' AND a.productFileName = '{LC1}'",
    )
    assert [row[0] for row in files] == [LC1]
    import hashlib

    content = client.get(f"/api/v0.1/Download/file?uri=mast:TESS/product/{LC1}").content
    assert files[0][1:] == [len(content), f"md5:{hashlib.md5(content).hexdigest()}", "application/fits", "LC"]
    members = rows(
        client,
        "SELECT s.obs_id FROM dbo.caommembers m JOIN dbo.caomobservation d ON d.observationTID = m.derivedTID "
        "JOIN dbo.obspointing s ON s.obsid = m.simpleTID WHERE d.type = 'D' ORDER BY s.obs_id",
    )
    assert OBS1 in [row[0] for row in members]


def test_a_file_is_where_its_row_says(client: httpx.Client) -> None:
    ((url, size, kind),) = rows(
        client, f"SELECT access_url, access_estsize, access_format FROM ivoa.obscore WHERE obs_id = '{OBS1}'"
    )
    content = httpx.get(str(url)).content
    assert str(url).startswith(str(client.base_url).rstrip("/"))
    assert (len(content) + 999) // 1000 == size
    assert kind == "application/fits"
    assert str(url).endswith("_lc.fits")


FORMS = ["votable", "votable/b2", "csv", "tsv", "json", "ecsv"]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_the_same_rows(client: httpx.Client, form: str) -> None:
    query = (
        "SELECT obs_id, obsid, s_ra, t_exptime, sequence_number, mtFlag, obs_title, "
        "'a <b> & \"c\", d' AS odd FROM dbo.obspointing ORDER BY obs_id, obsid"
    )
    reply = ask(client, query, RESPONSEFORMAT=form)
    assert reply.status_code == 200
    expected = rows(client, query)
    body = reply.content
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if form.startswith("votable"):
            table = votable.parse_single_table(io.BytesIO(body)).to_table()
            found = [[None if np.ma.is_masked(cell) else cell for cell in row] for row in table.iterrows()]
            assert table["s_ra"].unit == "deg"
            assert table["sequence_number"].dtype == np.int32
            assert table["obsid"].dtype == np.int64
        elif form == "ecsv":
            table = Table.read(body.decode(), format="ascii.ecsv")
            found = [[None if np.ma.is_masked(cell) else cell for cell in row] for row in table.iterrows()]
            assert table["s_ra"].unit == "deg"
        elif form == "json":
            found = reply.json()["data"]
        else:
            found = list(csv.reader(io.StringIO(body.decode()), delimiter="," if form == "csv" else "\t"))[1:]
    assert len(found) == len(expected) > 5
    for got, want in zip(found, expected, strict=True):
        for cell, value in zip(got, want, strict=True):
            if value is None:
                assert cell in (None, "", "nan") or cell != cell
            elif isinstance(value, float):
                assert float(cell) == pytest.approx(value, rel=1e-15)
            elif isinstance(value, bool):
                assert str(cell).lower() in (str(value).lower(), str(int(value)))
            elif isinstance(value, int) and form in ("csv", "tsv"):
                assert str(cell).lower() in (str(value), str(bool(value)).lower())
            else:
                assert str(cell) == str(value) or bool(cell) == bool(value)


def test_what_was_cut_off_is_said(client: httpx.Client) -> None:
    query = "SELECT obs_id FROM dbo.obspointing"
    whole = ask(client, query)
    assert "OVERFLOW" not in whole.text
    for form in ("votable", "votable/b2"):
        cut = ask(client, query, MAXREC="3", RESPONSEFORMAT=form).text
        assert cut.index("</TABLE>") < cut.index('value="OVERFLOW"')
    assert json.loads(ask(client, query, MAXREC="3", RESPONSEFORMAT="json").text)["overflow"] is True
    assert len(rows(client, query, MAXREC="3")) == 3
    assert len(rows(client, "SELECT TOP 2 obs_id FROM dbo.obspointing", MAXREC="3")) == 2
    assert "OVERFLOW" not in ask(client, "SELECT TOP 2 obs_id FROM dbo.obspointing", MAXREC="3").text
    nothing = ask(client, query, MAXREC="0")
    assert "<FIELD" in nothing.text
    assert "OVERFLOW" in nothing.text


def test_columns_of_an_answer_are_told(client: httpx.Client) -> None:
    reply = ask(
        client,
        'SELECT TOP 1 sequenceNumber AS Sector, s_ra, MAX(t_exptime) AS "longest one", s_ra + 1, COUNT(*), obs_id '
        "FROM dbo.caomobservation JOIN ivoa.obscore ON observationID = obs_id GROUP BY sequenceNumber, s_ra, obs_id",
        FORMAT="json",
    )
    told = [(one["name"], one["datatype"], one["unit"]) for one in reply.json()["info"]]
    assert told == [
        ("Sector", "int", ""), ("s_ra", "double", "deg"), ("longest one", "double", "s"), ("column_4", "double", ""),
        ("COUNT_ALL", "long", ""), ("obs_id", "char", ""),
    ]  # fmt: skip
