"""TAP services: tables and their columns, questions in ADQL, jobs that outlive the program that began them.

pyvo reads the documents of the protocol, our own transport carries them, so
that time-outs, retries, proxies and the setting offline are those of
everything else here.
"""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import numpy as np

from tessellar import config
from tessellar.archives.mast import MAST_URL
from tessellar.errors import QueryError, TimedOut, UnexpectedReply
from tessellar.net import Reply, Transport, run
from tessellar.net.retry import retrying
from tessellar.progress import Event, Listener, ignore

if TYPE_CHECKING:
    from astropy.table import Table

#: Below the URL of MAST, or of a tessellar server.
TAP_PATH = "/vo-tap/api/v0.1/caom"

Mode = Literal["auto", "sync", "async"]

_ENDED = ("COMPLETED", "ERROR", "ABORTED")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 20.0
_VOTABLE = "votable"
_REFUSED = frozenset({400, 422})


@dataclass(frozen=True)
class TapService:
    """One TAP service.

    Attributes
    ----------
    url : str
        Its base URL.
    settings : Settings
        Time-outs and tries.

    Examples
    --------
    >>> from tessellar.archives.tap import tap_service
    >>> tap_service("mast").url
    'https://mast.stsci.edu/vo-tap/api/v0.1/caom'
    """

    url: str
    settings: config.Settings

    def limits(self) -> dict[str, Any]:
        """Return what the service says of itself: rows of an answer, seconds of a job, formats, languages.

        Raises
        ------
        ArchiveError
            If it cannot be reached, or does not answer as a TAP service.
        """
        from pyvo.io.vosi import parse_capabilities

        found = self._read("capabilities", parse_capabilities)
        for capability in found:
            if str(capability.standardid or "").startswith("ivo://ivoa.net/std/TAP"):
                rows, seconds = capability.outputlimit, capability.executionduration
                return {
                    "url": self.url,
                    "rows": getattr(getattr(rows, "hard", None), "content", None),
                    "seconds": getattr(seconds, "hard", None),
                    "formats": [str(form.mime) for form in capability.outputformats],
                    "languages": [f"{language.name} {version.content}" for language in capability.languages
                                  for version in language.versions],
                    "uploads": [str(method.ivo_id) for method in capability.uploadmethods],
                }  # fmt: skip
        raise UnexpectedReply(f"{self.url}: the capabilities name no TAP; check the URL", url=self.url)

    def tables(self, containing: str = "") -> Table:
        """Return the columns of all tables, one row each.

        Parameters
        ----------
        containing : str
            Only columns with this in their name, table, UCD or description, in any case.

        Returns
        -------
        Table
            ``table, column, datatype, unit, ucd, description``.
        """
        from astropy.table import Table
        from pyvo.io.vosi import parse_tables

        rows = []
        wanted = containing.lower()
        for table in self._read("tables", parse_tables).iter_tables():
            for column in table.columns:
                kind = getattr(column.datatype, "content", "") or ""
                row = (table.name, column.name, kind, column.unit or "", column.ucd or "", column.description or "")
                told = f"{table.description or ''} {' '.join(map(str, row))}".lower()
                if wanted in told:
                    rows.append(tuple(str(cell) for cell in row))
        names = ("table", "column", "datatype", "unit", "ucd", "description")
        return Table(rows=rows or None, names=names, dtype=("U128",) * len(names) if not rows else None)

    def query(
        self,
        adql: str,
        *,
        mode: Mode = "auto",
        maxrec: int | None = None,
        uploads: Mapping[str, Table] | None = None,
        timeout: float | None = None,
        listener: Listener = ignore,
    ) -> Table:
        """Ask a question in ADQL.

        Parameters
        ----------
        adql : str
            The question.
        mode : {'auto', 'sync', 'async'}
            Wait for the answer, or ask as a job; ``auto`` waits first, and asks as a job if that takes too long.
        maxrec : int, optional
            At most so many rows; by default what the service gives.
        uploads : mapping, optional
            Tables to be asked for as ``TAP_UPLOAD.name``.
        timeout : float, optional
            Seconds; by default the setting ``question_timeout``. A job that is
            not done by then runs on: its URL is in the error.
        listener : callable, optional
            Told of the phases of a job.

        Returns
        -------
        Table
            With units; ``meta`` holds ``query``, ``service``, ``asked`` (UTC) and
            ``overflow``: whether there would have been more rows.

        Raises
        ------
        QueryError
            If the service refuses the question, in its own words.
        TimedOut
            If it takes too long.
        ArchiveError
            If the service cannot be reached or answers nonsense.
        """
        if mode != "async":
            try:
                return self._answered(run(self._sync(adql, maxrec, uploads, timeout)), adql)
            except TimedOut:
                if mode == "sync":
                    raise
                listener(Event("tap", 0, None, "jobs", note="no answer in time: asking again as a job"))
        job = self.submit(adql, maxrec=maxrec, uploads=uploads)
        table = job.wait(timeout=timeout, listener=listener).result()
        job.delete()
        return table

    def submit(
        self,
        adql: str,
        *,
        maxrec: int | None = None,
        uploads: Mapping[str, Table] | None = None,
        name: str = "",
        form: str = _VOTABLE,
    ) -> TapJob:
        """Send a question as a job, and let it run.

        Its `TapJob.url` is all that is needed to come back to it, from any
        program: `job`. `name` is for the list of jobs, `form` that of the result.
        """
        more = {"PHASE": "RUN", "FORMAT": form, **({"RUNID": name} if name else {})}
        form_fields = {**_form(adql, maxrec), **more}
        reply = run(self._send("async", form_fields, uploads, None))
        job = TapJob(_job_url(reply.url, self.url), self.settings)
        # A service may have taken the job without starting it.
        return job.start() if job.phase == "PENDING" else job

    def job(self, url_or_id: str) -> TapJob:
        """Return a job by its URL or id; asks nobody yet."""
        url = url_or_id if "://" in url_or_id else f"{self.url}/async/{url_or_id}"
        return TapJob(url.rstrip("/"), self.settings)

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs that the service lists: ``url``, ``phase``, ``name`` and ``created``."""
        from pyvo.io.uws import parse_job_list

        listed = self._read("async", parse_job_list)
        return [
            {
                "url": f"{self.url}/async/{job.jobid}",
                "phase": str(job.phase),
                "name": str(job.runid or ""),
                "created": str(getattr(job.creationtime, "isot", job.creationtime) or ""),
            }
            for job in listed
        ]

    def _read(self, what: str, parse: Callable[..., Any]) -> Any:
        return run(_get(self.settings, f"{self.url}/{what}", parse))

    async def _sync(
        self, adql: str, maxrec: int | None, uploads: Mapping[str, Table] | None, timeout: float | None
    ) -> Reply:
        return await self._send("sync", _form(adql, maxrec), uploads, timeout)

    async def _send(
        self, what: str, form: Mapping[str, str], uploads: Mapping[str, Table] | None, timeout: float | None
    ) -> Reply:
        files = {f"table_{name}": (f"{name}.vot", _written(table)) for name, table in (uploads or {}).items()}
        if files:
            form = {**form, "UPLOAD": ";".join(f"{name},param:table_{name}" for name in uploads or {})}
        url = f"{self.url}/{what}"
        limit = timeout if timeout is not None else self.settings.question_timeout
        async with _open(self.settings) as transport:
            # A job is made once: the answer to a second try would be a second job.
            policy = retrying(self.settings, but=TimedOut, within=limit) if what == "sync" else None
            ask = partial(transport.post_form, url, form, timeout=limit, files=files, expected=_REFUSED)
            reply: Reply = await (ask() if policy is None else policy(ask))
        if reply.status in _REFUSED:
            read_result(reply.body, url, "", self.url)  # services say in a VOTable what is wrong
            raise UnexpectedReply(f"{url} answered {reply.status}, without a reason", url=url, status=reply.status)
        return reply

    def _answered(self, reply: Reply, adql: str) -> Table:
        return read_result(reply.body, reply.url, adql, self.url)


@dataclass(frozen=True)
class TapJob:
    """One job of a service.

    Attributes
    ----------
    url : str
        Where it is.
    settings : Settings
        Time-outs and tries.
    """

    url: str
    settings: config.Settings

    @property
    def phase(self) -> str:
        """Where it stands, asked anew: one of UWS's phases, as ``EXECUTING``, ``COMPLETED`` or ``ERROR``."""
        return str(self.document().phase)

    @property
    def query(self) -> str:
        """The question that it asks."""
        return next((str(p.content) for p in self.document().parameters if str(p.id_).upper() == "QUERY"), "")

    def document(self) -> Any:
        """Return what the service says of it, as pyvo reads it."""
        from pyvo.io.uws import parse_job

        return run(_get(self.settings, self.url, parse_job))

    def start(self) -> TapJob:
        """Let it run, if it waits."""
        return self._tell("phase", PHASE="RUN")

    def abort(self) -> TapJob:
        """Stop it."""
        return self._tell("phase", PHASE="ABORT")

    def delete(self) -> None:
        """Stop it and let the service forget it."""
        self._tell("", ACTION="DELETE")

    def wait(self, *, timeout: float | None = None, listener: Listener = ignore) -> TapJob:
        """Wait until it has ended.

        Raises
        ------
        TimedOut
            If it has not by then; it runs on, and can be waited for again.
        QueryError
            If it ended in an error, in the service's words, or was stopped.
        """
        limit = timeout if timeout is not None else self.settings.question_timeout
        started, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            job = self.document()
            waited = time.monotonic() - started
            listener(Event("tap", 0, None, "jobs", note="", finished=job.phase in _ENDED))
            if job.phase == "COMPLETED":
                return self
            if job.phase in _ENDED:
                raise QueryError(f"{self.url}: {_message(job) if job.phase == 'ERROR' else 'the job was stopped'}")
            if waited + pause > limit:
                raise TimedOut(
                    f"{self.url} is {job.phase} after {waited:.0f} s and runs on: ask for it again later", url=self.url
                )
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def result(self) -> Table:
        """Return the result of a job that is complete."""
        url, query = self._result_url(), self.query
        reply = run(_get(self.settings, url, None))
        return read_result(reply.body, url, query, self.url.rsplit("/async/", 1)[0])

    def save(self, path: Path) -> Path:
        """Write the result as the service sends it, piece by piece, into a file.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        return run(_download(self.settings, self._result_url(), path))

    def _result_url(self) -> str:
        job = self.document()
        if job.phase == "ERROR":
            raise QueryError(f"{self.url}: {_message(job)}")
        for result in job.results:
            if str(result.id_) == "result" or len(job.results) == 1:
                return str(result.href)
        raise QueryError(f"{self.url} has no result: it is {job.phase}")

    def _tell(self, what: str, **form: str) -> TapJob:
        async def send() -> None:
            async with _open(self.settings) as transport:
                await retrying(self.settings)(transport.post_form, f"{self.url}/{what}".rstrip("/"), form)

        run(send())
        return self


def tap_service(archive: str | None = None, settings: config.Settings | None = None) -> TapService:
    """Return the TAP service of an archive.

    Parameters
    ----------
    archive : str, optional
        ``mast``, the URL of a tessellar server, or the base URL of any TAP
        service (one that has a path); by default the setting ``archive``.
    settings : Settings, optional
        By default those that hold now.
    """
    settings = settings or config.load(archive=archive)
    url = archive or settings.archive
    url = (MAST_URL if url.lower() == "mast" else url).rstrip("/")
    return TapService(url if urlsplit(url).path else url + TAP_PATH, settings)


def read_result(body: bytes, url: str, adql: str, service: str) -> Table:
    """Read a VOTable that a service sent as its answer.

    Raises
    ------
    QueryError
        If it tells of an error.
    UnexpectedReply
        If it is no VOTable.
    """
    from astropy.io import votable

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the small ways in which services differ from the standard
            document = votable.parse(io.BytesIO(body), verify="ignore")
            (resource, *_) = [r for r in document.resources if r.type == "results"] or document.resources
            status = {str(info.value).upper(): str(info.content or "") for info in resource.infos
                      if info.name == "QUERY_STATUS"}  # fmt: skip
            if "ERROR" in status:
                raise QueryError(f"{service}: {' '.join(status['ERROR'].split()) or 'the service gives no reason'}")
            table = resource.tables[0].to_table(use_names_over_ids=True)
    except QueryError:
        raise
    except Exception as error:
        start = body[:60].decode("utf-8", "replace").strip().replace("\n", " ")
        raise UnexpectedReply(f"{url} answered no VOTable but {start!r}: is this a TAP service?", url=url) from error
    for name in table.colnames:
        if table[name].dtype.kind == "O":
            table[name] = _texts(table[name])
    table.meta.clear()
    table.meta |= {"query": adql, "service": service, "asked": datetime.now(UTC).isoformat(timespec="seconds"),
                   "overflow": "OVERFLOW" in status}  # fmt: skip
    return table


def _texts(column: Any) -> Any:
    """Return text of any length as a column of text; where a service sent nothing, nothing."""
    from astropy.table import MaskedColumn

    told = [None if value is np.ma.masked or value is None else str(value) for value in column]
    texts = [value or "" for value in told]
    return MaskedColumn(np.array(texts, dtype=str), column.name, mask=[not value for value in texts], unit=column.unit,
                        description=column.description)  # fmt: skip


def literal(text: str) -> str:
    """Write a text as a literal of ADQL.

    Examples
    --------
    >>> from tessellar.archives.tap import literal
    >>> literal("Barnard's star")
    "'Barnard''s star'"
    """
    return "'" + text.replace("'", "''") + "'"


def _form(adql: str, maxrec: int | None) -> dict[str, str]:
    more = {} if maxrec is None else {"MAXREC": str(maxrec)}
    return {"REQUEST": "doQuery", "LANG": "ADQL", "QUERY": adql, "FORMAT": _VOTABLE, **more}


def _written(table: Table) -> bytes:
    from astropy.io import votable

    out = io.BytesIO()
    document = votable.from_table(table)
    document.set_all_tables_format("binary2")
    document.to_xml(out)
    return out.getvalue()


@asynccontextmanager
async def _open(settings: config.Settings) -> AsyncIterator[Transport]:
    async with Transport(settings) as transport:
        yield transport


async def _get(settings: config.Settings, url: str, parse: Callable[..., Any] | None) -> Any:
    async with _open(settings) as transport:
        reply: Reply = await retrying(settings)(transport.get, url)
    if parse is None:
        return reply
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return parse(io.BytesIO(reply.body).read)
    except Exception as error:
        raise UnexpectedReply(f"{url} did not answer as a TAP service does: check the URL", url=url) from error


async def _download(settings: config.Settings, url: str, path: Path) -> Path:
    part = path.with_name(f"{path.name}.part")
    async with _open(settings) as transport, transport.stream(url, {}) as incoming:
        with part.open("wb") as file:
            async for chunk in incoming.chunks:
                file.write(chunk)
    part.replace(path)
    return path


def _job_url(url: str, service: str) -> str:
    """Return the URL of a new job from where its making has led."""
    if "/async/" not in url:
        raise UnexpectedReply(f"{service}/async made no job: it led to {url}", url=url)
    return url.rstrip("/")


def _message(job: Any) -> str:
    summary = job.errorsummary
    content = getattr(getattr(summary, "message", None), "content", None)
    return " ".join(str(content or "the service gives no reason").split())
