"""Progress is events; only this module draws them.

Work below the command line takes a `Listener` and calls it with `Event`s. It
never knows whether anyone looks. `drawn` gives a listener that draws bars on
stderr, and draws nothing where stderr is not a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """How far one piece of work has come.

    Attributes
    ----------
    task : str
        What is being worked on; events of one task have equal `task`.
    done : float
        How much is done, in `unit`.
    total : float or None
        How much there is, where that is known.
    unit : str
        ``"bytes"``, ``"rows"``, ``"files"`` ...
    note : str
        One line for the user, empty for none.
    finished : bool
        True in the last event of a task.
    """

    task: str
    done: float = 0.0
    total: float | None = None
    unit: str = ""
    note: str = ""
    finished: bool = False


Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing: the default wherever a listener can be given."""


@contextmanager
def drawn(quiet: bool = False, notes: bool = False) -> Iterator[Listener]:
    """Give a listener that draws progress on stderr while the block runs.

    Parameters
    ----------
    quiet : bool
        Draw nothing. Nothing is drawn either where stderr is not a terminal.
    notes : bool
        Where nothing is drawn, still print the notes, one a line, on stderr.
    """
    if quiet or not sys.stderr.isatty():
        yield _print_note if notes else ignore
        return
    with _display() as display:
        yield _Drawer(display)


def _print_note(event: Event) -> None:
    if event.note:
        sys.stderr.write(f"{event.note}\n")


def _display() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class _Drawer:
    """Turns events into the tasks of one rich display."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._tasks: dict[str, Any] = {}

    def __call__(self, event: Event) -> None:
        if event.note:
            self._display.console.print(event.note, highlight=False)
        if event.task not in self._tasks:
            self._tasks[event.task] = self._display.add_task(event.task, total=event.total, amount="")
        task = self._tasks[event.task]
        speed = self._display.tasks[self._display.task_ids.index(task)].speed
        self._display.update(task, completed=event.done, total=event.total, amount=_amount(event, speed))
        if event.finished:
            self._display.remove_task(self._tasks.pop(event.task))


def _amount(event: Event, speed: float | None) -> str:
    """Write how much is done, of how much, and how fast."""
    if event.unit != "bytes":
        total = "" if event.total is None else f" of {event.total:.0f}"
        return f"{event.done:.0f}{total} {event.unit}"
    total = "" if event.total is None else f" of {event.total / 1e6:.1f}"
    rate = "" if not speed else f", {speed / 1e6:.1f} MB/s"
    return f"{event.done / 1e6:.1f}{total} MB{rate}"
