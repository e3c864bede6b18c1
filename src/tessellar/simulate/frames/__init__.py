"""Full-frame images of a simulated CCD: stars, sky, motion, detector, and the exact truth beneath them."""

from __future__ import annotations

from tessellar.simulate.frames.making import simulate_frames
from tessellar.simulate.frames.truth import FrameTruth

__all__ = ["FrameTruth", "simulate_frames"]
