"""Where archives, net and store meet: the verbs that a user calls."""

from __future__ import annotations

from tessellar.access import dataset
from tessellar.access.catalogue import save_stars, stars
from tessellar.access.choosing import which_light_curve
from tessellar.access.cutouts import Cutouts, cutout_fields, fetch_cutouts
from tessellar.access.fetching import FetchInterrupted, fetch
from tessellar.access.footprints import Footprint, footprint
from tessellar.access.models import fetch_responses
from tessellar.access.observations import Observations, ObservationsFace
from tessellar.access.regions import lightcurves_in
from tessellar.access.resolving import Resolved, resolve
from tessellar.access.saving import Saved, save_observations
from tessellar.access.searching import list_products, search
from tessellar.access.validation import DVRuns, dv_runs
from tessellar.access.visibility import observability

__all__ = [
    "Cutouts",
    "DVRuns",
    "FetchInterrupted",
    "Footprint",
    "Observations",
    "ObservationsFace",
    "Resolved",
    "Saved",
    "cutout_fields",
    "dataset",
    "dv_runs",
    "fetch",
    "fetch_cutouts",
    "fetch_responses",
    "footprint",
    "lightcurves_in",
    "list_products",
    "observability",
    "resolve",
    "save_observations",
    "save_stars",
    "search",
    "stars",
    "which_light_curve",
]
