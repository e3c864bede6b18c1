"""From pixels to a result, in one call: in a scene, or in a target pixel file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import PhotometryError
from tessellar.photometry.apertures.masks import load_mask
from tessellar.photometry.limits import StampLimits
from tessellar.photometry.method import PhotometryMethod, Settings, get_method
from tessellar.photometry.result import Result, StampGrowth
from tessellar.photometry.scene import Scene, StampScene
from tessellar.photometry.status import STATUS, PixelQuality
from tessellar.photometry.target import ZERO_POINT, Target
from tessellar.pixels import PixelFlag

if TYPE_CHECKING:
    from tessellar.pixels import PixelResponse, Stamp, StarField
    from tessellar.products import TargetPixelFile

# How often a method may ask for a larger stamp; a bright star's bleed is long, so it may ask more often.
_TRIES, _TRIES_BRIGHT, _BRIGHT = 5, 10, 6.0


def measure_in(
    scene: Scene,
    tic: int | None = None,
    method: str | PhotometryMethod = "aperture",
    settings: Settings | None = None,
    *,
    limits: StampLimits | None = None,
) -> Result:
    """Measure one star of a scene, on a stamp that grows as the method asks.

    Parameters
    ----------
    scene : Scene
    tic : int, optional
        The star; that of the file where it is left out.
    method : str or PhotometryMethod
        A name of `METHODS`, or an object of your own.
    settings : Settings, optional
    limits : StampLimits, optional
        The stamp to begin with; by default the scene's for this star.

    Returns
    -------
    Result
        ERROR with its reason where no light curve can be had. A result that still wants a larger stamp (after 5 larger
        ones, 10 for stars brighter than T = 6, or where there are no more pixels) is a WARNING at best.

    Raises
    ------
    InputError
        If the star is not known in this scene, or a setting is impossible.
    ProductError
        If pixels cannot be read.

    Examples
    --------
    >>> from tessellar.photometry import measure_in, open_scene
    >>> scene = open_scene("frames", sector=27, camera=1, ccd=1, cadence=600)  # doctest: +SKIP
    >>> measure_in(scene, 25155310, "aperture").status  # doctest: +SKIP
    <STATUS.OK: 1>
    """
    chosen, settings, target = get_method(method), settings or Settings(), scene.target(tic)
    limits = scene.default_stamp(target) if limits is None else limits.clipped(scene.limits)
    reason = where_off(scene, target)
    if reason:
        return _told(Result.failed(scene.stamp(limits, target), target, settings, chosen.name, reason), scene)
    tries = _TRIES_BRIGHT if target.tmag is not None and target.tmag < _BRIGHT else _TRIES
    stamp: Stamp | None = None
    for attempt in range(tries + 1):
        stamp = scene.stamp(limits, target, stamp)
        result = _run(scene, chosen, target, settings, stamp)
        grow = result.grow
        if grow is None:
            break
        wider = _wider(limits, grow, scene.limits)
        if wider == limits:
            if grow.needed:
                result = _doubted(result, f"the stamp should be larger, but there are no more pixels in {scene.origin}")
            break
        if attempt == tries and grow.needed:
            result = _doubted(result, f"the stamp should still be larger after {tries} larger ones")
        limits = wider
    return _told(result, scene)


def measure(
    tpf: TargetPixelFile | str | Path,
    *,
    method: str | PhotometryMethod = "aperture",
    aperture: str | Path | NDArray[Any] = "default",
    quality: str = "default",
    sigma: float = 3.0,
    missing: str = "nan",
    zero_point: float = ZERO_POINT,
    stars: StarField | None = None,
    response: PixelResponse | None = None,
) -> Result:
    """Measure the star of a target pixel file or cut-out.

    Parameters
    ----------
    tpf : TargetPixelFile or path
    method : str or PhotometryMethod
        A name of `METHODS`, or an object of your own.
    aperture : str, path, or array (rows, cols)
        A kind of `APERTURES`, or a mask: a FITS image, or an array, of the stamp's shape; anything but 0 is added up.
    quality : str
        Named mask of `tessellar.mission.flags`. All cadences stay in the light curve; metrics and the mean image use
        the good ones only.
    sigma : float
        For the threshold aperture.
    missing : {"nan", "partial"}
        Flux of a cadence that lacks pixels of the mask.
    zero_point : float
        TESS magnitude of a star that gives 1 e-/s.
    stars : StarField, optional
        Stars on and about the stamp, for contamination and for methods that fit them.
    response : PixelResponse, optional
        How their light falls on the pixels, for the same.

    Returns
    -------
    Result
        Its ``status`` is ERROR where no light curve can be had, with the reason; a wrong *request* raises instead.

    Raises
    ------
    InputError
        If a setting is impossible or the mask does not fit.
    ProductError
        If a file is missing, damaged, or no target pixel file.

    Examples
    --------
    >>> from tessellar.photometry import measure
    >>> result = measure("tess2018206045859-s0001-0000000025155310-0120-s_tp.fits")  # doctest: +SKIP
    >>> result.status, result.write(".")  # doctest: +SKIP
    """
    from tessellar.products import read_target_pixels

    mask: str | NDArray[Any]
    name = ""
    inputs: list[Path] = []
    if isinstance(aperture, Path) or (isinstance(aperture, str) and _looks_like_a_path(aperture)):
        mask, name = load_mask(aperture), Path(aperture).name
        inputs = [Path(aperture)]
    else:
        mask = aperture
    settings = Settings(
        aperture=mask, quality=quality, sigma=sigma, missing=missing, zero_point=zero_point, aperture_name=name
    )
    chosen = get_method(method)
    model = read_target_pixels(tpf) if isinstance(tpf, str | Path) else tpf
    result = measure_in(StampScene(model, stars, response), method=chosen, settings=settings)
    return result.with_inputs(*result.inputs, *inputs, about=result.about)


def where_off(scene: Scene, target: Target) -> str:
    """Say where a star falls that is on none of a scene's pixels; empty if it is on one, or its place not known."""
    if target.column is None or target.row is None or scene.limits.holds(target.column, target.row):
        return ""
    (bottom, top), (left, right) = scene.limits.rows, scene.limits.cols
    return (
        f"{target} falls on column {target.column:.1f}, row {target.row:.1f}, off the pixels of {scene.origin}: "
        f"columns {left} to {right}, rows {bottom} to {top}"
    )


