"""A page of a full-frame image: its pixels that see the sky."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tessellar.plots.image import plot_stamp
from tessellar.plots.style import new_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tessellar.products import FullFrameImage

# Columns and rows that are drawn at most: of a larger image, means of neighbouring pixels.
_LARGEST = 1100


def frame_page(image: FullFrameImage) -> Figure:
    """Draw the science pixels of a frame, with its time and flags above.

    Raises
    ------
    InputError
        If no pixel has a finite value.
    """
    flux = np.asarray(image.science, dtype=np.float64)
    step = -(-max(flux.shape) // _LARGEST)
    rows, columns = (size // step for size in flux.shape)
    drawn = flux[: rows * step, : columns * step].reshape(rows, step, columns, step).mean(axis=(1, 3))
    known = [image.author, f"BTJD {image.btjd:.5f}", f"{image.exposure:.0f} s"]
    known += [f"frame {image.cadenceno}"] if image.cadenceno is not None else []
    known += [f"flags {image.quality}"] if image.quality else []
    known += [f"median {np.nanmedian(flux):.1f} e$^-$ s$^{{-1}}$"] + ["simulated"] * image.simulated
    figure = new_page(str(image.field or image.path.name), "  ·  ".join(known), size=(8.5, 8.6))
    axes = figure.subplots()
    plot_stamp(drawn, ax=axes, corner=image.science_corner, label="Flux (e$^-$ s$^{-1}$ pixel$^{-1}$)", step=step)
    return figure
