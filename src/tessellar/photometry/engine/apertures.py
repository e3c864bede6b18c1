"""Optimal apertures of all stars of a band: masks chosen together, light summed in one sweep over the pixels."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.apertures.optimal import Apertures, choose_apertures
from tessellar.photometry.apertures.watershed import SATURATED_TMAG
from tessellar.photometry.engine.band import BandCurves
from tessellar.photometry.engine.bulk import bulk_metrics
from tessellar.photometry.engine.hourly import aperture_noise, medians
from tessellar.photometry.engine.judging import judge
from tessellar.photometry.engine.kernels import SUMS, compiled
from tessellar.photometry.engine.light import star_skies
from tessellar.photometry.engine.order import by_place
from tessellar.photometry.engine.workers import Workers, parts
from tessellar.photometry.fitting.starfit import SATURATED
from tessellar.photometry.merit.sanity import EDGE_FRACTION
from tessellar.photometry.status import PixelQuality
from tessellar.pixels.jumps import blocks_of
from tessellar.pixels.places import nearest_pixel

if TYPE_CHECKING:
    from tessellar.photometry.engine.bandsky import BandSky

Float = NDArray[np.float32]

# Stars that are worked on at a time, values that are summed at a time, and stars that a thread takes at a time.
_CHUNK, _VALUES, _SHARE = 4096, 1 << 23, 128
# A pixel that is saturated in more of the good cadences than this is told as a doubt.
_SATURATED_SHARE = 0.01


def measure_apertures(scene: BandSky, workers: Workers) -> BandCurves:
    """Light curves of the wanted stars of a band in their optimal apertures.

    Masks are those of `tessellar.photometry.choose_apertures`, sums those of `tessellar.photometry.extract`.
    """
    found = apertures_of(scene)
    count, frames = len(found), len(scene.good)
    column = nearest_pixel(scene.stars.column[scene.wanted])
    row = nearest_pixel(scene.stars.row[scene.wanted])
    columns: dict[str, NDArray[Any]] = {
        name: np.empty((count, frames), dtype=np.float32) for name in ("FLUX", "FLUX_ERR", "FLUX_BKG")
    }
    columns |= {name: np.empty((count, frames)) for name in ("MOM_CENTR1", "MOM_CENTR2")}
    columns["PIXEL_QUALITY"] = np.zeros((count, frames), dtype=np.uint8)
    more = {name: np.full(count, np.nan) for name in ("edge_flux", "saturated")}
    size = at_a_time(frames)
    sums = np.empty((len(SUMS), min(size, count), frames), dtype=np.float32)
    order = by_place(column, row)
    for part in parts(count, size):
        which = order[part]
        _measure_some(scene, found, which, column[which], row[which], sums, columns, more, workers)
    stars = scene.stars
    table: dict[str, NDArray[Any]] = {
        name: getattr(stars, name)[scene.wanted] for name in ("ra", "dec", "tmag", "column", "row")
    }
    table |= {"mask_size": found.size, "crowdsap": found.crowdsap, "flfrcsap": found.flfrcsap}
    table |= {"contamination": _contamination(scene, found), "error_scale": np.full(count, scene.noise.scale)}
    field = scene.field
    table |= bulk_metrics(
        field.time - field.timecorr, field.cadenceno, field.cadence, scene.good, columns["FLUX"], columns["FLUX_ERR"],
        workers.each,
    )  # fmt: skip
    table |= {"background": medians(columns["FLUX_BKG"], scene.good), **more}
    table["noise_expected"] = aperture_noise(
        table["tmag"], table["mean_flux"], table["background"], found.size,
        found.crowdsap, found.flfrcsap, field.cadence,
    )  # fmt: skip
    for name, source in (("pos_column", "MOM_CENTR1"), ("pos_row", "MOM_CENTR2")):
        table[name] = medians(columns[source], scene.good)
    doubts = {
        "saturates and bleeds out of an optimal aperture": table["tmag"] <= SATURATED_TMAG,
        "a pixel of the aperture is saturated": table["saturated"] > _SATURATED_SHARE,
        "part of the flux is on the border of the frames: light is lost there": (
            table["edge_flux"] > EDGE_FRACTION * table["mean_flux"]
        ),
        "less than half of the light in the aperture is the target's": found.crowdsap < 0.5,
    }
    table["status"], table["reasons"] = judge(table, doubts)
    tic = stars.tic[scene.wanted]
    return BandCurves(tic=tic, columns=MappingProxyType(columns), table=MappingProxyType(table), apertures=found)


def at_a_time(frames: int) -> int:
    """Stars whose sums are in memory together: some 300 MB, however many frames there are."""
    return int(np.clip(_VALUES // max(frames, 1), _SHARE, _CHUNK))


def apertures_of(scene: BandSky) -> Apertures:
    """The masks of the wanted stars."""
    segments = scene.field.segments
    response = scene.response(int(segments[len(segments) // 2]))
    return choose_apertures(
        scene.stars.column, scene.stars.row, scene.flux, response,
        corner=scene.window.corner, shape=scene.window.shape, which=scene.wanted,
        sky=np.maximum(scene.sky, 0.0), usable=scene.present,
    )  # fmt: skip


def _contamination(scene: BandSky, found: Apertures) -> NDArray[np.float64]:
    """AP_CONT of each mask, `tessellar.photometry.apertures.contamination.ap_cont`: of the stars of each pixel."""
    stars, (left, bottom), (high, wide) = scene.stars, scene.window.corner, scene.window.shape
    light = 10 ** (-0.4 * np.asarray(stars.tmag, dtype=np.float64))
    row, column = nearest_pixel(stars.row) - bottom, nearest_pixel(stars.column) - left
    inside = (row >= 0) & (row < high) & (column >= 0) & (column < wide)
    at = (row * wide + column)[inside]
    pixels = np.bincount(at, light[inside], minlength=high * wide)
    star, up, right = np.nonzero(found.masks)
    entries = (found.bottom[star] + up - bottom) * wide + found.left[star] + right - left
    total = np.bincount(star, pixels[entries], minlength=len(found))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.maximum(1.0 - light[scene.wanted] / total, 0.0)
    return np.where(total > 0, share, np.nan)


def _measure_some(
    scene: BandSky,
    found: Apertures,
    which: NDArray[np.int64],
    column: NDArray[np.int64],
    row: NDArray[np.int64],
    sums: Float,
    columns: dict[str, NDArray[Any]],
    more: dict[str, NDArray[np.float64]],
    workers: Workers,
) -> None:
    window, field = scene.window, scene.field
    star, up, right = np.nonzero(found.masks[which])
    indptr = np.concatenate([[0], np.cumsum(np.bincount(star, minlength=len(which)))]).astype(np.int64)
    rows, cols = found.bottom[which][star] + up, found.left[which][star] + right
    indices = (rows - window.corner[1]) * window.shape[1] + cols - window.corner[0]
    across, along = (cols - column[star]).astype(np.float32), (rows - row[star]).astype(np.float32)
    (left, bottom) = field.corner
    sky = star_skies(field, indptr, rows - bottom, cols - left, workers)
    read = np.bincount(star, scene.noise.read[cols - left], len(which)).astype(np.float32)
    arrays = window.pixels, indptr, indices.astype(np.int64), across, along, sky, read, scene.noise.time
    spans = [(share.start, share.stop) for share in parts(len(which), _SHARE)]
    out = sums[:, : len(which)]
    workers.each(partial(_sum, arrays, out), spans)
    flux, variance, light, moment_x, moment_y, missing, peak = out
    size = np.diff(indptr)[:, None]
    gaps = (missing > 0) | (size == 0)
    bits = np.where(gaps, np.uint8(PixelQuality.MISSING_PIXEL), np.uint8(0))
    bits |= np.where(missing >= size, np.uint8(PixelQuality.ALL_MISSING), np.uint8(0))
    flux[gaps] = variance[gaps] = np.nan
    columns["FLUX"][which], columns["FLUX_BKG"][which] = flux, sky
    columns["FLUX_ERR"][which] = np.sqrt(variance, out=variance)
    with np.errstate(invalid="ignore", divide="ignore"):
        for name, moment, place in (("MOM_CENTR1", moment_x, column), ("MOM_CENTR2", moment_y, row)):
            np.divide(moment, light, out=moment)
            moment[gaps | ~(light > 0)] = np.nan
            columns[name][which] = moment + place[:, None]
    bits |= np.where(np.isfinite(moment_x), np.uint8(0), np.uint8(PixelQuality.MISSING_CENTROID))
    bits |= np.where(np.isfinite(sky), np.uint8(0), np.uint8(PixelQuality.MISSING_BACKGROUND))
    bits |= _jumps(scene, star, rows, cols, len(which))
    columns["PIXEL_QUALITY"][which] = bits
    more["edge_flux"][which] = on_border(scene, star, rows, cols, len(size))
    if scene.good.any():
        level = peak + sky / np.maximum(size, 1)
        more["saturated"][which] = (level[:, scene.good] >= SATURATED).mean(axis=1)


def _sum(arrays: tuple[Any, ...], out: Float, first: int, last: int) -> None:
    compiled("mask_sums")(*arrays, first, last, out)


def on_border(
    scene: BandSky, star: NDArray[np.int64], rows: NDArray[np.int64], cols: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Mean light of each mask's pixels in the outermost rows and columns of the frames, e-/s."""
    (left, bottom), (high, wide) = scene.field.corner, scene.field.shape
    on = (rows == bottom) | (rows == bottom + high - 1) | (cols == left) | (cols == left + wide - 1)
    column, row = scene.window.corner
    light = np.nan_to_num(scene.image[rows[on] - row, cols[on] - column])
    return np.bincount(star[on], light, count).astype(np.float64)


def _jumps(
    scene: BandSky, star: NDArray[np.int64], rows: NDArray[np.int64], cols: NDArray[np.int64], count: int
) -> NDArray[np.uint8]:
    """Bit of background jumps, (stars, n): of all blocks that a mask has pixels in."""
    series, (left, bottom) = scene.field.background, scene.field.corner
    edges = blocks_of(series.sky.shape).edges
    down = np.searchsorted(edges[0], rows - bottom, side="right") - 1
    over = np.searchsorted(edges[1], cols - left, side="right") - 1
    met = np.unique(np.column_stack([star, down, over]), axis=0)
    jumped = series.jumps[:, met[:, 1], met[:, 2]]
    bits = np.zeros((count, len(series)), dtype=np.uint8)
    frame, which = np.nonzero(jumped)
    bits[met[which, 0], frame] = np.uint8(PixelQuality.BACKGROUND_JUMP)
    return bits
