"""`tessellar photometry` on prepared frames, lists and regions: rows, files, pictures and exit codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tessellar import read
from tessellar.cli.measuring import read_list, read_region
from tessellar.errors import InputError
from tessellar.photometry import measure_in
from tests.photometry.fieldsky import small_field


@pytest.fixture(scope="module")
def prepared():
    return small_field()


@pytest.fixture(scope="module")
def stars(prepared):
    """Bright stars well inside the window, the brightest first: (tic, ra, dec, tmag)."""
    known, (column, row) = prepared.field.stars, prepared.field.corner
    inside = (np.abs(known.column - column - 64) < 45) & (np.abs(known.row - row - 64) < 45) & (known.tmag < 12)
    order = np.flatnonzero(inside)[np.argsort(known.tmag[inside])]
    return [(int(known.tic[k]), float(known.ra[k]), float(known.dec[k]), float(known.tmag[k])) for k in order]


class TestFrames:
    def test_one_star(self, tessellar, prepared, stars, tmp_path):
        tic = stars[0][0]
        ran = tessellar("--json", "photometry", prepared.folder, "--source", "ffi", "--tic", tic, "-o", tmp_path)
        assert ran.code == 0
        (row,) = ran.json
        assert (row["tic"], row["status"], row["method"]) == (tic, "OK", "aperture")
        assert (row["sector"], row["camera"], row["ccd"], row["cadence"]) == (27, 1, 1, 600.0)
        assert row["cdpp_1_0"] > 0
        assert "_ffi_" in Path(row["path"]).name
        assert int(read(row["path"]).tic) == tic

    def test_a_list_goes_on_after_a_star_that_is_not_there(self, tessellar, prepared, stars, tmp_path):
        listed = tmp_path / "stars.csv"
        listed.write_text(f"# mine\nTIC, name\n{stars[1][0]},first\nTIC 12345,nowhere\n{stars[2][0]},last\n")
        ran = tessellar("--json", "photometry", prepared.folder, "--source", "ffi", "--list", listed, "-o", tmp_path)
        assert ran.code == 1
        by_tic = {row["tic"]: row for row in ran.json}
        assert [by_tic[tic]["status"] for tic in (stars[1][0], stars[2][0])] == ["OK", "OK"]
        assert by_tic[12345]["status"] == "ERROR"
        assert "not in the catalogue" in by_tic[12345]["reason"]
        where = ("input", "sector", "camera", "ccd", "cadence")
        assert [by_tic[12345][name] for name in where] == [by_tic[stars[1][0]][name] for name in where]
        assert set(by_tic[12345]) == set(by_tic[stars[1][0]])

    def test_a_region_with_a_limit(self, tessellar, prepared, stars, tmp_path):
        tic, ra, dec, tmag = stars[0]
        ran = tessellar("--json", "photometry", prepared.folder, "--source", "ffi", "--region", f"{ra} {dec} 0.02",
                        "--limit", f"{tmag + 0.01}", "-o", tmp_path)  # fmt: skip
        assert ran.code == 0
        assert [row["tic"] for row in ran.json] == [tic]
        ran = tessellar("photometry", prepared.folder, "--source", "ffi", "--region", "10 80 0.1", "-o", tmp_path)
        assert ran.code == 2
        assert "no star" in ran.line

    def test_apertures_and_methods_write_files_of_their_own_with_pictures(self, tessellar, prepared, stars, tmp_path):
        paths = []
        for more in (["--aperture", "threshold"], ["--method", "auto", "--plot"]):
            (row,) = tessellar("--json", "photometry", prepared.folder, "--source", "ffi", "--tic", stars[3][0], *more,
                               "-o", tmp_path).json  # fmt: skip
            assert row["status"] in ("OK", "WARNING")
            paths.append(row["path"])
        assert row["method"] in ("aperture", "linpsf")
        assert Path(row["picture"]).read_bytes().startswith(b"\x89PNG")
        assert len(set(paths)) == 2

    def test_a_method_outside_its_range_is_skipped_without_a_file(self, tessellar, prepared, stars, tmp_path):
        ran = tessellar("--json", "photometry", prepared.folder, "--source", "ffi", "--tic", stars[0][0], "--method",
                        "halo", "-o", tmp_path)  # fmt: skip
        assert ran.code == 0
        (row,) = ran.json
        assert (row["status"], row["path"]) == ("SKIPPED", None)
        assert "fainter than" in row["reason"]

    def test_frames_that_are_not_prepared_are_named_with_what_to_run(self, tessellar, prepared, tmp_path):
        for path in prepared.truth.paths[:2]:
            (tmp_path / path.name).symlink_to(path)
        ran = tessellar("photometry", tmp_path, "--source", "ffi", "--all", "-o", tmp_path / "lc")
        assert ran.code == 2
        assert "run `tessellar prepare" in ran.line
        assert "--sector 27 --camera 1 --ccd 1" in ran.line

    def test_two_prepared_fields_of_the_same_frames(self, tessellar, prepared, tmp_path):
        for name in ("a.h5", "b.h5"):
            (tmp_path / name).symlink_to(prepared.field.path)
        ran = tessellar("photometry", tmp_path, "--source", "ffi", "--all", "-o", tmp_path / "lc")
        assert ran.code == 2
        assert "a.h5 and b.h5" in ran.line

    @pytest.mark.parametrize(
        ("more", "told"),
        [
            ([], "which stars"),
            (["--tic", "5", "--all"], "give one"),
            (["--tic", "12345"], "not in the catalogue"),
            (["--all", "--method", "guess"], "no photometry method"),
            (["--all", "--aperture", "guess"], "no aperture is called"),
            (["--region", "here"], "here"),
            (["--region", "a b c"], "RA DEC RADIUS"),
            (["--all", "--method", "linpsf", "--aperture", "threshold"], "takes none"),
            (["--region", "1 2"], "RA, Dec and radius"),
            (["--list", "nowhere.txt"], "nowhere.txt"),
            (["--all", "--sector", "3"], "sector 3"),
            (["--tic", "WASP-121"], "WASP-121"),
        ],
    )
    def test_what_makes_no_sense_is_one_line_and_no_file(self, tessellar, prepared, tmp_path, more, told):
        ran = tessellar("photometry", prepared.folder, "--source", "ffi", *more, "-o", tmp_path / "lc")
        assert ran.code == 2
        assert told in ran.line
        assert not list(tmp_path.rglob("*.fits"))

    def test_a_file_in_place_of_the_folder_to_write_to(self, tessellar, prepared, tmp_path):
        (tmp_path / "x").write_text("mine")
        ran = tessellar("photometry", prepared.folder, "--source", "ffi", "--all", "-o", tmp_path / "x")
        assert ran.code == 4
        assert ran.line.endswith("x: is a file; give a folder")

    @pytest.mark.parametrize("more", [[], ["--tic", 9910000002]])
    def test_without_target_pixel_files_the_prepared_field_is_named(self, tessellar, prepared, tmp_path, more):
        (tmp_path / "mine.h5").symlink_to(prepared.field.path)
        ran = tessellar("photometry", tmp_path, *more, "-o", tmp_path / "lc")
        assert ran.code == 2
        assert ran.line.endswith("but there is a prepared field, mine.h5: add --source ffi")

    def test_stopped_by_hand_it_tells_what_is_done(self, tessellar, prepared, stars, tmp_path, monkeypatch):
        begun = []

        def measure_two(*given):
            begun.append(given)
            if len(begun) == 3:
                raise KeyboardInterrupt
            return measure_in(*given)

        monkeypatch.setattr("tessellar.photometry.measure_in", measure_two)
        named = [word for star in stars[:4] for word in ("--tic", star[0])]
        ran = tessellar("--json", "photometry", prepared.folder, "--source", "ffi", *named, "-o", tmp_path)
        assert ran.code == 130
        assert [row["tic"] for row in ran.json] == [star[0] for star in stars[:2]]
        assert all(Path(row["path"]).is_file() for row in ran.json)
        assert ran.line == f"tessellar: interrupted after 2 of 4 stars; their 2 light curves stay in {tmp_path}"


class TestTargetPixelFiles:
    def test_a_list_of_stars_with_files(self, tessellar, prepared, tmp_path):
        tics = sorted({int(read(path).tic) for path in prepared.truth.target_paths})[:2]
        listed = tmp_path / "two.txt"
        listed.write_text("\n".join(map(str, tics)))
        ran = tessellar("--json", "photometry", prepared.folder, "--source", "tpf", "--list", listed, "-o", tmp_path)
        assert ran.code == 0
        assert [row["tic"] for row in ran.json] == tics
        assert all("_tpf_" in row["path"] for row in ran.json)

    def test_a_star_in_the_file_of_another(self, tessellar, prepared, tmp_path):
        known = prepared.field.stars
        own = min(int(read(path).tic) for path in prepared.truth.target_paths)
        index = known.index(own)
        distance = np.hypot(known.column - known.column[index], known.row - known.row[index])
        other = int(known.tic[np.argsort(distance)[1]])
        ran = tessellar("--json", "photometry", prepared.folder, "--source", f"tpf:{own}", "--tic", other, "--cadence",
                        "120", "--aperture", "optimal", "-o", tmp_path)  # fmt: skip
        (row,) = ran.json
        assert row["tic"] == other
        assert row["status"] in ("OK", "WARNING", "ERROR", "SKIPPED")
        assert f"{own}" in row["input"]
        ran = tessellar("photometry", prepared.folder, "--source", f"tpf:{own}", "-o", tmp_path)
        assert ran.code == 2
        assert "--tic" in ran.line


class TestLists:
    def test_words_commas_headings_and_comments(self, tmp_path):
        path = tmp_path / "list.txt"
        path.write_text("TICID Tmag\nTIC 12 10.0\n13, 9.1 # bright\n\n14|x\n13\n")
        assert read_list(path) == (12, 13, 14)

    @pytest.mark.parametrize(
        ("text", "told"), [("12\nWASP-12\n", "line 2"), ("# nothing\n", "no TIC id"), ("\x00\xff", "line 1")]
    )
    def test_no_list(self, tmp_path, text, told):
        path = tmp_path / "list.txt"
        path.write_text(text)
        with pytest.raises(InputError, match=told):
            read_list(path)

    def test_regions(self):
        assert read_region("84.3, -80.5 0.2").contains(84.3, -80.4)
        assert read_region("CIRCLE ICRS 84.3 -80.5 0.2").contains(84.3, -80.4)
