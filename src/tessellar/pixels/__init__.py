"""Pixels over time: stamps and where they come from."""

from __future__ import annotations

from tessellar.pixels.averages import mean_image
from tessellar.pixels.stamp import AperturePixel, PixelSource, Span, Stamp
from tessellar.pixels.targetpixel import TargetPixelSource

__all__ = ["AperturePixel", "PixelSource", "Span", "Stamp", "TargetPixelSource", "mean_image"]
