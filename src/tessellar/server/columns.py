"""The columns that the archive serves, and how MAST's protocol describes them.

A table of data: a new column is a new line. Ids are declared as strings though
their values are whole numbers, for so MAST does, and clients join on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

Kind = Literal["text", "real", "whole", "flag", "id"]

_SQL = {"text": "TEXT COLLATE NOCASE", "real": "REAL", "whole": "INTEGER", "flag": "INTEGER", "id": "INTEGER"}
_PORTAL = {"text": "string", "real": "float", "whole": "int", "flag": "boolean", "id": "string"}
_VOTABLE = {"text": "char", "real": "double", "whole": "int", "flag": "boolean", "id": "long"}


@dataclass(frozen=True)
class Column:
    """One column: its name, kind, heading, unit and meaning.

    Attributes
    ----------
    name : str
        As MAST writes it.
    kind : {'text', 'real', 'whole', 'flag', 'id'}
        What its values are.
    label, unit, description, example : str
        For people; empty where there is nothing to say.
    separator : str
        What stands between several values in one cell, where that can be.
    """

    name: str
    kind: Kind
    label: str = ""
    unit: str = ""
    description: str = ""
    example: str = ""
    separator: str = ""

    @property
    def sql(self) -> str:
        """The column as SQLite declares it."""
        return f'"{self.name}" {_SQL[self.kind]}'

    @property
    def portal_type(self) -> str:
        """The type as the portal's answers name it."""
        return _PORTAL[self.kind]

    @property
    def votable_type(self) -> str:
        """The type as a VOTable names it."""
        return _VOTABLE[self.kind]

    def config(self, order: int) -> dict[str, Any]:
        """Describe the column as the portal's ``columnsconfig`` does."""
        entry: dict[str, Any] = {
            "text": self.label or self.name,
            "order": order,
            "vot.datatype": self.votable_type,
            "vot.name": self.name,
        }
        if self.kind == "text":
            entry["vot.arraysize"] = "*"
        told = {"vot.unit": self.unit, "vot.description": self.description, "example": self.example}
        entry.update({key: value for key, value in told.items() if value})
        if self.separator:
            entry["separator"] = self.separator
        return entry


def _table(*columns: Column) -> Mapping[str, Column]:
    return MappingProxyType({column.name: column for column in columns})


C = Column

OBSERVATION = _table(
    C("dataproduct_type", "text", "Product Type", "", "Type of product", "timeseries, image, cube"),
    C("calib_level", "whole", "Calibration Level", "", "Calibration level", "3 = science product"),
    C("obs_collection", "text", "Mission", "", "Collection", "TESS, HLSP", ";"),
    C(
        "obs_id",
        "text",
        "Observation ID",
        "",
        "Observation identifier, given by mission",
        "tess2018206045859-s0001-0000000025155310-0120-s",
    ),
    C("target_name", "text", "Target Name", "", "TIC id without padding, or TESS FFI", "25155310"),
    C("s_ra", "real", "RA", "deg", "Observation Right Ascension"),
    C("s_dec", "real", "Dec", "deg", "Observation Declination"),
    C("t_min", "real", "Start Time", "d", "Observation start (MJD)"),
    C("t_max", "real", "End Time", "d", "Observation end (MJD)"),
    C("t_exptime", "real", "Exposure Length", "s", "Exposure time of one cadence", "20, 120, 1800"),
    C("wavelength_region", "text", "Waveband", "", "Energy Band", "Optical", ";"),
    C("filters", "text", "Filters", "", "Instrument filters", "TESS", ";"),
    C("em_min", "real", "Min. Wavelength", "nm", "Minimum Wavelength"),
    C("em_max", "real", "Max. Wavelength", "nm", "Maximum Wavelength"),
    C("target_classification", "text", "Target Classification", "", "Type of target", "", ";"),
    C("obs_title", "text", "Observation Title", "", "Observation description"),
    C("t_obs_release", "real", "Release Date", "d", "Date of the files (MJD)"),
    C("instrument_name", "text", "Instrument", "", "Instrument Name", "Photometer"),
    C("proposal_pi", "text", "Principal Investigator", "", "Principal investigator"),
    C("proposal_id", "text", "Proposal ID", "", "Proposal ID"),
    C("proposal_type", "text", "Proposal Type", "", "Type of proposal"),
    C("project", "text", "Project", "", "Processing project", "TESS", ";"),
    C("sequence_number", "whole", "Sequence Number", "", "Sector; the last one of a multi-sector run", "1"),
    C("provenance_name", "text", "Provenance Name", "", "Pipeline that made the products", "SPOC, TESS-SPOC, QLP", ";"),
    C("s_region", "text", "s_region", "", "STC/S Footprint", "CIRCLE 63.37389 -69.226789 0.00138889"),
    C("jpegURL", "text", "jpegURL", "", "Preview Image URL"),
    C("dataURL", "text", "Data URL", "", "Main file"),
    C("dataRights", "text", "Data Rights", "", "Data Rights", "PUBLIC"),
    C("mtFlag", "flag", "Moving Target", "", "Moving Target Flag"),
    C("srcDen", "real", "Associated Catalogs", "", "Number of cataloged objects found in observation"),
    C(
        "intentType",
        "text",
        "Observation Type",
        "",
        "Whether observation is for science or calibration.",
        "science, calibration",
    ),
    C("obsid", "id", "Product Group ID", "", "Row number of the observation in this archive"),
    C("objID", "id", "Object ID", "", "Row number of the observation in this archive"),
)

