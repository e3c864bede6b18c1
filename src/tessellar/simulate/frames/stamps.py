"""Target pixel files and light curves cut from the sky of simulated frames.

At 2-min cadence the same stars, sky and pointing are drawn at the times of the 2-min cadences that the frames
span, with noise of their own. At the frames' cadence their own pixels are cut, noise and all, as TESS-SPOC does.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.mission.motion import move
from tessellar.mission.names import build_name
from tessellar.products import FullFrameImage, read
from tessellar.simulate import detector
from tessellar.simulate.aperture import optimal_aperture
from tessellar.simulate.detector import TWO_MINUTES
from tessellar.simulate.fields import Spot, file_name
from tessellar.simulate.frames.exposing import Camera
from tessellar.simulate.frames.light import Starlight, place_starlight
from tessellar.simulate.frames.motion import dump_swings, move_frames
from tessellar.simulate.frames.orbit import barycentric_place, light_travel
from tessellar.simulate.frames.plan import FramePlan
from tessellar.simulate.frames.population import Population
from tessellar.simulate.frames.responses import WING_REACH, WING_SHARE, wing_kernel
from tessellar.simulate.frames.skylight import Skylight, shine
from tessellar.simulate.frames.variables import Variables, averaged
from tessellar.simulate.observation import Observation
from tessellar.simulate.photometer import measure
from tessellar.simulate.schedule import DESATURATION, EARTH_POINT, Schedule, cadences_between
from tessellar.simulate.signals import Constant
from tessellar.simulate.spoc import write_light_curve_file, write_target_pixel_file
from tessellar.simulate.stars import Star
from tessellar.simulate.truth import write_cadences

FloatArray = NDArray[np.float64]
Images = NDArray[np.float32]

#: Rows and columns of a stamp.
SHAPE = (11, 11)
# Rows above and below in which a saturated star's charge may spill, and the magnitude from which that matters.
_SPILL_ROWS, _SPILLING = 60, 7.5
# 1-sigma error of the subtracted sky, e-/s/px.
_SKY_ERROR = 0.05
# Stars of this range are chosen as targets unless they are named: not saturated, and not lost in the noise.
_CHOSEN = (7.0, 13.5)


@dataclass(frozen=True)
class StampMaker:
    """Cuts stamps from the sky of some frames.

    Attributes
    ----------
    camera : Camera
        What made the frames.
    paths : sequence of Path
        The frames.
    corner, shape : (int, int)
        First science pixel (CCD column and row, 1-based) of the frames; rows and columns.
    unresolved : float
        Mean light of stars that the catalogue lacks, e-/s/px: it counts as sky.
    latitude : float
        Ecliptic latitude, degrees.
    """

    camera: Camera
    paths: Sequence[Path]
    corner: tuple[int, int]
    shape: tuple[int, int]
    unresolved: float
    latitude: float

    def choose(self, wanted: int | Sequence[int]) -> list[int]:
        """Indices of so many stars that make good targets, those that vary and the brightest first; or by TIC ids."""
        population = self.camera.starlight.population
        if not isinstance(wanted, int):
            return [self._named(int(tic)) for tic in wanted]
        column, row = population.column - self.corner[0], population.row - self.corner[1]
        inside = (column > SHAPE[1]) & (column < self.shape[1] - SHAPE[1])
        inside &= (row > SHAPE[0]) & (row < self.shape[0] - SHAPE[0])
        inside &= (population.tic > 0) & (population.tmag > _CHOSEN[0]) & (population.tmag < _CHOSEN[1])
        able = np.flatnonzero(inside)
        varies = np.isin(able, self.camera.starlight.variables.star)
        order = np.lexsort((population.tmag[able], ~varies))
        if len(able) < wanted:
            raise InputError(f"{wanted} targets asked for: the frames show {len(able)} stars that make one")
        return [int(star) for star in able[order][:wanted]]

    def _named(self, tic: int) -> int:
        population = self.camera.starlight.population
        for star in np.flatnonzero(population.tic == tic):
            places = population.column[star] - self.corner[0], population.row[star] - self.corner[1]
            if all(
                half < place < size - half
                for place, size, half in zip(places, self.shape[::-1], (SHAPE[1] // 2, SHAPE[0] // 2), strict=True)
            ):
                return int(star)
        raise InputError(f"TIC {tic} asked for as a target: the frames do not show all of its stamp")

    def write(self, folder: Path, star: int, cadence: int) -> list[Path]:
        """Write the target pixel file and the light curve of one star, 120 s or at the frames' cadence.

        Files that are there are taken as written. The truth of each 2-min cadence goes into ``truth/``.
        """
        paths = [folder / name for name in self.names(star, cadence)]
        if all(path.is_file() for path in paths):
            return paths
        observation = self.observe(star, cadence)
        measured = measure(observation)
        if cadence == TWO_MINUTES.cadence:
            write_cadences(folder, observation)
        return [
            write_target_pixel_file(paths[0], observation, measured),
            write_light_curve_file(paths[1], observation, measured),
        ]

    def names(self, star: int, cadence: int) -> list[str]:
        """File names of the target pixel file and the light curve of one star."""
        tic, sector = int(self.camera.starlight.population.tic[star]), self.camera.plan.field.sector
        if cadence == TWO_MINUTES.cadence:
            return [file_name(product, tic, sector) for product in ("tp", "lc")]
        return [
            build_name("tess-spoc", tic=tic, sector=sector, version="v1", product=product) for product in ("tp", "lc")
        ]

    def observe(self, star: int, cadence: int) -> Observation:
        """Observe one star, given by its index among the stars of the frames."""
        plan = self.camera.plan
        if cadence == TWO_MINUTES.cadence:
            schedule, dumps = _two_minutes(plan), dump_swings(plan, self.camera.seed)
            late = detector.stagger(plan.field.camera, plan.field.ccd) / 86400
            mid = schedule.clock + late
            motion = move_frames(plan.field, mid, schedule.quality, cadence, self.camera.seed, dumps)
            sky = self._sky(schedule, mid)
        elif cadence == plan.cadence:
            schedule, mid = _as_frames(plan, self.camera), plan.mid
            motion, sky = self.camera.starlight.motion, self.camera.skylight
        else:
            raise InputError(f"stamps of {cadence} s: there are those of 120 s and of the frames' {plan.cadence} s")
        scene = self._scene(star, mid, motion, cadence)
        return self._observation(star, schedule, mid, scene, sky, cut=cadence == plan.cadence)

    def _sky(self, schedule: Schedule, mid: FloatArray) -> Skylight:
        return shine(self.camera.plan.field, mid, schedule.glow, self.latitude, self.camera.seed)

    def _scene(self, star: int, mid: FloatArray, motion: Any, cadence: int) -> Starlight:
        """The stars about one, ready to be drawn at other times."""
        whole = self.camera.starlight
        population, variables = whole.population, whole.variables
        place = float(population.column[star]), float(population.row[star])
        spill = _SPILL_ROWS if population.tmag[star] < _SPILLING else 0
        corner = round(place[0]) - SHAPE[1] // 2, round(place[1]) - SHAPE[0] // 2 - spill
        shape = SHAPE[0] + 2 * spill, SHAPE[1]
        reach = WING_REACH + 8
        near = np.flatnonzero(
            (population.column > corner[0] - reach) & (population.column < corner[0] + shape[1] + reach)
            & (population.row > corner[1] - reach) & (population.row < corner[1] + shape[0] + reach)
        )  # fmt: skip
        kept = np.flatnonzero(np.isin(variables.star, near))
        places = barycentric_place(mid)
        relative = [
            averaged(
                variables.signal[k],
                mid + light_travel(*_direction(population, int(variables.star[k])), places),
                cadence,
            )
            for k in kept
        ]
        some = population.chosen(near)
        varying = Variables(
            np.searchsorted(near, variables.star[kept]), tuple(variables.kind[k] for k in kept),
            tuple(variables.signal[k] for k in kept), np.array(relative).reshape(len(kept), len(mid)),
        )  # fmt: skip
        with ThreadPoolExecutor(1) as pool:
            return place_starlight(some, varying, whole.response, motion, corner, shape, pool)

    def _observation(
        self, star: int, schedule: Schedule, mid: FloatArray, scene: Starlight, sky: Skylight, cut: bool
    ) -> Observation:
        population = self.camera.starlight.population
        target = self._star(star)
        spill = (scene.shape[0] - SHAPE[0]) // 2
        corner = scene.corner[0], scene.corner[1] + spill
        inside = slice(spill, spill + SHAPE[0])
        gap = schedule.gap
        light = np.empty((len(mid), *SHAPE), dtype=np.float32)
        smooth = np.empty_like(light)
        half = 0.5 * schedule.exposure.cadence / 86400
        for k in range(len(mid)):
            level = sky.image(k, scene.corner, scene.shape) + np.float32(self.unresolved)
            image = scene.image(k)
            span = float(mid[k]) - half, float(mid[k]) + half
            self.camera.asteroids.add(image, scene.corner, k, span, scene.motion, scene.response)
            image += level - np.float32(self.unresolved)
            if image.max() > detector.SATURATION:
                image = detector.bleed(image[None])[0]
            light[k], smooth[k] = image[inside], level[inside]
        own, signal = self._alone(star, scene, corner, len(mid))
        read_noise = detector.READ_NOISES[detector.output(float(population.column[star]))]
        variance = detector.variance(np.maximum(light, 0), read_noise, schedule.exposure)
        if cut:
            flux, error = self._cut(corner)
        else:
            rng = np.random.default_rng([self.camera.seed, 14, schedule.sector, target.tic])
            error = np.sqrt(variance)
            flux = light + error * rng.standard_normal(light.shape, dtype=np.float32)
        flux = flux - smooth
        spot = Spot(self.camera.plan.field, float(population.column[star]), float(population.row[star]))
        aperture = optimal_aperture(
            own.mean(axis=0, dtype=np.float64), (light - smooth).mean(axis=0, dtype=np.float64),
            np.median(variance, axis=0), target.flux, detector.output(spot.column),
        )  # fmt: skip
        mask = aperture.mask
        true_flux = (light - smooth)[:, mask].sum(axis=1, dtype=np.float64)
        true_target = own[:, mask].sum(axis=1, dtype=np.float64)
        steady = float(np.median(true_flux - true_target)) + float(np.median(true_target / signal)) * signal
        timecorr = light_travel(target.ra, target.dec, barycentric_place(mid))
        motion = scene.motion.track(spot.column, spot.row) - (spot.column, spot.row)
        for images in (flux, error, smooth):
            images[gap] = np.nan
        return Observation(
            target, spot, corner, schedule,
            btjd=np.where(gap, np.nan, mid + timecorr), timecorr=np.where(gap, 0.0, timecorr),
            quality=schedule.quality.copy(), flux=flux, flux_err=error, flux_bkg=smooth, motion=motion,
            aperture=aperture, true_times=mid + timecorr, true_flux=true_flux, true_target=true_target,
            steady_flux=steady, signal=signal, saturated=bool(light.max() > 0.99 * detector.SATURATION),
            sky_error=_SKY_ERROR,
        )  # fmt: skip

    def _star(self, star: int) -> Star:
        """The star as the headers of its files tell it: at the time of the frames."""
        population = self.camera.starlight.population
        plan, variables = self.camera.plan, self.camera.starlight.variables
        found = np.flatnonzero(variables.star == star)
        kind, signal = ("quiet", Constant()) if not found.size else (
            variables.kind[found[0]], variables.signal[found[0]],
        )  # fmt: skip
        epoch = 0.5 * float(plan.btjd[0] + plan.btjd[-1])
        ra, dec = move(
            population.ra[star], population.dec[star], population.pm_ra[star], population.pm_dec[star], epoch
        )
        return replace(
            Star(int(population.tic[star]), kind, round(float(population.tmag[star]), 6), signal=signal),
            ra=round(float(ra), 9), dec=round(float(dec), 9),
        )  # fmt: skip

    def _alone(self, star: int, scene: Starlight, corner: tuple[int, int], count: int) -> tuple[Images, FloatArray]:
        """The target without all others, in each cadence, and its relative flux."""
        population = self.camera.starlight.population
        place = float(population.column[star]), float(population.row[star])
        track = scene.motion.track(*place)
        index = int(np.flatnonzero((scene.population.column == place[0]) & (scene.population.row == place[1]))[0])
        found = np.flatnonzero(scene.variables.star == index)
        signal = scene.variables.relative[found[0]] if found.size else np.ones(count)
        flux = float(population.flux[star]) * signal
        images = np.zeros((count, *SHAPE), dtype=np.float32)
        reach = scene.response.reach
        for start in range(0, count, 4096):
            part = slice(start, start + 4096)
            boxes = scene.response.boxes(track[part, 0], track[part, 1])[:, 0]
            left = np.floor(track[part, 0] + 0.5).astype(int) - corner[0]
            low = np.floor(track[part, 1] + 0.5).astype(int) - corner[1]
            for k, box in enumerate(boxes):
                rows = reach - low[k], reach - low[k] + SHAPE[0]
                columns = reach - left[k], reach - left[k] + SHAPE[1]
                images[start + k] = (1 - WING_SHARE) * flux[start + k] * box[slice(*rows), slice(*columns)]
        middle = [WING_REACH - size // 2 for size in SHAPE]
        halo = wing_kernel()[middle[0] : middle[0] + SHAPE[0], middle[1] : middle[1] + SHAPE[1]]
        images += (WING_SHARE * flux).astype(np.float32)[:, None, None] * halo
        return images, signal

    def _cut(self, corner: tuple[int, int]) -> tuple[Images, Images]:
        """Pixels and errors out of the frames' files."""
        images, errors = (np.empty((len(self.paths), *SHAPE), dtype=np.float32) for _ in range(2))
        spans = (corner[0], corner[0] + SHAPE[1] - 1), (corner[1], corner[1] + SHAPE[0] - 1)
        for k, path in enumerate(self.paths):
            frame = read(path)
            assert isinstance(frame, FullFrameImage)
            images[k] = frame.part(*spans)
            uncertainty = frame.uncertainty
            assert uncertainty is not None
            left, low = corner[0] - frame.corner[0], corner[1] - frame.corner[1]
            errors[k] = uncertainty[low : low + SHAPE[0], left : left + SHAPE[1]]
        return images, errors


