"""Cutting target pixel files from the full-frame images that this archive holds, as TESScut does."""

from __future__ import annotations

import shutil
import threading
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from tessellar.errors import ProductError, QueryError
from tessellar.mission.ccd import PIXEL_SCALE
from tessellar.server.framecube import HeldFrames, hold
from tessellar.targets import Field

if TYPE_CHECKING:
    from tessellar.server.index import Index

#: Pixels that one cut-out has at most, as at MAST.
MOST_PIXELS = 10_000
# Pixels about a cut-out that are read as well: what is asked for in degrees is a pixel more or less.
_MARGIN = 4
_AXES, _WORDS = "XY", ("column", "row")
# Cutting takes processors and memory: one after the other, whoever asks.
_cutting = threading.Semaphore(2)

_FRAMES = """SELECT DISTINCT f.folder, f.name, f.mtime_ns FROM products AS p JOIN files AS f ON f.row = p.file
    JOIN observations AS o ON o.row = p.observation
    WHERE o.sequence_number = ? AND o.camera = ? AND o.ccd = ? AND p.productFilename LIKE '%ffic.fits'"""
_FIELDS = """SELECT DISTINCT o.sequence_number, o.camera, o.ccd FROM products AS p
    JOIN observations AS o ON o.row = p.observation WHERE p.productFilename LIKE '%ffic.fits'
    AND o.sequence_number IS NOT NULL AND o.camera IS NOT NULL AND o.ccd IS NOT NULL"""


class NothingToCut(Exception):
    """There is nothing to cut, and why; what clients show as a warning."""


@dataclass(frozen=True)
class Cutout:
    """What was asked for.

    Attributes
    ----------
    ra, dec : float
        ICRS degrees.
    size : (float, float)
        Columns and rows, in `unit`.
    unit : str
        ``px`` or ``d`` (degrees).
    sector : int or None
        Only of this sector.
    """

    ra: float
    dec: float
    size: tuple[float, float]
    unit: str
    sector: int | None

    @property
    def pixels(self) -> tuple[float, float]:
        """Columns and rows, about."""
        scale = 3600 / PIXEL_SCALE if self.unit == "d" else 1.0
        return self.size[0] * scale, self.size[1] * scale


def parse_cutout(asked: dict[str, Any], ra: float, dec: float) -> Cutout:
    """Read the size, unit and sector of a question.

    Raises
    ------
    QueryError
        If they make no sense.
    """
    unit = str(asked.get("units", "px"))
    if unit not in ("px", "d"):
        raise QueryError(f"units {unit!r}: px or d")
    try:
        size = float(asked.get("x", 5)), float(asked.get("y", 5))
        sector = int(asked["sector"]) if asked.get("sector") not in (None, "", "None") else None
    except ValueError as error:
        raise QueryError(
            f"size x={asked.get('x')} y={asked.get('y')}, sector={asked.get('sector')}: {error}"
        ) from error
    wanted = Cutout(ra, dec, size, unit, sector)
    if not (min(size) > 0 and 1 <= wanted.pixels[0] * wanted.pixels[1] <= MOST_PIXELS):
        raise QueryError(f"a cut-out of {size[0]:g} x {size[1]:g} {unit}: 1 to {MOST_PIXELS} pixels can be cut")
    return wanted


def cut(index: Index, wanted: Cutout) -> Path:
    """Cut target pixel files of all sectors that are held, into a zip file in a folder of its own.

    Parameters
    ----------
    index : Index
        What this archive holds.
    wanted : Cutout
        What was asked for.

    Returns
    -------
    Path
        The zip file; whoever sends it removes its folder.

    Raises
    ------
    NothingToCut
        If no frame shows the place, one is damaged, or astrocut is not installed.
    """
    try:
        import astrocut  # noqa: F401
    except ImportError as error:
        raise NothingToCut("this archive cannot cut: astrocut is not installed here (tessellar[tesscut])") from error
    folder = Path(mkdtemp(prefix="tessellar-cutouts-"))
    try:
        with _cutting, zipfile.ZipFile(folder / "cutouts.zip", "w", zipfile.ZIP_STORED) as archive:
            for field, frames, place in _frames_showing(index, wanted):
                made = _cut_one(folder, field, frames, place, wanted)
                archive.write(made, made.name)
                made.unlink()
            if not archive.namelist():
                where = f" of sector {wanted.sector}" if wanted.sector is not None else ""
                raise NothingToCut(f"no full-frame images{where} that this archive holds show {wanted.ra} {wanted.dec}")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, ProductError):
            raise NothingToCut(str(error)) from error
        raise
    return folder / "cutouts.zip"


