"""What `tessellar photometry` measures: which stars, in which pixels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tessellar.errors import InputError, MissingInput, ProductError
from tessellar.targets import TIC, Field

if TYPE_CHECKING:
    from tessellar.mission import SkyRegion
    from tessellar.photometry import FieldScene, Scene
    from tessellar.products import TargetPixelFile

_HEADING = re.compile(r"\W*(tic|id|tic ?_?id|starid|target)\W*", re.IGNORECASE)
# A TIC id, and what may follow it in a line.
_STAR = re.compile(r"[\"']?((?:TIC[ _]*)?\d+)[\"']?\s*(?:[\s,;|].*)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The stars that were asked for, by id or by place; all where neither is given.

    Parameters
    ----------
    tics : tuple of int
        TIC ids, in the order they were given.
    region : SkyRegion, optional
    limit : float, optional
        Faintest magnitude, of stars that are not named.
    """

    tics: tuple[int, ...] = ()
    region: SkyRegion | None = None
    limit: float | None = None

    @property
    def named(self) -> bool:
        """Whether stars were named one by one."""
        return bool(self.tics)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One star to measure in one source, and what is known of that; `why_not` says why it is not measured at all."""

    tic: int | None
    input: Path
    scene: Callable[[], Scene] | None = None
    error: ProductError | InputError | None = None
    why_not: str = ""
    field: Field | None = None
    cadence: float | None = None


@dataclass(frozen=True, kw_only=True)
class Where:
    """Which sector, camera, CCD and cadence; None for any."""

    sector: int | None = None
    camera: int | None = None
    ccd: int | None = None
    cadence: float | None = None

    def fits(self, field: Field | None, cadence: float) -> bool:
        """Whether pixels of a field and cadence (s) are among them."""
        known = (None, None, None) if field is None else (field.sector, field.camera, field.ccd)
        asked = (self.sector, self.camera, self.ccd)
        alike = all(wanted in (None, value) for wanted, value in zip(asked, known, strict=True))
        return alike and (self.cadence is None or abs(self.cadence - cadence) < 0.5)

    def __str__(self) -> str:
        words = (("sector", self.sector), ("camera", self.camera), ("CCD", self.ccd), ("cadence", self.cadence))
        return ", ".join(f"{word} {value:g}" for word, value in words if value is not None)


def read_list(path: Path) -> tuple[int, ...]:
    """TIC ids of a text file: the first word of each line, commas or blanks between words; ``#`` begins a comment.

    A heading is passed over. The same star twice counts once.

    Raises
    ------
    MissingInput, InputError
        No such file; a line that begins with no TIC id; no star at all.
    """
    if path.is_char_device():
        raise InputError(f"{path}: is a device, and no list of TIC ids")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is no list of TIC ids ({error})") from error
    found: dict[int, None] = {}
    numbered = ((number, line.split("#", 1)[0].strip("\ufeff \t\r")) for number, line in enumerate(lines, 1))
    for place, (number, text) in enumerate((number, text) for number, text in numbered if text):
        star = _STAR.fullmatch(text)
        if star is None and place == 0 and _HEADING.match(text):
            continue
        try:
            found[int(TIC(star[1] if star else text))] = None
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from error
    if not found:
        raise InputError(f"{path}: holds no TIC id")
    return tuple(found)


def read_region(text: str) -> SkyRegion:
    """A region of the sky: ``RA DEC RADIUS`` in degrees, or a footprint such as ``POLYGON ICRS ...``.

    Raises
    ------
    InputError
        If it is neither.
    """
    from tessellar.mission import SkyRegion

    words = text.replace(",", " ").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        try:
            return SkyRegion.parse(text)
        except InputError as error:
            raise InputError(f"{error}; or give 'RA DEC RADIUS' in degrees") from error
    if len(numbers) != 3:
        raise InputError(f"region {text!r}: give RA, Dec and radius in degrees, or a footprint (CIRCLE, POLYGON ...)")
    return SkyRegion.circle(*numbers)


def frame_jobs(folder: Path, where: Where, wanted: Wanted) -> list[Job]:
    """Stars to measure in the prepared fields of a folder, field by field, the brightest first.

    Raises
    ------
    MissingInput
        If no prepared field fits; the message says what to run.
    InputError
        If a named star is the only one and is in none of the catalogues.
    """
    scenes = _field_scenes(folder, where)
    jobs: list[Job] = []
    for scene in scenes:
        jobs += _stars_of(scene, wanted)
    found = {job.tic for job in jobs}
    missing = [tic for tic in wanted.tics if tic not in found]
    names = ", ".join(scene.paths[0].name for scene in scenes)
    for tic in missing:
        error = InputError(f"{TIC(tic)} is not in the catalogue of {names}")
        if len(wanted.tics) == 1:
            raise error
        if len(scenes) == 1:
            (scene,) = scenes
            jobs.append(Job(tic=tic, input=scene.paths[0], error=error, field=scene.field, cadence=scene.cadence))
        else:
            jobs.append(Job(tic=tic, input=folder, error=error))
    if not jobs:
        limit = "" if wanted.limit is None else f" of Tmag {wanted.limit:g} or brighter"
        raise MissingInput(f"{names}: no star{limit} of the catalogue lies there")
    return jobs


def _field_scenes(folder: Path, where: Where) -> list[FieldScene]:
    from tessellar.errors import Unrecognised
    from tessellar.photometry import FieldScene
    from tessellar.pixels import PreparedField

    if folder.is_file():
        return [FieldScene(PreparedField(folder))]
    if not folder.is_dir():
        raise MissingInput(f"{folder}: no such folder")
    found = []
    for path in sorted([*folder.glob("*.h5"), *folder.glob("*.hdf5")]):
        try:
            prepared = PreparedField(path)
        except Unrecognised:
            continue  # a cube, a store of light curves, or somebody else's
        if where.fits(prepared.field, prepared.cadence):
            found.append(FieldScene(prepared))
    if not found:
        _say_prepare(folder, where)
    for scene in found:
        alike = [each for each in found if (each.field, round(each.cadence)) == (scene.field, round(scene.cadence))]
        if len(alike) > 1:
            names = " and ".join(each.paths[0].name for each in alike)
            raise InputError(
                f"{folder}: {names} are prepared of the same frames: give one of them in place of the folder"
            )
    return found


def _say_prepare(folder: Path, where: Where) -> None:
    """Raise, naming the fields of which there are frames to prepare."""
    from tessellar.mission.names import match_name
    from tessellar.products.discover import fits_files

    names = (match_name(path.name) for path in fits_files(folder))
    fields = sorted(
        {
            (name.sector, name.camera, name.ccd)
            for name in names
            if name is not None and name.kind == "ffi" and name.sector and name.camera and name.ccd
        }
    )
    fitting = [each for each in fields if where.fits(Field(*each), where.cadence or 0.0)]
    asked = f" of {where}" if str(where) else ""
    if not fitting:
        raise MissingInput(f"{folder}: no prepared field{asked}, nor full-frame images to prepare")
    sector, camera, ccd = fitting[0]
    others = f" ({len(fitting)} CCDs and sectors in all)" if len(fitting) > 1 else ""
    raise MissingInput(
        f"{folder}: full-frame images, but no prepared field{asked}{others}: run "
        f"`tessellar prepare {folder} --sector {sector} --camera {camera} --ccd {ccd}` first"
    )


def _stars_of(scene: FieldScene, wanted: Wanted) -> Iterator[Job]:
    import numpy as np

    stars = scene.stars
    path = scene.paths[0]
    if stars is None:
        error = InputError(f"{path} was prepared without a catalogue: prepare it with --catalog")
        for tic in wanted.tics or (None,):
            yield Job(tic=tic, input=path, error=error, field=scene.field, cadence=scene.cadence)
        return
    if wanted.named:
        chosen = np.isin(stars.tic, wanted.tics)
    else:
        chosen = np.array(
            [scene.limits.holds(column, row) for column, row in zip(stars.column, stars.row, strict=True)], dtype=bool
        )
        if wanted.region is not None:
            chosen &= wanted.region.contains(stars.ra, stars.dec)
        if wanted.limit is not None:
            chosen &= stars.tmag <= wanted.limit
    for index in np.flatnonzero(chosen)[np.argsort(stars.tmag[chosen], kind="stable")]:
        tic = int(stars.tic[index])
        yield Job(tic=tic, input=path, scene=lambda: scene, field=scene.field, cadence=scene.cadence)


def file_jobs(folder: Path, where: Where, wanted: Wanted) -> list[Job]:
    """Target pixel files and cut-outs to measure, each by its own star; older releases of the same pixels are skipped.

    Raises
    ------
    MissingInput
        If none fits.
    ProductError
        If the one file that was named is damaged.
    """
    from tessellar.products.discover import same_light, target_pixel_files

    star = wanted.tics[0] if len(wanted.tics) == 1 else None
    models, broken = target_pixel_files(folder, tic=star, sector=where.sector, cadence=where.cadence)
    if not models and len(broken) == 1:
        raise broken[0][1]
    models = [model for model in models if where.fits(model.field, model.cadence or 0.0) and _is_wanted(model, wanted)]
    jobs = [Job(tic=None, input=path, error=error) for path, error in broken]
    for _, group in groupby(models, key=same_light):
        best, *others = sorted(group, key=_newest_first)
        jobs.append(_file_job(best, folder))
        why_not = f"{best.path} has the same pixels, and was measured instead"
        jobs += [
            Job(tic=_tic(each), input=each.path, why_not=why_not, field=each.field, cadence=each.cadence)
            for each in others
        ]
    found = {job.tic for job in jobs}
    jobs += [_cut_out_job(folder, tic, where) for tic in wanted.tics if tic not in found]
    if not jobs:
        of = " in the region" if wanted.region is not None else ""
        told = _prepared_instead(folder) or "; `find --kind tpf` lists them"
        raise MissingInput(f"{folder}: no target pixel file{of} that fits what was asked{told}")
    return jobs


def _prepared_instead(folder: Path) -> str:
    """What to say where there are no target pixel files, but a prepared field."""
    from tessellar.pixels import PreparedField

    for path in sorted([*folder.glob("*.h5"), *folder.glob("*.hdf5")]) if folder.is_dir() else ():
        try:
            PreparedField(path)
        except ProductError:
            continue
        return f", but there is a prepared field, {path.name}: add --source ffi"
    return ""


def secondary_jobs(folder: Path, source: str, where: Where, wanted: Wanted) -> list[Job]:
    """Stars to measure in the target pixel file of another star (``tpf:STARID``)."""
    from tessellar.photometry import open_scene

    if not wanted.named:
        raise InputError(f"--source {source}: name the stars to measure in that file with --tic or --list")
    scene = open_scene(
        folder, source, sector=where.sector, camera=where.camera, ccd=where.ccd, cadence=where.cadence
    )  # fmt: skip
    return [
        Job(tic=tic, input=scene.paths[0], scene=lambda: scene, field=scene.field, cadence=scene.cadence)
        for tic in wanted.tics
    ]


def _file_job(model: TargetPixelFile, folder: Path) -> Job:
    def scene() -> Scene:
        from tessellar.photometry.opening import scene_of

        return scene_of(model, folder if folder.is_dir() else folder.parent)

    return Job(tic=_tic(model), input=model.path, scene=scene, field=model.field, cadence=model.cadence)


def _cut_out_job(folder: Path, tic: int, where: Where) -> Job:
    """A named star that has no file of its own: a cut-out that it lies on, if there is one."""
    from tessellar.photometry import open_scene

    try:
        scene = open_scene(
            folder, "tpf", tic, sector=where.sector, camera=where.camera, ccd=where.ccd, cadence=where.cadence
        )  # fmt: skip
    except MissingInput as error:
        return Job(tic=tic, input=folder, error=MissingInput(f"{error}{_prepared_instead(folder)}"))
    except (InputError, ProductError) as error:
        return Job(tic=tic, input=folder, error=error)
    return Job(tic=tic, input=scene.paths[0], scene=lambda: scene, field=scene.field, cadence=scene.cadence)


def _is_wanted(model: TargetPixelFile, wanted: Wanted) -> bool:
    if wanted.named:
        return _tic(model) in wanted.tics
    if wanted.limit is not None and not (model.tmag or float("nan")) <= wanted.limit:
        return False
    return wanted.region is None or bool(wanted.region.contains(model.ra, model.dec))


def _tic(model: TargetPixelFile) -> int | None:
    return int(model.tic) if model.tic else None


def _newest_first(model: TargetPixelFile) -> tuple[int, str]:
    return (-(model.data_release or 0), str(model.path))
