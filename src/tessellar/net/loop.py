"""One private thread with one event loop, on which all our I/O runs.

So the same call works in a script, in Jupyter (which has a loop of its own)
and under asyncio, without patching anyone's loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Executor
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the I/O thread and wait for its result.

    On Ctrl-C the coroutine is cancelled, and given the time to clean up,
    before KeyboardInterrupt goes on.

    Parameters
    ----------
    work : coroutine
        It must not call `run` itself.

    Returns
    -------
    object
        What the coroutine returns; what it raises is raised here.
    """
    future = asyncio.run_coroutine_threadsafe(work, _running_loop())
    try:
        return future.result()
    except KeyboardInterrupt:
        future.cancel()
        _settle()
        raise
    except CancelledError as error:
        raise KeyboardInterrupt from error


async def in_thread(pool: Executor | None, work: Callable[[], T]) -> T:
    """Run work that blocks in a thread of `pool`, or of the loop's own.

    When the task is cancelled, the work is waited for all the same: what it
    does with files is never cut in the middle.
    """
    future = asyncio.get_running_loop().run_in_executor(pool, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # looked at, so that asyncio does not report it as forgotten
        raise


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None or _loop.is_closed():
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="tessellar-io", daemon=True).start()
            _loop = loop
        return _loop


def _settle(seconds: float = 5.0) -> None:
    """Wait until what was cancelled has cleaned up after itself."""

    async def others_done() -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and task.cancelling()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    asyncio.run_coroutine_threadsafe(others_done(), _running_loop()).result(seconds + 1)
