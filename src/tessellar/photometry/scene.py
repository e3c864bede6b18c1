"""What stars are measured in, whatever the pixels come from: prepared frames, a target pixel file, a cut-out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError, MissingInput, ProductError
from tessellar.mission import flags, time_offset
from tessellar.photometry.limits import StampLimits, stamp_size
from tessellar.photometry.target import Target
from tessellar.pixels import (
    AperturePixel,
    MovementKernel,
    Surroundings,
    TargetPixelSource,
    mean_image,
    measure_stamp_sky,
)
from tessellar.pixels.stamp import output_flags
from tessellar.products.lightcurveheaders import told_by_mission
from tessellar.targets import TIC

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from tessellar.pixels import PixelResponse, PreparedField, Stamp, StarField
    from tessellar.products import TargetPixelFile
    from tessellar.targets import Field


class Scene(Protocol):
    """Pixels, and what is known of the stars on them. `open_scene` finds the one to measure a star in."""

    @property
    def kind(self) -> str:
        """``ffi`` or ``tpf``."""

    @property
    def field(self) -> Field:
        """Sector, camera and CCD."""

    @property
    def cadence(self) -> float:
        """Seconds from one cadence to the next."""

    @property
    def origin(self) -> str:
        """What it is, in words."""

    @property
    def limits(self) -> StampLimits:
        """The pixels that there are."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that a result has come from."""

    @property
    def about(self) -> Mapping[str, Any]:
        """What the files tell for the headers of light curves: see `Result.about`."""

    @property
    def header(self) -> Mapping[str, Any]:
        """Keywords of the file, or of one of the frames."""

    @property
    def wcs(self) -> WCS | None:
        """Sky to pixel: 0-based CCD pixels for frames, those of the file for a target pixel file."""

    @property
    def stars(self) -> StarField | None:
        """The catalogue, at the places where its stars are; None where none is known."""

    @property
    def movement(self) -> MovementKernel:
        """Where every star is at any time, against its place in `stars`."""

    def target(self, tic: int | None) -> Target:
        """A star to measure; `InputError` if it is not known here. None is the star that a file is of."""

    def stamp_size(self, target: Target) -> tuple[int, int]:
        """Rows and columns to look for a star in first."""

    def default_stamp(self, target: Target, size: tuple[int, int] | None = None) -> StampLimits:
        """The pixels to look for a star in first; of `stamp_size`, unless a size is given."""

    def stamp(
        self, limits: StampLimits | None = None, target: Target | None = None, known: Stamp | None = None
    ) -> Stamp:
        """Cut pixels out, all of them if no limits are given; with a target, its own times and movement with them.

        What a known stamp of this scene has need not be read again.
        """

    def surroundings(self, stamp: Stamp) -> Surroundings | None:
        """The stars on and about a stamp of this scene; None without a catalogue."""

    def mean_image(self, stamp: Stamp, quality: str) -> NDArray[np.float64]:
        """Mean of the good cadences of a stamp of this scene, e-/s; `quality` names the mask of flags."""

    def pixel_flags(self, stamp: Stamp) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Times at the spacecraft of the frames, (n,), and their flags of a stamp's pixels, (n, rows, cols)."""

    def frame_time(self, at_spacecraft: float) -> float:
        """The time by which `movement` goes, BTJD, of a time at the spacecraft (TIME - TIMECORR)."""


