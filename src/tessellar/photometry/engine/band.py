"""What measuring a band of rows gives: light curves of all its stars, as arrays of stars by cadences."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.pixels import AperturePixel

if TYPE_CHECKING:
    from tessellar.photometry.apertures.optimal import Apertures
    from tessellar.products.starimages import StarImages
    from tessellar.targets import Field


@dataclass(frozen=True, eq=False, kw_only=True)
class BandCurves:
    """Light curves that one method measured for the stars of a band.

    Attributes
    ----------
    tic : int64 array (stars,)
        Whose they are, in the order of `columns` and `table`.
    columns : mapping of str to array (stars, n)
        By FITS names, all cadences: FLUX, FLUX_ERR, FLUX_BKG (float32, e-/s), MOM_CENTR1, MOM_CENTR2 (float64, 1-based
        CCD column and row), PIXEL_QUALITY (uint8).
    table : mapping of str to array (stars,)
        One value a star: ``status`` (of `STATUS`), ``reasons`` (text, "" if all is well), ``ra``, ``dec``, ``tmag``,
        ``column``, ``row``, the metrics that a whole band has cheaply, by the names of `METRICS`, and
        ``prior_weight`` of fits.
    apertures : Apertures or None
        The masks, one a star in this order; of ``linpsf``, the pixels with a hundredth of the star's light or more.
    """

    tic: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]
    table: Mapping[str, NDArray[Any]]
    apertures: Apertures | None = None

    def __post_init__(self) -> None:
        for name, values in (*self.columns.items(), *self.table.items()):
            if len(values) != len(self.tic):
                raise InputError(f"{name} has {len(values)} rows, but there are {len(self.tic)} stars")

    def __len__(self) -> int:
        return len(self.tic)

    def chosen(self, which: NDArray[Any]) -> BandCurves:
        """The stars of an index array or boolean array."""
        masks = self.apertures
        return BandCurves(
            tic=self.tic[which],
            columns={name: values[which] for name, values in self.columns.items()},
            table={name: values[which] for name, values in self.table.items()},
            apertures=None
            if masks is None
            else type(masks)(**{each.name: getattr(masks, each.name)[which] for each in dataclasses.fields(masks)}),
        )

    def index(self, tic: int) -> int:
        """Index of a star, by its id; `InputError` if it is not here."""
        found = np.flatnonzero(self.tic == int(tic))
        if not found.size:
            raise InputError(f"TIC {int(tic)} is not among the {len(self)} stars of this band")
        return int(found[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class Band:
    """The stars of some rows of a CCD, measured.

    Attributes
    ----------
    field : Field
        Sector, camera, CCD.
    rows : (int, int)
        First and last CCD row, 1-based, both included.
    cadence : float
        Seconds.
    time, timecorr, cadenceno, quality : array (n,)
        Of the frames, as `PreparedField` has them: BTJD at the CCD's centre, days, numbers, flags.
    corner : (int, int)
        CCD column and row of `image`'s first pixel, 1-based: of the band's rows and some about them.
    image : float32 array (rows, cols)
        Mean of the good frames without background, e-/s.
    curves : mapping of str to BandCurves
        By method.
    """

    field: Field
    rows: tuple[int, int]
    cadence: float
    time: NDArray[np.float64]
    timecorr: NDArray[np.float64]
    cadenceno: NDArray[np.int32]
    quality: NDArray[np.int32]
    corner: tuple[int, int]
    image: NDArray[np.float32]
    curves: Mapping[str, BandCurves] = dataclasses.field(default_factory=lambda: MappingProxyType({}))

    def __repr__(self) -> str:
        told = ", ".join(f"{len(curves)} by {method}" for method, curves in self.curves.items())
        return (
            f"<Band {self.field}, rows {self.rows[0]} to {self.rows[1]}, {len(self.time)} frames, {told or 'no stars'}>"
        )

    def images(self, method: str) -> list[StarImages]:
        """Aperture and mean image in each star's box, as a `LightCurveStore` keeps them; none of methods without."""
        from tessellar.products.starimages import StarImages

        masks = self.curves[method].apertures
        if masks is None:
            return []
        side = masks.masks.shape[1]
        padded = np.pad(self.image, side, constant_values=np.nan)
        made = []
        for star in range(len(masks)):
            left, bottom = int(masks.left[star]), int(masks.bottom[star])
            j, k = bottom - self.corner[1] + side, left - self.corner[0] + side
            cut = padded[j : j + side, k : k + side]
            flags = np.where(np.isfinite(cut), np.int32(AperturePixel.COLLECTED), np.int32(0))
            flags |= np.where(
                masks.masks[star], np.int32(AperturePixel.PHOTOMETRY | AperturePixel.CENTROID), np.int32(0)
            )
            made.append(StarImages(corner=(left, bottom), aperture=flags.astype(np.int32), sumimage=cut.copy()))
        return made
