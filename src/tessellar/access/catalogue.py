"""Stars of the TESS Input Catalog: by id, around a position, on a CCD."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tessellar.access.opening import archive_of
from tessellar.access.resolving import degrees_of
from tessellar.access.saving import Saved, stream
from tessellar.archives import Archive, MastArchive
from tessellar.archives.base import check_radius
from tessellar.archives.catalog import check_faintest, columns_of, places_of
from tessellar.archives.sweep import Span, Sweep, Tally
from tessellar.errors import InputError, QueryError
from tessellar.products.stars import StarTable, is_kept
from tessellar.progress import Listener, ignore
from tessellar.store.tablefile import TableFile, check_format
from tessellar.targets import TIC, Field

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

Ids: TypeAlias = "int | str | TIC | Iterable[int | str | TIC]"
Epoch: TypeAlias = "float | str | Time"

_MOST_HOPS = 5  # from a duplicate to a duplicate to ... the star


def stars(
    ids: Ids | None = None,
    *,
    position: str | tuple[float, float] | SkyCoord | None = None,
    radius: float | None = None,
    field: Field | str | None = None,
    tmag: float | None = None,
    margin: float = 0.0,
    epoch: Epoch | None = None,
    all_entries: bool = False,
    wanted: Sequence[str] | None = None,
    archive: str | Archive | None = None,
    listener: Listener = ignore,
) -> StarTable:
    """Return stars of the TESS Input Catalog: some by their ids, all in a cone, or all on a CCD.

    Entries that the catalogue calls duplicates or artifacts are left out;
    those it calls split are stars. Of a duplicate that is asked for by its id,
    the entry that stands for the star is returned, and ``meta["duplicates"]``
    tells which. Ids that the catalogue does not have are in ``meta["unknown"]``.

    Parameters
    ----------
    ids : int, str, TIC, or several of them, optional
        TIC ids.
    position : str, tuple or SkyCoord, optional
        Centre of a cone (ICRS, degrees).
    radius : float, optional
        Of the cone, in degrees.
    field : Field or str, optional
        A CCD in a sector: ``Field(1, 4, 2)`` or ``"1-4-2"``. It is asked for in
        strips of declination, so that no question is too large.
    tmag : float, optional
        The faintest TESS magnitude.
    margin : float
        Pixels around the CCD that count as well.
    epoch : float, str or Time, optional
        Also give the positions then, as ``ra_epoch`` and ``dec_epoch``: a
        Julian year as in 2018.6, a time, or text as in ``"2018-08-07"``. The
        catalogue's own are of 2000.0.
    all_entries : bool
        Keep duplicates and artifacts.
    wanted : sequence of str, optional
        Columns (`tessellar.products.stars.STAR_COLUMNS`).
    archive : str or Archive, optional
        By default the setting.
    listener : callable, optional
        Told of rows as they arrive.

    Returns
    -------
    StarTable
        Of ids in their order, of a cone the nearest first, of a CCD the brightest first.

    Raises
    ------
    InputError
        If not exactly one of ids, a cone and a CCD is asked for, or it makes no sense.
    ArchiveError
        If the archive cannot be reached or does not answer properly.

    Examples
    --------
    >>> from tessellar.access import stars
    >>> bright = stars(field="1-4-2", tmag=10, epoch=2018.6)  # doctest: +SKIP
    >>> bright.write("tic.ecsv")  # doctest: +SKIP
    """
    if sum(each is not None for each in (ids, position, field)) != 1:
        raise QueryError("ask for stars by ids, around a position, or on a field: one of the three")
    check_faintest(tmag)
    btjd = _btjd(epoch)
    columns, asked = columns_of(wanted)
    opened = _catalogue(archive)
    if ids is not None:
        table = _by_id(opened, _numbers(ids), asked, all_entries, listener)
    elif position is not None:
        if radius is None:
            raise QueryError("a cone needs a radius, in degrees")
        check_radius(radius)
        rows = opened.stars_around(*degrees_of(position), radius, tmag=tmag, columns=asked, listener=listener)
        table = StarTable.from_rows([row for row in rows if all_entries or is_kept(row)])
        columns = f"{columns},dstArcSec"
    else:
        place = Field.parse(field) if isinstance(field, str) else field
        assert place is not None
        sweep = opened.stars_on(place, tmag=tmag, columns=asked, margin=margin, keep=True, listener=listener)
        table = StarTable.stacked(list(_on_field(sweep, place, margin, all_entries)))
        if len(table):
            table.sort("Tmag")
    table.meta |= {"archive": opened.name}
    return _finished(table, columns, btjd)


def save_stars(
    path: str | os.PathLike[str],
    field: Field | str,
    *,
    tmag: float | None = None,
    margin: float = 0.0,
    epoch: Epoch | None = None,
    all_entries: bool = False,
    wanted: Sequence[str] | None = None,
    archive: str | Archive | None = None,
    listener: Listener = ignore,
) -> Saved:
    """Write the stars on a CCD into a file, strip by strip, whatever their number; by declination.

    When it is interrupted, or killed, the same call goes on with the next
    strip. The file appears when it is complete.

    Parameters
    ----------
    path : path-like
        Ending in ``.csv``, ``.ecsv`` or ``.parquet``. Named ``tic.ecsv``, it is a
        catalogue that `tessellar serve` answers from.
    field, tmag, margin, epoch, all_entries, wanted, archive, listener
        As `stars` takes them.

    Returns
    -------
    Saved
        The file, and how many rows it has.
    """
    target = Path(path).expanduser().absolute()
    check_format(target)
    check_faintest(tmag)
    btjd = _btjd(epoch)
    columns, asked = columns_of(wanted)
    names = columns.split(",") + (["ra_epoch", "dec_epoch", "moved"] if btjd is not None else [])
    place = Field.parse(field) if isinstance(field, str) else field
    opened = _catalogue(archive)
    question = {"archive": opened.name, "field": str(place), "tmag": tmag, "margin": margin, "all": all_entries}
    about = {"archive": opened.name, "field": str(place), **({} if btjd is None else {"epoch_btjd": btjd})}
    file = TableFile(target, StarTable, names, {**question, "epoch": btjd}, about)

    def begin(pending: list[Span] | None, tally: Tally | None) -> Sweep:
        return opened.stars_on(
            place, tmag=tmag, columns=asked, margin=margin, pending=pending, tally=tally, listener=listener
        )

    def tables(sweep: Sweep) -> Iterator[StarTable]:
        for table in _on_field(sweep, place, margin, all_entries):
            if btjd is not None:
                table.move_to(btjd)
            yield table

    # The strips reach over the edges of the CCD, by less the narrower they are: their sums tell nothing.
    return replace(stream(file, begin, tables), missing=0)


def _on_field(sweep: Sweep, field: Field, margin: float, all_entries: bool) -> Iterator[StarTable]:
    """Give the stars of each strip that are on the CCD."""
    on = places_of(field, margin)
    for rows in sweep:
        table = StarTable.from_rows([row for row in rows if all_entries or is_kept(row)])
        if not len(table):
            continue
        ra, dec = (np.ma.filled(np.ma.asarray(table[name]), np.nan) for name in ("ra", "dec"))
        kept: StarTable = table[on(ra, dec)]
        yield kept


def _by_id(archive: MastArchive, ids: Sequence[int], columns: str, all_entries: bool, listener: Listener) -> StarTable:
    """Return stars in the order of their ids, duplicates followed to the entries that stand for them."""
    found: dict[int, dict[str, Any]] = {}
    missing = list(dict.fromkeys(ids))
    for _ in range(_MOST_HOPS):
        if not missing:
            break
        rows = archive.stars_by_id(missing, columns=columns, listener=listener)
        found |= {int(row["ID"]): row for row in rows}
        followed = [] if all_entries else [_stands_for(row) for row in rows]
        missing = [other for other in dict.fromkeys(followed) if other is not None and other not in found]
    ends = {asked: asked if all_entries else _end(asked, found) for asked in dict.fromkeys(ids)}
    kept = [found[end] for end in dict.fromkeys(ends.values()) if end is not None and end in found]
    table = StarTable.from_rows([row for row in kept if all_entries or is_kept(row)])
    duplicates = {str(asked): end for asked, end in ends.items() if end in found and end != asked}
    known = set(table["ID"].tolist()) if len(table) else set()
    unknown = [asked for asked, end in ends.items() if end not in known]
    table.meta |= {name: value for name, value in (("duplicates", duplicates), ("unknown", unknown)) if value}
    if not len(table):
        raise QueryError(f"TIC {', '.join(map(str, unknown[:5]))}: not in the catalogue of {archive.name}")
    return table


def _end(asked: int, found: dict[int, dict[str, Any]]) -> int | None:
    """Follow an entry to the one that stands for its star; None where they lead in a circle, or nowhere."""
    here: int | None = asked
    for _ in range(_MOST_HOPS):
        if here is None or here not in found:
            return here
        after = _stands_for(found[here])
        if after is None:
            return here
        here = after
    return None


def _stands_for(row: dict[str, Any]) -> int | None:
    """Return the TIC id of the entry that a duplicate is one of; None if the row is a star of its own."""
    if str(row.get("disposition") or "").strip().upper() != "DUPLICATE":
        return None
    other = str(row.get("duplicate_id") or "").strip().split(".")[0]
    return int(other) if other.isdecimal() and int(other) > 0 else None


def _finished(table: StarTable, columns: str, btjd: float | None) -> StarTable:
    """Add the positions at an epoch, and keep the wanted columns in their order."""
    if btjd is not None and len(table):
        table.move_to(btjd)
        columns = f"{columns},ra_epoch,dec_epoch,moved"
    wanted = list(dict.fromkeys(columns.split(",")))
    for name in wanted:
        if name not in table.colnames:
            table[name] = StarTable.from_rows([{}] * len(table), [name])[name]
    kept: StarTable = table[wanted]
    return kept


def _catalogue(archive: str | Archive | None) -> MastArchive:
    opened = archive_of(archive)
    if not isinstance(opened, MastArchive):
        raise InputError(f"{opened.name}: has no TESS Input Catalog")
    return opened


def _numbers(ids: Ids) -> list[int]:
    several = [ids] if isinstance(ids, int | str | TIC | np.integer) else list(ids)
    if not several:
        raise QueryError("no id is given")
    return [int(TIC(each)) for each in several]


def _btjd(epoch: Epoch | None) -> float | None:
    """Return an epoch as BTJD."""
    if epoch is None:
        return None
    from astropy.time import Time

    from tessellar.mission.time import time_to_btjd

    try:
        if isinstance(epoch, int | float | np.floating):
            if not 1800 <= float(epoch) <= 2200:
                raise ValueError(epoch)
            epoch = Time(float(epoch), format="jyear", scale="tdb")
        elif isinstance(epoch, str):
            epoch = Time(epoch, scale="utc")
        return float(time_to_btjd(epoch))
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"epoch {epoch!r} cannot be read: give a Julian year as in 2018.6, or a date") from error
