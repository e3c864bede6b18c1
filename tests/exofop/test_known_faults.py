"""What users of ExoFOP lost data, time or logins by before: one test a fault, named after it.

The numbers are those of the list in which they were gathered.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import stat
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tessellar
from tessellar import config
from tessellar.errors import (
    ArchiveError,
    AuthError,
    InputError,
    InvalidTICError,
    InvalidTOIError,
    ProductError,
    RateLimited,
    TessellarError,
    UnexpectedReply,
)
from tessellar.exofop import (
    TIC,
    TOI,
    DownloadStatus,
    ExoFOPAuthenticator,
    System,
    SystemDownloader,
    TagDownloader,
    TargetTables,
    credentials,
    toi_table,
)
from tessellar.exofop.unpacking import unpack
from tests.exofop import site as made
from tests.exofop.conftest import Site
from tests.exofopfolder import GROUP_TAG, NOTE, PASSWORDS, SECOND, STAR, TEN_DIGITS
from tests.webserver import FileServer, Misbehaviour, running

OK, NOT_FOUND, ERROR = DownloadStatus.OK, DownloadStatus.NOT_FOUND, DownloadStatus.ERROR
TAG_PAGE = "download_tag_files_zip"


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server that sends bytes in every way there is."""
    with running() as server:
        monkeypatch.setenv("TESSELLAR_EXOFOP", f"{server.url}/tess/")
        monkeypatch.setenv("TESSELLAR_RETRY_WAIT", "0.01")
        yield server


def at(tag: object) -> str:
    return f"/tess/{TAG_PAGE}.php?tag={tag}"


def tree(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".tessellar" not in path.parts
    }


# 1 to 7: login


def test_fault_01_the_first_login_of_a_user_works(site: Site, tmp_path: Path) -> None:
    authenticator = ExoFOPAuthenticator("lovelace", cookies_dir=str(tmp_path / "none" / "yet"))
    assert not authenticator.logged_in
    assert authenticator.login(made.HER_PASSWORD)
    assert authenticator.logged_in


def test_fault_02_session_ids_are_for_the_users_eyes_only_and_lie_in_the_config_folder(
    site: Site, lovelace: ExoFOPAuthenticator
) -> None:
    path = lovelace.kept_in
    assert path is not None
    assert path.is_relative_to(config.config_folder())
    assert not path.is_relative_to(Path(tessellar.__file__).parent)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o644)
    assert ExoFOPAuthenticator("lovelace").logged_in
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_fault_03_a_user_whose_name_begins_anothers_touches_nothing_of_theirs(site: Site) -> None:
    ada = ExoFOPAuthenticator("ada", number_of_cookie_jars=2)
    assert ada.login(PASSWORDS["ada"])
    assert ada.kept_in is not None
    before = ada.kept_in.read_bytes()
    ad = ExoFOPAuthenticator("ad")
    assert not ad.logged_in
    assert ad.login(PASSWORDS["ad"])
    ad.logout()
    assert ada.kept_in.read_bytes() == before
    assert ExoFOPAuthenticator("ada").logged_in


def test_fault_04_a_wrong_password_is_tried_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not ExoFOPAuthenticator("ada", number_of_cookie_jars=3).login("wrong")
    assert site.app.count("password_check") == 1
    monkeypatch.setenv(credentials.PASSWORD_VARIABLE, "wrong too")
    refused = ExoFOPAuthenticator("ada", number_of_cookie_jars=3)
    assert refused.refused
    assert site.app.count("password_check") == 2


def test_fault_05_where_nobody_sits_nobody_is_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> str:
        raise AssertionError("asked")

    monkeypatch.setattr("getpass.getpass", asked)
    monkeypatch.setattr("builtins.input", asked)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    authenticator = ExoFOPAuthenticator("ada")
    for use in (lambda: authenticator.cookies, authenticator.login, lambda: authenticator.private_headers(site.base)):
        with pytest.raises(AuthError, match=r"ada is not logged in at .*no password is known"):
            use()
    with pytest.raises(InputError, match="no user name"):
        ExoFOPAuthenticator()


