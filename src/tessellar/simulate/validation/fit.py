"""Transit models fitted to a light curve, with the covariance of every parameter of the mission's reports.

Free are epoch, period, ratio of radii and ratio of semi-major axis to stellar radius; the
impact parameter is held. The fit is one of least squares (Gauss-Newton from the true orbit),
so its errors are those that the noise of the light curve allows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate.signals import Transit, occulted
from tessellar.simulate.stars import Star
from tessellar.simulate.validation.sighting import orbit, phases
from tessellar.simulate.validation.stitched import Stitched

FloatArray = NDArray[np.float64]
Model = Callable[[FloatArray, FloatArray], FloatArray]

#: Parameters of a fit, in the order of the mission's reports.
PARAMETERS = (
    "transitEpochBtjd", "eccentricity", "longitudeOfPeriDegrees", "planetRadiusEarthRadii", "semiMajorAxisAu",
    "minImpactParameter", "starRadiusSolarRadii", "transitDurationHours", "transitIngressTimeHours",
    "transitDepthPpm", "orbitalPeriodDays", "ratioPlanetRadiusToStarRadius", "ratioSemiMajorAxisToStarRadius",
    "inclinationDegrees", "equilibriumTempKelvin", "effectiveStellarFlux", "starDensitySolarDensity",
)  # fmt: skip
_FREE = ("transitEpochBtjd", "orbitalPeriodDays", "ratioPlanetRadiusToStarRadius", "ratioSemiMajorAxisToStarRadius")
_TRAPEZOID = ("transitEpochBtjd", "transitDepthPpm", "transitDurationHours", "transitIngressTimeHours")

# Steps of the numerical derivatives: days, days, ratio, share of the ratio.
_STEPS = np.array([2e-4, 1e-6, 1e-4, 1e-3])
_TRAPEZOID_STEPS = np.array([2e-4, 1e-5, 1e-4, 1e-4])
_ITERATIONS = 3
# Durations from mid-transit up to which cadences are fitted.
_REACH = 1.5
_EARTH_RADII, _SOLAR_RADIUS_AU, _SUN_KELVIN = 109.076, 0.00465047, 5772.0
# Mean density of the star over that of the Sun: this times (a / R)**3 / P**2, from Kepler's third law.
_DENSITY = 365.25**2 / (1 / _SOLAR_RADIUS_AU) ** 3
_GRID = 500


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Attributes
    ----------
    kind : str
        ``ALL``, ``ODD``, ``EVEN``, ``REDUCED_PARAMETER`` or ``TRAPEZOIDAL``.
    values, errors : array, shape (17,)
        Of `PARAMETERS`; an error of -1 is none.
    fitted : tuple of str
        Which were free.
    covariance : array, shape (17, 17), or None
        Of the parameters.
    chi_square, degrees_of_freedom, snr : float
        -1 where nothing was fitted.
    """

    kind: str
    values: FloatArray
    errors: FloatArray
    fitted: tuple[str, ...] = ()
    covariance: FloatArray | None = None
    chi_square: float = -1.0
    degrees_of_freedom: float = -1.0
    snr: float = -1.0

    @property
    def converged(self) -> bool:
        """Whether there is a fit."""
        return bool(self.fitted)

    def __getitem__(self, name: str) -> float:
        return float(self.values[PARAMETERS.index(name)])

    def error(self, name: str) -> float:
        """Return the 1-sigma error of a parameter."""
        return float(self.errors[PARAMETERS.index(name)])


def first_transit(stitched: Stitched) -> float:
    """BTJD of the first mid-transit that was observed, by the true orbit."""
    signal = stitched.star.signal
    phase, number = phases(stitched.btjd[stitched.known], signal)
    seen = number[np.abs(phase) < signal.duration / 4]
    return signal.epoch + float(seen.min()) * signal.period


def fit_transits(stitched: Stitched, kind: str = "ALL", impact: float | None = None) -> Fit:
    """Fit a planet's transits.

    Parameters
    ----------
    stitched : Stitched
        The light curve; its star's signal is where the fit begins.
    kind : str
        ``ALL`` transits, only the ``ODD`` or the ``EVEN`` ones (the period is held then), counted from the
        first, or ``REDUCED_PARAMETER``.
    impact : float, optional
        The impact parameter that is held; the true one if not given.
    """
    body, star = orbit(stitched.star.signal), stitched.star
    held = body.impact if impact is None else impact
    # With another impact parameter, the orbit that takes as long.
    stretch = np.sqrt(((1 + body.radius_ratio) ** 2 - held**2) / ((1 + body.radius_ratio) ** 2 - body.impact**2))
    first = first_transit(stitched)
    if kind == "EVEN":
        first += body.period
    start = np.array([first, body.period, body.radius_ratio, body.semi_axis * stretch])
    free = [0, 2, 3] if kind in ("ODD", "EVEN") else [0, 1, 2, 3]

    def model(theta: FloatArray, btjd: FloatArray) -> FloatArray:
        return _dimming(Transit(*_orbit(theta), held, body.limb), btjd)

    rows = _rows(stitched, kind)
    theta, covariance, chi_square, snr = _least_squares(
        model, stitched, rows, start, _STEPS * (1, 1, 1, start[3]), free
    )
    if theta is None:
        return unfitted(stitched, kind)
    steps = _STEPS * (1, 1, 1, theta[3])

    def derived(values: FloatArray) -> FloatArray:
        return _parameters(Transit(*_orbit(values), held, body.limb), star)

    slopes = np.column_stack(
        [
            (derived(theta + step) - derived(theta - step)) / (2 * size)
            for step, size in zip(np.diag(steps), steps, strict=True)
        ]
    )
    whole = slopes @ covariance @ slopes.T
    names = tuple(name for index, name in enumerate(_FREE) if index in free)
    return Fit(
        kind, derived(theta), np.sqrt(np.diag(whole)), names, whole, chi_square, float(rows.sum() - len(free)), snr
    )


