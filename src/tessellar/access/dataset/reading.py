"""Reading the texts of a data set: what a person wrote down, and what was locked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tessellar.errors import InputError, MissingInput

T = TypeVar("T")


def read_as(path: str | os.PathLike[str], what: str, parse: Callable[[str], T]) -> T:
    """Read a file that a person wrote, or keeps; whatever is wrong with it is said with its name.

    Raises
    ------
    MissingInput, InputError
        If it is not there, or is not what it should be.
    """
    try:
        return parse(Path(path).read_bytes().decode())
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: there is no such {what}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text: {error}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
