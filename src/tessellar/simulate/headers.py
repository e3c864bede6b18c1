"""The headers of SPOC's target pixel files and light curves: the same keywords in the same order.

Read from the mission's own files of sectors 1 and 24. What differs: SIMDATA is T,
SIMULATD = T follows it, ORIGIN and PROCVER name tessellar, DATASUM follows CHECKSUM, and DATA_REL is
9999, a release that the mission never reaches (its times need no correction).
"""

from __future__ import annotations

import numpy as np

from tessellar.simulate import detector
from tessellar.simulate.filing import DATE, SUMS, Card
from tessellar.simulate.observation import Observation
from tessellar.simulate.stars import Star

#: Data release of simulated files.
DATA_RELEASE = 9999
_VERSION_OF_FORMAT = "1.0"


def primary(observation: Observation, extensions: int, exporter: str) -> list[Card]:
    """Header of the first part.

    Parameters
    ----------
    observation : Observation
        What the file is about.
    extensions : int
        Number of the parts that follow.
    exporter : str
        SPOC's module, by which readers know the kind of file.
    """
    star = observation.star
    return [
        *opening(extensions, exporter, _clock_span(observation)),
        ("OBJECT", f"TIC {star.tic}", "string version of target id"),
        ("TICID", star.tic, "unique tess target identifier"),
        ("SECTOR", observation.spot.field.sector, "Observing sector"),
        ("CAMERA", observation.spot.field.camera, "Camera number"),
        ("CCD", observation.spot.field.ccd, "CCD chip number"),
        ("PXTABLE", 128, "pixel table id"),
        *position(star),
        *catalogue(star),
        *_mitigation(observation),
        ("CRSPOC", False, "SPOC cosmic ray cleaning enabled"),
        SUMS,
    ]


def opening(extensions: int, exporter: str, span: tuple[float, float], date: str = DATE) -> list[Card]:
    """Keywords with which every file begins, up to the data release.

    Parameters
    ----------
    extensions : int
        As NEXTEND tells it.
    exporter : str
        SPOC's module.
    span : (float, float)
        BTJD of beginning and end.
    date : str
        On which the file says it was made.
    """
    from tessellar import __version__

    begin, end = utc(*span)
    return [
        ("SIMPLE", True, "conforms to FITS standards"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 0, "number of array dimensions"),
        ("EXTEND", True, "file contains extensions"),
        ("NEXTEND", extensions, "number of standard extensions"),
        ("EXTNAME", "PRIMARY", "name of extension"),
        ("EXTVER", 1, "extension version number (not format version)"),
        ("SIMDATA", True, "file is based on simulated data"),
        ("SIMULATD", True, "file is based on simulated data"),
        ("ORIGIN", "tessellar simulation", "institution responsible for creating this file"),
        ("DATE", date, "file creation date."),
        ("TSTART", span[0], "observation start time in TJD"),
        ("TSTOP", span[1], "observation stop time in TJD"),
        ("DATE-OBS", begin, "TSTART as UTC calendar date"),
        ("DATE-END", end, "TSTOP as UTC calendar date"),
        ("CREATOR", f"tessellar {exporter}", "pipeline job and program used to produce this file"),
        ("PROCVER", f"tessellar-{__version__}", "SW version"),
        ("FILEVER", _VERSION_OF_FORMAT, "file format version"),
        ("TIMVERSN", "OGIP/93-003", "OGIP memo number for file format"),
        ("TELESCOP", "TESS", "telescope"),
        ("INSTRUME", "TESS Photometer", "detector type"),
        ("DATA_REL", DATA_RELEASE, "data release version number"),
    ]


def catalogue(star: Star) -> list[Card]:
    """What the catalogue knows of a star."""
    return [
        ("PMRA", 0.0, "[mas/yr] RA proper motion"),
        ("PMDEC", 0.0, "[mas/yr] Dec proper motion"),
        ("PMTOTAL", 0.0, "[mas/yr] total proper motion"),
        ("TESSMAG", star.tmag, "[mag] TESS magnitude"),
        ("TEFF", star.teff, "[K] Effective temperature"),
        ("LOGG", star.logg, "[cm/s2] log10 surface gravity"),
        ("MH", star.mh, "[log10([M/H])] metallicity"),
        ("RADIUS", star.radius, "[solar radii] stellar radius"),
        ("TICVER", 8, "TICVER"),
    ]


