"""TESScut's addresses: which sectors, cameras and CCDs a place falls on.

A sector of which this archive holds full-frame images is told where these
cover the place, for only they can be cut out; of another sector that it holds
data of, the mission's CCD geometry tells.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from functools import cache
from typing import Any

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tessellar.errors import QueryError
from tessellar.mission.ccd import footprint, locate
from tessellar.mission.sectors import all_sectors
from tessellar.server.cutouts import NothingToCut, cut, parse_cutout
from tessellar.server.database import Reader
from tessellar.server.downloads import FormTooLarge, form_fields
from tessellar.server.index import Index
from tessellar.server.questions import cone_of
from tessellar.server.regions import touches
from tessellar.server.sphere import near
from tessellar.targets import Field

_BASE = "/tesscut/api/v0.1"
_IMAGES = "dataproduct_type IN ('image', 'cube') AND camera IS NOT NULL AND ccd IS NOT NULL"


def tesscut_routes() -> list[BaseRoute]:
    """The addresses below ``/tesscut``; the application's state must have an `Index` ``index``, and ``look_again``."""
    both = ["GET", "POST"]
    return [
        Route(f"{_BASE}/sector", _sectors, methods=both),
        Route(f"{_BASE}/astrocut", _cutouts, methods=both),
        Route(f"{_BASE}/moving_target/sector", _moving, methods=both),
        Route(f"{_BASE}/moving_target/astrocut", _moving, methods=both),
    ]


def fields_touched(reader: Reader, ra: float, dec: float, radius: float = 0.0) -> list[Field]:
    """Return the CCDs, with their sectors, that a cone touches, of those that the archive holds images of.

    An archive without any image tells those of the sectors of which it holds anything.

    Parameters
    ----------
    reader : Reader
        Of the index.
    ra, dec, radius : float
        Degrees.
    """
    images = {Field(*row) for row in reader.known(f"SELECT DISTINCT sequence_number, camera, ccd {_from(_IMAGES)}")}
    held = {sector for (sector,) in reader.known(f"SELECT DISTINCT sequence_number {_from('1')}")}
    known = {sector.number for sector in all_sectors()}
    found = {field for field in _by_geometry(sorted(held & known), ra, dec, radius) if not images or field in images}
    box, edges = near("observations", ra, dec, radius)
    rows = reader.rows(
        f"SELECT DISTINCT sequence_number, camera, ccd {_from(_IMAGES)} AND {box} AND touches(s_region, ?, ?, ?)",
        [*edges, ra, dec, radius],
    )
    return sorted(found | {Field(*row) for row in rows})


def _from(condition: str) -> str:
    return f"FROM observations WHERE sequence_number BETWEEN 1 AND 9999 AND {condition}"


def _by_geometry(sectors: Iterable[int], ra: float, dec: float, radius: float) -> set[Field]:
    sectors = list(sectors)
    found = {place.field for place in locate(ra, dec, sectors)} if sectors else set()
    if radius > 0:
        places = ((sector, camera, ccd) for sector in sectors for camera in range(1, 5) for ccd in range(1, 5))
        found |= {field for field in (Field(*place) for place in places) if touches(_outline(field), ra, dec, radius)}
    return found


@cache
def _outline(field: Field) -> str:
    ra, dec = footprint(field)
    return "POLYGON " + " ".join(f"{a:.6f} {d:.6f}" for a, d in zip(ra, dec, strict=True))


async def _sectors(request: Request) -> Response:
    try:
        asked = await _asked(request)
        ra, dec, radius = cone_of({"radius": 0.0, **asked})
    except FormTooLarge:
        return refused("the request is too large", 413)
    except QueryError as error:
        return refused(str(error), 400)
    await request.app.state.look_again(request.app)
    fields = await run_in_threadpool(_touched, request.app.state.index, ra, dec, radius)
    return JSONResponse({"results": [_described(field) for field in fields]})


async def _cutouts(request: Request) -> Response:
    try:
        asked = await _asked(request)
        ra, dec, _ = cone_of({**asked, "radius": 0.0})
        wanted = parse_cutout(asked, ra, dec)
        await request.app.state.look_again(request.app)
        made = await run_in_threadpool(cut, request.app.state.index, wanted)
    except FormTooLarge:
        return refused("the request is too large", 413)
    except QueryError as error:
        return refused(str(error), 400)
    except NothingToCut as error:
        # Clients look for this reason in answers that went well.
        return refused(str(error), 200)
    name = f"astrocut_{wanted.ra}_{wanted.dec}_{wanted.size[0]:g}x{wanted.size[1]:g}{wanted.unit}.zip"
    clearing = BackgroundTask(shutil.rmtree, made.parent, ignore_errors=True)
    return FileResponse(made, media_type="application/zip", filename=name, background=clearing)


async def _moving(request: Request) -> Response:
    asked = await _asked(request)
    name = json.dumps(asked.get("obj_id", ""))
    return refused(f"moving target {name}: this archive has no ephemerides; ask for a position instead", 501)


def refused(message: str, status: int) -> Response:
    """Say why a question is not answered, where TESScut's clients look for it."""
    return JSONResponse({"results": [], "msg": message}, status_code=status)


async def _asked(request: Request) -> dict[str, Any]:
    """Return the fields of a question, which may be a form or stand in the address."""
    form = await form_fields(request) if request.method == "POST" else {}
    return {**request.query_params, **{name: values[0] for name, values in form.items()}}


def _touched(index: Index, ra: float, dec: float, radius: float) -> list[Field]:
    with index.reading() as reader:
        return fields_touched(reader, ra, dec, radius)


def _described(field: Field) -> dict[str, str]:
    return {
        "sectorName": f"tess-s{field.sector:04d}-{field.camera}-{field.ccd}",
        "sector": f"{field.sector:04d}",
        "camera": str(field.camera),
        "ccd": str(field.ccd),
    }
