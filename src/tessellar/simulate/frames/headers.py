"""The headers of SPOC's calibrated full-frame images: the same keywords in the same order.

Read from a frame of the mission (sector 1). What differs: SIMDATA is T, SIMULATD = T follows it, ORIGIN
and PROCVER name tessellar, DATASUM follows CHECKSUM, DATA_REL is 9999, and FFIINDEX stands in the
primary header, where frames since sector 6 have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.mission.ccd import ccd_plane
from tessellar.mission.tangent import Plane
from tessellar.simulate import detector
from tessellar.simulate.detector import Exposure
from tessellar.simulate.fields import COLUMNS, ROWS, stamp_of
from tessellar.simulate.filing import DATE, SUMS, Card
from tessellar.simulate.headers import DATA_RELEASE

if TYPE_CHECKING:
    from tessellar.simulate.frames.plan import FramePlan

_EXPORTER = "FfiExporter"
# Reference pixel of the barycentric correction.
_BARYCENTRIC_PIXEL = (1068.0, 1024.0)
_SIP_ORDER = 4


@dataclass(frozen=True)
class FrameDates:
    """Calendar dates (UTC) of all frames: at the spacecraft, and of the barycentric times."""

    clock: tuple[list[str], list[str]]
    barycentric: tuple[list[str], list[str]]
    stamps: list[str]


def frame_dates(plan: FramePlan) -> FrameDates:
    """Tell the dates of all frames, and the stamps that their names carry."""
    from astropy.time import Time

    def utc(times: NDArray[np.float64]) -> list[str]:
        return [f"{text}Z" for text in Time(times, 2457000.0, format="jd", scale="tdb").utc.isot]

    clock = utc(plan.start), utc(plan.stop)
    stamps = Time([text[:-1] for text in clock[0]], scale="utc").strftime("%Y%j%H%M%S")
    return FrameDates(
        clock, (utc(plan.start + plan.barycorr), utc(plan.stop + plan.barycorr)), [str(stamp) for stamp in stamps]
    )


def primary(plan: FramePlan, dates: FrameDates, frame: int, exposure: Exposure) -> list[Card]:
    """Header of the first part."""
    from tessellar import __version__

    return [
        ("SIMPLE", True, "conforms to FITS standards"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 0, "number of array dimensions"),
        ("EXTEND", True, "file contains extensions"),
        ("NEXTEND", 2, "number of standard extensions"),
        ("EXTNAME", "PRIMARY", "name of extension"),
        ("EXTVER", 1, "extension version number (not format version)"),
        ("SIMDATA", True, "file is based on simulated data"),
        ("SIMULATD", True, "file is based on simulated data"),
        ("ORIGIN", "tessellar simulation", "institution responsible for creating this file"),
        ("DATE", DATE, "file creation date."),
        ("TSTART", _days(plan.start[frame]), "observation start time in TJD"),
        ("TSTOP", _days(plan.stop[frame]), "observation stop time in TJD"),
        ("DATE-OBS", dates.clock[0][frame], "TSTART as UTC calendar date"),
        ("DATE-END", dates.clock[1][frame], "TSTOP as UTC calendar date"),
        ("CREATOR", f"tessellar {_EXPORTER}", "pipeline job and program used to produce this f"),
        ("PROCVER", f"tessellar-{__version__}", "SW version"),
        ("FILEVER", "1.0", "file format version"),
        ("TIMVERSN", "OGIP/93-003", "OGIP memo number for file format"),
        ("TELESCOP", "TESS", "telescope"),
        ("INSTRUME", "TESS Photometer", "detector type"),
        ("DATA_REL", DATA_RELEASE, "data release version number"),
        ("ASTATE", True, "archive state F indicates single orbit processi"),
        ("SCCONFIG", int(stamp_of(plan.field.sector)[1]), "spacecraft configuration ID"),
        ("FFIINDEX", int(plan.number[frame]), "number of FFI cadence interval"),
        ("RADESYS", "ICRS", "reference frame of celestial coordinates"),
        ("EQUINOX", 2000.0, "equinox of celestial coordinate system"),
        ("CRMITEN", exposure.block is not None, "spacecraft cosmic ray mitigation enabled"),
        ("CRBLKSZ", exposure.block or 10, "[exposures] s/c cosmic ray mitigation block siz"),
        ("CRSPOC", False, "SPOC cosmic ray cleaning enabled"),
        SUMS,
    ]


def image(
    plan: FramePlan,
    dates: FrameDates,
    frame: int,
    exposure: Exposure,
    plane: Plane,
    corner: tuple[int, int],
    shape: tuple[int, int],
    kind: str,
) -> list[Card]:
    """Header of the calibrated pixels (`kind` ``cal``) or their errors (``uncert``).

    Parameters
    ----------
    plan, dates, frame, exposure
        Which frame, and how it was taken.
    plane : Plane
        Sky to CCD pixels in this frame.
    corner, shape : (int, int)
        CCD column and row of the image's first pixel (1-based); its rows and columns.
    kind : str
        ``cal`` or ``uncert``.
    """
    field = plan.field
    return [
        ("XTENSION", "IMAGE", "Image extension"),
        ("BITPIX", -32, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", shape[1], ""),
        ("NAXIS2", shape[0], ""),
        ("PCOUNT", 0, "number of parameters"),
        ("GCOUNT", 1, "number of groups"),
        ("INHERIT", True, "inherit the primary header"),
        ("EXTNAME", f"CAMERA.CCD {field.camera}.{field.ccd} {kind}", "name of extension"),
        ("EXTVER", 1, "extension version number (not format version)"),
        ("SIMDATA", True, "file is based on simulated data"),
        ("SIMULATD", True, "file is based on simulated data"),
        ("TELESCOP", "TESS", "telescope"),
        ("INSTRUME", "TESS Photometer", "detector type"),
        ("CAMERA", field.camera, "Camera number"),
        ("CCD", field.ccd, "CCD chip number"),
        *_times(plan, dates, frame, exposure),
        *_electronics(plan, exposure),
        *_layout(),
        *_projection(plane, corner),
        *_physical(corner),
        *_boresight(plan),
        ("DQUALITY", int(plan.quality[frame]), "data quality flags"),
        ("IMAGTYPE", kind, " FFI image type: raw, cal, uncert"),
        SUMS,
    ]


def _times(plan: FramePlan, dates: FrameDates, frame: int, exposure: Exposure) -> list[Card]:
    start, stop = plan.start[frame] + plan.barycorr[frame], plan.stop[frame] + plan.barycorr[frame]
    elapsed = float(plan.stop[frame] - plan.start[frame])
    return [
        ("EXPOSURE", round(elapsed * exposure.share, 12), "[d] time on source"),
        ("TIMEREF", "SOLARSYSTEM", "barycentric correction applied to times"),
        ("TASSIGN", "SPACECRAFT", "where time is assigned"),
        ("TIMESYS", "TDB", "time system is Barycentric Dynamical Time (TDB)"),
        ("BJDREFI", 2457000, "integer part of BTJD reference date"),
        ("BJDREFF", 0.0, "fraction of the day in BTJD reference date"),
        ("TIMEUNIT", "d", "time unit for TIME, TSTART and TSTOP"),
        ("TELAPSE", round(elapsed, 12), "[d] TSTOP - TSTART"),
        ("LIVETIME", round(elapsed * exposure.share, 12), "[d] TELAPSE multiplied by DEADC"),
        ("TSTART", _days(start), "observation start time in BTJD"),
        ("TSTOP", _days(stop), "observation stop time in BTJD"),
        ("DATE-OBS", dates.barycentric[0][frame], "TSTART as UTC calendar date"),
        ("DATE-END", dates.barycentric[1][frame], "TSTOP as UTC calendar date"),
        ("DEADC", round(exposure.share, 12), "deadtime correction"),
        ("TIMEPIXR", 0.5, "bin time beginning=0 middle=0.5 end=1"),
        ("TIERRELA", 1.16e-05, "[d] relative time error"),
        ("BTC_PIX1", _BARYCENTRIC_PIXEL[0], "reference col for barycentric time correction"),
        ("BTC_PIX2", _BARYCENTRIC_PIXEL[1], "reference row for barycentric time correction"),
        ("BUNIT", "electrons/s", "physical units of image data"),
        ("BARYCORR", float(plan.barycorr[frame]), "[d] barycentric time correction"),
        ("INT_TIME", detector.INT_TIME, "[s] photon accumulation time per frame"),
        ("READTIME", detector.READ_TIME, "[s] readout time per frame"),
        ("FRAMETIM", detector.INT_TIME + detector.READ_TIME, "[s] frame time (INT_TIME + READTIME)"),
        ("NUM_FRM", exposure.frames, "number of frames per time stamp"),
        ("TIMEDEL", plan.cadence / 86400, "[d] time resolution of data"),
    ]


def _electronics(plan: FramePlan, exposure: Exposure) -> list[Card]:
    camera, ccd = plan.field.camera, plan.field.ccd
    return [
        ("BACKAPP", False, "background is subtracted"),
        ("DEADAPP", True, "deadtime applied"),
        ("VIGNAPP", True, "vignetting or collimator correction applied"),
        *_each_output("GAIN", detector.GAINS, "[electrons/count] CCD output {} gain"),
        *_each_output("READNOI", detector.READ_NOISES, "[electrons] read noise CCD output {}"),
        ("NREADOUT", exposure.kept, "number of read per cadence"),
        ("FXDOFF", 3355400, "compression fixed offset"),
        (f"TMOFST{camera}{ccd}", round(detector.stagger(camera, ccd), 3),
         f"(s) readout delay for camera {camera} and ccd {ccd}"),
        *_each_output("MEANBLC", detector.BLACK_LEVELS, "[count] FSW mean black level CCD output {}"),
    ]  # fmt: skip


def _layout() -> list[Card]:
    """Which columns and rows of a whole CCD are what."""
    cards: list[Card] = []
    for k, letter in enumerate("ABCD"):
        cards += [
            (f"LVCS{letter}", 1 + 11 * k, f"serial register col start, output {letter}"),
            (f"LVCE{letter}", 11 + 11 * k, f"serial register col end (inclusive), output {letter}"),
            (f"TVCS{letter}", 2093 + 11 * k, f"trailing virtual column start, output {letter}"),
            (f"TVCE{letter}", 2103 + 11 * k, f"trailing virtual column end (inclusive), output {letter}"),
            (f"SCCS{letter}", 45 + 512 * k, f"science col start, output {letter}"),
            (f"SCCE{letter}", 556 + 512 * k, f"science col end (inclusive), output {letter}"),
            (f"SCICOLH{letter}", letter in "AC", "T science cols are read increasing order else d"),
        ]
    spans = (("SCIROW", "science rows", 1, 2048), ("VROW", "virtual row", 2069, 2078),
             ("SMROW", "smear rows", 2059, 2068), ("BFROW", "buffer rows", 2049, 2058))  # fmt: skip
    for key, words, first, last in spans:
        cards += [(f"{key}S", first, f"{words} start"), (f"{key}E", last, f"{words} end (inclusive)")]
    return cards


def _projection(plane: Plane, corner: tuple[int, int]) -> list[Card]:
    from tessellar.pixels.planes import wcs_of

    sip = wcs_of(plane, corner).sip
    cards: list[Card] = [
        ("RADESYS", "ICRS", "reference frame of celestial coordinates"),
        ("EQUINOX", 2000.0, "equinox of celestial coordinate system"),
        ("WCSAXES", 2, "number of WCS axes"),
        ("CTYPE1", "RA---TAN-SIP", "Gnomonic projection + SIP distortions"),
        ("CTYPE2", "DEC--TAN-SIP", "Gnomonic projection + SIP distortions"),
        ("CRVAL1", plane.crval[0], "RA at CRPIX1, CRPIX2"),
        ("CRVAL2", plane.crval[1], "DEC at CRPIX1, CRPIX2"),
        ("CRPIX1", float(plane.crpix[0] - corner[0] + 1), "X reference pixel"),
        ("CRPIX2", float(plane.crpix[1] - corner[1] + 1), "Y reference pixel"),
        *((f"CD{i + 1}_{j + 1}", float(plane.cd[i, j]), "Transformation matrix") for i in (0, 1) for j in (0, 1)),
        ("A_ORDER", _SIP_ORDER, "Polynomial order, axis 1"),
        ("B_ORDER", _SIP_ORDER, "Polynomial order, axis 2"),
        *_terms("A", sip.a, 2, "distortion coefficient"),
        *_terms("B", sip.b, 2, "distortion coefficient"),
        ("AP_ORDER", _SIP_ORDER, "Inv polynomial order, axis 1"),
        ("BP_ORDER", _SIP_ORDER, "Inv polynomial order, axis 2"),
        *_terms("AP", sip.ap, 1, "inv distortion coefficient"),
        *_terms("BP", sip.bp, 1, "inv distortion coefficient"),
    ]
    columns, rows = np.meshgrid(np.linspace(*COLUMNS, 9), np.linspace(*ROWS, 9))
    u, v = columns - plane.crpix[0], rows - plane.crpix[1]
    for name, table in (("A", sip.a), ("B", sip.b)):
        most = float(np.abs(np.polynomial.polynomial.polyval2d(u, v, table)).max())
        cards.append((f"{name}_DMAX", most, f"maximum distortion, axis {'AB'.index(name) + 1}"))
    return cards


def _terms(name: str, table: NDArray[Any], lowest: int, comment: str) -> list[Card]:
    powers = [(total - q, q) for total in range(lowest, _SIP_ORDER + 1) for q in range(total + 1)]
    return [(f"{name}_{p}_{q}", float(table[p, q]), comment) for p, q in powers]


def _physical(corner: tuple[int, int]) -> list[Card]:
    return [
        ("WCSNAMEP", "PHYSICAL", "name of world coordinate system alternate P"),
        ("WCSAXESP", 2, "number of WCS physical axes"),
        ("CTYPE1P", "RAWX", "physical WCS axis 1 type CCD col"),
        ("CUNIT1P", "PIXEL", "physical WCS axis 1 unit"),
        ("CRPIX1P", 1, "reference CCD column"),
        ("CRVAL1P", corner[0], "value at reference CCD column"),
        ("CDELT1P", 1.0, "physical WCS axis 1 step"),
        ("CTYPE2P", "RAWY", "physical WCS axis 2 type CCD row"),
        ("CUNIT2P", "PIXEL", "physical WCS axis 2 units"),
        ("CRPIX2P", 1, "reference CCD row"),
        ("CRVAL2P", corner[1], "value at reference CCD row"),
        ("CDELT2P", 1.0, "physical WCS axis 2 step"),
    ]


def _boresight(plan: FramePlan) -> list[Card]:
    """Where the camera looks: the corner in which its four CCDs meet, and the direction of its rows there."""
    field = plan.field
    column, row = float(COLUMNS[1] + 22 if field.ccd in (1, 3) else COLUMNS[0] - 22), float(ROWS[1] + 50)
    ra, dec = ccd_plane(field).to_sky([column, column], [row, row - 200])
    a, d = np.radians(ra), np.radians(dec)
    east = np.cos(d[1]) * np.sin(a[1] - a[0])
    north = np.cos(d[0]) * np.sin(d[1]) - np.sin(d[0]) * np.cos(d[1]) * np.cos(a[1] - a[0])
    return [
        ("RA_NOM", float(ra[0]), "[deg] RA of camera boresight"),
        ("DEC_NOM", float(dec[0]), "[deg] DEC of camera boresight"),
        ("ROLL_NOM", float(np.degrees(np.arctan2(east, north))), "[deg] roll angle of camera"),
    ]


def _each_output(key: str, values: tuple[float, ...], comment: str) -> list[Card]:
    return [(key + letter, value, comment.format(letter)) for letter, value in zip("ABCD", values, strict=True)]


def _days(value: float) -> float:
    return round(float(value), 12)
