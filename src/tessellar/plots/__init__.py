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

__all__ = [
    "field_page",
    "measured_page",
    "noise_by_scale",
    "page",
    "plot_light_curve",
    "plot_noise",
    "plot_region",
    "plot_stamp",
    "plot_stars",
    "robust_limits",
]
