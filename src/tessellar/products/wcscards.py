"""World coordinates of a stamp as header cards."""

from __future__ import annotations

import re
from dataclasses import dataclass
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


@dataclass(frozen=True)
class WorldCards:
    """World coordinates as header cards: what stamps of one field have in common, and CRPIX, in which they differ.

    Attributes
    ----------
    text : str
        Cards of 80 characters; empty where no coordinates are known.
    crpix : (float, float)
        CRPIX1 and CRPIX2.
    """

    text: str = ""
    crpix: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, wcs: WCS | Header | WorldCards | None) -> WorldCards:
        """Of an astropy WCS or header."""
        if wcs is None or isinstance(wcs, WorldCards):
            return wcs or cls()
        if hasattr(wcs, "cards"):
            header: Any = wcs
            return cls(_text(header), (float(header.get("CRPIX1", 0.0)), float(header.get("CRPIX2", 0.0))))
        x, y = wcs.wcs.crpix
        return cls(_common(wcs), (float(x), float(y)))

    @property
    def cards(self) -> list[bytes]:
        """All cards, with CRPIX."""
        if not self.text:
            return []
        crpix = [card(f"CRPIX{axis}", value, "reference pixel") for axis, value in enumerate(self.crpix, 1)]
        return [self.text.encode(), *crpix]


# Texts of the last world coordinates, by what is in them but CRPIX: writing one anew takes longer than all else in a
# file.
_TEXTS: dict[tuple[Any, ...], str] = {}
_MANY = 32


def _common(wcs: WCS) -> str:
    key = _content(wcs)
    if key not in _TEXTS:
        while len(_TEXTS) >= _MANY:
            _TEXTS.pop(next(iter(_TEXTS)), None)
        _TEXTS[key] = _text(wcs.to_header(relax=True))
    return _TEXTS[key]


def _content(wcs: WCS) -> tuple[Any, ...]:
    inner, sip = wcs.wcs, wcs.sip
    parts = [inner.crval, inner.get_pc(), inner.get_cdelt()]
    parts += [] if sip is None else [each for each in (sip.a, sip.b, sip.ap, sip.bp) if each is not None]
    names = (*inner.ctype, *map(str, inner.cunit), inner.radesys, inner.lonpole, inner.latpole, str(inner.get_pv()))
    return (*names, *(part.tobytes() for part in parts), *(part.shape for part in parts))


def _text(header: Any) -> str:
    return "".join(
        card(one.keyword, one.value, one.comment).decode()
        for one in header.cards
        if _KEYS.fullmatch(one.keyword) and "CRPIX" not in one.keyword and isinstance(one.value, str | int | float)
    )


def wcs_cards(wcs: WCS | Header | WorldCards | None, corner: tuple[int, int] | None) -> list[bytes]:
    """Write the celestial coordinates, and the CCD's pixels as coordinate system P as the mission does.

    Parameters
    ----------
    wcs : astropy WCS or Header, or WorldCards, optional
        World coordinates of the stamp.
    corner : (int, int), optional
        Column and row of the stamp's pixel [0, 0] on the CCD, 1-based.
    """
    cards = WorldCards.of(wcs).cards
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
