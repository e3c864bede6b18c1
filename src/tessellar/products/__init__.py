"""What a file says: read-only models of TESS products, tables of them, and the writer of light curves."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tessellar.products.cbv import CBV, BasisVectors
    from tessellar.products.choosing import LightCurveChoice, MixedLightCurvesWarning, join_light_curves
    from tessellar.products.contrast import ContrastCurve
    from tessellar.products.cutouts import CutoutArchive
    from tessellar.products.dvrun import DVRun
    from tessellar.products.dvruns import find_runs
    from tessellar.products.followup import FollowupLightCurve
    from tessellar.products.followupnames import FollowupName, parse_followup_name
    from tessellar.products.images import PRF, FullFrameImage
    from tessellar.products.lightcurve import LightCurve
    from tessellar.products.lightcurveexport import export_fits, export_parquet
    from tessellar.products.lightcurvestore import LightCurveStore
    from tessellar.products.provenance import InputFile, Provenance
    from tessellar.products.reading import Product, read, read_light_curve, read_target_pixels
    from tessellar.products.starimages import StarImages, WeightImage
    from tessellar.products.stars import StarTable
    from tessellar.products.structure import check_structure
    from tessellar.products.tables import ObservationTable, ProductTable
    from tessellar.products.targetpixel import TargetPixelFile
    from tessellar.products.validation import TCE, DataValidationReport, TCEStatistics, ValidationTimeSeries
    from tessellar.products.writer import write_light_curve

_HOMES = {
    "DVRun": "dvrun",
    "find_runs": "dvruns",
    "CBV": "cbv",
    "BasisVectors": "cbv",
    "ContrastCurve": "contrast",
    "LightCurveChoice": "choosing",
    "MixedLightCurvesWarning": "choosing",
    "join_light_curves": "choosing",
    "CutoutArchive": "cutouts",
    "FollowupLightCurve": "followup",
    "FollowupName": "followupnames",
    "parse_followup_name": "followupnames",
    "PRF": "images",
    "FullFrameImage": "images",
    "LightCurve": "lightcurve",
    "LightCurveStore": "lightcurvestore",
    "export_fits": "lightcurveexport",
    "export_parquet": "lightcurveexport",
    "InputFile": "provenance",
    "Provenance": "provenance",
    "Product": "reading",
    "read": "reading",
    "read_light_curve": "reading",
    "read_target_pixels": "reading",
    "StarImages": "starimages",
    "StarTable": "stars",
    "WeightImage": "starimages",
    "check_structure": "structure",
    "ObservationTable": "tables",
    "ProductTable": "tables",
    "TargetPixelFile": "targetpixel",
    "TCE": "validation",
    "DataValidationReport": "validation",
    "TCEStatistics": "validation",
    "ValidationTimeSeries": "validation",
    "write_light_curve": "writer",
}

__all__ = [
    "CBV",
    "PRF",
    "TCE",
    "BasisVectors",
    "ContrastCurve",
    "CutoutArchive",
    "DVRun",
    "DataValidationReport",
    "FollowupLightCurve",
    "FollowupName",
    "FullFrameImage",
    "InputFile",
    "LightCurve",
    "LightCurveChoice",
    "LightCurveStore",
    "MixedLightCurvesWarning",
    "ObservationTable",
    "Product",
    "ProductTable",
    "Provenance",
    "StarImages",
    "StarTable",
    "TCEStatistics",
    "TargetPixelFile",
    "ValidationTimeSeries",
    "WeightImage",
    "check_structure",
    "export_fits",
    "export_parquet",
    "find_runs",
    "join_light_curves",
    "parse_followup_name",
    "read",
    "read_light_curve",
    "read_target_pixels",
    "write_light_curve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tessellar.products' has no attribute {name!r}")
    value = getattr(import_module(f"tessellar.products.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
