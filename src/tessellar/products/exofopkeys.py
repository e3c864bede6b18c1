"""What ExoFOP calls things in JSON: the keys of its objects, and the columns of its tables that have the same."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _both(names: Mapping[str, str], error: str = "err") -> dict[str, str]:
    """Name the quantities and, with the key ``_e``, their errors."""
    return {
        key: name for short, long in names.items() for key, name in ((short, long), (f"{short}_e", f"{long} {error}"))
    }


#: Of ``json/tois.json``; those without a column are empty.
TOI_KEYS = {
    "ticid": "TIC ID", "toi": "TOI", "ctoival": "Previous CTOI", "master_priority": "Master",
    "sg1a_priority": "SG1A", "sg1b_priority": "SG1B", "sg2_priority": "SG2", "sg3_priority": "SG3",
    "sg4_priority": "SG4", "sg5_priority": "SG5", "acwg_priority": "", "acwg_esm": "ESM", "acwg_tsm": "TSM",
    "acwg_ckmass": "Predicted Mass (M_Earth)", "numtseries": "Time Series Observations",
    "numspect": "Spectroscopy Observations", "numimaging": "Imaging Observations", "disposition": "TESS Disposition",
    "tfopwg_disposition": "TFOPWG Disposition", "tfopwg_disposition_viewedit": "TFOPWG Disposition",
    "tess_mag": "TESS Mag", "tess_mag_error": "TESS Mag err", "num_pc": "Pipeline Signal ID", "source": "Source",
    "detection": "Detection", "ra": "RA", "dec": "Dec", "pm_ra": "PM RA (mas/yr)", "pmra_e": "PM RA err (mas/yr)",
    "pm_dec": "PM Dec (mas/yr)", "pmdec_e": "PM Dec err (mas/yr)", "epoch": "Epoch (BJD)",
    "epoch_e": "Epoch (BJD) err", "period": "Period (days)", "period_e": "Period (days) err",
    "duration": "Duration (hours)", "duration_e": "Duration (hours) err", "depth_mmag": "Depth (mmag)",
    "depth1_e": "Depth (mmag) err", "depth_ppm": "Depth (ppm)", "depth2_e": "Depth (ppm) err",
    "planet_radius": "Planet Radius (R_Earth)", "prad_e": "Planet Radius (R_Earth) err",
    "planet_insolation": "Planet Insolation (Earth Flux)", "planet_eqtemp": "Planet Equil Temp (K)",
    "planet_snr": "Planet SNR", "stellar_distance": "Stellar Distance (pc)", "d_e": "Stellar Distance (pc) err",
    "stellar_teff": "Stellar Eff Temp (K)", "teff_e": "Stellar Eff Temp (K) err",
    "stellar_logg": "Stellar log(g) (cm/s^2)", "logg_e": "Stellar log(g) (cm/s^2) err",
    "stellar_radius": "Stellar Radius (R_Sun)", "srad_e": "Stellar Radius (R_Sun) err", "mh": "Stellar Metallicity",
    "mh_e": "Stellar Metallicity err", "mass": "Stellar Mass (M_Sun)", "mass_e": "Stellar Mass (M_Sun) err",
    "sectors": "Sectors", "comments": "Comments", "date_toi_alerted": "Date TOI Alerted (UTC)",
    "date_toi_edited": "Date TOI Updated (UTC)", "date_modified": "Date Modified", "editpri": "",
}  # fmt: skip
TOI_TEXT = {
    "ctoival", "disposition", "tfopwg_disposition", "tfopwg_disposition_viewedit", "source", "detection", "sectors",
    "comments", "date_toi_alerted", "date_toi_edited", "date_modified", "editpri", "acwg_priority",
}  # fmt: skip

_PLANET_KEYS = {
    "name": "Name", "toi": "TOI",
    **_both(
        {
            "epoch": "Epoch (BJD)", "per": "Period (days)", "dur": "Duration (hours)", "dep_m": "Depth (mmag)",
            "dep_p": "Depth (ppm)", "rad": "Radius (R_Earth)", "inc": "Inclination (deg)", "rr": "Rad_p/Rad_s",
            "ar": "a/Rad_s", "imp": "Impact Parameter b", "mass": "Mass (M_Earth)", "sma": "Semi-Major Axis (AU)",
            "ecc": "Eccentricity", "arg": "Arg of Periastron (deg)", "ins": "Insolation (Earth Flux)",
            "eqt": "Equilibrium Temp (K)", "dens": "Fitted Stellar Density (g/cm3)",
            "time": "Time of Periastron (BJD)", "vsa": "Velocity Semi-amp (m/s)", "snr": "SNR",
        }
    ),
    "pnotes": "Notes", "pdate": "Date", "puser": "User", "pobid": "", "pgroup": "Group", "ptag": "Tag",
}  # fmt: skip
_PLANET_UNITS = {
    "epoch": "BJD", "per": "days", "dep_m": "mmag", "dep_p": "ppm", "dur": "hrs", "inc": "deg", "imp": "", "rr": "",
    "ar": "", "rad": "R_Earth", "mass": "M_Earth", "ins": "Earth flux", "eqt": "K", "dens": "g/cm^3", "sma": "AU",
    "ecc": "", "arg": "", "time": "BJD", "vsa": "m/s", "snr": "",
}  # fmt: skip
_STELLAR_KEYS = {
    "tel": "Telescope", "inst": "Instrument",
    **_both(
        {
            "teff": "Teff (K)", "logg": "log(g)", "srad": "Radius (R_Sun)", "logr": "logR'HK", "sindex": "S-index",
            "halpha": "H-alpha", "vsini": "vsini (km/s)", "rotper": "Rotation Period (days)", "met": "Metallicity",
            "mass": "Mass (M_Sun)", "dens": "Density (g/cm^3)", "lum": "Luminosity (L_Sun)",
            "otime": "Obs Time (BJD)", "rv": "RV (m/s)", "dist": "Distance (pc)", "age": "Age (Gyr)", "snr": "SNR",
        }
    ),
    "fitq": "Fit Quality", "snotes": "Notes", "sdate": "Date", "suser": "User", "sgroup": "Group", "stag": "Tag",
}  # fmt: skip
_STELLAR_UNITS = {
    "teff": "K", "logg": "", "srad": "R_Sun", "logr": "", "sindex": "", "halpha": "", "vsini": "km/s",
    "rotper": "days", "met": "", "mass": "M_Sun", "dens": "g/cm^3", "lum": "L_Sun", "otime": "BJD", "rv": "m/s",
    "dist": "pc", "age": "Gyr", "snr": "",
}  # fmt: skip
_COMPANION_KEYS = {
    **_both({"sep": "Separation (arcsec)", "pa": "Pos Angle E of N (deg)"}, "Error"), "filt": "Filter",
    **_both({"dmag": "Delta Mag"}, "Error"), "odate": "Observation Date (UT)", "cnotes": "Notes", "cdate": "Date",
    "cuser": "User", "cgroup": "Group", "ctag": "Tag",
}  # fmt: skip
_MAGNITUDE_KEYS = {
    "band": "Band", "value": "Value", "value_e": "Value err", "mnotes": "Notes", "mdate": "Date", "muser": "User",
    "mgroup": "Group", "mtag": "Tag", "mtabname": "Table",
}  # fmt: skip
_IMAGING_KEYS = {
    "itel": "Telescope", "iinst": "Instrument", "ifilt": "Filter", "itype": "Image Type", "ipix": "Pixel Scale",
    "ipsf": "PSF", "icont": "Contrast", "idate": "Obs Date", "iuser": "User", "igroup": "Group", "itag": "Tag",
    "inotes": "Notes",
}  # fmt: skip
_SPECTROSCOPY_KEYS = {
    "stel": "Telescope", "sinst": "Instrument", "ssres": "Spectral resolution", "swave": "Wavelength coverage",
    "ssnr1": "SNR/resolution", "ssnr2": "SNR wavelength", "sapp": "Appropriate to PRV", "sdate": "Obs Date",
    "suser": "User", "sgroup": "Group", "stag": "Tag", "snotes": "Notes",
}  # fmt: skip
_TIME_SERIES_KEYS = {
    "tstel": "Telescope", "tscam": "Camera", "tsfilt": "Filter", "tspix": "Pixel Scale", "tspsf": "PSF",
    "tspar": "Phot Aperture Rad", "tstcov": "Transit Coverage", "tsmag": "Delta Mag", "tsdate": "Obs Date",
    "tsdur": "Obs Duration", "tsnum": "Num Obs", "tstype": "Obs Type", "tsuser": "User", "tsgroup": "Group",
    "tstag": "Tag", "tsnotes": "Notes",
}  # fmt: skip
_FILE_KEYS = {
    "fid": "File ID", "fname": "File Name", "ftype": "Type", "ftoi": "TOI", "fdate": "Date", "fuser": "User",
    "fgroup": "Group", "ftag": "Tag", "fdesc": "Description",
}  # fmt: skip
NAMES = {"star_names": "Star Names", "confirmed_planets": "Confirmed Planets", "k2_campaign": "K2 Campaign",
          "tic_contamination_ratio": "TIC Contamination Ratio"}  # fmt: skip
MOTIONS = {"pm_ra": "PM RA (mas/yr)", "pm_ra_error": "PM RA err (mas/yr)", "pm_dec": "PM Dec (mas/yr)",
            "pm_dec_error": "PM Dec err (mas/yr)"}  # fmt: skip
_TIME_SERIES_UNITS = {
    "tstel": "", "tscam": "", "tsfilt": "", "tspix": "arcsec", "tspsf": "arcsec", "tspar": "pixel", "tstcov": "",
    "tsmag": "", "tsdate": "UT", "tsdur": "m", "tsnum": "", "tstype": "",
}  # fmt: skip
_IMAGING_UNITS = {
    "itel": "", "iinst": "", "ifilt": "", "itype": "", "ipix": "arcsec", "ipsf": "arcsec", "icont": "", "idate": "UT",
}  # fmt: skip
_SPECTROSCOPY_UNITS = {
    "stel": "", "sinst": "", "ssres": "R", "swave": "", "ssnr1": "", "ssnr2": "", "sapp": "", "sdate": "UT",
}  # fmt: skip
_COMPANION_UNITS = {"sep": "arcsec", "pa": "E of N (deg)", "filt": "", "dmag": "", "odate": "UT"}

#: Of ``target.php?json``: for each of its tables, the keys of a row.
PAGE_KEYS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "planet_parameters": _PLANET_KEYS,
        "stellar_parameters": _STELLAR_KEYS,
        "stellar_companions": _COMPANION_KEYS,
        "magnitudes": _MAGNITUDE_KEYS,
        "imaging": _IMAGING_KEYS,
        "spectroscopy": _SPECTROSCOPY_KEYS,
        "time_series": _TIME_SERIES_KEYS,
        "files": _FILE_KEYS,
    }
)
#: Of ``target.php?json``: the units that it tells of its tables.
PAGE_UNITS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "planet_parameters": _PLANET_UNITS,
        "stellar_parameters": _STELLAR_UNITS,
        "stellar_companions": _COMPANION_UNITS,
        "imaging": _IMAGING_UNITS,
        "spectroscopy": _SPECTROSCOPY_UNITS,
        "time_series": _TIME_SERIES_UNITS,
    }
)
