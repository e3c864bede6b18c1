"""Small skies of three known stars: frames of every cadence, target pixel files, and cut-outs, made once."""

from __future__ import annotations

import atexit
import io
import shutil
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import httpx
import numpy as np
from astropy.io import fits

from tessellar import Field
from tessellar.mission import ccd
from tessellar.photometry import Scene, open_scene
from tessellar.pixels import prepare
from tessellar.pixels.inputs import find_catalog, find_response, read_catalog
from tessellar.server import ServerThread
from tessellar.simulate import simulate_frames

FIELDS = {200: Field(56, 1, 1), 600: Field(27, 1, 1), 1800: Field(1, 1, 1)}
WINDOW = ((600, 699), (700, 809))
PLAIN, BRIGHT, FAINT = 9_800_000_001, 9_800_000_002, 9_800_000_003
# Column, row and magnitude of three stars, and of a hundred about them.
PLACES = {PLAIN: (630.3, 730.6, 10.0), BRIGHT: (672.4, 770.2, 5.5), FAINT: (622.8, 780.3, 15.8)}


def catalogue(field: Field) -> dict[str, np.ndarray]:
    """The three stars, and others at least 8 px from them."""
    rng = np.random.default_rng(8)
    (left, right), (bottom, top) = WINDOW
    column, row = rng.uniform(left, right, 300), rng.uniform(bottom, top, 300)
    far = np.min([np.hypot(column - x, row - y) for x, y, _ in PLACES.values()], axis=0) > 8
    column, row = column[far][:100], row[far][:100]
    listed = np.array([[*place] for place in PLACES.values()])
    column, row = np.append(listed[:, 0], column), np.append(listed[:, 1], row)
    tmag = np.append(listed[:, 2], rng.uniform(9.5, 15.5, len(column) - len(listed)))
    ra, dec = ccd.ccd_plane(field).to_sky(column, row)
    return {"ID": PLAIN + np.arange(len(column)), "ra": ra, "dec": dec, "Tmag": tmag}


@cache
def sky(cadence: int) -> Path:
    """A folder with frames of a cadence, prepared; those of 200 s with target pixel files."""
    folder, field = Path(tempfile.mkdtemp(prefix="sources-")), FIELDS[cadence]
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    targets = [PLAIN, BRIGHT] if cadence == 200 else []
    truth = simulate_frames(folder, field, window=WINDOW, cadence=cadence, n_frames=90, seed=3,
                            catalog=catalogue(field), targets=targets)  # fmt: skip
    name = folder / f"{field}-c{cadence:04d}.h5"
    prepare(truth.paths, read_catalog(find_catalog(folder)), find_response(folder, field), out=name, field=field)
    for path in sorted(folder.glob("*_tp.fits")):
        write_fast(path)
    return folder


def write_fast(path: Path) -> None:
    """The 20-s twin of a 2-min target pixel file: the same light, six times the variance, no mitigation."""
    rng = np.random.default_rng(1)
    name = path.name.replace("-s_tp.fits", "-a_fast-tp.fits")
    with fits.open(path) as hdus:
        old, header = hdus[1].data, hdus[1].header.copy()
        rows = np.repeat(np.arange(len(old)), 6)
        new = fits.FITS_rec.from_columns(hdus[1].columns, nrows=len(rows))
        for column in old.names:
            new[column][:] = old[column][rows]
        part = (np.arange(len(rows)) % 6 - 2.5) * 20 / 86400
        new["TIME"] += part
        new["CADENCENO"] = 6 * old["CADENCENO"][rows] + np.arange(len(rows)) % 6
        new["FLUX"] += rng.normal(0, 1, new["FLUX"].shape) * np.sqrt(5) * old["FLUX_ERR"][rows]
        new["FLUX_ERR"] *= np.sqrt(6)
        header["TIMEDEL"], header["NUM_FRM"], header["EXPOSURE"] = 20 / 86400, 10, header.get("EXPOSURE", 1.0)
        hdus[1] = fits.BinTableHDU(new, header, name="PIXELS")
        hdus.writeto(path.with_name(name))


@cache
def cut_outs(cadence: int) -> Path:
    """The folder of a sky, with cut-outs of two stars as TESScut makes them."""
    folder = sky(cadence)
    stars = catalogue(FIELDS[cadence])
    with ServerThread(folder) as archive:
        for tic, size in ((PLAIN, 15), (BRIGHT, 31)):
            index = tic - PLAIN
            asked = {"ra": stars["ra"][index], "dec": stars["dec"][index], "x": size, "y": size, "units": "px"}
            reply = httpx.get(f"{archive.url}/tesscut/api/v0.1/astrocut", params=asked, timeout=60)
            with zipfile.ZipFile(io.BytesIO(reply.content)) as packed:
                packed.extractall(folder)
    return folder


@cache
def scene(source: str, tic: int) -> Scene:
    kind, cadence = source.split("-")
    field = FIELDS.get(int(cadence), FIELDS[200])
    where = {"sector": field.sector, "camera": field.camera, "ccd": field.ccd, "cadence": float(cadence)}
    if kind == "ffi":
        return open_scene(sky(int(cadence)), "ffi", tic, **where)
    return open_scene(sky(200) if kind == "tpf" else cut_outs(int(cadence)), "tpf", tic, **where)
