"""Rows by their columns: put together from pages that differ, and told of by the names of files."""

from __future__ import annotations

from tessellar.archives.describing import joined_products, stacked, without_repeats
from tessellar.mission import describe
from tessellar.mission.names import match_name, match_names

LC, TP = (f"tess2018206045859-s0001-0000000025155310-0120-s_{ending}.fits" for ending in ("lc", "tp"))
RUN = "tess2018206190142-s0001-s0003-0000000025132999-00129_dvr.xml"


def test_many_names_read_as_each_of_them_does() -> None:
    names = [LC, TP, RUN, "notes.txt", "", "tess2019199202929-s0014-2-3-0150-s_ffic.fits", LC,
             "tess2019199202929-s0014-7-3-0150-s_ffic.fits"]  # fmt: skip
    for some in (names, [], [""], [*names, "two\nlines.fits"]):
        assert list(match_names(some)) == [match_name(name) for name in some]


def test_pages_with_other_columns_and_repeated_rows_are_put_together() -> None:
    pages = [{"dataURI": ("a", "b"), "size": (1, 2)}, {}, {"dataURI": ["b", None, "c"], "kind": ["x", "y", "z"]}]
    whole = stacked(pages)
    assert whole["size"] == [1, 2, None, None, None]
    assert without_repeats(whole, "dataURI") == {
        "dataURI": ["a", "b", "c"], "size": [1, 2, None], "kind": [None, None, "z"],
    }  # fmt: skip
    assert without_repeats({}, "dataURI") == {}
    assert without_repeats(pages[0], "dataURI") == pages[0]


def test_files_tell_what_their_names_and_their_observations_tell() -> None:
    parents = {"1": {"target_name": "25155310", "sequence_number": 1, "camera": 4, "ccd": 2, "obs_id": "o"}}
    told = joined_products(
        {"dataURI": [f"mast:TESS/product/{LC}", f"mast:TESS/product/{RUN}", "mast:TESS/product/strange.bin"],
         "obsID": ["1", "1", "2"]}, parents)  # fmt: skip
    assert list(told["sector_first"]) == [1, 1, None]
    assert list(told["sector_last"]) == [1, 3, None]
    assert list(told["camera"]) == [4, 4, None]
    assert list(told["kind"]) == ["lightcurve", "dv", "unknown"]
    assert list(told["summary"]) == [describe(match_name(name)) for name in (LC, RUN, "strange.bin")]
    assert told["s3_uri"][0].endswith(f"/tid/s0001/0000/0000/2515/5310/{LC}")
    assert told["s3_uri"][2] is None
