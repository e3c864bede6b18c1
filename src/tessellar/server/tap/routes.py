"""The addresses of the service: TAP 1.1 (Dowler et al. 2019, IVOA Recommendation), below `TAP_PATH`."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Message, Receive

from tessellar.errors import QueryError
from tessellar.server.answers import Written
from tessellar.server.asking import WrittenResponse, while_connected
from tessellar.server.database import GivenUp
from tessellar.server.tap import documents, votable
from tessellar.server.tap.engine import MOST_ROWS, SYNC_SECONDS, Engine, Question, spooled
from tessellar.server.tap.fetching import fetch_table
from tessellar.server.tap.formats import chosen
from tessellar.server.tap.grammar import LONGEST
from tessellar.server.tap.jobs import PHASES, Job, Jobs, NoSuchJob, suffix_of
from tessellar.server.tap.tables import catalogue
from tessellar.server.tap.uploads import read_upload

_log = logging.getLogger("tessellar.server")

#: Where the service lies: the address of MAST's, and a short one.
TAP_PATHS = ("/vo-tap/api/v0.1/caom", "/tap")

# Clients give up a request that is silent for long, so none is kept waiting longer.
_LONGEST_WAIT = 8.0
_LOOK = 0.1  # seconds between two looks at a job that is waited for
_AT_ONCE = 8
_LARGEST_UPLOAD = 128 * 1024 * 1024
_VOTABLE_TYPE = "application/x-votable+xml"
_XML_TYPE = "text/xml"
_PARAMETERS = {"REQUEST", "LANG", "QUERY", "MAXREC", "RESPONSEFORMAT", "FORMAT", "UPLOAD", "RUNID", "VERSION", "PHASE",
               "ACTION", "EXECUTIONDURATION", "DESTRUCTION"}  # fmt: skip
_OWN_RESULT = re.compile(r"^https?://[^/]+(?:/vo-tap/api/v0\.1/caom|/tap)/async/([0-9a-f]{16})/results/result$")


class BadRequest(Exception):
    """A request that the protocol does not have; answered with status 400."""


@dataclass
class Service:
    """What the addresses share: one for each application.

    Attributes
    ----------
    engine : Engine
        Asks the index.
    folder : Path
        Where jobs are kept.
    """

    engine: Engine
    folder: Path
    _jobs: Jobs | None = field(default=None, repr=False)
    _limiter: CapacityLimiter | None = field(default=None, repr=False)

    @property
    def limiter(self) -> CapacityLimiter:
        """Lets so many questions be asked at a time; the others wait, and leave threads to the rest of the archive."""
        if self._limiter is None:
            self._limiter = CapacityLimiter(_AT_ONCE)
        return self._limiter

    @property
    def jobs(self) -> Jobs:
        """The jobs, read from their folder when they are first asked for."""
        if self._jobs is None:
            self._jobs = Jobs(self.folder, self.engine, _question_of_job)
        return self._jobs

    def resume(self) -> None:
        """Go on with the jobs of an earlier run."""
        if self.folder.is_dir() and any(self.folder.iterdir()):
            _ = self.jobs

    def close(self) -> None:
        """End what runs."""
        if self._jobs is not None:
            self._jobs.close()


def tap_routes(service: Service) -> list[Mount]:
    """Return the addresses of the service."""
    return [Mount(path, routes=_addresses(service, path)) for path in TAP_PATHS]


def _addresses(service: Service, path: str) -> list[Route]:
    both = ["GET", "POST"]
    told = _Told(service, path)
    listed: list[tuple[str, Callable[[Request], Any], list[str]]] = [
        ("/sync", told.sync, both), ("/async", told.job_list, both), ("/async/{job}", told.job, [*both, "DELETE"]),
        ("/async/{job}/phase", told.phase, both), ("/async/{job}/executionduration", told.duration, both),
        ("/async/{job}/destruction", told.destruction, both), ("/async/{job}/quote", told.nothing, ["GET"]),
        ("/async/{job}/owner", told.nothing, ["GET"]), ("/async/{job}/error", told.error, ["GET"]),
        ("/async/{job}/parameters", told.parameters, both), ("/async/{job}/results", told.results, ["GET"]),
        ("/async/{job}/results/result", told.result, ["GET"]), ("/capabilities", told.capabilities, ["GET"]),
        ("/availability", told.availability, ["GET"]), ("/tables", told.tables, ["GET"]),
        ("/tables/{name:path}", told.table, ["GET"]), ("/examples", told.examples, ["GET"]), ("/", told.front, ["GET"]),
    ]  # fmt: skip
    return [Route(address, _guarded(answer), methods=methods) for address, answer, methods in listed]


class _Told:
    """Answers each address."""

    def __init__(self, service: Service, path: str) -> None:
        self._service = service
        self._path = path

    async def sync(self, request: Request) -> Response:
        values, uploads = await _parameters(request, self._service.jobs)
        question = await run_in_threadpool(_question, values, uploads, _archive(request))
        stream, outcome = await while_connected(
            request, lambda given_up: spooled(self._service.engine, question, given_up), self._service.limiter
        )
        return _typed(WrittenResponse(Written(stream, outcome.size, outcome.media_type)), outcome.media_type)

    async def job_list(self, request: Request) -> Response:
        if request.method == "POST":
            values, uploads = await _parameters(request, self._service.jobs)
            run_id, phase = values.pop("RUNID", ""), values.pop("PHASE", "")
            if phase not in ("", "RUN"):
                raise BadRequest(f"PHASE={phase}: a new job can only be RUN")
            jobs = self._service.jobs
            job = await run_in_threadpool(lambda: jobs.add(values, uploads, base=_archive(request), run_id=run_id))
            if phase == "RUN":
                jobs.start(job.id)
            return self._to(request, job)
        phases = {name.upper() for name in request.query_params.getlist("PHASE")}
        if phases - set(PHASES):
            raise BadRequest(f"PHASE={', '.join(phases - set(PHASES))} is not known; there are {', '.join(PHASES)}")
        jobs_listed = [job for job in self._service.jobs if not phases or job.phase in phases]
        after, last = request.query_params.get("AFTER"), request.query_params.get("LAST")
        if after:
            since = _instant(after)
            jobs_listed = [job for job in jobs_listed if job.created > since]
        if last:
            jobs_listed = jobs_listed[: _whole(last, "LAST")]
        return _xml(documents.job_list(jobs_listed, self._base(request)))

    async def job(self, request: Request) -> Response:
        job = self._job(request)
        if request.method == "GET":
            wait = request.query_params.get("WAIT")
            phase = request.query_params.get("PHASE", job.phase).upper()
            if wait is not None and job.active and job.phase == phase:
                seconds = float(_whole(wait, "WAIT"))
                seconds = _LONGEST_WAIT if seconds < 0 else min(seconds, _LONGEST_WAIT)
                job = await self._changed(job, seconds)
            return _xml(documents.job_document(job, self._base(request)))
        if request.method == "POST":
            values, _ = await _parameters(request, self._service.jobs)
            if values.get("ACTION", "").upper() != "DELETE":
                phase = values.pop("PHASE", "").upper()
                if values:
                    self._service.jobs.change(job.id, parameters={**job.parameters, **values})
                if phase == "RUN":
                    self._service.jobs.start(job.id)
                elif phase == "ABORT":
                    self._service.jobs.abort(job.id)
                return self._to(request, job)
        await run_in_threadpool(self._service.jobs.delete, job.id)
        return RedirectResponse(f"{self._base(request)}/async", status_code=303)

    async def _changed(self, job: Job, seconds: float) -> Job:
        """Return a job as soon as it is in another phase, at the latest after some seconds; no thread waits with it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            now = self._service.jobs.get(job.id)
            if now.phase != job.phase:
                return now
            await asyncio.sleep(_LOOK)
        return self._service.jobs.get(job.id)

    async def phase(self, request: Request) -> Response:
        job = self._job(request)
        if request.method == "GET":
            return PlainTextResponse(job.phase)
        values, _ = await _parameters(request, self._service.jobs)
        wanted = values.get("PHASE", "").upper()
        if wanted == "RUN":
            self._service.jobs.start(job.id)
        elif wanted == "ABORT":
            self._service.jobs.abort(job.id)
        else:
            raise BadRequest(f"PHASE={wanted or '(nothing)'}: a job can be told to RUN or to ABORT")
        return self._to(request, job)

    async def duration(self, request: Request) -> Response:
        job = self._job(request)
        if request.method == "GET":
            return PlainTextResponse(f"{job.seconds:.0f}")
        values, _ = await _parameters(request, self._service.jobs)
        self._service.jobs.change(job.id, seconds=_whole(values.get("EXECUTIONDURATION", ""), "EXECUTIONDURATION"))
        return self._to(request, job)

    async def destruction(self, request: Request) -> Response:
        job = self._job(request)
        if request.method == "GET":
            return PlainTextResponse(documents.instant(job.destruction))
        values, _ = await _parameters(request, self._service.jobs)
        self._service.jobs.change(job.id, destruction=_instant(values.get("DESTRUCTION", "")))
        return self._to(request, job)

    async def nothing(self, request: Request) -> Response:
        self._job(request)
        return PlainTextResponse("")

    async def error(self, request: Request) -> Response:
        job = self._job(request)
        if job.phase != "ERROR":
            return PlainTextResponse("")
        return Response(votable.error(job.message), media_type=_VOTABLE_TYPE)

    async def parameters(self, request: Request) -> Response:
        job = self._job(request)
        if request.method == "POST":
            values, _ = await _parameters(request, self._service.jobs)
            self._service.jobs.change(job.id, parameters={**job.parameters, **values})
            return self._to(request, job)
        return _xml(documents.parameters_document(job))

    async def results(self, request: Request) -> Response:
        return _xml(documents.results_document(self._job(request), self._base(request)))

    async def result(self, request: Request) -> Response:
        job = self._job(request)
        path = self._service.jobs.path(job) / "result"
        if job.phase == "ERROR":
            return Response(votable.error(job.message), media_type=_VOTABLE_TYPE)
        if job.phase != "COMPLETED" or not path.exists():
            return PlainTextResponse(f"job {job.id} has no result: it is {job.phase}\n", status_code=404)
        name = f"{job.id}.{suffix_of(job.media_type)}"
        return _typed(FileResponse(path, filename=name, content_disposition_type="inline"), job.media_type)

    async def capabilities(self, request: Request) -> Response:
        return _xml(documents.capabilities(self._base(request)))

    async def availability(self, request: Request) -> Response:
        return _xml(documents.availability())

    async def tables(self, request: Request) -> Response:
        detail = request.query_params.get("detail", "max")
        return _xml(documents.table_set(catalogue(), columns=detail != "min"))

    async def table(self, request: Request) -> Response:
        schema, _, name = request.path_params["name"].rpartition(".")
        try:
            table = catalogue().find(schema, name)
        except QueryError as error:
            return PlainTextResponse(f"{error}\n", status_code=404)
        return _xml(documents.one_table(table, catalogue()))

    async def examples(self, request: Request) -> Response:
        return HTMLResponse(documents.examples_page(self._base(request)))

    async def front(self, request: Request) -> Response:
        return RedirectResponse(f"{self._base(request)}/capabilities", status_code=303)

    def _job(self, request: Request) -> Job:
        return self._service.jobs.get(request.path_params["job"])

    def _base(self, request: Request) -> str:
        return _archive(request) + self._path

    def _to(self, request: Request, job: Job) -> Response:
        return RedirectResponse(f"{self._base(request)}/async/{job.id}", status_code=303)


