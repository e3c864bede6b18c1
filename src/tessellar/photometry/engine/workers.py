"""Threads that share the work of compiled kernels, which leave the interpreter alone while they run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def parts(count: int, size: int) -> list[slice]:
    """Slices of at most `size` that cover `count`."""
    return [slice(first, min(first + size, count)) for first in range(0, count, size)]


class Workers:
    """Threads that share the stars of a kernel; with one there are no threads at all.

    Parameters
    ----------
    threads : int
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def each(self, call: Callable[..., object], items: Iterable[Sequence[Any]]) -> None:
        """Call with the arguments of every item, in any order."""
        if self._pool is None:
            for item in items:
                call(*item)
            return
        # Each thread takes the next one when it is done with one: a future for each would cost more than small ones do.
        left = iter(list(items))

        def work() -> None:
            for item in left:
                call(*item)

        for done in [self._pool.submit(work) for _ in range(self.threads)]:
            done.result()
