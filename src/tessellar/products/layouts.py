"""Whose light curve is it, and where does that author keep what: a table, so that a new author is a new row."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tessellar.products.keywords import Keys

# Longer than this, a cadence comes from full-frame images (200, 600, 1800 s), not from target pixels (20, 120 s).
_LONGEST_TARGET_CADENCE = 150.0


@dataclass(frozen=True)
class Layout:
    """Where one author keeps what.

    Attributes
    ----------
    author : str
        Its name, as MAST's ``provenance_name`` has it where MAST serves it.
    origin, creator : str
        What ORIGIN or CREATOR of the primary header hold (lower case), where that tells the author.
    needs : tuple of str
        Columns (upper case) without which it is not this layout.
    flux, flux_err : tuple of str
        The columns of the author's own choice of flux, best first, and the error that belongs to them.
    error_key : str
        Header key of the error where it is one number for the whole star.
    time, timecorr, cadenceno, quality : str
        The columns of these.
    flags : str
        Author whose flags `quality` holds, where it is another's.
    error_of : str
        Column whose error `flux_err` is, where it is not the flux's own: the relative error is kept.
    """

    author: str
    needs: tuple[str, ...]
    flux: tuple[str, ...]
    flux_err: tuple[str, ...] = ()
    origin: str = ""
    creator: str = ""
    error_key: str = ""
    error_of: str = ""
    time: str = "TIME"
    timecorr: str = "TIMECORR"
    cadenceno: str = "CADENCENO"
    quality: str = "QUALITY"
    flags: str = ""
    normalised: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)

    def fits(self, primary: Keys, columns: Collection[str]) -> bool:
        """Tell whether a table with these columns (upper case), under this primary header, is laid out so."""
        return (
            self.origin in str(primary.get("ORIGIN") or "").lower()
            and self.creator in str(primary.get("CREATOR") or "").lower()
            and all(name in columns for name in self.needs)
        )


# Which flux is an author's own choice, and which errors and units belong to it: QLP, TGLC and eleanor as
# their readers in lightkurve have it (QLP's raw flux, for its detrended one loses slow variability).
LAYOUTS = (
    Layout("tessellar", ("TIME", "FLUX", "FLUX_RAW"), ("FLUX",), ("FLUX_ERR",), creator="tessellar lightcurve"),
    Layout(
        "QLP",
        ("TIME", "SAP_FLUX"),
        ("SAP_FLUX",),
        ("KSPSAP_FLUX_ERR", "DET_FLUX_ERR"),
        origin="mit/qlp",
        normalised=("SAP_FLUX", "KSPSAP_FLUX", "DET_FLUX", "SYS_RM_FLUX"),
    ),
    Layout(
        "TGLC",
        ("TIME", "CAL_PSF_FLUX"),
        ("CAL_PSF_FLUX",),
        origin="ucsb/tglc",
        error_key="CPSF_ERR",
        cadenceno="CADENCE_NUM",
        quality="TESS_FLAGS",
        flags="SPOC",
        normalised=("CAL_PSF_FLUX", "CAL_APER_FLUX"),
        units={"TIME": "d", "PSF_FLUX": "e-/s", "APERTURE_FLUX": "e-/s", "BACKGROUND": "e-/s"},
    ),
    Layout(
        "ELEANOR",
        ("TIME", "RAW_FLUX", "CORR_FLUX", "FFIINDEX"),
        ("CORR_FLUX",),
        ("FLUX_ERR",),
        error_of="RAW_FLUX",
        timecorr="BARYCORR",
        cadenceno="FFIINDEX",
        units={
            "TIME": "d",
            "BARYCORR": "d",
            "RAW_FLUX": "e-/s",
            "CORR_FLUX": "e-/s",
            "FLUX_ERR": "e-/s",
            "PCA_FLUX": "e-/s",
            "PSF_FLUX": "e-/s",
            "X_CENTROID": "pixel",
            "Y_CENTROID": "pixel",
        },
    ),
    Layout(
        "TASOC",
        ("TIME", "FLUX_RAW"),
        ("FLUX_CORR", "FLUX_RAW"),
        ("FLUX_CORR_ERR", "FLUX_RAW_ERR"),
        origin="tasoc/aarhus",
        quality="PIXEL_QUALITY",
    ),
    Layout("SPOC", ("TIME", "SAP_FLUX", "PDCSAP_FLUX"), ("PDCSAP_FLUX", "SAP_FLUX"), ("PDCSAP_FLUX_ERR",)),
)

#: Target pixel files and cut-outs share SPOC's columns.
PIXEL_LAYOUT = Layout("SPOC", ("TIME", "FLUX"), ("FLUX",), ("FLUX_ERR",))


def light_curve_layout(primary: Keys, columns: Collection[str]) -> Layout | None:
    """Find the layout of a light-curve table, or None where no author known here writes it so."""
    return next((layout for layout in LAYOUTS if layout.fits(primary, columns)), None)


def author_of(layout: Layout, columns: Collection[str], cadence: float) -> str:
    """Name the author: SPOC's layout also serves TESS-SPOC (from full-frame images) and TESScut (cut-outs)."""
    if layout.author != "SPOC":
        return layout.author
    if "FFI_FILE" in columns:
        return "TESScut"
    return "TESS-SPOC" if cadence > _LONGEST_TARGET_CADENCE else "SPOC"