def _guarded(answer: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """Say what is wrong in the form of the protocol."""

    @wraps(answer)
    async def guarded(request: Request) -> Response:
        try:
            response: Response = await answer(request)
        except (QueryError, BadRequest) as error:
            return Response(votable.error(str(error)), status_code=400, media_type=_VOTABLE_TYPE)
        except NoSuchJob as error:
            return PlainTextResponse(f"{error}\n", status_code=404)
        except GivenUp:
            return PlainTextResponse("the archive is being stopped\n", status_code=503)
        except ClientDisconnect:
            return PlainTextResponse("", status_code=499)
        except Exception as error:  # noqa: BLE001 - whatever it is, clients of this protocol read VOTables
            _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
            said = "this archive failed to answer; its own output says why"
            return Response(votable.error(said), status_code=500, media_type=_VOTABLE_TYPE)
        return response

    return guarded


async def _parameters(request: Request, jobs: Jobs) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return the parameters of a request, by their names in upper case, and the tables that came with it."""
    values = {name.upper(): value for name, value in request.query_params.items()}
    parts: dict[str, bytes] = {}
    request = Request(request.scope, _counted(request.receive))
    if request.method == "POST":
        size = request.headers.get("content-length", "0")
        if size.isdigit() and int(size) > _LARGEST_UPLOAD:
            raise BadRequest(f"a request of {int(size):,} bytes: at most {_LARGEST_UPLOAD:,} are taken")
        try:
            async with request.form(max_files=20, max_fields=100, max_part_size=4 * 1024 * 1024) as form:
                for name, value in form.multi_items():
                    if isinstance(value, UploadFile):
                        parts[name] = await value.read()
                    else:
                        values[name.upper()] = value
        except (ClientDisconnect, BadRequest):
            raise
        except Exception as error:
            raise BadRequest(f"the form cannot be read: {getattr(error, 'detail', error)}") from error
    values = {name: value for name, value in values.items() if name in _PARAMETERS}
    if len(values.get("QUERY", "")) > LONGEST:
        raise BadRequest(f"a query of {len(values['QUERY']):,} characters: at most {LONGEST:,} are read")
    return values, await _uploads(values.get("UPLOAD", ""), parts, jobs)


def _counted(receive: Receive) -> Receive:
    """Refuse a body that is too long while it comes, whatever its header says of its length."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > _LARGEST_UPLOAD:
            raise BadRequest(f"a request of more than {_LARGEST_UPLOAD:,} bytes is not taken")
        return message

    return counted


async def _uploads(upload: str, parts: Mapping[str, bytes], jobs: Jobs) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in filter(None, upload.split(";")):
        name, _, place = entry.partition(",")
        name, place = name.strip(), place.strip()
        if not re.fullmatch(r"[A-Za-z_]\w{0,63}", name, re.ASCII):
            raise BadRequest(f"UPLOAD={entry[:60]}: {name!r} is no name of a table; use letters, digits and _")
        if (own := _OWN_RESULT.search(place)) is not None:
            found[name] = await run_in_threadpool(_result_of, jobs, own[1])
        elif not place.startswith("param:"):
            found[name] = await fetch_table(place, _LARGEST_UPLOAD)
        elif place[6:] not in parts:
            raise BadRequest(f"UPLOAD={entry[:60]}: the request has no part {place[6:]!r}")
        else:
            found[name] = parts[place[6:]]
    return found


def _result_of(jobs: Jobs, identifier: str) -> bytes:
    """Return the result of a job of ours, which is not fetched over the network but read."""
    try:
        return (jobs.path(jobs.get(identifier)) / "result").read_bytes()
    except (OSError, NoSuchJob) as error:
        raise BadRequest(f"UPLOAD from job {identifier}: it has no result here") from error


def _check(values: Mapping[str, str]) -> None:
    """Refuse parameters that no question can be made of; what the query says is seen when it is asked."""
    if values.get("REQUEST", "doQuery") != "doQuery":
        raise BadRequest(f"REQUEST={values['REQUEST']} is not known; leave it out, or write doQuery")
    lang = values.get("LANG", "ADQL").upper()
    if lang not in ("ADQL", "ADQL-2.0", "ADQL-2.1"):
        raise BadRequest(f"LANG={values['LANG']} is not known; write ADQL")
    if values.get("MAXREC"):
        _whole(values["MAXREC"], "MAXREC")
    chosen(values.get("RESPONSEFORMAT") or values.get("FORMAT") or "votable")


def _question(values: Mapping[str, str], uploads: Mapping[str, bytes], archive: str) -> Question:
    _check(values)
    if not values.get("QUERY"):
        raise BadRequest("QUERY is missing: send the query as QUERY=SELECT …")
    if not values.get("LANG"):
        raise BadRequest("LANG is missing: send LANG=ADQL")
    asked = _whole(values["MAXREC"], "MAXREC") if values.get("MAXREC") else MOST_ROWS
    return Question(
        values["QUERY"],
        chosen(values.get("RESPONSEFORMAT") or values.get("FORMAT") or "votable"),
        min(asked, MOST_ROWS),
        archive,
        tuple(read_upload(name, content) for name, content in uploads.items()),
        SYNC_SECONDS,
    )


def _question_of_job(job: Job, folder: Path) -> Question:
    uploads = {path.name.removeprefix("upload-"): path.read_bytes() for path in sorted(folder.glob("upload-*"))}
    try:
        return _question(job.parameters, uploads, job.base)
    except BadRequest as error:
        raise QueryError(str(error)) from error


def _archive(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _whole(text: str, name: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise BadRequest(f"{name}={text[:40]} is no whole number") from None
    if number < 0 and name != "WAIT":
        raise BadRequest(f"{name}={number}: give 0 or more")
    return number


def _instant(text: str) -> datetime:
    with suppress(ValueError):
        when = datetime.fromisoformat(text.strip())
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    raise BadRequest(f"{text[:40]!r} is no time: write it as in 2026-11-21T12:00:00")


def _typed(response: Response, media_type: str) -> Response:
    """Tell the media type as it is; by itself a response adds a character set to every text."""
    response.headers["content-type"] = media_type
    return response


def _xml(text: str) -> Response:
    return Response(text, media_type=_XML_TYPE)
