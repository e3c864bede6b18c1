"""An index as an archive of MAST's size would have it: realistic rows without files, written directly.

Each sector has 20,000 observations of stars that come back in others, as the mission's do: target pixel files and
light curves of two minutes with their validation files, of 20 s, and light curves of TESS-SPOC and QLP; and images of
the 16 CCDs. To each there are five files on average.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROWS_PER_SECTOR = 20_000
_IMAGES, _FAST, _HLSP = 160, 800, 4000  # of the observations of a sector; the rest is SPOC's two minutes

_SPOC = (("lc.fits", "Light curves", "LC", True), ("tp.fits", "Target pixel files", "TP", True))
_DV = (
    ("dvt.fits", "Data validation time series", "DVT", "SCIENCE"),
    ("dvr.xml", "full data validation report", "DVR", "INFO"),
    ("dvr.pdf", "full data validation report", "DVR", "INFO"),
    ("dvm.pdf", "Data validation mini report", "DVM", "INFO"),
)


def write_index(path: Path, sectors: int, seed: int = 1) -> None:
    """Write the index of so many sectors to `path`; it appears there when it is whole."""
    from tessellar.server.database import Database
    from tessellar.server.filling import insert_observations, insert_products, insert_stars

    part = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    for tail in ("", "-wal", "-shm"):
        part.with_name(part.name + tail).unlink(missing_ok=True)
    random = np.random.default_rng(seed)
    stars = _stars(random, max(5 * ROWS_PER_SECTOR, sectors * ROWS_PER_SECTOR // 4))
    database = Database(str(part))
    with database.writing() as cursor:
        for start in range(0, len(stars), 10_000):
            insert_stars(cursor, stars[start : start + 10_000])
    row = 1
    for sector in range(1, sectors + 1):
        observations, products = _sector(random, sector, stars)
        with database.writing() as cursor:
            insert_observations(cursor, observations, row)
            insert_products(cursor, ((row + number, product) for number, product in products))
        row += len(observations)
    database.settle()
    database.close()
    part.rename(path)


def pick_targets(path: Path, number: int, seed: int = 2) -> list[tuple[str, float, float]]:
    """Name, right ascension and declination of some of the stars that were observed."""
    import sqlite3

    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        (last,) = connection.execute("SELECT max(row) FROM observations").fetchone()
        rows = [int(row) for row in np.random.default_rng(seed).integers(1, last, 2 * number)]
        found = [
            connection.execute("SELECT target_name, s_ra, s_dec FROM observations WHERE row = ?", (row,)).fetchone()
            for row in rows
        ]
    connection.close()
    return [place for place in found if place[0] != "TESS FFI"][:number]


def _stars(random: np.random.Generator, number: int) -> list[dict[str, Any]]:
    """Stars over the whole sky, half of them in the continuous viewing zones around the ecliptic poles."""
    polar = random.random(number) < 0.5
    z = np.where(
        polar, np.sign(random.random(number) - 0.5) * (1 - 0.025 * random.random(number)), random.uniform(-1, 1, number)
    )
    longitude = 2 * np.pi * random.random(number)
    x, y = np.sqrt(1 - z**2) * np.cos(longitude), np.sqrt(1 - z**2) * np.sin(longitude)
    tilt = np.radians(23.4393)
    y, z = y * np.cos(tilt) - z * np.sin(tilt), y * np.sin(tilt) + z * np.cos(tilt)
    ra, dec = np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arcsin(z))
    tics = np.sort(random.choice(2_000_000_000, number, replace=False)) + 1
    tmag = 16 - 8 * random.random(number) ** 2
    return [
        {"ID": int(tics[i]), "ra": round(float(ra[i]), 8), "dec": round(float(dec[i]), 8),
         "Tmag": round(float(tmag[i]), 4), "objType": "STAR", "version": "20190415", "rank": 0, "best": 1}
        for i in range(number)
    ]  # fmt: skip


def _sector(
    random: np.random.Generator, sector: int, stars: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[tuple[int, dict[str, Any]]]]:
    """The observations of a sector, and its files with the rank of their observation."""
    observations: list[dict[str, Any]] = []
    products: list[tuple[int, dict[str, Any]]] = []
    kinds = ["image"] * _IMAGES + ["fast"] * _FAST + ["hlsp"] * _HLSP
    kinds += ["spoc"] * (ROWS_PER_SECTOR - len(kinds))
    chosen = random.choice(len(stars), ROWS_PER_SECTOR, replace=False)
    # Files of one kind do not lie together in a folder of targets.
    for number, (kind, star) in enumerate(zip(random.permutation(kinds), chosen, strict=True)):
        observation, files = _MAKERS[str(kind)](sector, number, stars[int(star)])
        observation["obsid"] = 100_000_000_000 + sector * 1_000_003 + 17 * number
        observation["objID"] = observation["obsid"] + 1
        observations.append(observation)
        products += [(number, {**product, "place": place}) for place, product in enumerate(files)]
    return observations, products


def _stamp(sector: int) -> str:
    return f"tess20{18 + sector // 14:02d}{(27 * sector) % 365 + 1:03d}045859"


def _target(sector: int, star: dict[str, Any], obs_id: str, data: str, exposure: float, author: str) -> dict[str, Any]:
    from tessellar.server.regions import circle

    mission = author == "SPOC"
    begin = 58324.79 + 27.4 * (sector - 1)
    return {
        "dataproduct_type": "timeseries", "calib_level": 3 if mission else 4,
        "obs_collection": "TESS" if mission else "HLSP", "obs_id": obs_id, "target_name": str(star["ID"]),
        "s_ra": star["ra"], "s_dec": star["dec"], "t_min": begin, "t_max": begin + 27.3871, "t_exptime": exposure,
        "wavelength_region": "Optical", "filters": "TESS", "em_min": 600.0, "em_max": 1000.0,
        "t_obs_release": begin + 61.2, "instrument_name": "Photometer",
        "proposal_pi": "Ricker, George" if mission else None, "proposal_id": "N/A", "project": "TESS",
        "sequence_number": sector, "provenance_name": author, "s_region": circle(star["ra"], star["dec"]),
        "dataURL": data, "dataRights": "PUBLIC", "mtFlag": 0, "intentType": "science", "camera": 1 + star["ID"] % 4,
        "ccd": 1 + star["ID"] % 3,
    }  # fmt: skip


def _product(uri: str, what: tuple[Any, ...], size: int, author: str) -> dict[str, Any]:
    mission = author == "SPOC"
    _, description, group, rest = what
    return {
        "obs_collection": "TESS" if mission else "HLSP", "description": description, "type": "S", "dataURI": uri,
        "productType": rest if isinstance(rest, str) else "SCIENCE", "project": author, "size": size,
        "productGroupDescription": "Minimum Recommended Products" if rest is True else None,
        "productSubGroupDescription": group, "prvversion": "spoc-5.0.20-20201120" if mission else None,
    }  # fmt: skip


def _spoc(sector: int, number: int, star: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    obs_id = f"{_stamp(sector)}-s{sector:04d}-{star['ID']:016d}-{119 + sector:04d}-s"
    uri = f"mast:TESS/product/{obs_id}_"
    run = f"mast:TESS/product/{_stamp(sector)[:11]}190142-s{sector:04d}-s{sector:04d}-{star['ID']:016d}-00106_"
    files = [_product(uri + what[0], what, 1_964_160 + 40_000_000 * (what[2] == "TP"), "SPOC") for what in _SPOC]
    files += [_product(run + what[0], what, 3_000_000 + number, "SPOC") for what in _DV]
    return _target(sector, star, obs_id, f"{uri}lc.fits", 120.0, "SPOC"), files


def _fast(sector: int, number: int, star: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    obs_id = f"{_stamp(sector)}-s{sector:04d}-{star['ID']:016d}-{119 + sector:04d}-a_fast"
    uri = f"mast:TESS/product/{obs_id}-"
    files = [
        _product(uri + what[0], (what[0], what[1], f"FAST-{what[2]}", True), 12_000_000 + number, "SPOC")
        for what in _SPOC
    ]
    return _target(sector, star, obs_id, f"{uri}lc.fits", 20.0, "SPOC"), files


def _hlsp(sector: int, number: int, star: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    tic = f"{star['ID']:016d}"
    path = "/".join(tic[i : i + 4] for i in range(0, 16, 4))
    exposure = 1800.0 if sector < 27 else 600.0 if sector < 56 else 200.0
    if number % 2:
        obs_id = f"hlsp_qlp_tess_ffi_s{sector:04d}-{tic}_tess_v01_llc"
        uri = f"mast:HLSP/qlp/s{sector:04d}/{path}/{obs_id}.fits"
        return _target(sector, star, obs_id, uri, exposure, "QLP"), [
            _product(uri, ("", "FITS", "", True), 80_640, "QLP"),
            _product(uri.replace(".fits", ".txt"), ("", "text", "", None), 40_000, "QLP"),
        ]
    stem = f"hlsp_tess-spoc_tess_phot_{tic}-s{sector:04d}_tess_v1"
    uri = f"mast:HLSP/tess-spoc/s{sector:04d}/target/{path}/{stem}_"
    return _target(sector, star, f"{stem}_tp", f"{uri}lc.fits", exposure, "TESS-SPOC"), [
        _product(f"{uri}{kind}.fits", ("", "FITS", "", True), 300_000, "TESS-SPOC") for kind in ("lc", "tp")
    ]


def _image(sector: int, number: int, star: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from tessellar.mission import footprint
    from tessellar.targets import Field

    camera, ccd = 1 + number % 4, 1 + number // 4 % 4
    obs_id = f"tess2018{206 + number // 1000:03d}{number % 1000:03d}942-s{sector:04d}-{camera}-{ccd}-0120-s"
    uri = f"mast:TESS/product/{obs_id}_ffic.fits"
    row = _target(sector, star, obs_id, uri, 1425.6, "SPOC")
    ra, dec = footprint(Field(sector, camera, ccd))
    region = "POLYGON " + " ".join(f"{a:.6f} {d:.6f}" for a, d in zip([*ra, ra[0]], [*dec, dec[0]], strict=True))
    row |= {
        "dataproduct_type": "image", "target_name": "TESS FFI", "s_region": region, "s_ra": float(ra[0]),
        "s_dec": float(dec[0]), "camera": camera, "ccd": ccd,
    }  # fmt: skip
    return row, [_product(uri, ("", "FFIC", "FFIC", True), 35_553_600, "SPOC")]


_MAKERS = {"spoc": _spoc, "fast": _fast, "hlsp": _hlsp, "image": _image}


def write_catalogue(path: Path, number: int, seed: int = 3) -> None:
    """Write an extract of the TESS Input Catalog with so many stars."""
    stars = _stars(np.random.default_rng(seed), number)
    with path.open("w") as stream:
        stream.write("ID,ra,dec,Tmag,objType,pmRA,pmDEC,Teff,rad,mass,contratio,disposition\n")
        for star in stars:
            told = f"{star['ID']},{star['ra']},{star['dec']},{star['Tmag']},STAR"
            stream.write(f"{told},{star['ra'] / 10:.3f},{star['dec'] / 10:.3f},5777.0,1.0,1.0,0.01,\n")


def write_files(folder: Path, number: int) -> Iterator[Path]:
    """Write so many FITS files, light curves and target pixel files of several sectors, half each."""
    from tessellar.simulate import simulate

    with tempfile.TemporaryDirectory() as name:
        simulate(Path(name), seed=1, sectors=(1,), n_cadences=50, extras=False)
        contents = [next(Path(name).rglob(f"*-s_{kind}.fits")).read_bytes() for kind in ("lc", "tp")]
    for i in range(number):
        sector, kind = 1 + i // 2 % 13, ("lc", "tp")[i % 2]
        file = folder / f"s{sector:04d}" / f"{_stamp(sector)}-s{sector:04d}-{i // 2 + 1:016d}-0120-s_{kind}.fits"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(contents[i % 2])
        yield file