def test_fault_06_a_login_counts_when_exofop_says_so_not_when_it_does_not_say_no(site: Site) -> None:
    site.page("<h1>Down for maintenance</h1>", "password_check")
    with pytest.raises(UnexpectedReply, match="neither yes nor no"):
        ExoFOPAuthenticator("ada").login(PASSWORDS["ada"])
    cookie = {"content-type": "text/html", "set-cookie": "PHPSESSID=of-nobody; path=/"}
    site.fail("password_check", status=200, headers=cookie, body=b"<html><body>Please try later</body></html>")
    authenticator = ExoFOPAuthenticator("ada")
    with pytest.raises(UnexpectedReply, match="neither yes nor no"):
        authenticator.login(PASSWORDS["ada"])
    assert not authenticator.logged_in
    assert authenticator.login(PASSWORDS["ada"])


def test_fault_07_neither_password_nor_session_is_in_logs_reprs_or_exceptions(
    site: Site, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(1)
    for name in ("httpx", "httpcore", "asyncio", "tessellar"):
        caplog.set_level(1, logger=name)
    authenticator = ExoFOPAuthenticator("ada", number_of_cookie_jars=2)
    said: list[object] = [authenticator.login("a wrong one"), authenticator.login(PASSWORDS["ada"])]
    secrets = [PASSWORDS["ada"], "a wrong one", *(each.cookies["PHPSESSID"] for each in authenticator._sessions)]
    loader = SystemDownloader(System("TOI-1130"), data_dir=str(tmp_path), authenticator=authenticator)
    said += [loader, loader.client_kwargs, authenticator, authenticator.cookies, authenticator._sessions]
    said += [loader.download(loader.time_series.tags).outcomes, loader.download_files().outcomes]
    site.forget_sessions()
    for broken in (lambda: TargetTables("TOI-1130", authenticator).table("files"), lambda: loader.download("no")):
        try:
            said.append(broken())
        except TessellarError as error:
            said += [error, error.__cause__, vars(error)]
    told = f"{caplog.text}{said!r}{[str(each) for each in said]}"
    assert "httpcore" in caplog.text
    assert len(caplog.text) > 5000
    assert [secret for secret in secrets if secret in told] == []


# 8 to 19: downloads


def test_fault_08_a_download_goes_on_where_it_was_cut_is_verified_and_not_made_twice(
    site: Site, tmp_path: Path
) -> None:
    loader = TagDownloader(str(tmp_path), max_retries=0)
    zip_dir = tmp_path / "zip"
    site.app.truncate(9000, on=TAG_PAGE)
    assert loader.download_tags("5903") == {ERROR: 1}
    assert not (zip_dir / "5903.zip").exists()
    part = (zip_dir / "5903.zip.part").read_bytes()
    assert part
    assert loader.download_tags("5903").of(5903).attempts == 1
    whole = (zip_dir / "5903.zip").read_bytes()
    assert whole.startswith(part)
    assert not (zip_dir / "5903.zip.part").exists()
    site.app.requests.clear()
    assert loader.download_tags([5903]).of(5903).message == "already here"
    assert site.asked == []


def test_fault_08_a_zip_that_is_cut_short_never_gets_its_name(site: Site, tmp_path: Path) -> None:
    counts = TagDownloader(str(tmp_path)).download_tags([made.CUT, "5903"])
    assert counts == {OK: 1, ERROR: 1}
    assert "zip" in counts.of(made.CUT).message
    assert sorted(path.name for path in (tmp_path / "zip").glob("*.zip*")) == ["5903.zip"]


def test_fault_09_a_tag_that_stands_there_twice_is_downloaded_once(site: Site, tmp_path: Path) -> None:
    loader = TagDownloader(str(tmp_path))
    assert loader.download_tags(np.array([6038, 5903, 6038, 6038])) == {OK: 2}
    assert site.app.count("tag=6038") == 1


def test_fault_10_unpacking_again_keeps_what_is_whole_and_loses_nothing(site: Site, tmp_path: Path) -> None:
    loader = SystemDownloader(System(tic=STAR), data_dir=str(tmp_path))
    loader.download("5903")
    folder = Path(loader.target_dir) / "5903"
    names = sorted(path.name for path in folder.iterdir())
    first, second, third = (folder / name for name in names)
    (folder / "mine.txt").write_text("my own")
    untouched = third.stat().st_mtime_ns, third.stat().st_ino
    first.unlink()
    second.write_text("edited by me")
    before = tree(folder)
    assert loader.download("5903") == {OK: 1}
    after = tree(folder)
    aside = [name for name in after if name.startswith(f"{second.name}.before-")]
    assert [after[name] for name in aside] == [b"edited by me"]
    assert set(after) == {*names, "mine.txt", *aside}
    assert after["mine.txt"] == before["mine.txt"]
    assert (third.stat().st_mtime_ns, third.stat().st_ino) == untouched
    loader.unzip_downloaded_files()
    assert tree(folder) == after


def test_fault_11_zips_without_a_folder_and_with_several_are_unpacked_whole(site: Site, tmp_path: Path) -> None:
    loader = SystemDownloader(System(tic=STAR), target_dir=str(tmp_path))
    assert loader.download([made.FLAT, made.NESTED, made.MANY_FOLDERS]) == {OK: 3}
    assert set(tree(tmp_path / made.FLAT)) == {"a_measurements.tbl", "a_notes.txt"}
    assert set(tree(tmp_path / made.NESTED)) == {"a.txt", "plots/b.txt", "plots/old/c.txt"}
    assert (tmp_path / made.NESTED / "empty").is_dir()
    assert tree(tmp_path / made.MANY_FOLDERS) == {"east/a.txt": b"a", "west/a.txt": b"A", "readme.txt": b"both"}


def test_fault_12_many_may_unpack_the_same_zip_at_a_time(tmp_path: Path) -> None:
    wanted = {f"{letter}/{number}.dat": os.urandom(2000) for letter in "abc" for number in range(20)}
    path = tmp_path / "1.zip"
    path.write_bytes(made.zipped(wanted))
    errors: list[BaseException] = []

    def work() -> None:
        try:
            unpack(path, tmp_path / "1")
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert tree(tmp_path / "1") == wanted
    assert sorted(each.name for each in tmp_path.iterdir()) == ["1", "1.zip"]


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        (made.CLIMBING, "leads out of its folder"),
        (made.ABSOLUTE, "leads out of its folder"),
        (made.LINKED, "symbolic link"),
        (made.BOMB, "swell|more than"),
    ],
)
def test_fault_13_a_hostile_zip_does_no_harm_and_is_named(site: Site, tmp_path: Path, tag: str, reason: str) -> None:
    target = tmp_path / "a" / "b"
    loader = SystemDownloader(System(tic=STAR), target_dir=str(target))
    counts = loader.download([tag, "5903"])
    assert counts == {OK: 1, ERROR: 1}
    assert tag in counts.of(tag).message
    assert isinstance(counts.of(tag).error, ProductError)
    assert re.search(reason, counts.of(tag).message)
    assert not (target / tag).exists()
    assert not list(tmp_path.rglob("*climbed*"))
    assert not Path("/tmp/tessellar-absolute.txt").exists()
    assert not [path for path in target.iterdir() if path.name.startswith(".")]
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 2e7


