"""Scores: what they are computed from, what they came to, and the rows behind them."""

import secrets
from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import touched_scores
from server.store.upsert import insert_into

ROWS = 5_000
"""Rows of one statement: PostgreSQL takes at most 32,767 values."""


async def touch_scores(connection: AsyncConnection, pairs: Iterable[tuple[str, str]]) -> None:
    """Ask for the scores of these (employee, YYYY-MM) to be computed again.

    Comes after ``touch_days`` and before ``note_changes``; row order and marks are as there.
    """
    wanted = sorted(set(pairs))
    mark = secrets.randbits(62)
    for start in range(0, len(wanted), ROWS):
        rows = [{"employee": e, "period": p, "mark": mark} for e, p in wanted[start : start + ROWS]]
        statement = insert_into(connection, touched_scores).values(rows)
        changed = {"mark": statement.excluded.mark}
        await connection.execute(statement.on_conflict_do_update(index_elements=["employee", "period"], set_=changed))
