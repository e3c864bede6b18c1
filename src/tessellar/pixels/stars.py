"""The stars on a CCD: a catalogue brought to the time of the frames and, once, to their pixels.

All later questions (who is in this stamp, who is near) are asked in pixels: there
a CCD at the pole, or across right ascension 0, is like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError
from tessellar.mission.ccd import FIRST_COLUMN, FIRST_ROW, LAST_COLUMN, LAST_ROW
from tessellar.mission.motion import move as move
from tessellar.pixels.stamp import Span

if TYPE_CHECKING:
    from astropy.table import Table

    from tessellar.mission.tangent import Plane
    from tessellar.pixels.stack import FrameStack

#: Flux of a star of T = 0 is 10 to the 0.4 times this, e-/s (TESS Instrument Handbook, 20.44 +- 0.05).
ZERO_POINT = 20.44
#: Two entries of a catalogue nearer than this, px, are one star.
SAME_STAR = 0.1
# Half the diagonal of a CCD is 8.6 degrees; beyond this from its middle the distortion means nothing.
_REACH = 9.5
# What catalogues call the columns, upper and lower case alike: MAST's TIC first.
_NAMES = {
    "tic": ("id", "tic", "ticid", "starid"),
    "ra": ("ra", "raj2000", "ra_j2000"),
    "dec": ("dec", "decl", "dej2000", "decl_j2000"),
    "tmag": ("tmag", "tessmag"),
    "pm_ra": ("pmra", "pm_ra"),
    "pm_dec": ("pmdec", "pm_dec", "pm_decl"),
}
_OPTIONAL = ("pm_ra", "pm_dec")


@dataclass(frozen=True, eq=False)
class StarField:
    """Stars on and about one CCD, the brightest first.

    `StarField.place` and `StarField.of` make it out of a catalogue.

    Attributes
    ----------
    tic : array of int64
        TIC ids.
    tmag : array
        TESS magnitudes.
    ra, dec : array
        ICRS degrees at the time of the frames.
    column, row : array
        Places on the CCD, 1-based, in the reference frame.
    entries : array of int
        How many entries of the catalogue each one stands for.

    Examples
    --------
    >>> from tessellar import Field
    >>> from tessellar.mission.ccd import ccd_plane
    >>> from tessellar.pixels import StarField
    >>> catalog = {"ID": [25155310], "ra": [63.37389], "dec": [-69.226789], "Tmag": [10.555]}
    >>> stars = StarField.place(catalog, ccd_plane(Field(1, 4, 1)), epoch=1339.0)
    >>> len(stars), round(stars.column[0]), round(stars.row[0])
    (1, 1624, 393)
    """

    tic: NDArray[np.int64]
    tmag: NDArray[np.float64]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    column: NDArray[np.float64]
    row: NDArray[np.float64]
    entries: NDArray[np.int64]

    @classmethod
    def of(
        cls, stack: FrameStack, catalog: Table | Mapping[str, ArrayLike], *, margin: float = 10, limit: float = np.inf
    ) -> StarField:
        """Place a catalogue on the reference frame of a stack, at the middle of its time; see `place`."""
        epoch = 0.5 * float(stack.time[0] + stack.time[-1])
        plane = stack.planes[stack.reference]
        return cls.place(
            catalog, plane, epoch=epoch, corner=stack.corner, shape=stack.shape, margin=margin, limit=limit
        )

    @classmethod
    def place(
        cls,
        catalog: Table | Mapping[str, ArrayLike],
        plane: Plane,
        *,
        epoch: float,
        corner: tuple[int, int] = (FIRST_COLUMN, FIRST_ROW),
        shape: tuple[int, int] = (LAST_ROW - FIRST_ROW + 1, LAST_COLUMN - FIRST_COLUMN + 1),
        margin: float = 10,
        limit: float = np.inf,
    ) -> StarField:
        """Place the stars of a catalogue on a CCD.

        Parameters
        ----------
        catalog : Table or mapping
            Columns ``ID, ra, dec, Tmag`` and, if there are any, ``pmRA, pmDEC`` (mas/yr, of the true angle), as in
            MAST's TIC: positions at J2000. Rows without position or magnitude, and those that the TIC marks as
            duplicates or artefacts (``disposition``), are left out; a missing proper motion is none.
        plane : Plane
            Between the sky and 1-based CCD pixels.
        epoch : float
            BTJD to which proper motion is carried.
        corner, shape
            First CCD column and row (1-based), and number of rows and columns, of the pixels.
        margin : float
            Pixels about them in which stars are kept too.
        limit : float
            Faintest magnitude.

        Raises
        ------
        InputError
            If a column is missing, the catalogue is empty, or none of its stars falls there.
        """
        columns = _columns(catalog)
        count = len(columns["ra"])
        keep = np.isfinite(columns["ra"]) & np.isfinite(columns["dec"]) & (columns["tmag"] <= limit)
        keep &= (np.abs(columns["dec"]) <= 90) & ~_discarded(catalog, count)
        columns = {name: values[keep] for name, values in columns.items()}
        ra, dec = move(columns["ra"], columns["dec"], columns["pm_ra"], columns["pm_dec"], epoch)
        column, row = _to_pixels(plane, ra, dec)
        inside = (column >= corner[0] - 0.5 - margin) & (column < corner[0] + shape[1] - 0.5 + margin)
        inside &= (row >= corner[1] - 0.5 - margin) & (row < corner[1] + shape[0] - 0.5 + margin)
        if not inside.any():
            raise InputError(
                f"none of the {count} stars of the catalogue falls on columns {corner[0]} to "
                f"{corner[0] + shape[1] - 1}, rows {corner[1]} to {corner[1] + shape[0] - 1}: is it of this field?"
            )
        order = np.flatnonzero(inside)
        order = order[np.lexsort((columns["tic"][order], columns["tmag"][order]))]
        first, entries = _distinct(column[order], row[order])
        chosen = order[first]
        return cls(
            tic=columns["tic"][chosen].astype(np.int64),
            tmag=columns["tmag"][chosen],
            ra=ra[chosen],
            dec=dec[chosen],
            column=column[chosen],
            row=row[chosen],
            entries=entries,
        )

    def __len__(self) -> int:
        return len(self.tic)

    def __repr__(self) -> str:
        return f"<StarField {len(self)} stars, T {self.tmag[0]:.1f} to {self.tmag[-1]:.1f}>" if len(self) else "<none>"

    def flux(self, zero_point: float = ZERO_POINT) -> NDArray[np.float64]:
        """Expected flux of each star, e-/s."""
        return np.asarray(10 ** (-0.4 * (self.tmag - zero_point)))

    def chosen(self, which: NDArray[Any]) -> StarField:
        """The stars of an index array or boolean array."""
        return StarField(*(getattr(self, each.name)[which] for each in fields(self)))

    def within(self, rows: Span, cols: Span, margin: float = 0) -> StarField:
        """Stars on CCD rows and columns (first, last; 1-based, both included) and `margin` pixels about them."""
        keep = np.ones(len(self), dtype=bool)
        for place, span in ((self.row, rows), (self.column, cols)):
            if span is not None:
                keep &= (place >= span[0] - 0.5 - margin) & (place < span[1] + 0.5 + margin)
        return self.chosen(keep)

    def near(
        self, column: float, row: float, radius: float, faintest: float = np.inf
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find stars about a place: their indices, the nearest first, and their distances in px.

        Parameters
        ----------
        column, row : float
            1-based.
        radius : float
            Pixels.
        faintest : float
            Magnitude to which stars count.
        """
        found = np.array(self._tree.query_ball_point([column, row], radius), dtype=np.int64)
        found = found[self.tmag[found] <= faintest]
        distance = np.hypot(self.column[found] - column, self.row[found] - row)
        order = np.lexsort((found, distance))
        return found[order], distance[order]

    def neighbours(
        self, star: int, radius: float, fainter_by: float = np.inf
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find the neighbours of a star: indices, the nearest first, and distances in px; itself is left out.

        Parameters
        ----------
        star : int
            Its index.
        radius : float
            Pixels.
        fainter_by : float
            Stars that are fainter than it by more magnitudes do not count.
        """
        place = float(self.column[star]), float(self.row[star])
        found, distance = self.near(*place, radius, float(self.tmag[star]) + fainter_by)
        other = found != star
        return found[other], distance[other]

    def pairs(self, radius: float) -> NDArray[np.int64]:
        """All pairs of stars nearer than `radius` px: indices, shape (n, 2), the brighter one first."""
        return np.sort(self._tree.query_pairs(radius, output_type="ndarray").astype(np.int64), axis=1)

    def index(self, tic: int) -> int:
        """Index of a star, by its id; `InputError` if it is not there."""
        found = np.flatnonzero(self.tic == int(tic))
        if not found.size:
            raise InputError(f"TIC {int(tic)} is not among the {len(self)} stars on this CCD")
        return int(found[0])

    def to_table(self) -> Table:
        """The stars as an astropy table, one column an attribute: what photometry methods take."""
        from astropy.table import Table

        return Table({each.name: getattr(self, each.name) for each in fields(self)})

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import cKDTree

        return cKDTree(np.column_stack([self.column, self.row]))


def _to_pixels(
    plane: Plane, ra: NDArray[np.float64], dec: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    middle_ra, middle_dec = plane.to_sky(0.5 * (FIRST_COLUMN + LAST_COLUMN), 0.5 * (FIRST_ROW + LAST_ROW))
    a, d, a0, d0 = (np.radians(value) for value in (ra, dec, middle_ra, middle_dec))
    # The haversine keeps its digits at small distances, and knows neither poles nor a right ascension of 0.
    half = np.sin((d - d0) / 2) ** 2 + np.cos(d) * np.cos(d0) * np.sin((a - a0) / 2) ** 2
    near = np.flatnonzero(half < np.sin(np.radians(_REACH) / 2) ** 2)
    column, row = np.full(len(ra), np.nan), np.full(len(ra), np.nan)
    column[near], row[near] = plane.to_pixel(ra[near], dec[near])
    return column, row


def _distinct(column: NDArray[np.float64], row: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of stars in order of brightness: the first of each group nearer than 0.1 px, and the groups' sizes."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    pairs = cKDTree(np.column_stack([column, row])).query_pairs(SAME_STAR, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(column), len(column)))
    _, group = connected_components(links, directed=False)
    _, first, sizes = np.unique(group, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order].astype(np.int64), sizes[order].astype(np.int64)


def _columns(catalog: Table | Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    given = {str(name).lower(): name for name in (getattr(catalog, "colnames", None) or catalog)}
    columns: dict[str, NDArray[Any]] = {}
    for ours, theirs in _NAMES.items():
        name = next((given[each] for each in theirs if each in given), None)
        if name is None and ours not in _OPTIONAL:
            raise InputError(f"the catalogue has no column {theirs[0]} ({', '.join(map(str, given.values()))})")
        if name is None:
            columns[ours] = np.zeros(len(columns["ra"]))
            continue
        values: Any = np.ma.asarray(catalog[name])
        try:
            # TIC ids come as text from some archives; they are whole numbers that a double would keep, up to 2^53.
            numbers: Any = values.astype(np.int64 if ours == "tic" else np.float64)
        except ValueError as error:
            raise InputError(f"column {name} of the catalogue holds no numbers: {error}") from error
        columns[ours] = np.asarray(numbers.filled(0 if ours == "tic" else np.nan))
    if not len(columns["ra"]):
        raise InputError("the catalogue is empty")
    for name in _OPTIONAL:
        columns[name] = np.nan_to_num(columns[name])
    return columns


def _discarded(catalog: Table | Mapping[str, ArrayLike], count: int) -> NDArray[np.bool_]:
    names = getattr(catalog, "colnames", None) or list(catalog)
    name = next((each for each in names if str(each).lower() == "disposition"), None)
    if name is None:
        return np.zeros(count, dtype=bool)
    words: Any = np.ma.asarray(catalog[name])
    texts = ["" if word is None or word is np.ma.masked else str(word).strip() for word in words]
    # A star that was split from another is one; MAST says so in a word, TASOC's copy of the catalogue by 3.
    return np.array([text.upper() not in ("", "SPLIT", "3", "NONE", "NAN", "--") for text in texts], dtype=bool)
