"""Alarms that no message raises or ends: gaps that stay, and doubts that did not come back."""

from server.ingest.gaps import GapWatch
from server.ingest.log_numbers import RESTARTED
from server.ingest.session import CONFLICT, FOREIGN
from server.ingest.transaction import BAD_MESSAGE, CLONED, LOST, REVOKED, UNKNOWN
from server.store import fleet_queries, ingest_queries
from server.store.database import Database
from shared import ranges
from shared.clock import Clocks

GAP = "gap"
EVERY_S = 10.0
DAY_MS = 24 * 3_600_000
QUIET_AFTER_A_DAY = (CONFLICT, FOREIGN, BAD_MESSAGE, CLONED, REVOKED, UNKNOWN)
QUIET_AFTER_A_WEEK = (LOST, RESTARTED)


async def look(db: Database, clocks: Clocks, watch: GapWatch) -> None:
    """Raise and clear what time alone changes; a few cheap queries, in any number of processes."""
    now_ms = clocks.wall_ms()
    async with db.writing() as connection:
        rows = {row.id: row for row in await ingest_queries.streams_with_holes(connection)}
        standing = watch.standing(((row.id, row.upto) for row in rows.values()), clocks.mono_ms())
        for row in (rows[stream] for stream in sorted(standing)):
            missing = ranges.difference([(row.upto + 1, row.also[-1][1])], row.also)
            detail: fleet_queries.AlarmDetail = {
                "stream": row.stream.hex(),
                "first": missing[0][0],
                "last": missing[-1][1],
                "events": ranges.size(missing),
            }
            await fleet_queries.raise_alarm(connection, GAP, row.gateway, detail, now_ms)
        with_holes = {row.gateway for row in rows.values()}
        for gateway in sorted(await ingest_queries.open_subjects(connection, GAP) - with_holes):
            await fleet_queries.clear_alarms(connection, [GAP], gateway, now_ms)
        await ingest_queries.clear_adopted_terminals(connection, FOREIGN, now_ms)
        await ingest_queries.clear_quiet_alarms(connection, QUIET_AFTER_A_DAY, now_ms - DAY_MS, now_ms)
        await ingest_queries.clear_quiet_alarms(connection, QUIET_AFTER_A_WEEK, now_ms - 7 * DAY_MS, now_ms)
