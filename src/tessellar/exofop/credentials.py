"""Where a password comes from: a credential file, the environment, the system's keyring, or whoever sits there."""

from __future__ import annotations

import getpass
import logging
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tessellar.errors import InputError, MissingInput, TessellarError

_log = logging.getLogger(__name__)

USER_VARIABLE = "TESSELLAR_EXOFOP_USER"
PASSWORD_VARIABLE = "TESSELLAR_EXOFOP_PASSWORD"


@dataclass(frozen=True)
class Credentials:
    """A user and, where it is known, the password, which is never shown."""

    username: str
    password: str | None = field(default=None, repr=False)


def read_credential_file(path: str | os.PathLike[str]) -> Credentials:
    """Read a file with a user name and a password.

    Parameters
    ----------
    path : path-like
        ``.txt`` with lines ``username=...`` and ``password=...``, or ``.yaml``
        with the same keys. All after the first ``=`` is the value.

    Raises
    ------
    MissingInput
        If there is no such file.
    InputError
        If it is no such file; the message does not tell what is in it.
    """
    path = Path(path).expanduser()
    if path.suffix not in (".txt", ".yaml", ".yml"):
        raise InputError(f"{path}: a credential file is .txt (username=..., password=...) or .yaml")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: no such credential file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the credential file cannot be read") from error
    found = _from_lines(text) if path.suffix == ".txt" else _from_yaml(text, path)
    missing = [key for key in ("username", "password") if not found.get(key)]
    if missing:
        raise InputError(f"{path}: the credential file has no {' and no '.join(missing)}")
    return Credentials(found["username"], found["password"])


def warn_if_open(path: str | os.PathLike[str]) -> None:
    """Tell of a credential file that others can read."""
    path = Path(path).expanduser()
    if path.stat().st_mode & 0o077:
        _log.warning("%s: others can read this file with a password; run: chmod 600 %s", path, path)


def from_environment() -> Credentials | None:
    """Return the user of the environment, with the password if that is there too."""
    user = os.environ.get(USER_VARIABLE)
    return Credentials(user, os.environ.get(PASSWORD_VARIABLE) or None) if user else None


def known_password(username: str, host: str, credential_file: str | os.PathLike[str] | None) -> str | None:
    """Return the password of a user, where one is known without asking anybody.

    A password of the environment counts only if no other user is named there.
    """
    if credential_file is not None:
        return read_credential_file(credential_file).password
    if os.environ.get(PASSWORD_VARIABLE) and os.environ.get(USER_VARIABLE) in (None, "", username):
        return os.environ[PASSWORD_VARIABLE]
    return from_keyring(username, host)


def from_keyring(username: str, host: str) -> str | None:
    """Return the password that the system's keyring has, if the extra ``keyring`` is installed."""
    try:
        import keyring
    except ImportError:
        return None
    try:
        found: str | None = keyring.get_password(host, username)
    except Exception as error:  # noqa: BLE001 - each system's keyring fails in its own way, and none is needed
        _log.debug("the keyring cannot be asked: %s", type(error).__name__)
        return None
    return found


def to_keyring(username: str, host: str, password: str) -> None:
    """Put a password into the system's keyring.

    Raises
    ------
    TessellarError
        If there is none.
    """
    try:
        import keyring

        keyring.set_password(host, username, password)
    except ImportError as error:
        raise TessellarError("no keyring here: install it with pip install tessellar[keyring]") from error
    except Exception as error:  # noqa: BLE001 - each system's keyring fails in its own way
        raise TessellarError(f"the system's keyring takes no password ({type(error).__name__})") from None


def can_ask() -> bool:
    """Whether somebody sits at a terminal who can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask_username() -> str:
    """Ask for the user name.

    Raises
    ------
    InputError
        If nobody can be asked, or nothing is said.
    """
    if not can_ask():
        raise InputError(f"no user name: give one, or set {USER_VARIABLE}")
    sys.stderr.write("Please enter your login credentials:\n")
    found = input("Username: ").strip()
    if not found:
        raise InputError("no user name was given")
    return found


def ask_password(username: str) -> str:
    """Ask for the password of a user; it is not shown."""
    return getpass.getpass(f"Password of {username}: ")


def _from_lines(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _from_yaml(text: str, path: Path) -> dict[str, str]:
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        # Its message would show the line, and with it the password.
        raise InputError(f"{path}: not valid YAML") from None
    return {str(key).lower(): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
