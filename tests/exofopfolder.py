"""A small folder of ExoFOP data for tests: the stars and tags that ExoFOP's own examples name, and some trouble.

Everybody sees tags 5903, 5734 and 6038; tag 77001 is of the group tfopwg, tag 77002 of ada alone.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from tessellar.products.exofopfolder import table_text
from tessellar.products.exofoptables import COLUMNS, PROPRIETARY
from tessellar.products.exofopusers import Account, accounts_text

#: Passwords of the users; `ad` is the beginning of another one's name.
PASSWORDS = {"ada": "note=G & |bars|", "ad": "short", "grace": "nanosecond"}
GROUPS = {"ada": ("tfopwg",), "ad": (), "grace": ("tfopwg",)}

STAR, SECOND, TEN_DIGITS = "254113311", "231663901", "1717732429"
PUBLIC_TAGS = ("5903", "5734", "6038")
GROUP_TAG, ADAS_TAG = "77001", "77002"
#: Free text as it is found at ExoFOP: bars, a line break, HTML that does not end.
NOTE = "two events | one of them\nlate, <b>see the plot &nbsp;"

_TOIS = (
    {"TIC ID": STAR, "TOI": "1130.01", "TFOPWG Disposition": "CP", "TESS Mag": "10.1429", "RA": "19:05:30.24",
     "Dec": "-41:26:15.49", "Epoch (BJD)": "2458658.741627", "Period (days)": "8.350190", "Duration (hours)": "2.028",
     "Depth (ppm)": "46850.6", "Planet Radius (R_Earth)": "13.32", "Stellar Eff Temp (K)": "4250",
     "Stellar Radius (R_Sun)": ".6874", "Sectors": "13,27,67", "Date Modified": "2024-09-06 10:11:12",
     "Comments": "grazing; 8.35 d"},
    {"TIC ID": STAR, "TOI": "1130.02", "TFOPWG Disposition": "CP", "TESS Mag": "10.1429", "RA": "19:05:30.24",
     "Dec": "-41:26:15.49", "Epoch (BJD)": "2458657.90461", "Period (days)": "4.066499", "Duration (hours)": "2.299",
     "Depth (ppm)": "2286", "Planet Radius (R_Earth)": "3.65", "Sectors": "13,27,67",
     "Date Modified": "2024-09-06 10:11:12"},
    {"TIC ID": SECOND, "TOI": "101.01", "TFOPWG Disposition": "KP", "TESS Mag": "12.4069", "RA": "21:14:56.88",
     "Dec": "-55:52:18.71", "Epoch (BJD)": "2458326.009117", "Period (days)": "1.43036994965074",
     "Depth (ppm)": "18960.7122943629", "Sectors": "1,27,67", "Date Modified": "2025-07-31 12:59:22",
     "Planet Name": "WASP-46 b", "Comments": "WASP-46 b"},
    {"TIC ID": "90504905", "TOI": "1234.01", "TFOPWG Disposition": "FP", "TESS Mag": "12.3", "RA": "13:52:20.12",
     "Dec": "-34:28:20.5", "Epoch (BJD)": "2458600.1", "Period (days)": "2.5", "Sectors": "11",
     "Date Modified": "2021-02-03 04:05:06"},
    {"TIC ID": TEN_DIGITS, "TOI": "1172.01", "TFOPWG Disposition": "FP", "TESS Mag": "9.9", "RA": "12:10:20.12",
     "Dec": "+54:28:20.5", "Epoch (BJD)": "2458690.1", "Period (days)": "", "Sectors": "15",
     "Date Modified": "2020-01-01 00:00:00", "Comments": "single transit"},
)  # fmt: skip

_CTOIS = (
    {"TIC ID": "17361", "CTOI": "17361.01", "Promoted to TOI": "3127.01", "User Disposition": "PC",
     "TESS Mag": "11.342", "RA": "219.336233", "Dec": "-24.958522", "Transit Epoch (BJD)": "2458596.9598",
     "Period (days)": "3.60677", "User": "montalto", "Tag": "29419", "CTOI lastmod": "2020-08-10 07:20:18",
     "Notes": "new CTOI, Montalto et al. (2020)"},
)  # fmt: skip

_SERIES = {"TIC ID": STAR, "Telescope": "LCO-CTIO (1 m)", "Camera": "Sinistro", "Filter": "ip", "Pixel Scale": ".39",
           "PSF": "1.9", "Phot Aperture Rad": "15", "Obs Duration": "240", "Num Obs": "120",
           "Obs Type": "Continuous", "Transit Coverage": "Full", "Group": "tfopwg"}  # fmt: skip
_TIME_SERIES = (
    {**_SERIES, "TOI": "TOI 1130.01", "Obs Date": "2020-05-22", "User": "ada", "Tag": "5903", "Notes": "on time"},
    {**_SERIES, "TOI": "TOI 1130.01", "Obs Date": "2020-05-14", "User": "collins", "Tag": "5734", "Notes": NOTE},
    {**_SERIES, "TOI": "TOI 1130.02", "Obs Date": "2020-06-08", "User": "grace", "Tag": "6038"},
    {**_SERIES, "TOI": "TOI 1130.02", "Obs Date": "2020-06-08", "User": "grace", "Tag": "6038", "Filter": "B"},
    {**_SERIES, "TOI": "TOI 1130.02", "Obs Date": "2024-06-08", "User": "grace", "Tag": GROUP_TAG, PROPRIETARY: "Y"},
    {**_SERIES, "TOI": "TOI 1130.02", "Obs Date": "2024-06-09", "User": "ada", "Group": "", "Tag": ADAS_TAG,
     PROPRIETARY: "Y"},
    {**_SERIES, "TIC ID": SECOND, "TOI": "TOI 101.01", "Obs Date": "2019-08-01", "User": "ada", "Tag": "4000"},
)  # fmt: skip
_SPECTROSCOPY = (
    {"TIC ID": STAR, "TOI": "TOI 1130", "Telescope": "SMARTS (1.5 m)", "Instrument": "CHIRON",
     "Spectral resolution": "80000", "Wavelength coverage": "4505 to 8899 Angstroms", "SNR/resolution": "21.3",
     "SNR wavelength": "5500 Angstroms", "Appropriate to PRV": "Yes", "Obs Date": "2019-09-16 01:37:18",
     "User": "quinn", "Group": "tfopwg", "Tag": "4711"},
)  # fmt: skip
_IMAGING = (
    {"TIC ID": STAR, "TOI": "TOI 1130", "Telescope": "SOAR (4.1 m)", "Instrument": "HRCam", "Filter": "I",
     "Image Type": "Speckle", "Pixel Scale": ".01575", "PSF": ".06364", "Contrast": "6.8 mag at 1 arcsec",
     "Obs Date": "2019-12-12", "User": "ziegler", "Tag": "5000"},
)  # fmt: skip
_STELLAR = (
    {"TIC ID": STAR, "Table": "TIC", "Teff (K)": "4350", "log(g)": "4.62", "Radius (R_Sun)": ".6906",
     "Mass (M_Sun)": ".687", "Distance (pc)": "58.26", "User": "TESS project", "Date": "2019-04-15", "Notes": "TIC v8"},
    {"TIC ID": STAR, "Table": "Stellar", "Teff (K)": "4250", "Teff (K) err": "67", "User": "quinn", "Tag": "4711",
     "Group": "tfopwg", "Date": "2020-01-02"},
)  # fmt: skip
_PLANETS = (
    {"TIC ID": STAR, "Name": "TOI-1130 c", "TOI": "TOI 1130.01", "Table": "TOI", "Period (days)": "8.350190",
     "Epoch (BJD)": "2458658.741627", "Radius (R_Earth)": "13.32", "User": "TESS project", "Date": "2024-09-06"},
)  # fmt: skip
_NEARBY = (
    {"Target": STAR, "TIC ID": STAR, "TOI": "1130.0", "RA": "19:05:30.24", "Dec": "-41:26:15.49",
     "TESS Mag": "10.1429", "GAIA DR2": "6715688452614516736", "GAIA Mag": "10.9", "Separation (arcsec)": ".0"},
    {"Target": STAR, "TIC ID": "1027891301", "RA": "19:05:30.9", "Dec": "-41:26:10.1", "TESS Mag": "16.2",
     "GAIA DR2": "6715688456909484416", "GAIA Mag": "17.0", "Separation (arcsec)": "9.205",
     "Position Angle (deg E. of N.)": "54.1"},
)  # fmt: skip
_COMPANIONS = (
    {"TIC ID": STAR, "TOI": "1130", "Separation (arcsec)": "2.1", "Pos Angle E of N (deg)": "118", "Filter": "I",
     "Delta Mag": "5.4", "Observation Date (UT)": "2019-12-12", "Date": "2020-01-05", "User": "ziegler",
     "Tag": "5000"},
)  # fmt: skip
_MAGNITUDES = (
    {"TIC ID": STAR, "Band": "TESS", "Value": "10.1429", "Value err": "0.006", "Date": "2019-04-15",
     "User": "TESS project", "Notes": "TIC v8.2", "Table": "tmag"},
    {"TIC ID": STAR, "Band": "V", "Value": "11.368", "Value err": "0.014", "Date": "2019-04-15",
     "User": "TESS project", "Notes": "TIC v8.2", "Table": "vmag"},
)  # fmt: skip
_NOTES = (
    {"ID": "22840", "TIC ID": STAR, "Username": "mlund", "Groupname": "tfopwg", "TAG ID": "3059",
     "Lastmod": "2021-07-29 12:01:54", "notes": NOTE},
    {"ID": "22841", "TIC ID": STAR, "Username": "ada", "Groupname": "", "TAG ID": ADAS_TAG,
     "Lastmod": "2024-07-29 12:01:54", "notes": "not yet for others", PROPRIETARY: "Y"},
)  # fmt: skip
_TAGS = (
    {"Tag ID": "5903", "Tag": "20200522_ada_tic254113311_01", "User": "ada", "Group": "tfopwg",
     "Date Tag Created": "2020-05-23", "Date Tag Last Modified": "2020-05-23"},
    {"Tag ID": "5734", "Tag": "20200514_collins_tic254113311_01", "User": "collins", "Group": "tfopwg"},
    {"Tag ID": "6038", "Tag": "20200608_grace_tic254113311_02", "User": "grace", "Group": "tfopwg"},
    {"Tag ID": GROUP_TAG, "Tag": "20240608_grace_tic254113311_02", "User": "grace", "Group": "tfopwg",
     PROPRIETARY: "Y"},
    {"Tag ID": ADAS_TAG, "Tag": "20240609_ada_tic254113311_02", "User": "ada", "Group": "", PROPRIETARY: "Y"},
)  # fmt: skip
_TARGETS = (
    {"TIC ID": STAR, "Star Names": "TIC 254113311, 2MASS J19053021-4126151, Gaia DR3 6715688452614516736",
     "RA": "286.376028", "Dec": "-41.437637", "Confirmed Planets": "TOI-1130 b, TOI-1130 c",
     "PM RA (mas/yr)": "15.6", "PM Dec (mas/yr)": "-20.7", "TIC Contamination Ratio": ".0325"},
    {"TIC ID": "22529346", "Star Names": "TIC 22529346, WASP-121", "RA": "107.600", "Dec": "-39.097"},
)  # fmt: skip

_ROWS: dict[str, Sequence[dict[str, str]]] = {
    "tois": _TOIS, "ctois": _CTOIS, "time_series": _TIME_SERIES, "spectroscopy": _SPECTROSCOPY, "imaging": _IMAGING,
    "stellar_parameters": _STELLAR, "planet_parameters": _PLANETS, "nearby_targets": _NEARBY,
    "stellar_companions": _COMPANIONS, "magnitudes": _MAGNITUDES, "notes": _NOTES, "tags": _TAGS, "targets": _TARGETS,
}  # fmt: skip


def make(root: Path, *, cost: int = 2**4, note: str = NOTE) -> Path:
    """Make ``root/exofop`` with all its tables, tags and users; return `root`.

    Hashes of passwords are made at a low cost, for tests are in a hurry; `note` is
    the free text of the rows that have some.
    """
    folder = root / "exofop"
    (folder / "tags").mkdir(parents=True)
    files = []
    for tag in (*PUBLIC_TAGS, GROUP_TAG, ADAS_TAG, "4000", "4711", "5000"):
        files += _tagged_files(folder / "tags" / tag, tag)
    for name, rows in {**_ROWS, "files": files}.items():
        columns = (*COLUMNS[name], PROPRIETARY)
        cells = ([row.get(column, "").replace(NOTE, note) for column in columns] for row in rows)
        text = table_text(columns, cells)
        (folder / f"{name}.csv").write_text(text)
    accounts = [Account.create(name, password, GROUPS[name], cost=cost) for name, password in PASSWORDS.items()]
    (folder / "users.json").write_text(accounts_text(accounts))
    return root


def _tagged_files(folder: Path, tag: str) -> list[dict[str, str]]:
    folder.mkdir()
    proprietary = {GROUP_TAG: ("grace", "tfopwg", "Y"), ADAS_TAG: ("ada", "", "Y")}
    user, group, hidden = proprietary.get(tag, ("ada", "tfopwg", ""))
    tic = SECOND if tag == "4000" else STAR
    start = f"TIC{tic}-01_20200522_LCO-CTIO-1m0_ip"
    times = "".join(f"{2458992.5 + i / 500:.6f}\t{1 - (40 < i < 80) * 0.004:.6f}\t0.001\n" for i in range(120))
    contents = {
        f"{start}_measurements.tbl": f"BJD_TDB\trel_flux_T1\trel_flux_err_T1\n{times}",
        f"{start}_notes.txt": f"Notes of tag {tag}.\n",
        f"{start}_field.png": random.Random(tag).randbytes(20_000).hex(),
    }
    rows = []
    for number, (name, text) in enumerate(contents.items()):
        (folder / name).write_text(text)
        rows.append({"Type": "Light Curve", "File Name": name, "File ID": f"{tag}{number}", "TIC": tic,
                     "TOI": "1130.01", "Date": "2020-05-23", "User": user, "Group": group, "Tag": tag,
                     "Description": "follow-up light curve", PROPRIETARY: hidden})  # fmt: skip
    return rows
