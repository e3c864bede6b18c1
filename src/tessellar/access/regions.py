"""Every light curve whose star lies in a region of the sky.

Questions go to the archive's TAP service, as boxes of right ascension and
declination with the geometry; the answer is held against the region here,
exactly. Where the service gives up on a box, or cuts its answer short, the
box is halved: the result is the same whichever way it was cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from tessellar.access.footprints import Footprint, field_of, footprint
from tessellar.archives import open_archive
from tessellar.archives.describing import described, joined_products, put_on_ccds
from tessellar.archives.tap import TAP_PATH, TapService, literal, tap_service
from tessellar.errors import InputError, ResultTruncated, TimedOut
from tessellar.mission import SkyRegion, get_sector
from tessellar.products.tables import ProductTable, columns_of, plain_rows
from tessellar.progress import Event, Listener, ignore
from tessellar.targets import Field

Span = tuple[float, float]

_COLUMNS = (
    "obs_collection", "obs_id", "obsid", "target_name", "sequence_number", "s_ra", "s_dec", "t_exptime", "t_min",
    "t_max", "provenance_name", "project", "dataproduct_type", "calib_level", "dataRights", "filters", "proposal_id",
    "dataURL",
)  # fmt: skip
_ENDINGS = ("%lc.fits", "%lc.fits.gz")
_VALIDATION = "%_dvt.fits"
_SMALLEST = 1e-3  # degrees: a box is not halved further


def lightcurves_in(
    region: SkyRegion | Footprint | Field | str,
    *,
    sectors: Iterable[int] | int | None = None,
    cadence: float | None = None,
    author: str | None = None,
    validation: bool = False,
    archive: str | None = None,
    service: TapService | None = None,
    listener: Listener = ignore,
) -> ProductTable:
    """Find all light curves whose star lies in a region, in all sectors.

    Parameters
    ----------
    region : SkyRegion, Footprint, Field or str
        A region; or a field as `footprint` takes it (its science pixels, from
        our own table); or a text as `SkyRegion.parse` reads it.
    sectors : iterable of int, or int, optional
        Only these.
    cadence : float, optional
        Only this exposure time, in seconds.
    author : str, optional
        Only this pipeline: ``SPOC``, or a contributed one such as ``QLP``,
        ``TESS-SPOC``; by default what the mission made itself.
    validation : bool
        Whether to list the time series of data validation as well.
    archive : str, optional
        As for `tessellar.search`.
    service : TapService, optional
        An opened one, in place of the archive's.
    listener : callable, optional
        Told of the boxes that are asked.

    Returns
    -------
    ProductTable
        One row a light curve, sorted by observation, with ``s_ra`` and ``s_dec``
        (degrees, ICRS) of its star: to be fetched, listed or scripted as any other.

    Raises
    ------
    InputError, QueryError
        If it is no region, or a sector is not in our table.
    ArchiveError
        If the service cannot be reached, or no box is small enough for it.
    """
    there = region_of(region)
    wanted = _sectors(sectors)
    if cadence is not None and not 0 < cadence < math.inf:
        raise InputError(f"cadence {cadence:g} s cannot be: give the exposure time in seconds, as in 120")
    asking = service or tap_service(archive)
    rows: dict[str, dict[str, Any]] = {}
    spans, dec = there.box
    boxes = [(span, dec) for span in spans]
    geometry = True
    done = 0
    while boxes:
        ra_span, dec_span = boxes.pop()
        shape = there if geometry else None
        adql = question(ra_span, dec_span, shape, sectors=wanted, cadence=cadence, author=author, validation=validation)
        try:
            table = asking.query(adql, mode="sync")
        except TimedOut:
            if geometry:
                geometry = False  # some services take the box alone in a moment, and the geometry never
                listener(Event("tap", done, None, "boxes", note="no answer in time: asking without the geometry"))
                boxes.append((ra_span, dec_span))
                continue
            boxes += _halved(ra_span, dec_span, "does not answer in time", asking)
            continue
        if table.meta["overflow"]:
            boxes += _halved(ra_span, dec_span, f"gives no more than {len(table)} rows", asking)
            continue
        for row in plain_rows(table):
            rows[str(row["obs_id"])] = row
        done += 1
        listener(Event("tap", done, done + len(boxes), "boxes", finished=not boxes))
    return _products(rows, there, asking)


def region_of(region: SkyRegion | Footprint | Field | str) -> SkyRegion:
    """Return the region that is meant: itself, of a field, or as a text says."""
    if isinstance(region, SkyRegion):
        return region
    if isinstance(region, Footprint):
        return region.region
    if isinstance(region, str) and " " in region.strip():  # a field has none, a shape cannot do without
        return SkyRegion.parse(region)
    return footprint(field_of(region)).region


def question(
    ra: Span,
    dec: Span,
    region: SkyRegion | None = None,
    *,
    sectors: Sequence[int] | None = None,
    cadence: float | None = None,
    author: str | None = None,
    validation: bool = False,
) -> str:
    """Write the ADQL that asks for the light curves in a box, degrees, and in a region that ADQL has."""
    endings = (*_ENDINGS, _VALIDATION) if validation else _ENDINGS
    named = " OR ".join(f"dataURL LIKE {literal(ending)}" for ending in endings)
    conditions = [
        f"obs_collection = {literal('TESS')}" if author in (None, "SPOC") else "obs_collection IN ('TESS', 'HLSP')",
        "dataproduct_type = 'timeseries'",
        f"({named})",
        f"s_dec BETWEEN {dec[0]:.8f} AND {dec[1]:.8f}",
        f"s_ra BETWEEN {ra[0]:.8f} AND {ra[1]:.8f}",
    ]
    if author is not None:
        conditions.append(f"provenance_name = {literal(author)}")
    if sectors is not None:
        conditions.append(f"sequence_number IN ({', '.join(map(str, sectors))})")
    if cadence is not None:
        conditions.append(f"t_exptime BETWEEN {cadence - 0.5:g} AND {cadence + 0.5:g}")
    if region is not None and region.kind in ("circle", "polygon"):
        conditions.append(f"1 = CONTAINS(POINT('ICRS', s_ra, s_dec), {region.to_adql()})")
    listed = ", ".join(_COLUMNS)
    return f"SELECT {listed}\nFROM dbo.obspointing\nWHERE " + "\n  AND ".join(conditions)


def _sectors(sectors: Iterable[int] | int | None) -> list[int] | None:
    if sectors is None:
        return None
    wanted = [int(sector) for sector in (sectors if isinstance(sectors, Iterable) else [sectors])]
    if not wanted:
        raise InputError("sectors is empty: leave it out, or name at least one")
    return sorted({get_sector(sector).number for sector in wanted})


def _halved(ra: Span, dec: Span, what: str, service: TapService) -> list[tuple[Span, Span]]:
    """Cut a box along its longer side."""
    if max(ra[1] - ra[0], dec[1] - dec[0]) < _SMALLEST:
        where = f"box of {_SMALLEST:g} degrees at {ra[0]:.4f} {dec[0]:.4f}"
        kind = TimedOut if "in time" in what else ResultTruncated
        raise kind(f"{service.url} {what}, even for a {where}: ask for fewer sectors, or one cadence", url=service.url)
    if ra[1] - ra[0] > dec[1] - dec[0]:
        middle = (ra[0] + ra[1]) / 2
        return [((ra[0], middle), dec), ((middle, ra[1]), dec)]
    middle = (dec[0] + dec[1]) / 2
    return [(ra, (dec[0], middle)), (ra, (middle, dec[1]))]


def _products(rows: dict[str, dict[str, Any]], region: SkyRegion, service: TapService) -> ProductTable:
    """Return the files of the observations whose stars are inside."""
    placed = [row for row in rows.values() if row["s_ra"] is not None and row["s_dec"] is not None]
    inside = region.contains([row["s_ra"] for row in placed], [row["s_dec"] for row in placed])
    observed = [row for row, held in zip(placed, inside, strict=True) if held]
    columns = put_on_ccds(described(columns_of(sorted(observed, key=lambda row: str(row["obs_id"])))))
    found = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    files = {**columns, "obsID": columns.get("obsid", ()), "dataURI": columns.get("dataURL", ())}
    table = ProductTable.from_columns(joined_products(files, {str(row["obsid"]): row for row in found}))
    archive = service.url.removesuffix(TAP_PATH)
    table.meta |= {"region": str(region), "archive": archive, "url_template": open_archive(archive).url_template}
    return table
