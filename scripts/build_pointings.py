"""Make the tables of sectors and of the CCDs on the sky from what tesswcs measured.

    python scripts/build_pointings.py

needs tesswcs (MIT licence), which solved the WCS of each CCD of each archived
sector from full-frame images, and predicts those of sectors to come from their
announced pointing. The tables are rewritten in src/tessellar/mission/data; run
it again when a newer tesswcs knows more sectors.

In our tables every CCD has one reference pixel, which is also the origin of its
distortion polynomials, as SIP asks of a FITS header. It is the reference pixel
of the images of sectors 1 to 91. From sector 92 on the images have another one,
(1069, 1025): used with polynomials about the first, as tesswcs does, it puts
stars 0.8 pixel (median) to 3.4 pixels (corners) from where the images' own
headers have them. Those WCS, and those that are predicted, are therefore fitted
anew: position of the reference pixel and CD matrix such that, with the same
polynomials, pixels fall where the headers (or the prediction) have them.
"""

from __future__ import annotations

import bz2
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import tesswcs
from astropy.wcs import WCS, Sip
from numpy.typing import NDArray
from scipy.optimize import least_squares

from tessellar.mission.tangent import Plane

DATA = Path(__file__).resolve().parents[1] / "src" / "tessellar" / "mission" / "data"
BTJD_ORIGIN = 2457000.0
REFERENCE_PIXEL = (1045.0, 1001.0)
COLUMNS, ROWS = (axis.ravel() for axis in np.meshgrid(np.linspace(45, 2092, 13), np.linspace(1, 2048, 13)))

# First sector, exposure time of the full-frame images, and those of targets, in seconds: prime mission, first and
# second extended mission (TESS Observatory Guide; in the headers of the files, INT_TIME x NUM_FRM says the same).
CADENCES = ((1, 1800, (120,)), (27, 600, (20, 120)), (56, 200, (20, 120)))


def cadences(start: float, starts: dict[int, float]) -> tuple[int, tuple[int, ...]]:
    """By date, for a special pointing may have any number."""
    return [(ffi, targets) for first, ffi, targets in CADENCES if start >= starts[first]][-1]


