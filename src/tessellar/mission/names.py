"""The grammar of TESS file names, both ways: from a name to its parts, and from parts to a name.

Each family of names is one row of `FAMILIES`: a regular expression to read it,
a template to build it, and what all its files have in common. Sources: the
TESS Science Data Products Description Document, and the pages of each
high-level science product (HLSP) at MAST. A name that no row reads is not a
TESS name that tessellar knows, whatever is in the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter
from typing import Any

from tessellar.errors import InputError, Unrecognised

TIC_DIGITS = 16


@dataclass(frozen=True)
class ProductName:
    """What the name of a file tells.

    Attributes
    ----------
    filename : str
        The name itself.
    family : str
        The row of `FAMILIES` that read it.
    kind : str
        ``lightcurve, tpf, ffi, dv, cbv, cube, cutout, tcestats, collateral`` or ``other``.
    product : str
        The ending that tells the product: ``lc, fast-lc, tp, dvt, dvr, ffic, llc`` ...
    author : str
        The pipeline: ``SPOC, TESS-SPOC, QLP, TGLC`` ...
    collection : str
        ``TESS``, or ``HLSP`` for what others made.
    tic : int or None
        TIC id.
    sector : int or None
        The sector, or the last one of a range.
    sector_range : tuple of int or None
        First and last sector, where the name has a range.
    camera, ccd : int or None
        1 to 4.
    cadence : float or None
        Exposure time in seconds, where the name tells.
    timestamp : str or None
        13 digits ``yyyydddhhmmss`` (UTC).
    scid : str or None
        Spacecraft configuration map.
    cr : str or None
        Cosmic-ray mitigation: ``x`` none, ``s`` on board, ``a`` on the ground, ``b`` both.
    pin : int or None
        Number of the pipeline run.
    planet : int or None
        Number of the planet candidate.
    version : str or None
        Of an HLSP.
    target : str or None
        What the name calls its target where that is no TIC id: a Gaia id, a position ...
    extension : str
        From the first dot of the ending: ``fits``, ``fits.gz``, ``pdf`` ...
    """

    filename: str
    family: str
    kind: str
    product: str
    author: str
    collection: str
    tic: int | None = None
    sector: int | None = None
    sector_range: tuple[int, int] | None = None
    camera: int | None = None
    ccd: int | None = None
    cadence: float | None = None
    timestamp: str | None = None
    scid: str | None = None
    cr: str | None = None
    pin: int | None = None
    planet: int | None = None
    version: str | None = None
    target: str | None = None
    extension: str = "fits"

    @property
    def obs_id(self) -> str:
        """The observation in MAST's CAOM that the file belongs to, as far as its name tells."""
        stem = self.filename.removesuffix(".gz").rsplit(".", 1)[0]
        if self.family == "tess-spoc":
            # MAST names the observation after its target pixel file, also where it has only a light curve.
            return stem.removesuffix(self.product) + "tp"
        return re.sub(_OBS_ID_TAIL[self.family], "", stem) if self.family in _OBS_ID_TAIL else stem

    @property
    def uri(self) -> str:
        """The file's name in MAST's archive."""
        if self.collection == "TESS":
            return f"mast:TESS/product/{self.filename}"
        project = self.filename.split("_")[1] if self.filename.startswith("hlsp_") else self.author.lower()
        return f"mast:HLSP/{project}/{self.filename}"

    @property
    def subgroup(self) -> str:
        """The name of the product as MAST's tables abbreviate it: ``LC``, ``FAST-TP``, ``DVT`` ..."""
        return self.product.upper()

    @property
    def description(self) -> str:
        """What MAST's tables call the product."""
        return _DESCRIPTIONS.get(self.product, self.extension.split(".")[0].upper())


@dataclass(frozen=True)
class Family:
    """One family of names: how to read it, how to build it, what its files have in common."""

    name: str
    kind: str
    author: str
    collection: str
    pattern: str
    template: str


_TS, _S, _TIC = r"(?P<timestamp>\d{13})", r"s(?P<sector>\d{4})", r"(?P<tic>\d{16})"
_RANGE = r"s(?P<first>\d{4})-s(?P<last>\d{4})"
_PLACE = r"(?P<camera>[1-4])-(?P<ccd>[1-4])"
_TAIL = r"(?P<scid>\d{4})-(?P<cr>[xsab])"
_GZ = r"\.(?P<extension>fits(?:\.gz)?)"
_VERSION = r"tess_(?P<version>v[\d.]+[a-z0-9]*)"
_ANY = r"(?P<extension>fits(?:\.gz)?|pdf|png|txt|csv|h5|xml)"