def _frames_showing(index: Index, wanted: Cutout) -> list[tuple[Field, HeldFrames, tuple[float, float]]]:
    found = []
    for row in index.select(_FIELDS):
        field = Field(*(int(value) for value in row))
        if wanted.sector is not None and field.sector != wanted.sector:
            continue
        rows = index.select(_FRAMES, (field.sector, field.camera, field.ccd))
        files = sorted((index.root / str(folder) / str(name), int(changed)) for folder, name, changed in rows)
        frames = hold(tuple(files))
        place = frames.find(wanted.ra, wanted.dec) if frames is not None else None
        if frames is not None and place is not None:
            found.append((field, frames, place))
    return sorted(found, key=lambda each: each[0])


def _cut_one(folder: Path, field: Field, frames: HeldFrames, place: tuple[float, float], wanted: Cutout) -> Path:
    from astrocut import TessCubeCutout
    from astropy import units
    from astropy.coordinates import SkyCoord

    columns, rows = wanted.pixels
    reach = columns / 2 + 0.05 * columns + _MARGIN, rows / 2 + 0.05 * rows + _MARGIN
    corner, shape = frames.around(place, reach)
    cube = folder / f"tess-s{field.sector:04d}-{field.camera}-{field.ccd}-cube.fits"
    frames.write_cube(cube, corner, shape, field.sector)
    size = list(wanted.size) * (units.deg if wanted.unit == "d" else units.pixel)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target = SkyCoord(wanted.ra, wanted.dec, unit="deg")
        cutting = TessCubeCutout([str(cube)], target, cutout_size=size)
        pixels, first = cutting.tpf_cutouts[0], cutting.cutouts[0].cutout_lims[:, 0]
        _tell_place(pixels, (corner[0] + int(first[0]), corner[1] + int(first[1])))
        _, high, wide = pixels[1].data["FLUX"].shape
        name = f"{cube.stem.removesuffix('-cube')}_{wanted.ra:.6f}_{wanted.dec:.6f}_{wide}x{high}_astrocut.fits"
        pixels.writeto(folder / name, checksum=True, output_verify="silentfix")
    cube.unlink()
    return folder / name


def _tell_place(pixels: Any, corner: tuple[int, int]) -> None:
    """Tell where on the CCD the first pixel of a cut-out lies: astrocut knows its place in the small cube only.

    The keywords are those of the mission's target pixel files, for each column of images and for the aperture.
    """
    table, aperture = pixels[1], pixels[2]
    for number, column in enumerate(table.columns, 1):
        if column.dim is None:
            continue
        table.header[f"WCSN{number}P"] = ("PHYSICAL", "table column WCS name")
        table.header[f"WCAX{number}P"] = (2, "table column physical WCS dimensions")
        for axis, (word, first) in enumerate(zip(_AXES, corner, strict=True), 1):
            table.header[f"{axis}CTY{number}P"] = (f"RAW{word}", f"table column physical WCS axis {axis} type")
            table.header[f"{axis}CUN{number}P"] = ("PIXEL", f"table column physical WCS axis {axis} unit")
            table.header[f"{axis}CRV{number}P"] = (first, f"table column physical WCS ax {axis} ref value")
            table.header[f"{axis}CDL{number}P"] = (1.0, f"table column physical WCS a{axis} step")
            table.header[f"{axis}CRP{number}P"] = (1, f"table column physical WCS a{axis} reference")
    aperture.header["WCSNAMEP"] = ("PHYSICAL", "name of world coordinate system alternate P")
    aperture.header["WCSAXESP"] = (2, "number of WCS physical axes")
    for axis, (word, first) in enumerate(zip(_AXES, corner, strict=True), 1):
        aperture.header[f"CTYPE{axis}P"] = (f"RAW{word}", f"physical WCS axis {axis} type")
        aperture.header[f"CUNIT{axis}P"] = ("PIXEL", f"physical WCS axis {axis} unit")
        aperture.header[f"CRPIX{axis}P"] = (1, f"reference CCD {_WORDS[axis - 1]}")
        aperture.header[f"CRVAL{axis}P"] = (first, f"value at reference CCD {_WORDS[axis - 1]}")
        aperture.header[f"CDELT{axis}P"] = (1.0, f"physical WCS axis {axis} step")
