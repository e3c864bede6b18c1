"""The images that belong to a light curve (aperture, mean image, weight maps), and how a store keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.products.lightcurvelayout import table_storage

# Of texts of world coordinates the last ones are looked through for the same one.
_RECENT = 64
_PIXELS = 1 << 15


@dataclass(frozen=True, eq=False, kw_only=True)
class WeightImage:
    """With what weight each pixel entered the flux, from one cadence to another (both included)."""

    first_cadence: int
    last_cadence: int
    weights: NDArray[np.float32]
    """Shape (rows, cols)."""
    saturated: int = 0
    """Pixels that were left out as saturated."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StarImages:
    """Images of one star.

    Attributes
    ----------
    corner : (int, int)
        CCD column and row of the stamp's pixel [0, 0], 1-based.
    aperture : int32 array (rows, cols)
        Flags of the pixels; bit 2 marks the aperture.
    sumimage : float32 array (rows, cols), optional
        Mean image, e-/s.
    weights : tuple of WeightImage
        Of methods that weight pixels.
    wcs : str
        World coordinates of the stamp, header cards of 80 characters, without their CRPIX; empty where not known.
    crpix : (float, float)
        CRPIX1 and CRPIX2: stamps of one field differ in them only.
    """

    corner: tuple[int, int]
    aperture: NDArray[np.int32]
    sumimage: NDArray[np.float32] | None = None
    weights: tuple[WeightImage, ...] = ()
    wcs: str = ""
    crpix: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageBlock:
    """Images of many stars of one field, as a store keeps them: pixel after pixel, star after star.

    Attributes
    ----------
    column, row : int array (k,)
        CCD column and row of each stamp's pixel [0, 0], 1-based.
    rows, cols : int array (k,)
        Sizes of the stamps.
    crpix : float array (k, 2)
        CRPIX1 and CRPIX2 of each.
    aperture : int32 array (pixels of all stamps,)
        Flags, row by row of each stamp.
    sumimage : float32 array (pixels of all stamps,)
        Mean images, e-/s; NaN all over a stamp where there is none.
    wcs : sequence of str (k,)
        World coordinates of each stamp without CRPIX; empty where not known.
    weights : sequence of tuple of WeightImage (k,), optional
        Of methods that weight pixels.
    """

    column: NDArray[np.int64]
    row: NDArray[np.int64]
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    crpix: NDArray[np.float64]
    aperture: NDArray[np.int32]
    sumimage: NDArray[np.float32]
    wcs: Sequence[str]
    weights: Sequence[tuple[WeightImage, ...]] = ()

    @classmethod
    def of(cls, images: Sequence[StarImages]) -> ImageBlock:
        """The same of images one by one."""
        shapes = np.array([each.aperture.shape for each in images], dtype=np.int64).reshape(-1, 2)
        corners = np.array([each.corner for each in images], dtype=np.int64).reshape(-1, 2)
        means = [
            np.full(each.aperture.size, np.nan, np.float32) if each.sumimage is None else each.sumimage.ravel()
            for each in images
        ]
        return cls(
            column=corners[:, 0], row=corners[:, 1], rows=shapes[:, 0], cols=shapes[:, 1],
            crpix=np.array([each.crpix for each in images], dtype=np.float64).reshape(-1, 2),
            aperture=np.concatenate([np.empty(0, np.int32), *(each.aperture.ravel() for each in images)]),
            sumimage=np.concatenate([np.empty(0, np.float32), *means]),
            wcs=[each.wcs for each in images],
            weights=[each.weights for each in images],
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> StarImages:
        """Images of one star."""
        at = range(len(self))[at]
        part, shape = slice(*self._pixels[at : at + 2]), (int(self.rows[at]), int(self.cols[at]))
        mean = self.sumimage[part].reshape(shape)
        return StarImages(
            corner=(int(self.column[at]), int(self.row[at])),
            aperture=self.aperture[part].reshape(shape),
            sumimage=None if np.isnan(mean).all() else mean,
            weights=self.weights[at] if self.weights else (),
            wcs=self.wcs[at],
            crpix=(float(self.crpix[at, 0]), float(self.crpix[at, 1])),
        )

    def __iter__(self) -> Iterator[StarImages]:
        return (self[at] for at in range(len(self)))

    @cached_property
    def _pixels(self) -> list[int]:
        """Where the pixels of each star begin, and those of the last end."""
        return [0, *np.cumsum(self.rows * self.cols).tolist()]


def append_images(group: Any, first: int, block: ImageBlock) -> None:
    """Append the images of stars, the first of them in row `first` of the method's table."""
    stamps = group.require_group("stamps")
    begin = _length(stamps, "aperture")
    _extend(stamps, "aperture", block.aperture, np.int32, begin)
    _extend(stamps, "sumimage", block.sumimage, np.float32, begin)
    facts = {
        "first": begin + np.cumsum(block.rows * block.cols) - block.rows * block.cols,
        "rows": block.rows,
        "cols": block.cols,
        "column": block.column,
        "row": block.row,
        "wcs": _texts(stamps, block.wcs),
    }
    for name, values in facts.items():
        _extend(stamps, name, np.asarray(values), np.int64, first)
    for axis in (0, 1):
        _extend(stamps, f"crpix{axis + 1}", block.crpix[:, axis], np.float64, first)
    _append_weights(group, first, block.weights)


def read_images(stamps: Mapping[str, Any], weights: Mapping[str, Any], row: int) -> StarImages | None:
    """The images of the star in a row, out of the datasets of its method; None where it has none."""
    if not stamps or row >= len(stamps["rows"]) or stamps["rows"][row] < 1:
        return None
    begin, rows, cols, column, line, text = (
        int(stamps[name][row]) for name in ("first", "rows", "cols", "column", "row", "wcs")
    )
    part = slice(begin, begin + rows * cols)
    mean = stamps["sumimage"][part].reshape(rows, cols)
    return StarImages(
        corner=(column, line),
        aperture=stamps["aperture"][part].reshape(rows, cols),
        sumimage=None if np.isnan(mean).all() else mean,
        weights=_read_weights(weights, row, (rows, cols)),
        wcs="" if text < 0 else stamps["texts"].asstr()[text],
        crpix=(float(stamps["crpix1"][row]), float(stamps["crpix2"][row])),
    )


def _append_weights(group: Any, first: int, weights: Sequence[tuple[WeightImage, ...]]) -> None:
    found = [(first + at, weight) for at, each in enumerate(weights) for weight in each]
    if not found:
        return
    kept = group.require_group("weights")
    begin, number = _length(kept, "values"), _length(kept, "star")
    sizes = [weight.weights.size for _, weight in found]
    facts = {
        "star": [row for row, _ in found],
        "first_cadence": [weight.first_cadence for _, weight in found],
        "last_cadence": [weight.last_cadence for _, weight in found],
        "saturated": [weight.saturated for _, weight in found],
        "first": begin + np.concatenate([[0], np.cumsum(sizes)[:-1]]),
    }
    for name, values in facts.items():
        _extend(kept, name, np.asarray(values), np.int64, number)
    _extend(kept, "values", np.concatenate([weight.weights.ravel() for _, weight in found]), np.float32, begin)


def _read_weights(weights: Mapping[str, Any], row: int, shape: tuple[int, int]) -> tuple[WeightImage, ...]:
    if not weights:
        return ()
    made = []
    for at in np.flatnonzero(weights["star"][()] == row):
        begin = int(weights["first"][at])
        made.append(
            WeightImage(
                first_cadence=int(weights["first_cadence"][at]),
                last_cadence=int(weights["last_cadence"][at]),
                weights=weights["values"][begin : begin + shape[0] * shape[1]].reshape(shape),
                saturated=int(weights["saturated"][at]),
            )
        )
    return tuple(made)


def _texts(stamps: Any, wanted: Sequence[str]) -> list[int]:
    """Numbers of texts, each kept once; -1 for none."""
    if not any(wanted):
        return [-1] * len(wanted)
    import h5py

    if "texts" not in stamps:
        stamps.create_dataset("texts", shape=(0,), maxshape=(None,), chunks=(256,), dtype=h5py.string_dtype())
    texts = stamps["texts"]
    known = len(texts)
    begin = max(known - _RECENT, 0)
    numbers = {text: begin + at for at, text in enumerate(texts.asstr()[begin:].tolist())}
    new = [text for text in dict.fromkeys(wanted) if text and text not in numbers]
    numbers |= {text: known + at for at, text in enumerate(new)}
    if new:
        texts.resize(known + len(new), axis=0)
        texts[known:] = new
    return [numbers[text] if text else -1 for text in wanted]


def _length(group: Any, name: str) -> int:
    return len(group[name]) if name in group else 0


def _extend(group: Any, name: str, values: NDArray[Any], dtype: Any, first: int) -> None:
    """Write values from row `first` on; rows before it that are missing are filled."""
    data = group.get(name)
    if data is None:
        data = group.create_dataset(name, **table_storage(np.dtype(dtype)) | {"chunks": (_PIXELS,)})
    data.resize(first + len(values), axis=0)
    data[first:] = values
