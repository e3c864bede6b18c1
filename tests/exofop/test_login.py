"""Login: where a password comes from, how long a session holds, and who gets to see its cookie."""

from __future__ import annotations

import asyncio
import http.server
import itertools
import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tessellar import config
from tessellar.errors import AuthError, InputError, MissingInput, Unavailable, UnexpectedReply
from tessellar.exofop import (
    AsyncDownloader,
    DownloadStatus,
    ExoFOPAuthenticator,
    System,
    SystemDownloader,
    TagDownloader,
    credentials,
)
from tessellar.exofop.sessions import Session, SessionFile
from tests.exofop import site as made
from tests.exofop.conftest import Site
from tests.exofopfolder import ADAS_TAG, GROUP_TAG, PASSWORDS, STAR


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mine.txt", "username=lovelace\npassword=Note=G; 1843\n"),
        ("mine.txt", "\ufeffUsername = lovelace\r\nPassword = Note=G; 1843\r\n"),
        ("mine.yaml", "username: lovelace\npassword: 'Note=G; 1843'\n"),
        ("mine.yml", "password: 'Note=G; 1843'\nusername: lovelace\n"),
    ],
)
def test_credential_files(site: Site, tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    authenticator = ExoFOPAuthenticator(credential_file_path=str(path), number_of_cookie_jars=1)
    assert authenticator.username == "lovelace"
    assert authenticator.logged_in


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("mine.ini", "username=a\npassword=secret-word", "a credential file is .txt"),
        ("mine.txt", "password=secret-word", "has no username"),
        ("mine.txt", "username=a", "has no password"),
        ("mine.yaml", "username: [a\npassword: secret-word", "not valid YAML"),
        ("mine.yaml", "- secret-word", "has no username and no password"),
    ],
)
def test_credential_files_that_are_none_are_named_without_what_is_in_them(
    site: Site, tmp_path: Path, name: str, text: str, reason: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=reason) as caught:
        ExoFOPAuthenticator(credential_file_path=str(path))
    assert "secret-word" not in repr(
        (caught.value, caught.value.__cause__, caught.value.__context__ and str(caught.value.__suppress_context__))
    )
    with pytest.raises(MissingInput):
        ExoFOPAuthenticator(credential_file_path=str(tmp_path / "none.txt"))


