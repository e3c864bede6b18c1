"""What one file is: read from its name and its headers, kept in the index.

A file whose name follows no grammar is known by its headers alone: TELESCOP,
CREATOR, the columns of its table, TICID, SECTOR. A file that is neither is
foreign.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tessellar.errors import Corrupt, InputError
from tessellar.mission.names import ProductName, match_name
from tessellar.products.layouts import author_of, light_curve_layout
from tessellar.server.headers import Headers, read_headers
from tessellar.server.regions import circle, image_outline
from tessellar.targets import TIC, Field

_FITS = (".fits", ".fits.gz")

#: BTJD is BJD - 2457000, and MJD is JD - 2400000.5.
BTJD_TO_MJD = 56999.5

#: Cadences that TESS has had, in seconds; some authors write a mean that gaps have lengthened by up to 5 %.
_CADENCES = (20.0, 120.0, 200.0, 600.0, 1800.0)
_NEAR = 0.05

# Who wrote a file is what its CREATOR contains, whatever pipeline instance that was.
_CREATORS = (
    ("lightcurveexporter", "lightcurve", "lc"),
    ("targetpixelexporter", "tpf", "tp"),
    ("ffiexporter", "ffi", "ffic"),
    ("cbvexporter", "cbv", "cbv"),
    ("dvtimeseries", "dv", "dvt"),
)

# TIC column → header keyword.
_STAR_KEYS = {
    "pmRA": "PMRA", "pmDEC": "PMDEC", "Tmag": "TESSMAG", "Teff": "TEFF", "logg": "LOGG", "MH": "MH", "rad": "RADIUS",
}  # fmt: skip

# What the grammar of names has no words for.
_DESCRIPTIONS = {"astrocut": "Full-frame image cut-out", "prf": "Pixel response function"}

# A name may stand behind something that a user put before it.
_INSIDE = re.compile(r"(?<=[_.-])(?:tess\d{13}-|tess-s\d{4}-|hlsp_)")
_XML_HEAD = 16384  # bytes in which the root of a report begins
_XML_ROOT = re.compile(rb"<(?:\w+:)?dvTargetResults\s([^>]*)>")
_XML_ATTRIBUTE = re.compile(rb'(\w+)="([^"]*)"')


@dataclass
class Facts:
    """What is known of one file; None where it does not tell.

    Attributes
    ----------
    kind, product, author, collection, subgroup, description, uri : str
        As `tessellar.mission.names.ProductName` has them.
    obs_id : str or None
        The observation that its name puts it into.
    tic, sector, sector_first, camera, ccd : int or None
        `sector` is the last one of a range.
    cadence, exposure : float or None
        Seconds from one row to the next, and the exposure time of an image.
    ra, dec : float or None
        ICRS, degrees.
    t_min, t_max, released : float or None
        MJD.
    region : str or None
        Footprint (STC-S).
    target : str
        OBJECT of the header.
    version : str
        Of the pipeline.
    star : dict
        Columns of the TESS Input Catalog that the header tells.
    aliases : list of str
        Further names of the star.
    """

    filename: str
    size: int
    kind: str
    product: str
    author: str
    collection: str
    subgroup: str
    description: str
    uri: str
    obs_id: str | None = None
    tic: int | None = None
    sector: int | None = None
    sector_first: int | None = None
    camera: int | None = None
    ccd: int | None = None
    cadence: float | None = None
    exposure: float | None = None
    ra: float | None = None
    dec: float | None = None
    t_min: float | None = None
    t_max: float | None = None
    released: float | None = None
    region: str | None = None
    target: str = ""
    version: str = ""
    star: dict[str, Any] = field(default_factory=dict)
    aliases: list[str] = field(default_factory=list)

    @property
    def group(self) -> str:
        """Files with the same group may belong to one observation, and are looked at together."""
        one_sector = self.sector is not None and self.sector_first in (None, self.sector)
        if self.tic and one_sector and self.kind in ("lightcurve", "tpf", "dv"):
            # Names of its validation reports tell no cadence, but in one sector TESS-SPOC has only one.
            cadence = 0 if self.author == "TESS-SPOC" else self.cadence or 0
            return f"{self.author}/{self.tic}/{self.sector}/{cadence:.0f}"
        return self.obs_id or self.filename

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; what is not known is left out."""
        return {name: value for name, value in vars(self).items() if value not in (None, {}, [])}


