"""Data validation: what the mission's pipeline found in the light curves of one star."""

from __future__ import annotations

from tessellar.products.validation.elements import Parameter, Statistic
from tessellar.products.validation.planets import TCE, CentroidOffset, TransitFit
from tessellar.products.validation.report import DataValidationReport, observed_sectors
from tessellar.products.validation.statistics import TCEStatistics
from tessellar.products.validation.timeseries import ValidationTimeSeries

__all__ = [
    "TCE",
    "CentroidOffset",
    "DataValidationReport",
    "Parameter",
    "Statistic",
    "TCEStatistics",
    "TransitFit",
    "ValidationTimeSeries",
    "observed_sectors",
]
