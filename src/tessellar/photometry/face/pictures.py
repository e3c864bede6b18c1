"""Pictures of a result: the stamp with its mask, and the light curve."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tessellar.errors import InputError, NoPermission, StoreError
from tessellar.mission import flags

if TYPE_CHECKING:
    from tessellar.photometry.result import Result


def draw_result(result: Result, folder: Path) -> list[Path]:
    """Draw the mean image with its mask and the light curve, as PNG files in a folder, which is made if need be.

    What cannot be drawn, as an image all NaN, is left out.

    Raises
    ------
    StoreError
        If the folder or a file cannot be written.
    """
    from tessellar.plots import plot_light_curve, plot_stamp

    target, stamp = result.target, result.stamp
    place = None if target.column is None or target.row is None else (target.column, target.row)
    good = np.asarray(flags.good(np.asarray(result.columns["QUALITY"]), result.settings.quality))
    stem = f"{result.method}_{0 if target.tic is None else int(target.tic):011d}_{stamp.field}-c{stamp.cadence:04.0f}"
    image = result.mean_image if result.mean_image is not None else np.full(stamp.shape, np.nan)
    jobs: dict[str, Callable[[], Any]] = {
        "stamp": lambda: plot_stamp(image, result.mask, corner=stamp.corner, target=place),
        "lightcurve": lambda: plot_light_curve((result.columns["TIME"], result.columns["FLUX"]), good=good),
    }
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, draw in jobs.items():
            try:
                axes = draw()
            except InputError:
                continue
            axes.set_title(f"{target} {stamp.field}, {stamp.cadence:.0f} s, {result.method}: {result.status.name}")
            path = folder / f"{stem}_{name}.png"
            axes.get_figure(root=True).savefig(path, dpi=120, bbox_inches="tight")
            written.append(path)
    except PermissionError as error:
        raise NoPermission(f"{folder} may not be written to: choose another output folder") from error
    except OSError as error:
        raise StoreError(f"pictures cannot be written to {folder} ({error.strerror}): choose another") from error
    return written
