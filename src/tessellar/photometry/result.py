"""What a measurement gives: a light curve, its mask, its metrics, and how much to trust them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import PhotometryError
from tessellar.photometry.output import write_result
from tessellar.photometry.status import STATUS

if TYPE_CHECKING:
    from astropy.table import Table

    from tessellar.photometry.method import Settings
    from tessellar.photometry.target import Target
    from tessellar.pixels import Stamp


@dataclass(frozen=True, kw_only=True)
class StampGrowth:
    """Pixels by which a method wants its stamp larger on each side.

    Parameters
    ----------
    down, up : int
        Rows to add below the first and beyond the last.
    left, right : int
        Columns likewise.
    needed : bool
        Whether a result without them is doubtful; else it only takes them where there are any.

    Examples
    --------
    >>> from tessellar.photometry import StampGrowth
    >>> StampGrowth(up=2)
    StampGrowth(down=0, up=2, left=0, right=0, needed=True)
    """

    down: int = 0
    up: int = 0
    left: int = 0
    right: int = 0
    needed: bool = True


@dataclass(frozen=True, eq=False, kw_only=True)
class WeightMap:
    """With what weight each pixel entered the flux, from one cadence to another.

    Parameters
    ----------
    first_cadence, last_cadence : int
        Cadence numbers, both included.
    weights : array (rows, cols)
        They sum to 1.
    saturated : int
        Pixels that were left out as saturated.
    """

    first_cadence: int
    last_cadence: int
    weights: NDArray[np.float64]
    saturated: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """The outcome of one measurement of one star.

    Parameters
    ----------
    status : STATUS
    reasons : tuple of str
        What is wrong, or doubtful; empty if all is well.
    method : str
        Name of the method.
    stamp, target, settings
        What was measured, and how.
    columns : mapping of str to array (n,)
        All cadences of the input, also flagged ones, by the names of FITS columns: TIME (BTJD), TIMECORR (d),
        CADENCENO, FLUX, FLUX_ERR, FLUX_BKG (e-/s, summed over the mask), QUALITY (the mission's), PIXEL_QUALITY (bits
        of `PixelQuality`), MOM_CENTR1 and 2 (1-based CCD column and row), POS_CORR1 and 2 (pixels). Empty on ERROR,
        unless the flux itself was the error.
    mask : boolean array (rows, cols) or None
        The pixels that were added up.
    mean_image : array (rows, cols) or None
        Mean image of the good cadences, e-/s.
    metrics : mapping of str to float
        By the names of `METRICS`.
    inputs : tuple of Path
        The files that were measured; empty for pixels in memory.
    about : mapping of str to object
        What else of the input goes into the header: data_release, num_frm, simulated.
    position_mask : boolean array (rows, cols) or None
        The pixels that positions were measured from, where they are not those of `mask`.
    cards : mapping of str to (value, comment)
        Header cards of the method's own.
    weight_maps : tuple of WeightMap
        Of methods that weight pixels, in order of time.
    extra : mapping of str to array (n,)
        Further columns, by their FITS names.
    skip : tuple of int
        TIC ids of other stars whose light is in the same mask: they need not be measured.
    grow : StampGrowth or None
        What the method wants its stamp to be larger by; the result is then what can be had without.
    """

    status: STATUS
    reasons: tuple[str, ...]
    method: str
    stamp: Stamp
    target: Target
    settings: Settings
    columns: Mapping[str, NDArray[Any]] = field(default_factory=lambda: MappingProxyType({}))
    mask: NDArray[np.bool_] | None = None
    mean_image: NDArray[np.float64] | None = None
    metrics: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    inputs: tuple[Path, ...] = ()
    about: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    position_mask: NDArray[np.bool_] | None = None
    cards: Mapping[str, tuple[str | float | int, str]] = field(default_factory=lambda: MappingProxyType({}))
    weight_maps: tuple[WeightMap, ...] = ()
    extra: Mapping[str, NDArray[Any]] = field(default_factory=lambda: MappingProxyType({}))
    skip: tuple[int, ...] = ()
    grow: StampGrowth | None = None

    @classmethod
    def failed(
        cls,
        stamp: Stamp,
        target: Target,
        settings: Settings,
        method: str,
        reason: str,
        *,
        mean_image: NDArray[np.float64] | None = None,
    ) -> Result:
        """A result that says why there is no light curve."""
        return cls(
            status=STATUS.ERROR,
            reasons=(reason,),
            method=method,
            stamp=stamp,
            target=target,
            settings=settings,
            mean_image=mean_image,
        )

    def __repr__(self) -> str:
        told = f", {self.reason}" if self.reasons else ""
        return f"<Result {self.target} {self.stamp.field} {self.method}: {self.status.name}{told}>"

    @property
    def reason(self) -> str:
        """The reasons in one line; empty if all is well."""
        return "; ".join(self.reasons)

    @property
    def lightcurve(self) -> Table:
        """The light curve as a table with units.

        Columns: time (BTJD), timecorr, cadenceno, quality, flux, flux_err, flux_background, pixel_quality,
        pos_centroid (column, row; 1-based CCD pixels), pos_corr.
        """
        from astropy.table import Table

        get = self.columns
        if not get:
            raise PhotometryError(f"{self.target} has no light curve: {self.reason}")
        names = {"time": "TIME", "timecorr": "TIMECORR", "cadenceno": "CADENCENO", "quality": "QUALITY",
                 "flux": "FLUX", "flux_err": "FLUX_ERR", "flux_background": "FLUX_BKG",
                 "pixel_quality": "PIXEL_QUALITY"}  # fmt: skip
        data: dict[str, NDArray[Any]] = {ours: get[fits] for ours, fits in names.items()}
        data["pos_centroid"] = np.column_stack([get["MOM_CENTR1"], get["MOM_CENTR2"]])
        data["pos_corr"] = np.column_stack([get["POS_CORR1"], get["POS_CORR2"]])
        units = dict.fromkeys(("flux", "flux_err", "flux_background"), "electron / s")
        units |= dict.fromkeys(("time", "timecorr"), "d") | dict.fromkeys(("pos_centroid", "pos_corr"), "pix")
        return Table(data, units=units)

    def with_inputs(self, *paths: Path, about: Mapping[str, Any] | None = None) -> Result:
        """The same result, knowing which files it was measured from and what else they say (see `about`)."""
        return replace(self, inputs=tuple(paths), about=MappingProxyType(dict(about or {})))

    def write(self, path: str | Path, *, digest: str | None = None) -> Path:
        """Write the light curve to a FITS file.

        Parameters
        ----------
        path : path
            A file name that ends as FITS files do (``.fits``, ``.fits.gz``), or a folder, which is made if it is not
            there: the file is then named after star, sector, cadence and method.
        digest : str, optional
            SHA-256 (hex) of the input file, if it is known already, for example from the store's ledger. The input is
            read and hashed if not given.

        Returns
        -------
        Path
            The file, complete: it appears under its name in one step.

        Raises
        ------
        PhotometryError
            If the measurement ended with ERROR: no light curve is written.
        InputError
            If `path` is a folder and the star has no TIC id to name the file after.
        StoreError
            If the file cannot be written.
        """
        return write_result(self, Path(path), digest)
