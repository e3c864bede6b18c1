"""Pictures of regions: in one piece wherever they lie."""

from __future__ import annotations

import numpy as np
import pytest

from tessellar import Field, SkyRegion
from tessellar.errors import InputError
from tessellar.plots import plot_region


@pytest.mark.parametrize("text", ["CIRCLE 0.1 0 2", "CIRCLE 120 89.5 2", "CIRCLE 10 -90 30", "CIRCLE 350 20 0.02"])
def test_a_circle_is_drawn_as_one_anywhere(text: str) -> None:
    region = SkyRegion.parse(text)
    ax = plot_region(region, label="here")
    (edge,) = [line for line in ax.lines if line.get_label() == "here"]
    x, y = edge.get_xdata(), edge.get_ydata()
    distance = np.hypot(x, y)
    assert distance.std() < 1e-9 * distance.mean() + 1e-12
    # Lambert's projection keeps areas: that of the drawn circle is that of the cap.
    area = np.pi * distance.mean() ** 2 * (180 / np.pi) ** 2
    assert area == pytest.approx(region.area, rel=1e-6)
    assert len(ax.texts) >= 2
    assert ax.get_xlim()[0] > ax.get_xlim()[1]  # east is left


def test_stars_inside_are_told_from_those_outside() -> None:
    region = SkyRegion.of_field(Field(1, 1, 2))
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(320, 348, 300), rng.uniform(-46, -26, 300)
    ax = plot_region(region, ra, dec)
    inside, outside = (len(marks.get_offsets()) for marks in ax.collections)
    assert inside == region.contains(ra, dec).sum()
    assert inside + outside == 300


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(InputError, match="half the sky"):
        plot_region(SkyRegion.parse("NOT (CIRCLE 0 0 10)"))
