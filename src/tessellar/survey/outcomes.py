"""What became of the stars of a task, and the part files that bring it, with the light curves, to the writer.

A part appears under its name when it is whole. It carries the key of its plan: of another plan
nothing is taken over. Nor is what a machine without power may have left of one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt
from tessellar.machine import boot
from tessellar.photometry.engine import BandCurves
from tessellar.photometry.merit.metrics import METRICS
from tessellar.photometry.status import STATUS
from tessellar.products.filing import translated
from tessellar.products.lightcurvelayout import FIXED, packed
from tessellar.products.starimages import StarImages, WeightImage
from tessellar.survey.arrayfile import ArrayFile, write_arrays

#: Metrics that the ledger keeps, in this order.
METRIC_NAMES = (*METRICS,)
_STATUS = {int(status): status for status in STATUS}


@dataclass(frozen=True)
class Outcome:
    """What became of one star, by one method.

    Attributes
    ----------
    priority : int
        Its number in the to-do list.
    method : str
        What it was measured with.
    status : STATUS
    reason : str
        In one line; empty if all is well.
    metrics : tuple of float
        In the order of `METRIC_NAMES`.
    sharing : tuple of int
        TIC ids of other targets in its mask.
    """

    priority: int
    method: str
    status: STATUS
    reason: str
    metrics: tuple[float, ...]
    sharing: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Part:
    """What a task gave.

    Attributes
    ----------
    outcomes : tuple of Outcome
        One for each star and method, also where there is no light curve.
    curves : mapping of str to BandCurves
        Light curves by method.
    images : mapping of str to sequence of StarImages
        By method, those of its stars in their order; methods without images are left out.
    """

    outcomes: tuple[Outcome, ...]
    curves: Mapping[str, BandCurves]
    images: Mapping[str, Sequence[StarImages]]

    def save(self, path: Path, key: str, *, lasting: bool = True) -> None:
        """Write the part: it appears whole, or not at all.

        Parameters
        ----------
        path : Path
        key : str
            Of the plan.
        lasting : bool
            Whether it is there even if the machine loses its power. Else the disk is not waited for: who reads it after
            the machine has been started again, or on another one, does not trust it.

        Raises
        ------
        NoSpace, NoPermission
            If it cannot be written.
        """
        partial = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}.part")
        started = "" if lasting else boot()
        arrays = {"key": np.array(key), "boot": np.array(started), **_as_arrays(self.outcomes)}
        for method, curves in self.curves.items():
            arrays[f"tic/{method}"] = curves.tic
            # As the store keeps them: places in half as many bytes, and it is the workers who round them.
            columns = {name: packed(name, each) if name in FIXED else each for name, each in curves.columns.items()}
            arrays |= {f"column/{method}/{name}": values for name, values in columns.items()}
            arrays |= {f"table/{method}/{name}": values for name, values in curves.table.items()}
            for star, images in enumerate(self.images.get(method, ())):
                arrays |= {f"image/{method}/{star}/{name}": each for name, each in _image_arrays(images).items()}
        try:
            with translated(path, "what was done is kept; free some and run again"):
                path.parent.mkdir(parents=True, exist_ok=True)
                with partial.open("wb") as stream:
                    write_arrays(stream, arrays)
                    stream.flush()
                    if not started:
                        os.fsync(stream.fileno())
                partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


class PartFile:
    """A part that `Part.save` wrote, read bit by bit. Its arrays stay in the file, which may be removed meanwhile.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._arrays = ArrayFile(path)

    def is_of(self, key: str) -> bool:
        """Whether it is there, whole, of the plan with this key, and to be trusted."""
        try:
            return str(self._arrays["key"]) == key and str(self._arrays["boot"]) in ("", boot())
        except (OSError, Corrupt, ValueError, KeyError):
            return False

    def outcomes(self) -> list[Outcome]:
        """What became of the stars."""
        return _from_arrays(self._arrays)

    def methods(self) -> list[str]:
        """Methods of which it has light curves."""
        return sorted(name.removeprefix("tic/") for name in self._arrays if name.startswith("tic/"))

    def curves(self, method: str) -> BandCurves:
        """Light curves of a method."""
        columns, table = (
            {name.removeprefix(begin): self._arrays[name] for name in self._arrays if name.startswith(begin)}
            for begin in (f"column/{method}/", f"table/{method}/")
        )
        return BandCurves(tic=self._arrays[f"tic/{method}"], columns=columns, table=table)

    def images(self, method: str) -> list[StarImages] | None:
        """Images of the stars of a method; None where there are none."""
        if f"image/{method}/0/aperture" not in self._arrays:
            return None
        count = len(self._arrays[f"tic/{method}"])
        return [_images(self._arrays, f"image/{method}/{star}") for star in range(count)]


def _as_arrays(outcomes: Iterable[Outcome]) -> dict[str, NDArray[Any]]:
    rows = list(outcomes)
    shared = [(place, tic) for place, each in enumerate(rows) for tic in each.sharing]
    return {
        "outcome/priority": np.array([each.priority for each in rows], dtype=np.int64),
        "outcome/method": np.array([each.method for each in rows], dtype=np.str_),
        "outcome/status": np.array([each.status for each in rows], dtype=np.int8),
        "outcome/reason": np.array([each.reason for each in rows], dtype=np.str_),
        "outcome/metrics": np.array([each.metrics for each in rows]).reshape(len(rows), len(METRIC_NAMES)),
        "outcome/sharing": np.array(shared, dtype=np.int64).reshape(len(shared), 2),
    }


def _from_arrays(file: Mapping[str, NDArray[Any]]) -> list[Outcome]:
    values = {name: file[f"outcome/{name}"].tolist() for name in ("priority", "method", "status", "reason")}
    shared: dict[int, list[int]] = {}
    for place, tic in file["outcome/sharing"].tolist():
        shared.setdefault(place, []).append(tic)
    metrics = file["outcome/metrics"].tolist()
    return [
        Outcome(priority, method, _STATUS[status], reason, tuple(metrics[place]), tuple(shared.get(place, ())))
        for place, (priority, method, status, reason) in enumerate(zip(*values.values(), strict=True))
    ]


def _image_arrays(images: StarImages) -> dict[str, NDArray[Any]]:
    arrays = {"aperture": images.aperture, "corner": np.array(images.corner), "wcs": np.array(images.wcs)}
    arrays["crpix"] = np.array(images.crpix, dtype=np.float64)
    if images.sumimage is not None:
        arrays["sumimage"] = images.sumimage
    if images.weights:
        arrays["weights"] = np.stack([each.weights for each in images.weights])
        spans = [(each.first_cadence, each.last_cadence, each.saturated) for each in images.weights]
        arrays["spans"] = np.array(spans, dtype=np.int64)
    return arrays


def _images(file: Mapping[str, NDArray[Any]], name: str) -> StarImages:
    corner, crpix = file[f"{name}/corner"].tolist(), file[f"{name}/crpix"].tolist()
    weights: tuple[WeightImage, ...] = ()
    mean = f"{name}/sumimage"
    if f"{name}/weights" in file:
        weights = tuple(
            WeightImage(first_cadence=first, last_cadence=last, weights=values, saturated=saturated)
            for (first, last, saturated), values in zip(
                file[f"{name}/spans"].tolist(), file[f"{name}/weights"], strict=True
            )
        )
    return StarImages(
        corner=(corner[0], corner[1]),
        aperture=file[f"{name}/aperture"],
        sumimage=file.get(mean),
        weights=weights,
        wcs=str(file[f"{name}/wcs"]),
        crpix=(crpix[0], crpix[1]),
    )
