"""Who may log in to a folder of ExoFOP data: users, their groups, and hashes of their passwords."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tessellar.errors import Corrupt, InputError, NoPermission
from tessellar.products.exofopfolder import FOLDER

USERS_FILE = "users.json"

# scrypt (RFC 7914) with 16 MiB of memory: what hashlib allows without further ado.
_COST, _BLOCK, _PARALLEL = 2**14, 8, 1
_NAME = re.compile(r"[\w.@+-]{1,64}", re.ASCII)


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
