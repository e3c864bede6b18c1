"""One star in its stamp: the pixels about it, its neighbours, and how large the stamp is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError, MissingInput, PhotometryError
from tessellar.photometry.face.facts import readouts, target_facts
from tessellar.photometry.face.stampcatalog import catalog_table, check_btjd, moved
from tessellar.photometry.face.stamppixels import CACHES, StampPixels
from tessellar.photometry.limits import StampLimits
from tessellar.photometry.opening import open_scene, prepared_fields, starid_of
from tessellar.photometry.target import Target
from tessellar.pixels import AperturePixel
from tessellar.pixels.stamp import output_flags
from tessellar.targets import TIC, Field

if TYPE_CHECKING:
    from astropy.table import Table
    from astropy.wcs import WCS

    from tessellar.photometry.apertures.drawing import StampPSF
    from tessellar.photometry.scene import Scene
    from tessellar.pixels import MovementKernel, Surroundings

_FILES = (".h5", ".hdf5", ".fits", ".fits.gz")


class StarStamp:
    """The pixels of one star, and what is known of them: what `BasePhotometry` stands on, which tells the parameters.

    Objects share nothing: each can live in a thread or process of its own.
    """

    def __init__(
        self,
        starid: int,
        input_folder: str | Path | Scene,
        datasource: str = "ffi",
        sector: int | None = None,
        camera: int | None = None,
        ccd: int | None = None,
        cadence: int | None = None,
        cache: str = "basic",
    ) -> None:
        owner = starid_of(datasource)
        if cache not in CACHES:
            raise InputError(f"invalid cache: {cache!r}; choose {', '.join(CACHES)}")
        self.starid = int(TIC(starid))
        self.datasource = "ffi" if datasource == "ffi" else "tpf"
        if isinstance(input_folder, str | PathLike):
            source = datasource if owner is not None and owner != self.starid else self.datasource
            scene = _open(Path(input_folder), source, self.starid, sector, camera, ccd, cadence)
        else:
            scene = input_folder
            self.datasource = scene.kind
        self.input_folder = str(input_folder if scene is not input_folder else scene.paths[0].parent)
        self._scene: Scene | None = scene
        self._target = _placed(scene, scene.target(self.starid))
        self.sector, self.camera, self.ccd = scene.field.sector, scene.field.camera, scene.field.ccd
        self.cadence = round(scene.cadence)
        self.header = dict(scene.header)
        self.data_rel: int | None = scene.about.get("data_release")
        self.n_readout = readouts(self.header, scene.cadence)
        self.target = target_facts(scene, self._target)
        self.target_pos_column = _less_one(self._target.column)
        self.target_pos_row = _less_one(self._target.row)
        self.wcs: WCS | None = scene.wcs
        self._kept: dict[str, Any] = {}
        self._limits = scene.default_stamp(self._target, self.default_stamp())
        self._pixels = StampPixels(scene, self._target, self._limits, cache)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of pixels and files. What was measured stays; pixels cannot be asked for any more."""
        self.clear_cache()
        self._scene = None

    def clear_cache(self) -> None:
        """Forget pixels and all that was made from them; they are read again when they are asked for."""
        self._pixels.clear()
        self._kept.clear()

    # The stamp.

    @property
    def stamp(self) -> StampLimits:
        """(row_min, row_max, col_min, col_max): 0-based CCD pixels, the last ones not included."""
        return self._limits

    @property
    def target_pos_column_stamp(self) -> float:
        """Column of the target in the stamp, 0-based."""
        return self.target_pos_column - self._limits.col_min

    @property
    def target_pos_row_stamp(self) -> float:
        """Row of the target in the stamp, 0-based."""
        return self.target_pos_row - self._limits.row_min

    def default_stamp(self) -> tuple[int, int]:
        """Rows and columns of the stamp to begin with, about the target; a subclass may give others.

        Of a target pixel file it is the whole stamp, whatever a subclass gives.
        """
        return self._here.stamp_size(self._target)

    def resize_stamp(
        self,
        down: int | None = None,
        up: int | None = None,
        left: int | None = None,
        right: int | None = None,
        width: int | None = None,
        height: int | None = None,
    ) -> bool:
        """Change the stamp, as far as there are pixels.

        Parameters
        ----------
        down, up, left, right : int, optional
            Pixels to add on that side; negative numbers take some away.
        width, height : int, optional
            Number of columns, and rows, about the target (an even number becomes the odd one above); these go before
            `left` and `right`, and `down` and `up`.

        Returns
        -------
        bool
            Whether the stamp has changed.

        Raises
        ------
        InputError
            If no pixel would be left; the stamp is then as it was.
        """
        asked = self._limits.grown(down or 0, up or 0, left or 0, right or 0)
        if width is not None or height is not None:
            if not np.isfinite([self.target_pos_column, self.target_pos_row]).all():
                raise InputError(f"the place of TIC {self.starid} is not known: give down, up, left and right")
            asked = asked.resized(self.target_pos_column + 1, self.target_pos_row + 1, width, height)
        return self._take(asked.clipped(self._here.limits))

    def get_pixel_grid(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Columns and rows of the stamp's pixels, 1-based as in headers, each of the shape of the stamp."""
        (bottom, top), (left, right) = self._limits.rows, self._limits.cols
        cols, rows = np.meshgrid(np.arange(left, right + 1), np.arange(bottom, top + 1))
        return cols.astype(np.int32), rows.astype(np.int32)

    # Pixels.

    @property
    def images_cube(self) -> NDArray[np.float32]:
        """Flux, background subtracted, e-/s, (rows, cols, times); read-only."""
        return self._open_pixels.cube("images")

    @property
    def images_err_cube(self) -> NDArray[np.float32]:
        """1-sigma errors of `images_cube`, e-/s."""
        return self._open_pixels.cube("errors")

    @property
    def backgrounds_cube(self) -> NDArray[np.float32]:
        """Background that was subtracted, e-/s."""
        return self._open_pixels.cube("background")

    @property
    def pixelflags_cube(self) -> NDArray[np.uint8]:
        """Flags of pixels (`tessellar.pixels.PixelFlag`), (rows, cols, frames): in the frames, also for target pixels.

        Of target pixel files without prepared frames nothing is known: it has no frames then.
        """
        return np.moveaxis(self._open_pixels.flags()[1], 0, -1)

    @property
    def images(self) -> Iterator[NDArray[np.float32]]:
        """One image (rows, cols) after the other."""
        return self._open_pixels.each("images")

    @property
    def images_err(self) -> Iterator[NDArray[np.float32]]:
        """The errors of one image after the other."""
        return self._open_pixels.each("errors")

    @property
    def backgrounds(self) -> Iterator[NDArray[np.float32]]:
        """The background of one image after the other."""
        return self._open_pixels.each("background")

    @property
    def pixelflags(self) -> Iterator[NDArray[np.uint8]]:
        """For each time the flags in the frame next to it; zeros where no frames are known."""
        return self._open_pixels.each_flags()

    @property
    def aperture(self) -> NDArray[np.int32]:
        """Flags of the pixels (`tessellar.pixels.AperturePixel`): 1 collected, 4 background, 32 to 256 output A to D.

        The bits of the photometric and the position mask (2, 8) are those of other people's light curves: they are
        left out here, and set by the masks in the file that is written.
        """
        flags: NDArray[np.int32] = self._keep("aperture", self._make_aperture)
        return flags

    # Stars.

    @property
    def catalog(self) -> Table:
        """Stars on the pixels of the stamp, the brightest first; see `tessellar.photometry.face.stampcatalog`.

        Columns: starid, tmag, ra, dec (degrees, at the time of observation), row, column (0-based, on the CCD),
        row_stamp, column_stamp (0-based, in the stamp). For stars about it as well see `surroundings`.
        """
        table: Table = self._keep("catalog", lambda: catalog_table(self._here.stars, self._target, self._limits))
        return table.copy()

    def catalog_attime(self, time: float) -> Table:
        """The catalogue with the stars where they are at a time.

        Parameters
        ----------
        time : float
            Time at the spacecraft in BTJD: ``lightcurve["time"] - lightcurve["timecorr"]``. Not MJD.

        Raises
        ------
        InputError
            If it is no BTJD, or outside the times of the data.
        """
        stamp = self._open_pixels.stamp
        at = stamp.time - stamp.timecorr
        wanted = check_btjd(time, float(np.nanmin(at)), float(np.nanmax(at)))
        return moved(self.catalog, self.MovementKernel, self._here.frame_time(wanted), self._limits)

    @property
    def MovementKernel(self) -> MovementKernel:  # noqa: N802
        """How stars move on the CCD: a `tessellar.pixels.MovementKernel` (places there are 1-based)."""
        return self._here.movement

    @property
    def surroundings(self) -> Surroundings | None:
        """Stars on and about the stamp with movement and response, as `PhotometryMethod` gets them; may be None."""
        made: Surroundings | None = self._keep("surroundings", lambda: self._here.surroundings(self._pixels.stamp))
        return made

    @property
    def psf(self) -> StampPSF:
        """The point spread function at the target's place.

        Raises
        ------
        PhotometryError
            If no pixel response is known.
        """
        from tessellar.photometry.apertures.drawing import StampPSF

        about = self.surroundings
        place = self.target_pos_column + 1, self.target_pos_row + 1
        return StampPSF(about.responses if about is not None else (), self._limits, place)

    # What is behind it.

    @property
    def _here(self) -> Scene:
        if self._scene is None:
            raise PhotometryError(f"the photometry of TIC {self.starid} is closed: make a new object for its pixels")
        return self._scene

    @property
    def _open_pixels(self) -> StampPixels:
        if self._scene is None:
            raise PhotometryError(f"the photometry of TIC {self.starid} is closed: make a new object for its pixels")
        return self._pixels

    def _take(self, limits: StampLimits) -> bool:
        changed = limits != self._limits
        if changed:
            self._limits = self._pixels.limits = limits
            self._kept.clear()
        return changed

    def _keep(self, name: str, make: Callable[[], Any]) -> Any:
        if self._scene is None or self._pixels.cache == "none":
            return make()
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def _make_aperture(self) -> NDArray[np.int32]:
        stamp = self._open_pixels.stamp
        known = np.ones(stamp.shape, dtype=np.int32) if stamp.aperture is None else np.asarray(stamp.aperture)
        masks = int(AperturePixel.PHOTOMETRY | AperturePixel.CENTROID)
        flags = np.asarray((known & ~masks) | output_flags(stamp.columns)[None, :], dtype=np.int32)
        flags.flags.writeable = False
        return flags


def _open(
    where: Path, source: str, tic: int, sector: int | None, camera: int | None, ccd: int | None, cadence: float | None
) -> Scene:
    if not where.exists():
        raise MissingInput(f"not a valid input directory: {where} does not exist")
    if where.is_file() and not where.name.endswith(_FILES):
        where = where.parent
    if source == "ffi" and where.is_dir() and None not in (sector, camera, ccd):
        field = Field(sector, camera, ccd)  # type: ignore[arg-type]
        # The page says that frames need no cadence: it is asked only where frames of several are there.
        if len(prepared_fields(where, field)) == 1:
            cadence = None
    return open_scene(where, source, tic, sector=sector, camera=camera, ccd=ccd, cadence=cadence)


def _placed(scene: Scene, target: Target) -> Target:
    """The target with its place, where world coordinates tell what no catalogue did."""
    if target.column is not None or target.ra is None or target.dec is None:
        return target
    place = scene.stamp().pixel_of(target.ra, target.dec)
    return target if place is None else replace(target, column=place[0], row=place[1])


def _less_one(place: float | None) -> float:
    return float("nan") if place is None else place - 1
