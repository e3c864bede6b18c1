"""Search: what was observed, and which files there are of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from tessellar.access.opening import archive_of
from tessellar.access.resolving import degrees_of, star_of
from tessellar.archives import Archive, Criteria
from tessellar.archives.base import check_radius
from tessellar.errors import QueryError
from tessellar.products.tables import ObservationTable, ProductTable
from tessellar.progress import Listener, ignore
from tessellar.targets import TIC

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

TimeLike: TypeAlias = "Time | str | float"


def search(
    target: str | int | TIC | None = None,
    *,
    sector: int | None = None,
    camera: int | None = None,
    ccd: int | None = None,
    cadence: float | None = None,
    author: str | None = None,
    kind: str | None = None,
    position: str | tuple[float, float] | SkyCoord | None = None,
    radius: float | None = None,
    time: tuple[TimeLike, TimeLike] | None = None,
    wanted: Sequence[str] | None = None,
    archive: str | Archive | None = None,
    listener: Listener = ignore,
    **columns: Any,
) -> ObservationTable:
    """Find the observations of a star, or of a sector.

    Parameters
    ----------
    target : str, int or TIC, optional
        A TIC id, matched exactly; or a name or position that `resolve` turns into one.
    sector : int, optional
        Of a multi-sector data-validation run the last sector, unless `kind` is
        ``"dv"``: then any sector of its range.
    camera, ccd : int, optional
        1 to 4.
    cadence : float, optional
        Exposure time of one cadence, in seconds: 20, 120, 200 ...
    author : str, optional
        The pipeline: ``SPOC``, ``TESS-SPOC``, ``QLP`` ...
    kind : str, optional
        ``lightcurve``, ``tpf``, ``dv``, ``cbv`` or ``ffi``. Images are only found when asked for.
    position : str, tuple or SkyCoord, optional
        Centre of a cone, in place of a target: degrees (ICRS), or a text as `resolve` reads it.
    radius : float, optional
        Of the cone, in degrees. With a target: find everything around its
        position in the TIC, not only the target. The table then has a column
        ``separation`` (arcsec), the nearest first.
    time : tuple, optional
        First and last time, as astropy ``Time``, ISO 8601 text (UTC), or MJD:
        only observations that overlap with it.
    wanted : sequence of str, optional
        Only these columns; a long answer then takes less time and memory.
    archive : str or Archive, optional
        ``"mast"``, the URL of a tessellar server, or an opened archive; by default the setting.
    listener : callable, optional
        Told of progress.
    **columns
        Any other column of the archive: a value, a list of values, a pattern
        with ``*``, or a ``(low, high)`` pair for numbers.

    Returns
    -------
    ObservationTable
        One row an observation; no row where there is none.

    Raises
    ------
    InputError
        If a criterion makes no sense.
    ArchiveError
        If the archive cannot be reached or does not answer properly.

    Examples
    --------
    >>> import tessellar
    >>> table = tessellar.search("TIC 25155310", sector=1)  # doctest: +SKIP
    """
    opened = archive_of(archive)
    criteria = criteria_of(
        opened, target, sector=sector, camera=camera, ccd=ccd, cadence=cadence, author=author, kind=kind,
        position=position, radius=radius, time=time, **columns,
    )  # fmt: skip
    if not criteria.bounded:
        what = "all validation runs are" if criteria.kind == "dv" else "everything of TESS is"
        raise QueryError(
            f"name a target, a position or a column to search by: {what} millions of rows; "
            "save_observations writes them to a file"
        )
    return opened.search(criteria, listener, wanted=wanted)


def criteria_of(
    archive: Archive,
    target: str | int | TIC | None = None,
    *,
    position: str | tuple[float, float] | SkyCoord | None = None,
    radius: float | None = None,
    time: tuple[TimeLike, TimeLike] | None = None,
    **criteria: Any,
) -> Criteria:
    """Read what `search` takes; the archive is asked for names, and for the place of a star with a radius."""
    named = {name: criteria.pop(name, None) for name in ("sector", "camera", "ccd", "cadence", "author", "kind")}
    tic = star_of(target, archive) if target is not None else None
    span = _time_span(time) if time is not None else None
    asked = Criteria(tic, **named, time=span, columns=criteria)
    if position is not None:
        if tic is not None:
            raise QueryError("give a target or a position, not both")
        return replace(asked, position=degrees_of(position), radius=radius)
    if radius is None:
        return asked
    if tic is None:
        raise QueryError("a radius needs a target or a position to search around")
    check_radius(radius)
    row = archive.target_position(tic)
    return replace(asked, target=None, position=(float(row["ra"]), float(row["dec"])), radius=radius)


def list_products(
    observations: ObservationTable,
    *,
    kind: str | None = None,
    archive: str | Archive | None = None,
    listener: Listener = ignore,
) -> ProductTable:
    """List the files of observations.

    Parameters
    ----------
    observations : ObservationTable
        As `search` returns it, or some of its rows.
    kind : str, optional
        Only files of this kind: ``lightcurve``, ``tpf``, ``dv``, ``cbv`` or ``ffi``.
    archive : str or Archive, optional
        By default the one that `observations` came from.
    listener : callable, optional
        Told of progress.

    Returns
    -------
    ProductTable
        One row a file, each file once.
    """
    if archive is None:
        archive = observations.meta.get("archive")
    table = archive_of(archive).products(observations, listener)
    return table.filter(kind=kind) if kind is not None and len(table) else table


def _time_span(time: tuple[TimeLike, TimeLike]) -> tuple[float, float]:
    """Return two times as MJD (UTC)."""
    from astropy.time import Time

    def days(value: TimeLike) -> float:
        if isinstance(value, int | float):
            return float(value)
        return float((Time(value, scale="utc") if isinstance(value, str) else value).utc.mjd)

    try:
        first, last = time
        return days(first), days(last)
    except (TypeError, ValueError) as error:
        raise QueryError(f"time {time!r} cannot be read: give two times, as in ('2018-07-25', '2018-08-22')") from error
