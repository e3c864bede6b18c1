"""What light curves and target pixel files share: one row a cadence, each with a time and flags."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntFlag
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.products.fitsfile import FitsFile, Hdu
from tessellar.products.identity import cadence_of, identify
from tessellar.products.keywords import Value
from tessellar.products.layouts import Layout, author_of
from tessellar.products.reprs import page, table_line
from tessellar.targets import TIC, Field

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.time import Time


class Observed:
    """A file about a star or a field: who made it, of what, when and where.

    Attributes are read from the file; what it does not tell is None (ids) or NaN (numbers).
    """

    def __init__(self, file: FitsFile, table: Hdu, layout: Layout) -> None:
        self._file = file
        self._table = table
        self._layout = layout
        self._identity = identify(file.path, file.hdus[0].keys, table.keys)

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self._file.path

    @property
    def tic(self) -> TIC | None:
        """The star, or None for a cut-out that is of no star in particular."""
        return self._identity.tic

    @property
    def sector(self) -> int | None:
        """The sector of the observation."""
        return self._identity.sector

    @property
    def camera(self) -> int | None:
        """The camera, 1 to 4."""
        return self._identity.camera

    @property
    def ccd(self) -> int | None:
        """The CCD of the camera, 1 to 4."""
        return self._identity.ccd

    @property
    def field(self) -> Field | None:
        """Sector, camera and CCD together, or None where the file does not tell all three."""
        if self.sector is None or self.camera is None or self.ccd is None:
            return None
        return Field(self.sector, self.camera, self.ccd)

    @property
    def tmag(self) -> float:
        """The star's TESS magnitude, NaN where unknown."""
        return self._identity.tmag

    @property
    def ra(self) -> float:
        """Right ascension, degrees, ICRS."""
        return self._identity.ra

    @property
    def dec(self) -> float:
        """Declination, degrees, ICRS."""
        return self._identity.dec

    @property
    def data_release(self) -> int | None:
        """The mission's data release number."""
        return self._identity.data_release

    @property
    def simulated(self) -> bool:
        """Whether the file says that its sky was simulated."""
        return self._identity.simulated

    @cached_property
    def header(self) -> Header:
        """The primary header."""
        return self._file.header(0)

    @property
    def table_keys(self) -> Mapping[str, Value]:
        """The keywords of the table of cadences, as plain values; `table_header` has their comments, too."""
        return self._table.keys

    @cached_property
    def table_header(self) -> Header:
        """The header of the table of cadences."""
        return self._file.header(self._table.index)


class TimeSeries(Observed):
    """A table with one row a cadence. Arrays are native-endian, read-only and kept once read."""

    def __init__(self, file: FitsFile, table: Hdu, layout: Layout) -> None:
        super().__init__(file, table, layout)
        self._kept: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return int(str(self._table.keys["NAXIS2"]))

    @cached_property
    def cadence(self) -> float:
        """Seconds from one cadence to the next: 20, 120, 200, 600, 1800."""
        quick = cadence_of(self._table.keys)
        return quick if quick.is_integer() else cadence_of(self._table.keys, self.btjd)

    @cached_property
    def author(self) -> str:
        """Who made it: SPOC, TESS-SPOC, QLP, TGLC, TASOC, ELEANOR, TESScut or tessellar."""
        return author_of(self._layout, self._file.columns(self._table), self.cadence)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the table's columns, as the file writes them."""
        return tuple(column.name for column in self._file.columns(self._table).values())

    @property
    def units(self) -> dict[str, str]:
        """The unit of each column, as the file writes it or its author documents it; empty where there is none."""
        columns = self._file.columns(self._table)
        return {column.name: column.unit or self._layout.units.get(name, "") for name, column in columns.items()}

    def column(self, name: str) -> NDArray[Any]:
        """One column as the file has it, in the machine's byte order; upper and lower case are alike.

        Raises
        ------
        InputError
            If there is no such column.
        """
        key = name.upper()
        if key not in self._kept:
            if key not in self._file.columns(self._table):
                raise InputError(f"{self.path.name} has no column {name!r}: it has {', '.join(self.columns)}")
            self._kept[key] = self._file.column(self._table, key)
        return self._kept[key]

    @cached_property
    def btjd(self) -> NDArray[np.float64]:
        """Mid-cadence times, BJD_TDB - 2457000, in days; NaN in gaps."""
        from tessellar.mission.time import BTJD_ORIGIN

        times = self.column(self._layout.time).astype(np.float64)
        keys = self._table.keys
        origin = [keys.get(key) for key in ("BJDREFI", "BJDREFF", "BJDREFR")]
        if isinstance(origin[0], int | float):
            times += sum(float(part) for part in origin if isinstance(part, int | float)) - BTJD_ORIGIN
        times.flags.writeable = False
        return times

    @cached_property
    def time(self) -> Time:
        """Mid-cadence times as astropy has them, scale TDB; masked in gaps."""
        from tessellar.mission.time import btjd_to_time

        return btjd_to_time(self.btjd)

    @cached_property
    def timecorr(self) -> NDArray[np.float64]:
        """What was added to the spacecraft's time to get `btjd`, in days; NaN where the author does not tell."""
        return self._or(self._layout.timecorr, np.float64, np.nan)

    @cached_property
    def cadenceno(self) -> NDArray[np.int32]:
        """Number of the cadence, the author's own count (2-min and full-frame cadences are counted apart)."""
        return self._or(self._layout.cadenceno, np.int32, 0)

    @cached_property
    def quality(self) -> NDArray[np.int32]:
        """Flags of each cadence; `flags` tells what the bits mean."""
        return self._or(self._layout.quality, np.int32, 0)

    @property
    def flags(self) -> type[IntFlag]:
        """The meaning of the bits of `quality`."""
        from tessellar.mission.flags import flags_of

        return flags_of(self._layout.flags or self.author, self.sector)

    def good(self, mask: str | int = "default") -> NDArray[np.bool_]:
        """Tell which cadences have a time and none of the flags of `mask`.

        Parameters
        ----------
        mask : str or int
            A named mask of `tessellar.mission.flags.MASKS` (``'none'``, ``'default'``, ``'hard'``), or bits.
        """
        from tessellar.mission.flags import good

        return np.asarray(good(self.quality, mask) & np.isfinite(self.btjd))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {table_line(self)}>"

    def _repr_html_(self) -> str:
        return page(self)

    def _or(self, name: str, dtype: type[np.generic], default: float) -> NDArray[Any]:
        if name in self._file.columns(self._table):
            values = self.column(name)
            if values.dtype.kind == "f" and np.dtype(dtype).kind == "i":
                values = np.nan_to_num(values)
            values = values.astype(dtype)
        else:
            values = np.full(len(self), default, dtype)
        values.flags.writeable = False
        return values
