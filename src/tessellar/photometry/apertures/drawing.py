"""Drawing stars on a stamp with the pixel response at their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError, PhotometryError
from tessellar.pixels import add_stars

if TYPE_CHECKING:
    from tessellar.photometry.limits import StampLimits
    from tessellar.pixels import PixelResponse


class StampPSF:
    """The point spread function over one stamp, integrated over pixels.

    Parameters
    ----------
    responses : tuple of PixelResponse
        One for each part of the sector, or one for all.
    limits : StampLimits
        The stamp.
    place : (float, float)
        1-based CCD column and row of the target.

    Raises
    ------
    PhotometryError
        If no response is known.

    Examples
    --------
    >>> with BasePhotometry(25155310, "frames", "out", sector=27, camera=1, ccd=1) as pho:  # doctest: +SKIP
    ...     model = pho.psf.integrate_to_image([[7.2, 6.8, 15000.0], [3.0, 9.1, 800.0]])
    """

    def __init__(self, responses: tuple[PixelResponse, ...], limits: StampLimits, place: tuple[float, float]) -> None:
        if not responses:
            raise PhotometryError(
                "no pixel response is known here: prepare the frames with the mission's PRF files or with a catalogue, "
                "or put the PRF files of this CCD beside the pixels"
            )
        self.responses = responses
        self.limits = limits
        self.column, self.row = place

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"<StampPSF at column {self.column:.1f}, row {self.row:.1f}, {rows} x {columns} px>"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the stamp."""
        return self.limits.shape

    def response(self, segment: int = 0) -> PixelResponse:
        """The response in a part of the sector (orbit), counted from 0."""
        if len(self.responses) == 1:
            return self.responses[0]
        if not 0 <= segment < len(self.responses):
            raise InputError(f"segment {segment} does not exist: there are 0 to {len(self.responses) - 1}")
        return self.responses[segment]

    def integrate_to_image(
        self, params: ArrayLike, cutoff_radius: float | None = None, segment: int = 0
    ) -> NDArray[np.float64]:
        """Draw stars, each pixel with the light that falls on it.

        Parameters
        ----------
        params : array-like, shape (stars, 3)
            Row and column of each star in the stamp, 0-based (a pixel's centre is at whole numbers), and flux in e-/s.
        cutoff_radius : float, optional
            Pixels whose centre is further from the star get none of its light. All of the response if not given.
        segment : int
            Part of the sector whose response is taken.

        Returns
        -------
        array (rows, cols)
            e-/s. Light that falls beside the stamp is lost.
        """
        stars = np.atleast_2d(np.asarray(params, dtype=np.float64))
        if stars.ndim != 2 or stars.shape[1] != 3 or not np.isfinite(stars).all():
            raise InputError(f"stars of shape {np.shape(params)}: give finite (row, column, flux), shape (stars, 3)")
        image = np.zeros(self.shape)
        corner = self.limits.col_min + 1, self.limits.row_min + 1
        if cutoff_radius is None:
            self._add(image, corner, stars, segment)
            return image
        rows, columns = np.indices(self.shape)
        for star in stars:
            alone = np.zeros(self.shape)
            self._add(alone, corner, star[None], segment)
            image += np.where(np.hypot(rows - star[0], columns - star[1]) <= cutoff_radius, alone, 0.0)
        return image

    def image(self, flux: float = 1.0, segment: int = 0) -> NDArray[np.float64]:
        """Draw the target alone, at its place in the reference frame."""
        place = self.row - 1 - self.limits.row_min, self.column - 1 - self.limits.col_min
        return self.integrate_to_image([[*place, flux]], segment=segment)

    def _add(
        self, image: NDArray[np.float64], corner: tuple[int, int], stars: NDArray[np.float64], segment: int
    ) -> None:
        add_stars(image, corner, stars[:, 1] + corner[0], stars[:, 0] + corner[1], stars[:, 2], self.response(segment))
