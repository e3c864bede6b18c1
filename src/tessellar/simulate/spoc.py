"""Files as SPOC writes them: target pixel files and light curves of 2-min cadence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate import headers
from tessellar.simulate.filing import SUMS, Card, Part, write_parts
from tessellar.simulate.observation import Observation
from tessellar.simulate.photometer import Measured, measure
from tessellar.simulate.wcscards import StampWCS, column_cards, image_cards, stamp_wcs

# Rows made at a time: 5 MB of a target pixel file.
_CHUNK = 2048
_DTYPES = {"D": ">f8", "E": ">f4", "J": ">i4", "I": ">i2"}
_FORMATS = {
    "D": "64-bit floating point",
    "E": "32-bit floating point",
    "J": "signed 32-bit integer",
    "I": "signed 16-bit integer",
}


class Column(NamedTuple):
    """A column as the mission's files describe it; `image` if every row holds a stamp."""

    name: str
    code: str
    unit: str
    display: str
    title: str
    unit_comment: str = ""
    image: bool = False


_TIME = Column("TIME", "D", "BJD - 2457000, days", "D14.7", "data time stamps", "Barycenter corrected TESS Julian")
_TIMECORR = Column("TIMECORR", "E", "d", "E14.7", "barycentric correction", "Days")
_CADENCE = Column("CADENCENO", "J", "", "I10", "unique cadence number")
_QUALITY = Column("QUALITY", "J", "", "B16.16", "aperture photometry quality flag")


def _stamp(name: str, title: str, error: str = "") -> Column:
    return Column(name, "E", "e-/s", "E14.7", title, f"electrons per second{error}", image=True)


def _flux(name: str, title: str, error: str = "") -> Column:
    return Column(name, "E", "e-/s", "E14.7", title, f"electrons per second{error}")


_SIGMA = " (1-sigma)"
PIXEL_COLUMNS = (
    _TIME, _TIMECORR, _CADENCE,
    Column("RAW_CNTS", "J", "count", "I8", "raw pixel counts", "count", image=True),
    _stamp("FLUX", "calibrated pixel flux"),
    _stamp("FLUX_ERR", "1-sigma calibrated uncertainty", _SIGMA),
    _stamp("FLUX_BKG", "calibrated background flux"),
    _stamp("FLUX_BKG_ERR", "1-sigma cal. background uncertainty", _SIGMA),
    _QUALITY._replace(title="pixel quality flags"),
    Column("POS_CORR1", "E", "pixel", "E14.7", "column position correction", "pixel"),
    Column("POS_CORR2", "E", "pixel", "E14.7", "row position correction", "pixel"),
)  # fmt: skip


def _centroid(name: str, title: str) -> tuple[Column, Column]:
    return (
        Column(name, "D", "pixel", "F10.5", f"{title} centroid", "pixel"),
        Column(f"{name}_ERR", "E", "pixel", "E14.7", f"{title} error", f"pixel{_SIGMA}"),
    )


LIGHT_COLUMNS = (
    _TIME, _TIMECORR, _CADENCE,
    _flux("SAP_FLUX", "aperture photometry flux"), _flux("SAP_FLUX_ERR", "aperture phot. flux error", _SIGMA),
    _flux("SAP_BKG", "aperture phot. background flux"),
    _flux("SAP_BKG_ERR", "ap. phot. background flux error", _SIGMA),
    _flux("PDCSAP_FLUX", "aperture phot. PDC flux"), _flux("PDCSAP_FLUX_ERR", "ap. phot. PDC flux error", _SIGMA),
    _QUALITY,
    *_centroid("PSF_CENTR1", "PSF-fitted column"), *_centroid("PSF_CENTR2", "PSF-fitted row"),
    *_centroid("MOM_CENTR1", "moment-derived column"), *_centroid("MOM_CENTR2", "moment-derived row"),
    Column("POS_CORR1", "E", "pixels", "E14.7", "column position correction", "pixel"),
    Column("POS_CORR2", "E", "pixels", "E14.7", "row position correction", "pixel"),
)  # fmt: skip

