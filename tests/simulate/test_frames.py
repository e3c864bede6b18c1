"""Simulated full-frame images: as the mission's files, and true to their truth."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS, FITSFixedWarning

from tessellar import Field
from tessellar.errors import Corrupt, InputError, MissingInput
from tessellar.mission import ccd_wcs
from tessellar.mission.motion import move
from tessellar.pixels import FrameStack, MissionPRF, StarField
from tessellar.products import FullFrameImage, read
from tessellar.simulate import FrameTruth, detector, simulate_frames
from tessellar.simulate.frames.exposing import exposure_of
from tessellar.simulate.frames.motion import aberration
from tessellar.simulate.frames.orbit import barycentric_place, light_travel, spacecraft
from tessellar.simulate.frames.plan import plan_frames
from tessellar.simulate.frames.skylight import strap_columns

FIELD = Field(1, 4, 1)
SIZE, COUNT = 150, 40


@pytest.fixture(scope="module")
def sky(tmp_path_factory) -> FrameTruth:
    """A window with stars enough, and frames enough for a gap, dumps and scattered light."""
    return simulate_frames(tmp_path_factory.mktemp("sky"), FIELD, window=SIZE, n_frames=COUNT, stars=60_000)


@pytest.fixture(scope="module")
def pixels(sky) -> np.ndarray:
    return np.stack([np.asarray(read(path).science, dtype=np.float64) for path in sky.paths])


@pytest.fixture(scope="module")
def light(sky) -> np.ndarray:
    return np.stack([sky.light(frame) for frame in range(len(sky))]).astype(np.float64)


def catalog_at(places, tmag, field=FIELD) -> Table:
    """A catalogue of stars at CCD places, without proper motion."""
    ra, dec = ccd_wcs(field).all_pix2world(np.array(places, dtype=float), 1).T
    return Table({"ID": np.arange(len(tmag)) + 1, "ra": ra, "dec": dec, "Tmag": np.array(tmag, dtype=float)})


def header_wcs(path) -> WCS:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        return WCS(fits.getheader(path, 1))


def test_fitsverify_finds_nothing(sky):
    if shutil.which("fitsverify") is None:
        pytest.skip("fitsverify is not installed")
    files = [*sky.paths[::10], *sorted((sky.directory / "prf").glob("*.fits"))[:2]]
    report = subprocess.run(["fitsverify", *map(str, files)], capture_output=True, text=True, check=False).stdout
    assert report.count("0 warning(s) and 0 error(s)") == len(files)


def test_sums_are_right_to_astropy(sky):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(sky.paths[3], checksum=True) as hdus:
            assert [hdu.name for hdu in hdus] == ["PRIMARY", "CAMERA.CCD 4.1 cal", "CAMERA.CCD 4.1 uncert"]
            assert all(hdu.header["SIMULATD"] is True for hdu in hdus)


def test_headers_are_those_of_the_mission(sky, real_data):
    real = fits.open(real_data / "backdrop_tess2018206192942-s0001-1-4-0120-s_ffic.fits")
    with real, fits.open(sky.paths[0]) as ours:
        for theirs, own in zip(real, ours, strict=True):
            assert [key for key in theirs.header if key not in own.header] in ([], ["TMOFST14"])
            assert set(own.header) - set(theirs.header) <= {"SIMULATD", "DATASUM", "FFIINDEX", "TMOFST41"}
            shared = [key for key in theirs.header if key in own.header]
            assert shared == [key for key in own.header if key in theirs.header]
            for key in set(shared) - {"CHECKSUM", "ORIGIN", "CREATOR"}:
                assert own.header.comments[key] == theirs.header.comments[key], key
                assert type(own.header[key]) is type(theirs.header[key]), key
        for key in ("EXPOSURE", "TELAPSE", "LIVETIME"):
            assert ours[1].header[key] == pytest.approx(real[1].header[key], rel=1e-6)
        for key in ("DEADC", "INT_TIME", "NUM_FRM", "NREADOUT", "TIMEDEL", "BUNIT"):
            assert ours[1].header[key] == real[1].header[key]
        assert abs(ours[0].header["TSTART"] - real[0].header["TSTART"]) * 86400 < 2.0


def test_tessellar_reads_them_as_frames_of_the_mission(sky):
    image = read(sky.paths[0])
    assert isinstance(image, FullFrameImage)
    assert (image.author, image.field, image.simulated, image.cadenceno) == ("SPOC", FIELD, True, 4697)
    assert image.flux.shape == (SIZE, SIZE + 44)
    assert image.science.shape == (SIZE, SIZE)
    assert image.corner == (1, 1)
    assert set(image.collateral) == {"leading"}
    assert np.abs(image.collateral["leading"]).max() < 1
    stack = FrameStack.open(sky.directory)
    assert (len(stack), stack.cadence, stack.corner, stack.shape) == (COUNT, 1800, (45, 1), (SIZE, SIZE))
    np.testing.assert_allclose(stack.time, sky.btjd, atol=1e-9)
    np.testing.assert_array_equal(stack.quality, sky.frames["quality"])
    assert len(stack.missing) == 2


def test_positions_are_those_of_the_world_coordinates(sky):
    catalog = Table.read(sky.directory / "tic.ecsv")
    epoch = 0.5 * (sky.btjd[0] + sky.btjd[-1])
    ra, dec = move(catalog["ra"], catalog["dec"], catalog["pmRA"], catalog["pmDEC"], epoch)
    for frame in (0, 17, COUNT - 1):
        column, row = (each[: len(catalog)] for each in sky.places(frame))
        there = header_wcs(sky.paths[frame]).all_world2pix(np.column_stack([ra, dec]), 1)
        assert np.hypot(there[:, 0] - column, there[:, 1] - row).max() < 0.01
        exact = sky.plane(frame).to_pixel(ra, dec)
        assert np.hypot(exact[0] - column, exact[1] - row).max() < 1e-5
    track = sky.track(5)
    np.testing.assert_allclose(track[17], [each[5] for each in sky.places(17)], atol=1e-9)
    assert 0.001 < track.std(axis=0).max() < 0.2


def test_a_window_elsewhere_has_its_own_pixels_only(tmp_path):
    window = ((700, 763), (900, 947))
    truth = simulate_frames(tmp_path, "27-1-3", window=window, n_frames=2)
    image = read(truth.paths[0])
    assert (image.corner, image.flux.shape, image.science.shape) == ((700, 900), (48, 64), (48, 64))
    assert image.field == Field(27, 1, 3)
    # Sectors 27 to 55 have frames of 600 s, and the first of sector 27 was number 116470.
    assert truth.settings["cadence"] == 600
    # Its scheduled begin is known to a day.
    assert abs(image.cadenceno - 116470) < 200
    column, row = (each[:3] for each in truth.places(0))
    sky = truth.plane(0).to_sky(column, row)
    there = header_wcs(truth.paths[0]).all_world2pix(np.column_stack(sky), 1) + np.array(image.corner) - 1
    np.testing.assert_allclose(there, np.column_stack([column, row]), atol=0.01)


def test_numbers_go_with_those_of_the_two_minute_cadences():
    """In sectors 1 and 24 the middle of frame C is that of 2-min cadence 15 C + 10 (real light curves)."""
    from tessellar.simulate.schedule import clock_of

    for sector in (1, 24):
        plan = plan_frames(Field(sector, 1, 1), 1800)
        np.testing.assert_allclose(plan.mid, clock_of(15 * plan.number.astype(int) + 10), atol=1e-9)
    assert abs(plan_frames(Field(24, 1, 1), 1800).number[0] - 34960) <= 1
    fine, coarse = plan_frames(FIELD, 200), plan_frames(FIELD, 1800)
    assert fine.number[0] == pytest.approx(9 * coarse.number[0], abs=9)


def test_gaps_flags_and_times(sky):
    number, quality = sky.frames["number"], sky.frames["quality"]
    assert sorted(np.diff(number))[-1] == 3
    assert np.diff(sky.btjd).min() > 0
    flagged = [int(((quality & bit) > 0).sum()) for bit in (32, 128, 4096)]
    assert min(flagged) >= 1
    assert flagged[0] >= 3
    assert (quality == 0).mean() > 0.7
    header = fits.getheader(sky.paths[int(np.argmax(quality & 4096))], 1)
    assert header["DQUALITY"] & 4096
    assert sky.names == sorted(sky.names)


def test_times_are_those_of_the_spacecraft_plus_barycorr(sky):
    header, primary = fits.getheader(sky.paths[7], 1), fits.getheader(sky.paths[7], 0)
    assert header["TSTART"] - header["BARYCORR"] == pytest.approx(primary["TSTART"], abs=1e-9)
    assert (header["TSTOP"] - header["TSTART"]) * 86400 == pytest.approx(1800, abs=0.01)
    # The Earth alone is off by what light needs from the spacecraft to it.
    from tessellar.simulate.schedule import light_travel as from_earth

    clock = np.linspace(1326.0, 1352.0, 50)
    excess = (light_travel(80.0, -60.0, barycentric_place(clock)) - from_earth(80.0, -60.0, clock)) * 86400
    a, d = np.radians([80.0, -60.0])
    star = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    np.testing.assert_allclose(excess, spacecraft(clock) @ star / 299792.458, atol=2e-4)
    assert 0.2 < np.abs(excess).max() < 1.3
    np.testing.assert_allclose(sky.frames["spacecraft"], spacecraft(sky.frames["mid"]))
    # Each star has times of its own, near those of the CCD's middle.
    differences = np.array([sky.times(star)[0] - sky.btjd[0] for star in range(50)]) * 86400
    assert 1 < np.abs(differences).max() < 90


def test_noise_is_that_of_photons_and_reading(sky, pixels, light):
    residual = pixels - light
    exposure = exposure_of(1800)
    assert exposure.noise_time == pytest.approx(900 * 0.949 * 1.98)
    read_noise = detector.READ_NOISES[0]
    expected = np.sqrt(light / exposure.noise_time + exposure.worth * read_noise**2 / exposure.noise_time**2)
    clean = np.ones(residual.shape, dtype=bool)
    for frame in range(len(sky)):
        column, row, _ = sky.rays(frame)
        clean[frame, row - 1, column - 45] = False
    pull = (residual / expected)[clean]
    assert pull.size > 0.99 * residual.size
    assert abs(pull.mean()) < 5 / np.sqrt(pull.size)
    assert abs(pull.std() - 1) < 5 / np.sqrt(2 * pull.size)
    # The files' own errors, from their own counts, say the same.
    told = np.stack([fits.getdata(path, 2)[:, 44:] for path in sky.paths[:5]])
    assert (residual[:5] / told)[clean[:5]].std() == pytest.approx(1, abs=0.01)
    # Neighbouring pixels and frames know nothing of each other.
    assert abs(np.mean(pull[1:] * pull[:-1])) < 5 / np.sqrt(pull.size)


def test_cosmic_rays_are_where_the_truth_has_them(tmp_path):
    truth = simulate_frames(tmp_path, FIELD, window=200, n_frames=2, mitigation=False)
    excess = np.asarray(read(truth.paths[0]).science, dtype=np.float64) - truth.light(0)
    assert fits.getval(truth.paths[0], "CRMITEN") is False
    column, row, hits = truth.rays(0)
    added = np.zeros_like(excess)
    np.add.at(added, (row - 1, column - 45), hits)
    # 5 a second on each square centimetre.
    assert len(np.unique(row * 4096 + column)) > 5 * 1800 * (200 * 15e-4) ** 2
    assert (excess - added).std() < 0.5
    assert excess.sum() == pytest.approx(added.sum(), rel=0.02)


def test_all_light_of_a_star_is_what_its_magnitude_says(tmp_path):
    tmag = 8.0
    truth = simulate_frames(
        tmp_path, FIELD, window=170, n_frames=3, catalog=catalog_at([(129.3, 85.7)], [tmag]), seed=4
    )
    flux = 10 ** (-0.4 * (tmag - 20.44))
    assert truth.flux[0] == pytest.approx(flux)
    for frame in range(3):
        sky = truth.background(frame, unresolved=False, halos=False)
        asteroids = np.hypot(truth.asteroids["track"][:, frame, 0] - 129, truth.asteroids["track"][:, frame, 1] - 86)
        stars = truth.light(frame).astype(np.float64) - sky
        rays = truth.rays(frame)[2].sum()
        measured = np.asarray(read(truth.paths[frame]).science, dtype=np.float64).sum() - sky.sum(dtype=np.float64)
        others = 10 ** (0.4 * (20.44 - truth.asteroids["tmag"])).sum() if len(asteroids) else 0.0
        expected = float(truth.series(0)[frame]) + others
        # Of an asteroid some light may fall outside the window; its halo is not drawn.
        assert stars.sum() == pytest.approx(expected, abs=0.05 * others + 5e-4 * flux)
        assert measured - rays == pytest.approx(stars.sum(), abs=5 * 0.4 * 170)


def test_charge_that_bleeds_is_not_lost(tmp_path):
    truth = simulate_frames(
        tmp_path, FIELD, window=((45, 200), (1, 300)), n_frames=1, catalog=catalog_at([(120.2, 150.4)], [4.0])
    )
    image = truth.light(0).astype(np.float64)
    assert image.max() == pytest.approx(detector.SATURATION, rel=1e-6)
    full = image > 0.99 * detector.SATURATION
    rows, columns = full.any(axis=1).sum(), full.any(axis=0).sum()
    assert rows > 4 * columns
    light = (image - truth.background(0, unresolved=False, halos=False)).sum()
    assert light == pytest.approx(truth.series(0)[0], rel=2e-3)
    assert np.asarray(read(truth.paths[0]).science).max() < 1.01 * detector.SATURATION


def test_drawing_faint_stars_at_once_is_as_good_as_one_by_one(sky):
    """The image of one frame against all its stars, drawn where they are in it."""
    from tessellar.pixels import add_stars
    from tessellar.simulate.frames.responses import WING_SHARE

    frame = int(np.argmax(np.abs(sky.motion.affine[:, :, 0]).max(axis=1) * (sky.frames["quality"] == 0)))
    response = MissionPRF.open(sky.directory / "prf", camera=4, ccd=1)
    image = sky.background(frame, unresolved=False).astype(np.float64)
    column, row = sky.places(frame)
    flux = np.array([sky.series(star)[frame] for star in range(len(column))])
    add_stars(image, sky.corner, column, row, (1 - WING_SHARE) * flux, response)
    made = sky.light(frame)
    place = sky.asteroids["track"][:, frame]
    away = np.ones(made.shape, dtype=bool)
    y, x = np.mgrid[1 : SIZE + 1, 45 : SIZE + 45]
    for asteroid in place:
        away &= np.hypot(x - asteroid[0], y - asteroid[1]) > 9
    difference = (made - image)[away & (image < 5000)]
    # Noise is 0.3 e-/s/px; halos of moved and varying stars are followed to first order.
    assert difference.std() < 0.02
    assert np.abs(difference).max() < 0.15


def test_stars_follow_their_signals(sky, light):
    kinds = dict(zip(sky.variables["star"].tolist(), sky.variables["kind"].tolist(), strict=True))
    assert {"planet", "eclipser", "pulsator", "flares"} <= set(kinds.values())
    tested = 0
    for star in kinds:
        column, row = round(sky.stars["column"][star]), round(sky.stars["row"][star])
        series = sky.series(star) / sky.flux[star]
        inside = 49 < column < SIZE + 40 and 5 < row < SIZE - 5
        if sky.stars["tmag"][star] > 12 or not inside or np.ptp(series) < 0.03:
            continue
        quiet = sky.frames["quality"] == 0
        box = light[:, row - 2 : row + 1, column - 46 : column - 43]
        level = np.stack(
            [sky.background(frame)[row - 2 : row + 1, column - 46 : column - 43] for frame in range(COUNT)]
        )
        measured = (box - level).sum(axis=(1, 2))
        measured /= np.median(measured / series)
        # Other stars in the box dilute it, and the image moves a little.
        slope = np.polyfit(series[quiet], measured[quiet], 1)[0]
        assert 0.6 < slope < 1.15, kinds[star]
        tested += 1
    assert tested >= 1


def test_catalogue_ends_where_it_should_and_the_rest_shines(sky, light):
    catalog = Table.read(sky.directory / "tic.ecsv")
    assert {"ID", "ra", "dec", "pmRA", "pmDEC", "Tmag"} <= set(catalog.colnames)
    assert catalog["Tmag"].max() < 16.2
    assert catalog["ID"].min() > 9_900_000_000
    stars = StarField.of(FrameStack.open(sky.directory), catalog)
    assert len(stars) > 200
    faint = sky.stars["tmag"][len(catalog) :]
    assert faint.min() > 16
    assert 19.9 < faint.max() <= 20
    # Ten times more of them than of the others: exp(4 / 1.4) - 1 is 16.
    assert len(faint) / len(catalog) == pytest.approx(16.4, rel=0.05)
    density = 60_000 / 2048**2
    assert sky.unresolved == pytest.approx(0.96 * 5.5 * 60_000 / 200_000, rel=0.1)
    assert len(catalog) == pytest.approx(density * (SIZE + 128) ** 2, rel=0.15)


def test_response_resembles_the_missions(sky, real_data):
    ours = MissionPRF.open(sky.directory / "prf", camera=4, ccd=1)
    real = MissionPRF.open(real_data, camera=4, ccd=1, sector=1)
    assert ours.columns.tolist() == [45, 557, 1069, 1580, 2092]
    for place in ((1580.0, 1.0), (2092.0, 513.0)):
        assert ours.noise_area(*place) == pytest.approx(real.noise_area(*place), rel=0.15)
        core, true = (each.boxes(*place)[0, 0, 5:10, 5:10].sum() for each in (ours, real))
        assert core == pytest.approx(true, abs=0.03)
    assert np.abs(ours.boxes(45.0, 1.0) - ours.boxes(2092.0, 2048.0)).max() > 0.02


def test_the_missions_response_is_taken_when_given(tmp_path, real_data):
    truth = simulate_frames(
        tmp_path, FIELD, window=((1600, 1647), (200, 247)), n_frames=1, prf=real_data,
        catalog=catalog_at([(1623.3, 223.8)], [7.5]),
    )  # fmt: skip
    response = MissionPRF.open(real_data, camera=4, ccd=1, sector=1)
    column, row = (each[0] for each in truth.places(0))
    box = response.boxes(column, row)[0, 0, 5:10, 5:10]
    corner = round(column) - 2 - 1600, round(row) - 2 - 200
    image = truth.light(0) - truth.background(0, unresolved=False, halos=True)
    found = image[corner[1] : corner[1] + 5, corner[0] : corner[0] + 5]
    np.testing.assert_allclose(found, 0.96 * truth.series(0)[0] * box, rtol=0.02, atol=8)
    assert not (tmp_path / "prf").exists()


def test_differential_aberration_moves_the_field(sky):
    mid = np.linspace(1325.5, 1352.5, 60)
    drift = aberration(FIELD, mid)
    corner = np.array([1.0, -1000.0, -1000.0])
    moved = drift @ corner
    assert 0.02 < np.ptp(moved, axis=0).max() < 0.5
    # Zero in the middle of the sector, and smooth.
    middle = int(np.argmin(np.abs(mid - 1339.2)))
    assert np.abs(moved[middle]).max() < 0.02
    assert np.abs(np.diff(moved, n=2, axis=0)).max() < 1e-3


def test_an_asteroid_crosses_the_window(sky, light):
    steady = np.median(light, axis=0)
    track = sky.asteroids["track"][0]
    frame = COUNT // 2
    column, row = track[frame]
    box = (light[frame] - steady)[round(row) - 3 : round(row) + 2, round(column) - 47 : round(column) - 42]
    expected = 10 ** (0.4 * (20.44 - sky.asteroids["tmag"][0]))
    assert box.sum() > 0.4 * expected
    assert np.hypot(*(track[-1] - track[0])) > 10


def test_straps_and_scattered_light(sky):
    level = [np.median(sky.background(frame)) for frame in range(COUNT)]
    assert max(level) > 1.15 * np.median(level)
    smooth, real = sky.background(3, straps=False, halos=False), sky.background(3, halos=False)
    over = np.flatnonzero((real - smooth)[0] > 0.1) + 45
    assert over.tolist() == [column for column in strap_columns() if column < 45 + SIZE]
    # The corner that is farthest from the camera's axis glows.
    assert smooth[0, 0] > smooth[-1, -1] + 5


def test_the_same_seed_gives_the_same_bytes_however_many_threads(tmp_path):
    arguments = {"window": 40, "n_frames": 3, "cadence": 200}
    one = simulate_frames(tmp_path / "a", "56-2-2", workers=1, **arguments)
    two = simulate_frames(tmp_path / "b", "56-2-2", workers=3, **arguments)
    other = simulate_frames(tmp_path / "c", "56-2-2", seed=2, **arguments)
    for name in [*one.names, "tic.ecsv", "truth.h5", "simulation.json"]:
        assert (one.directory / name).read_bytes() == (two.directory / name).read_bytes(), name
    assert one.paths[0].read_bytes() != other.paths[0].read_bytes()


def test_a_run_that_stopped_goes_on(tmp_path):
    arguments = {"window": 40, "n_frames": 4, "cadence": 600}
    whole = simulate_frames(tmp_path / "whole", FIELD, **arguments)
    part = simulate_frames(tmp_path / "part", FIELD, **arguments)
    part.paths[2].unlink()
    for place in ("", "prf"):
        (part.directory / place / f".{part.names[2]}.999999999.part").write_bytes(b"left by a killed run")
    kept = part.paths[1].stat().st_mtime_ns
    simulate_frames(tmp_path / "part", FIELD, **arguments)
    assert part.paths[1].stat().st_mtime_ns == kept
    assert part.paths[2].read_bytes() == whole.paths[2].read_bytes()
    assert not list(part.directory.rglob(".*.part"))


@pytest.mark.heavy
def test_killed_at_any_moment_it_ends_the_same(tmp_path):
    arguments = ["--sector", "1", "--camera", "4", "--ccd", "1", "--window", "64", "--frames", "60", "-q"]
    command = [sys.executable, "-m", "tessellar", "-q", "simulate"]
    rng = np.random.default_rng(5)
    subprocess.run([*command, str(tmp_path / "whole"), *arguments[:-1]], check=True)
    for _ in range(10):
        running = subprocess.Popen([*command, str(tmp_path / "killed"), *arguments[:-1]])
        time.sleep(rng.uniform(1.0, 5.0))
        running.kill()
        running.wait()
    subprocess.run([*command, str(tmp_path / "killed"), *arguments[:-1]], check=True)
    names = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file())
    assert names == sorted(
        path.relative_to(tmp_path / "killed") for path in (tmp_path / "killed").rglob("*") if path.is_file()
    )
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes(), name


@pytest.mark.heavy
def test_a_whole_ccd_has_all_its_collateral_pixels(tmp_path):
    truth = simulate_frames(tmp_path, "1-1-4", n_frames=1, stars=20_000)
    image = read(truth.paths[0])
    assert image.flux.shape == (2078, 2136)
    assert image.science.shape == (2048, 2048)
    assert set(image.collateral) == {"leading", "trailing", "buffer", "smear", "virtual"}
    assert all(np.abs(part).max() < 1 for part in image.collateral.values())
    report = subprocess.run(["fitsverify", str(truth.paths[0])], capture_output=True, text=True, check=False).stdout
    assert "0 warning(s) and 0 error(s)" in report


@pytest.fixture(scope="module")
def stamps(tmp_path_factory) -> FrameTruth:
    """Frames with target pixel files of two of their stars, at both cadences."""
    return simulate_frames(
        tmp_path_factory.mktemp("stamps"), FIELD, window=72, n_frames=26, stars=100_000, targets=2,
        target_cadences=(120, 1800),
    )  # fmt: skip


def test_stamps_at_the_frames_cadence_are_their_pixels(stamps):
    for path in (
        path for path in stamps.target_paths if path.name.startswith("hlsp") and path.name.endswith("tp.fits")
    ):
        pixels = read(path)
        assert (pixels.author, pixels.cadence, pixels.field) == ("TESS-SPOC", 1800, FIELD)
        column, row = pixels.corner
        for frame in (0, 20):
            part = read(stamps.paths[frame]).part((column, column + 10), (row, row + 10))
            np.testing.assert_allclose(pixels.flux[frame] + pixels.flux_bkg[frame], part, rtol=1e-5)
        np.testing.assert_array_equal(pixels.cadenceno, stamps.frames["number"])
        np.testing.assert_array_equal(pixels.quality, stamps.frames["quality"])
        star = stamps.index(int(pixels.tic))
        np.testing.assert_allclose(pixels.btjd, stamps.times(star), atol=1e-8)


def test_stamps_of_two_minutes_are_of_the_same_sky(stamps):
    for path in (path for path in stamps.target_paths if path.name.endswith("s_tp.fits")):
        pixels, curve = read(path), read(path.with_name(path.name.replace("_tp.", "_lc.")))
        assert (pixels.author, pixels.cadence, pixels.field) == ("SPOC", 120, FIELD)
        star = stamps.index(int(pixels.tic))
        # Fifteen of them make a frame: numbers, times, light, place and flags.
        middle = 15 * stamps.frames["number"] + 10
        at = np.searchsorted(pixels.cadenceno, middle)
        np.testing.assert_array_equal(pixels.cadenceno[at], middle)
        np.testing.assert_allclose(pixels.btjd[at], stamps.times(star), atol=1e-7)
        truth = stamps.cadences(int(pixels.tic))
        signal, column = (np.array([truth[name][k - 7 : k + 8].mean() for k in at]) for name in ("SIGNAL", "COLUMN"))
        np.testing.assert_allclose(signal, stamps.series(star) / stamps.flux[star], atol=2e-3)
        assert np.abs(truth["SIGNAL"][at] - stamps.series(star) / stamps.flux[star]).max() < 0.2
        np.testing.assert_allclose(column, stamps.track(star)[:, 0], atol=0.003)
        dumps = (stamps.frames["quality"] & 32) > 0
        assert ((pixels.quality[at] & 32) > 0).tolist() == dumps.tolist()
        mask = (pixels.aperture & 2) > 0
        good = pixels.quality == 0
        residual = pixels.flux[good][:, mask].sum(axis=1, dtype=np.float64) - truth["FLUX"][good]
        errors = np.sqrt((pixels.flux_err[good][:, mask].astype(np.float64) ** 2).sum(axis=1))
        assert (residual / errors).std() == pytest.approx(1, abs=5 / np.sqrt(2 * good.sum()))
        np.testing.assert_allclose(curve.sap_flux[good], pixels.flux[good][:, mask].sum(axis=1), rtol=1e-6)
        # The light curve tells the magnitude.
        level = np.nanmedian(curve.flux[good] / truth["SIGNAL"][good])
        assert 20.44 - 2.5 * np.log10(level) == pytest.approx(stamps.stars["tmag"][star], abs=0.02)


def test_targets_that_the_frames_do_not_show(tmp_path):
    for wanted, message in ((500, "the frames show"), ([42], "TIC 42 asked for")):
        with pytest.raises(InputError, match=message):
            simulate_frames(tmp_path, FIELD, window=40, n_frames=1, targets=wanted, overwrite=True)
    with pytest.raises(InputError, match="120, or the frames' own 1800"):
        simulate_frames(tmp_path, FIELD, window=40, n_frames=1, targets=1, target_cadences=(600,), overwrite=True)


def test_astrocut_cuts_them(sky, pixels, tmp_path):
    astrocut = pytest.importorskip("astrocut")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        cube = astrocut.CubeFactory().make_cube(
            [str(path) for path in sky.paths], cube_file=str(tmp_path / "cube.fits"), sector="1", verbose=False
        )
        column, row = sky.stars["column"], sky.stars["row"]
        inside = (abs(column - 45 - SIZE / 2) < 40) & (abs(row - SIZE / 2) < 40) & (sky.stars["tic"] > 0)
        star = int(np.flatnonzero(inside)[0])
        place = f"{sky.stars['ra'][star]} {sky.stars['dec'][star]}"
        path = astrocut.CutoutFactory().cube_cut(cube, place, 11, output_path=str(tmp_path), verbose=False)
    with fits.open(path) as hdus:
        table = hdus[1].data
        assert int(hdus[0].header["SECTOR"]) == 1
        assert table["FLUX"].shape == (COUNT, 11, 11)
        np.testing.assert_allclose(table["TIME"], sky.btjd, atol=1e-9)
        np.testing.assert_array_equal(table["QUALITY"], sky.frames["quality"])
        there = WCS(hdus[2].header).all_world2pix([[sky.stars["ra"][star], sky.stars["dec"][star]]], 0)[0]
        assert there == pytest.approx([5, 5], abs=1.1)
        # Where the star is on the frames and in the cut-out tells which pixels these are.
        place = np.array([each[star] for each in sky.places(COUNT // 2)]) - (45, 1)
        first = np.round(place - there).astype(int)
        assert np.abs(place - there - first).max() < 0.1
        cut = pixels[:, first[1] : first[1] + 11, first[0] : first[0] + 11]
        np.testing.assert_array_equal(table["FLUX"], cut.astype(">f4"))
    model = read(path)
    assert (model.author, model.sector, model.camera, model.ccd) == ("TESScut", 1, 4, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 3000}, "science pixels are columns 45 to 2092"),
        ({"window": ((45, 60), (60, 50))}, "rows 60 to 50"),
        ({"cadence": 300}, "frames of 300 s"),
        ({"n_frames": 0}, "ask for 1 to"),
        ({"n_frames": 100_000}, "ask for 1 to"),
        ({"stars": -3}, "stars to T"),
        ({"limit": 25.0}, "stars to T"),
        ({"catalog": Table({"ID": [1], "ra": [10.0], "dec": [10.0], "Tmag": [9.0]})}, "none of the 1 stars"),
        ({"catalog": Table({"ID": [1], "ra": [10.0]})}, "has no column dec"),
    ],
)
def test_impossible_wishes_are_refused_before_anything_is_written(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        simulate_frames(tmp_path / "sky", FIELD, **{"window": 32, "n_frames": 2, **arguments})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "sky").exists()


def test_other_things_and_other_settings_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds other things"):
        simulate_frames(tmp_path, FIELD, window=32, n_frames=1)
    first = simulate_frames(tmp_path, FIELD, window=32, n_frames=2, overwrite=True)
    with pytest.raises(InputError, match="other settings"):
        simulate_frames(tmp_path, FIELD, window=40, n_frames=1)
    simulate_frames(tmp_path, FIELD, window=40, n_frames=1, overwrite=True)
    assert [path.exists() for path in first.paths] == [True, False]
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_truth_that_is_not_there_or_damaged(tmp_path):
    with pytest.raises(MissingInput, match="no such file"):
        FrameTruth.read(tmp_path)
    (tmp_path / "truth.h5").write_bytes(b"not at all")
    with pytest.raises(Corrupt, match="is not the truth"):
        FrameTruth.read(tmp_path)


def test_from_the_command_line(tmp_path):
    from click.testing import CliRunner

    from tessellar.cli.main import Globals
    from tessellar.cli.simulate import command

    def run(*arguments: str):
        return CliRunner().invoke(command, [str(tmp_path / "sky"), *arguments], obj=Globals(json=True))

    place = ("--sector", "56", "--camera", "1", "--ccd", "2")
    done = run(*place, "--window", "60-91,5-36", "--frames", "2")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert (told["frames"], told["cadence"], told["columns"], told["rows"]) == (2, 200, [60, 91], [5, 36])
    assert len(list((tmp_path / "sky").glob("*ffic.fits"))) == 2
    for wrong, word in (
        (("--sector", "56"), "--camera, --ccd"),
        (("--window", "10"), "need --sector"),
        ((*place, "--days", "3"), "--frames instead"),
        ((*place, "--window", "3-x"), "45-556,1-512"),
    ):
        refused = run(*wrong)
        assert refused.exit_code == 2
        assert word in refused.output
