"""Which validation run makes which obsolete: the same or more sectors, processed later.

The rule holds within one star and one pipeline. A run is superseded by a run
over the same or more sectors that was processed *later*; one over more sectors
that is older only covers it, for the younger one saw better data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from tessellar.products.dvrun import DVRun
from tessellar.products.validation import TCE

Order: TypeAlias = Callable[[DVRun], tuple[float, ...] | None]

# Two events are one signal if their periods agree to this fraction.
_SAME_PERIOD = 0.005


def related(runs: Sequence[DVRun]) -> list[DVRun]:
    """Say of each run which one supersedes it or covers it, and which of its events that one lacks.

    Parameters
    ----------
    runs : sequence of DVRun
        Of any stars and pipelines; each is compared with those of its own.

    Returns
    -------
    list of DVRun
        The same runs, in the same order.
    """
    groups: dict[tuple[object, str], list[DVRun]] = {}
    for run in runs:
        groups.setdefault((run.target, run.pipeline), []).append(run)
    orders = {key: order_of(group) for key, group in groups.items()}
    return [_placed(run, groups[run.target, run.pipeline], orders[run.target, run.pipeline]) for run in runs]


def order_of(runs: Sequence[DVRun]) -> Order:
    """Return what tells the order of processing of some runs of one pipeline; it gives None where that is not known.

    The number of the pipeline's run goes first, then the date in the run's
    files, then the date on which the archive released it. It is one of them for
    all runs, so that "later than" is never true in a circle.
    """
    orders: tuple[Order, ...] = (
        lambda run: (float(run.run_id), float(run.timestamp or 0)) if run.run_id is not None else None,
        lambda run: (run.time,) if run.time is not None else None,
        lambda run: (run.released,) if run.released is not None else None,
    )
    return max(orders, key=lambda order: sum(order(run) is not None for run in runs))


def includes(more: DVRun, run: DVRun) -> bool:
    """Whether `more` searched all sectors that `run` did, as far as is known.

    Observed sectors are compared where both reports tell them. Where only the
    range of `run` is known, it must lie within that of `more`, which must have
    seen the star in it; where only the range of `more` is, it must hold all
    sectors of `run`.
    """
    first, last = more.sector_range
    if run.sectors is not None:
        if more.sectors is not None:
            return set(run.sectors) <= set(more.sectors)
        return all(first <= sector <= last for sector in run.sectors)
    within = first <= run.sector_range[0] and run.sector_range[1] <= last
    if more.sectors is not None:
        return within and any(run.sector_range[0] <= sector <= run.sector_range[1] for sector in more.sectors)
    return within


def same_sectors(one: DVRun, other: DVRun) -> bool:
    """Whether two runs searched the same sectors: those observed where both are known, else the ranges."""
    if one.sectors is not None and other.sectors is not None:
        return one.sectors == other.sectors
    return one.sector_range == other.sector_range


def in_run(tce: TCE, run: DVRun) -> bool | None:
    """Whether a run has an event of the same period and phase; None if its events' periods are not known."""
    if (
        not run.tces_known
        or not math.isfinite(tce.period)
        or any(not math.isfinite(other.period) for other in run.tces)
    ):
        return None
    return any(_same_signal(tce, other) for other in run.tces)


def _placed(run: DVRun, group: Sequence[DVRun], order: Order) -> DVRun:
    supersets = [other for other in group if other.key != run.key and includes(other, run)]
    later = _superseding(run, group, order)
    # A run that is obsolete itself is no good advice, where there is another.
    current = [other for other in later if not _superseding(other, group, order)]
    wider = [other for other in supersets if other not in later and not same_sectors(run, other)]
    best, cover = _widest(current or later, order), _widest(wider, order)
    lacking = tuple(tce for tce in run.tces if best is not None and in_run(tce, best) is False)
    return replace(
        run,
        superseded_by=best.key if best else None,
        covered_by=cover.key if cover else None,
        reason=None if best is None else "rerun-of" if same_sectors(run, best) else "extended-by",
        lacking=lacking,
    )


def _superseding(run: DVRun, group: Sequence[DVRun], order: Order) -> list[DVRun]:
    return [other for other in group if _is_later(order(other), order(run)) and includes(other, run)]


def _is_later(one: tuple[float, ...] | None, other: tuple[float, ...] | None) -> bool:
    return one is not None and other is not None and one > other


def _widest(runs: Sequence[DVRun], order: Order) -> DVRun | None:
    """Return the run over the most sectors, of several such the one processed last."""

    def rank(run: DVRun) -> tuple[int, int, tuple[float, ...]]:
        span = run.sector_range[1] - run.sector_range[0] + 1
        return (len(run.sectors) if run.sectors is not None else span, span, order(run) or ())

    return max(runs, key=rank) if runs else None


def _same_signal(one: TCE, other: TCE) -> bool:
    difference = abs(one.period - other.period)
    if difference > _SAME_PERIOD * one.period:
        return False
    if not (math.isfinite(one.epoch) and math.isfinite(other.epoch)):
        return True
    cycles = round((other.epoch - one.epoch) / one.period)
    offset = abs(other.epoch - one.epoch - cycles * one.period)
    durations = [tce.duration / 24 for tce in (one, other) if math.isfinite(tce.duration)]
    return offset <= max(durations, default=_SAME_PERIOD * one.period) + abs(cycles) * difference
