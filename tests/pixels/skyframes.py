"""Frames as SPOC writes them, of arrays: windows at the CCD's first science pixel, with 44 leading virtual columns."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from astropy.io import fits

from tessellar import Field
from tessellar.mission import ccd_wcs
from tessellar.pixels import MissionPRF, StarField, add_stars

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


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """No file can grow beyond so many bytes: as on a disk that is full."""
    resource = importlib.import_module("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


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


class CrowdedSky:
    """Stars, sky, glow and noise on a window of a CCD, with what is true of them.

    Catalogue stars to T = 16, with an exponential luminosity function of scale 1.4 mag; fainter ones to T = 20 that no
    catalogue has; 3 % of each catalogue star's light in wings to 50 px, beyond the response.
    """

    def __init__(
        self,
        response: MissionPRF,
        size: int,
        per_ccd: float,
        seed: int,
        *,
        corner: tuple[int, int] = (300, 300),
        wings: float = 0.03,
        errors: float = 0.05,
    ) -> None:
        self.response, self.size, self.corner = response, size, corner
        self.middle = np.array(corner) + (size - 1) / 2
        self.rng = rng = np.random.default_rng(seed)
        margin = 40
        self._begin = corner[0] - margin, corner[1] - margin
        self._whole = (size + 2 * margin,) * 2
        self.inner = slice(margin, margin + size)
        expected = per_ccd * (self._whole[0] / 2048) ** 2
        tmag = np.sort(np.clip(16 - rng.exponential(1.4, rng.poisson(expected)), 6.5, 16))
        rest = np.exp(4 / 1.4) - 1
        faint = 16 + 1.4 * np.log(1 + rng.random(rng.poisson(expected * rest)) * rest)
        place = [self._begin[axis] - 0.5 + rng.random(len(tmag)) * self._whole[0] for axis in (0, 1)]
        count = len(tmag)
        self.stars = StarField(
            np.arange(count), tmag, np.zeros(count), np.zeros(count), place[0], place[1], np.ones(count, int)
        )
        # Magnitudes of catalogues are off by some per cent.
        self.fluxes = self.stars.flux() * np.exp(rng.normal(0, errors, count))
        self._faint = [self._begin[axis] - 0.5 + rng.random(len(faint)) * self._whole[0] for axis in (0, 1)]
        self._faint_flux = 10 ** (-0.4 * (faint - 20.44))
        self.unresolved = self._faint_flux.sum() / self._whole[0] ** 2
        self.wings = wings * self._spread() if wings else np.zeros((size, size))
        rows, cols = np.mgrid[:size, :size]
        self._x, self._y = cols + corner[0], rows + corner[1]

    def _spread(self) -> np.ndarray:
        from scipy.signal import fftconvolve

        light = np.zeros(self._whole)
        at = [np.clip(np.rint(p - b).astype(int), 0, self._whole[0] - 1)
              for p, b in zip((self.stars.column, self.stars.row), self._begin, strict=True)]  # fmt: skip
        np.add.at(light, (at[1], at[0]), self.fluxes)
        distance = np.hypot(*np.mgrid[-50:51, -50:51])
        kernel = (1 + (distance / 8) ** 2) ** -1.5
        return fftconvolve(light, kernel / kernel.sum(), mode="same")[self.inner, self.inner]

    def smooth(self, scattered: float = 0.0) -> np.ndarray:
        """Sky, scattered light along columns, and the glow of the corner: what is smooth."""
        sky = 110 + 10 * self._x / 2048 - 8 * (self._y / 2048) ** 2 + 5 * np.sin(self._x / 300)
        away = np.hypot(self._x - 2155, self._y - 2095)
        return sky + scattered * self._x / 2048 + 60 * np.clip((away - 2500) / 470, 0, None) ** 3

    def background(self, scattered: float = 0.0) -> np.ndarray:
        """The truth: smooth light, the mean of what is unresolved, and the stars' far wings."""
        return self.smooth(scattered) + self.unresolved + self.wings

    def frame(
        self,
        shift: tuple[float, float] = (0.0, 0.0),
        *,
        turn: np.ndarray | None = None,
        scattered: float = 0.0,
        exposure: float = 1800.0,
    ) -> np.ndarray:
        """One exposure, with photon and read noise; `turn` (2, 2), px/px, moves stars by their way from the middle."""
        light = np.zeros(self._whole)
        for (x, y), flux in (((self.stars.column, self.stars.row), self.fluxes), (self._faint, self._faint_flux)):
            dx, dy = (np.zeros((2, 2)) if turn is None else turn) @ (np.stack([x, y]) - self.middle[:, None])
            add_stars(light, self._begin, x + shift[0] + dx, y + shift[1] + dy, flux, self.response)
        image = light[self.inner, self.inner] + self.smooth(scattered) + self.wings
        variance = image / (exposure * 0.99 * 0.949) + 100 / (exposure * 0.8 / 2 * 4)
        return (image + self.rng.normal(0, 1, image.shape) * np.sqrt(variance)).astype("f4")


@cache
def made_response() -> MissionPRF:
    """The response of `mixture`, from files written and read."""
    with TemporaryDirectory() as folder:
        for row in (1, 1025):
            for column in (45, 1069):
                write_prf(Path(folder), row, column)
        return MissionPRF.open(folder, camera=4, ccd=1)
