"""`survey run`: hand out the tasks that are left, write down what comes of them, and store the light curves."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from tessellar.errors import InputError, NoPermission, NoSpace, StoreError
from tessellar.machine import cores
from tessellar.photometry.status import STATUS
from tessellar.progress import Event, Listener, ignore
from tessellar.survey import spares
from tessellar.survey.folder import SurveyFolder
from tessellar.survey.ledger import ASIDE, DONE, STORED, WAITING, FieldRow, Ledger, TaskRow
from tessellar.survey.outcomes import PartFile
from tessellar.survey.sharing import skipped_by
from tessellar.survey.storing import Storage
from tessellar.survey.tasks import MEASURE, Ended, Star, Task
from tessellar.survey.workers import Executor, Processes, machine_memory

#: A task that failed so often is set aside.
TRIES = 3
# Tries that ended for no fault of the task's: these are not counted.
_NOBODY = "lost"
# Endings that no other task is spared.
_STOPPING: Mapping[str, type[StoreError]] = {"full": NoSpace, "forbidden": NoPermission}
# Seconds between looks at what has ended.
_TICK = 0.5
# Seconds without anybody at work, after which that is said.
_IDLE = 30.0


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a run ended.

    Attributes
    ----------
    stars : dict of str to int
        Targets by name of their STATUS, of the whole survey.
    aside : dict of int to str
        Tasks that were set aside, and why.
    done : int
        Tasks that this run has done.
    seconds : float
    """

    stars: dict[str, int]
    aside: dict[int, str]
    done: int
    seconds: float


def run(
    folder: str | PathLike[str],
    *,
    workers: int | None = None,
    memory: int | None = None,
    scheduler: str | None = None,
    again: bool = False,
    measure: str = MEASURE,
    listener: Listener = ignore,
) -> Finished:
    """Measure what `plan` wrote down, and is not measured yet.

    It can be stopped, or killed, at any time, and goes on when it is called again: the light curves are the same.

    Parameters
    ----------
    folder : path-like
        As given to `plan`.
    workers : int, optional
        Processes of this machine; by default one a core, but fewer where not all have the memory that the plan needs.
    memory : int, optional
        Bytes that each of them may have; by default nine tenths of what there is, shared by all.
    scheduler : str, optional
        Address of a Dask scheduler: its workers measure, instead of processes of this machine. They have to see the
        same folder under the same name.
    again : bool
        Also try tasks that were set aside.
    measure : str
        What measures a task, ``module:function``, of a module that workers can import: they do not run the script.
    listener : callable
        Told about progress.

    Returns
    -------
    Finished

    Raises
    ------
    MissingInput
        If nothing is planned there.
    StoreError
        If another run works there.
    NoSpace, NoPermission
        If parts or light curves cannot be written; what was done is kept.
    Unavailable
        If the scheduler does not answer, or not any more; what was done is kept.

    Examples
    --------
    >>> from tessellar.survey import run
    >>> run("frames", workers=2).stars  # doctest: +SKIP
    {'OK': 812, 'WARNING': 11, 'ERROR': 2}
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers={workers}: one has to work at least")
    place = SurveyFolder(Path(folder).absolute())
    begin = time.monotonic()
    Ledger.require(place.ledger)
    # Locked first: what `plan --overwrite` put there before is what is measured.
    with place.locked(), spares.none_left(place.part(0).parent), closing(Ledger(place.ledger)) as ledger:
        work = _Run(place, ledger, measure, listener)
        work.take_up(again=again)
        if work.waiting:
            if scheduler is None:
                workers = workers or min(cores(), _fitting(ledger, memory))
                work.share = memory or machine_memory() * 9 // 10 // min(workers, len(work.waiting))
                work.spare = workers
                work.notice_shortage()
            _work_through(work, lambda: _executor(workers, work.share, scheduler, len(work.waiting)))
        work.store_all()
        decide_skips(ledger)
        reasons = {task.id: task.reason for task in work.tasks.values() if task.state == ASIDE}
        return Finished(stars=status_counts(ledger), aside=reasons, done=work.done, seconds=time.monotonic() - begin)


def _executor(workers: int | None, memory: int | None, scheduler: str | None, tasks: int) -> Executor:
    if scheduler is not None:
        from tessellar.survey.cluster import Cluster

        return Cluster(scheduler)
    return Processes(min(workers or cores(), tasks), memory)


def _fitting(ledger: Ledger, memory: int | None) -> int:
    """How many workers have the memory that a plan needs, where this machine's is shared among them."""
    need = ledger.setting("need")
    return cores() if memory is not None or not need else max(machine_memory() * 9 // 10 // need, 1)


def _work_through(work: _Run, make: Callable[[], Executor]) -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="writer") as writer, closing(make()) as executor:
        while work.waiting or work.running:
            work.hand_out(executor)
            found = executor.ended(_TICK)
            # Before it is written down what came: nobody has to wait for that.
            work.hand_out(executor)
            for ended in found:
                work.end(ended)
            work.notice_idleness()
            work.store_next(writer)
            work.tell()