def extension(star: Star, name: str) -> list[Card]:
    """Keywords that begin the description of every part but the first."""
    return [
        ("INHERIT", True, "inherit the primary header"),
        ("EXTNAME", name, "name of extension"),
        ("EXTVER", 1, "extension version number (not format version)"),
        ("SIMDATA", True, "file is based on simulated data"),
        ("SIMULATD", True, "file is based on simulated data"),
        ("TELESCOP", "TESS", "telescope"),
        ("INSTRUME", "TESS Photometer", "detector type"),
        ("OBJECT", f"TIC {star.tic}", "string version of target id"),
        ("TICID", star.tic, "unique tess target identifier"),
        *position(star),
    ]


def measurement(observation: Observation, cdpp: tuple[float, float, float]) -> list[Card]:
    """Keywords that tell how the cadences were taken, up to the crowding."""
    return [
        *timing(barycentric_span(observation), int(np.isfinite(observation.btjd).sum()), observation.schedule.exposure),
        *(_each_output("GAIN", detector.GAINS, "[electrons/count] CCD output {} gain")),
        *(_each_output("READNOI", detector.READ_NOISES, "[electrons] read noise CCD output {}")),
        ("NREADOUT", observation.schedule.exposure.kept, "number of read per cadence"),
        ("FXDOFF", detector.FIXED_OFFSET, "compression fixed offset"),
        ("CDPP0_5", cdpp[0], "RMS CDPP on 0.5-hr time scales"),
        ("CDPP1_0", cdpp[1], "RMS CDPP on 1.0-hr time scales"),
        ("CDPP2_0", cdpp[2], "RMS CDPP on 2.0-hr time scales"),
        ("CROWDSAP", round(observation.aperture.crowding, 8), "Ratio of target flux to total flux in op. ap."),
        ("FLFRCSAP", round(observation.aperture.flux_fraction, 8), "Frac. of target flux w/in the op. aperture"),
    ]


def timing(span: tuple[float, float], count: int, taken: detector.Exposure) -> list[Card]:
    """Keywords that tell when the cadences of a table were taken, and how.

    Parameters
    ----------
    span : (float, float)
        BTJD of beginning and end.
    count : int
        Cadences with a time.
    taken : Exposure
        How a cadence is taken.
    """
    start, stop = span
    begin, end = utc(start, stop)
    elapsed = stop - start
    step, share = taken.cadence / 86400, round(taken.share, 12)
    exposure = count * step * share
    return [
        ("EXPOSURE", round(exposure, 12), "[d] time on source"),
        ("TIMEREF", "SOLARSYSTEM", "barycentric correction applied to times"),
        ("TASSIGN", "SPACECRAFT", "where time is assigned"),
        ("TIMESYS", "TDB", "time system is Barycentric Dynamical Time (TDB)"),
        ("BJDREFI", 2457000, "integer part of BTJD reference date"),
        ("BJDREFF", 0.0, "fraction of the day in BTJD reference date"),
        ("TIMEUNIT", "d", "time unit for TIME, TSTART and TSTOP"),
        ("TELAPSE", round(elapsed, 12), "[d] TSTOP - TSTART"),
        ("LIVETIME", round(elapsed * share, 12), "[d] TELAPSE multiplied by DEADC"),
        ("TSTART", start, "observation start time in BTJD"),
        ("TSTOP", stop, "observation stop time in BTJD"),
        ("DATE-OBS", begin, "TSTART as UTC calendar date"),
        ("DATE-END", end, "TSTOP as UTC calendar date"),
        ("DEADC", share, "deadtime correction"),
        ("TIMEPIXR", 0.5, "bin time beginning=0 middle=0.5 end=1"),
        ("TIERRELA", 1.16e-05, "[d] relative time error"),
        ("INT_TIME", detector.INT_TIME, "[s] photon accumulation time per frame"),
        ("READTIME", detector.READ_TIME, "[s] readout time per frame"),
        ("FRAMETIM", detector.INT_TIME + detector.READ_TIME, "[s] frame time (INT_TIME + READTIME)"),
        ("NUM_FRM", taken.frames, "number of frames per time stamp"),
        ("TIMEDEL", step, "[d] time resolution of data"),
        ("BACKAPP", True, "background is subtracted"),
        ("DEADAPP", True, "deadtime applied"),
        ("VIGNAPP", True, "vignetting or collimator correction applied"),
    ]


