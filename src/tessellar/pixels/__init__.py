"""Pixels over time: frames and stamps, where they come from, and what is known of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tessellar.pixels.archivecube import ArchiveCubeSource
    from tessellar.pixels.averages import mean_image
    from tessellar.pixels.background import Background, Sky, measure_jointly
    from tessellar.pixels.backgrounds import BackgroundSeries, measure_backgrounds
    from tessellar.pixels.cube import CubeSource, write_cube
    from tessellar.pixels.effective import EffectivePSF, estimate_response
    from tessellar.pixels.movement import MovementKernel
    from tessellar.pixels.pointing import Pointing, measure_pointing
    from tessellar.pixels.prepared import PreparedField
    from tessellar.pixels.preparing import prepare
    from tessellar.pixels.response import GriddedResponse, MissionPRF, PixelResponse, add_stars
    from tessellar.pixels.stack import FrameStack
    from tessellar.pixels.stamp import AperturePixel, PixelFlag, PixelSource, Span, Stamp
    from tessellar.pixels.stampsky import StampSky, measure_stamp_sky
    from tessellar.pixels.starmodel import StarModel
    from tessellar.pixels.stars import StarField
    from tessellar.pixels.surroundings import Surroundings
    from tessellar.pixels.targetpixel import TargetPixelSource

_HOMES = {
    "StampSky": "stampsky",
    "measure_stamp_sky": "stampsky",
    "ArchiveCubeSource": "archivecube",
    "CubeSource": "cube",
    "write_cube": "cube",
    "EffectivePSF": "effective",
    "estimate_response": "effective",
    "PreparedField": "prepared",
    "prepare": "preparing",
    "GriddedResponse": "response",
    "PixelFlag": "stamp",
    "measure_pointing": "pointing",
    "Pointing": "pointing",
    "MovementKernel": "movement",
    "measure_jointly": "background",
    "measure_backgrounds": "backgrounds",
    "StarModel": "starmodel",
    "Sky": "background",
    "BackgroundSeries": "backgrounds",
    "Background": "background",
    "AperturePixel": "stamp",
    "FrameStack": "stack",
    "MissionPRF": "response",
    "PixelResponse": "response",
    "PixelSource": "stamp",
    "Span": "stamp",
    "Stamp": "stamp",
    "StarField": "stars",
    "Surroundings": "surroundings",
    "TargetPixelSource": "targetpixel",
    "add_stars": "response",
    "mean_image": "averages",
}

__all__ = [
    "AperturePixel",
    "ArchiveCubeSource",
    "Background",
    "BackgroundSeries",
    "CubeSource",
    "EffectivePSF",
    "FrameStack",
    "GriddedResponse",
    "MissionPRF",
    "MovementKernel",
    "PixelFlag",
    "PixelResponse",
    "PixelSource",
    "Pointing",
    "PreparedField",
    "Sky",
    "Span",
    "Stamp",
    "StampSky",
    "StarField",
    "StarModel",
    "Surroundings",
    "TargetPixelSource",
    "add_stars",
    "estimate_response",
    "mean_image",
    "measure_backgrounds",
    "measure_jointly",
    "measure_pointing",
    "measure_stamp_sky",
    "prepare",
    "write_cube",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tessellar.pixels' has no attribute {name!r}")
    value = getattr(import_module(f"tessellar.pixels.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
