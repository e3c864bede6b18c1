"""A prepared field: everything about the frames of one CCD that measuring needs, out of one small file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError, MissingInput
from tessellar.pixels.background import Sky
from tessellar.pixels.backgrounds import BackgroundSeries
from tessellar.pixels.cube import CubeSource
from tessellar.pixels.frames import read_cubes
from tessellar.pixels.growing import Cubes, read_grown
from tessellar.pixels.movement import MovementKernel, mapped
from tessellar.pixels.planes import inverse_of, wcs_of
from tessellar.pixels.pointing import Pointing
from tessellar.pixels.preparedfile import PreparedFile
from tessellar.pixels.quality import Excluded, excluded_by_hand, pixel_flags
from tessellar.pixels.response import GriddedResponse
from tessellar.pixels.series import FrameSeries
from tessellar.pixels.stamp import Span, Stamp
from tessellar.pixels.stars import StarField
from tessellar.pixels.surroundings import Surroundings
from tessellar.pixels.timing import star_times

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from tessellar.mission.barycentre import SpacecraftPosition
    from tessellar.mission.tangent import Plane
    from tessellar.pixels.badtimes import BadTime


class PreparedField(FrameSeries):
    """What `prepare` found out about the frames of one field: a source of stamps, with background and flags.

    The pixels themselves stay in the frames' files.

    Parameters
    ----------
    path : path-like
        The file that `prepare` wrote.
    frames : path-like, optional
        Folder in which the frames lie now, if they were moved.
    cube : path-like, optional
        A cube of the same frames (`write_cube`), from which pixels are read; by default the one beside `path`, of the
        same name but ``.cube.h5``, if there is one.

    Raises
    ------
    MissingInput
        If there is no such file.
    Unrecognised, Corrupt
        If it was not written by `prepare`, or is damaged.

    Examples
    --------
    >>> from tessellar.pixels import PreparedField
    >>> field = PreparedField("s0027-1-1-c0600.h5")  # doctest: +SKIP
    >>> stamp = field.window(rows=(1000, 1010), cols=(500, 510))  # doctest: +SKIP
    >>> stamp.background_subtracted  # doctest: +SKIP
    True
    """

    def __init__(
        self,
        path: str | PathLike[str],
        frames: str | PathLike[str] | None = None,
        cube: str | PathLike[str] | None = None,
    ) -> None:
        self.path = Path(path)
        self._file = PreparedFile(self.path)
        super().__init__(self._file.frames(None if frames is None else Path(frames)))
        self.corner, self.shape = self._file.corner, self._file.shape
        #: Files that were left out of the frames, and why.
        self.left_out = self._file.left_out
        #: What it was made from, with what settings, by which version.
        self.provenance = self._file.provenance
        self._cube = self._matching(cube)

    def __repr__(self) -> str:
        rows, cols = self.shape
        size = f"{len(self)} frames of {self.cadence:.0f} s, {rows} x {cols} px"
        return f"<PreparedField {self.field}, {size}, {len(self.stars) if self.stars else 0} stars>"

    @cached_property
    def quality(self) -> NDArray[np.int32]:
        """Flags of each frame: the mission's, those taken over from stars' files, and 128 where excluded by hand."""
        return self._file.array("frames/quality")

    @cached_property
    def stars(self) -> StarField | None:
        """The field's stars at their places in the reference frame, as measured; None without a catalogue."""
        columns = self._file.arrays("stars")
        columns.pop("flux", None)
        return StarField(**columns) if columns else None

    @cached_property
    def fluxes(self) -> NDArray[np.float64]:
        """Flux of each star in the mean of the frames, e-/s, fitted jointly; held to the catalogue's within 20 %."""
        return self._file.array("stars/flux")

    @cached_property
    def pointing(self) -> Pointing:
        """Measured movement of every frame; where it could not be measured, that between its neighbours."""
        return Pointing(time=self.time, **self._file.arrays("pointing"))

    @cached_property
    def movement(self) -> MovementKernel:
        """Where every star is at any time, against its place in the reference frame."""
        return self.pointing.movement

    @cached_property
    def background(self) -> BackgroundSeries:
        """Background of every frame."""
        parts = self._file.arrays("background")
        box = int(self._file.attribute("background", "box"))
        parts["jumps"] = np.unpackbits(parts["jumps"], axis=-1, count=int(self._file.attribute("background", "blocks")))
        sky = Sky(self.field, self.corner, self.shape, box=box)
        return BackgroundSeries(sky=sky, model=None, **parts | {"jumps": parts["jumps"].astype(bool)})

    @cached_property
    def mean_image(self) -> NDArray[np.float32]:
        """Mean of the good frames without their background, e-/s."""
        return self._file.array("mean_image")

    @cached_property
    def segments(self) -> NDArray[np.int64]:
        """Number of the part of the sector (orbit) that each frame belongs to."""
        return self._file.array("frames/segment")

    def response(self, segment: int = 0) -> GriddedResponse:
        """The pixel response in a part of the sector: the mission's, or the effective PSF estimated there.

        Raises
        ------
        InputError
            If none was given and none could be estimated, or there is no such part.
        """
        return self._file.response(segment)

    @cached_property
    def responses(self) -> tuple[GriddedResponse, ...]:
        """The responses of all parts of the sector: one for each, one for all, or none where none is known."""
        return self._file.responses()

    @property
    def bad_times(self) -> list[BadTime]:
        """The calendar of the field's bad times."""
        return self._file.bad_times()

    @cached_property
    def plane(self) -> Plane:
        """Projection of the reference frame, as its header has it; `place` corrects it."""
        return self._file.plane(self._file.reference)

    def place(self, ra: ArrayLike, dec: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Columns and rows (1-based) of positions in the reference frame, corrected by where its stars were found."""
        return mapped(self.pointing.registration, *self.plane.to_pixel(ra, dec))

    @property
    def wcs(self) -> WCS:
        """World coordinates of the reference frame, corrected at its middle: pixel (0, 0) is the first pixel."""
        return self._wcs_at(self.corner, self.shape)

    def window(self, rows: Span = None, cols: Span = None, *, known: Stamp | None = None) -> Stamp:
        """Cut CCD rows and columns (first, last; 1-based, both included) out of all frames, background subtracted.

        Parameters
        ----------
        rows, cols : (int, int), optional
            All there are if not given.
        known : Stamp, optional
            A window of this field: rows that it has are not read again, if it has the same columns.

        Raises
        ------
        InputError
            If the window is empty or not wholly inside.
        MissingInput, Corrupt
            If a frame is not where it was, or is not what it was.
        """
        (left, right), (bottom, top) = self._spans(rows, cols)
        corner, shape = (left, bottom), (top - bottom + 1, right - left + 1)
        images, errors, background = read_grown(self._without_sky, corner, shape, known)
        return Stamp(
            images=images,
            errors=errors,
            background=background,
            time=self.time,
            timecorr=self.timecorr,
            cadenceno=self.cadenceno,
            quality=self.quality,
            corner=corner,
            field=self.field,
            cadence=self.cadence,
            origin=f"prepared frames of {self.field}",
            wcs=self._wcs_at(corner, shape),
            pixel_flags=self.pixel_flags(rows, cols),
        )

    def pixel_flags(self, rows: Span = None, cols: Span = None) -> NDArray[np.uint8]:
        """Flags (`PixelFlag`) of CCD rows and columns in all frames, (n, rows, cols); no pixels are read for it."""
        across, along = self._spans(rows, cols)
        jumped = self.background.jumped(along, across)
        return pixel_flags(self._excluded, jumped, self.used_for_background(rows, cols), (across[0], along[0]))

    def used_for_background(self, rows: Span = None, cols: Span = None) -> NDArray[np.bool_]:
        """Pixels that the background was measured from, (rows, cols)."""
        (left, right), (bottom, top) = self._spans(rows, cols)
        (column, row) = self.corner
        return self.background.used[bottom - row : top - row + 1, left - column : right - column + 1]

    def surroundings(self, rows: Span = None, cols: Span = None, *, margin: float = 10) -> Surroundings:
        """Stars on CCD rows and columns (first, last; 1-based, both included) and `margin` pixels about them.

        They come with their movement in every frame and with the responses, for `window` of the same rows and columns.

        Raises
        ------
        InputError
            If the field was prepared without a catalogue.
        """
        if self.stars is None:
            raise InputError(f"{self.path.name} has no stars: it was prepared without a catalogue")
        (column, row), (high, wide) = self.corner, self.shape
        (left, right), (bottom, top) = cols or (column, column + wide - 1), rows or (row, row + high - 1)
        near = (self.stars.column >= left - 0.5 - margin) & (self.stars.column < right + 0.5 + margin)
        near &= (self.stars.row >= bottom - 0.5 - margin) & (self.stars.row < top + 0.5 + margin)
        stars = self.stars.chosen(near)
        return Surroundings(
            tic=stars.tic,
            tmag=stars.tmag,
            ra=stars.ra,
            dec=stars.dec,
            column=stars.column,
            row=stars.row,
            flux=(self.fluxes if self._file.has("stars/flux") else self.stars.flux())[near],
            shifts=self.movement.tracks(self.time, stars.column, stars.row),
            segments=self.segments,
            responses=self.responses,
        )

    @cached_property
    def spacecraft_place(self) -> NDArray[np.float64]:
        """Place of the spacecraft in each frame from the barycentre, ICRS axes, light-seconds, (n, 3)."""
        return self._spacecraft.place(self.time - self.timecorr)

    def star_times(self, ra: float, dec: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Times of one star: BTJD, its barycentric correction (days), and the 1-sigma error of that (seconds)."""
        return star_times(self, self._spacecraft, ra, dec, self.spacecraft_place)

    @cached_property
    def _spacecraft(self) -> SpacecraftPosition:
        return self._file.spacecraft()

    def _spans(self, rows: Span, cols: Span) -> tuple[tuple[int, int], tuple[int, int]]:
        """First and last column, and row, of a window, all there are where they are not given."""
        spans = []
        for span, first, count, word in zip(
            (cols, rows), self.corner, self.shape[::-1], ("columns", "rows"), strict=True
        ):
            begin, end = span if span is not None else (first, first + count - 1)
            if not first <= begin <= end < first + count:
                raise InputError(f"{word} {begin} to {end} are not in {self.path.name}, {first} to {first + count - 1}")
            spans.append((begin, end))
        return spans[0], spans[1]

    def _matching(self, cube: str | PathLike[str] | None) -> CubeSource | None:
        beside = self.path.with_suffix(".cube.h5")
        if cube is None and not beside.exists():
            return None
        source = CubeSource(beside if cube is None else cube)
        same = len(source) == len(self) and source.shape == self.shape and source.corner == self.corner
        if not same or not np.array_equal(source.time, self.time):
            raise InputError(f"{source.path}: not of the frames that {self.path.name} is of; write it again")
        return source

    def _without_sky(self, corner: tuple[int, int], shape: tuple[int, int]) -> Cubes:
        images, errors = self._read(corner, shape)
        rows, cols = ((first, first + count - 1) for first, count in zip(corner[::-1], shape, strict=True))
        background = self.background.window(rows, cols)
        images -= background
        return images, errors, background

    def _read(self, corner: tuple[int, int], shape: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
        if self._cube is not None:
            (left, bottom), (high, wide) = corner, shape
            stamp = self._cube.window((bottom, bottom + high - 1), (left, left + wide - 1))
            return np.array(stamp.images), stamp.errors
        try:
            return read_cubes(self.frames, corner, shape)
        except MissingInput as error:
            folder = self.frames[0].path.parent
            raise MissingInput(
                f"{self.path.name} is of frames in {folder}: {error}; if they were moved, give frames=FOLDER"
            ) from error

    def crpix_of(
        self, corner: tuple[ArrayLike, ArrayLike], shape: tuple[ArrayLike, ArrayLike]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """CRPIX1 and CRPIX2 of stamps, in which alone their world coordinates differ from those of all others.

        Parameters
        ----------
        corner : (array-like (k,), array-like (k,))
            CCD column and row of the first pixel of each, 1-based.
        shape : (array-like (k,), array-like (k,))
            Rows and columns.
        """
        (left, bottom), (high, wide) = ([np.asarray(each) for each in pair] for pair in (corner, shape))
        dx, dy = self._offset_at((left, bottom), (high, wide))
        return self.plane.crpix[0] + dx - left + 1, self.plane.crpix[1] + dy - bottom + 1

    def _offset_at(
        self, corner: tuple[ArrayLike, ArrayLike], shape: tuple[ArrayLike, ArrayLike]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """By what the stars in the middles of stamps lie beside their places by the header."""
        (left, bottom), (high, wide) = ([np.asarray(each) for each in pair] for pair in (corner, shape))
        x, y = left + (wide - 1) / 2, bottom + (high - 1) / 2
        column, row = mapped(self.pointing.registration, x, y)
        return column - x, row - y

    def _wcs_at(self, corner: tuple[int, int], shape: tuple[int, int]) -> WCS:
        from dataclasses import replace

        dx, dy = (float(each) for each in self._offset_at(corner, shape))
        plane = self.plane
        moved = replace(
            plane,
            crpix=(plane.crpix[0] + dx, plane.crpix[1] + dy),
            sip_crpix=(plane.sip_crpix[0] + dx, plane.sip_crpix[1] + dy),
        )
        # Fitted once for all stamps: the same cards then serve all of them.
        return wcs_of(moved, corner, self._inverse)

    @cached_property
    def _inverse(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        return inverse_of(self.plane) if self.plane.a.size > 1 else None

    @cached_property
    def _excluded(self) -> Sequence[Excluded]:
        return excluded_by_hand(self.field, self.time)
