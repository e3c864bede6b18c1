"""Known errors of times: by author, sector, version and processing; never guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tessellar import read
from tessellar.errors import InputError
from tessellar.mission import time_offset

FIRST = "spoc-4.0.15-20200114"


@pytest.mark.parametrize(
    ("sector", "told", "seconds"),
    [
        (1, {"version": 0}, -1.979),
        (19, {"version": 26}, -1.979),
        (19, {"version": 26, "at": "start"}, -1.969),
        (19, {"version": 26, "at": "end"}, -1.989),
        (20, {"version": 27, "processing": FIRST}, -1.979),
        (20, {"version": 27, "processing": "spoc-4.0.26-20200323"}, 0.0),
        (20, {"version": 27}, None),
        (21, {"version": 29, "processing": "spoc-4.0.20-20200220"}, -1.979),
        (21, {"version": 29, "processing": "spoc-4.0.26-20200323"}, 0.0),
        (5, {}, None),
        (6, {}, None),
        (6, {"version": 43}, 0.0),
        (5, {"version": 43}, 0.0),
        (60, {}, 0.0),
        (2, {"version": 2, "frames": True, "camera": 4, "ccd": 4}, -1.979 + 1.06),
        (2, {"version": 2, "frames": True}, None),
        (21, {"version": 29, "processing": "spoc-4.0.20-20200220", "frames": True}, -1.979),
    ],
)
def test_offsets_of_spoc(sector: int, told: dict[str, object], seconds: float | None) -> None:
    found = time_offset("SPOC", sector, **told)  # type: ignore[arg-type]
    assert (found is None) if seconds is None else (found is not None and found.seconds == pytest.approx(seconds))


def test_what_is_left_is_said() -> None:
    early = time_offset("SPOC", 1, version=1)
    clock = time_offset("SPOC", 6, version=8)
    assert early is not None
    assert early.uncertainty == 0.35
    assert "Data Release Notes" in early.source
    assert clock is not None
    assert clock.uncertainty == 2.0, "the clock kernel of sector 6 was extrapolated"


def test_authors_are_told_apart() -> None:
    assert time_offset("TESScut", 1, version=1, camera=1, ccd=1) == time_offset(
        "spoc", 1, version=1, frames=True, camera=1, ccd=1
    )
    assert time_offset("QLP", 24, version="v01") is not None
    assert time_offset("QLP", 25, version="v01") is None
    assert time_offset("TGLC", 1) is None
    with pytest.raises(InputError, match="start, mid or end"):
        time_offset("SPOC", 1, at="middle")
    with pytest.raises(InputError, match="no number"):
        time_offset("QLP", 24, version="first")


def test_the_same_cadences_agree_once_corrected(real_data: Path) -> None:
    qlp = read(real_data / "hlsp_qlp_tess_ffi_s0024-0000000188589164_tess_v01_llc.fits")
    spoc = read(real_data / "hlsp_tess-spoc_tess_phot_0000000188589164-s0024_tess_v1_lc.fits")
    _, ours, theirs = np.intersect1d(qlp.cadenceno, spoc.cadenceno, return_indices=True)
    late = (qlp.btjd[ours] - spoc.btjd[theirs]) * 86400
    late = late[np.isfinite(late)]
    offset, right = time_offset("QLP", 24, version="v01"), time_offset("TESS-SPOC", 24, version=35)
    assert offset is not None
    assert offset.uncertainty is not None
    assert right is not None
    assert right.seconds == 0
    assert len(late) > 1000
    assert np.abs(late + offset.seconds).max() < 2 * offset.uncertainty
