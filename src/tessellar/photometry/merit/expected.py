"""What to expect of a star: the noise that photons and reading leave in its flux, and the size of its mask."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.photometry.merit.noise import READ_NOISE, light_variance

Array = NDArray[np.float64]


def expected_noise(
    flux: ArrayLike,
    pixels: ArrayLike,
    sky: ArrayLike,
    *,
    neighbours: ArrayLike = 0.0,
    seconds: float = 3600.0,
    read_noise: float = READ_NOISE,
    mitigated: bool = True,
) -> Array:
    """Noise of the flux in an aperture, in parts per million of the star's: shot noise of all light, and reading.

    ``sqrt((flux + neighbours + pixels (sky + RN^2 / 1.98 s)) / t) / flux``, where t is the time that the noise of so
    many seconds is worth: 0.99 of them, times 0.949 where the spacecraft drops the lowest and the highest of ten
    exposures (counts keep 0.8 of the time, noise does not get worse by that; `photometry.merit.noise`). It has no
    floor for systematics: what a star has beyond it, is not photons.

    Parameters
    ----------
    flux : array
        Of the star in the aperture, e-/s.
    pixels : array
        Of the aperture.
    sky : array
        Background, e-/s a pixel.
    neighbours : array
        Light of other stars in the aperture, e-/s.
    seconds : float
        Time scale; that of one cadence, or longer.
    read_noise : float
        Of an exposure of 2 s, e-.
    mitigated : bool
        Whether the spacecraft dropped cosmic rays: not in data of 20 s.

    Examples
    --------
    >>> from tessellar.photometry.merit.expected import expected_noise
    >>> float(expected_noise(15_000.0, pixels=12, sky=100.0).round())
    149.0
    """
    light, count = np.asarray(flux, dtype=np.float64), np.asarray(pixels, dtype=np.float64)
    both = np.maximum(light, 0.0) + np.asarray(neighbours)
    read = float(light_variance(0.0, seconds, read_noise=read_noise, mitigated=mitigated))
    variance = light_variance(both + count * np.asarray(sky), seconds, read_noise=0.0, mitigated=mitigated)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(light > 0, 1e6 * np.sqrt(variance + count * read) / light, np.nan))


def mask_size_bounds(tmag: float, source: str) -> tuple[float, float]:
    """Fewest and most pixels that a mask found in the image should have.

    Parameters
    ----------
    tmag : float
        TESS magnitude.
    source : {"ffi", "tpf"}
        Frames, or a target pixel file: for these no upper bound is known, and it is infinite.

    Examples
    --------
    >>> from tessellar.photometry.merit.expected import mask_size_bounds
    >>> mask_size_bounds(10.0, "ffi"), mask_size_bounds(10.0, "tpf")
    ((15.0, 130.0), (10.0, inf))
    """
    table = _mask_sizes()
    least, most = table[source, "min"], table.get((source, "max"))
    return _between(tmag, least), float("inf") if most is None else _between(tmag, most)


def _between(tmag: float, table: tuple[Array, Array]) -> float:
    return float(round(10 ** np.interp(tmag, table[0], np.log10(table[1])), 9))


@cache
def _mask_sizes() -> dict[tuple[str, str], tuple[Array, Array]]:
    text = files("tessellar.photometry").joinpath("data", "mask_sizes.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    found = {}
    for kind in {(row["source"], row["bound"]) for row in rows}:
        chosen = [row for row in rows if (row["source"], row["bound"]) == kind]
        found[kind] = (
            np.array([float(row["tmag"]) for row in chosen]),
            np.array([float(row["pixels"]) for row in chosen]),
        )
    return found
