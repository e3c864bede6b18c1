"""The images that belong to a light curve (aperture, mean image, weight maps), and how a store keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


def append_images(group: Any, first: int, images: Sequence[StarImages]) -> None:
    """Append the images of stars, the first of them in row `first` of the method's table."""
    stamps = group.require_group("stamps")
    pixels = [each.aperture.size for each in images]
    begin = _length(stamps, "aperture")
    _extend(stamps, "aperture", np.concatenate([each.aperture.ravel() for each in images]), np.int32, begin)
    means = [np.full(each.aperture.size, np.nan) if each.sumimage is None else each.sumimage.ravel() for each in images]
    _extend(stamps, "sumimage", np.concatenate(means), np.float32, begin)
    starts = begin + np.concatenate([[0], np.cumsum(pixels)[:-1]])
    facts = {
        "first": starts,
        "rows": [each.aperture.shape[0] for each in images],
        "cols": [each.aperture.shape[1] for each in images],
        "column": [each.corner[0] for each in images],
        "row": [each.corner[1] for each in images],
        "wcs": _texts(stamps, [each.wcs for each in images]),
    }
    for name, values in facts.items():
        _extend(stamps, name, np.asarray(values), np.int64, first)
    for axis in (0, 1):
        _extend(stamps, f"crpix{axis + 1}", np.array([each.crpix[axis] for each in images]), np.float64, first)
    _append_weights(group, first, images)


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


def _append_weights(group: Any, first: int, images: Sequence[StarImages]) -> None:
    found = [(first + at, weight) for at, each in enumerate(images) for weight in each.weights]
    if not found:
        return
    weights = group.require_group("weights")
    begin, number = _length(weights, "values"), _length(weights, "star")
    sizes = [weight.weights.size for _, weight in found]
    facts = {
        "star": [row for row, _ in found],
        "first_cadence": [weight.first_cadence for _, weight in found],
        "last_cadence": [weight.last_cadence for _, weight in found],
        "saturated": [weight.saturated for _, weight in found],
        "first": begin + np.concatenate([[0], np.cumsum(sizes)[:-1]]),
    }
    for name, values in facts.items():
        _extend(weights, name, np.asarray(values), np.int64, number)
    _extend(weights, "values", np.concatenate([weight.weights.ravel() for _, weight in found]), np.float32, begin)


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
