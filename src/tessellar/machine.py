"""What the machine lets this process use."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

# Of the C library of GNU: how much free memory at the end of the heap goes back to the system (-1: none), by how much
# more than is needed the heap grows, and how many blocks lie outside it (malloc.h).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def cores() -> int:
    """Cores that this process may use: fewer than the machine has where a scheduler or a container says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def boot() -> str:
    """What tells this start of this machine from all others; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def keep_memory() -> bool:
    """Let this process keep memory that it has freed, for what it needs next; False where the C library cannot.

    Every large array is otherwise memory from the system, filled with zeros, and goes back to it when it is freed.
    Work that makes many of them, one after the other, spends up to a third of its time on that. The process keeps as
    much as it has ever needed at a time.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    settings = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1, _TOP_PAD: 2**26}
    return all(mallopt(name, value) == 1 for name, value in settings.items())
