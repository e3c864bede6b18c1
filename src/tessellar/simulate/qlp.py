"""Light curves from full-frame images, as the Quick-Look Pipeline (QLP) publishes them.

Made of the 2-min pixels: as many cadences as one image of the sector takes are averaged, which agrees
with what the images show (means of 2-min fluxes equal those of 30 min within the noise). The
layout is that of QLP's files of the prime mission. Apertures are circles, flux is relative to its median.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.mission.names import build_name
from tessellar.mission.time import BTJD_TO_MJD
from tessellar.simulate.averaging import cadences_of_image
from tessellar.simulate.detector import TWO_MINUTES
from tessellar.simulate.fields import image_cadence, time_lag
from tessellar.simulate.filing import Card, Part, write_parts
from tessellar.simulate.observation import Observation
from tessellar.simulate.schedule import MANUAL_EXCLUDE, NO_PDC, SCATTERED_LIGHT
from tessellar.simulate.stars import Star

FloatArray = NDArray[np.float64]

_VERSION = "v01"
#: QLP's own judgement of a cadence: low precision.
LOW_PRECISION = 4096
# Radii of the apertures, px, and of the ring about each in which the sky is measured: best, smaller, larger.
_BEST, _SMALL, _LARGE = (3.0, 4.0, 5.0), (2.5, 4.0, 5.0), (3.5, 4.0, 5.0)
_APERTURES = {"best": _BEST, "small": _SMALL, "large": _LARGE}
# Length of the high-pass filter, d.
_SMOOTH_DAYS = 1.5

_TYPE = np.dtype(
    [
        ("TIME", ">f8"), ("CADENCENO", ">i4"), ("SAP_FLUX", ">f4"), ("KSPSAP_FLUX", ">f4"),
        ("KSPSAP_FLUX_ERR", ">f4"), ("QUALITY", ">i4"), ("ORBITID", ">i4"), ("SAP_X", ">f4"), ("SAP_Y", ">f4"),
        ("SAP_BKG", ">f4"), ("SAP_BKG_ERR", ">f4"), ("KSPSAP_FLUX_SML", ">f4"), ("KSPSAP_FLUX_LAG", ">f4"),
    ]
)  # fmt: skip
_UNITS = {"TIME": "BJD-2457000, days", "SAP_X": "pixel", "SAP_Y": "pixel"}
_CODES = {">f8": "D", ">f4": "E", ">i4": "J"}


def qlp_name(tic: int, sector: int) -> str | None:
    """Name QLP's light curve; None for a sector whose images are no whole number of 2-min cadences."""
    if cadences_of_image(sector) is None:
        return None
    return build_name("qlp", sector=sector, tic=tic, version=_VERSION)


def write_qlp_file(folder: Path, observation: Observation) -> str | None:
    """Write QLP's light curve of an observation.

    Parameters
    ----------
    folder : Path
        Where it goes.
    observation : Observation
        Of 2-min cadence.

    Returns
    -------
    str or None
        Its name; None if no image is whole, or the sector's images cannot be made of 2-min cadences.
    """
    sector = observation.spot.field.sector
    name, count = qlp_name(observation.star.tic, sector), cadences_of_image(sector)
    if name is None or count is None:
        return None
    rows = _rows(observation, count)
    if rows is None:
        return None
    cards = _table_cards(observation, rows, count)
    write_parts(folder / name, [Part(_primary(observation)), Part(cards, lambda: [rows.tobytes()])])
    return name


def _rows(observation: Observation, count: int) -> NDArray[Any] | None:
    """One row an image of which at least half was taken and usable."""
    number = (observation.schedule.cadenceno - 1) // count
    usable = np.isfinite(observation.btjd) & ((observation.quality & (NO_PDC & ~SCATTERED_LIGHT)) == 0)
    images, index = np.unique(number, return_inverse=True)
    taken = np.bincount(index, usable)
    # An image at the edge of the sector, of which only some cadences were simulated, was taken as a whole.
    kept = taken >= count / 2
    if not kept.any():
        return None

    def mean(values: FloatArray) -> FloatArray:
        total = np.bincount(index, np.where(usable, values, 0.0))
        return np.asarray(total[kept] / taken[kept], dtype=np.float64)

    fluxes = {key: mean(_flux(observation, radii)) for key, radii in _APERTURES.items()}
    error = np.median(np.sqrt(_flux(observation, _BEST, variance=True)[usable])) / np.sqrt(count)
    rows = np.zeros(int(kept.sum()), _TYPE)
    rows["TIME"] = mean(np.nan_to_num(observation.btjd)) + time_lag("QLP", observation.spot.field.sector, _VERSION)
    rows["CADENCENO"], rows["ORBITID"] = images[kept], _orbit(observation, images[kept], count)
    rows["QUALITY"] = _quality(observation, index, kept)
    level = np.median(fluxes["best"])
    rows["SAP_FLUX"] = fluxes["best"] / level
    rows["KSPSAP_FLUX_ERR"] = error / level
    width = max(3, round(_SMOOTH_DAYS * 86400 / image_cadence(observation.spot.field.sector)) | 1)
    for column, key in (("KSPSAP_FLUX", "best"), ("KSPSAP_FLUX_SML", "small"), ("KSPSAP_FLUX_LAG", "large")):
        rows[column] = _flattened(fluxes[key], width)
    rows["SAP_X"], rows["SAP_Y"] = (mean(axis) for axis in _centroid(observation))
    ring = _ring(observation, _BEST)
    rows["SAP_BKG"] = mean(observation.flux[:, ring].mean(axis=1, dtype=np.float64))
    rows["SAP_BKG_ERR"] = mean(observation.flux[:, ring].std(axis=1, dtype=np.float64)) / np.sqrt(ring.sum())
    return rows


