"""Making the frames of a CCD: settings, files, and the order in which all is drawn."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tessellar.errors import InputError, NoPermission
from tessellar.machine import cores
from tessellar.mission.ccd import FIRST_COLUMN, FIRST_ROW, LAST_COLUMN, LAST_ROW, ccd_plane
from tessellar.mission.sectors import get_sector
from tessellar.pixels.response import MissionPRF
from tessellar.progress import Event, Listener, ignore
from tessellar.simulate.detector import TWO_MINUTES
from tessellar.simulate.fields import MIDDLE
from tessellar.simulate.filing import whole_file
from tessellar.simulate.frames.exposing import Camera, exposure_of
from tessellar.simulate.frames.headers import FrameDates, frame_dates
from tessellar.simulate.frames.light import place_starlight
from tessellar.simulate.frames.motion import dump_swings, move_frames
from tessellar.simulate.frames.passers import send_asteroids
from tessellar.simulate.frames.plan import FramePlan, plan_frames
from tessellar.simulate.frames.population import Population, draw_stars, listed_stars
from tessellar.simulate.frames.responses import RESPONSE_FOLDER, WING_REACH, WING_SHARE, write_responses
from tessellar.simulate.frames.skylight import shine
from tessellar.simulate.frames.stamps import StampMaker
from tessellar.simulate.frames.truth import TRUTH_FILE, FrameTruth, write_truth
from tessellar.simulate.frames.variables import choose_variables
from tessellar.simulate.frames.writing import Canvas, frame_names, write_frame
from tessellar.simulate.truth import TRUTH_FOLDER, write_table
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.table import Table

#: The mark of a folder that holds simulated frames.
MARK_FILE = "simulation.json"
CATALOG_FILE = "tic.ecsv"
#: Catalogued stars on a CCD, unless told otherwise: a field away from the Milky Way.
STARS_PER_CCD = 30_000
_MOST_THREADS = 8
_OBLIQUITY = np.radians(23.4392911)

#: What a window may be given as: a size, or first and last column and first and last row.
Window = int | tuple[tuple[int, int], tuple[int, int]] | None


def simulate_frames(
    directory: str | PathLike[str],
    field: Field | str,
    *,
    window: Window = None,
    cadence: int | None = None,
    n_frames: int | None = None,
    seed: int = 1,
    stars: float = STARS_PER_CCD,
    limit: float = 16.0,
    catalog: Table | Mapping[str, Any] | None = None,
    prf: str | PathLike[str] | MissionPRF | None = None,
    targets: int | Sequence[int] = 0,
    target_cadences: Sequence[int] = (120,),
    mitigation: bool = True,
    overwrite: bool = False,
    workers: int | None = None,
    listener: Listener = ignore,
) -> FrameTruth:
    """Make full-frame images of one CCD, or a window of it, as SPOC writes them, with the exact truth beside them.

    Beside the frames lie ``tic.ecsv`` (the catalogue, as users have it), ``prf/`` (the pixel response
    in the mission's format) and ``truth.h5``. The same arguments give the same frames, byte for byte. A run that
    was interrupted goes on where it stopped when it is started again with the same arguments.

    Parameters
    ----------
    directory : path-like
        Where the files go; made if it is not there.
    field : Field or str
        Sector, camera and CCD, as ``"1-4-1"``.
    window : int or pair of (first, last), optional
        Science pixels: a square at the CCD's first science pixel, or columns and rows (1-based, both
        included); the whole CCD if not given. A window that begins at column 45 has the 44 leading virtual columns
        of the CCD, others have science pixels only.
    cadence : int, optional
        200, 600 or 1800 s; that of the sector's own frames if not given.
    n_frames : int, optional
        The first so many, with a gap, dumps and scattered light in proportion; all of the sector if not given.
    seed : int
        Another seed is another sky.
    stars : float
        Catalogued stars on a whole CCD; a window has its share.
    limit : float
        Magnitude at which the catalogue ends; stars to T = 20 shine.
    catalog : Table or mapping, optional
        Stars instead of drawn ones, with the TIC's columns ``ID, ra, dec, Tmag``; nothing fainter is added.
    prf : path-like or MissionPRF, optional
        A folder of the mission's PRF files; by default an analytic response like them, written to ``prf/``.
    targets : int or sequence of int
        For so many stars, or for those with these TIC ids, also target pixel files and light curves of SPOC's form.
    target_cadences : sequence of int
        120, drawn from the same sky; the frames' own cadence, cut from their pixels as TESS-SPOC does; or both.
    mitigation : bool
        Whether the spacecraft drops cosmic rays. Noise has the variance that this leaves (a tenth less light counts,
        see `tessellar.simulate.frames.exposing`).
    overwrite : bool
        Replace simulated frames made with other settings, or write beside other things.
    workers : int, optional
        Threads; as many as there are processors if not given, at most 8.
    listener : callable, optional
        Told of progress.

    Returns
    -------
    FrameTruth
        What is true of them.

    Raises
    ------
    InputError
        If the settings make no sense, or the folder holds other things.
    NoSpace, NoPermission, StoreError
        If a file cannot be written; frames that are written stay.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> truth = simulate_frames(folder, "1-4-1", window=32, n_frames=2)
    >>> truth
    <FrameTruth s0001-4-1, 2 frames of 32 x 32 px, ... stars>
    >>> truth.names[0]
    'tess2018206192941-s0001-4-1-0120-s_ffic.fits'
    """
    field = Field.parse(field) if isinstance(field, str) else field
    folder = Path(directory)
    canvas = _canvas(window)
    plan = plan_frames(field, cadence or get_sector(field.sector).ffi_cadence, n_frames)
    population = _population(field, canvas, plan, catalog, stars, limit, seed)
    settings = {
        "field": str(field),
        "columns": [canvas.corner[0], canvas.corner[0] + canvas.shape[1] - 1],
        "rows": [canvas.corner[1], canvas.corner[1] + canvas.shape[0] - 1],
        "cadence": plan.cadence, "n_frames": len(plan), "seed": seed, "mitigation": mitigation,
        "stars": stars if catalog is None else population.digest(), "limit": limit,
        "prf": None if prf is None else str(prf),
        "targets": targets if isinstance(targets, int) else [int(tic) for tic in targets],
        "target_cadences": _target_cadences(target_cadences, plan.cadence),
    }  # fmt: skip
    _prepare(folder, settings, overwrite)
    _sweep(folder)
    dates = frame_dates(plan)
    names = frame_names(plan, dates)
    with ThreadPoolExecutor(_threads(workers)) as pool:
        response = _response(folder, field, prf)
        camera = _camera(plan, population, response, canvas, mitigation, seed, pool)
        paths = [folder / name for name in names]
        unresolved = _unresolved(population, canvas)
        stamps = StampMaker(camera, paths, canvas.corner, canvas.shape, unresolved, _ecliptic_latitude(field))
        cadences = _target_cadences(target_cadences, plan.cadence)
        wanted = [(star, each) for star in stamps.choose(targets) for each in cadences]
        if not (folder / TRUTH_FILE).is_file():
            write_table(folder / CATALOG_FILE, population.catalogue())
            products = [name for star, each in wanted for name in stamps.names(star, each)]
            write_truth(folder, camera, names, products, settings, unresolved)
        _write_all(folder, camera, canvas, names, dates, pool, listener)
    for done, (star, each) in enumerate(wanted, 1):
        stamps.write(folder, star, each)
        listener(Event("targets", done, len(wanted), "files", finished=done == len(wanted)))
    return FrameTruth.read(folder)


def _canvas(window: Window) -> Canvas:
    if window is None:
        return Canvas((FIRST_COLUMN, FIRST_ROW), (LAST_ROW - FIRST_ROW + 1, LAST_COLUMN - FIRST_COLUMN + 1))
    columns, rows = (
        window
        if not isinstance(window, int)
        else ((FIRST_COLUMN, FIRST_COLUMN + window - 1), (FIRST_ROW, FIRST_ROW + window - 1))
    )
    for (first, last), lowest, highest, word in (
        (columns, FIRST_COLUMN, LAST_COLUMN, "columns"), (rows, FIRST_ROW, LAST_ROW, "rows"),
    ):  # fmt: skip
        if not lowest <= first < last <= highest:
            raise InputError(f"window with {word} {first} to {last}: science pixels are {word} {lowest} to {highest}")
    return Canvas((columns[0], rows[0]), (rows[1] - rows[0] + 1, columns[1] - columns[0] + 1))


def _threads(workers: int | None) -> int:
    return workers if workers else min(cores(), _MOST_THREADS)


def _prepare(folder: Path, settings: dict[str, Any], overwrite: bool) -> None:
    """Make the folder or go on in it; what other settings left in it is removed only if that was asked for."""
    mark = folder / MARK_FILE
    text = json.dumps({"made_by": "tessellar simulate", "frames": settings}, indent=1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if mark.is_file():
            if mark.read_text(encoding="utf-8") == text + "\n":
                return
            if not overwrite and (folder / TRUTH_FILE).is_file():
                raise InputError(f"{folder} holds a simulation with other settings: take another folder, or overwrite")
            for path in _former(folder):
                path.unlink()
        elif not overwrite and any(folder.iterdir()):
            raise InputError(f"{folder} holds other things: choose an empty folder, or ask for it to be overwritten")
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{folder} is a file: choose a folder") from error
    except PermissionError as error:
        raise NoPermission(f"{folder}: may not be written; choose another folder") from error
    with whole_file(mark) as stream:
        stream.write(text.encode() + b"\n")


def _sweep(folder: Path) -> None:
    """Remove what killed runs left half written."""
    places = (folder, folder / RESPONSE_FOLDER, folder / TRUTH_FOLDER)
    for draft in [draft for place in places for draft in place.glob(".*.part")]:
        try:
            os.kill(int(draft.name.split(".")[-2]), 0)
        except ProcessLookupError:
            draft.unlink(missing_ok=True)
        except (ValueError, PermissionError):
            continue


def _former(folder: Path) -> list[Path]:
    """Files of former frames in a folder: those that its truth names, and what lies beside them."""
    found = [folder / name for name in (TRUTH_FILE, CATALOG_FILE) if (folder / name).is_file()]
    if (folder / TRUTH_FILE).is_file():
        truth = FrameTruth.read(folder)
        found += [path for path in (*truth.paths, *truth.target_paths) if path.is_file()]
    beside = [*(folder / RESPONSE_FOLDER).glob("tess*-prf-*.fits"), *(folder / TRUTH_FOLDER).glob("s????-*.fits")]
    return [*found, *beside]


def _response(folder: Path, field: Field, prf: str | PathLike[str] | MissionPRF | None) -> MissionPRF:
    if isinstance(prf, MissionPRF):
        return prf
    if prf is not None:
        return MissionPRF.open(prf, camera=field.camera, ccd=field.ccd, sector=field.sector)
    return write_responses(folder / RESPONSE_FOLDER, field)


def _population(
    field: Field, canvas: Canvas, plan: FramePlan, catalog: Any, stars: float, limit: float, seed: int
) -> Population:
    epoch = 0.5 * float(plan.btjd[0] + plan.btjd[-1])
    corner = canvas.corner[0] - WING_REACH, canvas.corner[1] - WING_REACH
    shape = canvas.shape[0] + 2 * WING_REACH, canvas.shape[1] + 2 * WING_REACH
    if catalog is not None:
        return listed_stars(catalog, field, corner, shape, epoch)
    return draw_stars(field, corner, shape, epoch, per_ccd=stars, limit=limit, seed=seed)


def _camera(
    plan: FramePlan,
    population: Population,
    response: MissionPRF,
    canvas: Canvas,
    mitigation: bool,
    seed: int,
    pool: Executor,
) -> Camera:
    motion = move_frames(plan.field, plan.mid, plan.quality, plan.cadence, seed, dump_swings(plan, seed))
    variables = choose_variables(population, plan, seed)
    latitude = _ecliptic_latitude(plan.field)
    return Camera(
        plan,
        place_starlight(population, variables, response, motion, canvas.corner, canvas.shape, pool),
        shine(plan.field, plan.mid, plan.glow, latitude, seed),
        send_asteroids(canvas.corner, canvas.shape, plan.mid, latitude, seed),
        exposure_of(plan.cadence, mitigation),
        seed,
    )


def _write_all(
    folder: Path,
    camera: Camera,
    canvas: Canvas,
    names: list[str],
    dates: FrameDates,
    pool: Executor,
    listener: Listener,
) -> None:
    reference = ccd_plane(camera.plan.field)
    wanted = [frame for frame, name in enumerate(names) if not (folder / name).is_file()]
    done, total = len(names) - len(wanted), len(names)

    def write(frame: int) -> None:
        plane = camera.starlight.motion.plane(frame, reference)
        write_frame(folder / names[frame], camera, frame, canvas, plane, dates)

    try:
        for _ in pool.map(write, wanted):
            done += 1
            listener(Event("frames", done, total, "files"))
    except BaseException:
        # Whoever interrupts does not want to wait for all that are still to come.
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    listener(Event("frames", done, total, "files", finished=True))


def _target_cadences(wanted: Sequence[int], own: int) -> list[int]:
    for cadence in wanted:
        if cadence not in (TWO_MINUTES.cadence, own):
            raise InputError(f"target pixel files of {cadence} s asked for: 120, or the frames' own {own}")
    return [int(cadence) for cadence in wanted]


def _unresolved(population: Population, canvas: Canvas) -> float:
    """Mean light of stars without catalogue entry, their halos left out, e-/s/px."""
    area = (canvas.shape[0] + 2 * WING_REACH) * (canvas.shape[1] + 2 * WING_REACH)
    return (1 - WING_SHARE) * float(population.flux[population.catalogued :].sum()) / area


def _ecliptic_latitude(field: Field) -> float:
    ra, dec = np.radians(ccd_plane(field).to_sky(*MIDDLE))
    sine = np.sin(dec) * np.cos(_OBLIQUITY) - np.cos(dec) * np.sin(_OBLIQUITY) * np.sin(ra)
    return float(np.degrees(np.arcsin(sine)))
