"""What came of a survey: counts, reasons, noise by magnitude, and the stars that somebody should look at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.merit.cdpp import LOST
from tessellar.photometry.merit.expected import mask_size_bounds
from tessellar.photometry.status import STATUS
from tessellar.photometry.target import ZERO_POINT
from tessellar.survey.ledger import FieldRow, Ledger
from tessellar.survey.outcomes import METRIC_NAMES

if TYPE_CHECKING:
    from astropy.table import Table

_Floats = NDArray[np.float64]

_TEXT = ("source", "method", "reason")
_BIN = 0.5
# Stars in a bin of magnitude from which on their median is what is usual there.
_ENOUGH = 5
# Noise of an hour beyond photons that bright stars have without being remarkable, ppm: the mission's allowance for
# systematics (Sullivan et al. 2015, ApJ 809, 77, section 6.4).
_SYSTEMATICS = 60.0
_NUMBER = re.compile(r"(?:(?<![\w.)-])-)?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def results(ledger: Ledger, field: FieldRow | None = None) -> Table:
    """One row a target: what it is, how it ended (`status`, `reason`), its metrics; the brightest first.

    `skipped_by` is the TIC id of the star that keeps the mask, 0 for none.
    """
    from astropy.table import Table

    names = ("priority", "tic", "source", "tmag", "method", "status", "reason", "skipped_by", *METRIC_NAMES)
    chosen = ", ".join(f"result.{name}" for name in names if name != "skipped_by")
    chosen = chosen.replace("result.reason", "result.reason, by.tic AS skipped_by, place.ccd_column, place.ccd_row")
    query = (
        f"SELECT {chosen} FROM result JOIN target AS place ON place.priority = result.priority "
        "LEFT JOIN target AS by ON by.priority = result.skipped_by"
    )
    where = "" if field is None else " WHERE result.field = ?"
    rows = ledger.select(f"{query}{where} ORDER BY result.priority", *(() if field is None else (field.id,)))
    order = (*names[:8], "ccd_column", "ccd_row", *METRIC_NAMES)
    values = list(zip(*rows, strict=True)) if rows else [()] * len(order)
    hours = np.nan if field is None else field.cadence / 3600
    return Table({name: _column(name, each) for name, each in zip(order, values, strict=True)}, meta={"hours": hours})


def _column(name: str, values: Any) -> NDArray[Any]:
    if name in _TEXT:
        return np.array([value or "" for value in values], dtype=np.str_)
    if name in ("priority", "tic", "status", "skipped_by"):
        return np.array([value or 0 for value in values], dtype=np.int64)
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def status_counts(table: Table) -> dict[str, int]:
    """Stars by name of STATUS, in the order of STATUS."""
    found = Counter(table["status"].tolist())
    return {status.name: found[status.value] for status in STATUS if found[status.value]}


def grouped_reasons(table: Table) -> list[dict[str, Any]]:
    """Reasons of all that is not OK that differ in numbers and names of files only, as one; the most frequent first.

    Each with `status`, `reason` (of numbers that differ, the least and the largest), `stars` (how many) and `example`
    (a TIC id). A star with several reasons counts with each (`several_reasons`).
    """
    groups: dict[tuple[str, tuple[str, ...]], dict[int, list[str]]] = {}
    for row, status, reason in _troubled(table):
        for each in reason.split("; "):
            plain = re.sub(r"\S+\.(fits|h5)\S*", "FILE", each)
            kind = (status, tuple(_NUMBER.split(plain)))
            groups.setdefault(kind, {}).setdefault(row, _NUMBER.findall(plain))
    rows = [
        {"status": status, "reason": _told(words, list(stars.values())), "stars": len(stars),
         "example": int(table["tic"][next(iter(stars))])}
        for (status, words), stars in groups.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-int(str(row["stars"])), str(row["status"]), str(row["reason"])))


def several_reasons(table: Table) -> dict[str, int]:
    """Stars with more than one reason, by name of STATUS."""
    return dict(Counter(status for _, status, reason in _troubled(table) if "; " in reason))


def _troubled(table: Table) -> Iterator[tuple[int, str, str]]:
    """Row, name of the status and reasons of each star that ended as anything but OK."""
    for row, (status, reason) in enumerate(zip(table["status"].tolist(), table["reason"].tolist(), strict=True)):
        if status not in (STATUS.OK, STATUS.UNKNOWN):
            yield row, STATUS(status).name, reason


def _told(words: Sequence[str], numbers: Sequence[Sequence[str]]) -> str:
    """One reason for many stars: the words between the numbers, and what the numbers are."""
    text = words[0]
    for slot, after in enumerate(words[1:]):
        values = sorted({each[slot] for each in numbers}, key=float)
        if len(values) == 1:
            text += values[0]
        else:
            # Ids have no order that means anything.
            text += "N" if text.endswith("TIC ") else f"{values[0]} to {values[-1]}"
        text += after
    return text


def noise_of(table: Table) -> tuple[_Floats, _Floats]:
    """Noise of one hour, measured and expected, ppm.

    Measured: CDPP over one hour, as white noise would have it (over 1.168), or else RMSHOUR. Expected: photons and
    reading with the sky, the aperture and the neighbours of each star (NOISEEXP); NaN where its method tells none.
    """
    measured = np.asarray(table["cdpp_1_0"]) / LOST
    measured = np.where(np.isfinite(measured), measured, np.asarray(table["rms_hour"]) * 1e6)
    return measured, np.asarray(table["noise_expected"])


def by_magnitude(tmag: _Floats, values: Mapping[str, _Floats], *, least: int = 3) -> Table:
    """Medians, 16th and 84th percentiles in bins of half a magnitude that hold so many stars at least."""
    from astropy.table import Table

    number = np.floor(np.asarray(tmag) / _BIN)
    known = np.isfinite(number) & np.logical_or.reduce([np.isfinite(each) for each in values.values()])
    rows = []
    for each in np.unique(number[known]):
        inside = known & (number == each)
        if inside.sum() >= least:
            row: dict[str, float] = {"tmag": (each + 0.5) * _BIN, "stars": int(inside.sum())}
            for name, column in values.items():
                some = column[inside & np.isfinite(column)]
                quantiles = np.percentile(some, [50, 16, 84]) if some.size else [np.nan] * 3
                row |= dict(zip((name, f"{name}_16", f"{name}_84"), map(float, quantiles), strict=True))
            rows.append(row)
    return Table(rows=rows) if rows else Table(names=["tmag", "stars", *values])


@dataclass(frozen=True)
class Check:
    """Something that makes a light curve suspicious."""

    name: str
    meaning: str
    holds: Callable[[Table], NDArray[np.bool_]]


def suspicious(table: Table) -> list[dict[str, Any]]:
    """Stars with a light curve at which somebody should look: `tic`, `tmag`, `checks` (names), the brightest first."""
    curves = table[np.isin(table["status"], [STATUS.OK, STATUS.WARNING])]
    if not len(curves):
        return []
    with np.errstate(invalid="ignore", divide="ignore"):
        found = {check.name: check.holds(curves) for check in CHECKS}
    rows = []
    for place, (tic, tmag) in enumerate(zip(curves["tic"].tolist(), curves["tmag"].tolist(), strict=True)):
        names = [name for name, which in found.items() if which[place]]
        if names:
            rows.append({"tic": tic, "tmag": tmag, "checks": ", ".join(names)})
    return rows


def _too_quiet(table: Table) -> NDArray[np.bool_]:
    measured, expected = noise_of(table)
    # A robust standard deviation of n values is known to 1.16 / sqrt(n) of itself.
    hours = np.asarray(table["n_good"]) * table.meta["hours"]
    least = 0.8 * (1 - 3 * 1.16 / np.sqrt(np.maximum(hours, 1)))
    return np.asarray((measured < least * expected) | (measured <= 0))


def _too_loud(table: Table) -> NDArray[np.bool_]:
    measured, expected = noise_of(table)
    tmag = np.asarray(table["tmag"])
    usual = np.hypot(expected, _SYSTEMATICS)
    bins = by_magnitude(tmag, {"noise": measured}, least=_ENOUGH)
    if len(bins):
        median = 10 ** np.interp(tmag, bins["tmag"], np.log10(bins["noise"]))
        filled = np.isin(np.floor(tmag / _BIN), np.floor(np.asarray(bins["tmag"]) / _BIN))
        usual = np.where(filled | ~np.isfinite(usual), median, usual)
    return np.asarray(measured > 10 * usual)


def _clean(table: Table) -> NDArray[np.bool_]:
    crowd = np.asarray(table["crowdsap"])
    other = np.where(np.isfinite(crowd), 1 - crowd, np.asarray(table["contamination"]))
    return ~(other > 0.15)


def _off_flux(table: Table) -> NDArray[np.bool_]:
    ratio = np.asarray(table["mean_flux"]) / 10 ** (-0.4 * (np.asarray(table["tmag"]) - ZERO_POINT))
    return np.asarray(_clean(table) & ((ratio < 0.4) | (ratio > 2.5)))


def _off_place(table: Table) -> NDArray[np.bool_]:
    away = np.hypot(table["pos_column"] - table["ccd_column"], table["pos_row"] - table["ccd_row"])
    return np.asarray(_clean(table) & (np.asarray(table["tmag"]) < 13) & (away > 1))


def _mask_too_large(table: Table) -> NDArray[np.bool_]:
    most = [mask_size_bounds(tmag, source.partition(":")[0])[1] for tmag, source in table["tmag", "source"].iterrows()]
    return np.asarray(np.asarray(table["mask_size"]) > np.array(most))


CHECKS: tuple[Check, ...] = (
    Check(
        "quiet",
        "noise of an hour below 0.8 times what photons and reading leave, by 3 sigma: something was taken off",
        _too_quiet,
    ),
    Check(
        "loud",
        "noise of an hour above 10 times the median at its magnitude, or where that is of fewer than "
        f"{_ENOUGH} stars, above 10 times what photons, reading and {_SYSTEMATICS:.0f} ppm leave: variable, or "
        "disturbed",
        _too_loud,
    ),
    Check("flux", "a star with little light of others is off its magnitude by a factor of 2.5", _off_flux),
    Check("place", "a star of T < 13 with little light of others is seen more than 1 px off its place", _off_place),
    Check("mask", "more pixels than masks of its magnitude are accepted with (TASOC data validation)", _mask_too_large),
    Check("faint", "the median flux is not positive", lambda table: np.asarray(table["mean_flux"]) <= 0),
)


@dataclass(frozen=True, eq=False)
class Summary:
    """What came of one field."""

    field: FieldRow
    table: Table

    def as_record(self) -> dict[str, Any]:
        """All but the pictures, as plain values."""
        measured, expected = noise_of(self.table)
        tmag = np.asarray(self.table["tmag"])
        bins = by_magnitude(tmag, {"noise": measured, "expected": expected}, least=1)
        return {
            "field": str(self.field.field),
            "cadence": self.field.cadence,
            "kind": self.field.kind,
            "targets": len(self.table),
            "status": status_counts(self.table),
            "methods": dict(Counter(self.table["method"][self.table["method"] != ""].tolist())),
            "reasons": grouped_reasons(self.table),
            "several_reasons": several_reasons(self.table),
            "noise": [
                {**{name: _plain(row[name]) for name in bins.colnames}, "stars": int(row["stars"])} for row in bins
            ],
            "suspicious": suspicious(self.table),
        }


def summaries(ledger: Ledger) -> list[Summary]:
    """What came of each field of a survey."""
    return [Summary(field, results(ledger, field)) for field in ledger.fields()]


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