def describe(root: Path, path: str, size: int) -> Facts | None:
    """Say what a file is; None for a foreign one.

    Parameters
    ----------
    root : Path
        The folder that is served.
    path : str
        The file's path below it.
    size : int
        Of the file, in bytes.

    Raises
    ------
    Corrupt
        If it should be a TESS file but is damaged.
    OSError
        If it cannot be read.
    """
    file = root / path
    name = _name(file.name)
    if file.name.endswith(_FITS):
        try:
            headers = read_headers(file)
        except Corrupt:
            if name is None:
                return None
            raise
        return _from_headers(file.name, size, name, headers)
    if file.name.endswith(".xml"):
        return _from_report(file, size, name)
    return _named(file.name, size, name) if name is not None else None


def _name(filename: str) -> ProductName | None:
    """Read the grammar of a name, or of the part of it that a user put something before."""
    name = match_name(filename)
    if name is None:
        inside = _INSIDE.search(filename)
        name = match_name(filename[inside.start() :]) if inside else None
    return name


def _named(filename: str, size: int, name: ProductName) -> Facts:
    first = name.sector_range[0] if name.sector_range else name.sector
    return Facts(
        filename=filename,
        size=size,
        kind=name.kind,
        product=name.product,
        author=name.author,
        collection=name.collection,
        subgroup=name.subgroup,
        description=_DESCRIPTIONS.get(name.product, name.description),
        uri=name.uri.rpartition("/")[0] + "/" + filename,
        obs_id=name.obs_id,
        tic=name.tic,
        sector=name.sector,
        sector_first=first,
        camera=name.camera,
        ccd=name.ccd,
        cadence=name.cadence or (120.0 if name.kind == "dv" and name.author == "SPOC" else None),
    )


def _from_headers(filename: str, size: int, name: ProductName | None, headers: Headers) -> Facts | None:
    cadence = _cadence(headers)
    told = name or _told(filename, headers, cadence)
    if told is None:
        return None
    facts = _named(filename, size, told)
    if name is None:
        facts.obs_id = None
    # The name goes first: it is what the archive that the file came from knows it by.
    facts.tic = facts.tic or _tic(headers)
    facts.sector = facts.sector or headers.whole("SECTOR")
    facts.sector_first = facts.sector_first or facts.sector
    facts.camera = facts.camera or headers.whole("CAMERA", "CAM")
    facts.ccd = facts.ccd or headers.whole("CCD")
    facts.cadence = facts.cadence or cadence
    exposure = headers.number("EXPOSURE")
    facts.exposure = round(exposure * 86400, 1) if exposure and facts.kind == "ffi" else None
    facts.ra, facts.dec = headers.number("RA_OBJ"), headers.number("DEC_OBJ")
    facts.t_min = _mjd(headers, "TSTART", "DATE-OBS")
    facts.t_max = _mjd(headers, "TSTOP", "DATE-END")
    facts.released = _date(headers.text("DATE"))
    facts.target, facts.version = headers.text("OBJECT"), headers.text("PROCVER")
    _place(facts, headers)
    facts.star = _star(headers)
    facts.aliases = _aliases(headers)
    return facts


def _told(filename: str, headers: Headers, cadence: float | None) -> ProductName | None:
    """Say of a file without a name of ours what its headers say; None if they do not speak of TESS."""
    if not headers.text("TELESCOP").upper().startswith("TESS"):
        return None
    creator, columns = headers.text("CREATOR").lower(), headers.columns
    layout = light_curve_layout(headers.primary, columns)
    found = next(((kind, product) for key, kind, product in _CREATORS if key in creator), None)
    author = "SPOC"
    if found is None and layout is not None:
        found = ("lightcurve", "lc")
    if found is None and {"TIME", "FLUX", "RAW_CNTS"} <= set(columns):
        found = ("cutout", "astrocut") if "FFI_FILE" in columns or "astrocut" in creator else ("tpf", "tp")
    if found is None:
        found = ("other", "prf" if headers.text("DATATYPE").upper() == "PRF" else "other")
    kind, product = found
    if layout is not None:
        author = author_of(layout, columns, cadence or 0)
    elif kind == "cutout":
        author = "TESScut"
    elif kind == "tpf" and (cadence or 0) > _CADENCES[1]:
        author = "TESS-SPOC"
    if cadence == _CADENCES[0] and product in ("lc", "tp"):
        product = f"fast-{product}"
    ours = author in ("SPOC", "TESScut")
    return ProductName(filename, "", kind, product, author, "TESS" if ours else "HLSP", cadence=cadence)


