"""What a user of astroquery's Tesscut does, against the archive of its settings; run as a script, prints JSON."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np

warnings.simplefilter("ignore")

from astropy import units as u  # noqa: E402
from astropy.coordinates import SkyCoord  # noqa: E402
from astropy.io import fits  # noqa: E402
from astroquery.mast import Tesscut  # noqa: E402


def main(ra: float, dec: float, folder: Path) -> dict[str, object]:
    said: dict[str, object] = {}
    place = SkyCoord(ra, dec, unit="deg")
    said["sectors"] = [[str(row["sectorName"]), int(row["sector"])] for row in Tesscut.get_sectors(coordinates=place)]
    cut = Tesscut.get_cutouts(coordinates=place, size=5)
    said["names"] = [hdus.filename for hdus in cut]
    said["shape"] = list(cut[0][1].data["FLUX"].shape)
    paths = Tesscut.download_cutouts(coordinates=place, size=(9, 7), sector=1, path=str(folder))
    said["paths"] = [str(path) for path in paths["Local Path"]]
    with fits.open(said["paths"][0]) as hdus:
        said["rows, columns"] = list(hdus[1].data["FLUX"].shape[1:])
    degrees = Tesscut.get_cutouts(coordinates=place, size=[4, 6] * u.arcmin)
    said["in arcmin"] = list(degrees[0][1].data["FLUX"].shape[1:])
    edge = Tesscut.get_cutouts(coordinates=place, size=90)
    said["beyond"] = int(np.isnan(edge[0][1].data["FLUX"][0]).sum())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        said["nothing"] = len(Tesscut.get_cutouts(coordinates=SkyCoord(10, 40, unit="deg")))
        said["nothing there"] = len(Tesscut.download_cutouts(coordinates="10 40", path=str(folder)))
        said["no sector"] = len(Tesscut.get_cutouts(coordinates=place, sector=2))
    said["warnings"] = [str(each.message) for each in told]
    return said


if __name__ == "__main__":
    print(json.dumps(main(float(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))))
