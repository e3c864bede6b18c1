"""Data validation of simulated stars: the search for transits, and the files that tell what it found."""

from __future__ import annotations

from tessellar.simulate.validation.plan import Run, plan_runs
from tessellar.simulate.validation.runs import write_runs
from tessellar.simulate.validation.sighting import Sighting, eclipses, sight

__all__ = ["Run", "Sighting", "eclipses", "plan_runs", "sight", "write_runs"]
