"""Linear PSF photometry of all stars of a band, group of frames by group of frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.apertures.optimal import Apertures
from tessellar.photometry.engine.apertures import on_border
from tessellar.photometry.engine.band import BandCurves
from tessellar.photometry.engine.bulk import bulk_metrics
from tessellar.photometry.engine.grouping import Group, group_frames
from tessellar.photometry.engine.hourly import fit_noise, medians
from tessellar.photometry.engine.judging import judge
from tessellar.photometry.engine.kernels import compiled
from tessellar.photometry.engine.light import star_skies
from tessellar.photometry.engine.mending import Gaps, mend
from tessellar.photometry.engine.order import by_place, run_of
from tessellar.photometry.engine.solving import flux_errors, solve
from tessellar.photometry.engine.system import Stars, System, build_system
from tessellar.photometry.engine.workers import Workers, parts
from tessellar.photometry.fitting.fitresult import LITTLE_LIGHT, MASK_SHARE, MUCH_PRIOR
from tessellar.photometry.fitting.starfit import CORE
from tessellar.photometry.merit.sanity import EDGE_FRACTION
from tessellar.photometry.status import STATUS, PixelQuality
from tessellar.pixels.movement import mapped
from tessellar.pixels.places import nearest_pixel
from tessellar.pixels.response import add_stars, box_corners

if TYPE_CHECKING:
    from tessellar.photometry.engine.bandsky import BandSky

Array = NDArray[np.float64]
Float = NDArray[np.float32]

# Frames of a group that lie further apart are solved as several runs.
_GAP = 32
_CHUNK = 4096
_NOTHING = np.uint8(PixelQuality.MISSING_PIXEL | PixelQuality.ALL_MISSING)


@dataclass(frozen=True, eq=False)
class _Curves:
    """What is being filled: fluxes, errors and flags of the wanted stars."""

    flux: Float
    error: Float
    bits: NDArray[np.uint8]


def fit_stars(scene: BandSky, workers: Workers) -> BandCurves:
    """Light curves of the wanted stars of a band, all stars fitted together.

    Missing pixels of the band are 0 afterwards.
    """
    window, field = scene.window, scene.field
    usable = window.exposed & np.isfinite(scene.kernels).all(axis=1)
    used = scene.present & ~scene.saturated
    gaps = Gaps.find(window.pixels, used.ravel(), np.flatnonzero(usable))
    spans = [(part.start, part.stop) for part in parts(len(window.pixels), 65536)]
    workers.each(partial(compiled("fill_gaps"), window.pixels), spans)
    weights = np.zeros(window.shape, dtype=np.float32)
    np.divide(1.0, scene.variance, out=weights, where=used)
    near = _touching(scene)
    at = np.empty(len(scene.stars), dtype=np.int64)
    at[near] = np.arange(len(near))
    wanted = at[scene.wanted]
    (left, bottom) = field.corner
    column, row = (nearest_pixel(each[scene.wanted]) for each in (scene.stars.column, scene.stars.row))
    order = by_place(column, row)
    sky = np.empty((len(wanted), len(field)), dtype=np.float32)
    sky[order] = star_skies(field, np.arange(len(order) + 1), row[order] - bottom, column[order] - left, workers)
    made = _Curves(
        np.full(sky.shape, np.nan, np.float32), np.full(sky.shape, np.nan, np.float32), np.zeros(sky.shape, np.uint8)
    )
    # Where one response serves the whole sector, one group may.
    parts_of_sector = field.segments if len(field.responses) > 1 else np.zeros_like(field.segments)
    groups = group_frames(scene.kernels, parts_of_sector, window.corner, window.shape, usable)
    precision: Array | None = None
    first: System | None = None
    # The largest group decides which stars need a prior, so that none changes its terms within the sector.
    for group in sorted(groups, key=lambda each: -len(each.frames)):
        system = _system(scene, near, group, weights, precision, workers)
        precision, first = system.precision, first or system
        for frames in np.split(group.frames, np.flatnonzero(np.diff(group.frames) > _GAP) + 1):
            _fit_run(scene, system, near, wanted, group, frames, gaps, sky, made, workers)
    return _curves(scene, first, wanted, sky, made, weights, workers)


def _touching(scene: BandSky) -> NDArray[np.int64]:
    """Stars whose light falls on the pixels, wherever they have moved to; neighbours one after the other."""
    (left, bottom), (high, wide) = scene.window.corner, scene.window.shape
    reach = scene.field.responses[0].reach + 1.5
    near = (scene.stars.row > bottom - reach) & (scene.stars.row < bottom + high - 1 + reach)
    near &= (scene.stars.column > left - reach) & (scene.stars.column < left + wide - 1 + reach)
    near[scene.wanted] = True
    found = np.flatnonzero(near)
    return found[by_place(scene.stars.column[found], scene.stars.row[found])]


def _system(
    scene: BandSky, near: NDArray[np.int64], group: Group, weights: Float, precision: Array | None, workers: Workers
) -> System:
    column, row = mapped(group.kernel, scene.stars.column[near], scene.stars.row[near])
    return build_system(
        Stars(column, row, scene.flux[near]),
        scene.response(group.segment),
        scene.window.corner,
        weights,
        scene.variance,
        level=float(np.median(scene.sky) + np.median(scene.noise.read)),
        time=scene.noise.time,
        expanded=group.expanded,
        precision=precision,
        threads=workers.threads,
    )


def _fit_run(
    scene: BandSky,
    system: System,
    near: NDArray[np.int64],
    wanted: NDArray[np.int64],
    group: Group,
    frames: NDArray[np.int64],
    gaps: Gaps,
    sky: Float,
    made: _Curves,
    workers: Workers,
) -> None:
    """Solve frames of one group that lie together in time."""
    begin, end = int(frames[0]), int(frames[-1]) + 1
    middle = np.array([scene.stars.column[near].mean(), scene.stars.row[near].mean()])
    offsets = np.column_stack([scene.stars.column[near], scene.stars.row[near]]) - middle
    offsets = offsets.astype(np.float32)
    motion = np.zeros((6, end - begin), dtype=np.float32)
    if group.expanded:
        motion[:, frames - begin] = group.motion(scene.kernels[frames], middle)
    pixels = scene.window.pixels
    fluxes = solve(system, pixels, motion, offsets, begin, workers=workers)
    shares: dict[int, Float] = {}
    for frame in frames:
        missing = gaps.of(int(frame))
        if missing.size:
            at = int(frame) - begin
            solved = np.ascontiguousarray(fluxes[:, at : at + 1])
            moves = np.ascontiguousarray(motion[:, at : at + 1])
            response = scene.response(group.segment)
            shares[int(frame)] = mend(system, response, pixels, moves, offsets, int(frame), missing, solved)[wanted]
            fluxes[:, at] = solved[:, 0]
    run = run_of(frames)
    found = fluxes[wanted][:, run_of(frames - begin)]
    light = sky[:, run]
    mean = np.nanmean(sky[:, scene.good], axis=1) if scene.good.any() else np.nanmean(sky, axis=1)
    error = flux_errors(system, found, np.where(np.isfinite(light), light, mean[:, None]), mean, wanted)
    # What nothing was measured of is what was expected, and no light curve.
    dark = ~system.free[wanted]
    found[dark] = np.nan
    error[~np.isfinite(found)] = np.nan
    made.flux[:, run], made.error[:, run] = found, error
    made.bits[np.ix_(dark, frames)] |= _NOTHING
    for frame, share in shares.items():
        # With less of its information a star's flux is less certain by the root of it.
        made.error[:, frame] /= np.sqrt(np.maximum(share, 0.01))
        made.bits[share < 1 - 1e-6, frame] |= np.uint8(PixelQuality.MISSING_PIXEL)
        made.bits[share <= 0, frame] |= np.uint8(PixelQuality.ALL_MISSING)


def _curves(
    scene: BandSky,
    system: System | None,
    wanted: NDArray[np.int64],
    sky: Float,
    made: _Curves,
    weights: Float,
    workers: Workers,
) -> BandCurves:
    stars, field = scene.stars, scene.field
    saturated = _is_saturated(scene)
    area, contamination, inside, masks = _shape_of(scene, weights)
    for values in (made.flux, made.error):
        values[saturated] = np.nan
    made.bits[:, ~scene.window.exposed] |= _NOTHING
    moved = scene.moved()
    columns: dict[str, NDArray[Any]] = {
        "FLUX": made.flux,
        "FLUX_ERR": made.error,
        "FLUX_BKG": sky * area[:, None].astype(np.float32),
        "MOM_CENTR1": moved[0] + stars.column[scene.wanted, None],
        "MOM_CENTR2": moved[1] + stars.row[scene.wanted, None],
        "PIXEL_QUALITY": made.bits,
    }
    table: dict[str, NDArray[Any]] = {
        name: getattr(stars, name)[scene.wanted] for name in ("ra", "dec", "tmag", "column", "row")
    }
    prior = system.prior_weight[wanted] if system is not None else np.full(len(wanted), np.nan)
    dark = ~system.free[wanted] if system is not None else np.zeros(len(wanted), dtype=bool)
    table |= {"prior_weight": prior, "contamination": contamination}
    table |= {"mask_size": masks.size, "edge_flux": _edge_flux(scene, masks)}
    table["error_scale"] = np.full(len(wanted), scene.noise.scale)
    table |= bulk_metrics(
        field.time - field.timecorr, field.cadenceno, field.cadence, scene.good, made.flux, made.error, workers.each
    )
    table["background"] = medians(columns["FLUX_BKG"], scene.good)
    table["noise_expected"] = fit_noise(table["mean_flux"], made.error, scene.good, field.cadence)
    for name, place, shift in (("pos_column", stars.column, moved[0]), ("pos_row", stars.row, moved[1])):
        # Without a good cadence it is the place in the reference frame.
        table[name] = place[scene.wanted] + (np.median(shift[:, scene.good], axis=1) if scene.good.any() else 0.0)
    doubts = {
        "neighbours too near to be told apart: the flux is in part that of the catalogue": prior > MUCH_PRIOR,
        "part of the flux is on the border of the frames: light is lost there": (
            table["edge_flux"] > EDGE_FRACTION * table["mean_flux"]
        ),
        "little of the star's light falls on usable pixels": inside < LITTLE_LIGHT,
    }
    status, reasons = judge(table, doubts)
    status[dark], reasons[dark] = STATUS.ERROR, "no usable pixel"
    status[saturated] = STATUS.SKIPPED
    reasons[saturated] = "saturated: measure it with an aperture or its halo"
    table |= {"status": status, "reasons": reasons}
    tic = stars.tic[scene.wanted]
    return BandCurves(tic=tic, columns=MappingProxyType(columns), table=MappingProxyType(table), apertures=masks)


def _edge_flux(scene: BandSky, masks: Apertures) -> Array:
    """Mean light of each mask's pixels on the border of the frames, e-/s."""
    star, up, right = np.nonzero(masks.masks)
    return on_border(scene, star, masks.bottom[star] + up, masks.left[star] + right, len(masks))