FAMILIES = (
    Family("spoc-lc", "lightcurve", "SPOC", "TESS", rf"tess{_TS}-{_S}-{_TIC}-{_TAIL}_(?P<product>lc){_GZ}",
           "tess{timestamp}-s{sector:04d}-{tic:016d}-{scid}-{cr}_lc.{extension}"),
    Family("spoc-fast-lc", "lightcurve", "SPOC", "TESS", rf"tess{_TS}-{_S}-{_TIC}-{_TAIL}_(?P<product>fast-lc){_GZ}",
           "tess{timestamp}-s{sector:04d}-{tic:016d}-{scid}-{cr}_fast-lc.{extension}"),
    Family("spoc-tp", "tpf", "SPOC", "TESS", rf"tess{_TS}-{_S}-{_TIC}-{_TAIL}_(?P<product>tp){_GZ}",
           "tess{timestamp}-s{sector:04d}-{tic:016d}-{scid}-{cr}_tp.{extension}"),
    Family("spoc-fast-tp", "tpf", "SPOC", "TESS", rf"tess{_TS}-{_S}-{_TIC}-{_TAIL}_(?P<product>fast-tp){_GZ}",
           "tess{timestamp}-s{sector:04d}-{tic:016d}-{scid}-{cr}_fast-tp.{extension}"),
    Family("spoc-dv", "dv", "SPOC", "TESS",
           rf"tess{_TS}-{_RANGE}-{_TIC}-(?P<pin>\d{{5}})_(?P<product>dvt|dvr|dvm)\.(?P<extension>(?:fits|pdf|xml)(?:\.gz)?)",
           "tess{timestamp}-s{first:04d}-s{last:04d}-{tic:016d}-{pin:05d}_{product}.{extension}"),
    Family("spoc-dvs", "dv", "SPOC", "TESS",
           rf"tess{_TS}-{_RANGE}-{_TIC}-(?P<planet>\d{{2}})-(?P<pin>\d{{5}})_(?P<product>dvs|dvp)\.(?P<extension>pdf)",
           "tess{timestamp}-s{first:04d}-s{last:04d}-{tic:016d}-{planet:02d}-{pin:05d}_{product}.{extension}"),
    Family("spoc-tcestats", "tcestats", "SPOC", "TESS",
           rf"tess{_TS}-{_RANGE}_(?P<product>dvr-tcestats)\.(?P<extension>csv)",
           "tess{timestamp}-s{first:04d}-s{last:04d}_{product}.{extension}"),
    Family("spoc-tcestats-sector", "tcestats", "SPOC", "TESS",
           rf"tess{_TS}-{_S}_(?P<product>dvr-tcestats)\.(?P<extension>csv)",
           "tess{timestamp}-s{sector:04d}_{product}.{extension}"),
    Family("spoc-dv-schema", "other", "SPOC", "TESS", rf"tess{_TS}_(?P<product>dvr)\.(?P<extension>xsd)",
           "tess{timestamp}_dvr.{extension}"),
    Family("spoc-ffi", "ffi", "SPOC", "TESS", rf"tess{_TS}-{_S}-{_PLACE}-{_TAIL}_(?P<product>ffic|ffir){_GZ}",
           "tess{timestamp}-s{sector:04d}-{camera}-{ccd}-{scid}-{cr}_{product}.{extension}"),
    Family("spoc-cbv", "cbv", "SPOC", "TESS", rf"tess{_TS}-{_S}-{_PLACE}-{_TAIL}_(?P<product>cbv){_GZ}",
           "tess{timestamp}-s{sector:04d}-{camera}-{ccd}-{scid}-{cr}_cbv.{extension}"),
    Family("spoc-collateral", "collateral", "SPOC", "TESS",
           rf"tess{_TS}-{_S}-(?P<target>[a-z-]+)-{_PLACE}-(?P<output>[a-dA-D])-{_TAIL}_(?P<product>col){_GZ}",
           "tess{timestamp}-s{sector:04d}-{target}-{camera}-{ccd}-{output}-{scid}-{cr}_col.{extension}"),
    Family("spoc-prf", "other", "SPOC", "TESS",
           rf"tess{_TS}-(?P<product>prf)-{_PLACE}-(?P<target>row\d{{4}}-col\d{{4}}){_GZ}",
           "tess{timestamp}-prf-{camera}-{ccd}-{target}.{extension}"),
    Family("cube", "cube", "SPOC", "TESS", rf"tess-{_S}-{_PLACE}-(?P<product>cube){_GZ}",
           "tess-s{sector:04d}-{camera}-{ccd}-cube.{extension}"),
    Family("tica-cube", "cube", "TICA", "HLSP", rf"tica-{_S}-{_PLACE}-(?P<product>cube){_GZ}",
           "tica-s{sector:04d}-{camera}-{ccd}-cube.{extension}"),
    Family("tesscut", "cutout", "TESScut", "TESS",
           rf"tess-{_S}-{_PLACE}_(?P<target>-?[\d.]+_-?[\d.]+_\d+x\d+)_(?P<product>astrocut){_GZ}",
           "tess-s{sector:04d}-{camera}-{ccd}_{target}_astrocut.{extension}"),
    Family("tessellar", "lightcurve", "tessellar", "HLSP",
           rf"hlsp_tessellar_tess_(?P<instrument>ffi|tpf)_{_TIC}-{_S}-c(?P<cadence>\d{{4}})_{_VERSION}_"
           rf"(?P<product>[a-z0-9]+-lc){_GZ}",
           "hlsp_tessellar_tess_{instrument}_{tic:016d}-s{sector:04d}-c{cadence:04.0f}_tess_{version}_"
           "{product}.{extension}"),
    Family("tess-spoc", "", "TESS-SPOC", "HLSP",
           rf"hlsp_tess-spoc_tess_phot_{_TIC}-{_S}_{_VERSION}_(?P<product>lc|tp){_GZ}",
           "hlsp_tess-spoc_tess_phot_{tic:016d}-s{sector:04d}_tess_{version}_{product}.{extension}"),
    Family("tess-spoc-dv", "dv", "TESS-SPOC", "HLSP",
           rf"hlsp_tess-spoc_tess_phot_{_TIC}-{_RANGE}_{_VERSION}_(?P<product>dvt|dvr|dvm)\."
           r"(?P<extension>(?:fits|pdf|xml)(?:\.gz)?)",
           "hlsp_tess-spoc_tess_phot_{tic:016d}-s{first:04d}-s{last:04d}_tess_{version}_{product}.{extension}"),
    Family("tess-spoc-dvs", "dv", "TESS-SPOC", "HLSP",
           rf"hlsp_tess-spoc_tess_phot_{_TIC}-{_RANGE}_{_VERSION}_(?P<product>dvs)-(?P<planet>\d{{2}})\."
           r"(?P<extension>pdf)",
           "hlsp_tess-spoc_tess_phot_{tic:016d}-s{first:04d}-s{last:04d}_tess_{version}_dvs-{planet:02d}.{extension}"),
    Family("tess-spoc-cbv", "cbv", "TESS-SPOC", "HLSP",
           rf"hlsp_tess-spoc_tess_phot_{_S}-{_PLACE}_{_VERSION}_(?P<product>cbv){_GZ}",
           "hlsp_tess-spoc_tess_phot_s{sector:04d}-{camera}-{ccd}_tess_{version}_cbv.{extension}"),
    Family("qlp", "lightcurve", "QLP", "HLSP",
           rf"hlsp_qlp_tess_ffi_{_S}-{_TIC}_{_VERSION}_(?P<product>llc)\.(?P<extension>fits(?:\.gz)?|txt|h5)",
           "hlsp_qlp_tess_ffi_s{sector:04d}-{tic:016d}_tess_{version}_llc.{extension}"),
    Family("tglc", "lightcurve", "TGLC", "HLSP",
           rf"hlsp_tglc_tess_ffi_(?P<target>gaiaid-\d+)-{_S}-cam(?P<camera>[1-4])-ccd(?P<ccd>[1-4])_{_VERSION}_"
           rf"(?P<product>llc){_GZ}",
           "hlsp_tglc_tess_ffi_{target}-s{sector:04d}-cam{camera}-ccd{ccd}_tess_{version}_llc.{extension}"),
    Family("cdips", "lightcurve", "CDIPS", "HLSP",
           rf"hlsp_cdips_tess_ffi_(?P<target>gaiatwo\d+)-(?P<sector>\d{{4}})-cam(?P<camera>[1-4])-ccd(?P<ccd>[1-4])_"
           rf"{_VERSION}_(?P<product>llc){_GZ}",
           "hlsp_cdips_tess_ffi_{target}-{sector:04d}-cam{camera}-ccd{ccd}_tess_{version}_llc.{extension}"),
    Family("tasoc", "lightcurve", "TASOC", "HLSP",
           rf"hlsp_tasoc_tess_(?P<instrument>ffi|tpf)_tic(?P<tic>\d{{11}})-{_S}-cam(?P<camera>[1-4])-ccd(?P<ccd>[1-4])-"
           rf"c(?P<cadence>\d{{4}})_{_VERSION}_(?P<product>(?:cbv|ens)-lc){_GZ}",
           "hlsp_tasoc_tess_{instrument}_tic{tic:011d}-s{sector:04d}-cam{camera}-ccd{ccd}-c{cadence:04.0f}_tess_{version}_"
           "{product}.{extension}"),
    Family("tica", "ffi", "TICA", "HLSP",
           rf"hlsp_tica_tess_ffi_{_S}-(?P<target>o\d[a-z]?-\d{{8}})-cam(?P<camera>[1-4])-ccd(?P<ccd>[1-4])_{_VERSION}_"
           rf"(?P<product>img){_GZ}",
           "hlsp_tica_tess_ffi_s{sector:04d}-{target}-cam{camera}-ccd{ccd}_tess_{version}_img.{extension}"),
    Family("eleanor-postcard", "other", "ELEANOR", "HLSP",
           rf"hlsp_eleanor_tess_ffi_postcard-{_S}-{_PLACE}-(?P<target>cal-\d+-\d+)_{_VERSION}_(?P<product>pc|bkg){_GZ}",
           "hlsp_eleanor_tess_ffi_postcard-s{sector:04d}-{camera}-{ccd}-{target}_tess_{version}_{product}.{extension}"),
    Family("gsfc-eleanor-lite", "lightcurve", "GSFC-ELEANOR-LITE", "HLSP",
           rf"hlsp_gsfc-eleanor-lite_tess_ffi_{_S}-{_TIC}_{_VERSION}_(?P<product>lc){_GZ}",
           "hlsp_gsfc-eleanor-lite_tess_ffi_s{sector:04d}-{tic:016d}_tess_{version}_lc.{extension}"),
    Family("diamante", "lightcurve", "DIAMANTE", "HLSP",
           rf"hlsp_diamante_tess_lightcurve_tic-{_TIC}_{_VERSION}_(?P<product>llc){_GZ}",
           "hlsp_diamante_tess_lightcurve_tic-{tic:016d}_tess_{version}_llc.{extension}"),
    Family("tess-data-alerts", "", "TESS-DATA-ALERTS", "HLSP",
           rf"hlsp_tess-data-alerts_tess_phot_(?P<tic>\d{{11}})-s(?P<sector>\d{{2}})_{_VERSION}_(?P<product>lc|tp){_GZ}",
           "hlsp_tess-data-alerts_tess_phot_{tic:011d}-s{sector:02d}_tess_{version}_{product}.{extension}"),
    # Any other HLSP of TESS: last, for it reads nearly everything.
    Family("hlsp", "", "", "HLSP",
           rf"hlsp_(?P<project>[a-z0-9-]+)_tess_(?P<instrument>[a-z0-9-]+)_(?P<target>.+?)_{_VERSION}_"
           rf"(?P<product>[a-z0-9-]+)\.{_ANY}",
           "hlsp_{project}_tess_{instrument}_{target}_tess_{version}_{product}.{extension}"),
)  # fmt: skip

