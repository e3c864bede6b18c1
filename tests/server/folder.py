"""A small folder of files as the mission writes them, made for the tests of the server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

STAR, SECOND, FAINT = 25155310, 117544915, 1234567890
RA, DEC = 63.37389, -69.226789

LC1 = f"tess2018206045859-s0001-{STAR:016d}-0120-s_lc.fits"
TP1 = f"tess2018206045859-s0001-{STAR:016d}-0120-s_tp.fits"
FAST1 = f"tess2018206045859-s0001-{STAR:016d}-0120-a_fast-lc.fits"
LC2 = f"tess2018234235059-s0002-{STAR:016d}-0121-s_lc.fits"
OTHER = f"tess2018206045859-s0001-{SECOND:016d}-0120-s_lc.fits"
QLP1 = f"hlsp_qlp_tess_ffi_s0001-{STAR:016d}_tess_v01_llc.fits"
DVR = f"tess2018206190142-s0001-s0001-{STAR:016d}-00106_dvr.xml"
MULTI = f"tess2018206190142-s0001-s0002-{STAR:016d}-00200_dvr.xml"
FFI = "tess2018206192942-s0001-4-1-0120-s_ffic.fits"
NAMELESS = "my favourite star.fits.gz"

OBS1, OBS2 = LC1.removesuffix("_lc.fits"), LC2.removesuffix("_lc.fits")


def primary(tic: int, sector: int, **cards: Any) -> fits.PrimaryHDU:
    hdu = fits.PrimaryHDU()
    hdu.header.update(
        {
            "ORIGIN": "NASA/Ames", "DATE": "2018-09-05", "TELESCOP": "TESS", "INSTRUME": "TESS Photometer",
            "OBJECT": f"TIC {tic}", "TICID": tic, "SECTOR": sector, "CAMERA": 4, "CCD": 1, "RA_OBJ": RA,
            "DEC_OBJ": DEC, "TESSMAG": 10.555, "TEFF": 5800.0, "TICVER": "7", "PROCVER": "spoc-3.3.36-20180925",
            **cards,
        }
    )  # fmt: skip
    return hdu


def times(header: fits.Header, sector: int, cadence: float) -> None:
    start = 1325.29 + 27.4 * (sector - 1)
    header.update({"TSTART": start, "TSTOP": start + 27.0, "TIMEDEL": cadence / 86400, "EXPOSURE": 22.0})


def light_curve(path: Path, tic: int = STAR, sector: int = 1, cadence: float = 120.0, **cards: Any) -> None:
    n = 50
    values = np.linspace(1000.0, 1001.0, n)
    columns = [
        fits.Column("TIME", "D", "BJD - 2457000, days", array=1325.3 + np.arange(n) * cadence / 86400),
        fits.Column("TIMECORR", "E", "d", array=np.zeros(n)),
        fits.Column("CADENCENO", "J", array=np.arange(n)),
        *(
            fits.Column(name, "E", "e-/s", array=values)
            for name in ("SAP_FLUX", "SAP_FLUX_ERR", "SAP_BKG", "SAP_BKG_ERR", "PDCSAP_FLUX", "PDCSAP_FLUX_ERR")
        ),
        fits.Column("QUALITY", "J", array=np.zeros(n, dtype=np.int32)),
        fits.Column("MOM_CENTR1", "D", "pixel", array=values),
        fits.Column("MOM_CENTR2", "D", "pixel", array=values),
        fits.Column("POS_CORR1", "E", "pixel", array=np.zeros(n)),
        fits.Column("POS_CORR2", "E", "pixel", array=np.zeros(n)),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="LIGHTCURVE")
    times(table.header, sector, cadence)
    head = primary(tic, sector, **{"CREATOR": "4286 LightCurveExporterPipelineModule", **cards})
    fits.HDUList([head, table, _aperture()]).writeto(path)


def target_pixels(path: Path, tic: int = STAR, sector: int = 1, cadence: float = 120.0, **cards: Any) -> None:
    n, shape = 50, (5, 5)
    cube = np.ones((n, *shape), dtype=np.float32)
    columns = [
        fits.Column("TIME", "D", "BJD - 2457000, days", array=1325.3 + np.arange(n) * cadence / 86400),
        fits.Column("TIMECORR", "E", "d", array=np.zeros(n)),
        fits.Column("CADENCENO", "J", array=np.arange(n)),
        fits.Column("RAW_CNTS", "25J", dim="(5,5)", array=cube.astype(np.int32)),
        *(
            fits.Column(name, "25E", "e-/s", dim="(5,5)", array=cube)
            for name in ("FLUX", "FLUX_ERR", "FLUX_BKG", "FLUX_BKG_ERR")
        ),
        fits.Column("QUALITY", "J", array=np.zeros(n, dtype=np.int32)),
        fits.Column("POS_CORR1", "E", "pixel", array=np.zeros(n)),
        fits.Column("POS_CORR2", "E", "pixel", array=np.zeros(n)),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="PIXELS")
    times(table.header, sector, cadence)
    table.header.update({"1CRV5P": 100, "2CRV5P": 200})
    head = primary(tic, sector, **{"CREATOR": "233 TargetPixelExporterPipelineModule", **cards})
    fits.HDUList([head, table, _aperture()]).writeto(path)


def image(path: Path) -> None:
    head = primary(0, 1, CREATOR="103 FfiExporter")
    for key in ("OBJECT", "TICID", "SECTOR", "CAMERA", "CCD", "RA_OBJ", "DEC_OBJ", "TESSMAG"):
        del head.header[key]
    hdu = fits.ImageHDU(np.zeros((128, 173), dtype=np.float32), name="CAMERA.CCD 4.1 cal")
    hdu.header.update(
        {
            "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "CRPIX1": 110.0, "CRPIX2": 64.0, "CRVAL1": 70.0,
            "CRVAL2": -65.0, "CD1_1": 0.0055, "CD1_2": 0.0006, "CD2_1": -0.0005, "CD2_2": 0.0056, "A_ORDER": 2,
            "B_ORDER": 2, "A_2_0": 2e-5, "A_1_1": -1e-5, "B_0_2": 1.5e-5, "B_2_0": -3e-5, "A_0_2": 0.0, "B_1_1": 0.0,
            "EXPOSURE": 0.0164999940182242, "CAMERA": 4, "CCD": 1,
        }
    )  # fmt: skip
    times(hdu.header, 1, 1800)
    hdu.header["EXPOSURE"] = 0.0164999940182242
    fits.HDUList([head, hdu]).writeto(path)


def report(path: Path, tic: int = STAR, sectors: str = "01") -> None:
    path.write_text(
        f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<dv:dvTargetResults startCadence="91186" endCadence="170519" planetCandidateCount="1" pipelineTaskId="10941"
 ticId="{tic}" simData="false" sectorsObserved="{sectors}" toiId="00175" xmlns:dv="http://www.nasa.gov/2018/TESS/DV">
    <dv:decDegrees provenance="TIC7" value="{DEC}" uncertainty="0.0"/>
    <dv:raDegrees provenance="TIC7" value="{RA}" uncertainty="0.0"/>
    <dv:tessMag provenance="TIC7" value="10.555" uncertainty="0.0"/>
</dv:dvTargetResults>
"""
    )


