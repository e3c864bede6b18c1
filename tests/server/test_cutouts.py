"""Target pixel files cut from the frames that an archive holds."""

from __future__ import annotations

import io
import time
import warnings
import zipfile

import httpx
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from tessellar.errors import QueryError
from tessellar.products import TargetPixelFile, read
from tessellar.server import ServerThread, cutouts
from tessellar.server.cutouts import parse_cutout
from tessellar.simulate import FrameTruth, simulate_frames
from tests.server.test_clients import session

ASTROCUT = "/tesscut/api/v0.1/astrocut"
COUNT = 6


@pytest.fixture(scope="module")
def sky(tmp_path_factory) -> FrameTruth:
    """Frames away from the edge of a CCD, where astrocut's idea of columns and rows needs help."""
    pytest.importorskip("astrocut")
    return simulate_frames(tmp_path_factory.mktemp("frames"), "1-4-1", window=((700, 779), (900, 971)), n_frames=COUNT)


@pytest.fixture(scope="module")
def archive(sky):
    with ServerThread(sky.directory) as running:
        yield running


@pytest.fixture(scope="module")
def star(sky) -> int:
    """A star in the middle of the frames."""
    column, row = sky.stars["column"], sky.stars["row"]
    return int(np.flatnonzero((abs(column - 740) < 20) & (abs(row - 936) < 20) & (sky.stars["tic"] > 0))[0])


def cut_out(archive, **asked) -> list[tuple[str, fits.HDUList]]:
    reply = httpx.get(archive.url + ASTROCUT, params=asked, timeout=60)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(reply.content)) as packed:
        return [(name, fits.open(io.BytesIO(packed.read(name)))) for name in packed.namelist()]


