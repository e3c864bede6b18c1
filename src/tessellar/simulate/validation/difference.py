"""Where on the sky the light goes missing: difference images of a sector, and their centroids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate.fields import wcs_of
from tessellar.simulate.validation.sighting import MeanImage, Sighting

FloatArray = NDArray[np.float64]

_STEP = 0.01
_ITERATIONS = 4
# Farther than this (px) from where it began, a centroid is none.
_FARTHEST = 2.0
# Error that the mission adds to mean offsets, arcsec (as in its reports of several sectors).
_SYSTEMATIC = 2.5


@dataclass(frozen=True)
class Centroid:
    """A fitted position.

    Attributes
    ----------
    column, row : float
        CCD pixels, 1-based.
    covariance : array, shape (2, 2)
        Of column and row, px**2.
    ra, dec : float
        Degrees.
    sky_covariance : array, shape (2, 2)
        Of the offsets along right ascension (on the sky) and declination, arcsec**2.
    """

    column: float
    row: float
    covariance: FloatArray
    ra: float
    dec: float
    sky_covariance: FloatArray


@dataclass(frozen=True)
class Offset:
    """From one centroid to another: px along columns and rows, arcsec on the sky; each a value and its error."""

    column: tuple[float, float]
    row: tuple[float, float]
    focal_plane: tuple[float, float]
    ra: tuple[float, float]
    dec: tuple[float, float]
    sky: tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """The difference image of one sector.

    Attributes
    ----------
    sighting : Sighting
        Star and sector.
    image : MeanImage
        Out of transit less in transit.
    control, difference, catalogue : Centroid
        Of the image out of transit, of the difference image, and the star's own position.
    from_control, from_catalogue : Offset
        Of the difference image's centroid.
    quality : float
        Correlation of the difference image with the response fitted to it.
    """

    sighting: Sighting
    image: MeanImage
    control: Centroid
    difference: Centroid
    catalogue: Centroid
    from_control: Offset
    from_catalogue: Offset
    quality: float


def difference_of(sighting: Sighting) -> Difference | None:
    """Make the difference image of a sector; None if it has no transit, or its centroid cannot be fitted."""
    inside, outside = sighting.inside, sighting.outside
    if inside is None or outside is None:
        return None
    image = MeanImage(outside.flux - inside.flux, np.hypot(outside.error, inside.error), inside.count)
    control, lost = _centroid(sighting, outside), _centroid(sighting, image)
    if control is None or lost is None:
        return None
    still = np.zeros((2, 2))
    catalogue = Centroid(*sighting.place, still, sighting.star.ra, sighting.star.dec, still)
    return Difference(
        sighting, image, control[0], lost[0], catalogue,
        _offset(lost[0], control[0]), _offset(lost[0], catalogue), lost[1],
    )  # fmt: skip


def mean_offset(offsets: list[Offset]) -> Offset:
    """Average offsets of several sectors, weighted by their errors, to which the mission adds 2.5 arcsec."""

    def mean(values: list[tuple[float, float]]) -> tuple[float, float]:
        weights = np.array([1 / error**2 for _, error in values])
        value = sum(weight * value for weight, (value, _) in zip(weights, values, strict=True)) / weights.sum()
        return float(value), float(weights.sum() ** -0.5)

    sky = (mean([offset.ra for offset in offsets]), mean([offset.dec for offset in offsets]))
    ra, dec = ((value, float(np.hypot(error, _SYSTEMATIC))) for value, error in sky)
    column, row = mean([offset.column for offset in offsets]), mean([offset.row for offset in offsets])
    return Offset(column, row, _length(column, row), ra, dec, _length(ra, dec))


def _centroid(sighting: Sighting, image: MeanImage) -> tuple[Centroid, float] | None:
    """Fit the response to an image by least squares: position, light and an even background."""
    shape = image.flux.shape
    corner, prf = sighting.corner, sighting.prf
    box = _grown_box(sighting.aperture)
    data, error = image.flux[box].ravel(), np.maximum(image.error[box].ravel(), 1e-9)
    x, y = sighting.place[0] - corner[0], sighting.place[1] - corner[1]
    inverse: FloatArray = np.zeros((4, 4))
    shapes = np.zeros_like(data)
    for _ in range(_ITERATIONS):
        columns = np.array([x, x - _STEP, x + _STEP, x, x])
        rows = np.array([y, y, y, y - _STEP, y + _STEP])
        still, left, right, down, up = (
            part[box].ravel().astype(np.float64) for part in prf.render(columns, rows, shape)
        )
        light = np.linalg.lstsq(
            np.column_stack([still, np.ones_like(still)]) / error[:, None], data / error, rcond=None
        )[0]
        slopes = light[0] * np.array([(right - left) / (2 * _STEP), (up - down) / (2 * _STEP)])
        matrix = np.array([*slopes, still, np.ones_like(still)]) / error
        shapes = light[0] * still + light[1]
        try:
            inverse = np.asarray(np.linalg.inv(matrix @ matrix.T), dtype=np.float64)
        except np.linalg.LinAlgError:
            return None
        step = inverse @ (matrix @ ((data - shapes) / error))
        x, y = x + float(step[0]), y + float(step[1])
        if not (
            abs(x + corner[0] - sighting.place[0]) < _FARTHEST and abs(y + corner[1] - sighting.place[1]) < _FARTHEST
        ):
            return None
    covariance: FloatArray = inverse[:2, :2]
    correlation = float(np.corrcoef(data, shapes)[0, 1])
    return _on_the_sky(sighting, x + corner[0], y + corner[1], covariance), correlation


def _on_the_sky(sighting: Sighting, column: float, row: float, covariance: FloatArray) -> Centroid:
    places = np.array([[column, row], [column + 1, row], [column, row + 1]])
    ra, dec = wcs_of(sighting.spot.field).all_pix2world(places, 1).T
    shrink = np.cos(np.deg2rad(dec[0]))
    turn = 3600 * np.array([(ra[1:] - ra[0]) * shrink, dec[1:] - dec[0]])
    # The star's own pixel is where its catalogue position is; the mean motion of the image is not the sky's.
    base = wcs_of(sighting.spot.field).all_pix2world([sighting.place], 1)[0]
    return Centroid(
        column, row, covariance, float(ra[0] - base[0] + sighting.star.ra), float(dec[0] - base[1] + sighting.star.dec),
        turn @ covariance @ turn.T,
    )  # fmt: skip


def _offset(one: Centroid, other: Centroid) -> Offset:
    pixels, sky = one.covariance + other.covariance, one.sky_covariance + other.sky_covariance
    shrink = np.cos(np.deg2rad(other.dec))
    column = one.column - other.column, float(np.sqrt(pixels[0, 0]))
    row = one.row - other.row, float(np.sqrt(pixels[1, 1]))
    ra = 3600 * (one.ra - other.ra) * shrink, float(np.sqrt(sky[0, 0]))
    dec = 3600 * (one.dec - other.dec), float(np.sqrt(sky[1, 1]))
    return Offset(column, row, _length(column, row), ra, dec, _length(ra, dec))


def _length(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    length = float(np.hypot(one[0], other[0]))
    if length == 0:
        return 0.0, float(np.hypot(one[1], other[1]))
    return length, float(np.hypot(one[0] * one[1], other[0] * other[1]) / length)


def _grown_box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns about the aperture, one pixel more on each side."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(int(rows[0]) - 1, 0), int(rows[-1]) + 2),
        slice(max(int(columns[0]) - 1, 0), int(columns[-1]) + 2),
    )