DISTANCE = C(
    "distance", "real", 'Distance (")', "arcsec", "From the position asked for to the centre of the observation"
)

PRODUCT = _table(
    C("obsID", "id", "Product Group ID", "", "Row number of the observation in this archive"),
    C("obs_collection", "text", "Mission", "", "Collection", "TESS, HLSP"),
    C("dataproduct_type", "text", "Product Type", "", "Type of product", "timeseries, image"),
    C("obs_id", "text", "Observation ID", "", "Observation that the file belongs to"),
    C("description", "text", "Description", "", "What the file is", "Light curves"),
    C("type", "text", "Type", "", "S of one sector, C of several", "S"),
    C("dataURI", "text", "URI", "", "Name of the file in the archive"),
    C("productType", "text", "Product Type", "", "SCIENCE, INFO or AUXILIARY", "SCIENCE"),
    C(
        "productGroupDescription",
        "text",
        "Product Group",
        "",
        "Whether it is among the main files",
        "Minimum Recommended Products",
    ),
    C("productSubGroupDescription", "text", "Product Subgroup", "", "Kind of file", "LC, TP, DVT"),
    C("productDocumentationURL", "text", "Documentation", "", "Documentation"),
    C("project", "text", "Project", "", "Pipeline that made it", "SPOC"),
    C("prvversion", "text", "Version", "", "Version of the pipeline"),
    C("proposal_id", "text", "Proposal ID", "", "Proposal ID"),
    C("productFilename", "text", "File", "", "File name"),
    C("size", "whole", "Size", "byte", "Size of the file"),
    C("parent_obsid", "id", "Parent", "", "Row number of the observation in this archive"),
    C("dataRights", "text", "Data Rights", "", "Data Rights", "PUBLIC"),
    C("calib_level", "whole", "Calibration Level", "", "Calibration level"),
    C("filters", "text", "Filters", "", "Instrument filters", "TESS"),
)

