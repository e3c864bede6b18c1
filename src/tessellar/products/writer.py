"""Writing light curves: FITS that fitsverify passes, that any reader of TESS light curves opens, fast."""

from __future__ import annotations

import errno
import gzip
import math
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError, NoPermission, NoSpace, StoreError
from tessellar.products.cards import card, sealed
from tessellar.products.provenance import Provenance, provenance_part
from tessellar.products.wcscards import wcs_cards

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

#: Version of the layout; goes into FILEVER.
FILE_VERSION = "1.0"


class ColumnFormat(NamedTuple):
    """How one column is written: FITS code, how it is displayed, unit, what it means."""

    name: str
    code: str
    display: str
    unit: str
    comment: str


COLUMNS = (
    ColumnFormat("TIME", "D", "D14.7", "BJD - 2457000, days", "barycentric mid-time of the cadence, TDB"),
    ColumnFormat("TIMECORR", "E", "E13.6", "d", "barycentric correction that is in TIME"),
    ColumnFormat("CADENCENO", "J", "I10", "", "number of the cadence"),
    ColumnFormat("FLUX", "D", "E26.17", "e-/s", "flux, background subtracted"),
    ColumnFormat("FLUX_ERR", "D", "E26.17", "e-/s", "1-sigma error of FLUX"),
    ColumnFormat("FLUX_RAW", "D", "E26.17", "e-/s", "flux before any correction"),
    ColumnFormat("FLUX_RAW_ERR", "D", "E26.17", "e-/s", "1-sigma error of FLUX_RAW"),
    ColumnFormat("FLUX_BKG", "D", "E26.17", "e-/s", "background in the aperture"),
    ColumnFormat("QUALITY", "J", "B16.16", "", "the mission's flags of the cadence"),
    ColumnFormat("PIXEL_QUALITY", "J", "B16.16", "", "flags of the photometry"),
    ColumnFormat("MOM_CENTR1", "D", "F10.5", "pixels", "flux-weighted centroid, CCD column"),
    ColumnFormat("MOM_CENTR2", "D", "F10.5", "pixels", "flux-weighted centroid, CCD row"),
    ColumnFormat("POS_CORR1", "D", "F14.7", "pixels", "shift of the star by pointing, column"),
    ColumnFormat("POS_CORR2", "D", "F14.7", "pixels", "shift of the star by pointing, row"),
)

# What a column holds where the caller gives none.
_SAME_AS = {"FLUX_RAW": "FLUX", "FLUX_RAW_ERR": "FLUX_ERR"}
_DTYPES = {"D": ">f8", "E": ">f4", "J": ">i4", "K": ">i8"}
_KEYWORD = re.compile(r"[A-Z0-9_-]{1,8}")
_EXTRA_CODES = {"f": ("D", "E26.17"), "i": ("K", "I20"), "u": ("K", "I20"), "b": ("J", "I10")}


def write_light_curve(
    path: str | os.PathLike[str],
    columns: Mapping[str, ArrayLike],
    *,
    meta: Mapping[str, Any],
    aperture: ArrayLike | None = None,
    sumimage: ArrayLike | None = None,
    wcs: WCS | Header | None = None,
    provenance: Provenance | None = None,
) -> Path:
    """Write a light curve as FITS, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file; an older one of that name is replaced. ``.gz`` is packed.
    columns : mapping of str to array
        At least TIME (BTJD, days), FLUX and FLUX_ERR (e-/s), all of one length; the others of
        `COLUMNS` are NaN or 0 where not given, FLUX_RAW is FLUX.
        Further columns are appended as they come.
    meta : mapping
        ``tic, sector, camera, ccd, cadence`` (s), ``tmag, ra, dec`` (deg), ``data_release``,
        ``method``, ``quality_mask`` (name), ``quality_bits`` (what it removed), ``corner`` (column
        and row of the stamp's pixel [0, 0] on the CCD, 1-based), ``simulated``, ``num_frm``, and
        ``headers``: further keywords → value or (value, comment). None and NaN are left out.
    aperture : array of int, optional
        Flags of the stamp's pixels, (rows, columns); bit 2 marks the aperture.
    sumimage : array, optional
        Mean image of the stamp, e-/s.
    wcs : astropy WCS or Header, optional
        World coordinates of the stamp.
    provenance : Provenance, optional
        What it was made from; without it only the version and date are recorded.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If a needed column is missing or the lengths differ.
    NoSpace, NoPermission, StoreError
        If the file cannot be written; nothing of it is left behind.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from tessellar.products import read, write_light_curve
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> time = 1325.3 + np.arange(20) / 720
    >>> lc = read(write_light_curve(
    ...     folder / "lc.fits",
    ...     {"TIME": time, "FLUX": np.full(20, 1000.0), "FLUX_ERR": np.full(20, 1.5)},
    ...     meta={"tic": 25155310, "sector": 1, "camera": 4, "ccd": 1, "cadence": 120},
    ... ))
    >>> lc.author, lc.tic, float(lc.flux[0])
    ('tessellar', TIC(25155310), 1000.0)
    """
    path = Path(path)
    provenance = provenance or Provenance()
    table, formats = _table(columns)
    stamps = [("SUMIMAGE", sumimage, ">f8", -64), ("APERTURE", aperture, ">i4", 32)]
    images = [(name, np.asarray(image, dtype), bits) for name, image, dtype, bits in stamps if image is not None]
    coordinates = wcs_cards(wcs, meta.get("corner"))
    pieces = sealed(_primary_cards(meta, provenance, extensions=2 + len(images)))
    pieces += sealed([*_table_cards(len(table), formats), *_time_cards(table["TIME"], meta)], table.tobytes())
    for name, image, bits in images:
        pieces += sealed([*_image_cards(name, image.shape, bits), *coordinates], image.tobytes())
    pieces += provenance_part(provenance)
    _write_whole(path, pieces)
    return path


