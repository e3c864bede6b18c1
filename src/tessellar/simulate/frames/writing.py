"""Frames as files: the window's pixels, and about them what a CCD reads without light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tessellar.mission.ccd import FIRST_COLUMN, FIRST_ROW, FULL_FRAME_SHAPE, LAST_COLUMN, LAST_ROW
from tessellar.mission.names import build_name
from tessellar.mission.tangent import Plane
from tessellar.simulate.fields import stamp_of
from tessellar.simulate.filing import Part, write_parts
from tessellar.simulate.frames import headers
from tessellar.simulate.frames.exposing import Camera
from tessellar.simulate.frames.plan import FramePlan

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Canvas:
    """Which pixels a file holds.

    Attributes
    ----------
    corner, shape : (int, int)
        CCD column and row (1-based) of the first science pixel; rows and columns of science pixels.
    """

    corner: tuple[int, int]
    shape: tuple[int, int]

    @property
    def leading(self) -> int:
        """Virtual columns before the science pixels: those of the CCD where the window begins at its edge."""
        return FIRST_COLUMN - 1 if self.corner[0] == FIRST_COLUMN else 0

    @property
    def whole(self) -> bool:
        """Whether it is the whole CCD, with all its collateral pixels."""
        return self.corner == (FIRST_COLUMN, FIRST_ROW) and self.shape == (
            LAST_ROW - FIRST_ROW + 1, LAST_COLUMN - FIRST_COLUMN + 1
        )  # fmt: skip

    @property
    def file_corner(self) -> tuple[int, int]:
        """CCD column and row of the file's first pixel."""
        return self.corner[0] - self.leading, self.corner[1]

    @property
    def file_shape(self) -> tuple[int, int]:
        """Rows and columns of the file's images."""
        return FULL_FRAME_SHAPE if self.whole else (self.shape[0], self.shape[1] + self.leading)


def frame_names(plan: FramePlan, dates: headers.FrameDates) -> list[str]:
    """Name the frames as the mission does: by the time at which each begins."""
    field = plan.field
    scid = stamp_of(field.sector)[1]
    return [
        build_name("spoc-ffi", timestamp=stamp, sector=field.sector, camera=field.camera, ccd=field.ccd,
                   scid=scid, cr="s", product="ffic")
        for stamp in dates.stamps
    ]  # fmt: skip


def write_frame(
    path: Path, camera: Camera, frame: int, canvas: Canvas, plane: Plane, dates: headers.FrameDates
) -> Path:
    """Write one frame as SPOC does: primary, calibrated pixels, their errors.

    Parameters
    ----------
    path : Path
        The file; it appears when it is whole.
    camera : Camera
        Makes the pixels.
    frame : int
        Index of the frame.
    canvas : Canvas
        Which pixels.
    plane : Plane
        The world coordinates for its header.
    dates : FrameDates
        Calendar dates of all frames.
    """
    plan, exposure = camera.plan, camera.exposure
    planes = [framed(part, canvas, blank) for part, blank in zip(
        camera.expose(frame), camera.blank(frame, canvas.file_shape, 0), strict=True)]  # fmt: skip
    parts = [Part(headers.primary(plan, dates, frame, exposure))]
    for kind, pixels in zip(("cal", "uncert"), planes, strict=True):
        cards = headers.image(plan, dates, frame, exposure, plane, canvas.file_corner, canvas.file_shape, kind)
        parts.append(Part(cards, lambda pixels=pixels: [pixels.view(np.uint8).data.cast("B")]))  # type: ignore[misc]
    return write_parts(path, parts)


def framed(science: Image, canvas: Canvas, blank: Image) -> NDArray[np.float32]:
    """Put science pixels among those without light, big-endian as files have them."""
    image = np.empty(canvas.file_shape, dtype=">f4")
    if canvas.file_shape != canvas.shape:
        image[:] = blank
    image[: canvas.shape[0], canvas.leading : canvas.leading + canvas.shape[1]] = science
    return image
