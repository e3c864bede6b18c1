"""A validation report as tables with units: one row a planet, a fitted value, a test, or an offset."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tessellar.products.validation.elements import NOTHING, unit_of
from tessellar.products.validation.planets import TCE, CentroidOffset

if TYPE_CHECKING:
    from astropy.table import Table

# Column of the table of planets: the report's parameter, of the fit that the event's own numbers are from.
_FITTED = {
    "period": "orbitalPeriodDays",
    "epoch": "transitEpochBtjd",
    "depth": "transitDepthPpm",
    "duration": "transitDurationHours",
    "ingress": "transitIngressTimeHours",
    "radius": "planetRadiusEarthRadii",
    "semi_major_axis": "semiMajorAxisAu",
    "radius_ratio": "ratioPlanetRadiusToStarRadius",
    "axis_ratio": "ratioSemiMajorAxisToStarRadius",
    "impact": "minImpactParameter",
    "inclination": "inclinationDegrees",
    "temperature": "equilibriumTempKelvin",
    "insolation": "effectiveStellarFlux",
}


def planets_table(tces: Iterable[TCE]) -> Table:
    """Return one row a planet: its fit with errors, its centroid offsets, its tests."""
    names: list[tuple[str, str]] = [("planet", ""), ("toi", ""), ("source", "")]
    for column, name in _FITTED.items():
        names += [(column, unit_of(name)), (f"{column}_err", unit_of(name))]
    names += [("snr", ""), ("mes", "")]
    for reference in ("tic", "out"):
        names += [(f"offset_{reference}", "arcsec"), (f"offset_{reference}_err", "arcsec")]
    names += [("odd_even", ""), ("odd_even_significance", ""), ("ghost_core", ""), ("ghost_halo", "")]
    names += [("bootstrap", ""), ("secondary_depth", "ppm"), ("secondary_depth_err", "ppm"), ("secondary_mes", "")]
    names += [("transits", ""), ("expected_transits", ""), ("eclipsing_binary", "")]
    return _table(names, [_planet_row(tce) for tce in tces])


def parameters_table(tces: Iterable[TCE]) -> Table:
    """Return one row a value of a fit: planet, fit, parameter, value, uncertainty, unit, fitted."""
    rows = [
        (tce.planet, fit.name, name, value.value, value.uncertainty, unit_of(name), value.fitted)
        for tce in tces
        for fit in tce.fits
        for name, value in fit.parameters.items()
    ]
    names = ("planet", "fit", "parameter", "value", "uncertainty", "unit", "fitted")
    return _table([(name, "") for name in names], rows)


def tests_table(tces: Iterable[TCE]) -> Table:
    """Return one row a test of a planet: statistic and significance, and the other planet of a comparison."""
    rows = [
        (tce.planet, name, found.value, found.significance, found.planet)
        for tce in tces
        for name, found in tce.tests.items()
    ]
    return _table([(name, "") for name in ("planet", "test", "value", "significance", "other")], rows)


def offsets_table(tces: Iterable[TCE]) -> Table:
    """Return one row a centroid offset, in arcsec; the mean over the sectors has no sector."""
    names = [("planet", ""), ("reference", ""), ("sector", "")]
    names += [(f"{axis}{end}", "arcsec") for axis in ("ra", "dec", "sky") for end in ("", "_err")]
    rows = []
    for tce in tces:
        for offset in tce.offsets:
            values = [part for axis in (offset.ra, offset.dec, offset.sky) for part in (axis.value, axis.uncertainty)]
            rows.append((tce.planet, offset.reference, offset.sector, *values))
    return _table(names, rows)


def _planet_row(tce: TCE) -> tuple[Any, ...]:
    fit = tce.fit("all" if tce.source == "transit fit" else "trapezoid")
    values = dict(fit.parameters) if fit and fit.made else {}
    row: list[Any] = [tce.planet, tce.toi, tce.source]
    for column, name in _FITTED.items():
        found = values.get(name, NOTHING)
        # What was not fitted, but the search knows, has a value without an error.
        row += [found.value if found.known else getattr(tce, column, math.nan), found.uncertainty]
    row += [tce.snr, tce.mes]
    for reference in ("TIC", "out of transit"):
        mean = _mean(tce.offsets, reference)
        row += [mean.sky.value, mean.sky.uncertainty] if mean else [math.nan, math.nan]
    for name, part in (("odd-even depth", "value"), ("odd-even depth", "significance"),
                       ("ghost, core aperture", "value"), ("ghost, halo aperture", "value")):  # fmt: skip
        row.append(getattr(tce.tests[name], part) if name in tce.tests else math.nan)
    row += [tce.bootstrap, tce.secondary_depth.value, tce.secondary_depth.uncertainty, tce.secondary_mes]
    counted = tce.transits if tce.expected_transits else None
    return (*row, counted, tce.expected_transits or None, tce.eclipsing_binary)


def _mean(offsets: Iterable[CentroidOffset], reference: str) -> CentroidOffset | None:
    return next((each for each in offsets if each.reference == reference and each.sector is None), None)


def _table(names: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> Table:
    from astropy.table import MaskedColumn, Table
    from astropy.units import cds

    table = Table(masked=True)
    for index, (name, unit) in enumerate(names):
        values = [row[index] for row in rows]
        missing = [value is None or (isinstance(value, float) and math.isnan(value)) for value in values]
        kind = next((type(value) for value in values if value is not None), float)
        filled = [kind() if gone else value for value, gone in zip(values, missing, strict=True)]
        # astropy knows parts per million among the units of the CDS alone.
        column_unit = cds.ppm if unit == "ppm" else unit or None
        table[name] = MaskedColumn(filled, mask=missing, unit=column_unit, dtype=kind if not rows else None)
    return table
