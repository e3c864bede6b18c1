"""Adding up the pixels of a mask, cadence by cadence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import PhotometryError
from tessellar.photometry.status import PixelQuality

if TYPE_CHECKING:
    from tessellar.pixels import Stamp

_Floats = NDArray[np.float64]

# Fewest pixels outside the mask from which a median sky is taken.
_MIN_SKY_PIXELS = 4


@dataclass(frozen=True, eq=False)
class Extraction:
    """What the pixels of a mask give, one value a cadence.

    ``flux``, ``flux_err`` and ``background`` are in e-/s and summed over the mask; ``centroid`` (n, 2) is the
    1-based CCD column and row; ``pixel_quality`` holds bits of `PixelQuality`.
    """

    flux: _Floats
    flux_err: _Floats
    background: _Floats
    centroid: _Floats
    pixel_quality: NDArray[np.int32]


def extract(stamp: Stamp, mask: NDArray[np.bool_], *, missing: str = "nan") -> Extraction:
    """Sum flux, error and background over `mask`, and find the flux-weighted centroid.

    - flux: the sum of the pixels. The error is the square root of the sum of the squared pixel errors.
    - centroid: sum(w x) / sum(w) over the pixels of the mask with w = flux > 0, x the 1-based CCD column or row.
    - A stamp with the sky still in it (``background_subtracted=False``): the sky of each cadence is the median of the
      finite pixels outside the mask; it is taken from every pixel of the mask, and its error (1.2533 times the rms
      pixel error over the square root of the number of pixels) is added in quadrature.
    - A cadence whose mask pixels are all exactly 0 was not exposed: its pixels count as missing.

    Parameters
    ----------
    stamp : Stamp
    mask : boolean array (rows, cols)
    missing : {"nan", "partial"}
        What becomes of a cadence in which some pixels of the mask have no value: flux NaN, or the sum of the others.
        Either way PIXEL_QUALITY has bit 1.

    Raises
    ------
    PhotometryError
        If sky has to be subtracted and fewer than 4 pixels are left outside the mask.
    """
    values, errors, background = (gather(cube, mask) for cube in (stamp.images, stamp.errors, stamp.background))
    flux_variance = np.einsum("ij,ij->i", errors, errors)
    sky_variance = np.zeros(len(values))
    flux = values.sum(axis=1)
    dark = flux == 0
    if dark.any():
        values[dark & (values == 0).all(axis=1)] = np.nan
    if not stamp.background_subtracted:
        sky, sky_error = local_sky(stamp, mask)
        sky_variance = sky_error**2
        background = np.broadcast_to(sky[:, None], values.shape)
        values -= background
        flux_variance = flux_variance + values.shape[1] ** 2 * sky_variance
    if dark.any() or not stamp.background_subtracted:
        flux = values.sum(axis=1)
    bits = np.zeros(len(stamp), dtype=np.int32)
    gaps = ~np.isfinite(flux)
    if gaps.any():
        flux[gaps], bits[gaps] = _sum_with_gaps(values[gaps], partial=missing == "partial")
    flux_err = np.sqrt(flux_variance)
    flux_bkg = background.sum(axis=1)
    if missing == "partial":
        some = (bits & PixelQuality.MISSING_PIXEL > 0) & (bits & PixelQuality.ALL_MISSING == 0)
        present = np.isfinite(values[some])
        own = np.where(present, errors[some] ** 2, 0.0).sum(axis=1)
        # One sky is taken from all pixels that are there: its error is the same in each of them.
        flux_err[some] = np.sqrt(own + present.sum(axis=1) ** 2 * sky_variance[some])
        flux_bkg[some] = np.where(present, background[some], 0.0).sum(axis=1)
    bits |= np.where(np.isfinite(flux_err), 0, PixelQuality.MISSING_ERROR).astype(np.int32)
    bits |= np.where(np.isfinite(flux_bkg), 0, PixelQuality.MISSING_BACKGROUND).astype(np.int32)
    flux_err[np.isnan(flux)] = np.nan
    centroid = _centroid(stamp, mask, values, np.isfinite(flux))
    bits |= np.where(np.isfinite(centroid[:, 0]), 0, PixelQuality.MISSING_CENTROID).astype(np.int32)
    return Extraction(flux, flux_err, flux_bkg, centroid, bits)


def local_sky(stamp: Stamp, mask: NDArray[np.bool_]) -> tuple[_Floats, _Floats]:
    """Sky per pixel and its error in each cadence: the median of the finite pixels outside `mask`.

    Parameters
    ----------
    stamp : Stamp
        Its images and errors, e-/s.
    mask : boolean array (rows, cols)
        The star's pixels.

    Returns
    -------
    sky, error : array (n,)
        e-/s; the error is sqrt(pi / 2) times that of the mean, as it is of the median of many normal values. NaN in
        cadences without a finite pixel.

    Raises
    ------
    PhotometryError
        If fewer than 4 pixels are left outside the mask.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar import Field
    >>> from tessellar.photometry import local_sky
    >>> from tessellar.pixels import Stamp
    >>> images = np.full((2, 3, 4), [[[100.0]], [[103.0]]])
    >>> images[:, 1, 1] += 5000.0
    >>> stamp = Stamp(images=images, errors=np.ones_like(images), background=0 * images, time=np.arange(2.0),
    ...               timecorr=np.zeros(2), cadenceno=np.arange(2), quality=np.zeros(2, int), corner=(45, 1),
    ...               field=Field(1, 4, 1), cadence=120.0, origin="memory")
    >>> sky, error = local_sky(stamp, images[0] > 1000)
    >>> sky.tolist(), error.round(3).tolist()
    ([100.0, 103.0], [0.378, 0.378])
    """
    outside = ~mask
    if outside.sum() < _MIN_SKY_PIXELS:
        raise PhotometryError(
            f"the sky is still in the flux of {stamp.origin}, and only {outside.sum()} pixels are left outside the "
            f"mask to measure it ({_MIN_SKY_PIXELS} are needed): take a larger cut-out or a smaller mask"
        )
    values, errors = gather(stamp.images, outside), gather(stamp.errors, outside)
    count = np.isfinite(values).sum(axis=1)
    sky = np.full(len(values), np.nan)
    some = count > 0
    sky[some] = np.nanmedian(values[some], axis=1)
    finite = np.isfinite(values) & np.isfinite(errors)
    squares = np.where(finite, errors, 0.0) ** 2
    error = np.full(len(values), np.nan)
    known = finite.any(axis=1)
    # The median of m normal values scatters by sqrt(pi/2)/sqrt(m) of one value.
    error[known] = np.sqrt(np.pi / 2 * squares[known].sum(axis=1)) / finite[known].sum(axis=1)
    return sky, error


def gather(cube: NDArray[Any], mask: NDArray[np.bool_]) -> _Floats:
    """The pixels of `mask` as float64 (n, pixels), touching no others: `cube` may lie on disk."""
    flat = cube.reshape(len(cube), -1)
    return np.asarray(flat[:, np.flatnonzero(mask)], dtype=np.float64)


def _sum_with_gaps(values: _Floats, *, partial: bool) -> tuple[_Floats, NDArray[np.int32]]:
    finite = np.isfinite(values)
    empty = ~finite.any(axis=1)
    flux = np.where(finite, values, 0.0).sum(axis=1)
    flux[empty if partial else slice(None)] = np.nan
    bits = np.where(empty, PixelQuality.ALL_MISSING | PixelQuality.MISSING_PIXEL, PixelQuality.MISSING_PIXEL)
    return flux, bits.astype(np.int32)


def _centroid(stamp: Stamp, mask: NDArray[np.bool_], values: _Floats, use: NDArray[np.bool_]) -> _Floats:
    row, col = np.nonzero(mask)
    # NaN becomes 0 here, which only a partial sum can bring: other cadences with gaps are not used.
    weights = np.fmax(values, 0.0)
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        place = (weights @ np.column_stack([col, row]).astype(np.float64)) / total[:, None]
    place += np.array(stamp.corner, dtype=np.float64)
    place[~use | ~(total > 0)] = np.nan
    return np.asarray(place)
