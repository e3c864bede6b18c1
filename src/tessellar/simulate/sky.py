"""Making a sky: which stars, which sectors, and the files with the truth beside them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError, NoPermission
from tessellar.simulate import detector, fields, truth
from tessellar.simulate.fields import Spot
from tessellar.simulate.filing import whole_file
from tessellar.simulate.observation import Observation, observe
from tessellar.simulate.photometer import measure
from tessellar.simulate.schedule import Schedule, plan, pointing
from tessellar.simulate.spoc import write_light_curve_file, write_target_pixel_file
from tessellar.simulate.stars import FIRST_TIC, Sky, Star, choose, default_targets, place
from tessellar.targets import Field, check_sector

#: Sectors of the default sky: camera 4, CCD 1 saw the same field in both.
DEFAULT_SECTORS = (1, 2)
#: The mark of a folder that holds a simulation: its settings, and the files that belong to it.
MARK_FILE = "simulation.json"


@dataclass(frozen=True)
class _Sector:
    """One sector as it is simulated."""

    schedule: Schedule
    pointing: dict[int, NDArray[np.float64]]


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
    overwrite: bool = False,
) -> truth.Truth:
    """Make a sky with known truth: target pixel files and light curves as SPOC makes them.

    Eight stars of one CCD field (a transiting planet, an eclipsing binary, a pulsator, a blend, a
    saturated star, quiet stars), 11 x 11 px, 2-min cadence, each sector with its own pointing,
    gap, momentum dumps and scattered light. The same arguments give the same bytes. A sector of
    one star takes 50 MB.

    Parameters
    ----------
    directory : path-like
        Where the files go; made if it is not there.
    seed : int
        Another seed is another sky.
    sectors : sequence of int, optional
        Sectors 1 and 2 if not given; all of them must see one field.
    days : float, optional
        Only the first days of each sector.
    n_cadences : int, optional
        Only the first cadences of each sector; instead of `days`.
    kinds : collection of str, optional
        Only targets of these kinds; they are the same as in the whole sky.
    stars : sequence of Star, optional
        Targets instead of the default ones; those without a position are put into the field.
    centre : (float, float), optional
        Right ascension and declination of the field, degrees; found from the sectors if not given.
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
    targets = default_targets(seed) if stars is None else tuple(stars)
    sky = choose(place(targets, centre or fields.choose_centre(wanted), seed), kinds)
    spots = {(star.tic, sector): fields.spot_of(star, sector) for star in sky.targets for sector in wanted}
    settings = {"seed": seed, "sectors": wanted, "n_cadences": count, "targets": [star.tic for star in sky.targets]}
    former = _prepare(folder, overwrite)
    names = sorted(_names(sky, wanted))
    _mark(folder, settings, names)
    # Without it the sky is not whole, and nobody takes the former truth for that of the new files.
    with suppress(FileNotFoundError):
        (folder / truth.TRUTH_FILE).unlink()
    rows = _observe_all(folder, sky, wanted, spots, count, seed)
    for name in set(former) - set(names):
        with suppress(OSError):
            (folder / name).unlink()
    made = truth.Truth(folder, truth.truth_table(rows, settings), truth.catalogue_table(sky.stars))
    truth.write_table(folder / truth.TRUTH_FOLDER / truth.CATALOGUE_FILE, made.catalogue)
    truth.write_table(folder / truth.TRUTH_FILE, made.stars)
    return made


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
    from dataclasses import replace

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


def _prepare(folder: Path, overwrite: bool) -> list[str]:
    """Make the folder, or see that it may be written into; the files of a former simulation in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark = folder / MARK_FILE
        if mark.is_file():
            return _former_files(mark)
        if not overwrite and any(folder.iterdir()):
            raise InputError(f"{folder} holds other things: choose an empty folder, or ask for it to be overwritten")
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{folder} is a file: choose a folder") from error
    except PermissionError as error:
        raise NoPermission(f"{folder}: may not be written; choose another folder") from error
    return []


def _former_files(mark: Path) -> list[str]:
    try:
        former = json.loads(mark.read_text(encoding="utf-8"))
        return [name for name in former["files"] if _is_ours(name)]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{mark} is not what a simulation leaves: choose another folder") from error


def _is_ours(name: str) -> bool:
    """Whether a name may be one of ours: a mark that someone edited must not reach other files."""
    return name.endswith(".fits") and not Path(name).is_absolute() and ".." not in Path(name).parts


def _names(sky: Sky, sectors: Sequence[int]) -> Iterator[str]:
    for star in sky.targets:
        for sector in sectors:
            yield fields.file_name("tp", star.tic, sector)
            yield fields.file_name("lc", star.tic, sector)
            yield truth.cadence_file(star.tic, sector)


def _mark(folder: Path, settings: dict[str, Any], names: list[str]) -> None:
    text = json.dumps({"made_by": "tessellar simulate", **settings, "files": names}, indent=1)
    with whole_file(folder / MARK_FILE) as stream:
        stream.write(text.encode() + b"\n")


def _observe_all(
    folder: Path,
    sky: Sky,
    sectors: Sequence[int],
    spots: dict[tuple[int, int], Spot],
    count: int | None,
    seed: int,
) -> list[dict[str, Any]]:
    """Observe every star in every sector and write what comes of it; the rows of the truth."""
    planned = {}
    for sector in sectors:
        schedule = plan(sector, *fields.sector_span(sector), count)
        cameras = {spots[star.tic, sector].field.camera for star in sky.targets}
        planned[sector] = _Sector(schedule, {camera: pointing(schedule, seed, camera) for camera in cameras})

    def one(star: Star, sector: int) -> dict[str, Any]:
        spot = spots[star.tic, sector]
        motion = planned[sector].pointing[spot.field.camera]
        observation = observe(star, fields.near(sky, star), spot, planned[sector].schedule, motion, seed=seed)
        measured = measure(observation)
        names = [fields.file_name(product, star.tic, sector) for product in ("tp", "lc")]
        write_target_pixel_file(folder / names[0], observation, measured)
        write_light_curve_file(folder / names[1], observation, measured)
        truth.write_cadences(folder, observation)
        return truth.truth_row(observation, *names)

    # One after the other: two threads take longer, for both wait for memory.
    return [one(star, sector) for sector in sectors for star in sky.targets]
