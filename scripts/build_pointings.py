"""Make the tables of sectors and of the CCDs on the sky from what tesswcs measured.

    python scripts/build_pointings.py

needs tesswcs (MIT licence), which solved the WCS of each CCD of each archived
sector from full-frame images, and predicts those of sectors to come from their
announced pointing. The tables are rewritten in src/tessellar/mission/data; run
it again when a newer tesswcs knows more sectors.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import tesswcs
from tesswcs import WCS

DATA = Path(__file__).resolve().parents[1] / "src" / "tessellar" / "mission" / "data"
BTJD_ORIGIN = 2457000.0

# First sector and exposure time of the full-frame images, in seconds: prime mission, first and second extended
# mission (TESS Observatory Guide; the headers of the images, INT_TIME x NUM_FRM, say the same).
FFI_CADENCES = ((1, 1800), (27, 600), (56, 200))


def ffi_cadence(start: float, starts: dict[int, float]) -> int:
    """By date, for a special pointing may have any number."""
    return [cadence for first, cadence in FFI_CADENCES if start >= starts[first]][-1]


def main() -> None:
    """Write the tables."""
    logging.getLogger("tesswcs").setLevel(logging.ERROR)
    source = f"tesswcs {tesswcs.__version__} (MIT licence), https://github.com/tessgi/tesswcs"
    table = tesswcs.pointings
    starts = {int(row["Sector"]): float(row["Start"]) for row in table}
    measured = set(WCS.wcs_dicts)
    with (DATA / "sectors.csv").open("w") as out:
        out.write(f"# Sectors: from pointings.csv of {source}; scheduled dates, to half a day\n")
        out.write("# start, end: JD(UTC) - 2457000, days; ra, dec, roll: spacecraft pointing, degrees (ICRS)\n")
        out.write("# ffi_cadence: seconds; measured: 1 if the WCS of its CCDs is solved, 0 if it is predicted\n")
        out.write("sector,start,end,ra,dec,roll,ffi_cadence,measured\n")
        for row in sorted(table, key=lambda row: int(row["Sector"])):
            sector, start, end = int(row["Sector"]), float(row["Start"]), float(row["End"])
            out.write(
                f"{sector},{start - BTJD_ORIGIN:.6g},{end - BTJD_ORIGIN:.10g},{row['RA']:.4f},{row['Dec']:.4f},"
                f"{row['Roll']:.4f},{ffi_cadence(start, starts)},{int(sector in measured)}\n"
            )
    with (DATA / "ccd_wcs.csv").open("w") as out:
        out.write(f"# WCS of each CCD in each sector (TAN-SIP): from {source}\n")
        out.write("# crval: degrees (ICRS); crpix: 1-based pixels of a full-frame image, of which columns 1 to 44\n")
        out.write("# are virtual; cd: degrees per pixel. The distortion of each camera and CCD is in ccd_sip.json\n")
        out.write("sector,camera,ccd,crval1,crval2,crpix1,crpix2,cd11,cd12,cd21,cd22\n")
        for sector in sorted(starts):
            for camera in range(1, 5):
                for ccd in range(1, 5):
                    wcs = WCS.from_sector(sector, camera, ccd)
                    cd = np.diag(wcs.wcs.cdelt) @ wcs.wcs.get_pc()
                    places = ",".join(f"{value:.9g}" for value in (*wcs.wcs.crval, *wcs.wcs.crpix))
                    out.write(f"{sector},{camera},{ccd},{places},{','.join(f'{value:.9e}' for value in cd.ravel())}\n")
    sip = {
        f"{camera}-{ccd}": {
            name: np.asarray(WCS.sip_dict[name][camera][ccd]).tolist() for name in ("a", "b", "ap", "bp")
        }
        for camera in range(1, 5)
        for ccd in range(1, 5)
    }
    (DATA / "ccd_sip.json").write_text(json.dumps({"source": source, "crpix": [1045, 1001], "ccds": sip}, indent=0))


if __name__ == "__main__":
    main()
