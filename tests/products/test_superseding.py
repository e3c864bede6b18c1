"""Which run makes which obsolete: a rule that holds for any runs, and the cases that MAST has."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessellar.products.dvrun import DVRun
from tessellar.products.superseding import in_run, includes, order_of, related
from tessellar.products.validation import TCE
from tessellar.targets import TIC

STAR = TIC(25155310)
NAN = math.nan


def run(first: int, last: int, number: int | None = None, sectors: tuple[int, ...] | None = None, **more) -> DVRun:
    pipeline = more.pop("pipeline", "SPOC" if number is not None else "TESS-SPOC")
    return DVRun(more.pop("target", STAR), pipeline, (first, last), number, "2018206190142", sectors, **more)


def event(planet: int, period: float, epoch: float = 1325.0, duration: float = 3.0) -> TCE:
    return TCE(planet, period, epoch, 1000.0, duration, 12.0, 9.0)


@st.composite
def some_runs(draw: st.DrawFn) -> list[DVRun]:
    """Runs of two stars and two pipelines, with or without reports, some of the same sectors."""
    runs: dict[object, DVRun] = {}
    for number in range(draw(st.integers(1, 9))):
        first, last = sorted((draw(st.integers(1, 8)), draw(st.integers(1, 8))))
        observed = draw(st.sets(st.integers(first, last), min_size=1))
        sectors = tuple(sorted(observed)) if draw(st.booleans()) else None
        dates = {name: draw(st.none() | st.integers(58000, 58010).map(float)) for name in ("time", "released")}
        ours = draw(st.booleans())
        made = run(
            first,
            last,
            draw(st.integers(1, 12)) if ours else None,
            sectors,
            target=draw(st.sampled_from([STAR, TIC(1)])),
            **dates,
        )
        runs[made.key if ours else (made.key, number)] = made
    unique = {made.key: made for made in runs.values()}
    return list(unique.values())


@given(some_runs())
def test_no_run_supersedes_itself_or_in_a_circle(runs: list[DVRun]):
    placed = {each.key: each for each in related(runs)}
    for each in placed.values():
        seen = {each.key}
        while each.superseded_by is not None:
            assert each.superseded_by not in seen
            seen.add(each.superseded_by)
            each = placed[each.superseded_by]


@given(some_runs())
def test_only_a_later_run_of_the_same_star_and_pipeline_over_no_fewer_sectors_supersedes(runs: list[DVRun]):
    placed = related(runs)
    assert [each.key for each in placed] == [each.key for each in runs]
    by_key = {each.key: each for each in runs}
    for each in placed:
        own = [other for other in runs if (other.target, other.pipeline) == (each.target, each.pipeline)]
        order = order_of(own)
        for key in (each.superseded_by, each.covered_by):
            if key is not None:
                other = by_key[key]
                assert other in own
                assert includes(other, each)
                if other.sectors is not None and each.sectors is not None:
                    assert set(other.sectors) >= set(each.sectors)
        before = order(by_key[each.key])
        if each.superseded_by is not None:
            assert order(by_key[each.superseded_by]) > before
        if each.covered_by is not None and before is not None and order(by_key[each.covered_by]) is not None:
            assert order(by_key[each.covered_by]) <= before
        assert (each.reason is None) == (each.superseded_by is None)


@given(some_runs())
def test_what_can_be_superseded_is(runs: list[DVRun]):
    """Compare with the rule written out: there is a later superset, or there is not."""
    for each in related(runs):
        own = [other for other in runs if (other.target, other.pipeline) == (each.target, each.pipeline)]
        order = order_of(own)
        mine = order(each)
        later = [o for o in own if mine is not None and order(o) is not None and order(o) > mine and includes(o, each)]
        assert (each.superseded_by is not None) == bool(later)


@given(some_runs())
def test_the_run_that_is_named_is_not_obsolete_itself_where_all_sectors_are_known(runs: list[DVRun]):
    full = [tuple(range(each.sector_range[0], each.sector_range[1] + 1)) for each in runs]
    known = [replace(each, sectors=each.sectors or every) for each, every in zip(runs, full, strict=True)]
    placed = {each.key: each for each in related(known)}
    for each in placed.values():
        assert each.superseded_by is None or placed[each.superseded_by].superseded_by is None


@given(some_runs(), st.randoms())
def test_the_order_in_which_runs_are_listed_does_not_matter(runs: list[DVRun], random):
    shuffled = list(runs)
    random.shuffle(shuffled)
    outcome = {each.key: (each.superseded_by is None, each.reason) for each in related(shuffled)}
    assert outcome == {each.key: (each.superseded_by is None, each.reason) for each in related(runs)}


def test_a_rerun_of_2024_is_not_obsolete_because_of_a_longer_run_of_2019():
    """Sectors 1-3 were searched again in 2024 (run 899); sectors 1-13 had been in 2019."""
    first, longer, again = run(1, 3, 129), run(1, 13, 241), run(1, 3, 899)
    first, longer, again = related([first, longer, again])
    assert (again.superseded_by, again.covered_by, again.reason) == (None, longer.key, None)
    assert (longer.superseded_by, longer.covered_by) == (None, None)
    assert (first.superseded_by, first.reason) == (longer.key, "extended-by")
    alone, rerun = related([run(1, 3, 129), run(1, 3, 899)])
    assert (alone.superseded_by, alone.reason) == (rerun.key, "rerun-of")
    assert (rerun.superseded_by, rerun.covered_by) == (None, None)


def test_a_growing_range_supersedes_step_by_step_the_widest_last():
    runs = related([run(1, last, number) for number, last in enumerate((2, 3, 6, 9, 13, 36, 39), 100)])
    assert [each.superseded_by for each in runs[:-1]] == [runs[-1].key] * 6
    assert {each.reason for each in runs[:-1]} == {"extended-by"}
    assert runs[-1].superseded_by is None


def test_runs_that_only_overlap_leave_each_other_alone():
    """A star of sectors 42 to 46 can be absent from the run over sectors 1 to 46; 14-41 is no part of 1-39."""
    known = related([run(42, 46, 500, (42, 43)), run(1, 46, 501, (1, 2, 43))])
    assert [each.superseded_by for each in known] == [None, None]
    ranges = related([run(14, 41, 400), run(1, 39, 401)])
    assert [(each.superseded_by, each.covered_by) for each in ranges] == [(None, None)] * 2


def test_a_single_sector_follows_the_same_rule():
    single, rerun, longer = related([run(1, 1, 106, (1,)), run(1, 1, 366, (1,)), run(1, 2, 129, (1,))])
    assert (single.superseded_by, single.reason) == (rerun.key, "rerun-of")
    assert rerun.superseded_by is None
    assert (longer.superseded_by, longer.reason) == (rerun.key, "rerun-of")  # it saw sector 1 alone, too


def test_pipelines_are_never_compared():
    ours, theirs = related([run(36, 39, 700), run(36, 69, None, time=60000.0)])
    assert (ours.superseded_by, ours.covered_by, theirs.covered_by) == (None, None, None)


def test_without_dates_nothing_is_called_obsolete():
    short, longer = related([run(36, 39), run(36, 69)])
    assert (short.superseded_by, short.covered_by) == (None, longer.key)
    short, longer = related([run(36, 39, released=60000.0), run(36, 69, released=60500.0)])
    assert (short.superseded_by, short.reason) == (longer.key, "extended-by")
    short, longer = related([run(36, 39, time=60600.0, released=60000.0), run(36, 69, time=60500.0, released=60500.0)])
    assert (short.superseded_by, short.covered_by) == (None, longer.key)  # the date of the files goes first


def test_the_same_number_is_not_later_but_a_later_time_stamp_is():
    one, other = run(1, 3, 129), replace(run(1, 3, 129), timestamp="2024170090940")
    one, other = related([one, other])
    assert (one.superseded_by, other.superseded_by) == (other.key, None)


def test_a_report_at_hand_does_not_take_back_what_the_ranges_say():
    old, new = related([run(1, 6, 196), run(1, 6, 300, (2, 5))])
    assert (old.superseded_by, old.reason) == (new.key, "rerun-of")
    unseen, _ = related([run(3, 4, 196), run(1, 6, 300, (2, 5))])
    assert unseen.superseded_by is None  # the later run saw the star in none of these sectors


def test_events_that_the_newer_run_lacks_are_listed():
    old = run(1, 3, 129, tces=(event(1, 3.69), event(2, 7.45), event(3, 11.1)), tces_known=True)
    new = run(1, 13, 241, tces=(event(1, 7.4501, 1325.0 + 40 * 7.45), event(2, 3.6903, 1325.01)), tces_known=True)
    placed, _ = related([old, new])
    assert [tce.planet for tce in placed.lacking] == [3]
    nameless = replace(new, tces=(TCE(1, NAN, NAN, NAN, NAN, NAN, NAN),))
    placed, _ = related([old, nameless])
    assert placed.lacking == ()
    assert in_run(event(1, 3.69), nameless) is None
    placed, _ = related([old, replace(new, tces=())])
    assert [tce.planet for tce in placed.lacking] == [1, 2, 3]


def test_two_events_of_one_period_and_other_phase_are_two():
    half_a_period_off = run(1, 13, 241, tces=(event(1, 3.69, 1325.0 + 3.69 / 2),), tces_known=True)
    assert in_run(event(1, 3.69), half_a_period_off) is False
    assert in_run(event(1, 3.69, 1325.0 + 3.69 / 2 + 3.69), half_a_period_off) is True


@pytest.mark.parametrize("more", [run(1, 3, 1), run(1, 3, 1, (1, 3))])
def test_no_run_includes_what_it_did_not_search(more: DVRun):
    assert not includes(more, run(1, 4, 2))
    assert not includes(more, run(4, 6, 2, (4, 6)))
    assert not includes(more, run(2, 4, 2, (2, 4)))
