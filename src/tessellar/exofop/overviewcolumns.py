"""One schema for the table of TOIs, whichever page it comes from and of whichever year it is.

The names are those of ``download_toi.php`` (2025). Here are the names of the
same columns in ``json/tois.json``, in the export of the web page, and in
older vintages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from astropy.table import Table

from tessellar.exofop.columns import make_column
from tessellar.exofop.parsing import normalised
from tessellar.products.exofoptables import COLUMNS

_OTHER_NAMES = {
    "TIC ID": ("ticid", "tid"),
    "Previous CTOI": ("ctoi", "ctoival"),
    "ESM": ("acwg esm",),
    "TSM": ("acwg tsm",),
    "Predicted Mass (M_Earth)": ("acwg ckmass",),
    "Time Series Observations": ("numtseries",),
    "Spectroscopy Observations": ("numspect",),
    "Imaging Observations": ("numimaging",),
    "TESS Disposition": ("disposition",),
    "TESS Mag err": ("tess mag error",),
    "Pipeline Signal ID": ("num pc",),
    "RA": ("ra (deg)",),
    "Dec": ("dec (deg)",),
    "PM RA (mas/yr)": ("pm ra",),
    "PM RA err (mas/yr)": ("pmra e",),
    "PM Dec (mas/yr)": ("pm dec",),
    "PM Dec err (mas/yr)": ("pmdec e",),
    "Epoch (BJD)": ("epoch", "transit epoch (bjd)"),
    "Epoch (BJD) err": ("epoch e", "transit epoch (bjd) err"),
    "Period (days)": ("period",),
    "Period (days) err": ("period e",),
    "Duration (hours)": ("duration",),
    "Duration (hours) err": ("duration e",),
    "Depth (mmag)": ("depth mmag",),
    "Depth (mmag) err": ("depth1 e",),
    "Depth (ppm)": ("depth ppm",),
    "Depth (ppm) err": ("depth2 e",),
    "Planet Radius (R_Earth)": ("planet radius",),
    "Planet Radius (R_Earth) err": ("prad e",),
    "Planet Insolation (Earth Flux)": ("planet insolation",),
    "Planet Equil Temp (K)": ("planet eqtemp", "planet eq temp (k)"),
    "Stellar Distance (pc)": ("stellar distance",),
    "Stellar Distance (pc) err": ("d e",),
    "Stellar Eff Temp (K)": ("stellar teff", "stellar teff (k)"),
    "Stellar Eff Temp (K) err": ("teff e",),
    "Stellar log(g) (cm/s^2)": ("stellar logg", "stellar log(g) (cm/s2)"),
    "Stellar log(g) (cm/s^2) err": ("logg e",),
    "Stellar Radius (R_Sun)": ("stellar radius",),
    "Stellar Radius (R_Sun) err": ("srad e",),
    "Stellar Metallicity": ("mh",),
    "Stellar Metallicity err": ("mh e",),
    "Stellar Mass (M_Sun)": ("mass",),
    "Stellar Mass (M_Sun) err": ("mass e",),
    "Date TOI Alerted (UTC)": ("date toi alerted", "date toi alerted (by tess project)"),
    "Date TOI Updated (UTC)": ("date toi edited", "date toi updated (by tess project)"),
    "Date Modified": ("date modified (by exofop-tess)",),
}

_PRIORITIES = ("Master", "SG1A", "SG1B", "SG2", "SG3", "SG4", "SG5")

# Of the web page alone: links, and the right to edit.
_LEFT_OUT = frozenset({"view all tfopwg disposition", "tfopwg disposition viewedit", "editpri", "acwg priority"})


def toi_columns(table: Mapping[str, Sequence[Any]], rows: int) -> Table:
    """Bring a table of TOIs, of any source and vintage, into the one schema.

    Parameters
    ----------
    table : mapping
        Columns by the names of their source.
    rows : int
        Their length.

    Returns
    -------
    Table
        The columns of ``download_toi.php``, masked or empty where the source
        lacks them; after them those that nobody knew of.
    """
    return _in_schema(table, rows, COLUMNS["tois"], _toi_names())


def ctoi_columns(table: Mapping[str, Sequence[Any]], rows: int) -> Table:
    """Bring a table of CTOIs into one schema, that of ``download_ctoi.php``."""
    names = list(dict.fromkeys(COLUMNS["ctois"]))
    if "PM Dec err (mas/yr)" not in names:
        names.insert(names.index("PM Dec (mas/yr)") + 1, "PM Dec err (mas/yr)")
    return _in_schema(table, rows, names, {normalised(name): name for name in names})


def _toi_names() -> dict[str, str]:
    known = {normalised(name): name for name in COLUMNS["tois"]}
    known |= {other: name for name, others in _OTHER_NAMES.items() for other in others}
    return known | {f"{name.lower()} priority": name for name in _PRIORITIES}


def _in_schema(table: Mapping[str, Sequence[Any]], rows: int, schema: Iterable[str], names: Mapping[str, str]) -> Table:
    found: dict[str, Sequence[Any]] = {}
    others: dict[str, Sequence[Any]] = {}
    for given, values in table.items():
        name = names.get(normalised(given))
        if name is not None:
            found.setdefault(name, values)
        elif normalised(given) not in _LEFT_OUT:
            others[given] = values
    empty = [None] * rows
    ordered = {name: found.get(name, empty) for name in schema} | others
    made = Table()
    for name, values in ordered.items():
        made[name] = make_column(name, values)
    return made
