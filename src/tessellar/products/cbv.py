"""Co-trending basis vectors of one CCD, read-only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Unrecognised
from tessellar.products.fitsfile import FitsFile, Hdu
from tessellar.products.identity import cadence_of, identify
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.io.fits import Header

_NAME = re.compile(r"CBV\.(?P<kind>[a-z0-9-]+)\.[1-4]\.[1-4]", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class BasisVectors:
    """One set: `kind` is single-scale, spike or multiscale-band-N.

    Attributes
    ----------
    kind : str
        Which set.
    tjd : ndarray
        Spacecraft times, JD - 2457000, days: not barycentric.
    cadenceno : ndarray
        Numbers of the cadences: the key that joins with a light curve of the same cadence.
    gap : ndarray
        True where there was no data.
    vectors : ndarray
        (cadences, vectors), the first the strongest.
    """

    kind: str
    tjd: NDArray[np.float64]
    cadenceno: NDArray[np.int32]
    gap: NDArray[np.bool_]
    vectors: NDArray[Any]


class CBV:
    """All sets of co-trending basis vectors of one CCD in one sector."""

    def __init__(self, file: FitsFile) -> None:
        self._file = file
        self._tables: dict[str, Hdu] = {}
        for hdu in file.hdus:
            match = _NAME.fullmatch(hdu.name)
            if match and hdu.is_table:
                self._tables[match["kind"].lower()] = hdu
        if not self._tables:
            raise Unrecognised(f"{file.path}: no co-trending basis vectors in it")
        self.path: Path = file.path
        first = next(iter(self._tables.values()))
        who = identify(file.path, file.hdus[0].keys, first.keys)
        self.sector, self.camera, self.ccd = who.sector, who.camera, who.ccd
        self.field = Field(who.sector, who.camera, who.ccd) if who.sector and who.camera and who.ccd else None
        self.data_release = who.data_release

    @cached_property
    def header(self) -> Header:
        """The primary header."""
        return self._file.header(0)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The sets in this file."""
        return tuple(self._tables)

    @cached_property
    def cadence(self) -> float:
        """Seconds from one cadence to the next."""
        hdu = next(iter(self._tables.values()))
        return cadence_of(hdu.keys, self._file.column(hdu, "TIME"))

    def __getitem__(self, kind: str) -> BasisVectors:
        hdu = self._tables[kind]
        names = [name for name in self._file.columns(hdu) if name.startswith("VECTOR_")]
        return BasisVectors(
            kind,
            self._file.column(hdu, "TIME"),
            self._file.column(hdu, "CADENCENO"),
            self._file.column(hdu, "GAP").astype(bool),
            np.stack([self._file.column(hdu, name) for name in names], axis=1),
        )

    def __repr__(self) -> str:
        return f"<CBV {self.field or self.path.name}: {', '.join(self.kinds)}>"
