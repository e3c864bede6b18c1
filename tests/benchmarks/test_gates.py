"""A benchmark fails when a figure is missed, and also when it is no number."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

NAN = math.nan


class _Scene(NamedTuple):
    """As much of a scene as sums are compared with: one star."""

    pixels: Any
    indices: Any
    masks: Any

    def __len__(self) -> int:
        return 1


def _engine() -> dict[str, Any]:
    rates = {"one sum": 1e8, "eight sums": 3e7, "linear PSF": 6e6}
    lines = [
        {"method": f"tessellar, {told}, {what}", "wall": rate * threads}
        for what, rate in rates.items()
        for threads, told in ((1, "1 thread"), (2, "2 threads"))
    ]
    facts = {"rms": 0.001, "max": 0.02}
    return {"aperture": lines[:4], "fit": lines[4:], "sum difference": 1e-7, "exactness": facts}


@pytest.mark.parametrize("benchmark_module", ["engine"], indirect=True)
def test_engine_judges_every_line(benchmark_module: ModuleType) -> None:
    judge = benchmark_module.failures
    assert judge(_engine(), False) == []
    for part in ("rms", "max"):
        result = _engine()
        result["exactness"][part] = NAN
        assert len(judge(result, False)) == 1
    assert len(judge(_engine() | {"sum difference": NAN}, False)) == 1
    for what in range(6):
        result = _engine()
        [*result["aperture"], *result["fit"]][what]["wall"] = NAN
        assert judge(result, False)
    slow = _engine()
    slow["aperture"][0]["wall"] = slow["aperture"][1]["wall"] / 1.7
    assert judge(slow, False) == ["one sum: 2 threads are 1.70 times as fast as 1, less than 1.8"]


@pytest.mark.parametrize("benchmark_module", ["engine"], indirect=True)
def test_sums_are_compared_with_the_naive_sum(benchmark_module: ModuleType) -> None:
    pixels = np.array([[100.0, 5.0], [-99.0, 5.0]], dtype=np.float32)
    scene = _Scene(pixels, np.arange(2), (np.array([0, 2]),))
    difference = benchmark_module.sum_difference
    good = np.array([[1.0, 10.0]], dtype=np.float32)
    assert difference(scene, [good]) == 0
    # Off by a hundredth of the sum, which is little of the pixels it is made of.
    assert difference(scene, [good + np.float32(0.01)]) == pytest.approx(0.01, rel=1e-4)
    assert difference(scene, [good, good * np.float32(NAN)]) == math.inf


@pytest.mark.parametrize("benchmark_module", ["photometry"], indirect=True)
def test_photometry_judges_every_line(benchmark_module: ModuleType) -> None:
    def result() -> dict[str, Any]:
        told = {"ms": 5.0, "written_ms": 1.0, "peak_gib": 0.3, "failed": []}
        words = {"aperture": 1.0, "linear PSF": 5.0}
        taken = {f"{word}, tessellar": ms for word, ms in words.items()}
        taken |= {f"{word}, frame by frame (TASOC)": 100 * ms for word, ms in words.items()}
        return {
            "disk": {method: dict(told) for method in benchmark_module.ON_DISK},
            "memory": {"ms": taken, "largest_difference": 1e-7},
        }

    judge = benchmark_module.failures
    assert judge(result()) == []
    for method in benchmark_module.ON_DISK:
        for name in ("ms", "written_ms", "peak_gib"):
            broken = result()
            broken["disk"][method][name] = NAN
            assert len(judge(broken)) == 1
    for name in result()["memory"]["ms"]:
        broken = result()
        broken["memory"]["ms"][name] = NAN
        assert len(judge(broken)) == 1
    broken = result()
    broken["memory"]["largest_difference"] = NAN
    assert len(judge(broken)) == 1


@pytest.mark.parametrize("benchmark_module", ["photometry"], indirect=True)
def test_a_number_missing_on_one_side_is_a_difference(benchmark_module: ModuleType) -> None:
    difference = benchmark_module.largest_difference
    one, nothing = np.array([[1.0, NAN], [2.0, 3.0]]), np.full((2, 2), NAN)
    assert difference(one, one) == 0
    assert difference(one, one * 1.01) == pytest.approx(0.01 / 1.01)
    for other in (np.array([[1.0, 1.0], [2.0, 3.0]]), np.array([[1.0, NAN], [NAN, 3.0]])):
        assert difference(one, other) == math.inf
        assert difference(other, one) == math.inf
    assert difference(nothing, nothing) == math.inf


@pytest.mark.parametrize("benchmark_module", ["prepare"], indirect=True)
def test_prepare_judges_every_line(benchmark_module: ModuleType) -> None:
    def result() -> dict[str, Any]:
        taken = {"tessellar, stars known": 0.1, "tessellar, mode": 0.1, "sep": 0.05, "photutils": 1.0}
        lines = [{"method": name, "seconds": seconds, "bias": 0.01, "rms": 1.0} for name, seconds in taken.items()]
        return {"size": 2048, "methods": lines, "whole": {"extrapolated": 200.0, "peak_gib": 1.0}}

    judge = benchmark_module.failures
    assert judge(result()) == []
    for line, wrong in ((0, 0.2), (2, 0.03), (3, 0.5)):
        for seconds in (wrong, NAN):
            broken = result()
            broken["methods"][line]["seconds"] = seconds
            assert judge(broken)
    for bias in (0.4, -0.4, NAN):
        broken = result()
        broken["methods"][0]["bias"] = bias
        assert len(judge(broken)) == 1
    for name, wrong in (("extrapolated", 400.0), ("peak_gib", 5.0)):
        for value in (wrong, NAN):
            broken = result()
            broken["whole"][name] = value
            assert len(judge(broken)) == 1
    absent = result()
    for line in (2, 3):
        absent["methods"][line] |= {"seconds": None, "bias": None, "rms": None}
    assert judge(absent) == []
