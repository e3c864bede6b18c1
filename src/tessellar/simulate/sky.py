"""Making a sky: which stars, which sectors, and the files with the truth beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.simulate import detector, fields, truth
from tessellar.simulate.averaging import averaged, cadences_of_image, tess_spoc_name
from tessellar.simulate.fields import Spot
from tessellar.simulate.folder import mark_folder, prepare_folder, remove_files
from tessellar.simulate.followup import followup_files, write_followup
from tessellar.simulate.observation import Observation, observe
from tessellar.simulate.photometer import Measured, measure
from tessellar.simulate.qlp import qlp_name, write_qlp_file
from tessellar.simulate.schedule import Schedule, in_twenty_seconds, plan, pointing
from tessellar.simulate.spoc import write_light_curve_file, write_target_pixel_file
from tessellar.simulate.stars import FIRST_TIC, Sky, Star, choose, default_targets, place, quick_target
from tessellar.simulate.tic import TIC_FILE, tic_table
from tessellar.simulate.validation import Sighting, eclipses, plan_runs, sight, write_runs
from tessellar.targets import Field, check_sector

#: Sectors of the default sky: camera 4, CCD 1 saw the same field in both.
DEFAULT_SECTORS = (1, 2)
#: The sector in which the default sky's quick target is observed as well: the first with 20-s cadences.
FAST_SECTOR = 27
#: 20-s files hold so many days at most: those of a whole sector would have 340 MB.
FAST_DAYS = 1.0


@dataclass(frozen=True)
class _Sector:
    """One sector as it is simulated."""

    schedule: Schedule
    pointing: dict[int, NDArray[np.float64]]


@dataclass(frozen=True)
class _Task:
    """One star in one sector."""

    star: Star
    spot: Spot
    fast: bool

    @property
    def sector(self) -> int:
        return self.spot.field.sector


def simulate(
    directory: str | PathLike[str],
    *,
    seed: int = 1,
    sectors: Sequence[int] | None = None,
    days: float | None = None,
    n_cadences: int | None = None,
    kinds: Collection[str] | None = None,
    stars: Sequence[Star] | None = None,
    centre: tuple[float, float] | None = None,
    extras: bool = True,
    overwrite: bool = False,
) -> truth.Truth:
    """Make a sky with known truth: target pixel files and light curves as SPOC makes them, and what others make of it.

    Nine stars of one CCD field (transiting planets, an eclipsing binary, a pulsator, a blend, a
    saturated star, quiet stars), 11 x 11 px, 2-min cadence, each sector with its own pointing,
    gap, momentum dumps and scattered light. With the extras: validation runs of the stars
    in which a search finds transits (time series, reports, pages, lists of events), 20-s files of the ninth star,
    light curves of the Quick-Look Pipeline (QLP), the TESS Input Catalog of the field, and what ExoFOP would
    have of it. The same arguments give the same bytes. A sector of one star takes 50 MB.

    Parameters
    ----------
    directory : path-like
        Where the files go; made if it is not there.
    seed : int
        Another seed is another sky.
    sectors : sequence of int, optional
        Sectors 1 and 2 if not given, and with the extras sector 27 for the ninth star; all of them must see one field.
    days : float, optional
        Only the first days of each sector.
    n_cadences : int, optional
        Only the first cadences of each sector; instead of `days`.
    kinds : collection of str, optional
        Only targets of these kinds; they are the same as in the whole sky.
    stars : sequence of Star, optional
        Targets instead of the default ones; those without a position are put into the field. One of the kind
        ``quick`` gets 20-s files in sectors that have such.
    centre : (float, float), optional
        Right ascension and declination of the field, degrees; found from the sectors if not given.
    extras : bool
        False for target pixel files and light curves of the first eight stars alone.
    overwrite : bool
        Write into a folder that holds other things as well; they are left alone.

    Returns
    -------
    Truth
        What is true of this sky.

    Raises
    ------
    InputError
        If the folder holds something else than a former simulation (and `overwrite` is not set), or
        the sectors see no common field.
    NoSpace, NoPermission, StoreError
        If a file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> truth = simulate(tempfile.mkdtemp(), n_cadences=10, kinds=["planet"], sectors=[1])
    >>> truth.files()[0].name
    'tess2018206045859-s0001-0000009900000001-0120-s_tp.fits'
    >>> truth.of(9900000001)["kind"]
    'planet'
    """
    folder = Path(directory)
    wanted = [check_sector(sector) for sector in (DEFAULT_SECTORS if sectors is None else sectors)]
    if not wanted or len(set(wanted)) < len(wanted):
        raise InputError(f"sectors {list(wanted)} asked for: name at least one, each once")
    count = _cadences(days, n_cadences)
    own = default_targets(seed) + ((quick_target(seed),) if extras else ())
    targets = own if stars is None else tuple(stars)
    sky = choose(place(targets, centre or fields.choose_centre(wanted), seed), kinds)
    tasks = list(_tasks(sky, wanted, fast_too=extras and stars is None and sectors is None, extras=extras))
    settings = {
        "seed": seed, "sectors": wanted, "n_cadences": count, "targets": [star.tic for star in sky.targets],
        "extras": extras,
    }  # fmt: skip
    former = prepare_folder(folder, overwrite)
    followup = followup_files(sky, wanted, seed) if extras else {}
    names = [*_names(tasks, extras), *followup]
    mark_folder(folder, settings, names)
    # Without it the sky is not whole, and nobody takes the former truth for that of the new files.
    remove_files(folder, [truth.TRUTH_FILE])
    rows, made = _observe_all(folder, sky, tasks, count, seed, extras)
    made += write_followup(folder, followup)
    remove_files(folder, [*former, *names], but=made)
    known = truth.Truth(folder, truth.truth_table(rows, settings), truth.catalogue_table(sky.stars))
    truth.write_table(folder / truth.TRUTH_FOLDER / truth.CATALOGUE_FILE, known.catalogue)
    truth.write_table(folder / truth.TRUTH_FILE, known.stars)
    return known


def simulated_stamp(
    n_cadences: int = 20_000,
    shape: tuple[int, int] = (11, 11),
    *,
    tmag: float = 10.0,
    seed: int = 1,
    field: Field | None = None,
    star: Star | None = None,
) -> Observation:
    """Observe a single star in the middle of a CCD: for benchmarks and tests.

    Parameters
    ----------
    n_cadences : int
        Cadences, up to those of the sector (about 20,000).
    shape : (int, int)
        Rows and columns of the stamp.
    tmag : float
        TESS magnitude.
    seed : int
        Of the noise and the image motion.
    field : Field, optional
        Sector, camera and CCD; sector 1, camera 4, CCD 1 if not given.
    star : Star, optional
        Which star; its position is set to the middle of the CCD. A quiet one of `tmag` if not given.

    Returns
    -------
    Observation
        For `write_target_pixel_file`.

    Examples
    --------
    >>> stamp = simulated_stamp(5)
    >>> stamp.flux.shape, int(stamp.aperture.mask.sum())
    ((5, 11, 11), 16)
    """
    field = field or Field(1, 4, 1)
    column, row = 1100.3, 1000.8
    ra, dec = fields.wcs_of(field).all_pix2world([[column, row]], 1)[0]
    star = replace(star or Star(FIRST_TIC, "quiet", tmag), ra=round(float(ra), 9), dec=round(float(dec), 9))
    schedule = plan(field.sector, *fields.sector_span(field.sector), n_cadences)
    motion = pointing(schedule, seed, field.camera)
    return observe(star, (), Spot(field, column, row), schedule, motion, seed=seed, shape=shape)


def _cadences(days: float | None, n_cadences: int | None) -> int | None:
    if days is not None and n_cadences is not None:
        raise InputError(f"days={days} and n_cadences={n_cadences} were both given: give one of them")
    if days is None:
        return n_cadences
    if not days > 0:
        raise InputError(f"days={days} asked for: ask for more than none")
    return max(1, round(days * 86400 / detector.CADENCE))


def _tasks(sky: Sky, sectors: Sequence[int], *, fast_too: bool, extras: bool) -> Iterator[_Task]:
    for sector in sectors:
        for star in sky.targets:
            fast = extras and star.kind == "quick" and fields.has_twenty_seconds(sector)
            yield _Task(star, fields.spot_of(star, sector), fast)
    if fast_too:
        for star in sky.targets:
            if star.kind == "quick":
                yield _Task(star, fields.spot_of(star, FAST_SECTOR), True)


def _names(tasks: Sequence[_Task], extras: bool) -> Iterator[str]:
    """All files that may come of the tasks."""
    for task in tasks:
        tic, sector = task.star.tic, task.sector
        yield from (fields.file_name(product, tic, sector) for product in ("tp", "lc"))
        yield truth.cadence_file(tic, sector)
        if task.fast:
            yield from (fields.file_name(f"fast-{product}", tic, sector) for product in ("tp", "lc"))
            yield truth.cadence_file(tic, sector, fast=True)
        if extras:
            yield from filter(None, (qlp_name(tic, sector), tess_spoc_name(tic, sector)))
    if extras:
        yield TIC_FILE
        found = {task.star.tic for task in tasks if eclipses(task.star.signal)}
        for run in plan_runs(sorted({task.sector for task in tasks})):
            yield run.list_name
            for tic in found:
                yield from run.names(tic)


def _observe_all(
    folder: Path, sky: Sky, tasks: Sequence[_Task], count: int | None, seed: int, extras: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Observe every star in every sector and write what comes of it; the rows of the truth, and the files' names."""
    planned = _planned(tasks, count, seed)
    rows: list[dict[str, Any]] = []
    made: list[str] = []
    sightings: list[Sighting] = []
    # One after the other: two threads take longer, for both wait for memory.
    for task in tasks:
        sector = planned[task.sector]
        motion = sector.pointing[task.spot.field.camera]
        others = fields.near(sky, task.star)
        observation = observe(task.star, others, task.spot, sector.schedule, motion, seed=seed)
        measured = measure(observation)
        rows.append(_write_files(folder, observation, measured))
        if not extras:
            continue
        made += _write_image_light_curves(folder, observation)
        if eclipses(task.star.signal):
            sightings.append(sight(observation, measured))
        if task.fast:
            fine, jitter = in_twenty_seconds(*_first_days(sector.schedule, motion), seed)
            quick = observe(task.star, others, task.spot, fine, jitter, seed=seed)
            rows.append(_write_files(folder, quick, measure(quick)))
    made += [str(row[name]) for row in rows for name in ("target_pixels", "light_curve", "cadences")]
    if extras:
        made += write_runs(folder, sightings)
        truth.write_table(folder / TIC_FILE, tic_table(sky, _year(planned[tasks[0].sector].schedule), seed))
        made.append(TIC_FILE)
    return rows, made


