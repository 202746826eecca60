"""Where a database file lies: on a disk of this machine, or on one that is shared over a network."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

from autoopt.errors import AutooptWarning
from autoopt.records.location import database_path

# As the kernel names them. What virtual machines share with their host (9p, virtiofs) is left out: it is one
# machine that writes.
NETWORKS = frozenset({
    "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs",
    "panfs", "pvfs2", "smb", "smb2", "smb3", "smbfs", "webdav",
    "fuse.ceph", "fuse.cephfs", "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs",
    "fuse.sshfs",
})  # fmt: skip
MOUNTS = Path("/proc/self/mountinfo")  # Linux; where there is none, nothing is said


def network_of(path: Path) -> str | None:
    """Return the kind of the network file system that a file lies on, such as ``"nfs4"``; ``None`` on a local disk."""
    place = os.path.realpath(path)
    if os.name == "nt":
        return "network share" if place.startswith("\\\\") else None
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    kind = _kind_at(place, mounts)
    return kind if kind in NETWORKS else None


def warn_of_network(url: str) -> None:
    """Warn of a SQLite file on a network file system, where its locks and its log are not safe."""
    path = database_path(url)
    kind = None if path is None else network_of(path)
    if kind is not None:
        warnings.warn(
            f"the storage {path} lies on a network file system ({kind}), where SQLite cannot keep several machines "
            "apart: use a file on a local disk, or PostgreSQL (postgresql+psycopg://…) for several machines",
            AutooptWarning,
            stacklevel=3,
        )


def _kind_at(place: str, mounts: str) -> str | None:
    """Return the kind of file system at a path; of nested mounts the innermost, of several at one place the last."""
    found: tuple[int, str] | None = None
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and (found is None or len(point) >= found[0]):
            found = len(point), after.split(" ")[0]
    return None if found is None else found[1]
