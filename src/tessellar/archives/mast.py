"""The Mikulski Archive for Space Telescopes, or any server that speaks its protocol."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import quote, urlsplit

from tessellar import config
from tessellar.archives.answers import Answers
from tessellar.archives.base import Criteria
from tessellar.archives.portal import Portal, range_filter, read_columns, text_filter
from tessellar.archives.resolver import NamedPlace, question, read_answer, service_url
from tessellar.errors import InputError, QueryError, ResultTruncated, TimedOut
from tessellar.mission.ccd import locate_many
from tessellar.mission.cloud import s3_uri
from tessellar.mission.names import match_name
from tessellar.mission.sentences import describe
from tessellar.mission.tangent import angular_separation
from tessellar.net import Remote, Reply, Transport, run
from tessellar.net.retry import retrying
from tessellar.products.tables import OBSERVATION_COLUMNS, ObservationTable, ProductTable
from tessellar.progress import Event, Listener, ignore
from tessellar.targets import TIC

MAST_URL = "https://mast.stsci.edu"
_TIC_COLUMNS = "ID,ra,dec,pmRA,pmDEC,Tmag,Teff,GAIA,TWOMASS,HIP,objType,disposition"

# What MAST calls the products whose names do not tell.
_KINDS = {"LC": "lightcurve", "FAST-LC": "lightcurve", "TP": "tpf", "FAST-TP": "tpf", "DVT": "dv", "DVR": "dv",
          "DVM": "dv", "DVS": "dv", "FFIC": "ffi", "FFIR": "ffi", "CBV": "cbv"}  # fmt: skip

_NEVER = 1e6  # MJD

# One request for the products of this many observations; MAST joins slowly beyond.
_PRODUCTS_AT_A_TIME = 100


class MastArchive:
    """Search, products and URLs of one MAST portal.

    Parameters
    ----------
    url : str
        Without a path, as ``https://mast.stsci.edu`` or ``http://127.0.0.1:8000``.
    settings : Settings, optional
        By default those that hold now.
    """

    def __init__(self, url: str = MAST_URL, settings: config.Settings | None = None) -> None:
        if not _is_url(url):
            raise InputError(f"archive {url!r} is not known: write mast, or a URL as in http://127.0.0.1:8000")
        self.name = url.rstrip("/")
        self._settings = settings or config.load()

    @property
    def url_template(self) -> str:
        """Where files are fetched, with ``{uri}`` for the name of one."""
        return f"{self.name}/api/v0.1/Download/file?uri={{uri}}"

    def search(self, criteria: Criteria, listener: Listener = ignore) -> ObservationTable:
        """Return the observations that meet `criteria`.

        Camera and CCD of a target's observation are not in MAST's tables: they
        are computed from its position and the pointing of the sector.

        Raises
        ------
        ArchiveError
            If the archive cannot be reached or answers nonsense.
        QueryError
            If it refuses the question.
        """
        rows = run(self._ask(*_question(criteria), listener))
        described = [_described(row) for row in rows]
        _put_on_ccds(described)
        rows = [row for row in described if _belongs(row, criteria)]
        if criteria.position is not None:
            rows = _by_separation(rows, criteria.position)
        table = ObservationTable.from_rows(rows)
        table.meta["archive"] = self.name
        table.meta["url_template"] = self.url_template
        return table

    def count(self, criteria: Criteria) -> int:
        """Return how many observations meet `criteria`, without asking for them."""
        service, params = _question(criteria)
        (row,) = run(self._ask(service, {**params, "columns": "COUNT_BIG(*)"}, ignore))
        return int(next(iter(row.values())))

    def describe_columns(self, service: str) -> dict[str, dict[str, Any]]:
        """Return what the archive says of the columns of a service: label, type, unit, description ..."""
        return run(self._ask_columns(service))

    def products(self, observations: ObservationTable, listener: Listener = ignore) -> ProductTable:
        """Return the files of observations, each once, with what is known of the observation beside it."""
        parents = {str(row["obsid"]): row for row in observations.rows()}
        rows = run(self._ask_products(list(parents), listener))
        unique = {str(row["dataURI"]): _joined(row, parents) for row in reversed(rows) if row.get("dataURI")}
        table = ProductTable.from_rows(list(reversed(unique.values())))
        table.meta["archive"] = self.name
        table.meta["url_template"] = self.url_template
        return table

    def locate(
        self, uri: str, *, filename: str = "", collection: str = "", obs_id: str = "", size: int | None = None
    ) -> Remote:
        """Say where a file can be fetched; asks nobody."""
        name = filename or uri.rsplit("/", 1)[-1]
        known = match_name(name)
        return Remote(
            uri=uri,
            url=self.url_template.format(uri=quote(uri, safe=":/")),
            filename=name,
            collection=collection or (known.collection if known else "TESS"),
            obs_id=obs_id or (known.obs_id if known else name.split(".")[0]),
            size=size,
        )

    def target_position(self, target: TIC) -> Mapping[str, Any]:
        """Return the row of a star in the TESS Input Catalog (position ICRS, degrees, epoch 2000).

        Raises
        ------
        QueryError
            If the catalogue has no such star.
        """
        rows = self.stars_named("ID", target.id)
        if not rows:
            raise QueryError(f"{target} is not in the catalogue of {self.name}: check the number")
        return rows[0]

    def stars_named(self, column: str, value: str) -> list[dict[str, Any]]:
        """Return the rows of the TESS Input Catalog with a value in a column of names: ``ID``, ``GAIA`` (DR2) ..."""
        params = {"columns": _TIC_COLUMNS, "filters": [text_filter(column, value)]}
        rows = run(self._ask("Mast.Catalogs.Filtered.Tic.Rows", params, ignore))
        return [row for row in rows if str(row.get(column)) == value]

    def stars_near(self, ra: float, dec: float, radius: float) -> list[dict[str, Any]]:
        """Return the rows of the TESS Input Catalog in a cone (degrees, ICRS, epoch 2000), the nearest first.

        ``dstArcSec`` is the distance from the centre, in arcsec.
        """
        rows = run(self._ask("Mast.Catalogs.Tic.Cone", {"ra": ra, "dec": dec, "radius": radius}, ignore))
        return sorted(rows, key=lambda row: float(row.get("dstArcSec") or 0.0))

    def places(self, name: str) -> list[NamedPlace]:
        """Ask the archive's name service for a name; empty if it knows none."""
        return run(self._ask_places(name))

    async def _ask_products(self, ids: list[str], listener: Listener) -> list[dict[str, Any]]:
        """Ask for the products of many observations; halve the batch when the archive does not manage it in time."""
        rows: list[dict[str, Any]] = []
        done, size = 0, _PRODUCTS_AT_A_TIME
        async with Transport(self._settings) as transport:
            while done < len(ids):
                batch = ids[done : done + size]
                portal = Portal(self.name, transport, self._settings)
                try:
                    rows += await portal.rows(
                        "Mast.Caom.Products", {"obsid": ",".join(batch)}, listener, insist=len(batch) == 1
                    )
                except (TimedOut, ResultTruncated):
                    if len(batch) == 1:
                        raise
                    size = len(batch) // 2
                    continue
                done += len(batch)
                listener(Event("list files", done, len(ids), "observations", finished=done == len(ids)))
        return rows

    async def _ask_columns(self, service: str) -> dict[str, dict[str, Any]]:
        url = f"{self.name}/portal/Mashup/Mashup.asmx/columnsconfig"
        async with Transport(self._settings) as transport:
            reply: Reply = await retrying(self._settings)(transport.post_form, url, {"colConfigId": service})
        return read_columns(reply)

    async def _ask_places(self, name: str) -> list[NamedPlace]:
        url, answers = service_url(self.name, MAST_URL), Answers(self._settings)
        asked = {"archive": url, "name": name.strip().lower()}
        kept = answers.recall(asked)
        if kept is None:
            async with Transport(self._settings) as transport:
                reply: Reply = await retrying(self._settings)(transport.get, url, question(name))
            kept = answers.keep(asked, [asdict(place) for place in read_answer(reply, name)])
        return [NamedPlace(**place) for place in kept.value]

    async def _ask(self, service: str, params: Mapping[str, Any], listener: Listener) -> list[dict[str, Any]]:
        async with Transport(self._settings) as transport:
            return await Portal(self.name, transport, self._settings).rows(service, params, listener)


