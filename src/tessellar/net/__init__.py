"""Moving bytes: requests that are retried, transfers that are resumed, one private I/O thread.

Nothing here knows what the bytes mean or where they are kept: archives say
what to ask for, a `Sink` says where bytes go and when they are a whole file.
"""

from __future__ import annotations

from tessellar.net.loop import run
from tessellar.net.probe import Version, probe
from tessellar.net.sink import Claim, Kept, Partial, Received, Remote, Sink
from tessellar.net.transfer import Outcome, transfer
from tessellar.net.transport import Reply, Transport

__all__ = [
    "Claim",
    "Kept",
    "Outcome",
    "Partial",
    "Received",
    "Remote",
    "Reply",
    "Sink",
    "Transport",
    "Version",
    "probe",
    "run",
    "transfer",
]