def _table(columns: Mapping[str, ArrayLike]) -> tuple[NDArray[Any], tuple[ColumnFormat, ...]]:
    given = {name.upper(): np.asarray(values) for name, values in columns.items()}
    for name in ("TIME", "FLUX", "FLUX_ERR"):
        if name not in given:
            raise InputError(f"a light curve needs a column {name}: it was given {', '.join(given) or 'none'}")
    rows = len(given["TIME"])
    for name, values in given.items():
        if values.shape != (rows,):
            raise InputError(f"column {name} has the shape {values.shape}, TIME has {rows} rows")
    known = {column.name for column in COLUMNS}
    extras = tuple(_extra(name, values) for name, values in given.items() if name not in known)
    formats = COLUMNS + extras
    table = np.empty(rows, [(column.name, _DTYPES[column.code]) for column in formats])
    for column in formats:
        source = column.name if column.name in given else _SAME_AS.get(column.name, "")
        table[column.name] = given.get(source, np.array(0 if column.code in "JK" else np.nan))
    return table, formats


def _extra(name: str, values: NDArray[Any]) -> ColumnFormat:
    if values.dtype.kind not in _EXTRA_CODES:
        raise InputError(f"column {name} is not of numbers: {values.dtype}")
    code, display = _EXTRA_CODES[values.dtype.kind]
    return ColumnFormat(name, code, display, "", "")


def _primary_cards(meta: Mapping[str, Any], provenance: Provenance, extensions: int) -> list[bytes]:
    tic = meta.get("tic")
    number = None if tic is None else int(tic)
    wanted: list[tuple[str, Any, str]] = [
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
        ("INSTRUME", "TESS Photometer", "detector type"),
        ("FILTER", "TESS", "filter"),
        ("OBJECT", None if number is None else f"TIC {number}", "the star"),
        ("TICID", number, "its id in the TESS Input Catalog"),
        ("SECTOR", meta.get("sector"), "observing sector"),
        ("CAMERA", meta.get("camera"), "camera number"),
        ("CCD", meta.get("ccd"), "CCD number"),
        ("RADESYS", "ICRS", "reference frame of celestial coordinates"),
        ("RA_OBJ", meta.get("ra"), "[deg] right ascension"),
        ("DEC_OBJ", meta.get("dec"), "[deg] declination"),
        ("TESSMAG", meta.get("tmag"), "[mag] TESS magnitude"),
        ("DATA_REL", meta.get("data_release"), "the mission's data release"),
        ("PHOTMET", meta.get("method"), "method of photometry"),
        ("QUALMASK", meta.get("quality_mask"), "name of the mask of QUALITY for good cadences"),
        ("QUALBITS", meta.get("quality_bits"), "bits of QUALITY in that mask"),
        ("SIMULATD", True if meta.get("simulated") else None, "the sky is simulated"),
    ]
    taken = {key for key, _, _ in wanted} | {"CHECKSUM", "DATASUM", "END"}
    return [*_cards(wanted), *_cards(_further(meta.get("headers") or {}, taken))]


def _further(headers: Mapping[str, Any], taken: set[str]) -> Iterator[tuple[str, Any, str]]:
    for key, value in headers.items():
        if not _KEYWORD.fullmatch(key.upper()) or key.upper() in taken:
            raise InputError(f"{key!r} cannot be a further header keyword: it needs up to 8 of A-Z 0-9 - _, not in use")
        value, comment = value if isinstance(value, tuple) else (value, "")
        yield key.upper(), value, comment