@pytest.mark.parametrize("tag", ["a/../../b", "../up", "..", "/etc/passwd", "a\\b", "a\x00b", "zip", "x" * 300])
def test_fault_13_a_tag_that_is_a_path_is_refused(site: Site, tmp_path: Path, tag: str) -> None:
    target = tmp_path / "a" / "b"
    counts = SystemDownloader(System(tic=STAR), target_dir=str(target)).download([tag, "5903"])
    assert counts == {OK: 1, ERROR: 1}
    assert isinstance(counts.of(tag).error, InputError)
    assert {path.name for path in target.iterdir()} == {"zip", "5903"}
    assert {path.name for path in tmp_path.rglob("*")} >= {"a", "b"}


def test_fault_13_a_tag_cannot_ask_for_something_else(site: Site, tmp_path: Path) -> None:
    counts = TagDownloader(str(tmp_path)).download_tags(["1&tag=5903", "5903#", "5903%26"])
    assert counts == {NOT_FOUND: 3}
    assert f"{TAG_PAGE}.php?tag=1%26tag%3D5903" in site.asked


@pytest.mark.parametrize("status", ["html", "nothing"])
def test_fault_14_a_page_or_nothing_in_place_of_a_zip_is_not_ok(site: Site, tmp_path: Path, status: str) -> None:
    loader = TagDownloader(str(tmp_path), max_retries=0)
    for _ in range(2):  # also when asked what the page meant
        site.page("busy", TAG_PAGE) if status == "html" else site.silence(TAG_PAGE)
    assert loader.download_tags("5903") == {ERROR: 1}
    site.app.faults.clear()
    assert loader.download_tags("5903") == {OK: 1}


def test_fault_14_what_the_page_says_is_told(site: Site, tmp_path: Path) -> None:
    loader = TagDownloader(str(tmp_path), max_retries=0)
    site.page("You are not authorized to view these files", TAG_PAGE, times=2)
    denied = loader.download_tags("77001").of("77001")
    assert denied.status is DownloadStatus.DENIED
    assert "wants a login" in denied.message


