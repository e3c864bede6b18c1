"""Quality flags: one registry per author, for authors use the same bits for different things.

The bits of SPOC are those of the TESS Science Data Products Description
Document (quality flags of light curves and target pixel files); 16 and 256
carry other names there than Kepler's. QLP, TGLC and eleanor-lite document their own bits.
"""

from __future__ import annotations

from enum import IntFlag
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError


class DescribedFlag(IntFlag):
    """A flag whose members have a description."""

    description: str

    def __new__(cls, value: int, description: str = "") -> DescribedFlag:
        """Make a member from its bit and what it means."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member


class SPOCQuality(DescribedFlag):
    """Flags of SPOC and TESS-SPOC light curves, target pixel files and cut-outs, all 16 bits."""

    AttitudeTweak = 1, "attitude tweak"
    SafeMode = 2, "spacecraft is in safe mode"
    CoarsePoint = 4, "spacecraft is in coarse point"
    EarthPoint = 8, "spacecraft is in Earth point"
    Argabrightening = 16, "Argabrightening: a sudden rise of the background"
    Desat = 32, "reaction wheel desaturation (momentum dump)"
    ApertureCosmic = 64, "cosmic ray in the optimal aperture, corrected"
    ManualExclude = 128, "excluded by hand because of an anomaly"
    Discontinuity = 256, "discontinuity, corrected between the cadences before and after"
    ImpulsiveOutlier = 512, "impulsive outlier, removed before co-trending"
    CollateralCosmic = 1024, "cosmic ray in collateral data"
    Straylight = 2048, "stray light from the Earth or the Moon in the field of view"
    Straylight2 = 4096, "scattered light, from its model"
    PlanetSearchExclude = 8192, "not used by the planet search"
    BadCalibrationExclude = 16384, "not used: calibration is bad"
    InsufficientTargets = 32768, "too few targets for error correction"


class QLPQuality(DescribedFlag):
    """Flags of QLP light curves: those of SPOC in the lower bits, and its own judgement of a cadence."""

    AttitudeTweak = 1, "attitude tweak"
    SafeMode = 2, "spacecraft is in safe mode"
    CoarsePoint = 4, "spacecraft is in coarse point"
    EarthPoint = 8, "spacecraft is in Earth point"
    Argabrightening = 16, "Argabrightening: a sudden rise of the background"
    Desat = 32, "reaction wheel desaturation (momentum dump)"
    ManualExclude = 128, "excluded by hand because of an anomaly"
    ImpulsiveOutlier = 512, "impulsive outlier"
    CollateralCosmic = 1024, "cosmic ray in collateral data"
    Straylight = 2048, "stray light from the Earth or the Moon in the field of view"
    LowPrecision = 4096, "low precision, by the scatter of the light curves of the CCD"


class TGLCQuality(DescribedFlag):
    """Flags of TGLC light curves (column ``TGLC_flags``)."""

    BackgroundOutlier = 1, "background is an outlier"


_AUTHORS: dict[str, type[DescribedFlag]] = {
    "SPOC": SPOCQuality,
    "TESS-SPOC": SPOCQuality,
    "TESS-DATA-ALERTS": SPOCQuality,
    "TESSCUT": SPOCQuality,
    "TICA": SPOCQuality,
    "TASOC": SPOCQuality,
    "GSFC-ELEANOR-LITE": SPOCQuality,
    "ELEANOR": SPOCQuality,
    "TESSELLAR": SPOCQuality,
    "QLP": QLPQuality,
    "TGLC": TGLCQuality,
}

MASKS = MappingProxyType(
    {
        "none": 0,
        # Corrected cosmic rays (64) and scattered light (4096; up to a fifth of the cadences of good
        # stars in some sectors) are left in: they are reported, not dropped.
        "default": 1 | 2 | 4 | 8 | 16 | 32 | 128 | 512 | 16384,
        "hard": 1 | 2 | 4 | 8 | 16 | 32 | 64 | 128 | 256 | 512 | 1024 | 2048 | 4096 | 16384,
        "hardest": 0xFFFF,
    }
)
DEFAULT_MASK = "default"


def flags_of(author: str) -> type[DescribedFlag]:
    """Return the flags that an author's QUALITY column uses; SPOC's for an author that is not known.

    Examples
    --------
    >>> from tessellar.mission import flags_of
    >>> flags_of("SPOC")(32).description
    'reaction wheel desaturation (momentum dump)'
    """
    return _AUTHORS.get(author.upper(), SPOCQuality)


def decode(quality: int, author: str = "SPOC") -> list[str]:
    """Return what the bits of one cadence mean; a bit that its author does not document is named as such.

    Examples
    --------
    >>> from tessellar.mission import decode
    >>> decode(5)
    ['attitude tweak', 'spacecraft is in coarse point']
    """
    known = {int(flag): flag.description for flag in flags_of(author)}
    bits = [1 << i for i in range(int(quality).bit_length()) if int(quality) >> i & 1]
    return [known.get(bit, f"undocumented bit {bit}") for bit in bits]


def mask_bits(mask: str | int) -> int:
    """Return the bits of a named mask; a number is returned as it is.

    Raises
    ------
    InputError
        If there is no mask of that name.
    """
    if isinstance(mask, str):
        if mask not in MASKS:
            raise InputError(f"no quality mask is called {mask!r}; there are {', '.join(MASKS)}")
        return MASKS[mask]
    return int(mask)


def good(quality: ArrayLike, mask: str | int = DEFAULT_MASK) -> NDArray[np.bool_]:
    """Return where none of the bits of a mask is set.

    Parameters
    ----------
    quality : array-like of int
        A QUALITY column.
    mask : str or int
        A name of `MASKS`, or bits. The named masks are made of SPOC's bits.

    Returns
    -------
    array of bool
        Of the same shape.

    Examples
    --------
    >>> from tessellar.mission import good
    >>> good([0, 32, 64]).tolist()
    [True, False, True]
    """
    return np.asarray((np.asarray(quality) & mask_bits(mask)) == 0)
