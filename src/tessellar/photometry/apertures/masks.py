"""Which pixels to add up: the pipeline's aperture, a threshold aperture, or a mask that is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, InputError, MissingInput, PhotometryError
from tessellar.pixels import AperturePixel
from tessellar.pixels.places import nearest_pixel
from tessellar.robust import MAD_TO_SIGMA

if TYPE_CHECKING:
    from tessellar.pixels import Stamp

# How far the nearest pixel of a region may lie from a target whose own pixel is too faint, in pixels.
_REACH = 1.5


def pipeline_mask(stamp: Stamp) -> NDArray[np.bool_]:
    """The pixels whose APERTURE flags have bit 2 (value 2), the pipeline's photometric aperture.

    Parameters
    ----------
    stamp : Stamp
        With its ``aperture``, flags of `AperturePixel`: those of a target pixel file have one.

    Returns
    -------
    boolean array (rows, cols)

    Raises
    ------
    PhotometryError
        If there is no such pixel, or no collected pixel is left outside.
    """
    if stamp.aperture is None:
        raise PhotometryError(f"{stamp.origin} has no aperture image: use a threshold aperture or give a mask")
    mask = np.asarray(stamp.aperture & AperturePixel.PHOTOMETRY, dtype=bool)
    if not mask.any():
        raise PhotometryError(
            f"the pipeline's aperture of {stamp.origin} is empty (no pixel with bit 2): "
            "use a threshold aperture or give a mask"
        )
    if mask[np.asarray(stamp.aperture & AperturePixel.COLLECTED, dtype=bool) | mask].all():
        raise PhotometryError(
            f"the pipeline's aperture of {stamp.origin} is every collected pixel ({mask.sum()}): "
            "use a threshold aperture or give a mask"
        )
    return mask


def threshold_mask(
    image: NDArray[Any], column: float, row: float, *, sigma: float = 3.0, origin: str = "the image"
) -> NDArray[np.bool_]:
    """The connected bright pixels that hold the target.

    A pixel is bright above ``median + sigma * 1.4826 * MAD`` of the finite pixels of `image`, MAD being their
    median absolute deviation from that median. Bright pixels that share an edge are one region. The region with the
    target's own pixel is taken, or, where that pixel is not bright, the one nearest to the target within 1.5 pixels.

    Parameters
    ----------
    image : array (rows, cols)
        Mean image, e-/s.
    column, row : float
        Place of the target in `image`, 0-based, pixel centres at whole numbers.
    sigma : float
        How far above the median, in robust standard deviations.
    origin : str
        What to call the image in errors.

    Returns
    -------
    boolean array (rows, cols)

    Raises
    ------
    PhotometryError
        If no bright region is at the target.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.photometry import threshold_mask
    >>> image = np.arange(25.0).reshape(5, 5) % 3
    >>> image[2, 2:4] = 100.0
    >>> threshold_mask(image, 2.2, 2.0).sum()
    np.int64(2)
    """
    from scipy.ndimage import label

    finite = image[np.isfinite(image)]
    if finite.size == 0:
        raise PhotometryError(f"no pixel of {origin} has a value in any good cadence")
    middle = float(np.median(finite))
    cut = middle + sigma * MAD_TO_SIGMA * float(np.median(np.abs(finite - middle)))
    with np.errstate(invalid="ignore"):
        regions, _ = label(image > cut)
    rows, cols = np.indices(image.shape)
    distance = np.where(regions > 0, np.hypot(cols - column, rows - row), np.inf)
    own = int(nearest_pixel(row)), int(nearest_pixel(column))
    inside = 0 <= own[0] < image.shape[0] and 0 <= own[1] < image.shape[1]
    if inside and regions[own]:
        return np.asarray(regions == regions[own])
    nearest = np.unravel_index(int(np.argmin(distance)), image.shape)
    if distance[nearest] > _REACH:
        raise PhotometryError(
            f"no bright region at the target in {origin}: nothing above {cut:.4g} e-/s ({sigma:g} sigma) "
            f"within {_REACH} pixels; lower sigma or give a mask"
        )
    return np.asarray(regions == regions[nearest])


def check_mask(mask: NDArray[Any], shape: tuple[int, int], origin: str) -> NDArray[np.bool_]:
    """Return `mask` as a boolean array if it fits the stamp.

    Parameters
    ----------
    mask : array (rows, cols)
        True, or anything but 0, for a pixel to add up.
    shape : (int, int)
        Rows and columns of the stamp.
    origin : str
        What to call the mask in errors.

    Raises
    ------
    InputError
        If its shape is another, a value is NaN, or no pixel is chosen.

    Examples
    --------
    >>> from tessellar.photometry import check_mask
    >>> check_mask([[0, 1, 1], [0, 1, 0]], (2, 3), "my mask").sum().item()
    3
    """
    mask = np.asarray(mask)
    if mask.shape != tuple(shape):
        raise InputError(f"{origin} has shape {mask.shape}, but the stamp has {shape[0]} rows and {shape[1]} columns")
    if mask.dtype.kind not in "biuf":
        raise InputError(f"{origin} holds values of type {mask.dtype}: give booleans or numbers")
    if mask.dtype.kind == "f" and np.isnan(mask).any():
        raise InputError(f"{origin} holds NaN: give 0 for pixels to leave out and 1 for pixels to add up")
    chosen = mask.astype(bool)
    if not chosen.any():
        raise InputError(f"{origin} chooses no pixel")
    return chosen


def load_mask(path: str | Path) -> NDArray[Any]:
    """Read a mask from a FITS file.

    Where the file has an image called APERTURE, as light curves and target
    pixel files do, its pixels with bit 2 are the mask. Otherwise the first
    image is, which then must hold 0 and 1 only: anything else is flags or
    flux, and no mask.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    array (rows, cols)
        Not yet held against a stamp: see `check_mask`.

    Raises
    ------
    MissingInput, Corrupt, InputError
        No such file; not a readable FITS file; no image in it that is a mask.
    """
    from astropy.io import fits

    path = Path(path)
    if not path.is_file():
        raise MissingInput(f"no mask file {path}: give an existing FITS image, or pipeline, or threshold")
    try:
        with fits.open(path, memmap=False) as hdus:
            images = [(hdu.name, hdu.data) for hdu in hdus if hdu.is_image and np.ndim(hdu.data) == 2]
    except (OSError, ValueError, TypeError) as error:
        raise Corrupt(f"mask file {path} cannot be read as FITS: {error}") from error
    if not images:
        raise InputError(f"mask file {path} holds no two-dimensional image")
    flags = next((data for name, data in images if name == "APERTURE"), None)
    if flags is not None and flags.dtype.kind in "iu":
        return np.asarray((flags & AperturePixel.PHOTOMETRY) > 0)
    data = np.asarray(images[0][1])
    if not np.isin(data, (0, 1)).all():
        raise InputError(
            f"mask file {path} holds other values than 0 and 1, so its image is flags or flux: write a mask of 0 and 1"
        )
    return data.astype(bool)
