"""Which studies are said to be running though the process that led them is over."""

from __future__ import annotations

from sqlalchemy import Connection, and_, select

from autoopt.records.owner import Owner, is_gone
from autoopt.records.tables import LEASES, PROCESSES, SCHEMA, STUDIES

LEAD = -1  # stands where leases of runs have the run
_SINCE = 5  # version of the schema


def interrupted_studies(connection: Connection) -> set[int]:
    """Return the keys of studies that are running by their own account, and led by nobody who lives.

    What runs on another machine is believed.
    """
    if int(connection.scalar(select(SCHEMA.c.version)) or 0) < _SINCE:
        return set()
    names = ("token", "host", "boot", "pid", "started", "crew")
    query = (
        select(STUDIES.c.id, *(PROCESSES.c[name] for name in names))
        .join(LEASES, and_(LEASES.c.study_id == STUDIES.c.id, LEASES.c.run_id == LEAD))
        .join(PROCESSES, PROCESSES.c.token == LEASES.c.owner, isouter=True)
        .where(STUDIES.c.state == "running")
    )
    return {key for key, *owner in connection.execute(query) if owner[0] is None or is_gone(Owner(*owner))}
