"""The time series of a validation run: what it searched, folded for each event, and the statistics of the search."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError, Unrecognised
from tessellar.products.fitsfile import FitsFile, Hdu
from tessellar.products.identity import identify
from tessellar.products.keywords import Keys
from tessellar.products.validation.planets import TCE
from tessellar.products.validation.report import observed_sectors
from tessellar.targets import TIC

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.table import Table
    from astropy.time import Time

_EVENT = ("TIME", "PHASE", "LC_INIT", "MODEL_INIT")
# Units that the files write and astropy cannot read; ratios have none.
_UNITS = {"BJD - 2457000, days": "d", "e-/s": "electron / s", "days": "d", "dimensionless": "", "ppm": ""}


class ValidationTimeSeries:
    """The light curve that a validation run searched, cadence by cadence (``dvt.fits``).

    Attributes
    ----------
    path : Path
        Where the file lies.
    tic : TIC
        The star.
    sectors : tuple of int
        Sectors in which it was observed; empty if the file does not tell.
    sector_range : tuple of int or None
        First and last sector that the run searched, as its name says.
    run_id : int or None
        Number of the pipeline's run, as its name says.
    pipeline : str
        ``SPOC`` or ``TESS-SPOC``.
    simulated : bool
        Whether the file says that its sky was simulated.

    Raises
    ------
    Unrecognised
        If none of its tables is of an event.

    Examples
    --------
    >>> import tessellar
    >>> series = tessellar.read("tess..._dvt.fits")  # doctest: +SKIP
    >>> series.event(1)["PHASE", "LC_DETREND", "MODEL_INIT"]  # doctest: +SKIP
    """

    def __init__(self, file: FitsFile) -> None:
        from tessellar.mission.names import match_name

        self._file = file
        self._events = tuple(hdu for hdu in file.hdus if hdu.is_table and is_event(file, hdu))
        if not self._events:
            raise Unrecognised(f"{file.path}: not the time series of a validation run")
        name, primary = match_name(file.path.name), file.hdus[0].keys
        known = identify(file.path, primary, self._events[0].keys)
        if known.tic is None:
            raise Unrecognised(f"{file.path}: the time series of a validation run, but of no star")
        self.path: Path = file.path
        self.tic: TIC = known.tic
        single = (known.sector,) if isinstance(primary.get("SECTOR"), int) and known.sector else ()
        self.sectors: tuple[int, ...] = observed_sectors(str(primary.get("SECTORS") or "")) or single
        self.sector_range = name.sector_range if name else None
        self.run_id = name.pin if name else None
        self.pipeline = (name.author if name else None) or "SPOC"
        self.simulated = known.simulated

    def __len__(self) -> int:
        return int(str(self._events[0].keys["NAXIS2"]))

    def __repr__(self) -> str:
        sectors = ", ".join(map(str, self.sectors)) or "unknown"
        return f"<ValidationTimeSeries {self.tic}, sectors {sectors}, {len(self)} cadences, {len(self.tces)} TCEs>"

    @cached_property
    def header(self) -> Header:
        """The primary header."""
        return self._file.header(0)

    @cached_property
    def tces(self) -> tuple[TCE, ...]:
        """The events, with the numbers that their tables' headers tell; `DataValidationReport` tells all."""
        return tuple(_tce(hdu.keys, number) for number, hdu in enumerate(self._events, 1))

    @cached_property
    def btjd(self) -> NDArray[np.float64]:
        """Mid-cadence times, BJD_TDB - 2457000, in days; NaN in gaps and where the star was not observed."""
        return self._file.column(self._events[0], "TIME").astype(np.float64)

    @property
    def time(self) -> Time:
        """The same times as astropy has them, scale TDB; masked in gaps."""
        from tessellar.mission.time import btjd_to_time

        return btjd_to_time(self.btjd)

    def column(self, name: str, planet: int = 1) -> NDArray[Any]:
        """One column of an event's table (upper and lower case are alike).

        Raises
        ------
        InputError
            If there is no such event or column.
        """
        hdu = self._of(planet)
        columns = self._file.columns(hdu)
        if name.upper() not in columns:
            raise InputError(f"{self.path.name} has no column {name!r}: it has {', '.join(columns)}")
        return self._file.column(hdu, name.upper())

    def event(self, planet: int = 1) -> Table:
        """All columns of an event, cadences without data included: phase (days), light curves and models.

        Raises
        ------
        InputError
            If there is no such event.
        """
        return self._table(self._of(planet), planet)

    @cached_property
    def statistics(self) -> Table | None:
        """What the search made of the cadences: flux, weights, statistics of single events; None without them."""
        last = self._file.find("STATISTICS")
        return self._table(last, None) if last is not None else None

    def _of(self, planet: int) -> Hdu:
        if not 1 <= planet <= len(self._events):
            raise InputError(f"{self.path.name} has no event {planet}: it has {len(self._events)}")
        return self._events[planet - 1]

    def _table(self, hdu: Hdu, planet: int | None) -> Table:
        from astropy.table import Column, Table

        meta: dict[str, Any] = {"tic": self.tic.id, "sectors": list(self.sectors), "filename": self.path.name}
        table = Table(meta=meta | ({} if planet is None else {"planet": planet}))
        for name, column in self._file.columns(hdu).items():
            unit = _UNITS.get(column.unit, column.unit) or None
            table[column.name] = Column(self._file.column(hdu, name), unit=unit)
        return table

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(repr(self)[1:-1])}</p>"


def is_event(file: FitsFile, hdu: Hdu) -> bool:
    """Whether a table is that of an event of a validation run."""
    return all(name in file.columns(hdu) for name in _EVENT)


def _tce(keys: Keys, number: int) -> TCE:
    def told(name: str) -> float:
        value = keys.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan

    return TCE(
        planet=number,
        period=told("TPERIOD"),
        epoch=told("TEPOCH"),
        depth=told("TDEPTH"),
        duration=told("TDUR"),
        snr=told("TSNR"),
        mes=told("MAXMES"),
        source="transit fit" if keys.get("CONVRGE") is True else "trapezoid fit",
        transits=int(told("NTRANS")) if math.isfinite(told("NTRANS")) else 0,
    )
