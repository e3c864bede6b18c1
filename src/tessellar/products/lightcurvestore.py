"""Light curves of all stars of a field, in one HDF5 file that grows block by block."""

from __future__ import annotations

import json
import os
import time as clock
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar import __version__
from tessellar.errors import InputError
from tessellar.products.growingfile import GrowingFile
from tessellar.products.lightcurvelayout import (
    checked_columns,
    checked_table,
    column_type,
    series_storage,
    table_storage,
)
from tessellar.products.starimages import ImageBlock, StarImages, append_images
from tessellar.products.storedlightcurves import FORMAT, VERSION, StoredLightCurves
from tessellar.targets import Field

_WIDTHS = {"position": (3,), "kernels": (6,)}


class LightCurveStore(StoredLightCurves):
    """Light curves of a field in one cadence: by star in milliseconds, by column at the speed of the disk.

    Any number of processes may read while one appends: they see whole blocks only.

    Parameters
    ----------
    path : path-like
        A file that `LightCurveStore.create` made.

    Raises
    ------
    MissingInput, Unrecognised, Corrupt
        If there is no such file, it is of another kind, or damaged.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from tessellar import Field
    >>> store = LightCurveStore.create(
    ...     f"{tempfile.mkdtemp()}/s0027-1-1-c0600.lc.h5", field=Field(27, 1, 1), cadence=600,
    ...     time=2036.3 + np.arange(4) / 144, cadenceno=np.arange(4), quality=np.zeros(4, int))
    >>> flux = np.array([[100.0, 101, 99, 100], [5.0, 5, 6, 5]])
    >>> store.append("aperture", [25155310, 25155311], {"FLUX": flux, "FLUX_ERR": np.sqrt(flux)},
    ...              {"ra": [63.3, 63.4], "dec": [-69.2, -69.1], "tmag": [15.4, 18.7], "status": [1, 1]})
    2
    >>> store.star(25155310, "aperture")["FLUX"].tolist(), len(store.tics("aperture"))
    ([100.0, 101.0, 99.0, 100.0], 2)
    """

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        field: Field,
        cadence: float,
        time: ArrayLike,
        cadenceno: ArrayLike,
        quality: ArrayLike,
        timecorr: ArrayLike | None = None,
        position: ArrayLike | None = None,
        kernels: ArrayLike | None = None,
        meta: Mapping[str, Any] | None = None,
        exist_ok: bool = False,
    ) -> LightCurveStore:
        """Make an empty store.

        Parameters
        ----------
        path : path-like
            The file (HDF5).
        field, cadence
            Sector, camera and CCD; seconds.
        time : array-like (n,)
            BTJD of the middle of each cadence, float64.
        timecorr : array-like (n,), optional
            Barycentric correction contained in `time`, days: with frames that of the CCD's middle; 0 if not given.
        cadenceno, quality : array-like (n,)
            Numbers and the mission's flags.
        position : array-like (n, 3), optional
            Place of the spacecraft from the barycentre, ICRS axes, light-seconds (`SpacecraftPosition.place`). With it
            the times of each star follow from its ``ra`` and ``dec``; without it all stars have `time` and `timecorr`,
            or the TIMECORR that is appended.
        kernels : array-like (n, 6), optional
            Affine movement of the image, x' = m0 x + m1 y + m2, y' = m3 x + m4 y + m5, from which POS_CORR of stars
            with a ``column`` and ``row`` follows where it is not appended.
        meta : mapping, optional
            What is true of all stars and goes into headers, as for `write_light_curve`; values that JSON can hold.
        exist_ok : bool
            Take a store that is there already, if it is of the same cadences.

        Raises
        ------
        InputError
            If shapes disagree, or there is a file of that name, with other cadences if `exist_ok`.
        NoSpace, NoPermission, StoreError
            If it cannot be written.
        """
        path = Path(path)
        parts = _per_cadence(time, timecorr, cadenceno, quality, position, kernels)
        if path.exists():
            if not exist_ok:
                raise InputError(f"{path}: is there already; open it to append, or choose another name")
            return cls(path)._like(field, cadence, parts)
        head = {
            "format": FORMAT, "format_version": VERSION, "sector": field.sector, "camera": field.camera,
            "ccd": field.ccd, "cadence": float(cadence), "meta": json.dumps(dict(meta or {})),
        }  # fmt: skip

        def fill(file: Any) -> None:
            file.attrs.update(head)
            for name, values in parts.items():
                file[f"cadences/{name}"] = values
            file.create_group("methods")

        GrowingFile.create(path, fill)
        return cls(path)

    def append(
        self,
        method: str,
        tic: ArrayLike,
        columns: Mapping[str, ArrayLike],
        table: Mapping[str, ArrayLike] | None = None,
        *,
        cards: Mapping[str, tuple[str, str]] | None = None,
        images: Sequence[StarImages] | ImageBlock | None = None,
        settings: Mapping[str, Any] | None = None,
        skip_known: bool = False,
    ) -> int:
        """Append stars: all of them, or, if that fails or is killed, none.

        Parameters
        ----------
        method : str
            Lower-case letters and digits, as in file names.
        tic : array-like of int (k,)
            Ids of the stars.
        columns : mapping of str to array-like (k, n)
            By FITS names: FLUX, FLUX_ERR, FLUX_BKG (e-/s), MOM_CENTR1 and 2 (1-based CCD column and row), POS_CORR1
            and 2 (px), PIXEL_QUALITY, TIMECORR (d; where it does not follow from the place), and any others. Kept in
            single precision; centroids to a millionth of a pixel (int32 are whole millionths already). A column that
            a block lacks is NaN (flags: 0) there.
        table : mapping of str to array-like (k,)
            One value a star, numbers or text: ``ra, dec`` (deg), ``tmag, column, row, status, reasons``, and the
            metrics. What is not known is NaN, or ``""``. ``record`` is what else the star's file says
            (`tessellar.products.lightcurveexport.describe_record`).
        cards : mapping of str to (keyword, comment), optional
            Which columns of the table are header keywords in FITS files, and of what name: said by the first block that
            has the column.
        images : sequence of StarImages, or ImageBlock, optional
            Stamp, aperture and mean image of each star.
        settings : mapping, optional
            What the stars were measured with; values that JSON can hold. The first block's are the method's.
        skip_known : bool
            Leave out stars that are here already, for a run that goes on after it was killed; else they are an error.

        Returns
        -------
        int
            How many stars were appended.

        Raises
        ------
        InputError
            If a shape does not fit, or a star is here already or given twice. Nothing is appended then.
        NoSpace, NoPermission, StoreError
            If it cannot be written, or another process is writing. The file is as it was.
        """
        ids = np.asarray(tic, dtype=np.int64).reshape(-1)
        if len(np.unique(ids)) != len(ids):
            raise InputError(
                f"{len(ids) - len(np.unique(ids))} stars are given twice in one block for {self.path.name}"
            )
        if not (method.isascii() and method.isalnum() and method == method.lower()):
            raise InputError(f"{method!r} cannot name a method: use lower-case letters and digits")
        if images is not None and len(images) != len(ids):
            raise InputError(f"{len(images)} images were given for {len(ids)} stars")
        given, facts = checked_columns(columns, len(ids), len(self.time)), checked_table(table or {}, len(ids))
        facts["appended"] = np.full(len(ids), int(clock.time()))
        new = self._new(method, ids, skip_known)
        if not new.any():
            return 0
        if not new.all():
            ids, images = ids[new], None if images is None else [images[i] for i in np.flatnonzero(new).tolist()]
            given = {name: values[new] for name, values in given.items()}
            facts = {name: values[new] for name, values in facts.items()}
        with self._file.change() as file:
            group = file["methods"].require_group(method)
            if "settings" not in group.attrs:
                group.attrs["settings"] = json.dumps(dict(settings or {}), default=str)
                group.attrs["version"] = __version__
            first = _extend(group, "tic", ids, table_storage(np.dtype("i8")), 0)
            _extend_all(group.require_group("lightcurves"), given, first, len(ids), len(self.time))
            _extend_all(group.require_group("table"), facts, first, len(ids), None, cards or {})
            if images is not None:
                append_images(group, first, images if isinstance(images, ImageBlock) else ImageBlock.of(images))
        return len(ids)

    def _like(self, field: Field, cadence: float, parts: Mapping[str, NDArray[Any]]) -> LightCurveStore:
        same = (self.field, self.cadence) == (field, float(cadence)) and set(parts) == set(self._cadences)
        if not same or not all(np.array_equal(self._cadences[name], parts[name], equal_nan=True) for name in parts):
            raise InputError(f"{self.path}: holds light curves of other cadences; choose another name")
        return self

    def _new(self, method: str, ids: NDArray[np.int64], skip_known: bool) -> NDArray[np.bool_]:
        if method not in self.methods:
            return np.ones(len(ids), dtype=bool)
        known = self._find(method, ids) >= 0
        if known.any() and not skip_known:
            raise InputError(
                f"{known.sum()} of {len(ids)} stars have a light curve by {method} in {self.path.name} already, "
                f"as TIC {ids[known][0]}"
            )
        return ~known


