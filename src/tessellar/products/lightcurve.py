"""Light curves of any author, read-only."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Unrecognised
from tessellar.products.exchange import to_lightkurve
from tessellar.products.fitsfile import FitsFile
from tessellar.products.layouts import light_curve_layout
from tessellar.products.series import TimeSeries

if TYPE_CHECKING:
    from collections.abc import Mapping

    import lightkurve
    import pandas as pd
    from astropy.table import Table

    from tessellar.products.keywords import Value
    from tessellar.products.provenance import Provenance


class Weights(NamedTuple):
    """Weights of a stamp's pixels from one cadence to another, both included; 0 for pixels that were not used."""

    first_cadence: int
    last_cadence: int
    weights: NDArray[np.float64]


class LightCurve(TimeSeries):
    """One star's brightness over one sector, as one author measured it.

    Parameters
    ----------
    file : FitsFile
        The opened file; users call `tessellar.read`.

    Raises
    ------
    Unrecognised
        If the table is laid out as no known author does it.

    Examples
    --------
    >>> import tempfile, pathlib, tessellar
    >>> from tessellar.products import write_light_curve
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "lc.fits"
    >>> columns = {"TIME": [1325.30, 1325.31], "FLUX": [1000.0, 1001.0], "FLUX_ERR": [1.5, 1.5]}
    >>> _ = write_light_curve(path, columns, meta={"tic": 25155310, "sector": 1, "cadence": 120})
    >>> lc = tessellar.read(path)
    >>> lc.tic, lc.sector, lc.author, len(lc)
    (TIC(25155310), 1, 'tessellar', 2)
    >>> lc.flux.tolist(), lc.units["FLUX"]
    ([1000.0, 1001.0], 'e-/s')
    """

    def __init__(self, file: FitsFile) -> None:
        table = next((hdu for hdu in file.hdus if hdu.is_table), None)
        layout = light_curve_layout(file.hdus[0].keys, file.columns(table)) if table else None
        if table is None or layout is None:
            raise Unrecognised(f"{file.path}: not a light curve of an author that tessellar knows")
        super().__init__(file, table, layout)

    @cached_property
    def flux_column(self) -> str:
        """The author's own choice of flux (SPOC: PDCSAP_FLUX), or the next best where that is empty."""
        present = [name for name in self._layout.flux if name in self._file.columns(self._table)]
        filled = (name for name in present if np.isfinite(self.column(name)).any())
        return next(filled, present[0])

    @property
    def normalised(self) -> bool:
        """Whether `flux` is relative to its median rather than in electrons per second."""
        return self.flux_column in self._layout.normalised

    @property
    def flux(self) -> NDArray[Any]:
        """The author's own choice of flux: e-/s, or relative where `normalised`."""
        return self.column(self.flux_column)

    @cached_property
    def flux_err(self) -> NDArray[Any]:
        """The 1-sigma error of `flux`; NaN where the author gives none."""
        layout, columns = self._layout, self._file.columns(self._table)
        own = f"{self.flux_column}_ERR"
        name = own if own in columns else next((name for name in layout.flux_err if name in columns), None)
        number = self._table.keys.get(layout.error_key)
        errors: NDArray[Any]
        if name is None:
            errors = np.full(len(self), number if isinstance(number, int | float) else np.nan, np.float32)
        elif layout.error_of:
            with np.errstate(divide="ignore", invalid="ignore"):
                errors = self.flux * (self.column(name) / self.column(layout.error_of))
        else:
            return self.column(name)
        errors.flags.writeable = False
        return errors

    @property
    def sap_flux(self) -> NDArray[Any]:
        """The flux in the aperture, background subtracted, uncorrected; of authors that call it so."""
        names = [name for name in ("SAP_FLUX", "FLUX_RAW", "RAW_FLUX", "APERTURE_FLUX") if name in self._upper]
        return self.column(names[0] if names else "SAP_FLUX")

    @cached_property
    def aperture(self) -> NDArray[np.int32] | None:
        """The flags of the stamp's pixels, (rows, columns); bit 2 marks the aperture. None where the file has none."""
        hdu = self._file.find("APERTURE")
        image = self._file.image(hdu) if hdu else None
        if image is None:
            return None
        flags = image.astype(np.int32)
        flags.flags.writeable = False
        return flags

    @cached_property
    def mean_image(self) -> NDArray[Any] | None:
        """Mean image of the good cadences, (rows, columns), e-/s; None where the file has none."""
        hdu = self._file.find("SUMIMAGE")
        image = self._file.image(hdu) if hdu else None
        return image if image is not None and image.ndim == 2 else None

    @cached_property
    def corner(self) -> tuple[int, int]:
        """CCD column and row, 1-based, of pixel [0, 0] of `mean_image` and `aperture`; (1, 1) where it is not told."""
        hdu = self._file.find("SUMIMAGE") or self._file.find("APERTURE")
        return corner_of(hdu.keys) if hdu else (1, 1)

    @cached_property
    def weight_maps(self) -> tuple[Weights, ...]:
        """With what weights pixels entered the flux, span by span; empty where they were added up."""
        hdu = self._file.find("WEIGHTMAP")
        if hdu is None:
            return ()
        names = ("CADENCENO1", "CADENCENO2", "WEIGHTMAP")
        firsts, lasts, maps = (self._file.column(hdu, name) for name in names)
        return tuple(
            Weights(int(first), int(last), np.asarray(weights, dtype=np.float64))
            for first, last, weights in zip(firsts, lasts, maps, strict=True)
        )

    @cached_property
    def provenance(self) -> Provenance | None:
        """What it was made from and how, where the file records it."""
        from tessellar.products.provenance import read_provenance

        return read_provenance(self._file)

    def to_table(self) -> Table:
        """Give all columns as an astropy Table, times as `Time`, units attached; the file's names kept.

        Rows without a time are left out.
        """
        from astropy.table import Column, Table

        timed = np.isfinite(self.btjd)
        table = Table(meta=self._about())
        for name, unit in self.units.items():
            if name.upper() == self._layout.time:
                table[name] = self.time[timed]
            else:
                table[name] = Column(self.column(name)[timed], unit=_UNITS.get(unit, unit) or None)
        return table

    def to_pandas(self) -> pd.DataFrame:
        """Give all columns of one number a cadence as a pandas DataFrame, gaps included; the file's names kept."""
        import pandas as pd

        return pd.DataFrame({name: self.column(name) for name in self.columns if self.column(name).ndim == 1})

    def to_lightkurve(self, flux_column: str | None = None) -> lightkurve.TessLightCurve:
        """Give a `lightkurve.TessLightCurve` with the same flux, errors, flags and cadence numbers, and its author.

        Parameters
        ----------
        flux_column : str, optional
            Another column than `flux_column` to be its flux.
        """
        return to_lightkurve(self, flux_column)

    @property
    def _upper(self) -> set[str]:
        return set(self._file.columns(self._table))

    def _about(self) -> dict[str, Any]:
        return {
            "author": self.author,
            "tic": self.tic.id if self.tic else None,
            "sector": self.sector,
            "camera": self.camera,
            "ccd": self.ccd,
            "cadence": self.cadence,
            "tmag": self.tmag,
            "ra": self.ra,
            "dec": self.dec,
            "filename": self.path.name,
        }


# Units that TESS files write and astropy cannot read.
def corner_of(keys: Mapping[str, Value]) -> tuple[int, int]:
    """CCD column and row of an image's first pixel by its physical coordinates (CRVALnP and its like), else (1, 1)."""
    found = []
    for axis in (1, 2):
        value, pixel, step = (keys.get(f"{name}{axis}P", 1) for name in ("CRVAL", "CRPIX", "CDELT"))
        if not all(isinstance(each, int | float) for each in (value, pixel, step)):
            return (1, 1)
        found.append(round(float(value) + (1 - float(pixel)) * float(step)))  # type: ignore[arg-type]
    return found[0], found[1]


_UNITS = {
    "e-/s": "electron / s",
    "pixels": "pix",
    "pixel": "pix",
    "ppm": "1e-6",
    "BJD - 2457000, days": "d",
    "BJD-2457000, days": "d",
    "JD - 2457000, days": "d",
}
