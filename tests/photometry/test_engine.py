"""The engine: its kernels against plain NumPy, its solutions against exact ones, its light curves star by star."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tessellar.errors import Corrupt, InputError, MissingInput
from tessellar.photometry import FieldScene, measure_in
from tessellar.photometry.engine import Band, band_rows, kernels, measure_band
from tessellar.photometry.engine.bulk import bulk_metrics
from tessellar.photometry.engine.grouping import group_frames
from tessellar.photometry.engine.light import star_skies
from tessellar.photometry.engine.mending import Gaps, mend
from tessellar.photometry.engine.reading import read_rows
from tessellar.photometry.engine.solving import flux_errors, solve
from tessellar.photometry.engine.system import Stars, System, build_system
from tessellar.photometry.merit.metrics import METRICS, Sample
from tessellar.photometry.status import STATUS
from tessellar.pixels import PreparedField, add_stars
from tessellar.pixels.response import box_corners
from tests.photometry.fieldsky import small_field

SIZE, COUNT, FRAMES = 72, 60, 24


@cache
def crowd() -> tuple[Stars, np.ndarray, np.ndarray, np.ndarray, System]:
    """Stars on a small image with the PRF of the small field, their pixels over time, and their system."""
    response = small_field().field.responses[0]
    rng = np.random.default_rng(3)
    column, row = rng.uniform(600, 600 + SIZE - 1, (2, COUNT))
    flux = 10 ** (-0.4 * (rng.uniform(9, 15.5, COUNT) - 20.44))
    # Two of them cannot be told apart.
    column[1], row[1] = column[0] + 0.15, row[0] - 0.1
    stars = Stars(column, row, flux)
    shifts = rng.normal(0, 0.01, (2, FRAMES))
    light = np.zeros((SIZE, SIZE))
    add_stars(light, (600, 600), column, row, flux, response)
    variance = ((light + 160) / 560).astype(np.float32)
    pixels = np.empty((SIZE * SIZE, FRAMES), np.float32)
    truth = flux[:, None] * (1 + 0.02 * np.sin(np.arange(FRAMES) / 3 + np.arange(COUNT)[:, None]))
    for frame in range(FRAMES):
        image = np.zeros((SIZE, SIZE))
        add_stars(image, (600, 600), column + shifts[0, frame], row + shifts[1, frame], truth[:, frame], response)
        pixels[:, frame] = (image + rng.normal(0, np.sqrt(variance))).ravel()
    system = build_system(stars, response, (600, 600), 1 / variance, variance, time=560.0)
    motion = np.zeros((6, FRAMES), np.float32)
    motion[:2] = shifts
    return stars, truth, pixels, motion, system


def offsets_of(stars: Stars) -> np.ndarray:
    return np.column_stack([stars.column - 636, stars.row - 636]).astype(np.float32)


def exact(frame: int, missing: np.ndarray | None = None) -> np.ndarray:
    """Weighted least squares of one frame with the responses drawn where the stars are, dense, in double precision."""
    stars, _, pixels, motion, system = crowd()
    response = small_field().field.responses[0]
    x, y = stars.column + motion[0, frame], stars.row + motion[1, frame]
    boxes = response.boxes(x, y)[:, 0].astype(float)
    bottoms, lefts = box_corners(x, y, (600, 600), response.reach)
    design = np.zeros((COUNT, SIZE + 40, SIZE + 40))
    for star in range(COUNT):
        design[star, bottoms[star] + 20 :, lefts[star] + 20 :][:15, :15] = boxes[star]
    design = design[:, 20:-20, 20:-20].reshape(COUNT, -1)
    light = np.zeros((SIZE, SIZE))
    add_stars(light, (600, 600), stars.column, stars.row, stars.flux, response)
    weights = 560 / (light.ravel() + 160)
    if missing is not None:
        weights[missing] = 0
    normal = (design * weights) @ design.T + np.diag(system.precision)
    return np.linalg.solve(normal, (design * weights) @ pixels[:, frame] + system.precision * stars.flux)


def test_kernels_give_what_numpy_gives() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.normal(50, 30, (400, 300)).astype(np.float32)
    pixels[7, 20:40] = np.nan
    indptr = np.array([0, 0, 5, 9, 21])
    indices = rng.integers(0, 400, 21)
    indices[6] = 7
    weights = rng.normal(1, 0.2, 21).astype(np.float32)
    across, along = rng.integers(-3, 4, (2, 21)).astype(np.float32)
    clean = np.nan_to_num(pixels)
    summed = np.empty((2, 4, 300), np.float32)
    kernels.compiled("weighted_sums")(clean, indptr, indices, weights, 0, 4, summed[0])
    kernels.weighted_sums_plain(clean, indptr, indices, weights, 0, 4, summed[1])
    np.testing.assert_allclose(*summed, rtol=1e-5, atol=1e-3)
    swept = np.empty((2, len(kernels.SUMS), 4, 300), np.float32)
    beneath = rng.uniform(50, 150, (4, 300)).astype(np.float32)
    mask = indptr, indices, across, along, beneath, np.full(4, 300, np.float32), 560.0
    kernels.compiled("mask_sums")(pixels, *mask, 0, 4, swept[0])
    kernels.mask_sums_plain(pixels, *mask, 0, 4, swept[1])
    np.testing.assert_allclose(*swept, rtol=1e-5, atol=1e-2)
    assert (swept[0][kernels.SUMS.index("missing"), 2, 20:40] == 1).all()
    assert np.isnan(swept[0][0, 2, 20:40]).all()
    totals, numbers = np.zeros((2, 400)), np.zeros((2, 400), np.int32)
    frames = np.arange(3, 300, 2)
    kernels.compiled("time_sums")(pixels, frames, totals[0], numbers[0])
    kernels.time_sums_plain(pixels, frames, totals[1], numbers[1])
    np.testing.assert_allclose(*totals, rtol=1e-6)
    np.testing.assert_array_equal(*numbers)
    counts, filled = np.zeros((2, 400), np.int32), [pixels.copy(), pixels.copy()]
    kernels.compiled("count_gaps")(pixels, frames, counts[0])
    kernels.count_gaps_plain(pixels, frames, counts[1])
    np.testing.assert_array_equal(*counts)
    assert counts[0][7] == 10
    kernels.compiled("fill_gaps")(filled[0], 0, 400)
    kernels.fill_gaps_plain(filled[1], 0, 400)
    np.testing.assert_array_equal(*filled)
    assert np.isfinite(filled[0]).all()


def test_compiled_and_plain_solutions_agree() -> None:
    stars, _, pixels, motion, system = crowd()
    fast = solve(system, pixels, motion, offsets_of(stars))
    slow = solve(system, pixels, motion, offsets_of(stars), plain=True)
    assert (np.abs(fast - slow) / np.sqrt(system.noise[:, :1])).max() < 0.01


def test_all_stars_are_solved_as_exactly_as_one_by_one() -> None:
    stars, _, pixels, motion, system = crowd()
    found = solve(system, pixels, motion, offsets_of(stars))
    sigma = np.sqrt(system.noise[:, 0])
    away = np.array([(found[:, frame] - exact(frame)) / sigma for frame in range(0, FRAMES, 6)])
    # Faint wings are left out of what a star is measured with; that, and nothing else, makes a difference.
    assert away.std() < 0.05
    assert np.abs(away).max() < 0.4


def test_stars_that_cannot_be_told_apart_are_held_to_the_catalogue() -> None:
    stars, _, _, _, system = crowd()
    assert (system.precision[:2] > 0).all()
    assert (system.prior_weight[:2] > 0.05).any()
    assert (system.prior_weight[5:] < 0.01).mean() > 0.9
    assert len(system.stars) == len(stars)


def test_errors_are_those_of_the_scatter() -> None:
    stars, truth, pixels, motion, system = crowd()
    found = solve(system, pixels, motion, offsets_of(stars))
    sky = np.zeros((COUNT, FRAMES), np.float32)
    error = flux_errors(system, found, sky, np.zeros(COUNT, np.float32), np.arange(COUNT))
    free = system.precision == 0
    pulls = ((found - truth) / error)[free]
    assert 0.93 < pulls.std() < 1.07


def test_missing_pixels_are_mended_exactly() -> None:
    stars, _, pixels, motion, system = crowd()
    response = small_field().field.responses[0]
    bright = int(np.argsort(stars.flux)[-3])
    at = round(stars.row[bright] - 600) * SIZE + round(stars.column[bright] - 600) + 1
    missing = np.array([at, at + 3 * SIZE])
    holed = pixels.copy()
    holed[missing, 4] = 0
    spoilt = solve(system, holed, motion, offsets_of(stars))[:, 4:5].copy()
    before = spoilt.copy()
    moves = np.ascontiguousarray(motion[:, 4:5])
    left = mend(system, response, holed, moves, offsets_of(stars), 4, missing, spoilt)
    sigma = np.sqrt(system.noise[:, 0])
    known = exact(4, missing)
    whole = np.isfinite(spoilt[:, 0])
    assert abs(before[bright, 0] - known[bright]) / sigma[bright] > 5
    assert (np.abs(spoilt[:, 0] - known) / sigma)[whole].max() < 0.5
    assert left[bright] < 1
    spoilt = before.copy()
    core = (np.arange(-2, 3)[:, None] * SIZE + np.arange(-2, 3)).ravel() + at - 1
    mend(system, response, holed, moves, offsets_of(stars), 4, core, spoilt)
    assert np.isnan(spoilt[bright, 0])


def test_gaps_are_found_where_pixels_are_used() -> None:
    pixels = np.ones((6, 5), np.float32)
    pixels[2, 3] = pixels[4, 1] = pixels[5, 0] = np.nan
    used = np.array([True, True, True, True, True, False])
    gaps = Gaps.find(pixels, used, np.arange(5))
    assert gaps.of(3).tolist() == [2]
    assert gaps.of(1).tolist() == [4]
    assert len(gaps) == 2


def test_frames_are_grouped_by_where_their_stars_are() -> None:
    rng = np.random.default_rng(2)
    kernels_of = np.tile([1.0, 0, 0, 0, 1, 0], (200, 1))
    kernels_of[:, [2, 5]] += rng.normal(0, 0.004, (200, 2))
    kernels_of[120:, 2] += 0.2
    kernels_of[60] = [1, 0, 0.5, 0, 1, 0]
    usable = np.ones(200, bool)
    usable[5] = False
    segments = np.repeat([0, 1], 100)
    groups = group_frames(kernels_of, segments, (1, 1), (500, 500), usable)
    assert sorted(len(group.frames) for group in groups) == [1, 20, 80, 98]
    assert sorted(np.concatenate([group.frames for group in groups])) == sorted(set(range(200)) - {5})
    for group in groups:
        if group.expanded:
            motion = group.motion(kernels_of[group.frames], np.array([1.0, 1.0]))
            assert np.abs(motion[:2]).max() < 0.05


def test_rows_are_read_as_windows_are() -> None:
    field = small_field().field
    window = read_rows(field, (710, 740), threads=2)
    stamp = field.window((710, 740))
    np.testing.assert_allclose(window.cube.transpose(2, 0, 1), stamp.images, rtol=1e-5, atol=2e-3)
    with pytest.raises(InputError, match="rows 690 to 740"):
        read_rows(field, (690, 740))


def test_glow_is_taken_off_and_summed_like_the_rest_of_the_background() -> None:
    from tessellar import Field
    from tessellar.pixels.background import Sky
    from tessellar.pixels.backgrounds import BackgroundSeries

    sky = Sky(Field(27, 1, 1), (45, 1), (128, 128))
    rng = np.random.default_rng(4)
    nodes = rng.uniform(90, 120, (3, 2, 2)).astype(np.float32)
    glow = rng.uniform(5, 60, (3, len(sky.knots))).astype(np.float32)
    nothing = np.zeros((3, 8, 8), bool)
    series = BackgroundSeries(sky, nodes, nodes * 0, glow, np.ones((128, 128), bool), nothing, None)
    row, column = np.nonzero(rng.random((128, 128)) < 0.1)
    order = rng.permutation(len(row))
    row, column = row[order], column[order]
    indptr = np.linspace(0, len(row), 12).astype(int)

    class Fake:
        background = series

    summed = star_skies(Fake(), indptr, row, column)  # type: ignore[arg-type]
    images = series.window()
    expected = [[images[t, row[a:b], column[a:b]].sum() for t in range(3)] for a, b in pairwise(indptr)]
    np.testing.assert_allclose(summed, expected, rtol=1e-5)


@cache
def whole() -> Band:
    """The small field measured at once."""
    return measure_band(small_field().field, (700, 827), threads=2)


def inner(band: Band, method: str) -> np.ndarray:
    """Stars of a method that are well inside and have a light curve."""
    table = band.curves[method].table
    inside = (np.abs(table["column"] - 663.5) < 48) & (np.abs(table["row"] - 763.5) < 48)
    return np.flatnonzero(inside & np.isin(table["status"], [1, 3]))


@pytest.mark.parametrize("method", ["aperture", "linpsf"])
def test_a_star_has_the_light_curve_that_it_has_alone(method: str) -> None:
    scene = FieldScene(small_field().field)
    curves = whole().curves[method]
    for star in inner(whole(), method)[::25]:
        alone = measure_in(scene, int(curves.tic[star]), method=method)
        pull = (curves.columns["FLUX"][star] - alone.columns["FLUX"]) / alone.columns["FLUX_ERR"]
        assert np.nanstd(pull) < 0.05
        # A fit in cut boxes takes up less of the light that no catalogue has: see the next test.
        assert np.abs(np.nanmean(pull)) < (0.3 if method == "linpsf" else 1e-3)
        for name, within in (("FLUX_ERR", 0.005), ("FLUX_BKG", 0.002)):
            ratio = curves.columns[name][star] / alone.columns[name]
            assert np.nanmedian(np.abs(ratio - 1)) < within
            assert np.nanmax(np.abs(ratio - 1)) < 10 * within
        for name in ("MOM_CENTR1", "MOM_CENTR2"):
            assert np.nanmax(np.abs(curves.columns[name][star] - alone.columns[name])) < 1e-3
        for name in ("mean_flux", "noise_expected"):
            assert curves.table[name][star] == pytest.approx(alone.metrics[name], rel=0.01)
        assert curves.table["background"][star] == pytest.approx(np.median(alone.columns["FLUX_BKG"]), rel=0.002)
        if method == "aperture":
            np.testing.assert_array_equal(curves.columns["PIXEL_QUALITY"][star], alone.columns["PIXEL_QUALITY"])
            names = "mask_size", "crowdsap", "flfrcsap", "rms_hour", "variability", "ptp", "noise_expected", "edge_flux"
            for name in names:
                assert curves.table[name][star] == pytest.approx(alone.metrics[name], rel=1e-3)


def test_what_sets_fits_apart_from_those_of_stars_alone_are_cut_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole boxes: a star's flux is what it is alone, to 0.02 sigma. Cut ones see less of what no catalogue has.

    Neither is nearer to the truth: stars beyond the catalogue and the halos of bright ones are under all of them.
    """
    cut, stars = whole().curves["linpsf"], inner(whole(), "linpsf")
    monkeypatch.setattr("tessellar.photometry.engine.system._REACHES", ((0.0, 7),))
    uncut = measure_band(small_field().field, (700, 827), methods=["linpsf"], threads=2).curves["linpsf"]
    scene = FieldScene(small_field().field)
    for star in stars[::25]:
        alone = measure_in(scene, int(uncut.tic[star]), method="linpsf")
        pull = (uncut.columns["FLUX"][star] - alone.columns["FLUX"]) / alone.columns["FLUX_ERR"]
        assert np.abs(np.nanmean(pull)) < 0.02
        assert np.nanstd(pull) < 0.01
    change = cut.columns["FLUX"][stars] - uncut.columns["FLUX"][stars]
    away = np.abs(np.nanmean(change / uncut.columns["FLUX_ERR"][stars], axis=1))
    assert np.median(away) < 0.06
    assert np.quantile(away, 0.99) < 0.35


