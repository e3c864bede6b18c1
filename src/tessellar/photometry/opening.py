"""Finding the pixels of a star in a folder: prepared frames, target pixel files, cut-outs."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tessellar.errors import InputError, MissingInput, ProductError, Unrecognised
from tessellar.photometry.scene import FieldScene, Scene, StampScene
from tessellar.pixels import PreparedField, StarField
from tessellar.pixels.inputs import find_catalog, find_response, read_catalog
from tessellar.pixels.planes import plane_of_wcs
from tessellar.products.discover import fits_files, target_pixel_files
from tessellar.targets import TIC, Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tessellar.pixels import PixelResponse
    from tessellar.products import TargetPixelFile

# Stars this far from a stamp, px, still shine into it.
_MARGIN = 10


def open_scene(
    folder: str | PathLike[str],
    source: str = "ffi",
    tic: int | None = None,
    *,
    sector: int | None = None,
    camera: int | None = None,
    ccd: int | None = None,
    cadence: float | None = None,
) -> Scene:
    """Find what to measure a star in.

    Parameters
    ----------
    folder : path-like
        Where the files are; or one file: a prepared field, a target pixel file, a cut-out. Catalogue (``tic*``) and
        the mission's PRF files are looked for in the folder, too.
    source : str
        ``ffi``: a prepared field, as `tessellar prepare` writes it. ``tpf``: the target pixel file of the star, or a
        cut-out it lies on. ``tpf:STARID``: that of another star.
    tic : int, optional
        The star; not needed for ``ffi``, nor where `folder` is a file.
    sector, camera, ccd : int, optional
        For ``ffi`` all three are needed, unless `folder` is a file.
    cadence : float, optional
        Seconds; needed where there are several.

    Returns
    -------
    Scene

    Raises
    ------
    InputError
        If the source is none of these, or sector, camera and CCD are not given for frames.
    MissingInput
        If there is no such file, or more than one. It is a FileNotFoundError.
    ProductError
        If a file is damaged.

    Examples
    --------
    >>> from tessellar.photometry import open_scene
    >>> open_scene("frames", sector=27, camera=1, ccd=1)  # doctest: +SKIP
    >>> open_scene("files", "tpf", 25155310, sector=1, cadence=120)  # doctest: +SKIP
    """
    where, star = Path(folder), starid_of(source)
    if not where.exists():
        raise MissingInput(f"not a valid input directory: {where} does not exist")
    if source == "ffi":
        if where.is_file():
            return FieldScene(PreparedField(where))
        if sector is None or camera is None or ccd is None:
            raise InputError("SECTOR, CAMERA and CCD must be given for full-frame images (ffi)")
        return FieldScene(_prepared(where, Field(sector, camera, ccd), cadence))
    model = _pixels(where, star if star is not None else tic, sector, camera, ccd, cadence)
    scene = scene_of(model, where if where.is_dir() else where.parent)
    if tic is not None:
        scene.target(tic)
    return scene


def starid_of(source: str) -> int | None:
    """Tell whose target pixel file a source names; None where it is the star's own, or frames.

    Examples
    --------
    >>> from tessellar.photometry.opening import starid_of
    >>> starid_of("tpf:267211065"), starid_of("tpf")
    (267211065, None)
    """
    kind, colon, star = source.partition(":")
    if source == "ffi" or (kind == "tpf" and not colon):
        return None
    if kind == "tpf" and star.isdecimal():
        return int(star)
    raise InputError(f"invalid datasource: {source!r}; give 'ffi', 'tpf' or 'tpf:STARID'")


def prepared_fields(folder: Path, field: Field, cadence: float | None = None) -> list[PreparedField]:
    """Open the prepared fields in a folder (not below it) that are of one CCD and sector, by path."""
    found = []
    for path in sorted([*folder.glob("*.h5"), *folder.glob("*.hdf5")]):
        try:
            prepared = PreparedField(path)
        except Unrecognised:
            continue  # a cube, or somebody else's
        if prepared.field == field and (cadence is None or abs(prepared.cadence - cadence) < 0.5):
            found.append(prepared)
    return found


def _prepared(folder: Path, field: Field, cadence: float | None) -> PreparedField:
    found = prepared_fields(folder, field, cadence)
    where = f"sector {field.sector}, camera {field.camera}, CCD {field.ccd}"
    every = f" of {cadence:.0f} s" if cadence is not None else ""
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"{each.path.name} ({each.cadence:.0f} s)" for each in found)
        raise MissingInput(f"{folder} holds {len(found)} prepared fields of {where}: {names}; give one, or a cadence")
    frames = _count_frames(folder, field)
    order = f"tessellar prepare {folder} --sector {field.sector} --camera {field.camera} --ccd {field.ccd}"
    if frames:
        raise MissingInput(f"{folder} holds {frames} frames of {where}, but none is prepared{every}: run `{order}`")
    raise MissingInput(
        f"HDF5 file not found: {folder} holds no prepared field{every} of {where}, nor frames to make one of"
    )


def _count_frames(folder: Path, field: Field) -> int:
    from tessellar.mission.names import match_name

    names = (match_name(path.name) for path in fits_files(folder))
    wanted = (field.sector, field.camera, field.ccd)
    return sum(
        name is not None and name.kind == "ffi" and (name.sector, name.camera, name.ccd) == wanted for name in names
    )


def _pixels(
    where: Path, tic: int | None, sector: int | None, camera: int | None, ccd: int | None, cadence: float | None
) -> TargetPixelFile:
    if where.is_file():
        return target_pixel_files(where)[0][0]
    if tic is None:
        raise InputError(f"which star's target pixel file is wanted? {where} is a folder: give its TIC id")
    asked = f"{TIC(tic)}" + "".join(
        f", {word} {value:g}"
        for word, value in (("sector", sector), ("camera", camera), ("CCD", ccd), ("cadence", cadence))
        if value is not None
    )
    models, broken = target_pixel_files(where, tic=tic, sector=sector, cadence=cadence)
    found = [model for model in models if _is_on(model, camera, ccd)] or [
        model for model in _cut_outs(where, tic, sector, cadence) if _is_on(model, camera, ccd)
    ]
    # A file may be there packed and unpacked, or from two processings: the newest is the one.
    newest = {(model.sector, model.camera, model.ccd, model.cadence, model.author): model
              for model in sorted(found, key=lambda model: model.data_release or 0)}  # fmt: skip
    if len(newest) == 1:
        return next(iter(newest.values()))
    if newest:
        names = ", ".join(f"{model.path.name} ({model.cadence:.0f} s)" for model in newest.values())
        raise MissingInput(f"multiple target pixel files found of {asked}: {names}; give sector and cadence")
    if len(broken) == 1:
        raise broken[0][1]
    raise MissingInput(f"target pixel file not found: {where} holds none of {asked}, nor a cut-out it lies on")


def _is_on(model: TargetPixelFile, camera: int | None, ccd: int | None) -> bool:
    return camera in (None, model.camera) and ccd in (None, model.ccd)


def _cut_outs(folder: Path, tic: int, sector: int | None, cadence: float | None) -> Iterator[TargetPixelFile]:
    """Cut-outs of no star in particular on which, by the folder's catalogue, a star lies."""
    models, _ = target_pixel_files(folder, sector=sector, cadence=cadence)
    for model in models:
        if model.tic is not None:
            continue
        scene = scene_of(model, folder)
        stars = scene.stars
        if stars is None or int(tic) not in stars.tic:
            continue
        index = stars.index(tic)
        if scene.limits.holds(float(stars.column[index]), float(stars.row[index])):
            yield model


