"""Linear PSF photometry: the fluxes of all stars of the catalogue at once, at places that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tessellar.errors import PhotometryError
from tessellar.photometry.fitting.fitresult import fitted_result, refused
from tessellar.photometry.fitting.linear import fit_series
from tessellar.photometry.fitting.registration import offset_cards, placed
from tessellar.photometry.fitting.starfit import SaturatedTarget, StarFit

if TYPE_CHECKING:
    from tessellar.photometry.method import Settings
    from tessellar.photometry.result import Result
    from tessellar.photometry.target import Target
    from tessellar.pixels import Stamp, Surroundings


class LinPSFPhotometry:
    """Fluxes of all catalogued stars on and about the stamp, by linear least squares in every cadence.

    Places are those of the catalogue and of the measured movement; see `tessellar.photometry.fitting.linear` for the
    mathematics. A star whose neighbours are too near to be told from it is held to the flux of the catalogue, and
    the header tells by how much (``PSFPRIOR``); for all others that is 0.

    Parameters
    ----------
    offset : bool, optional
        Fit a constant background in every cadence too; by default where the pixels still hold their sky.

    Examples
    --------
    >>> from tessellar.photometry import LinPSFPhotometry, measure_in
    >>> measure_in(scene, 25155310, method="linpsf")  # doctest: +SKIP
    >>> measure_in(scene, 25155310, method=LinPSFPhotometry(offset=True))  # doctest: +SKIP
    """

    name = "linpsf"

    def __init__(self, offset: bool | None = None) -> None:
        self.offset = offset

    def run(self, stamp: Stamp, target: Target, stars: Surroundings | None, settings: Settings) -> Result:
        """Measure `target` in `stamp`; see `PhotometryMethod.run`."""
        try:
            fit, moved = placed(StarFit.of(stamp, target, stars, settings, self.offset), stamp)
            about = fit.stars
            series = fit_series(
                fit.images, fit.variances, fit.weights, about.segments, about.column, about.row, about.flux,
                about.shifts, about.responses, stamp.corner, offset=fit.offset, wanted=[fit.target],
            )  # fmt: skip
        except PhotometryError as error:
            return refused(stamp, target, settings, self.name, error, skipped=isinstance(error, SaturatedTarget))
        held = int((series.precision > 0).sum())
        return fitted_result(
            fit, stamp, target, settings,
            method=self.name,
            flux=series.flux[:, fit.target],
            variance=series.variance[:, 0],
            centroid=about.shifts[:, fit.target] + fit.place,
            light=series.basis.drawn(stamp.shape),
            offset=series.offset,
            prior_weight=float(series.prior_weight[fit.target]),
            cards={"PSFNPRI": (held, "of them held to the catalogue by a prior"), **offset_cards(moved)},
        )  # fmt: skip