def open_archive(name: str | None = None, settings: config.Settings | None = None) -> MastArchive:
    """Return an archive by its name: ``mast``, or the URL of a tessellar server.

    Parameters
    ----------
    name : str, optional
        By default the setting ``archive``.
    settings : Settings, optional
        By default those that hold now.
    """
    settings = settings or config.load(archive=name)
    name = name or settings.archive
    return MastArchive(MAST_URL if name.lower() == "mast" else name, settings)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port out of range, half an IPv6 address
        return False


def _question(criteria: Criteria) -> tuple[str, dict[str, Any]]:
    filters = list(_filters(criteria))
    params: dict[str, Any] = {"columns": "*", "filters": filters}
    if criteria.position is None or criteria.radius is None:
        return "Mast.Caom.Filtered", params
    ra, dec = criteria.position
    return "Mast.Caom.Filtered.Position", {**params, "position": f"{ra!r}, {dec!r}, {criteria.radius!r}"}


def _filters(criteria: Criteria) -> Iterator[dict[str, Any]]:
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
    info = OBSERVATION_COLUMNS.get(name)
    if info is None:
        import difflib

        near = difflib.get_close_matches(name, OBSERVATION_COLUMNS, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(OBSERVATION_COLUMNS)}"
        raise QueryError(f"no column is called {name!r}; {hint}")
    if isinstance(value, tuple):
        if len(value) != 2 or info.kind is str:
            raise QueryError(f"{name} = {value!r}: a range needs a low and a high bound, on a column of numbers")
        return range_filter(name, *value)
    if info.kind is float:
        return range_filter(name, value, value)
    values = value if isinstance(value, list | set) else [value]
    return text_filter(name, *(str(item) for item in values))