def _from_report(file: Path, size: int, name: ProductName | None) -> Facts | None:
    """Say what a data-validation report is, from the attributes of its root."""
    with file.open("rb") as stream:
        content = stream.read(_XML_HEAD)
        root = _XML_ROOT.search(content)
        content += stream.read() if root else b""
    if root is None:
        if name is not None:
            raise Corrupt(f"{file}: its name is that of a data-validation report, but its content is not")
        return None
    told = {key.decode(): value.decode("utf-8", "replace") for key, value in _XML_ATTRIBUTE.findall(root[1])}
    # Without a name of ours, the observation is called after the file.
    facts = _named(file.name, size, name or ProductName(file.name, "", "dv", "dvr", "SPOC", "TESS", extension="xml"))
    sectors = [number for number, bit in enumerate(told.get("sectorsObserved", "")) if bit == "1" and number]
    facts.sector = facts.sector or max(sectors, default=None)
    facts.sector_first = facts.sector_first or min(sectors, default=None)
    ticid, toi = told.get("ticId", ""), told.get("toiId", "").lstrip("0")
    facts.tic = facts.tic or (int(ticid) if ticid.isdecimal() else None)
    facts.ra, facts.dec = _xml_value(content, b"raDegrees"), _xml_value(content, b"decDegrees")
    tmag = _xml_value(content, b"tessMag")
    facts.star = {"Tmag": tmag} if tmag else {}
    facts.aliases = [f"TOI-{toi}"] if toi.replace(".", "").isdecimal() else []
    if facts.ra is not None and facts.dec is not None:
        facts.region = circle(facts.ra, facts.dec)
    return facts


def _xml_value(content: bytes, element: bytes) -> float | None:
    match = re.search(rb"<(?:\w+:)?" + element + rb'\s[^>]*?value="([^"]*)"', content)
    try:
        value = float(match[1]) if match else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _place(facts: Facts, headers: Headers) -> None:
    if facts.kind in ("ffi", "cube"):
        outline = image_outline(headers.first) or image_outline(headers.primary) or _ccd(facts)
        if outline is not None:
            facts.region, facts.ra, facts.dec = outline
    elif facts.ra is not None and facts.dec is not None:
        facts.region = circle(facts.ra, facts.dec)


def _ccd(facts: Facts) -> tuple[str, float, float] | None:
    """Return footprint and centre of the CCD that an image is of, for an image that does not tell its own."""
    if facts.sector is None or facts.camera is None or facts.ccd is None:
        return None
    from tessellar.mission.ccd import FIRST_COLUMN, FIRST_ROW, LAST_COLUMN, LAST_ROW, ccd_plane, footprint

    try:
        field = Field(facts.sector, facts.camera, facts.ccd)
        ra, dec = footprint(field)
    except InputError:  # a sector that is not in the table
        return None
    middle = ccd_plane(field).to_sky((FIRST_COLUMN + LAST_COLUMN) / 2, (FIRST_ROW + LAST_ROW) / 2)
    outline = " ".join(f"{a:.6f} {d:.6f}" for a, d in zip([*ra, ra[0]], [*dec, dec[0]], strict=True))
    return f"POLYGON {outline}", float(middle[0]) % 360, float(middle[1])


def _cadence(headers: Headers) -> float | None:
    step = (headers.number("TIMEDEL") or 0) * 86400
    return next((cadence for cadence in _CADENCES if abs(step - cadence) <= _NEAR * cadence), None)


def _tic(headers: Headers) -> int | None:
    for key in ("TICID", "TIC_ID", "OBJECT"):
        try:
            return int(TIC(headers.text(key)))
        except InputError:
            continue
    return None


def _star(headers: Headers) -> dict[str, Any]:
    star: dict[str, Any] = {column: headers.number(key) for column, key in _STAR_KEYS.items()}
    if not star["Tmag"]:  # astrocut writes 0 where it knows no magnitude
        star["Tmag"] = None
    version = headers.text("TICVER")
    return {key: value for key, value in {**star, "version": version or None}.items() if value is not None}


def _aliases(headers: Headers) -> list[str]:
    names = [headers.text("OBJECT")]
    gaia = headers.whole("GAIADR3")
    if gaia:
        names.append(f"Gaia DR3 {headers.text('GAIADR3')}")
    return sorted({name for name in names if name})


def _mjd(headers: Headers, btjd: str, date: str) -> float | None:
    # The extension's times are barycentric, the primary header's are the spacecraft's.
    for keys in (headers.first, headers.primary):
        value = keys.get(btjd)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e5:
            return float(value) + BTJD_TO_MJD
    return _date(headers.text(date))


def _date(text: str) -> float | None:
    """Return an ISO date as MJD."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return 40587 + when.timestamp() / 86400  # 1970-01-01 is MJD 40587


def facts_from(values: Mapping[str, Any]) -> Facts:
    """Return what `Facts.to_dict` was made of."""
    return Facts(**values)
