"""Transits seen from the ground: where and when they can be seen, and the tables that observers make of them.

What the telescope measures is the true signal of the star, with noise; times are what AstroImageJ would
write: JD_UTC at mid-exposure and the BJD_TDB of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tessellar.mission.time import BTJD_ORIGIN
from tessellar.products.followuptime import barycentric_correction
from tessellar.simulate.stars import Star

FloatArray = NDArray[np.float64]

_JD_OF_ORDINAL = 1721424.5
_LOWEST_STAR, _HIGHEST_SUN = 25.0, -12.0
_MARGIN_HOURS = 1.0
# Scatter of one exposure of a star of T = 10 with a 1-m telescope, from scintillation and photons.
_SCATTER_AT_10 = 0.0011


@dataclass(frozen=True)
class Site:
    """A telescope: how observers write it in file names and tables, where it stands (degrees), how large it is (m)."""

    code: str
    telescope: str
    camera: str
    longitude: float
    latitude: float
    diameter: float
    pixel_scale: float


SITES = (
    Site("LCO-CTIO-1m0", "LCO-CTIO (1 m)", "Sinistro", -70.804, -30.167, 1.0, 0.39),
    Site("LCO-SAAO-1m0", "LCO-SAAO (1 m)", "Sinistro", 20.810, -32.380, 1.0, 0.39),
    Site("LCO-McD-1m0", "LCO-McD (1 m)", "Sinistro", -104.015, 30.680, 1.0, 0.39),
    Site("LCO-Teid-1m0", "LCO-Teid (1 m)", "Sinistro", -16.510, 28.300, 1.0, 0.39),
)
MUSCAT_SITES = (
    Site("MuSCAT4", "LCO-FTS (2 m)", "MuSCAT4", 149.070, -31.273, 2.0, 0.27),
    Site("MuSCAT3", "LCO-FTN (2 m)", "MuSCAT3", -156.257, 20.707, 2.0, 0.27),
)


@dataclass(frozen=True)
class Night:
    """A transit from before its beginning until after its end, as seen from one site.

    Attributes
    ----------
    site : Site
        From where.
    star : Star
        Which star.
    jd_utc, bjd_tdb : array, shape (n,)
        Mid-times of the exposures, days.
    airmass : array, shape (n,)
        Through how much air.
    exposure : float
        Seconds.
    """

    site: Site
    star: Star
    jd_utc: FloatArray
    bjd_tdb: FloatArray
    airmass: FloatArray
    exposure: float

    @property
    def date(self) -> date:
        """The UT date on which it begins."""
        return date.fromordinal(int(np.floor(self.jd_utc[0] - _JD_OF_ORDINAL)))

    @property
    def signal(self) -> FloatArray:
        """The star's true relative flux."""
        return self.star.signal.relative(self.bjd_tdb - BTJD_ORIGIN)

    @property
    def minutes(self) -> float:
        """How long it lasts."""
        return float(self.jd_utc[-1] - self.jd_utc[0]) * 1440


def visible_nights(
    star: Star, sites: tuple[Site, ...], after: float, number: int, exposure: float = 120.0
) -> list[Night]:
    """The first transits of a star that can be seen whole from one of the sites, by night and high enough.

    Parameters
    ----------
    star : Star
        One whose signal has a period and a duration.
    sites : tuple of Site
        Where telescopes are; each night is given to the first that sees it.
    after : float
        BTJD from which on.
    number : int
        How many nights at most; within three years.
    exposure : float
        Seconds from one exposure to the next.
    """
    signal = star.signal
    first = int(np.ceil((after - signal.epoch) / signal.period))
    transits = signal.epoch + signal.period * np.arange(first, first + int(1100 / signal.period))
    half = signal.duration / 2 + _MARGIN_HOURS / 24
    nights: list[Night] = []
    for middle in transits:
        # To choose a night it is enough to take one time for the other.
        times = middle + BTJD_ORIGIN + np.linspace(-half, half, 9)
        site = next((each for each in sites if _sees(each, star, times)), None)
        if site is not None:
            nights.append(_night(site, star, float(middle), half, exposure))
        if len(nights) == number:
            break
    return nights


