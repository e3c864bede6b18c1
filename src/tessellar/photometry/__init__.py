"""How bright a star is, cadence by cadence, from the pixels of TESS."""

from __future__ import annotations

from tessellar.photometry.aperture import AperturePhotometry
from tessellar.photometry.auto import AutoPhotometry
from tessellar.photometry.base import BasePhotometry, load_settings
from tessellar.photometry.drawing import StampPSF
from tessellar.photometry.extraction import Extraction, extract, local_sky
from tessellar.photometry.halo import HaloPhotometry
from tessellar.photometry.limits import StampLimits, stamp_size
from tessellar.photometry.linpsf import LinPSFPhotometry
from tessellar.photometry.masks import check_mask, load_mask, pipeline_mask, threshold_mask
from tessellar.photometry.measurement import measure, measure_in
from tessellar.photometry.method import METHODS, PhotometryMethod, Settings, get_method
from tessellar.photometry.metrics import METRICS, SAMPLE, Metric, Sample, compute_metrics, describe_metrics, hour_bins
from tessellar.photometry.opening import open_scene
from tessellar.photometry.psf import PSFPhotometry
from tessellar.photometry.result import Result, StampGrowth, WeightMap
from tessellar.photometry.scene import FieldScene, Scene, StampScene
from tessellar.photometry.status import STATUS, PixelQuality
from tessellar.photometry.target import ZERO_POINT, Target

METHODS.setdefault(AperturePhotometry.name, AperturePhotometry)
METHODS.setdefault(HaloPhotometry.name, HaloPhotometry)
METHODS.setdefault(LinPSFPhotometry.name, LinPSFPhotometry)
METHODS.setdefault(PSFPhotometry.name, PSFPhotometry)
METHODS.setdefault(AutoPhotometry.name, AutoPhotometry)

__all__ = [
    "METHODS",
    "METRICS",
    "SAMPLE",
    "STATUS",
    "ZERO_POINT",
    "AperturePhotometry",
    "AutoPhotometry",
    "BasePhotometry",
    "Extraction",
    "FieldScene",
    "HaloPhotometry",
    "LinPSFPhotometry",
    "Metric",
    "PSFPhotometry",
    "PhotometryMethod",
    "PixelQuality",
    "Result",
    "Sample",
    "Scene",
    "Settings",
    "StampGrowth",
    "StampLimits",
    "StampPSF",
    "StampScene",
    "Target",
    "WeightMap",
    "check_mask",
    "compute_metrics",
    "describe_metrics",
    "extract",
    "get_method",
    "hour_bins",
    "load_mask",
    "load_settings",
    "local_sky",
    "measure",
    "measure_in",
    "open_scene",
    "pipeline_mask",
    "stamp_size",
    "threshold_mask",
]
