"""The tables of ExoFOP, by the names of their columns as ExoFOP's download pages write them.

A real table may have other columns than these, for they come, go and move over the years;
these are what a table has that has not a single row.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: A column of ours, never sent: whose value is ``Y`` where a row is for its user and its group only.
PROPRIETARY = "Proprietary"


def _both(error: str, *names: str) -> tuple[str, ...]:
    """Each quantity, followed by its error."""
    return tuple(column for name in names for column in (name, f"{name} {error}"))


_PROPER_MOTIONS = ("PM RA (mas/yr)", "PM RA err (mas/yr)", "PM Dec (mas/yr)", "PM Dec err (mas/yr)")

_TOIS = (
    "TIC ID", "TOI", "Previous CTOI", "Master", "SG1A", "SG1B", "SG2", "SG3", "SG4", "SG5", "ESM", "TSM",
    "Predicted Mass (M_Earth)", "Predicted RV Semi-amplitude (m/s)", "Time Series Observations",
    "Spectroscopy Observations", "Imaging Observations", "TESS Disposition", "TFOPWG Disposition",
    "TESS Mag", "TESS Mag err", "Planet Name", "Pipeline Signal ID", "Source", "Detection", "RA", "Dec",
    *_PROPER_MOTIONS,
    *_both("err", "Epoch (BJD)", "Period (days)", "Duration (hours)", "Depth (mmag)", "Depth (ppm)"),
    "Planet Radius (R_Earth)", "Planet Radius (R_Earth) err", "Planet Insolation (Earth Flux)",
    "Planet Equil Temp (K)", "Planet SNR",
    *_both(
        "err", "Stellar Distance (pc)", "Stellar Eff Temp (K)", "Stellar log(g) (cm/s^2)", "Stellar Radius (R_Sun)",
        "Stellar Metallicity", "Stellar Mass (M_Sun)",
    ),
    "Sectors", "Date TOI Alerted (UTC)", "Date TOI Updated (UTC)", "Date Modified", "Comments",
)  # fmt: skip

_CTOIS = (
    "TIC ID", "CTOI", "Promoted to TOI", "MASTER", "SG1A", "SG1B", "SG2", "SG3", "SG4", "SG5", "User Disposition",
    "TFOPWG Disposition", "TESS Mag", "TESS Mag err", "RA", "Dec", "PM RA (mas/yr)", "PM RA err (mas/yr)",
    "PM Dec (mas/yr)", "PM RA (mas/yr)",  # the second is the error of PM Dec, and is called so
    "Transit Epoch (BJD)", "Transit Epoch (BJD) err",
    *_both(
        "Error", "Period (days)", "Depth mmag", "Depth ppm", "Duration (hrs)", "Inclination (deg)", "Impact Param",
        "Rad_p/Rad_s", "a/Rad_s", "Planet Radius (R_Earth)", "Mass (M_Earth)", "Insolation (Earth Flux)",
        "Equilibrium Temp (K)", "Fitted Stellar Density (g/cm^3)", "Semi-Major Axis (AU)",
    ),
    "Eccentricity", "Eccentricity (Error)",
    *_both("Error", "Arg of Periastron", "Time of Periastron (BJD)", "Velocity Semi-amp (m/s)"),
    *_both("err", "Stellar Distance (pc)", "Stellar Eff Temp (K)", "Stellar log(g) (cm/s^2)", "Stellar Radius (R_Sun)"),
    "CTOI lastmod", "User", "Group", "Tag", "Notes",
)  # fmt: skip

_OBSERVATION = ("User", "Group", "Tag", "Notes")

_TIME_SERIES = (
    "TIC ID", "TIC", "TOI", "Telescope", "Camera", "Filter", "Pixel Scale", "PSF", "Phot Aperture Rad", "Obs Date",
    "Obs Duration", "Num Obs", "Obs Type", "Transit Coverage", "Delta Mag", *_OBSERVATION,
)  # fmt: skip

_SPECTROSCOPY = (
    "TIC ID", "TIC", "TOI", "Telescope", "Instrument", "Spectral resolution", "Wavelength coverage", "SNR/resolution",
    "SNR wavelength", "Appropriate to PRV", "Obs Date", *_OBSERVATION,
)  # fmt: skip

_IMAGING = (
    "TIC ID", "TIC", "TOI", "Telescope", "Instrument", "Filter", "Image Type", "Pixel Scale", "PSF", "Contrast",
    "Obs Date", *_OBSERVATION,
)  # fmt: skip

_STELLAR_PARAMETERS = (
    "TIC ID", "Table", "Telescope", "Instrument",
    *_both(
        "err", "Teff (K)", "log(g)", "Radius (R_Sun)", "logR'HK", "S-index", "H-alpha", "vsini (km/s)",
        "Rotation Period (days)", "Metallicity", "Mass (M_Sun)", "Density (g/cm^3)", "Luminosity (L_Sun)",
        "Obs Time (BJD)", "RV (m/s)", "Distance (pc)", "Age (Gyr)", "SNR",
    ),
    "Fit Quality", "Date", *_OBSERVATION,
)  # fmt: skip

_PLANET_PARAMETERS = (
    "TIC ID", "Name", "TOI", "Table", "Disposition",
    *_both(
        "err", "Epoch (BJD)", "Period (days)", "Duration (hours)", "Depth (mmag)", "Depth (ppm)", "Radius (R_Earth)",
        "Inclination (deg)", "Rad_p/Rad_s", "a/Rad_s", "Impact Parameter b", "Mass (M_Earth)", "Semi-Major Axis (AU)",
        "Eccentricity", "Arg of Periastron (deg)", "Insolation (Earth Flux)", "Equilibrium Temp (K)",
        "Fitted Stellar Density (g/cm3)", "Time of Periastron (BJD)", "Velocity Semi-amp (m/s)", "SNR",
    ),
    "Date", *_OBSERVATION,
)  # fmt: skip

_NEARBY_TARGETS = (
    "TIC ID", "TOI", "RA", "Dec", "TESS Mag", "GAIA DR2", "GAIA Mag", "Distance(pc)", "Distance Err (pc)",
    "PM RA (mas/yr)", "PM RA Err (mas/yr)", "PM Dec (mas/yr)", "PM Dec Err (mas/yr)", "Separation (arcsec)",
    "Position Angle (deg E. of N.)",
)  # fmt: skip

_STELLAR_COMPANIONS = (
    "TIC ID", "TOI", *_both("Error", "Separation (arcsec)", "Pos Angle E of N (deg)"), "Filter",
    *_both("Error", "Delta Mag"), "Observation Date (UT)", "Date", *_OBSERVATION,
)  # fmt: skip

#: Every table that a folder of ExoFOP data may hold: its name, and the columns that it has when it is empty.
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "tois": _TOIS,
        "ctois": _CTOIS,
        "time_series": _TIME_SERIES,
        "spectroscopy": _SPECTROSCOPY,
        "imaging": _IMAGING,
        "stellar_parameters": _STELLAR_PARAMETERS,
        "planet_parameters": _PLANET_PARAMETERS,
        # Of a star, the stars about it: `Target` says whose neighbours they are, and is not sent.
        "nearby_targets": ("Target", *_NEARBY_TARGETS),
        "stellar_companions": _STELLAR_COMPANIONS,
        "magnitudes": ("TIC ID", "Band", "Value", "Value err", "Date", "User", "Group", "Tag", "Notes", "Table"),
        "files": ("Type", "File Name", "File ID", "TIC", "TOI", "Date", "User", "Group", "Tag", "Description"),
        "notes": ("ID", "TIC ID", "Username", "Groupname", "TAG ID", "Lastmod", "notes"),
        "tags": ("Tag ID", "Tag", "User", "Group", "Date Tag Created", "Date Tag Last Modified"),
        "targets": (
            "TIC ID", "Star Names", "RA", "Dec", *_PROPER_MOTIONS, "Confirmed Planets", "K2 Campaign",
            "TIC Contamination Ratio",
        ),
    }
)  # fmt: skip
