"""The mission's models of the pixel response: which there are, and what their files are called.

Each CCD has them at 25 places, in two issues: of commissioning (sectors 1 to 3), and of the better pointing since.
Which stamp of time the names of an issue carry is data (``data/prf_models.csv``).
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache

from tessellar.errors import InputError
from tessellar.mission.sectors import read_data
from tessellar.targets import Field

#: CCD rows and columns (1-based) of the places that are modelled.
MODEL_ROWS = (1, 513, 1025, 1536, 2048)
MODEL_COLUMNS = (45, 557, 1069, 1580, 2092)
_NAME = re.compile(r"tess(\d{13})-prf-([1-4])-([1-4])-row(\d{4})-col(\d{4})\.fits")


@dataclass(frozen=True)
class ResponseModels:
    """The models of one CCD that hold for some sectors.

    Attributes
    ----------
    first_sector : int
    last_sector : int or None
        None while they hold.
    camera, ccd : int
    folder : str
        What the archive calls the issue.
    stamp : str
        In the names of the files: when they were made.
    """

    first_sector: int
    last_sector: int | None
    camera: int
    ccd: int
    folder: str
    stamp: str

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the files, relative to the archive's folder of models."""
        place = f"{self.folder}/cam{self.camera}_ccd{self.ccd}"
        return tuple(
            f"{place}/tess{self.stamp}-prf-{self.camera}-{self.ccd}-row{row:04d}-col{column:04d}.fits"
            for row in MODEL_ROWS
            for column in MODEL_COLUMNS
        )


def response_models(field: Field) -> ResponseModels:
    """Return the models that hold for one CCD in one sector.

    Examples
    --------
    >>> from tessellar import Field
    >>> from tessellar.mission.responses import response_models
    >>> response_models(Field(1, 4, 1)).paths[0]
    'start_s0001/cam4_ccd1/tess2018243163601-prf-4-1-row0001-col0045.fits'
    """
    for models in _table():
        held = models.first_sector <= field.sector <= (models.last_sector or field.sector)
        if held and (models.camera, models.ccd) == (field.camera, field.ccd):
            return models
    raise InputError(f"no models of the pixel response are known for {field}")


def model_path(filename: str) -> str | None:
    """Return where the archive keeps a file of that name, relative to its folder of models; None if it is none of them.

    Examples
    --------
    >>> from tessellar.mission.responses import model_path
    >>> model_path("tess2019107181902-prf-4-4-row2048-col2092.fits")
    'start_s0004/cam4_ccd4/tess2019107181902-prf-4-4-row2048-col2092.fits'
    """
    match = _NAME.fullmatch(filename)
    if match is None:
        return None
    stamp, camera, ccd = match[1], int(match[2]), int(match[3])
    for models in _table():
        if (models.stamp, models.camera, models.ccd) == (stamp, camera, ccd):
            return f"{models.folder}/cam{camera}_ccd{ccd}/{filename}"
    return None


@cache
def _table() -> tuple[ResponseModels, ...]:
    return tuple(
        ResponseModels(
            first_sector=int(row["first_sector"]),
            last_sector=int(row["last_sector"]) if row["last_sector"] else None,
            camera=int(row["camera"]),
            ccd=int(row["ccd"]),
            folder=row["folder"],
            stamp=row["stamp"],
        )
        for row in csv.DictReader(read_data("prf_models.csv"))
    )
