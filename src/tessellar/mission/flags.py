"""Quality flags: one registry per author, for authors use the same bits for different things.

The bits of SPOC are those of the TESS Science Data Products Description
Document (quality flags of light curves and target pixel files); 16 and 256
carry other names there than Kepler's. QLP, TGLC, eleanor and TASOC document bits
of their own, QLP another one from sector 56 on.
"""

from __future__ import annotations

from enum import IntFlag
from types import MappingProxyType
from typing import Any

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
    """Flags of QLP light curves of sectors 1 to 55: bits of SPOC, but 4096 is QLP's own judgement of a cadence."""

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
    LowPrecision = 4096, "low precision, as judged by QLP"


def _with_spoc(name: str, **more: tuple[int, str]) -> type[DescribedFlag]:
    """Make the flags of an author who takes over SPOC's as they are and adds some."""
    make: Any = DescribedFlag
    made: type[DescribedFlag] = make(
        name, {flag.name: (flag.value, flag.description) for flag in SPOCQuality} | more, module=__name__
    )
    made.__doc__ = f"Flags of SPOC, all 16 bits, and {', '.join(str(value) for value, _ in more.values())}."
    return made


# QLP light curves from sector 56 on.
QLPLaterQuality = _with_spoc("QLPLaterQuality", LowPrecision=(1 << 30, "low precision, as judged by QLP"))

# Light curves of eleanor and GSFC-ELEANOR-LITE.
EleanorQuality = _with_spoc(
    "EleanorQuality",
    Eleanor17=(1 << 17, "set by eleanor itself (its bit 17)"),
    Eleanor18=(1 << 18, "set by eleanor itself (its bit 18)"),
)


class TGLCQuality(DescribedFlag):
    """Flags of TGLC light curves (column ``TGLC_flags``; ``TESS_flags`` holds those of SPOC)."""

    BackgroundOutlier = 1, "background is an outlier"


class TASOCQuality(DescribedFlag):
    """Flags of TASOC's corrections (column ``QUALITY``; ``PIXEL_QUALITY`` holds those of SPOC)."""

    FlaggedBadData = 1, "bad data, by the flags of the pixels"
    ManualExclude = 2, "excluded by hand"
    SigmaClip = 4, "removed as an outlier"
    JumpAdditiveConstant = 8, "jump corrected by an additive constant"
    JumpAdditiveLinear = 16, "jump corrected by an additive linear trend"
    JumpMultiplicativeConstant = 32, "jump corrected by a factor"
    JumpMultiplicativeLinear = 64, "jump corrected by a linear trend of the factor"
    Interpolated = 128, "interpolated"
    BackgroundShenanigans = 256, "residual background that varies in time"


# By author: from which sector on, which flags.
_AUTHORS: dict[str, tuple[tuple[int, type[DescribedFlag]], ...]] = {
    "SPOC": ((1, SPOCQuality),),
    "TESS-SPOC": ((1, SPOCQuality),),
    "TESS-DATA-ALERTS": ((1, SPOCQuality),),
    "TESSCUT": ((1, SPOCQuality),),
    "TICA": ((1, SPOCQuality),),
    "PATHOS": ((1, SPOCQuality),),
    "TASOC": ((1, SPOCQuality),),
    "TASOC-CORRECTIONS": ((1, TASOCQuality),),
    "GSFC-ELEANOR-LITE": ((1, EleanorQuality),),
    "ELEANOR": ((1, EleanorQuality),),
    "TESSELLAR": ((1, SPOCQuality),),
    "QLP": ((1, QLPQuality), (56, QLPLaterQuality)),
    "TGLC": ((1, TGLCQuality),),
}

MASKS = MappingProxyType(
    {
        "none": 0,
        # Corrected cosmic rays (64) and scattered light (4096; up to a fifth of the cadences of good
        # stars in some sectors) are left in: they are reported, not dropped.
        "default": 1 | 2 | 4 | 8 | 16 | 32 | 128 | 512 | 16384,
        "hard": 1 | 2 | 4 | 8 | 16 | 32 | 64 | 128 | 256 | 512 | 1024 | 2048 | 4096 | 16384,
        "hardest": 0x7FFFFFFF,
    }
)
DEFAULT_MASK = "default"


def flags_of(author: str, sector: int | None = None) -> type[DescribedFlag]:
    """Return the flags that an author uses; SPOC's for an author that is not known.

    Parameters
    ----------
    author : str
        ``SPOC``, ``TESS-SPOC``, ``QLP`` ... in any case. ``TASOC`` gives the flags of its ``PIXEL_QUALITY``, which
        are SPOC's, ``TASOC-CORRECTIONS`` those of its ``QUALITY``.
    sector : int, optional
        QLP changed its bits with sector 56; without a sector the older ones are given.

    Examples
    --------
    >>> from tessellar.mission import flags_of
    >>> flags_of("SPOC")(32).description
    'reaction wheel desaturation (momentum dump)'
    >>> flags_of("QLP", 24).LowPrecision.value, flags_of("QLP", 60).LowPrecision.value
    (4096, 1073741824)
    """
    eras = _AUTHORS.get(author.upper(), _AUTHORS["SPOC"])
    return [flags for first, flags in eras if first <= max(sector or 1, 1)][-1]


def registries() -> dict[type[DescribedFlag], list[str]]:
    """Return all kinds of flags, each with the authors who use it, and from which sector on.

    Examples
    --------
    >>> from tessellar.mission.flags import TGLCQuality, registries
    >>> registries()[TGLCQuality]
    ['TGLC']
    """
    found: dict[type[DescribedFlag], list[str]] = {}
    for author, eras in _AUTHORS.items():
        for first, flags in eras:
            found.setdefault(flags, []).append(author if first == 1 else f"{author} from sector {first} on")
    return found


def decode(quality: int, author: str = "SPOC", sector: int | None = None) -> list[str]:
    """Return what the bits of one cadence mean; a bit that its author does not document is named as such.

    Examples
    --------
    >>> from tessellar.mission import decode
    >>> decode(5)
    ['attitude tweak', 'spacecraft is in coarse point']
    """
    known = {int(flag): flag.description for flag in flags_of(author, sector)}
    value = int(quality) & 0xFFFFFFFF  # the sign bit of an int32 is a bit like the others
    return [known.get(1 << i, f"undocumented bit {1 << i}") for i in range(value.bit_length()) if value >> i & 1]


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
    # Some authors store 16 bits, in which a mask of more would not fit.
    return np.asarray((np.asarray(quality).astype(np.int64) & mask_bits(mask)) == 0)