def header_wcs(solved: dict[str, Any]) -> WCS:
    """Return the WCS as the header of an image has it, with the distortion of that very sector."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cd = solved["crval0"], solved["crpix0"], np.array(solved["cd"])
    wcs.sip = Sip(*(np.array(solved[f"sip_{name}"]) for name in ("a", "b", "ap", "bp")), solved["crpix0"])
    wcs.wcs.set()
    return wcs


def refit(wcs: WCS, a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[Plane, NDArray[np.float64]]:
    """Fit the position of our reference pixel and the CD matrix to a WCS; also return what is left over, in pixels."""
    ra, dec = wcs.all_pix2world(COLUMNS, ROWS, 1)
    ra0, dec0 = (float(value) for value in wcs.all_pix2world(*REFERENCE_PIXEL, 1))
    cd = wcs.pixel_scale_matrix

    def plane(step: NDArray[np.float64]) -> Plane:
        crval = (ra0 + step[0] * 1e-3 / np.cos(np.radians(dec0)), dec0 + step[1] * 1e-3)
        return Plane(crval, REFERENCE_PIXEL, cd + step[2:].reshape(2, 2) * 1e-6, REFERENCE_PIXEL, a, b)

    def left_over(step: NDArray[np.float64]) -> NDArray[np.float64]:
        column, row = plane(step).to_pixel(ra, dec)
        return np.concatenate([column - COLUMNS, row - ROWS])

    # Robust: some solutions went astray at the corners, where they had no stars.
    best = least_squares(left_over, np.zeros(6), loss="soft_l1", f_scale=0.1)
    return plane(best.x), np.hypot(*left_over(best.x).reshape(2, -1))


def write_sectors(source: str, measured: set[int]) -> list[int]:
    """Write the table of sectors; return their numbers."""
    table = sorted(tesswcs.pointings, key=lambda row: int(row["Sector"]))
    starts = {int(row["Sector"]): float(row["Start"]) for row in table}
    with (DATA / "sectors.csv").open("w") as out:
        out.write(f"# Sectors: from pointings.csv of {source}; scheduled dates, to half a day\n")
        out.write("# start, end: JD(UTC) - 2457000, days; ra, dec, roll: spacecraft pointing, degrees (ICRS)\n")
        out.write("# ffi_cadence, target_cadences: seconds, TESS Observatory Guide\n")
        out.write("# measured: 1 if the WCS of its CCDs is solved, 0 if it is predicted\n")
        out.write("sector,start,end,ra,dec,roll,ffi_cadence,target_cadences,measured\n")
        for row in table:
            sector, start, end = int(row["Sector"]), float(row["Start"]), float(row["End"])
            ffi, targets = cadences(start, starts)
            out.write(
                f"{sector},{start - BTJD_ORIGIN:.6g},{end - BTJD_ORIGIN:.10g},{row['RA']:.4f},{row['Dec']:.4f},"
                f"{row['Roll']:.4f},{ffi},{' '.join(str(each) for each in targets)},{int(sector in measured)}\n"
            )
    return list(starts)


def write_wcs(source: str, sectors: list[int], solved: dict[str, Any], sip: dict[str, Any]) -> None:
    """Write the WCS of every CCD, and tell how well those fit that were fitted anew."""
    fits: dict[str, list[NDArray[np.float64]]] = {"measured": [], "predicted": []}
    with (DATA / "ccd_wcs.csv").open("w") as out:
        out.write(f"# WCS of each CCD in each sector (TAN-SIP): from {source}\n")
        out.write(
            "# Sectors whose images have another reference pixel, and predicted ones, are fitted anew to have it\n"
        )
        out.write(
            "# crval: degrees (ICRS) of the reference pixel, which ccd_sip.json has with the distortion of each\n"
        )
        out.write("# camera and CCD; cd: degrees per pixel\n")
        out.write("sector,camera,ccd,crval1,crval2,cd11,cd12,cd21,cd22\n")
        for sector in sectors:
            for camera, ccd in np.ndindex(4, 4):
                place = f"{camera + 1}-{ccd + 1}"
                own = solved.get(str(sector), {}).get(str(camera + 1), {}).get(str(ccd + 1))
                if own and tuple(own["crpix0"]) == REFERENCE_PIXEL:
                    crval, cd = own["crval0"], np.array(own["cd"])
                else:
                    wcs = header_wcs(own) if own else tesswcs.WCS.from_sector(sector, camera + 1, ccd + 1)
                    plane, left_over = refit(wcs, np.array(sip[place]["a"]), np.array(sip[place]["b"]))
                    fits["measured" if own else "predicted"].append(left_over)
                    crval, cd = plane.crval, plane.cd
                values = [f"{value % 360:.8f}" if i == 0 else f"{value:.8f}" for i, value in enumerate(crval)]
                values += [f"{value:.9e}" for value in cd.ravel()]
                out.write(f"{sector},{place.replace('-', ',')},{','.join(values)}\n")
    for kind, left in fits.items():
        print(
            f"{kind}: {len(left)} fitted anew, off by {np.median(left):.3f} pixel (median), {np.max(left):.2f} at most"
        )


def main() -> None:
    """Write the tables."""
    logging.getLogger("tesswcs").setLevel(logging.ERROR)
    source = f"tesswcs {tesswcs.__version__} (MIT licence), https://github.com/tessgi/tesswcs"
    with bz2.open(Path(tesswcs.PACKAGEDIR) / "data" / "TESS_wcs_data.json.bz2", "rt", encoding="utf-8") as data:
        solved = json.load(data)
    theirs = tesswcs.WCS.sip_dict
    sip = {
        f"{camera}-{ccd}": {name: np.asarray(theirs[name][camera][ccd]).tolist() for name in ("a", "b", "ap", "bp")}
        for camera in range(1, 5)
        for ccd in range(1, 5)
    }
    text = json.dumps({"source": source, "crpix": REFERENCE_PIXEL, "ccds": sip}, indent=0)
    (DATA / "ccd_sip.json").write_text(text)
    sectors = write_sectors(source, {int(sector) for sector in solved})
    write_wcs(source, sectors, solved, sip)


if __name__ == "__main__":
    main()