def _sees(site: Site, star: Star, jd: FloatArray) -> bool:
    sun = _altitude(site, *_sun(jd), jd)
    return bool((_altitude(site, star.ra, star.dec, jd) > _LOWEST_STAR).all() and (sun < _HIGHEST_SUN).all())


def _night(site: Site, star: Star, middle: float, half: float, exposure: float) -> Night:
    bjd = BTJD_ORIGIN + middle + np.arange(-half, half, exposure / 86400)
    # From BJD_TDB back to JD_UTC: the second round is good to microseconds.
    utc = bjd
    for _ in range(2):
        utc = bjd - barycentric_correction(utc, star.ra, star.dec) / 86400
    air = 1 / np.sin(np.deg2rad(_altitude(site, star.ra, star.dec, utc)))
    return Night(site, star, utc, bjd, air, exposure)


def _altitude(site: Site, ra: float | FloatArray, dec: float | FloatArray, jd: FloatArray) -> FloatArray:
    """Altitude above the horizon, degrees (Meeus 1998, chapter 13)."""
    sidereal = 280.46061837 + 360.98564736629 * (jd - 2451545.0) + site.longitude
    hour_angle, dec, latitude = np.deg2rad(sidereal - ra), np.deg2rad(dec), np.deg2rad(site.latitude)
    sine = np.sin(latitude) * np.sin(dec) + np.cos(latitude) * np.cos(dec) * np.cos(hour_angle)
    return np.asarray(np.rad2deg(np.arcsin(sine)))


