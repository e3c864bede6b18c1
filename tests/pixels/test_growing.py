"""Windows of which some rows are known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tessellar.pixels.growing import Cubes, read_grown
from tessellar.pixels.stamp import Stamp

SKY = np.random.default_rng(5).normal(size=(3, 2, 40, 30))
FIRST = (45, 1)

spans = st.tuples(st.integers(1, 40), st.integers(1, 40)).map(lambda ends: (min(ends), max(ends)))


def read(corner: tuple[int, int], shape: tuple[int, int]) -> Cubes:
    row, column = corner[1] - FIRST[1], corner[0] - FIRST[0]
    images, errors, background = SKY[:, :, row : row + shape[0], column : column + shape[1]]
    return images, errors, background


@given(known=spans, wanted=spans, aside=st.sampled_from([0, 0, 0, 1]))
def test_it_has_the_pixels_of_one_read_at_once_and_reads_no_row_twice(
    known: tuple[int, int], wanted: tuple[int, int], aside: int
) -> None:
    def window(span: tuple[int, int], left: int = 50) -> tuple[tuple[int, int], tuple[int, int]]:
        return (left, span[0]), (span[1] - span[0] + 1, 7)

    corner, shape = window(known, 50 + aside)
    images, errors, background = read(corner, shape)
    stamp: Any = SimpleNamespace(corner=corner, shape=shape, images=images, errors=errors, background=background)
    rows: list[int] = []

    def counting(corner: tuple[int, int], shape: tuple[int, int]) -> Cubes:
        rows.extend(range(corner[1], corner[1] + shape[0]))
        return read(corner, shape)

    made = read_grown(counting, *window(wanted), cast(Stamp, stamp))
    for cube, whole in zip(made, read(*window(wanted)), strict=True):
        np.testing.assert_array_equal(cube, whole)
    new = set(range(wanted[0], wanted[1] + 1)) - (set() if aside else set(range(known[0], known[1] + 1)))
    assert sorted(rows) == sorted(new)
