"""Where a CCD looked in a sector: as the archive lists it, as a frame's own WCS says, or by our table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from tessellar.archives.tap import TapService, literal, tap_service
from tessellar.errors import ArchiveError, InputError, NotFound, ProductError
from tessellar.mission import SkyRegion
from tessellar.products.tables import plain_rows
from tessellar.targets import Field

Source = Literal["auto", "archive", "frames", "wcs"]

_PER_SIDE = 16


@dataclass(frozen=True)
class Footprint:
    """Where a CCD looked in a sector.

    Attributes
    ----------
    field : Field
        Sector, camera, CCD.
    region : SkyRegion
        Its science pixels; from an archive, those of the whole image.
    source : str
        Where that is from: ``archive`` (the footprint that it lists), ``frames``
        (the WCS of a full-frame image) or ``wcs`` (our own table).
    detail : str
        Which observation or image, or what the table is made of.
    """

    field: Field
    region: SkyRegion
    source: str
    detail: str


def footprint(
    field: str | Field | tuple[int, int, int],
    source: Source = "auto",
    *,
    frames: str | os.PathLike[str] | None = None,
    archive: str | None = None,
) -> Footprint:
    """Say where a CCD looked in a sector.

    Parameters
    ----------
    field : str, Field or tuple
        As in ``1-1-2``, ``Field(1, 1, 2)`` or ``(1, 1, 2)``: sector, camera, CCD.
    source : {'auto', 'archive', 'frames', 'wcs'}
        ``archive`` asks its TAP service for the footprint of an image: the four
        corners of the whole image, 44 virtual columns on either side and 30
        rows above the science pixels counted, with sides that bulge by up to 7
        pixels. ``frames`` takes an image of `frames`, ``wcs`` our own table: the
        science pixels, 16 arcs a side, within 0.5 pixel of the edge. ``auto``
        takes `frames` where they are given, else our table.
    frames : path-like, optional
        A full-frame image, or a folder with some.
    archive : str, optional
        As for `tessellar.search`.

    Returns
    -------
    Footprint
        The region, and where it is from.

    Raises
    ------
    InputError
        If it is no field, its sector is not in our table, or no image of it is among the frames.
    NotFound
        If the archive lists no image of it.

    Examples
    --------
    >>> from tessellar.access import footprint
    >>> there = footprint("1-1-2")
    >>> there.source, round(there.region.area, 1)
    ('wcs', 134.5)
    """
    wanted = field_of(field)
    if source == "auto":
        source = "frames" if frames is not None else "wcs"
    if source == "archive":
        return _listed(wanted, tap_service(archive))
    if source == "frames":
        if frames is None:
            raise InputError(f"footprint of {wanted} from frames: give an image, or a folder with some")
        return _of_frames(wanted, Path(frames))
    if source != "wcs":
        raise InputError(f"source {source!r} is not known; there are auto, archive, frames and wcs")
    when = "pointing of the sector"
    return Footprint(wanted, SkyRegion.of_field(wanted, _PER_SIDE), "wcs", when)


def field_of(field: str | Field | Sequence[int]) -> Field:
    """Read a field: ``1-1-2``, ``s0001-1-2``, a `Field`, or three numbers.

    Raises
    ------
    InputError
        If it is none.
    """
    if isinstance(field, Field):
        return field
    if isinstance(field, str):
        return Field.parse(field.strip())
    if len(field) != 3:
        raise InputError(f"field {field!r}: give sector, camera and CCD, as in (1, 1, 2)")
    return Field(*field)


def _listed(field: Field, service: TapService) -> Footprint:
    """Ask the archive for the footprint of one image."""
    pattern = f"tess%-s{field.sector:04d}-{field.camera}-{field.ccd}-%-s"
    adql = (
        "SELECT TOP 1 obs_id, s_region FROM dbo.obspointing WHERE obs_collection = 'TESS' "
        f"AND dataproduct_type = 'image' AND sequence_number = {field.sector} AND obs_id LIKE {literal(pattern)}"
    )
    rows = plain_rows(service.query(adql))
    if not rows or not rows[0]["s_region"]:
        raise NotFound(f"{service.url} lists no image of {field}: take source='wcs'", url=service.url)
    try:
        region = SkyRegion.parse(str(rows[0]["s_region"]))
    except InputError as error:
        raise ArchiveError(f"{service.url}: footprint of {rows[0]['obs_id']}: {error}", url=service.url) from error
    return Footprint(field, region, "archive", str(rows[0]["obs_id"]))


def _of_frames(field: Field, frames: Path) -> Footprint:
    """Take the WCS of the first image of the field."""
    import numpy as np

    from tessellar.products import FullFrameImage, read

    for path in sorted(frames.rglob("*ffic.fits*")) if frames.is_dir() else [frames]:
        try:
            image = read(path)
        except ProductError:
            if frames.is_dir():
                continue
            raise
        if isinstance(image, FullFrameImage) and image.field == field:
            # Pixels of the file, 1-based; a crop's footprint is that of the crop.
            rows, columns = image.science.shape
            left, below = (
                science - corner + 0.5 for science, corner in zip(image.science_corner, image.corner, strict=True)
            )
            corners = np.add([left, below], [[0, 0], [columns, 0], [columns, rows], [0, rows], [0, 0]])
            part = (np.arange(_PER_SIDE) / _PER_SIDE)[:, None]
            edge = np.concatenate([a + part * (b - a) for a, b in pairwise(corners)])
            region = SkyRegion.polygon(*image.wcs.all_pix2world(edge[:, 0], edge[:, 1], 1))
            return Footprint(field, region, "frames", path.name)
    raise InputError(f"{frames}: no full-frame image of {field} there; take source='wcs'")