def make(folder: Path) -> Path:
    """Fill a folder: one star in two sectors and three cadences, another 47 degrees away, an image, and strangers."""
    (folder / "sector 1" / "deep").mkdir(parents=True)
    light_curve(folder / "sector 1" / LC1)
    target_pixels(folder / "sector 1" / "deep" / TP1)
    light_curve(folder / FAST1, cadence=20.0)
    light_curve(folder / LC2, sector=2)
    light_curve(folder / OTHER, SECOND, RA_OBJ=340.327824, DEC_OBJ=-43.841277, TESSMAG=8.441)
    light_curve(folder / QLP1, cadence=1800.0, ORIGIN="MIT/QLP", CREATOR="")
    target_pixels(folder / NAMELESS, FAINT, sector=2, RA_OBJ=64.0, DEC_OBJ=-69.5, TESSMAG=14.2)
    image(folder / FFI)
    report(folder / DVR)
    report(folder / MULTI, sectors="011")
    (folder / "notes.txt").write_text("remember the milk")
    (folder / "other telescope.fits").write_bytes(_foreign())
    (folder / ".hidden.fits").write_bytes(_foreign())
    return folder


def _aperture() -> fits.ImageHDU:
    return fits.ImageHDU(np.full((5, 5), 3, dtype=np.int32), name="APERTURE")


def _foreign() -> bytes:
    hdu = fits.PrimaryHDU()
    hdu.header["TELESCOP"] = "Kepler"
    return bytes(hdu.header.tostring(), "ascii")
