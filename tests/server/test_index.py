"""What the index makes of a folder, and that it only looks at what has changed."""

from __future__ import annotations

import gzip
import os
import sqlite3
import time
from pathlib import Path

import pytest

from tessellar.errors import InputError, NoPermission
from tessellar.server import Index
from tests.server import folder as made
from tests.server.folder import DEC, OBS1, RA, STAR


def products(index: Index) -> dict[str, str]:
    """The observation of each file."""
    return dict(index.select("SELECT productFilename, obs_id FROM products"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return made.make(tmp_path / "files")


def test_files_are_counted_by_what_they_are(own):
    index = Index(own, index_path=":memory:")
    report = index.refresh()
    assert (report.products, report.foreign, report.damaged) == (10, 2, 0)
    assert report.targets == 3
    assert report.size == sum(path.stat().st_size for path in own.rglob("*") if path.name in products(index))
    index.close()


def test_only_changed_files_are_read_again_and_vanished_ones_are_forgotten(own, tmp_path):
    kept = tmp_path / "index.sqlite"
    first = Index(own, index_path=kept)
    assert first.refresh().read == 12
    numbers = dict(first.select("SELECT obs_id, obsid FROM observations"))
    assert first.refresh().read == 0
    first.close()

    (own / made.OTHER).unlink()
    made.light_curve(own / "new.fits", 42, sector=3)
    later = (own / made.LC2).stat().st_mtime_ns + 10**9
    os.utime(own / made.LC2, ns=(later, later))
    second = Index(own, index_path=kept)
    report = second.refresh()
    assert (report.read, report.removed, report.products) == (2, 1, 10)
    assert made.OTHER not in products(second)
    assert products(second)["new.fits"] == "tess-s0003-0000000000000042-c0120"
    # The archive's row numbers stay what they were.
    again = dict(second.select("SELECT obs_id, obsid FROM observations"))
    assert {name: again[name] for name in again if name in numbers} == {
        name: numbers[name] for name in numbers if name in again
    }
    second.close()


def test_row_numbers_are_the_same_in_a_new_index(own):
    def numbers() -> dict[str, int]:
        index = Index(own, index_path=":memory:")
        index.refresh()
        found = dict(index.select("SELECT obs_id, obsid FROM observations"))
        index.close()
        return found

    before = numbers()
    (own / made.LC1.replace("s0001", "s0000")).write_bytes(b"")
    assert numbers() == before


def test_a_file_that_only_its_headers_tell_about_joins_its_observation(tmp_path):
    made.light_curve(tmp_path / made.LC1)
    made.target_pixels(tmp_path / "first cadences.fits.gz")
    made.target_pixels(tmp_path / "another cadence.fits", cadence=20.0)
    index = Index(tmp_path, index_path=":memory:")
    index.refresh()
    assert products(index) == {
        made.LC1: OBS1,
        "first cadences.fits.gz": OBS1,
        "another cadence.fits": f"tess-s0001-{STAR:016d}-c0020",
    }
    kinds = dict(index.select("SELECT productFilename, productSubGroupDescription FROM products"))
    assert kinds["first cadences.fits.gz"] == "TP"
    assert kinds["another cadence.fits"] == "FAST-TP"
    # Without the light curve there is no name to go by, and with it again there is.
    (tmp_path / made.LC1).rename(tmp_path / "notes.txt")
    index.refresh()
    assert products(index)["first cadences.fits.gz"] == f"tess-s0001-{STAR:016d}-c0120"
    (tmp_path / "notes.txt").rename(tmp_path / made.LC1)
    index.refresh()
    assert products(index)["first cadences.fits.gz"] == OBS1
    index.close()


def test_a_name_with_something_before_it_is_still_read(tmp_path):
    made.light_curve(tmp_path / f"copy_of_{made.LC1}")
    index = Index(tmp_path, index_path=":memory:")
    index.refresh()
    assert products(index) == {f"copy_of_{made.LC1}": OBS1}
    assert index.path_of(f"mast:TESS/product/copy_of_{made.LC1}") == f"copy_of_{made.LC1}"
    index.close()


def test_of_two_files_with_one_name_one_is_served_and_the_other_takes_its_place(tmp_path):
    for where in ("a", "b"):
        (tmp_path / where).mkdir()
        made.light_curve(tmp_path / where / made.LC1)
    index = Index(tmp_path, index_path=":memory:")
    assert index.refresh().duplicates == 1
    uri = f"mast:TESS/product/{made.LC1}"
    assert index.path_of(uri) == f"a/{made.LC1}"
    (tmp_path / "a" / made.LC1).unlink()
    assert index.refresh().duplicates == 0
    assert index.path_of(uri) == f"b/{made.LC1}"
    index.close()


def test_damaged_files_are_told_from_foreign_ones(tmp_path):
    made.light_curve(tmp_path / made.LC1)
    whole = (tmp_path / made.LC1).read_bytes()
    (tmp_path / made.LC2).write_bytes(whole[:9000])
    (tmp_path / made.OTHER).write_bytes(b"<html>not found</html>")
    (tmp_path / made.TP1).write_bytes(b"")
    (tmp_path / (made.FAST1 + ".gz")).write_bytes(gzip.compress(whole)[:1000])
    (tmp_path / made.DVR).write_text("<html/>")
    (tmp_path / "nameless.fits").write_bytes(b"not FITS")
    os.mkfifo(tmp_path / made.QLP1)
    index = Index(tmp_path, index_path=":memory:")
    report = index.refresh()
    assert (report.products, report.damaged, report.foreign) == (1, 5, 1)
    notes = dict(index.select("SELECT name, note FROM files WHERE state = 'damaged'"))
    assert "cut short" in notes[made.LC2]
    assert "not FITS" in notes[made.OTHER]
    # A file that was still being written is read again when it is complete.
    (tmp_path / made.LC2).write_bytes(whole)
    assert index.refresh().products == 2
    index.close()


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    made.light_curve(outside / made.LC1)
    served = tmp_path / "served"
    served.mkdir()
    made.light_curve(served / made.LC2, sector=2)
    (served / made.LC1).symlink_to(outside / made.LC1)
    (served / "folder").symlink_to(outside)
    (served / made.OTHER).symlink_to(served / made.LC2)
    (served / "round").symlink_to(served)
    index = Index(served, index_path=":memory:")
    report = index.refresh()
    assert set(products(index)) == {made.LC2, made.OTHER}
    assert sorted(report.outside) == sorted(["folder", "round", made.LC1])
    index.close()


def test_nothing_is_written_into_the_folder(own):
    before = sorted(own.rglob("*"))
    index = Index(own)
    index.refresh()
    index.close()
    assert sorted(own.rglob("*")) == before
    with pytest.raises(InputError, match="must not lie in the folder"):
        Index(own, index_path=own / "index.sqlite")


def test_the_index_is_kept_in_the_users_cache_folder(own):
    import platformdirs

    Index(own).close()
    cache = Path(platformdirs.user_cache_dir("tessellar", appauthor=False))
    (kept,) = (cache / "server").iterdir()
    kept.write_bytes(b"this is no database at all, but was one" * 100)
    index = Index(own)
    assert index.refresh().products == 10
    index.close()
    again = Index(own)
    assert again.refresh().read == 0
    again.close()


def test_a_cache_that_cannot_be_written_is_done_without(own, tmp_path, monkeypatch):
    (tmp_path / "in the way").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "in the way"))
    index = Index(own)
    assert index.refresh().products == 10
    index.close()