def test_a_credential_file_that_others_can_read_is_told_of(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(f"username=lovelace\npassword={made.HER_PASSWORD}")
    path.chmod(0o644)
    ExoFOPAuthenticator(credential_file_path=str(path))
    assert caplog.text.count("chmod 600") == 1


def test_the_environment_names_user_and_password_but_not_for_another_user(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(credentials.USER_VARIABLE, "lovelace")
    monkeypatch.setenv(credentials.PASSWORD_VARIABLE, made.HER_PASSWORD)
    assert ExoFOPAuthenticator().username == "lovelace"
    assert ExoFOPAuthenticator().logged_in
    asked = site.app.count("password_check")
    assert not ExoFOPAuthenticator("ada").logged_in
    assert site.app.count("password_check") == asked


def test_the_keyring_is_asked_and_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[tuple[str, str], str] = {}
    keyring = pytest.importorskip("keyring")
    monkeypatch.setattr(keyring, "get_password", lambda host, user: kept.get((host, user)))
    monkeypatch.setattr(keyring, "set_password", lambda host, user, word: kept.__setitem__((host, user), word))
    first = ExoFOPAuthenticator("lovelace")
    assert first.login(made.HER_PASSWORD)
    first.remember()
    first.logout()
    assert list(kept.values()) == [made.HER_PASSWORD]
    assert ExoFOPAuthenticator("lovelace").logged_in


def test_who_sits_at_a_terminal_is_asked_in_the_constructor(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("builtins.input", lambda prompt="": "lovelace")
    monkeypatch.setattr("getpass.getpass", lambda prompt: made.HER_PASSWORD)
    authenticator = ExoFOPAuthenticator()
    assert (authenticator.username, authenticator.logged_in) == ("lovelace", True)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == ["Please enter your login credentials:", "Login was successful."]
    assert ExoFOPAuthenticator("lovelace").login()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("getpass.getpass", lambda prompt: "wrong")
    assert ExoFOPAuthenticator("ada").refused
    assert capsys.readouterr().err == "Login was not successful.\n"


def test_sessions_are_used_in_turn_and_there_are_as_many_as_wanted(site: Site) -> None:
    authenticator = ExoFOPAuthenticator("lovelace", number_of_cookie_jars=3)
    assert authenticator.login(made.HER_PASSWORD)
    headers = {authenticator.private_headers(site.base)["Cookie"] for _ in range(6)}
    assert len(headers) == 3
    jars = {next(iter(authenticator.cookies)).value for _ in range(6)}
    assert {f"PHPSESSID={value}" for value in jars} == headers
    assert site.app.count("password_check") == 3


def test_the_cookies_work_in_another_client(site: Site, lovelace: ExoFOPAuthenticator) -> None:
    with httpx.Client(cookies=lovelace.cookies) as client:
        assert client.get(f"{site.base}download_tag_files_zip.php", params={"tag": GROUP_TAG}).status_code == 200


def test_a_session_that_ends_within_the_buffer_is_renewed(site: Site, lovelace: ExoFOPAuthenticator) -> None:
    assert lovelace.expires is not None
    assert 6 * 86400 < lovelace.expires - time.time() < 8 * 86400
    assert ExoFOPAuthenticator("lovelace", buffer_hours=24).logged_in
    late = ExoFOPAuthenticator("lovelace", buffer_hours=24 * 8)
    assert not late.logged_in
    with pytest.raises(AuthError):
        _ = late.cookies
    assert ExoFOPAuthenticator("lovelace").logged_in


def test_a_dead_session_and_a_damaged_file_are_as_good_as_none(site: Site, lovelace: ExoFOPAuthenticator) -> None:
    path = lovelace.kept_in
    assert path is not None
    told = json.loads(path.read_text())
    told["sessions"][0]["expires"] = time.time() - 1
    path.write_text(json.dumps(told))
    assert not ExoFOPAuthenticator("lovelace").logged_in
    path.write_text("{")
    assert not ExoFOPAuthenticator("lovelace").logged_in


def test_files_of_users_do_not_meet_whatever_their_names(tmp_path: Path) -> None:
    users = ["ada", "ad", "a/da", "../ada", "ada~x", "ada.session", "Ada Lovelace", "é", "."]
    hosts = ["h", "h:1", "h~ada"]
    files = {(user, host): SessionFile(tmp_path, user, host) for user in users for host in hosts}
    assert len({file.path for file in files.values()}) == len(files)
    for (user, host), file in files.items():
        file.write([Session({"PHPSESSID": f"{user}{host}"}, time.time() + 60)])
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path}
    files["ada", "h"].forget()
    for (user, host), file in files.items():
        assert len(file.read()) == ((user, host) != ("ada", "h"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_config_folder(site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmp_path.chmod(0o500)
    _logs_in_for_this_process_only(tmp_path / "x", caplog)


def test_a_config_folder_that_is_a_file(site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "x").write_text("")
    _logs_in_for_this_process_only(tmp_path / "x", caplog)


def _logs_in_for_this_process_only(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    authenticator = ExoFOPAuthenticator("lovelace", cookies_dir=str(folder))
    assert authenticator.login(made.HER_PASSWORD)
    assert authenticator.logged_in
    assert authenticator.kept_in is None
    assert "cannot be kept there" in caplog.text
    assert made.HER_PASSWORD not in caplog.text


def test_logout_ends_the_session_here_and_there(site: Site, lovelace: ExoFOPAuthenticator, tmp_path: Path) -> None:
    header = lovelace.private_headers(site.base)
    path = lovelace.kept_in
    assert lovelace.logout()
    assert path is not None
    assert not path.exists()
    assert not lovelace.logged_in
    reply = httpx.get(f"{site.base}download_tag_files_zip.php", params={"tag": GROUP_TAG}, headers=header)
    assert reply.status_code == 404
    assert not lovelace.logout()


def test_a_host_that_is_down_is_not_a_wrong_password(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.fail("password_check", 1, 503)
    with pytest.raises(Unavailable):
        ExoFOPAuthenticator("lovelace").login(made.HER_PASSWORD)
    assert site.app.count("password_check") == 1


def test_a_user_is_asked_for_where_they_are_logged_in(
    site: Site, lovelace: ExoFOPAuthenticator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSELLAR_EXOFOP", "http://127.0.0.1:9/tess/")
    loader = SystemDownloader(System(tic=STAR), data_dir=str(tmp_path), authenticator=lovelace)
    assert int(GROUP_TAG) in loader.time_series.tags
    assert loader.download(GROUP_TAG) == {DownloadStatus.OK: 1}


def test_files_by_their_urls_come_with_the_cookies_of_the_user(
    site: Site, lovelace: ExoFOPAuthenticator, tmp_path: Path
) -> None:
    urls = [f"{site.base}download_tag_files_zip.php?tag={tag}" for tag in ("5903", GROUP_TAG)]
    names = ["5903.zip", "group.zip"]
    kwargs = TagDownloader(str(tmp_path), authenticator=lovelace).client_kwargs
    counts = AsyncDownloader(max_retries=0).download_files(urls, str(tmp_path / "mine"), names, kwargs)
    assert counts == {DownloadStatus.OK: 2}
    assert sorted(path.name for path in (tmp_path / "mine").glob("*.zip")) == names
    feeder = itertools.cycle([lovelace.cookies])
    engine = AsyncDownloader(max_retries=0, cookie_feeder=feeder, download_directory=str(tmp_path / "fed"))
    assert asyncio.run(engine.download_files_async(urls, file_names=names)) == {DownloadStatus.OK: 2}
    public = AsyncDownloader(max_retries=0).download_files(urls, str(tmp_path / "public"), names)
    assert [outcome.status.name for outcome in public.outcomes] == ["OK", "NOT_FOUND"]
    assert public.copy() == public
    assert public.of("group.zip") in public.copy().failed
    with pytest.raises(InputError, match="2 URLs but 1 file names"):
        AsyncDownloader().download_files(urls, str(tmp_path), ["a"])
    with pytest.raises(InputError, match="at least 1 download"):
        AsyncDownloader(max_concurrent_downloads=0).download_files(urls, str(tmp_path), names)


# In the middle of a batch


def test_a_session_that_ends_in_the_middle_of_a_batch_is_renewed_where_the_password_is_known(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(credentials.PASSWORD_VARIABLE, PASSWORDS["ada"])
    ada = ExoFOPAuthenticator("ada", number_of_cookie_jars=1)
    loader = SystemDownloader(System(tic=STAR), data_dir=str(tmp_path), authenticator=ada)
    tags = loader.time_series.tags
    site.forget_sessions()
    assert loader.download(tags) == {DownloadStatus.OK: 7}


def test_a_session_that_ends_in_the_middle_of_a_batch_is_told_where_it_is_not(
    site: Site, lovelace: ExoFOPAuthenticator, tmp_path: Path
) -> None:
    site.forget_sessions()
    lovelace._password = None
    counts = TagDownloader(str(tmp_path), authenticator=lovelace).download_tags(["5903", GROUP_TAG])
    assert {each.tag: each.status.name for each in counts.outcomes} == {"5903": "OK", GROUP_TAG: "DENIED"}
    assert "the session of lovelace has ended" in counts.of(GROUP_TAG).message


def test_a_tag_of_another_user_is_not_there_and_one_of_the_group_is(
    site: Site, lovelace: ExoFOPAuthenticator, tmp_path: Path
) -> None:
    counts = TagDownloader(str(tmp_path), authenticator=lovelace).download_tags([ADAS_TAG, GROUP_TAG, "999"])
    assert [each.status.name for each in counts.outcomes] == ["NOT_FOUND", "OK", "NOT_FOUND"]
    assert "does not show them to you" in counts.of(ADAS_TAG).message


def test_what_the_public_was_given_does_not_hide_what_a_user_may_see(
    site: Site, lovelace: ExoFOPAuthenticator, tmp_path: Path
) -> None:
    system = System(tic=STAR)
    folder = tmp_path / made.MIXED_TAG
    public = SystemDownloader(system, target_dir=str(tmp_path))
    assert public.download(made.MIXED_TAG) == {DownloadStatus.OK: 1}
    assert [path.name for path in folder.iterdir()] == ["public.txt"]
    mine = SystemDownloader(system, target_dir=str(tmp_path), authenticator=lovelace)
    assert mine.download(made.MIXED_TAG).of(made.MIXED_TAG).attempts == 1
    assert sorted(path.name for path in folder.iterdir()) == ["proprietary.txt", "public.txt"]
    assert mine.download(made.MIXED_TAG).of(made.MIXED_TAG).message == "already here"
    assert public.download(made.MIXED_TAG).of(made.MIXED_TAG).message == "already here"
    assert sorted(path.name for path in folder.iterdir()) == ["proprietary.txt", "public.txt"]


# Cookies and other hosts


@pytest.fixture
def stranger() -> Iterator[tuple[str, list[str | None]]]:
    """Another host, which remembers the cookies that it was sent."""
    seen: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            seen.append(self.headers.get("Cookie"))
            body = made.zipped({"a.txt": b"a"})
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_cookie_goes_to_its_own_host_only_also_when_that_redirects(
    site: Site, lovelace: ExoFOPAuthenticator, stranger: tuple[str, list[str | None]], tmp_path: Path
) -> None:
    url, seen = stranger
    assert lovelace.private_headers(f"{url}/tess/target.php") == {}
    assert lovelace.private_headers(site.base.replace("http:", "https:")) == {}
    site.fail("tag=5903", 1, 302, b"", headers={"location": f"{url}/elsewhere.zip"})
    site.fail("tag=5734", 1, 302, b"", headers={"location": f"{site.base}download_tag_files_zip.php?tag={GROUP_TAG}"})
    counts = TagDownloader(str(tmp_path), authenticator=lovelace).download_tags(["5903", "5734"])
    assert counts == {DownloadStatus.OK: 2}
    assert seen == [None]


@pytest.mark.parametrize("status", [302, 307])
def test_the_password_goes_to_nobody_else_though_exofop_redirects(
    site: Site, stranger: tuple[str, list[str | None]], status: int
) -> None:
    url, seen = stranger
    headers = {"location": f"{url}/password_check.php", "set-cookie": "PHPSESSID=abc; path=/"}
    site.fail("password_check", 1, status, b"", headers=headers)
    with pytest.raises(UnexpectedReply, match="neither yes nor no"):
        ExoFOPAuthenticator("lovelace").login(made.HER_PASSWORD)
    assert seen == []


def test_the_session_file_is_new_each_time_and_leaves_nothing_behind(site: Site) -> None:
    for _ in range(2):
        authenticator = ExoFOPAuthenticator("lovelace", number_of_cookie_jars=1)
        assert authenticator.login(made.HER_PASSWORD)
    folder = config.config_folder() / "exofop"
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]
