"""Which light curve? What tells those of a star apart, from their headers; and several of them in one series."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from astropy.table import Column, Table

from tessellar.errors import InputError
from tessellar.mission.names import match_name
from tessellar.mission.offsets import TimeOffset, time_offset
from tessellar.products.lightcurve import LightCurve
from tessellar.products.tables import ArchiveTable, ColumnInfo

CHOICE_COLUMNS: dict[str, ColumnInfo] = {
    "sector": ColumnInfo(int, None, "sector"),
    "author": ColumnInfo(str, None, "pipeline that made it"),
    "cadence": ColumnInfo(float, "s", "time from one measurement to the next"),
    "exposure": ColumnInfo(float, "s", "of that, the time in which light was collected"),
    "release": ColumnInfo(int, None, "data release (DATA_REL)"),
    "version": ColumnInfo(str, None, "version of a high-level product, from its name"),
    "flux": ColumnInfo(str, None, "the author's own choice of flux column"),
    "aperture": ColumnInfo(int, "pix", "pixels in the aperture"),
    "crowdsap": ColumnInfo(float, None, "share of the light in the aperture that is the star's (CROWDSAP)"),
    "flfrcsap": ColumnInfo(float, None, "share of the star's light that is in the aperture (FLFRCSAP)"),
    "cdpp_1h": ColumnInfo(float, "ppm", "noise on transits of 1 h, from the header (CDPP1_0)"),
    "cdpp_2h": ColumnInfo(float, "ppm", "noise on transits of 2 h, from the header (CDPP2_0)"),
    "time_offset": ColumnInfo(float, "s", "to be added to its times; missing where that is not known"),
    "time_error": ColumnInfo(float, "s", "uncertainty of the times after that, where it is known"),
    "filename": ColumnInfo(str, None, "file name"),
    "path": ColumnInfo(str, None, "where the file lies here; missing where only its name is known"),
}


# What light curves in one series should have in common.
_ALIKE = {
    "author": "authors",
    "release": "data releases",
    "version": "versions",
    "aperture": "apertures (px)",
    "cadence": "cadences (s)",
    "flux": "flux columns",
}


class MixedLightCurvesWarning(UserWarning):
    """Light curves were joined that were not made alike."""


class LightCurveChoice(ArchiveTable):
    """One row a light curve of a star (`CHOICE_COLUMNS`); what only a file tells is missing where it is not here."""

    known_columns: ClassVar[Mapping[str, ColumnInfo]] = CHOICE_COLUMNS
    shown_columns = tuple(name for name in CHOICE_COLUMNS if name not in ("version", "path"))


def choice_row(curve: LightCurve) -> dict[str, Any]:
    """Return the row of a `LightCurveChoice` that a light curve's headers tell."""
    keys = curve.table_header
    name = match_name(curve.path.name)
    version = name.version if name is not None else None
    live, cadence = _number(keys.get("DEADC")), _number(curve.cadence)
    offset = _offset(curve, version)
    return {
        "sector": curve.sector,
        "author": curve.author,
        "cadence": cadence,
        "exposure": live * cadence if live is not None and cadence is not None else None,
        "release": curve.data_release,
        "version": version,
        "flux": curve.flux_column,
        "aperture": _pixels(curve),
        "crowdsap": _number(keys.get("CROWDSAP")),
        "flfrcsap": _number(keys.get("FLFRCSAP")),
        "cdpp_1h": _number(keys.get("CDPP1_0")),
        "cdpp_2h": _number(keys.get("CDPP2_0")),
        "time_offset": None if offset is None else offset.seconds,
        "time_error": None if offset is None else offset.uncertainty,
        "filename": curve.path.name,
        "path": str(curve.path),
    }


def join_light_curves(curves: Iterable[LightCurve], *, mask: str | int = "default", shift_times: bool = False) -> Table:
    """Join light curves of one star into one series, each divided by its own median.

    Parameters
    ----------
    curves : iterable of LightCurve
        In any order.
    mask : str or int
        Which flags a cadence must not have; see `tessellar.mission.MASKS`.
    shift_times : bool
        Add the known offsets of each author's times (`tessellar.mission.time_offset`).

    Returns
    -------
    astropy.table.Table
        By time: ``btjd`` (d), ``flux`` and ``flux_err`` (relative), ``quality``,
        ``sector``, ``author``. ``meta["files"]`` names the files.

    Raises
    ------
    InputError
        If there is none, they are of several stars, or the offset of one is wanted and not known.

    Warns
    -----
    MixedLightCurvesWarning
        If their authors, data releases, apertures or cadences differ, or two are of the same sector.
    """
    chosen = sorted(curves, key=lambda curve: (curve.sector or 0, str(curve.path)))
    if not chosen:
        raise InputError("no light curve is given: nothing can be joined")
    of = {int(curve.tic) for curve in chosen if curve.tic is not None}
    if len(of) > 1:
        raise InputError(f"the light curves are of {len(of)} stars: TIC {', '.join(map(str, sorted(of)))}")
    rows = [choice_row(curve) for curve in chosen]
    differing = _differing(rows)
    if differing:
        warnings.warn(
            f"{len(chosen)} light curves that were not made alike are joined: {'; '.join(differing)}",
            MixedLightCurvesWarning,
            stacklevel=2,
        )
    parts = [_part(curve, row, mask, shift_times) for curve, row in zip(chosen, rows, strict=True)]
    table = Table(
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
        meta={"tic": next(iter(of), None), "files": [row["filename"] for row in rows]},
    )
    table["btjd"].unit = "d"
    table.sort("btjd")
    return table


def _part(curve: LightCurve, row: Mapping[str, Any], mask: str | int, shift_times: bool) -> dict[str, Any]:
    good = curve.good(mask) & np.isfinite(curve.btjd) & np.isfinite(curve.flux)
    if shift_times and row["time_offset"] is None:
        raise InputError(f"{curve.path}: the offset of its times is not known; join without shift_times")
    shift = row["time_offset"] / 86400 if shift_times else 0.0
    middle = float(np.median(curve.flux[good])) if good.any() else math.nan
    count = int(good.sum())
    return {
        "btjd": curve.btjd[good] + shift,
        "flux": np.asarray(curve.flux[good], np.float64) / middle,
        "flux_err": np.asarray(curve.flux_err[good], np.float64) / middle,
        "quality": curve.quality[good],
        "sector": Column(np.full(count, curve.sector or 0)),
        "author": Column(np.full(count, curve.author)),
    }


def _differing(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say in what light curves differ, one item a thing."""
    told = []
    for name, label in _ALIKE.items():
        values = (row[name] for row in rows if row[name] is not None)
        found = {f"{value:g}" if isinstance(value, float) else str(value) for value in values}
        if len(found) > 1:
            told.append(f"{label} {', '.join(sorted(found))}")
    sectors = [row["sector"] for row in rows]
    twice = sorted({sector for sector in sectors if sector is not None and sectors.count(sector) > 1})
    return told + ([f"sector {', '.join(map(str, twice))} more than once"] if twice else [])


def _offset(curve: LightCurve, version: str | None) -> TimeOffset | None:
    if curve.sector is None:
        return None
    processing = curve.header.get("PROCVER")
    try:
        return time_offset(
            curve.author,
            curve.sector,
            version=curve.data_release if curve.data_release is not None else version,
            processing=str(processing) if processing else None,
            camera=curve.camera,
            ccd=curve.ccd,
        )
    except InputError:
        return None


def _pixels(curve: LightCurve) -> int | None:
    aperture = curve.aperture
    count = 0 if aperture is None else int(((aperture & 2) > 0).sum())
    return count or None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
