"""Every spelling of an id that users write, and those that must be refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessellar import TIC, TOI, Field
from tessellar.errors import InputError, InvalidTICError, InvalidTOIError
from tessellar.targets import check_sector, parse_target

tic_numbers = st.integers(1, 10**10 - 1)


@pytest.mark.parametrize(
    "spelling",
    ["TIC 254113311", "TIC_254113311", "tic-254113311", "TIC254113311", "254113311", " 254113311 ", "0254113311",
     254113311, 254113311.0, np.int64(254113311), np.uint32(254113311), np.float64(254113311)],
)  # fmt: skip
def test_each_spelling_of_a_tic_is_the_same_star(spelling):
    assert TIC(spelling) == TIC(254113311)
    assert TIC(spelling).id == "254113311"


@pytest.mark.parametrize(
    "spelling",
    ["", "TIC", "TIC x", "WASP-121", "²", "TIC 1e5", "TIC+5", "TIC -5", "-5",
     -5, 0, True, 1.5, float("nan"), None, "12345678901",
     10**10, "TIC 25 155310", "25155310\n1"],
)  # fmt: skip
def test_what_is_not_a_tic_is_refused(spelling):
    with pytest.raises(InvalidTICError, match="TIC"):
        TIC(spelling)


def test_ten_digit_tics_exist():
    assert TIC("2000000001").id == "2000000001"


@pytest.mark.parametrize(
    ("spelling", "toi_id", "system", "planet"),
    [
        ("TOI-1130", "TOI1130", "1130", ""),
        ("TOI1130.01", "TOI1130.01", "1130", "01"),
        ("toi 1130.02", "TOI1130.02", "1130", "02"),
        ("TOI_1130", "TOI1130", "1130", ""),
        ("1130", "TOI1130", "1130", ""),
        (1130, "TOI1130", "1130", ""),
        (1130.01, "TOI1130.01", "1130", "01"),
        (1130.1, "TOI1130.10", "1130", "10"),
        (1130.0, "TOI1130", "1130", ""),
        (np.float64(1130.02), "TOI1130.02", "1130", "02"),
        (np.int32(1130), "TOI1130", "1130", ""),
    ],
)
def test_each_spelling_of_a_toi(spelling, toi_id, system, planet):
    toi = TOI(spelling)
    assert (toi.id, toi.system, toi.planet) == (toi_id, system, planet)


@pytest.mark.parametrize(
    "spelling", ["WASP-121", "K2-18", "1e5", "TOI-1130 b", "TOI-1130.1", "", 0, -1, 1130.123, True]
)
def test_what_is_not_a_toi_is_refused_not_turned_into_digits(spelling):
    with pytest.raises(InvalidTOIError):
        TOI(spelling)


@given(tic_numbers)
def test_a_tic_round_trips_and_is_a_value(number):
    tic = TIC(number)
    assert eval(repr(tic)) == tic
    assert TIC(str(tic)) == tic
    assert pickle.loads(pickle.dumps(tic)) == tic
    assert len({tic, TIC(f"TIC_{number}")}) == 1
    with pytest.raises(AttributeError):
        tic.number = 1


@given(st.integers(1, 99999), st.integers(0, 99))
def test_a_toi_round_trips_with_and_without_a_planet(number, planet):
    toi = TOI(f"TOI-{number}.{planet:02d}" if planet else f"TOI-{number}")
    assert eval(repr(toi)) == toi
    assert TOI(toi.id) == toi
    assert TOI(number + planet / 100) == toi
    assert pickle.loads(pickle.dumps(toi)) == toi


@given(tic_numbers, tic_numbers)
def test_tics_sort_by_number(a, b):
    assert (TIC(a) < TIC(b)) == (a < b)
    assert TIC(a) != a


@given(st.integers(1, 9999), st.integers(1, 4), st.integers(1, 4))
def test_a_field_round_trips(sector, camera, ccd):
    field = Field(sector, camera, ccd)
    assert Field.parse(str(field)) == Field.parse(f"{sector}-{camera}-{ccd}") == field


@pytest.mark.parametrize("text", ["0-1-1", "1-5-1", "1-1-0", "1-1", "x"])
def test_impossible_fields_are_refused(text):
    with pytest.raises(InputError):
        Field.parse(text)


@pytest.mark.parametrize("sector", [0, -1, 1.5, True, "1", 10000, None])
def test_impossible_sectors_are_refused(sector):
    with pytest.raises(InputError, match="sector"):
        check_sector(sector)


def test_a_name_is_never_turned_into_digits():
    assert parse_target("TOI-1130") == TOI(1130)
    assert parse_target("25155310") == TIC(25155310)
    with pytest.raises(InputError, match="WASP-121"):
        parse_target("WASP-121")