class FieldScene:
    """The prepared frames of one CCD as a scene.

    The times of a stamp that is cut for a target are barycentric for that very star.

    Parameters
    ----------
    prepared : PreparedField
    margin : float
        Pixels about a stamp in which stars belong to its surroundings.

    Examples
    --------
    >>> from tessellar.photometry import FieldScene, measure_in
    >>> from tessellar.pixels import PreparedField
    >>> scene = FieldScene(PreparedField("s0027-1-1-c0600.h5"))  # doctest: +SKIP
    >>> measure_in(scene, 25155310)  # doctest: +SKIP
    """

    kind = "ffi"

    def __init__(self, prepared: PreparedField, margin: float = 10) -> None:
        self.prepared = prepared
        self.field: Field = prepared.field
        self.cadence: float = prepared.cadence
        self.origin = f"prepared frames of {prepared.field}"
        self.limits = StampLimits.of(prepared.corner, prepared.shape)
        self.paths: tuple[Path, ...] = (prepared.path,)
        self._margin = margin

    def __repr__(self) -> str:
        return f"<FieldScene of {self.prepared!r}>"

    @cached_property
    def header(self) -> Mapping[str, Any]:
        """Keywords of a frame from the middle, primary and of the image; empty where the frame is not here."""
        from tessellar.products import FullFrameImage, read

        try:
            frame = read(self.prepared.frames[len(self.prepared) // 2].path)
        except ProductError:
            return {}
        return {**dict(frame.header), **frame.keys} if isinstance(frame, FullFrameImage) else {}

    @cached_property
    def about(self) -> Mapping[str, Any]:
        """Data release, exposures, known error of the times, whether the sky was simulated; and what it is of."""
        offset = self.prepared.provenance.settings.get("time_offset") or {}
        return {
            "source": "ffi",
            "simulated": any(self.header.get(key) is True for key in ("SIMULATD", "SIMDATA")),
            **told_by_mission(self.header),
            "time_offset": offset.get("seconds"),
            "time_corrected": offset.get("corrected"),
        }

    @cached_property
    def wcs(self) -> WCS:
        """World coordinates of the reference frame, corrected at its middle, as `PreparedField.wcs`; 0-based CCD."""
        from astropy.wcs import Sip

        wcs, offset = self.prepared.wcs.deepcopy(), np.array(self.prepared.corner) - 1
        wcs.wcs.crpix = wcs.wcs.crpix + offset
        if wcs.sip is not None:
            wcs.sip = Sip(wcs.sip.a, wcs.sip.b, wcs.sip.ap, wcs.sip.bp, wcs.sip.crpix + offset)
        return wcs

    @property
    def stars(self) -> StarField | None:
        """The catalogue, in the reference frame; None where the field was prepared without."""
        return self.prepared.stars

    @property
    def movement(self) -> MovementKernel:
        """Movement against the reference frame."""
        return self.prepared.movement

    def target(self, tic: int | None) -> Target:
        """A star of the catalogue; positions are those at the time of the frames."""
        if tic is None:
            raise InputError(f"frames are of no star in particular: name one of {self.field}")
        if self.stars is None:
            raise MissingInput(
                f"{self.prepared.path.name} was prepared without a catalogue, so {TIC(tic)} has no place"
            )
        return _from(self.stars, self.stars.index(tic))

    def stamp_size(self, target: Target) -> tuple[int, int]:
        """Rows and columns for its magnitude."""
        return stamp_size(target.tmag)

    def default_stamp(self, target: Target, size: tuple[int, int] | None = None) -> StampLimits:
        """A stamp about the star, as far as there are pixels; at least the nearest one."""
        if target.column is None or target.row is None:
            raise InputError(f"the place of {target} on {self.field} is not known")
        limits, outer = StampLimits.about(target.column, target.row, size or self.stamp_size(target)), self.limits
        row = min(max(limits.row_min, outer.row_min), outer.row_max - 1)
        column = min(max(limits.col_min, outer.col_min), outer.col_max - 1)
        return StampLimits(row, max(limits.row_max, row + 1), column, max(limits.col_max, column + 1)).clipped(outer)

    def stamp(
        self, limits: StampLimits | None = None, target: Target | None = None, known: Stamp | None = None
    ) -> Stamp:
        """Cut pixels out of all frames, background subtracted."""
        rows, cols = (None, None) if limits is None else (limits.rows, limits.cols)
        stamp = self.prepared.window(rows, cols, known=known)
        stamp = replace(stamp, aperture=self._aperture(stamp))
        if target is None or target.ra is None or target.dec is None:
            return stamp
        time, timecorr, _ = self.prepared.star_times(target.ra, target.dec)
        moved = None
        if target.column is not None and target.row is not None:
            moved = self.movement.jitter(self.prepared.time, target.column, target.row)
        return replace(stamp, time=time, timecorr=timecorr, pos_corr=moved)

    def surroundings(self, stamp: Stamp) -> Surroundings | None:
        """The stars on and about a stamp, with measured movement and fluxes."""
        if self.stars is None:
            return None
        limits = StampLimits.of(stamp.corner, stamp.shape)
        return self.prepared.surroundings(limits.rows, limits.cols, margin=self._margin)

    def mean_image(self, stamp: Stamp, quality: str) -> NDArray[np.float64]:
        """Mean of the good frames as it was prepared, whatever mask is named."""
        (row, column), (high, wide) = self._offset(stamp), stamp.shape
        return np.asarray(self.prepared.mean_image[row : row + high, column : column + wide], dtype=np.float64)

    def pixel_flags(self, stamp: Stamp) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Times at the spacecraft and flags of a stamp's pixels in every frame."""
        limits = StampLimits.of(stamp.corner, stamp.shape)
        return self.prepared.time - self.prepared.timecorr, self.prepared.pixel_flags(limits.rows, limits.cols)

    def frame_time(self, at_spacecraft: float) -> float:
        """BTJD at the CCD's centre of a time at the spacecraft."""
        times, corrections = self.prepared.time, self.prepared.timecorr
        return at_spacecraft + float(np.interp(at_spacecraft, times - corrections, corrections))

    def _aperture(self, stamp: Stamp) -> NDArray[np.int32]:
        """What is known of the pixels before anything is measured: collected, background, output."""
        limits = StampLimits.of(stamp.corner, stamp.shape)
        collected = np.isfinite(self.mean_image(stamp, "none"))
        used = self.prepared.used_for_background(limits.rows, limits.cols)
        known = np.where(collected, int(AperturePixel.COLLECTED), 0) | np.where(used, int(AperturePixel.BACKGROUND), 0)
        return np.asarray(known | output_flags(stamp.columns)[None, :], dtype=np.int32)

    def _offset(self, stamp: Stamp) -> tuple[int, int]:
        return stamp.corner[1] - self.prepared.corner[1], stamp.corner[0] - self.prepared.corner[0]


class StampScene:
    """A target pixel file or a cut-out as a scene: its stamp is all there is.

    Parameters
    ----------
    tpf : TargetPixelFile
    stars : StarField, optional
        Stars on and about the stamp. Other stars than the file's own can then be measured, too, and the sky of a
        cut-out, which still has it, is taken off.
    response : PixelResponse, optional
        How their light falls on the pixels.
    movement : MovementKernel, optional
        Of the CCD's frames, against the places in `stars`; without it, POS_CORR of the file.
    frames : PreparedField, optional
        The frames of the CCD, for the flags of pixels.

    Raises
    ------
    InputError
        If the file does not tell sector, camera and CCD.

    Notes
    -----
    Times are those of the file's own star. For another star of the stamp they are wrong by less than 0.05 s a pixel.
    """

    kind = "tpf"

    def __init__(
        self,
        tpf: TargetPixelFile,
        stars: StarField | None = None,
        response: PixelResponse | None = None,
        movement: MovementKernel | None = None,
        frames: PreparedField | None = None,
    ) -> None:
        self.tpf = tpf
        self.stars = stars
        self.frames = frames
        self._response, self._movement = response, movement
        self._source = TargetPixelSource(tpf)
        self.field: Field = self._source.field
        self.cadence: float = tpf.cadence
        self.origin = tpf.path.name
        self.limits = StampLimits.of(tpf.corner, (tpf.shape[1], tpf.shape[2]))
        self.paths: tuple[Path, ...] = (tpf.path,)

    def __repr__(self) -> str:
        return f"<StampScene of {self.tpf!r}>"

    @property
    def header(self) -> Mapping[str, Any]:
        """Keywords of the file, of its table and its primary header."""
        return {**self.tpf.table_keys, **dict(self.tpf.header)}

    @property
    def wcs(self) -> WCS | None:
        """World coordinates of the file's own pixels, None where it has none."""
        return self._whole.sky

    @cached_property
    def about(self) -> Mapping[str, Any]:
        """Data release, exposures, known error of the times, whether the sky was simulated; and what it is of."""
        tpf, offset = self.tpf, None
        if not tpf.simulated:
            version, processing = tpf.data_release, str(self.header.get("PROCVER") or "") or None
            offset = time_offset(
                tpf.author, self.field.sector, version=version, processing=processing, camera=self.field.camera,
                ccd=self.field.ccd,
            )  # fmt: skip
        return {
            "source": "tpf",
            "simulated": tpf.simulated,
            **told_by_mission(self.header),
            "data_release": tpf.data_release,
            "time_offset": None if offset is None else offset.seconds,
            "time_corrected": None if offset is None else False,
        }

    @cached_property
    def movement(self) -> MovementKernel:
        """Movement of the CCD if it was given, else what POS_CORR tells, else none."""
        if self._movement is not None:
            return self._movement
        try:
            return MovementKernel.from_stamp(self._whole)
        except InputError:
            return MovementKernel.unchanged()

    def target(self, tic: int | None) -> Target:
        """The file's own star, as its headers tell, or another one of the catalogue."""
        own = self.tpf.tic
        index = None if self.stars is None else _index(self.stars, tic if tic is not None else own)
        if tic is None or (own is not None and int(own) == int(tic)):
            return _with_place(target_of(self.tpf), self.stars, index)
        if self.stars is None or index is None:
            known = (
                "no catalogue of its stars is known" if self.stars is None else f"nor one of {len(self.stars)} stars"
            )
            raise InputError(f"{TIC(tic)} is not the star of {self.origin}, {known} on and about it")
        return replace(_from(self.stars, index), secondary=True)

    def stamp_size(self, target: Target) -> tuple[int, int]:
        """Rows and columns of the file's stamp."""
        return self.limits.shape

    def default_stamp(self, target: Target, size: tuple[int, int] | None = None) -> StampLimits:
        """All pixels there are, whatever size is given."""
        return self.limits

    def stamp(
        self, limits: StampLimits | None = None, target: Target | None = None, known: Stamp | None = None
    ) -> Stamp:
        """Cut pixels out of the file's stamp."""
        return self._whole if limits in (None, self.limits) else self._whole.window(limits.rows, limits.cols)

    def surroundings(self, stamp: Stamp) -> Surroundings | None:
        """The stars on and about the file's stamp, with their movement; None without a catalogue."""
        if self.stars is None:
            return None
        return Surroundings.of_stamp(stamp, self.stars, self._response, self._movement)

    def mean_image(self, stamp: Stamp, quality: str) -> NDArray[np.float64]:
        """Mean of the good cadences, where finite."""
        good = np.isfinite(stamp.time) & flags.good(np.asarray(stamp.quality), quality)
        return mean_image(stamp.images, good)

    def pixel_flags(self, stamp: Stamp) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Times at the spacecraft and flags of the CCD's frames; of none where they are not known."""
        limits = StampLimits.of(stamp.corner, stamp.shape)
        if self.frames is None or not limits.lies_in(StampLimits.of(self.frames.corner, self.frames.shape)):
            return np.empty(0), np.empty((0, *stamp.shape), dtype=np.uint8)
        return self.frames.time - self.frames.timecorr, self.frames.pixel_flags(limits.rows, limits.cols)

    def frame_time(self, at_spacecraft: float) -> float:
        """BTJD of the file's star of a time at the spacecraft."""
        corrections = np.asarray(self.tpf.timecorr)
        known = np.isfinite(self.tpf.btjd) & np.isfinite(corrections)
        if not known.any():
            return at_spacecraft
        times = (self.tpf.btjd - corrections)[known]
        order = np.argsort(times, kind="stable")
        return at_spacecraft + float(np.interp(at_spacecraft, times[order], corrections[known][order]))

    @cached_property
    def _whole(self) -> Stamp:
        stamp = self._source.window()
        if stamp.background_subtracted or self.stars is None:
            return stamp
        try:
            return measure_stamp_sky(stamp, self.stars, self._response).subtract(stamp)
        except InputError:
            # Too few pixels: who needs the sky taken off, takes the little that is around the star.
            return stamp


def target_of(tpf: TargetPixelFile) -> Target:
    """What the headers of a target pixel file tell of its star."""
    crowdsap, flfrcsap = (tpf.table_keys.get(key) for key in ("CROWDSAP", "FLFRCSAP"))
    return Target(
        tic=tpf.tic,
        tmag=_known(tpf.tmag),
        ra=_known(tpf.ra),
        dec=_known(tpf.dec),
        crowdsap=_known(crowdsap) if isinstance(crowdsap, int | float) else None,
        flfrcsap=_known(flfrcsap) if isinstance(flfrcsap, int | float) else None,
    )


def _with_place(target: Target, stars: StarField | None, index: int | None) -> Target:
    if stars is None or index is None:
        return target
    tmag = target.tmag if target.tmag is not None else float(stars.tmag[index])
    return replace(target, tmag=tmag, column=float(stars.column[index]), row=float(stars.row[index]))


def _from(stars: StarField, index: int) -> Target:
    tmag, ra, dec, column, row = (float(getattr(stars, name)[index]) for name in ("tmag", "ra", "dec", "column", "row"))
    return Target(tic=TIC(int(stars.tic[index])), tmag=tmag, ra=ra, dec=dec, column=column, row=row)


def _index(stars: StarField, tic: int | TIC | None) -> int | None:
    found: NDArray[np.int64] = np.flatnonzero(stars.tic == int(tic)) if tic is not None else np.empty(0, np.int64)
    return int(found[0]) if found.size else None


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
