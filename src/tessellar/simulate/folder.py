"""The folder of a simulation: what marks it as one, which of its files are ours, what a former one left."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tessellar.errors import InputError, NoPermission
from tessellar.products.exofopfolder import FOLDER as EXOFOP_FOLDER
from tessellar.simulate.filing import whole_file

#: The mark of a folder that holds a simulation: its settings, and the files that belong to it.
MARK_FILE = "simulation.json"
_OURS = (".fits", ".xml", ".pdf", ".csv", ".ecsv")


def prepare_folder(folder: Path, overwrite: bool) -> list[str]:
    """Make the folder, or see that it may be written into; the files of a former simulation in it.

    Raises
    ------
    InputError
        If it holds anything else and may not be overwritten, or is a file.
    NoPermission
        If it may not be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark = folder / MARK_FILE
        if mark.is_file():
            return _former_files(mark)
        if not overwrite and any(folder.iterdir()):
            raise InputError(f"{folder} holds other things: choose an empty folder, or ask for it to be overwritten")
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{folder} is a file: choose a folder") from error
    except PermissionError as error:
        raise NoPermission(f"{folder}: may not be written; choose another folder") from error
    return []


def mark_folder(folder: Path, settings: dict[str, Any], names: Iterable[str]) -> None:
    """Write down what is simulated here, and the names of all files that may come of it."""
    listed = sorted(set(names))
    text = json.dumps({"made_by": "tessellar simulate", **settings, "files": listed}, indent=1)
    with whole_file(folder / MARK_FILE) as stream:
        stream.write(text.encode() + b"\n")


def remove_files(folder: Path, names: Iterable[str], but: Collection[str] = ()) -> None:
    """Remove files of a simulation, but for some, and the folders that this leaves empty."""
    for name in set(names) - set(but):
        with suppress(OSError):
            (folder / name).unlink()
            for parent in Path(name).parents[:-1]:
                (folder / parent).rmdir()


def _former_files(mark: Path) -> list[str]:
    try:
        former = json.loads(mark.read_text(encoding="utf-8"))
        return [name for name in former["files"] if _is_ours(name)]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{mark} is not what a simulation leaves: choose another folder") from error


def _is_ours(name: str) -> bool:
    """Whether a name may be one of ours: a mark that someone edited must not reach other files."""
    known = name.endswith(_OURS) or name.startswith(f"{EXOFOP_FOLDER}/")
    return known and not Path(name).is_absolute() and ".." not in Path(name).parts