def _direction(population: Population, star: int) -> tuple[float, float]:
    return float(population.ra[star]), float(population.dec[star])


def _two_minutes(plan: FramePlan) -> Schedule:
    """The 2-min cadences that frames span, with the frames' flags and gaps."""
    late = detector.stagger(plan.field.camera, plan.field.ccd) / 86400
    cadenceno, clock = cadences_between(float(plan.start[0]) - late, float(plan.stop[-1]) - late)
    mid = clock + late
    frame = np.clip(np.searchsorted(plan.start, mid, side="right") - 1, 0, len(plan) - 1)
    quality = (plan.quality[frame] & ~DESATURATION).astype(np.int32)
    for dump in plan.mid[(plan.quality & DESATURATION) > 0]:
        quality[np.argmin(np.abs(mid - dump))] |= DESATURATION
    quality[mid > plan.stop[frame] + 1e-9] = EARTH_POINT
    glow = np.interp(mid, plan.mid, plan.glow)
    return Schedule(plan.field.sector, cadenceno, clock, quality, glow, exposure=TWO_MINUTES)


def _as_frames(plan: FramePlan, camera: Camera) -> Schedule:
    """The frames themselves as a schedule: their numbers are the cadence numbers."""
    late = detector.stagger(plan.field.camera, plan.field.ccd) / 86400
    return Schedule(
        plan.field.sector, plan.number, plan.mid - late, plan.quality.copy(), plan.glow, exposure=camera.exposure
    )
