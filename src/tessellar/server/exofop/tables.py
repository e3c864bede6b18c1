"""ExoFOP's download pages of tables: which rows they give, in which order, and how they are written."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from tessellar.products.exofopfolder import TextTable, table_text
from tessellar.products.exofoptables import PROPRIETARY
from tessellar.products.exofopusers import Account
from tessellar.server.exofop.folder import DataFolder, may_see
from tessellar.server.exofop.targets import tics_of, toi_rows

Row = tuple[str, ...]

#: Columns that say something to this server, and are not sent.
_OWN_COLUMNS = (PROPRIETARY.lower(), "target")
# After the rows of a tag, ExoFOP leaves six lines empty.
_TAG_END = "\n" * 6

_PERSON = {"tag": "Tag", "notes": "Notes", "user": "User", "group": "Group"}

#: What ``sort=`` means, table by table; a minus puts the largest first.
SORTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "tois": {
            "tid": "TIC ID", "toidesc": "-TOI", "toi": "TOI", "toiasc": "TOI", "master": "Master", "sg1a": "SG1A",
            "sg1b": "SG1B", "sg2": "SG2", "sg3": "SG3", "sg4": "SG4", "sg5": "SG5", "acwg": "ESM", "tmag": "TESS Mag",
            "planetrad": "Planet Radius (R_Earth)", "planetname": "Planet Name", "planetnum": "Pipeline Signal ID",
            "planetinsol": "Planet Insolation (Earth Flux)", "planetteq": "Planet Equil Temp (K)",
            "planetsnr": "Planet SNR", "disposition": "TESS Disposition", "tfopwgdisp": "TFOPWG Disposition",
            "source": "Source", "ra": "RA", "dec": "Dec", "pmra": "PM RA (mas/yr)", "pmdec": "PM Dec (mas/yr)",
            "epoch": "Epoch (BJD)", "period": "Period (days)", "duration": "Duration (hours)", "depth": "Depth (ppm)",
            "distance": "Stellar Distance (pc)", "teff": "Stellar Eff Temp (K)", "logg": "Stellar log(g) (cm/s^2)",
            "rad": "Stellar Radius (R_Sun)", "metallicity": "Stellar Metallicity", "sectors": "Sectors",
            "toi_alerted": "-Date TOI Alerted (UTC)", "toi_edited": "-Date TOI Updated (UTC)",
            "lastmod": "-Date Modified",
        },
        "ctois": {"ctoi": "CTOI", "ctoidesc": "-CTOI", "created": "-CTOI lastmod"},
        "time_series": {
            "id": "TIC ID", "tel": "Telescope", "camera": "Camera", "filt": "Filter", "pix": "Pixel Scale",
            "psf": "PSF", "photaprad": "Phot Aperture Rad", "date": "Obs Date", "transcov": "Transit Coverage",
            "deltamag": "Delta Mag", **_PERSON,
        },
        "spectroscopy": {
            "id": "TIC ID", "tel": "Telescope", "inst": "Instrument", "res": "Spectral resolution",
            "cov": "Wavelength coverage", "snrres": "SNR/resolution", "snrwave": "SNR wavelength",
            "prv": "Appropriate to PRV", "date": "Obs Date", **_PERSON,
        },
        "imaging": {
            "id": "TIC ID", "tel": "Telescope", "inst": "Instrument", "filt": "Filter", "pix": "Pixel Scale",
            "imagetype": "Image Type", "psf": "PSF", "cont": "Contrast", "date": "Obs Date", **_PERSON,
        },
        "nearby_targets": {
            "id": "TIC ID", "toi": "TOI", "ra": "RA", "dec": "Dec", "pmra": "PM RA (mas/yr)",
            "pmdec": "PM Dec (mas/yr)", "tmag": "TESS Mag", "distance": "Distance(pc)",
            "separation": "Separation (arcsec)",
        },
        "stellar_companions": {"id": "TIC ID", "lastmod": "-Date"},
    }
)  # fmt: skip

#: The order in which ExoFOP gives a table if nobody asks for another; the others stay as they are in the folder.
_USUAL = {"tois": "lastmod", "nearby_targets": "separation", "imaging": "id", "spectroscopy": "id", "time_series": "id"}

#: What counts in uploads, in ExoFOP's order: table, column of the star's id.
UPLOADS = (
    ("Time Series Observations", "time_series", "TIC ID"),
    ("Spectroscopy Observations", "spectroscopy", "TIC ID"),
    ("Imaging Observations", "imaging", "TIC ID"),
    ("Files", "files", "TIC"),
    ("Observation Notes", "notes", "TIC ID"),
    ("Stellar Parameters", "stellar_parameters", "TIC ID"),
    ("Stellar Companions", "stellar_companions", "TIC ID"),
    ("Planet Parameters", "planet_parameters", "TIC ID"),
)


def rows_of(data: DataFolder, name: str, who: Account | None, chosen: Iterable[Row] | None = None) -> list[Row]:
    """The rows of a table, or those of them that are chosen, which somebody may see."""
    table = data.table(name)
    return [row for row in (table.rows if chosen is None else chosen) if may_see(table, row, who)]


def about(data: DataFolder, name: str, target: str | None, column: str = "TIC ID") -> list[Row] | None:
    """The rows of the stars that a target means; None, that is all, if there is none."""
    if not target:
        return None
    table = data.table(name)
    return [row for tic in tics_of(data, target) for row in table.where(column, tic)]


def tagged(data: DataFolder, name: str, tag: str, column: str = "Tag") -> list[Row]:
    """The rows that bear a tag, by its number or its name."""
    return data.table(name).where(column, data.tag_id(tag))


def tois(data: DataFolder, number: str | None) -> list[Row] | None:
    """The rows of the table of TOIs for ``toi=``: those of a system, or of one planet; None for all."""
    if not number:
        return None
    match = re.fullmatch(r"\s*(?:toi)?[\s_-]*0*(\d{1,6})(?:\.(\d{1,2}))?\s*", number, re.IGNORECASE | re.ASCII)
    return toi_rows(data, match[1], match[2]) if match else []


def files(data: DataFolder, tic: str | None, toi: str | None) -> list[Row]:
    """The rows of the table of files for ``id=`` or ``toi=``."""
    table = data.table("files")
    rows = tois(data, toi) if toi else []
    of_toi = {data.table("tois").cell(row, "TIC ID") for row in rows or []}
    tics = (tics_of(data, tic) or [tic.strip()]) if tic else sorted(of_toi)
    return [row for each in tics for row in table.where("TIC", each)]


def uploads(data: DataFolder, target: str, who: Account | None) -> TextTable:
    """How much was uploaded of the stars that a target means."""
    rows = []
    for tic in tics_of(data, target):
        counts = [str(len(_uploaded(data, name, column, tic, who))) for _, name, column in UPLOADS]
        rows.append((tic, *counts))
    return TextTable(("TIC ID", *(title for title, _, _ in UPLOADS)), tuple(rows))


def user_tags(data: DataFolder, username: str, who: Account | None) -> TextTable:
    """The tags of a user, with how much bears each of them."""
    tags = data.table("tags")
    rows = []
    for row in rows_of(data, "tags", who, tags.where("User", username)):
        number = tags.cell(row, "Tag ID")
        counts = [
            str(len(rows_of(data, name, who, data.table(name).where(_tag_column(name), number))))
            for _, name, _ in UPLOADS
        ]
        dates = (tags.cell(row, "Date Tag Created"), tags.cell(row, "Date Tag Last Modified"))
        rows.append((username, tags.cell(row, "Tag"), number, *counts, *dates))
    counted = tuple(f"Number of Uploaded {title}" for title, _, _ in UPLOADS)
    return TextTable(("User", "Tag", "Tag ID", *counted, "Date Tag Created", "Date Tag Last Modified"), tuple(rows))


def _uploaded(data: DataFolder, name: str, column: str, tic: str, who: Account | None) -> list[Row]:
    table = data.table(name)
    # What the catalogue or the project says was not uploaded by anybody.
    own = ("", "Stellar", "Planet")
    return [row for row in rows_of(data, name, who, table.where(column, tic)) if table.cell(row, "Table") in own]


def _tag_column(name: str) -> str:
    return "TAG ID" if name == "notes" else "Tag"


def in_order(name: str, table: TextTable, rows: Sequence[Row], sort: str | None) -> list[Row]:
    """Put rows in the order that ``sort=`` names, or in ExoFOP's own."""
    sorts = SORTS.get(name, {})
    column = sorts.get((sort or "").lower()) or sorts.get(_USUAL.get(name, ""))
    if column is None:
        return list(rows)
    place = table.places.get(column.removeprefix("-").lower())
    if place is None:
        return list(rows)
    # What has no value comes last, whichever way the others are put.
    key = _key(place)
    filled = sorted((row for row in rows if row[place].strip()), key=key, reverse=column.startswith("-"))
    return filled + [row for row in rows if not row[place].strip()]


def _key(place: int) -> Callable[[Row], tuple[float, str]]:
    def key(row: Row) -> tuple[float, str]:
        try:
            return float(row[place]), ""
        except ValueError:
            return math.inf, row[place].lower()

    return key


def written(table: TextTable, rows: Iterable[Row], output: str, *, of_tag: bool = False) -> str:
    """Write rows as ``csv``, as ``pipe``, or, if it is neither, as text in columns.

    Text goes into a table with bars as it is, bars and line breaks included, as ExoFOP does it.
    """
    keep = [place for place, name in enumerate(table.columns) if name.lower() not in _OWN_COLUMNS]
    columns = [table.columns[place] for place in keep]
    cells = [[row[place] for place in keep] for row in rows]
    end = _TAG_END if of_tag else ""
    if output == "csv":
        return table_text(columns, cells) + end
    if output == "pipe":
        return "".join("|".join(line) + "\n" for line in (columns, *cells)) + end
    widths = [max(len(line[number]) for line in (columns, *cells)) for number in range(len(columns))]
    lines = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in (columns, *cells))
    return "".join(f"{line}\n" for line in lines) + end
