"""Reading light curves of many stars out of one HDF5 file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError, MissingInput, Unrecognised
from tessellar.mission.barycentre import along
from tessellar.products.growingfile import GrowingFile
from tessellar.products.lightcurvelayout import unpacked
from tessellar.products.starimages import StarImages, read_images
from tessellar.targets import TIC, Field

if TYPE_CHECKING:
    from astropy.table import Table

FORMAT = "tessellar light curves"
VERSION = 1
_PLACE = ("ra", "dec", "column", "row")


class StoredLightCurves:
    """What a store of light curves answers; `LightCurveStore` is what users open.

    Parameters
    ----------
    path : path-like
        A file that `LightCurveStore.create` made.

    Raises
    ------
    MissingInput, Unrecognised, Corrupt
        If there is no such file, it is of another kind, or damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise MissingInput(f"{self.path}: no such file")
        self._file = GrowingFile(self.path)
        self._index: dict[str, _Index] = {}
        head = self._file.read(lambda file: dict(file.attrs))
        if head.get("format") != FORMAT:
            raise Unrecognised(f"{self.path}: HDF5, but not a store of light curves of tessellar")
        if head["format_version"] > VERSION:
            raise Unrecognised(f"{self.path}: written by a newer tessellar; update this one")
        #: Sector, camera and CCD.
        self.field = Field(*(int(head[name]) for name in ("sector", "camera", "ccd")))
        #: Seconds.
        self.cadence = float(head["cadence"])
        #: What is true of all stars: data_release, num_frm, quality_mask, simulated ...
        self.meta: dict[str, Any] = json.loads(head["meta"])
        parts = self._file.read(lambda file: {name: file[f"cadences/{name}"][()] for name in file["cadences"]})
        #: BTJD of the middle of each cadence at the spacecraft (barycentric less its correction), float64.
        self.time: NDArray[np.float64] = parts["time"] - parts["timecorr"]
        self.cadenceno: NDArray[np.int32] = parts["cadenceno"]
        #: The mission's flags.
        self.quality: NDArray[np.int32] = parts["quality"]
        self._cadences = parts

    def __repr__(self) -> str:
        told = ", ".join(f"{len(self.tics(name))} by {name}" for name in self.methods)
        return (
            f"<LightCurveStore {self.field} {self.cadence:.0f} s, {len(self.time)} cadences, stars: {told or 'none'}>"
        )

    def __contains__(self, item: tuple[int, str]) -> bool:
        """Whether a star (``(tic, method)``) is here."""
        tic, method = item
        return method in self.methods and bool(self._find(method, np.array([int(tic)]))[0] >= 0)

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods of which there are light curves."""
        return self._file.read(lambda file: tuple(sorted(file["methods"])))

    def tics(self, method: str) -> NDArray[np.int64]:
        """TIC ids in the order of the rows of `column` and `table`."""
        return self._file.read(lambda file: _group(file, method, self.path)["tic"][()])

    def names(self, method: str) -> tuple[str, ...]:
        """Columns of a method that are kept a cadence."""
        return self._file.read(lambda file: tuple(_group(file, method, self.path)["lightcurves"]))

    def star(self, tic: int | TIC, method: str) -> dict[str, NDArray[Any]]:
        """The light curve of one star: columns by their FITS names, also TIME (BTJD), TIMECORR, CADENCENO and QUALITY.

        Raises
        ------
        InputError
            If the star is not here.
        """
        row, index = self._row(tic, method), self._index[method]

        def read() -> dict[str, NDArray[Any]]:
            datasets = self._file.members(f"methods/{method}/lightcurves")
            return {name: unpacked(name, data[row]) for name, data in datasets.items()}

        found = self._file.read(lambda _: read())
        place = {name: float(values[row]) for name, values in index.places.items()}
        time, timecorr = self.times(place["ra"], place["dec"], found.pop("TIMECORR", None))
        made: dict[str, NDArray[Any]] = {"TIME": time, "TIMECORR": timecorr, "CADENCENO": self.cadenceno}
        made |= {"QUALITY": self.quality} | found
        if "POS_CORR1" not in made and "kernels" in self._cadences:
            made["POS_CORR1"], made["POS_CORR2"] = _moved(self._cadences["kernels"], place["column"], place["row"])
        return made

    def times(
        self, ra: float, dec: float, timecorr: NDArray[Any] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times of a star: BTJD of the middle of each cadence, and the barycentric correction in it, days."""
        if timecorr is not None and np.isfinite(timecorr).any():
            correction = np.asarray(timecorr, dtype=np.float64)
        elif "position" in self._cadences and np.isfinite([ra, dec]).all():
            correction = along(self._cadences["position"], ra, dec)
        else:
            return self._cadences["time"].copy(), self._cadences["timecorr"].copy()
        return self.time + correction, correction

    def row(self, tic: int | TIC, method: str) -> dict[str, Any]:
        """The table's row of one star: metrics, status, place."""
        at = self._row(tic, method)

        def read(_: Any) -> dict[str, Any]:
            return {name: _plain(data, at) for name, data in self._file.members(f"methods/{method}/table").items()}

        return self._file.read(read)

    def column(self, method: str, name: str, rows: slice | NDArray[Any] | None = None) -> NDArray[Any]:
        """One column of all stars, (stars, n), or of the stars in `rows`, in the order of `tics`.

        Raises
        ------
        InputError
            If there is no such column.
        """

        def read(file: Any) -> NDArray[Any]:
            group = _group(file, method, self.path)
            if name not in group["lightcurves"]:
                raise InputError(
                    f"{self.path.name} has no column {name} of {method}: it has {', '.join(group['lightcurves'])}"
                )
            return np.asarray(group["lightcurves"][name][slice(None) if rows is None else rows])

        return unpacked(name, self._file.read(read))

    def table(self, method: str) -> Table:
        """Metrics, status and places of all stars of a method, one row a star, beginning with ``tic``."""
        from astropy.table import Table

        names = [name for name in self.table_names(method) if name != "record"]
        columns = {"tic": self.tics(method)} | {name: self.values(method, name) for name in names}
        return Table(columns, meta={"method": method, "store": self.path.name})

    def table_names(self, method: str) -> tuple[str, ...]:
        """Columns of the table of a method, without ``tic``."""
        return self._file.read(lambda file: tuple(_group(file, method, self.path)["table"]))

    def values(self, method: str, name: str) -> NDArray[Any]:
        """One column of the table, in the order of `tics`.

        Raises
        ------
        InputError
            If there is no such column.
        """

        def read(file: Any) -> NDArray[Any]:
            table = _group(file, method, self.path)["table"]
            if name not in table:
                raise InputError(f"{self.path.name} has no {name} in the table of {method}: it has {', '.join(table)}")
            return _whole(table[name])

        return self._file.read(read)

    def cards(self, method: str) -> dict[str, tuple[str, str]]:
        """Columns of the table that are header keywords: name to keyword and comment."""

        def read(file: Any) -> dict[str, tuple[str, str]]:
            table = _group(file, method, self.path)["table"]
            told = {name: data.attrs for name, data in table.items() if "keyword" in data.attrs}
            return {name: (str(attrs["keyword"]), str(attrs["comment"])) for name, attrs in told.items()}

        return self._file.read(read)

    def settings(self, method: str) -> dict[str, Any]:
        """What the stars of a method were measured with."""
        return dict(self._file.read(lambda file: json.loads(_group(file, method, self.path).attrs["settings"])))

    def version(self, method: str) -> str:
        """Version of tessellar that began to put in stars of a method."""
        return self._file.read(lambda file: str(_group(file, method, self.path).attrs.get("version", "")))

    def rows(self, method: str, tics: ArrayLike) -> NDArray[np.int64]:
        """Rows of stars in `column` and `values`.

        Raises
        ------
        InputError
            If one is not here.
        """
        ids = np.asarray(tics, dtype=np.int64).reshape(-1)
        found = self._find(method, ids)
        if (found < 0).any():
            raise InputError(f"TIC {ids[found < 0][0]} has no light curve by {method} in {self.path.name}")
        return found

    def images(self, tic: int | TIC, method: str) -> StarImages | None:
        """Stamp, aperture and mean image of a star; None where they were not kept."""
        row = self._row(tic, method)

        def read(_: Any) -> StarImages | None:
            stamps, weights = (self._file.members(f"methods/{method}/{name}") for name in ("stamps", "weights"))
            return read_images(stamps, weights, row)

        return self._file.read(read)

    def close(self) -> None:
        """Let go of the file; the next question opens it again."""
        self._file.close()

    def _row(self, tic: int | TIC, method: str) -> int:
        return int(self.rows(method, [int(tic)])[0])

    def _find(self, method: str, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of stars; -1 where a star is not here."""
        known = self._file.read(lambda file: len(_group(file, method, self.path)["tic"]))
        if method not in self._index or len(self._index[method].order) != known:
            self._index[method] = self._file.read(lambda file: _Index.of(_group(file, method, self.path)))
        return self._index[method].find(ids)


@dataclass(frozen=True)
class _Index:
    """Where stars are: ids in order, their rows, and their places by row (NaN where not known)."""

    tics: NDArray[np.int64]
    order: NDArray[np.int64]
    places: dict[str, NDArray[np.float64]]

    @classmethod
    def of(cls, group: Any) -> _Index:
        tics, table = group["tic"][()], group["table"]
        order = np.argsort(tics, kind="stable")
        unknown = np.full(len(tics), np.nan)
        return cls(tics[order], order, {name: table[name][()] if name in table else unknown for name in _PLACE})

    def find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        if not len(self.tics):
            return np.full(len(ids), -1)
        at = np.minimum(np.searchsorted(self.tics, ids), len(self.tics) - 1)
        return np.where(self.tics[at] == ids, self.order[at], -1)


def _group(file: Any, method: str, path: Path) -> Any:
    if method not in file["methods"]:
        raise InputError(f"{path.name} has no light curves by {method}: it has {', '.join(file['methods']) or 'none'}")
    return file["methods"][method]


def _moved(kernels: NDArray[np.float64], column: float, row: float) -> tuple[NDArray[Any], NDArray[Any]]:
    m = kernels.T
    x, y = m[0] * column + m[1] * row + m[2] - column, m[3] * column + m[4] * row + m[5] - row
    return x.astype(np.float32), y.astype(np.float32)


def _whole(data: Any) -> NDArray[Any]:
    return np.asarray(data.asstr()[()] if data.dtype.kind == "O" else data[()])


def _plain(data: Any, row: int) -> Any:
    value = data[row]
    return value.decode() if isinstance(value, bytes) else value.item()