def fit_trapezoid(stitched: Stitched) -> Fit:
    """Fit a trapezoid to all transits; the period is that of the search, and errors are not told."""
    signal, body = stitched.star.signal, orbit(stitched.star.signal)
    depth = float(-_bottom(stitched))
    start = np.array([first_transit(stitched), depth, signal.duration, _ingress(body)])

    def model(theta: FloatArray, btjd: FloatArray) -> FloatArray:
        number = np.round((btjd - theta[0]) / signal.period)
        away = np.abs(btjd - theta[0] - number * signal.period)
        flat = theta[2] / 2 - theta[3]
        shape = np.clip((theta[2] / 2 - away) / max(theta[3], 1e-6), 0, 1)
        return np.asarray(-theta[1] * np.where(away < flat, 1.0, shape), dtype=np.float64)

    rows = _rows(stitched, "ALL")
    theta, _, chi_square, snr = _least_squares(model, stitched, rows, start, _TRAPEZOID_STEPS, [0, 1, 2, 3])
    if theta is None:
        return unfitted(stitched, "TRAPEZOIDAL")
    values = dict.fromkeys(PARAMETERS, 0.0)
    values |= dict(zip(_TRAPEZOID, theta * (1, 1e6, 24, 24), strict=True))
    values |= {
        "orbitalPeriodDays": signal.period, "starRadiusSolarRadii": stitched.star.radius,
        "minImpactParameter": body.impact, "ratioPlanetRadiusToStarRadius": float(np.sqrt(theta[1])),
        "ratioSemiMajorAxisToStarRadius": body.semi_axis,
    }  # fmt: skip
    count = len(PARAMETERS)
    found = np.array(list(values.values()))
    return Fit("TRAPEZOIDAL", found, np.full(count, -1.0), _TRAPEZOID, None, chi_square, float(rows.sum() - 4), snr)


def unfitted(stitched: Stitched, kind: str) -> Fit:
    """Give what a report holds where no transit model fits: seeds, marked as not fitted."""
    values = _parameters(orbit(stitched.star.signal), stitched.star)
    errors = np.full(len(PARAMETERS), -1.0)
    depth = PARAMETERS.index("transitDepthPpm")
    values[depth] = errors[depth] = 0.0
    values[0] = first_transit(stitched)
    return Fit(kind, values, errors)


def transit_model(stitched: Stitched, fit: Fit) -> FloatArray:
    """Relative flux minus 1 of the fitted planet, in every cadence with a time; NaN in the others."""
    result = np.full(len(stitched.btjd), np.nan)
    timed = np.isfinite(stitched.btjd)
    body = orbit(stitched.star.signal)
    if fit.kind == "TRAPEZOIDAL":
        away = np.abs(_folded(stitched.btjd[timed], fit["transitEpochBtjd"], fit["orbitalPeriodDays"]))
        slope, width = max(fit["transitIngressTimeHours"] / 24, 1e-6), fit["transitDurationHours"] / 48
        result[timed] = -1e-6 * fit["transitDepthPpm"] * np.clip((width - away) / slope, 0, 1)
        return result
    planet = Transit(
        fit["orbitalPeriodDays"], fit["transitEpochBtjd"], fit["ratioPlanetRadiusToStarRadius"],
        fit["ratioSemiMajorAxisToStarRadius"], fit["minImpactParameter"], body.limb,
    )  # fmt: skip
    result[timed] = _dimming(planet, stitched.btjd[timed])
    return result


def _orbit(theta: FloatArray) -> tuple[float, float, float, float]:
    epoch, period, ratio, axis = theta.tolist()
    return period, epoch, ratio, axis


def _folded(btjd: FloatArray, epoch: float, period: float) -> FloatArray:
    return np.asarray((btjd - epoch + period / 2) % period - period / 2, dtype=np.float64)


