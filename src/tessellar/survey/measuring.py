"""Measure the stars of a task: a band of rows all at once, or star by star."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError, PhotometryError, ProductError
from tessellar.mission.ccd import nearest_pixel
from tessellar.photometry.engine import BandCurves
from tessellar.photometry.status import STATUS
from tessellar.survey.outcomes import METRIC_NAMES, Outcome, Outcomes, Part
from tessellar.survey.tasks import Star, Task

if TYPE_CHECKING:
    from tessellar.photometry import Result
    from tessellar.photometry.scene import Scene
    from tessellar.pixels import StarField

#: What a star is measured with where nothing else is said.
BEST = "auto"
#: Columns of a light curve that the store makes itself.
_OF_STORE = ("TIME", "CADENCENO")
# In frames also these: they follow from the star's place, and from the frames.
_OF_FRAMES = (*_OF_STORE, "TIMECORR", "QUALITY", "POS_CORR1", "POS_CORR2")
# Side of the box that is shown of a star that no mask was made for, px.
_BOX = 11
_NO_METRICS = (math.nan,) * len(METRIC_NAMES)


def measure(task: Task) -> Part:
    """Measure a task.

    Raises
    ------
    TessellarError
        If its pixels cannot be read. What is wrong with one star only is told in its outcome.
    """
    return _measure_band(task) if task.rows is not None else _measure_each(task)


def _measure_band(task: Task) -> Part:
    from tessellar.photometry.engine.measuring import measure_band
    from tessellar.pixels import PreparedField

    assert task.rows is not None
    field = PreparedField(task.path)
    tics = np.array([star.tic for star in task.stars], dtype=np.int64)
    band = measure_band(field, rows=task.rows, methods=task.methods, tics=tics, threads=1)
    stars = field.stars
    assert stars is not None
    return part_of_band(band.curves, task.stars, task.methods, stars)


def part_of_band(
    curves: Mapping[str, BandCurves], wanted: Sequence[Star], methods: Sequence[str], stars: StarField
) -> Part:
    """What the curves of a band are for a survey: an outcome for each star and method, and the curves that there are.

    Parameters
    ----------
    curves : mapping of str to BandCurves
    wanted : sequence of Star
        The targets. Other stars that were measured are left out.
    methods : sequence of str
    stars : StarField
        Of the field, for their places on the sky.
    """
    asked = np.array([star.tic for star in wanted], dtype=np.int64)
    priority = np.array([star.priority for star in wanted], dtype=np.int64)
    outcomes: list[Outcomes] = []
    kept: dict[str, BandCurves] = {}
    for method in methods:
        found = curves.get(method)
        missing = np.ones(len(asked), dtype=bool)
        if found is not None:
            _, here, place = np.intersect1d(asked, found.tic, assume_unique=True, return_indices=True)
            missing[here] = False
            table = dict(found.table)
            reasons = np.asarray(table["reasons"], dtype=np.str_)
            outcomes.append(
                Outcomes(
                    priority=priority[here],
                    method=np.full(len(here), method),
                    status=np.asarray(table["status"], dtype=np.int8)[place],
                    reason=reasons[place],
                    metrics=_metrics(table, len(found))[place],
                )
            )
            curved = np.isin(np.arange(len(found)), place)
            curved &= np.isin(table["status"], [STATUS.OK, STATUS.WARNING])
            more = {**_on_sky(stars, found.tic), **_masks(found, stars), "reasons": reasons}
            kept[method] = _chosen(found, curved, more)
        lost = f"the {method} method gave nothing for this star"
        outcomes.append(
            Outcomes.of(Outcome(each, method, STATUS.ERROR, lost, _NO_METRICS) for each in priority[missing].tolist())
        )
    return Part(Outcomes.joined(outcomes), {method: each for method, each in kept.items() if len(each)}, {})


def _metrics(table: Mapping[str, NDArray[Any]], count: int) -> NDArray[np.float64]:
    columns = [np.asarray(table.get(name, np.full(count, np.nan)), dtype=np.float64) for name in METRIC_NAMES]
    return np.stack(columns, axis=1)


def _on_sky(stars: StarField, tics: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    order = np.argsort(stars.tic)
    at = order[np.searchsorted(stars.tic, tics, sorter=order)]
    return {"ra": stars.ra[at], "dec": stars.dec[at]}


def _masks(curves: BandCurves, stars: StarField) -> dict[str, NDArray[Any]]:
    """Pixels that were added up, each star's in a box; without apertures, the box about the star and no pixel in it."""
    if curves.apertures is not None:
        boxes = curves.apertures
        return {"mask": boxes.masks, "mask_column": boxes.left, "mask_row": boxes.bottom}
    order = np.argsort(stars.tic)
    at = order[np.searchsorted(stars.tic, curves.tic, sorter=order)]
    first = {"mask_column": stars.column[at], "mask_row": stars.row[at]}
    corners = {name: nearest_pixel(place).astype(np.int64) - _BOX // 2 for name, place in first.items()}
    return {"mask": np.zeros((len(curves), _BOX, _BOX), dtype=bool), **corners}


def _chosen(curves: BandCurves, which: NDArray[np.bool_], more: Mapping[str, NDArray[Any]]) -> BandCurves:
    return BandCurves(
        tic=curves.tic[which],
        columns={name: values[which] for name, values in curves.columns.items()},
        table={name: np.asarray(values)[which] for name, values in {**curves.table, **more}.items()},
    )


def _measure_each(task: Task) -> Part:
    """Measure stars one by one; a scene is opened once for all stars that are in it."""
    from tessellar.photometry import measure_in
    from tessellar.photometry.output import images_of

    cadences = _cadences(task)
    results: list[tuple[Star, Result]] = []
    outcomes: list[Outcome] = []
    for star, scene in _with_scenes(task):
        if isinstance(scene, Exception):
            outcomes.append(_failed(star, str(scene)))
            continue
        try:
            result = measure_in(scene, star.tic, star.method or BEST)
            if cadences is not None and result.columns and not _fits(result, cadences):
                raise PhotometryError(f"{star.path} has cadences that {task.path} lacks, and cannot be stored with it")
        except (InputError, PhotometryError) as error:
            outcomes.append(_failed(star, str(error)))
            continue
        except ProductError as error:
            # Frames are of all stars alike: that is not a star's misfortune.
            if star.source == "ffi":
                raise
            outcomes.append(_failed(star, str(error)))
            continue
        outcomes.append(_outcome(star, result))
        if result.status.has_light_curve:
            results.append((star, result))
    methods = sorted({result.method for _, result in results})
    chosen = {method: [each for each in results if each[1].method == method] for method in methods}
    return Part(
        Outcomes.of(outcomes),
        {method: _stacked(group, cadences) for method, group in chosen.items()},
        {method: [images_of(result) for _, result in group] for method, group in chosen.items()},
    )


def _with_scenes(task: Task) -> Iterator[tuple[Star, Scene | Exception]]:
    from tessellar.photometry import FieldScene
    from tessellar.photometry.opening import scene_of
    from tessellar.pixels import PreparedField
    from tessellar.products import read_target_pixels

    opened: tuple[str, Scene | Exception] | None = None
    for star in task.stars:
        path = Path(task.folder) / star.path
        if opened is None or opened[0] != star.path:
            if star.source == "ffi":
                opened = star.path, FieldScene(PreparedField(path))
            else:
                try:
                    opened = star.path, scene_of(read_target_pixels(path), Path(task.folder))
                except ProductError as error:
                    opened = star.path, error
        yield star, opened[1]


def _cadences(task: Task) -> NDArray[np.int64] | None:
    """Numbers of the cadences of the store: of target pixel files those of the longest; None for frames."""
    from tessellar.products import read_target_pixels

    if task.stars[0].source == "ffi":
        return None
    return np.asarray(read_target_pixels(task.path).cadenceno, dtype=np.int64)


def _fits(result: Result, cadences: NDArray[np.int64]) -> bool:
    return bool(np.isin(result.columns["CADENCENO"], cadences).all())


def _outcome(star: Star, result: Result) -> Outcome:
    metrics = tuple(float(result.metrics.get(name, math.nan)) for name in METRIC_NAMES)
    return Outcome(star.priority, result.method, result.status, result.reason, metrics, tuple(map(int, result.skip)))


def _failed(star: Star, reason: str) -> Outcome:
    return Outcome(star.priority, star.method or BEST, STATUS.ERROR, " ".join(reason.split()), _NO_METRICS)


def _stacked(group: Sequence[tuple[Star, Result]], cadences: NDArray[np.int64] | None) -> BandCurves:
    results = [result for _, result in group]
    left_out = _OF_FRAMES if cadences is None else _OF_STORE
    # What one of them lacks it has nowhere a value.
    names = {name: values.dtype for one in results for name, values in _columns(one).items() if name not in left_out}
    columns = {
        name: np.stack([_aligned(_columns(one).get(name), one, cadences, dtype) for one in results])
        for name, dtype in sorted(names.items())
    }
    return BandCurves(
        tic=np.array([star.tic for star, _ in group], dtype=np.int64), columns=columns, table=_table(group)
    )


def _columns(result: Result) -> dict[str, NDArray[Any]]:
    return {**result.columns, **result.extra}


def _aligned(
    values: NDArray[Any] | None, result: Result, cadences: NDArray[np.int64] | None, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """One column on the cadences of the store."""
    numbers = np.asarray(result.columns["CADENCENO"], dtype=np.int64)
    missing = np.nan if dtype.kind == "f" else 0
    if values is None:
        values = np.full(len(numbers), missing, dtype=dtype)
    if cadences is None or np.array_equal(numbers, cadences):
        return np.asarray(values)
    made = np.full(len(cadences), missing, dtype=dtype)
    made[np.searchsorted(cadences, numbers)] = values
    return made


def _table(group: Iterable[tuple[Star, Result]]) -> dict[str, NDArray[Any]]:
    from tessellar.photometry.output import record_of

    rows = []
    for _, result in group:
        target = result.target
        known = {name: getattr(target, name) for name in ("ra", "dec", "tmag", "column", "row")}
        rows.append({
            **{name: math.nan if value is None else float(value) for name, value in known.items()},
            "status": int(result.status), "reasons": result.reason, "record": record_of(result),
            **{name: float(result.metrics.get(name, math.nan)) for name in METRIC_NAMES},
        })  # fmt: skip
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
