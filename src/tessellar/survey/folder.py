"""Where a survey keeps what it makes: the folder ``survey`` beside the pixels."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tessellar.errors import Corrupt, MissingInput, StoreError
from tessellar.products.filing import translated
from tessellar.survey.ledger import NAME, FieldRow

if TYPE_CHECKING:
    from tessellar.products import LightCurveStore

_FOLDER = "survey"


@dataclass(frozen=True)
class SurveyFolder:
    """The files of one survey.

    Parameters
    ----------
    root : Path
        The folder of the pixels.
    """

    root: Path

    @property
    def folder(self) -> Path:
        """Where all of them are."""
        return self.root / _FOLDER

    @property
    def ledger(self) -> Path:
        """The to-do list, and what came of it."""
        return self.folder / NAME

    def require_root(self) -> None:
        """Say that there is no such folder, where there is none.

        Raises
        ------
        MissingInput
        """
        if not self.root.is_dir():
            what = "is a file: give the folder that holds it" if self.root.exists() else "no such folder"
            raise MissingInput(f"{self.root}: {what}")

    def require_plan(self) -> None:
        """Say what is missing where no survey is planned.

        Raises
        ------
        MissingInput
            If the root, or the to-do list in it, is not there.
        """
        self.require_root()
        if not self.ledger.exists():
            raise MissingInput(f"{self.root}: no survey is planned here; `tessellar survey plan {self.root}` does")

    def store(self, field: FieldRow) -> Path:
        """Light curves of a field."""
        return self.folder / f"{field.name}.lc.h5"

    def open_store(self, field: FieldRow) -> LightCurveStore:
        """Open the light curves of a field.

        Raises
        ------
        MissingInput, Corrupt
            If they are not there, or damaged.
        """
        from tessellar.products import LightCurveStore

        try:
            return LightCurveStore(self.store(field))
        except Corrupt as error:
            mend = f"remove it, and `tessellar survey run {self.root}` measures its stars again"
            raise Corrupt(f"{error}; {mend}") from error

    def part(self, task: int) -> Path:
        """What a task gave, until the writer has put it into the store."""
        return self.folder / "parts" / f"task-{task:06d}.arrays"

    def page(self, field: FieldRow) -> Path:
        """The page of a field."""
        return self.folder / f"{field.name}.html"

    def name_of(self, path: Path) -> str:
        """How the ledger calls a file: by its way from the root, where it is below that."""
        whole = path.absolute()
        return str(whole.relative_to(self.root.absolute()) if whole.is_relative_to(self.root.absolute()) else whole)

    def path_of(self, name: str) -> Path:
        """The file of a name of the ledger."""
        return self.root.absolute() / name

    def hdf5_files(self) -> list[Path]:
        """HDF5 files in the root and below it that may be prepared fields."""
        found = []
        for where, folders, names in os.walk(self.root):
            at_root = Path(where) == self.root
            folders[:] = sorted(
                each for each in folders if not each.startswith(".") and not (at_root and each == _FOLDER)
            )
            found += [Path(where, each) for each in sorted(names) if each.endswith((".h5", ".hdf5")) and each[0] != "."]
        return found

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one that works here; whoever is killed lets go.

        Raises
        ------
        StoreError
            If another process works here.
        """
        with translated(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            stream = (self.folder / "lock").open("a+")
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                stream.seek(0)
                who = stream.read().strip() or "another process"
                raise StoreError(f"{self.folder}: {who} works here; wait for it, or stop it") from error
            stream.truncate(0)
            stream.write(f"process {os.getpid()} on {socket.gethostname()}")
            stream.flush()
            yield

    def clear(self) -> None:
        """Throw away all that an earlier survey left, but for the lock."""
        if not self.folder.is_dir():
            return
        shutil.rmtree(self.folder / "parts", ignore_errors=True)
        for path in self.folder.iterdir():
            if path.name.startswith(NAME) or ".lc.h5" in path.name or path.suffix in (".html", ".ecsv"):
                path.unlink()
