"""What a file says about itself: which star or field, which sector, how often, how bright."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.products.keywords import Keys, Value
from tessellar.targets import TIC

#: Cadences that TESS has had, in seconds; a header within 1 % of one means it.
CADENCES = (20.0, 120.0, 200.0, 600.0, 1800.0)


@dataclass(frozen=True)
class Identity:
    """What a file says about itself; a number that it does not tell is NaN, an id None."""

    tic: TIC | None
    sector: int | None
    camera: int | None
    ccd: int | None
    tmag: float
    ra: float
    dec: float
    data_release: int | None
    simulated: bool


def identify(path: Path, *headers: Keys) -> Identity:
    """Gather the identity from the headers, first come first served; what they lack from the file's name.

    Parameters
    ----------
    path : Path
        The file, for its name.
    *headers : mapping
        Keywords of its parts, the primary header first.
    """
    from tessellar.mission.names import match_name

    name = match_name(path.name)
    sector = _positive(headers, "SECTOR") or (name.sector if name else None)
    if sector is None:  # astrocut tells which frame its WCS came from
        frame = match_name(str(_first(headers, "WCS_FFI") or _first(headers, "FFI_FILE") or ""))
        sector = frame.sector if frame else None
    tic = _tic(headers)
    if tic is None and name is not None and name.tic:
        tic = TIC(name.tic)
    tmag = _float(headers, "TESSMAG")
    # astrocut writes 0.0 where it knows no magnitude, and no TIC star has exactly that.
    if not tmag:
        tmag = _float(headers, "TMAG")
    simulated = any(keys.get(key) is True for keys in headers for key in ("SIMULATD", "SIMDATA"))
    return Identity(
        tic=tic,
        sector=sector,
        camera=_positive(headers, "CAMERA") or (name.camera if name else None),
        ccd=_positive(headers, "CCD") or (name.ccd if name else None),
        tmag=tmag,
        ra=_float(headers, "RA_OBJ"),
        dec=_float(headers, "DEC_OBJ"),
        data_release=_whole(_first(headers, "DATA_REL")),
        simulated=simulated,
    )


def cadence_of(table: Keys, btjd: NDArray[np.float64] | None = None) -> float:
    """Seconds from one row to the next.

    The header's TIMEDEL, where it is a cadence of TESS (some authors write a mean
    over the gaps there), else the median step of the times, else what TIMEDEL says.
    """
    told = _float((table,), "TIMEDEL") * 86400
    for cadence in CADENCES:
        if abs(told - cadence) < 0.01 * cadence:
            return cadence
    finite = np.empty(0) if btjd is None else btjd[np.isfinite(btjd)]
    if finite.size < 2:
        return float(told)
    step = float(np.median(np.diff(finite))) * 86400
    return next((cadence for cadence in CADENCES if abs(step - cadence) < 0.01 * cadence), step)


def _first(headers: tuple[Keys, ...], key: str) -> Value:
    for keys in headers:
        value = keys.get(key)
        if value is not None and value != "":
            return value
    return None


def _float(headers: tuple[Keys, ...], key: str) -> float:
    value = _first(headers, key)
    return float(value) if isinstance(value, int | float) else float("nan")


def _whole(value: Value) -> int | None:
    return int(value) if isinstance(value, int | float) and float(value).is_integer() else None


def _positive(headers: tuple[Keys, ...], key: str) -> int | None:
    return _whole(_first(headers, key)) or None


def _tic(headers: tuple[Keys, ...]) -> TIC | None:
    for key in ("TICID", "TIC_ID", "OBJECT"):
        value = _first(headers, key)
        if value is None or isinstance(value, bool):
            continue
        try:
            return TIC(value)
        except InputError:
            continue
    return None
