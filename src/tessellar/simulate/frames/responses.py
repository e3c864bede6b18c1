"""The pixel response that frames are drawn with: the mission's files, or files like them, and wings beyond.

Without files of the mission an analytic response, varying over the field, is sampled and
written as the mission writes its own (117 x 117 samples, 25 places on the CCD), and read back: who measures
the frames is given exactly what they were drawn with. Beyond these 13 x 13 pixels, where the
mission's files end, `WING_SHARE` of every star's light lies in a halo that falls with the cube of the distance.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tessellar.mission.names import build_name
from tessellar.mission.responses import MODEL_COLUMNS, MODEL_ROWS, response_models
from tessellar.pixels.response import MissionPRF
from tessellar.simulate.fields import Spot, outward
from tessellar.simulate.filing import SUMS, Card, Part, write_parts
from tessellar.simulate.prf import PRF
from tessellar.targets import Field

#: Where the response lies, below the frames.
RESPONSE_FOLDER = "prf"
#: Share of a star's light in its halo, its core radius and its end, px.
WING_SHARE, WING_CORE, WING_REACH = 0.04, 5.0, 64
_SAMPLES, _SIDE, _HALF = 9, 117, 6


def write_responses(folder: Path, field: Field) -> MissionPRF:
    """Write the analytic response of a CCD as PRF files into a folder, and read it."""
    names = []
    stamp = response_models(field).stamp
    for row in MODEL_ROWS:
        for column in MODEL_COLUMNS:
            name = build_name(
                "spoc-prf", timestamp=stamp, camera=field.camera, ccd=field.ccd,
                target=f"row{row:04d}-col{column:04d}",
            )  # fmt: skip
            write_parts(folder / name, _parts(field, column, row))
            names.append(folder / name)
    return MissionPRF.open(names, camera=field.camera, ccd=field.ccd)


def wing_kernel() -> NDArray[np.float32]:
    """The halo of one star, (2 WING_REACH + 1, ...), its sum 1: it fades out over the last eight pixels."""
    reach = np.arange(-WING_REACH, WING_REACH + 1)
    distance = np.hypot(*np.meshgrid(reach, reach))
    fade = np.cos(0.5 * np.pi * np.clip((distance - WING_REACH + 8) / 8, 0, 1)) ** 2
    kernel = (1 + (distance / WING_CORE) ** 2) ** -1.5 * fade
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _samples(field: Field, column: int, row: int) -> NDArray[np.float64]:
    """Sample the response at one place; sample 58 is on the star."""
    response = PRF.at(outward(Spot(field, float(column), float(row))))
    phase = (58 - np.arange(_SAMPLES)) / _SAMPLES
    samples = np.zeros((_SIDE, _SIDE))
    for j in range(_SAMPLES):
        boxes = response.render(phase, np.full(_SAMPLES, phase[j]), (2 * _HALF + 1, 2 * _HALF + 1))
        for i, box in enumerate(boxes.astype(np.float64)):
            samples[j::_SAMPLES, i::_SAMPLES] = box / box.sum()
    return samples


def _parts(field: Field, column: int, row: int) -> Iterator[Part]:
    samples = _samples(field, column, row)
    for kind, image in (("PRF", samples), ("Uncertainties", 0 * samples)):
        first: list[Card] = [("SIMPLE", True, "file does conform to FITS standard")]
        if kind != "PRF":
            first = [("XTENSION", "IMAGE", "IMAGE extension")]
        cards: list[Card] = [
            *first,
            ("BITPIX", -64, "number of bits per data pixel"),
            ("NAXIS", 2, "number of data axes"),
            ("NAXIS1", _SIDE, "length of data axis 1"),
            ("NAXIS2", _SIDE, "length of data axis 2"),
            *([("EXTEND", True, "FITS dataset may contain extensions")] if kind == "PRF" else _COUNTS),
            ("ORIGIN", "tessellar simulation", "organization that generated this file"),
            ("SIMULATD", True, "file is based on simulated data"),
            ("DATATYPE", kind, "PRF or Uncertainties"),
            ("TELESCOP", "TESS", ""),
            ("CAM", float(field.camera), ""),
            ("CCD", float(field.ccd), ""),
            ("CCD_RREF", float(row), "CCD row coordinate reference of center PRF pix"),
            ("CCD_CREF", float(column), "CCD column reference of center PRF pixel"),
            ("NSAMP", float(_SAMPLES), "Number of PRF pixels per TESS pixel"),
            ("PRF_RES", 2.35, "resolution of super-sampled PRF (arcseconds)"),
            *_physical(column, row),
            SUMS,
        ]
        data = image.astype(">f8").tobytes()
        yield Part(cards, lambda data=data: [data])  # type: ignore[misc]


_COUNTS: list[Card] = [("PCOUNT", 0, "required keyword; must = 0"), ("GCOUNT", 1, "required keyword; must = 1")]


def _physical(column: int, row: int) -> list[Card]:
    cards: list[Card] = [("WCSNAMEP", "PHYSICAL", ""), ("WCSAXESP", 2, "")]
    for axis, word, value in ((1, "RAWX", column), (2, "RAWY", row)):
        cards += [
            (f"CTYPE{axis}P", word, ""), (f"CUNIT{axis}P", "PIXEL", ""), (f"CRPIX{axis}P", 59.0, ""),
            (f"CRVAL{axis}P", float(value), ""), (f"CDELT{axis}P", 0.111111111111111, ""),
        ]  # fmt: skip
    return cards
