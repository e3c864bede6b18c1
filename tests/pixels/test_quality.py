"""Flags taken over from stars' files, the calendar of bad times, and what is known of the mission's exclusions."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from tessellar import Field
from tessellar.mission.exclusions import exclusions
from tessellar.pixels import FrameStack
from tessellar.pixels.badtimes import bad_times
from tessellar.pixels.quality import transfer_flags
from tests.pixels.skyframes import write_series

COUNT = 30


def a_stack(folder) -> FrameStack:
    cube = np.random.default_rng(3).normal(100, 2, (COUNT, 20, 20)).astype("f4")
    return FrameStack.open(write_series(folder, cube))


def a_star(stack: FrameStack, flags: dict[float, int], **place: int) -> SimpleNamespace:
    """Two-minute cadences over the stack; `flags` gives the bits at offsets (frames) from its begin."""
    time = np.arange(stack.time_start[0], stack.time_stop[-1], 120 / 86400) - stack.timecorr[0]
    quality = np.zeros(len(time), dtype=np.int32)
    for offset, bits in flags.items():
        at = stack.time_start[0] - stack.timecorr[0] + offset * 1800 / 86400
        quality[np.argmin(np.abs(time - at))] |= bits
    # The star's own barycentric correction is another one than the frames'.
    settings = {"sector": 1, "camera": 4, "ccd": 1, "btjd": time + 2e-3, "timecorr": np.full(len(time), 2e-3)}
    return SimpleNamespace(**(settings | place), quality=quality)


def test_flags_of_stars_come_to_the_frames_of_the_same_time(tmp_path) -> None:
    stack = a_stack(tmp_path)
    flags = {3.5: 32, 7.1: 4 | 64, 12.9: 4096, 20.5: 512}
    own = transfer_flags(stack, [a_star(stack, flags)])
    assert {int(at): int(own[at]) for at in np.flatnonzero(own)} == {3: 32, 7: 4, 12: 4096}
    other = transfer_flags(stack, [a_star(stack, flags, camera=1, ccd=2)])
    assert {int(at): int(other[at]) for at in np.flatnonzero(other)} == {3: 32, 7: 4}, "stray light is a CCD's own"
    assert not transfer_flags(stack, [a_star(stack, flags, sector=2)]).any()
    both = transfer_flags(stack, [a_star(stack, {3.5: 32}), a_star(stack, {3.6: 4}, ccd=2)])
    assert both[3] == 36


def test_the_calendar_names_what_was_wrong_and_when(tmp_path) -> None:
    stack = a_stack(tmp_path)
    quality = np.zeros(COUNT, np.int32)
    quality[4:6] = 32
    quality[9] = 4096
    level = np.full(COUNT, 100.0)
    level[12:15] = 180
    level[20] = np.nan
    peak = level + 5
    peak[17] += 200
    shifts = np.random.default_rng(1).normal(0, 0.003, (COUNT, 2))
    shifts[25] += 0.2
    shifts[26] = np.nan
    jumped = np.zeros(COUNT)
    jumped[28] = 0.5
    found = bad_times(stack, quality, level=level, peak=peak, shifts=shifts, jumped=jumped)
    told = {(each.reason.split(":")[0].split(" (")[0], each.frames, each.excluded) for each in found}
    assert told == {
        ("reaction wheel desaturation", 2, True),
        ("scattered light, from its model", 1, False),
        ("bright sky", 3, False),
        ("bright sky", 1, False),
        ("no usable pixels", 1, True),
        ("stars off by more than 0.05 px", 1, False),
        ("background jumps in more than 10% of the field", 1, False),
    }
    assert [each.begin for each in found] == sorted(each.begin for each in found)
    dump = next(each for each in found if "desaturation" in each.reason)
    assert (dump.begin, dump.end) == (stack.time_start[4], stack.time_stop[5])


def test_exclusions_are_of_their_camera_and_sector() -> None:
    assert [each.reason for each in exclusions(Field(1, 1, 4))] == ["Mars"]
    assert exclusions(Field(1, 1, 3)) == ()
    assert exclusions(Field(2, 1, 4)) == ()
    for ccd in (1, 2, 3, 4):
        assert [each.columns for each in exclusions(Field(5, 1, ccd))] == [(45, 2092)]
