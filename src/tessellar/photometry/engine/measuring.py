"""All stars of some rows of a prepared field, measured: from frames on disk to arrays in memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError
from tessellar.mission.ccd import nearest_pixel
from tessellar.mission.flags import DEFAULT_MASK, good
from tessellar.photometry.engine.apertures import at_a_time, measure_apertures
from tessellar.photometry.engine.band import Band, BandCurves
from tessellar.photometry.engine.bandsky import BandSky
from tessellar.photometry.engine.fitting import fit_stars
from tessellar.photometry.engine.kernels import SUMS
from tessellar.photometry.engine.reading import read_rows
from tessellar.photometry.engine.workers import Workers

if TYPE_CHECKING:
    from tessellar.pixels import PreparedField

#: Rows about a band that are read with it, so that its stars have all their neighbours.
HALO = 16
METHODS = ("aperture", "linpsf")
# Bytes of each cadence: a pixel; a measured star (columns of both methods, and what they are made from); a star of the
# rim, of which there is the flux only; a star that is being summed.
_PIXEL, _STAR, _NEIGHBOUR, _SUMMED = 4, 130, 8, 4 * len(SUMS)


def measure_band(
    field: PreparedField,
    rows: tuple[int, int],
    *,
    limit: float | None = None,
    methods: Sequence[str] = METHODS,
    tics: ArrayLike | None = None,
    quality: str | int = DEFAULT_MASK,
    threads: int = 1,
) -> Band:
    """Measure all stars of some rows.

    Nothing is read but these rows of the frames and some more about them; nothing is written.

    Parameters
    ----------
    field : PreparedField
        Prepared with a catalogue, and a pixel response given or estimated.
    rows : (int, int)
        First and last CCD row, 1-based, both included: stars whose place in the reference frame, to the next pixel,
        lies in them.
    limit : float, optional
        Faintest TESS magnitude of the stars that are wanted; all stars are neighbours to them all the same.
    methods : sequence of str
        Of ``aperture`` (optimal apertures) and ``linpsf``.
    tics : array-like of int, optional
        Only these stars are wanted.
    quality : str or int
        Cadences with these flags count in no metric and no mean; they are measured all the same.
    threads : int

    Returns
    -------
    Band
        Stars in the order of the catalogue, the brightest first.

    Raises
    ------
    InputError
        If the field has no stars, no response or no such rows, or a method has no bulk version.
    MissingInput, Corrupt
        If a frame is not where it was, or is not what it was.

    Examples
    --------
    >>> from tessellar.photometry.engine import measure_band
    >>> from tessellar.pixels import PreparedField
    >>> field = PreparedField("s0027-1-1-c0600.h5")  # doctest: +SKIP
    >>> band = measure_band(field, (1, 256), limit=15)  # doctest: +SKIP
    >>> band.curves["linpsf"].columns["FLUX"].shape  # doctest: +SKIP
    (11840, 3475)
    """
    unknown = sorted(set(methods) - set(METHODS))
    if unknown:
        raise InputError(f"{', '.join(unknown)}: the engine measures by {' and '.join(METHODS)}; measure stars singly")
    if field.stars is None:
        raise InputError(f"{field.path.name} has no stars: it was prepared without a catalogue")
    if not field.responses:
        raise InputError(f"{field.path.name} has no pixel response: prepare again with prf files, or more stars")
    (_, bottom), (high, _) = field.corner, field.shape
    first, last = rows
    if not bottom <= first <= last < bottom + high:
        raise InputError(f"rows {first} to {last} are not in {field.path.name}, {bottom} to {bottom + high - 1}")
    wanted = _wanted(field, rows, limit, tics)
    around = max(first - HALO, bottom), min(last + HALO, bottom + high - 1)
    use = np.isfinite(field.time) & good(field.quality, quality)
    with Workers(threads) as workers:
        window = read_rows(field, around, threads=threads)
        scene = BandSky.of(field, window, use & window.exposed, wanted)
        curves: dict[str, BandCurves] = {}
        # Apertures first: they see which pixels are missing, which the fit fills in.
        for method, measure in (("aperture", measure_apertures), ("linpsf", fit_stars)):
            if method in methods:
                curves[method] = measure(scene, workers)
    return Band(
        field=field.field,
        rows=(first, last),
        cadence=field.cadence,
        time=field.time,
        timecorr=field.timecorr,
        cadenceno=field.cadenceno,
        quality=field.quality,
        corner=window.corner,
        image=scene.image,
        curves=MappingProxyType(curves),
    )


def _wanted(
    field: PreparedField, rows: tuple[int, int], limit: float | None, tics: ArrayLike | None
) -> NDArray[np.int64]:
    """Indices, among the field's stars, of those that a band is to measure."""
    stars = field.stars
    assert stars is not None
    row, column = nearest_pixel(stars.row), nearest_pixel(stars.column)
    (left, _), (_, wide) = field.corner, field.shape
    wanted = (row >= rows[0]) & (row <= rows[1]) & (column >= left) & (column < left + wide)
    if limit is not None:
        wanted &= stars.tmag <= limit
    if tics is not None:
        wanted &= np.isin(stars.tic, np.asarray(tics, dtype=np.int64))
    return np.flatnonzero(wanted)


def band_rows(field: PreparedField, memory: float = 3.0e9) -> list[tuple[int, int]]:
    """Rows (first, last) of bands that each take about so many bytes of memory, and together hold the whole field.

    Pixels of the band and of the rim that is read about it, light curves of its stars by both methods, and what these
    are made from are counted, in all cadences; the band with most stars is the one that has to fit. Bands of fewer than
    16 rows would be all but rim: they are made no narrower, whatever the memory.

    Parameters
    ----------
    field : PreparedField
    memory : float
        Bytes a band may take, all told.

    Examples
    --------
    >>> band_rows(field, memory=3e9)  # doctest: +SKIP
    [(1, 171), (172, 342), ...]
    """
    (_, bottom), (high, _) = field.corner, field.shape
    for number in range(1, max(high // HALO, 1) + 1):
        edges = np.linspace(bottom, bottom + high, number + 1).round().astype(int)
        bands = [(int(begin), int(end) - 1) for begin, end in pairwise(edges)]
        if max(bytes_of_bands(field, bands)) <= memory:
            break
    return bands


def bytes_of_bands(field: PreparedField, bands: Sequence[tuple[int, int]]) -> list[float]:
    """Memory that bands take each, all their stars wanted, both methods."""
    (_, bottom), (high, wide) = field.corner, field.shape
    stars = np.zeros(0) if field.stars is None else np.sort(nearest_pixel(field.stars.row))
    taken = []
    for first, last in bands:
        around = max(first - HALO, bottom), min(last + HALO, bottom + high - 1)
        own, near = (int(np.diff(np.searchsorted(stars, [a, b + 1]))[0]) for a, b in ((first, last), around))
        each = _PIXEL * wide * (around[1] - around[0] + 1) + _STAR * own + _NEIGHBOUR * (near - own)
        taken.append(float(len(field)) * (each + _SUMMED * min(own, at_a_time(len(field)))))
    return taken
