"""The list of all events of a run (``dvr-tcestats.csv``), in the columns of the mission's lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tessellar.mission.time import BTJD_ORIGIN
from tessellar.simulate.signals import Transit
from tessellar.simulate.validation.difference import Offset
from tessellar.simulate.validation.event import Event
from tessellar.simulate.validation.fit import Fit
from tessellar.simulate.validation.plan import Run
from tessellar.simulate.validation.sighting import bits, orbit

_PADDED = 80

# Columns of a fit, and what the report calls them.
_FITTED = {
    "period": "orbitalPeriodDays", "time0bt": "transitEpochBtjd", "time0": "transitEpochBtjd",
    "ror": "ratioPlanetRadiusToStarRadius", "dor": "ratioSemiMajorAxisToStarRadius", "incl": "inclinationDegrees",
    "impact": "minImpactParameter", "duration": "transitDurationHours", "ingress": "transitIngressTimeHours",
    "depth": "transitDepthPpm", "eccen": "eccentricity", "longp": "longitudeOfPeriDegrees",
}  # fmt: skip
_PLANET = {"prad": "planetRadiusEarthRadii", "sma": "semiMajorAxisAu", "eqt": "equilibriumTempKelvin",
           "insol": "effectiveStellarFlux"}  # fmt: skip
_TRAPEZOID = ("period", "time0bt", "time0", "duration", "ingress", "depth")


def statistics_csv(run: Run, stars: Iterable[Sequence[Event]]) -> bytes:
    """Write the list of a run.

    Parameters
    ----------
    run : Run
        Which one.
    stars : iterable of sequence of Event
        The events of each star.
    """
    sectors = f"s{run.first:04d}-s{run.last:04d}"
    head = [
        "Select Statistics Per TCE From the Data Validation XML Files",
        "Mission = TESS",
        f"Search = tess{run.timestamp}",
        f"Sectors = {sectors}",
        f"Created Date = {run.date}",
        "Simulated = true",
        "",
    ]
    rows = [_row(run, event, number) for events in stars for number, event in enumerate(events, 1)]
    lines = [f"#{line}".ljust(_PADDED) for line in head]
    lines.append(",".join(rows[0]) if rows else "ticid,tce_plnt_num")
    lines += [",".join(_text(value) for value in row.values()) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def _row(run: Run, event: Event, number: int) -> dict[str, object]:
    star, fit, found = event.stitched.star, event.transits, event.detection
    body: Transit = orbit(star.signal)
    row: dict[str, object] = {
        "tceid": f"{star.tic:011d}-{number:02d}", "ticid": star.tic, "tce_plnt_num": number,
        "sectors": f"s{run.first:04d}" if run.first == run.last else f"s{run.first:04d}-s{run.last:04d}",
        "lastUpdate": run.date,
    }  # fmt: skip
    row |= _fitted("tce", fit, _FITTED)
    row |= {
        "tce_limbdark_mod": "quadratic_limb_darkening_model", "tce_ldm_coeff1": body.limb[0],
        "tce_ldm_coeff2": body.limb[1], "tce_ldm_coeff3": 0.0, "tce_ldm_coeff4": 0.0,
        "tce_num_transits": found.observed, "tce_trans_mod": "mandel-agol_geometric_transit_model",
        "tce_full_conv": fit.converged, "tce_model_snr": fit.snr, "tce_model_chisq": fit.chi_square,
        "tce_model_dof": fit.degrees_of_freedom, "tce_robstat": found.multiple,
        "tce_dof2": float(found.observed - 1), "tce_chisq2": found.chi_square,
        "tce_chisqgofdof": int(event.best.degrees_of_freedom), "tce_chisqgof": event.best.chi_square,
    }  # fmt: skip
    row |= _fitted("tce", fit, _PLANET)
    row |= {"tce_ntoi": 0, "tce_sectors": bits(event.stitched.sectors)}
    row |= _star(event, fit)
    row |= _fitted("tcet", event.trapezoid, {name: _FITTED[name] for name in _TRAPEZOID})
    row |= {
        "tcet_full_conv": event.trapezoid.converged, "tcet_model_chisq": event.trapezoid.chi_square,
        "tcet_model_dof": event.trapezoid.degrees_of_freedom,
    }  # fmt: skip
    row |= _search(event)
    for label, offset in (("dicco", event.from_control), ("ditco", event.from_catalogue)):
        row |= _offset(label, offset)
    return row


def _fitted(start: str, fit: Fit, names: dict[str, str]) -> dict[str, object]:
    row: dict[str, object] = {}
    for column, name in names.items():
        shift = BTJD_ORIGIN if column == "time0" else 0.0
        row[f"{start}_{column}"] = fit[name] + shift
        row[f"{start}_{column}_err"] = fit.error(name)
    return row


def _star(event: Event, fit: Fit) -> dict[str, object]:
    star = event.stitched.star
    values = {"steff": star.teff, "slogg": star.logg, "smet": star.mh or 0.0, "sradius": star.radius,
              "sdensity": fit["starDensitySolarDensity"]}  # fmt: skip
    row: dict[str, object] = {}
    for name, value in values.items():
        row |= {f"tce_{name}": value, f"tce_{name}_err": 0.0}
    return row | {f"tce_{name}_prov": "TIC8-Der" if name == "sdensity" else "TIC8" for name in values}


def _search(event: Event) -> dict[str, object]:
    found, second = event.detection, event.detection.secondary
    return {
        "wst_robstat": second.strongest if second else -1.0, "wst_depth": second.depth if second else -1.0,
        "tce_ws_mesmedian": second.median if second else -1.0, "tce_ws_mesmad": second.spread if second else -1.0,
        "tce_ws_maxmes": second.strongest if second else -1.0, "tce_ws_minmes": second.weakest if second else -1.0,
        "tce_ws_maxmesd": second.phase if second else -1.0,
        "tce_ws_minmesd": second.weakest_phase if second else -1.0,
        "tce_max_sngle_ev": found.single, "tce_max_mult_ev": found.multiple,
        "tce_bin_oedp_stat": event.odd_even.value, "tce_bin_spc_stat": 0.0, "tce_bin_lpc_stat": 0.0,
        "tce_albedo": 0.0, "tce_albedo_err": -1.0, "tce_ptemp": 0.0, "tce_ptemp_err": -1.0,
        "tce_albedo_stat": 0.0, "tce_ptemp_stat": 0.0, "boot_fap": found.false_alarm, "boot_mesthresh": 7.1,
        "boot_mesmean": second.median if second else 0.0, "boot_messtd": 1.0,
        "bootstrap_transit_count": found.observed, "tce_cap_stat": event.core.value, "tce_hap_stat": event.halo.value,
    }  # fmt: skip


def _offset(label: str, offset: Offset | None) -> dict[str, object]:
    row: dict[str, object] = {}
    for column, axis in (("mra", "ra"), ("mdec", "dec"), ("msky", "sky")):
        value, error = getattr(offset, axis) if offset else (0.0, -1.0)
        row |= {f"tce_{label}_{column}": value, f"tce_{label}_{column}_err": error}
    return row


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(round(value, 15)) if isinstance(value, float) and abs(value) > 1 else str(value)
