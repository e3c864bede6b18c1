"""What a user of astroquery's Catalogs and Tesscut asks, of the archive of its settings; a script that prints JSON."""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")

from astropy.coordinates import SkyCoord  # noqa: E402
from astropy.table import Table  # noqa: E402
from astroquery.exceptions import InvalidQueryError, ResolverError  # noqa: E402
from astroquery.mast import Catalogs, Tesscut  # noqa: E402


def main(star: str, ra: float, dec: float) -> dict[str, object]:
    place = SkyCoord(ra, dec, unit="deg")
    return {**stars(star, place), **sectors(star, place)}


def ids(table: Table) -> list[str]:
    return [str(tic) for tic in table["ID"]]


def stars(star: str, place: SkyCoord) -> dict[str, object]:
    said: dict[str, object] = {}
    around = Catalogs.query_region(place, radius=0.1, catalog="TIC")
    said["region"], said["distances"] = ids(around), [float(value) for value in around["dstArcSec"]]
    said["kinds"] = {name: around[name].dtype.kind for name in ("ID", "ra", "Tmag", "numcont", "GAIA", "disposition")}
    said["unknown"] = int(np.isnan(np.ma.filled(around["Teff"], np.nan)).sum())
    said["object"] = ids(Catalogs.query_object(f"TIC {star}", radius=0.1, catalog="Tic"))
    said["paged"] = ids(Catalogs.query_object(f"TIC {star}", radius=0.1, catalog="TIC", pagesize=7))
    said["second page"] = ids(Catalogs.query_region(place, radius=0.1, catalog="TIC", pagesize=7, page=2))
    said["name"] = ids(Catalogs.query_object("TOI 175", radius=0.001, catalog="TIC"))
    said["by id"] = [float(tmag) for tmag in Catalogs.query_criteria(catalog="TIC", ID=star)["Tmag"]]
    said["by ids"] = ids(Catalogs.query_criteria(catalog="Tic", ID=["1001", "1002", star]))
    bright = Catalogs.query_criteria(catalog="TIC", Tmag=[8, 12], objType="STAR")
    said["bright"] = sorted(ids(bright))
    near = Catalogs.query_criteria(catalog="TIC", coordinates=place, radius=0.1, Tmag=[8, 12])
    said["bright and near"] = ids(near)
    said["duplicates"] = sorted(ids(Catalogs.query_criteria(catalog="TIC", disposition="DUPL*")))
    said["candidates"] = len(Catalogs.query_criteria(catalog="Ctl", objectname=f"TIC {star}", radius=1, objType="STAR"))
    try:
        Catalogs.query_criteria(catalog="TIC", colour="red")
    except InvalidQueryError as error:
        said["refused"] = str(error)
    return said


def sectors(star: str, place: SkyCoord) -> dict[str, object]:
    said: dict[str, object] = {}
    found = Tesscut.get_sectors(coordinates=place)
    said["sectors"] = [
        [str(row["sectorName"]), *(int(row[name]) for name in ("sector", "camera", "ccd"))] for row in found
    ]
    said["sectors of an object"] = [str(name) for name in Tesscut.get_sectors(objectname=f"TIC {star}")["sectorName"]]
    said["sectors of a circle"] = len(Tesscut.get_sectors(coordinates=place, radius="5 deg"))
    said["sectors elsewhere"] = len(Tesscut.get_sectors(coordinates="10 40"))
    try:
        Tesscut.get_sectors(objectname="Eleonora", moving_target=True)
    except OSError as error:  # requests' own errors are such
        said["moving"] = str(error)
    try:
        Tesscut.get_sectors(objectname="no such star")
    except ResolverError as error:
        said["nobody"] = str(error)
    return said


if __name__ == "__main__":
    json.dump(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])), sys.stdout)