def decide_skips(ledger: Ledger) -> None:
    """Write down which stars are skipped, from all outcomes that there are."""
    ledger.skip(skipped_by(ledger.sightings()))


def status_counts(ledger: Ledger) -> dict[str, int]:
    """Targets by name of STATUS: that of the method which counts for each; not measured yet is UNKNOWN."""
    rows = ledger.select("SELECT status, count(*) FROM result GROUP BY status")
    return {STATUS(status).name: count for status, count in sorted(rows)}


@dataclass
class _Run:
    """One run: what is left, what is in hand, what is done."""

    place: SurveyFolder
    ledger: Ledger
    measure: str
    listener: Listener
    waiting: deque[int] = field(default_factory=deque)
    running: set[int] = field(default_factory=set)
    tasks: dict[int, TaskRow] = field(default_factory=dict)
    done: int = 0
    share: int | None = None
    spare: int = 0
    _begin: float = field(default_factory=time.monotonic)
    _counts: Counter[str] = field(default_factory=Counter)
    _before: int = 0
    _storing: Future[None] | None = None
    _stored_next: int = 0
    _idle_since: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._key = str(self.ledger.setting("key"))
        self._methods = tuple(self.ledger.setting("methods"))
        self._fields: dict[int, FieldRow] = {each.id: each for each in self.ledger.fields()}

    def take_up(self, *, again: bool) -> None:
        """Find out where an earlier run was, also if it was killed."""
        self.tasks = {task.id: task for task in self.ledger.tasks()}
        lost = {each for each, field in self._fields.items() if not self.place.store(field).exists()}
        back = [
            task.id
            for task in self.tasks.values()
            if (task.state == STORED and task.field in lost and self._has_curves(task.id))
            or (task.state == DONE and not self._part(task.id).is_of(self._key))
            or (task.state == ASIDE and again)
        ]
        if back:
            self.ledger.move(back, WAITING)
        self.tasks = {task.id: task for task in self.ledger.tasks()}
        for task in self.tasks.values():
            if task.state == WAITING:
                if self._part(task.id).is_of(self._key):
                    self._record(task.id, None)  # its part came, and then we were killed
                else:
                    self.waiting.append(task.id)
        self._counts.update(status_counts(self.ledger))
        self._before = self._stars_done()
        for leftover in self.place.part(0).parent.glob(".*.part"):
            leftover.unlink(missing_ok=True)

    def hand_out(self, executor: Executor) -> None:
        """Give tasks to all who have none."""
        while self.waiting and executor.free:
            executor.submit(self._next())

    def _next(self) -> Task:
        number = self.waiting.popleft()
        row = self.tasks[number]
        self.running.add(number)
        return Task(
            number=number,
            key=self._key,
            folder=str(self.place.root),
            path=str(self.place.path_of(self._fields[row.field].path)),
            part=str(self.place.part(number)),
            stars=tuple(Star(*each) for each in self.ledger.targets(number)),
            rows=row.rows,
            methods=self._methods,
            measure=self.measure,
        )

    def end(self, ended: Ended) -> None:
        """Take note of how a try ended; a task that fails too often is set aside.

        Raises
        ------
        NoSpace, NoPermission
            If a worker could not write.
        """
        number = ended.number
        self.running.discard(number)
        if ended.how == "done":
            self._record(number, ended.seconds)
            return
        if ended.how in _STOPPING:
            raise _STOPPING[ended.how](ended.reason)
        row = self.tasks[number]
        tries = row.tries + (ended.how != _NOBODY)
        aside = tries >= TRIES
        reason = f"{ended.reason}; {self._more_memory(row)}" if ended.how == "memory" else ended.reason
        self.ledger.fail(number, reason, tries=tries, aside=aside)
        self._reload(number)
        what = f"set aside after {tries} tries" if aside else "will be tried again"
        self.listener(Event("survey", note=f"task {number} ({row.stars} stars) {what}: {reason}"))
        if not aside:
            self.waiting.append(number)

    def store_next(self, writer: ThreadPoolExecutor) -> None:
        """Let the writer put the next part of the list into its store, if it is there and the writer is free."""
        if self._storing is not None:
            if not self._storing.done():
                return
            self._storing.result()
            self._storing = None
            self._settle(self._stored_next)
        number = self._next_to_store()
        if number is not None:
            self._stored_next = number
            self._storing = writer.submit(self._store, number)

    def store_all(self) -> None:
        """Put all parts that are there into their stores."""
        if self._storing is not None:
            self._storing.result()
            self._storing = None
            self._settle(self._stored_next)
        while (number := self._next_to_store()) is not None:
            self._store(number)
            self._settle(number)

    def tell(self) -> None:
        """Say how far it has come."""
        done, total = self._stars_done(), sum(task.stars for task in self.tasks.values())
        rate = (done - self._before) / max(time.monotonic() - self._begin, 1e-3)
        counts = ", ".join(f"{name} {count}" for name, count in sorted(self._counts.items()) if name != "UNKNOWN")
        finished = not self.waiting and not self.running
        self.listener(Event("survey", done, total, f"stars, {rate:.1f}/s; {counts}", finished=finished))

    def notice_idleness(self) -> None:
        """Say once that nobody takes a task, where that is so for a while."""
        if self.running or not self.waiting:
            self._idle_since = time.monotonic()
        elif time.monotonic() - self._idle_since > _IDLE:
            self._idle_since = float("inf")
            self.listener(Event("survey", note=f"no worker has taken a task for {_IDLE:.0f} s: has the cluster any?"))

    def notice_shortage(self) -> None:
        """Say before the work begins that a worker has less memory than a task needs."""
        need = self.ledger.setting("need")
        if need and self.share and self.share < need:
            what = f"tasks of this plan need up to {need / 1e9:.1f} GB"
            wide = max((self.tasks[each] for each in self.waiting), key=lambda task: _rows_of(task) or 0)
            self.listener(Event("survey", note=f"{what}: {self._more_memory(wide)}"))

    def _more_memory(self, row: TaskRow) -> str:
        """What to do where a task has not enough memory."""
        has = f"a worker has {self.share / 1e9:.1f} GB: " if self.share else ""
        more = "run with fewer --workers or more --memory" if self.share else "give the cluster's workers more"
        rows = _rows_of(row)
        half = "" if rows is None or rows < 2 else f", or plan with --rows {rows // 2} --overwrite"
        return f"{has}{more}{half}"

    def _next_to_store(self) -> int | None:
        """The first task of the list whose part waits, if nothing before it in its field is still to come."""
        blocked: set[int] = set()
        for task in self.tasks.values():
            if task.state == WAITING:
                blocked.add(task.field)
            elif task.state == DONE and task.field not in blocked:
                return task.id
        return None

    def _store(self, number: int) -> None:
        Storage(self.place, self._fields[self.tasks[number].field]).put(self._part(number))

    def _settle(self, number: int) -> None:
        self.ledger.move([number], STORED)
        self._reload(number)
        part = self._part(number).path
        if part.exists():
            spares.keep(part, self.spare)

    def _record(self, number: int, seconds: float | None) -> None:
        outcomes = self._part(number).outcomes()
        self.ledger.record(number, outcomes, seconds)
        self._reload(number)
        self.done += 1
        self._counts.update(outcomes.statuses())

    def _reload(self, number: int) -> None:
        self.tasks[number] = self.ledger.task(number)

    def _has_curves(self, number: int) -> bool:
        query = "SELECT count(*) FROM outcome JOIN target USING (priority) WHERE task = ? AND status IN (?, ?)"
        return bool(self.ledger.select(query, number, int(STATUS.OK), int(STATUS.WARNING))[0][0])

    def _stars_done(self) -> int:
        return sum(task.stars for task in self.tasks.values() if task.state != WAITING)

    def _part(self, number: int) -> PartFile:
        return PartFile(self.place.part(number))


def _rows_of(task: TaskRow) -> int | None:
    """CCD rows of a task's band; None where its stars are measured one by one."""
    return None if task.rows is None else task.rows[1] - task.rows[0] + 1
