"""The pages of a validation run as PDF: a report, a mini report, and a summary of each event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate.pdf import Axes, Page, pdf_bytes
from tessellar.simulate.validation.event import Event
from tessellar.simulate.validation.plan import Run

_LEFT, _TOP, _WIDE = 72.0, 730.0, 460.0
_MOST_DOTS = 4000
_CURVE_POINTS = 400


def report_pages(run: Run, events: Sequence[Event]) -> bytes:
    """Give the report (``dvr.pdf``): a page on the star and its light curve, and one on each event."""
    first = _titled(run, events[0], "Data validation report")
    y = first.lines(_LEFT, _TOP - 60, _about_star(events[0]))
    _light_curve(first, events[0], (_LEFT, y - 230, _WIDE, 200))
    pages = [first]
    for number, event in enumerate(events, 1):
        page = _titled(run, event, f"Event {number}")
        y = page.lines(_LEFT, _TOP - 60, [*_numbers(event), *_tests(event)])
        _folded(page, event, (_LEFT, y - 260, _WIDE, 230))
        pages.append(page)
    return pdf_bytes(pages, f"Data validation report of TIC {events[0].stitched.star.tic}")


def mini_pages(run: Run, events: Sequence[Event]) -> bytes:
    """Give the mini report (``dvm.pdf``): one page on all events."""
    page = _titled(run, events[0], "Data validation mini report")
    y = page.lines(_LEFT, _TOP - 60, _about_star(events[0]))
    for event in events:
        y = page.lines(_LEFT, y - 10, _numbers(event))
    _folded(page, events[0], (_LEFT, y - 220, _WIDE, 190))
    return pdf_bytes([page], f"Data validation mini report of TIC {events[0].stitched.star.tic}")


def summary_page(run: Run, event: Event, number: int) -> bytes:
    """Give the summary of an event (``dvs.pdf``): one page."""
    page = _titled(run, event, f"Summary of event {number}")
    _light_curve(page, event, (_LEFT, 520, _WIDE, 130))
    _folded(page, event, (_LEFT, 280, _WIDE, 190))
    page.lines(_LEFT, 235, [*_numbers(event), *_tests(event)], size=8)
    return pdf_bytes([page], f"Event {number} of TIC {event.stitched.star.tic}")


def _titled(run: Run, event: Event, title: str) -> Page:
    page = Page()
    star, sectors = event.stitched.star, ", ".join(str(sector) for sector in event.stitched.sectors)
    page.text(_LEFT, _TOP, f"{title}: TIC {star.tic}", size=14, bold=True)
    page.text(_LEFT, _TOP - 18, f"Sectors {run.first} to {run.last}, observed in {sectors}; pipeline run {run.number}")
    page.text(_LEFT, _TOP - 32, "SIMULATED DATA: no observation of the sky", bold=True)
    return page


def _about_star(event: Event) -> list[str]:
    star = event.stitched.star
    return [
        f"Right ascension {star.ra:.6f}  declination {star.dec:+.6f}  TESS magnitude {star.tmag:.3f}",
        f"Effective temperature {star.teff:.0f} K  log g {star.logg:.2f}  radius {star.radius:.3f} solar radii",
    ]


def _numbers(event: Event) -> Iterator[str]:
    fit, found = event.best, event.detection
    named = (("Period", "orbitalPeriodDays", "d", 7), ("Epoch", "transitEpochBtjd", "BTJD", 5),
             ("Depth", "transitDepthPpm", "ppm", 1), ("Duration", "transitDurationHours", "h", 4),
             ("Radius", "planetRadiusEarthRadii", "Earth radii", 3))  # fmt: skip
    for label, name, unit, digits in named:
        error = fit.error(name)
        if error < 0 and fit[name] == 0:
            continue  # not fitted
        told = f" +- {error:.{digits}f}" if error > 0 else ""
        yield f"{label}: {fit[name]:.{digits}f}{told} {unit}"
    yield f"MES {found.multiple:.2f}, signal to noise of the fit {fit.snr:.1f}"
    yield f"Transits: {found.observed} observed, {found.expected} expected"


def _tests(event: Event) -> Iterator[str]:
    if event.odd_even.significance >= 0:
        told = event.odd_even
        yield f"Odd and even depths: statistic {told.value:.3f}, significance {told.significance:.3g}"
    if (second := event.detection.secondary) is not None:
        yield f"Strongest secondary: {second.depth:.1f} +- {second.depth_error:.1f} ppm, MES {second.strongest:.2f}"
    if event.from_catalogue is not None:
        value, error = event.from_catalogue.sky
        yield f"Centroid offset from the catalogue's position: {value:.2f} +- {error:.2f} arcsec"
    yield f"Eclipsing binary suspected: {'yes' if event.binary else 'no'}"


def _light_curve(page: Page, event: Event, box: tuple[float, float, float, float]) -> None:
    btjd, flux = event.stitched.btjd, event.flux
    known = np.flatnonzero(np.isfinite(flux) & np.isfinite(btjd))
    shown = known[:: max(1, len(known) // _MOST_DOTS)]
    span = float(btjd[known[0]]), float(btjd[known[-1]])
    axes = Axes.on(page, box, span, _limits(flux[known]), labels=("BTJD, d", "Detrended flux, relative"))
    axes.dots(btjd[shown], flux[shown])


def _folded(page: Page, event: Event, box: tuple[float, float, float, float]) -> None:
    fit = event.best
    period, epoch = fit["orbitalPeriodDays"], fit["transitEpochBtjd"]
    hours = 24 * ((event.stitched.btjd - epoch + period / 2) % period - period / 2)
    reach = min(1.5 * fit["transitDurationHours"], 12 * period)
    near = np.flatnonzero(np.isfinite(event.flux) & (np.abs(np.nan_to_num(hours, nan=np.inf)) < reach))
    shown = near[:: max(1, len(near) // _MOST_DOTS)]
    axes = Axes.on(
        page,
        box,
        (-reach, reach),
        _limits(event.flux[near]),
        labels=("Hours from mid-transit", "Folded flux, relative"),
    )
    axes.dots(hours[shown], event.flux[shown])
    order = near[np.argsort(hours[near], kind="stable")]
    order = order[:: max(1, len(order) // _CURVE_POINTS)]
    axes.curve(hours[order], event.model[order])


def _limits(flux: NDArray[np.float64]) -> tuple[float, float]:
    low, high = (float(value) for value in np.percentile(flux, [0.05, 99.95]))
    margin = 0.1 * max(high - low, 1e-6)
    return low - margin, high + margin
