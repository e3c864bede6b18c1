"""One piece of a survey's work, as it is handed to a worker: names and numbers, never pixels."""

from __future__ import annotations

import errno
import time
import traceback
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Literal, NamedTuple

from tessellar.errors import NoPermission, NoSpace, TessellarError
from tessellar.survey.outcomes import Part

#: What measures a task: ``module:function``, from `Task` to `Part`.
MEASURE = "tessellar.survey.measuring:measure"

Ending = Literal["done", "failed", "memory", "killed", "full", "forbidden", "lost"]


class Star(NamedTuple):
    """A target as its task has it."""

    priority: int
    tic: int
    source: str
    method: str | None
    path: str
    tmag: float | None


@dataclass(frozen=True, kw_only=True)
class Task:
    """Stars to be measured together.

    Attributes
    ----------
    number : int
        In the ledger.
    key : str
        Of the plan.
    folder : str
        Where the files are; paths of stars are below it.
    path : str
        The prepared field, or the target pixel file whose cadences count.
    part : str
        The file to write.
    stars : tuple of Star
    rows : (int, int) or None
        First and last CCD row of a band (1-based, both included); None where stars are measured one by one.
    methods : tuple of str
        Of a band.
    measure : str
        What measures it: see `MEASURE`.
    """

    number: int
    key: str
    folder: str
    path: str
    part: str
    stars: tuple[Star, ...]
    rows: tuple[int, int] | None = None
    methods: tuple[str, ...] = ()
    measure: str = MEASURE


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a try of a task ended.

    Attributes
    ----------
    number : int
        Of the task.
    how : str
        ``done``: its part is there. ``failed``: it raised. ``memory``: there was not enough memory. ``killed``: the
        worker died. ``full``, ``forbidden``: the part could not be written, for want of space, or of permission.
        ``lost``: nobody knows.
    reason : str
        In one line.
    seconds : float
    """

    number: int
    how: Ending
    reason: str = ""
    seconds: float = field(default=0.0, compare=False)


def perform(task: Task, *, lasting: bool = True) -> Ended:
    """Measure a task, and write its part (`Part.save`): what every worker runs, of whatever kind it is.

    Never raises: what goes wrong is told, so that one task stops no other.
    """
    begin = time.monotonic()
    try:
        module, _, name = task.measure.partition(":")
        part: Part = getattr(import_module(module), name)(task)
        part.save(Path(task.part), task.key, lasting=lasting)
    except MemoryError as error:
        return _ended(task, begin, "memory", f"not enough memory ({error})" if str(error) else "not enough memory")
    except (NoSpace, NoPermission) as error:
        return _ended(task, begin, "full" if isinstance(error, NoSpace) else "forbidden", str(error))
    except TessellarError as error:
        return _ended(task, begin, "failed", str(error))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _ended(
                task, begin, "full", f"{error.filename or 'the disk'}: no space left; free some and run again"
            )
        return _ended(task, begin, "memory" if error.errno == errno.ENOMEM else "failed", _described(error))
    except Exception as error:  # noqa: BLE001  whatever it is, the other tasks go on, and the ledger tells it
        return _ended(task, begin, "failed", _described(error))
    return _ended(task, begin, "done", "")


def _ended(task: Task, begin: float, how: Ending, reason: str) -> Ended:
    return Ended(number=task.number, how=how, reason=reason, seconds=time.monotonic() - begin)


def _described(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}: {' '.join(str(error).split())}"
