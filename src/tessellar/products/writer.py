"""Writing light curves: FITS that fitsverify passes, that any reader of TESS light curves opens, fast."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError
from tessellar.products.cards import card, sealed
from tessellar.products.filing import translated
from tessellar.products.lightcurveheaders import image_cards, primary_cards, table_cards, table_time_cards
from tessellar.products.lightcurvelayout import rounded
from tessellar.products.provenance import Provenance, provenance_part
from tessellar.products.wcscards import WorldCards, wcs_cards

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    from tessellar.products.starimages import WeightImage


class ColumnFormat(NamedTuple):
    """How one column is written: name, FITS code, how it is displayed, unit, what it means."""

    name: str
    code: str
    display: str
    unit: str
    comment: str


_FLUX, _PPM = "e-/s", "ppm"
COLUMNS = (
    ColumnFormat("TIME", "D", "D14.7", "BJD - 2457000, days", "barycentric mid-time of the cadence, TDB"),
    ColumnFormat("TIMECORR", "E", "E13.6", "d", "barycentric correction that is in TIME"),
    ColumnFormat("CADENCENO", "J", "I10", "", "number of the cadence"),
    ColumnFormat("FLUX", "E", "E14.7", _FLUX, "flux, background subtracted"),
    ColumnFormat("FLUX_ERR", "E", "E14.7", _FLUX, "1-sigma error of FLUX"),
    ColumnFormat("FLUX_RAW", "E", "E14.7", _FLUX, "flux before any correction"),
    ColumnFormat("FLUX_RAW_ERR", "E", "E14.7", _FLUX, "1-sigma error of FLUX_RAW"),
    ColumnFormat("FLUX_BKG", "E", "E14.7", _FLUX, "background in the aperture"),
    ColumnFormat("FLUX_CORR", "E", "E14.7", _PPM, "co-trended flux: left to other tools"),
    ColumnFormat("FLUX_CORR_ERR", "E", "E14.7", _PPM, "1-sigma error of FLUX_CORR"),
    ColumnFormat("QUALITY", "J", "B16.16", "", "the mission's flags of the cadence"),
    ColumnFormat("PIXEL_QUALITY", "J", "B16.16", "", "flags of the photometry"),
    ColumnFormat("MOM_CENTR1", "D", "F12.6", "pixels", "flux-weighted centroid, CCD column"),
    ColumnFormat("MOM_CENTR2", "D", "F12.6", "pixels", "flux-weighted centroid, CCD row"),
    ColumnFormat("POS_CORR1", "E", "F14.7", "pixels", "shift of the star by pointing, column"),
    ColumnFormat("POS_CORR2", "E", "F14.7", "pixels", "shift of the star by pointing, row"),
)

# What a column holds where the caller gives none.
_SAME_AS = {"FLUX_RAW": "FLUX", "FLUX_RAW_ERR": "FLUX_ERR"}
_DTYPES = {"D": ">f8", "E": ">f4", "J": ">i4", "K": ">i8"}
_EXTRA_CODES = {"f": ("E", "E14.7"), "i": ("K", "I20"), "u": ("K", "I20"), "b": ("J", "I10")}


def write_light_curve(
    path: str | os.PathLike[str],
    columns: Mapping[str, ArrayLike],
    *,
    meta: Mapping[str, Any],
    aperture: ArrayLike | None = None,
    sumimage: ArrayLike | None = None,
    weights: Sequence[WeightImage] = (),
    wcs: WCS | Header | WorldCards | None = None,
    provenance: Provenance | None = None,
) -> Path:
    """Write a light curve as FITS, whole or not at all.

    Times are written in double precision, centroids to a millionth of a pixel, all else in single precision.

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
        and row of the stamp's pixel [0, 0] on the CCD, 1-based), ``simulated``, ``num_frm``, ``deadc``, ``crmiten``,
        ``crblksz`` (as in the mission's headers), ``time_offset`` (s, known error of the input's times),
        ``time_corrected`` (whether it was taken off), and
        ``headers``: further keywords → value or (value, comment). None and NaN are left out.
    aperture : array of int, optional
        Flags of the stamp's pixels, (rows, columns); bit 2 marks the aperture.
    sumimage : array, optional
        Mean image of the stamp, e-/s.
    weights : sequence of WeightImage, optional
        Of methods that weight pixels: a part WEIGHTMAP is written.
    wcs : astropy WCS or Header, or WorldCards, optional
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
    stamps = [("SUMIMAGE", sumimage, ">f4", -32), ("APERTURE", aperture, ">i4", 32)]
    images = [(name, np.asarray(image, dtype), bits) for name, image, dtype, bits in stamps if image is not None]
    coordinates = wcs_cards(wcs, meta.get("corner"))
    times = np.asarray(table["TIME"], dtype=np.float64)
    extensions = 2 + len(images) + bool(weights)
    pieces = sealed(primary_cards(meta, provenance, times, extensions))
    pieces += sealed(
        [*table_cards(table.dtype.itemsize, len(table), formats), *table_time_cards(times, meta)], table.tobytes()
    )
    for name, image, bits in images:
        pieces += sealed([*image_cards(name, image.shape, bits), *coordinates], image.tobytes())
    if weights:
        pieces += _weight_part(weights)
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
        values = given.get(source, np.array(0 if column.code in "JK" else np.nan))
        table[column.name] = rounded(column.name, values) if column.code == "D" and column.name != "TIME" else values
    return table, formats


def _extra(name: str, values: NDArray[Any]) -> ColumnFormat:
    if values.dtype.kind not in _EXTRA_CODES:
        raise InputError(f"column {name} is not of numbers: {values.dtype}")
    code, display = _EXTRA_CODES[values.dtype.kind]
    return ColumnFormat(name, code, display, _FLUX if name.startswith("FLUX") else "", "")


def _weight_part(weights: Sequence[WeightImage]) -> list[bytes]:
    """WEIGHTMAP, as TASOC has it: a row a segment of time."""
    rows, cols = weights[0].weights.shape
    formats = (
        ColumnFormat("CADENCENO1", "J", "I10", "", "first cadence"),
        ColumnFormat("CADENCENO2", "J", "I10", "", "last cadence"),
        ColumnFormat("SAT_PIXELS", "J", "I10", "pixels", "pixels left out as saturated"),
        ColumnFormat("WEIGHTMAP", f"{rows * cols}E", "E14.7", "", "weight of each pixel of the stamp"),
    )
    table = np.empty(len(weights), [*((one.name, ">i4") for one in formats[:3]), ("WEIGHTMAP", ">f4", (rows, cols))])
    for at, one in enumerate(weights):
        table[at] = (one.first_cadence, one.last_cadence, one.saturated, one.weights)
    cards = [
        *table_cards(table.dtype.itemsize, len(table), formats),
        card("TDIM4", f"({cols},{rows})", "columns and rows of the stamp"),
        card("INHERIT", True, "inherit the primary header"),
        card("EXTNAME", "WEIGHTMAP", "name of extension"),
    ]
    return sealed(cards, table.tobytes())


def _write_whole(path: Path, pieces: list[bytes]) -> None:
    """Write under another name, then rename: under its own name a file is always whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    with translated(path, "the disk is full; free some space and run it again"):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as stream:
                if path.suffix == ".gz":
                    stream.write(gzip.compress(b"".join(pieces), mtime=0))
                else:
                    stream.writelines(pieces)
            draft.replace(path)
        except OSError:
            with suppress(OSError):
                draft.unlink()
            raise
