"""Frames as SPOC writes them, of arrays: windows at the CCD's first science pixel, with 44 leading virtual columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from tessellar import Field
from tessellar.mission import ccd_wcs

FIELD = Field(1, 4, 1)
CORNER = (45, 1)


def write_frame(
    folder: Path,
    science: np.ndarray,
    number: int = 0,
    *,
    field: Field = FIELD,
    exposure: float = 1800.0,
    start: float = 1325.3,
    shift: tuple[float, float] = (0.0, 0.0),
    quality: int = 0,
    ffiindex: int | None = 4697,
    name: str | None = None,
    errors: np.ndarray | None = None,
    **cards: Any,
) -> Path:
    """Write frame `number` of a series; `shift` moves its sky on the pixels, `cards` replace those of the image."""
    rows, cols = science.shape
    whole = (rows, cols) == (2048, 2048)
    shape = (2078, 2136) if whole else (rows, cols + 44)
    planes = []
    for pixels in (science, np.ones_like(science) if errors is None else errors):
        plane = np.zeros(shape, dtype=">f4")
        plane[:rows, 44 : 44 + cols] = pixels
        planes.append(plane)
    begin = start + number * exposure / 86400
    barycorr = 5.0e-3
    primary = fits.Header()
    primary["TELESCOP"], primary["INSTRUME"], primary["ORIGIN"] = "TESS", "TESS Photometer", "tests"
    primary["SIMDATA"], primary["DATA_REL"], primary["NEXTEND"] = True, 1, 2
    primary["CRMITEN"], primary["CRBLKSZ"] = True, 10
    header = ccd_wcs(field).to_header(relax=True)
    for axis in (0, 1):
        header[f"CRPIX{axis + 1}"] += shift[axis]
        header[f"CRPIX{axis + 1}P"], header[f"CRVAL{axis + 1}P"], header[f"CDELT{axis + 1}P"] = 1, 1, 1.0
    for key in ("PC1_1", "PC1_2", "PC2_1", "PC2_2"):
        header[key.replace("PC", "CD")] = header.pop(key, 1.0 if key[2] == key[4] else 0.0)
    for key in ("CDELT1", "CDELT2", "MJDREF"):
        header.pop(key, None)
    header["CAMERA"], header["CCD"] = field.camera, field.ccd
    header["TSTART"], header["TSTOP"] = begin + barycorr, begin + barycorr + exposure / 86400
    header["EXPOSURE"] = exposure / 86400 * 0.792
    header["INT_TIME"], header["NUM_FRM"] = 1.98, round(exposure / 2)
    header["BARYCORR"], header["DQUALITY"], header["BUNIT"] = barycorr, quality, "electrons/s"
    if ffiindex is not None:
        header["FFIINDEX"] = ffiindex + number
    for key, value in cards.items():
        header.pop(key, None)
        if value is not None:
            header[key] = value
    where = f"{field.camera}.{field.ccd}"
    hdus = fits.HDUList(
        [
            fits.PrimaryHDU(header=primary),
            fits.ImageHDU(planes[0], header, name=f"CAMERA.CCD {where} cal"),
            fits.ImageHDU(planes[1], header, name=f"CAMERA.CCD {where} uncert"),
        ]
    )
    stamp = 2018206192942 + number * 3000
    name = name or f"tess{stamp}-s{field.sector:04d}-{field.camera}-{field.ccd}-0120-s_ffic.fits"
    folder.mkdir(parents=True, exist_ok=True)
    hdus.writeto(folder / name, overwrite=True)
    return folder / name


def write_series(folder: Path, images: np.ndarray, **settings: Any) -> list[Path]:
    """Write a cube (n, rows, cols) as a series of frames."""
    return [write_frame(folder, image, number, **settings) for number, image in enumerate(images)]


# Weight, widths along columns and rows, shifts (px at 1000 px from the axis) of the Gaussians of `mixture`.
_PARTS = ((0.55, 0.50, 0.56, 0.0), (0.31, 0.85, 0.95, 0.05), (0.14, 1.45, 1.55, -0.1))


def mixture(column: float, row: float, reach: int, phase: tuple[float, float] | None = None) -> np.ndarray:
    """Pixel-integrated response at a place of the CCD: Gaussians in closed form, that shift over the field."""
    box = np.zeros((2 * reach + 1, 2 * reach + 1))
    near = (np.floor(column + 0.5), np.floor(row + 0.5))
    x, y = phase if phase is not None else (column - near[0], row - near[1])
    for weight, wide, high, shift in _PARTS:
        across = _shares(x + shift * column / 1000, wide, reach)
        along = _shares(y + shift * row / 1000, high, reach)
        box += weight * along[:, None] * across[None, :]
    return box


def _shares(centre: float, width: float, reach: int) -> np.ndarray:
    from scipy.special import erf

    edges = np.arange(-reach, reach + 2) - 0.5
    return np.diff(erf((edges - centre) / (width * np.sqrt(2))) / 2)


def write_prf(
    folder: Path, row: int, column: int, *, camera: int = 4, ccd: int = 1, issued: str = "2018243163600"
) -> Path:
    """Write a response as the mission does: 117 x 117 samples, 9 a pixel, of `mixture`."""
    samples = np.zeros((117, 117))
    for j in range(9):
        for i in range(9):
            # Sample 58 is on the star; pixel k of this phase lies (9 k + i - 58) / 9 px from it.
            phase = (58 - i) / 9 - 6, (58 - j) / 9 - 6
            samples[j::9, i::9] = mixture(column, row, 6, phase)
    header = fits.Header({"DATATYPE": "PRF", "TELESCOP": "TESS", "CAM": float(camera), "CCD": float(ccd)})
    header["CCD_RREF"], header["CCD_CREF"], header["NSAMP"] = float(row), float(column), 9.0
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"tess{issued}-prf-{camera}-{ccd}-row{row:04d}-col{column:04d}.fits"
    fits.HDUList([fits.PrimaryHDU(samples, header), fits.ImageHDU(samples * 0)]).writeto(path)
    return path
