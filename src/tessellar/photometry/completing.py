"""Light curves that the engine measured, made complete: what a star measured alone has, from what a store keeps.

Metrics that cost milliseconds a star are not worked out for a whole CCD. They follow from the columns, and are added,
by the same functions, when a light curve is taken out of its store.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.mission import flags
from tessellar.photometry.apertures.contamination import corrected_flux
from tessellar.photometry.merit.metrics import METRICS, Sample
from tessellar.photometry.method import Settings
from tessellar.photometry.output import setting_cards
from tessellar.photometry.status import PixelQuality

if TYPE_CHECKING:
    from tessellar.products.lightcurveexport import ToldStar

#: Metrics that follow from the light curve, and that the engine leaves out.
ADDED = ("cdpp_0_5", "cdpp_1_0", "cdpp_2_0", "cdpp_6_5", "noise_ratio")
_UNUSABLE = int(PixelQuality.MISSING_PIXEL | PixelQuality.ALL_MISSING)
_NO_PIXELS = np.zeros((1, 1))


def completed(told: ToldStar) -> ToldStar:
    """A star that the engine measured in prepared frames, with all that it would have, had it been measured alone.

    Parameters
    ----------
    told : ToldStar
        By ``aperture`` or ``linpsf``; others are left as they are.

    Returns
    -------
    ToldStar
        With the metrics of `ADDED`, as far as they are not known; the cards of its settings; and, where CROWDSAP and
        FLFRCSAP are known, the columns FLUX_DECONTAM and FLUX_DECONTAM_ERR. What the store has is not touched.

    Examples
    --------
    >>> from tessellar.photometry.completing import completed
    >>> from tessellar.products import LightCurveStore, export_fits
    >>> store = LightCurveStore("s0027-1-1-c0600.lc.h5")  # doctest: +SKIP
    >>> paths = list(export_fits(store, "out", complete=completed))  # doctest: +SKIP
    """
    if told.method not in _OF_METHOD:
        return told
    settings = {**Settings().as_record(), **told.settings}
    good = _good(told, str(settings["quality"]))
    columns = dict(told.columns)
    if told.method == "aperture":
        columns = _decontaminated(told, good)
    cards = {**_setting_cards(settings), **_OF_METHOD[told.method]}
    if told.method == "linpsf" and _known(told.row, "contamination"):
        cards["PSF_CONT"] = (round(float(told.row["contamination"]), 6), "share of others' light under the response")
    headers = {**cards, **told.headers, **_metric_cards(told, good)}
    return replace(told, columns=columns, headers=headers, settings=settings)


# What the engine's apertures are, and that its fits have no background of their own.
_OF_METHOD: Mapping[str, Mapping[str, tuple[str | bool, str]]] = {
    "aperture": {"APKIND": ("optimal", "kind of aperture")},
    "linpsf": {"PSFOFFS": (False, "a constant background was fitted in each cadence")},
}


def _known(row: Mapping[str, Any], name: str) -> bool:
    value = row.get(name)
    return isinstance(value, int | float) and math.isfinite(value)


def _good(told: ToldStar, quality: str) -> NDArray[np.bool_]:
    """Cadences without flag and without missing pixel."""
    columns = told.columns
    usable = np.asarray(columns["PIXEL_QUALITY"]) & _UNUSABLE == 0
    return np.asarray(np.isfinite(columns["TIME"]) & flags.good(np.asarray(columns["QUALITY"]), quality) & usable)


def _setting_cards(settings: Mapping[str, Any]) -> dict[str, tuple[str | float | int, str]]:
    chosen = {name: settings[name] for name in ("aperture", "quality", "missing", "zero_point")}
    return setting_cards(Settings(**chosen))


def _metric_cards(told: ToldStar, good: NDArray[np.bool_]) -> dict[str, tuple[float, str]]:
    lacking = [METRICS[name] for name in ADDED if not _known(told.row, name)]
    if not lacking:
        return {}
    sample = _sample(told, good)
    found = [(metric, metric.compute(sample)) for metric in lacking]
    return {metric.keyword: (value, metric.comment) for metric, value in found if math.isfinite(value)}


def _sample(told: ToldStar, good: NDArray[np.bool_]) -> Sample:
    """The good cadences in order of time, as far as metrics of `ADDED` need them."""
    columns, row = told.columns, told.row
    flux = np.asarray(columns["FLUX"], dtype=np.float64)
    use = np.flatnonzero(good & np.isfinite(flux))
    spacecraft = (columns["TIME"] - columns["TIMECORR"])[use]
    order = np.argsort(spacecraft, kind="stable")
    use, spacecraft = use[order], spacecraft[order]
    expected = float("nan")
    if _known(row, "noise_expected") and _known(row, "mean_flux"):
        expected = 1e-6 * row["noise_expected"] * row["mean_flux"]
    return Sample(
        time=np.asarray(spacecraft, dtype=np.float64), cadenceno=np.asarray(columns["CADENCENO"])[use], flux=flux[use],
        flux_err=np.asarray(columns["FLUX_ERR"], dtype=np.float64)[use],
        centroid=np.column_stack([columns["MOM_CENTR1"], columns["MOM_CENTR2"]])[use], cadence=told.cadence,
        mask=_NO_PIXELS > 0, mean_image=_NO_PIXELS, expected=expected,
    )  # fmt: skip


def _decontaminated(told: ToldStar, good: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """The columns, with the star's own light where its shares are known; without such a column where they are not."""
    columns, row = dict(told.columns), told.row
    names = ("FLUX_DECONTAM", "FLUX_DECONTAM_ERR")
    if np.isfinite(columns.get(names[0], np.nan)).any():
        return columns
    for name in names:
        columns.pop(name, None)
    if not (_known(row, "crowdsap") and _known(row, "flfrcsap") and row["flfrcsap"] > 0):
        return columns
    found = corrected_flux(columns["FLUX"], columns["FLUX_ERR"], row["crowdsap"], row["flfrcsap"], good)
    return {**columns, **dict(zip(names, found, strict=True))}