def _distance(observation: Observation) -> FloatArray:
    rows, columns = np.indices(observation.shape)
    left, bottom = observation.corner
    distance: FloatArray = np.hypot(columns + left - observation.spot.column, rows + bottom - observation.spot.row)
    return distance


def _ring(observation: Observation, radii: tuple[float, float, float]) -> NDArray[np.bool_]:
    distance = _distance(observation)
    ring: NDArray[np.bool_] = (distance >= radii[1]) & (distance < radii[2])
    return ring


def _flux(observation: Observation, radii: tuple[float, float, float], *, variance: bool = False) -> FloatArray:
    inside = _distance(observation) < radii[0]
    if variance:
        return np.asarray((observation.flux_err[:, inside].astype(np.float64) ** 2).sum(axis=1), dtype=np.float64)
    return np.asarray(observation.flux[:, inside].sum(axis=1, dtype=np.float64), dtype=np.float64)


def _centroid(observation: Observation) -> tuple[FloatArray, FloatArray]:
    inside = _distance(observation) < _BEST[0]
    flux = observation.flux[:, inside].astype(np.float64)
    rows, columns = np.nonzero(inside)
    left, bottom = observation.corner
    total = flux.sum(axis=1)
    return flux @ (columns + left) / total, flux @ (rows + bottom) / total


