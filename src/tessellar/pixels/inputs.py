"""What lies beside the frames in a folder: catalogue, pixel responses, files of stars."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tessellar.errors import Corrupt, InputError, MissingInput, ProductError
from tessellar.pixels.response import MissionPRF
from tessellar.pixels.unpacking import is_packed
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.table import Table

    from tessellar.products.series import TimeSeries

_TABLES = (".ecsv", ".csv", ".csv.gz", ".fits", ".parquet")
# Stars whose files are asked for flags and corrections: a few of each CCD say it all.
_OF_A_CCD = 2


def find_catalog(folder: Path) -> Path | None:
    """The extract of the TIC (``tic*.ecsv``, .csv, .csv.gz, .fits or .parquet) in a folder, if there is one."""
    found = sorted(path for path in folder.glob("tic*") if path.name.endswith(_TABLES))
    return found[0] if found else None


def read_catalog(path: Path) -> Table:
    """Read a table of stars with the TIC's columns.

    Raises
    ------
    MissingInput
        If there is no such file.
    InputError
        If its name does not tell a format that can be read.
    Corrupt
        If it cannot be read.
    """
    from astropy.table import Table

    if not path.exists():
        raise MissingInput(f"{path}: no such catalogue")
    ending = next((each for each in _TABLES if path.name.endswith(each)), None)
    if ending is None:
        raise InputError(f"{path}: a catalogue is a table that ends in {', '.join(_TABLES)}")
    form = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".csv.gz": "ascii.csv"}.get(ending, ending[1:])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Table.read(path, format=form)
    except ImportError as error:
        raise InputError(f"{path}: {error}; give it as .ecsv or .csv") from error
    except (ValueError, OSError, IndexError, TypeError, KeyError) as error:
        raise Corrupt(f"{path}: cannot be read as a table ({' '.join(str(error).split())[:120]})") from error


def find_response(folder: Path, field: Field) -> MissionPRF | None:
    """The mission's pixel responses of one CCD in a folder and all below it, if they are there."""
    paths = [path for path in folder.rglob("*prf*.fits*") if path.suffix == ".fits" or is_packed(path)]
    try:
        return MissionPRF.open(sorted(paths), camera=field.camera, ccd=field.ccd, sector=field.sector)
    except (MissingInput, InputError):
        return None


def find_stars(folder: Path, field: Field) -> list[TimeSeries]:
    """Light curves and target pixel files of 20 s and 2 min in a folder: two of each CCD of the sector.

    Their flags and barycentric corrections are those of the spacecraft, of all stars alike.
    """
    from tessellar.mission.names import match_name
    from tessellar.products import LightCurve, TargetPixelFile, read

    chosen: list[TimeSeries] = []
    counts: dict[tuple[int | None, int | None], int] = {}
    for path in sorted(folder.rglob("*.fits*")):
        name = match_name(path.name)
        if name is None or name.author != "SPOC" or name.sector != field.sector:
            continue
        if name.kind not in ("lightcurve", "tpf"):
            continue
        try:
            model = read(path)
        except ProductError:
            continue
        if not isinstance(model, LightCurve | TargetPixelFile) or model.sector != field.sector:
            continue
        place = model.camera, model.ccd
        counts[place] = counts.get(place, 0) + 1
        if counts[place] <= _OF_A_CCD:
            chosen.append(model)
    return chosen
