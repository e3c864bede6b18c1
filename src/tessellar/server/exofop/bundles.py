"""Many files as one: a zip or a tar, made once and kept as long as its files do not change.

The same files give the same bytes, so that a download can be taken up where it ended.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
import threading
import time
import weakref
import zipfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MOST_BYTES = 4 * 1024**3
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # of a zip


@dataclass(frozen=True)
class Member:
    """A file, and its name in the bundle."""

    path: Path
    name: str


class Bundles:
    """Bundles that were made, in a folder for passing things that goes with the process."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._made: OrderedDict[str, Path] = OrderedDict()
        self._lock = threading.Lock()

    def zip(self, members: Sequence[Member]) -> tuple[Path, str]:
        """Return a zip of these files, and what tells its bytes from others."""
        return self._bundle(members, "zip")

    def tar(self, members: Sequence[Member]) -> tuple[Path, str]:
        """Return a tar of these files, and what tells its bytes from others."""
        return self._bundle(members, "tar")

    def _bundle(self, members: Sequence[Member], ending: str) -> tuple[Path, str]:
        mark = _mark(members, ending)
        with self._lock:
            path = self._made.get(mark)
            if path is None or not path.exists():
                if self._folder is None:
                    self._folder = Path(tempfile.mkdtemp(prefix="tessellar-exofop-"))
                    weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
                path = self._folder / f"{mark}.{ending}"
                (_write_zip if ending == "zip" else _write_tar)(path, members)
                self._made[mark] = path
                self._tidy()
            self._made.move_to_end(mark)
            return path, mark

    def _tidy(self) -> None:
        total = sum(path.stat().st_size for path in self._made.values())
        while total > _MOST_BYTES and len(self._made) > 1:
            _, path = self._made.popitem(last=False)
            total -= path.stat().st_size
            path.unlink()


def _mark(members: Sequence[Member], ending: str) -> str:
    digest = hashlib.sha256(ending.encode())
    for member in members:
        status = member.path.stat()
        digest.update(f"{member.name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:32]


def _write_zip(path: Path, members: Sequence[Member]) -> None:
    draft = path.with_suffix(".part")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as bundle:
        for member in members:
            stamp = time.gmtime(member.path.stat().st_mtime)[:6]
            info = zipfile.ZipInfo(member.name, max(stamp, _EARLIEST))
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            with member.path.open("rb") as source, bundle.open(info, "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    draft.replace(path)


def _write_tar(path: Path, members: Sequence[Member]) -> None:
    draft = path.with_suffix(".part")
    with tarfile.open(draft, "w", format=tarfile.PAX_FORMAT) as bundle:
        for member in members:
            status = member.path.stat()
            info = tarfile.TarInfo(member.name)
            info.size, info.mtime, info.mode = status.st_size, int(status.st_mtime), 0o644
            with member.path.open("rb") as source:
                bundle.addfile(info, source)
    draft.replace(path)
