"""Results as FITS light curves."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError, NoPermission, PhotometryError, StoreError
from tessellar.mission import flags
from tessellar.photometry.merit.metrics import METRICS
from tessellar.pixels import AperturePixel
from tessellar.products import InputFile, Provenance, StarImages, WeightImage, write_light_curve
from tessellar.products.lightcurveexport import describe_record
from tessellar.products.lightcurveheaders import reason_cards
from tessellar.products.wcscards import WorldCards

if TYPE_CHECKING:
    from tessellar.photometry.method import Settings
    from tessellar.photometry.result import Result

_FITS_ENDINGS = (".fits", ".fit", ".fits.gz")


def write_result(result: Result, path: Path, digest: str | None) -> Path:
    """Write a result as `Result.write` promises."""
    if not result.status.has_light_curve or not result.columns:
        raise PhotometryError(f"no light curve of {result.target} is written: {result.reason or result.status.name}")
    images = images_of(result)
    return write_light_curve(
        _destination(result, path),
        {**result.columns, **result.extra},
        meta=meta_of(result),
        aperture=images.aperture,
        sumimage=images.sumimage,
        weights=images.weights,
        wcs=WorldCards(images.wcs, images.crpix),
        provenance=provenance_of(result, digest),
    )


def meta_of(result: Result) -> dict[str, Any]:
    """What the headers of a result's light curve say; see `tessellar.products.write_light_curve`."""
    target, stamp = result.target, result.stamp
    return {
        "tic": None if target.tic is None else int(target.tic),
        "sector": stamp.field.sector,
        "camera": stamp.field.camera,
        "ccd": stamp.field.ccd,
        "cadence": stamp.cadence,
        "tmag": target.tmag,
        "ra": target.ra,
        "dec": target.dec,
        "method": result.method,
        "quality_mask": result.settings.quality,
        "quality_bits": int(flags.MASKS[result.settings.quality]),
        "corner": stamp.corner,
        **result.about,
        "headers": header_cards(result),
    }


def images_of(result: Result) -> StarImages:
    """Stamp, aperture, mean image, weights and world coordinates of a result."""
    world = WorldCards.of(result.stamp.wcs)
    mean = None if result.mean_image is None else np.asarray(result.mean_image, dtype=np.float32)
    weights = tuple(
        WeightImage(
            first_cadence=each.first_cadence,
            last_cadence=each.last_cadence,
            weights=np.asarray(each.weights, dtype=np.float32),
            saturated=each.saturated,
        )
        for each in result.weight_maps
    )
    none = np.zeros(result.stamp.shape, dtype=bool)
    mask = none if result.mask is None else result.mask
    return StarImages(
        corner=result.stamp.corner,
        aperture=aperture_flags(mask, result.stamp.aperture, result.position_mask),
        sumimage=mean,
        weights=weights,
        wcs=world.text,
        crpix=world.crpix,
    )


def provenance_of(result: Result, digest: str | None = None) -> Provenance:
    """What a result was made from; `digest` is that of its one input, where it is known."""
    if digest is not None and len(result.inputs) != 1:
        raise InputError(f"a digest is of one input file, but the result comes from {len(result.inputs)}")
    inputs = tuple(_input(each) if digest is None else InputFile.of(each, digest) for each in result.inputs)
    return Provenance(inputs=inputs, settings={"method": result.method, **result.settings.as_record()})


def record_of(result: Result, digest: str | None = None) -> str:
    """What the file of a result says beyond its columns and images: the column ``record`` of a store's table."""
    names = [*result.columns, *result.extra]
    return describe_record(meta_of(result), provenance_of(result, digest), name=name_token(result), columns=names)


def table_cards() -> dict[str, tuple[str, str]]:
    """Columns of a store's table that are header keywords: every metric, with its keyword and comment."""
    return {name: (metric.keyword, metric.comment) for name, metric in METRICS.items()}


