"""World coordinates of a stamp as header cards."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tessellar.products.cards import card

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

# The keywords of a celestial WCS, with SIP and without an alternate; the physical one is written anew.
_KEYS = re.compile(
    r"WCSAXES|C(?:TYPE|RPIX|RVAL|UNIT|DELT|ROTA)[12]|(?:PC|CD)[12]_[12]|PV[12]_\d+|LONPOLE|LATPOLE|RADESYS"
    r"|(?:A|B|AP|BP)_(?:ORDER|\d_\d)"
)


def wcs_cards(wcs: WCS | Header | None, corner: tuple[int, int] | None) -> list[bytes]:
    """Write the celestial coordinates, and the CCD's pixels as coordinate system P as the mission does.

    Parameters
    ----------
    wcs : astropy WCS or Header, optional
        World coordinates of the stamp.
    corner : (int, int), optional
        Column and row of the stamp's pixel [0, 0] on the CCD, 1-based.
    """
    cards: list[bytes] = []
    if wcs is not None:
        header: Any = wcs if hasattr(wcs, "cards") else wcs.to_header(relax=True)
        for one in header.cards:
            if _KEYS.fullmatch(one.keyword) and isinstance(one.value, str | int | float):
                cards.append(card(one.keyword, one.value, one.comment))
    if corner is not None:
        cards += [
            card("WCSNAMEP", "PHYSICAL", "name of world coordinate system alternate P"),
            card("WCSAXESP", 2, "number of WCS physical axes"),
        ]
        for axis, (kind, name, value) in enumerate((("RAWX", "column", corner[0]), ("RAWY", "row", corner[1])), 1):
            cards += [
                card(f"CTYPE{axis}P", kind, f"CCD {name}"),
                card(f"CUNIT{axis}P", "PIXEL", f"unit of CCD {name}"),
                card(f"CRPIX{axis}P", 1.0, f"reference pixel of CCD {name}"),
                card(f"CRVAL{axis}P", float(value), f"CCD {name} of the reference pixel"),
                card(f"CDELT{axis}P", 1.0, f"step of CCD {name}"),
            ]
    return cards