def _described(row: dict[str, Any]) -> dict[str, Any]:
    """Add what the names in a row tell: the range of sectors, camera and CCD."""
    name = match_name(str(row.get("dataURL") or "").rsplit("/", 1)[-1])
    sector = row.get("sequence_number")
    first, last = name.sector_range if name and name.sector_range else (sector, sector)
    camera, ccd = (name.camera, name.ccd) if name else (None, None)
    return {**row, "sector_first": first, "sector_last": last, "camera": camera, "ccd": ccd}


def _put_on_ccds(rows: list[dict[str, Any]]) -> None:
    """Fill in camera and CCD of targets from their positions and the pointing of the sector."""
    of_sector: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        single = row["sector_first"] == row["sector_last"] and isinstance(row["sector_first"], int)
        placed = row.get("s_ra") is not None and row.get("s_dec") is not None
        if single and placed and row["camera"] is None and row.get("dataproduct_type") == "timeseries":
            of_sector.setdefault(row["sector_first"], []).append(row)
    for sector, targets in of_sector.items():
        ra, dec = ([float(row[name]) for row in targets] for name in ("s_ra", "s_dec"))
        try:
            index, _, camera, ccd, _, _ = locate_many(ra, dec, [sector])
        except InputError:  # a sector newer than our table: its pointing is not known
            continue
        # Where two CCDs overlap on the sky, the first is as good as the other: the archive does not tell.
        for i, its_camera, its_ccd in zip(index[::-1], camera[::-1], ccd[::-1], strict=True):
            targets[i] |= {"camera": int(its_camera), "ccd": int(its_ccd)}


def _by_separation(rows: list[dict[str, Any]], centre: tuple[float, float]) -> list[dict[str, Any]]:
    """Add each row's distance from the centre of the cone, and put the nearest first."""
    for row in rows:
        ra, dec = row.get("s_ra"), row.get("s_dec")
        if ra is not None and dec is not None:
            row["separation"] = angular_separation(*centre, float(ra), float(dec))
    return sorted(rows, key=lambda row: float(row.get("separation", math.inf)))


def _belongs(row: Mapping[str, Any], criteria: Criteria) -> bool:
    """Whether a row meets what could not be asked of the archive."""
    for wanted, found in ((criteria.camera, row["camera"]), (criteria.ccd, row["ccd"])):
        if wanted is not None and found != wanted:
            return False
    if criteria.kind == "dv" and criteria.sector is not None:
        first, last = row["sector_first"], row["sector_last"]
        return first is not None and last is not None and first <= criteria.sector <= last
    return True


def _joined(row: Mapping[str, Any], parents: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    parent = parents.get(str(row.get("obsID")), {})
    filename = str(row.get("productFilename") or str(row["dataURI"]).rsplit("/", 1)[-1])
    name = match_name(filename)
    sector = parent.get("sequence_number") if name is None or name.sector is None else name.sector
    first, last = name.sector_range if name and name.sector_range else (sector, sector)
    uri = str(row["dataURI"])
    return {
        **row,
        "productFilename": filename,
        "obs_id": row.get("obs_id") or parent.get("obs_id"),
        "target": parent.get("target_name"),
        "sector": parent.get("sequence_number"),
        "sector_first": first,
        "sector_last": last,
        "camera": name.camera if name and name.camera else parent.get("camera"),
        "ccd": name.ccd if name and name.ccd else parent.get("ccd"),
        "cadence": parent.get("t_exptime"),
        "kind": name.kind if name else _KINDS.get(str(row.get("productSubGroupDescription")), "unknown"),
        "author": parent.get("provenance_name") or (name.author if name else None),
        "s3_uri": s3_uri(uri),
        "summary": describe(name),
    }
