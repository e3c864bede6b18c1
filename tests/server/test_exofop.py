"""ExoFOP's addresses over a folder: the same bytes as ExoFOP's, and nothing for those who may not see it."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessellar.products.exofopfolder import read_table, table_text
from tessellar.products.exofoptables import COLUMNS
from tessellar.products.exofopusers import add_user
from tessellar.server import ServerThread
from tests import exofopfolder as made
from tests.conftest import SHARED
from tests.faults import FaultyArchive


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.make(tmp_path_factory.mktemp("exofop"))


@pytest.fixture(scope="module")
def archive(folder: Path) -> Iterator[ServerThread]:
    with ServerThread(folder) as archive:
        yield archive


@pytest.fixture(scope="module")
def visitor(archive: ServerThread) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{archive.url}/tess") as client:
        yield client


@pytest.fixture
def client(archive: ServerThread) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{archive.url}/tess") as client:
        yield client


@pytest.fixture(scope="module")
def recorded() -> Path:
    folder = SHARED / "data" / "exofop"
    if not folder.is_dir():
        pytest.skip("the recorded answers of ExoFOP are not beside this checkout")
    return folder


def log_in(client: httpx.Client, name: str, password: str | None = None) -> httpx.Response:
    given = made.PASSWORDS[name] if password is None else password
    fields = {"username": name, "password": given, "ref": "login_user", "ref_page": "/tess/"}
    return client.post("/password_check.php", data=fields, follow_redirects=True)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="|"))


def tags(client: httpx.Client, target: str = made.STAR) -> list[str]:
    reply = client.get("/download_tseries.php", params={"target": target, "output": "csv"})
    return [row["Tag"] for row in csv.DictReader(io.StringIO(reply.text))]


# Tables, byte for byte


def test_a_recorded_table_of_tois_comes_back_byte_for_byte(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "exofop").mkdir()
    wire = (recorded / "etta_docs" / "download_toi_toi127.pipe").read_bytes()
    (tmp_path / "exofop" / "tois.pipe").write_bytes(wire)
    with ServerThread(tmp_path) as archive:
        assert httpx.get(f"{archive.url}/tess/download_toi.php?output=pipe&toi=127").content == wire
        assert httpx.get(f"{archive.url}/tess/download_toi.php?output=pipe&toi=127.02").content.count(b"\n") == 1


def test_a_recorded_table_of_a_tag_comes_back_with_its_empty_lines(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "exofop").mkdir()
    wire = (recorded / "etta_docs" / "tag-spect-example").read_bytes()
    (tmp_path / "exofop" / "spectroscopy.pipe").write_bytes(wire.rstrip(b"\n") + b"\n")
    with ServerThread(tmp_path) as archive:
        assert httpx.get(f"{archive.url}/tess/download_tag_spect.php?tag=1494&output=pipe").content == wire


@pytest.mark.heavy
def test_tables_as_large_as_the_real_ones(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "exofop").mkdir()
    shutil.copy(recorded / "tess_atlas" / "exofop_data_2025-10-19.csv", tmp_path / "exofop" / "tois.csv")
    shutil.copy(recorded / "jpdeleon_chronos" / "tfop_sg2_spec_table.csv", tmp_path / "exofop" / "spectroscopy.csv")
    with ServerThread(tmp_path) as archive, httpx.Client(base_url=f"{archive.url}/tess", timeout=30) as client:
        # As it was recorded, and in the order in which it was recorded.
        source = (tmp_path / "exofop" / "tois.csv").read_bytes()
        assert client.get("/download_toi.php?output=csv&sort=toi").content == source
        assert client.get("/download_toi.php").text.startswith("TIC ID")
        grid = client.get("/json/tois.json").json()
        assert len(grid) == 7710
        assert type(grid[0]["ticid"]) is int
        assert type(grid[0]["toi"]) is float
        assert (grid[0]["ra"], grid[0]["dec"]) == pytest.approx((318.737012, -55.871863), abs=1e-4)
        assert len(client.get("/download_spect.php?output=csv").text.splitlines()) == 15296
        assert client.get("/gototicid.php?target=TOI-1172&json").json()["TIC"] == made.TEN_DIGITS


def test_a_recorded_target_comes_back_whole(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "exofop" / "targets").mkdir(parents=True)
    source = recorded / "target_json" / "target_38877496.json"
    shutil.copy(source, tmp_path / "exofop" / "targets" / "38877496.json")
    with ServerThread(tmp_path) as archive:
        reply = httpx.get(f"{archive.url}/tess/target.php?id=38877496&json")
        assert reply.json() == json.loads(source.read_text())
        assert list(reply.json()) == list(json.loads(source.read_text()))


def test_free_text_is_sent_as_it_was_written(client: httpx.Client) -> None:
    text = client.get("/download_obsnotes.php", params={"tid": made.STAR, "output": "pipe"}).text
    assert made.NOTE in text  # bars, a line break, HTML without an end
    assert text.splitlines()[0] == "|".join(COLUMNS["notes"])
    quoted = client.get("/download_obsnotes.php", params={"tid": made.STAR}).text
    assert next(csv.DictReader(io.StringIO(quoted)))["notes"] == made.NOTE


@pytest.mark.parametrize(
    ("page", "table"),
    [
        ("download_tseries.php?target=1", "time_series"),
        ("download_spect.php?target=no%20such%20star", "spectroscopy"),
        ("download_imaging.php?target=TOI99999", "imaging"),
        ("download_stellarcomp.php?target=1", "stellar_companions"),
        ("download_stellar.php?id=1", "stellar_parameters"),
        ("download_planet.php?id=", "planet_parameters"),
        ("download_filelist.php?id=1", "files"),
        ("download_obsnotes.php?tag=nothing", "notes"),
        ("download_tag_imaging.php?tag=0", "imaging"),
        ("download_toi.php?toi=x", "tois"),
        ("download_ctoi.php?ctoi=1", "ctois"),
    ],
)
def test_nothing_found_is_a_header(client: httpx.Client, page: str, table: str) -> None:
    joined = "&" if "?" in page else "?"
    reply = client.get(f"/{page}{joined}output=pipe")
    assert reply.status_code == 200
    assert reply.text.rstrip("\n") == "|".join(COLUMNS[table])


def test_no_column_of_the_servers_own_is_sent(client: httpx.Client) -> None:
    for page in (
        "download_tseries.php?",
        "download_nearbytarget.php?id=TOI1130&",
        "download_filelist.php?id=254113311&",
    ):
        header = client.get(f"/{page}output=pipe").text.splitlines()[0].split("|")
        assert "Proprietary" not in header
        assert "Target" not in header


def test_neighbours_come_for_a_toi_too_nearest_first(client: httpx.Client) -> None:
    found = rows(client.get("/download_nearbytarget.php?id=TOI1130&output=pipe").text)
    assert [row["Separation (arcsec)"] for row in found] == [".0", "9.205"]
    assert found[0]["GAIA DR2"] == "6715688452614516736"


def test_sorting(client: httpx.Client) -> None:
    def tois(sort: str) -> list[str]:
        return [row["TOI"] for row in rows(client.get(f"/download_toi.php?output=pipe&sort={sort}").text)]

    assert tois("toi") == ["101.01", "1130.01", "1130.02", "1172.01", "1234.01"]
    assert tois("toidesc") == ["1234.01", "1172.01", "1130.02", "1130.01", "101.01"]
    assert tois("no such column") == tois("lastmod")
    assert tois("lastmod")[0] == "101.01"
    assert tois("period")[-1] == "1172.01"  # it has none


def test_text_stands_in_columns(client: httpx.Client) -> None:
    lines = client.get(f"/download_imaging.php?target={made.STAR}").text.splitlines()
    assert lines[1][lines[0].index("Telescope") :].startswith("SOAR (4.1 m)")


def test_target_as_json_has_what_the_tables_have(client: httpx.Client) -> None:
    page = client.get(f"/target.php?id={made.STAR}&json").json()
    assert page["basic_info"]["tic_id"] == made.STAR
    assert [row["tstag"] for row in page["time_series"]] == ["5903", "5734", "6038", "6038"]
    assert page["stellar_parameters"][0] == {
        "prov": "tic", "prov_title": "TESS Input Catalog Stellar Parameters", "prov_num": "1",
    }  # fmt: skip
    assert page["planet_parameters"][1]["per"] == "8.350190"
    assert float(page["coordinates"]["galactic_lat"]) == pytest.approx(-20.03, abs=0.1)
    assert {row["ftag"] for row in page["files"]} == {*made.PUBLIC_TAGS, "4711", "5000"}
    assert "Proprietary" not in json.dumps(page)
    unknown = client.get("/target.php?id=1&json")
    assert unknown.status_code == 200
    assert "No TIC object found" in unknown.text


@pytest.mark.parametrize(
    ("name", "tic"),
    [
        ("TOI-1130", made.STAR), ("TOI1130.02", made.STAR), ("toi 1130", made.STAR), ("TIC 254113311", made.STAR),
        ("WASP-46 b", made.SECOND), ("WASP-46", made.SECOND), ("WASP-121", "22529346"), ("TOI-1130 c", made.STAR),
        ("2mass j19053021-4126151", made.STAR), ("WASP-999", None), ("", None), ("TOI-4", None),
    ],
)  # fmt: skip
def test_names_are_resolved(client: httpx.Client, name: str, tic: str | None) -> None:
    reply = client.get("/gototicid.php", params={"target": name, "json": ""}).json()
    expected = {"status": "OK", "num": 1, "TIC": tic} if tic else {"status": "ERROR", "message": "No object found."}
    assert reply == expected


def test_uploads_and_tags_are_counted(client: httpx.Client) -> None:
    (counts,) = rows(client.get(f"/download_uploads.php?target={made.STAR}&output=pipe").text)
    assert (counts["Time Series Observations"], counts["Spectroscopy Observations"]) == ("4", "1")
    found = rows(client.get("/download_user_tags.php?username=ada&output=pipe").text)
    assert [(row["Tag ID"], row["Number of Uploaded Files"]) for row in found] == [("5903", "3")]


# Who may see what


def test_proprietary_rows_and_tags_are_for_their_user_and_group(archive: ServerThread) -> None:
    public = ["5903", "5734", "6038", "6038"]
    sees = {
        None: public,
        "ad": public,
        "grace": [*public, made.GROUP_TAG],
        "ada": [*public, made.GROUP_TAG, made.ADAS_TAG],
    }
    for name, expected in sees.items():
        with httpx.Client(base_url=f"{archive.url}/tess") as client:
            if name:
                assert "Logout" in log_in(client, name).text
            assert sorted(tags(client)) == sorted(expected)
            page = client.get(f"/target.php?id={made.STAR}&json").json()
            assert sorted(row["tstag"] for row in page["time_series"]) == sorted(expected)
            for tag in (made.GROUP_TAG, made.ADAS_TAG):
                reply = client.get(f"/download_tag_files_zip.php?tag={tag}")
                assert reply.status_code == (200 if tag in expected else 404)
                one = client.get(f"/get_file.php?id={tag}0")
                assert one.status_code == (200 if tag in expected else 404)
            names = zipfile.ZipFile(
                io.BytesIO(client.get(f"/download_files_zip.php?id={made.STAR}").content)
            ).namelist()
            assert len(names) == 3 * len({*expected, "4711", "5000"})
            assert ("not yet for others" in client.get(f"/download_obsnotes.php?tid={made.STAR}").text) == (
                name == "ada"
            )


def test_files_of_tags_are_not_in_the_other_archive(tmp_path: Path) -> None:
    light_curve = "tess2018206045859-s0001-0000000025155310-0120-s_lc.fits"
    made.make(tmp_path)
    (tmp_path / "exofop" / "tags" / made.ADAS_TAG / light_curve).write_bytes(b"SIMPLE  =" + bytes(2871))
    with ServerThread(tmp_path) as archive:
        reply = httpx.get(f"{archive.url}/api/v0.1/Download/file?uri=mast:TESS/product/{light_curve}")
        assert reply.status_code == 404


def test_login_as_exofop_does_it(archive: ServerThread) -> None:
    with httpx.Client(base_url=f"{archive.url}/tess") as client:
        assert client.get("/login.php?ref=%2Ftess%2F").status_code == 200
        anonymous = client.cookies["PHPSESSID"]
        wrong = log_in(client, "ada", "note=G")
        assert wrong.status_code == 200
        assert "invalid username or password" in wrong.text.lower()
        assert "invalid username or password" in log_in(client, "nobody", "x").text.lower()
        assert "invalid username or password" in log_in(client, "ada", "").text.lower()
        right = log_in(client, "ada")
        assert [reply.status_code for reply in right.history] == [302]
        assert right.url.path == "/tess/index.php"
        assert "Logged in as ada" in right.text
        # A session that somebody else may know of is not the one that is logged in.
        assert client.cookies["PHPSESSID"] != anonymous
        cookie = right.history[0].headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "expires=" in cookie
        assert "secure" not in cookie
        kept = dict(client.cookies)
        assert "Login" in client.get("/logout.php", follow_redirects=True).text
        assert made.ADAS_TAG not in tags(client)
        client.cookies.update(kept)
        assert made.ADAS_TAG not in tags(client)


def test_a_session_ends_in_the_middle_of_work(folder: Path) -> None:
    with ServerThread(folder) as archive, httpx.Client(base_url=f"{archive.url}/tess") as client:
        log_in(client, "ada")
        assert made.ADAS_TAG in tags(client)
        archive.app.state.exofop.sessions.forget()  # type: ignore[attr-defined]
        assert made.ADAS_TAG not in tags(client)
        archive.app.state.exofop.sessions.lifetime = -1.0  # type: ignore[attr-defined]
        log_in(client, "ada")
        assert made.ADAS_TAG not in tags(client)


@pytest.mark.parametrize(
    "page", ["https://elsewhere.org/", "//elsewhere.org", "/tess/\\elsewhere", "/tess/\r\nx: y", ""]
)
def test_login_leads_to_no_other_place(client: httpx.Client, page: str) -> None:
    fields = {"username": "ada", "password": made.PASSWORDS["ada"], "ref": "login_user", "ref_page": page}
    reply = client.post("/password_check.php", data=fields)
    assert reply.headers["location"] == "/tess/index.php"


def test_a_password_that_is_a_book(client: httpx.Client) -> None:
    reply = log_in(client, "ada", "x" * 1_000_000)
    assert "invalid username or password" in reply.text.lower()


def test_passwords_are_kept_as_hashes(tmp_path: Path) -> None:
    (tmp_path / "exofop").mkdir()
    add_user(tmp_path, "ada", "note=G", ["tfopwg"])
    add_user(tmp_path / "exofop", "grace", "nanosecond")
    users = tmp_path / "exofop" / "users.json"
    assert "note=G" not in users.read_text()
    assert users.stat().st_mode & 0o777 == 0o600
    with ServerThread(tmp_path) as archive, httpx.Client(base_url=f"{archive.url}/tess") as client:
        assert "Logged in as grace" in log_in(client, "grace", "nanosecond").text
        add_user(tmp_path, "grace", "another")
        assert "Logged in" not in log_in(client, "grace", "nanosecond").text
        assert "Logged in as grace" in log_in(client, "grace", "another").text


# Files


def test_a_tag_is_a_zip_with_one_folder(client: httpx.Client, folder: Path) -> None:
    reply = client.get("/download_tag_files_zip.php?tag=5903")
    assert reply.headers["content-length"] == str(len(reply.content))
    bundle = zipfile.ZipFile(io.BytesIO(reply.content))
    assert bundle.testzip() is None
    contents = {path.name: path.read_bytes() for path in (folder / "exofop" / "tags" / "5903").iterdir()}
    assert {name.removeprefix("5903/"): bundle.read(name) for name in bundle.namelist()} == contents
    by_name = client.get("/download_tag_files_zip.php?tag=20200522_ada_tic254113311_01")
    assert by_name.content == reply.content
    with tarfile.open(fileobj=io.BytesIO(client.get("/download_tag_files.php?tag=5903").content)) as tar:
        assert {name.removeprefix("5903/") for name in tar.getnames()} == set(contents)


def test_downloads_can_be_taken_up_again(client: httpx.Client) -> None:
    for address in ("/download_tag_files_zip.php?tag=5903", "/get_file.php?id=59032"):
        whole = client.get(address)
        etag = whole.headers["etag"]
        head = client.head(address)
        assert (head.headers["etag"], head.headers["content-length"]) == (etag, str(len(whole.content)))
        rest = client.get(address, headers={"range": "bytes=1000-", "if-range": etag})
        assert rest.status_code == 206
        assert rest.content == whole.content[1000:]
        changed = client.get(address, headers={"range": "bytes=1000-", "if-range": '"other"'})
        assert changed.status_code == 200
        assert changed.content == whole.content


def test_a_zip_in_the_folder_is_sent_as_it_is(tmp_path: Path) -> None:
    made.make(tmp_path)
    odd = b"PK\x03\x04 not a whole zip"
    (tmp_path / "exofop" / "tags" / "99.zip").write_bytes(odd)
    with ServerThread(tmp_path) as archive:
        assert httpx.get(f"{archive.url}/tess/download_tag_files_zip.php?tag=99").content == odd


@pytest.mark.parametrize(
    "tag",
    ["", ".", "..", "../tags/5903", "5903/..", "5903%00", "a%26x=", "/etc", "..%2F..%2Fetc", "12345678", "users.json"],
)
def test_a_tag_that_is_none(client: httpx.Client, tag: str) -> None:
    reply = client.get(f"/download_tag_files_zip.php?tag={tag}")
    assert reply.status_code == 404
    assert "not authorized" in reply.text


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    made.make(tmp_path / "archive")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    tag = tmp_path / "archive" / "exofop" / "tags" / "5903"
    (tag / "link.txt").symlink_to(secret)
    files = tmp_path / "archive" / "exofop" / "files.csv"
    files.write_text(
        files.read_text() + f"x,link.txt,1,{made.STAR},,,,,5903,,\nx,../../users.json,2,{made.STAR},,,,,5903,,\n"
    )
    with ServerThread(tmp_path / "archive") as archive:
        reply = httpx.get(f"{archive.url}/tess/download_tag_files_zip.php?tag=5903")
        assert not any("link" in name for name in zipfile.ZipFile(io.BytesIO(reply.content)).namelist())
        for number in (1, 2):
            assert httpx.get(f"{archive.url}/tess/get_file.php?id={number}").status_code == 404


def test_folders_elsewhere_are_not_followed(tmp_path: Path) -> None:
    made.make(tmp_path / "elsewhere")
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "exofop").symlink_to(tmp_path / "elsewhere" / "exofop")
    with ServerThread(tmp_path / "archive") as archive:
        assert httpx.get(f"{archive.url}/tess/json/tois.json").status_code == 404
    (tmp_path / "archive" / "exofop").unlink()
    (tmp_path / "archive" / "exofop" / "tags").mkdir(parents=True)
    (tmp_path / "archive" / "exofop" / "tags" / "5903").symlink_to(tmp_path / "elsewhere" / "exofop" / "tags" / "5903")
    with ServerThread(tmp_path / "archive") as archive:
        assert httpx.get(f"{archive.url}/tess/download_tag_files_zip.php?tag=5903").status_code == 404


def test_a_tag_called_like_the_number_of_another_is_not_that_other(tmp_path: Path) -> None:
    made.make(tmp_path)
    path = tmp_path / "exofop" / "tags.csv"
    path.write_text(path.read_text() + f"4711,{made.ADAS_TAG},ad,,,,\n")
    with ServerThread(tmp_path) as archive:
        reply = httpx.get(f"{archive.url}/tess/download_tag_files_zip.php?tag={made.ADAS_TAG}")
        assert reply.status_code == 404


def test_many_tags_at_once_come_whole(tmp_path: Path) -> None:
    tags = tmp_path / "exofop" / "tags"
    for number in range(120):
        (tags / str(number)).mkdir(parents=True)
        (tags / str(number) / "measurements.tbl").write_text(f"{number}\n" * 200)
    with ServerThread(tmp_path) as archive, httpx.Client(base_url=f"{archive.url}/tess") as client:

        def ask(number: int) -> str:
            bundle = zipfile.ZipFile(io.BytesIO(client.get(f"/download_tag_files_zip.php?tag={number}").content))
            return bundle.read(f"{number}/measurements.tbl").decode()

        with ThreadPoolExecutor(8) as at_once:
            assert list(at_once.map(ask, range(120))) == [f"{number}\n" * 200 for number in range(120)]


# What goes wrong at ExoFOP, on request


def test_it_is_throttled_or_down_only_when_a_test_says_so(folder: Path) -> None:
    table = f"/tess/download_tseries.php?target={made.STAR}&output=pipe"
    with ServerThread(folder, wrap=FaultyArchive) as archive, httpx.Client(base_url=archive.url) as client:
        whole = client.get(table)
        archive.app.throttle(2, on="download_tseries.php")  # type: ignore[attr-defined]
        empty = [client.get(table) for _ in range(2)]
        assert [(reply.status_code, reply.content) for reply in empty] == [(200, b"")] * 2
        archive.app.html(on="download_tseries.php")  # type: ignore[attr-defined]
        assert client.get(table).text.lower().startswith("<!doctype html>")
        assert client.get(table).content == whole.content
        assert archive.app.count("download_tseries.php") == 5  # type: ignore[attr-defined]


# The folder


cells = st.text(",\"|\n\r é'a1 ", max_size=8)


@given(st.lists(st.tuples(cells, cells, cells), max_size=5))
def test_any_text_in_a_table_is_kept(tmp_path_factory: pytest.TempPathFactory, written: list[tuple[str, ...]]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(table_text(("TIC ID", "Tag", "Notes"), written), encoding="utf-8", newline="")
    assert read_table(path).rows == tuple(written)


@pytest.mark.parametrize(
    ("written", "rows"),
    [
        ("a|b|notes\n1|2|x|y|z\n", [("1", "2", "x|y|z")]),
        ("a|b|notes\n1|2|first\nsecond\n3|4|\n", [("1", "2", "first\nsecond"), ("3", "4", "")]),
        ("a|b|notes\r\n1|2|x\r\n", [("1", "2", "x")]),
        ("\ufeffa|b|notes\n1|2|x\n\n\n\n", [("1", "2", "x")]),
        ("a|b|notes\n1\n", [("1", "", "")]),
    ],
)
def test_tables_with_bars(tmp_path: Path, written: str, rows: list[tuple[str, ...]]) -> None:
    path = tmp_path / "notes.pipe"
    path.write_text(written, encoding="utf-8", newline="")
    assert list(read_table(path).rows) == rows


PAGES = {
    "download_toi.php": "toi", "download_ctoi.php": "ctoi", "download_tseries.php": "target",
    "download_stellar.php": "id", "download_nearbytarget.php": "id", "download_filelist.php": "toi",
    "download_obsnotes.php": "tid", "download_tag_spect.php": "tag", "download_uploads.php": "target",
    "download_user_tags.php": "username", "gototicid.php": "target", "target.php": "id", "get_file.php": "id",
    "download_files_zip.php": "id", "download_tag_files.php": "tag", "login.php": "ref",
}  # fmt: skip


@given(
    st.sampled_from(sorted(PAGES)),
    st.text(max_size=30),
    st.sampled_from(["", "json", "output", "sort"]),
    st.text(max_size=8),
)
def test_whatever_is_asked_is_answered(visitor: httpx.Client, page: str, value: str, more: str, other: str) -> None:
    params = {PAGES[page]: value.encode("utf-8", "replace"), more: other.encode("utf-8", "replace")}
    reply = visitor.get(f"/{page}", params=params)
    assert reply.status_code in (200, 302, 404)
    assert "Traceback" not in reply.text


def test_changes_are_seen_at_once(tmp_path: Path) -> None:
    made.make(tmp_path)
    with ServerThread(tmp_path) as archive, httpx.Client(base_url=f"{archive.url}/tess") as client:
        first = client.get("/json/tois.json")
        again = client.get("/json/tois.json", headers={"if-none-match": first.headers["etag"]})
        assert again.status_code == 304
        assert not again.content
        path = tmp_path / "exofop" / "tois.csv"
        path.write_text(path.read_text() + "42,9999.01\n")
        now: list[Any] = client.get("/json/tois.json", headers={"if-none-match": first.headers["etag"]}).json()
        assert len(now) == len(first.json()) + 1
        assert client.get("/gototicid.php?target=TOI-9999&json").json()["TIC"] == "42"


def test_a_folder_without_exofop_data(tmp_path: Path) -> None:
    with ServerThread(tmp_path) as archive:
        assert httpx.get(f"{archive.url}/tess/json/tois.json").status_code == 404
        assert "ExoFOP" not in httpx.get(archive.url).text


def test_the_start_page_leads_to_it(archive: ServerThread) -> None:
    assert 'href="/tess/"' in httpx.get(archive.url).text
    assert "time_series" in httpx.get(f"{archive.url}/tess", follow_redirects=True).text


def test_a_damaged_table_is_no_empty_one(tmp_path: Path) -> None:
    made.make(tmp_path)
    (tmp_path / "exofop" / "tois.csv").write_bytes(b"")
    with ServerThread(tmp_path) as archive:
        assert httpx.get(f"{archive.url}/tess/download_toi.php?output=pipe").status_code == 500
