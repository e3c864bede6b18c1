"""What is looked for, in the words of MAST's portal: services, parameters, filters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tessellar.archives.base import Criteria
from tessellar.archives.portal import range_filter, text_filter
from tessellar.errors import QueryError
from tessellar.products.tables import OBSERVATION_COLUMNS, ColumnInfo

_NEVER = 1e6  # MJD

# Columns that tell what the archive's other columns do not: they are asked for, whatever is wanted.
_NEEDED = ("obsid", "obs_id", "dataURL", "dataproduct_type", "sequence_number", "s_ra", "s_dec")
_OURS = ("separation", "sector_first", "sector_last", "camera", "ccd")


def question_of(
    criteria: Criteria,
    wanted: Sequence[str] | None = None,
    strip: tuple[float, float] | None = None,
    *,
    counting: bool = False,
) -> tuple[str, dict[str, Any]]:
    """Return the service that finds observations, and what it is asked.

    Parameters
    ----------
    criteria : Criteria
        What is looked for.
    wanted : sequence of str, optional
        Columns; those by which rows are understood are asked for as well.
    strip : tuple of float, optional
        Only observations with declinations between these, both included.
    counting : bool
        Only their number is asked for.

    Raises
    ------
    QueryError
        If there is no such column.
    """
    filters = list(filters_of(criteria))
    if strip is not None:
        filters.append(range_filter("s_dec", *strip))
    params: dict[str, Any] = {"columns": "*" if wanted is None else _asked_for(wanted), "filters": filters}
    if criteria.position is None or criteria.radius is None:
        return "Mast.Caom.Filtered", params
    ra, dec = criteria.position
    if not filters and wanted is None and not counting:
        return "Mast.Caom.Cone", {"ra": ra, "dec": dec, "radius": criteria.radius}
    return "Mast.Caom.Filtered.Position", {**params, "position": f"{ra!r}, {dec!r}, {criteria.radius!r}"}


def _asked_for(wanted: Sequence[str]) -> str:
    for name in wanted:
        check_column(name)
    return ",".join(dict.fromkeys([*(name for name in wanted if name not in (*_OURS, "distance")), *_NEEDED]))


def check_column(name: str) -> ColumnInfo:
    """Return what is known of a column of observations.

    Raises
    ------
    QueryError
        If there is none of that name; it says which come near.
    """
    return known_column(name, OBSERVATION_COLUMNS)


def known_column(name: str, known: Mapping[str, ColumnInfo]) -> ColumnInfo:
    """Return what is known of a column of some table; raise `QueryError` with the nearest names if it is none."""
    if name in known:
        return known[name]
    import difflib

    near = [each for each in known if each.lower() == name.lower()]
    near = near or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(known)}"
    raise QueryError(f"no column is called {name!r}; {hint}")


def filters_of(criteria: Criteria) -> Iterator[dict[str, Any]]:
    """Give the filters that stand for criteria."""
    given = criteria.columns
    if criteria.only_tess:
        wanted = "image" if criteria.kind == "ffi" else "timeseries"
        usual = {"obs_collection": ("TESS", "HLSP"), "dataproduct_type": (wanted,)}
        if criteria.author is None:
            usual["project"] = ("TESS",)  # some authors' products are filed under a project of their own
        yield from (text_filter(name, *values) for name, values in usual.items() if name not in given)
    if criteria.target is not None:
        yield text_filter("target_name", criteria.target.id)
    if criteria.author is not None:
        yield text_filter("provenance_name", criteria.author)
    if criteria.sector is not None and criteria.kind != "dv":
        # A multi-sector run carries its last sector here; those are asked for without it.
        yield text_filter("sequence_number", str(criteria.sector))
    if criteria.cadence is not None and criteria.kind != "ffi":
        yield range_filter("t_exptime", criteria.cadence - 0.5, criteria.cadence + 0.5)
    if criteria.kind == "ffi" and criteria.sector is not None and criteria.camera and criteria.ccd:
        yield text_filter("obs_id", f"*s{criteria.sector:04d}-{criteria.camera}-{criteria.ccd}-*")
    if criteria.time is not None:
        yield range_filter("t_min", 0.0, criteria.time[1])
        yield range_filter("t_max", criteria.time[0], _NEVER)
    for name, value in given.items():
        yield _column_filter(name, value)


def _column_filter(name: str, value: Any) -> dict[str, Any]:
    info = check_column(name)
    if name in _OURS:
        raise QueryError(f"{name} is no column of the archive: search by sector, camera, ccd or position")
    if isinstance(value, tuple):
        if len(value) != 2 or info.kind is str:
            raise QueryError(f"{name} = {value!r}: a range needs a low and a high bound, on a column of numbers")
        return range_filter(name, *value)
    if info.kind is float:
        return range_filter(name, value, value)
    values = value if isinstance(value, list | set) else [value]
    return text_filter(name, *(str(item) for item in values))
