"""What a file is, in one sentence for people: from its name alone."""

from __future__ import annotations

import re
from functools import lru_cache

from tessellar.mission.names import ProductName

# What a product is, by the ending of its name; where that says nothing, by its kind.
_PRODUCTS = {
    "tp": "The pixels around the star, cadence by cadence",
    "fast-tp": "The pixels around the star, cadence by cadence",
    "dvt": "Time series and model fits of a search for transits",
    "dvr": "Full report on the events found in a search for transits",
    "dvm": "Short report on the events found in a search for transits",
    "dvs": "One page on one event found in a search for transits",
    "dvr-tcestats": "Table of the events found in a search for transits",
    "ffic": "Calibrated full-frame image",
    "ffir": "Uncalibrated full-frame image",
    "img": "Calibrated full-frame image",
    "prf": "Response of the pixels to a star",
    "quat": "Pointing of the spacecraft, from its guide stars",
    "emi": "Angles and distances of Earth and Moon from each camera",
    "eng": "Engineering data of the spacecraft",
    "pc": "Background-subtracted cut-out of a part of a CCD",
    "bkg": "Background of a part of a CCD",
}
_KINDS = {
    "lightcurve": "Light curve",
    "tpf": "The pixels around the star, cadence by cadence",
    "ffi": "Full-frame image",
    "dv": "File of a search for transits",
    "cbv": "Trends common to the stars (cotrending basis vectors)",
    "cube": "All full-frame images in one file",
    "cutout": "Cut-out of the full-frame images (background not subtracted)",
    "tcestats": "Table of the events found in a search for transits",
    "collateral": "Collateral pixels",
}
_FORMATS = {"xml": "for programs (XML)", "pdf": "to be read (PDF)"}
UNKNOWN = "A file whose name tessellar does not know"


def describe(name: ProductName | None) -> str:
    """Return a sentence that says what a file is.

    Parameters
    ----------
    name : ProductName or None
        Its name, read; None for a name that is not known.

    Examples
    --------
    >>> from tessellar.mission import describe, parse_name
    >>> describe(parse_name("tess2018206045859-s0001-0000000025155310-0120-s_lc.fits"))
    'Light curve of TIC 25155310, sector 1, every 120 s, by SPOC.'
    >>> describe(parse_name("tess2018206190142-s0001-s0003-0000000025132999-00129_dvr.xml"))
    'Full report on the events found in a search for transits of TIC 25132999, sectors 1 to 3, for programs (XML), by SPOC.'
    """  # noqa: E501
    if name is None:
        return f"{UNKNOWN}."
    first, last = name.sector_range or (name.sector, name.sector)
    before, after = _around(
        name.product, name.kind, first, last, name.planet, name.cadence, name.extension, name.author
    )
    of = _subject(name)
    return f"{before} of {of}{after}" if of else f"{before}{after}"


@lru_cache(maxsize=4096)
def _around(
    product: str,
    kind: str,
    first: int | None,
    last: int | None,
    planet: int | None,
    cadence: float | None,
    extension: str,
    author: str,
) -> tuple[str, str]:
    """Return what stands before and after the subject: the same for many files."""
    what = _PRODUCTS.get(product) or _KINDS.get(kind) or (f"Product {product}" if product else "File")
    parts = [
        _when(first, last),
        f"event {planet}" if planet is not None else "",
        f"every {cadence:g} s" if cadence is not None else "",
        _FORMATS.get(extension.split(".")[0], ""),
        f"by {author}" if author else "",
    ]
    return what, "".join(f", {part}" for part in parts if part) + "."


def _subject(name: ProductName) -> str:
    if name.tic is not None:
        return f"TIC {name.tic}"
    if name.target is not None and (gaia := re.fullmatch(r"gaia(?:id-|two)0*(\d+)", name.target)) is not None:
        return f"Gaia DR2 {gaia[1]}"
    if name.camera is not None and name.ccd is not None:
        return f"camera {name.camera}, CCD {name.ccd}"
    return ""


def _when(first: int | None, last: int | None) -> str:
    if last is None:
        return ""
    return f"sector {last}" if first == last else f"sectors {first} to {last}"
