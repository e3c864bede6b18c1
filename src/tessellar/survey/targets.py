"""Which stars a survey measures, and in which pixels: out of prepared fields and target pixel files.

A star can be met several times: in the full-frame images, as the target of a pixel file of its
own, and inside those of its neighbours. Full-frame images and target pixel files are measured
side by side; within the target pixel files of one sector and cadence a star is measured once.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tessellar.mission.ccd import nearest_pixel
from tessellar.targets import Field

if TYPE_CHECKING:
    from tessellar.pixels import PreparedField, StarField
    from tessellar.products import TargetPixelFile

#: Bit of APERTURE that marks pixels that were collected.
_COLLECTED = 1
# Stars farther than this from the middle of a stamp, degrees, are in no stamp: 60 px, half a diagonal of the largest.
_REACH = 0.35


class Candidate(NamedTuple):
    """One star in certain pixels.

    Attributes
    ----------
    tic : int
    field : Field
    cadence : int
        Seconds.
    source : str
        ``ffi``; ``tpf``, a target pixel file of its own; ``tpf:N``, inside that of TIC N.
    tmag : float
        TESS magnitude; NaN where it is not known.
    column, row : float
        Place on the CCD, 1-based; NaN where it is not known.
    edge : float
        Pixels to the nearest border, or pixel that was not collected; NaN for the target of a pixel file.
    path : str
        The file of the pixels: the prepared field, or the target pixel file.
    release : int or None
        Its data release.
    """

    tic: int
    field: Field
    cadence: int
    source: str
    tmag: float
    column: float
    row: float
    edge: float
    path: str
    release: int | None = None

    @property
    def is_secondary(self) -> bool:
        """Whether the pixels were collected for another star."""
        return self.source.startswith("tpf:")

    @property
    def order(self) -> tuple[float, int, Field, str, int]:
        """The brightest first; nothing depends on the order in which files are found."""
        return math.inf if math.isnan(self.tmag) else self.tmag, self.tic, self.field, self.source, self.cadence

    @property
    def light(self) -> tuple[Field, int, str]:
        """What stars have in common that can share a mask: field, cadence, and the kind of pixels."""
        return self.field, self.cadence, self.source.partition(":")[0]


def edge_distance(column: float, row: float, collected: NDArray[np.bool_]) -> float:
    """Distance of a place in a stamp from its border, or from pixels that were not collected, whichever is nearer.

    Parameters
    ----------
    column, row : float
        0-based: pixel centres are whole numbers.
    collected : boolean array (rows, columns)

    Returns
    -------
    float
        Pixels; negative outside.

    Notes
    -----
    To pixels that were not collected it is the Euclidean distance transform less half a pixel, between pixel centres
    interpolated linearly.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.survey.targets import edge_distance
    >>> edge_distance(5.0, 3.2, np.ones((11, 11), bool))
    3.7
    """
    rows, cols = collected.shape
    border = min(column + 0.5, row + 0.5, cols - 0.5 - column, rows - 0.5 - row)
    if collected.all():
        return float(border)
    from scipy.ndimage import distance_transform_edt, map_coordinates

    away = np.clip(distance_transform_edt(collected) - 0.5, 0, None)
    hole = map_coordinates(away, [[row], [column]], order=1, mode="nearest")[0]
    return float(min(border, hole))


def in_frames(field: PreparedField, path: str, limit: float) -> Iterator[Candidate]:
    """Stars of a prepared field, to a limiting magnitude, that lie on its pixels."""
    stars = field.stars
    if stars is None:
        return
    x, y = stars.column - field.corner[0], stars.row - field.corner[1]
    rows, cols = field.shape
    edge = np.minimum.reduce([x + 0.5, y + 0.5, cols - 0.5 - x, rows - 0.5 - y])
    # A star belongs to the pixel that its place rounds to: the upper border is another CCD's, or none.
    inside = (x >= -0.5) & (y >= -0.5) & (x < cols - 0.5) & (y < rows - 0.5) & (stars.tmag <= limit)
    cadence, name = round(field.cadence), field.field
    facts = stars.tic, stars.tmag, stars.column, stars.row, edge
    for tic, tmag, column, row, away in zip(*(each[inside].tolist() for each in facts), strict=True):
        yield Candidate(tic, name, cadence, "ffi", tmag, column, row, away, path)


def in_target_file(model: TargetPixelFile, path: str, stars: StarField | None, limit: float) -> Iterator[Candidate]:
    """The star of a target pixel file, and others to a limiting magnitude that lie on its collected pixels.

    Parameters
    ----------
    model : TargetPixelFile
        Of a star: cut-outs have none, and give nothing.
    path : str
        What to call it.
    stars : StarField, optional
        Of its CCD; without it only the file's own star is found.
    limit : float
        Faintest of the other stars. The file's own star counts however faint it is: somebody asked for it.
    """
    if model.tic is None or model.field is None:
        return
    tic, cadence = int(model.tic), round(model.cadence)
    known = stars.chosen(stars.tic == tic) if stars is not None else None
    tmag = float(model.tmag)
    if math.isnan(tmag) and known is not None and len(known):
        tmag = float(known.tmag[0])
    x, y = _place(model, np.array([model.ra]), np.array([model.dec]))
    yield Candidate(
        tic, model.field, cadence, "tpf", tmag, float(x[0] + model.corner[0]), float(y[0] + model.corner[1]),
        math.nan, path, model.data_release,
    )  # fmt: skip
    if stars is None:
        return
    collected = np.asarray((model.aperture & _COLLECTED) != 0)
    others = stars.chosen(_near(stars, model) & (stars.tmag <= limit) & (stars.tic != tic))
    x, y = _place(model, others.ra, others.dec)
    pixels = nearest_pixel(np.stack([y, x], axis=1)).astype(np.int64)
    for star, (row, column) in enumerate(pixels.tolist()):
        if not (0 <= row < collected.shape[0] and 0 <= column < collected.shape[1] and collected[row, column]):
            continue
        yield Candidate(
            int(others.tic[star]), model.field, cadence, f"tpf:{tic}", float(others.tmag[star]),
            float(x[star] + model.corner[0]), float(y[star] + model.corner[1]),
            edge_distance(float(x[star]), float(y[star]), collected), path, model.data_release,
        )  # fmt: skip


def without_repeats(candidates: Iterable[Candidate]) -> tuple[list[Candidate], list[tuple[Candidate, str]]]:
    """Leave each star in the pixels that show it best.

    Of several target pixel files of one star in one sector and cadence the latest release counts; a star that has a
    file of its own is not measured in those of others; one that is in several of others is measured where it is
    farthest from the edge.

    Returns
    -------
    chosen : list of Candidate
        The brightest first.
    left_out : list of (Candidate, str)
        The others, and why.
    """
    of_star: dict[int, list[Candidate]] = defaultdict(list)
    for each in candidates:
        of_star[each.tic].append(each)
    chosen: list[Candidate] = []
    left_out: list[tuple[Candidate, str]] = []
    for found in of_star.values():
        # Most stars of a field are there once.
        for group in _meetings(found) if len(found) > 1 else (found,):
            best, *others = sorted(group, key=_preference)
            chosen.append(best)
            left_out += [(each, _why(each, best)) for each in others]
    chosen.sort(key=attrgetter("order"))
    left_out.sort(key=lambda each: (*each[0].order, each[0].path))
    return chosen, left_out


def _meetings(candidates: Iterable[Candidate]) -> Iterable[list[Candidate]]:
    """Those of the same light, of candidates for one star."""
    groups: dict[tuple[Field, int, str], list[Candidate]] = defaultdict(list)
    for each in candidates:
        groups[each.light].append(each)
    return groups.values()


def _preference(each: Candidate) -> tuple[bool, float, float, str, str]:
    edge = -math.inf if math.isnan(each.edge) else each.edge
    return each.is_secondary, -(each.release or 0) if not each.is_secondary else 0.0, -edge, each.source, each.path


def _why(each: Candidate, best: Candidate) -> str:
    if each.is_secondary and not best.is_secondary:
        return "the star has a target pixel file of its own"
    if each.is_secondary:
        return f"farther from the edge in {best.path}"
    return f"{best.path} is of the same star, sector and cadence, and is measured instead"


def _near(stars: StarField, model: TargetPixelFile) -> NDArray[np.bool_]:
    rows, cols = model.shape[1:]
    ra, dec = model.wcs.pixel_to_world_values(cols / 2, rows / 2)
    across = (stars.ra - ra + 180) % 360 - 180
    return np.asarray(np.hypot(across * np.cos(np.radians(stars.dec)), stars.dec - dec) < _REACH)


def _place(
    model: TargetPixelFile, ra: NDArray[np.float64], dec: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels of a stamp, 0-based, at positions; NaN where a position is not known."""
    x, y = np.full(len(ra), np.nan), np.full(len(ra), np.nan)
    known = np.isfinite(ra) & np.isfinite(dec)
    if known.any():
        x[known], y[known] = model.wcs.world_to_pixel_values(ra[known], dec[known])
    return x, y
