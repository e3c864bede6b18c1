"""The exact truth of a simulated sky, kept beside its files.

``truth.ecsv`` has a row for every star and sector; ``truth/`` has one table for each row,
cadence by cadence, and ``catalogue.ecsv``, all stars there are, targets or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tessellar.errors import InputError, MissingInput
from tessellar.simulate.detector import CADENCE, TWENTY_SECONDS
from tessellar.simulate.filing import SUMS, Card, Part, whole_file, write_parts
from tessellar.simulate.observation import Observation
from tessellar.simulate.spoc import Column, row_type, table_cards
from tessellar.simulate.stars import ZERO_POINT, Star

if TYPE_CHECKING:
    from astropy.table import Table

TRUTH_FILE = "truth.ecsv"
TRUTH_FOLDER = "truth"
CATALOGUE_FILE = "catalogue.ecsv"

_COLUMNS = (
    Column("TIME", "D", "d", "D14.7", "mid-time of the cadence, no gaps", "BTJD"),
    Column("CADENCENO", "J", "", "I10", "unique cadence number"),
    Column("SIGNAL", "D", "", "D24.16", "relative flux of the star"),
    Column("FLUX", "D", "", "D24.16", "noiseless e-/s of all stars in the aperture"),
    Column("TARGET", "D", "", "D24.16", "noiseless e-/s of the star alone in it"),
    Column("STEADY", "D", "", "D24.16", "FLUX as it were without image motion"),
    Column("COLUMN", "D", "pixel", "F12.6", "CCD column of the star, 1-based"),
    Column("ROW", "D", "pixel", "F12.6", "CCD row of the star, 1-based"),
)

#: Columns of ``truth.ecsv``: name, unit, what it is.
ROW_COLUMNS = (
    ("tic", "", "TIC id, of the simulated block"),
    ("sector", "", "sector"),
    ("camera", "", "camera"),
    ("ccd", "", "CCD"),
    ("cadence", "s", "from one cadence to the next"),
    ("kind", "", "planet, binary, pulsator, blend, saturated or quiet"),
    ("ra", "deg", "right ascension, ICRS"),
    ("dec", "deg", "declination, ICRS"),
    ("tmag", "mag", "TESS magnitude when nothing happens"),
    ("flux", "electron / s", "flux when nothing happens, all of it"),
    ("period", "d", "of the signal; of the strongest mode of a pulsator"),
    ("epoch", "d", "BTJD of a mid-transit or mid-eclipse"),
    ("depth", "", "relative depth at mid-transit, or semi-amplitude of the strongest mode"),
    ("duration", "d", "first to fourth contact"),
    ("column", "pixel", "mean column on the CCD, 1-based as in full-frame images"),
    ("row", "pixel", "mean row on the CCD, 1-based"),
    ("flux_fraction", "", "share of the star's light in the optimal aperture (FLFRCSAP)"),
    ("contamination", "", "share of other stars in the light in it (1 - CROWDSAP)"),
    ("pixels", "", "pixels in it"),
    ("saturated", "", "whether charge spilled"),
    ("target_pixels", "", "file name of the target pixel file"),
    ("light_curve", "", "file name of the light curve"),
    ("cadences", "", "file with the truth of each cadence"),
)


@dataclass(frozen=True)
class Truth:
    """What is true of a simulated sky.

    Attributes
    ----------
    directory : Path
        Where it lies.
    stars : astropy Table
        One row for every star, sector and cadence; `ROW_COLUMNS` tells the columns.
    catalogue : astropy Table
        All stars: ``tic, kind, ra, dec, tmag, flux``.
    """

    directory: Path
    stars: Table
    catalogue: Table

    @classmethod
    def read(cls, directory: str | PathLike[str]) -> Truth:
        """Read the truth of a sky that `simulate` made.

        Raises
        ------
        MissingInput
            If the folder holds none.
        """
        from astropy.table import Table

        folder = Path(directory)
        path = folder / TRUTH_FILE
        if not path.is_file():
            raise MissingInput(f"{path}: no such file; make a sky with `tessellar simulate {folder}`")
        return cls(folder, Table.read(path), Table.read(folder / TRUTH_FOLDER / CATALOGUE_FILE))

    def of(self, tic: int, sector: int | None = None, cadence: float = CADENCE) -> dict[str, Any]:
        """One row of `stars`, as a dict.

        Raises
        ------
        InputError
            If the sky has no such star and sector.
        """
        for row in self.stars:
            if int(row["tic"]) == int(tic) and sector in (None, int(row["sector"])) and row["cadence"] == cadence:
                return {name: self.stars[name].tolist()[row.index] for name in self.stars.colnames}
        where = "" if sector is None else f" in sector {sector}"
        raise InputError(f"no TIC {tic}{where} in the simulated sky at {self.directory}")

    def cadences(self, tic: int, sector: int, cadence: float = CADENCE) -> Table:
        """What was true of a star in each cadence of a sector.

        Returns
        -------
        astropy Table
            ``TIME`` (BTJD, also in gaps), ``CADENCENO``, ``SIGNAL`` (relative flux of the star),
            ``FLUX``, ``TARGET``, ``STEADY`` (noiseless e-/s in the optimal aperture: all stars, the star
            alone, all stars without image motion), ``COLUMN``, ``ROW`` (1-based CCD pixels).
        """
        from astropy.table import Table

        table = Table.read(self.directory / self.of(tic, sector, cadence)["cadences"], hdu=1)
        for name in ("FLUX", "TARGET", "STEADY"):
            # FITS knows no unit of electrons.
            table[name].unit = "electron / s"
        return table

    def files(self) -> list[Path]:
        """Target pixel files and light curves of this sky."""
        names = [*self.stars["target_pixels"], *self.stars["light_curve"]]
        return [self.directory / str(name) for name in names]


def truth_row(observation: Observation, target_pixels: str, light_curve: str) -> dict[str, Any]:
    """One row of ``truth.ecsv``."""
    star, spot, aperture = observation.star, observation.spot, observation.aperture
    signal = star.signal
    return {
        "tic": star.tic, "sector": spot.field.sector, "camera": spot.field.camera, "ccd": spot.field.ccd,
        "cadence": observation.schedule.exposure.cadence, "kind": star.kind, "ra": star.ra, "dec": star.dec,
        "tmag": star.tmag, "flux": star.flux,
        "period": signal.period, "epoch": signal.epoch, "depth": signal.depth, "duration": signal.duration,
        "column": spot.column + float(observation.motion[:, 0].mean()),
        "row": spot.row + float(observation.motion[:, 1].mean()),
        "flux_fraction": aperture.flux_fraction, "contamination": 1 - aperture.crowding,
        "pixels": int(aperture.mask.sum()), "saturated": observation.saturated,
        "target_pixels": target_pixels, "light_curve": light_curve,
        "cadences": _cadence_file_of(observation),
    }  # fmt: skip


def cadence_file(tic: int, sector: int, *, fast: bool = False) -> str:
    """Where the cadences of a star and sector are, below the sky's folder; those of 20 s are `fast`."""
    return f"{TRUTH_FOLDER}/s{sector:04d}-{tic:016d}{'-fast' if fast else ''}.fits"