def test_bands_hold_each_star_once_and_as_the_whole_has_it() -> None:
    field = small_field().field
    bands = [measure_band(field, rows) for rows in ((700, 763), (764, 827))]
    for method in ("aperture", "linpsf"):
        one = whole().curves[method]
        tics = np.concatenate([band.curves[method].tic for band in bands])
        assert sorted(tics) == sorted(one.tic)
        flux = np.concatenate([band.curves[method].columns["FLUX"] for band in bands])
        rows = [one.index(tic) for tic in tics]
        pull = (flux - one.columns["FLUX"][rows]) / one.columns["FLUX_ERR"][rows]
        assert np.nanmax(np.abs(pull)) < 0.05


def test_only_what_is_wanted_is_measured() -> None:
    field = small_field().field
    some = whole().curves["linpsf"].tic[3:9]
    band = measure_band(field, (700, 827), methods=["linpsf"], tics=some)
    assert set(band.curves) == {"linpsf"}
    assert band.curves["linpsf"].tic.tolist() == some.tolist()
    np.testing.assert_array_equal(band.curves["linpsf"].columns["FLUX"], whole().curves["linpsf"].columns["FLUX"][3:9])
    bright = measure_band(field, (700, 827), limit=12.0, methods=["aperture"]).curves["aperture"]
    assert len(bright)
    assert bright.table["tmag"].max() <= 12
    assert not len(measure_band(field, (700, 827), limit=-5.0).curves["linpsf"])
    with pytest.raises(InputError, match="halo: the engine measures by aperture and linpsf"):
        measure_band(field, (700, 827), methods=["halo"])
    with pytest.raises(InputError, match="rows 1 to 20 are not in"):
        measure_band(field, (1, 20))


