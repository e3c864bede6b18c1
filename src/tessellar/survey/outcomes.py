"""What became of the stars of a task, and the part files that bring it, with the light curves, to the writer.

A part appears under its name when it is whole. It carries the key of its plan: of another plan
nothing is taken over. Nor is what a machine without power may have left of one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

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
from tessellar.survey import spares
from tessellar.survey.arrayfile import ArrayFile, write_arrays

#: Metrics that the ledger keeps, in this order.
METRIC_NAMES = (*METRICS,)


class Outcome(NamedTuple):
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


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcomes:
    """What became of many stars: one column for each thing that is told of them.

    Attributes
    ----------
    priority : int array (k,)
    method : str array (k,)
    status : int array (k,)
        Of `STATUS`.
    reason : str array (k,)
    metrics : float array (k, len(METRIC_NAMES))
    sharing : int array (any, 2)
        Which of them (0-based) has which TIC id in its mask.
    """

    priority: NDArray[np.int64]
    method: NDArray[np.str_]
    status: NDArray[np.int8]
    reason: NDArray[np.str_]
    metrics: NDArray[np.float64]
    sharing: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), dtype=np.int64))

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Outcomes:
        """The same of outcomes one by one."""
        rows = list(outcomes)
        shared = [(place, tic) for place, each in enumerate(rows) for tic in each.sharing]
        return cls(
            priority=np.array([each.priority for each in rows], dtype=np.int64),
            method=np.array([each.method for each in rows], dtype=np.str_),
            status=np.array([each.status for each in rows], dtype=np.int8),
            reason=np.array([each.reason for each in rows], dtype=np.str_),
            metrics=np.array([each.metrics for each in rows], dtype=np.float64).reshape(len(rows), len(METRIC_NAMES)),
            sharing=np.array(shared, dtype=np.int64).reshape(len(shared), 2),
        )

    @classmethod
    def joined(cls, some: Sequence[Outcomes]) -> Outcomes:
        """All of some, one after the other."""
        before = np.cumsum([0, *map(len, some)])
        columns = {
            each.name: np.concatenate([getattr(part, each.name) for part in some])
            for each in fields(cls) if each.name != "sharing"
        }  # fmt: skip
        shared = [part.sharing + np.array([begin, 0]) for part, begin in zip(some, before, strict=False)]
        return cls(**columns, sharing=np.concatenate(shared))

    def __len__(self) -> int:
        return len(self.priority)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Priority, method, status, reason and each metric of one after the other."""
        columns = (self.priority, self.method, self.status, self.reason, *self.metrics.T)
        return zip(*(each.tolist() for each in columns), strict=True)

    def shared(self) -> Iterator[tuple[int, str, int]]:
        """Priority and method of those that share their masks, and with whom."""
        pairs = sorted(set(map(tuple, self.sharing.tolist())))
        return ((int(self.priority[place]), str(self.method[place]), tic) for place, tic in pairs)

    def statuses(self) -> Counter[str]:
        """How many stars have which STATUS, by the first method that tells of each."""
        _, first = np.unique(self.priority, return_index=True)
        values, counts = np.unique(self.status[first], return_counts=True)
        return Counter(
            {STATUS(value).name: count for value, count in zip(values.tolist(), counts.tolist(), strict=True)}
        )


@dataclass(frozen=True, eq=False)
class Part:
    """What a task gave.

    Attributes
    ----------
    outcomes : Outcomes
        One for each star and method, also where there is no light curve.
    curves : mapping of str to BandCurves
        Light curves by method.
    images : mapping of str to sequence of StarImages
        By method, those of its stars in their order; methods without images are left out.
    """

    outcomes: Outcomes
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
        arrays = {"key": np.array(key), "boot": np.array(started)}
        arrays |= {f"outcome/{each.name}": getattr(self.outcomes, each.name) for each in fields(Outcomes)}
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
                with spares.opened(partial) as stream:
                    write_arrays(stream, arrays)
                    stream.truncate()
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

    def outcomes(self) -> Outcomes:
        """What became of the stars."""
        return Outcomes(**{each.name: self._arrays[f"outcome/{each.name}"] for each in fields(Outcomes)})

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