def test_pixels_times_and_place_are_those_of_the_frames(sky, archive, star, tmp_path):
    sky_place = sky.plane(COUNT // 2).to_pixel(sky.stars["ra"][star], sky.stars["dec"][star])
    found = cut_out(archive, ra=sky.stars["ra"][star], dec=sky.stars["dec"][star], x=7, y=5, units="px", sector=1)
    ((name, hdus),) = found
    assert name == f"tess-s0001-4-1_{sky.stars['ra'][star]:.6f}_{sky.stars['dec'][star]:.6f}_7x5_astrocut.fits"
    hdus.writeto(tmp_path / name)
    pixels = read(tmp_path / name)
    assert isinstance(pixels, TargetPixelFile)
    assert (pixels.author, str(pixels.sector), pixels.camera, pixels.ccd) == ("TESScut", "1", 4, 1)
    assert pixels.flux.shape == (COUNT, 5, 7)
    column, row = pixels.corner
    assert abs(column + 3 - float(sky_place[0])) < 1
    assert abs(row + 2 - float(sky_place[1])) < 1
    for frame, path in enumerate(sky.paths):
        image = read(path)
        part = image.part((column, column + 6), (row, row + 4))
        np.testing.assert_array_equal(pixels.flux[frame], part)
        assert pixels.flux_err[frame].max() < 2
    np.testing.assert_allclose(pixels.btjd, sky.btjd, atol=1e-9)
    np.testing.assert_array_equal(pixels.quality, sky.frames["quality"])
    there = WCS(hdus[2].header).all_world2pix([[sky.stars["ra"][star], sky.stars["dec"][star]]], 1)[0]
    assert there + np.array([column, row]) - 1 == pytest.approx(np.array(sky_place), abs=0.05)


def test_unmodified_astroquery_reads_them(sky, archive, star, tmp_path):
    pytest.importorskip("astroquery")
    ra, dec = float(sky.stars["ra"][star]), float(sky.stars["dec"][star])
    said = session("tesscut_session.py", archive.url, tmp_path / "home", ra, dec, tmp_path)
    assert said["sectors"] == [["tess-s0001-4-1", 1]]
    assert said["names"] == [f"tess-s0001-4-1_{ra:.6f}_{dec:.6f}_5x5_astrocut.fits"]
    assert said["shape"] == [COUNT, 5, 5]
    assert said["rows, columns"] == [9, 7]
    assert said["paths"] == [str(tmp_path / f"tess-s0001-4-1_{ra:.6f}_{dec:.6f}_7x9_astrocut.fits")]
    # 4 x 6 arcmin are 12 x 17 pixels, rows first.
    assert np.abs(np.array(said["in arcmin"]) - [11.5, 17.3]).max() < 1
    assert said["beyond"] > 500
    assert (said["nothing"], said["nothing there"], said["no sector"]) == (0, 0, 0)
    assert sum("no full-frame images" in text for text in said["warnings"]) == 3
    assert any("of sector 2" in text for text in said["warnings"])


def test_lightkurve_opens_them(sky, archive, star, tmp_path):
    lightkurve = pytest.importorskip("lightkurve")
    ((name, hdus),) = cut_out(archive, ra=sky.stars["ra"][star], dec=sky.stars["dec"][star], x=5, y=7, units="px")
    hdus.writeto(tmp_path / name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels = lightkurve.read(str(tmp_path / name), quality_bitmask="none")
        assert (type(pixels).__name__, pixels.flux.shape) == ("TessTargetPixelFile", (COUNT, 7, 5))
        assert (pixels.column, pixels.row) == read(tmp_path / name).corner
        assert len(pixels.to_lightcurve(aperture_mask="all")) == COUNT
        pixels.hdu.close()


def test_an_archive_without_astrocut_says_so(archive, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "astrocut", None)
    reply = httpx.get(archive.url + ASTROCUT, params={"ra": 70.0, "dec": -65.0, "x": 5, "y": 5, "units": "px"})
    assert "astrocut is not installed" in reply.json()["msg"]


def test_a_damaged_frame_is_left_out_or_named(sky, star, tmp_path):
    for path in sky.paths:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damaged = tmp_path / sky.paths[2].name
    damaged.write_bytes(damaged.read_bytes()[:20_000])
    asked = {"ra": sky.stars["ra"][star], "dec": sky.stars["dec"][star], "x": 3, "y": 3, "units": "px"}
    with ServerThread(tmp_path) as running:
        ((_, hdus),) = cut_out(running, **asked)
        assert hdus[1].data["FLUX"].shape[0] == COUNT - 1
        # One that is damaged since the archive looked is named, until it has looked again and leaves that one out; one
        # that is whole again is found then. No question to any other address is needed.
        later = tmp_path / sky.paths[4].name
        later.write_bytes(later.read_bytes()[:20_000])
        damaged.write_bytes(sky.paths[2].read_bytes())
        for _ in range(50):
            reply = httpx.get(running.url + ASTROCUT, params=asked, timeout=60)
            if reply.headers["content-type"] == "application/zip":
                break
            assert later.name in reply.json()["msg"]
            time.sleep(0.2)
        ((_, hdus),) = cut_out(running, **asked)
        # astrocut keeps the first 38 letters of a name.
        assert [str(name) for name in hdus[1].data["FFI_FILE"]] == [
            path.name[:38] for path in sky.paths if path != sky.paths[4]
        ]


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"x": "many"}, "many"), ({"x": -1}, "pixels"), ({"x": 500, "y": 500}, "10000"), ({"units": "inch"}, "px or d"),
        ({"sector": "one"}, "sector"), ({"x": 20, "y": 20, "units": "d"}, "10000"),
    ],
)  # fmt: skip
def test_questions_without_sense(asked, word):
    with pytest.raises(QueryError, match=word):
        parse_cutout(asked, 10.0, 20.0)


def test_questions_without_sense_over_http(archive):
    reply = httpx.get(archive.url + ASTROCUT, params={"ra": 10, "dec": 200})
    assert reply.status_code == 400
    assert reply.json()["msg"]


def test_nothing_is_left_behind(archive, sky, star, monkeypatch, tmp_path):
    monkeypatch.setattr(cutouts, "mkdtemp", lambda prefix: (tmp_path / "made").mkdir() or str(tmp_path / "made"))
    cut_out(archive, ra=sky.stars["ra"][star], dec=sky.stars["dec"][star], x=3, y=3, units="px")
    for _ in range(50):
        if not (tmp_path / "made").exists():
            return
        time.sleep(0.1)
    pytest.fail("the folder of the cut-out is still there")
