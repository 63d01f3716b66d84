"""Shifts, punches and day records: what the attendance engine reads and writes."""

import secrets
from collections.abc import Iterable
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import touched_days
from server.store.upsert import insert_into

_ROWS = 5_000
"""Rows of one statement: PostgreSQL takes at most 32,767 values."""


async def touch_days(connection: AsyncConnection, pairs: Iterable[tuple[str, date]]) -> None:
    """Ask for these employee-days to be computed again; call it before ``note_changes`` in a transaction.

    Rows are taken in key order, so that two transactions never wait for each other in a circle. The mark is random: a
    day that is computed, forgotten and touched again must not look like the touch that somebody still works on.
    """
    wanted = sorted(set(pairs))
    mark = secrets.randbits(62)
    for start in range(0, len(wanted), _ROWS):
        rows = [{"employee": e, "date": d, "mark": mark} for e, d in wanted[start : start + _ROWS]]
        statement = insert_into(connection, touched_days).values(rows)
        changed = {"mark": statement.excluded.mark}
        await connection.execute(statement.on_conflict_do_update(index_elements=["employee", "date"], set_=changed))