def _planned(tasks: Sequence[_Task], count: int | None, seed: int) -> dict[int, _Sector]:
    planned = {}
    for sector in dict.fromkeys(task.sector for task in tasks):
        schedule = plan(sector, *fields.sector_span(sector), count)
        cameras = {task.spot.field.camera for task in tasks if task.sector == sector}
        planned[sector] = _Sector(schedule, {camera: pointing(schedule, seed, camera) for camera in cameras})
    return planned


def _write_files(folder: Path, observation: Observation, measured: Measured) -> dict[str, Any]:
    fast = observation.schedule.exposure is detector.TWENTY_SECONDS
    products = ("fast-tp", "fast-lc") if fast else ("tp", "lc")
    names = [fields.file_name(product, observation.star.tic, observation.spot.field.sector) for product in products]
    write_target_pixel_file(folder / names[0], observation, measured)
    write_light_curve_file(folder / names[1], observation, measured)
    truth.write_cadences(folder, observation)
    return truth.truth_row(observation, *names)


def _write_image_light_curves(folder: Path, observation: Observation) -> list[str]:
    """Write what QLP and TESS-SPOC make of the full-frame images; the names of the files."""
    tic, sector = observation.star.tic, observation.spot.field.sector
    name, count = tess_spoc_name(tic, sector), cadences_of_image(sector)
    names = [write_qlp_file(folder, observation)]
    if name is not None and count is not None and (longer := averaged(observation, count)) is not None:
        write_light_curve_file(folder / name, longer)
        names.append(name)
    return [each for each in names if each is not None]


def _first_days(schedule: Schedule, motion: NDArray[np.float64]) -> tuple[Schedule, NDArray[np.float64]]:
    part = slice(0, round(FAST_DAYS * 86400 / detector.CADENCE))
    names = ("cadenceno", "clock", "quality", "glow")
    return replace(schedule, **{name: getattr(schedule, name)[part] for name in names}), motion[part]


def _year(schedule: Schedule) -> float:
    """Julian year of the middle of a sector."""
    return 2000.0 + (2457000.0 + float(schedule.clock.mean()) - 2451545.0) / 365.25
