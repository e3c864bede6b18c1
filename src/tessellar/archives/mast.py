"""The Mikulski Archive for Space Telescopes, or any server that speaks its protocol."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from tessellar import config
from tessellar.archives.answers import Answers, Page
from tessellar.archives.asking import question_of
from tessellar.archives.base import Criteria
from tessellar.archives.catalog import NEAR, ROWS, in_cone, of_ids, on_ccd
from tessellar.archives.describing import (
    Columns,
    belonging,
    by_separation,
    described,
    joined_products,
    put_on_ccds,
    stacked,
    taken,
    without_repeats,
)
from tessellar.archives.portal import Portal, read_columns, text_filter
from tessellar.archives.resolver import NamedPlace, question, read_answer, service_url
from tessellar.archives.sweep import Span, Sweep, Tally
from tessellar.errors import InputError, QueryError, ResultTruncated, TimedOut
from tessellar.mission.names import match_name
from tessellar.net import Remote, Reply, Transport, run
from tessellar.net.retry import retrying
from tessellar.products.tables import ArchiveTable, ObservationTable, ProductTable, columns_of
from tessellar.progress import Event, Listener, ignore
from tessellar.targets import TIC, Field

T = TypeVar("T")

MAST_URL = "https://mast.stsci.edu"
_TIC_COLUMNS = "ID,ra,dec,pmRA,pmDEC,Tmag,Teff,GAIA,TWOMASS,HIP,objType,disposition"

# One request for what belongs to so many ids, as astroquery's (0.4.12); fewer where MAST does not manage them in time.
_AT_A_TIME = 500
# An archive that answers within so many seconds is asked for twice as much, up to this many times.
_AT_ONCE, _LARGER = 1.0, 8


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

    def search(
        self, criteria: Criteria, listener: Listener = ignore, *, wanted: Sequence[str] | None = None
    ) -> ObservationTable:
        """Return the observations that meet `criteria`, with all columns or those that are wanted.

        Camera and CCD of a target's observation are not in MAST's tables: they
        are computed from its position and the pointing of the sector.

        Raises
        ------
        ArchiveError
            If the archive cannot be reached or answers nonsense.
        QueryError
            If it refuses the question.
        """
        table = run(self._search(criteria, wanted, listener))
        self._sign(table)
        return table

    def sweep(
        self,
        criteria: Criteria,
        *,
        wanted: Sequence[str] | None = None,
        pending: list[Span] | None = None,
        tally: Tally | None = None,
        listener: Listener = ignore,
    ) -> Sweep:
        """Read the rows of a search that is too large for one answer; `observations_of` makes tables of them."""

        def question(strip: Span) -> tuple[str, Mapping[str, Any]]:
            return question_of(criteria, wanted, None if strip == (-90.0, 90.0) else strip)

        return Sweep(self.name, self._settings, question, _identity, pending=pending, tally=tally, listener=listener)

    def count(self, criteria: Criteria) -> int:
        """Return how many observations meet `criteria`, without asking for them."""
        return run(self._count(*question_of(criteria, counting=True)))

    def describe_columns(self, service: str) -> dict[str, dict[str, Any]]:
        """Return what the archive says of the columns of a service: label, type, unit, description ..."""
        return run(self._ask_columns(service))

    def products(self, observations: ObservationTable, listener: Listener = ignore) -> ProductTable:
        """Return the files of observations, each once, with what is known of the observation beside it."""
        parents = {str(row["obsid"]): row for row in observations.rows()}
        pages = run(
            self._in_batches(
                list(parents),
                "list files",
                lambda batch: ("Mast.Caom.Products", {"obsid": ",".join(batch)}),
                _by_columns,
                listener,
            )
        )
        files = without_repeats(stacked(pages), "dataURI")
        pages.clear()
        count = len(files.get("dataURI", ()))
        files = joined_products(files, parents) if count else {}
        table = ProductTable.from_columns(files, count=count, spend=True)
        self._sign(table)
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
        rows = run(self._ask("Mast.Catalogs.TIC.Cone", {"ra": ra, "dec": dec, "radius": radius}, ignore))
        return sorted(rows, key=lambda row: float(row.get("dstArcSec") or 0.0))

    def stars_around(
        self,
        ra: float,
        dec: float,
        radius: float,
        *,
        tmag: float | None = None,
        columns: str = "*",
        listener: Listener = ignore,
    ) -> list[dict[str, Any]]:
        """Return the rows of the TESS Input Catalog in a cone down to a magnitude, the nearest first."""
        rows = run(self._ask(NEAR, in_cone(ra, dec, radius, tmag, columns), listener))
        return sorted(_once(rows), key=lambda row: float(row.get("dstArcSec") or 0.0))

    def stars_by_id(
        self, ids: Sequence[int], *, columns: str = "*", listener: Listener = ignore
    ) -> list[dict[str, Any]]:
        """Return the rows of the TESS Input Catalog with these ids, some hundreds at a time."""
        pages = run(self._in_batches(ids, "list stars", lambda batch: (ROWS, of_ids(batch, columns)), list, listener))
        return _once([row for page in pages for row in page])

    def stars_on(
        self,
        field: Field,
        *,
        tmag: float | None = None,
        columns: str = "*",
        margin: float = 0.0,
        pending: list[Span] | None = None,
        tally: Tally | None = None,
        keep: bool = False,
        listener: Listener = ignore,
    ) -> Sweep:
        """Read the stars on a CCD, and some around it, strip by strip."""
        whole, question = on_ccd(field, tmag, columns, margin)
        return Sweep(
            self.name, self._settings, question, _star, whole=whole, pending=pending, tally=tally, keep=keep,
            listener=listener,
        )  # fmt: skip

    def places(self, name: str) -> list[NamedPlace]:
        """Ask the archive's name service for a name; empty if it knows none."""
        return run(self._ask_places(name))

    async def _in_batches(
        self,
        ids: Sequence[Any],
        task: str,
        question: Callable[[Sequence[Any]], tuple[str, Mapping[str, Any]]],
        taken: Callable[[Page], T],
        listener: Listener,
    ) -> list[T]:
        """Ask for what belongs to many ids; halve the batch when the archive does not manage it in time.

        As long as it answers at once, batches grow. Of each page is kept what `taken` makes of it.
        """
        found: list[T] = []
        done, size, most = 0, _AT_A_TIME, _AT_A_TIME * _LARGER
        async with Transport(self._settings) as transport:
            portal = Portal(self.name, transport, self._settings)
            while done < len(ids):
                batch = ids[done : done + size]
                started = time.monotonic()
                try:
                    pages = portal.answer(*question(batch), listener, insist=len(batch) == 1)
                    found += [taken(page) async for page in pages]
                except (TimedOut, ResultTruncated):
                    if len(batch) == 1:
                        raise
                    size = most = len(batch) // 2
                    continue
                done += len(batch)
                if time.monotonic() - started < _AT_ONCE:
                    size = min(2 * size, most)
                listener(Event(task, done, len(ids), "ids", finished=done == len(ids)))
        return found

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

    async def _search(self, criteria: Criteria, wanted: Sequence[str] | None, listener: Listener) -> ObservationTable:
        """Ask, and turn each page into columns as it comes: rows as text take many times their memory."""
        seen: set[object] = set()
        tables: list[ObservationTable] = []
        async with Transport(self._settings) as transport:
            portal = Portal(self.name, transport, self._settings)
            async for page in portal.answer(*question_of(criteria, wanted), listener):
                ids = list(map(_identity, page))
                fresh = set(ids) - seen
                if len(fresh) < len(page):  # some came before, or twice
                    page = Page({each: row for each, row in zip(ids, page, strict=True) if each in fresh}.values())
                seen |= fresh
                tables.append(observations_of(page, criteria, wanted))
        table = ObservationTable.stacked(tables)
        if criteria.position is not None and "separation" in table.colnames:
            table.sort("separation")
        return table

    async def _count(self, service: str, params: Mapping[str, Any]) -> int:
        async with Transport(self._settings) as transport:
            return await Portal(self.name, transport, self._settings).count(service, params)

    async def _ask(self, service: str, params: Mapping[str, Any], listener: Listener) -> list[dict[str, Any]]:
        async with Transport(self._settings) as transport:
            return await Portal(self.name, transport, self._settings).rows(service, params, listener)

    def _sign(self, table: ArchiveTable) -> None:
        """Note in a table where it came from, so that its files are found again."""
        table.meta |= {"archive": self.name, "url_template": self.url_template}


def observations_of(
    rows: list[dict[str, Any]], criteria: Criteria, wanted: Sequence[str] | None = None
) -> ObservationTable:
    """Make a table of an archive's rows: sectors, camera and CCD told, and what does not meet the criteria left out."""
    if not rows:
        return ObservationTable.from_rows([], wanted)
    even = rows.columns if isinstance(rows, Page) else None
    columns = put_on_ccds(described(columns_of(rows) if even is None else even))
    kept = belonging(columns, criteria)
    if kept is not None:
        columns = taken(columns, kept)
    if criteria.position is not None:
        columns = by_separation(columns, criteria.position)
    return ObservationTable.from_columns(columns, wanted)


def _by_columns(page: Page) -> Columns:
    return columns_of(page) if page.columns is None else page.columns


def _star(row: Mapping[str, Any]) -> object:
    return str(row.get("ID"))


def _once(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({_star(row): row for row in rows}.values())


def _identity(row: Mapping[str, Any]) -> object:
    """Return what no other observation has; the same row may come twice."""
    return row.get("obsid") or (row.get("obs_id"), row.get("dataURL"), row.get("provenance_name"))


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
