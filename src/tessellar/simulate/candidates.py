"""What is known of simulated stars and their candidates before anybody looks again: rows of ExoFOP's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import numpy as np

from tessellar.simulate.signals import EclipsingBinary, Transit
from tessellar.simulate.stars import FIRST_TIC, Sky, Star

#: TOIs of simulated stars: far above the real ones; the last digits are those of the TIC id.
FIRST_TOI = 99001

_SUN_IN_EARTHS = 109.076  # nominal radii, IAU 2015 resolution B3
_AU_IN_SUNS = 215.032
_SUN_TEFF = 5772.0
_NEARBY_DEG = 2.5 / 60
_PROJECT = {"User": "TESS project"}

Row = dict[str, str]


def has_toi(star: Star) -> bool:
    """Whether something passes in front of the star."""
    return isinstance(star.signal, Transit | EclipsingBinary)


def toi_system(star: Star) -> str:
    """The number of its TOI, without a candidate."""
    return str(FIRST_TOI + star.tic - FIRST_TIC)


def toi_of(star: Star) -> str:
    """The number of its candidate."""
    return f"{toi_system(star)}.01"


def star_rows(star: Star, sky: Sky) -> Iterator[tuple[str, Row]]:
    """What the catalogue has of a star, and of the stars about it: the table, and the row."""
    tic = str(star.tic)
    catalogue = {"Date": "2019-04-15", "Notes": "simulated catalogue", **_PROJECT}
    yield "targets", {
        "TIC ID": tic, "Star Names": f"TIC {tic}, Simulated {star.tic - FIRST_TIC + 1}", "RA": str(star.ra),
        "Dec": str(star.dec), "TIC Contamination Ratio": ".01",
    }  # fmt: skip
    yield "magnitudes", {
        "TIC ID": tic, "Band": "TESS", "Value": f"{star.tmag:g}", "Value err": "0.006", "Table": "tmag", **catalogue,
    }  # fmt: skip
    yield "stellar_parameters", {
        "TIC ID": tic, "Table": "TIC", "Teff (K)": f"{star.teff:.0f}", "Teff (K) err": "120",
        "log(g)": f"{star.logg:g}", "Radius (R_Sun)": f"{star.radius:g}",
        "Mass (M_Sun)": f"{star.radius**2 * 10 ** (star.logg - 4.438):.3f}",
        "Metallicity": "" if star.mh is None else f"{star.mh:g}", **catalogue,
    }  # fmt: skip
    near = _neighbours(star, sky)
    for other, away, angle in near:
        ra, dec = sexagesimal(other)
        yield "nearby_targets", {
            "Target": tic, "TIC ID": str(other.tic), "TOI": f"{toi_system(other)}.0" if has_toi(other) else "",
            "RA": ra, "Dec": dec, "TESS Mag": f"{other.tmag:.4f}",
            "Separation (arcsec)": f"{away:.3f}".removeprefix("0"),
            "Position Angle (deg E. of N.)": f"{angle:.2f}" if away else "",
        }  # fmt: skip
    if star.kind == "blend" and len(near) > 1:
        other, away, angle = min(near[1:], key=lambda each: each[0].tmag)
        yield "stellar_companions", {
            "TIC ID": tic, "Separation (arcsec)": f"{away:.2f}", "Separation (arcsec) Error": ".05",
            "Pos Angle E of N (deg)": f"{angle:.1f}", "Filter": "I", "Delta Mag": f"{other.tmag - star.tmag:.2f}",
            "Observation Date (UT)": "2019-02-02", "Date": "2019-03-01", "User": "visitor", "Notes": "well resolved",
        }  # fmt: skip


def candidate_rows(
    star: Star, sectors: Sequence[int], alerted: date, observations: Mapping[str, int]
) -> Iterator[tuple[str, Row]]:
    """What the mission says of a candidate: TOI, planet parameters, and the CTOI that one of them was before.

    Parameters
    ----------
    star : Star
        One that `has_toi`.
    sectors : sequence of int
        In which it was observed.
    alerted : date
        When the TOI was made known.
    observations : mapping of str to int
        How many rows the tables of time series, spectroscopy and imaging have of it.
    """
    signal, tic, toi = star.signal, str(star.tic), toi_of(star)
    ra, dec = sexagesimal(star)
    orbit = {
        "Epoch (BJD)": f"{signal.epoch + 2457000:.6f}", "Epoch (BJD) err": ".0004",
        "Period (days)": f"{signal.period:.7f}", "Period (days) err": ".00002",
        "Duration (hours)": f"{signal.duration * 24:.4f}", "Duration (hours) err": ".05",
        "Depth (mmag)": f"{-2500 * np.log10(1 - signal.depth):.4f}", "Depth (ppm)": f"{signal.depth * 1e6:.2f}",
        "Depth (ppm) err": "60",
    }  # fmt: skip
    body = _body(star)
    yield "tois", {
        "TIC ID": tic, "TOI": toi, "Master": "2", "TESS Disposition": "PC",
        "TFOPWG Disposition": "CP" if body else "FP", "TESS Mag": f"{star.tmag:g}", "TESS Mag err": ".006",
        "Pipeline Signal ID": "1", "Source": "simulated", "Detection": "SPOC", "RA": ra, "Dec": dec, **orbit,
        "Stellar Eff Temp (K)": f"{star.teff:.0f}", "Stellar log(g) (cm/s^2)": f"{star.logg:g}",
        "Stellar Radius (R_Sun)": f"{star.radius:g}", "Planet Radius (R_Earth)": body.get("radius", ""),
        "Planet Insolation (Earth Flux)": body.get("insolation", ""),
        "Sectors": ",".join(map(str, sorted(sectors))), "Date TOI Alerted (UTC)": str(alerted),
        "Date TOI Updated (UTC)": str(alerted), "Date Modified": f"{alerted} 12:00:00",
        "Comments": f"simulated {star.kind}",
        **{f"{what} Observations": str(count) for what, count in observations.items()},
    }  # fmt: skip
    yield "planet_parameters", {
        "TIC ID": tic, "Name": f"TOI-{toi_system(star)} b", "TOI": f"TOI {toi}", "Table": "TOI", **orbit,
        "Radius (R_Earth)": body.get("radius", ""), "Date": str(alerted), **_PROJECT,
    }  # fmt: skip
    if star.kind == "quick":
        yield "ctois", {
            "TIC ID": tic, "CTOI": f"{tic}.01", "Promoted to TOI": toi, "User Disposition": "PC", "RA": f"{star.ra}",
            "Dec": f"{star.dec}", "Transit Epoch (BJD)": orbit["Epoch (BJD)"],
            "Period (days)": orbit["Period (days)"], "CTOI lastmod": f"{alerted} 12:00:00", "User": "visitor",
            "Notes": "found by eye",
        }  # fmt: skip


def sexagesimal(star: Star) -> tuple[str, str]:
    """Right ascension and declination as ``05:00:12.34``, ``-69:00:00.10``."""
    return _parts(star.ra / 15), ("-" if star.dec < 0 else "+") + _parts(abs(star.dec))


def _parts(value: float) -> str:
    hundredths = round(value * 360000)
    minutes, seconds = divmod(hundredths, 6000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds / 100:05.2f}"


def _body(star: Star) -> Row:
    """Radius and insolation of a planet; nothing of a second star."""
    planet = star.signal
    if not isinstance(planet, Transit):
        return {}
    distance = planet.semi_axis * star.radius / _AU_IN_SUNS
    insolation = star.radius**2 * (star.teff / _SUN_TEFF) ** 4 / distance**2
    return {"radius": f"{planet.radius_ratio * star.radius * _SUN_IN_EARTHS:.4f}", "insolation": f"{insolation:.2f}"}


def _neighbours(star: Star, sky: Sky) -> list[tuple[Star, float, float]]:
    """The star itself and those about it, nearest first, with distances (arcsec) and position angles (degrees)."""
    found = [(star, 0.0, 0.0)]
    for other in sky.stars:
        east = (other.ra - star.ra) * np.cos(np.deg2rad(star.dec))
        north = other.dec - star.dec
        away = float(np.hypot(east, north))
        if other.tic != star.tic and away < _NEARBY_DEG:
            found.append((other, away * 3600, float(np.rad2deg(np.arctan2(east, north)) % 360)))
    return sorted(found, key=lambda each: each[1])
