"""Follow-up light curves, as observers upload them to ExoFOP: AstroImageJ, MuSCAT, KeplerCam and plainer tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from tessellar.errors import ProductError, Unrecognised
from tessellar.mission.time import BTJD_ORIGIN
from tessellar.products.followuptable import FloatArray, FollowupTable
from tessellar.products.followuptext import ObserversTable
from tessellar.products.followuptime import SYSTEMS, TimeAxis, is_time, time_axis

if TYPE_CHECKING:
    from astropy.table import QTable

# A star of AstroImageJ: T targets, C comparisons; copies that were normalised, detrended or fitted have endings.
_ENDINGS = ("", "_n", "_dn", "_d", "_fn", "_dfn")
_STAR = re.compile(rf"rel_flux_(?P<star>[TC]\d+)(?:{'|'.join(_ENDINGS)})", re.ASCII)
_FLUX = ("flux", "rel_flux", "flux_star_0", "relative_flux", "normflux", "norm_flux", "flux_norm")
_FLUX_ERR = ("err", "error", "flux_err", "errflux", "rel_flux_err", "flux_err_star_0", "relative_flux_err",
             "fluxerr", "flux_error", "e_flux", "sigma")  # fmt: skip

#: What stands beside the flux, called alike whoever wrote the file: our name, the names that observers use.
BESIDE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "airmass": ("airmass",),
        "fwhm": ("fwhm_{star}", "fwhm_mean", "fwhm", "fwhm(pix)"),
        "sky": ("sky/pixel_{star}", "sky", "sky(adu)"),
        "x": ("x(ij)_{star}", "x(fits)_{star}", "x_coord", "dx(pix)", "dx"),
        "y": ("y(ij)_{star}", "y(fits)_{star}", "y_coord", "dy(pix)", "dy"),
        "peak": ("peak_{star}", "peak(adu)", "peak"),
        "exposure": ("exptime", "exptime(s)", "exposure"),
        "comparison_counts": ("tot_c_cnts",),
    }
)
_UNITS = {"fwhm": "pix", "x": "pix", "y": "pix", "exposure": "s"}


class FollowupLightCurve(FollowupTable):
    r"""One star's brightness in one night, as a telescope on the ground measured it.

    Parameters
    ----------
    table : ObserversTable
        What the file says; users call `tessellar.read`.

    Attributes
    ----------
    star : str
        The star of the flux: ``T1``, or another of the file's targets where it has no first; empty in plainer tables.
    flux_column : str
        The column of the flux; where AstroImageJ's table has it, the one that was neither normalised nor detrended.
    time_axis : TimeAxis
        The times with their system, and what speaks against them.

    Raises
    ------
    Unrecognised
        If no column holds times, or none flux.

    Examples
    --------
    >>> import tempfile, pathlib, tessellar
    >>> path = pathlib.Path(tempfile.mkdtemp(), "TOI5671.01L-jd20220630_MuSCAT3_g_measurements.csv")
    >>> rows = ["BJD_TDB,Flux,Err,Airmass", "2459761.75468,1.0161,0.014,1.05", "2459761.756014,1.0101,0.0119,1.05"]
    >>> _ = path.write_text("\n".join(rows))
    >>> curve = tessellar.read(path)
    >>> curve
    <FollowupLightCurve TOI5671.01, 2022-06-30, MuSCAT3, g: 2 points, BJD_TDB>
    >>> curve.to_table().colnames
    ['time', 'flux', 'flux_err', 'airmass']
    """

    def __init__(self, table: ObserversTable) -> None:
        super().__init__(table)
        targets = [star for star in self.stars if star.startswith("T")]
        self.star = "T1" if "T1" in targets else next(iter(targets), "")
        flux, error = self._columns_of(self.star) if self.star else (self._first(*_FLUX), self._first(*_FLUX_ERR))
        if flux is None:
            raise Unrecognised(f"{self.path}: a table, but no column of it is a flux ({self._some_columns()})")
        self.flux_column = flux
        self._error_column = error
        self.time_axis = self._times()

    @property
    def author(self) -> str:
        """What wrote the table: ``AstroImageJ``, ``MuSCAT``, ``KeplerCam``, or ``observer`` where it does not tell."""
        if self.star and "source_radius" in self._lower:
            return "AstroImageJ"
        where = self.name.observatory if self.name else ""
        return next((known for known in ("MuSCAT", "KeplerCam") if where.lower().startswith(known.lower())), "observer")

    @property
    def time_system(self) -> str:
        """``BJD_TDB``, ``HJD_UTC``, ``JD_UTC`` …; ``unknown`` where the file does not tell."""
        return self.time_axis.system

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the times may be wrong; empty if nothing speaks against them."""
        return self.time_axis.doubts

    @property
    def jd(self) -> FloatArray:
        """Whole Julian dates in `time_system`, days."""
        return self.time_axis.jd

    @property
    def btjd(self) -> FloatArray:
        """BJD(TDB) - 2457000, days, to compare with TESS.

        Raises
        ------
        ProductError
            If the times are in another system: that would be off by up to minutes.
        """
        if self.time_system != "BJD_TDB":
            raise ProductError(f"{self.path}: its times are {self.time_system}, not BJD_TDB; take them from .jd")
        return self.jd - BTJD_ORIGIN

    @cached_property
    def flux(self) -> FloatArray:
        """The flux of the star, relative to that of the comparison stars; as it is in `flux_column`."""
        return self._table.numbers(self.flux_column)

    @cached_property
    def flux_err(self) -> FloatArray:
        """The 1-sigma error of `flux`; NaN where the file has none."""
        return self._numbers(self._error_column)

    @cached_property
    def comparisons(self) -> dict[str, tuple[FloatArray, FloatArray]]:
        """Flux and error of each comparison star (``C2``, ``C3`` …), each relative to the others."""
        found = {}
        for star in self.stars:
            if star.startswith("C"):
                flux, error = self._columns_of(star)
                found[star] = self._numbers(flux), self._numbers(error)
        return found

    @property
    def stars(self) -> tuple[str, ...]:
        """All stars that were measured, as ``T1``, ``C2``; empty in plainer tables."""
        found = (match["star"] for column in self.columns if (match := _STAR.fullmatch(column)))
        return tuple(dict.fromkeys(found))

    def beside(self, name: str) -> FloatArray | None:
        """What stands beside the flux, by a name of `BESIDE`, as ``airmass`` or ``fwhm``; None if it is not there."""
        column = self._first(*(each.format(star=self.star.lower()) for each in BESIDE[name]))
        return self._table.numbers(column) if column else None

    @cached_property
    def position(self) -> tuple[float, float] | None:
        """Right ascension and declination of the star as it was found on the images, degrees; None if not told."""
        found = []
        for key in (f"ra_{self.star}", f"dec_{self.star}"):
            column = self._lower.get(key.lower()) if self.star else None
            values = self._table.numbers(column) if column else np.array([np.nan])
            if not np.isfinite(values).any():
                return None
            found.append(float(np.nanmedian(values)))
        # AstroImageJ writes right ascensions in hours.
        return (found[0] * 15, found[1]) if 0 <= found[0] < 24 and -90 <= found[1] <= 90 else None

    def to_table(self) -> QTable:
        """Time, flux, error, what stands beside them, and the comparison stars, named alike for all files.

        Returns
        -------
        astropy QTable
            ``time`` (days, `time_system`), ``flux``, ``flux_err``, those of `BESIDE` that there are,
            and ``flux_C2``, ``flux_err_C2`` … for the comparison stars.
        """
        from astropy import units as u
        from astropy.table import QTable

        table = QTable({"time": self.jd * u.d, "flux": self.flux, "flux_err": self.flux_err})
        for name in BESIDE:
            values = self.beside(name)
            if values is not None:
                table[name] = values * u.Unit(_UNITS[name]) if name in _UNITS else values
        for star, (flux, error) in self.comparisons.items():
            table[f"flux_{star}"], table[f"flux_err_{star}"] = flux, error
        table["time"].info.description = f"{self.time_system}, column {self.time_axis.column}"
        table.meta.update(
            {"file": self.path.name, "time_system": self.time_system, "star": self.star, "doubts": list(self.doubts)}
        )
        return table

    def __repr__(self) -> str:
        who = str(self.name).removesuffix(", measurements") if self.name else self.path.name
        return f"<FollowupLightCurve {who}: {len(self)} points, {self.time_system}{', doubtful' * bool(self.doubts)}>"

    def _repr_html_(self) -> str:
        first, last = float(np.nanmin(self.jd)), float(np.nanmax(self.jd))
        rows = {
            "file": self.path.name, "star": self.tic or self.toi, "author": self.author,
            "time": f"{first:.5f} to {last:.5f} {self.time_system}", "doubts": "; ".join(self.doubts) or "none",
            "points": len(self), "comparison stars": ", ".join(self.comparisons) or "none told",
        }  # fmt: skip
        lines = "".join(f"<tr><th>{escape(key)}</th><td>{escape(str(value))}</td></tr>" for key, value in rows.items())
        return f"<table><caption>FollowupLightCurve</caption>{lines}</table>"

    def _columns_of(self, star: str) -> tuple[str | None, str | None]:
        """The columns of a star's flux and error: the ones that nobody has worked on, where the file has them."""
        for ending in _ENDINGS:
            flux = self._lower.get(f"rel_flux_{star}{ending}".lower())
            if flux is not None:
                return flux, self._lower.get(f"rel_flux_err_{star}{ending}".lower())
        return None, None

    def _times(self) -> TimeAxis:
        keys = [key for key in self._lower if is_time(key)]
        columns = {key: self._table.numbers(self._lower[key]) for key in keys}
        found = time_axis(columns, self._lower, self.name.night if self.name else None, self.position)
        if found is None:
            known = ", ".join(names[0].upper() for names in SYSTEMS.values())
            raise Unrecognised(f"{self.path}: a table, but no column of it is a time ({known} …)")
        return found

    def _some_columns(self) -> str:
        return ", ".join(self.columns[:6]) + (" …" if len(self.columns) > 6 else "")