def _time_cards(times: NDArray[np.float64], meta: Mapping[str, Any]) -> list[bytes]:
    cadence = meta.get("cadence")
    step = None if cadence is None else float(cadence) / 86400
    tic = meta.get("tic")
    wanted: list[tuple[str, Any, str]] = [
        ("INHERIT", True, "inherit the primary header"),
        ("EXTNAME", "LIGHTCURVE", "name of extension"),
        ("TELESCOP", "TESS", "telescope"),
        ("INSTRUME", "TESS Photometer", "detector type"),
        ("OBJECT", None if tic is None else f"TIC {int(tic)}", "the star"),
        ("TIMEREF", "SOLARSYSTEM", "barycentric correction applied to times"),
        ("TIMESYS", "TDB", "time system is Barycentric Dynamical Time"),
        ("BJDREFI", 2457000, "integer part of BTJD reference date"),
        ("BJDREFF", 0.0, "fraction of the day in BTJD reference date"),
        ("TIMEUNIT", "d", "unit of TIME, TSTART and TSTOP"),
        ("TIMEPIXR", 0.5, "TIME is the middle of the cadence"),
        ("TIMEDEL", step, "[d] time resolution of data"),
        ("NUM_FRM", meta.get("num_frm"), "number of frames per time stamp"),
    ]
    finite = times[np.isfinite(times)]
    if finite.size:
        half = (step or 0.0) / 2
        start, stop = float(finite.min()) - half, float(finite.max()) + half
        begin, end = _utc(start, stop)
        wanted += [
            ("TSTART", start, "observation start time in BTJD"),
            ("TSTOP", stop, "observation stop time in BTJD"),
            ("TELAPSE", stop - start, "[d] TSTOP - TSTART"),
            ("DATE-OBS", begin, "TSTART as UTC calendar date"),
            ("DATE-END", end, "TSTOP as UTC calendar date"),
        ]
    return _cards(wanted)


def _utc(*btjd: float) -> list[str]:
    from astropy.time import Time

    return [str(text) for text in Time(btjd, 2457000.0, format="jd", scale="tdb").utc.isot]


@lru_cache(maxsize=8)
def _column_cards(formats: tuple[ColumnFormat, ...]) -> bytes:
    cards = []
    for number, column in enumerate(formats, 1):
        cards.append(card(f"TTYPE{number}", column.name, column.comment))
        cards.append(card(f"TFORM{number}", column.code, "column format"))
        if column.unit:
            cards.append(card(f"TUNIT{number}", column.unit, "column unit"))
        cards.append(card(f"TDISP{number}", column.display, "column display format"))
    return b"".join(cards)


def _table_cards(rows: int, formats: tuple[ColumnFormat, ...]) -> list[bytes]:
    width = sum(np.dtype(_DTYPES[column.code]).itemsize for column in formats)
    wanted: list[tuple[str, Any, str]] = [
        ("XTENSION", "BINTABLE", "binary table"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", width, "bytes of a row"),
        ("NAXIS2", rows, "number of rows"),
        ("PCOUNT", 0, "no heap"),
        ("GCOUNT", 1, "one group"),
        ("TFIELDS", len(formats), "number of columns"),
    ]
    return [*_cards(wanted), _column_cards(formats)]


def _image_cards(name: str, shape: tuple[int, ...], bits: int) -> list[bytes]:
    if len(shape) != 2:
        raise InputError(f"{name} has the shape {shape}: rows and columns of the stamp are needed")
    wanted: list[tuple[str, Any, str]] = [
        ("XTENSION", "IMAGE", "image"),
        ("BITPIX", bits, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", shape[1], "columns"),
        ("NAXIS2", shape[0], "rows"),
        ("PCOUNT", 0, "no group parameters"),
        ("GCOUNT", 1, "one group"),
        ("INHERIT", True, "inherit the primary header"),
        ("EXTNAME", name, "name of extension"),
    ]
    return _cards(wanted)


def _cards(wanted: Iterable[tuple[str, Any, str]]) -> list[bytes]:
    cards = []
    for key, value, comment in wanted:
        plain = value.item() if isinstance(value, np.generic) else value
        if plain is None or (isinstance(plain, float) and not math.isfinite(plain)):
            continue
        cards.append(card(key, plain, comment))
    return cards


def _write_whole(path: Path, pieces: list[bytes]) -> None:
    """Write under another name, then rename: under its own name a file is always whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as stream:
            if path.suffix == ".gz":
                stream.write(gzip.compress(b"".join(pieces), mtime=0))
            else:
                stream.writelines(pieces)
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(f"{path}: the disk is full; free some space and run it again") from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise NoPermission(f"{path}: may not be written") from error
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from error