def test_fault_15_statuses_mean_what_they_say_and_belong_to_tags(files: FileServer, tmp_path: Path) -> None:
    files.files[at(1)] = made.zipped({"a.txt": b"a"})
    files.plan[at(3)] = [Misbehaviour(status=500)] * 9
    files.plan[at(4)] = [Misbehaviour(status=403)] * 9
    files.plan[at(5)] = [Misbehaviour(status=504)] * 9
    counts = TagDownloader(str(tmp_path), max_retries=1).download_tags([1, 2, 3, 4, 5])
    found = {outcome.tag: outcome.status.name for outcome in counts.outcomes}
    assert found == {"1": "OK", "2": "NOT_FOUND", "3": "ERROR", "4": "DENIED", "5": "TIMEOUT"}
    assert isinstance(counts, Counter)
    assert counts[DownloadStatus.OK] == 1
    assert [files.count(at(tag)) for tag in (1, 2, 3, 4, 5)] == [1, 1, 2, 1, 2]


@pytest.mark.parametrize("how", ["chunked", "no_length"])
def test_fault_16_an_answer_without_its_length_is_taken(files: FileServer, tmp_path: Path, how: str) -> None:
    files.files[at(1)] = made.zipped({"a.txt": b"abc" * 100_000}, method=0)
    files.plan[at(1)] = [Misbehaviour(**{how: True})]
    assert TagDownloader(str(tmp_path)).download_tags(1) == {OK: 1}
    assert (tmp_path / "zip" / "1.zip").read_bytes() == files.files[at(1)]


def test_fault_17_one_error_does_not_stain_those_after_it(files: FileServer, tmp_path: Path) -> None:
    for tag in range(20):
        files.files[at(tag)] = made.zipped({"a.txt": f"{tag}".encode()})
    files.plan[at(0)] = [Misbehaviour(status=500)] * 9
    counts = TagDownloader(str(tmp_path), max_concurrent_downloads=1, max_retries=0).download_tags(list(range(20)))
    assert counts == {OK: 19, ERROR: 1}
    assert [outcome.tag for outcome in counts.failed] == ["0"]


def test_fault_18_a_retry_goes_on_where_it_was_and_waits_as_long_as_asked(files: FileServer, tmp_path: Path) -> None:
    body = files.files[at(1)] = made.zipped({"a.dat": os.urandom(900_000)}, method=0)
    files.plan[at(1)] = [
        Misbehaviour(status=429, headers={"Retry-After": "1"}),
        Misbehaviour(cut_after=600_000),
    ]
    outcome = TagDownloader(str(tmp_path), max_retries=3).download_tags(1).of(1)
    assert (outcome.status, outcome.attempts) == (OK, 3)
    ranges = [headers.get("range") for path, headers in files.requests if path == at(1)]
    assert ranges[0] is ranges[1] is None
    assert ranges[2] is not None
    assert int(ranges[2].removeprefix("bytes=").rstrip("-")) > 0
    assert files.sent[at(1)] < 1.5 * len(body)


def test_fault_19_a_silent_server_is_left_in_time_a_steady_one_is_not(files: FileServer, tmp_path: Path) -> None:
    files.files[at(1)] = files.files[at(2)] = made.zipped({"a.dat": os.urandom(40_000)}, method=0)
    files.plan[at(1)] = [Misbehaviour(cut_after=0, stall=5)]
    loader = TagDownloader(str(tmp_path), timeout=0.6, max_retries=0)
    assert loader.download_tags(1) == {DownloadStatus.TIMEOUT: 1}
    # 40 pieces take longer than the time-out in all, but none of them does.
    files.files[at(2)] = made.zipped({"a.dat": os.urandom(40 << 16)}, method=0)
    files.pause = 0.03
    assert loader.download_tags(2) == {OK: 1}


# 20: where there is a running loop


def test_fault_20_calls_work_in_scripts_under_a_running_loop_and_awaited(site: Site, tmp_path: Path) -> None:
    loader = SystemDownloader(System("TOI-1130"), data_dir=str(tmp_path))

    async def notebook() -> list[Counter[DownloadStatus]]:
        tags = loader.time_series.tags
        awaited: Any = loader.download(tags[:2])
        return [
            loader.download(tags[:1]),
            await awaited,  # as the notebooks of others do
            await loader.download_async(tags[:3]),
            await loader.download_tags_async(tags[:1]),
            loader.download_tags(tags[:1]),
        ]

    assert asyncio.run(notebook()) == [{OK: 1}, {OK: 2}, {OK: 3}, {OK: 1}, {OK: 1}]


