"""Login to ExoFOP: one try with a password, sessions kept for later, cookies for their own host only."""

from __future__ import annotations

import logging
import sys
import threading
from http.cookiejar import Cookie, CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tessellar import config
from tessellar.errors import AuthError, NoPermission
from tessellar.exofop import credentials
from tessellar.exofop.loginform import close_sessions, have_ended, open_sessions, origin_of
from tessellar.exofop.sessions import Session, SessionFile
from tessellar.net import run

_log = logging.getLogger(__name__)


class SessionCookies(CookieJar):
    """The cookies of a session, for other HTTP clients; they do not show when it is printed."""

    def __repr__(self) -> str:
        return f"<SessionCookies of {', '.join(sorted({cookie.domain for cookie in self})) or 'nobody'}>"

    __str__ = __repr__


class ExoFOPAuthenticator:
    """Manages sessions and login to ExoFOP.

    A session that is kept from an earlier login is used. Where there is none,
    the password is taken from `credential_file_path`, from the environment
    (``TESSELLAR_EXOFOP_PASSWORD``), or from the system's keyring, and if
    somebody sits at a terminal, they are asked; else `login` waits for it.

    Parameters
    ----------
    username : str, optional
        The ExoFOP username. If not provided, that of the credential file, or of
        ``TESSELLAR_EXOFOP_USER``; else user will be prompted to enter.
    cookies_dir : str, optional
        Where sessions are kept, one file per user and host, which nobody else
        can read; by default in your config folder.
    buffer_hours : int
        A session that ends sooner than this is renewed.
    credential_file_path : str, optional
        ``.txt`` with lines ``username=...``, ``password=...``, or ``.yaml``. It names the user.
    number_of_cookie_jars : int
        How many sessions are opened, and used in turn: ExoFOP answers one request of a session at a time.

    Attributes
    ----------
    username : str
        The ExoFOP username used for login.
    refused : bool
        Whether ExoFOP refused the login while constructing.
    kept_in : Path or None
        The file that keeps the session.
    base : str
        URL of the ExoFOP's pages; what is asked as this user is asked there.

    Raises
    ------
    InputError
        If nobody names a user.
    ArchiveError
        If ExoFOP cannot be reached.

    Examples
    --------
    >>> from tessellar.exofop import ExoFOPAuthenticator
    >>> authenticator = ExoFOPAuthenticator(username="lovelace")
    >>> authenticator
    ExoFOPAuthenticator(username='lovelace')
    """

    BASE_URL = "https://exofop.ipac.caltech.edu"

    def __init__(
        self,
        username: str | None = None,
        cookies_dir: str | None = None,
        buffer_hours: int = 1,
        credential_file_path: str | None = None,
        number_of_cookie_jars: int = 3,
    ) -> None:
        self.buffer_hours = buffer_hours
        self.number_of_cookie_jars = max(1, int(number_of_cookie_jars))
        self._credential_file = credential_file_path
        self.base = config.load().exofop_url
        self.username = self._named(username)
        folder = Path(cookies_dir).expanduser() if cookies_dir is not None else None
        self._file = SessionFile(folder, self.username, urlsplit(self.base).netloc)
        self._sessions = self._file.read()
        self._turn = 0
        self._password: str | None = None
        self._lock = threading.RLock()
        self.kept_in: Path | None = self._file.path if self._sessions else None
        self.refused = False
        if not self.logged_in and (self._known_password() is not None or credentials.can_ask()):
            self.refused = not self.login()
            if self.refused:
                _log.info("ExoFOP refused the login of %s", self.username)

    def __repr__(self) -> str:
        return f"ExoFOPAuthenticator(username={self.username!r})"

    @property
    def logged_in(self) -> bool:
        """Whether there is a session that lives long enough; the network is not asked."""
        return any(session.lives(self.buffer_hours * 3600.0) for session in self._sessions)

    @property
    def expires(self) -> float | None:
        """When the last session ends, in seconds since 1970; None without one."""
        return max((session.expires for session in self._sessions if session.lives()), default=None)

    @property
    def cookies(self) -> SessionCookies:
        """The cookies of the next session in turn; logs in first where that is needed.

        Raises
        ------
        AuthError
            If that is not possible.
        """
        session = self._next()
        host = urlsplit(self.base).hostname or ""
        jar = SessionCookies()
        for name, value in session.cookies.items():
            jar.set_cookie(_cookie(name, value, host, session.expires, secure=self.base.startswith("https:")))
        return jar

    def login(self, password: str | None = None) -> bool:
        """Login to ExoFOP and return True if successful.

        Without a `password`, a session that lives is enough; else the
        password comes from where the class says, or whoever sits at the
        terminal is asked for it. A password is tried once.

        Parameters
        ----------
        password : str, optional
            The ExoFOP password. Better let yourself be asked for it than write it into code.

        Returns
        -------
        bool
            False if ExoFOP does not accept it.

        Raises
        ------
        AuthError
            If no password is known and nobody can be asked.
        ArchiveError
            If ExoFOP cannot be reached, or answers neither yes nor no.
        """
        with self._lock:
            if password is None and self.logged_in:
                return True
            return self._login_with(password)

    def renew(self) -> bool:
        """Log in anew if the password is known without asking; return whether that went well.

        For when ExoFOP has ended a session before its time.
        """
        with self._lock:
            password = self._known_password() or self._password
            return password is not None and self._login_with(password)

    def confirm(self) -> bool:
        """Make sure that ExoFOP still knows the sessions; log in anew if it does not, and the password is known.

        Without it, one would be given what the public may see, and not be told.

        Returns
        -------
        bool
            Whether a new login was needed.

        Raises
        ------
        AuthError
            If the session has ended, and nobody can log in anew.
        """
        with self._lock:
            self._next()
            if not run(have_ended(self.base, self._sessions)):
                return False
            if self.renew():
                return True
            self._sessions = []
            raise AuthError(f"{self.base}: the session of {self.username} has ended; log in again", url=self.base)

    def logout(self) -> bool:
        """End the sessions, here and at ExoFOP; return whether there were any.

        Raises
        ------
        NoPermission
            If what is kept of them cannot be removed.
        """
        with self._lock:
            sessions, self._sessions = self._sessions, []
            self.kept_in = None
            there = self._file.forget() or bool(sessions)
            run(close_sessions(self.base, sessions))
            return there

    def remember(self) -> None:
        """Put the password that the last login was made with into the system's keyring.

        Raises
        ------
        TessellarError
            If there is no keyring, or no login was made with a password by this object.
        """
        if self._password is None:
            raise AuthError(f"no password of {self.username} was used just now; log out, and log in again")
        credentials.to_keyring(self.username, self._file.host, self._password)

    def private_headers(self, url: str) -> dict[str, str]:
        """Return the headers that tell ExoFOP who asks; none for the URL of anybody else."""
        if origin_of(url) != origin_of(self.base):
            return {}
        return {"Cookie": self._next().header}

    # --------------------------------------------------------------------------------------------

    def _named(self, username: str | None) -> str:
        if self._credential_file is not None:
            found = credentials.read_credential_file(self._credential_file)
            credentials.warn_if_open(self._credential_file)
            return found.username
        if username is not None and str(username).strip():
            return str(username).strip()
        environment = credentials.from_environment()
        return environment.username if environment is not None else credentials.ask_username()

    def _known_password(self) -> str | None:
        return credentials.known_password(self.username, self._file.host, self._credential_file)

    def _next(self) -> Session:
        with self._lock:
            if not self.logged_in and not self.login():
                raise AuthError(f"{self.base}: the login of {self.username} was refused", url=self.base)
            living = [session for session in self._sessions if session.lives(self.buffer_hours * 3600.0)]
            self._turn += 1
            return living[self._turn % len(living)]

    def _login_with(self, password: str | None) -> bool:
        password = password if password is not None else self._known_password()
        asked = password is None
        if password is None:
            if not credentials.can_ask():
                raise AuthError(
                    f"{self.username} is not logged in at {urlsplit(self.base).netloc}, no password is known, and "
                    "there is no terminal to ask on: run tessellar exofop login in one, or set "
                    f"{credentials.PASSWORD_VARIABLE}",
                    url=self.base,
                )
            password = credentials.ask_password(self.username)
        sessions = run(open_sessions(self.base, self.username, password, self.number_of_cookie_jars))
        if asked:
            sys.stderr.write("Login was successful.\n" if sessions else "Login was not successful.\n")
        if not sessions:
            return False
        self._sessions, self._password = sessions, password
        try:
            self._file.write(sessions)
            self.kept_in = self._file.path
        except NoPermission as error:
            self.kept_in = None
            _log.warning("%s; it holds for this process only", error)
        return True


def end_sessions(username: str, cookies_dir: str | None = None) -> bool:
    """End the sessions of a user that are kept here, without logging in for it; return whether there were any."""
    base = config.load().exofop_url
    kept = SessionFile(Path(cookies_dir) if cookies_dir is not None else None, username, urlsplit(base).netloc)
    sessions = kept.read()
    there = kept.forget()
    run(close_sessions(base, sessions))
    return there


def _cookie(name: str, value: str, host: str, expires: float, *, secure: bool) -> Cookie:
    # A host without a dot gets the suffix that cookie jars look for.
    domain = host if "." in host else f"{host}.local"
    options: dict[str, Any] = {"port": None, "port_specified": False, "domain_specified": False}
    return Cookie(
        0, name, value, domain=domain, domain_initial_dot=False, path="/", path_specified=True, secure=secure,
        expires=int(expires), discard=False, comment=None, comment_url=None, rest={"HttpOnly": ""}, **options,
    )  # fmt: skip
