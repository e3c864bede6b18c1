"""The time series of a validation run (``dvt.fits``): one table an event, and the statistics of the search.

Columns and keywords are those of the mission's exporter; that of NEXTEND counts the
primary part too, as it does in the mission's files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate import headers
from tessellar.simulate.detector import TWO_MINUTES
from tessellar.simulate.filing import SUMS, Card, Part, write_parts
from tessellar.simulate.spoc import Column, row_type, table_cards
from tessellar.simulate.validation.event import Event
from tessellar.simulate.validation.fit import Fit
from tessellar.simulate.validation.plan import Run
from tessellar.simulate.validation.search import DURATIONS
from tessellar.simulate.validation.sighting import bits
from tessellar.simulate.validation.stitched import DETREND_CADENCES, Stitched

FloatArray = NDArray[np.float64]

_TIME = (
    Column("TIME", "D", "BJD - 2457000, days", "D14.7", "data time stamps", "Barycenter corrected TESS Julian"),
    Column("TIMECORR", "E", "d", "E14.7", "barycentric correction", "Days"),
    Column("CADENCENO", "J", "", "I10", "unique cadence number"),
)


def _relative(name: str, title: str) -> Column:
    return Column(name, "E", "dimensionless", "E14.7", title)


EVENT_COLUMNS = (
    *_TIME,
    Column("PHASE", "E", "days", "E14.7", "phase using period and epoch", "[-0.25*period, 0.75*period]"),
    _relative("LC_INIT", "detrended initial light curve"),
    _relative("LC_INIT_ERR", "error in initial light curve"),
    _relative("LC_WHITE", "whitened light curve"),
    _relative("LC_DETREND", "median detrended light curve"),
    _relative("MODEL_INIT", "model light curve"),
    _relative("MODEL_WHITE", "whitened model light curve"),
)


def _label(hours: float) -> str:
    return f"{hours:.1f}".replace(".", "_")


STATISTICS_COLUMNS = (
    *_TIME,
    Column("PDCSAP_FLUX", "E", "e-/s", "E14.7", "aperture phot. PDC flux", "electrons per second"),
    Column("PDCSAP_FLUX_ERR", "E", "e-/s", "E14.7", "ap. phot. PDC flux error", "electrons per second (1-sigma)"),
    _relative("RESIDUAL_LC", "residual light curve"),
    _relative("DEWEIGHTS", "deweights of the cadences"),
    Column("QUALITY", "J", "", "B16.16", "aperture photometry quality flag"),
    *(_relative(f"SES_CORR_{_label(hours)}", f"{hours:.1f} hr SES correlation") for hours in DURATIONS),
    *(_relative(f"SES_NORM_{_label(hours)}", f"{hours:.1f} hr SES normalization") for hours in DURATIONS),
    *(Column(f"CDPP_{_label(hours)}", "E", "ppm", "E14.7", f"{hours:.1f} hr CDPP") for hours in DURATIONS),
)


def write_time_series(path: Path, run: Run, events: Sequence[Event]) -> Path:
    """Write the time series of a run.

    Parameters
    ----------
    path : Path
        The file.
    run : Run
        Which one.
    events : sequence of Event
        What it found on the star, in the order of their numbers.
    """
    stitched = events[0].stitched
    parts = [Part(_primary(run, stitched, len(events)))]
    for number, event in enumerate(events, 1):
        rows = _event_rows(event)
        cards = [*_table(stitched, f"TCE_{number}", EVENT_COLUMNS), *_event_cards(event), SUMS]
        parts.append(_part(cards, rows))
    parts.append(_part([*_table(stitched, "STATISTICS", STATISTICS_COLUMNS), SUMS], _statistics_rows(events)))
    return write_parts(path, parts)


def _part(cards: Sequence[Card], rows: NDArray[Any]) -> Part:
    return Part(cards, lambda: [rows.tobytes()])


def _primary(run: Run, stitched: Stitched, count: int) -> list[Card]:
    star, one = stitched.star, stitched.sightings[0].spot.field
    where: list[Card] = [
        ("SECTOR", one.sector, "Observing sector"),
        ("CAMERA", one.camera, "Camera number"),
        ("CCD", one.ccd, "CCD chip number"),
    ]
    return [
        *headers.opening(count + 2, "DvTimeSeriesExporterPipelineModule", _span(stitched), run.date),
        ("OBJECT", f"TIC {star.tic}", "string version of target id"),
        ("TICID", star.tic, "unique tess target identifier"),
        *(where if run.first == run.last else ()),
        ("SECTORS", bits(stitched.sectors), "bit-vector string of 0/1 chars, from sector 0"),
        *headers.position(star),
        *headers.catalogue(star),
        ("NUMTCES", count, "number of TCEs found"),
        SUMS,
    ]


def _table(stitched: Stitched, name: str, columns: Sequence[Column]) -> list[Card]:
    timed = int(np.isfinite(stitched.btjd).sum())
    return [
        *table_cards(columns, len(stitched.btjd)),
        *headers.extension(stitched.star, name),
        *headers.timing(_span(stitched), timed, TWO_MINUTES),
    ]


def _event_cards(event: Event) -> list[Card]:
    fit, found = event.best, event.detection
    cards: list[tuple[str, float | int | bool, str]] = [
        ("TPERIOD", fit["orbitalPeriodDays"], "transit period [days]"),
        ("TEPOCH", fit["transitEpochBtjd"], "transit epoch in BTJD [days]"),
        ("TDEPTH", fit["transitDepthPpm"], "fitted transit depth [ppm]"),
        ("TSNR", fit.snr, "transit signal-to-noise ratio"),
        ("TDUR", fit["transitDurationHours"], "transit duration [hr]"),
        ("INDUR", fit["transitIngressTimeHours"], "ingress duration [hr]"),
        *_orbit_cards(event.transits),
        ("MAXMES", found.multiple, "maximum multi-event statistic"),
        ("MAXSES", found.single, "maximum single-event statistic"),
        ("NTRANS", found.observed, "number of transits for this TCE"),
        ("CONVRGE", event.transits.converged, "convergence yes/no flag"),
        ("MEDDETR", DETREND_CADENCES * TWO_MINUTES.cadence / 3600, "length of the median detrender filter [hours]"),
    ]
    return [(name, round(value, 12) if isinstance(value, float) else value, comment) for name, value, comment in cards]


def _orbit_cards(fit: Fit) -> list[tuple[str, float | int | bool, str]]:
    """What only a fit of a planet tells."""
    if not fit.converged:
        return []
    return [
        ("IMPACT", fit["minImpactParameter"], "impact parameter"),
        ("INCLIN", fit["inclinationDegrees"], "inclination [deg]"),
        ("DRRATIO", fit["ratioSemiMajorAxisToStarRadius"], "ratio of planet distance to star radius"),
        ("RADRATIO", fit["ratioPlanetRadiusToStarRadius"], "ratio of planet radius to star radius"),
        ("PRADIUS", fit["planetRadiusEarthRadii"], "planet radius in earth radii"),
    ]


def _event_rows(event: Event) -> NDArray[Any]:
    stitched, model = event.stitched, event.model
    rows = _timed_rows(stitched, EVENT_COLUMNS)
    period, epoch = event.best["orbitalPeriodDays"], event.best["transitEpochBtjd"]
    rows["PHASE"] = (stitched.btjd - epoch + 0.25 * period) % period - 0.25 * period
    rows["LC_INIT"], rows["LC_INIT_ERR"] = stitched.flux, stitched.flux_err
    rows["LC_DETREND"], rows["MODEL_INIT"] = event.flux, model
    rows["LC_WHITE"], rows["MODEL_WHITE"] = event.flux / stitched.flux_err, model / stitched.flux_err
    return rows


def _statistics_rows(events: Sequence[Event]) -> NDArray[Any]:
    stitched = events[0].stitched
    rows = _timed_rows(stitched, STATISTICS_COLUMNS)
    rows["PDCSAP_FLUX"], rows["PDCSAP_FLUX_ERR"] = stitched.raw, stitched.raw_err
    rows["RESIDUAL_LC"] = events[0].flux - np.sum([event.model for event in events], axis=0)
    rows["DEWEIGHTS"], rows["QUALITY"] = stitched.known, stitched.quality
    for single in events[0].singles:
        label = _label(single.hours)
        rows[f"SES_CORR_{label}"], rows[f"SES_NORM_{label}"] = single.correlation, single.normalisation
        norm = np.where(single.normalisation > 0, single.normalisation, np.nan)
        rows[f"CDPP_{label}"] = 1e6 / norm
    return rows


def _timed_rows(stitched: Stitched, columns: Sequence[Column]) -> NDArray[Any]:
    rows = np.empty(len(stitched.btjd), row_type(columns))
    rows["TIME"], rows["TIMECORR"], rows["CADENCENO"] = stitched.btjd, stitched.timecorr, stitched.cadenceno
    return rows


def _span(stitched: Stitched) -> tuple[float, float]:
    timed = stitched.btjd[np.isfinite(stitched.btjd)]
    half = TWO_MINUTES.cadence / 86400 / 2
    return round(float(timed[0]) - half, 12), round(float(timed[-1]) + half, 12)
