"""Quick looks: functions that take models or arrays and return Axes, and pages that are figures.

Nothing here touches pyplot or chooses a backend; a figure is saved with its own ``savefig``.
"""

from __future__ import annotations

from tessellar.plots.field import field_page
from tessellar.plots.image import plot_stamp
from tessellar.plots.lightcurve import plot_light_curve
from tessellar.plots.measured import measured_page, noise_by_scale, plot_noise, plot_stars
from tessellar.plots.pages import page
from tessellar.plots.region import plot_region
from tessellar.plots.style import robust_limits
from tessellar.plots.survey import plot_contamination, plot_mask_sizes, plot_noise_by_magnitude, plot_places

__all__ = [
    "field_page",
    "measured_page",
    "noise_by_scale",
    "page",
    "plot_contamination",
    "plot_light_curve",
    "plot_mask_sizes",
    "plot_noise",
    "plot_noise_by_magnitude",
    "plot_places",
    "plot_region",
    "plot_stamp",
    "plot_stars",
    "robust_limits",
]