def _per_cadence(
    time: ArrayLike,
    timecorr: ArrayLike | None,
    cadenceno: ArrayLike,
    quality: ArrayLike,
    position: ArrayLike | None,
    kernels: ArrayLike | None,
) -> dict[str, NDArray[Any]]:
    when = np.asarray(time, dtype=np.float64)
    parts: dict[str, NDArray[Any]] = {
        "time": when,
        "timecorr": np.zeros(len(when)) if timecorr is None else np.asarray(timecorr, dtype=np.float64),
        "cadenceno": np.asarray(cadenceno, dtype=np.int32),
        "quality": np.asarray(quality, dtype=np.int32),
    }
    if position is not None:
        parts["position"] = np.asarray(position, dtype=np.float64)
    if kernels is not None:
        parts["kernels"] = np.asarray(kernels, dtype=np.float64)
    for name, values in parts.items():
        shape = (len(when), *_WIDTHS.get(name, ()))
        if values.shape != shape or not len(when):
            raise InputError(f"{name} of a store has the shape {values.shape}, not {shape}; one cadence at least")
    return parts


def _extend(
    group: Any, name: str, values: NDArray[Any], storage: Mapping[str, Any], before: int,
    card: tuple[str, str] | None = None,
) -> int:  # fmt: skip
    """Append to a dataset, which is made if need be, `before` empty rows in it; the row of the first value."""
    data = group.get(name)
    if data is None:
        data = group.create_dataset(name, **storage)
        if card is not None:
            data.attrs.update(keyword=card[0], comment=card[1])
    elif data.dtype.kind != values.dtype.kind:
        raise InputError(f"{name} is of {data.dtype} in the store, {values.dtype} was given")
    first = max(len(data), before)
    data.resize(first + len(values), axis=0)
    data[first:] = values
    return first


def _extend_all(
    group: Any, given: Mapping[str, NDArray[Any]], first: int, count: int, length: int | None,
    cards: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> None:  # fmt: skip
    for name, values in given.items():
        storage = (
            table_storage(column_type(values), name) if length is None else series_storage(name, values.dtype, length)
        )
        _extend(group, name, values, storage, first, cards.get(name))
    for name in set(group) - set(given):
        # What this block lacks is filled.
        group[name].resize(first + count, axis=0)
