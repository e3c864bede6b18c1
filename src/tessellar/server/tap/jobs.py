"""Questions that wait for their turn: UWS jobs, kept in files so that they outlive the server.

UWS 1.1 (Harrison & Rixon 2016, IVOA Recommendation). A job is a folder with
``job.json``, replaced as a whole whenever anything changes, and ``result``.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tessellar.errors import QueryError, TessellarError
from tessellar.server.database import GivenUp
from tessellar.server.tap.engine import ASYNC_SECONDS, Engine, Question
from tessellar.server.tap.formats import FORMATS
from tessellar.store.claims import claim

_log = logging.getLogger("tessellar.server")

ACTIVE = ("PENDING", "QUEUED", "EXECUTING", "SUSPENDED")
DONE = ("COMPLETED", "ERROR", "ABORTED")
PHASES = (*ACTIVE, *DONE, "HELD", "UNKNOWN", "ARCHIVED")

_KEPT = timedelta(days=7)
_LONGEST_KEPT = timedelta(days=366)
_AT_ONCE = 2  # jobs that run at the same time
_MOST = 1000  # jobs that are kept
_ID = re.compile(r"[0-9a-z]{16}")


@dataclass(frozen=True)
class Job:
    """One job, as it is at a moment.

    Attributes
    ----------
    id : str
        Its name in addresses.
    phase : str
        One of `PHASES`.
    parameters : mapping
        As they were sent, by their names in upper case; uploads are named only.
    created, destruction : datetime
        When it was made, and when it will be forgotten (UTC).
    started, ended : datetime or None
        When it ran.
    seconds : float
        It may run so long.
    message : str
        What went wrong.
    media_type : str
        Of its result; empty without one.
    rows : int
        Of its result.
    overflow : bool
        Whether there would have been more.
    run_id : str
        The client's own name for it.
    base : str
        The address of the archive as the client knows it.
    """

    id: str
    phase: str
    parameters: Mapping[str, str]
    created: datetime
    destruction: datetime
    started: datetime | None = None
    ended: datetime | None = None
    seconds: float = ASYNC_SECONDS
    message: str = ""
    media_type: str = ""
    rows: int = 0
    overflow: bool = False
    run_id: str = ""
    base: str = ""

    @property
    def active(self) -> bool:
        """Whether anything may still come of it."""
        return self.phase in ACTIVE


class NoSuchJob(TessellarError):
    """There is no job of that name."""


@dataclass
class Jobs:
    """The jobs of a server.

    Attributes
    ----------
    folder : Path
        Where they are kept.
    engine : Engine
        Asks their questions.
    asked : callable
        Makes the question of a job, with its uploads, from its folder.
    """

    folder: Path
    engine: Engine
    asked: Callable[[Job, Path], Question]
    _jobs: dict[str, Job] = field(default_factory=dict)
    _guard: threading.RLock = field(default_factory=threading.RLock)
    _closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = claim(self.folder / "in-use")
        if self._lock is None:  # another server of the same folder keeps its jobs there
            self.folder = Path(tempfile.mkdtemp(prefix="tessellar-jobs-"))
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="tap job")
        for job in self._read():
            self._jobs[job.id] = job
            if job.phase in ("QUEUED", "EXECUTING"):
                # The server was stopped under it: its question is asked anew.
                self._jobs[job.id] = replace(job, phase="QUEUED", started=None)
                self._pool.submit(self._run, job.id)

    def close(self) -> None:
        """Let running jobs end soon; they are asked anew when the folder is served again."""
        self._closing.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._lock is not None:
            self._lock.release()

    def __iter__(self) -> Iterator[Job]:
        self._forget_old()
        with self._guard:
            return iter(sorted(self._jobs.values(), key=lambda job: job.created, reverse=True))

    def get(self, identifier: str) -> Job:
        """Return a job.

        Raises
        ------
        NoSuchJob
            If there is none of that name, or it has been forgotten.
        """
        self._forget_old()
        with self._guard:
            return self._known(identifier)

    def add(self, parameters: Mapping[str, str], uploads: Mapping[str, bytes], *, base: str, run_id: str = "") -> Job:
        """Make a job that waits to be run; `uploads` are kept beside it."""
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as it is told, so that it compares
        self._forget_old()
        if len(self._jobs) >= _MOST:
            raise QueryError(f"this archive keeps {_MOST} jobs already: delete some of yours, or ask without a job")
        job = Job(secrets.token_hex(8), "PENDING", dict(parameters), now, now + _KEPT, base=base, run_id=run_id)
        folder = self.path(job)
        folder.mkdir(mode=0o700)
        for name, content in uploads.items():
            (folder / f"upload-{name}").write_bytes(content)
        with self._guard:
            self._write(job)
            self._jobs[job.id] = job
        return job

    def path(self, job: Job) -> Path:
        """Return the folder of a job."""
        return self.folder / job.id

    def change(
        self,
        identifier: str,
        *,
        parameters: Mapping[str, str] | None = None,
        seconds: float | None = None,
        destruction: datetime | None = None,
    ) -> Job:
        """Change parameters, time limit or destruction of a job; limits of the service hold.

        Raises
        ------
        QueryError
            If parameters are to be changed of a job that no longer waits.
        """

        def changed(job: Job) -> Job:
            if parameters is not None:
                if job.phase != "PENDING":
                    raise QueryError(f"job {job.id} is {job.phase}: its parameters can no longer be changed")
                job = replace(job, parameters=dict(parameters))
            if seconds is not None:
                job = replace(job, seconds=min(seconds, ASYNC_SECONDS) or ASYNC_SECONDS)
            if destruction is not None:
                job = replace(job, destruction=min(destruction, job.created + _LONGEST_KEPT))
            return job

        return self._update(identifier, changed)

    def start(self, identifier: str) -> Job:
        """Let a waiting job run; one that has run already is left alone."""
        begun = []

        def queued(job: Job) -> Job:
            if job.phase != "PENDING":
                return job
            begun.append(job.id)
            return replace(job, phase="QUEUED")

        job = self._update(identifier, queued)
        if begun:
            self._pool.submit(self._run, job.id)
        return job

    def abort(self, identifier: str) -> Job:
        """Stop a job; one that has ended is left alone."""
        now = datetime.now(UTC)
        return self._update(identifier, lambda job: replace(job, phase="ABORTED", ended=now) if job.active else job)

    def delete(self, identifier: str) -> None:
        """Stop a job and forget it."""
        with self._guard:
            job = self._known(identifier)
            del self._jobs[job.id]
        shutil.rmtree(self.path(job), ignore_errors=True)

    def _run(self, identifier: str) -> None:
        def executing(job: Job) -> Job:
            return replace(job, phase="EXECUTING", started=datetime.now(UTC)) if job.phase == "QUEUED" else job

        try:
            job = self._update(identifier, executing)
        except NoSuchJob:
            return
        if job.phase != "EXECUTING" or self._closing.is_set():
            return
        path = self.path(job)

        def given_up() -> bool:
            now = self._jobs.get(identifier)
            return now is None or now.phase != "EXECUTING" or self._closing.is_set()

        what: dict[str, Any] = {}
        try:
            question = self.asked(job, path)
            with (path / "result.part").open("w+b") as out:
                outcome = self.engine.answer(replace(question, seconds=job.seconds), out, given_up)
            (path / "result.part").replace(path / "result")
            what = {"phase": "COMPLETED", "media_type": outcome.media_type, "rows": outcome.rows,
                    "overflow": outcome.overflow}  # fmt: skip
        except GivenUp:
            pass  # aborted, deleted, or to be asked anew
        except TessellarError as error:
            what = {"phase": "ERROR", "message": str(error)}
        except OSError as error:
            what = {"phase": "ERROR", "message": f"the result could not be kept: {error.strerror}"}
        except Exception as error:  # noqa: BLE001 - a thread has nobody else to tell
            _log.error("job %s failed", job.id, exc_info=error)
            what = {"phase": "ERROR", "message": "this archive failed to answer; its own output says why"}
        self._end(identifier, path, what)

    def _end(self, identifier: str, path: Path, what: dict[str, Any]) -> None:
        """Tell what came of a job that ran, unless it was stopped; of one that was deleted nothing is left."""

        def ended(job: Job) -> Job:
            return replace(job, ended=datetime.now(UTC), **what) if what and job.phase == "EXECUTING" else job

        try:
            self._update(identifier, ended)
        except NoSuchJob:
            shutil.rmtree(path, ignore_errors=True)

    def _known(self, identifier: str) -> Job:
        job = self._jobs.get(identifier)
        if job is None:
            raise NoSuchJob(
                f"there is no job {identifier[:40]!r} here: it may have been deleted, or be another server's"
            )
        return job

    def _update(self, identifier: str, change: Callable[[Job], Job]) -> Job:
        """Change a job as it is at this moment, here and in its file."""
        with self._guard:
            job = change(self._known(identifier))
            self._write(job)
            self._jobs[job.id] = job
        return job

    def _write(self, job: Job) -> None:
        path = self.path(job) / "job.json"
        part = path.with_suffix(".part")
        text = json.dumps({name: value.isoformat() if isinstance(value, datetime) else value
                           for name, value in asdict(job).items()})  # fmt: skip
        part.write_text(text, encoding="utf-8")
        part.replace(path)

    def _read(self) -> Iterator[Job]:
        for path in sorted(self.folder.iterdir()):
            if not _ID.fullmatch(path.name):
                continue
            try:
                told = json.loads((path / "job.json").read_text(encoding="utf-8"))
                for name in ("created", "destruction", "started", "ended"):
                    told[name] = datetime.fromisoformat(told[name]) if told[name] else None
                yield Job(**told)
            except (OSError, ValueError, TypeError, KeyError):
                shutil.rmtree(path, ignore_errors=True)  # begun and never written, or another version's

    def _forget_old(self) -> None:
        now = datetime.now(UTC)
        with self._guard:
            old = [job.id for job in self._jobs.values() if job.destruction <= now]
        for identifier in old:
            with suppress(NoSuchJob):
                self.delete(identifier)


def suffix_of(media_type: str) -> str:
    """Return what the name of a file with a result ends with."""
    return next((form.suffix for form in FORMATS if form.media_type == media_type), "dat")