_BY_NAME = {family.name: family for family in FAMILIES}
_COMPILED = tuple((family, re.compile(family.pattern, re.ASCII)) for family in FAMILIES)
_WHOLE = ("tic", "sector", "first", "last", "camera", "ccd", "pin", "planet")

# What is cut from a file's stem to get its obs_id; by default nothing is.
_OBS_ID_TAIL = {
    "spoc-lc": r"_lc$",
    "spoc-tp": r"_tp$",
    "spoc-fast-lc": r"-lc$",
    "spoc-fast-tp": r"-tp$",
    "spoc-dv": r"_dv[trm]$",
    "spoc-dvs": r"-\d{2}(?=-\d{5}_dv[sp]$)|_dv[sp]$",
    "spoc-ffi": r"_ffi[cr]$",
    "spoc-cbv": r"_cbv$",
    "spoc-collateral": r"_col$",
    "tess-spoc-dv": r"_dv[trm]$",
    "tess-spoc-dvs": r"_dvs-\d{2}$",
}

_DESCRIPTIONS = {
    "lc": "Light curves",
    "fast-lc": "Fast light curves",
    "tp": "Target pixel files",
    "fast-tp": "Fast target pixel files",
    "dvt": "Data validation time series",
    "dvr": "full data validation report",
    "dvm": "Data validation mini report",
    "dvs": "TCE summary report",
    "ffic": "FFI CALIBRATED",
    "ffir": "FFI UNCALIBRATED",
    "cbv": "Cotrending basis vectors",
    "dvr-tcestats": "TCE statistics",
}