def _sun(jd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Right ascension and declination of the Sun, degrees, to 0.01 (Astronomical Almanac, low precision)."""
    days = jd - 2451545.0
    anomaly = np.deg2rad(357.528 + 0.9856003 * days)
    longitude = np.deg2rad(280.460 + 0.9856474 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    tilt = np.deg2rad(23.439)
    ra = np.arctan2(np.cos(tilt) * np.sin(longitude), np.cos(longitude))
    return np.rad2deg(ra), np.rad2deg(np.arcsin(np.sin(tilt) * np.sin(longitude)))


def scatter(star: Star, site: Site, exposure: float) -> float:
    """Relative scatter of one exposure: fewer photons, more of it."""
    light = 10 ** (-0.4 * (star.tmag - 10.0)) * site.diameter**2 * exposure / 60.0
    return float(_SCATTER_AT_10 * np.hypot(1.0, 0.5 / np.sqrt(light)))


def astroimagej_table(night: Night, comparisons: tuple[Star, ...], rng: np.random.Generator) -> str:
    """Write a night as AstroImageJ writes its measurements.

    Parameters
    ----------
    night : Night
        When, where, which star.
    comparisons : tuple of Star
        Two stars at least, to which it is compared; they do not vary.
    rng : Generator
        Of the noise.
    """
    count = len(night.jd_utc)
    error = scatter(night.star, night.site, night.exposure)
    stars = {"T1": night.star, **{f"C{number}": star for number, star in enumerate(comparisons, 2)}}
    # Each star has its own noise, which its neighbours do not share.
    noise = {name: max(error, scatter(star, night.site, night.exposure)) for name, star in stars.items()}
    counts = {
        name: star.flux * 900 * night.exposure * (1 + noise[name] * rng.standard_normal(count))
        for name, star in stars.items()
    }
    counts["T1"] = counts["T1"] * night.signal
    total = np.sum([counts[name] for name in stars if name != "T1"], axis=0)
    relative: dict[str, FloatArray] = {}
    columns: dict[str, FloatArray | list[str]] = {
        "Label": [
            f"{night.site.code.lower()}-{night.date:%Y%m%d}-{number:04d}-e91.fits.fz" for number in range(1, count + 1)
        ],
        "slice": np.arange(1.0, count + 1),
        "Saturated": np.zeros(count),
        "J.D.-2400000": night.jd_utc - 2400000,
        "JD_UTC": night.jd_utc,
        "BJD_TDB": night.bjd_tdb,
        "AIRMASS": night.airmass,
        "EXPTIME": np.full(count, night.exposure),
        "Source_Radius": np.full(count, 15.0),
        "Sky_Rad(min)": np.full(count, 25.0),
        "Sky_Rad(max)": np.full(count, 37.0),
    }
    for name in stars:
        # A comparison star is compared to the others.
        relative[name] = counts[name] / (total - counts[name] if name != "T1" else total)
        columns[f"rel_flux_{name}"] = relative[name]
    for name in stars:
        others = [other for other in stars if other not in ("T1", name)]
        light = sum(stars[other].flux for other in others)
        rest = sum((noise[other] * stars[other].flux) ** 2 for other in others) ** 0.5 / light
        columns[f"rel_flux_err_{name}"] = relative[name] * np.hypot(noise[name], rest)
    columns["tot_C_cnts"] = total
    drift = np.cumsum(rng.normal(0, 0.02, (2, count)), axis=1)
    columns["X(IJ)_T1"], columns["Y(IJ)_T1"] = 1024.0 + drift[0], 1024.0 + drift[1]
    columns["RA_T1"], columns["DEC_T1"] = np.full(count, night.star.ra / 15), np.full(count, night.star.dec)
    columns["Source-Sky_T1"] = counts["T1"]
    columns["Sky/Pixel_T1"] = 120 * night.airmass
    columns["FWHM_T1"] = 4.5 * night.airmass**0.6 + rng.normal(0, 0.15, count)
    return _lines(columns, "\t")


def muscat_table(night: Night, rng: np.random.Generator) -> str:
    """Write a night as the MuSCAT team writes its light curves: flux relative to the star without transit."""
    count = len(night.jd_utc)
    error = scatter(night.star, night.site, night.exposure)
    flux = night.signal + error * rng.standard_normal(count)
    columns: dict[str, FloatArray | list[str]] = {
        "BJD_TDB": night.bjd_tdb, "Flux": flux, "Err": np.full(count, error), "Airmass": night.airmass,
        "DX(pix)": rng.normal(0, 0.8, count), "DY(pix)": rng.normal(0, 0.8, count),
        "FWHM(pix)": 7 * night.airmass**0.6 + rng.normal(0, 0.3, count),
        "Peak(ADU)": rng.normal(20000, 900, count).round(),
    }  # fmt: skip
    return _lines(columns, ",")


def contrast_table(star: Star, observed: date, telescope: str, instrument: str) -> str:
    """Write what speckle imaging reaches, as contrast curves are uploaded."""
    separation = np.arange(0.05, 2.96, 0.1)
    contrast = 6.8 * (1 - np.exp(-((separation / 0.28) ** 1.2))) - max(0.0, star.tmag - 10) * 0.3
    head = f"Target = TIC {star.tic}\nDate_Obs [UT] = {observed}\nTelescope = {telescope}\nInstrument = {instrument}\n"
    rows = "".join(f"{each:.3f}, {limit:.3f}, 0.050\n" for each, limit in zip(separation, contrast, strict=True))
    return (
        f"{head}Filter = I\nPixel_Scale [arcsec/pix] = 0.01575\nPSF_FWHM [arcsec] = 0.064\narcsec, dmag, dmrms\n{rows}"
    )


def _lines(columns: dict[str, FloatArray | list[str]], separator: str) -> str:
    cells = [
        values if isinstance(values, list) else [_number(float(value)) for value in values]
        for values in columns.values()
    ]
    rows = [separator.join(row) for row in zip(*cells, strict=True)]
    return "\n".join([separator.join(columns), *rows]) + "\n"


def _number(value: float) -> str:
    return (
        f"{value:.0f}"
        if value == int(value) and abs(value) < 1e6
        else f"{value:.9f}"
        if value > 1000
        else f"{value:.9g}"
    )