def test_a_file_of_the_user_is_never_taken_for_an_index(own, tmp_path):
    text = tmp_path / "thesis.txt"
    text.write_text("my thesis " * 1000)
    with pytest.raises(InputError, match="not an index"):
        Index(own, index_path=text)
    assert text.read_text() == "my thesis " * 1000
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE results (flux)")
    connection.close()
    with pytest.raises(InputError, match="not an index"):
        Index(own, index_path=other)
    with pytest.raises(NoPermission, match="choose another place"):
        Index(own, index_path=text / "index.sqlite")


def test_folders_that_cannot_be_served(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        Index(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="not a folder"):
        Index(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0)
    with pytest.raises(NoPermission):
        Index(locked)


def test_an_index_of_another_version_is_made_anew(own, tmp_path, monkeypatch):
    kept = tmp_path / "index.sqlite"
    index = Index(own, index_path=kept)
    index.refresh()
    index.close()
    monkeypatch.setattr("tessellar.server.schema.LAYOUT", 999)
    index = Index(own, index_path=kept)
    assert index.refresh().read == 12
    index.close()


def test_hundreds_of_files_a_second(tmp_path):
    made.light_curve(tmp_path / made.LC1)
    content = (tmp_path / made.LC1).read_bytes()
    for tic in range(300):
        (tmp_path / f"tess2018206045859-s0001-{tic + 1:016d}-0120-s_lc.fits").write_bytes(content)
    index = Index(tmp_path, index_path=tmp_path.parent / "speed.sqlite")
    start = time.perf_counter()
    report = index.refresh()
    assert report.products == 301
    assert 301 / (time.perf_counter() - start) > 50  # 2000 on a free machine
    start = time.perf_counter()
    index.refresh()
    assert time.perf_counter() - start < 0.5
    index.close()


def test_positions_come_from_reports_too(tmp_path):
    made.report(tmp_path / made.MULTI, sectors="011")
    made.report(tmp_path / "nameless.xml", tic=77, sectors="001")
    index = Index(tmp_path, index_path=":memory:")
    index.refresh()
    rows = index.select("SELECT target_name, s_ra, s_dec, sequence_number, dataURL FROM observations ORDER BY 1")
    assert rows == [
        (str(STAR), RA, DEC, 2, f"mast:TESS/product/{made.MULTI}"),
        ("77", RA, DEC, 2, "mast:TESS/product/nameless.xml"),
    ]
    index.close()


def test_real_files(real_data):
    index = Index(real_data, index_path=":memory:")
    report = index.refresh()
    assert report.damaged == 0
    where = products(index)
    star = "tess2018206045859-s0001-0000000025155310-0120-s"
    assert where["tess25155310-s01-first-cadences.fits.gz"] == star
    assert where["backdrop_tess2018206192942-s0001-1-4-0120-s_ffic.fits"] == "tess2018206192942-s0001-1-4-0120-s"
    # A report of one sector belongs to the observation of that sector, whatever time its name has.
    report_name = "tess2018206190142-s0001-s0001-0000000117544915-00106_dvr.xml"
    assert where[report_name] == "tess2018206045859-s0001-0000000117544915-0120-s"
    rows = index.select(
        "SELECT provenance_name, target_name, t_exptime FROM observations WHERE target_name = '188589164'"
    )
    assert sorted(rows) == [
        ("QLP", "188589164", 1800.0),
        ("SPOC", "188589164", 120.0),
        ("TESS-SPOC", "188589164", 1800.0),
    ]
    # eleanor's file tells its star in another keyword, TGLC's as text.
    assert index.select("SELECT target_name FROM observations WHERE provenance_name = 'ELEANOR'") == [("261136679",)]
    assert index.select("SELECT target_name FROM observations WHERE provenance_name = 'TGLC'") == [("389023759",)]
    index.close()
