"""What a user of lightkurve does, against the archive that astroquery's settings name; run as a script, prints JSON."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import lightkurve as lk  # noqa: E402
from astropy.coordinates import SkyCoord  # noqa: E402


def main(star: str, ra: float, dec: float, folder: Path) -> dict[str, object]:
    said: dict[str, object] = {}
    result = lk.search_lightcurve(f"TIC {star}")
    said["light curves"] = [
        [str(row["mission"]), str(row["author"]), float(row["exptime"]), str(row["productFilename"])]
        for row in result.table
    ]
    spoc = lk.search_lightcurve(f"TIC {star}", author="SPOC", exptime=120)
    curve = spoc[0].download(download_dir=str(folder), quality_bitmask="none")
    said["curve"] = [int(curve.meta["TICID"]), len(curve), str(curve.meta["FILENAME"])]
    near = lk.search_lightcurve(SkyCoord(ra, dec, unit="deg"), radius=30, author="SPOC", exptime=120)
    said["near"] = [float(distance) for distance in near.table["distance"]]
    pixels = lk.search_targetpixelfile(f"TIC {star}", exptime=120)
    said["pixels"] = [str(name) for name in pixels.table["productFilename"]] if len(pixels) else []
    if len(pixels):
        stamp = pixels[0].download(download_dir=str(folder), quality_bitmask="none")
        said["stamp"] = [int(stamp.targetid), *map(int, stamp.flux.shape), str(stamp.path)]
    cuts = lk.search_tesscut(SkyCoord(70.3, -64.8, unit="deg"))
    said["sectors"] = [[str(row["mission"]), str(row["author"])] for row in cuts.table] if len(cuts) else []
    said["nothing"] = len(lk.search_lightcurve("TIC 999999999"))
    return said


if __name__ == "__main__":
    json.dump(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4])), sys.stdout)