def test_bands_fit_into_the_memory_that_they_are_given() -> None:
    field = small_field().field
    bands = band_rows(field, memory=5e6)
    assert len(bands) > 1
    assert [first for first, _ in bands] == [700, *(last + 1 for _, last in bands[:-1])]
    assert bands[-1][1] == 827
    assert band_rows(field) == [(700, 827)]
    assert len(band_rows(field, memory=1.0)) == 128 // 16


def test_the_rim_and_all_stars_count_as_memory() -> None:
    """2048 x 2048 px, 12,000 frames, 30 stars a row: the rim alone is 3.1 GB, and a row 0.15 GB."""

    class Stars:
        row = np.repeat(np.arange(1, 2049), 30).astype(float)

    class Whole:
        corner, shape, stars = (45, 1), (2048, 2048), Stars

        def __len__(self) -> int:
            return 12_000

    whole_field: Any = Whole()
    most = max(last - first + 1 for first, last in band_rows(whole_field, memory=16e9))
    assert 60 < most < 90
    assert max(last - first + 1 for first, last in band_rows(whole_field, memory=3e9)) == 16


def test_masks_come_as_stores_keep_them() -> None:
    band = whole()
    for method in ("aperture", "linpsf"):
        images = band.images(method)
        curves = band.curves[method]
        assert len(images) == len(curves)
        assert [int(((each.aperture & 2) > 0).sum()) for each in images] == curves.table["mask_size"].tolist()
    some = curves.chosen(curves.table["tmag"] < 12)
    assert some.apertures is not None
    assert len(some.apertures) == len(some)