# 21 to 23: ids


def test_fault_21_ten_digits_are_a_tic_id_and_names_are_no_digits(site: Site) -> None:
    assert TOI("1172").to_tic() == TIC(TEN_DIGITS) == TIC(int(TEN_DIGITS)) == TIC(f"TIC {TEN_DIGITS}")
    for name in ("WASP-121", "TOI-1130 b", "K2-18", "1e5", "²"):
        with pytest.raises(InvalidTOIError, match=f"Invalid TOI ID: `{name}`: write TOI-1130"):
            TOI(name)
    with pytest.raises(InvalidTICError, match="Invalid TIC ID: `12345678901`: write up to 10 digits"):
        TIC("12345678901")
    assert System("WASP-121").tic == TIC(22529346)
    assert site.app.count("gototicid.php?target=WASP-121") == 1
    with pytest.raises(InputError, match="'not a star': ExoFOP knows no object"):
        System("not a star")


def test_fault_21_ids_are_equal_by_value_and_planets_are_found(site: Site) -> None:
    assert len({TIC(1), TIC("TIC 1"), tessellar.targets.TIC(1)}) == 1
    assert len({TOI("1130.01"), TOI(1130.01), TOI("TOI-1130")}) == 2
    assert TOI("1130.02").exists()
    assert not TOI("1130.03").exists()
    assert TOI("1130.02").lookup()["Period (days)"].tolist() == [4.066499]
    assert len(TOI("1130").lookup()) == len(TIC(STAR).lookup()) == 2
    assert System(tic=STAR, toi="1130.02").is_consistent()
    assert not System(tic=SECOND, toi="1130.02").is_consistent()
    assert not System(tic=STAR, toi="1130.09").is_consistent()
    assert TOI("1130.10").planet == "10"
    assert TOI(1130.1) == TOI("1130.10")
    with pytest.raises(InvalidTOIError, match="two digits"):
        TOI("1130.1")
    assert System("254113311") == System(tic=STAR, toi=1130)


def test_fault_22_the_table_of_tois_is_asked_where_the_settings_say_and_elsewhere_if_need_be(site: Site) -> None:
    first = toi_table()
    assert site.asked == ["json/tois.json?"]
    fails: list[Callable[[], None]] = [
        lambda: site.page("maintenance", "tois.json", 9),
        lambda: site.fail("tois.json", 9, 500),
        lambda: site.fail("tois.json", 9, 200, b'{"error": "no"}'),
        lambda: site.silence("tois.json", 9),
    ]
    for fail in fails:
        fail()
        other = toi_table(refresh=True)
        assert "download_toi.php" in other.meta["source"]
        assert other.colnames == first.colnames
        assert [column.dtype.kind for column in other.itercols()] == [column.dtype.kind for column in first.itercols()]
        assert [str(column.unit) for column in other.itercols()] == [str(column.unit) for column in first.itercols()]
        assert len(other.since(first)) == 0
        site.app.faults.clear()


def test_fault_23_constructors_ask_nobody(site: Site, tmp_path: Path) -> None:
    System("TOI-1130"), System("tic_254113311"), System("cool", tic=1), TIC(1), TOI(1)
    system = System(name="new", toi="TOI 9999")
    SystemDownloader(system, data_dir=str(tmp_path), authenticator=ExoFOPAuthenticator("ada"))
    TargetTables(system)
    assert site.asked == []
    System("1130")
    assert site.asked == ["json/tois.json?"]


# 24 to 26: tables


def test_fault_24_tables_are_asked_for_as_the_user_kept_unshared_and_not_for_ever(
    site: Site, lovelace: ExoFOPAuthenticator, tmp_path: Path
) -> None:
    mine, public = TargetTables(System(tic=STAR), lovelace), TargetTables(System(tic=STAR))
    assert GROUP_TAG in map(str, mine.tags("time_series"))
    assert GROUP_TAG not in map(str, public.tags("time_series"))
    site.fail("/target.php", 9, 500)
    assert GROUP_TAG in map(str, TargetTables(System(tic=STAR), lovelace).tags("time_series"))
    site.app.faults.clear()
    loader = SystemDownloader(System(tic=STAR), data_dir=str(tmp_path))
    table = loader.time_series.table
    table["User"][:] = "nobody"
    table.remove_rows([0, 1])
    assert len(loader.time_series.table) == len(table) + 2
    assert "nobody" not in loader.time_series.table["User"]
    frame = TIC(STAR).lookup()
    frame.loc[:, "TOI"] = 0.0
    assert TIC(STAR).lookup()["TOI"].tolist() == [1130.01, 1130.02]
    tois = toi_table()
    tois.remove_rows(slice(None))
    assert len(toi_table()) == 5
    asked = site.app.count("/target.php")
    assert len(SystemDownloader(System(tic=STAR), data_dir=str(tmp_path)).time_series.table)
    assert site.app.count("/target.php") == asked + 1


