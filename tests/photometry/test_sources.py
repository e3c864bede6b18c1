"""Every method on every kind of pixels: frames, target pixel files and cut-outs of all cadences."""

from __future__ import annotations

import numpy as np
import pytest

from tessellar.photometry import METHODS, STATUS, Result, measure_in
from tests.photometry.sourcesky import BRIGHT, FAINT, PLACES, PLAIN, scene

# Of each method that leaves stars to others: a star inside its stated range, and one outside. New methods are held to
# the plain star until they say otherwise here.
RANGES: dict[str, tuple[int, int | None]] = {
    "aperture": (PLAIN, None),
    "auto": (PLAIN, None),
    "halo": (BRIGHT, PLAIN),
    "linpsf": (PLAIN, BRIGHT),
    "psf": (PLAIN, BRIGHT),
}
SOURCES = [
    "ffi-600",
    "cut-600",
    *(
        pytest.param(source, marks=pytest.mark.heavy)
        for source in ("ffi-200", "ffi-1800", "tpf-20", "tpf-120", "cut-200", "cut-1800")
    ),
]


def told(result: Result) -> str:
    return f"{result.status.name}: {result.reason}"


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("method", list(METHODS))
def test_each_method_measures_a_star_inside_its_range(method: str, source: str) -> None:
    if source.startswith("cut"):
        pytest.importorskip("astrocut")
    tic, _ = RANGES.get(method, (PLAIN, None))
    there = scene(source, tic)
    assert there.cadence == float(source.split("-")[1])
    result = measure_in(there, tic, method)
    assert result.status is STATUS.OK, told(result)
    assert int(result.target.tic) == tic
    flux, error = result.columns["FLUX"], result.columns["FLUX_ERR"]
    measured = np.isfinite(flux)
    assert measured.mean() > 0.8
    assert (np.isfinite(error[measured]) & (error[measured] > 0)).all()
    assert 0.7 < np.nanmedian(flux) / 10 ** (-0.4 * (PLACES[tic][2] - 20.44)) < 1.1
    assert np.isfinite(result.columns["TIME"][measured]).all()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("method", [name for name in METHODS if RANGES.get(name, (PLAIN, None))[1] is not None])
def test_each_method_leaves_a_star_outside_its_range_to_others(method: str, source: str) -> None:
    if source.startswith("cut"):
        pytest.importorskip("astrocut")
    _, tic = RANGES[method]
    assert tic is not None
    result = measure_in(scene(source, tic), tic, method)
    assert result.status is STATUS.SKIPPED, told(result)
    assert result.reason
    assert "\n" not in result.reason


@pytest.mark.heavy
@pytest.mark.parametrize("method", list(METHODS))
def test_each_method_says_how_it_ended_for_a_faint_star(method: str) -> None:
    result = measure_in(scene("ffi-600", FAINT), FAINT, method)
    assert result.status in (STATUS.OK, STATUS.WARNING, STATUS.SKIPPED), told(result)
    assert result.status is STATUS.OK or result.reason