# The columns of the TESS Input Catalog, version 8 (Stassun et al. 2019, AJ 158, 138; Paegert et al. 2021,
# arXiv:2108.04778), in its order. What neither a catalogue file nor a header tells is empty.
_STAR_TEXT = {
    "version": "Version of the catalogue", "TYC": "TYC ID", "UCAC": "UCAC ID", "TWOMASS": "2MASS ID",
    "SDSS": "SDSS ID", "ALLWISE": "ALLWISE ID", "GAIA": "Gaia DR2 ID", "APASS": "APASS ID", "objType": "Object Type",
    "typeSrc": "Source of the type", "POSflag": "Source of Position", "PMflag": "Source of Proper Motion",
    "PARflag": "Source of Parallax", "TWOMflag": "Flags of 2MASS", "TESSflag": "TESS Flag",
    "SPFlag": "Stellar Properties Flag", "lumclass": "Luminosity Class", "disposition": "Disposition",
    "EBVflag": "Source of E(B-V)", "distflag": "Source of the distance", "TeffFlag": "Source of T_eff",
    "VmagFlag": "Source of V", "BmagFlag": "Source of B", "splists": "Special lists",
}  # fmt: skip
_STAR_WHOLE = ("HIP", "KIC", "numcont", "gaiaqflag", "starchareFlag", "raddflag", "wdflag")
_STAR_UNITS = {
    "ra": "deg", "dec": "deg", "pmRA": "mas/year", "pmDEC": "mas/year", "plx": "mas", "gallong": "deg",
    "gallat": "deg", "eclong": "deg", "eclat": "deg", "prox": "arcsec", "Teff": "K", "logg": "cgs", "MH": "dex",
    "rad": "solar units", "mass": "solar units", "rho": "solar units", "lum": "solar units", "d": "parsec",
    "RA_orig": "deg", "Dec_orig": "deg", "Tmag": "mag", "GAIAmag": "mag",
}  # fmt: skip
_STAR_LABELS = {
    "ID": "TIC ID", "HIP": "HIP ID", "KIC": "KIC ID", "ra": "Right ascension, epoch J2000",
    "dec": "Declination, epoch J2000",
    "pmRA": "Proper motion in right ascension", "pmDEC": "Proper motion in declination",
    "plx": "Parallax", "Tmag": "TESS Mag.", "GAIAmag": "GAIA G Mag.", "Teff": "T_eff", "logg": "log(g)",
    "MH": "Metallicity", "rad": "Stellar Radius", "mass": "Stellar Mass", "rho": "Stellar Density",
    "lum": "Stellar Luminosity", "d": "Distance", "contratio": "Contam. Ratio: flux of neighbours over the star's",
    "numcont": "Number of contaminating stars", "prox": "Distance of the nearest neighbour", "priority": "Priority",
    "RA_orig": "Right ascension, epoch of the source", "Dec_orig": "Declination, epoch of the source",
    "duplicate_id": "Duplicate ID", "objID": "MAST Object ID",
}  # fmt: skip
_STAR_NAMES = (
    "ID", "version", "HIP", "TYC", "UCAC", "TWOMASS", "SDSS", "ALLWISE", "GAIA", "APASS", "KIC", "objType", "typeSrc",
    "ra", "dec", "POSflag", "pmRA", "e_pmRA", "pmDEC", "e_pmDEC", "PMflag", "plx", "e_plx", "PARflag", "gallong",
    "gallat", "eclong", "eclat", "Bmag", "e_Bmag", "Vmag", "e_Vmag", "umag", "e_umag", "gmag", "e_gmag", "rmag",
    "e_rmag", "imag", "e_imag", "zmag", "e_zmag", "Jmag", "e_Jmag", "Hmag", "e_Hmag", "Kmag", "e_Kmag", "TWOMflag",
    "prox", "w1mag", "e_w1mag", "w2mag", "e_w2mag", "w3mag", "e_w3mag", "w4mag", "e_w4mag", "GAIAmag", "e_GAIAmag",
    "Tmag", "e_Tmag", "TESSflag", "SPFlag", "Teff", "e_Teff", "logg", "e_logg", "MH", "e_MH", "rad", "e_rad", "mass",
    "e_mass", "rho", "e_rho", "lumclass", "lum", "e_lum", "d", "e_d", "ebv", "e_ebv", "numcont", "contratio",
    "disposition", "duplicate_id", "priority", "eneg_EBV", "epos_EBV", "EBVflag", "eneg_Mass", "epos_Mass",
    "eneg_Rad", "epos_Rad", "eneg_rho", "epos_rho", "eneg_logg", "epos_logg", "eneg_lum", "epos_lum", "eneg_dist",
    "epos_dist", "distflag", "eneg_Teff", "epos_Teff", "TeffFlag", "gaiabp", "e_gaiabp", "gaiarp", "e_gaiarp",
    "gaiaqflag", "starchareFlag", "VmagFlag", "BmagFlag", "splists", "e_RA", "e_Dec", "RA_orig", "Dec_orig",
    "e_RA_orig", "e_Dec_orig", "raddflag", "wdflag", "objID",
)  # fmt: skip


def _star(name: str) -> Column:
    if name in ("ID", "objID", "duplicate_id"):
        return C(name, "id", _STAR_LABELS[name])
    if name in _STAR_TEXT:
        return C(name, "text", _STAR_TEXT[name])
    label = _STAR_LABELS.get(name, "")
    return C(name, "whole" if name in _STAR_WHOLE else "real", label, _STAR_UNITS.get(name, ""))


STAR = _table(*(_star(name) for name in _STAR_NAMES))

STAR_DISTANCE = C("dstArcSec", "real", "Distance (arcsec)", "arcsec", "Distance from the position asked for")

_CONFIGS: Mapping[str, tuple[Mapping[str, Column], Column | None]] = MappingProxyType(
    {
        "mast.caom.cone": (OBSERVATION, DISTANCE),
        "mast.caom.filtered": (OBSERVATION, None),
        "mast.caom.filtered.position": (OBSERVATION, DISTANCE),
        "mast.caom.products": (PRODUCT, None),
        "mast.catalogs.tess.cone": (STAR, None),
    }
)


def columns_config(name: str) -> dict[str, Any]:
    """Describe the columns of a service as the portal's ``columnsconfig`` does; ``{}`` for one that has no description.

    Examples
    --------
    >>> columns_config("Mast.Caom.Cone")["sequence_number"]["vot.datatype"]
    'int'
    >>> columns_config("Mast.Caom.Unheard.Of")
    {}
    """
    columns, distance = _CONFIGS.get(name.lower(), ({}, None))
    shown = [*columns.values(), *([distance] if distance else [])]
    return {column.name: column.config(order) for order, column in enumerate(shown)}
