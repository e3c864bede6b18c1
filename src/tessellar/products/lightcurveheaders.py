"""Headers of light curves: what the mission's readers, TASOC's and the archive of contributed products ask for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.mission.time import BTJD_TO_MJD
from tessellar.products.cards import card
from tessellar.products.provenance import Provenance

#: Version of the layout; goes into FILEVER.
FILE_VERSION = "1.1"
_KEYWORD = re.compile(r"[A-Z0-9_-]{1,8}")
# Characters that fit into the value of one header card, with room for a doubled quote or two.
_CARD_TEXT = 64
# Typed, for to a cache True, 1 and 1.0 are one.
_card = lru_cache(maxsize=4096, typed=True)(card)
# Seconds of one exposure, and of them those in which light is collected.
_EXPOSURE, _COLLECTING = 2.0, 1.98

Wanted = tuple[str, Any, str]


def primary_cards(
    meta: Mapping[str, Any], provenance: Provenance, times: NDArray[np.float64], extensions: int
) -> list[bytes]:
    """Primary header: who, what, when, how."""
    number = None if meta.get("tic") is None else int(meta["tic"])
    name = None if number is None else f"TIC {number}"
    version = (meta.get("headers") or {}).get("VERSION", 1)
    wanted: list[Wanted] = [
        ("SIMPLE", True, "conforms to FITS standards"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 0, "number of array dimensions"),
        ("EXTEND", True, "file contains extensions"),
        ("NEXTEND", extensions, "number of standard extensions"),
        ("EXTNAME", "PRIMARY", "name of extension"),
        ("ORIGIN", "tessellar", "who made this file"),
        ("DATE", provenance.created, "when it was made, UTC"),
        # lightkurve knows a light curve of TESS by this word in CREATOR.
        ("CREATOR", f"tessellar lightcurve {provenance.version}", "what made this file"),
        ("PROCVER", provenance.version, "version of tessellar"),
        ("FILEVER", FILE_VERSION, "version of this layout"),
        ("TELESCOP", "TESS", "telescope"),
        ("OBSERVAT", "TESS", "observatory"),
        ("INSTRUME", "TESS Photometer", "detector type"),
        ("FILTER", "TESS", "filter"),
        ("OBJECT", name, "the star"),
        ("TICID", number, "its id in the TESS Input Catalog"),
        ("SECTOR", meta.get("sector"), "observing sector"),
        ("CAMERA", meta.get("camera"), "camera number"),
        ("CCD", meta.get("ccd"), "CCD number"),
        ("RADESYS", "ICRS", "reference frame of celestial coordinates"),
        ("RA_OBJ", meta.get("ra"), "[deg] right ascension"),
        ("DEC_OBJ", meta.get("dec"), "[deg] declination"),
        ("RA_TARG", meta.get("ra"), "[deg] right ascension"),
        ("DEC_TARG", meta.get("dec"), "[deg] declination"),
        ("TESSMAG", meta.get("tmag"), "[mag] TESS magnitude"),
        ("DATA_REL", meta.get("data_release"), "the mission's data release"),
        ("CRMITEN", meta.get("crmiten"), "spacecraft cosmic ray mitigation enabled"),
        ("CRBLKSZ", meta.get("crblksz"), "[exposures] cosmic ray mitigation block size"),
        ("PHOTMET", meta.get("method"), "method of photometry"),
        ("QUALMASK", meta.get("quality_mask"), "name of the mask of QUALITY for good cadences"),
        ("QUALBITS", meta.get("quality_bits"), "bits of QUALITY in that mask"),
        ("TIMEOFFS", meta.get("time_offset"), "[s] known error of the input's times, to add"),
        ("TOFFDONE", meta.get("time_corrected"), "whether TIMEOFFS was added to TIME"),
        ("SIMULATD", True if meta.get("simulated") else None, "the sky is simulated"),
        ("HLSPID", "tessellar", "name of the collection"),
        ("HLSPNAME", "tessellar light curves", "title of the collection"),
        ("HLSPTARG", name, "target of this product"),
        ("HLSPVER", f"v{version[0] if isinstance(version, tuple) else version}", "version of this product"),
        ("LICENSE", "CC BY 4.0", "licence of these data"),
        ("LICENURL", "https://creativecommons.org/licenses/by/4.0/", "its text"),
        *_observed(times, meta),
    ]
    taken = {key for key, _, _ in wanted} | {"CHECKSUM", "DATASUM", "END"}
    return [*_cards(wanted), *_cards(_further(meta.get("headers") or {}, taken))]


def table_time_cards(times: NDArray[np.float64], meta: Mapping[str, Any]) -> list[bytes]:
    """Header of the table, below its columns: times, exposure, target."""
    tic, step = meta.get("tic"), _step(meta)
    wanted: list[Wanted] = [
        ("INHERIT", True, "inherit the primary header"),
        ("EXTNAME", "LIGHTCURVE", "name of extension"),
        ("TELESCOP", "TESS", "telescope"),
        ("INSTRUME", "TESS Photometer", "detector type"),
        ("FILTER", "TESS", "filter"),
        ("DETECTOR", _detector(meta), "camera and CCD"),
        ("OBJECT", None if tic is None else f"TIC {int(tic)}", "the star"),
        ("RADESYS", "ICRS", "reference frame of celestial coordinates"),
        ("RA_TARG", meta.get("ra"), "[deg] right ascension"),
        ("DEC_TARG", meta.get("dec"), "[deg] declination"),
        ("APERTURE", meta.get("method"), "how light was measured: see PHOTMET"),
        ("TIMEREF", "SOLARSYSTEM", "barycentric correction applied to times"),
        ("TIMESYS", "TDB", "time system is Barycentric Dynamical Time"),
        ("BJDREFI", 2457000, "integer part of BTJD reference date"),
        ("BJDREFF", 0.0, "fraction of the day in BTJD reference date"),
        ("TIMEUNIT", "d", "unit of TIME, TSTART and TSTOP"),
        ("TIMEPIXR", 0.5, "TIME is the middle of the cadence"),
        ("TIMEDEL", step, "[d] time resolution of data"),
        ("NUM_FRM", meta.get("num_frm"), "number of frames per time stamp"),
    ]
    span = _span(times, step)
    if span is not None:
        start, stop = span
        begin, end = _utc(start, stop)
        live = live_fraction(meta)
        wanted += [
            ("TSTART", start, "observation start time in BTJD"),
            ("TSTOP", stop, "observation stop time in BTJD"),
            ("TELAPSE", stop - start, "[d] TSTOP - TSTART"),
            ("DATE-OBS", begin, "TSTART as UTC calendar date"),
            ("DATE-END", end, "TSTOP as UTC calendar date"),
            ("MJD-BEG", start + BTJD_TO_MJD, "[d] TSTART as MJD (TDB)"),
            ("MJD-END", stop + BTJD_TO_MJD, "[d] TSTOP as MJD (TDB)"),
        ]
        if live is not None:
            wanted += [
                ("DEADC", live, "part of the time in which light is collected"),
                ("LIVETIME", (stop - start) * live, "[d] TELAPSE multiplied by DEADC"),
                ("EXPOSURE", (stop - start) * live, "[d] time on source"),
                ("XPOSURE", exposure(meta), "[s] time on source of one cadence"),
                ("INT_TIME", _COLLECTING, "[s] photon accumulation time per frame"),
                ("READTIME", _EXPOSURE - _COLLECTING, "[s] readout time per frame"),
                ("FRAMETIM", _EXPOSURE, "[s] frame time (INT_TIME + READTIME)"),
            ]
    return _cards(wanted)


def told_by_mission(keys: Mapping[str, Any]) -> dict[str, Any]:
    """What a header of the mission's tells for those of light curves: see `write_light_curve`.

    Examples
    --------
    >>> told_by_mission({"NUM_FRM": 300, "DEADC": 0.792, "CRMITEN": True, "CRBLKSZ": 10})["num_frm"]
    300
    """
    kinds = {"data_release": int, "num_frm": int, "deadc": float, "crmiten": bool, "crblksz": int}
    names = {"data_release": "DATA_REL"} | {name: name.upper() for name in list(kinds)[1:]}
    return {name: keys[key] if isinstance(keys.get(key), kinds[name]) else None for name, key in names.items()}


def live_fraction(meta: Mapping[str, Any]) -> float | None:
    """Part of the time in which light is collected: DEADC of the input, or as cosmic-ray mitigation leaves it."""
    if meta.get("deadc") is not None:
        return float(meta["deadc"])
    if meta.get("crmiten") is None:
        return None
    block = meta.get("crblksz")
    if meta["crmiten"] and not block:
        return None
    # On board the highest and the lowest of each block of exposures are dropped.
    return _COLLECTING / _EXPOSURE * ((block - 2) / block if meta["crmiten"] and block else 1.0)


def exposure(meta: Mapping[str, Any]) -> float | None:
    """Seconds in which light is collected in one cadence; None where that is not known."""
    live, frames = live_fraction(meta), meta.get("num_frm")
    return None if live is None or frames is None else round(_EXPOSURE * live * frames, 6)


def reason_cards(reason: str) -> dict[str, tuple[str, str]]:
    """Reasons of a status as REASON1, REASON2 ...

    Examples
    --------
    >>> reason_cards("the flux is negative")
    {'REASON1': ('the flux is negative', '')}
    """
    return {f"REASON{number}": (line, "") for number, line in enumerate(wrap(reason, _CARD_TEXT), 1)}


def image_cards(name: str, shape: tuple[int, ...], bits: int) -> list[bytes]:
    """Header of an image of the stamp."""
    if len(shape) != 2:
        raise InputError(f"{name} has the shape {shape}: rows and columns of the stamp are needed")
    wanted: list[Wanted] = [
        ("XTENSION", "IMAGE", "image"),
        ("BITPIX", bits, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", shape[1], "columns"),
        ("NAXIS2", shape[0], "rows"),
        ("PCOUNT", 0, "no group parameters"),
        ("GCOUNT", 1, "one group"),
        ("INHERIT", True, "inherit the primary header"),
        ("EXTNAME", name, "name of extension"),
        # Of a table, FITS has it that columns tell their units, and no BUNIT.
        ("BUNIT", None if bits > 0 else "electron/s", "unit of the pixels"),
    ]
    return _cards(wanted)


def table_cards(width: int, rows: int, columns: Iterable[tuple[str, str, str, str, str]]) -> list[bytes]:
    """Beginning of a table's header: its size, and each column's name, code, display, unit and comment."""
    told = tuple(columns)
    wanted: list[Wanted] = [
        ("XTENSION", "BINTABLE", "binary table"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", width, "bytes of a row"),
        ("NAXIS2", rows, "number of rows"),
        ("PCOUNT", 0, "no heap"),
        ("GCOUNT", 1, "one group"),
        ("TFIELDS", len(told), "number of columns"),
    ]
    return [*_cards(wanted), _column_cards(told)]


@lru_cache(maxsize=16)
def _column_cards(columns: tuple[tuple[str, str, str, str, str], ...]) -> bytes:
    cards = []
    for number, (name, code, display, unit, comment) in enumerate(columns, 1):
        cards.append(card(f"TTYPE{number}", name, comment))
        cards.append(card(f"TFORM{number}", code, "column format"))
        if unit:
            cards.append(card(f"TUNIT{number}", unit, "column unit"))
        if display:
            cards.append(card(f"TDISP{number}", display, "column display format"))
    return b"".join(cards)


def _observed(times: NDArray[np.float64], meta: Mapping[str, Any]) -> list[Wanted]:
    span = _span(times, _step(meta))
    if span is None:
        return []
    begin, end = _utc(*span)
    return [
        ("TIMESYS", "UTC", "time system of the dates below"),
        ("DATE-BEG", begin, "begin of the observation, UTC"),
        ("DATE-END", end, "end of the observation, UTC"),
    ]


def _detector(meta: Mapping[str, Any]) -> str | None:
    camera, ccd = meta.get("camera"), meta.get("ccd")
    return None if camera is None or ccd is None else f"camera {camera} CCD {ccd}"


def _step(meta: Mapping[str, Any]) -> float | None:
    cadence = meta.get("cadence")
    return None if cadence is None else float(cadence) / 86400


def _span(times: NDArray[np.float64], step: float | None) -> tuple[float, float] | None:
    finite = times[np.isfinite(times)]
    if not finite.size:
        return None
    half = (step or 0.0) / 2
    return float(finite.min()) - half, float(finite.max()) + half


@lru_cache(maxsize=64)
def _utc(*btjd: float) -> list[str]:
    from astropy.time import Time

    return [str(text) for text in Time(btjd, 2457000.0, format="jd", scale="tdb").utc.isot]


def _further(headers: Mapping[str, Any], taken: set[str]) -> Iterator[Wanted]:
    for key, value in headers.items():
        if not _KEYWORD.fullmatch(key.upper()) or key.upper() in taken:
            raise InputError(f"{key!r} cannot be a further header keyword: it needs up to 8 of A-Z 0-9 - _, not in use")
        plain, comment = value if isinstance(value, tuple | list) else (value, "")
        yield key.upper(), plain, comment


def _cards(wanted: Iterable[Wanted]) -> list[bytes]:
    cards = []
    for key, value, comment in wanted:
        plain = value.item() if isinstance(value, np.generic) else value
        if plain is None or (isinstance(plain, float) and not math.isfinite(plain)):
            continue
        cards.append(_card(key, plain, comment))
    return cards