def _cadence_file_of(observation: Observation) -> str:
    fast = observation.schedule.exposure is TWENTY_SECONDS
    return cadence_file(observation.star.tic, observation.schedule.sector, fast=fast)


def write_cadences(directory: Path, observation: Observation) -> Path:
    """Write the truth of every cadence; not a file of the mission's kind, so that no index takes it for one."""
    rows = np.empty(len(observation), row_type(_COLUMNS))
    schedule = observation.schedule
    rows["TIME"], rows["CADENCENO"], rows["SIGNAL"] = observation.true_times, schedule.cadenceno, observation.signal
    rows["FLUX"], rows["TARGET"] = observation.true_flux, observation.true_target
    rows["STEADY"] = observation.steady_flux
    rows["COLUMN"] = observation.spot.column + observation.motion[:, 0]
    rows["ROW"] = observation.spot.row + observation.motion[:, 1]
    primary: list[Card] = [
        ("SIMPLE", True, "conforms to FITS standards"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 0, "number of array dimensions"),
        ("EXTEND", True, "file contains extensions"),
        ("ORIGIN", "tessellar simulation", "who made this file"),
        ("CONTENT", "truth of a simulated star", "not an observation"),
        ("SIMULATD", True, "file is based on simulated data"),
        ("TICID", observation.star.tic, "the star"),
        ("SECTOR", schedule.sector, "the sector"),
        SUMS,
    ]
    table: list[Card] = [*table_cards(_COLUMNS, len(rows)), ("EXTNAME", "TRUTH", "name of extension"), SUMS]
    path = directory / _cadence_file_of(observation)
    return write_parts(path, [Part(primary), Part(table, lambda: [rows.tobytes()])])


def truth_table(rows: Sequence[dict[str, Any]], meta: dict[str, Any]) -> Table:
    """Gather the rows of ``truth.ecsv``, units and descriptions with them."""
    from astropy.table import Table

    table = Table({name: [row[name] for row in rows] for name, _, _ in ROW_COLUMNS}, meta=meta)
    for name, unit, meaning in ROW_COLUMNS:
        table[name].unit = unit or None
        table[name].description = meaning
    return table


def catalogue_table(stars: Sequence[Star]) -> Table:
    """Gather all stars of a sky."""
    from astropy.table import Table

    table = Table(
        {name: [getattr(star, name) for star in stars] for name in ("tic", "kind", "ra", "dec", "tmag", "flux")},
        meta={"zero_point": ZERO_POINT},
    )
    for name, unit in (("ra", "deg"), ("dec", "deg"), ("tmag", "mag"), ("flux", "electron / s")):
        table[name].unit = unit
    return table


def write_table(path: Path, table: Table) -> None:
    """Write a table as ECSV, whole or not at all."""
    from io import StringIO

    text = StringIO()
    table.write(text, format="ascii.ecsv")
    with whole_file(path) as stream:
        stream.write(text.getvalue().encode())
