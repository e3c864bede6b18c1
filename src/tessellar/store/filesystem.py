"""Which file system a folder is on: SQLite's write-ahead log must not be used over a network."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mounts")

_KERNEL = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "gpfs", "beegfs", "panfs", "orangefs", "9p")
_FUSE = ("sshfs", "ceph", "glusterfs", "davfs2", "s3fs", "rclone", "gcsfuse", "juicefs")

NETWORK = frozenset((*_KERNEL, *(f"fuse.{name}" for name in _FUSE)))


def file_system_of(path: Path, mounts: Path = _MOUNTS) -> str:
    """Return the type of the file system that a path is on, as the system's table of mounts names it.

    Parameters
    ----------
    path : Path
        It need not exist yet.
    mounts : Path
        The table; where there is none, the answer is an empty string.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    real = path.resolve()
    found, longest = "", -1
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        # Blanks and the like stand in the table as octal numbers.
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1]))
        if real.is_relative_to(point) and len(point.parts) >= longest:
            found, longest = fields[2], len(point.parts)
    return found


def is_network(kind: str) -> bool:
    """Whether a file system of this type is shared over a network."""
    return kind in NETWORK