def _is_saturated(scene: BandSky) -> NDArray[np.bool_]:
    """Wanted stars that have a saturated pixel in their core."""
    from scipy.spatial import cKDTree

    rows, cols = np.nonzero(scene.saturated)
    places = np.column_stack([scene.stars.column[scene.wanted], scene.stars.row[scene.wanted]])
    if not rows.size or not len(places):
        return np.zeros(len(places), dtype=bool)
    full = np.column_stack([cols + scene.window.corner[0], rows + scene.window.corner[1]])
    return np.asarray(cKDTree(full).query(places)[0] < CORE)


def _shape_of(scene: BandSky, weights: Float) -> tuple[Array, Array, Array, Apertures]:
    """Of the wanted stars: noise-equivalent area, share of others' light under the response, share on used pixels.

    And the pixels that a light curve names as its mask: those with a hundredth of the star's light, or more.
    """
    response = scene.response(int(scene.field.segments[len(scene.field.segments) // 2]))
    model = np.zeros(scene.window.shape)
    for part in parts(len(scene.stars), _CHUNK):
        place = scene.stars.column[part], scene.stars.row[part]
        add_stars(model, scene.window.corner, *place, np.maximum(np.nan_to_num(scene.flux[part]), 0.0), response)
    reach, side = response.reach, 2 * response.reach + 1
    padded = np.pad(model, side)
    counted = np.pad((weights > 0).astype(np.float32), side)
    there = np.pad(np.ones(scene.window.shape, dtype=bool), side)
    area, others, inside, held, pure = (np.empty(len(scene.wanted)) for _ in range(5))
    masks = np.empty((len(scene.wanted), side, side), dtype=bool)
    corners = np.empty((2, len(scene.wanted)), dtype=np.int64)
    for part in parts(len(scene.wanted), _CHUNK):
        chosen = scene.wanted[part]
        column, row = scene.stars.column[chosen], scene.stars.row[chosen]
        bottom, left = box_corners(column, row, scene.window.corner, reach)
        lines = bottom[:, None, None] + side + np.arange(side)[:, None]
        places = left[:, None, None] + side + np.arange(side)[None, :]
        # Light beside the frames is in no pixel.
        boxes = response.boxes(column, row)[:, 0].astype(np.float64) * there[lines, places]
        squares = (boxes**2).sum(axis=(1, 2))
        own = np.maximum(np.nan_to_num(scene.flux[chosen]), 0.0) * squares
        total = (boxes * padded[lines, places]).sum(axis=(1, 2))
        area[part] = boxes.sum(axis=(1, 2)) ** 2 / squares
        others[part] = np.divide(np.maximum(total - own, 0.0), total, out=np.full(len(own), np.nan), where=total > 0)
        inside[part] = (boxes * counted[lines, places]).sum(axis=(1, 2))
        masks[part] = mask = boxes >= MASK_SHARE * np.maximum(boxes.sum(axis=(1, 2)), 1e-12)[:, None, None]
        corners[:, part] = bottom + scene.window.corner[1], left + scene.window.corner[0]
        held[part], light = (boxes * mask).sum(axis=(1, 2)), (padded[lines, places] * mask).sum(axis=(1, 2))
        mine = np.maximum(np.nan_to_num(scene.flux[chosen]), 0.0) * held[part]
        pure[part] = np.divide(mine, light, out=np.full(len(own), np.nan), where=light > 0)
    return area, others, inside, Apertures(masks, corners[0], corners[1], held, np.clip(pure, 0.0, 1.0))
