"""Where and when: on which CCD a position falls in each sector, observed or still to come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

from tessellar.access.opening import archive_of
from tessellar.access.resolving import read_position, resolve
from tessellar.archives import Archive
from tessellar.errors import InputError
from tessellar.mission.ccd import FIRST_COLUMN, FIRST_ROW, LAST_COLUMN, LAST_ROW, locate_many
from tessellar.mission.sectors import get_sector
from tessellar.targets import TIC

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

_COLUMNS = {
    "index": "which of the positions, from 0",
    "sector": "sector",
    "camera": "camera, 1 to 4",
    "ccd": "CCD, 1 to 4",
    "column": "1-based column of a full-frame image",
    "row": "1-based row of a full-frame image",
    "edge": "distance from the nearest edge of the science pixels",
    "start": "scheduled start, JD(UTC) - 2457000",
    "end": "scheduled end, JD(UTC) - 2457000",
    "measured": "whether the pointing is measured; otherwise it is predicted",
}
_UNITS = {"column": "pix", "row": "pix", "edge": "pix", "start": "d", "end": "d"}


def observability(
    where: str | int | TIC | tuple[Any, Any] | SkyCoord,
    *,
    sectors: Iterable[int] | None = None,
    archive: str | Archive | None = None,
) -> Table:
    """Tell on which CCDs a star or positions fall, in every sector whose pointing is known.

    A position needs no network: the answer comes from the table of pointings
    in the package. A name or TIC id is resolved first. The stars' proper
    motions are not applied.

    Parameters
    ----------
    where : str, int, TIC, tuple or SkyCoord
        What `resolve` takes; or a position or arrays of positions (ICRS):
        ``(ra, dec)`` in degrees, or a SkyCoord.
    sectors : iterable of int, optional
        Only these.
    archive : str or Archive, optional
        Who resolves a name; by default the setting.

    Returns
    -------
    astropy.table.Table
        One row for each position and sector, with ``sector, camera, ccd,
        column, row`` (1-based pixels of a full-frame image), ``edge`` (pixels
        from the nearest edge), ``start, end`` (scheduled, JD(UTC) - 2457000),
        ``measured`` (False where the pointing is predicted), and ``index``,
        which counts the positions from 0. For a name or TIC id also
        ``products``: whether the archive has light curves or target pixel
        files of the star in that sector.

    Raises
    ------
    InputError
        If a position is not on the sky, or the name is not known.

    Examples
    --------
    >>> from tessellar.access import observability
    >>> table = observability((63.37389, -69.226789), sectors=[1, 2])
    >>> table["sector"].tolist(), table["camera"].tolist(), table["ccd"].tolist()
    ([1, 2], [4, 4], [1, 2])
    """
    found = None
    position = _position(where)
    if position is None:
        found = resolve(where, archive=archive_of(archive))  # type: ignore[arg-type]
        position = (np.array([found.ra]), np.array([found.dec]))
    index, sector, camera, ccd, column, row = locate_many(position[0], position[1], sectors)
    facts = {number: get_sector(int(number)) for number in np.unique(sector)}
    edge = np.minimum.reduce([column - FIRST_COLUMN, LAST_COLUMN - column, row - FIRST_ROW, LAST_ROW - row]) + 0.5
    values = {
        "index": index,
        "sector": sector,
        "camera": camera,
        "ccd": ccd,
        "column": column,
        "row": row,
        "edge": edge,
        "start": np.array([facts[number].start for number in sector], dtype=np.float64),
        "end": np.array([facts[number].end for number in sector], dtype=np.float64),
        "measured": np.array([facts[number].measured for number in sector], dtype=bool),
    }
    table = Table(values, descriptions=_COLUMNS, units=_UNITS)
    if found is not None:
        table["products"] = np.isin(sector, found.sectors)
        table["products"].description = "whether the archive has light curves or target pixel files of it"
        table.meta["tic"] = int(found.tic)
        table.meta["matched"] = found.matched
    return table


def _position(where: Any) -> tuple[Any, Any] | None:
    """Return arrays of right ascension and declination; None for a name."""
    if isinstance(where, str):
        place = read_position(where)
        return None if place is None else (np.array([place[0]]), np.array([place[1]]))
    if isinstance(where, tuple):
        if len(where) != 2 or np.shape(where[0]) != np.shape(where[1]):
            raise InputError("positions are a pair: right ascensions and as many declinations, in degrees")
        return np.atleast_1d(np.asarray(where[0], float)), np.atleast_1d(np.asarray(where[1], float))
    if hasattr(where, "icrs"):
        return np.atleast_1d(where.icrs.ra.deg), np.atleast_1d(where.icrs.dec.deg)
    return None