RAY_COLUMNS = (
    _CADENCE,
    Column("RAWX", "I", "pixel", "I4", "CCD column", "null"),
    Column("RAWY", "I", "pixel", "I4", "CCD row", "null"),
    Column("COSMIC_RAY", "E", "e-/s", "E14.7", "cosmic ray correction", "electrons per second"),
)


def write_target_pixel_file(
    path: str | PathLike[str], observation: Observation, measured: Measured | None = None
) -> Path:
    """Write a target pixel file with SPOC's parts: primary, PIXELS, APERTURE, TARGET COSMIC RAY.

    Parameters
    ----------
    path : path-like
        The file; an older one of that name is replaced, at once and whole.
    observation : Observation
        From `observe` or `simulated_stamp`.
    measured : Measured, optional
        Its light curve, whose noise goes into the header; measured here if not given.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    NoSpace, NoPermission, StoreError
        If it cannot be written.
    """
    measured = measured or measure(observation)
    wcs = stamp_wcs(observation)
    pixels = [
        *table_cards(PIXEL_COLUMNS, len(observation), observation.shape, wcs),
        *headers.extension(observation.star, "PIXELS"),
        *headers.measurement(observation, measured.cdpp),
        *headers.closing(observation),
    ]
    rays = [*table_cards(RAY_COLUMNS, 0), *_plain_extension("TARGET COSMIC RAY"), SUMS]
    parts = [
        Part(headers.primary(observation, 3, "TargetPixelExporterPipelineModule")),
        Part(pixels, lambda: _pixel_rows(observation)),
        _aperture_part(observation, wcs),
        Part(rays),
    ]
    return write_parts(Path(path), parts)


def write_light_curve_file(
    path: str | PathLike[str], observation: Observation, measured: Measured | None = None
) -> Path:
    """Write a light curve with SPOC's parts: primary, LIGHTCURVE, APERTURE.

    Parameters, returns and raises as `write_target_pixel_file`.
    """
    measured = measured or measure(observation)
    good = measured.pdcsap[np.isfinite(measured.pdcsap)]
    variability = float(np.std(good) / abs(np.median(good))) if good.size else 0.0
    light = [
        *table_cards(LIGHT_COLUMNS, len(observation)),
        *headers.extension(observation.star, "LIGHTCURVE"),
        *headers.measurement(observation, measured.cdpp),
        *headers.pdc(round(variability, 12)),
        *headers.closing(observation),
    ]
    parts = [
        Part(headers.primary(observation, 2, "LightCurveExporterPipelineModule")),
        Part(light, lambda: [_light_rows(observation, measured).tobytes()]),
        _aperture_part(observation, stamp_wcs(observation)),
    ]
    return write_parts(Path(path), parts)


