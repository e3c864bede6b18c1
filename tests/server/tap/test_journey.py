"""From a CCD to every light curve inside its footprint: the tutorial's steps with pyvo, and tessellar's one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import tessellar
from tessellar import Field, SkyRegion
from tessellar.access import Footprint, footprint, lightcurves_in
from tessellar.access.regions import question
from tessellar.archives.tap import TapService, tap_service
from tessellar.config import Settings
from tessellar.errors import InputError, NotFound, ResultTruncated, TimedOut
from tessellar.mission import ccd_wcs
from tessellar.mission.ccd import ccd_plane
from tessellar.server import ServerThread
from tests.server.folder import light_curve, primary, report, times

PAGE = Path(__file__).resolve().parents[3] / "docs" / "tutorials" / "light-curves-in-a-footprint.md"
FIELD = Field(1, 1, 2)
FFI = "tess2018207052942-s0001-1-2-0120-s_ffic.fits"
# Column and row of each star, 1-based; the last three lie outside, two of them by a few pixels only.
STARS = {
    101: (1000.0, 1000.0), 102: (60.0, 10.0), 103: (2080.0, 2040.0), 104: (45.0 + 3, 700.0),
    201: (2092.5 + 15, 900.0), 202: (900.0, -15.0), 203: (-3000.0, 900.0),
}  # fmt: skip


def frame(path: Path, field: Field) -> None:
    """A full-frame image with the pointing of its field."""
    hdu = fits.ImageHDU(np.zeros((2078, 2136), dtype=np.float32), name=f"CAMERA.CCD {field.camera}.{field.ccd} cal")
    hdu.header.update(ccd_wcs(field).to_header(relax=True))
    hdu.header["CTYPE1"], hdu.header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    hdu.header.update({"CAMERA": field.camera, "CCD": field.ccd})
    times(hdu.header, field.sector, 1800)
    head = primary(0, field.sector, CREATOR="103 FfiExporter")
    for key in ("OBJECT", "TICID", "SECTOR", "CAMERA", "CCD", "RA_OBJ", "DEC_OBJ", "TESSMAG"):
        del head.header[key]
    fits.HDUList([head, hdu]).writeto(path)


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ccd")
    frame(folder / FFI, FIELD)
    for tic, (column, row) in STARS.items():
        ra, dec = (float(x) for x in ccd_plane(FIELD).to_sky(column, row))
        name = f"tess2018206045859-s0001-{tic:016d}-0120-s_lc.fits"
        light_curve(folder / name, tic, RA_OBJ=ra, DEC_OBJ=dec, CAMERA=1, CCD=2)
        if tic in (101, 201):
            later = f"tess2020186164531-s0027-{tic:016d}-0189-s_lc.fits"
            light_curve(folder / later, tic, sector=27, RA_OBJ=ra, DEC_OBJ=dec, CAMERA=1, CCD=4)
        if tic == 101:
            fast = f"tess2020186164531-s0027-{tic:016d}-0189-a_fast-lc.fits"
            light_curve(folder / fast, tic, sector=27, cadence=20.0, RA_OBJ=ra, DEC_OBJ=dec, CAMERA=1, CCD=4)
            qlp = f"hlsp_qlp_tess_ffi_s0001-{tic:016d}_tess_v01_llc.fits"
            light_curve(folder / qlp, tic, cadence=1800.0, ORIGIN="MIT/QLP", CREATOR="", RA_OBJ=ra, DEC_OBJ=dec)
            report(folder / f"tess2018206190142-s0001-s0027-{tic:016d}-00500_dvr.xml", tic)
    return folder


@pytest.fixture(scope="module")
def archive(sky: Path) -> Iterator[ServerThread]:
    with ServerThread(sky) as archive:
        yield archive


def steps(url: str) -> str:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    code = "\n".join(blocks[1:])
    assert code.count("https://mast.stsci.edu") == 1
    return code.replace("https://mast.stsci.edu", url)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_steps_by_hand_and_the_one_line_give_the_same(
    archive: ServerThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    exec(compile(steps(archive.url), str(PAGE), "exec"), known)
    assert len(known["footprint_results"]) == 1  # type: ignore[arg-type]
    assert str(known["footprint"]).startswith("POLYGON ")
    by_hand = known["TAP_results"]
    printed = capsys.readouterr().out
    assert printed.count("Columns=") >= 13
    assert (tmp_path / str(known["filename"])).stat().st_size > 2880

    table = lightcurves_in(footprint("1-1-2", "archive", archive=archive.url), archive=archive.url)
    assert table["obs_id"].tolist() == list(by_hand["obs_id"])  # type: ignore[index]
    assert table.to_urls() == list(by_hand["access_url"])  # type: ignore[index]
    # The archive's footprint is that of the whole image: the star on a virtual column is in it, and not in ours.
    assert sorted({int(name) for name in table["target"]}) == [101, 102, 103, 104, 201]
    table = lightcurves_in("1-1-2", archive=archive.url)
    assert sorted({int(name) for name in table["target"]}) == [101, 102, 103, 104]
    assert set(table["sector"]) == {1, 27}
    assert set(table["kind"]) == {"lightcurve"}
    fetched = tessellar.fetch(table, tmp_path / "data", archive=archive.url)
    assert fetched.ok


def test_a_footprint_says_where_it_is_from(archive: ServerThread, sky: Path) -> None:
    ours = footprint("1-1-2")
    listed = footprint(FIELD, "archive", archive=archive.url)
    framed = footprint((1, 1, 2), frames=sky)
    assert (ours.source, listed.source, framed.source) == ("wcs", "archive", "frames")
    assert listed.detail == FFI.removesuffix("_ffic.fits")
    assert framed.detail == FFI
    assert framed.region.area == pytest.approx(ours.region.area, rel=1e-3)
    assert listed.region.area == pytest.approx(ours.region.area * 2136 * 2078 / 2048**2, rel=5e-3)
    assert len(ours.region.shapes[0].corners) == len(framed.region.shapes[0].corners) == 64
    assert len(listed.region.shapes[0].corners) == 4
    with pytest.raises(NotFound, match="lists no image of s0002-1-2"):
        footprint("2-1-2", "archive", archive=archive.url)
    with pytest.raises(InputError, match="no full-frame image of s0001-1-3"):
        footprint("1-1-3", frames=sky)
    with pytest.raises(InputError, match="write sector-camera-ccd"):
        footprint("one")


def test_a_region_is_narrowed(archive: ServerThread) -> None:
    def targets(**more: object) -> list[str]:
        return [f"{row['target']}/{row['sector']}" for row in lightcurves_in(FIELD, archive=archive.url, **more).rows()]  # type: ignore[arg-type]

    everything = targets()
    assert len(everything) == 6
    assert targets(sectors=27) == ["101/27"] * 2
    assert targets(sectors=[1]) == [one for one in everything if one.endswith("/1")]
    assert targets(cadence=20) == ["101/27"]
    assert targets(author="QLP") == ["101/1"]
    assert targets(author="O'Neill") == []
    assert len(targets(validation=True)) == 6  # the report has no time series here
    where = SkyRegion.circle(*map(float, ccd_plane(FIELD).to_sky(60.0, 10.0)), 0.05)
    (only,) = lightcurves_in(where, archive=archive.url).rows()
    assert only["target"] == "102"
    assert lightcurves_in(str(where), archive=archive.url)["target"].tolist() == ["102"]
    assert lightcurves_in(Footprint(FIELD, where, "wcs", ""), archive=archive.url)["target"].tolist() == ["102"]


class Moody(TapService):
    """A service with limits: so many rows, so large a box, geometry or none."""

    def query(self, adql: str, **more: object):  # type: ignore[no-untyped-def]
        asked.append(adql)
        if "CONTAINS" in adql and not mood["geometry"]:
            raise TimedOut("too slow")
        low, high = map(float, re.findall(r"s_dec BETWEEN (\S+) AND (\S+)", adql)[0])
        if high - low > mood["degrees"]:
            raise TimedOut("too large")
        return super().query(adql, maxrec=mood["rows"], **more)  # type: ignore[arg-type]


asked: list[str] = []
mood: dict[str, float | bool] = {}


@pytest.mark.parametrize(
    ("geometry", "degrees", "most"),
    [
        (True, 180, 100_000),
        (False, 180, 100_000),
        pytest.param(True, 2, 100_000, marks=pytest.mark.heavy),
        pytest.param(True, 180, 3, marks=pytest.mark.heavy),
        (False, 3, 3),
    ],
)
def test_whichever_way_it_is_cut(archive: ServerThread, geometry: bool, degrees: float, most: int) -> None:
    whole = lightcurves_in(FIELD, archive=archive.url)["obs_id"].tolist()
    mood.update(geometry=geometry, degrees=degrees, rows=most)
    asked.clear()
    service = Moody(tap_service(archive.url).url, Settings())
    assert lightcurves_in(FIELD, service=service)["obs_id"].tolist() == whole
    assert len(asked) > 1 or (geometry and degrees == 180 and most == 100_000)
    # A region that crosses right ascension 0 is asked in two boxes.
    assert lightcurves_in("CIRCLE 0 0 5", service=service).rows() == []


def test_a_box_that_cannot_be_cut_further(archive: ServerThread) -> None:
    service = Moody(tap_service(archive.url).url, Settings())
    mood.update(geometry=True, degrees=0, rows=100_000)
    with pytest.raises(TimedOut, match=r"even for a box of 0\.001 degrees"):
        lightcurves_in("CIRCLE 10 10 0.01", service=service)
    mood.update(geometry=True, degrees=180, rows=1)
    ra, dec = map(float, ccd_plane(FIELD).to_sky(1000.0, 1000.0))
    with pytest.raises(ResultTruncated, match="gives no more than 1 rows"):
        lightcurves_in(SkyRegion.circle(ra, dec, 0.01), service=service)


def test_what_is_asked_can_be_read() -> None:
    adql = question(
        (359.0, 360.0), (-1.0, 1.0), SkyRegion.circle(0, 0, 1), sectors=[1, 27], cadence=120, author="O'Neill"
    )
    assert "sequence_number IN (1, 27)" in adql
    assert "provenance_name = 'O''Neill'" in adql
    assert "CIRCLE('ICRS', 0, 0, 1)" in adql
    with pytest.raises(InputError, match="sector"):
        lightcurves_in(FIELD, sectors=9999, archive="http://127.0.0.1:1")


def test_a_recipe_of_what_is_inside_is_locked(archive: ServerThread, tmp_path: Path) -> None:
    from tessellar.access.dataset import lock
    from tessellar.access.dataset.recipe import parse_recipe

    recipe = parse_recipe(f'inside = ["1-1-2"]\nsectors = [27]\narchive = "{archive.url}"')
    found = lock(recipe, tmp_path / "data", archive=archive.url).lock
    assert {file.obs_id.split("-")[1] for file in found.files} == {"s0027"}
    assert len(found.files) == 2
    assert all(file.sha256 for file in found.files)
    assert found.queries[0].criteria["inside"] == "1-1-2"
    with pytest.raises(InputError, match="inside: region: POLYGON at character 1 has 2 numbers"):
        parse_recipe('inside = ["POLYGON 1 2"]')
    with pytest.raises(InputError, match="inside means light curves"):
        parse_recipe('inside = ["1-1-2"]\nkinds = ["tpf"]')