def scene_of(model: TargetPixelFile, folder: Path) -> StampScene:
    """A target pixel file with what the folder tells of its stars: by the prepared frames about it, else its header."""
    scene, field = StampScene(model), model.field
    if field is None:
        return scene
    response: PixelResponse | None = find_response(folder, field)
    for prepared in prepared_fields(folder, field):
        if prepared.stars is None or not scene.limits.lies_in(FieldScene(prepared).limits):
            continue
        if response is None and prepared.responses:
            response = prepared.responses[0]
        time = model.btjd[np.isfinite(model.btjd)]
        step = prepared.cadence / 86400
        inside = time.size and prepared.time[0] - step < time.min() and time.max() < prepared.time[-1] + step
        stars = prepared.stars.within(scene.limits.rows, scene.limits.cols, _MARGIN)
        return StampScene(model, stars, response, prepared.movement if inside else None, prepared)
    return StampScene(model, _placed(model, folder), response)


def _placed(model: TargetPixelFile, folder: Path) -> StarField | None:
    """The stars of the folder's catalogue on and about a target pixel file, by its own world coordinates."""
    path = find_catalog(folder)
    try:
        plane = plane_of_wcs(model.wcs, model.corner)
    except ProductError:
        return None
    time = model.btjd[np.isfinite(model.btjd)]
    if path is None or plane is None or not time.size:
        return None
    catalog = read_catalog(path)
    _, rows, columns = model.shape
    epoch = 0.5 * float(time.min() + time.max())
    try:
        return StarField.place(catalog, plane, epoch=epoch, corner=model.corner, shape=(rows, columns), margin=_MARGIN)
    except InputError:
        # A catalogue of another field, or without a star here.
        return None