def test_a_frame_that_is_gone_or_cut_short_is_told(tmp_path) -> None:  # type: ignore[no-untyped-def]
    import shutil

    sky = small_field()
    for frame in sky.field.frames:
        (tmp_path / frame.path.name).symlink_to(frame.path)
    broken = tmp_path / sky.field.frames[7].path.name
    data = broken.read_bytes()
    broken.unlink()
    field = PreparedField(sky.field.path, frames=tmp_path)
    with pytest.raises(MissingInput, match="gone since"):
        measure_band(field, (700, 720))
    broken.write_bytes(data[: len(data) // 10])
    with pytest.raises(Corrupt, match="cut short"):
        measure_band(field, (700, 720))
    shutil.rmtree(tmp_path)


def test_dark_frames_have_no_flux_and_no_say(tmp_path) -> None:  # type: ignore[no-untyped-def]
    sky = small_field()
    for frame in sky.field.frames:
        (tmp_path / frame.path.name).symlink_to(frame.path)
    chosen = sky.field.frames[30]
    data = bytearray(chosen.path.read_bytes())
    size = chosen.pixels.shape[0] * chosen.pixels.shape[1] * 4
    data[chosen.pixels.offset : chosen.pixels.offset + size] = bytes(size)
    dark = tmp_path / chosen.path.name
    dark.unlink()
    dark.write_bytes(bytes(data))
    band = measure_band(PreparedField(sky.field.path, frames=tmp_path), (700, 827))
    for method in ("aperture", "linpsf"):
        curves = band.curves[method]
        assert np.isnan(curves.columns["FLUX"][:, 30]).all()
        assert (curves.columns["PIXEL_QUALITY"][:, 30] & 16 > 0).all()
        stars = inner(band, method)
        others = np.arange(120) != 30
        pull = curves.columns["FLUX"] - whole().curves[method].columns["FLUX"]
        assert np.nanmax(np.abs(pull / whole().curves[method].columns["FLUX_ERR"])[stars][:, others]) < 0.1


def with_holes(folder: Path, holes: dict[int, np.ndarray]) -> PreparedField:
    """The small field with pixels (columns, rows: CCD, 1-based) of some frames set to NaN."""
    sky = small_field()
    for number, frame in enumerate(sky.field.frames):
        made = folder / frame.path.name
        if number not in holes:
            made.symlink_to(frame.path)
            continue
        data = bytearray(frame.path.read_bytes())
        rows, cols = frame.pixels.shape
        pixels = np.frombuffer(data, ">f4", rows * cols, frame.pixels.offset).reshape(rows, cols)
        column, row = holes[number].T
        pixels[row - sky.field.corner[1], column - sky.field.corner[0]] = np.nan
        made.write_bytes(bytes(data))
    return PreparedField(sky.field.path, frames=folder)


def square(place: tuple[int, int], reach: int) -> np.ndarray:
    """Columns and rows of the pixels about one, so far."""
    away = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    return np.asarray(place) + away


def test_a_star_without_pixels_has_no_light_curve(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Not the catalogue's flux as one that never changes."""
    curves = whole().curves["linpsf"]
    star = int(inner(whole(), "linpsf")[20])
    place = round(curves.table["column"][star]), round(curves.table["row"][star])
    field = with_holes(tmp_path, dict.fromkeys(range(120), square(place, 7)))
    band = measure_band(field, (700, 827), tics=curves.tic[[star, star + 1]])
    for method in ("aperture", "linpsf"):
        found = band.curves[method]
        assert found.table["status"].tolist()[0] == STATUS.ERROR
        assert np.isnan(found.columns["FLUX"][0]).all()
        assert np.isnan(found.columns["FLUX_ERR"][0]).all()
        assert (found.columns["PIXEL_QUALITY"][0] & 17 == 17).all()
        assert np.isfinite(found.columns["FLUX"][1]).any()
    assert band.curves["linpsf"].table["reasons"][0] == "no usable pixel"
    assert band.curves["linpsf"].table["prior_weight"][0] == 1


def test_missing_pixels_cost_a_star_what_they_cost_it_alone(tmp_path) -> None:  # type: ignore[no-untyped-def]
    curves = whole().curves["linpsf"]
    stars = inner(whole(), "linpsf")
    star = int(stars[np.argmin(np.abs(curves.table["tmag"][stars] - 10.5))])
    place = round(curves.table["column"][star]), round(curves.table["row"][star])
    holes = {5 + 3 * number: pixel[None, :] for number, pixel in enumerate(square(place, 1))}
    holes |= {60: square(place, 1), 70: square(place, 1)[4:6], 80: square(place, 4)[-1:]}
    field = with_holes(tmp_path, holes)
    band = measure_band(field, (700, 827), methods=["linpsf"], tics=[curves.tic[star]])
    alone = measure_in(FieldScene(field), int(curves.tic[star]), method="linpsf")
    flux, error = (band.curves["linpsf"].columns[name][0] for name in ("FLUX", "FLUX_ERR"))
    np.testing.assert_array_equal(np.isnan(flux), np.isnan(alone.columns["FLUX"]))
    known = [frame for frame in holes if np.isfinite(flux[frame])]
    np.testing.assert_allclose(error[known], alone.columns["FLUX_ERR"][known], rtol=0.01)
    assert np.nanmax(np.abs(flux - alone.columns["FLUX"]) / error) < 0.5
    assert 0 < len(known) < len(holes)


def test_stars_of_a_field_without_good_frames_are_told_one_by_one() -> None:
    field = PreparedField(small_field().field.path)
    # What is cached of the file is taken from here.
    vars(field)["quality"] = np.full(len(field), 128, np.int32)
    band = measure_band(field, (700, 760), limit=12.0, quality=128)
    for method in ("aperture", "linpsf"):
        table = band.curves[method].table
        assert set(table["reasons"]) == {"no good cadence"}, method
        assert (table["n_good"] == 0).all()
        assert np.isin(table["status"], [STATUS.ERROR, STATUS.SKIPPED]).all()


def test_bulk_metrics_are_those_of_single_stars() -> None:
    rng = np.random.default_rng(6)
    count = 400
    time = 2036.0 + np.arange(count) / 144
    good = rng.random(count) > 0.05
    flux = rng.normal(1000, 20, (5, count)).astype(np.float32)
    flux[1, ::7] = np.nan
    flux[2] -= 3000
    flux[3] *= 1 + 0.01 * np.sin(time)
    flux[4] = np.nan
    error = np.full_like(flux, 20.0)
    number = np.arange(count)
    found = bulk_metrics(time, number, 600.0, good, flux, error)
    for star in range(4):
        use = good & np.isfinite(flux[star])
        sample = Sample(
            time=time[use], cadenceno=number[use], flux=flux[star, use].astype(float),
            flux_err=error[star, use].astype(float), centroid=np.zeros((use.sum(), 2)), cadence=600.0,
            mask=np.ones((1, 1), bool), mean_image=np.zeros((1, 1)),
        )  # fmt: skip
        for name, values in found.items():
            assert values[star] == pytest.approx(METRICS[name].compute(sample), rel=1e-6, nan_ok=True), name
    assert found["n_good"][4] == 0
    assert np.isnan(found["mean_flux"][4])


def test_a_band_refuses_columns_of_other_lengths() -> None:
    curves = whole().curves["aperture"]
    with pytest.raises(InputError, match="FLUX has 3 rows"):
        replace(curves, columns={"FLUX": np.zeros((3, 120))})
