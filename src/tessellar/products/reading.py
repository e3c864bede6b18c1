"""`read`: open any TESS file that tessellar knows, by what is in it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TypeAlias

from tessellar.errors import Corrupt, Unrecognised
from tessellar.products.cbv import CBV
from tessellar.products.contrast import ContrastCurve, is_contrast_curve
from tessellar.products.cutouts import CutoutArchive
from tessellar.products.fitsfile import FITS_MAGIC, FitsFile, load
from tessellar.products.followup import FollowupLightCurve
from tessellar.products.followupnames import match_followup_name
from tessellar.products.followuptext import read_observers_table
from tessellar.products.images import PRF, FullFrameImage
from tessellar.products.layouts import light_curve_layout
from tessellar.products.lightcurve import LightCurve
from tessellar.products.structure import error_page
from tessellar.products.targetpixel import TargetPixelFile
from tessellar.products.validation import DataValidationReport, TCEStatistics, ValidationTimeSeries
from tessellar.products.validation.timeseries import is_event

Product: TypeAlias = (
    LightCurve
    | TargetPixelFile
    | FullFrameImage
    | CBV
    | PRF
    | DataValidationReport
    | ValidationTimeSeries
    | TCEStatistics
    | CutoutArchive
    | FollowupLightCurve
    | ContrastCurve
)

_ZIP_MAGIC = b"PK\x03\x04"
# Tables from the ground have kilobytes; a larger text is something else.
_LARGEST_TEXT = 64 * 1024 * 1024


def read(path: str | PathLike[str]) -> Product:
    """Open a TESS file; what it is, is told by its content, not by its name.

    Parameters
    ----------
    path : path-like
        A light curve (SPOC, TESS-SPOC, QLP, TGLC, TASOC, eleanor, tessellar), a target
        pixel file or cut-out, a zip of cut-outs, a full-frame image, co-trending basis
        vectors, a pixel response function, a data-validation report (XML) or its time
        series, a list of threshold-crossing events (CSV), a light curve from the ground (AstroImageJ, MuSCAT,
        KeplerCam …) or a contrast curve. FITS may be gzipped.

    Returns
    -------
    Product
        A read-only view, one class a kind of file; arrays are read when asked for.

    Raises
    ------
    MissingInput
        If there is no such file.
    Unrecognised
        If it is whole, but not a TESS file that tessellar knows.
    Corrupt
        If it is cut short, or contradicts itself, or is an error page in a file's place.

    Examples
    --------
    >>> read("nowhere.fits")
    Traceback (most recent call last):
    tessellar.errors.MissingInput: nowhere.fits: no such file
    """
    path = Path(path)
    content = load(path)
    head = bytes(content[:2880])
    if head.startswith(FITS_MAGIC):
        return _read_fits(FitsFile(path, content))
    if head.startswith(_ZIP_MAGIC):
        return CutoutArchive(path)
    page = error_page(head)
    if page and _name_is_ours(path):
        raise Corrupt(f"{path}: {page} in place of the file; fetch it again")
    if head.lstrip().startswith(b"<") and not page:
        return DataValidationReport(path, bytes(content))
    if b"tce_plnt_num" in head:
        return TCEStatistics(path, bytes(content))
    if _name_is_ours(path) and path.name.endswith((".fits", ".fits.gz")):
        raise Corrupt(f"{path}: not FITS, though its name says so (it begins with {head[:16]!r}); fetch it again")
    if b"\0" in head or len(content) > _LARGEST_TEXT:
        raise Unrecognised(f"{path}: not a TESS file that tessellar knows (it begins with {head[:16]!r})")
    return _read_text(path, bytes(content))


def read_light_curve(path: str | PathLike[str]) -> LightCurve:
    """Open a light curve; anything else is `Unrecognised`. See `read`."""
    product = read(path)
    if not isinstance(product, LightCurve):
        raise Unrecognised(f"{path}: {type(product).__name__}, not a light curve")
    return product


def read_target_pixels(path: str | PathLike[str]) -> TargetPixelFile:
    """Open a target pixel file or cut-out; anything else is `Unrecognised`. See `read`."""
    product = read(path)
    if not isinstance(product, TargetPixelFile):
        raise Unrecognised(f"{path}: {type(product).__name__}, not a target pixel file")
    return product


def _read_text(path: Path, content: bytes) -> Product:
    table = read_observers_table(path, content)
    return ContrastCurve(table) if is_contrast_curve(table) else FollowupLightCurve(table)


def _read_fits(file: FitsFile) -> Product:
    primary = file.hdus[0].keys
    telescope = primary.get("TELESCOP", file.hdus[-1].keys.get("TELESCOP"))
    if str(telescope or "").strip().upper() != "TESS":
        made_by = primary.get("ORIGIN") or primary.get("CREATOR") or "unknown"
        raise Unrecognised(f"{file.path}: FITS, but not from TESS (TELESCOP {telescope!r}, origin {made_by})")
    table = next((hdu for hdu in file.hdus if hdu.is_table), None)
    if table is None:
        return PRF(file) if primary.get("DATATYPE") == "PRF" else FullFrameImage(file)
    columns = file.columns(table)
    if table.name.upper().startswith("CBV."):
        return CBV(file)
    if "FLUX" in columns and len(columns["FLUX"].dtype.shape) == 2:
        return TargetPixelFile(file)
    if light_curve_layout(primary, columns) is not None:
        return LightCurve(file)
    if is_event(file, table):
        return ValidationTimeSeries(file)
    made_by = primary.get("ORIGIN") or primary.get("CREATOR") or "unknown"
    raise Unrecognised(f"{file.path}: a TESS table (origin {made_by}) whose columns tessellar does not know")


def _name_is_ours(path: Path) -> bool:
    from tessellar.mission.names import match_name

    return match_name(path.name) is not None or match_followup_name(path.name) is not None
