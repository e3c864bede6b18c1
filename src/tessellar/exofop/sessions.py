"""Sessions of one user at one host, kept for the next time: in a file that nobody else can read."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tessellar.config import config_folder
from tessellar.errors import NoPermission

_log = logging.getLogger(__name__)

# For how long a session is taken to live whose cookie does not say it.
UNTOLD_LIFE = 12 * 3600.0


@dataclass(frozen=True)
class Session:
    """One login: its cookies, never shown.

    Attributes
    ----------
    cookies : mapping
        By name.
    expires : float
        Seconds since 1970.
    """

    cookies: Mapping[str, str] = field(repr=False)
    expires: float

    def lives(self, buffer: float = 0.0) -> bool:
        """Whether it will still live in `buffer` seconds."""
        return time.time() + buffer < self.expires

    @property
    def header(self) -> str:
        """The ``Cookie`` header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())


class SessionFile:
    """Where the sessions of one user at one host are kept.

    Parameters
    ----------
    folder : Path or None
        By default a folder in the user's config folder.
    user, host : str
        Whose, and where.
    """

    def __init__(self, folder: Path | None, user: str, host: str) -> None:
        self.user = user
        self.host = host
        self.folder = folder if folder is not None else config_folder() / "exofop"
        # Every character that could mean something else is written as a number: no name is part of another's.
        self.path = self.folder / f"{quote(host, safe='')}~{quote(user, safe='')}.session"

    def read(self) -> list[Session]:
        """Return what is kept and lives; a file that makes no sense is as good as none."""
        try:
            told = json.loads(self.path.read_text(encoding="utf-8"))
            if (told["user"], told["host"]) != (self.user, self.host):
                return []
            found = [Session(dict(each["cookies"]), float(each["expires"])) for each in told["sessions"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        if self.path.stat().st_mode & 0o077:
            with suppress(OSError):
                self.path.chmod(0o600)
        return [session for session in found if session.lives()]

    def write(self, sessions: list[Session]) -> None:
        """Keep sessions, for the user's eyes only.

        Raises
        ------
        NoPermission
            If the folder may not be written.
        """
        told = {
            "user": self.user,
            "host": self.host,
            "sessions": [{"cookies": dict(each.cookies), "expires": each.expires} for each in sessions],
        }
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
                json.dump(told, stream)
            part.replace(self.path)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise NoPermission(
                f"{self.folder}: the session cannot be kept there ({error.strerror}); name another folder"
            ) from error

    def forget(self) -> bool:
        """Remove this user's file, and no other's; return whether there was one.

        Raises
        ------
        NoPermission
            If it cannot be removed.
        """
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise NoPermission(f"{self.path}: cannot be removed ({error.strerror})") from error
        return True