def table_cards(
    columns: Sequence[Column], rows: int, shape: tuple[int, int] = (1, 1), wcs: StampWCS | None = None
) -> list[Card]:
    """Describe a binary table, world coordinates of its images included."""
    cards: list[Card] = [
        ("XTENSION", "BINTABLE", "marks the beginning of a new HDU"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", row_type(columns, shape).itemsize, "length of first array dimension"),
        ("NAXIS2", rows, "length of second array dimension"),
        ("PCOUNT", 0, "group parameter count (not used)"),
        ("GCOUNT", 1, "group count (not used)"),
        ("TFIELDS", len(columns), "number of table fields"),
    ]
    for n, column in enumerate(columns, 1):
        count, kind = (str(shape[0] * shape[1]), "image of ") if column.image else ("", "")
        cards.append((f"TTYPE{n}", column.name, f"column title: {column.title}"))
        cards.append((f"TFORM{n}", count + column.code, f"column format: {kind}{_FORMATS[column.code]}"))
        if column.unit:
            cards.append((f"TUNIT{n}", column.unit, f"column units: {column.unit_comment}"))
        cards.append((f"TDISP{n}", column.display, "column display format"))
        if column.image:
            cards.append((f"TDIM{n}", f"({shape[1]},{shape[0]})", "column dimensions: pixel aperture array"))
            if column.code == "J":
                cards.append((f"TNULL{n}", -1, "column null value indicator"))
            if wcs is not None:
                cards += column_cards(wcs, n)
    return cards


def row_type(columns: Sequence[Column], shape: tuple[int, int] = (1, 1)) -> np.dtype[Any]:
    """One row of a table, big-endian as on disk."""
    return np.dtype([(c.name, _DTYPES[c.code], shape) if c.image else (c.name, _DTYPES[c.code]) for c in columns])


def _pixel_rows(observation: Observation) -> Iterator[bytes | memoryview]:
    gap = observation.schedule.gap
    position = np.where(gap[:, None], np.nan, observation.motion)
    for start in range(0, len(observation), _CHUNK):
        part = slice(start, start + _CHUNK)
        rows = np.empty(len(gap[part]), row_type(PIXEL_COLUMNS, observation.shape))
        _time_columns(rows, observation, part)
        rows["RAW_CNTS"] = observation.raw_counts(part)
        rows["FLUX"], rows["FLUX_ERR"] = observation.flux[part], observation.flux_err[part]
        rows["FLUX_BKG"] = observation.flux_bkg[part]
        rows["FLUX_BKG_ERR"] = np.where(gap[part], np.nan, observation.sky_error)[:, None, None]
        rows["POS_CORR1"], rows["POS_CORR2"] = position[part].T
        yield rows.view(np.uint8).data


def _light_rows(observation: Observation, measured: Measured) -> NDArray[Any]:
    rows = np.empty(len(observation), row_type(LIGHT_COLUMNS))
    _time_columns(rows, observation, slice(None))
    rows["SAP_FLUX"], rows["SAP_FLUX_ERR"] = measured.sap, measured.sap_err
    rows["SAP_BKG"], rows["SAP_BKG_ERR"] = measured.sap_bkg, measured.sap_bkg_err
    rows["PDCSAP_FLUX"], rows["PDCSAP_FLUX_ERR"] = measured.pdcsap, measured.pdcsap_err
    position = np.where(observation.schedule.gap[:, None], np.nan, observation.motion)
    for axis in (0, 1):
        n = axis + 1
        # SPOC leaves them empty for all but a few stars.
        rows[f"PSF_CENTR{n}"] = rows[f"PSF_CENTR{n}_ERR"] = np.nan
        rows[f"MOM_CENTR{n}"] = measured.centroid[:, axis]
        rows[f"MOM_CENTR{n}_ERR"] = measured.centroid_err[:, axis]
        rows[f"POS_CORR{n}"] = position[:, axis]
    return rows


def _time_columns(rows: NDArray[Any], observation: Observation, part: slice) -> None:
    rows["TIME"], rows["TIMECORR"] = observation.btjd[part], observation.timecorr[part]
    rows["CADENCENO"], rows["QUALITY"] = observation.schedule.cadenceno[part], observation.quality[part]


def _aperture_part(observation: Observation, wcs: StampWCS) -> Part:
    flags = observation.aperture.flags
    cards: list[Card] = [
        ("XTENSION", "IMAGE", "marks the beginning of a new HDU"),
        ("BITPIX", 32, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", flags.shape[1], "length of first array dimension"),
        ("NAXIS2", flags.shape[0], "length of second array dimension"),
        ("PCOUNT", 0, "group parameter count (not used)"),
        ("GCOUNT", 1, "group count (not used)"),
        *headers.extension(observation.star, "APERTURE"),
        *image_cards(wcs),
        ("NPIXSAP", int(observation.aperture.mask.sum()), "Number of pixels in optimal aperture"),
        ("NPIXMISS", 0, "Number of op. aperture pixels not collected"),
        SUMS,
    ]
    return Part(cards, lambda: [flags.astype(">i4").tobytes()])


def _plain_extension(name: str) -> Iterable[Card]:
    return (
        ("INHERIT", True, "inherit the primary header"),
        ("EXTNAME", name, "name of extension"),
        ("EXTVER", 1, "extension version number (not format version)"),
        ("SIMDATA", True, "file is based on simulated data"),
        ("SIMULATD", True, "file is based on simulated data"),
    )