# Exposure times that a name implies.
_CADENCES = {"spoc-lc": 120.0, "spoc-tp": 120.0, "spoc-fast-lc": 20.0, "spoc-fast-tp": 20.0}


def match_name(filename: str) -> ProductName | None:
    """Read a file name; None if it is not a TESS name that is known here.

    Examples
    --------
    >>> from tessellar.mission.names import match_name
    >>> name = match_name("tess2018206045859-s0001-0000000025155310-0120-s_lc.fits")
    >>> name.tic, name.sector, name.kind, name.cadence
    (25155310, 1, 'lightcurve', 120.0)
    >>> match_name("notes.txt") is None
    True
    """
    return _match(filename)


def parse_name(filename: str) -> ProductName:
    """Read a file name.

    Raises
    ------
    Unrecognised
        If it is not a TESS name that is known here.
    """
    name = _match(filename)
    if name is None:
        raise Unrecognised(f"{filename!r} does not follow the names of TESS files that are known here")
    return name


def build_name(family: str, **parts: Any) -> str:
    """Build a file name from its parts.

    Parameters
    ----------
    family : str
        The row of `FAMILIES`: ``spoc-lc``, ``spoc-tp``, ``qlp``, ``tessellar`` ...
    **parts
        What the family's template names; ``extension`` is ``fits`` unless given.

    Raises
    ------
    InputError
        If the family is not known, or a part is missing or impossible.

    Examples
    --------
    >>> from tessellar.mission.names import build_name
    >>> build_name("spoc-lc", timestamp="2018206045859", sector=1, tic=25155310, scid="0120", cr="s")
    'tess2018206045859-s0001-0000000025155310-0120-s_lc.fits'
    """
    if family not in _BY_NAME:
        raise InputError(f"no family of names is called {family!r}; there are {', '.join(_BY_NAME)}")
    template = _BY_NAME[family].template
    given: Mapping[str, Any] = {"extension": "fits", **parts}
    missing = [name for name in template_parts(family) if given.get(name) is None]
    if missing:
        raise InputError(f"a {family} name needs {', '.join(missing)}")
    try:
        name = template.format(**given)
    except (TypeError, ValueError) as error:
        raise InputError(f"a {family} name cannot be built from {parts}: {error}") from error
    read = _match(name)
    if read is None or read.family != family:
        raise InputError(f"{name!r}, built from {parts}, is no {family} name")
    return name