def test_fault_24_a_session_that_exofop_has_ended_is_not_taken_for_a_public_visit(
    site: Site, lovelace: ExoFOPAuthenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.forget_sessions()
    lovelace._password = None
    with pytest.raises(AuthError, match="the session of lovelace has ended"):
        TargetTables(System(tic=STAR), lovelace).table("time_series")
    assert lovelace.login(made.HER_PASSWORD)
    site.forget_sessions()
    monkeypatch.setenv(credentials.PASSWORD_VARIABLE, made.HER_PASSWORD)
    assert GROUP_TAG in map(str, TargetTables(System(tic=STAR), lovelace).tags("time_series"))


def test_fault_25_spectroscopy_and_imaging_have_their_own_tags_and_output_goes_where_it_is_told(
    site: Site, tmp_path: Path
) -> None:
    loader = SystemDownloader(System("TOI-1130"), data_dir=str(tmp_path))
    assert loader.download_spectroscopy(output_dir=str(tmp_path / "spectra")).of(4711).status is OK
    assert {path.name for path in (tmp_path / "spectra").iterdir()} == {"zip", "4711"}
    assert loader.download_imaging(unzip=False) == {OK: 1}
    assert {path.name for path in (tmp_path / "TOI-1130").iterdir() if path.is_dir()} == {"zip"}
    loader.unzip_downloaded_files(output_dir=str(tmp_path / "elsewhere"))
    assert {path.name for path in (tmp_path / "elsewhere").iterdir()} == {"5000"}
    assert len(loader.nearby_target.table) == 2
    assert f"download_nearbytarget.php?id={STAR}&output=pipe" in site.asked


def test_fault_25_the_system_named_after_its_toi_has_that_folder(site: Site, tmp_path: Path) -> None:
    assert Path(SystemDownloader(System(toi=1130), data_dir=str(tmp_path)).target_dir) == tmp_path / "TOI1130"
    named = SystemDownloader(System("../x/y", tic=1), data_dir=str(tmp_path), add_exofop_subdir=True)
    assert Path(named.target_dir).parent.parent == tmp_path
    assert Path(named.target_dir).name == "exofop"


def test_fault_26_silence_is_waited_out_or_named_and_free_text_is_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.silence("target.php", 2)
    assert len(TargetTables(System(tic=STAR)).table("time_series")) == 6
    monkeypatch.setenv("TESSELLAR_ATTEMPTS", "2")
    site.silence("download_obsnotes", 9)
    with pytest.raises(RateLimited, match="answered with nothing, as ExoFOP does when it is asked too often"):
        TargetTables(System(tic=STAR)).table("notes")
    site.app.faults.clear()
    plain = "two events | one of them\nlate, see the plot"
    assert TargetTables(System(tic=STAR)).table("notes")["notes"].tolist() == [plain]
    site.fail("/target.php", 9, 500)
    table = TargetTables(System(tic=STAR)).table("time_series")
    assert site.app.count("download_tseries.php") == 1
    assert table["Notes"].tolist()[:3] == ["on time", plain, ""]
    assert len(table) == 6
    assert "|" in NOTE
    assert "\n" in NOTE


def test_fault_26_a_page_in_place_of_a_table_is_named_and_never_a_table(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSELLAR_ATTEMPTS", "2")
    site.page("<h1>Scheduled maintenance</h1>", "/tess/", 99)
    for kind in ("time_series", "nearby_targets", "notes", "uploads", "magnitudes"):
        with pytest.raises(ArchiveError, match="a page for people"):
            TargetTables(System(tic=STAR)).table(kind)


def test_fault_27_all_this_is_proved_without_the_live_site(site: Site) -> None:
    assert config.load().exofop_url == site.base
    assert config.load(archive="mast").exofop_url == config.EXOFOP_URL
    assert ExoFOPAuthenticator.BASE_URL == TagDownloader.BASE_URL == "https://exofop.ipac.caltech.edu"
