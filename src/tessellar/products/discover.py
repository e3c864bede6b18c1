"""Finding the files of a kind in a folder, by their names, and where those say nothing by their headers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tessellar.errors import MissingInput, ProductError, Unrecognised
from tessellar.mission.names import match_name
from tessellar.products.reading import read
from tessellar.products.targetpixel import TargetPixelFile

_FITS = (".fits", ".fits.gz")


def fits_files(folder: Path) -> Iterator[Path]:
    """Give the FITS files under a folder, by path; folders whose names begin with a dot are left out.

    Raises
    ------
    MissingInput
        If there is no such folder.
    """
    if not folder.is_dir():
        raise MissingInput(f"{folder}: no such folder")
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(where, name)
            if name.endswith(_FITS) and path.is_file():  # no pipes, no devices: opening one may never end
                yield path


def target_pixel_files(
    where: Path, *, tic: int | None = None, sector: int | None = None, cadence: float | None = None
) -> tuple[list[TargetPixelFile], list[tuple[Path, ProductError]]]:
    """Open the target pixel files under a folder, or the one file that is named.

    Parameters
    ----------
    where : Path
        A folder, searched with all below it, or a file.
    tic, sector : int, optional
        Only those of this star or sector.
    cadence : float, optional
        Only those of this exposure time, in seconds.

    Returns
    -------
    models : list of TargetPixelFile
        Sorted by star, sector, cadence and path.
    failures : list of (Path, ProductError)
        Files that should be among them by their names, but cannot be read.

    Raises
    ------
    MissingInput
        If nothing is at `where`.
    ProductError
        If `where` is a file that is damaged, or no target pixel file.
    """
    models: list[TargetPixelFile] = []
    failures: list[tuple[Path, ProductError]] = []
    if where.is_file():
        models.append(_opened(where))
    else:
        for path in fits_files(where):
            name = match_name(path.name)
            if name is not None and (name.kind not in ("tpf", "cutout") or (tic and name.tic not in (None, tic))):
                continue
            try:
                model = read(path)
            except Unrecognised:
                continue  # a whole file of somebody else's
            except ProductError as error:
                failures.append((path, error))
                continue
            if isinstance(model, TargetPixelFile):
                models.append(model)
    wanted = [model for model in models if _is_wanted(model, tic, sector, cadence)]
    return sorted(wanted, key=_order), failures


def _opened(path: Path) -> TargetPixelFile:
    model = read(path)
    if not isinstance(model, TargetPixelFile):
        raise ProductError(f"{path}: is a {type(model).__name__}, not a target pixel file")
    return model


def _is_wanted(model: TargetPixelFile, tic: int | None, sector: int | None, cadence: float | None) -> bool:
    return (
        (tic is None or (model.tic is not None and int(model.tic) == tic))
        and (sector is None or model.sector == sector)
        and (cadence is None or (model.cadence is not None and abs(model.cadence - cadence) < 0.5))
    )


def same_light(model: TargetPixelFile) -> tuple[int, int, float, tuple[int, int]]:
    """Return what files of the same star, sector, cadence and pixels have in common; files are sorted by it."""
    column, row = model.corner
    return int(model.tic) if model.tic else 0, model.sector or 0, model.cadence or 0.0, (column, row)


def _order(model: TargetPixelFile) -> tuple[tuple[int, int, float, tuple[int, int]], str]:
    return same_light(model), str(model.path)