def flagged(result: Result) -> Result:
    """The result with what is known of its pixels (`Stamp.pixel_flags`) in PIXEL_QUALITY: jumps, exclusions."""
    flags, before = result.stamp.pixel_flags, result.columns.get("PIXEL_QUALITY")
    if flags is None or before is None or result.mask is None or not result.mask.any():
        return result
    inside = np.bitwise_or.reduce(flags[:, result.mask], axis=1)
    bits = np.where(inside & PixelFlag.BACKGROUND_JUMP, int(PixelQuality.BACKGROUND_JUMP), 0)
    bits |= np.where(inside & PixelFlag.EXCLUDED, int(PixelQuality.EXCLUDED), 0)
    quality = np.asarray(before | bits, dtype=np.int32)
    return replace(result, columns=MappingProxyType({**result.columns, "PIXEL_QUALITY": quality}))


def _run(scene: Scene, method: PhotometryMethod, target: Target, settings: Settings, stamp: Stamp) -> Result:
    try:
        return method.run(stamp, target, scene.surroundings(stamp), settings)
    except PhotometryError as error:
        return Result.failed(stamp, target, settings, method.name, str(error))


def _wider(limits: StampLimits, grow: StampGrowth, outer: StampLimits) -> StampLimits:
    asked = limits.grown(max(grow.down, 0), max(grow.up, 0), max(grow.left, 0), max(grow.right, 0))
    return asked.clipped(outer)


def _doubted(result: Result, reason: str) -> Result:
    status = STATUS.WARNING if result.status is STATUS.OK else result.status
    return replace(result, status=status, reasons=(*result.reasons, reason))


def _told(result: Result, scene: Scene) -> Result:
    return flagged(result).with_inputs(*scene.paths, about=scene.about)


def _looks_like_a_path(text: str) -> bool:
    """Whether `text` is a file and not a misspelt word: words have neither a dot nor a slash."""
    return "." in text or "/" in text or Path(text).is_file()