def _quality(observation: Observation, index: NDArray[np.int64], kept: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Flags of the cadences in an image; scattered light and a shaken camera make QLP call it of low precision."""
    flags = np.zeros(len(kept), dtype=np.int32)
    np.bitwise_or.at(flags, index, observation.quality & ~np.int32(SCATTERED_LIGHT))
    poor = np.bincount(index, (observation.quality & (SCATTERED_LIGHT | MANUAL_EXCLUDE)) > 0) > 0
    flags[poor] |= LOW_PRECISION
    result: NDArray[np.int32] = flags[kept]
    return result


def _flattened(flux: FloatArray, width: int) -> FloatArray:
    from scipy.ndimage import median_filter

    return np.asarray(flux / median_filter(flux, size=min(width, len(flux)), mode="nearest"), dtype=np.float64)


def _orbit(observation: Observation, images: NDArray[np.integer], count: int) -> NDArray[np.integer]:
    """Orbit of an image: sector 1 had orbits 9 and 10, every sector has two, a gap between them."""
    gap = np.flatnonzero(observation.schedule.gap)
    first = 2 * observation.spot.field.sector + 7
    if not len(gap):
        return np.full(len(images), first)
    later: NDArray[np.integer] = first + (images > (observation.schedule.cadenceno[gap[0]] - 1) // count).astype(
        np.int64
    )
    return later


def _simulated() -> list[Card]:
    return [("SIMULATD", True, "file is based on simulated data")]


def _primary(observation: Observation) -> list[Card]:
    star, field = observation.star, observation.spot.field
    return [
        ("SIMPLE", True, "conforms to FITS standard"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 0, "number of array dimensions"),
        ("EXTEND", True, ""),
        ("NEXTEND", 1, "number of standard extensions"),
        ("EXTNAME", "PRIMARY", "name of extension"),
        # Readers know the layout by this word.
        ("ORIGIN", "MIT/QLP", "whose layout this is; see SIMULATD"),
        *_simulated(),
        ("TELESCOP", "TESS", "telescope"),
        ("INSTRUME", "TESS Photometer", "detector type"),
        ("FILTER", "TESS", "the filter used for the observations"),
        ("OBJECT", f"TIC {star.tic}", "string version of TICID"),
        ("TICID", star.tic, "unique TESS target identifier"),
        ("SECTOR", field.sector, "last observed sector"),
        ("CAMERA", field.camera, "camera"),
        ("CCD", field.ccd, "ccd"),
        *_place(star),
        ("TESSMAG", star.tmag, "[mag] TESS magnitude, TIC v8"),
        ("RADIUS", star.radius, "[solar radii] stellar radius"),
        ("LOGG", star.logg, "[cm/s2] log10 surface gravity"),
        ("MASS", round(10 ** (star.logg - 4.438) * star.radius**2, 6), "[solar mass] stellar mass"),
        ("TEFF", star.teff, "[K] effective temperature"),
        ("MH", star.mh if star.mh is not None else 0.0, "metallicity"),
        ("EQUINOX", 2000.0, "equinox of celestial coordinate system"),
        ("PMRA", 0.0, "[mas/yr] RA proper motion"),
        ("PMDEC", 0.0, "[mas/yr] DEC proper motion"),
        ("TICVER", 8, "TIC Version"),
        ("CALIB", "TICA", "pipeline used for image calibration"),
    ]


def _place(star: Star) -> list[Card]:
    return [
        ("RADESYS", "ICRS", "reference frame of celestial coordinates"),
        ("RA_OBJ", star.ra, "[deg] right ascension, J2000"),
        ("DEC_OBJ", star.dec, "[deg] declination, J2000"),
    ]


def _table_cards(observation: Observation, rows: NDArray[Any], count: int) -> list[Card]:
    star = observation.star
    cards: list[Card] = [
        ("XTENSION", "BINTABLE", "binary table extension"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", _TYPE.itemsize, "length of dimension 1"),
        ("NAXIS2", len(rows), "length of dimension 2"),
        ("PCOUNT", 0, "number of group parameters"),
        ("GCOUNT", 1, "number of groups"),
        ("TFIELDS", len(_TYPE.names or ()), "number of table fields"),
    ]
    for number, name in enumerate(_TYPE.names or (), 1):
        cards += [(f"TTYPE{number}", name, ""), (f"TFORM{number}", _CODES[_TYPE[name].str], "")]
        if name in _UNITS:
            cards.append((f"TUNIT{number}", _UNITS[name], ""))
    step = count * TWO_MINUTES.cadence / 86400
    start, stop = float(rows["TIME"][0]) - step / 2, float(rows["TIME"][-1]) + step / 2
    return [
        *cards,
        ("INHERIT", True, "inherit the primary header"),
        ("EXTNAME", "LIGHTCURVE", "name of extension"),
        ("EXTVER", 1, "extension version number (not format version)"),
        *_simulated(),
        ("TELESCOP", "TESS", "telescope"),
        ("INSTRUME", "TESS Photometer", "detector type"),
        ("OBJECT", f"TIC {star.tic}", "string version of TICID"),
        ("TICID", star.tic, "unique TESS target identifier"),
        *_place(star),
        ("TIMEREF", "SOLARSYSTEM", "barycentric correction applied to times"),
        ("TASSIGN", "SPACECRAFT", "where time is assigned"),
        ("TIMESYS", "TDB", "time is Barycentric Dynamic TIME (TDB)"),
        ("BJDREFI", 2457000, "integer part of BJD reference date"),
        ("BJDREFR", 0.0, "fraction of the day in BJD reference date"),
        ("TIMEUNIT", "d", "time unit for TIME, TSTART-TSTOP"),
        ("TELAPS", round(stop - start, 12), "[d] TSTOP-TSTART"),
        ("TSTART", round(start, 12), "observation start time in TBJD"),
        ("TSTOP", round(stop, 12), "observation stop time in TBJD"),
        ("TIMEDEL", step, "[d] time resolution of data"),
        ("MJD-BEG", round(start + BTJD_TO_MJD, 12), "observation start time in MJD"),
        ("MJD-END", round(stop + BTJD_TO_MJD, 12), "observation end time in MJD"),
        ("BESTAP", _colons(_BEST), "[pix] the parameters of the best aperture"),
        ("SMALLAP", _colons(_SMALL), "[pix] the parameters of the smaller aperture"),
        ("LARGEAP", _colons(_LARGE), "[pix] the parameters of the larger aperture"),
        ("KSPPENCO", 0.75, "the penalty coefficient used in the detrending"),
        ("KSPBSMIN", 0.3, "[d] the minimum break space used in the detrend"),
        ("KSPBSMAX", _SMOOTH_DAYS, "[d] the maximum break space used in the detrend"),
    ]


def _colons(radii: tuple[float, float, float]) -> str:
    return ":".join(f"{radius:.1f}" for radius in radii)
