"""World coordinates of a stamp: the CCD's own, made straight about the star, as target pixel files have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tessellar.simulate.fields import wcs_of
from tessellar.simulate.filing import Card
from tessellar.simulate.observation import Observation

# Pixels each way over which the CCD's coordinates are made straight: half a stamp.
_REACH = 5.0


@dataclass(frozen=True)
class StampWCS:
    """A tangent projection at the star.

    Attributes
    ----------
    reference : (float, float)
        Pixel of the star in the stamp, 1-based.
    sky : (float, float)
        Its right ascension and declination, degrees.
    scale : float
        Degrees per pixel.
    turn : tuple of 4 float
        PC1_1, PC1_2, PC2_1, PC2_2 with CDELT1 = -scale, CDELT2 = scale.
    corner : (int, int)
        CCD column and row of the stamp's first pixel, 1-based.
    """

    reference: tuple[float, float]
    sky: tuple[float, float]
    scale: float
    turn: tuple[float, float, float, float]
    corner: tuple[int, int]


def stamp_wcs(observation: Observation) -> StampWCS:
    """Straighten the CCD's coordinates about the star of a stamp."""
    star, spot = observation.star, observation.spot
    steps = _REACH * np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])
    ra, dec = np.deg2rad(wcs_of(spot.field).all_pix2world(steps + np.array([spot.column, spot.row]), 1)).T
    ra0, dec0 = np.deg2rad([star.ra, star.dec])
    below = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(ra - ra0)
    xi = np.rad2deg(np.cos(dec) * np.sin(ra - ra0) / below)
    eta = np.rad2deg((np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(ra - ra0)) / below)
    matrix = np.array([(xi[0] - xi[1], xi[2] - xi[3]), (eta[0] - eta[1], eta[2] - eta[3])]) / (2 * _REACH)
    scale = float(np.sqrt(abs(np.linalg.det(matrix))))
    pc = matrix / np.array([[-scale], [scale]])
    return StampWCS(
        reference=(spot.column - observation.corner[0] + 1, spot.row - observation.corner[1] + 1),
        sky=(star.ra, star.dec),
        scale=scale,
        turn=(float(pc[0, 0]), float(pc[0, 1]), float(pc[1, 0]), float(pc[1, 1])),
        corner=observation.corner,
    )


def image_cards(wcs: StampWCS) -> list[Card]:
    """Keywords of an image extension."""
    return [
        ("WCSAXES", 2, "number of WCS axes"),
        ("CTYPE1", "RA---TAN", "right ascension coordinate type"),
        ("CTYPE2", "DEC--TAN", "declination coordinate type"),
        ("CRPIX1", wcs.reference[0], "[pixel] reference pixel along image axis 1"),
        ("CRPIX2", wcs.reference[1], "[pixel] reference pixel along image axis 2"),
        ("CRVAL1", wcs.sky[0], "[deg] right ascension at reference pixel"),
        ("CRVAL2", wcs.sky[1], "[deg] declination at reference pixel"),
        ("CUNIT1", "deg", "physical unit in column dimension"),
        ("CUNIT2", "deg", "physical unit in row dimension"),
        ("CDELT1", -wcs.scale, "[deg] pixel scale in RA dimension"),
        ("CDELT2", wcs.scale, "[deg] pixel scale in Dec dimension"),
        ("PC1_1", wcs.turn[0], "linear transformation element cos(th)"),
        ("PC1_2", wcs.turn[1], "linear transformation element -sin(th)"),
        ("PC2_1", wcs.turn[2], "linear transformation element sin(th)"),
        ("PC2_2", wcs.turn[3], "linear transformation element cos(th)"),
        ("WCSNAMEP", "PHYSICAL", "name of world coordinate system alternate P"),
        ("WCSAXESP", 2, "number of WCS physical axes"),
        ("CTYPE1P", "RAWX", "physical WCS axis 1 type CCD col"),
        ("CUNIT1P", "PIXEL", "physical WCS axis 1 unit"),
        ("CRPIX1P", 1, "reference CCD column"),
        ("CRVAL1P", wcs.corner[0], "value at reference CCD column"),
        ("CDELT1P", 1.0, "physical WCS axis 1 step"),
        ("CTYPE2P", "RAWY", "physical WCS axis 2 type CCD row"),
        ("CUNIT2P", "PIXEL", "physical WCS axis 2 units"),
        ("CRPIX2P", 1, "reference CCD row"),
        ("CRVAL2P", wcs.corner[1], "value at reference CCD row"),
        ("CDELT2P", 1.0, "physical WCS axis 2 step"),
    ]


def column_cards(wcs: StampWCS, n: int) -> list[Card]:
    """Keywords of column `n` of a table of images."""
    return [
        (f"WCSN{n}P", "PHYSICAL", "table column WCS name"),
        (f"WCAX{n}P", 2, "table column physical WCS dimensions"),
        (f"1CTY{n}P", "RAWX", "table column physical WCS axis 1 type, CCD col"),
        (f"2CTY{n}P", "RAWY", "table column physical WCS axis 2 type, CCD row"),
        (f"1CUN{n}P", "PIXEL", "table column physical WCS axis 1 unit"),
        (f"2CUN{n}P", "PIXEL", "table column physical WCS axis 2 unit"),
        (f"1CRV{n}P", wcs.corner[0], "table column physical WCS ax 1 ref value"),
        (f"2CRV{n}P", wcs.corner[1], "table column physical WCS ax 2 ref value"),
        (f"1CDL{n}P", 1.0, "table column physical WCS a1 step"),
        (f"2CDL{n}P", 1.0, "table column physical WCS a2 step"),
        (f"1CRP{n}P", 1, "table column physical WCS a1 reference"),
        (f"2CRP{n}P", 1, "table column physical WCS a2 reference"),
        (f"WCAX{n}", 2, "number of WCS axes"),
        (f"1CTYP{n}", "RA---TAN", "right ascension coordinate type"),
        (f"2CTYP{n}", "DEC--TAN", "declination coordinate type"),
        (f"1CRPX{n}", wcs.reference[0], "[pixel] reference pixel along image axis 1"),
        (f"2CRPX{n}", wcs.reference[1], "[pixel] reference pixel along image axis 2"),
        (f"1CRVL{n}", wcs.sky[0], "[deg] right ascension at reference pixel"),
        (f"2CRVL{n}", wcs.sky[1], "[deg] declination at reference pixel"),
        (f"1CUNI{n}", "deg", "physical unit in column dimension"),
        (f"2CUNI{n}", "deg", "physical unit in row dimension"),
        (f"1CDLT{n}", -wcs.scale, "[deg] pixel scale in RA dimension"),
        (f"2CDLT{n}", wcs.scale, "[deg] pixel scale in DEC dimension"),
        (f"11PC{n}", wcs.turn[0], "linear transformation matrix element cos(th)"),
        (f"12PC{n}", wcs.turn[1], "linear transformation matrix element -sin(th)"),
        (f"21PC{n}", wcs.turn[2], "linear transformation matrix element sin(th)"),
        (f"22PC{n}", wcs.turn[3], "linear transformation matrix element cos(th)"),
    ]
