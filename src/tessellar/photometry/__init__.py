"""How bright a star is, cadence by cadence, from the pixels of TESS."""

from __future__ import annotations

from tessellar.photometry.aperture import AperturePhotometry
from tessellar.photometry.auto import AutoPhotometry
from tessellar.photometry.base import BasePhotometry, load_settings
from tessellar.photometry.contamination import corrected_flux, crowding
from tessellar.photometry.drawing import StampPSF
from tessellar.photometry.expected import expected_noise, mask_size_bounds
from tessellar.photometry.extraction import Extraction, extract, local_sky
from tessellar.photometry.halo import HaloPhotometry
from tessellar.photometry.limits import StampLimits, stamp_size
from tessellar.photometry.linpsf import LinPSFPhotometry
from tessellar.photometry.masks import check_mask, load_mask, pipeline_mask, threshold_mask
from tessellar.photometry.measurement import measure, measure_in
from tessellar.photometry.method import APERTURES, METHODS, PhotometryMethod, Settings, get_method
from tessellar.photometry.metrics import METRICS, SAMPLE, Metric, Sample, compute_metrics, describe_metrics, hour_bins
from tessellar.photometry.opening import open_scene
from tessellar.photometry.optimal import Apertures, choose_apertures, optimal_masks
from tessellar.photometry.psf import PSFPhotometry
from tessellar.photometry.result import Result, StampGrowth, WeightMap
from tessellar.photometry.scene import FieldScene, Scene, StampScene
from tessellar.photometry.status import STATUS, PixelQuality
from tessellar.photometry.target import ZERO_POINT, Target
from tessellar.photometry.watershed import find_regions

METHODS.setdefault(AperturePhotometry.name, AperturePhotometry)
METHODS.setdefault(HaloPhotometry.name, HaloPhotometry)
METHODS.setdefault(LinPSFPhotometry.name, LinPSFPhotometry)
METHODS.setdefault(PSFPhotometry.name, PSFPhotometry)
METHODS.setdefault(AutoPhotometry.name, AutoPhotometry)

__all__ = [
    "APERTURES",
    "METHODS",
    "METRICS",
    "SAMPLE",
    "STATUS",
    "ZERO_POINT",
    "AperturePhotometry",
    "Apertures",
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
    "choose_apertures",
    "compute_metrics",
    "corrected_flux",
    "crowding",
    "describe_metrics",
    "expected_noise",
    "extract",
    "find_regions",
    "get_method",
    "hour_bins",
    "load_mask",
    "load_settings",
    "local_sky",
    "mask_size_bounds",
    "measure",
    "measure_in",
    "open_scene",
    "optimal_masks",
    "pipeline_mask",
    "stamp_size",
    "threshold_mask",
]
