"""All stars of a CCD at once: frames read in bands of rows, pixels laid by time, stars measured together."""

from __future__ import annotations

from tessellar.photometry.engine.band import Band, BandCurves
from tessellar.photometry.engine.measuring import band_rows, measure_band

__all__ = ["Band", "BandCurves", "band_rows", "measure_band"]