def _input(path: Path) -> InputFile:
    """An input with its digest; one file is read once for all stars, as long as it does not change."""
    try:
        state = path.stat()
    except OSError:
        return InputFile.of(path)
    return _digested(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _digested(path: Path, size: int, changed: int) -> InputFile:
    return InputFile.of(path)


def _destination(result: Result, path: Path) -> Path:
    """`path` itself if it is named as a FITS file, else the folder `path`, made if need be, and our own name."""
    if path.name.lower().endswith(_FITS_ENDINGS) and not path.is_dir():
        return path
    name = file_name(result)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise NoPermission(f"folder {path} may not be made: choose another") from error
    except OSError as error:
        raise StoreError(f"folder {path} cannot be made ({error.strerror}): choose another") from error
    return path / name


def name_token(result: Result) -> str:
    """What tells light curves of one star apart by how they were made: the method, or the kind of aperture.

    ``aperture`` is the default one, or the pipeline's; ``threshold``, ``mask`` and others say that they were asked for.
    """
    kind = result.settings.aperture_kind
    return kind if result.method == "aperture" and kind not in ("default", "pipeline") else result.method


def file_name(result: Result) -> str:
    """Name of the light curve file, after star, sector, cadence and method.

    Raises
    ------
    InputError
        If the star has no TIC id to name the file after.
    """
    from tessellar.mission.names import build_name

    if result.target.tic is None:
        raise InputError(f"{result.stamp.origin} names no TIC id to name the light curve after: give a file name")
    return build_name(
        "tessellar",
        instrument=str(result.about.get("source", "tpf")),
        tic=int(result.target.tic),
        sector=result.stamp.field.sector,
        cadence=result.stamp.cadence,
        version=f"v{result.cards.get('VERSION', (1,))[0]}",
        product=f"{name_token(result)}-lc",
    )


def header_cards(result: Result) -> dict[str, tuple[str | float | int, str]]:
    """Keyword to value and comment: how the flux was made, how it ended, and every metric that has a value."""
    settings = result.settings
    cards: dict[str, tuple[str | float | int, str]] = {
        "STATUS": (result.status.name, "OK, or WARNING: see REASON"),
        **setting_cards(settings),
    }
    if not result.stamp.background_subtracted:
        cards["BKGSUB"] = ("median", "background: median of pixels outside aperture")
    if settings.aperture_kind == "threshold":
        cards["APSIGMA"] = (settings.sigma, "threshold above median, in 1.4826 MAD")
    if settings.aperture_name:
        cards["APNAME"] = (settings.aperture_name, "the mask that was given")
    cards |= reason_cards(result.reason)
    for name, value in result.metrics.items():
        if math.isfinite(value):
            cards[METRICS[name].keyword] = (value, METRICS[name].comment)
    return {**cards, **result.cards}


def setting_cards(settings: Settings) -> dict[str, tuple[str | float | int, str]]:
    """Cards that are the same for all stars measured with these settings, of pixels without background."""
    return {
        "APKIND": (settings.aperture_kind, "aperture: pipeline, threshold or mask"),
        "MISSPIX": (settings.missing, "flux where mask pixels are missing: nan|partial"),
        "ZEROPNT": (settings.zero_point, "[mag] TESS magnitude of 1 e-/s"),
        "BKGSUB": ("input", "background: as subtracted in the input"),
    }


def aperture_flags(
    mask: NDArray[np.bool_], given: NDArray[Any] | None, position: NDArray[np.bool_] | None = None
) -> NDArray[np.int32]:
    """APERTURE image of a light curve: the input's flags, with bit 2 only where pixels were added up.

    Bit 8 is where positions were measured, `position`; the same pixels if it is None.
    """
    before = np.ones(mask.shape, dtype=np.int32) if given is None else np.asarray(given, dtype=np.int32)
    flags = before & ~int(AperturePixel.PHOTOMETRY | AperturePixel.CENTROID)
    flags = flags | np.where(mask, int(AperturePixel.PHOTOMETRY), 0)
    return (flags | np.where(mask if position is None else position, int(AperturePixel.CENTROID), 0)).astype(np.int32)
