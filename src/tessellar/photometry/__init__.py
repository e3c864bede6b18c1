"""How bright a star is, cadence by cadence, from the pixels of TESS."""

from __future__ import annotations

from tessellar.photometry.apertures.aperture import AperturePhotometry
from tessellar.photometry.apertures.contamination import corrected_flux, crowding
from tessellar.photometry.apertures.drawing import StampPSF
from tessellar.photometry.apertures.extraction import Extraction, extract, local_sky
from tessellar.photometry.apertures.masks import check_mask, load_mask, pipeline_mask, threshold_mask
from tessellar.photometry.apertures.optimal import Apertures, choose_apertures, optimal_masks
from tessellar.photometry.apertures.watershed import find_regions
from tessellar.photometry.auto import AutoPhotometry
from tessellar.photometry.face.base import BasePhotometry, load_settings
from tessellar.photometry.fitting.linpsf import LinPSFPhotometry
from tessellar.photometry.fitting.psf import PSFPhotometry
from tessellar.photometry.halos.halo import HaloPhotometry
from tessellar.photometry.limits import StampLimits, stamp_size
from tessellar.photometry.measurement import measure, measure_in
from tessellar.photometry.merit.expected import expected_noise, mask_size_bounds
from tessellar.photometry.merit.metrics import (
    METRICS,
    SAMPLE,
    Metric,
    Sample,
    compute_metrics,
    describe_metrics,
    hour_bins,
)
from tessellar.photometry.method import APERTURES, METHODS, PhotometryMethod, Settings, get_method
from tessellar.photometry.opening import open_scene
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
