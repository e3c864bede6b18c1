"""Results as FITS light curves."""

from __future__ import annotations

import math
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError, NoPermission, PhotometryError, StoreError
from tessellar.mission import flags
from tessellar.photometry.metrics import METRICS
from tessellar.pixels import AperturePixel
from tessellar.products import InputFile, Provenance, write_light_curve

if TYPE_CHECKING:
    from tessellar.photometry.result import Result

# Characters that fit into the value of one header card, with room for a doubled quote or two.
_CARD_TEXT = 64

_FITS_ENDINGS = (".fits", ".fit", ".fits.gz")

_CHOSEN = AperturePixel.PHOTOMETRY | AperturePixel.CENTROID


def write_result(result: Result, path: Path, digest: str | None) -> Path:
    """Write a result as `Result.write` promises."""
    if not result.status.has_light_curve or result.mask is None:
        raise PhotometryError(f"no light curve of {result.target} is written: {result.reason or result.status.name}")
    if digest is not None and len(result.inputs) != 1:
        raise InputError(f"a digest is of one input file, but the result comes from {len(result.inputs)}")
    target, stamp = result.target, result.stamp
    meta = {
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
    return write_light_curve(
        _destination(result, path),
        result.columns,
        meta=meta,
        aperture=aperture_flags(result.mask, stamp.aperture),
        sumimage=result.mean_image,
        wcs=stamp.wcs,
        provenance=Provenance(
            inputs=(
                *(InputFile.of(each, digest) for each in result.inputs[:1]),
                *(InputFile.of(each) for each in result.inputs[1:]),
            ),
            settings={"method": result.method, **result.settings.as_record()},
        ),
    )


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
        "APKIND": (settings.aperture_kind, "aperture: pipeline, threshold or mask"),
        "MISSPIX": (settings.missing, "flux where mask pixels are missing: nan|partial"),
        "ZEROPNT": (settings.zero_point, "[mag] TESS magnitude of 1 e-/s"),
        "BKGSUB": ("input", "background: as subtracted in the input"),
    }
    if not result.stamp.background_subtracted:
        cards["BKGSUB"] = ("median", "background: median of pixels outside aperture")
    if settings.aperture_kind == "threshold":
        cards["APSIGMA"] = (settings.sigma, "threshold above median, in 1.4826 MAD")
    if settings.aperture_name:
        cards["APNAME"] = (settings.aperture_name, "the mask that was given")
    for number, line in enumerate(wrap(result.reason, _CARD_TEXT), 1):
        cards[f"REASON{number}"] = (line, "")
    for name, value in result.metrics.items():
        if math.isfinite(value):
            cards[METRICS[name].keyword] = (value, METRICS[name].comment)
    return cards


def aperture_flags(mask: NDArray[np.bool_], given: NDArray[Any] | None) -> NDArray[np.int32]:
    """APERTURE image of a light curve: the input's flags, with bits 2 and 8 where pixels were added up, only there."""
    before = np.ones(mask.shape, dtype=np.int32) if given is None else np.asarray(given, dtype=np.int32)
    return np.where(mask, before | int(_CHOSEN), before & ~int(_CHOSEN)).astype(np.int32)
