"""Which stars are measured, and in which pixels; and which are skipped."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessellar import Field
from tessellar.errors import InputError
from tessellar.photometry import STATUS
from tessellar.survey.rules import exclusions, methods
from tessellar.survey.sharing import Sighting, skipped_by
from tessellar.survey.targets import Candidate, edge_distance, in_frames, in_target_file, without_repeats
from tests.photometry.fieldsky import small_field

NAN = float("nan")


def candidate(tic: int, source: str, *, sector: int = 1, cadence: int = 120, edge: float = NAN, tmag: float = 10.0,
              release: int = 1, path: str = "a") -> Candidate:  # fmt: skip
    return Candidate(tic, Field(sector, 1, 1), cadence, source, tmag, 100.0, 100.0, edge, path, release)


def test_a_star_with_a_file_of_its_own_is_left_out_of_others_in_that_sector_and_cadence_only() -> None:
    own = candidate(1, "tpf")
    same = candidate(1, "tpf:2", edge=3.0)
    other_sector = candidate(1, "tpf:2", sector=2, edge=3.0)
    other_cadence = candidate(1, "tpf:2", cadence=20, edge=3.0)
    frames = candidate(1, "ffi", cadence=1800, edge=30.0)
    chosen, left_out = without_repeats([same, other_sector, own, frames, other_cadence])
    assert set(chosen) == {own, other_sector, other_cadence, frames}
    assert [(each, why) for each, why in left_out] == [(same, "the star has a target pixel file of its own")]


def test_a_star_in_several_files_of_others_is_measured_where_it_is_farthest_from_the_edge_of_each_sector() -> None:
    near = candidate(1, "tpf:2", edge=0.4)
    far = candidate(1, "tpf:3", edge=2.4)
    elsewhere = candidate(1, "tpf:4", sector=2, edge=0.1)
    chosen, left_out = without_repeats([near, elsewhere, far])
    assert set(chosen) == {far, elsewhere}
    assert [each for each, _ in left_out] == [near]


def test_of_two_releases_of_a_file_the_later_counts() -> None:
    old, new = candidate(1, "tpf", release=1, path="a"), candidate(1, "tpf", release=30, path="b")
    assert without_repeats([old, new])[0] == [new] == without_repeats([new, old])[0]


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["ffi", "tpf", "tpf:6", "tpf:7"]), st.integers(1, 2),
                          st.floats(0, 5), st.floats(5, 15)), max_size=20), st.randoms())  # fmt: skip
def test_the_list_does_not_depend_on_the_order_in_which_files_are_found(
    rows: list[tuple[int, str, int, float, float]], dice: random.Random
) -> None:
    made = [candidate(t, s, sector=n, edge=e if ":" in s else NAN, tmag=m, path=f"{i}")
            for i, (t, s, n, e, m) in enumerate(rows)]  # fmt: skip
    mixed = dice.sample(made, len(made))
    first, second = without_repeats(made), without_repeats(mixed)
    assert repr(first[0]) == repr(second[0])
    assert sorted(map(repr, first[1])) == sorted(map(repr, second[1]))


def test_distance_to_pixels_that_were_not_collected() -> None:
    collected = np.ones((11, 11), dtype=bool)
    assert edge_distance(5.0, 5.0, collected) == pytest.approx(5.5)
    assert edge_distance(0.0, 5.0, collected) == pytest.approx(0.5)
    collected[:, 8:] = False
    assert edge_distance(5.0, 5.0, collected) == pytest.approx(2.5)
    assert edge_distance(7.0, 5.0, collected) == pytest.approx(0.5)


def test_stars_of_frames_lie_on_their_pixels_to_the_limit() -> None:
    field = small_field().field
    found = list(in_frames(field, "field.h5", 14.0))
    stars = field.stars
    assert stars is not None
    (left, bottom), (rows, cols) = field.corner, field.shape
    inside = (np.rint(stars.column) >= left) & (np.rint(stars.column) < left + cols) & (np.rint(stars.row) >= bottom)
    inside &= (np.rint(stars.row) < bottom + rows) & (stars.tmag <= 14)
    assert {each.tic for each in found} == set(stars.tic[inside].tolist())
    assert len(found) > 20
    assert all(each.edge > 0 and each.cadence == 600 and each.source == "ffi" for each in found)


def test_secondary_targets_lie_on_collected_pixels_of_another_stars_file() -> None:
    from tessellar.products import read_target_pixels

    sky = small_field()
    path = sorted(sky.folder.glob("*_tp.fits"))[0]
    model = read_target_pixels(path)
    first, *others = list(in_target_file(model, path.name, sky.field.stars, 16.0))
    assert (first.tic, first.source, first.cadence) == (int(model.tic or 0), "tpf", 120)
    assert np.hypot(first.column - model.corner[0] - 5, first.row - model.corner[1] - 5) < 3
    assert others, "no star of the catalogue is on the stamp"
    rows, cols = model.shape[1:]
    for each in others:
        assert each.source == f"tpf:{first.tic}"
        assert 0 <= round(each.row) - model.corner[1] < rows
        assert 0 <= round(each.column) - model.corner[0] < cols
        assert each.edge > 0
    assert not list(in_target_file(model, path.name, sky.field.stars, 5.0))[1:]


def sightings(dice: random.Random) -> list[Sighting]:
    tics = list(range(10, 22))
    return [
        Sighting(number, tic, dice.choice([7.0, 8.0, 8.5, 9.0, NAN]), dice.choice(["s1", "s2"]),
                 dice.choice([STATUS.OK, STATUS.OK, STATUS.WARNING, STATUS.ERROR]), tuple(dice.sample(tics, 3)))
        for number, tic in enumerate(tics, 1)
    ]  # fmt: skip


@given(st.randoms(use_true_random=False))
def test_who_is_skipped_does_not_depend_on_the_order_and_leaves_one_star_in_each_mask(dice: random.Random) -> None:
    stars = sightings(dice)
    skipped = skipped_by(stars)
    assert skipped == skipped_by(dice.sample(stars, len(stars)))
    by_number = {each.priority: each for each in stars}
    kept = {each.priority for each in stars if each.status.has_light_curve} - set(skipped)

    def together(one: Sighting, two: Sighting) -> bool:
        return one.light == two.light and (one.tic in two.sharing or two.tic in one.sharing)

    for star, by in skipped.items():
        assert by in kept
        assert together(by_number[star], by_number[by])
        assert not by_number[star].tmag < by_number[by].tmag
        assert by_number[star].status.has_light_curve
    for one in kept:
        assert not any(together(by_number[one], by_number[two]) for two in kept if two != one)


def test_a_star_is_not_skipped_for_one_without_a_light_curve_nor_in_another_sector() -> None:
    bright = Sighting(1, 10, 8.0, "s1", STATUS.ERROR, (20,))
    faint = Sighting(2, 20, 9.0, "s1", STATUS.OK, (10,))
    assert skipped_by([bright, faint]) == {}
    assert skipped_by([Sighting(1, 10, 8.0, "s2", STATUS.OK, (20,)), faint]) == {}
    # The mask of the fainter one holds the brighter one: it is all the same the fainter one that goes.
    assert skipped_by([Sighting(1, 10, 8.0, "s1", STATUS.OK), faint]) == {2: 1}


def test_tables_say_who_is_left_out_and_who_needs_what(tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("# mine\ntic,sector,source,method,reason\n25155310,,ffi,psf,crowded\n")
    rule = methods(mine).first(25155310, 1, "ffi", None, 10.5)
    assert rule is not None
    assert (rule.method, rule.reason) == ("psf", "crowded (mine.csv)")
    assert methods(mine).first(25155310, 1, "tpf", None, 10.5) is None
    # Lines of users come first, then those that tessellar knows of.
    assert methods().first(25155310, 1, "ffi", None, 1.0) is not None
    assert exclusions().first(149251611, 1, "tpf", 1, 5.0) is not None
    assert exclusions().first(149251611, 1, "tpf", 30, 5.0) is None, "a later release has the stamp right"


@pytest.mark.parametrize(
    ("text", "said"),
    [("tic,sector\n1,2\n", "needs"), ("tic,reason\nx,bad\n", "line 1"), ("tic,reason\n,bad\n", "everything out"),
     ("tic,source,reason\n1,hst,bad\n", "neither ffi nor tpf")],
)  # fmt: skip
def test_tables_that_say_nonsense_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        exclusions(path)
