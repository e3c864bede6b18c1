"""Settings: an argument beats the environment, which beats ``tessellar.toml``, which beats the default.

Each setting has one name. In the environment it is ``TESSELLAR_`` and the name
in capitals; in ``tessellar.toml``, in the user's config folder, it is a key of
the top level.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import platformdirs

from tessellar.errors import ConfigError

FILE_NAME = "tessellar.toml"
EXOFOP_URL = "https://exofop.ipac.caltech.edu/tess/"

_overriding: ContextVar[Mapping[str, Any]] = ContextVar("tessellar settings", default=MappingProxyType({}))


@dataclass(frozen=True)
class Settings:
    """What a user may set, with its default.

    Attributes
    ----------
    archive : str
        ``"mast"``, or the URL of a tessellar server.
    data_dir : str
        The folder that files are fetched into when none is given; empty for the working folder.
    sources : str
        Where files are taken from, separated by commas, the first first: ``archive``, ``cloud`` (the public
        bucket), the URL of a tessellar server, or a folder.
    cloud : str
        URL of the service that has the public bucket; empty for Amazon's.
    connections : int
        The most connections to one host at a time; files are fetched over 4 at first, more where the host bears it.
    connect_timeout, idle_timeout : float
        Seconds to wait for a connection, and for the next bytes on one.
    question_timeout : float
        Seconds that one question to the archive may take in all, with all tries.
    min_rate : float
        Bytes per second; a transfer that stays slower for a whole idle time-out is broken off and tried again.
    attempts : int
        Tries of one request or file before it counts as failed; one that brought a file further is not counted.
    retry_wait : float
        Seconds before the second try; the pause doubles from there, with jitter.
    page_size : int
        Rows asked of the archive at a time.
    strip_rows : int
        Rows that one question for a file may have; a larger one is asked in strips of declination.
    offline : bool
        Never use the network: questions are answered from what was answered before.
    answers_for : float
        Hours for which a kept answer of the archive will do; 0 asks each time.
    exofop : str
        URL below which ExoFOP's pages are; empty for the live one, or, where the
        archive is a tessellar server, for the one that it has (see `exofop_url`).
    """

    archive: str = "mast"
    data_dir: str = ""
    sources: str = "archive"
    cloud: str = ""
    connections: int = 8
    connect_timeout: float = 10.0
    idle_timeout: float = 60.0
    question_timeout: float = 600.0
    min_rate: float = 1000.0
    attempts: int = 6
    retry_wait: float = 1.0
    page_size: int = 5000
    strip_rows: int = 20_000
    offline: bool = False
    answers_for: float = 0.0
    exofop: str = ""

    @property
    def exofop_url(self) -> str:
        """Where ExoFOP's pages are, with a slash at the end."""
        if self.exofop:
            return self.exofop.rstrip("/") + "/"
        parts = urlsplit(self.archive)
        if parts.scheme in ("http", "https") and not (parts.hostname or "").endswith("stsci.edu"):
            return f"{self.archive.rstrip('/')}/tess/"
        return EXOFOP_URL

    def __post_init__(self) -> None:
        for name in ("connections", "attempts", "page_size", "strip_rows"):
            if getattr(self, name) < 1:
                raise ConfigError(f"setting {name} = {getattr(self, name)}: it must be at least 1")
        for name in ("connect_timeout", "idle_timeout", "question_timeout"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"setting {name} = {getattr(self, name)}: it must be more than 0 seconds")
        if self.exofop and not self.exofop.startswith(("http://", "https://")):
            raise ConfigError(f"setting exofop = {self.exofop!r}: give a URL, as {EXOFOP_URL}")
        for name in ("retry_wait", "min_rate", "answers_for"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"setting {name} = {getattr(self, name)}: it must be 0 or more")


def config_folder() -> Path:
    """The folder that holds the user's ``tessellar.toml``; it need not exist."""
    return Path(platformdirs.user_config_dir("tessellar", appauthor=False))


@contextmanager
def overriding(**settings: Any) -> Iterator[None]:
    """Let settings hold, whatever the environment says, for all that is loaded in the block.

    An argument of a call still beats them; None leaves a setting as it is.
    """
    token = _overriding.set(
        {**_overriding.get(), **{name: value for name, value in settings.items() if value is not None}}
    )
    try:
        yield
    finally:
        _overriding.reset(token)


def load(environ: Mapping[str, str] | None = None, **arguments: Any) -> Settings:
    """Gather the settings that hold now.

    Parameters
    ----------
    environ : mapping, optional
        Instead of ``os.environ``.
    **arguments
        Settings given by the caller; None means not given.

    Raises
    ------
    ConfigError
        If a name or a value makes no sense; the message says where it was found.

    Examples
    --------
    >>> from tessellar.config import load
    >>> load(environ={"TESSELLAR_CONNECTIONS": "2"}, page_size=100).connections
    2
    """
    environ = os.environ if environ is None else environ
    known = {field.name: type(field.default) for field in fields(Settings)}
    values: dict[str, Any] = {}
    path = config_folder() / FILE_NAME
    for name, value in _read_file(path).items():
        if name not in known:
            raise ConfigError(f"{path}: no setting is called {name!r}; there are {', '.join(known)}")
        values[name] = _convert(name, value, known[name], str(path))
    for name, kind in known.items():
        variable = f"TESSELLAR_{name.upper()}"
        if environ.get(variable):
            values[name] = _convert(name, environ[variable], kind, variable)
    for name, value in {**_overriding.get(), **arguments}.items():
        if name not in known:
            raise ConfigError(f"no setting is called {name!r}; there are {', '.join(known)}")
        if value is not None:
            values[name] = _convert(name, value, known[name], "argument")
    return Settings(**values)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _convert(name: str, value: Any, kind: type, where: str) -> Any:
    if kind is bool:
        return _switch(name, value, where)
    wanted = {int: "a whole number", float: "a number", str: "text"}[kind]
    try:
        if isinstance(value, bool) or (kind is str and not isinstance(value, str | os.PathLike)):
            raise ValueError
        converted = os.fspath(value) if kind is str else kind(value)
        if kind is int and isinstance(value, float) and converted != value:
            raise ValueError
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {name} = {value!r} is not {wanted}") from error
    return converted


def _switch(name: str, value: Any, where: str) -> bool:
    word = str(value).strip().lower()
    if word not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        raise ConfigError(f"{where}: {name} = {value!r} is not true or false")
    return word in ("1", "true", "yes", "on")
