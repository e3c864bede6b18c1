"""The archive of cut-outs that TESScut answers: a zip file with one target pixel file a sector."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from tessellar.errors import Corrupt, Unrecognised
from tessellar.products.fitsfile import FitsFile
from tessellar.products.targetpixel import TargetPixelFile


class CutoutArchive:
    """A zip file of cut-outs; a sequence of `TargetPixelFile`, each unpacked into memory when asked for.

    Attributes
    ----------
    path : Path
        Where the file lies.
    names : tuple of str
        The cut-outs in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self.names = tuple(name for name in archive.namelist() if name.endswith((".fits", ".fits.gz")))
        except zipfile.BadZipFile as error:
            raise Corrupt(f"{path}: a broken zip file ({error}); fetch it again") from error
        if not self.names:
            raise Unrecognised(f"{path}: a zip file without FITS files in it")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> TargetPixelFile:
        name = self.names[index]
        try:
            with zipfile.ZipFile(self.path) as archive:
                content = archive.read(name)
        except zipfile.BadZipFile as error:
            raise Corrupt(f"{self.path}: {name} in it is broken ({error}); fetch it again") from error
        return TargetPixelFile(FitsFile(self.path / name, content))

    def __iter__(self) -> Iterator[TargetPixelFile]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"<CutoutArchive {self.path.name}: {', '.join(self.names)}>"
