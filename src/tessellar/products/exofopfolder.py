"""A folder of ExoFOP data: where its tables, tagged files and users lie, and how they are written.

::

    exofop/
    ├── tois.csv, time_series.csv, …     one file a table, as ExoFOP gives it out (csv, or .pipe)
    ├── targets/38877496.json            parts of a target's page that no table has
    ├── tags/5903/…                      the files of a tag; or tags/5903.zip, sent as it is
    └── users.json                       who may log in, with hashed passwords

`tessellar.products.exofoptables.COLUMNS` names the tables and their columns.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

from tessellar.errors import Corrupt, InputError, MissingInput, NoPermission

FOLDER = "exofop"
TAGS = "tags"
TARGETS = "targets"
USERS_FILE = "users.json"
#: Endings of a table's file, in the order in which they are looked for.
TABLE_ENDINGS = (".csv", ".pipe")

# scrypt (RFC 7914) with 16 MiB of memory: what hashlib allows without further ado.
_COST, _BLOCK, _PARALLEL = 2**14, 8, 1
_TO_QUOTE = re.compile(r'[",\r\n]')
_NAME = re.compile(r"[\w.@+-]{1,64}", re.ASCII)

csv.field_size_limit(16 * 1024 * 1024)


@dataclass(frozen=True)
class TextTable:
    """A table whose cells are text, kept as it was written.

    Attributes
    ----------
    columns : tuple of str
        Names, also where two are alike.
    rows : tuple of tuple of str
        As many cells each as there are columns.

    Examples
    --------
    >>> table = TextTable(("TIC ID", "TOI"), (("234523599", "127.01"),))
    >>> table.cell(table.rows[0], "toi")
    '127.01'
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()
    _by_value: dict[str, dict[str, list[int]]] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Where a column is, by its name in small letters; of two that are alike, the first."""
        places: dict[str, int] = {}
        for place, name in enumerate(self.columns):
            places.setdefault(name.strip().lower(), place)
        return places

    def cell(self, row: Sequence[str], *names: str) -> str:
        """The value of the first of these columns that the table has; empty if it has none of them."""
        for name in names:
            place = self.places.get(name.lower())
            if place is not None:
                return row[place]
        return ""

    def where(self, column: str, value: str) -> list[tuple[str, ...]]:
        """The rows that have this value in a column."""
        if column not in self._by_value:
            found: dict[str, list[int]] = {}
            for number, row in enumerate(self.rows):
                found.setdefault(self.cell(row, column), []).append(number)
            self._by_value[column] = found
        return [self.rows[number] for number in self._by_value[column].get(value, [])]


def read_table(path: Path) -> TextTable:
    """Read a table of such a folder: comma-separated, or with bars where its name ends in ``.pipe``.

    A byte-order mark is passed over; with bars, the last column may hold bars
    itself, and a line that has too few goes on with the text of the one before.

    Raises
    ------
    MissingInput
        If there is no such file.
    Corrupt
        If it has no header, or is no text.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: no such file") from error
    except OSError as error:
        raise Corrupt(f"{path}: cannot be read ({error.strerror})") from error
    try:
        lines = _barred(text) if path.suffix == ".pipe" else list(csv.reader(StringIO(text, newline="")))
    except csv.Error as error:
        raise Corrupt(f"{path}: not comma-separated text: {error}") from error
    lines = [line for line in lines if line]
    if not lines or len(lines[0]) < 2 or "\0" in text:
        raise Corrupt(f"{path}: no table; its first line must name the columns")
    columns = tuple(lines[0])
    width = len(columns)
    return TextTable(columns, tuple(tuple((*row, *[""] * width)[:width]) for row in lines[1:]))


def _barred(text: str) -> list[list[str]]:
    lines = text.rstrip("\n").split("\n")
    width = lines[0].count("|") + 1
    rows: list[list[str]] = []
    for line in lines:
        cells = line.rstrip("\r").split("|", width - 1)
        if len(cells) < width and rows and len(rows) > 1:
            rows[-1][-1] += f"\n{line}"
        else:
            rows.append(cells)
    return rows