def _dimming(body: Transit, btjd: FloatArray) -> FloatArray:
    """`Transit.relative` minus 1, from a table of the hidden light: the integral is done once, not each cadence."""
    grid, hidden = _hidden(body.radius_ratio, body.limb)
    angle = 2 * np.pi * (btjd - body.epoch) / body.period
    separation = np.hypot(body.semi_axis * np.sin(angle), body.impact * np.cos(angle))
    return np.where(np.cos(angle) > 0, -np.interp(separation, grid, hidden, right=0.0), 0.0)


@lru_cache(maxsize=16)
def _hidden(ratio: float, limb: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    grid = np.linspace(0, 1 + ratio, _GRID)
    return grid, occulted(grid, ratio, limb)


def _rows(stitched: Stitched, kind: str) -> NDArray[np.bool_]:
    signal = stitched.star.signal
    phase, number = phases(stitched.btjd, signal)
    number -= round((first_transit(stitched) - signal.epoch) / signal.period)
    with np.errstate(invalid="ignore"):
        rows = stitched.known & (np.abs(phase) < min(_REACH * signal.duration, 0.5 * signal.period))
    if kind in ("ODD", "EVEN"):
        rows &= number % 2 == (0 if kind == "ODD" else 1)
    return rows


def _bottom(stitched: Stitched) -> float:
    phase, _ = phases(stitched.btjd, stitched.star.signal)
    with np.errstate(invalid="ignore"):
        middle = stitched.known & (np.abs(phase) < stitched.star.signal.duration / 10)
    return float(np.median(stitched.flux[middle])) if middle.any() else -stitched.star.signal.depth


def _least_squares(
    model: Model, stitched: Stitched, rows: NDArray[np.bool_], start: FloatArray, steps: FloatArray, free: list[int]
) -> tuple[FloatArray | None, FloatArray, float, float]:
    """Best parameters (None if there are none), their covariance, chi-square and signal to noise."""
    nothing = None, np.zeros((len(start), len(start))), -1.0, -1.0
    if rows.sum() <= len(start):
        return nothing
    btjd, flux, error = stitched.btjd[rows], stitched.flux[rows], stitched.flux_err[rows]
    theta, inverse = start.copy(), np.zeros((len(free), len(free)))
    for _ in range(_ITERATIONS):
        slopes = []
        for index in free:
            step = np.zeros(len(start))
            step[index] = steps[index]
            slopes.append((model(theta + step, btjd) - model(theta - step, btjd)) / (2 * steps[index] * error))
        matrix = np.array(slopes)
        try:
            inverse = np.linalg.inv(matrix @ matrix.T)
        except np.linalg.LinAlgError:
            return nothing
        theta[free] += inverse @ (matrix @ ((flux - model(theta, btjd)) / error))
        if not (np.isfinite(theta).all() and (theta[1:] > 0).all()):
            return nothing
    best = model(theta, btjd)
    covariance = np.zeros((len(start), len(start)))
    covariance[np.ix_(free, free)] = inverse
    chi_square = float((((flux - best) / error) ** 2).sum())
    return theta, covariance, chi_square, float(np.sqrt(((best / error) ** 2).sum()))


def _ingress(body: Transit) -> float:
    """First to second contact, days; half the transit where the body never is before the star as a whole."""
    inner = (1 - body.radius_ratio) ** 2 - body.impact**2
    sine = np.sqrt(1 - (body.impact / body.semi_axis) ** 2)
    whole = body.period / np.pi * np.arcsin(np.sqrt(max(inner, 0.0)) / body.semi_axis / sine)
    return float((body.duration - whole) / 2)


def _parameters(body: Transit, star: Star) -> FloatArray:
    """All parameters of a report, from the orbit and the star."""
    axis_au = body.semi_axis * star.radius * _SOLAR_RADIUS_AU
    insolation = star.radius**2 * (star.teff / _SUN_KELVIN) ** 4 / axis_au**2
    values = {
        "transitEpochBtjd": body.epoch, "eccentricity": 0.0, "longitudeOfPeriDegrees": 0.0,
        "planetRadiusEarthRadii": body.radius_ratio * star.radius * _EARTH_RADII, "semiMajorAxisAu": axis_au,
        "minImpactParameter": body.impact, "starRadiusSolarRadii": star.radius,
        "transitDurationHours": 24 * body.duration, "transitIngressTimeHours": 24 * _ingress(body),
        "transitDepthPpm": 1e6 * body.depth, "orbitalPeriodDays": body.period,
        "ratioPlanetRadiusToStarRadius": body.radius_ratio, "ratioSemiMajorAxisToStarRadius": body.semi_axis,
        "inclinationDegrees": float(np.rad2deg(np.arccos(body.impact / body.semi_axis))),
        # Bond albedo 0.3, heat spread over the whole planet.
        "equilibriumTempKelvin": star.teff * 0.7**0.25 / np.sqrt(2 * body.semi_axis),
        "effectiveStellarFlux": insolation,
        "starDensitySolarDensity": _DENSITY * body.semi_axis**3 / body.period**2,
    }  # fmt: skip
    return np.array([values[name] for name in PARAMETERS])
