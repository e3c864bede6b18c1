"""A TESS sky with known truth: stars, pixels, files as the mission makes them, and what they were made from."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tessellar.simulate.frames import FrameTruth, simulate_frames
    from tessellar.simulate.observation import Observation, observe
    from tessellar.simulate.photometer import Measured, measure
    from tessellar.simulate.prf import PRF
    from tessellar.simulate.signals import Constant, EclipsingBinary, Pulsation, Transit
    from tessellar.simulate.sky import simulate, simulated_stamp
    from tessellar.simulate.spoc import write_light_curve_file, write_target_pixel_file
    from tessellar.simulate.stars import ZERO_POINT, Star, default_targets
    from tessellar.simulate.truth import Truth

_HOMES = {
    "PRF": "prf",
    "ZERO_POINT": "stars",
    "Constant": "signals",
    "EclipsingBinary": "signals",
    "FrameTruth": "frames",
    "Measured": "photometer",
    "Observation": "observation",
    "Pulsation": "signals",
    "Star": "stars",
    "Transit": "signals",
    "Truth": "truth",
    "default_targets": "stars",
    "measure": "photometer",
    "observe": "observation",
    "simulate": "sky",
    "simulate_frames": "frames",
    "simulated_stamp": "sky",
    "write_light_curve_file": "spoc",
    "write_target_pixel_file": "spoc",
}

__all__ = [
    "PRF",
    "ZERO_POINT",
    "Constant",
    "EclipsingBinary",
    "FrameTruth",
    "Measured",
    "Observation",
    "Pulsation",
    "Star",
    "Transit",
    "Truth",
    "default_targets",
    "measure",
    "observe",
    "simulate",
    "simulate_frames",
    "simulated_stamp",
    "write_light_curve_file",
    "write_target_pixel_file",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