def closing(observation: Observation) -> list[Card]:
    """Keywords after those of the measurement: sums, read-out delay, black levels."""
    camera, ccd = observation.spot.field.camera, observation.spot.field.ccd
    delay = round(detector.stagger(camera, ccd), 3)
    return [
        SUMS,
        (f"TMOFST{camera}{ccd}", delay, f"(s) readout delay for camera {camera} and ccd {ccd}"),
        *_each_output("MEANBLC", detector.BLACK_LEVELS, "[count] FSW mean black level CCD output {}"),
    ]


def pdc(variability: float) -> list[Card]:
    """Keywords of the co-trended flux: here it was freed of all image motion, known from the truth."""
    return [
        ("NSPSDDET", 0, "Number of SPSDs detected"),
        ("NSPSDCOR", 0, "Number of SPSDs corrected"),
        ("PDCVAR", variability, "Target variability"),
        ("PDCMETHD", "truth", "PDC algorithm used for target"),
        ("NUMBAND", 1, "Number of scale bands"),
        ("FITTYPE1", "truth", "Fit type used for band 1"),
        ("PR_GOOD1", 1.0, "Prior goodness for band 1"),
        ("PR_WGHT1", 0.0, "Prior weight for band 1"),
        ("PDC_TOT", 1.0, "PDC total goodness metric for target"),
        ("PDC_TOTP", 100.0, "PDC_TOT percentile compared to mod/out"),
        ("PDC_COR", 1.0, "PDC correlation goodness metric for target"),
        ("PDC_CORP", 100.0, "PDC_COR percentile compared to mod/out"),
        ("PDC_VAR", 1.0, "PDC variability goodness metric for target"),
        ("PDC_VARP", 100.0, "PDC_VAR percentile compared to mod/out"),
        ("PDC_NOI", 1.0, "PDC noise goodness metric for target"),
        ("PDC_NOIP", 100.0, "PDC_NOI percentile compared to mod/out"),
        ("PDC_EPT", None, "PDC earth point goodness metric for target"),
        ("PDC_EPTP", None, "PDC_EPT percentile compared to mod/out"),
    ]


def barycentric_span(observation: Observation) -> tuple[float, float]:
    """BTJD at which the first cadence begins and the last one ends."""
    finite = observation.btjd[np.isfinite(observation.btjd)]
    half = observation.schedule.exposure.cadence / 86400 / 2
    return round(float(finite[0]) - half, 12), round(float(finite[-1]) + half, 12)


def utc(*btjd: float) -> list[str]:
    """Calendar dates (UTC, with milliseconds) of BTJD times."""
    from astropy.time import Time

    return [f"{text}Z" for text in Time(list(btjd), 2457000.0, format="jd", scale="tdb").utc.isot]


def _clock_span(observation: Observation) -> tuple[float, float]:
    late = detector.stagger(observation.spot.field.camera, observation.spot.field.ccd) / 86400
    half = observation.schedule.exposure.cadence / 86400 / 2
    clock = observation.schedule.clock
    return round(float(clock[0]) + late - half, 12), round(float(clock[-1]) + late + half, 12)


def position(star: Star) -> list[Card]:
    """Where a star is."""
    return [
        ("RADESYS", "ICRS", "reference frame of celestial coordinates"),
        ("RA_OBJ", star.ra, "[deg] right ascension"),
        ("DEC_OBJ", star.dec, "[deg] declination"),
        ("EQUINOX", 2000.0, "equinox of celestial coordinate system"),
    ]


def _mitigation(observation: Observation) -> list[Card]:
    block = observation.schedule.exposure.block
    cards: list[Card] = [("CRMITEN", block is not None, "spacecraft cosmic ray mitigation enabled")]
    return cards + ([("CRBLKSZ", block, "[exposures] s/c cosmic ray mitigation block siz")] if block else [])


def _each_output(key: str, values: tuple[float, ...], comment: str) -> list[Card]:
    return [(key + letter, value, comment.format(letter)) for letter, value in zip("ABCD", values, strict=True)]