def table_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""Write a table as comma-separated text.

    Examples
    --------
    >>> table_text(("TIC ID", "Notes"), [("1", "two, or three")])
    'TIC ID,Notes\n1,"two, or three"\n'
    """
    # The csv module leaves a lone carriage return without quotes, and then cannot read it again.
    return "".join(",".join(map(_quoted, line)) + "\n" for line in (columns, *rows))


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _TO_QUOTE.search(cell) else cell


@dataclass(frozen=True)
class Account:
    """Someone who may log in.

    Attributes
    ----------
    username : str
        Letters, digits and ``. _ @ + -``.
    groups : tuple of str
        Whose proprietary rows they may see besides their own, as ``("tfopwg",)``.
    password : mapping
        What is kept of the password: an scrypt hash with its salt and its costs.
    """

    username: str
    groups: tuple[str, ...] = ()
    password: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def create(
        cls,
        username: str,
        password: str,
        groups: Iterable[str] = (),
        *,
        salt: bytes | None = None,
        cost: int = _COST,
    ) -> Account:
        """Make an account; only a hash of the password is kept.

        Parameters
        ----------
        username, password : str
            The name may have letters, digits and ``. _ @ + -``.
        groups : iterable of str
            Whose proprietary rows they may see.
        salt : bytes, optional
            Random if not given; a given one makes the same hash each time.
        cost : int
            Power of two; less than the usual one only for tests.

        Raises
        ------
        InputError
            If the name will not do, or the password is empty.

        Examples
        --------
        >>> lovelace = Account.create("lovelace", "note G", groups=["tfopwg"])
        >>> lovelace.accepts("note G"), lovelace.accepts("note H")
        (True, False)
        """
        if not _NAME.fullmatch(username):
            raise InputError(f"{username!r} is no user name: use letters, digits and . _ @ + -")
        if not password:
            raise InputError(f"an empty password for {username}: give one")
        salt = secrets.token_bytes(16) if salt is None else salt
        costs = {"n": cost, "r": _BLOCK, "p": _PARALLEL}
        key = base64.b64encode(_hashed(password, salt, costs)).decode()
        kept = {"method": "scrypt", **costs, "salt": base64.b64encode(salt).decode(), "key": key}
        return cls(username, tuple(groups), kept)

    def accepts(self, password: str) -> bool:
        """Whether this is the password; it takes as long whatever the answer."""
        try:
            salt, key = (base64.b64decode(self.password[name]) for name in ("salt", "key"))
            return hmac.compare_digest(_hashed(password, salt, self.password), key)
        except (LookupError, TypeError, ValueError):
            return False


def _hashed(password: str, salt: bytes, costs: Mapping[str, Any]) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=int(costs["n"]), r=int(costs["r"]), p=int(costs["p"]), dklen=32
    )


def read_accounts(folder: Path) -> dict[str, Account]:
    """The accounts of a folder of ExoFOP data, by user name; none where it has no file of them.

    Raises
    ------
    Corrupt
        If the file of them makes no sense.
    """
    path = folder / USERS_FILE
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        accounts = [
            Account(str(user["username"]), tuple(map(str, user.get("groups", ()))), dict(user["password"]))
            for user in kept["users"]
        ]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise Corrupt(f"{path}: not a list of users: {error}") from error
    return {account.username: account for account in accounts}


def accounts_text(accounts: Iterable[Account]) -> str:
    """Write accounts as the file of a folder keeps them."""
    users = [
        {"username": each.username, "groups": list(each.groups), "password": dict(each.password)} for each in accounts
    ]
    return json.dumps({"users": users}, indent=1) + "\n"


def add_user(folder: str | os.PathLike[str], username: str, password: str, groups: Iterable[str] = ()) -> None:
    """Let somebody log in to a folder of ExoFOP data, or give them another password.

    Parameters
    ----------
    folder : path-like
        The folder ``exofop``, or the one in which it lies.
    username, password : str
        The password is not kept, only its scrypt hash.
    groups : iterable of str
        Whose proprietary rows they may see, as ``["tfopwg"]``.

    Raises
    ------
    InputError
        If there is no such folder, or name and password will not do.
    NoPermission
        If it may not be written.
    """
    path = Path(folder)
    path = path / FOLDER if (path / FOLDER).is_dir() else path
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; make it, and put ExoFOP's tables into it")
    accounts = read_accounts(path)
    accounts[username] = Account.create(username, password, groups)
    target, draft = path / USERS_FILE, path / f".{USERS_FILE}.{os.getpid()}.part"
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(accounts_text(accounts.values()))
        draft.replace(target)
    except OSError as error:
        raise NoPermission(f"{target}: cannot be written ({error.strerror})") from error
    finally:
        draft.unlink(missing_ok=True)