def template_parts(family: str) -> tuple[str, ...]:
    """Return the parts that a family's names are built from."""
    names = (name for _, name, _, _ in Formatter().parse(_BY_NAME[family].template) if name)
    return tuple(dict.fromkeys(names))


@lru_cache(maxsize=4096)
def _match(filename: str) -> ProductName | None:
    for family, pattern in _COMPILED:
        match = pattern.fullmatch(filename)
        if match is not None:
            return _named(filename, family, match.groupdict())
    return None


def _named(filename: str, family: Family, found: Mapping[str, str | None]) -> ProductName:
    whole = {name: int(value) if (value := found.get(name)) is not None else None for name in _WHOLE}
    product = found.get("product") or ""
    first, last = whole["first"], whole["last"]
    cadence = found.get("cadence")
    return ProductName(
        filename=filename,
        family=family.name,
        kind=family.kind or _kind_of(product),
        product=product,
        author=family.author or (found.get("project") or "").upper(),
        collection=family.collection,
        tic=whole["tic"],
        sector=whole["sector"] if last is None else last,
        sector_range=None if first is None or last is None else (first, last),
        camera=whole["camera"],
        ccd=whole["ccd"],
        cadence=float(cadence) if cadence is not None else _CADENCES.get(family.name),
        timestamp=found.get("timestamp"),
        scid=found.get("scid"),
        cr=found.get("cr"),
        pin=whole["pin"],
        planet=whole["planet"],
        version=found.get("version"),
        target=found.get("target"),
        extension=found.get("extension") or "",
    )


def _kind_of(product: str) -> str:
    """Tell the kind of an HLSP from the ending that its authors chose."""
    endings = {"lc": "lightcurve", "llc": "lightcurve", "tp": "tpf", "tpf": "tpf", "cbv": "cbv"}
    return endings.get(product.rsplit("-", 1)[-1], "other")
